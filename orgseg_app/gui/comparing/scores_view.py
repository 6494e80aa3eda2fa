"""The page of scores: how every run did on every test image, class by class."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QScrollArea, QWidget

from orgseg_app.gui.background import Task
from orgseg_app.gui.comparing.figure_view import FigureView
from orgseg_app.gui.comparing.image_measures import image_measures
from orgseg_app.gui.comparing.scores_data import (
    BY_DIFFERENCE,
    BY_NAME,
    BY_SCORE,
    ImagePlot,
    image_plot,
)
from orgseg_app.gui.comparing.shown_runs import ShownRuns
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.fields import Segments, show_choice
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, label

MOST_DRAWN = 12
"""Runs; more could not be told apart in a column."""

EMPTY_TEXT = "Choose a run with scores in the table to see how it did on each test image."


class ScoresView(FigureView):
    """A dot for every run and test image.

    Signals
    -------
    image_chosen(image_id)
        To be opened on the page of images.
    """

    image_chosen = Signal(str)
    figure_module = "orgseg_app.gui.comparing.scores_figure"
    title = "Scores of test images"
    noun = "scores"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, EMPTY_TEXT, parent)
        self.shown = ShownRuns()
        self.found: ImagePlot | None = None
        self._asked = self._looked = 0
        self._task: Task | None = None
        self.column.insertLayout(0, self._build_head())

    def _build_head(self) -> QHBoxLayout:
        self.order = Segments(
            "Order of the images",
            [(BY_DIFFERENCE, "By A − B"), (BY_SCORE, "By score of A"), (BY_NAME, "By name")],
        )
        self.order.chosen.connect(lambda _: self._renew())
        self.measure = QComboBox()
        self.measure.setAccessibleName("Score")
        self.measure.setToolTip("Score of each test image")
        self.measure.setMinimumContentsLength(14)
        self.measure.currentIndexChanged.connect(lambda _: self._renew())
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
            self._fill_measures(shown)
        self.shown = shown
        self._renew()

    def _fill_measures(self, shown: ShownRuns) -> None:
        kept = self.measure.currentData()
        blocked = self.measure.blockSignals(True)
        self.measure.clear()
        for score, text in image_measures(shown.results.rows).items():
            self.measure.addItem(text, score)
        show_choice(self.measure, kept)
        self.measure.blockSignals(blocked)

    def _renew(self) -> None:
        self.found = None
        self._asked += 1
        self.redraw_in_sight()

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

    def redraw(self) -> None:
        """Draw what was found, or look for it first."""
        if self.found is None:
            self._look()
        elif self.has_figure():
            self.figure.show_plot(self.found)
            notes = {row.run_id: self.shown.note(row) for row in self.found.runs}
            self.legend.set_entries(self.found.runs, notes)
            chosen = sum(bool(row.images) for row in self.shown.chosen)
            left_out = chosen > MOST_DRAWN
            self.caption.setText(f"First {MOST_DRAWN} of {chosen} runs chosen" if left_out else "")
            self.setAccessibleDescription(
                f"{self.found.title} of {len(self.found.image_ids)} test images by "
                + ", ".join(row.name for row in self.found.runs)
            )

    def _look(self) -> None:
        rows = [row for row in self.shown.chosen if row.images][:MOST_DRAWN]
        if not rows or self.measure.count() == 0:
            self.show_empty(EMPTY_TEXT)
            return
        if self._task is not None:
            if self._looked == self._asked:
                return  # it is under way
            self._task.cancel()
        self._looked = asked = self._asked
        pair = (self.shown.a, self.shown.b)
        has_pair = all(row is not None and bool(row.images) for row in pair)
        images, class_names = self.shown.results.images, self._class_names
        score, title = str(self.measure.currentData()), self.measure.currentText()
        order = self.order.value()

        def work(task: Task) -> tuple[int, ImagePlot]:
            return asked, image_plot(
                rows,
                images,
                class_names,
                score=score,
                title=title,
                order=order,
                has_pair=has_pair,
                should_stop=lambda: task.is_cancelled,
            )

        self._task = self._session.background.start(
            "Gathering scores", work, self._on_found, self._on_failed
        )

    def _on_found(self, answer: tuple[int, ImagePlot]) -> None:
        if answer[0] != self._asked:
            return
        self._task = None
        self.found = answer[1]
        self.redraw_in_sight()

    def _on_failed(self, error: Exception) -> None:
        self._task = None
        self._session.report_error(error)
