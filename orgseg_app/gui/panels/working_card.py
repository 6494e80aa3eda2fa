"""What is being worked out for the canvas, and a way to stop it."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtWidgets import QFrame, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from orgseg_app.gui.editing.working import Working
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, SecondaryButton, label, surface

PATIENCE_MS = 400
"""What takes less is not worth a flash."""
WIDTH = 320
ABOVE = 12


class WorkingCard(QFrame):
    """Floats over the upper edge of a canvas while something is worked out; moves nothing.

    Parameters
    ----------
    working
        What is shown.
    parent
        The canvas; it keeps the keyboard.
    """

    def __init__(self, working: Working, parent: QWidget) -> None:
        super().__init__(parent)
        self._working, self._canvas = working, parent
        surface(self, "bar")
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.setAccessibleName("Under way")
        self.words = label()
        self.cancel_button = SecondaryButton("Cancel", quiet=True)
        self.cancel_button.setToolTip("Stop, and change nothing (Esc)")
        self.cancel_button.clicked.connect(working.cancel)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(4)
        self.bar.setAccessibleName("Progress")
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.words, 1)
        row.addWidget(self.cancel_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 6, 6, 8)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.bar)
        theme.hold(self, width=WIDTH)
        self._timer = QTimer(self, singleShot=True, interval=PATIENCE_MS)
        self._timer.timeout.connect(self._come)
        working.changed.connect(self._on_changed)
        parent.installEventFilter(self)
        self.hide()

    def _on_changed(self) -> None:
        working = self._working
        if not working.is_busy:
            self._timer.stop()
            self.hide()
            return
        known = working.total > 0
        share = f" · {100 * working.done // working.total} %" if known else "…"
        self.words.setText(working.title + share)
        self.bar.setRange(0, working.total if known else 0)
        self.bar.setValue(working.done)
        if not self.isVisible() and not self._timer.isActive():
            self._timer.start()

    def _come(self) -> None:
        self._place()
        self.raise_()
        self.show()

    def _place(self) -> None:
        self.adjustSize()
        self.move(max(0, (self._canvas.width() - self.width()) // 2), ABOVE)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the place when the canvas changes its size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return False
