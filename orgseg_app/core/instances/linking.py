"""Objects that were found plane by plane, linked into objects of the volume by overlap."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.contingency import contingency

Numbers = NDArray[np.uint32]

LEAST_IOU = 0.25
"""Sections of one object in neighbouring planes share at least this part of their union."""


class LinkedPlanes:
    """Gives the objects of planes that come one after the other the numbers they go by.

    A section belongs to the object whose section in the plane before it overlaps most, if that one
    overlaps no other more, and both share `LEAST_IOU` of their union (intersection over union of
    best partners, as Stringer et al. 2021, Nature Methods 18, "Cellpose", stitch planes).

    Examples
    --------
    >>> linked = LinkedPlanes()
    >>> linked.add(np.array([[1, 1, 0, 2, 2]], np.uint32)).tolist()
    [[1, 1, 0, 2, 2]]
    >>> linked.add(np.array([[0, 0, 0, 1, 1]], np.uint32)).tolist()
    [[0, 0, 0, 2, 2]]
    """

    def __init__(self) -> None:
        self.highest = 0
        self._above: Numbers | None = None

    def add(self, labels: Numbers) -> Numbers:
        """The next plane.

        Parameters
        ----------
        labels
            ``(Y, X)`` uint32, the objects of this plane alone.

        Returns
        -------
        numpy.ndarray
            ``(Y, X)`` uint32, numbers of the volume's objects.
        """
        count = int(labels.max(initial=0))
        names = np.zeros(count + 1, np.uint32)
        if self._above is not None and count:
            self._take_over(self._above, labels, names)
        fresh = np.flatnonzero(names[1:] == 0) + 1
        names[fresh] = self.highest + 1 + np.arange(len(fresh), dtype=np.uint32)
        self.highest += len(fresh)
        self._above = names[labels]
        return self._above

    def skip(self) -> None:
        """Pass over a gap: nothing goes on across it."""
        self._above = None

    def _take_over(self, above: Numbers, labels: Numbers, names: Numbers) -> None:
        table = contingency(above, labels)
        before, _ = np.unique(table.truth, return_inverse=True)
        rows = np.searchsorted(before, table.truth)
        sizes_before = np.bincount(rows, weights=table.voxels)
        sizes_now = np.bincount(table.prediction, weights=table.voxels)
        both = (table.truth > 0) & (table.prediction > 0)
        if not both.any():
            return
        rows, columns, shared = rows[both], table.prediction[both], table.voxels[both]
        iou = shared / (sizes_before[rows] + sizes_now[columns] - shared)
        best_before, best_now = np.zeros(len(before)), np.zeros(len(names))
        np.maximum.at(best_before, rows, iou)
        np.maximum.at(best_now, columns, iou)
        is_best = (iou == best_before[rows]) & (iou == best_now[columns]) & (iou >= LEAST_IOU)
        taken: set[int] = set()
        for row, column in zip(rows[is_best].tolist(), columns[is_best].tolist(), strict=True):
            if row not in taken and not names[column]:  # equally good partners: the first
                taken.add(row)
                names[column] = before[row]
