"""Edits of an open project on their way into the journal, and the history that comes back from it.

The window's thread notes what happened to a mask; another thread commits what has gathered. Both
may go on at once: what is taken for a commit is what happened up to that moment.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, replace

from orgseg_app.core.edits.change import Change, Writing
from orgseg_app.core.history import History, Mark, Step
from orgseg_app.core.mask import Mask
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.names import clean_text
from orgseg_app.files.schema import now
from orgseg_app.files.store.journal import Journal
from orgseg_app.files.store.journal_rows import (
    DO,
    REDO,
    UNDO,
    Batch,
    DamagedJournalError,
    Operation,
    Recovered,
)

BUDGET_BYTES = 2**30
"""What the history may take on the disk unless the user says otherwise."""


@dataclass(frozen=True)
class Coming:
    """A step back or forward, worked out and not yet taken.

    Attributes
    ----------
    operation
        The last one when it was begun: after another, it fits no more.
    """

    step: Step
    back: bool
    change: Change
    writing: Writing
    operation: int


class EditLog:
    """What happened to the masks of a project, in order.

    Parameters
    ----------
    journal
        Of the project; None for a reader that needs nothing from it.
    recovered
        What it holds.

    Attributes
    ----------
    history
        Undo and redo; its voxels stay in the journal.
    budget_bytes
        What the history may take.
    last_operation
        Number of the last operation noted.
    """

    def __init__(self, journal: Journal | None, recovered: Recovered) -> None:
        self._journal = journal
        self.history = History(self._load)
        self.budget_bytes = BUDGET_BYTES
        self.last_operation = recovered.last_operation
        self._queue: list[Operation] = []
        self._dropped: list[int] = []
        self._marks_told = ""
        self._lock = threading.Lock()
        self._replay: dict[str, list[tuple[str, Step]]] = defaultdict(list)
        self.history.restore(recovered.done, recovered.undone, recovered.last_step)
        self.history.marks = _parse_marks(recovered.marks)
        self._marks_told = self._marks_json()
        for operation in recovered.operations:
            step = recovered.steps[operation.step]
            self._replay[step.image_id].append((operation.kind, step))

    # -- what a crash left -----------------------------------------------------------------------

    @property
    def waiting_images(self) -> list[str]:
        """Images whose masks in the file lack edits of the journal."""
        return list(self._replay)

    def replay(self, image_id: str, mask: Mask) -> bool:
        """Bring a mask read from the file up to date; True when there was anything to do.

        Raises
        ------
        ProjectError
            When the journal cannot be read.
        """
        if image_id not in self._replay:
            return False
        for kind, step in self._replay[image_id]:
            change = self._load(step.number)
            if not (change.undo(mask) if kind == UNDO else change.redo(mask)):
                raise _unreadable(_damaged(step))
        return True

    def replayed(self, image_id: str) -> None:
        """The mask that is edited has them now; it counts as changed until it is saved."""
        self._replay.pop(image_id, None)

    # -- the window's thread ---------------------------------------------------------------------

    def note(self, change: Change) -> Step:
        """A change that has just been made."""
        made = now()
        with self._lock:
            step = self.history.push(change, made)
            self._enqueue(DO, step, change, made)
        return step

    def undo(self, mask_of: Callable[[str], Mask]) -> Change | None:
        """Take the last step back; None at the beginning.

        Raises
        ------
        ProjectError
            When its voxels or its mask cannot be read; nothing was changed.
        """
        if self.history.next_undo() is None:
            return None
        return self.step(self.coming(mask_of, back=True)())

    def redo(self, mask_of: Callable[[str], Mask]) -> Change | None:
        """Make the last undone step again; as `undo`."""
        if self.history.next_redo() is None:
            return None
        return self.step(self.coming(mask_of, back=False)())

    def coming(self, mask_of: Callable[[str], Mask], *, back: bool) -> Callable[[], Coming]:
        """What works the next step back or forward out, in any thread."""
        step = self._next(back)
        assert step is not None
        mask, operation = mask_of(step.image_id), self.last_operation

        def work_out() -> Coming:
            change = self.history.change(step)
            writing = change.worked_out(mask, 0 if back else 1)
            if writing is None:
                raise _unreadable(_damaged(step))
            return Coming(step, back, change, writing, operation)

        return work_out

    def step(self, coming: Coming) -> Change | None:
        """Take a step that was worked out; None where something else was done since."""
        with self._lock:
            is_next = coming.step is self._next(coming.back)
            if not is_next or coming.operation != self.last_operation:
                return None
            self.history.move(coming.step)
            coming.writing.put()
            self._enqueue(UNDO if coming.back else REDO, coming.step)
        return coming.change

    def forget(self, image_id: str) -> None:
        """Drop the steps of an image that is gone."""
        with self._lock:
            self._dropped += self.history.forget(image_id)
            self._replay.pop(image_id, None)

    def forget_others(self, image_ids: Container[str]) -> None:
        """Drop the steps of images that are not among these."""
        known = {step.image_id for step in self._steps()} | set(self._replay)
        for image_id in known:
            if image_id not in image_ids:
                self.forget(image_id)

    def forget_all(self) -> None:
        """Drop the whole history; the masks stay as they are."""
        with self._lock:
            for image_id in {s.image_id for s in self._steps()}:
                self._dropped += self.history.forget(image_id)
            self.history.marks = []

    def mark(self, title: str) -> Mark:
        """Name this moment of the history."""
        mark = Mark(self.history.position, clean_text(title) or "checkpoint", now())
        with self._lock:
            self.history.marks = [*self.history.marks, mark]
        return mark

    @property
    def has_queued(self) -> bool:
        """True while something is not in the journal."""
        with self._lock:
            return bool(self._queue or self._dropped) or self._marks_json() != self._marks_told

    @property
    def queued_edits(self) -> int:
        """Operations that are not in the journal."""
        with self._lock:
            return len(self._queue)

    def take(self) -> Batch:
        """What is not in the journal at this moment; it stays queued until it is `committed`."""
        with self._lock:
            self._dropped += self.history.trim(self.budget_bytes)
            return self._batch()

    # -- any thread ------------------------------------------------------------------------------

    def still_queued(self, batch: Batch) -> Batch:
        """What a commit of this batch has to write: no more, and no less than all before it.

        Another commit may have written part of it meanwhile. The journal never gets an operation
        without those before, in whatever order commits come.
        """
        with self._lock:
            upto = batch.operations[-1].number if batch.operations else 0
            return replace(
                self._batch(),
                operations=tuple(o for o in self._queue if o.number <= upto),
                facts=batch.facts,
                serial=batch.serial,
            )

    def committed(self, batch: Batch) -> None:
        """A commit returned: the voxels of its steps can be loaded again."""
        written = {operation.number for operation in batch.operations}
        dropped = set(batch.dropped)
        with self._lock:
            self._queue = [o for o in self._queue if o.number not in written]
            self._dropped = [number for number in self._dropped if number not in dropped]
            if batch.marks is not None:
                self._marks_told = batch.marks
            self.history.release(o.step for o in batch.operations if o.kind == DO)

    def _batch(self) -> Batch:
        marks = self._marks_json()
        told = marks if marks != self._marks_told else None
        return Batch(tuple(self._queue), tuple(self._dropped), marks=told)

    # -- within ----------------------------------------------------------------------------------

    def _enqueue(self, kind: str, step: Step, change: Change | None = None, made: str = "") -> None:
        self.last_operation += 1
        self._queue.append(Operation(self.last_operation, kind, step.number, change, made))

    def _next(self, back: bool) -> Step | None:
        return self.history.next_undo() if back else self.history.next_redo()

    def _steps(self) -> Sequence[Step]:
        return (*self.history.undoable(), *self.history.redoable())

    def _load(self, number: int) -> Change:
        if self._journal is None:
            raise ProjectError("The undo history of this project is not open here.")
        try:
            return self._journal.load(number)
        except FileError as error:
            raise _unreadable(error) from error

    def _marks_json(self) -> str:
        return json.dumps([[m.after_step, m.title, m.made] for m in self.history.marks])


def _damaged(step: Step) -> DamagedJournalError:
    return DamagedJournalError(f"step {step.number} is damaged")


def _unreadable(reason: FileError) -> ProjectError:
    return ProjectError(
        f"This step of the history cannot be read ({reason}). The masks are as they were; "
        "the other steps are not affected."
    )


def unsaved_steps(recovered: Recovered, since: str) -> list[Step]:
    """Steps of a journal that its file lacks, in order.

    Parameters
    ----------
    since
        When the file was saved last, ISO 8601: steps made since count as well, those of the same
        second too (made twice, in order, they change nothing).
    """
    lacking = {operation.step for operation in recovered.operations}
    return [s for s in recovered.done if s.number in lacking or (s.made and s.made >= since)]


def fitting(change: Change, shape: tuple[int, int, int]) -> Change | None:
    """The part of a change that lies inside a mask ``(Z, Y, X)``; None when nothing does."""
    box = change.box.clipped(shape)
    if box.is_empty or any(box[i] != change.box[i] for i in range(6)):
        return None
    return replace(change, box=box)


def _parse_marks(text: str | None) -> list[Mark]:
    try:
        return [Mark(int(a), clean_text(str(t)), str(m)) for a, t, m in json.loads(text or "[]")]
    except (ValueError, TypeError):
        return []
