"""The mask: one class id per voxel, kept in blocks, and with it the objects that are painted.

Objects travel with their mask: what undoes, replays or stores one has the other at hand, and so the
two never come apart.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.blocks import BLOCK as BLOCK
from orgseg_app.core.blocks import BlockArray
from orgseg_app.core.blocks import BlockIndex as BlockIndex
from orgseg_app.core.blocks import Box as Box
from orgseg_app.core.objects import Objects

Plane = NDArray[np.uint8]


class Mask(BlockArray[np.uint8]):
    """Class ids of one image, ``(Z, Y, X)`` uint8.

    Attributes
    ----------
    objects
        Object numbers of the same voxels; empty where nobody numbers objects.
    """

    dtype = np.uint8

    def __init__(self, shape: tuple[int, int, int]) -> None:
        super().__init__(shape)
        self._counts: dict[BlockIndex, NDArray[np.int32]] = {}
        self._total = np.zeros(256, np.int64)
        self._uncounted: set[BlockIndex] = set()
        self.objects = Objects(self.shape)

    @classmethod
    def from_array(cls, values: NDArray[np.generic]) -> Mask:
        """A mask of ``(Z, Y, X)`` or ``(Y, X)`` class ids; all its painted blocks are dirty.

        Raises
        ------
        ValueError
            For values that are not whole numbers 0…255.
        """
        if values.ndim == 2:
            values = values[np.newaxis]
        if values.dtype.kind not in "uib" or (
            values.size and not 0 <= values.min() <= values.max() <= 255
        ):
            raise ValueError("A mask holds whole class ids between 0 and 255.")
        mask = cls((values.shape[0], values.shape[1], values.shape[2]))
        array = values.astype(np.uint8, copy=False)
        for z in range(mask.shape[0]):
            mask.write(z, 0, 0, array[z])
        return mask

    @property
    def is_empty(self) -> bool:
        """True when no voxel is painted."""
        return not self.counts()

    def counts(self) -> dict[int, int]:
        """Painted voxels of each class id that occurs; unlabelled is not among them."""
        total = self._total
        while self._uncounted:
            index = self._uncounted.pop()
            before = self._counts.pop(index, None)
            if before is not None:
                total -= before
            block = self._block(index)
            if block is not None:
                count = np.bincount(block.ravel(), minlength=256).astype(np.int32)
                self._counts[index] = count
                total += count
        return {int(i): int(total[i]) for i in np.flatnonzero(total) if i}

    def copy(self, indices: Iterable[BlockIndex] | None = None) -> Mask:
        """Some blocks, or all there are, with their objects; none of them is dirty."""
        twin = Mask(self.shape)
        chosen = None if indices is None else set(indices)
        for source, target in ((self, twin), (self.objects, twin.objects)):
            for index in source.block_indices():
                if chosen is None or index in chosen:
                    target.replace_block(index, source.copied(index))  # type: ignore[arg-type]
            target.dirty.clear()
        return twin

    def pack(self, most: int) -> bool:
        """Pack blocks of the mask and of its objects; True while there are more."""
        return super().pack(most) | self.objects.pack(most)

    def _keep(self, index: BlockIndex, block: Plane | BlockRuns[np.uint8] | None) -> None:
        super()._keep(index, block)
        self._uncounted.add(index)
