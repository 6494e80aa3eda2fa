"""Numbers for the objects of a class, plane after plane: those painted, and components.

Painted objects bring their numbers; components get numbers plane by plane, and only at the end is
known which of them are one object in space. In tables of whole volumes painted objects are even
names, components odd ones, so that both go together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.components import Components, Local
from orgseg_app.core.metrics.contingency import UNKNOWN, Counts

Numbers = NDArray[np.uint32]
Labels = Local | Numbers | NDArray[np.int64]


class Numbered:
    """Labels of each plane, and names that hold for the volume."""

    def __init__(self) -> None:
        self._pieces = Components()
        self._highest = 0
        self._before = 0

    def add(
        self, mask: NDArray[np.bool_], objects: Numbers | None
    ) -> tuple[Labels, NDArray[np.bool_] | None]:
        """Label the next plane: painted objects, and a component for what has no number.

        Parameters
        ----------
        mask
            ``(Y, X)`` where the class is.
        objects
            ``(Y, X)`` numbers, 0 for none; None when nothing was painted as objects.

        Returns
        -------
        labels, unclear
            ``(Y, X)`` whole numbers, 0 outside; where a component touches a painted object, so that
            nobody knows whether it is part of it, None for nowhere. Such voxels have the label 0.
        """
        painted = None if objects is None else np.where(mask, objects, np.uint32(0))
        if painted is None or not painted.any():
            self._highest = 0
            labels, self._before = self._pieces.add_apart(mask)
            return labels, None
        self._highest = int(painted.max())
        bare = mask & (painted == 0)
        if not bare.any():
            self._pieces.skip()
            return painted, None
        unclear = _touching(bare, painted > 0)
        bare &= ~unclear
        pieces, self._before = self._pieces.add_apart(bare)
        both = painted.astype(np.int64)
        both[bare] = pieces[bare] + np.int64(self._highest)
        return both, unclear if unclear.any() else None

    def add_known(self, mask: NDArray[np.bool_], objects: Numbers | None) -> Labels:
        """Label the next plane: numbers where there are some, or components; never both."""
        if objects is None:
            return self.add(mask, None)[0]
        self._pieces.skip()
        known: Numbers = np.where(mask, objects, np.uint32(0))
        self._highest = int(known.max(initial=0))
        return known

    def skip(self) -> None:
        """Pass over a plane."""
        self._pieces.skip()

    def names(self, labels: Counts) -> Counts:
        """Names ``(n,)`` for labels of the plane that was added last."""
        pieces = 2 * (labels - self._highest + self._before) + 1
        known = np.where(labels == UNKNOWN, UNKNOWN, 2 * labels)
        return np.where(labels > self._highest, pieces, known)

    def whole(self, names: Counts) -> Counts:
        """The objects ``(n,)`` in space that names belong to."""
        numbers = self._pieces.numbers()
        is_piece = (names > 0) & (names % 2 == 1)
        return np.where(is_piece, 2 * numbers[np.where(is_piece, names // 2, 0)] + 1, names)


def _touching(bare: NDArray[np.bool_], painted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Components of the one that touch the other, by a side or a corner."""
    import cv2

    near = cv2.dilate(painted.view(np.uint8), np.ones((3, 3), np.uint8))
    count, labels = cv2.connectedComponents(bare.view(np.uint8), connectivity=8)
    touched = np.zeros(count, bool)
    touched[labels[near.view(bool) & bare]] = True
    found: NDArray[np.bool_] = touched[labels]
    return found
