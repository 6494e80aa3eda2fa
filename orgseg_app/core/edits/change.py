"""What one edit altered: what was there before and after wherever it differs, block by block.

A change undoes and redoes by writing class ids and object numbers, never by combining them with
what is there: done twice, or on another version of the mask, it still gives nothing but what
somebody painted.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.blocks import BLOCK, BlockArray, BlockIndex, Box, Number
from orgseg_app.core.edits.recoloured import Bits, Recoloured
from orgseg_app.core.mask import Mask, Plane
from orgseg_app.core.objects import Numbers

EMPTY_BOX = Box(0, 0, 0, 0, 0, 0)

MASK, OBJECTS = "mask", "objects"
"""Layers: changes of class ids alone, and those that altered object numbers as well."""

Written = NDArray[Number] | BlockRuns[Number]

_VOXELS = BLOCK * BLOCK
_NUMBER_TYPES = {2 * _VOXELS * size: np.dtype(f"<u{size}") for size in (1, 2, 4)}
_LONGEST = 2 * _VOXELS + max(_NUMBER_TYPES)
_SHORT = 1024  # bytes of a packed block: one that is altered as a whole takes 600
_REMEMBERED = 8  # unpacked blocks; those of a large change are often the same
_MANY = 512  # blocks; a mask packs what it has beyond these, see `BlockArray.pack`
_THREADS = 2
_WORTH_THREADS = 32  # blocks; fewer are written before threads have begun


@dataclass(frozen=True)
class Change:
    """What one edit altered.

    Attributes
    ----------
    image_id, layer
        Which mask, and whether objects are altered, too: `MASK` or `OBJECTS`.
    title
        For the Edit menu: "Undo paint".
    box
        Everything that can look different now.
    blocks
        Index of each altered block, and what `packed` made of it. `Recoloured` blocks are
        compressed when they are asked for; undoing does not ask.
    """

    image_id: str
    layer: str
    title: str
    box: Box
    blocks: tuple[tuple[BlockIndex, bytes], ...] | Recoloured

    @property
    def size_bytes(self) -> int:
        """Memory it costs to remember; a guess while that is not known."""
        if isinstance(self.blocks, Recoloured):
            return self.blocks.size_bytes
        return sum(len(packed) for _, packed in self.blocks)

    def undo(self, mask: Mask) -> bool:
        """Write what was there before; False where its blocks are none, and nothing is written.

        Only those of a change that was not made here can be none.
        """
        return self._write(mask, 0)

    def redo(self, mask: Mask) -> bool:
        """Write what the edit made; as `undo`."""
        return self._write(mask, 1)

    def _write(self, mask: Mask, side: int) -> bool:
        writing = self.worked_out(mask, side)
        if writing is not None:
            writing.put()
        return writing is not None

    def worked_out(self, mask: Mask, side: int) -> Writing | None:
        """What is to be written, in any thread; None where the blocks are none.

        Parameters
        ----------
        side
            0 to undo, 1 to redo.
        """
        if self.layer not in (MASK, OBJECTS):
            return None
        kept = self.blocks.kept() if isinstance(self.blocks, Recoloured) else self.blocks
        blocks = [block for block in kept if mask.holds(block[0])]
        writing = Writing(
            mask, side, may_number=self.layer == OBJECTS, are_many=len(blocks) > _MANY
        )
        if len(blocks) < _WORTH_THREADS:
            return writing if writing.work_out(blocks) else None
        shares = [blocks[n::_THREADS] for n in range(_THREADS)]
        with ThreadPoolExecutor(_THREADS) as pool:
            return writing if all(list(pool.map(writing.work_out, shares))) else None


class Writing:
    """Blocks with one side of a change written into them, all worked out before any is put.

    Parameters
    ----------
    side
        0 for what was there before, 1 for what the edit made.
    may_number
        True where the change may alter object numbers.
    are_many
        The blocks are kept as runs: new memory for all would take longer than packing them.
    """

    def __init__(self, mask: Mask, side: int, *, may_number: bool, are_many: bool) -> None:
        self._are_many = are_many
        self._mask, self._side = mask, side
        self._classes: dict[BlockIndex, Plane | BlockRuns[np.uint8]] = {}
        self._numbers: dict[BlockIndex, Numbers | BlockRuns[np.uint32]] = {}
        self._unpacked = partial(_unpacked, may_number)
        self._remembered = lru_cache(_REMEMBERED)(self._unpacked)

    def work_out(self, blocks: Iterable[tuple[BlockIndex, bytes | Bits]]) -> bool:
        """Work out some blocks, in any thread; False where one of them is none."""
        mask, side = self._mask, self._side
        for index, kept in blocks:
            if isinstance(kept, Bits):
                classes, numbers = kept.pair(), None
            else:
                unpacked = self._remembered if len(kept) <= _SHORT else self._unpacked
                found = unpacked(kept)
                if found is None:
                    return False
                classes, numbers = found
            block = _written(mask, index, classes, side)
            if block is not None:
                self._classes[index] = self._kept(block)
            if numbers is not None:
                number_block = _written(mask.objects, index, numbers, side)
                if number_block is not None:
                    self._numbers[index] = self._kept(number_block)
        return True

    def _kept(self, block: Written[Number]) -> Written[Number]:
        if self._are_many and not isinstance(block, BlockRuns):
            return BlockRuns.of(block) or block
        return block

    def put(self) -> None:
        """Put them in place."""
        for index, block in self._classes.items():
            self._mask.replace_block(index, block)
        for index, numbers in self._numbers.items():
            self._mask.objects.replace_block(index, numbers)


def _unpacked(may_number: bool, packed: bytes) -> tuple[Plane, Numbers | None] | None:
    """What `packed` was given; None when it is none: a journal may come from a stranger."""
    try:
        data = zlib.decompressobj().decompress(packed, _LONGEST + 1)
        classes = np.frombuffer(data, np.uint8, 2 * _VOXELS).reshape(2, BLOCK, BLOCK)
    except (zlib.error, ValueError):
        return None
    rest = len(data) - 2 * _VOXELS
    if not rest:
        return classes, None
    if not may_number or rest not in _NUMBER_TYPES:
        return None
    numbers = np.frombuffer(data, _NUMBER_TYPES[rest], offset=2 * _VOXELS)
    return classes, numbers.reshape(2, BLOCK, BLOCK).astype(np.uint32)


def packed(
    old: Plane | None,
    new: Plane | None,
    old_numbers: Numbers | None = None,
    new_numbers: Numbers | None = None,
) -> bytes:
    """One block of a change; empty where nothing differs.

    Parameters
    ----------
    old, new
        Class ids before and after, ``(256, 256)``; None where there is no block.
    old_numbers, new_numbers
        Object numbers likewise.

    Returns
    -------
    bytes
        Zlib-compressed: two planes of 256 × 256 class ids, before and after where these differ and
        0 elsewhere; behind them two planes of object numbers likewise, of as many bytes as the
        highest takes (little-endian), unless these are the same.
    """
    classes, numbers = _pair(old, new, np.uint8), _pair(old_numbers, new_numbers, np.uint32)
    if classes is None and numbers is None:
        return b""
    packer = zlib.compressobj(1)
    whole = packer.compress(bytes(2 * _VOXELS) if classes is None else classes.data)
    if numbers is not None:
        whole += packer.compress(numbers.astype(_smallest(numbers)).data)
    return whole + packer.flush()


def _pair(
    old: NDArray[Number] | None, new: NDArray[Number] | None, dtype: type[Number]
) -> NDArray[Number] | None:
    """Before and after where these differ, ``(2, 256, 256)``; None where they do not."""
    before = np.zeros((BLOCK, BLOCK), dtype) if old is None else old
    after = np.zeros((BLOCK, BLOCK), dtype) if new is None else new
    differs = before != after
    if not differs.any():
        return None
    pair = np.empty((2, BLOCK, BLOCK), dtype)
    np.multiply(before, differs, out=pair[0])
    np.multiply(after, differs, out=pair[1])
    return pair


def _smallest(numbers: Numbers) -> np.dtype[np.unsignedinteger]:
    return np.min_scalar_type(int(numbers.max())).newbyteorder("<")


def _written(
    array: BlockArray[Number], index: BlockIndex, pair: NDArray[Number], side: int
) -> Written[Number] | None:
    """A block with one side of a pair written where the two differ; None where they never do."""
    differs = pair[0] != pair[1]
    count = np.count_nonzero(differs)
    if not count:
        return None
    new: NDArray[Number] = pair[side]
    if count == differs.size:
        first = new[:1, 0]
        return BlockRuns.uniform(first, BLOCK) if (new == first).all() else new.copy()
    block = array.copied(index)
    if block is None:
        block = np.zeros_like(new)
    np.copyto(block, new, where=differs)
    return block
