"""Undo and redo, without a limit on steps, across images and, with a store behind it, restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from orgseg_app.core.edits.change import Change
from orgseg_app.core.mask import Box

_AT_HAND = 16
_AT_HAND_BYTES = 2**18
"""The last steps stay in memory when they are small: what is undone was mostly just done."""


@dataclass(frozen=True)
class Step:
    """One change of the history, without its voxels.

    Attributes
    ----------
    number
        Its place in the order of all steps.
    image_id, title, box
        As of the `Change`.
    size_bytes
        What it takes to remember.
    made
        When, ISO 8601 to the second; "" where nobody noted it.
    """

    number: int
    image_id: str
    title: str
    box: Box
    size_bytes: int
    made: str = ""


@dataclass(frozen=True)
class Mark:
    """A checkpoint: a moment of the history somebody named.

    Attributes
    ----------
    after_step
        Number of the last step before it; 0 at the beginning.
    title, made
        For people, and when.
    """

    after_step: int
    title: str
    made: str


class History:
    """The changes of a project, in the order they were made.

    A new change after undoing drops what could have been redone, as everywhere.

    Parameters
    ----------
    load
        Fetches a change by the number of its step once `release` has let go of it.
    """

    def __init__(self, load: Callable[[int], Change] | None = None) -> None:
        self._load = load
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._kept: dict[int, Change] = {}
        self._released: set[int] = set()
        self._last = 0
        self._size_bytes = 0  # kept count of: a history may have 300,000 steps
        self.marks: list[Mark] = []

    def restore(self, done: Iterable[Step], undone: Iterable[Step], last: int) -> None:
        """Start from what a store remembers.

        Parameters
        ----------
        done, undone
            In the order they would be pushed: the next to undo, and to redo, comes last.
        last
            The highest number ever given.
        """
        self._done, self._undone, self._last = list(done), list(undone), last
        self._size_bytes = sum(step.size_bytes for step in (*self._done, *self._undone))

    def push(self, change: Change, made: str = "") -> Step:
        """Remember a change that has just been made."""
        self._last += 1
        step = Step(self._last, change.image_id, change.title, change.box, change.size_bytes, made)
        self._kept[step.number] = change
        self.marks = [m for m in self.marks if m.after_step <= self.position]
        self._let_go(self._undone)
        self._undone = []
        self._done.append(step)
        self._size_bytes += step.size_bytes
        return step

    @property
    def position(self) -> int:
        """Number of the last step that is done; 0 at the beginning."""
        return self._done[-1].number if self._done else 0

    @property
    def beginning(self) -> int:
        """Number of the last step before the oldest that can be undone: as far as undo goes."""
        return self._done[0].number - 1 if self._done else self.position

    def undoable(self) -> list[Step]:
        """Steps that can be undone, the next one last."""
        return list(self._done)

    def redoable(self) -> list[Step]:
        """Steps that can be redone, the next one last."""
        return list(self._undone)

    def next_undo(self) -> Step | None:
        """The step that `undo` would take back."""
        return self._done[-1] if self._done else None

    def next_redo(self) -> Step | None:
        """The step that `redo` would make again."""
        return self._undone[-1] if self._undone else None

    def change(self, step: Step) -> Change:
        """What a step altered, in any thread; loading it may fail."""
        change = self._kept.get(step.number)
        if change is None:
            assert self._load is not None, "only a loader lets steps be released"
            change = self._load(step.number)
        return change

    def undo(self) -> tuple[Step, Change] | None:
        """Step back: the step and the change to undo, or None at the beginning."""
        step = self.next_undo()
        if step is None:
            return None
        change = self.change(step)  # may fail: then nothing has moved
        self.move(step)
        return step, change

    def redo(self) -> tuple[Step, Change] | None:
        """Step forward: the step and the change to redo, or None at the end."""
        step = self.next_redo()
        if step is None:
            return None
        change = self.change(step)
        self.move(step)
        return step, change

    def move(self, step: Step) -> None:
        """The next step to undo or to redo is undone or redone."""
        is_done = step is self.next_undo()
        assert is_done or step is self.next_redo()
        source, target = (self._done, self._undone) if is_done else (self._undone, self._done)
        target.append(source.pop())

    def forget(self, image_id: str) -> list[int]:
        """Drop the steps of an image that is gone; their numbers."""
        return self._drop([s for s in (*self._done, *self._undone) if s.image_id == image_id])

    def trim(self, budget_bytes: int) -> list[int]:
        """Drop the oldest steps until the rest fits; their numbers.

        Steps that could be redone stay: they are the newest. Of a change that does not fit by
        itself, nothing is kept.
        """
        excess = self.size_bytes - budget_bytes
        count = 0
        while excess > 0 and count < len(self._done):
            excess -= self._done[count].size_bytes
            count += 1
        oldest = self._done[:count]
        del self._done[:count]
        return self._let_go(oldest)

    def release(self, numbers: Iterable[int]) -> None:
        """Let go of the voxels of steps that can be loaded again, but for those to undo next."""
        if self._load is None:
            return
        self._released.update(numbers)
        last = self._done[-_AT_HAND:]
        at_hand = {step.number for step in last if step.size_bytes <= _AT_HAND_BYTES}
        for number in self._released - at_hand:
            self._kept.pop(number, None)
        self._released &= at_hand

    @property
    def size_bytes(self) -> int:
        """What all steps take to remember."""
        return self._size_bytes

    def __len__(self) -> int:
        return len(self._done)

    def _drop(self, steps: Iterable[Step]) -> list[int]:
        steps = list(steps)
        if steps:
            gone = {step.number for step in steps}
            self._done = [s for s in self._done if s.number not in gone]
            self._undone = [s for s in self._undone if s.number not in gone]
        return self._let_go(steps)

    def _let_go(self, steps: Sequence[Step]) -> list[int]:
        """Steps that are in no list any more; their numbers."""
        for step in steps:
            self._kept.pop(step.number, None)
            self._size_bytes -= step.size_bytes
        return [step.number for step in steps]
