"""Cards in rows of as many as there is room for."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QWidget

from orgseg_app.gui.style.cards import Card

BETWEEN = 16


class CardGrid(QWidget):
    """Cards of one size from the left; a row is as long as it is told."""

    def __init__(self, columns: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = columns
        self._cards: list[Card] = []
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(BETWEEN)

    def set_cards(self, cards: Sequence[Card]) -> None:
        """Show these; those shown before go."""
        for card in self._cards:
            card.hide()
            card.deleteLater()
        self._cards = list(cards)
        self._arrange()

    def set_columns(self, columns: int) -> None:
        """How many cards a row holds."""
        if columns != self._columns:
            self._columns = columns
            self._arrange()

    def _arrange(self) -> None:
        while self._grid.takeAt(0) is not None:
            pass
        for column in range(self._grid.columnCount()):
            self._grid.setColumnStretch(column, 0)
        for place, card in enumerate(self._cards):
            row, column = divmod(place, self._columns)
            self._grid.addWidget(card, row, column, Qt.AlignmentFlag.AlignLeft)
        self._grid.setColumnStretch(self._columns, 1)
        self.updateGeometry()
