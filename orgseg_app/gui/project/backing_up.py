"""Backups by themselves, a look at a few blocks, and a way on where a project cannot be opened."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.gui.background import Background
from orgseg_app.gui.help.trouble_pages import DAMAGED, page_of_saving
from orgseg_app.gui.panels.banner import Banner
from orgseg_app.gui.panels.restore_lists import when_words

if TYPE_CHECKING:
    from orgseg_app.files.backups.backup import Backup
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.main_window import MainWindow

LOG = logging.getLogger(__name__)

FIRST_MS = 1500
"""After opening, once the first image is there; nothing is written into a project before that."""
EVERY_MS = 30 * 60_000
CLOSING_S = 0.7
"""Closing waits so long for a last backup; the next opening makes the one that took longer."""


class BackingUp(QObject):
    """Backs the open project up: soon after opening, every half hour of work, and when it closes.

    In a thread of its own, so that nothing a person waits for waits for a backup, and one after the
    other.

    Attributes
    ----------
    background
        Where that is done.
    damage
        The banner about damage in the open project, with a way to the backups.
    broken
        The banner about a project that cannot be opened.
    """

    _damage_found = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.background = Background(self)
        self._said: set[str] = set()
        self._file: ProjectFile | None = None
        self._patience = Patience()
        self._broken: tuple[Path, Backup] | None = None
        self.damage = Banner("Damage in the project", can_close=True)
        self.damage.add_action(
            "Restore from a backup…",
            "Compare with a backup, and bring back what is damaged",
            window.commands.restore_backup,
        )
        self.broken = Banner("A project that cannot be opened", can_close=True)
        self.broken.add_action(
            "Start anew from the backup…",
            "Make a new project that takes over the classes; add the images again, and their masks "
            "come back",
            self._start_anew,
        )
        window.add_bar(self.damage)
        window.add_bar(self.broken)
        self._soon = QTimer(self, singleShot=True, interval=FIRST_MS)
        self._soon.timeout.connect(self._on_opened)
        self._often = QTimer(self, interval=EVERY_MS)
        self._often.timeout.connect(self.back_up)
        self._damage_found.connect(self._on_damage_found)
        self.session.project_changed.connect(self._on_project_changed)
        self.session.closing.connect(self._on_closing)

    def _on_project_changed(self) -> None:
        file = self.session.file
        if file is self._file:
            return  # it was renamed
        self._file = file
        self._said.clear()
        self.damage.hide()
        self._soon.stop()
        self._often.stop()
        if file is not None:
            self._patience = Patience()
            self.broken.hide()
            file.on_damage = self._damage_found.emit  # from whatever thread reads
            self._soon.start()
            if not file.read_only:
                self._often.start()
            self._on_damage_found()

    # -- backups ---------------------------------------------------------------------------------

    @property
    def next_at(self) -> datetime | None:
        """When the next one is made, if anything has changed by then; None where none is."""
        waits = [t.remainingTime() for t in (self._soon, self._often) if t.isActive()]
        if not waits or self._file is None or self._file.read_only:
            return None
        return datetime.now().astimezone() + timedelta(milliseconds=min(waits))

    def _on_opened(self) -> None:
        from orgseg_app.files.backups.backup import OPENED

        self._start(OPENED, look=True)

    def back_up(self) -> None:
        """Make a backup if anything has changed since the last."""
        from orgseg_app.files.backups.backup import WORKED

        file = self._file
        if file is None or file.read_only or not self.background.is_idle:
            return
        self.session.fold_in()  # it is made of what the file holds
        self.session.background.start(
            "Saving before a backup",
            lambda task: None,
            lambda _: self._start(WORKED) if self._file is file else None,
        )

    def _start(self, reason: str, *, look: bool = False) -> None:
        file, is_given_up = self._file, self._patience.is_over
        if file is None:
            return

        def work(_: object) -> tuple[str, int]:
            from orgseg_app.files.backups.backing_up import try_backup
            from orgseg_app.files.backups.spot_check import spot_check

            said = (
                "" if file.read_only else try_backup(file.path, file.reading, reason, is_given_up)
            )
            if look and not is_given_up():
                file.note_damage(spot_check(file))
            return said, 0 if file.read_only or is_given_up() else file.holes

        self.background.start(
            "Backing up", work, lambda found: self._on_done(file, *found), self._on_failed
        )

    def _on_done(self, file: ProjectFile, said: str, holes: int) -> None:
        if file is not self._file or file is not self.session.file:
            return
        self.window.commands.compacting.offer(holes, file.storage_bytes)
        if said and said not in self._said:  # a full disk need not be told every half hour
            self._said.add(said)
            self.session.say(said, "warning", page_of_saving(said))

    def _on_failed(self, error: Exception) -> None:
        LOG.warning("no backup", exc_info=error)  # the project was closed meanwhile, say

    def _on_closing(self) -> None:
        """One more of what is in the file now, unless that would keep whoever closes waiting."""
        from orgseg_app.files.backups.backing_up import try_backup
        from orgseg_app.files.backups.backup import CLOSED

        file = self._file
        self._soon.stop()
        self._often.stop()
        self._patience.end()
        if file is None:
            return
        patience = Patience(CLOSING_S)

        def work(_: object) -> None:
            if file.read_only or file.trouble:
                return
            if problem := try_backup(file.path, file.reading, CLOSED, patience.is_over):
                LOG.warning("%s", problem)
            if not patience.is_over() and file.compacts_in_a_moment:
                file.compact(lambda done, total: not patience.is_over())

        self.background.start("Backing up", work, None, self._on_failed)
        self.background.wait()

    # -- damage ----------------------------------------------------------------------------------

    def refresh_damage(self) -> None:
        """Some of it has been put right."""
        self.damage.hide()
        self._on_damage_found()

    def _on_damage_found(self) -> None:
        from orgseg_app.files.backups.damage import told

        file = self.session.file
        places = [d for d in file.damages if not d.is_derived] if file is not None else []
        if places:
            title, text = told(places)
            sentences = "\n".join(p.sentence for p in places[:20])
            self.damage.say("error", title, text, sentences, page=DAMAGED)

    # -- a project that cannot be opened ---------------------------------------------------------

    def offer(self, path: Path, error: Exception) -> None:
        """Say what the backups of a project have that cannot be opened."""
        from orgseg_app.files.backups.backup import best, list_backups

        found = best(list_backups(path))
        if found is None:
            return
        self._broken = (path, found)
        count = len(found.painted_images)
        images = f"{count} image{'' if count == 1 else 's'}"
        self.broken.say(
            "error",
            f"“{path.name}” cannot be opened, but there is a backup.",
            f"{when_words(found.when)}: masks of {images}. Images are not in backups: start anew, "
            "add the same images, and their masks come back.",
            str(error),
            page=DAMAGED,
        )

    def _start_anew(self) -> None:
        if self._broken is None:
            return
        path, found = self._broken
        new = self.window.commands.ask_new_project(f"{path.stem} new.orgseg", path.parent)
        if new is not None:
            try:
                self.window.commands.restoring.start_anew(found, new)
            except Exception as error:
                self.session.report_error(error)


class Patience:
    """How long somebody waits: until told otherwise, or some seconds from now."""

    def __init__(self, seconds: float | None = None) -> None:
        self._until = None if seconds is None else time.monotonic() + seconds

    def end(self) -> None:
        """Wait no longer."""
        self._until = time.monotonic()

    def is_over(self) -> bool:
        """Asked from any thread."""
        return self._until is not None and time.monotonic() >= self._until
