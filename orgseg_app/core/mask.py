"""The mask: one class id per voxel, kept in blocks so that size costs nothing until painted.

A block is 256 × 256 voxels of one plane. Blocks that hold nothing but *unlabelled* need not exist:
a fresh mask of a 16384² image weighs nothing, and an edit touches only the blocks under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

BLOCK = 256

Plane = NDArray[np.uint8]
BlockIndex = tuple[int, int, int]
"""(z, block row, block column)."""


class Box(NamedTuple):
    """A half-open box of voxels."""

    z0: int
    y0: int
    x0: int
    z1: int
    y1: int
    x1: int

    @property
    def is_empty(self) -> bool:
        """True when no voxel is inside."""
        return self.z1 <= self.z0 or self.y1 <= self.y0 or self.x1 <= self.x0

    def clipped(self, shape: tuple[int, int, int]) -> Box:
        """The part inside an array of this shape."""
        depth, height, width = shape
        return Box(
            max(0, self.z0),
            max(0, self.y0),
            max(0, self.x0),
            min(depth, self.z1),
            min(height, self.y1),
            min(width, self.x1),
        )

    def union(self, other: Box) -> Box:
        """The smallest box around both; an empty one counts for nothing."""
        if self.is_empty:
            return other
        if other.is_empty:
            return self
        low = (min(a, b) for a, b in zip(self[:3], other[:3], strict=True))
        high = (max(a, b) for a, b in zip(self[3:], other[3:], strict=True))
        return Box(*low, *high)


class Mask:
    """Class ids of one image, ``(Z, Y, X)`` uint8.

    Parameters
    ----------
    shape
        ``(Z, Y, X)`` in voxels, each at least 1.

    Attributes
    ----------
    dirty
        Indices of the blocks written since the store last cleared the set.
    damaged
        Blocks that the store could not read. They look unlabelled; the store leaves them as they
        are until somebody paints there or restores them.
    is_doubtful
        The store found other blocks than it remembers writing.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        if min(shape) < 1:
            raise ValueError(f"A mask has at least one voxel along each axis, not {shape}.")
        self.shape = (int(shape[0]), int(shape[1]), int(shape[2]))
        self._blocks: dict[BlockIndex, Plane] = {}
        self._counts: dict[BlockIndex, NDArray[np.int64]] = {}
        self.dirty: set[BlockIndex] = set()
        self.damaged: set[BlockIndex] = set()
        self.is_doubtful = False

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

    # -- reading ---------------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """True when no voxel is painted."""
        return not self.counts()

    def block(self, index: BlockIndex) -> Plane | None:
        """The block itself, 256 × 256 (zeros past the image's edge), or None when unlabelled."""
        return self._blocks.get(index)

    def holds(self, index: BlockIndex) -> bool:
        """True for a block of which some part lies in the image."""
        z, by, bx = index
        depth, height, width = self.shape
        return 0 <= z < depth and 0 <= by * BLOCK < height and 0 <= bx * BLOCK < width

    def block_indices(self) -> list[BlockIndex]:
        """Indices of the blocks that exist, in order."""
        return sorted(self._blocks)

    def planes(self) -> list[int]:
        """Planes with at least one painted voxel, in order."""
        return sorted({z for (z, _, _), block in self._blocks.items() if block.any()})

    def read(self, z: int, y0: int, x0: int, y1: int, x1: int) -> Plane:
        """A copy of a region of one plane, ``(y1 - y0, x1 - x0)``; outside the image it is 0."""
        out = np.zeros((max(0, y1 - y0), max(0, x1 - x0)), np.uint8)
        for index, inside, region in self.overlaps(z, y0, x0, y1, x1):
            block = self._blocks.get(index)
            if block is not None:
                out[region] = block[inside]
        return out

    def sample(self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Plane:
        """Values at the crossings of sorted rows and columns, ``(len(rows), len(columns))``.

        What the canvas shows when zoomed out: cost follows the screen, not the image.
        """
        out = np.zeros((len(rows), len(columns)), np.uint8)
        if not len(rows) or not len(columns):
            return out
        for by, r0, r1 in _runs(rows):
            for bx, c0, c1 in _runs(columns):
                block = self._blocks.get((z, by, bx))
                if block is not None:
                    picked = block[rows[r0:r1] - by * BLOCK]
                    out[r0:r1, c0:c1] = picked[:, columns[c0:c1] - bx * BLOCK]
        return out

    def plane(self, z: int) -> Plane:
        """A copy of one plane, ``(Y, X)``."""
        return self.read(z, 0, 0, self.shape[1], self.shape[2])

    def value(self, z: int, y: int, x: int) -> int:
        """Class id of one voxel; 0 outside the image."""
        block = self._blocks.get((z, y // BLOCK, x // BLOCK))
        return 0 if block is None else int(block[y % BLOCK, x % BLOCK])

    def to_array(self) -> NDArray[np.uint8]:
        """All class ids, ``(Z, Y, X)``."""
        out = np.zeros(self.shape, np.uint8)
        for z in {index[0] for index in self._blocks}:
            out[z] = self.plane(z)
        return out

    def counts(self) -> dict[int, int]:
        """Painted voxels of each class id that occurs; unlabelled is not among them."""
        total = np.zeros(256, np.int64)
        for index, block in self._blocks.items():
            count = self._counts.get(index)
            if count is None:
                count = self._counts[index] = np.bincount(block.ravel(), minlength=256)
            total += count
        return {int(i): int(total[i]) for i in np.flatnonzero(total) if i}

    # -- writing ---------------------------------------------------------------------------------

    def write(self, z: int, y0: int, x0: int, values: Plane) -> None:
        """Replace a region of one plane; what lies outside the image is dropped."""
        y1, x1 = y0 + values.shape[0], x0 + values.shape[1]
        for index, inside, region in self.overlaps(z, y0, x0, y1, x1):
            part = values[region]
            if index not in self._blocks and not part.any():
                continue
            self.writable(index)[inside] = part

    def writable(self, index: BlockIndex) -> Plane:
        """The block to write into, made when missing, and marked as changed.

        Writers keep the part past the image's edge 0.
        """
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = np.zeros((BLOCK, BLOCK), np.uint8)
        self._counts.pop(index, None)
        self.dirty.add(index)
        return block

    def replace_block(self, index: BlockIndex, values: Plane | None) -> None:
        """Set or drop a whole block, as the store and undo do."""
        if values is None:
            self._blocks.pop(index, None)
        else:
            self._blocks[index] = values
        self._counts.pop(index, None)
        self.dirty.add(index)

    def overlaps(
        self, z: int, y0: int, x0: int, y1: int, x1: int
    ) -> Iterator[tuple[BlockIndex, tuple[slice, slice], tuple[slice, slice]]]:
        """Blocks under a region: index, slices in the block, slices in the region."""
        if not 0 <= z < self.shape[0]:
            return
        top, left = max(0, y0), max(0, x0)
        bottom, right = min(self.shape[1], y1), min(self.shape[2], x1)
        if bottom <= top or right <= left:
            return
        for by in range(top // BLOCK, -(-bottom // BLOCK)):
            ya, yb = max(top, by * BLOCK), min(bottom, (by + 1) * BLOCK)
            for bx in range(left // BLOCK, -(-right // BLOCK)):
                xa, xb = max(left, bx * BLOCK), min(right, (bx + 1) * BLOCK)
                yield (
                    (z, by, bx),
                    (
                        slice(ya - by * BLOCK, yb - by * BLOCK),
                        slice(xa - bx * BLOCK, xb - bx * BLOCK),
                    ),
                    (slice(ya - y0, yb - y0), slice(xa - x0, xb - x0)),
                )


def _runs(positions: NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
    """Stretches of sorted positions that lie in one block: block, start, stop."""
    blocks = positions // BLOCK
    edges = np.flatnonzero(np.diff(blocks)) + 1
    starts = [0, *edges.tolist()]
    stops = [*edges.tolist(), len(positions)]
    for start, stop in zip(starts, stops, strict=True):
        yield int(blocks[start]), start, stop
