"""Changes of whole masks, worked out beforehand, so that making them takes a moment."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from orgseg_app.core.edits.change import EMPTY_BOX, Change
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.mask import BLOCK, BlockIndex, Box, Mask, Plane


@dataclass(frozen=True)
class ReadyChange:
    """What turns a mask into another one; comparing and packing is done.

    For a mask of 5000² that takes a second, and swapping the blocks ten milliseconds.

    Attributes
    ----------
    change
        For the history.
    before
        Copies of the blocks it was worked out from; None where there was none.
    after
        The blocks that take their place.
    """

    change: Change
    before: dict[BlockIndex, Plane | None]
    after: dict[BlockIndex, Plane]

    def fits(self, mask: Mask) -> bool:
        """True while nobody has painted there since."""
        return all(_are_equal(mask.block(index), old) for index, old in self.before.items())

    def make(self, mask: Mask) -> None:
        """Put the blocks in place."""
        for index, block in self.after.items():
            mask.replace_block(index, block)
            mask.damaged.discard(index)


def ready_change(
    image_id: str, title: str, now: Mask, then: Mask, indices: Iterable[BlockIndex]
) -> ReadyChange | None:
    """Work out what turns ``now`` into ``then`` in some blocks; None where nothing differs.

    ``now`` may be painted on in another thread meanwhile: `ReadyChange.fits` tells. Blocks that the
    store could not read are replaced even where both look the same.
    """
    lost = set(now.damaged)
    box, packed = EMPTY_BOX, []
    before: dict[BlockIndex, Plane | None] = {}
    after: dict[BlockIndex, Plane] = {}
    _, height, width = now.shape
    for index in sorted(indices):
        found, wanted = now.block(index), then.block(index)
        old = None if found is None else found.copy()
        differs = not _are_equal(old, wanted)
        if not differs and index not in lost:
            continue
        before[index] = old
        after[index] = np.zeros((BLOCK, BLOCK), np.uint8) if wanted is None else wanted.copy()
        if differs:
            packed.append((index, _packed(old, after[index])))
        z, y, x = index[0], index[1] * BLOCK, index[2] * BLOCK
        box = box.union(Box(z, y, x, z + 1, min(y + BLOCK, height), min(x + BLOCK, width)))
    if not after:
        return None
    return ReadyChange(Change(image_id, "mask", title, box, tuple(packed)), before, after)


def worked_out(
    image_id: str, mask: Mask, edit: Edit, check: Check = lambda seen: None
) -> ReadyChange | None:
    """What an edit makes of a mask; None where it changes nothing.

    The mask may be painted on in another thread meanwhile, as long as no block comes or goes: what
    the change was worked out from is compared with the mask in the end. So a stroke made in between
    is never painted over unseen. Memory follows what the edit writes.

    Parameters
    ----------
    check
        Called with how many blocks the edit has looked at so far, from any thread; raises to stop.
    """
    then = _Draft(mask, check)
    recorder = Recorder(image_id, then)
    edit.apply(recorder)
    change = recorder.finish(edit.title)
    if change is None:
        return None
    after = {index: block for index in then.dirty if (block := then.peek(index)) is not None}
    before: dict[BlockIndex, Plane | None] = {
        index: block for index, block in after.items() if index not in then.made
    }
    before |= dict.fromkeys(then.made & after.keys())
    scratch = Mask(mask.shape)
    for entry in change.blocks:
        index = entry[0]
        if index not in then.made:
            scratch.replace_block(index, after[index].copy())
            Change(image_id, change.layer, "", change.box, (entry,)).undo(scratch)
            before[index] = scratch.block(index)
            scratch.replace_block(index, None)
    return ReadyChange(change, before, after)


Check = Callable[[int], None]
"""Told how many blocks have been looked at; raises to stop."""


class _Draft(Mask):
    """A mask to work something out in; its blocks are another's until they are written to.

    Attributes
    ----------
    made
        Blocks that the other mask has not.
    """

    def __init__(self, mask: Mask, check: Check) -> None:
        super().__init__(mask.shape)
        for index in mask.block_indices():
            self.replace_block(index, mask.block(index))
        self._lent = set(self.block_indices())
        self.dirty.clear()
        self.made: set[BlockIndex] = set()
        self._check = check
        self._seen: set[BlockIndex] = set()

    def peek(self, index: BlockIndex) -> Plane | None:
        """The block, whoever has asked to stop."""
        return super().block(index)

    def block(self, index: BlockIndex) -> Plane | None:
        """The block itself; it is not to be written to."""
        self._seen.add(index)
        self._check(len(self._seen))
        return super().block(index)

    def writable(self, index: BlockIndex) -> Plane:
        """A block of its own."""
        lent = super().block(index)
        if lent is None:
            self.made.add(index)
        elif index in self._lent:
            self._lent.discard(index)
            self.replace_block(index, lent.copy())
        return super().writable(index)


def _packed(old: Plane | None, new: Plane) -> bytes:
    """A block of a `Change`: before and after where they differ."""
    planes = np.zeros((2, BLOCK, BLOCK), np.uint8)
    differs = new != 0 if old is None else old != new
    if old is not None:
        np.copyto(planes[0], old, where=differs)
    np.copyto(planes[1], new, where=differs)
    return zlib.compress(planes.data, 1)


def _are_equal(one: Plane | None, other: Plane | None) -> bool:
    """True when two blocks look the same; a missing one is unlabelled."""
    if one is None or other is None:
        found = other if one is None else one
        return found is None or not found.any()
    return np.array_equal(one, other)
