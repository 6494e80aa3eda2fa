"""Which voxel belongs to which object, plane after plane, with the objects numbered from 1 on.

Objects are those a person numbered; of a class in which nothing has a number, they are its
connected regions. Planes are gone through twice: what belongs together is known at the end only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.components import Components
from orgseg_app.core.metrics.contingency import ContingencyCounter

Classes = NDArray[np.uint8]
Numbers = NDArray[np.unsignedinteger[Any]]
Labels = NDArray[np.int32]

_TABLE = 1 << 24  # up to this number, numbers are looked up in a table


class Labelling:
    """The objects of one image.

    Every plane is shown to `look`, then `finish` is called, then `labels` gives each plane again.

    Parameters
    ----------
    corners
        Whether regions that only share a corner are one; see `core.components.Components`.

    Attributes
    ----------
    numbers
        ``(n,)`` int64, what each object is called; known after `finish`, as the others. Objects
        come by class, then number.
    class_ids
        ``(n,)`` int64, 0 where an object lies on no class.
    is_numbered
        ``(n,)`` bool, whether somebody gave it its number; otherwise it is a connected region.

    Examples
    --------
    >>> found = Labelling()
    >>> classes = np.array([[2, 2, 1, 3, 1, 3]], np.uint8)
    >>> numbers = np.array([[7, 4, 0, 0, 0, 0]], np.uint32)
    >>> found.look(classes, numbers)
    >>> found.finish()
    >>> found.labels(classes, numbers).tolist(), found.numbers.tolist()
    ([[2, 1, 0, 3, 0, 4]], [4, 7, 8, 9])
    """

    def __init__(self, *, corners: bool = True) -> None:
        self.corners = corners
        self.numbers: NDArray[np.int64] = np.zeros(0, np.int64)
        self.class_ids: NDArray[np.int64] = np.zeros(0, np.int64)
        self.is_numbered: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._pairs = ContingencyCounter()
        self._regions: dict[int, Components] = {}
        self._numbered_classes: set[int] = set()
        self._again: dict[int, Components] = {}
        self._dense_of_piece: dict[int, NDArray[np.int32]] = {}
        self._given: NDArray[np.int64] = np.zeros(0, np.int64)
        self._dense_of_given: NDArray[np.int32] = np.zeros(0, np.int32)

    @property
    def count(self) -> int:
        """How many objects there are."""
        return len(self.numbers)

    def look(self, classes: Classes, numbers: Numbers | None) -> None:
        """See the next plane for the first time.

        Parameters
        ----------
        classes, numbers
            ``(Y, X)`` class ids, and object numbers or None where nothing has one.
        """
        if numbers is not None and numbers.any():
            table = self._pairs.add(numbers, classes)
            self._numbered_classes |= set(table.prediction[table.truth > 0].tolist())
        present = np.flatnonzero(np.bincount(classes.ravel(), minlength=256)).tolist()
        for class_id in self._numbered_classes.intersection(self._regions):
            del self._regions[class_id]
        for class_id in present:
            if class_id > BACKGROUND and class_id not in self._numbered_classes:
                self._regions.setdefault(class_id, Components(corners=self.corners))
        for class_id, regions in self._regions.items():
            if class_id in present:
                regions.add_apart(classes == class_id)
            else:
                regions.skip()

    def finish(self) -> None:
        """All planes have been seen: number the objects."""
        table = self._pairs.table()
        table = table.where(table.truth > 0)
        # the class of a numbered object is that of most of its voxels; pairs come by number
        order = np.lexsort((-table.voxels, table.truth))
        given, firsts = np.unique(table.truth[order], return_index=True)
        numbers, class_ids = [given], [table.prediction[order][firsts]]
        highest = int(given[-1]) if len(given) else 0
        pieces: dict[int, NDArray[np.int64]] = {}
        for class_id in sorted(self._regions):
            own = self._regions[class_id].numbers()
            count = int(own.max())
            pieces[class_id] = np.where(own > 0, own + sum(map(len, numbers)), 0)
            numbers.append(highest + 1 + np.arange(count))
            class_ids.append(np.full(count, class_id))
            highest += count
        all_numbers, all_classes = np.concatenate(numbers), np.concatenate(class_ids)
        sorting = np.lexsort((all_numbers, all_classes))
        dense = np.zeros(len(sorting) + 1, np.int32)
        dense[sorting + 1] = np.arange(1, len(sorting) + 1)
        self.numbers, self.class_ids = all_numbers[sorting], all_classes[sorting]
        self.is_numbered = sorting < len(given)
        self._given = given
        self._dense_of_given = dense[1 : len(given) + 1]
        self._dense_of_piece = {class_id: dense[places] for class_id, places in pieces.items()}
        self._again = {class_id: Components(corners=self.corners) for class_id in pieces}
        self._regions.clear()

    def labels(self, classes: Classes, numbers: Numbers | None) -> Labels:
        """The objects of the next plane, gone through for the second time.

        Returns
        -------
        numpy.ndarray
            ``(Y, X)`` int32: 0 outside, else 1 + place in `numbers`.
        """
        labels = np.zeros(classes.shape, np.int32)
        if numbers is not None and len(self._given):
            labels = self._looked_up(numbers)
        for class_id, regions in self._again.items():
            inside = classes == class_id
            if inside.any():
                pieces = regions.add(inside)
                found = self._dense_of_piece[class_id][pieces]
                np.copyto(labels, found, where=inside)
            regions.skip()  # what touches is known
        return labels

    def _looked_up(self, numbers: Numbers) -> Labels:
        if self._given[-1] < _TABLE:
            table = np.zeros(int(self._given[-1]) + 1, np.int32)
            table[self._given] = self._dense_of_given
            return table[numbers]
        found = np.searchsorted(self._given, numbers)
        return np.where(
            numbers > 0, self._dense_of_given[np.minimum(found, len(self._given) - 1)], 0
        )
