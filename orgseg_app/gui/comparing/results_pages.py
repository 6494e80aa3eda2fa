"""Below the table of runs: what the chosen ones did, a page a question.

A page is a widget with a method ``show_runs(shown)``; add it to `PAGES` and to
`ResultsPages._build_pages`.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.comparing.confusion_view import ConfusionView
from orgseg_app.gui.comparing.curves_view import CurvesView
from orgseg_app.gui.comparing.difference_view import DifferenceView
from orgseg_app.gui.comparing.image_strip import ImageStrip
from orgseg_app.gui.comparing.scores_view import ScoresView
from orgseg_app.gui.comparing.shown_runs import ShownRuns
from orgseg_app.gui.comparing.statistics_view import StatisticsView
from orgseg_app.gui.comparing.thresholds_view import ThresholdsView
from orgseg_app.gui.comparing.verdict_line import VerdictLine
from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import GROUP, Separator

PAGES = {
    "images": "The runs' predictions for a test image, beside the truth",
    "curves": "How the runs learned",
    "confusion": "Which class was taken for which",
    "thresholds": "What a stricter or a looser model would do",
    "scores": "How every run did on every test image",
    "statistics": "Which models differ, and whether that may be luck",
}
"""What each page shows, in the order of their buttons."""

HELP_PAGES = (
    "comparing#panes",
    "training#validation_iou",
    "comparing#confusion",
    "comparing#thresholds",
    "comparing#scores_of_images",
    "statistics",
)
"""The help about each of them."""


class ResultsPages(QWidget):
    """The pages, their buttons, and the sentence that says which run is better.

    Signals
    -------
    runs_chosen(run_ids)
        Other runs were chosen in the headings of the panes: A, B, and so on.
    score_requested(run_ids)
        From a pane whose run has no prediction of the image.
    """

    runs_chosen = Signal(list)
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
        self.strip = ImageStrip(session, self)
        self.images = self.strip.table
        self.images.image_chosen.connect(self._show_panes)
        theme.hold(self.strip, least_width=240)
        self.panes = DifferenceView(session, self)
        self.panes.runs_chosen.connect(self.runs_chosen)
        self.panes.score_requested.connect(self.score_requested)
        self.curves = CurvesView(runs, self)
        self.confusion = ConfusionView(self)
        self.thresholds = ThresholdsView(runs, self)
        self.scores = ScoresView(session, self)
        self.scores.image_chosen.connect(self._open_image)
        self.statistics = StatisticsView(runs, self)
        self.statistics.pair_chosen.connect(self._choose_pair)
        across = QSplitter(Qt.Orientation.Horizontal)
        across.setHandleWidth(1)
        across.setChildrenCollapsible(False)
        across.addWidget(self.strip)
        across.addWidget(self.panes)
        across.setStretchFactor(1, 1)
        across.setSizes([340, 720])
        self.stack = QStackedWidget()
        plots = (self.thresholds, self.scores, self.statistics)
        pages = (across, self.curves, self.confusion, *plots)
        for page, help_page in zip(pages, HELP_PAGES, strict=True):
            set_help(page, help_page)
            self.stack.addWidget(page)
        set_help(self.strip, "comparing#scores_of_images")

    def _build_tabs(self) -> QHBoxLayout:
        words = [(page, page.capitalize()) for page in PAGES]
        self.tabs = Segments("Pages", words, self, tips=PAGES)
        self.tabs.chosen.connect(self.show_page)
        tabs = QHBoxLayout()
        tabs.setContentsMargins(12, 6, GROUP, 2)
        tabs.addWidget(self.tabs)
        tabs.addStretch(1)
        tabs.addWidget(self.verdict)
        tabs.addWidget(HelpButton("this page"))
        return tabs

    def show_page(self, page: str) -> None:
        """One of `PAGES`."""
        at = list(PAGES).index(page)
        self.stack.setCurrentIndex(at)
        set_help(self, HELP_PAGES[at])
        self.tabs.set_value(page)

    def show_runs(self, shown: ShownRuns) -> None:
        """Put other runs, or newer scores of them, on all pages."""
        self.shown = shown
        a, b = shown.a, shown.b
        self.strip.set_runs(dict(shown.results.images), shown.chosen, shown.class_name)
        self.confusion.set_runs(a, b)
        self.verdict.show_runs(a, b, shown.class_name)
        self._show_panes()
        drawn = [row.run_id for row in shown.chosen]
        self.curves.set_runs(drawn, behind=[row.run_id for row in shown.results.rows])
        for page in (self.thresholds, self.scores, self.statistics):
            page.show_runs(shown)

    def _choose_pair(self, a: str, b: str) -> None:
        """Two models become A and B; what else is chosen stays so, where they were among it."""
        chosen = [row.run_id for row in self.shown.chosen]
        others = [i for i in chosen if i not in (a, b)] if {a, b} <= set(chosen) else []
        self.runs_chosen.emit([a, b, *others])

    def _open_image(self, image_id: str) -> None:
        self.images.choose(image_id)
        self.show_page("images")

    def _show_panes(self) -> None:
        self.panes.show_runs(
            self.shown.results,
            self.shown.order,
            self.shown.chosen,
            image_id=self.images.chosen,
            class_name=self.shown.class_name,
        )

    def clear(self) -> None:
        """Another project: forget everything."""
        self.shown = ShownRuns()
        self.panes.clear()
        for page in (self.thresholds, self.scores, self.statistics):
            page.show_runs(self.shown)
