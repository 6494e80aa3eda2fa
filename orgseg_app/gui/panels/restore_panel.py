"""Restore…: what backups hold, how it differs from now, and bringing it back image by image.

The window goes on behind it. Everything is read in a thread of its own; nothing is written here:
what to restore is told to whoever listens.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QModelIndex, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QListView,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.files.errors import FileError
from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.restore_lists import BackupsModel, ImagesModel, TwoLines, when_words
from orgseg_app.gui.panels.restore_preview import PreviewPane
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    Caption,
    ElidedLabel,
    PrimaryButton,
    SecondaryButton,
    label,
)

if TYPE_CHECKING:
    from orgseg_app.core.classes import ClassInfo
    from orgseg_app.files.backups.backup import Backup
    from orgseg_app.files.backups.differences import Difference, Preview

LOG = logging.getLogger(__name__)

NONE_HERE = (
    "No backups yet. They are made where the project is open for painting, not where it is only "
    "looked at."
)
RHYTHM = "After that one is made every half hour in which something changes, and on closing."
PROMISE = "A backup of how it is now is made first, and undo takes restored masks back."
SAME = "everything is as in this backup"
CHOOSE = "Choose another backup to see what differs."


class RestorePanel(FittingDialog):
    """Lists backups and differences; asks for a restoration.

    Parameters
    ----------
    session
        With an open project.
    background
        Where backups and previews are read; whoever closes this window does not wait for it.
    wanted
        Ids of images to check at first; all that differ unless given.
    next_at
        When the next backup will be made, or None.

    Signals
    -------
    restore_requested(Backup, list of image ids, with_facts)
    cancel_requested()
        Stop restoring.
    """

    restore_requested = Signal(object, object, bool)
    cancel_requested = Signal()

    def __init__(
        self,
        session: Session,
        background: Background,
        parent: QWidget | None = None,
        *,
        wanted: set[str] | None = None,
        next_at: datetime | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._file = session.file
        self._wanted = wanted
        self._digests: dict[str, str] = {}
        self._differences: dict[str, list[Difference]] = {}
        self._previews: dict[tuple[str, str], Preview] = {}
        self._asked: tuple[str, str] = ("", "")
        self._chooses = True
        self._next_at = next_at
        self._is_restoring = False
        self.background = background
        self._tasks: list[Task] = []
        self.setWindowTitle("Restore from a backup")
        set_help(self, "saving#backups")
        self.resize(1136, 640)
        self._build()
        self.preview.clear("")
        self.heading.setText("Reading the backups …")
        self._read_backups()

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.backups = BackupsModel(self)
        self.backups_list = _list(self.backups, "Backups, newest first")
        self.backups_list.selectionModel().currentChanged.connect(self._on_backup_chosen)
        self.other_button = SecondaryButton("Other backup…", "folder", quiet=True)
        self.other_button.setToolTip("Choose the file of a backup, also of another project")
        self.other_button.clicked.connect(self._ask_other)
        self.images = ImagesModel(self)
        self.images.checked_changed.connect(self._on_checked)
        self.images_list = _list(self.images, "Images that differ")
        self.images_list.selectionModel().currentChanged.connect(lambda *_: self._show_image())
        self.all_box = QCheckBox("All")
        self.all_box.setAccessibleName("Restore all images that differ")
        self.all_box.clicked.connect(self.images.check_all)
        self.heading = ElidedLabel()
        self.heading.setProperty("role", "title")
        self.note = Caption()
        self.preview = PreviewPane()
        self.facts_box = QCheckBox("Splits and notes as well")
        self.facts_box.setToolTip("Undo does not reach these; the backup made before has them")
        self.restore_button = PrimaryButton("Restore", "undo")
        self.restore_button.clicked.connect(self._restore)
        self.restore_button.setDefault(True)
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.reject)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        theme.hold(self.progress, width=200)
        self.progress.hide()
        row = QHBoxLayout()
        row.setSpacing(GROUP)
        self.left = _column("Backups", self.backups_list, None, 276)
        row.addWidget(self.left)
        head = QHBoxLayout()
        head.addWidget(self.heading, 1)
        self.middle = _column("Images that differ", self.images_list, self.all_box, 260)
        row.addWidget(self.middle)
        row.addWidget(self.preview, 1)
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.other_button)
        self.promise = label(PROMISE, "caption")
        foot.addWidget(self.promise, 1)
        foot.addWidget(self.progress)
        foot.addWidget(self.facts_box)
        foot.addSpacing(GAP)
        foot.addWidget(self.close_button)
        foot.addWidget(self.restore_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, GROUP, GROUP, GROUP)
        column.setSpacing(12)
        column.addLayout(head)
        column.addLayout(row, 1)
        column.addWidget(self.note)
        column.addLayout(foot)
        self.note.hide()
        self.facts_box.hide()
        self._on_checked()

    # -- reading ---------------------------------------------------------------------------------

    def _read_backups(self) -> None:
        from orgseg_app.files.backups.backup import list_backups
        from orgseg_app.files.backups.differences import current_digests

        file = self._file
        if file is None:
            return

        def work(task: Task) -> tuple[list[Backup], dict[str, str]]:
            backups = list_backups(file.path)
            return backups, current_digests(file, lambda d, n: task.report(d, n)) if backups else {}

        task = self._start("Reading backups", work, lambda found: self._on_listed(*found))
        task.progressed.connect(self._on_compared_so_far)

    def _start(
        self, title: str, work: Callable[[Task], Any], on_success: Callable[[Any], None]
    ) -> Task:
        """Read something in the background; nothing happens when this window is gone by then."""

        def when_there(act: Callable[[Any], None]) -> Callable[[Any], None]:
            return lambda found: act(found) if self._file is not None else None

        task = self.background.start(
            title, work, when_there(on_success), when_there(self._on_failed)
        )
        self._tasks = [*self._tasks[-20:], task]
        return task

    def _on_compared_so_far(self, done: int, total: int, _: str) -> None:
        if self._file is not None and total > 20:
            self.heading.setText(f"Comparing with now: {done} of {total} images …")

    def _on_listed(self, backups: list[Backup], digests: dict[str, str]) -> None:
        if self._file is None:
            return
        self._digests = digests
        project = self._file.project
        self.backups.set_backups(backups, project.uuid, len(project.images))
        if not backups:
            self._show_none()
            return
        for item in backups:
            self._compare(item)
        first = next((row for row, item in enumerate(backups) if not item.problem), 0)
        self.backups_list.setCurrentIndex(self.backups.index(first))
        self._chooses = True
        self.backups_list.setFocus()

    def _show_none(self) -> None:
        """Say when the first backup will be made."""
        self.heading.setText("No backups yet")
        words = NONE_HERE
        if self._next_at is not None:
            minutes = (self._next_at - datetime.now().astimezone()).total_seconds() / 60
            soon = "in a moment" if minutes < 1 else f"at {self._next_at:%H:%M}"
            words = f"The first one is made {soon}. {RHYTHM}"
        self.preview.clear(words)
        for widget in (self.left, self.middle, self.restore_button):
            widget.hide()
        self.promise.setText("")
        self.close_button.setFocus()

    def _compare(self, item: Backup) -> None:
        from orgseg_app.files.backups.differences import differences

        file, digests = self._file, self._digests
        if file is None or item.problem:
            return
        self._start(
            "Comparing backups",
            lambda task: differences(file, item, digests),
            lambda found: self._on_compared(item, found),
        )

    def _on_compared(self, item: Backup, found: list[Difference]) -> None:
        self._differences[str(item.path)] = found
        count = sum(bool(d.match.image_id) and not d.is_same for d in found)
        self.backups.set_differing(item, count)
        if count and self._chooses and item in self.backups.backups:  # the newest that differs
            row = self.backups.backups.index(item)
            self.backups_list.setCurrentIndex(self.backups.index(row))
            self._chooses = False
        if item is self.chosen():
            self._show_backup(item)

    def _on_failed(self, error: Exception) -> None:
        LOG.error("%s", error, exc_info=error)
        self.preview.clear(str(error))

    def _ask_other(self) -> None:
        folder = str(self._file.path.parent) if self._file is not None else ""
        name, _ = QFileDialog.getOpenFileName(self, "Other backup", folder, "Backups (*.h5)")
        if name:
            self.add_backup(Path(name))

    def add_backup(self, path: Path) -> None:
        """Show a backup that lies elsewhere, and choose it."""
        from orgseg_app.files.backups.backup import read_backup

        item = read_backup(path)
        for widget in (self.left, self.middle, self.restore_button):
            widget.show()
        self.promise.setText(PROMISE)
        row = self.backups.add(item)
        self._compare(item)
        self.backups_list.setCurrentIndex(self.backups.index(row))

    # -- choosing --------------------------------------------------------------------------------

    def chosen(self) -> Backup | None:
        """The backup that is looked at."""
        index = self.backups_list.currentIndex()
        return self.backups.backups[index.row()] if index.isValid() else None

    def _on_backup_chosen(self, index: QModelIndex, _: QModelIndex) -> None:
        self._chooses = False
        item = self.chosen()
        if item is not None:
            self._show_backup(item)

    def _show_backup(self, item: Backup) -> None:
        found = self._differences.get(str(item.path))
        self.note.hide()
        if item.problem or found is None:
            self.images.set_rows([], (), None)
            self.heading.setText(item.problem or "Comparing …")
            self.preview.clear("" if item.problem else "Reading …")
            return
        shown = [d for d in found if not d.is_same and (d.match.image_id or d.then)]
        self.images.set_rows(shown, self._classes(item), self._wanted)
        differing = sum(bool(d.match.image_id) for d in shown)
        total = len(self._file.project.images) if self._file is not None else 0
        images = f"{differing} of {total} images differ{'s' * (differing == 1)} from now"
        self.heading.setText(f"{when_words(item.when)}: {images if differing else SAME}")
        self._tell_classes(item)
        self._offer_facts(shown)
        if shown:
            self.images_list.setCurrentIndex(self.images.index(0))
            self._show_image()
        else:
            self.preview.clear(CHOOSE)

    def _tell_classes(self, item: Backup) -> None:
        """Classes that would be added, or are called otherwise now."""
        from orgseg_app.files.backups.matching import map_classes

        if self._file is None:
            return
        found = map_classes(self._file.project.classes, item.classes, item.voxels)
        words = [f"“{then}” is called “{now}” now." for then, now in found.renamed]
        if found.added:
            words.append(f"Restoring adds {', '.join(f'“{c.name}”' for c in found.added)}.")
        if not item.is_whole:
            words.append("The project was damaged then: blocks are missing in this backup.")
        self.note.setText(" ".join(words))
        self.note.setVisible(bool(words))

    def _offer_facts(self, shown: Sequence[Difference]) -> None:
        images = self._file.project.images if self._file is not None else {}
        other = [
            d
            for d in shown
            if (image := images.get(d.match.image_id)) is not None
            and (image.split, image.note) != (d.match.source.split, d.match.source.note)
        ]
        self.facts_box.setVisible(bool(other))
        self.facts_box.setChecked(False)

    def _classes(self, item: Backup) -> list[ClassInfo]:
        """Classes of the project, and those that would be added."""
        from orgseg_app.files.backups.matching import map_classes

        now = self._file.project.classes if self._file is not None else ()
        return [*now, *map_classes(now, item.classes, item.voxels).added]

    def _show_image(self) -> None:
        item, index = self.chosen(), self.images_list.currentIndex()
        if item is None or not index.isValid():
            return
        row = self.images.rows[index.row()]
        self._asked = key = (str(item.path), row.match.source.image_id)
        self.preview.show_image(row, self._classes(item))
        if key in self._previews:
            self._on_preview(key, row, self._previews[key])
            return
        self._read_preview(key, item, row)

    def _read_preview(self, key: tuple[str, str], item: Backup, row: Difference) -> None:
        from orgseg_app.files.backups.differences import preview

        file = self._file
        if file is None:
            return

        def work(task: Task) -> Preview | str | None:
            if self._asked != key or task.is_cancelled:
                return None  # whoever goes through the list quickly waits for the last one only
            try:
                return preview(file, item, row)
            except FileError as error:
                return str(error)

        self._start("Reading a preview", work, lambda found: self._on_preview(key, row, found))

    def _on_preview(
        self, key: tuple[str, str], row: Difference, found: Preview | str | None
    ) -> None:
        if isinstance(found, str):
            if self._asked == key:
                self.preview.pictures.say(found)
            return
        if found is None:
            return
        self._previews[key] = found
        item = self.chosen()
        if self._asked == key and item is not None:
            depth = row.match.source.mask_shape[0]
            self.preview.show_preview(found, self._classes(item), depth)
            is_same = not found.changed and row.is_classes_only
            if is_same and row.match.image_id and row in self.images.rows:
                self.images.mark_same(row)  # other bytes, the same voxels

    # -- restoring -------------------------------------------------------------------------------

    def _on_checked(self) -> None:
        count, possible = len(self.images.checked()), self.images.possible
        self.restore_button.setText(
            f"Restore {count} image{'' if count == 1 else 's'}" if count else "Restore"
        )
        may = not self.session.is_read_only and not self._is_restoring
        self.restore_button.setEnabled(bool(count) and may)
        if self.session.is_read_only:
            self.restore_button.setToolTip("This project is open read-only")
        self.all_box.setVisible(possible > 0)
        self.all_box.setChecked(possible > 0 and count == possible)
        self.all_box.setText(f"All {possible}" if possible > 1 else "All")

    def _restore(self) -> None:
        item, image_ids = self.chosen(), self.images.checked()
        if item is not None and image_ids:
            with_facts = self.facts_box.isVisible() and self.facts_box.isChecked()
            self.restore_requested.emit(item, image_ids, with_facts)

    def show_progress(self, done: int, total: int, name: str) -> None:
        """A restoration is under way."""
        if self._file is None:
            return
        self._is_restoring = True
        for widget in (self.backups_list, self.images_list, self.all_box, self.other_button):
            widget.setEnabled(False)
        self.facts_box.hide()
        self.progress.show()
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.promise.setText(f"Restoring: {done} of {total} images")
        self.close_button.setText("Stop")
        self._on_checked()

    def show_end(self) -> None:
        """It is over; what was done is said in the window."""
        if self._file is not None:
            self._is_restoring = False
            self.close()

    def belongs_to(self, file: object) -> bool:
        """True while it shows the backups of this project."""
        return self._file is not None and self._file is file

    def reject(self) -> None:
        """Close, Esc: a restoration under way is stopped first."""
        if self._is_restoring:
            self.cancel_requested.emit()
            self.close_button.setEnabled(False)
            return
        super().reject()

    def done(self, result: int) -> None:
        """Closed: nobody waits for what is still being read."""
        self._asked, self._file = ("", ""), None
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
        super().done(result)


def _list(model: BackupsModel | ImagesModel, name: str) -> QListView:
    view = QListView()
    view.setModel(model)
    view.setAccessibleName(name)
    view.setItemDelegate(TwoLines(view))
    view.setUniformItemSizes(True)
    view.setMouseTracking(True)
    view.setFrameShape(QFrame.Shape.NoFrame)
    view.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    return view


def _column(title: str, view: QWidget, below: QWidget | None, width: int) -> QWidget:
    frame = QWidget()
    frame.setFixedWidth(width)
    column = QVBoxLayout(frame)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(GAP)
    words = label(title, "caption", tone="secondary")
    words.setContentsMargins(14, 0, 0, 0)
    column.addWidget(words)
    column.addWidget(view, 1)
    if below is not None:
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 0, 0)
        row.addWidget(below, 0, Qt.AlignmentFlag.AlignLeft)
        column.addLayout(row)
    return frame
