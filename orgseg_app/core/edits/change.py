"""What one edit altered: the class ids before and after wherever they differ, block by block.

A change undoes and redoes by writing class ids, never by combining them with what is there: done
twice, or on another version of the mask, it still gives nothing but classes somebody painted.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.edits.recoloured import Recoloured
from orgseg_app.core.mask import BLOCK, BlockIndex, Box, Mask

EMPTY_BOX = Box(0, 0, 0, 0, 0, 0)


@dataclass(frozen=True)
class Change:
    """What one edit altered.

    Attributes
    ----------
    image_id, layer
        Which mask.
    title
        For the Edit menu: "Undo paint".
    box
        Everything that can look different now.
    blocks
        Index of each altered block and two planes of 256 × 256 class ids, zlib-compressed: before
        and after where these differ, 0 elsewhere. `Recoloured` blocks are compressed when they are
        asked for.
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
        return all(_unpacked(packed) is not None for _, packed in self.blocks)

    def _write(self, mask: Mask, side: int) -> None:
        for index, packed in self.blocks:
            planes = _unpacked(packed) if mask.holds(index) else None
            if planes is not None:
                np.copyto(mask.writable(index), planes[side], where=planes[0] != planes[1])


def _unpacked(packed: bytes) -> NDArray[np.uint8] | None:
    """The two planes of a block; None when it is none: a journal may come from a stranger."""
    try:
        data = zlib.decompressobj().decompress(packed, 2 * BLOCK * BLOCK + 1)
        return np.frombuffer(data, np.uint8).reshape(2, BLOCK, BLOCK)
    except (zlib.error, ValueError):
        return None
