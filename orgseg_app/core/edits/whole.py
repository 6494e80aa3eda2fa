"""Edits of a whole plane, a whole class or a whole mask."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.change import MASK, Change
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import BLOCK, Mask
from orgseg_app.core.objects import are_equal


@dataclass(frozen=True)
class ReplaceMask:
    """The whole mask replaced, as when an import or a prediction is accepted.

    Attributes
    ----------
    values
        ``(Z, Y, X)`` class ids.
    only_unlabelled
        Leave what a person has painted, and fill in the rest.
    """

    values: NDArray[np.uint8]
    name: str = "accept prediction"
    only_unlabelled: bool = False

    @property
    def title(self) -> str:
        """What is being done."""
        return self.name

    def apply(self, recorder: Recorder) -> None:
        """Write every plane that differs."""
        if self.values.shape != recorder.mask.shape:
            raise ValueError(
                f"The mask of this image is {recorder.mask.shape}, not {self.values.shape}."
            )
        for z, new in enumerate(self.values):
            old = recorder.mask.plane(z)
            plane = np.where(old == UNLABELLED, new, old) if self.only_unlabelled else new
            for y0, x0 in _differing_blocks(old, plane):
                recorder.put(z, y0, x0, plane[y0 : y0 + BLOCK, x0 : x0 + BLOCK])


@dataclass(frozen=True)
class ClearMask:
    """One plane made unlabelled, wholly or one class of it."""

    z: int
    class_id: int | None = None

    @property
    def title(self) -> str:
        """Clear."""
        return "clear"

    def apply(self, recorder: Recorder) -> None:
        """Erase."""
        for index in recorder.mask.block_indices():
            if index[0] != self.z:
                continue
            block = recorder.mask.block(index)
            if block is not None:
                where = block > 0 if self.class_id is None else block == self.class_id
                if where.any():
                    y0, x0 = index[1] * BLOCK, index[2] * BLOCK
                    recorder.paint(self.z, y0, x0, where, UNLABELLED)


@dataclass(frozen=True)
class MergeClass:
    """Every voxel of one class turned into another (0: unlabelled), as when a class is deleted.

    Objects go along.
    """

    class_id: int
    into: int = UNLABELLED

    @property
    def title(self) -> str:
        """Merge."""
        return "merge class"

    def apply(self, recorder: Recorder) -> None:
        """Rewrite the blocks that hold the class."""
        mask = recorder.mask
        for index in mask.block_indices():
            block = mask.block(index)
            if block is not None and (block == self.class_id).any():
                z, by, bx = index
                new = np.where(block == self.class_id, np.uint8(self.into), block)
                numbers = mask.objects.block(index)
                kept = None if numbers is None else numbers.copy()
                recorder.put(z, by * BLOCK, bx * BLOCK, new, kept)


@dataclass(frozen=True)
class InvertPlane:
    """A class and background change places on one plane; what else is there stays."""

    z: int
    class_id: int

    @property
    def title(self) -> str:
        """Invert."""
        return "invert"

    def apply(self, recorder: Recorder) -> None:
        """Swap the two in the blocks that hold them."""
        swapped = np.arange(256, dtype=np.uint8)
        swapped[[self.class_id, BACKGROUND]] = BACKGROUND, self.class_id
        for index in recorder.mask.block_indices():
            block = recorder.mask.block(index)
            if index[0] == self.z and block is not None:
                new = swapped[block]
                if not np.array_equal(new, block):
                    recorder.put(self.z, index[1] * BLOCK, index[2] * BLOCK, new)


@dataclass(frozen=True)
class PaintRest:
    """What is unlabelled on a plane gets a class."""

    z: int
    class_id: int
    name: str = "rest is background"

    @property
    def title(self) -> str:
        """What is being done."""
        return self.name

    def apply(self, recorder: Recorder) -> None:
        """Paint, block by block."""
        mask = recorder.mask
        _, height, width = mask.shape
        if self.class_id == UNLABELLED:
            return
        for index, inside, _ in mask.overlaps(self.z, 0, 0, height, width):
            block = mask.block(index)
            part = np.zeros((BLOCK, BLOCK), np.uint8) if block is None else block
            where = part[inside] == UNLABELLED
            if where.any():
                recorder.paint(self.z, index[1] * BLOCK, index[2] * BLOCK, where, self.class_id)


@dataclass(frozen=True)
class MakeAgain:
    """A change made once more on whatever is there now, as when set-aside strokes come back."""

    change: Change

    @property
    def title(self) -> str:
        """As of the change."""
        return self.change.title

    def apply(self, recorder: Recorder) -> None:
        """Write what the change made, block by block."""
        _write(self.change, self.change.redo, recorder)


@dataclass(frozen=True)
class TakeBack:
    """What was there before a change put back, as a step of its own."""

    change: Change

    @property
    def title(self) -> str:
        """Take back."""
        return "take back"

    def apply(self, recorder: Recorder) -> None:
        """Write what was there before, block by block."""
        _write(self.change, self.change.undo, recorder)


def _write(change: Change, write: Callable[[Mask], bool], recorder: Recorder) -> None:
    """Let a change write into copies of its blocks, and put these in place."""
    mask = recorder.mask
    indices = [index for index, _ in change.blocks]
    scratch = mask.copy(indices)
    write(scratch)
    for index in indices:
        block, numbers = scratch.block(index), scratch.objects.block(index)
        if change.layer == MASK and are_equal(numbers, mask.objects.block(index)):
            numbers = None  # nothing is said of objects: voxels that change class leave theirs
        if block is not None:
            z, by, bx = index
            recorder.put(z, by * BLOCK, bx * BLOCK, block, numbers)


def _differing_blocks(old: NDArray[np.uint8], new: NDArray[np.uint8]) -> Iterable[tuple[int, int]]:
    for y0 in range(0, old.shape[0], BLOCK):
        for x0 in range(0, old.shape[1], BLOCK):
            part = (slice(y0, y0 + BLOCK), slice(x0, x0 + BLOCK))
            if not np.array_equal(old[part], new[part]):
                yield y0, x0
