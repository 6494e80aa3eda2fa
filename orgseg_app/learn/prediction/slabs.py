"""Volumes by networks of volumes: tiles in z, y and x, finished rows of finished planes first.

Tiles are computed layer by layer from the first plane on, in a layer row by row. What a layer has
said of planes that the next one touches as well is set aside; so is what was read. Memory then
holds a row of tiles, whatever the depth and height of the volume; see `scratch`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from orgseg_app.learn.device import is_out_of_memory
from orgseg_app.learn.errors import StopRequestedError
from orgseg_app.learn.networks.volume_blocks import mirror_pad
from orgseg_app.learn.prediction.keeping import Keeper, Position
from orgseg_app.learn.prediction.scratch import PlaneArray
from orgseg_app.learn.prediction.source import PlaneSource, PreparedPlanes
from orgseg_app.learn.prediction.stitching import Rows
from orgseg_app.learn.prediction.tiles import Tile

if TYPE_CHECKING:
    from orgseg_app.learn.prediction.predictor import Predictor, Progress


@dataclass(frozen=True)
class Piece:
    """Finished rows of some planes.

    Attributes
    ----------
    z0, y0
        The first plane and the first row.
    values
        ``(outputs, planes, rows, X)`` float32, as `Band.probabilities`.
    """

    z0: int
    y0: int
    values: NDArray[np.float32]


def slab_pieces(
    predictor: Predictor,
    source: PlaneSource,
    planes: Sequence[int],
    *,
    keeper: Keeper,
    progress: Progress | None,
    should_stop: Callable[[], bool] | None,
) -> Iterator[Piece]:
    """What networks of volumes, and those of planes beside them, say of some planes.

    Planes come in order, and of each few planes all rows. When memory runs out the same planes
    come once more, from the first row.

    Parameters
    ----------
    planes
        By increasing z. Others may come as well; what is said of them is of no use.
    keeper
        Where to go on, and where to set aside.
    predictor, source, progress, should_stop
        As in `volumes.predicted_planes`, which also names the errors.
    """
    position = keeper.start or _beginning(planes[0])
    while True:
        run = _Run(predictor, source, planes, keeper, progress, should_stop)
        try:
            yield from run.pieces(position)
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        predictor.use_less()
        position = _beginning(run.base)
        keeper.reached(position, must=True)


def _beginning(plane: int) -> Position:
    """The position before a plane of which nothing is known."""
    return {"layer": 0, "base": plane, "reach": plane, "turn": 0, "row": 0, "row_base": 0}


@dataclass(frozen=True)
class _Slab:
    """What one layer of tiles finishes.

    Attributes
    ----------
    layer, number
        The tiles, and which layer of them.
    base, end
        Planes that are finished with it.
    reach
        Planes from `base` to here have something from earlier layers.
    top
        Planes from `end` to here go on to the next layer.
    turn
        Which of the two arrays holds what earlier layers said.
    """

    layer: Tile
    number: int
    base: int
    end: int
    reach: int
    top: int
    turn: int


class _Run:
    """One way through a volume, with the tiles as they are now."""

    def __init__(
        self,
        predictor: Predictor,
        source: PlaneSource,
        planes: Sequence[int],
        keeper: Keeper,
        progress: Progress | None,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        assert predictor.deep is not None
        self._predictor, self._group, self._keeper = predictor, predictor.deep, keeper
        self._planes = planes
        self._progress, self._should_stop = progress, should_stop
        self._size = source.shape[1:]
        self._layers, self._rows, self._columns = self._group.plan_volume(self._size)
        prepared = PreparedPlanes(predictor, source, self._group.members)
        self._window = _Window(keeper, prepared, source, self._layers)
        flat = predictor.flat
        self._flat = None if flat is None else PreparedPlanes(predictor, source, flat.members)
        self._stitching = predictor.stitching
        self._outputs = predictor.outputs
        self._channels = self._outputs + self._stitching.extra
        self.base = planes[0]

    def pieces(self, position: Position) -> Iterator[Piece]:
        """The pieces from a position on."""
        depth, height, width = self._size
        until = min(self._planes[-1] + 1, depth)
        self.base, reach, turn = position["base"], position["reach"], position["turn"]
        numbers = range(position["layer"], len(self._layers))
        self._count(position)
        shape = (self._channels, max(_carried(self._layers, depth), 1), height, width)
        overlaps = [self._keeper.lasting.array(f"overlap-{i}", shape, np.float32) for i in (0, 1)]
        row, row_base, pending = position["row"], position["row_base"], self._keeper.pending
        for number in numbers:
            layer = self._layers[number]
            if min(layer.kept_stop, until) <= self.base:
                continue
            later = self._layers[number + 1 : number + 2]
            end = max(self.base, min(later[0].kept_start if later else depth, until))
            if not self._wants(layer, self.base):
                self.base = reach = end
                continue
            top = max(reach, min(layer.kept_stop, until))
            slab = _Slab(layer, number, self.base, end, reach, top, turn)
            rows = Rows(
                self._stitching, self._channels, top - self.base, (height, width), self._rows
            )
            if row:
                assert pending is not None
                rows.pending, rows.base = pending, row_base
                self._done += row * len(self._columns)
            yield from self._of_slab(slab, rows, row, overlaps)
            self.base, reach, turn, row = end, top, 1 - turn, 0
            self._keeper.reached(
                _beginning(end) | {"layer": number + 1, "reach": top, "turn": turn}, must=True
            )

    def _of_slab(
        self, slab: _Slab, rows: Rows, first_row: int, overlaps: list[PlaneArray]
    ) -> Iterator[Piece]:
        layer, until = slab.layer, self._planes[-1] + 1
        k0, k1 = max(layer.kept_start, slab.base), min(layer.kept_stop, self._size[0], until)
        weights = layer.weights[k0 - layer.kept_start : k1 - layer.kept_start]
        earlier, later = overlaps[slab.turn], overlaps[1 - slab.turn]
        carried, finished = slab.reach - slab.base, slab.end - slab.base
        self._window.fill(layer)
        flat = self._of_flat(slab)
        for number in range(first_row, len(self._rows)):
            row = self._rows[number]
            rows.begin(number)
            for column in self._columns:
                self._check_stop()
                answer = self._answer(layer, row, column)[:, k0 - layer.start : k1 - layer.start]
                rows.lay(answer, row, column, slice(k0 - slab.base, k1 - slab.base), weights)
                self._step()
            y0, values = rows.finish(number)
            lines = slice(y0, y0 + values.shape[2])
            if values.shape[2]:
                if carried:
                    before = np.array(earlier.look()[:, :carried, lines])
                    self._stitching.merge(values[:, :carried], before)
                if finished:
                    done = values[: self._outputs, :finished]
                    if flat is not None:
                        done = self._together(done, flat.look()[:, :finished, lines])
                    yield Piece(slab.base, y0, done)
                if slab.top > slab.end:
                    later.put_all(y0, values[:, finished:])
            if number + 1 < len(self._rows):
                at = {"layer": slab.number, "reach": slab.reach, "turn": slab.turn}
                at |= {"row": number + 1, "row_base": rows.base}
                self._keeper.reached(_beginning(slab.base) | at, rows.pending)

    def _answer(self, layer: Tile, row: Tile, column: Tile) -> NDArray[np.float32]:
        """What the networks of volumes say of one tile, ``(K, Z, Y, X)``.

        A volume with fewer planes than the patches that a network learned from is enlarged as they
        were, by its mirror image behind the last plane.
        """
        tiles: list[Tensor] = []
        for member, way in zip(self._group.members, self._window.ways, strict=True):
            network = self._predictor.models[member].network
            multiples = (network.multiple_z, network.multiple, network.multiple)
            image = torch.from_numpy(self._window.read(way, layer, row, column))[None]
            learned, (depth, *sides) = self._predictor.models[member].recipe.patch_depth, self._size
            if image.shape[-3] == depth < learned:
                image, depth = mirror_pad(image, -3, 0, learned - depth), learned
            parts = zip((layer, row, column), (depth, *sides), multiples, strict=True)
            for axis, (tile, size, multiple) in enumerate(parts, start=-3):
                whole = -(-size // multiple) * multiple
                image = mirror_pad(image, axis, 0, min(tile.stop, whole) - min(tile.stop, size))
            tiles.append(image)
        return self._predictor._probabilities(tiles, self._group)

    def _of_flat(self, slab: _Slab) -> PlaneArray | None:
        """What networks of planes say of the planes that a slab finishes, if there are such."""
        if self._flat is None:
            return None
        _, height, width = self._size
        most = max(t.kept_stop - t.kept_start for t in self._layers)
        found = self._keeper.scratch.array(
            "planes", (self._outputs, most, height, width), np.float32
        )
        for z in self._planes:
            if slab.base <= z < slab.end:
                stacks = self._flat.stacks(z)
                for band in self._predictor.bands_of_prepared(
                    stacks, should_stop=self._should_stop
                ):
                    found.put_all(band.start, band.probabilities[:, None], first=z - slab.base)
                self._step()
        return found

    def _together(
        self, deep: NDArray[np.float32], flat: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The mean over all models of both kinds."""
        assert self._predictor.flat is not None
        share = len(self._group.members) / len(self._predictor.models)
        both: NDArray[np.float32] = deep * np.float32(share) + flat * np.float32(1 - share)
        return both

    def _wants(self, layer: Tile, first: int) -> bool:
        """Whether any plane from `first` on is asked of a layer."""
        first = max(layer.kept_start, first)
        return any(first <= z < layer.kept_stop for z in self._planes)

    def _count(self, position: Position) -> None:
        """Steps that are done and steps in all, planes of other networks included."""
        wanted = [i for i, t in enumerate(self._layers) if self._wants(t, self._planes[0])]
        left = sum(
            i >= position["layer"] and self._wants(self._layers[i], position["base"])
            for i in wanted
        )
        tiles = len(self._rows) * len(self._columns)
        self._total, self._done = len(wanted) * tiles, (len(wanted) - left) * tiles
        if self._flat is not None:
            self._total += len(self._planes)
            self._done += sum(z < position["base"] for z in self._planes)

    def _step(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, self._total)

    def _check_stop(self) -> None:
        if self._should_stop is not None and self._should_stop():
            raise StopRequestedError("Stopped as asked.")


class _Window:
    """The prepared planes that a layer of tiles reads, set aside; those of the next stay there.

    Attributes
    ----------
    ways
        Of each model, which way of preparing is its own.
    """

    def __init__(
        self, keeper: Keeper, prepared: PreparedPlanes, source: PlaneSource, layers: list[Tile]
    ) -> None:
        self._prepared, self.ways = prepared, prepared.ways
        _, self._depth, self._height, self._width = source.shape
        self._room = min(max(layer.stop - layer.start for layer in layers), self._depth)
        shape = (prepared.count, prepared.channels, self._room, self._height, self._width)
        self._array = keeper.scratch.array("prepared", shape, np.float32)
        self._next = 0

    def fill(self, layer: Tile) -> None:
        """Read the planes of a layer that are not there."""
        stop = min(layer.stop, self._depth)
        for z in range(max(layer.start, self._next), stop):
            for way, plane in enumerate(self._prepared.prepared(z)):
                for channel, values in enumerate(plane):
                    self._array.put((way, channel, z % self._room), 0, values)
        self._next = max(self._next, stop)

    def read(self, way: int, layer: Tile, row: Tile, column: Tile) -> NDArray[np.float32]:
        """What lies in a tile, ``(C, Z, Y, X)``, as far as there is an image."""
        y = slice(row.start, min(row.stop, self._height))
        x = slice(column.start, min(column.stop, self._width))
        planes = self._array.look()[way]
        first, stop = layer.start % self._room, (min(layer.stop, self._depth) - 1) % self._room + 1
        if first < stop:
            return np.array(planes[:, first:stop, y, x])
        return np.concatenate([planes[:, first:, y, x], planes[:, :stop, y, x]], axis=1)


def _carried(layers: list[Tile], depth: int) -> int:
    """The most planes that a layer leaves to the next."""
    most, reach = 0, 0
    for layer, later in itertools.pairwise(layers):
        reach = max(reach, min(layer.kept_stop, depth))
        most = max(most, reach - min(later.kept_start, depth))
    return most
