"""Flips and quarter turns: exact, nothing is interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Turn:
    """One of the eight ways to lay a square on itself (the dihedral group D4); loses nothing.

    Attributes
    ----------
    quarters
        Quarter turns anticlockwise, 0…3.
    flip
        Mirror left and right after turning.
    """

    quarters: int = 0
    flip: bool = False

    def apply(self, array: NDArray[Any]) -> NDArray[Any]:
        """The array turned in its last two axes (Y, X); dtype and values are kept.

        >>> Turn(1).apply(np.array([[1, 2], [3, 4]])).tolist()
        [[2, 4], [1, 3]]
        """
        turned = np.rot90(array, self.quarters, axes=(-2, -1))
        return turned[..., ::-1] if self.flip else turned


ALL_TURNS: tuple[Turn, ...] = tuple(Turn(q, f) for f in (False, True) for q in range(4))
