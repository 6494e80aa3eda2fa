"""“Make an ensemble…”: which runs decide together, and how."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.export_models import ROW_HEIGHT, ModelRow
from orgseg_app.gui.runs.joining import ABOUT, HOW_WORDS, TURNS_WORDS, can_join, ensemble_name
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    Caption,
    PrimaryButton,
    ScrollColumn,
    SecondaryButton,
    foot_of,
    label,
    plain_tip,
)
from orgseg_app.runs.ensembles import HOWS, MemberFacts, disagreement, member_facts
from orgseg_app.runs.errors import RunError

ROWS_SHOWN = 7
WIDTH = 460


class EnsembleDialog(FittingDialog):
    """Ticks for the runs, how they decide, a name, one button.

    What does not go together is said before the button is pressed: what the models know is read in
    the background.

    Parameters
    ----------
    runs : RunsModel
    ticked : sequence of str
        Ids of the runs that are chosen at first.

    Signals
    -------
    ensemble_requested(list of run ids, name, how, turns)
    """

    ensemble_requested = Signal(list, str, str, bool)

    def __init__(
        self, runs: RunsModel, ticked: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.runs = runs
        self._facts: dict[str, MemberFacts | str] = {}
        self._name_is_mine = True
        self.rows: dict[str, ModelRow] = {}
        self.setWindowTitle("Make an ensemble")
        set_help(self, "ensembles")
        theme.hold(self, least_width=WIDTH)
        self._build(ticked)
        self._read()
        self._show()

    def _build(self, ticked: Sequence[str]) -> None:
        usable = [entry for entry in self.runs.trainings() if can_join(entry)]
        usable.sort(key=lambda entry: (-(entry.best_iou or 0.0), -entry.created))
        head = QHBoxLayout()
        head.addWidget(Caption("Run"), 1)
        score = Caption("Validation IoU")
        score.setWordWrap(False)
        head.addWidget(score)
        content = QWidget()
        listed = QVBoxLayout(content)
        listed.setContentsMargins(0, 0, 0, 0)
        listed.setSpacing(0)
        for entry in usable:
            row = self.rows[entry.run_id] = ModelRow(entry)
            row.setChecked(entry.run_id in ticked)
            row.clicked.connect(self._show)
            listed.addWidget(row)
        listed.addStretch(1)
        scroll = ScrollColumn(content)
        theme.hold(scroll, height=ROW_HEIGHT * max(1, min(ROWS_SHOWN, len(usable))))
        self.all_button = SecondaryButton("All", quiet=True)
        self.all_button.clicked.connect(lambda: self._tick(True))
        self.none_button = SecondaryButton("None", quiet=True)
        self.none_button.clicked.connect(lambda: self._tick(False))
        ticks = QHBoxLayout()
        ticks.addStretch(1)
        for button in (self.all_button, self.none_button):
            button.setAutoDefault(False)
            ticks.addWidget(button)
        self.how = Segments("They decide by", list(HOWS.items()))
        self.how.chosen.connect(lambda _: self._show())
        self.how_words = Caption()
        self.turns = QCheckBox("Turn and mirror the images, too")
        self.turns.setToolTip(plain_tip(TURNS_WORDS))
        self.turns.toggled.connect(lambda _: self._show())
        self.turns_words = Caption(TURNS_WORDS)
        self.name = QLineEdit()
        self.name.setMaxLength(80)
        self.name.setAccessibleName("Name of the ensemble")
        self.name.setToolTip("Name of the ensemble")
        self.name.textEdited.connect(self._on_name_edited)
        name_label = label("Name")
        name_label.setBuddy(self.name)
        name_row = QHBoxLayout()
        name_row.setSpacing(GAP)
        name_row.addWidget(name_label)
        name_row.addWidget(self.name, 1)
        self.problem = label(wrap=True, tone="warning")
        self.problem.setAccessibleName("Problem")
        self.make_button = PrimaryButton("Make ensemble")
        self.make_button.setDefault(True)
        self.make_button.clicked.connect(self._on_make)
        self.cancel_button = SecondaryButton("Cancel")
        self.cancel_button.setAutoDefault(False)
        self.cancel_button.clicked.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Make an ensemble", "ensembles"))
        column.addWidget(Caption(ABOUT))
        column.addLayout(head)
        column.addWidget(scroll)
        column.addLayout(ticks)
        column.addWidget(label("They decide by"))
        column.addWidget(self.how)
        column.addWidget(self.how_words)
        column.addWidget(self.turns)
        column.addWidget(self.turns_words)
        column.addSpacing(4)
        column.addLayout(name_row)
        column.addWidget(self.problem)
        column.addStretch(1)
        column.addLayout(foot_of(self.make_button, self.cancel_button))

    # -- what is chosen --------------------------------------------------------------------------

    def chosen(self) -> list[str]:
        """Ids of the ticked runs, the best first."""
        return [run_id for run_id, row in self.rows.items() if row.isChecked()]

    def _tick(self, on: bool) -> None:
        for row in self.rows.values():
            row.setChecked(on)
        self._show()

    def _on_name_edited(self, text: str) -> None:
        self._name_is_mine = not text.strip()

    def _read(self) -> None:
        """What the models know, in the background."""
        runs = {run_id: row.entry.run for run_id, row in self.rows.items()}

        def work(task: Any) -> dict[str, MemberFacts | str]:
            found: dict[str, MemberFacts | str] = {}
            for run_id, run in runs.items():
                try:
                    found[run_id] = member_facts(run)
                except RunError as error:
                    found[run_id] = str(error)
            return found

        self.runs.session.background.start("Reading models", work, self._on_read)

    def _on_read(self, found: dict[str, MemberFacts | str]) -> None:
        self._facts = found
        self._show()

    def _problem(self) -> str:
        """Why the ticked runs cannot be an ensemble, or ""."""
        chosen = self.chosen()
        if len(chosen) < 2:
            return "Tick at least two runs."
        facts = [self._facts[run_id] for run_id in chosen if run_id in self._facts]
        for one in facts:
            if isinstance(one, str):
                return one
        known = [one for one in facts if isinstance(one, MemberFacts)]
        return disagreement(known) if len(known) == len(chosen) else ""

    # -- showing ---------------------------------------------------------------------------------

    def _show(self, *_: object) -> None:
        chosen = self.chosen()
        self.how_words.setText(HOW_WORDS[self.how.value()])
        self.turns_words.setVisible(self.turns.isChecked())
        if self._name_is_mine:
            members = [self.rows[run_id].entry for run_id in chosen]
            name = self.runs.free_name(ensemble_name(members)) if members else ""
            self.name.setText(name)
        problem = self._problem()
        self.problem.setText(problem)
        self.problem.setVisible(bool(problem))
        self.make_button.setEnabled(not problem)
        count = len(chosen)
        self.make_button.setText(f"Make ensemble of {count}" if count > 1 else "Make ensemble")

    def _on_make(self) -> None:
        chosen = self.chosen()
        members = [self.rows[run_id].entry for run_id in chosen]
        name = " ".join(self.name.text().split()) or self.runs.free_name(ensemble_name(members))
        self.ensemble_requested.emit(chosen, name, self.how.value(), self.turns.isChecked())
        self.accept()
