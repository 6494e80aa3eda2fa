"""Conditions that the table of runs is filtered by, each a chip that takes itself away."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from orgseg_app.gui.comparing.row_order import Arrangement, RowFilter
from orgseg_app.gui.style import icons
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption


class FilterBar(QWidget):
    """Chips of conditions, of the grouping, and of hidden runs that are shown.

    Signals
    -------
    filters_changed(tuple of RowFilter)
    ungrouped()
        The chip of the grouping was pressed.
    """

    filters_changed = Signal(tuple)
    ungrouped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Filters")
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(GROUP, 0, GROUP, 6)
        self._row.setSpacing(GAP)
        self.count = Caption()
        self.count.setWordWrap(False)
        self.chips: list[QPushButton] = []
        self._row.addStretch(1)
        self._row.addWidget(self.count)
        self.hide()

    def show_arrangement(self, how: Arrangement, group_title: str, shown: int, total: int) -> None:
        """Chips for all of it; nothing is there where nothing is filtered or grouped.

        Parameters
        ----------
        how
            What the table shows.
        group_title
            What it is grouped by, or "".
        shown, total
            Runs that stay, of how many.
        """
        for chip in self.chips:
            chip.hide()
            chip.deleteLater()
        self.chips = []
        if group_title:
            self._add(f"Grouped by {group_title}", "Do not group", self.ungrouped.emit)
        for one in how.filters:
            self._add(one.text, "Take this filter away", partial(self._drop, how, one))
        some = f"{shown} of {total} runs" if shown else "No run fits: take a filter away"
        self.count.setText(some if shown < total else "")
        self.setVisible(bool(self.chips))

    def _add(self, text: str, tip: str, call: Callable[[], object]) -> None:
        chip = QPushButton(text.replace("&", "&&"))
        chip.setProperty("look", "segment")
        chip.setCheckable(True)
        chip.setChecked(True)
        chip.setToolTip(tip)
        chip.setAccessibleName(f"{text}; {tip.lower()}")
        chip.setIcon(icons.icon("close", "secondary"))
        chip.clicked.connect(lambda _: call())
        self._row.insertWidget(len(self.chips), chip)
        self.chips.append(chip)

    def _drop(self, how: Arrangement, one: RowFilter) -> None:
        self.filters_changed.emit(tuple(item for item in how.filters if item != one))
