"""Editing an open project so that nothing is lost: undo, durable commits, journals set aside."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from orgseg_app.core.edits.change import Change
from orgseg_app.core.history import History, Mark, Step
from orgseg_app.core.mask import Mask
from orgseg_app.core.project import Project
from orgseg_app.files import atomic
from orgseg_app.files.attributes import read_text
from orgseg_app.files.changes import copy_facts, facts_from_json, facts_to_json
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.facts import ProjectFacts
from orgseg_app.files.store import places, recovery
from orgseg_app.files.store.edit_log import Coming, EditLog, fitting, unsaved_steps
from orgseg_app.files.store.header import Header
from orgseg_app.files.store.journal import remove_journal
from orgseg_app.files.store.journal_rows import Batch, JournalError
from orgseg_app.files.store.storage import Storage


class ProjectEdits(ProjectFacts):
    """An open project between memory, journal and file.

    What a person does is in memory first, in the journal once `commit` returned, and in the file
    after the next save. `note_change`, `undo`, `redo`, `mark` and `take` are called where edits
    happen (the window's thread); `commit` in any other.

    Attributes
    ----------
    path
        Absolute path, as the user gave it.
    notices
        Sentences about what opening found: edits recovered after a crash, a file of an older
        version brought up to date, damage.
    """

    def __init__(self, storage: Storage, project: Project) -> None:
        super().__init__(project)
        self._storage = storage
        self.path = storage.path
        self.notices = storage.notices
        self._log = EditLog(storage.journal, storage.recovered)
        self._durable = copy_facts(project)
        self._serial = self._committed_serial = storage.recovered.serial
        self._told = self._durable, self._serial
        self._commit_failed = False
        self._committing = threading.Lock()
        if storage.read_only:
            self._log.history.restore((), (), 0)
        self._take_up_journal(storage)

    def _take_up_journal(self, storage: Storage) -> None:
        """Names, classes and splits that are in the journal and not in the file."""
        text = storage.recovered.facts
        if text is not None:
            try:
                self.project = facts_from_json(text, self._saved)
            except (ValueError, KeyError, TypeError, AttributeError):
                self.notices.append(
                    f"The last changes of names, classes or splits in “{self.path.name}” could not "
                    "be read back from its journal; they are as they were saved before."
                )
            self._durable = copy_facts(self.project)
        if not storage.read_only:  # a crash may have come between an image's end and its steps'
            self._log.forget_others(self.project.images)
        edits = len(storage.recovered.operations)
        if edits and not storage.read_only:
            many = edits > 1
            self.notices.append(
                f"{f'{edits} edits' if many else 'The last edit'} of the last session "
                f"{'were' if many else 'was'} brought back from its journal. "
                f"{'They were' if many else 'It was'} not in the project file yet when the session "
                "broke off; everything is there now, and undo goes back through it."
            )

    def mask(self, image_id: str) -> Mask:
        """The image's mask: the same object each time, to be edited in place."""
        raise NotImplementedError

    # -- state -----------------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        """True when nothing can be saved into the file."""
        return self._storage.read_only

    @property
    def read_only_reason(self) -> str:
        """A sentence for the user where it opened for reading only, against what was asked."""
        return self._storage.read_only_reason

    @property
    def header(self) -> Header | None:
        """Version of the file; None for those of other programs and older versions."""
        return self._storage.header

    @property
    def journal_path(self) -> Path | None:
        """Where edits go that are not in the file yet; None for a reader."""
        journal = self._storage.journal
        return None if journal is None or self.read_only else journal.path

    @property
    def trouble(self) -> str:
        """A sentence while the disk does not take what is decided and safe; "" otherwise."""
        return self._storage.trouble

    @property
    def storage_bytes(self) -> int:
        """Size of the file."""
        return self._storage.size

    @property
    def holes(self) -> int:
        """Bytes of the file that hold nothing any more; `compact` gives them back."""
        return self._storage.holes

    def compact(self, progress: Callable[[int, int], bool] | None = None) -> bool:
        """Write the file anew without its holes; False when it was given up.

        Parameters
        ----------
        progress
            Called with images copied and in all; False gives up, and the file stays as it is.

        Raises
        ------
        ProjectError
            When it cannot be written; the file is as before.
        """
        return self._storage.compact(progress)

    @property
    def compacts_in_a_moment(self) -> bool:
        """True when compacting is worth it, and nobody would notice the time it takes."""
        return self._storage.compacts_in_a_moment

    @contextmanager
    def reading(self) -> Iterator[Any]:
        """The open ``h5py.File``, to read a little and let it go.

        Raises
        ------
        ProjectError
            When the project is closed.
        """
        with self._storage.reading() as file:
            yield file

    # -- edits -----------------------------------------------------------------------------------

    @property
    def history(self) -> History:
        """Undo and redo."""
        return self._log.history

    @property
    def history_budget(self) -> int:
        """Bytes the history may take on the disk; the oldest steps go beyond it."""
        return self._log.budget_bytes

    @history_budget.setter
    def history_budget(self, size_bytes: int) -> None:
        self._log.budget_bytes = size_bytes

    def note_change(self, change: Change) -> Step:
        """Remember a change that was just made to a mask; `commit` makes it durable."""
        return self._log.note(change)

    def undo(self) -> Change | None:
        """Take the last change back, in its mask; None at the beginning.

        Raises
        ------
        ProjectError
            When its voxels cannot be read; nothing was changed.
        """
        return self._log.undo(self.mask)

    def redo(self) -> Change | None:
        """Make the last undone change again; as `undo`."""
        return self._log.redo(self.mask)

    def coming(self, *, back: bool) -> Callable[[], Coming]:
        """What works the next undo or redo out, in any thread; `step` makes it.

        Raises
        ------
        ProjectError
            When its mask cannot be read.
        """
        return self._log.coming(self.mask, back=back)

    def step(self, coming: Coming) -> Change | None:
        """Undo or redo what was worked out; None where something else was done since."""
        return self._log.step(coming)

    def mark(self, title: str) -> Mark:
        """Name this moment of the history."""
        return self._log.mark(title)

    def forget_history(self) -> None:
        """Drop all undo steps; the masks stay as they are."""
        self._log.forget_all()

    def remove_image(self, image_id: str) -> None:
        """Take an image out of the project; until the next save, `restore_image` brings it back."""
        super().remove_image(image_id)
        self._log.forget(image_id)

    # -- durable commits -------------------------------------------------------------------------

    @property
    def has_uncommitted(self) -> bool:
        """True while something is only in memory."""
        if self.read_only:
            return False
        return self._log.has_queued or not self.are_same(self.project, self._durable)

    @property
    def uncommitted_edits(self) -> int:
        """Strokes, undos and redos that are only in memory."""
        return self._log.queued_edits

    def take(self) -> Batch:
        """What is only in memory, for `commit` in another thread; takes microseconds."""
        batch = self._log.take()
        if not self.are_same(self.project, self._durable):
            self._serial += 1
            told = facts_to_json(self.project, self._saved)
            batch = replace(batch, facts=told, serial=self._serial)
            self._told = copy_facts(self.project), self._serial
        return batch

    def commit(self, batch: Batch) -> None:
        """Make what `take` gave durable in the journal: it is when this returns.

        Raises
        ------
        ProjectError
            When the disk refuses; it stays in memory and part of the next `take`. The error's
            cause says why.
        """
        if batch.is_empty:
            return
        with self._committing:
            told, serial = self._told
            batch = self._log.still_queued(batch)
            if batch.serial <= self._committed_serial:
                batch = replace(batch, facts=None)
            try:
                journal = self._storage.journal_to_write()
                if journal.is_gone:
                    first = batch.operations[0].number if batch.operations else None
                    upto = self._log.last_operation if first is None else first - 1
                    self._storage.renew_journal(upto)
                    raise JournalError(
                        f"another program has deleted “{journal.path.name}”, and a new one was "
                        "begun; what was painted since the last save lasts once you save"
                    )
                if self._commit_failed:  # a connection whose fsync failed is not used again
                    journal.reopen()
                journal.append(batch, self._storage.saved_upto)
            except (FileError, OSError) as error:
                self._commit_failed = True
                why = atomic.reason(error) if isinstance(error, OSError) else str(error)
                raise ProjectError(
                    f"Not saved: {why.rstrip('.')}. {_only_in_memory(batch)} only in "
                    f"memory; everything before is safe in “{self.path.name}” and its journal. "
                    "Free some room, or save a copy elsewhere."
                ) from error
            self._commit_failed = False
            self._log.committed(batch)
            if batch.facts is not None:
                self._committed_serial = batch.serial
                if serial == batch.serial:
                    self._durable = told

    def commit_all(self) -> None:
        """`take` and `commit` in one."""
        self.commit(self.take())

    # -- journals that were set aside ------------------------------------------------------------

    def orphans(self) -> list[Path]:
        """Journals of this project that did not fit its file and were set aside, oldest first."""
        if self.header is None:
            return []
        return recovery.orphans(places.journal_path(self._storage.target, self.header.file_id))

    def recover_orphan(self, path: Path) -> list[Change]:
        """Strokes of a journal set aside that this file lacks, in order.

        They are not made: apply each with ``change.redo(mask)`` and `note_change`, so that it can
        be undone. Strokes of images that are gone, or of another size, are left out.

        Raises
        ------
        ProjectError
            When the journal cannot be read.
        """
        if path not in self.orphans():
            raise ProjectError(f"“{path.name}” is not a journal of this project.")
        with self.reading() as file:
            since = read_text(file, "saved") or ""
        found = []
        try:
            with recovery.looking_into(path) as journal:
                for step in unsaved_steps(journal.recover(), since):
                    image = self.project.images.get(step.image_id)
                    if image is not None:
                        change = fitting(journal.load(step.number), image.mask_shape)
                        if change is not None:
                            found.append(change)
        except (FileError, OSError) as error:
            raise ProjectError(
                f"“{path.name}” cannot be read: {error}. Nothing was changed."
            ) from error
        return found

    def forget_orphan(self, path: Path) -> None:
        """Delete a journal that was set aside."""
        if path in self.orphans():
            remove_journal(path)


def _only_in_memory(batch: Batch) -> str:
    count = len(batch.operations)
    if not count:
        return "Your last changes are"
    return "Your last stroke is" if count == 1 else f"Your last {count} strokes are"
