"""Arrays kept in blocks of planes, so that size costs nothing where nothing is.

A block is 256 × 256 voxels of one plane. Blocks that hold nothing but 0 need not exist: an empty
array of 16384² weighs nothing, and an edit touches only the blocks under it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

BLOCK = 256

BlockIndex = tuple[int, int, int]
"""(z, block row, block column)."""

Number = TypeVar("Number", np.uint8, np.uint32)


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


class BlockArray(Generic[Number]):
    """Whole numbers of one image, ``(Z, Y, X)``, 0 where nothing is.

    Parameters
    ----------
    shape
        ``(Z, Y, X)`` in voxels, each at least 1.

    Attributes
    ----------
    dirty
        Indices of the blocks written since the store last cleared the set.
    damaged
        Blocks that the store could not read. They look empty; the store leaves them as they are
        until somebody paints there or restores them.
    is_doubtful
        The store found other blocks than it remembers writing.
    """

    dtype: type[Number]
    """What a voxel is."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        if min(shape) < 1:
            raise ValueError(f"An image has at least one voxel along each axis, not {shape}.")
        self.shape = (int(shape[0]), int(shape[1]), int(shape[2]))
        self._blocks: dict[BlockIndex, NDArray[Number]] = {}
        self._known: dict[BlockIndex, Any] = {}  # worked out of a block; gone once it is written
        self.dirty: set[BlockIndex] = set()
        self.damaged: set[BlockIndex] = set()
        self.is_doubtful = False

    # -- reading ---------------------------------------------------------------------------------

    def block(self, index: BlockIndex) -> NDArray[Number] | None:
        """The block itself, 256 × 256 (zeros past the image's edge), or None when it is empty."""
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
        """Planes with at least one voxel that is not 0, in order."""
        return sorted({z for (z, _, _), block in self._blocks.items() if block.any()})

    def read(self, z: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Number]:
        """A copy of a region of one plane, ``(y1 - y0, x1 - x0)``; outside the image it is 0."""
        out = np.zeros((max(0, y1 - y0), max(0, x1 - x0)), self.dtype)
        for index, inside, region in self.overlaps(z, y0, x0, y1, x1):
            block = self._blocks.get(index)
            if block is not None:
                out[region] = block[inside]
        return out

    def sample(self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Number]:
        """Values at the crossings of sorted rows and columns, ``(len(rows), len(columns))``.

        What the canvas shows when zoomed out: cost follows the screen, not the image.
        """
        out = np.zeros((len(rows), len(columns)), self.dtype)
        if not len(rows) or not len(columns):
            return out
        for by, r0, r1 in _runs(rows):
            for bx, c0, c1 in _runs(columns):
                block = self._blocks.get((z, by, bx))
                if block is not None:
                    picked = block[rows[r0:r1] - by * BLOCK]
                    out[r0:r1, c0:c1] = picked[:, columns[c0:c1] - bx * BLOCK]
        return out

    def plane(self, z: int) -> NDArray[Number]:
        """A copy of one plane, ``(Y, X)``."""
        return self.read(z, 0, 0, self.shape[1], self.shape[2])

    def value(self, z: int, y: int, x: int) -> int:
        """What one voxel holds; 0 outside the image."""
        block = self._blocks.get((z, y // BLOCK, x // BLOCK))
        return 0 if block is None else int(block[y % BLOCK, x % BLOCK])

    def to_array(self) -> NDArray[Number]:
        """All voxels, ``(Z, Y, X)``."""
        out = np.zeros(self.shape, self.dtype)
        for z in {index[0] for index in self._blocks}:
            out[z] = self.plane(z)
        return out

    def copied(self, index: BlockIndex) -> NDArray[Number] | None:
        """A copy of a block, or None when it is empty."""
        block = self._blocks.get(index)
        return None if block is None else block.copy()

    # -- writing ---------------------------------------------------------------------------------

    def write(self, z: int, y0: int, x0: int, values: NDArray[Number]) -> None:
        """Replace a region of one plane; what lies outside the image is dropped."""
        y1, x1 = y0 + values.shape[0], x0 + values.shape[1]
        for index, inside, region in self.overlaps(z, y0, x0, y1, x1):
            part = values[region]
            if index not in self._blocks and not part.any():
                continue
            self.writable(index)[inside] = part

    def writable(self, index: BlockIndex) -> NDArray[Number]:
        """The block to write into, made when missing, and marked as changed.

        Writers keep the part past the image's edge 0.
        """
        block = self._blocks.get(index)
        if block is None:
            block = self._blocks[index] = np.zeros((BLOCK, BLOCK), self.dtype)
        self._known.pop(index, None)
        self.dirty.add(index)
        return block

    def replace_block(self, index: BlockIndex, values: NDArray[Number] | None) -> None:
        """Set or drop a whole block, as the store and undo do."""
        if values is None:
            self._blocks.pop(index, None)
        else:
            self._blocks[index] = values
        self._known.pop(index, None)
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
