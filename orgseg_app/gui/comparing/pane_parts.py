"""Parts of the comparison panes: which run, its letter, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from orgseg_app.gui.canvas import difference
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_table import paint_letter
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import key_icon
from orgseg_app.gui.style.widgets import label


class RunChooser(QComboBox):
    """Which run a pane shows."""

    def __init__(self, letter: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(f"Run {letter}")
        self.setToolTip(f"Run shown in pane {letter}")
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(6)
        self.setIconSize(QSize(18, 16))
        self.setMaxVisibleItems(20)

    def set_rows(self, rows: Sequence[ResultRow], chosen: str, *, optional: bool = False) -> None:
        """Offer runs, without telling."""
        blocked = self.blockSignals(True)
        self.clear()
        if optional:
            self.addItem("No second run", "")
        for row in rows:
            self.addItem(key_icon(row.colour_index), row.name, row.run_id)
        self.setCurrentIndex(max(0, self.findData(chosen)))
        self.blockSignals(blocked)


class Letter(QWidget):
    """A or B in a badge."""

    def __init__(self, letter: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.letter = letter
        self.setFixedSize(18, 18)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The badge."""
        painter = QPainter(self)
        paint_letter(painter, QRectF(self.rect()), self.letter)
        painter.end()


class LegendKey(QWidget):
    """A patch of a colour as it looks on the picture, and its word."""

    def __init__(self, value: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.colour = difference.COLOURS[value]
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 0, 0, 0)
        row.addWidget(label(difference.WORDS[value], "caption"))
        self.setToolTip(difference.LONG_WORDS[value])

    def paintEvent(self, event: QPaintEvent) -> None:
        """The patch, on the canvas's own dark."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        place = QRectF(0.5, self.height() / 2 - 6.5, 13, 13)
        painter.setPen(QColor(now.control))
        painter.setBrush(QColor(self.colour))
        painter.drawRoundedRect(place, 3, 3)
        painter.end()
