"""The objects of a mask as a table: size, place and whether the border cuts them.

Objects are the connected components of each class. Planes come one after the other, and only sums
are kept, so that a volume may be of any size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import Box
from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.components import Components

_SUMS = 4  # voxels, and the sums of their z, y, x


@dataclass(frozen=True)
class ObjectRow:
    """One object.

    Attributes
    ----------
    number
        1…, by class, then in order of first plane.
    class_id
    voxels
    volume_um3
        None where the pixel size is unknown.
    centroid_zyx
        Mean of its voxels' coordinates, in voxels.
    box
        The smallest around it.
    touches_border
        Cut by the edge of the image: its size is too small. The first and the last plane are edges
        only where there are several.
    """

    number: int
    class_id: int
    voxels: int
    volume_um3: float | None
    centroid_zyx: tuple[float, float, float]
    box: Box
    touches_border: bool


class ObjectTable:
    """Measures objects plane after plane.

    Parameters
    ----------
    pixel_size_um
        (z, y, x); None when unknown.
    class_ids
        Which classes have objects; by default all but background.
    corners
        As `core.components.Components`.

    Examples
    --------
    >>> table = ObjectTable((0.5, 0.1, 0.1))
    >>> table.add(np.array([[2, 2, 1, 3]], np.uint8))
    >>> [(row.class_id, row.voxels, row.centroid_zyx) for row in table.rows()]
    [(2, 2, (0.0, 0.0, 0.5)), (3, 1, (0.0, 0.0, 3.0))]
    """

    def __init__(
        self,
        pixel_size_um: tuple[float, float, float] | None = None,
        *,
        class_ids: Sequence[int] | None = None,
        corners: bool = True,
    ) -> None:
        self.pixel_size_um = pixel_size_um
        self.corners = corners
        self._wanted = class_ids
        self._shape: tuple[int, int] = (0, 0)
        self._depth = 0
        self._found: dict[int, _Pieces] = {}

    def add(self, plane: NDArray[np.uint8]) -> None:
        """Measure the next plane.

        Parameters
        ----------
        plane
            ``(Y, X)`` class ids.

        Raises
        ------
        ValueError
            When its size is not that of the one before.
        """
        if self._depth and plane.shape != self._shape:
            raise ValueError(f"A plane is {plane.shape}, the one before {self._shape}.")
        height, width = plane.shape
        self._shape = (height, width)
        present = set(np.flatnonzero(np.bincount(plane.ravel(), minlength=256)).tolist())
        wanted = present - {UNLABELLED, BACKGROUND} if self._wanted is None else self._wanted
        for class_id in present.intersection(wanted).difference(self._found):
            pieces = _Pieces(Components(corners=self.corners))
            self._found[class_id] = pieces
        for class_id, pieces in self._found.items():
            if class_id in present:
                pieces.add(self._depth, plane == class_id)
            else:
                pieces.components.skip()
        self._depth += 1

    def rows(self) -> list[ObjectRow]:
        """The objects of all planes so far, by class, then in order of first plane."""
        rows: list[ObjectRow] = []
        for class_id in sorted(self._found):
            sums, low, high = self._found[class_id].together()
            for (voxels, *places), first, last in zip(sums, low, high, strict=True):
                z, y, x = (total / voxels for total in places)
                box = Box(*first.tolist(), *(last + 1).tolist())
                rows.append(
                    ObjectRow(
                        number=len(rows) + 1,
                        class_id=class_id,
                        voxels=int(voxels),
                        volume_um3=self._volume(int(voxels)),
                        centroid_zyx=(float(z), float(y), float(x)),
                        box=box,
                        touches_border=self._is_cut(box),
                    )
                )
        return rows

    def numbers(self) -> dict[int, NDArray[np.int64]]:
        """Of each class, which object, numbered as in `rows`, each piece of `Components` is."""
        found, before = {}, 0
        for class_id in sorted(self._found):
            own = self._found[class_id].components.numbers()
            found[class_id] = np.where(own > 0, own + before, 0)
            before += int(own.max())
        return found

    def _volume(self, voxels: int) -> float | None:
        if self.pixel_size_um is None:
            return None
        z, y, x = self.pixel_size_um
        return voxels * z * y * x

    def _is_cut(self, box: Box) -> bool:
        height, width = self._shape
        in_plane = box.y0 == 0 or box.x0 == 0 or box.y1 == height or box.x1 == width
        return in_plane or (self._depth > 1 and (box.z0 == 0 or box.z1 == self._depth))


class _Pieces:
    """Sums and boxes of the pieces of one class, one row a piece."""

    def __init__(self, components: Components) -> None:
        self.components = components
        self._sums: list[NDArray[np.int64]] = []
        self._low: list[NDArray[np.int64]] = []
        self._high: list[NDArray[np.int64]] = []

    def add(self, z: int, mask: NDArray[np.bool_]) -> None:
        before = self.components.count
        labels = self.components.add(mask)
        count = self.components.count - before
        rows, starts, ends = _runs(labels)
        which = labels[rows, starts].astype(np.int64) - before - 1
        lengths = ends - starts
        ones = np.zeros((count, _SUMS), np.int64)
        np.add.at(ones[:, 0], which, lengths)
        np.add.at(ones[:, 2], which, rows * lengths)
        np.add.at(ones[:, 3], which, (starts + ends - 1) * lengths // 2)
        ones[:, 1] = z * ones[:, 0]
        low = np.full((count, 3), np.iinfo(np.int64).max)
        high = np.full((count, 3), -1)
        low[:, 0] = high[:, 0] = z
        np.minimum.at(low[:, 1], which, rows)
        np.maximum.at(high[:, 1], which, rows)
        np.minimum.at(low[:, 2], which, starts)
        np.maximum.at(high[:, 2], which, ends - 1)
        self._sums.append(ones)
        self._low.append(low)
        self._high.append(high)

    def together(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Sums, lowest and highest coordinates of the objects, one row an object."""
        objects = self.components.numbers()[1:] - 1
        count = int(objects.max()) + 1
        sums = np.zeros((count, _SUMS), np.int64)
        low = np.full((count, 3), np.iinfo(np.int64).max)
        high = np.full((count, 3), -1)
        np.add.at(sums, objects, np.concatenate(self._sums))
        np.minimum.at(low, objects, np.concatenate(self._low))
        np.maximum.at(high, objects, np.concatenate(self._high))
        return sums, low, high


def _runs(labels: NDArray[np.int32]) -> tuple[NDArray[np.intp], ...]:
    """Row, first column and end of each run of voxels inside, in order."""
    edged = np.zeros((labels.shape[0], labels.shape[1] + 2), np.int32)
    edged[:, 1:-1] = labels
    changes = edged[:, 1:] != edged[:, :-1]
    rows, columns = np.nonzero(changes)
    inside = edged[rows, columns + 1] > 0  # the run that begins here
    first = np.flatnonzero(inside)
    return rows[first], columns[first], columns[first + 1]
