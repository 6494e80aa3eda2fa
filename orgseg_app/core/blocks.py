"""Arrays kept in blocks of planes, so that size costs nothing where nothing is.

A block is 256 × 256 voxels of one plane. Blocks that hold nothing but 0 need not exist: an empty
array of 16384² weighs nothing, and an edit touches only the blocks under it. Blocks that were not
written lately may be kept as runs, see `BlockArray.pack`.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from typing import Any, Generic, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.block_runs import Number as Number

BLOCK = 256
_MOST_PLAIN = 512  # blocks that are not packed: 32 MB of class ids
_FEW = 2048  # voxels that are picked from runs faster than these are unpacked

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
        self._blocks: dict[BlockIndex, NDArray[Number] | BlockRuns[Number]] = {}
        self._plain: dict[BlockIndex, None] = {}  # which might be packed, the latest written last
        self._known: dict[BlockIndex, Any] = {}  # worked out of a block; gone once it is written
        self.dirty: set[BlockIndex] = set()
        self.damaged: set[BlockIndex] = set()
        self.is_doubtful = False

    # -- reading ---------------------------------------------------------------------------------

    def block(self, index: BlockIndex) -> NDArray[Number] | None:
        """The block, 256 × 256 (zeros past the image's edge), or None when it is empty.

        It is not to be written into: it may be the block itself, or a copy.
        """
        return self._block(index)

    def _block(self, index: BlockIndex) -> NDArray[Number] | None:
        found = self._blocks.get(index)
        return found.unpacked() if isinstance(found, BlockRuns) else found

    def kept(self, index: BlockIndex) -> NDArray[Number] | BlockRuns[Number] | None:
        """The block for somebody who keeps it: as runs where they take less, else a copy."""
        found = self._blocks.get(index)
        if found is None or isinstance(found, BlockRuns):
            return found
        copy = found.copy()  # first: somebody may be painting in it while it is packed
        return BlockRuns.of(copy) or copy

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
        found: set[int] = set()
        for (z, _, _), block in list(self._blocks.items()):
            if z not in found and block.any():  # one block of a plane is enough
                found.add(z)
        return sorted(found)

    def read(self, z: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Number]:
        """A copy of a region of one plane, ``(y1 - y0, x1 - x0)``; outside the image it is 0."""
        out = np.zeros((max(0, y1 - y0), max(0, x1 - x0)), self.dtype)
        for index, inside, region in self.overlaps(z, y0, x0, y1, x1):
            block = self._block(index)
            if block is not None:
                out[region] = block[inside]
        return out

    def sample(self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[Number]:
        """Values at the crossings of sorted rows and columns, ``(len(rows), len(columns))``.

        What the canvas shows when zoomed out: cost follows the screen, not the image.
        """
        found: NDArray[Number] = self.sample_planes((z,), rows, columns)[0]
        return found

    def sample_planes(
        self, planes: Sequence[int], rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[Number]:
        """Values at the same crossings of several planes, ``(planes, rows, columns)``."""
        out = np.zeros((len(planes), len(rows), len(columns)), self.dtype)
        if not len(rows) or not len(columns):
            return out
        stretches = _leaves_none_out(rows), _leaves_none_out(columns)
        across = list(_runs(columns))
        for by, r0, r1 in _runs(rows):
            for bx, c0, c1 in across:
                there = rows[r0:r1] - by * BLOCK, columns[c0:c1] - bx * BLOCK
                for number, z in enumerate(planes):
                    block = self._blocks.get((z, by, bx))
                    if block is not None:
                        out[number, r0:r1, c0:c1] = self._picked(block, *there, *stretches)
        return out

    def _picked(
        self,
        block: NDArray[Number] | BlockRuns[Number],
        rows: NDArray[np.intp],
        columns: NDArray[np.intp],
        every_row: bool,
        every_column: bool,
    ) -> NDArray[Number]:
        """Values of one block at the crossings; whether no row and no column is left out."""
        if isinstance(block, BlockRuns):
            if len(rows) * len(columns) < _FEW:
                return block.sample(rows, columns)
            block = block.unpacked()
        picked = _some(block, rows, every_row)
        return _some(picked.T, columns, every_column).T

    def plane(self, z: int) -> NDArray[Number]:
        """A copy of one plane, ``(Y, X)``."""
        return self.read(z, 0, 0, self.shape[1], self.shape[2])

    def value(self, z: int, y: int, x: int) -> int:
        """What one voxel holds; 0 outside the image."""
        block = self._blocks.get((z, y // BLOCK, x // BLOCK))
        if block is None:
            return 0
        place = np.array([y % BLOCK]), np.array([x % BLOCK])
        return int(self._picked(block, *place, False, False)[0, 0])

    def to_array(self) -> NDArray[Number]:
        """All voxels, ``(Z, Y, X)``."""
        out = np.zeros(self.shape, self.dtype)
        for z in {index[0] for index in self.block_indices()}:
            out[z] = self.plane(z)
        return out

    def copied(self, index: BlockIndex) -> NDArray[Number] | None:
        """A copy of a block, or None when it is empty."""
        block = self._block(index)
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
        block = self._block(index)
        if block is None:
            block = np.zeros((BLOCK, BLOCK), self.dtype)
        self._keep(index, block)
        return block

    def replace_block(
        self, index: BlockIndex, values: NDArray[Number] | BlockRuns[Number] | None
    ) -> None:
        """Set or drop a whole block, as the store and undo do."""
        self._keep(index, values)

    def share(self, other: BlockArray[Number], planes: Container[int] | None = None) -> None:
        """Have the very blocks of another array, of some planes or of all; none of them is dirty.

        Nothing is copied, nor unpacked: it takes no time and no memory. None may be written into.
        """
        for index, block in list(other._blocks.items()):
            if planes is None or index[0] in planes:
                known = other._known.get(index)
                self._keep(index, block)
                if known is not None:
                    self._known[index] = known
        self.dirty.clear()

    def _keep(self, index: BlockIndex, block: NDArray[Number] | BlockRuns[Number] | None) -> None:
        """Have this block, or none, and know that it was written."""
        self._plain.pop(index, None)
        if block is None:
            self._blocks.pop(index, None)
        else:
            self._blocks[index] = block
            if not isinstance(block, BlockRuns):
                self._plain[index] = None
        self._known.pop(index, None)
        self.dirty.add(index)

    def pack(self, most: int) -> bool:
        """Turn blocks into runs that were not written lately; nobody may be writing into them.

        Parameters
        ----------
        most
            Blocks to look at in one go; 50 take a millisecond.

        Returns
        -------
        bool
            True while there are more.
        """
        for _ in range(min(most, len(self._plain) - _MOST_PLAIN)):
            index = next(iter(self._plain))
            del self._plain[index]
            block = self._blocks[index]
            runs = None if isinstance(block, BlockRuns) else BlockRuns.of(block)
            if runs is not None:
                self._blocks[index] = runs
        return len(self._plain) > _MOST_PLAIN

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


def _leaves_none_out(positions: NDArray[np.intp]) -> bool:
    """True for sorted positions one apart, as they are where a voxel is a screen pixel."""
    return bool((np.diff(positions) == 1).all())


def _some(values: NDArray[Number], places: NDArray[np.intp], is_stretch: bool) -> NDArray[Number]:
    """Some of the rows; a stretch of them need not be copied."""
    return values[places[0] : places[-1] + 1] if is_stretch else values[places]


def _runs(positions: NDArray[np.intp]) -> Iterator[tuple[int, int, int]]:
    """Stretches of sorted positions that lie in one block: block, start, stop."""
    blocks = positions // BLOCK
    edges = np.flatnonzero(np.diff(blocks)) + 1
    starts = [0, *edges.tolist()]
    stops = [*edges.tolist(), len(positions)]
    for start, stop in zip(starts, stops, strict=True):
        yield int(blocks[start]), start, stop
