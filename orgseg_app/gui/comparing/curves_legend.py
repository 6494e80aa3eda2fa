"""The legend above the curves, only where there are several runs, and the pointer's readout."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import paint_key

ROW = 20
KEY = 24
MAX_NAME = 180
MAX_ROWS = 3
MAX_READ = 8


class CurvesLegend(QWidget):
    """Names of runs beside a piece of their line, in as many rows as they need, at most three."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[RunEntry] = []
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.hide()

    def set_entries(self, entries: Sequence[RunEntry]) -> None:
        """Show these; none hides the legend."""
        self._entries = list(entries)
        self.setVisible(bool(entries))
        self.setAccessibleName("Legend: " + ", ".join(entry.name for entry in entries))
        self._fit()
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Another width, other rows."""
        super().resizeEvent(event)
        self._fit()

    def sizeHint(self) -> QSize:
        """As high as its rows."""
        return QSize(200, self.height())

    def _fit(self) -> None:
        places, _ = self._places()
        rows = 1 + max((int(place.top() - 6) // ROW for place, *_ in places), default=0)
        self.setFixedHeight(12 + rows * ROW)

    def _places(self) -> tuple[list[tuple[QRectF, RunEntry, str]], int]:
        """Where each name goes, and how many found no place."""
        metrics = QFontMetricsF(theme.font(theme.CAPTION_PX))
        room, x, row = max(self.width() - 16.0, 120.0), 12.0, 0
        found: list[tuple[QRectF, RunEntry, str]] = []
        for number, entry in enumerate(self._entries):
            name = metrics.elidedText(entry.name, Qt.TextElideMode.ElideMiddle, MAX_NAME)
            width = KEY + metrics.horizontalAdvance(name) + 14
            is_last_row = row == MAX_ROWS - 1
            spare = 70 if is_last_row and number < len(self._entries) - 1 else 0
            if x + width + spare > room and x > 12:
                if is_last_row:
                    return found, len(self._entries) - number
                row, x = row + 1, 12.0
            found.append((QRectF(x, 6 + row * ROW, width, ROW), entry, name))
            x += width
        return found, 0

    def paintEvent(self, event: QPaintEvent) -> None:
        """Keys and names."""
        painter = QPainter(self)
        self.paint(painter)
        painter.end()

    def paint(self, painter: QPainter) -> None:
        """Draw it with any painter, for saving."""
        places, rest = self._places()
        painter.setFont(theme.font(theme.CAPTION_PX))
        painter.setPen(QColor(theme.current().text))
        for place, entry, name in places:
            paint_key(painter, QRectF(place.left(), place.top(), KEY - 4, ROW), entry.colour_index)
            painter.drawText(place.adjusted(KEY, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, name)
        if rest and places:
            last = places[-1][0]
            painter.setPen(QColor(theme.current().secondary))
            place = QRectF(last.right(), last.top(), 80, ROW)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, f"and {rest} more")


class Readout(QWidget):
    """The values at the pointer's step, best run first."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._head = ""
        self._titles = ("", "")
        self._rows: list[tuple[int, str, str, str]] = []
        self._rest = 0
        self.hide()

    @property
    def text(self) -> str:
        """What it says, one row a line."""
        lines = [self._head, *("  ".join(row[1:]) for row in self._rows)]
        return "\n".join(lines)

    def show_values(
        self,
        step: int,
        rows: Sequence[tuple[int, str, str, str]],
        at: QPointF,
        *,
        titles: tuple[str, str] = ("loss", "IoU"),
    ) -> None:
        """Show colour index, name and two values (loss and IoU) of each run beside the pointer."""
        self._head, self._titles = f"step {step}", titles
        self._rows, self._rest = list(rows[:MAX_READ]), max(0, len(rows) - MAX_READ)
        metrics = QFontMetricsF(theme.font(theme.CAPTION_PX))
        self._name_width = max(
            (min(MAX_NAME, metrics.horizontalAdvance(row[1])) for row in self._rows), default=0.0
        )
        widest = max(("0.0000", *titles), key=len)
        self._number = metrics.horizontalAdvance(widest) + 10
        width = 20 + KEY + self._name_width + 2 * self._number
        height = 14 + ROW * (1 + len(self._rows) + bool(self._rest))
        parent = self.parentWidget()
        assert parent is not None
        x = at.x() + 14
        if x + width > parent.width() - 4:
            x = at.x() - 14 - width
        y = min(max(4.0, at.y() - height / 2), parent.height() - height - 4)
        self.setGeometry(round(max(4.0, x)), round(max(4.0, y)), round(width), round(height))
        self.show()
        self.raise_()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A small raised table."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(now.line), 1))
        painter.setBrush(QColor(now.raised))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.setFont(theme.font(theme.CAPTION_PX))
        metrics = QFontMetricsF(painter.font())
        left, right = 10.0, self.width() - 10.0
        middle, aside = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        row = QRectF(left, 6, right - left, ROW)
        painter.setPen(QColor(now.secondary))
        painter.drawText(row, middle, self._head)
        painter.drawText(row, middle | aside, self._titles[1])
        painter.drawText(row.adjusted(0, 0, -self._number, 0), middle | aside, self._titles[0])
        for colour, name, loss, iou in self._rows:
            row.translate(0, ROW)
            paint_key(painter, QRectF(left, row.top(), KEY - 4, ROW), colour)
            painter.setPen(QColor(now.text))
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, self._name_width + 1)
            painter.drawText(row.adjusted(KEY, 0, 0, 0), middle, shown)
            painter.drawText(row, middle | aside, iou)
            painter.drawText(row.adjusted(0, 0, -self._number, 0), middle | aside, loss)
        if self._rest:
            row.translate(0, ROW)
            painter.setPen(QColor(now.secondary))
            painter.drawText(row, middle, f"and {self._rest} more")
        painter.end()
