"""How far an export is, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from orgseg_app.files.names import clean_text
from orgseg_app.gui.help.context import ask_help
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    ElidedLabel,
    IconButton,
    IconPicture,
    SecondaryButton,
    label,
    plain_tip,
    set_tone,
)

PROBLEMS_SHOWN = 4
ENDS = {
    "success": ("check", "success"),
    "warning": ("warning", "warning"),
    "error": ("error", "error"),
}


class ExportProgress(QWidget):
    """Image by image while it works, then the outcome; hidden before.

    Signals
    -------
    cancel_requested()
    """

    cancel_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Progress of the export")
        self.is_working = False
        self._folder: Path | None = None
        self._done = 0
        self._page = ""
        self._build()
        self.hide()

    def _build(self) -> None:
        self.working = QWidget()
        self.count = label()
        self.item = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle)
        set_tone(self.item, "secondary")
        self.cancel_button = SecondaryButton("Cancel", quiet=True)
        self.cancel_button.clicked.connect(self._on_cancel)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress")
        line = QHBoxLayout()
        line.setSpacing(GAP)
        line.addWidget(self.count)
        line.addWidget(self.item, 1)
        line.addWidget(self.cancel_button)
        first = QVBoxLayout(self.working)
        first.setContentsMargins(0, 0, 0, 0)
        first.setSpacing(2)
        first.addLayout(line)
        first.addWidget(self.bar)
        self.ended = QWidget()
        self.icon = IconPicture("check", colour="success")
        self.outcome = label(wrap=True)
        self.close_button = IconButton("close", "Close")
        self.close_button.clicked.connect(self.clear)
        self.problems = Caption()
        self.open_button = SecondaryButton("Open folder", "folder")
        self.open_button.clicked.connect(self.open_folder)
        self.help_button = SecondaryButton("What to do", quiet=True)
        self.help_button.setToolTip("Open the page of the help that says what to do")
        self.help_button.clicked.connect(lambda: ask_help(self, self._page))
        head = QHBoxLayout()
        head.setSpacing(GAP)
        top = Qt.AlignmentFlag.AlignTop
        head.addWidget(self.icon, 0, top)
        head.addWidget(self.outcome, 1, top)
        head.addWidget(self.close_button, 0, top)
        second = QVBoxLayout(self.ended)
        second.setContentsMargins(0, 0, 0, 0)
        second.setSpacing(GAP)
        second.addLayout(head)
        second.addWidget(self.problems)
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.open_button, 1)
        foot.addWidget(self.help_button, 1)
        second.addLayout(foot)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.working)
        column.addWidget(self.ended)

    def start(self, text: str) -> None:
        """Something is under way."""
        self.is_working = True
        self._done = 0
        self.count.setText(text)
        self.item.setText("")
        self.bar.setRange(0, 0)
        self.cancel_button.setEnabled(True)
        self.cancel_button.setText("Cancel")
        self.working.show()
        self.ended.hide()
        self.show()

    def show_words(self, text: str) -> None:
        """Say what it waits for."""
        if self.is_working:
            self.count.setText(text)

    def show_progress(self, done: int, total: int, item: str) -> None:
        """Images done, in all, and the one in hand; never goes back."""
        if not self.is_working or total <= 0:
            return
        self._done = max(self._done, min(done, total))
        self.bar.setRange(0, total)
        self.bar.setValue(self._done)
        self.count.setText(f"{min(self._done + 1, total)} of {total}")
        self.item.setText(clean_text(item, 200))

    def finish(
        self,
        level: str,
        text: str,
        *,
        problems: Sequence[str] = (),
        folder: Path | None = None,
        page: str = "",
    ) -> None:
        """Say how it ended: level "success", "warning" or "error".

        Parameters
        ----------
        page
            Place of the help that says what to do, or "".
        """
        self.is_working = False
        self._folder, self._page = folder, page
        self.help_button.setVisible(bool(page))
        self.icon.set_icon(*ENDS[level])
        self.outcome.setText(text)
        self.outcome.setToolTip(plain_tip(str(folder)) if folder else "")
        lines = [clean_text(problem, 300) for problem in problems[:PROBLEMS_SHOWN]]
        if len(problems) > PROBLEMS_SHOWN:
            lines.append(f"And {len(problems) - PROBLEMS_SHOWN} more.")
        self.problems.setText("\n".join(lines))
        self.problems.setVisible(bool(lines))
        self.open_button.setVisible(folder is not None)
        self.working.hide()
        self.ended.show()
        self.show()

    def clear(self) -> None:
        """Nothing to say any more."""
        self.is_working = False
        self.hide()

    def open_folder(self) -> None:
        """Show the results in the system's file browser."""
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))

    def _on_cancel(self) -> None:
        self.cancel_button.setEnabled(False)
        self.cancel_button.setText("Cancelling…")
        self.cancel_requested.emit()
