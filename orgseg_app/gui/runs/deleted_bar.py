"""Says which run was just deleted, and brings it back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QHBoxLayout, QWidget

from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style.widgets import GAP, ElidedLabel, SecondaryButton

UNDO_MS = 12_000


class DeletedBar(QWidget):
    """One line with Undo, there for some seconds after runs were deleted.

    Several that were deleted together come back together.
    """

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self._trashed: list[Path] = []
        self._names: list[str] = []
        self.text = ElidedLabel()
        self.button = SecondaryButton("Undo", "undo", quiet=True)
        self.button.clicked.connect(self.undo)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 2, GAP, 2)
        row.addWidget(self.text, 1)
        row.addWidget(self.button)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(UNDO_MS)
        self._timer.timeout.connect(self.hide)
        self._together = QTimer(self)
        self._together.setSingleShot(True)
        self._together.setInterval(0)
        runs.run_deleted.connect(self._on_deleted)
        self.hide()

    def _on_deleted(self, name: str, trashed: object) -> None:
        if not self._together.isActive():
            self._trashed, self._names = [], []
        self._together.start()  # those of the same act come before the loop turns
        self._names.append(name)
        if isinstance(trashed, Path):
            self._trashed.append(trashed)
        many = len(self._names) > 1
        self.text.setText(f"Deleted {len(self._names)} runs" if many else f"Deleted “{name}”")
        self.show()
        self._timer.start()

    def undo(self) -> None:
        """Bring them back."""
        self.hide()
        self._timer.stop()
        for trashed in self._trashed:
            self.runs.restore_run(trashed)
        self._trashed = []
