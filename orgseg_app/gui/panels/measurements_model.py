"""A table of measurements as Qt shows it: sorted by any column, copied as tab-separated text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QAbstractItemView, QMenu, QTableView, QWidget

from orgseg_app.core.measuring.tables import Cell, Table
from orgseg_app.gui.help.context import ask_help
from orgseg_app.gui.help.meaning import Meaning, add_meaning
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme

Index = QModelIndex | QPersistentModelIndex

ROW_HEIGHT = 26
_COPIED_AT_MOST = 200_000
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class MeasurementsModel(QAbstractTableModel):
    """One line an object, or an image and class; words are made for the lines in sight only.

    Attributes
    ----------
    table
        What is shown.
    order
        ``(n,)``: which line of the table each line on the screen is.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.table = Table()
        self.order: NDArray[np.int64] = np.zeros(0, np.int64)

    def take(self, table: Table) -> None:
        """Show another table, in its own order."""
        self.beginResetModel()
        self.table, self.order = table, np.arange(len(table))
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Lines."""
        return 0 if parent is not None and parent.isValid() else len(self.order)

    def columnCount(self, parent: Index | None = None) -> int:
        """Columns."""
        return 0 if parent is not None and parent.isValid() else len(self.table.headings)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        """Names with their units; the tooltip says what it is."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        heading = self.table.headings[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return heading.name
        if role == Qt.ItemDataRole.ToolTipRole:
            unit = f" ({heading.unit})" if heading.unit else ""
            return f"{heading.about}{unit}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _LEFT if heading.kind == "text" else _RIGHT
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Words, aligned right where they are figures."""
        if role == Qt.ItemDataRole.DisplayRole:
            return shown(self.table.cell(int(self.order[index.row()]), index.column()))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return self.headerData(
                index.column(), Qt.Orientation.Horizontal, Qt.ItemDataRole.TextAlignmentRole
            )
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; what has no figure comes last."""
        if not 0 <= column < len(self.table.headings):
            return
        values = self.table.values[self.table.headings[column].name]
        is_up = order == Qt.SortOrder.AscendingOrder
        self.layoutAboutToBeChanged.emit()
        if isinstance(values, list):
            places = np.argsort(np.array(values, dtype=np.str_), kind="stable")
            self.order = places if is_up else places[::-1]
        else:
            self.order = np.argsort(values if is_up else -values, kind="stable")
        self.layoutChanged.emit()

    def as_text(self, rows: Sequence[int]) -> str:
        """Lines on the screen as tab-separated text, full figures, with the names on top."""
        columns = range(len(self.table.headings))
        lines = ["\t".join(heading.name for heading in self.table.headings)]
        for row in rows:
            cells = (self.table.cell(int(self.order[row]), column) for column in columns)
            lines.append("\t".join(_copied(cell) for cell in cells))
        return "\n".join(lines) + "\n"


def shown(cell: Cell) -> str:
    """A cell in short.

    >>> shown(12.3456789), shown(3), shown(None), shown(0.000123456)
    ('12.35', '3', '', '0.0001235')
    """
    if isinstance(cell, float):
        return f"{cell:.0f}" if abs(cell) >= 10_000 else f"{cell:.4g}"
    return "" if cell is None else str(cell)


def _copied(cell: Cell) -> str:
    """In full; a text that a spreadsheet would run gets an apostrophe in front."""
    if isinstance(cell, str):
        text = " ".join(cell.split())
        return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
    return "" if cell is None else str(cell)


class MeasurementsTable(QTableView):
    """The table itself; Ctrl+C copies the selected rows, or all of them."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.measurements = MeasurementsModel(self)
        self.setModel(self.measurements)
        self.setAccessibleName(name)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        theme.hold_rows(self, ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setSectionsClickable(True)
        header.setAccessibleName("Columns")
        self.setStyleSheet("QTableView::item { padding: 0 5px; }")

    def take(self, table: Table) -> None:
        """Show another table."""
        self.setSortingEnabled(False)
        self.measurements.take(table)
        header = self.horizontalHeader()
        metrics = header.fontMetrics()
        for column, heading in enumerate(table.headings):
            width = metrics.horizontalAdvance(heading.name) + 36
            header.resizeSection(
                column, max(width, 120 if column == 0 else 104 if heading.kind == "text" else 64)
            )
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        self.setSortingEnabled(True)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What the figure that was pointed at, or has the keyboard, means."""
        is_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        column = self.currentIndex().column() if is_key else self.columnAt(event.pos().x())
        if not 0 <= column < self.measurements.columnCount():
            return
        across, tip = Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole
        title = str(self.measurements.headerData(column, across))
        words = str(self.measurements.headerData(column, across, tip))
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_meaning(menu, self, Meaning(title, words, "measuring#objects"))
        menu.addAction("Help", lambda: ask_help(self, "measuring#objects"))
        menu.popup(event.globalPos())

    def copy(self) -> int:
        """Selected rows, or all, to the clipboard; how many."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()})
        if len(rows) < 2:
            rows = list(range(self.measurements.rowCount()))
        rows = rows[:_COPIED_AT_MOST]
        QGuiApplication.clipboard().setText(self.measurements.as_text(rows))
        return len(rows)

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)
