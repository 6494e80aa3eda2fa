"""What one edit altered: what was there before and after wherever it differs, block by block.

A change undoes and redoes by writing class ids and object numbers, never by combining them with
what is there: done twice, or on another version of the mask, it still gives nothing but what
somebody painted.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK, BlockArray, BlockIndex, Box, Number
from orgseg_app.core.edits.recoloured import Recoloured
from orgseg_app.core.mask import Mask, Plane
from orgseg_app.core.objects import Numbers

EMPTY_BOX = Box(0, 0, 0, 0, 0, 0)

MASK, OBJECTS = "mask", "objects"
"""Layers: changes of class ids alone, and those that altered object numbers as well."""

_VOXELS = BLOCK * BLOCK
_NUMBER_TYPES = {2 * _VOXELS * size: np.dtype(f"<u{size}") for size in (1, 2, 4)}
_LONGEST = 2 * _VOXELS + max(_NUMBER_TYPES)


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
        compressed when they are asked for.
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

    def undo(self, mask: Mask) -> None:
        """Write what was there before."""
        self._write(mask, 0)

    def redo(self, mask: Mask) -> None:
        """Write what the edit made."""
        self._write(mask, 1)

    @property
    def is_whole(self) -> bool:
        """False when its blocks are no blocks, as only one that was not made here can be."""
        return self.layer in (MASK, OBJECTS) and all(
            self._unpacked(packed) is not None for _, packed in self.blocks
        )

    def _write(self, mask: Mask, side: int) -> None:
        for index, packed in self.blocks:
            found = self._unpacked(packed) if mask.holds(index) else None
            if found is None:
                continue
            classes, numbers = found
            _put(mask, index, classes, side)
            if numbers is not None:
                _put(mask.objects, index, numbers, side)

    def _unpacked(self, packed: bytes) -> tuple[Plane, Numbers | None] | None:
        """What `packed` was given; None when it is none: a journal may come from a stranger."""
        try:
            data = zlib.decompressobj().decompress(packed, _LONGEST + 1)
            classes = np.frombuffer(data, np.uint8, 2 * _VOXELS).reshape(2, BLOCK, BLOCK)
        except (zlib.error, ValueError):
            return None
        rest = len(data) - 2 * _VOXELS
        if not rest:
            return classes, None
        if self.layer != OBJECTS or rest not in _NUMBER_TYPES:
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


def _put(array: BlockArray[Number], index: BlockIndex, pair: NDArray[Number], side: int) -> None:
    """Write one side of a pair into a block, where the two differ."""
    differs = pair[0] != pair[1]
    if differs.any():
        np.copyto(array.writable(index), pair[side], where=differs)
