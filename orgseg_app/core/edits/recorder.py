"""Writing into a mask so that it can be undone: keeps the blocks as they were."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.change import EMPTY_BOX, Change
from orgseg_app.core.edits.recoloured import Piece, Recoloured
from orgseg_app.core.mask import BLOCK, BlockIndex, Box, Mask


class Edit(Protocol):
    """One undoable act."""

    @property
    def title(self) -> str:
        """One or two words for the menu: "paint", "fill"."""

    def apply(self, recorder: Recorder) -> None:
        """Write the edit through the recorder."""


def overwritable(class_id: int, protect: bool) -> NDArray[np.bool_] | None:
    """Which values painting ``class_id`` may replace, ``(256,)``; None for all of them.

    With ``protect`` on, painting goes only over unlabelled voxels, and the eraser (class id 0)
    removes whatever is there.
    """
    if not protect or class_id == UNLABELLED:
        return None
    allowed = np.zeros(256, np.bool_)
    allowed[[UNLABELLED, class_id]] = True
    return allowed


class Recorder:
    """Writes into a mask and remembers what was there before.

    Parameters
    ----------
    image_id
        Image the mask belongs to.
    mask
        Written in place.
    """

    def __init__(self, image_id: str, mask: Mask, layer: str = "mask") -> None:
        self.image_id = image_id
        self.layer = layer
        self.mask = mask
        self.box = EMPTY_BOX
        self._before: dict[BlockIndex, NDArray[np.uint8] | None] = {}
        self._recoloured: Recoloured | None = None

    def paint(
        self,
        z: int,
        y0: int,
        x0: int,
        where: NDArray[np.bool_],
        class_id: int,
        allowed: NDArray[np.bool_] | None = None,
    ) -> Box:
        """Set the voxels where ``where`` (corner at ``y0, x0``) is true; what changed at most."""
        erases = class_id == UNLABELLED
        write = _painter(where, class_id, allowed)
        return self._each(z, y0, x0, where.shape, write, skip_missing=erases)

    def put(self, z: int, y0: int, x0: int, values: NDArray[np.uint8]) -> Box:
        """Replace a region of one plane by these class ids."""

        def write(block: NDArray[np.uint8], region: tuple[slice, slice]) -> None:
            block[...] = values[region]

        return self._each(z, y0, x0, values.shape, write)

    def recolour(self, pieces: Iterable[Piece], old: int, new: int) -> None:
        """Turn one class into another: as `paint`, ten times faster where much of it changes.

        It can be all that is written through a recorder, once.

        Parameters
        ----------
        pieces
            ``(z, y0, x0, where)``, all of class ``old`` where it is true, and none with voxels in
            a block of another piece.
        """
        assert self._recoloured is None
        assert not self._before
        listed = list(pieces)
        self._recoloured = Recoloured(old, new)
        for z, y0, x0, where in listed:
            box = Box(z, y0, x0, z + 1, y0 + where.shape[0], x0 + where.shape[1])
            self.box = self.box.union(box.clipped(self.mask.shape))
        self._recoloured.write(self.mask, listed)

    def _each(
        self,
        z: int,
        y0: int,
        x0: int,
        size: tuple[int, ...],
        write: _Write,
        *,
        skip_missing: bool = False,
    ) -> Box:
        y1, x1 = y0 + size[0], x0 + size[1]
        for index, inside, region in self.mask.overlaps(z, y0, x0, y1, x1):
            block = self.mask.block(index)
            if block is None and skip_missing:
                continue
            if index not in self._before:
                self._before[index] = None if block is None else block.copy()
            write(self.mask.writable(index)[inside], region)
        touched = Box(z, y0, x0, z + 1, y1, x1).clipped(self.mask.shape)
        self.box = self.box.union(touched)
        return touched

    def finish(self, title: str) -> Change | None:
        """The change made since the start, or None when nothing differs."""
        if self._recoloured is not None:
            recoloured, self._recoloured = self._recoloured, None
            if not recoloured:
                return None
            return Change(self.image_id, self.layer, title, self.box, recoloured)
        blocks: list[tuple[BlockIndex, bytes]] = []
        planes = np.empty((2, BLOCK, BLOCK), np.uint8)
        for index, before in sorted(self._before.items()):
            after = self.mask.block(index)
            if after is None:
                continue
            old = np.zeros_like(after) if before is None else before
            differs = old != after
            if differs.any():
                np.multiply(old, differs, out=planes[0])
                np.multiply(after, differs, out=planes[1])
                blocks.append((index, zlib.compress(planes.data, 1)))
        self._before.clear()
        if not blocks:
            return None
        return Change(self.image_id, self.layer, title, self.box, tuple(blocks))

    def cancel(self) -> None:
        """Put everything back as it was."""
        if self._recoloured is not None:
            self._recoloured.take_back(self.mask)
            self._recoloured = None
        for index, before in self._before.items():
            self.mask.replace_block(index, before)
        self._before.clear()


class _Write(Protocol):
    def __call__(self, block: NDArray[np.uint8], region: tuple[slice, slice]) -> None: ...


def _painter(where: NDArray[np.bool_], class_id: int, allowed: NDArray[np.bool_] | None) -> _Write:
    def write(block: NDArray[np.uint8], region: tuple[slice, slice]) -> None:
        chosen = where[region]
        if allowed is not None:
            chosen = chosen & allowed[block]
        np.copyto(block, np.uint8(class_id), where=chosen)

    return write
