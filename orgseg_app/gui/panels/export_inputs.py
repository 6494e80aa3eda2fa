"""Choosing the images to predict: drop files or a folder, or pick them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.files.names import clean_text
from orgseg_app.files.readers.sniff import FILE_PATTERNS
from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.drops import DropFrame
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    GAP,
    ElidedLabel,
    IconButton,
    IconPicture,
    SecondaryButton,
    label,
    plain_tip,
    set_tone,
)

IMAGE_FILTER = f"Images ({FILE_PATTERNS});;All files (*)"
NAMES_SHOWN = 3


class InputsArea(DropFrame):
    """Images on disk that are to be predicted.

    Signals
    -------
    changed()
        Other paths were chosen, or their images have been counted.
    """

    changed = Signal()

    def __init__(self, background: Background, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._background = background
        self.paths: list[Path] = []
        self.files: list[Path] = []
        self.problem = ""
        self.is_counting = False
        self.start_folder = Path.home()
        self.setAccessibleName("Images to predict")
        self.icon = IconPicture("image", 24, "secondary")
        self.words = label("Drop images or a folder here")
        self.names = ElidedLabel()
        set_tone(self.names, "secondary")
        self.files_button = SecondaryButton("Files…")
        self.files_button.setToolTip("Choose image files")
        self.folder_button = SecondaryButton("Folder…")
        self.folder_button.setToolTip("Choose a folder; all images directly in it are taken")
        self.clear_button = IconButton("close", "Choose other images")
        self.files_button.clicked.connect(self._on_files)
        self.folder_button.clicked.connect(self._on_folder)
        self.clear_button.clicked.connect(lambda: self.set_paths([]))
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(self.icon)
        head.addWidget(self.words, 1)
        head.addWidget(self.clear_button)
        self._buttons = QWidget()
        buttons = QHBoxLayout(self._buttons)
        buttons.setContentsMargins(0, 4, 0, 0)
        buttons.setSpacing(GAP)
        buttons.addWidget(self.files_button)
        buttons.addWidget(self.folder_button)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 10, 12, 12)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self.names)
        column.addWidget(self._buttons)
        self._show()

    def set_paths(self, paths: Sequence[Path]) -> None:
        """Take these files and folders in place of what was chosen."""
        self.paths = list(paths)
        self.files, self.problem = [], ""
        self.is_counting = bool(paths)
        self._show()
        self.changed.emit()
        if not paths:
            return
        asked = self.paths

        def work(task: Task) -> list[Path]:
            from orgseg_app.runs.prediction import expand_inputs

            return expand_inputs(asked)

        def on_success(files: list[Path]) -> None:
            self._on_counted(asked, files, "")

        def on_failure(error: Exception) -> None:
            self._on_counted(asked, [], str(error) or type(error).__name__)

        self._background.start("Looking at the files", work, on_success, on_failure)

    def _on_counted(self, asked: list[Path], files: list[Path], problem: str) -> None:
        if asked is self.paths:
            self.files, self.problem, self.is_counting = files, problem, False
            self._show()
            self.changed.emit()

    def _show(self) -> None:
        count = len(self.files)
        if self.is_counting:
            text = "Looking at the files…"
        elif count:
            text = f"{count:,} image{'' if count == 1 else 's'}"
        else:
            text = "Drop images or a folder here"
        self.words.setText(text)
        names = [clean_text(path.name, 120) for path in self.files[:NAMES_SHOWN]]
        rest = count - len(names)
        self.names.setText(", ".join(names) + (f" and {rest:,} more" if rest > 0 else ""))
        whole = str(self.files[0].parent) if self.files else ""
        self.words.setToolTip(plain_tip(whole))
        self.names.setVisible(count > 0)
        self.clear_button.setVisible(bool(self.paths))
        self._buttons.setVisible(not self.paths)

    def _on_files(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(
            self, "Images to predict", str(self.start_folder), IMAGE_FILTER
        )
        if names:
            self._take([Path(name) for name in names])

    def _on_folder(self) -> None:
        name = QFileDialog.getExistingDirectory(
            self, "Folder of images to predict", str(self.start_folder)
        )
        if name:
            self._take([Path(name)])

    def _take(self, paths: list[Path]) -> None:
        self.start_folder = paths[0].parent
        self.set_paths(paths)

    def on_dropped(self, paths: list[Path]) -> None:
        """Take what was dropped."""
        self._take(paths)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A dashed outline while it waits for files, a quiet one with them."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        empty = not self.paths
        colour = now.accent if self.is_over else now.control if empty else now.line
        pen = QPen(QColor(colour), 2 if self.is_over else 1)
        if empty or self.is_over:
            pen.setDashPattern([5, 4])
        painter.setPen(pen)
        ground = QColor(now.selected) if self.is_over else Qt.GlobalColor.transparent
        painter.setBrush(ground)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 6, 6)
