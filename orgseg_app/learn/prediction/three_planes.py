"""A network of planes looks at a volume along all three axes, and the mean of that counts.

Planes XZ and YZ are cut from the volume as it was prepared plane by plane, so that a voxel looks
the same from all sides, and resampled to square pixels by the pixel size. After Prasoon et al.
2013 (MICCAI, planes along three axes) and Conrad and Narayan 2023 (Cell Systems 14, "Instance
segmentation of mitochondria in electron microscopy images with a generalist deep learning model",
for stacks of electron microscopy).

What is seen along y and x is set aside as 8-bit numbers, one a class and voxel; see `scratch`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.planes import mirrored
from orgseg_app.learn.device import is_out_of_memory
from orgseg_app.learn.errors import StopRequestedError
from orgseg_app.learn.prediction.keeping import Keeper
from orgseg_app.learn.prediction.scratch import PlaneArray
from orgseg_app.learn.prediction.slabs import Piece
from orgseg_app.learn.prediction.source import PlaneSource, PreparedPlanes

if TYPE_CHECKING:
    from orgseg_app.learn.prediction.predictor import Predictor, Progress

_READ_BYTES = 64 * 2**20
_LEAST_STEP, _MOST_STEP = 0.05, 50.0


def three_plane_pieces(
    predictor: Predictor,
    source: PlaneSource,
    planes: Sequence[int],
    *,
    keeper: Keeper,
    progress: Progress | None,
    should_stop: Callable[[], bool] | None,
) -> Iterator[Piece]:
    """What networks of planes say of some planes from three sides; as `volumes.pieces`."""
    seen = _Sides(predictor, source, keeper, should_stop)
    start = keeper.start or {"y": 0, "x": 0, "planes": 0}
    total = seen.height + seen.width + len(planes)
    for side, axis in (("y", 2), ("x", 3)):
        for at in range(start[side], source.shape[axis]):
            seen.look_along(axis, at)
            start = start | {side: at + 1}
            if progress is not None:
                progress(start["y"] + start["x"], total)
            keeper.reached(start)
    for number in range(start["planes"], len(planes)):
        z = planes[number]
        stacks = seen.prepared.stacks(z)
        while True:
            try:
                for band in predictor.bands_of_prepared(stacks, should_stop=should_stop):
                    values = seen.mean(z, band.start, band.probabilities)
                    yield Piece(z, band.start, values[:, None])
                break
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            predictor.use_less()
        if progress is not None:
            progress(seen.height + seen.width + number + 1, total)
        keeper.reached(start | {"planes": number + 1})


class _Sides:
    """A volume that is looked at along y and along x."""

    def __init__(
        self,
        predictor: Predictor,
        source: PlaneSource,
        keeper: Keeper,
        should_stop: Callable[[], bool] | None,
    ) -> None:
        assert predictor.flat is not None
        self._predictor, self._keeper, self._should_stop = predictor, keeper, should_stop
        self._members = predictor.flat.members
        self.prepared = PreparedPlanes(predictor, source, self._members)
        _, self._depth, self.height, self.width = source.shape
        size = source.pixel_size_um or predictor.models[0].pixel_size_um or (1.0, 1.0, 1.0)
        self._pixel_size = size
        outputs = predictor.outputs
        # Rows of the second run along y, so that what is seen of one x is written in one go.
        self._sides = {
            2: keeper.lasting.array(
                "along-y", (outputs, self._depth, self.height, self.width), np.uint8
            ),
            3: keeper.lasting.array(
                "along-x", (outputs, self._depth, self.width, self.height), np.uint8
            ),
        }
        self._volume: PlaneArray | None = None
        self._cut: tuple[int, int, int, NDArray[np.float32]] | None = None

    def look_along(self, axis: int, at: int) -> None:
        """Predict one plane across axis 2 (y) or 3 (x), and set aside what is seen."""
        pixel = self._pixel_size[4 - axis]  # of the axis that stays: x in XZ, y in YZ
        step = float(np.clip(self._pixel_size[0] / pixel, _LEAST_STEP, _MOST_STEP))
        rows = max(1, round(self._depth * step))
        size = self.height if axis == 2 else self.width
        beside = max(1, round(self._pixel_size[0] / self._pixel_size[axis - 1]))
        stacks = []
        for member, way in zip(self._members, self.prepared.ways, strict=True):
            planes = self._predictor.models[member].network.planes
            around = range(-(planes // 2), planes // 2 + 1)
            cuts = [self._section(way, axis, mirrored(at + k * beside, size)) for k in around]
            stacks.append(np.concatenate([_resized(cut, rows) for cut in cuts]))

        def work() -> NDArray[np.float32]:
            found = np.empty((self._predictor.outputs, rows, stacks[0].shape[2]), np.float32)
            for band in self._predictor.bands_of_prepared(stacks, should_stop=self._should_stop):
                found[:, band.start : band.start + band.probabilities.shape[1]] = band.probabilities
            return found

        seen = _resized(self._predictor.surviving(work), self._depth)
        kept = np.rint(np.clip(seen, 0, 1) * 255).astype(np.uint8)
        self._sides[axis].put_all(at, kept[:, :, None])

    def mean(self, z: int, first: int, across_z: NDArray[np.float32]) -> NDArray[np.float32]:
        """The mean of what is seen of some rows of a plane from three sides.

        Returns ``(outputs, rows, X)``.
        """
        lines = slice(first, first + across_z.shape[1])
        along_y = self._sides[2].look()[:, z, lines].astype(np.float32)
        along_x = self._sides[3].look()[:, z, :, lines].astype(np.float32).swapaxes(1, 2)
        total: NDArray[np.float32] = np.empty_like(across_z)
        np.add(along_y, along_x, out=total)
        np.divide(total, np.float32(255), out=total)
        np.add(total, across_z, out=total)
        classes = total[: len(self._predictor.class_ids)]
        np.divide(classes, classes.sum(axis=0), out=classes)
        if self._predictor.extra > 1:  # centres of sections are not those of planes
            total[len(classes) :] = across_z[len(classes) :]
        else:
            total[len(classes) :] /= 3
        return total

    def _section(self, way: int, axis: int, at: int) -> NDArray[np.float32]:
        """One prepared plane across an axis, ``(C, Z, X)`` or ``(C, Z, Y)``.

        Several are read at once: what lies side by side in a row is far apart in a column.
        """
        if (
            self._cut is None
            or self._cut[:2] != (way, axis)
            or not (0 <= at - self._cut[2] < self._cut[3].shape[axis])
        ):
            volume = self._all_prepared().look()[way]
            across = volume.shape[axis]
            count = max(1, min(across, _READ_BYTES * across // max(1, volume.nbytes)))
            first = at // count * count
            place: Any = [slice(None)] * 4
            place[axis] = slice(first, first + count)
            self._cut = way, axis, first, np.array(volume[tuple(place)])
        section: NDArray[np.float32] = np.take(self._cut[3], at - self._cut[2], axis=axis)
        return section

    def _all_prepared(self) -> PlaneArray:
        if self._volume is None:
            shape = (
                self.prepared.count,
                self.prepared.channels,
                self._depth,
                self.height,
                self.width,
            )
            self._volume = self._keeper.scratch.array("prepared", shape, np.float32)
            for z in range(self._depth):
                if self._should_stop is not None and self._should_stop():
                    raise StopRequestedError("Stopped as asked.")
                for way, plane in enumerate(self.prepared.prepared(z)):
                    for channel, values in enumerate(plane):
                        self._volume.put((way, channel, z), 0, values)
        return self._volume


def _resized(planes: NDArray[np.float32], rows: int) -> NDArray[np.float32]:
    """Planes ``(C, Y, X)`` with another number of rows."""
    import cv2

    if planes.shape[1] == rows:
        return planes
    how = cv2.INTER_AREA if rows < planes.shape[1] else cv2.INTER_LINEAR
    size = (planes.shape[2], rows)
    return np.stack([cv2.resize(np.ascontiguousarray(p), size, interpolation=how) for p in planes])
