"""Edits: what a person does to a mask, and exactly what each one altered.

An `Edit` writes through a `Recorder`, which keeps the blocks as they were; when the edit ends, the
recorder gives a `Change`: the class ids before and after wherever they differ, compressed, block by
block. It undoes and redoes by writing class ids, never by combining them with what is there: done
twice, or on another version of the mask, it still gives nothing but classes somebody painted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core import brush, fill, shapes
from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.mask import BLOCK, BlockIndex, Box, Mask

EMPTY_BOX = Box(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Change:
    """What one edit altered.

    Attributes
    ----------
    image_id, layer
        Which mask.
    title
        For the Edit menu: "Undo paint".
    box
        Everything that can look different now.
    blocks
        Index of each altered block and two planes of 256 × 256 class ids, zlib-compressed: before
        and after where these differ, 0 elsewhere.
    """

    image_id: str
    layer: str
    title: str
    box: Box
    blocks: tuple[tuple[BlockIndex, bytes], ...]

    @property
    def size_bytes(self) -> int:
        """Memory it costs to remember."""
        return sum(len(packed) for _, packed in self.blocks)

    def undo(self, mask: Mask) -> None:
        """Write what was there before."""
        self._write(mask, 0)

    def redo(self, mask: Mask) -> None:
        """Write what the edit made."""
        self._write(mask, 1)

    @property
    def is_whole(self) -> bool:
        """False when its blocks are no blocks, as only one that was not made here can be."""
        return all(_unpacked(packed) is not None for _, packed in self.blocks)

    def _write(self, mask: Mask, side: int) -> None:
        for index, packed in self.blocks:
            planes = _unpacked(packed) if mask.holds(index) else None
            if planes is not None:
                np.copyto(mask.writable(index), planes[side], where=planes[0] != planes[1])


def _unpacked(packed: bytes) -> NDArray[np.uint8] | None:
    """The two planes of a block; None when it is none: a journal may come from a stranger."""
    try:
        data = zlib.decompressobj().decompress(packed, 2 * BLOCK * BLOCK + 1)
        return np.frombuffer(data, np.uint8).reshape(2, BLOCK, BLOCK)
    except (zlib.error, ValueError):
        return None


def overwritable(class_id: int, protect: bool) -> NDArray[np.bool_] | None:
    """Which values painting ``class_id`` may replace, ``(256,)``; None for all of them.

    With ``protect`` on, painting goes only over unlabelled voxels, and the eraser (class id 0)
    removes whatever is there.
    """
    if not protect or class_id == UNLABELLED:
        return None
    allowed = np.zeros(256, np.bool_)
    allowed[[UNLABELLED, class_id]] = True
    return allowed


class Recorder:
    """Writes into a mask and remembers what was there before.

    Parameters
    ----------
    image_id
        Image the mask belongs to.
    mask
        Written in place.
    """

    def __init__(self, image_id: str, mask: Mask, layer: str = "mask") -> None:
        self.image_id = image_id
        self.layer = layer
        self.mask = mask
        self.box = EMPTY_BOX
        self._before: dict[BlockIndex, NDArray[np.uint8] | None] = {}

    def paint(
        self,
        z: int,
        y0: int,
        x0: int,
        where: NDArray[np.bool_],
        class_id: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Box:
        """Set the voxels where ``where`` (corner at ``y0, x0``) is true; what changed at most."""
        erases = class_id == UNLABELLED
        write = _painter(where, class_id, allowed)
        return self._each(z, y0, x0, where.shape, write, skip_missing=erases)

    def put(self, z: int, y0: int, x0: int, values: NDArray[np.uint8]) -> Box:
        """Replace a region of one plane by these class ids."""

        def write(block: NDArray[np.uint8], region: tuple[slice, slice]) -> None:
            block[...] = values[region]

        return self._each(z, y0, x0, values.shape, write)

    def _each(
        self,
        z: int,
        y0: int,
        x0: int,
        size: tuple[int, ...],
        write: _Write,
        *,
        skip_missing: bool = False,
    ) -> Box:
        y1, x1 = y0 + size[0], x0 + size[1]
        for index, inside, region in self.mask.overlaps(z, y0, x0, y1, x1):
            block = self.mask.block(index)
            if block is None and skip_missing:
                continue
            if index not in self._before:
                self._before[index] = None if block is None else block.copy()
            write(self.mask.writable(index)[inside], region)
        touched = Box(z, y0, x0, z + 1, y1, x1).clipped(self.mask.shape)
        self.box = self.box.union(touched)
        return touched

    def finish(self, title: str) -> Change | None:
        """The change made since the start, or None when nothing differs."""
        blocks: list[tuple[BlockIndex, bytes]] = []
        for index, before in sorted(self._before.items()):
            after = self.mask.block(index)
            if after is None:
                continue
            old = np.zeros_like(after) if before is None else before
            differs = old != after
            if differs.any():
                planes = np.zeros((2, BLOCK, BLOCK), np.uint8)
                np.copyto(planes[0], old, where=differs)
                np.copyto(planes[1], after, where=differs)
                blocks.append((index, zlib.compress(planes.data, 1)))
        self._before.clear()
        if not blocks:
            return None
        return Change(self.image_id, self.layer, title, self.box, tuple(blocks))

    def cancel(self) -> None:
        """Put everything back as it was."""
        for index, before in self._before.items():
            self.mask.replace_block(index, before)
        self._before.clear()


class _Write(Protocol):
    def __call__(self, block: NDArray[np.uint8], region: tuple[slice, slice]) -> None: ...


def _painter(where: NDArray[np.bool_], class_id: int, allowed: NDArray[np.bool_] | None) -> _Write:
    def write(block: NDArray[np.uint8], region: tuple[slice, slice]) -> None:
        chosen = where[region]
        if allowed is not None:
            chosen = chosen & allowed[block]
        np.copyto(block, np.uint8(class_id), where=chosen)

    return write


class Edit(Protocol):
    """One undoable act."""

    @property
    def title(self) -> str:
        """One or two words for the menu: "paint", "fill"."""

    def apply(self, recorder: Recorder) -> None:
        """Write the edit through the recorder."""


@dataclass(frozen=True)
class PaintStroke:
    """A brush drawn through points.

    Attributes
    ----------
    z
        Plane.
    points_yx
        ``((y, x), …)`` in voxels; the centre of the first voxel is (0.5, 0.5).
    size
        Diameter, or side of the square, in voxels.
    class_id
        0 erases.
    """

    z: int
    points_yx: tuple[tuple[float, float], ...]
    size: int
    class_id: int
    square: bool = False
    protect: bool = False

    @property
    def title(self) -> str:
        """Erase or paint."""
        return "erase" if self.class_id == UNLABELLED else "paint"

    def apply(self, recorder: Recorder) -> None:
        """Sweep the footprint from point to point."""
        allowed = overwritable(self.class_id, self.protect)
        starts = self.points_yx[:1] + self.points_yx[:-1]
        for a, b in zip(starts, self.points_yx, strict=True):
            y0, x0, where = brush.swept(a, b, self.size, square=self.square)
            recorder.paint(self.z, y0, x0, where, self.class_id, allowed)


@dataclass(frozen=True)
class PaintPolygon:
    """The inside of a closed outline; ``points_yx`` as in `PaintStroke`."""

    z: int
    points_yx: tuple[tuple[float, float], ...]
    class_id: int
    protect: bool = False

    @property
    def title(self) -> str:
        """Polygon."""
        return "polygon"

    def apply(self, recorder: Recorder) -> None:
        """Fill the outline."""
        shape = recorder.mask.shape
        y0, x0, where = shapes.polygon(self.points_yx, (shape[1], shape[2]))
        if where.size:
            allowed = overwritable(self.class_id, self.protect)
            recorder.paint(self.z, y0, x0, where, self.class_id, allowed)


@dataclass(frozen=True)
class FloodFill:
    """The connected region of equal class around a voxel."""

    z: int
    y: int
    x: int
    class_id: int

    @property
    def title(self) -> str:
        """Fill."""
        return "fill"

    def apply(self, recorder: Recorder) -> None:
        """Set the region to the class."""
        y0, x0, where = fill.flood(recorder.mask, self.z, self.y, self.x)
        if where.size:
            recorder.paint(self.z, y0, x0, where, self.class_id)


@dataclass(frozen=True)
class ReplaceMask:
    """The whole mask replaced, as when an import or a prediction is accepted.

    Attributes
    ----------
    values
        ``(Z, Y, X)`` class ids.
    only_unlabelled
        Leave what a person has painted, and fill in the rest.
    """

    values: NDArray[np.uint8]
    name: str = "accept prediction"
    only_unlabelled: bool = False

    @property
    def title(self) -> str:
        """What is being done."""
        return self.name

    def apply(self, recorder: Recorder) -> None:
        """Write every plane that differs."""
        if self.values.shape != recorder.mask.shape:
            raise ValueError(
                f"The mask of this image is {recorder.mask.shape}, not {self.values.shape}."
            )
        for z, new in enumerate(self.values):
            old = recorder.mask.plane(z)
            plane = np.where(old == UNLABELLED, new, old) if self.only_unlabelled else new
            for y0, x0 in _differing_blocks(old, plane):
                recorder.put(z, y0, x0, plane[y0 : y0 + BLOCK, x0 : x0 + BLOCK])


@dataclass(frozen=True)
class ClearMask:
    """One plane made unlabelled, wholly or one class of it."""

    z: int
    class_id: int | None = None

    @property
    def title(self) -> str:
        """Clear."""
        return "clear"

    def apply(self, recorder: Recorder) -> None:
        """Erase."""
        for index in recorder.mask.block_indices():
            if index[0] != self.z:
                continue
            block = recorder.mask.block(index)
            if block is not None:
                where = block > 0 if self.class_id is None else block == self.class_id
                if where.any():
                    y0, x0 = index[1] * BLOCK, index[2] * BLOCK
                    recorder.paint(self.z, y0, x0, where, UNLABELLED)


@dataclass(frozen=True)
class MergeClass:
    """Every voxel of one class turned into another (0: unlabelled), as when a class is deleted."""

    class_id: int
    into: int = UNLABELLED

    @property
    def title(self) -> str:
        """Merge."""
        return "merge class"

    def apply(self, recorder: Recorder) -> None:
        """Rewrite the blocks that hold the class."""
        for index in recorder.mask.block_indices():
            block = recorder.mask.block(index)
            if block is not None:
                where = block == self.class_id
                if where.any():
                    z, by, bx = index
                    recorder.paint(z, by * BLOCK, bx * BLOCK, where, self.into)


@dataclass(frozen=True)
class MakeAgain:
    """A change made once more on whatever is there now, as when set-aside strokes come back."""

    change: Change

    @property
    def title(self) -> str:
        """As of the change."""
        return self.change.title

    def apply(self, recorder: Recorder) -> None:
        """Write what the change made, block by block."""
        scratch = Mask(recorder.mask.shape)
        for index, _ in self.change.blocks:
            block = recorder.mask.block(index)
            scratch.replace_block(index, None if block is None else block.copy())
        self.change.redo(scratch)
        for index, _ in self.change.blocks:
            block = scratch.block(index)
            if block is not None:
                z, by, bx = index
                recorder.put(z, by * BLOCK, bx * BLOCK, block)


def _differing_blocks(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> Iterable[tuple[int, int]]:
    for y0 in range(0, old.shape[0], BLOCK):
        for x0 in range(0, old.shape[1], BLOCK):
            part = (slice(y0, y0 + BLOCK), slice(x0, x0 + BLOCK))
            if not np.array_equal(old[part], new[part]):
                yield y0, x0
