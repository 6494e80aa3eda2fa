"""The legend above the curves, only where there are several runs, and the pointer's readout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import paint_key

ROW = 20
KEY = 24
MAX_NAME = 180
MAX_ROWS = 3
MAX_READ = 8
NOTE_GAP = 6


ReadRow = tuple[int, str, tuple[str, ...]]
"""Colour index and name of a run, and its values as they are shown."""


class Drawn(Protocol):
    """What has a curve: a run, wherever it stands."""

    @property
    def run_id(self) -> str:
        """Which it is."""
        ...

    @property
    def name(self) -> str:
        """As it is called."""
        ...

    @property
    def colour_index(self) -> int:
        """Place in the run colours."""
        ...


class CurvesLegend(QWidget):
    """Names of runs beside a piece of their line, in as many rows as they need, at most three."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entries: list[Drawn] = []
        self._notes: dict[str, str] = {}
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.hide()

    def set_entries(self, entries: Sequence[Drawn], notes: Mapping[str, str] | None = None) -> None:
        """Show these; none hides the legend.

        Parameters
        ----------
        entries
            In the order of the legend.
        notes
            By run id: what is said after a name.
        """
        self._entries, self._notes = list(entries), dict(notes or {})
        self.setVisible(bool(entries))
        said = (f"{entry.name} {self._notes.get(entry.run_id, '')}".strip() for entry in entries)
        self.setAccessibleName("Legend: " + ", ".join(said))
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
        with theme.base_size() as scale:
            places, _ = self._places(self.width() / scale)
        rows = 1 + max((int(place.top() - 6) // ROW for place, *_ in places), default=0)
        self.setFixedHeight(theme.px(12 + rows * ROW))

    @property
    def text(self) -> str:
        """What it says, a run a line."""
        return "\n".join(
            f"{entry.name} {self._notes.get(entry.run_id, '')}".strip() for entry in self._entries
        )

    def _places(self, width: float) -> tuple[list[tuple[QRectF, Drawn, str]], int]:
        """Where each name goes, and how many found no place."""
        metrics = QFontMetricsF(theme.font(theme.CAPTION_PX))
        room, x, row = max(width - 16.0, 120.0), 12.0, 0
        found: list[tuple[QRectF, Drawn, str]] = []
        for number, entry in enumerate(self._entries):
            name = metrics.elidedText(entry.name, Qt.TextElideMode.ElideMiddle, MAX_NAME)
            width = KEY + metrics.horizontalAdvance(name) + 14
            if note := self._notes.get(entry.run_id):
                width += metrics.horizontalAdvance(note) + NOTE_GAP
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
        with theme.magnified(painter) as scale:
            self._paint(painter, *self._places(self.width() / scale))

    def _paint(self, painter: QPainter, places: list[tuple[QRectF, Drawn, str]], rest: int) -> None:
        painter.setFont(theme.font(theme.CAPTION_PX))
        metrics = QFontMetricsF(painter.font())
        for place, entry, name in places:
            paint_key(painter, QRectF(place.left(), place.top(), KEY - 4, ROW), entry.colour_index)
            painter.setPen(QColor(theme.current().text))
            words = place.adjusted(KEY, 0, 0, 0)
            painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, name)
            if note := self._notes.get(entry.run_id):
                painter.setPen(QColor(theme.current().secondary))
                words.setLeft(words.left() + metrics.horizontalAdvance(name) + NOTE_GAP)
                painter.drawText(words, Qt.AlignmentFlag.AlignVCenter, note)
        if rest and places:
            last = places[-1][0]
            painter.setPen(QColor(theme.current().secondary))
            place = QRectF(last.right(), last.top(), 80, ROW)
            painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, f"and {rest} more")


class Readout(QWidget):
    """The values at the pointer's place, a run a row."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._head = ""
        self._titles: tuple[str, ...] = ()
        self._rows: list[ReadRow] = []
        self._rest = 0
        self.hide()

    @property
    def text(self) -> str:
        """What it says, one row a line."""
        lines = [self._head, *("  ".join((name, *values)) for _, name, values in self._rows)]
        return "\n".join(lines)

    def show_values(
        self, head: str, rows: Sequence[ReadRow], at: QPointF, *, titles: Sequence[str]
    ) -> None:
        """Show a small table beside the pointer.

        Parameters
        ----------
        head
            Where the pointer is: ``"step 200"``.
        rows
            Colour index, name and values of each run.
        at
            The pointer, in the parent's coordinates.
        titles
            What the values are.
        """
        self._head, self._titles = head, tuple(titles)
        with theme.base_size() as scale:
            self._measure(head, rows, titles)
        self._move_to(at, scale)

    def _measure(self, head: str, rows: Sequence[ReadRow], titles: Sequence[str]) -> None:
        self._rows, self._rest = list(rows[:MAX_READ]), max(0, len(rows) - MAX_READ)
        metrics = QFontMetricsF(theme.font(theme.CAPTION_PX))
        width_of = metrics.horizontalAdvance
        columns = zip(*(values for _, _, values in self._rows), strict=True)
        texts = [("0.000", title, *column) for title, column in zip(titles, columns, strict=True)]
        self._numbers = [max(map(width_of, column)) + 10 for column in texts]
        names = max((min(MAX_NAME, width_of(row[1])) for row in self._rows), default=0.0)
        # A long head, such as an image's name, has the room of the names.
        self._name_width = max(names, min(MAX_NAME, width_of(head)) - KEY)

    def _move_to(self, at: QPointF, scale: float) -> None:
        width = scale * (20 + KEY + self._name_width + sum(self._numbers))
        height = scale * (14 + ROW * (1 + len(self._rows) + bool(self._rest)))
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
        with theme.magnified(painter) as scale:
            self._paint_rows(painter, self.width() / scale)
        painter.end()

    def _paint_rows(self, painter: QPainter, width: float) -> None:
        now = theme.current()
        painter.setFont(theme.font(theme.CAPTION_PX))
        metrics = QFontMetricsF(painter.font())
        middle, elided = Qt.AlignmentFlag.AlignVCenter, Qt.TextElideMode.ElideMiddle
        row = QRectF(10, 6, width - 20.0, ROW)
        painter.setPen(QColor(now.secondary))
        room = KEY + self._name_width + 1
        painter.drawText(row, middle, metrics.elidedText(self._head, elided, room))
        self._paint_numbers(painter, row, self._titles)
        for colour, name, values in self._rows:
            row.translate(0, ROW)
            paint_key(painter, QRectF(row.left(), row.top(), KEY - 4, ROW), colour)
            painter.setPen(QColor(now.text))
            shown = metrics.elidedText(name, elided, self._name_width + 1)
            painter.drawText(row.adjusted(KEY, 0, 0, 0), middle, shown)
            self._paint_numbers(painter, row, values)
        if self._rest:
            row.translate(0, ROW)
            painter.setPen(QColor(now.secondary))
            painter.drawText(row, middle, f"and {self._rest} more")

    def _paint_numbers(self, painter: QPainter, row: QRectF, texts: Sequence[str]) -> None:
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        right = row.right()
        for text, width in reversed(list(zip(texts, self._numbers, strict=True))):
            painter.drawText(QRectF(right - width, row.top(), width, ROW), flags, text)
            right -= width
