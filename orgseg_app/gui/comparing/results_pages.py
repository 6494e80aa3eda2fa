"""Below the table of runs: what the chosen ones did, a page a question.

A page is a widget with a method ``show_runs(shown)``; add it to `PAGES` and to
`ResultsPages._build_pages`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.comparing.confusion_view import ConfusionView
from orgseg_app.gui.comparing.curves_view import CurvesView
from orgseg_app.gui.comparing.difference_view import DifferenceView
from orgseg_app.gui.comparing.image_scores import ImageScoresTable
from orgseg_app.gui.comparing.results_data import ResultRow, Results
from orgseg_app.gui.comparing.verdict_line import VerdictLine
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import GROUP, Separator

PAGES = {
    "images": ("Images", "The runs' predictions for a test image, beside the truth"),
    "curves": ("Curves", "How the runs learned"),
    "confusion": ("Confusion", "Which class was taken for which"),
}
"""By key: what is written on a page's button, and what it shows."""


@dataclass(frozen=True)
class ShownRuns:
    """What the pages are about.

    Attributes
    ----------
    results : Results
    order : tuple of ResultRow
        All rows, as the table has sorted them.
    a, b : ResultRow or None
        The run looked at and the one beside it.
    others : tuple of ResultRow
        Further runs selected, as the table has sorted them.
    class_name : str
        "" for all classes.
    """

    results: Results = field(default_factory=Results)
    order: tuple[ResultRow, ...] = ()
    a: ResultRow | None = None
    b: ResultRow | None = None
    others: tuple[ResultRow, ...] = ()
    class_name: str = ""

    @property
    def chosen(self) -> tuple[ResultRow, ...]:
        """A, B where there is one, and the others."""
        return tuple(row for row in (self.a, self.b, *self.others) if row is not None)


class ResultsPages(QWidget):
    """The pages, their buttons, and the sentence that says which run is better.

    Signals
    -------
    runs_chosen(a, b)
        Other runs were chosen in the headings of the panes.
    score_requested(run_ids)
        From a pane whose run has no prediction of the image.
    """

    runs_chosen = Signal(str, str)
    score_requested = Signal(list)

    def __init__(self, session: Session, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.shown = ShownRuns()
        self._build_pages(session, runs)
        self.verdict = VerdictLine(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Separator())
        column.addLayout(self._build_tabs())
        column.addWidget(self.stack, 1)

    def _build_pages(self, session: Session, runs: RunsModel) -> None:
        self.images = ImageScoresTable(self)
        self.images.image_chosen.connect(self._show_panes)
        self.images.setMinimumWidth(220)
        self.panes = DifferenceView(session, self)
        self.panes.runs_chosen.connect(self.runs_chosen)
        self.panes.score_requested.connect(self.score_requested)
        self.curves = CurvesView(runs, self)
        self.confusion = ConfusionView(self)
        across = QSplitter(Qt.Orientation.Horizontal)
        across.setHandleWidth(1)
        across.setChildrenCollapsible(False)
        across.addWidget(self.images)
        across.addWidget(self.panes)
        across.setStretchFactor(1, 1)
        across.setSizes([296, 760])
        self.stack = QStackedWidget()
        for page in (across, self.curves, self.confusion):
            self.stack.addWidget(page)

    def _build_tabs(self) -> QHBoxLayout:
        self._buttons = QButtonGroup(self)
        tabs = QHBoxLayout()
        tabs.setContentsMargins(12, 6, GROUP, 2)
        tabs.setSpacing(2)
        for number, (text, tip) in enumerate(PAGES.values()):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setProperty("look", "segment")
            button.setCheckable(True)
            button.setChecked(number == 0)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            self._buttons.addButton(button, number)
            tabs.addWidget(button)
        self._buttons.idClicked.connect(self.stack.setCurrentIndex)
        tabs.addStretch(1)
        tabs.addWidget(self.verdict)
        return tabs

    def show_page(self, page: str) -> None:
        """One of `PAGES`."""
        number = list(PAGES).index(page)
        self.stack.setCurrentIndex(number)
        self._buttons.button(number).setChecked(True)

    def show_runs(self, shown: ShownRuns) -> None:
        """Put other runs, or newer scores of them, on all pages."""
        self.shown = shown
        a, b = shown.a, shown.b
        self.images.set_runs(dict(shown.results.images), a, b, shown.class_name)
        self.confusion.set_runs(a, b)
        self.verdict.show_runs(a, b, shown.class_name)
        self._show_panes()
        drawn = [row.run_id for row in shown.chosen]
        self.curves.set_runs(drawn, behind=[row.run_id for row in shown.results.rows])

    def _show_panes(self) -> None:
        self.panes.show_runs(
            self.shown.results,
            self.shown.order,
            self.shown.a,
            self.shown.b,
            image_id=self.images.chosen,
            class_name=self.shown.class_name,
        )

    def clear(self) -> None:
        """Another project: forget everything."""
        self.shown = ShownRuns()
        self.panes.clear()
