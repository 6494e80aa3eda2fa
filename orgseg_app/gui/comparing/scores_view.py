"""The page of scores: how every run did on every test image, class by class."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QWidget

from orgseg_app.gui.background import Task
from orgseg_app.gui.comparing.figure_view import FigureView
from orgseg_app.gui.comparing.looking_page import LookingPage
from orgseg_app.gui.comparing.measure_chooser import MeasureChooser
from orgseg_app.gui.comparing.scores_data import (
    BY_DIFFERENCE,
    BY_NAME,
    BY_SCORE,
    ImagePlot,
    image_plot,
)
from orgseg_app.gui.comparing.shown_runs import ShownRuns
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, label

MOST_DRAWN = 12
"""Runs; more could not be told apart in a column."""

EMPTY_TEXT = "Choose a run with scores in the table to see how it did on each test image."


class ScoresView(LookingPage, FigureView):
    """A dot for every run and test image.

    Signals
    -------
    image_chosen(image_id)
        To be opened on the page of images.
    """

    image_chosen = Signal(str)
    found: ImagePlot | None
    figure_module = "orgseg_app.gui.comparing.scores_figure"
    title = "Scores of test images"
    noun = "scores"
    looking_for = "Gathering scores"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, EMPTY_TEXT, parent)
        self.column.insertLayout(0, self._build_head())

    def _build_head(self) -> QHBoxLayout:
        self.order = Segments(
            "Order of the images",
            [(BY_DIFFERENCE, "By A − B"), (BY_SCORE, "By score of A"), (BY_NAME, "By name")],
        )
        self.order.chosen.connect(lambda _: self.ask_anew())
        self.measure = MeasureChooser("Score of each test image")
        self.measure.currentIndexChanged.connect(lambda _: self.ask_anew())
        head = QHBoxLayout()
        head.setContentsMargins(GROUP, 6, GROUP, 2)
        head.setSpacing(GAP)
        head.addWidget(label("Images", tone="secondary"))
        head.addWidget(self.order)
        head.addWidget(label("Score", tone="secondary"))
        head.addWidget(self.measure)
        self.caption = Caption()
        head.addWidget(self.caption, 1)
        return head

    # -- what is shown -----------------------------------------------------------------------------

    def show_runs(self, shown: ShownRuns) -> None:
        """Other runs, another class, or newer scores."""
        if shown.results is not self.shown.results:
            self.measure.offer(shown.results.rows)
        self.shown = shown
        self.ask_anew()

    @property
    def _class_names(self) -> list[str]:
        """Of the panels."""
        names = self.shown.results.class_names
        if self.shown.class_name:
            return [self.shown.class_name]
        return ["", *names] if len(names) > 1 else list(names)

    # -- drawing -----------------------------------------------------------------------------------

    def create_figure(self) -> QWidget:
        """As many plots as there are classes."""
        from orgseg_app.gui.comparing.scores_figure import ScoresFigure

        figure = ScoresFigure()
        figure.image_clicked.connect(self.image_chosen)
        return figure

    def frame_of(self, figure: QWidget) -> QWidget:
        """With many classes it scrolls."""
        frame = QScrollArea()
        frame.setWidgetResizable(True)
        frame.setFrameShape(QFrame.Shape.NoFrame)
        frame.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        frame.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        frame.setWidget(figure)
        return frame

    def draw(self) -> None:
        """Plots, legend, and what is left out."""
        found = self.found
        if found is None or not self.has_figure():
            return
        self.figure.show_plot(found)
        notes = {row.run_id: self.shown.note(row) for row in found.runs}
        self.legend.set_entries(found.runs, notes)
        chosen = sum(bool(row.images) for row in self.shown.chosen)
        left_out = chosen > MOST_DRAWN
        self.caption.setText(f"First {MOST_DRAWN} of {chosen} runs chosen" if left_out else "")
        self.setAccessibleDescription(
            f"{found.title} of {len(found.image_ids)} test images by "
            + ", ".join(row.name for row in found.runs)
        )

    def look(self) -> None:
        """Put the scores of the runs chosen in order."""
        rows = [row for row in self.shown.chosen if row.images][:MOST_DRAWN]
        if not rows or self.measure.count() == 0:
            self.show_empty(EMPTY_TEXT)
            return
        pair = (self.shown.a, self.shown.b)
        has_pair = all(row is not None and bool(row.images) for row in pair)
        images, class_names = self.shown.results.images, self._class_names
        score, title = self.measure.score, self.measure.currentText()
        order = self.order.value()

        def work(task: Task) -> ImagePlot:
            return image_plot(
                rows,
                images,
                class_names,
                score=score,
                title=title,
                order=order,
                has_pair=has_pair,
                should_stop=lambda: task.is_cancelled,
            )

        self.begin(work)
