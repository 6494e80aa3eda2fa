"""Measures of objects that have numbers already, plane after plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import Box
from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.object_table import ObjectRow

_CLASSES = 256


class NumberedTable:
    """As `core.object_table.ObjectTable`, for objects that were numbered by whoever made them.

    An object's class is that of most of its voxels, background aside.

    Parameters
    ----------
    highest
        The highest number.
    pixel_size_um
        ``(z, y, x)``; None when unknown.

    Examples
    --------
    >>> table = NumberedTable(2, (0.5, 0.1, 0.1))
    >>> table.add(np.array([[1, 1, 2, 2]], np.uint32), np.array([[2, 2, 2, 3]], np.uint8))
    >>> [(row.number, row.class_id, row.voxels) for row in table.rows()]
    [(1, 2, 2), (2, 2, 2)]
    """

    def __init__(
        self, highest: int, pixel_size_um: tuple[float, float, float] | None = None
    ) -> None:
        self.pixel_size_um = pixel_size_um
        self._depth, self._shape = 0, (0, 0)
        self._sums = np.zeros((highest + 1, 4))
        self._low = np.full((highest + 1, 3), np.iinfo(np.int64).max)
        self._high = np.full((highest + 1, 3), -1)
        self._classes: dict[int, NDArray[np.int64]] = {}

    def add(self, objects: NDArray[np.uint32], mask: NDArray[np.uint8]) -> None:
        """Measure the next plane: object numbers and class ids, ``(Y, X)``."""
        height, width = objects.shape
        self._shape, z = (height, width), self._depth
        self._depth += 1
        y, x = np.nonzero(objects)
        which = objects[y, x].astype(np.int64)
        count = len(self._sums)
        voxels = np.bincount(which, minlength=count)
        self._sums[:, 0] += voxels
        self._sums[:, 1] += voxels * z
        for axis, places in ((2, y), (3, x)):
            self._sums[:, axis] += np.bincount(which, weights=places, minlength=count)
        for axis, at in enumerate((np.full(len(which), z), y, x)):
            np.minimum.at(self._low[:, axis], which, at)
            np.maximum.at(self._high[:, axis], which, at)
        ids = mask[y, x]
        for class_id in np.flatnonzero(np.bincount(ids, minlength=1)).tolist():
            found = np.bincount(which[ids == class_id], minlength=count)
            self._classes[class_id] = self._classes.get(class_id, 0) + found

    def rows(self) -> list[ObjectRow]:
        """The objects that have voxels, by number."""
        classes = self.classes()
        return [
            self._row(number, int(classes[number]))
            for number in np.flatnonzero(self._sums[:, 0]).tolist()
        ]

    def classes(self) -> NDArray[np.uint8]:
        """Class id of each number, ``(highest + 1,)``; 0 where there is no such object."""
        best = np.zeros(len(self._sums), np.int64)
        found = np.zeros(len(self._sums), np.uint8)
        for class_id in sorted(self._classes):
            # Any structure goes before background, which an object is made of only by its edge.
            votes = self._classes[class_id] * (_CLASSES**4 if class_id > BACKGROUND else 1)
            is_more = votes > best
            best[is_more], found[is_more] = votes[is_more], class_id
        return found

    def _row(self, number: int, class_id: int) -> ObjectRow:
        voxels, *places = self._sums[number].tolist()
        box = Box(*self._low[number].tolist(), *(self._high[number] + 1).tolist())
        height, width = self._shape
        is_cut = box.y0 == 0 or box.x0 == 0 or box.y1 == height or box.x1 == width
        is_cut |= self._depth > 1 and (box.z0 == 0 or box.z1 == self._depth)
        size = self.pixel_size_um
        return ObjectRow(
            number=number,
            class_id=class_id,
            voxels=int(voxels),
            volume_um3=None if size is None else voxels * size[0] * size[1] * size[2],
            centroid_zyx=(places[0] / voxels, places[1] / voxels, places[2] / voxels),
            box=box,
            touches_border=is_cut,
        )
