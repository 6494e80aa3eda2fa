"""What an ensemble is made of: its members by their own score, and how many of them decide."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import GAP, Caption, label, plain_tip, surface
from orgseg_app.runs.ensembles import EnsembleFacts

TICK = 16
NAME, ALONE, TOGETHER = range(3)
COLUMNS = (
    ("Model", "The best on the validation images first"),
    ("Alone", "Validation IoU of the model by itself"),
    ("With those above", "Validation IoU when it decides together with all above it"),
)
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CHOSEN = "The ticked ones decide. Their number was chosen on the validation images alone."
NOT_RANKED = "They are judged on the validation images first; then it is said how many decide."
NOT_CHOSEN = (
    "There is no validation image that none of them has learned from, so all decide: how many are "
    "best could not be found out honestly."
)


class EnsembleView(QWidget):
    """Members as a table; the ticked ones decide.

    Parameters
    ----------
    runs : RunsModel
    """

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self._shown: EnsembleFacts | None = None
        surface(self)
        self.setAccessibleName("Members of the ensemble")
        self.words = label(wrap=True)
        self.words.setAccessibleName("What decides")
        self.note = Caption()
        self.table = QTableWidget(0, len(COLUMNS))
        self.table.setAccessibleName("Members")
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        self.table.setShowGrid(False)
        self.table.setIconSize(QSize(TICK, TICK))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setAccessibleName("Rows")
        for corner in self.table.findChildren(QAbstractButton):
            corner.setAccessibleName("Select all rows")
        header = self.table.horizontalHeader()
        header.setAccessibleName("Columns")
        header.setHighlightSections(False)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        for place, (title, tip) in enumerate(COLUMNS):
            item = QTableWidgetItem(title)
            item.setToolTip(plain_tip(tip))
            item.setTextAlignment(RIGHT if place else LEFT)
            self.table.setHorizontalHeaderItem(place, item)
        theme.hold_columns(self.table, {ALONE: 80, TOGETHER: 130})
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, 4, 12, GAP)
        column.setSpacing(4)
        column.addWidget(self.words)
        column.addWidget(self.note)
        column.addWidget(self.table, 1)
        theme.watcher.changed.connect(self._on_theme_changed)

    def show_run(self, entry: RunEntry | None) -> None:
        """Show an ensemble; None: nothing."""
        facts = entry.ensemble if entry is not None else None
        if facts == self._shown:
            return
        self._shown = facts
        if facts is not None:
            self._fill(facts)

    def _fill(self, facts: EnsembleFacts) -> None:
        words = facts.words.partition(":")[0]
        self.words.setText(f"{words[:1].upper()}{words[1:]}")
        is_judged = any(member.validation is not None for member in facts.members)
        note = CHOSEN if is_judged else NOT_CHOSEN if facts.k else NOT_RANKED
        self.note.setText(note)
        known = {entry.run_id: entry.name for entry in self.runs.all()}
        tick, nothing = icons.icon("check"), QPixmap(TICK, TICK)
        nothing.fill(Qt.GlobalColor.transparent)
        self.table.setRowCount(len(facts.members))
        for row, member in enumerate(facts.members):
            # A run that is still there may have been renamed since.
            name = QTableWidgetItem(known.get(member.run_id, member.name))
            name.setToolTip(plain_tip(name.text()))
            name.setIcon(tick if member.is_used else QIcon(nothing))
            says = "decides" if member.is_used else "does not decide"
            spoken = f"{name.text()}, {says}" if facts.k else name.text()
            name.setData(Qt.ItemDataRole.AccessibleTextRole, spoken)
            self.table.setItem(row, NAME, name)
            for column, value in ((ALONE, member.validation), (TOGETHER, member.together)):
                item = QTableWidgetItem("" if value is None else f"{value:.3f}")
                item.setTextAlignment(RIGHT)
                if column == TOGETHER and row + 1 == facts.k and is_judged:
                    item.setFont(theme.font(strong=True))
                    item.setToolTip("The best: so many decide")
                self.table.setItem(row, column, item)

    def _on_theme_changed(self) -> None:
        if self._shown is not None:
            self._fill(self._shown)
