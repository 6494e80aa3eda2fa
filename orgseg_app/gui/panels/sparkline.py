"""A curve without axes, one line high."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QWidget

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import run_colour

WIDTH, HEIGHT = 112, 24
SMALLEST_SPAN = 0.1
"""Values within this of each other are drawn nearly flat: noise is not made to look like news."""


class Sparkline(QWidget):
    """The course of a score between 0 and 1, its last value as a dot."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[float] = []
        self._colour_index = 0
        self.setFixedSize(WIDTH, HEIGHT)
        self.setAccessibleName(name)

    def set_values(self, values: Sequence[float | None], colour_index: int = 0) -> None:
        """Show values in order, left out where None, in the colour of a run."""
        found = [value for value in values if value is not None]
        if found == self._values and colour_index == self._colour_index:
            return
        self._values, self._colour_index = found, colour_index
        words = ""
        if found:
            words = f"from {found[0]:.2f} to {found[-1]:.2f}, at best {max(found):.2f}"
        self.setAccessibleDescription(words)
        self.update()

    def values(self) -> list[float]:
        """What is drawn."""
        return list(self._values)

    def sizeHint(self) -> QSize:
        """Always the same."""
        return QSize(WIDTH, HEIGHT)

    def points(self) -> list[QPointF]:
        """Where the values lie in the widget."""
        if not self._values:
            return []
        box = QRectF(self.rect()).adjusted(3, 4, -4, -4)
        low, high = min(self._values), max(self._values)
        spare = max(0.0, SMALLEST_SPAN - (high - low)) / 2
        low, high = low - spare, high + spare
        step = box.width() / max(1, len(self._values) - 1)
        left = box.left() if len(self._values) > 1 else box.right()
        return [
            QPointF(left + step * n, box.bottom() - (value - low) / (high - low) * box.height())
            for n, value in enumerate(self._values)
        ]

    def paintEvent(self, event: QPaintEvent) -> None:
        """A floor, the curve, a dot at its end."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        points = self.points()
        if not points:
            return
        painter.setPen(QPen(QColor(theme.current().line), 1))
        floor = self.height() - 1.5
        painter.drawLine(QPointF(0, floor), QPointF(self.width(), floor))
        colour = run_colour(self._colour_index)
        pen = QPen(colour, 1.5)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        painter.setPen(pen)
        painter.drawPolyline(QPolygonF(points))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(points[-1], 2.5, 2.5)
