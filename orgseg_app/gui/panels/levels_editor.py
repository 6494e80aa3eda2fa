"""Contrast limits of one channel over its histogram."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPolygonF,
)
from PySide6.QtWidgets import QWidget

from orgseg_app.gui.style import theme

BINS = 96
HANDLE = 7


class LevelsEditor(QWidget):
    """A histogram with two handles: what becomes black, what becomes white.

    The number fields beside it reach everything by keyboard; this is for the pointer.

    Signals
    -------
    levels_changed(low, high)
        By the person.
    reset_requested()
        Double-click.
    """

    levels_changed = Signal(float, float)
    reset_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._range = (0.0, 255.0)
        self._levels = (0.0, 255.0)
        self._counts = np.zeros(0)
        self._held = ""
        self._ramp = [QColor("#000000"), QColor("#FFFFFF")]
        self.setFixedHeight(72)
        self.setMouseTracking(True)
        self.setAccessibleName("Contrast limits on the histogram")
        self.setToolTip("Drag the limits; double-click for automatic contrast")

    def show_levels(self, levels: tuple[float, float], value_range: tuple[float, float]) -> None:
        """Show limits within a range of values, silently."""
        low, high = value_range
        low, high = min(low, levels[0]), max(high, levels[1])
        self._range = (low, high if high > low else low + 1.0)
        self._levels = levels
        self.update()

    def show_ramp(self, colours: Sequence[QColor]) -> None:
        """What values between the limits look like, from the lower to the upper; two or more."""
        if self._ramp != list(colours):
            self._ramp = list(colours)
            self.update()

    def shown_range(self) -> tuple[float, float]:
        """Values at the left and right end."""
        return self._range

    def show_histogram(self, values: np.ndarray | None) -> None:
        """Count values of any shape over the shown range; None for no histogram."""
        if values is None or values.size == 0:
            self._counts = np.zeros(0)
        else:
            counts, _ = np.histogram(values, BINS, self._range)
            root = np.sqrt(counts.astype(np.float64))
            inner = root[1:-1]
            top = max(float(inner.max()) if inner.size else 0.0, 1e-9)
            self._counts = np.minimum(root / top, 1.0)
        self.update()

    # -- pointer ---------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the nearer handle."""
        if event.button() == Qt.MouseButton.LeftButton:
            x = event.position().x()
            low, high = (self._x(v) for v in self._levels)
            nearer_low = abs(x - low) < abs(x - high) or (low == high and x < low)
            self._held = "low" if nearer_low else "high"
            self._drag(x)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the handle held."""
        if self._held:
            self._drag(event.position().x())
        else:
            x = event.position().x()
            near = any(abs(x - self._x(v)) <= HANDLE for v in self._levels)
            shape = Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.ArrowCursor
            self.setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let go."""
        self._held = ""

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Automatic contrast."""
        self._held = ""
        self.reset_requested.emit()

    def _drag(self, x: float) -> None:
        area = self._area()
        share = min(max((x - area.left()) / area.width(), 0.0), 1.0)
        value = self._range[0] + share * (self._range[1] - self._range[0])
        low, high = self._levels
        if self._held == "low":
            low = min(value, high)
        else:
            high = max(value, low)
        if (low, high) != self._levels:
            self._levels = (low, high)
            self.levels_changed.emit(low, high)
            self.update()

    # -- painting --------------------------------------------------------------------------------

    def _area(self) -> QRectF:
        return QRectF(HANDLE, 2, max(1, self.width() - 2 * HANDLE), self.height() - 18)

    def _x(self, value: float) -> float:
        area = self._area()
        low, high = self._range
        return area.left() + (value - low) / (high - low) * area.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Histogram, the ramp from black to white, handles."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = self._area()
        low, high = (self._x(v) for v in self._levels)
        if len(self._counts):
            self._paint_counts(painter, area, now.control)
        painter.fillRect(QRectF(area.left(), area.bottom(), area.width(), 1), QColor(now.line))
        ramp = QLinearGradient(low, 0, max(high, low + 0.5), 0)
        for number, colour in enumerate(self._ramp):
            ramp.setColorAt(number / (len(self._ramp) - 1), colour)
        painter.setPen(QPen(QColor(now.control), 1))
        painter.setBrush(ramp)
        painter.drawRoundedRect(
            QRectF(area.left(), area.bottom() + 6, area.width(), 7).adjusted(0.5, 0.5, -0.5, -0.5),
            3,
            3,
        )
        for x in (low, high):
            painter.setPen(QPen(QColor(now.accent), 1.5))
            painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom() + 4))
            painter.setPen(QPen(QColor(now.panel), 1.5))
            painter.setBrush(QColor(now.accent))
            painter.drawEllipse(QPointF(x, area.bottom() + 9.5), 6, 6)

    def _paint_counts(self, painter: QPainter, area: QRectF, colour: str) -> None:
        step = area.width() / len(self._counts)
        points = [area.bottomLeft()]
        for i, count in enumerate(self._counts):
            y = area.bottom() - count * (area.height() - 4)
            points += [
                QPointF(area.left() + i * step, y),
                QPointF(area.left() + (i + 1) * step, y),
            ]
        points.append(area.bottomRight())
        fill = QColor(colour)
        fill.setAlphaF(0.55)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(fill)
        painter.drawPolygon(QPolygonF(points))
