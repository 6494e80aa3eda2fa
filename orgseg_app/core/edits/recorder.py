"""Writing into a mask so that it can be undone: keeps the blocks as they were.

With an *object in the hand*, what is painted belongs to that object from then on; so every tool
paints objects. Without one, a voxel whose class changes leaves the object it belonged to. Either
way, what is unlabelled or background belongs to no object.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BlockIndex, Box
from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.change import EMPTY_BOX, MASK, OBJECTS, Change, packed
from orgseg_app.core.edits.recoloured import Piece, Recoloured
from orgseg_app.core.mask import Mask, Plane
from orgseg_app.core.objects import NO_OBJECT, Numbers


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
    """Writes into a mask and its objects, and remembers what was there before.

    Parameters
    ----------
    image_id
        Image the mask belongs to.
    mask
        Written in place, with its objects.
    object_id
        The object in the hand; 0 without one.
    """

    def __init__(self, image_id: str, mask: Mask, object_id: int = NO_OBJECT) -> None:
        self.image_id = image_id
        self.mask = mask
        self.object_id = object_id
        self.box = EMPTY_BOX
        self._before: dict[BlockIndex, Plane | None] = {}
        self._numbers_before: dict[BlockIndex, Numbers | None] = {}
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
        """Set the voxels where ``where`` (corner at ``y0, x0``) is true; what changed at most.

        Where ``allowed`` (see `overwritable`) protects other classes, an object in the hand leaves
        other objects alone, too.
        """
        number = self.object_id if class_id > BACKGROUND else NO_OBJECT

        def write(block: Plane, numbers: Numbers | None, region: _Region) -> None:
            chosen = where[region]
            if allowed is not None:
                chosen = chosen & allowed[block]
                if number and numbers is not None:
                    chosen &= (numbers == NO_OBJECT) | (numbers == number)
            if numbers is not None:
                leaves = number or class_id <= BACKGROUND
                there = chosen if leaves else chosen & (block != class_id)
                np.copyto(numbers, np.uint32(number), where=there)
            np.copyto(block, np.uint8(class_id), where=chosen)

        makes = where if number else None
        erases = class_id == UNLABELLED
        return self._each(z, y0, x0, where.shape, write, makes, skip_missing=erases)

    def put(self, z: int, y0: int, x0: int, values: Plane, objects: Numbers | None = None) -> Box:
        """Replace a region of one plane by these class ids.

        Parameters
        ----------
        objects
            Object numbers of the region; unless they are given, voxels whose class changes belong
            to no object, and the others stay in theirs.
        """

        def write(block: Plane, numbers: Numbers | None, region: _Region) -> None:
            new = values[region]
            if numbers is not None and objects is not None:
                np.multiply(objects[region], new > BACKGROUND, out=numbers)
            elif numbers is not None:
                np.copyto(numbers, NO_OBJECT, where=(block != new) | (new <= BACKGROUND))
            block[...] = new

        return self._each(z, y0, x0, values.shape, write, objects)

    def number(self, z: int, y0: int, x0: int, where: NDArray[np.bool_], number: int) -> Box:
        """Give voxels to another object; their classes stay, and what has none is left alone."""

        def write(block: Plane, numbers: Numbers | None, region: _Region) -> None:
            if numbers is not None:
                np.copyto(numbers, np.uint32(number), where=where[region] & (block > BACKGROUND))

        makes = where if number else None
        return self._each(z, y0, x0, where.shape, write, makes, skip_missing=True)

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
        if self.object_id or self._meet_objects(listed):
            for z, y0, x0, where in listed:
                self.paint(z, y0, x0, where, new)
            return
        self._recoloured = Recoloured(old, new)
        for z, y0, x0, where in listed:
            box = Box(z, y0, x0, z + 1, y0 + where.shape[0], x0 + where.shape[1])
            self.box = self.box.union(box.clipped(self.mask.shape))
        self._recoloured.write(self.mask, listed)

    def _meet_objects(self, pieces: Iterable[Piece]) -> bool:
        """Whether any of these voxels belongs to an object."""
        objects = self.mask.objects
        for z, y0, x0, where in pieces:
            y1, x1 = y0 + where.shape[0], x0 + where.shape[1]
            for index, inside, region in objects.overlaps(z, y0, x0, y1, x1):
                numbers = objects.block(index)
                if numbers is not None and numbers[inside][where[region]].any():
                    return True
        return False

    def _each(
        self,
        z: int,
        y0: int,
        x0: int,
        size: tuple[int, ...],
        write: _Write,
        makes: NDArray[np.generic] | None,
        *,
        skip_missing: bool = False,
    ) -> Box:
        """Write block by block; where ``makes`` is not 0, objects are made where there are none."""
        y1, x1 = y0 + size[0], x0 + size[1]
        for index, inside, region in self.mask.overlaps(z, y0, x0, y1, x1):
            block = self.mask.block(index)
            if block is None and skip_missing:
                continue
            if index not in self._before:
                self._before[index] = None if block is None else block.copy()
            numbers = self._numbers(index, makes is not None and bool(makes[region].any()))
            part = None if numbers is None else numbers[inside]
            write(self.mask.writable(index)[inside], part, region)
        touched = Box(z, y0, x0, z + 1, y1, x1).clipped(self.mask.shape)
        self.box = self.box.union(touched)
        return touched

    def _numbers(self, index: BlockIndex, makes: bool) -> Numbers | None:
        """Object numbers of a block, to write into; None where there are none to be changed."""
        block = self.mask.objects.block(index)
        if block is None and not makes:
            return None
        if index not in self._numbers_before:
            self._numbers_before[index] = None if block is None else block.copy()
        return self.mask.objects.writable(index)

    def finish(self, title: str) -> Change | None:
        """The change made since the start, or None when nothing differs."""
        if self._recoloured is not None:
            recoloured, self._recoloured = self._recoloured, None
            if not recoloured:
                return None
            return Change(self.image_id, MASK, title, self.box, recoloured)
        mask, numbers = self.mask, self._numbers_before
        blocks: list[tuple[BlockIndex, bytes]] = []
        layer = MASK
        for index, before in sorted(self._before.items()):
            after = mask.block(index)
            if index not in numbers:
                found = packed(before, after)
            else:
                found = packed(before, after, numbers[index], mask.objects.block(index))
                layer = OBJECTS
            if found:
                blocks.append((index, found))
        self._before.clear()
        self._numbers_before.clear()
        if not blocks:
            return None
        return Change(self.image_id, layer, title, self.box, tuple(blocks))

    def cancel(self) -> None:
        """Put everything back as it was."""
        if self._recoloured is not None:
            self._recoloured.take_back(self.mask)
            self._recoloured = None
        for index, before in self._before.items():
            self.mask.replace_block(index, before)
        for index, numbers in self._numbers_before.items():
            self.mask.objects.replace_block(index, numbers)
        self._before.clear()
        self._numbers_before.clear()


_Region = tuple[slice, slice]


class _Write(Protocol):
    def __call__(self, block: Plane, numbers: Numbers | None, region: _Region) -> None: ...
