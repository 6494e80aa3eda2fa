"""Changes of whole masks, worked out beforehand, so that making them takes a moment."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK, BlockArray, BlockIndex, Box, Number
from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.edits.change import EMPTY_BOX, MASK, OBJECTS, Change, packed
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.mask import Mask, Plane
from orgseg_app.core.objects import Numbers, Objects, are_equal


@dataclass(frozen=True)
class ReadyChange:
    """What turns a mask into another one; comparing and packing is done.

    For a mask of 5000² that takes a second, and swapping the blocks ten milliseconds.

    Attributes
    ----------
    change
        For the history.
    before, numbers_before
        Copies of the blocks of the mask, and of its objects, that it was worked out from; None
        where there was none.
    after, numbers_after
        The blocks that take their place.
    """

    change: Change
    before: dict[BlockIndex, Plane | None]
    after: dict[BlockIndex, Plane]
    numbers_before: dict[BlockIndex, Numbers | None] = field(default_factory=dict)
    numbers_after: dict[BlockIndex, Numbers] = field(default_factory=dict)

    def fits(self, mask: Mask) -> bool:
        """True while nobody has painted there since, nor made objects of what is to change."""
        numbers = self.numbers_before
        return (
            all(are_equal(mask.block(i), old) for i, old in self.before.items())
            and all(are_equal(mask.objects.block(i), old) for i, old in numbers.items())
            and not any(self._breaks_objects(mask, i) for i in self.after.keys() - numbers.keys())
        )

    def _breaks_objects(self, mask: Mask, index: BlockIndex) -> bool:
        """Whether voxels of a block change class that belong to objects nobody knew of."""
        numbers, old = mask.objects.block(index), self.before[index]
        if numbers is None:
            return False
        differs = self.after[index] != (0 if old is None else old)
        return bool(numbers[differs].any())

    def make(self, mask: Mask) -> None:
        """Put the blocks in place."""
        for index, block in self.after.items():
            mask.replace_block(index, block)
            mask.damaged.discard(index)
        for index, numbers in self.numbers_after.items():
            mask.objects.replace_block(index, numbers)
            mask.objects.damaged.discard(index)


def ready_change(
    image_id: str,
    title: str,
    now: Mask,
    then: Mask,
    indices: Iterable[BlockIndex],
    with_objects: Container[BlockIndex] = (),
) -> ReadyChange | None:
    """Work out what turns ``now`` into ``then`` in some blocks; None where nothing differs.

    ``now`` may be painted on in another thread meanwhile: `ReadyChange.fits` tells. Blocks that the
    store could not read are replaced even where both look the same.

    Parameters
    ----------
    with_objects
        Blocks of which ``then`` says which objects there are; in others, voxels whose class changes
        leave theirs.
    """
    lost, lost_numbers = set(now.damaged), set(now.objects.damaged)
    box, blocks = EMPTY_BOX, []
    ready = ReadyChange(Change(image_id, OBJECTS, title, box, ()), {}, {})
    _, height, width = now.shape
    for index in sorted(indices):
        old, old_numbers = now.copied(index), now.objects.copied(index)
        new = then.copied(index)
        if index in with_objects:
            new_numbers = _inside(new, then.objects.copied(index))
        else:
            new_numbers = _left(old, new, old_numbers)
        classes_differ = not are_equal(old, new)
        numbers_differ = not are_equal(old_numbers, new_numbers)
        if classes_differ or index in lost:
            ready.before[index] = old
            ready.after[index] = np.zeros((BLOCK, BLOCK), np.uint8) if new is None else new.copy()
        if numbers_differ or (index in lost_numbers and index in with_objects):
            ready.numbers_before[index] = old_numbers
            empty = np.zeros((BLOCK, BLOCK), np.uint32)
            ready.numbers_after[index] = empty if new_numbers is None else new_numbers.copy()
        elif classes_differ and old_numbers is not None:  # they stay, and `fits` is to know them
            ready.numbers_before[index] = old_numbers
        if index not in ready.after and index not in ready.numbers_after:
            continue
        if classes_differ or numbers_differ:
            blocks.append((index, packed(old, new, old_numbers, new_numbers)))
        z, y, x = index[0], index[1] * BLOCK, index[2] * BLOCK
        box = box.union(Box(z, y, x, z + 1, min(y + BLOCK, height), min(x + BLOCK, width)))
    if not ready.after and not ready.numbers_after:
        return None
    layer = OBJECTS if ready.numbers_after else MASK
    return replace(ready, change=Change(image_id, layer, title, box, tuple(blocks)))


def worked_out(
    image_id: str, mask: Mask, edit: Edit, check: Check = lambda seen: None, object_id: int = 0
) -> ReadyChange | None:
    """What an edit makes of a mask; None where it changes nothing.

    The mask may be painted on in another thread meanwhile, as long as no block comes or goes: what
    the change was worked out from is compared with the mask in the end. So a stroke made in between
    is never painted over unseen. Memory follows what the edit writes.

    Parameters
    ----------
    check
        Called with how many blocks the edit has looked at so far, from any thread; raises to stop.
    object_id
        The object in the hand, as of a `Recorder`.
    """
    then = _Draft(mask, check)
    recorder = Recorder(image_id, then, object_id)
    edit.apply(recorder)
    change = recorder.finish(edit.title)
    if change is None:
        return None
    (after, before), (numbers, numbers_before) = then.written(), then.objects.written()
    scratch = Mask(mask.shape)
    for entry in change.blocks:
        index = entry[0]
        _lay(scratch, index, after)
        _lay(scratch.objects, index, numbers)
        Change(image_id, change.layer, "", change.box, (entry,)).undo(scratch)
        _take(scratch, index, before)
        _take(scratch.objects, index, numbers_before)
    return ReadyChange(change, before, after, numbers_before, numbers)


def _lay(
    array: BlockArray[Number], index: BlockIndex, blocks: dict[BlockIndex, NDArray[Number]]
) -> None:
    """Lay a copy of a block there."""
    if index in blocks:
        array.replace_block(index, blocks[index].copy())


def _take(
    array: BlockArray[Number], index: BlockIndex, blocks: dict[BlockIndex, NDArray[Number] | None]
) -> None:
    """Take a block away that was changed; it is the one of this place, if there was one."""
    if blocks.get(index) is not None:
        blocks[index] = array.block(index)
    array.replace_block(index, None)


Check = Callable[[int], None]
"""Told how many blocks have been looked at; raises to stop."""


class _Lending(BlockArray[Number]):
    """Blocks of another array until they are written to."""

    def borrow(self, other: BlockArray[Number]) -> None:
        """Have the blocks of the other one."""
        self.share(other)
        self._lent = set(self.block_indices())
        self._made: set[BlockIndex] = set()

    def writable(self, index: BlockIndex) -> NDArray[Number]:
        """A block of its own."""
        lent = self._block(index)
        if lent is None:
            self._made.add(index)
        elif index in self._lent:
            self._lent.discard(index)
            self.replace_block(index, lent.copy())
        return super().writable(index)  # type: ignore[return-value]  # mypy sees all kinds

    def written(
        self,
    ) -> tuple[dict[BlockIndex, NDArray[Number]], dict[BlockIndex, NDArray[Number] | None]]:
        """Blocks that were written to, and the same with None for those the other one has not."""
        after = {i: block for i in self.dirty if (block := self._block(i)) is not None}
        return after, {i: None if i in self._made else block for i, block in after.items()}


class _DraftObjects(_Lending[np.uint32], Objects):
    """Objects to work something out in."""


class _Draft(_Lending[np.uint8], Mask):
    """A mask to work something out in."""

    objects: _DraftObjects

    def __init__(self, mask: Mask, check: Check) -> None:
        super().__init__(mask.shape)
        self.objects = _DraftObjects(mask.shape)
        self.borrow(mask)
        self.objects.borrow(mask.objects)
        self._check = check
        self._seen: set[BlockIndex] = set()

    def block(self, index: BlockIndex) -> Plane | None:
        """The block itself; it is not to be written to."""
        self._seen.add(index)
        self._check(len(self._seen))
        return super().block(index)


def _inside(new: Plane | None, numbers: Numbers | None) -> Numbers | None:
    """Object numbers of a block where its classes can belong to objects."""
    if numbers is None or new is None:
        return None
    return np.multiply(numbers, new > BACKGROUND)


def _left(old: Plane | None, new: Plane | None, numbers: Numbers | None) -> Numbers | None:
    """Object numbers of a block once voxels whose class changes have left theirs."""
    return None if old is None or new is None else _inside(new * (old == new), numbers)
