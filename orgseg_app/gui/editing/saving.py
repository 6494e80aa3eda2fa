"""Saving: every finished edit is durable within milliseconds, and moves into the project later.

Two movements, both by themselves. A *commit* writes what has just happened into the journal; only
when it returns is anything called saved. It has a thread of its own, so that a long import never
keeps it waiting, and takes everything that has gathered meanwhile. A *fold-in* writes the changed
blocks into the project file: when the hand rests, now and then while it does not, before anybody
else reads the file, and at the end.

A commit begins when the window has painted what happened: starting it before the frame keeps the
hand waiting for longer than the frame takes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.files.errors import ProjectError
from orgseg_app.gui.background import Background
from orgseg_app.gui.editing.save_trouble import (
    COMMIT,
    FOLD,
    STALL,
    Trouble,
    first_reason,
    free_bytes,
    reason_of,
)

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

LOG = logging.getLogger(__name__)

SAVED, COMMITTING, UNSAVED, FAILED, READ_ONLY = (
    "saved",
    "committing",
    "unsaved",
    "failed",
    "read-only",
)

REST_MS = 20_000
"""The hand rests: time for a fold-in."""
LONGEST_MS = 5 * 60_000
"""While it does not rest, fold-ins come this far apart."""
RETRY_MS = 10_000
STALL_MS = 3_000
"""A disk that has not answered for so long is in trouble."""
PATIENCE_MS = 10_000
"""Closing waits so long for a commit under way before it asks."""
MOST_WAITING = 20
"""Edits that may be only in memory, when they cannot be saved, before painting pauses."""


class Saving(QObject):
    """Commits and folds in what the session changes.

    Parameters
    ----------
    background
        Where fold-ins are done, in turn with everything else that reads or writes the file.
    is_hand_down
        True while a stroke is under way: its blocks are not taken.

    Attributes
    ----------
    state
        Of the last commit: `SAVED`, `COMMITTING`, `UNSAVED`, `FAILED`, or `READ_ONLY`.
    trouble
        What cannot be saved, and why; None when all is well.

    Signals
    -------
    state_changed(state, sentence)
        The sentence explains a failure. That something is `UNSAVED` lasts for a frame, and is not
        told.
    trouble_changed(Trouble or None)
    paused_changed()
        `is_paused` is another, or the project can only be looked at from now on.
    """

    state_changed = Signal(str, str)
    trouble_changed = Signal(object)
    paused_changed = Signal()

    def __init__(
        self,
        background: Background,
        is_hand_down: Callable[[], bool],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.state = SAVED
        self.trouble: Trouble | None = None
        self.commits = Background(self)
        self._background = background
        self._is_hand_down = is_hand_down
        self._file: ProjectFile | None = None
        self._edits = self._edits_under_way = 0
        self._facts = self._facts_under_way = False
        self._since: datetime | None = None
        self._is_committing = self._is_folding = False
        self._fold_failed = self._is_due = False
        self._painted = self._timer(0, self._commit)
        self._rest = self._timer(REST_MS, self._fold_in_at_rest)
        self._longest = self._timer(LONGEST_MS, self._fold_in_at_rest)
        self._retry = self._timer(RETRY_MS, self.try_again)
        self._stall = self._timer(STALL_MS, self._on_stalled)

    def _timer(self, milliseconds: int, act: Callable[[], None]) -> QTimer:
        timer = QTimer(self, singleShot=True, interval=milliseconds)
        timer.timeout.connect(act)
        return timer

    def _stop_timers(self) -> None:
        for timer in (self._painted, self._rest, self._longest, self._retry, self._stall):
            timer.stop()

    # -- which file ------------------------------------------------------------------------------

    def follow(self, file: ProjectFile | None) -> None:
        """Save this project from now on; None for none."""
        self._stop_timers()
        self._file = file
        self._edits = self._edits_under_way = 0
        self._facts = self._facts_under_way = False
        self._since = None
        self._is_committing = self._is_folding = False
        self._fold_failed = self._is_due = False
        self._set_trouble(None)
        self._set_state(READ_ONLY if file is not None and file.read_only else SAVED)
        if file is not None and not file.read_only and file.is_dirty:
            self._rest.start()  # what a crash left in the journal

    # -- commits ---------------------------------------------------------------------------------

    @property
    def is_paused(self) -> bool:
        """True when so much is only in memory that no more should come."""
        return self.trouble is not None and self.trouble.is_paused

    @property
    def waiting_edits(self) -> int:
        """Edits of masks that are only in memory."""
        return self._edits + self._edits_under_way

    @property
    def is_idle(self) -> bool:
        """True when no commit is under way or about to begin."""
        return self.commits.is_idle and not self._painted.isActive()

    def note(self, *, is_edit: bool) -> None:
        """Something has happened to the project: an edit of a mask, or of its facts."""
        if self._file is None or self._file.read_only:
            return
        if self._since is None:
            self._since = datetime.now().astimezone()
        if is_edit:
            self._edits += 1
        else:
            self._facts = True
        self._rest.start()
        if not self._longest.isActive():
            self._longest.start()
        if self.trouble is not None and not self.trouble.is_safe:
            self._describe(self.trouble)  # one stroke more
        elif not self._is_committing:
            self.state = UNSAVED  # told once the commit begins: telling takes time, too
        self._commit_soon()
        if self._is_due:
            self._fold_in_at_rest()

    def _commit_soon(self) -> None:
        """Once what happened is painted: Qt paints before timers of no length."""
        if not self._is_committing and not self._painted.isActive():
            self._painted.start()

    def _commit(self) -> None:
        """Make durable what has gathered, unless that is being done: it goes on by itself."""
        file = self._file
        if file is None or self._is_committing:
            return
        batch = file.take()
        self._edits_under_way, self._edits = self._edits, 0
        self._facts_under_way, self._facts = self._facts, False
        self._is_committing = True
        self._stall.start()
        if self.state != FAILED:
            self._set_state(COMMITTING)
        self.commits.start(
            "Saving",
            lambda task: file.commit(batch),
            partial(self._on_committed, file),
            partial(self._on_not_committed, file),
        )

    def _on_committed(self, file: ProjectFile, _: object = None) -> None:
        if file is not self._file or not self._is_committing:
            return
        self._is_committing = False
        self._edits_under_way, self._facts_under_way = 0, False
        if file.has_uncommitted:
            self._since = datetime.now().astimezone()
            self._commit()
            return
        self._all_committed()

    def _all_committed(self) -> None:
        self._stall.stop()
        self._since = None
        self._edits, self._facts = 0, False
        if self.trouble is not None and not self.trouble.is_safe:
            self._retry.stop()
            self._set_trouble(None)
        self._set_state(SAVED)

    def _on_not_committed(self, file: ProjectFile, error: Exception) -> None:
        if file is not self._file or not self._is_committing:
            return
        self._take_back()
        self._fail(COMMIT, error)

    def _take_back(self) -> None:
        """What could not be committed waits again."""
        self._is_committing = False
        self._stall.stop()
        self._edits, self._edits_under_way = self.waiting_edits, 0
        self._facts, self._facts_under_way = self._facts or self._facts_under_way, False

    def _on_stalled(self) -> None:
        if self._is_committing and self.trouble is None:
            self._describe(Trouble(STALL, "the disk does not answer"))
            self._set_state(FAILED, self._sentence())

    # -- fold-ins --------------------------------------------------------------------------------

    def fold_in(self) -> None:
        """Bring the project file up to date, off the window's thread.

        Whatever is queued in the background after this sees a file that lacks nothing.
        """
        file = self._file
        if file is None or file.read_only or not (file.is_dirty or file.trouble):
            return
        if self._is_hand_down():
            self._is_due = True  # once it is lifted
            self._rest.start()
            return
        self._is_due = False
        self._rest.stop()
        self._longest.stop()
        self._is_folding = True
        pending = file.collect()
        self._background.start(
            "Saving into the project",
            lambda task: file.write(pending),
            partial(self._on_folded, file),
            partial(self._on_not_folded, file),
        )

    def _fold_in_at_rest(self) -> None:
        if self._is_folding:  # on a slow disk: not a second one
            self._rest.start()
        elif self._file is not None and not self._fold_failed:
            self.fold_in()

    def _on_folded(self, file: ProjectFile, _: object = None) -> None:
        if file is not self._file:
            return
        self._is_folding = self._fold_failed = False
        if file.trouble:  # decided, and safe in the journal, but the disk does not take it
            self._on_not_folded(file, ProjectError(file.trouble))
        elif self.trouble is not None and self.trouble.kind == FOLD:
            self._retry.stop()
            self._set_trouble(None)

    def _on_not_folded(self, file: ProjectFile, error: Exception) -> None:
        if file is not self._file:
            return
        self._is_folding, self._fold_failed = False, True
        if self.trouble is None or self.trouble.is_safe:  # else worse has been said
            self._fail(FOLD, error)

    # -- trouble ---------------------------------------------------------------------------------

    def try_again(self) -> None:
        """What could not be saved is tried at once; it also is by itself."""
        self._retry.stop()
        file = self._file
        if file is None or file.read_only:
            return
        if file.has_uncommitted:
            self._commit()
        if self._fold_failed:
            self._fold_failed = False
            self.fold_in()

    def _fail(self, kind: str, error: Exception) -> None:
        LOG.error("%s", error, exc_info=error)
        assert self._file is not None
        is_gone, is_lost = not self._file.path.parent.is_dir(), self._file.read_only
        reason = "its folder is no longer there" if is_gone else reason_of(error)
        if is_lost:
            reason = first_reason(self._file.read_only_reason)
        sentence = str(error) or type(error).__name__
        self._describe(Trouble(kind, reason, sentence, is_gone=is_gone, is_lost=is_lost))
        if kind != FOLD:
            self._set_state(FAILED, self._sentence())
        if is_lost:
            self.paused_changed.emit()
        else:
            self._retry.start()

    def _describe(self, trouble: Trouble) -> None:
        """Say it with the numbers of this moment."""
        file = self._file
        assert file is not None
        log = file.journal_path
        self._set_trouble(
            Trouble(
                trouble.kind,
                trouble.reason,
                trouble.sentence,
                edits=self.waiting_edits,
                facts=self._facts or self._facts_under_way,
                since=self._since,
                log_name=log.name if log is not None else "",
                project_name=file.path.name,
                free_bytes=free_bytes(log or file.path),
                is_gone=trouble.is_gone,
                is_lost=trouble.is_lost,
                is_paused=not trouble.is_safe and self.waiting_edits >= MOST_WAITING,
            )
        )

    def _sentence(self) -> str:
        return f"{self.trouble.title} {self.trouble.text}" if self.trouble is not None else ""

    def _set_trouble(self, trouble: Trouble | None) -> None:
        if trouble == self.trouble:
            return
        was_paused = self.is_paused
        self.trouble = trouble
        self.trouble_changed.emit(trouble)
        if was_paused != self.is_paused:
            self.paused_changed.emit()

    def _set_state(self, state: str, sentence: str = "") -> None:
        if state != self.state or sentence:
            self.state = state
            self.state_changed.emit(state, sentence)

    # -- the end ---------------------------------------------------------------------------------

    def finish(self) -> bool:
        """Save everything here and now, waiting for what is under way.

        Returns
        -------
        bool
            False when something is only in memory, or would not be found again: `trouble` says
            what. A project file that cannot be written because its disk is full is no such case:
            the next opening finds everything in the journal.
        """
        file = self._file
        self._stop_timers()
        if not self.commits.wait(PATIENCE_MS):
            self._on_stalled()
            return False
        if self._is_committing:
            self._take_back()
        self._background.finish()
        if file is None:
            return True
        if file.read_only:  # perhaps since a moment ago, when another window took it over
            return self.trouble is None or self.trouble.is_safe
        try:
            file.commit_all()
        except Exception as error:
            self._fail(COMMIT, error)
            return False
        self._all_committed()
        try:
            file.save()
        except Exception as error:
            self._fold_failed = True
            self._fail(FOLD, error)
            return self._is_found_again(file)
        self._fold_failed = False
        self._set_trouble(None)
        return True

    def _is_found_again(self, file: ProjectFile) -> bool:
        """Whether the next opening finds in the journal what the project file lacks."""
        log = file.journal_path
        is_there = log is not None and log.exists() and file.path.exists()
        return is_there and self.trouble is not None and bool(self.trouble.reason)
