"""A small table to read, not to edit; Ctrl+C puts it on the clipboard for a spreadsheet."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import plain_tip

RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
ROW_HEIGHT = 24

Cell = tuple[str, str]
"""What is read, and its tooltip."""


class CopiedTable(QTableWidget):
    """Words in the first column, numbers at the right of the others.

    Parameters
    ----------
    name
        For those who cannot see it.
    """

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(0, 0, parent)
        self.setAccessibleName(name)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setTabKeyNavigation(False)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.verticalHeader().hide()
        self.verticalHeader().setAccessibleName("Rows")
        theme.hold_rows(self, ROW_HEIGHT)
        self.horizontalHeader().setAccessibleName("Columns")
        self.horizontalHeader().setHighlightSections(False)
        for corner in self.findChildren(QAbstractButton):
            corner.setAccessibleName("Select all rows")
        self._texts: list[list[str]] = []

    def fill(self, titles: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> None:
        """Show these rows under these titles."""
        self._texts = [[text for text, _ in cells] for cells in (titles, *rows)]
        self.setRowCount(len(rows))
        self.setColumnCount(len(titles))
        for column, cell in enumerate(titles):
            self.setHorizontalHeaderItem(column, _item(cell, column))
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                self.setItem(row, column, _item(cell, column))

    def as_tsv(self) -> str:
        """The whole table with its titles, tab-separated."""
        return "\n".join("\t".join(texts) for texts in self._texts)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Ctrl+C copies the table."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.as_tsv())
        else:
            super().keyPressEvent(event)


def _item(cell: Cell, column: int) -> QTableWidgetItem:
    text, tip = cell
    item = QTableWidgetItem(text)
    item.setTextAlignment(RIGHT if column else LEFT)
    if tip:
        item.setToolTip(plain_tip(tip))
    return item
