"""The sheet of keys on paper: a few columns, as many pages as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QMarginsF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetricsF,
    QPagedPaintDevice,
    QPageLayout,
    QPageSize,
    QPainter,
    QPdfWriter,
)

COLUMNS = 3
TITLE_PT, HEAD_PT, TEXT_PT = 14.0, 9.5, 7.5
LINE, HEAD_LINE, GUTTER = 1.45, 2.2, 18.0
"""Height of a line and of a heading as multiples of the text, and the gap in points."""


@dataclass(frozen=True)
class SheetRow:
    """One line: where it belongs, what happens, which keys do it."""

    group: str
    text: str
    keys: str
    tip: str = ""


def page_layout() -> QPageLayout:
    """A4 or what the printer has, across, with margins that every printer can print."""
    return QPageLayout(
        QPageSize(QPageSize.PageSizeId.A4),
        QPageLayout.Orientation.Landscape,
        QMarginsF(12, 12, 12, 12),
        QPageLayout.Unit.Millimeter,
    )


def save_pdf(path: Path, rows: Sequence[SheetRow], title: str) -> int:
    """Write the sheet as a PDF file, whole or not at all; how many pages.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    from orgseg_app.files import atomic

    with atomic.replacing(path) as draft:
        writer = QPdfWriter(str(draft))
        writer.setTitle(title)
        writer.setPageLayout(page_layout())
        pages = paint_sheet(writer, rows, title)
        del writer  # closes the file
    return pages


def paint_sheet(device: QPagedPaintDevice, rows: Sequence[SheetRow], title: str) -> int:
    """Paint the rows that have keys, group by group, top to bottom and left to right.

    Parameters
    ----------
    device
        A PDF or a printer, with its page set.

    Returns
    -------
    Pages painted.

    Raises
    ------
    OSError
        When the device cannot be painted on: no printer, no right to write.
    """
    painter = QPainter()
    if not painter.begin(device):
        raise OSError("The sheet could not be begun; the printer or the file is not ready.")
    try:
        return _Sheet(painter, device, title).paint(rows)
    finally:
        painter.end()


class _Sheet:
    """A pen that goes down columns; all lengths in points."""

    def __init__(self, painter: QPainter, device: QPagedPaintDevice, title: str) -> None:
        self.painter, self.device, self.title = painter, device, title
        page = device.pageLayout().paintRect(QPageLayout.Unit.Point)
        self.width, self.height = page.width(), page.height()
        self.scale = device.logicalDpiX() / 72
        painter.scale(self.scale, self.scale)
        self.column_width = (self.width - (COLUMNS - 1) * GUTTER) / COLUMNS
        self.pages, self.column, self.y = 1, 0, 0.0
        self._begin_page()

    def paint(self, rows: Sequence[SheetRow]) -> int:
        shown = [row for row in rows if row.keys]
        for place, row in enumerate(shown):
            if place == 0 or shown[place - 1].group != row.group:
                self._heading(row.group)
            self._line(row)
        return self.pages

    def _font(self, points: float, *, strong: bool = False) -> QFont:
        font = QFont()
        font.setPixelSize(round(points * 8))  # whole numbers only: drawn eight times too large
        font.setBold(strong)
        return font

    def _write(
        self, rect: QRectF, text: str, points: float, *, strong: bool = False, right: bool = False
    ) -> float:
        """Write in a rectangle, cut where it does not fit; the width it took."""
        font = self._font(points, strong=strong)
        metrics = QFontMetricsF(font, self.device)
        text = metrics.elidedText(text, Qt.TextElideMode.ElideRight, rect.width() * 8)
        side = Qt.AlignmentFlag.AlignRight if right else Qt.AlignmentFlag.AlignLeft
        self.painter.save()
        self.painter.translate(rect.topLeft())
        self.painter.scale(1 / 8, 1 / 8)
        self.painter.setFont(font)
        self.painter.setPen(QColor("#1C1F23"))
        self.painter.drawText(
            QRectF(0, 0, rect.width() * 8, rect.height() * 8),
            int(side | Qt.AlignmentFlag.AlignVCenter),
            text,
        )
        self.painter.restore()
        return metrics.horizontalAdvance(text) / 8

    def _begin_page(self) -> None:
        self._write(QRectF(0, 0, self.width, TITLE_PT * 1.4), self.title, TITLE_PT, strong=True)
        self.column, self.y = 0, self._top

    @property
    def _top(self) -> float:
        return TITLE_PT * 2

    def _make_room(self, needed: float) -> bool:
        """Go on in the next column where it does not fit here; True when it did not."""
        if self.y + needed <= self.height:
            return False
        self.column += 1
        self.y = self._top
        if self.column == COLUMNS:
            self.device.newPage()
            self.pages += 1
            self._begin_page()
        return True

    def _heading(self, text: str) -> None:
        self._make_room((HEAD_LINE + 2 * LINE) * TEXT_PT)
        room = HEAD_LINE * TEXT_PT
        box = QRectF(self._left, self.y, self.column_width, room)
        self._write(box, text, HEAD_PT, strong=True)
        self.y += room
        self.painter.fillRect(QRectF(self._left, self.y - 1, self.column_width, 0.6), "#A3ABB5")

    @property
    def _left(self) -> float:
        return self.column * (self.column_width + GUTTER)

    def _line(self, row: SheetRow) -> None:
        room = LINE * TEXT_PT
        if self._make_room(room):
            self._heading(f"{row.group}, continued")
        most = self.column_width * 0.65
        keys = QRectF(self._left + self.column_width - most, self.y, most, room)
        taken = self._write(keys, row.keys, TEXT_PT, strong=True, right=True)
        rest = self.column_width - taken - 6
        self._write(QRectF(self._left, self.y, rest, room), row.text, TEXT_PT)
        self.y += room
