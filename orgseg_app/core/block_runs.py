"""A block of voxels as runs of equal numbers, a tenth of its size and less.

Single voxels are read from the runs as they are: a canvas that shows all of a large mask does not
need its blocks unpacked.
"""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", np.uint8, np.uint32)

MOST_RUNS = 8192
"""A block of more is kept as it is: its runs would take half as much or more, and time."""


class BlockRuns(Generic[Number]):
    """The numbers of a square block, row after row, in runs.

    Parameters
    ----------
    values
        Number of each run, ``(n,)``.
    ends
        Place of the last voxel of each run, ``(n,)`` uint16, so of a block of 256² at most.
    side
        Rows and columns of the block.
    """

    __slots__ = ("_ends", "_side", "_values")

    def __init__(self, values: NDArray[Number], ends: NDArray[np.uint16], side: int) -> None:
        self._values: NDArray[Number] = values
        self._ends, self._side = ends, side

    @classmethod
    def of(cls, block: NDArray[Number]) -> BlockRuns[Number] | None:
        """Pack a block ``(side, side)``; None where that is not worth it."""
        flat = block.ravel()
        changes = np.flatnonzero(flat[1:] != flat[:-1])
        if len(changes) >= MOST_RUNS:
            return None
        ends = np.append(changes, flat.size - 1)
        return cls(flat[ends], ends.astype(np.uint16), block.shape[1])

    @classmethod
    def uniform(cls, value: NDArray[Number], side: int) -> BlockRuns[Number]:
        """A block of one number, given as ``(1,)``."""
        return cls(value.copy(), np.array([side * side - 1], np.uint16), side)

    def unpacked(self) -> NDArray[Number]:
        """The block, a new array."""
        flat: NDArray[Number] = np.repeat(self._values, self._lengths())
        return flat.reshape(self._side, self._side)

    def _lengths(self) -> NDArray[np.intp]:
        """Voxels of each run, ``(n,)``."""
        lengths = self._ends.astype(np.intp)
        lengths[1:] -= lengths[:-1].copy()
        lengths[0] += 1
        return lengths

    def sample(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Number]:
        """Numbers at the crossings of some rows and columns."""
        places = (rows[:, np.newaxis] * self._side + columns).astype(np.uint16)
        found: NDArray[Number] = self._values[np.searchsorted(self._ends, places)]
        return found

    def counted(self) -> tuple[NDArray[Number], NDArray[np.int64]]:
        """The numbers there are, sorted, and how many voxels have each."""
        found, place = np.unique(self._values, return_inverse=True)
        return found, np.bincount(place, self._lengths()).astype(np.int64)

    def highest(self) -> int:
        """The highest number there is."""
        return int(self._values.max())

    def holds(self, number: int) -> bool:
        """Whether a voxel has this number."""
        return bool((self._values == number).any())

    def any(self) -> bool:
        """True when one of them is not 0."""
        return bool(self._values.any())

    @property
    def nbytes(self) -> int:
        """What it takes in memory, about."""
        return int(self._values.nbytes + self._ends.nbytes)
