"""What models cost, as it was measured: parameters, operations, time, memory, size; run by run."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QHeaderView, QStackedLayout, QVBoxLayout, QWidget

from orgseg_app.gui.panels.copied_table import CopiedTable
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.style.widgets import GAP, EmptyState, SecondaryButton, plain_tip, surface
from orgseg_app.runs.examination import LEVELS, WHATS
from orgseg_app.runs.model_facts import fact_rows

EMPTY_TEXT = (
    "Parameters, operations, time and memory are measured when a run ends. Of older runs they are "
    "not known."
)
MOST_RUNS = 6
TIPS = {
    "levels": "What the network loses without each of its levels, in scores of held-out images",
    "noise": "How the scores fall as noise is added to the held-out images",
}


class ModelFactsView(QWidget):
    """A row a fact, a column a run; and what else can be found out about a model.

    Signals
    -------
    examination_requested(what)
        One of `runs.examination.WHATS`, of the first run.
    """

    examination_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        surface(self)
        self.setAccessibleName("What the models cost")
        self.empty = EmptyState(EMPTY_TEXT, icon_name="model")
        self.table = CopiedTable("Facts of the models", self)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.table)
        self.examine = QWidget(self)
        row = QHBoxLayout(self.examine)
        row.setContentsMargins(GAP, 2, 12, 4)
        row.setSpacing(GAP)
        self._examine: dict[str, SecondaryButton] = {}
        for what, text in WHATS.items():
            self._examine[what] = button = SecondaryButton(f"{text}…", quiet=True)
            button.setToolTip(plain_tip(TIPS[what]))
            button.clicked.connect(partial(self.examination_requested.emit, what))
            row.addWidget(button)
        row.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._stack, 1)
        column.addWidget(self.examine)

    def show_runs(self, entries: Sequence[RunEntry]) -> None:
        """Show what is known of these runs, of the first six of them."""
        known = [entry for entry in entries if entry.model_facts is not None][:MOST_RUNS]
        self._stack.setCurrentIndex(1 if known else 0)
        one = entries[0] if len(entries) == 1 else None
        self.examine.setVisible(one is not None and one.has_model and not one.is_active)
        self._examine[LEVELS].setVisible(one is not None and one.kind == "train")
        columns = [
            {title: (text, about) for title, text, about in fact_rows(entry.model_facts)}
            for entry in known
            if entry.model_facts is not None
        ]
        abouts = {title: about for column in columns for title, (_, about) in column.items()}
        rows = [
            [(title, about), *(column.get(title, ("–", "")) for column in columns)]
            for title, about in abouts.items()
        ]
        self.table.fill([("", ""), *((entry.name, entry.name) for entry in known)], rows)
        header = self.table.horizontalHeader()
        for number in range(self.table.columnCount()):
            mode = QHeaderView.ResizeMode
            header.setSectionResizeMode(number, mode.Stretch if number else mode.ResizeToContents)
