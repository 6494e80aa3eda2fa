"""Objects: one number per object and voxel, beside the mask, so that touching ones stay apart.

An object's class is that of its voxels in the mask. Whoever writes the mask through a
`core.edits.recorder.Recorder` keeps both in step: a voxel whose class changes leaves its object,
unless the edit says to which object it belongs from then on.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.blocks import BLOCK, BlockArray, BlockIndex, Box

NO_OBJECT = 0
HIGHEST = 2**32 - 1

Numbers = NDArray[np.uint32]


class _Held(NamedTuple):
    """Objects of one block: their numbers, sorted, and voxels of each."""

    numbers: Numbers
    voxels: NDArray[np.int64]


class Objects(BlockArray[np.uint32]):
    """Object numbers of one image, ``(Z, Y, X)`` uint32; 0 where there is no object.

    Attributes
    ----------
    is_lost
        The store has some that it cannot read at all: they look empty.
    """

    dtype = np.uint32

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__(shape)
        self.is_lost = False
        self._highest_given = 0

    @classmethod
    def from_array(cls, values: Numbers) -> Objects:
        """Objects of ``(Z, Y, X)`` or ``(Y, X)`` numbers; all their blocks are dirty."""
        if values.ndim == 2:
            values = values[np.newaxis]
        objects = cls((values.shape[0], values.shape[1], values.shape[2]))
        for z in range(objects.shape[0]):
            objects.write(z, 0, 0, values[z].astype(np.uint32, copy=False))
        return objects

    @property
    def is_empty(self) -> bool:
        """True when there is no object."""
        return not self.planes()

    def sizes(self) -> dict[int, int]:
        """Voxels of each object, by its number."""
        held = [self._held(index) for index in self.block_indices()]
        if not held:
            return {}
        numbers, place = np.unique(np.concatenate([h.numbers for h in held]), return_inverse=True)
        total = np.zeros(len(numbers), np.int64)
        np.add.at(total, place, np.concatenate([h.voxels for h in held]))
        return dict(zip(numbers.tolist(), total.tolist(), strict=True))

    def count(self) -> int:
        """How many objects there are."""
        held = [self._held(index).numbers for index in self.block_indices()]
        return len(np.unique(np.concatenate(held))) if held else 0

    def look_through(self, most: int) -> bool:
        """Get to know what blocks hold, so that counting and finding take no time afterwards.

        Parameters
        ----------
        most
            Blocks to look at in one go; ten take some milliseconds.

        Returns
        -------
        bool
            True while there are more.
        """
        new = [index for index in self.block_indices() if index not in self._known]
        for index in new[:most]:
            self._held(index)
        return len(new) > most

    def blocks_of(self, number: int) -> list[BlockIndex]:
        """Indices of the blocks an object has voxels in, in order."""
        return [i for i in self.block_indices() if self._has(i, number)]

    def numbers_in(self, index: BlockIndex) -> Numbers:
        """The objects of a block that exists, sorted."""
        return self._held(index).numbers

    def box_of(self, number: int) -> Box:
        """The smallest box around an object; an empty one where there is none."""
        box = Box(0, 0, 0, 0, 0, 0)
        for z, by, bx in self.blocks_of(number):
            y0, x0 = by * BLOCK, bx * BLOCK
            where = self.read(z, y0, x0, y0 + BLOCK, x0 + BLOCK) == number
            rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
            box = box.union(
                Box(
                    z,
                    y0 + int(rows[0]),
                    x0 + int(columns[0]),
                    z + 1,
                    y0 + int(rows[-1]) + 1,
                    x0 + int(columns[-1]) + 1,
                )
            )
        return box

    def next_number(self) -> int:
        """A number that no object has, nor had since the project was opened."""
        highest = max(map(self._highest, self.block_indices()), default=0)
        self._highest_given = max(self._highest_given, highest)
        if self._highest_given < HIGHEST:
            self._highest_given += 1
            return self._highest_given
        return int(self.free_numbers(1, 1)[0])  # a label image may well hold the highest there is

    def free_numbers(self, first: int, count: int) -> Numbers:
        """Numbers that no object has, ``(count,)``: from ``first`` on, after the highest from 1."""
        taken = np.fromiter(self.sizes(), np.int64)
        numbers = (first - 1 + np.arange(count + len(taken))) % HIGHEST + 1
        return numbers[~np.isin(numbers, taken)][:count].astype(np.uint32)

    def _highest(self, index: BlockIndex) -> int:
        """The highest number of a block, which nobody needs to know all about."""
        held: _Held | None = self._known.get(index)
        if held is not None:
            return int(held.numbers[-1]) if len(held.numbers) else NO_OBJECT
        block = self._blocks[index]
        return block.highest() if isinstance(block, BlockRuns) else int(block.max())

    def _has(self, index: BlockIndex, number: int) -> bool:
        held: _Held | None = self._known.get(index)
        if held is not None:
            place = int(np.searchsorted(held.numbers, number))
            return place < len(held.numbers) and int(held.numbers[place]) == number
        block = self._blocks[index]
        return (
            block.holds(number) if isinstance(block, BlockRuns) else bool((block == number).any())
        )

    def _held(self, index: BlockIndex) -> _Held:
        held = self._known.get(index)
        if held is None:
            kept = self.kept(index)
            assert kept is not None
            runs = kept if isinstance(kept, BlockRuns) else BlockRuns.of(kept)
            if runs is not None:  # to sort all voxels takes ten times as long
                found, counts = runs.counted()
            else:
                found, counts = np.unique(np.asarray(kept), return_counts=True)
            real = found != NO_OBJECT
            held = self._known[index] = _Held(found[real], counts[real])
        return held


def are_equal(one: NDArray[np.generic] | None, other: NDArray[np.generic] | None) -> bool:
    """Whether two blocks look the same; one that is missing is empty."""
    if one is None or other is None:
        found = other if one is None else one
        return found is None or not found.any()
    return np.array_equal(one, other)
