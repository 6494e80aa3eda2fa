"""What a change of one class into another altered: a bit a voxel, packed when it is stored.

A change is kept zlib-compressed, which takes 0.2 ms a block: not a matter for a stroke, but 0.8 s
for the background of a 16384² plane. Here the voxels of a block are 8 KB of bits at first, and
compressed by whoever asks first, as a rule the thread that makes the change durable.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import overload

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import BLOCK, BlockIndex, Mask

_THREADS = 2
_WORTH_THREADS = 8  # pieces; starting threads takes longer than writing fewer of them
_GUESSED_BYTES = 1500  # of a compressed block; measured on round objects

Packed = tuple[BlockIndex, bytes]
Piece = tuple[int, int, int, NDArray[np.bool_]]


@dataclass(frozen=True)
class Bits:
    """One block of a recolouring: which of its voxels turned from one class into another."""

    voxels: NDArray[np.uint8]
    old: int
    new: int

    def pair(self) -> NDArray[np.uint8]:
        """Class ids before and after, ``(2, 256, 256)``; 0 where nothing turned."""
        where = _voxels(self.voxels)
        planes: NDArray[np.uint8] = np.empty((2, BLOCK, BLOCK), np.uint8)
        np.multiply(where, np.uint8(self.old), out=planes[0])
        np.multiply(where, np.uint8(self.new), out=planes[1])
        return planes


class Recoloured(Sequence[Packed]):
    """The blocks of a `change.Change` that turns voxels of one class into another.

    Parameters
    ----------
    old, new
        Class ids.
    """

    def __init__(self, old: int, new: int) -> None:
        self.old = old
        self.new = new
        self._bits: dict[BlockIndex, Bits] = {}
        self._made: set[BlockIndex] = set()
        self._packed: tuple[Packed, ...] | None = None
        self._lock = threading.Lock()

    def write(self, mask: Mask, pieces: Iterable[Piece]) -> None:
        """Write the new class into a mask.

        Parameters
        ----------
        pieces
            ``(z, y0, x0, where)``; where it is true, the mask holds the old class. No two pieces
            may have voxels in the same block.
        """
        listed = list(pieces)
        if len(listed) < _WORTH_THREADS:
            for piece in listed:
                self._write(mask, piece)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(lambda piece: self._write(mask, piece), listed):
                pass

    def _write(self, mask: Mask, piece: Piece) -> None:
        z, y0, x0, where = piece
        y1, x1 = y0 + where.shape[0], x0 + where.shape[1]
        for index, inside, region in mask.overlaps(z, y0, x0, y1, x1):
            chosen = where[region]
            if not chosen.any():
                continue
            whole = chosen
            if chosen.shape != (BLOCK, BLOCK):
                whole = np.zeros((BLOCK, BLOCK), np.bool_)
                whole[inside] = chosen
            if mask.block(index) is None:
                self._made.add(index)
            self._bits[index] = Bits(np.packbits(whole), self.old, self.new)
            np.copyto(mask.writable(index), np.uint8(self.new), where=whole)

    def take_back(self, mask: Mask) -> None:
        """Put everything back as it was, before anything else was written."""
        for index, bits in self._bits.items():
            if index in self._made:
                mask.replace_block(index, None)
            else:
                np.copyto(mask.writable(index), np.uint8(self.old), where=_voxels(bits.voxels))

    def kept(self) -> Sequence[tuple[BlockIndex, bytes | Bits]]:
        """The blocks as they are, in any order: nobody waits until they are compressed."""
        bits = self._bits
        return tuple(bits.items()) or self._pack()

    @property
    def size_bytes(self) -> int:
        """What the blocks take compressed; a guess until they are."""
        packed = self._packed
        if packed is None:
            return _GUESSED_BYTES * len(self._bits)
        return sum(len(data) for _, data in packed)

    def _pack(self) -> tuple[Packed, ...]:
        with self._lock:
            if self._packed is None:
                found = [
                    (index, zlib.compress(bits.pair().data, 1))
                    for index, bits in sorted(self._bits.items())
                ]
                self._packed = tuple(found)
                self._bits = {}
            return self._packed

    def __bool__(self) -> bool:
        return len(self) > 0

    def __len__(self) -> int:
        return len(self._bits) if self._packed is None else len(self._packed)

    def __iter__(self) -> Iterator[Packed]:
        return iter(self._pack())

    @overload
    def __getitem__(self, at: int) -> Packed: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Packed, ...]: ...
    def __getitem__(self, at: int | slice) -> Packed | tuple[Packed, ...]:
        return self._pack()[at]


def _voxels(bits: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The bits of a block as ``(256, 256)``."""
    return np.unpackbits(bits).view(np.bool_).reshape(BLOCK, BLOCK)
