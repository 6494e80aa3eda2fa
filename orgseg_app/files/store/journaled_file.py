"""A project file with what belongs to writing it: the lock, and the journal."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from orgseg_app.files import atomic
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.store import journal_log, recovery
from orgseg_app.files.store.header import read_header
from orgseg_app.files.store.journal import Journal
from orgseg_app.files.store.journal_rows import DamagedJournalError, JournalError, Save
from orgseg_app.files.store.lock import LockedError, ProjectLock, is_running
from orgseg_app.files.store.opened_file import OpenedFile, Pages


class JournaledFile(OpenedFile):
    """One HDF5 file that may be written while its lock is held.

    Attributes
    ----------
    read_only_reason
        A sentence, when it is read-only although writing was asked for.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.read_only_reason = ""
        self._lock: ProjectLock | None = None
        # A save that is decided and not applied or not forgotten; None for its pages where it is
        # not even known whether it was decided.
        self._unsettled: tuple[Save, Pages | None] | None = None

    def stay_reader(self, reason: str) -> None:
        """Give up writing and the lock, for a reason the user is told."""
        if not self.read_only:
            self.read_only_reason = reason
        self.read_only = True
        self._drop_journal()
        self._drop_lock()

    # -- the lock --------------------------------------------------------------------------------

    def _prepare_writing(self) -> None:
        """Take the lock and clean up after killed saves; or note why only reading is possible."""
        name = self.path.name
        if not os.access(self.target, os.W_OK):
            self.read_only_reason = f"“{name}” is write-protected."
            return
        try:
            self._take_lock()
        except OSError as error:
            self.read_only_reason = f"“{name}” cannot be saved where it is: {atomic.reason(error)}."
            return
        self.read_only = False
        for draft, pid in atomic.leftovers(self.target):
            if pid == os.getpid() or not is_running(pid):
                atomic.discard(draft)

    def _take_lock(self) -> None:
        lock = ProjectLock(self.target)
        lock.acquire()
        self._lock = lock

    def _drop_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _hold_lock(self) -> None:
        """Refuse when another window took the lock over; take it again when it was deleted.

        Raises
        ------
        ProjectError
            When it is lost: from then on the project can only be looked at.
        OSError
            When its folder is gone, or its server does not answer.
        """
        if self._lock is None or self._lock.is_ours():
            return
        if not os.path.isdir(self.target.parent):
            raise FileNotFoundError(errno.ENOENT, "the folder is gone")
        loss = self._lock.loss
        self._lock.release()
        lock = ProjectLock(self.target)
        try:
            lock.acquire()
        except (LockedError, OSError) as error:
            self.stay_reader(loss)
            raise ProjectError(
                f"{loss} Save a copy under another name to keep your work."
            ) from error
        if not self._is_as_left():
            lock.release()
            self.stay_reader(loss)
            raise ProjectError(f"{loss} Save a copy under another name to keep your work.")
        self._lock = lock

    def _is_as_left(self) -> bool:
        """False when another window saved the project while the lock was away."""
        if self._unsettled is not None or self.header is None:
            return True
        try:
            descriptor = os.open(self.target, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        except FileNotFoundError:  # deleted: the next save writes it again
            return True
        try:
            return read_header(descriptor) == self.header
        finally:
            os.close(descriptor)

    # -- the journal -----------------------------------------------------------------------------

    def start_journal(self) -> None:
        """Open the journal of a file that may be written, or stay a reader with the reason."""
        if self.read_only or self.header is None:
            return
        try:
            if self.journal is None:
                self.journal = Journal(self._journal_path())
                self.journal.belong_to(self.header, self._size, closed=False)
            self._recover(self.journal)
        except DamagedJournalError as error:
            self._set_journal_aside(f"is damaged ({error})")
            self.start_journal()
        except JournalError as error:
            self._drop_journal()
            self.stay_reader(
                f"“{self.path.name}” opened to look only, because its journal cannot be written: "
                f"{error}."
            )

    def journal_to_write(self) -> Journal:
        """The journal, while it is ours to write.

        Raises
        ------
        ProjectError, JournalError
            When the project is not open for writing any more.
        OSError
            When its folder is gone, or its server does not answer.
        """
        if self.journal is None or self.read_only:
            raise JournalError(self.read_only_reason or "the project is not open any more")
        self._hold_lock()
        return self.journal

    def renew_journal(self, upto: int) -> None:
        """Begin a new journal in place of one that another program has deleted.

        Parameters
        ----------
        upto
            Operations up to this one went with it; they last once the project is saved.

        Raises
        ------
        JournalError, DamagedJournalError
            When that is impossible.
        """
        assert self.journal is not None
        self.journal.reopen()
        self.journal.belong_to(self._known_header(), self._size, closed=False, upto=upto)

    def _finish_last_save(self) -> None:
        """Before HDF5 looks at it: finish what a crash interrupted, refuse a foreign journal."""
        if self.header is None:
            return
        path = self._journal_path()
        if not os.path.exists(path) and not recovery.adopt_stray(path, self.header):
            return
        self._look_at_log(path)
        try:
            self.journal = Journal(path)
            self.header, _ = recovery.finish_save(self.journal, self._descriptor, self.header)
            self._size = os.fstat(self._descriptor).st_size
        except recovery.ForeignJournalError as error:
            self._set_journal_aside(str(error).removeprefix("it "))
        except DamagedJournalError as error:
            self._set_journal_aside(f"is damaged ({error})")
        except JournalError:
            self._drop_journal()  # `start_journal` tries again and says why

    def _look_at_log(self, path: Path) -> None:
        """Say what SQLite would pass over in silence."""
        found = journal_log.condition(Path(f"{path}-wal"))
        name = self.path.name
        if found == journal_log.DAMAGED:
            kept = recovery.keep_copy(path)
            self.notices.append(
                f"The journal of “{name}” is damaged on the disk: edits of the end of the last "
                f"session may be missing. A copy of it was kept as “{kept.name}”; check your last "
                "strokes."
            )
        elif found == journal_log.TORN:
            self.notices.append(
                f"The end of the journal of “{name}” is incomplete: an edit made at the very "
                "moment the last session broke off may be missing."
            )

    def _set_journal_aside(self, why: str) -> None:
        """Keep a journal that cannot be used under another name, and say so."""
        path = self._journal_path()
        self._drop_journal()
        aside = recovery.set_aside(path)
        self.notices.append(
            f"The journal beside “{self.path.name}” {why}. The project opened as it was last "
            f"saved; the journal was kept as “{aside.name}”, and nothing in it was used."
        )

    def _close_journal(self, journal: Journal) -> None:
        """Close in order; a journal that holds nothing is not left lying around."""
        needed = True
        with contextlib.suppress(FileError):
            needed = journal.is_needed
            if needed and self._unsettled is None:
                journal.belong_to(self._known_header(), self._size, closed=True)
        journal.close(remove=not needed)

    def _drop_journal(self) -> None:
        if self.journal is not None:
            self.journal.close()
            self.journal = None
        self._looking.close()
