"""Everything about the chosen runs: how well they learn, how they are driven, what they see."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from orgseg_app.gui.comparing.curves_view import CurvesView
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.runs_ensemble import EnsembleView
from orgseg_app.gui.panels.runs_facts import ModelFactsView
from orgseg_app.gui.panels.runs_previews import RunPreviews
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    ElidedLabel,
    IconPicture,
    plain_tip,
    surface,
)

PAGES = (
    ("scores", "Scores"),
    ("speed", "Speed"),
    ("previews", "Previews"),
    ("model", "Model"),
)
HELP_PAGES = {
    "scores": "training#validation_iou",
    "speed": "training#patches_per_second",
    "previews": "training#previews",
    "model": "scores#cost",
    "ensemble": "ensembles",
}
OF_LEARNING = ("speed", "previews")
"""Pages that an ensemble, which never learned, does not have."""


class RunDetails(QWidget):
    """Pages about the chosen runs, and one line about where the first of them computes.

    Attributes
    ----------
    curves, previews
        The pages; scores and speed are both curves.
    ensemble
        Instead of them, where the one run chosen is an ensemble.
    costs
        What the models cost.

    Signals
    -------
    examination_requested(what, run_id)
        Find out what a model relies on, or bears: one of `runs.examination.WHATS`.
    """

    examination_requested = Signal(str, str)

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        surface(self)
        self.pages = Segments("Show", PAGES, self)
        self.pages.chosen.connect(self.show_page)
        self.facts = ElidedLabel(mode=Qt.TextElideMode.ElideRight)
        self.facts.setProperty("role", "caption")
        self.facts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.refused = Caption()
        self.refused.setAccessibleName("Why there is no test score")
        self.refused_row = QWidget(self)
        note = QHBoxLayout(self.refused_row)
        note.setContentsMargins(GAP, 0, 12, 4)
        note.setSpacing(GAP)
        note.addWidget(IconPicture("warning", 14, "warning"), 0, Qt.AlignmentFlag.AlignTop)
        note.addWidget(self.refused, 1)
        self.curves = CurvesView(runs, self)
        self.previews = RunPreviews(runs, self)
        self.ensemble = EnsembleView(runs, self)
        self.costs = ModelFactsView(self)
        self.costs.examination_requested.connect(self._on_examination_requested)
        head = QHBoxLayout()
        head.setContentsMargins(GAP, 6, 12, 2)
        head.setSpacing(GAP)
        head.addWidget(self.pages)
        head.addWidget(self.facts, 1)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.curves)
        self._stack.addWidget(self.previews)
        for page in (self.ensemble, self.costs):
            self._stack.addWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.refused_row)
        column.addLayout(self._stack, 1)
        self.refused_row.hide()
        runs.run_changed.connect(self._on_run_changed)

    def set_runs(self, run_ids: Sequence[str], behind: Sequence[str] = ()) -> None:
        """Show these runs, with others faintly behind; previews are those of the first."""
        self.curves.set_runs(run_ids, behind=behind)
        self.previews.set_run(run_ids[0] if run_ids else "")
        self._show_page()
        self._show_facts()

    def show_page(self, page: str) -> None:
        """Show one of `PAGES`."""
        self.pages.set_value(page)
        if page in ("scores", "speed"):
            self.curves.set_page(page)
        self._show_page()

    def _on_examination_requested(self, what: str) -> None:
        if self.curves.shown:
            self.examination_requested.emit(what, self.curves.shown[0])

    def _show_page(self) -> None:
        """The page that is chosen; an ensemble has one of its own in place of curves."""
        shown = self.curves.shown
        entry = self.runs.get(shown[0]) if len(shown) == 1 else None
        is_ensemble = entry is not None and entry.ensemble is not None
        self.ensemble.show_run(entry if is_ensemble else None)
        self.pages.button("scores").setText("Members" if is_ensemble else "Scores")
        for page in OF_LEARNING:
            self.pages.button(page).setVisible(not is_ensemble)
        if is_ensemble and self.pages.value() in OF_LEARNING:
            self.pages.set_value("scores")
        elif not is_ensemble:
            self.curves.set_page("speed" if self.pages.value() == "speed" else "scores")
        entries = [found for run_id in shown if (found := self.runs.get(run_id)) is not None]
        self.costs.show_runs(entries)
        pages: dict[str, QWidget] = {"previews": self.previews, "model": self.costs}
        page = "ensemble" if is_ensemble and self.pages.value() == "scores" else self.pages.value()
        set_help(self, HELP_PAGES[page])
        curves = self.ensemble if is_ensemble else self.curves
        self._stack.setCurrentWidget(pages.get(self.pages.value(), curves))

    def _on_run_changed(self, run_id: str) -> None:
        if run_id in self.curves.shown[:1]:
            self._show_page()
            self._show_facts()

    def _show_facts(self) -> None:
        shown = self.curves.shown
        entry = self.runs.get(shown[0]) if len(shown) == 1 else None
        self.facts.setText(entry.facts_text if entry is not None else "")
        refused = entry.refused if entry is not None else ()
        rest = len(refused) - 1
        noun = "image" if rest == 1 else "images"
        more = f" So it is with {rest} more {noun}." if rest > 0 else ""
        self.refused.setText(f"{refused[0]}{more}" if refused else "")
        self.refused.setToolTip(plain_tip("\n".join(refused)) if rest > 0 else "")
        self.refused_row.setVisible(bool(refused))
