"""Objects put into an image one after the other; where two overlap the earlier one stays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.shapes.polygons import Filled


class Placing:
    """The objects of one image while a file is read.

    Parameters
    ----------
    shape_zyx
        Of the image.

    Attributes
    ----------
    objects
        uint32 ``(Z, Y, X)``, 0 outside.
    overlap
        Pixels that a later object had to leave to an earlier one.
    """

    def __init__(self, shape_zyx: tuple[int, int, int]) -> None:
        self.objects: NDArray[np.uint32] = np.zeros(shape_zyx, np.uint32)
        self.overlap = 0
        self._tried: set[int] = set()
        self._placed: set[int] = set()

    def put(self, number: int, filled: Filled, z: int = 0) -> bool:
        """Give an object its pixels, but for those that have an object; False if it gets none.

        Parameters
        ----------
        number
            1 or more.
        filled
            Its pixels within the plane (`core.shapes.polygons.fill_piece`).
        z
            The plane.
        """
        place = self.objects[z][filled.box]
        taken = (place != 0) & (place != number) & filled.inside
        self.overlap += int(taken.sum())
        own = filled.inside & ~taken
        place[own] = number
        self._tried.add(number)
        if not own.any():
            return False
        self._placed.add(number)
        return True

    @property
    def left_out(self) -> int:
        """Objects of which no pixel lies in the image, or remained."""
        return len(self._tried - self._placed)

    def notes(self) -> tuple[str, ...]:
        """Sentences about what had to be decided."""
        found = []
        if self.overlap:
            pixels = "1 pixel" if self.overlap == 1 else f"{self.overlap:,} pixels"
            found.append(f"Objects overlap in {pixels}; the earlier object kept them.")
        if self.left_out:
            objects = "1 object has" if self.left_out == 1 else f"{self.left_out:,} objects have"
            found.append(f"{objects} no pixel in the image and did not come.")
        return tuple(found)
