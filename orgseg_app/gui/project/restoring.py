"""Bringing a backup back, as edits through the session; and starting anew from one."""

from __future__ import annotations

import itertools
import logging
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal
from shiboken6 import isValid

from orgseg_app.gui.background import Background
from orgseg_app.gui.panels.restore_lists import when_words
from orgseg_app.gui.project.one_dialog import came_to_front

if TYPE_CHECKING:
    from orgseg_app.core.ready import ReadyChange
    from orgseg_app.files.backups.backup import Backup
    from orgseg_app.files.backups.restore import Restoration, RestoreMask
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.panels.restore_panel import RestorePanel

LOG = logging.getLogger(__name__)


MOST_BLOCKS = 300
"""Blocks put back before they are folded in: that begins with a copy of them all."""


class Restoring(QObject):
    """Runs what the Restore window asks for, one image after the other.

    Masks are read and compared in the thread of the backups; the window's thread only swaps blocks.

    Attributes
    ----------
    panel
        The Restore window while it is open.
    looking
        Where that window reads backups and previews.

    Signals
    -------
    progressed(done, total, name)
        Images restored, in all, and the one that is being read.
    ended()
    """

    progressed = Signal(int, int, str)
    ended = Signal()

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.session = window.session
        self.panel: RestorePanel | None = None
        self.looking = Background(self)
        self._run: _Run | None = None
        self.session.closing.connect(self._on_closing)
        self.session.project_changed.connect(self._on_project_changed)

    @property
    def background(self) -> Background:
        """Backups are made there, too: never two things at once."""
        return self.window.backing_up.background

    def show(self, image_ids: set[str] | None = None) -> RestorePanel | None:
        """Open the Restore window; these images are checked, or all that differ."""
        from orgseg_app.gui.panels.restore_panel import RestorePanel

        if self.session.file is None:
            return None
        if came_to_front(self.panel):
            return self.panel
        next_at = self.window.backing_up.next_at
        panel = RestorePanel(
            self.session, self.looking, self.window, wanted=image_ids, next_at=next_at
        )
        panel.restore_requested.connect(self.restore)
        panel.cancel_requested.connect(self.cancel)
        self.progressed.connect(panel.show_progress)
        self.ended.connect(panel.show_end)
        panel.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        panel.show()
        self.panel = panel
        return panel

    # -- a restoration ---------------------------------------------------------------------------

    def restore(self, backup: Backup, image_ids: list[str], with_facts: bool) -> None:
        """Make a backup of now, then put masks back."""
        session, file = self.session, self.session.file
        if file is None or file.read_only or self._run is not None:
            return
        run = self._run = _Run(file, backup, image_ids, with_facts)
        self.progressed.emit(0, len(image_ids), "")
        session.fold_in()  # the backup is made of what the file holds
        session.background.start(
            "Saving before a restore",
            lambda task: None,
            lambda _: self._begin(run),
            lambda error: self._fail(run, error),
        )

    def cancel(self) -> None:
        """Stop; what is restored by then stays, and can be undone."""
        if self._run is not None:
            self._run.is_cancelled = True

    def _on_closing(self) -> None:
        """Nobody reads the file any more once it is closed."""
        self.cancel()
        self.looking.finish(0)

    def _begin(self, run: _Run) -> None:
        """Once the file lacks nothing: the backup of now, and the plan."""
        from orgseg_app.files.backups import backing_up
        from orgseg_app.files.backups.backup import RESTORE
        from orgseg_app.files.backups.restore import plan_restoration, read_masks

        file = run.file

        def work(_: object) -> tuple[str, Restoration, Iterator[tuple[str, RestoreMask]]]:
            def is_given_up() -> bool:
                return run.is_cancelled

            said = backing_up.try_backup(file.path, file.reading, RESTORE, is_given_up)
            plan = plan_restoration(file, run.backup, run.image_ids)
            masks = read_masks(file, plan)
            first = [] if run.is_cancelled else list(itertools.islice(masks, 1))
            return said, plan, itertools.chain(first, masks)

        def on_planned(found: tuple[str, Restoration, Iterator[tuple[str, RestoreMask]]]) -> None:
            said, run.plan, run.masks = found
            if said:
                self.session.message.emit(said, "warning")
            if self._is_over(run):
                return
            self._add_classes(run)
            if len(run.image_ids) > 1:
                run.mark = self._mark()
            self._read(run)

        self._start(run, "Backing up before a restore", work, on_planned)

    def _start(self, run: _Run, title: str, work: Any, on_success: Any) -> None:
        self.background.start(title, work, on_success, lambda error: self._fail(run, error))

    def _add_classes(self, run: _Run) -> None:
        from orgseg_app.files.backups.restore import all_classes

        plan = run.known_plan
        if plan.added_classes:
            self.session.class_editing.set(all_classes(run.file.project, plan))

    def _mark(self) -> str:
        """A place in the history to go back to, in one step."""
        moment = datetime.now().astimezone()
        mark = self.session.painting.mark(f"before the restore, {moment:%H:%M}")
        return mark.title if mark is not None else ""

    def _read(self, run: _Run) -> None:
        """Read the next mask, and work out what it changes."""
        from orgseg_app.files.backups.damage import MASK, OBJECTS
        from orgseg_app.files.backups.restore import write_lost, write_weights
        from orgseg_app.files.errors import FileError

        if self._is_over(run):
            return
        file, plan = run.file, run.known_plan
        self.progressed.emit(run.done, len(run.image_ids), "")

        def work(_: object) -> tuple[RestoreMask, ReadyChange | None, str] | None:
            found = next(run.masks, None)
            if found is None:
                return None
            image_id, edit = found
            try:
                ready = edit.ready(image_id, file.mask(image_id))  # the window would wait for it
            except FileError:
                write_lost(file, plan, image_id, edit.mask)
                ready = None
            write_weights(file, plan)
            return edit, ready, image_id

        def on_read(found: tuple[RestoreMask, ReadyChange | None, str] | None) -> None:
            if self._is_over(run):
                return
            if found is None:
                self._finish(run)
                return
            edit, ready, image_id = found
            run.done += 1
            if image_id in plan.lost:
                self.session.painting.read_again(image_id)
                run.changed += 1
            elif ready is not None and image_id in file.project.images:
                self.session.apply_ready(edit, ready)
                run.changed += 1
                run.waiting_blocks += len(ready.after)
                if run.waiting_blocks > MOST_BLOCKS:
                    run.waiting_blocks = 0
                    self.session.fold_in()
            if image_id in file.project.images and not file.mask(image_id).damaged:
                file.forget_damage(image_id, MASK)
            if image_id in file.project.images and not file.mask(image_id).objects.damaged:
                file.forget_damage(image_id, OBJECTS)
            self._read(run)

        self._start(run, "Reading the backup", work, on_read)

    def _is_over(self, run: _Run) -> bool:
        """Whether it was cancelled, or the project closed; then that is the end."""
        if self._run is not run:
            return True
        if run.is_cancelled or self.session.file is not run.file:
            self._finish(run)
            return True
        return False

    def _finish(self, run: _Run) -> None:
        """What undo does not reach; then say what was done."""
        session, self._run = self.session, None
        run.masks = iter(())  # lets the backup's file go
        if session.file is run.file and run.plan is not None:
            if run.with_facts and not run.is_cancelled:
                for image_id, (split, note) in run.plan.facts.items():
                    session.set_split(image_id, split)
                    run.file.set_note(image_id, note)
            session.saving.note(is_edit=False)
        if session.file is run.file:
            self.window.backing_up.refresh_damage()
            self._say(run)
        self.ended.emit()

    def _fail(self, run: _Run, error: Exception) -> None:
        if self._run is run:
            self._run = None
            run.masks = iter(())
            if self.session.file is run.file:
                self.session.report_error(error)
            self.ended.emit()

    def _say(self, run: _Run) -> None:
        when = when_words(run.backup.when)
        when = when[0].lower() + when[1:] if when.startswith(("Today", "Yester")) else when
        masks = f"{run.changed} mask{'' if run.changed == 1 else 's'}"
        back = "Undo takes it back." if run.changed == 1 else "Undo takes them back one by one"
        if run.changed > 1:
            back += f"; Edit › “Back to {run.mark}” takes back all." if run.mark else "."
        problems = run.plan.problems if run.plan is not None else []
        if run.is_cancelled:
            done = f"{masks} restored before. {back}" if run.changed else "Nothing was restored."
            words = [f"Stopped. {done}"]
        elif run.changed:
            words = [f"{masks} restored from the backup of {when}. {back}"]
        elif run.plan is not None and run.plan.with_weights:
            count = f"{len(run.plan.with_weights)} image{'s' * (len(run.plan.with_weights) != 1)}"
            words = [f"Weights of {count} restored from the backup of {when}."]
        else:
            words = [f"Nothing differs from the backup of {when}."]
        words += problems[:2]
        if len(problems) > 2:
            words.append(f"And {len(problems) - 2} more could not be restored whole.")
        self.session.message.emit(" ".join(words), "warning" if problems else "success")

    def _on_project_changed(self) -> None:
        """The window belongs to the project that was open."""
        panel, file = self.panel, self.session.file
        if panel is not None and isValid(panel) and not panel.belongs_to(file):
            panel.show_end()
            self.panel = None

    # -- a project that cannot be opened ---------------------------------------------------------

    def start_anew(self, backup: Backup, path: Path) -> None:
        """Make an empty project with a backup's classes, and the backup beside it.

        Raises
        ------
        FileError, OSError
            When it cannot be made.
        """
        from orgseg_app.files.backups.backup import backups_dir

        self.session.create_project(path, backup.classes)
        folder = backups_dir(path)
        folder.mkdir(exist_ok=True)
        shutil.copyfile(backup.path, folder / backup.path.name)
        self.session.message.emit(
            "Add the same images again (File › Add images…). Then File › Restore from a backup… "
            "puts their masks back onto them, whatever the images are called now.",
            "info",
        )


class _Run:
    """A restoration under way."""

    def __init__(
        self, file: ProjectFile, backup: Backup, image_ids: list[str], with_facts: bool
    ) -> None:
        self.file = file
        self.backup = backup
        self.image_ids = image_ids
        self.with_facts = with_facts
        self.plan: Restoration | None = None
        self.masks: Iterator[tuple[str, RestoreMask]] = iter(())
        self.mark = ""
        self.done = self.changed = self.waiting_blocks = 0
        self.is_cancelled = False

    @property
    def known_plan(self) -> Restoration:
        """The plan, once there is one."""
        assert self.plan is not None
        return self.plan
