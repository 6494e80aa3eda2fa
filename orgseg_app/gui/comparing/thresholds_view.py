"""The page of thresholds: what a stricter or a looser model would do."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from orgseg_app.gui.background import Task
from orgseg_app.gui.comparing.figure_view import FigureView
from orgseg_app.gui.comparing.looking_page import LookingPage
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.shown_runs import ShownRuns
from orgseg_app.gui.comparing.thresholds_data import (
    TEST_IMAGES,
    VALIDATION_IMAGES,
    Thresholds,
    thresholds_of,
    validation_scores,
)
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style.fields import offer_choices
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, label
from orgseg_app.runs.class_scores import ClassScores

EMPTY_TEXT = "Choose a run with scores in the table to see what other thresholds would give."
NOT_KEPT = (
    "Score the runs again to see thresholds: they were scored before OrgSeg kept how sure a model "
    "is of each pixel."
)
OF_IMAGE = "Nothing is known of this image: choose all test images, or score the runs again."


class ThresholdsView(LookingPage, FigureView):
    """Threshold sweep, precision and recall, ROC of the runs chosen, for one class."""

    found: Thresholds | None
    figure_module = "orgseg_app.gui.comparing.thresholds_figure"
    title = "Thresholds"
    noun = "thresholds"
    looking_for = "Reading probabilities"

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(runs.session, EMPTY_TEXT, parent)
        self.runs = runs
        self._validation: dict[str, ClassScores | None] = {}
        self.column.insertLayout(0, self._build_head())

    def _build_head(self) -> QHBoxLayout:
        self.chooser = QComboBox()
        self.chooser.setAccessibleName("Images")
        self.chooser.setToolTip("Images whose pixels are counted")
        self.chooser.setMinimumContentsLength(18)
        self.chooser.currentIndexChanged.connect(lambda _: self.ask_anew())
        self.caption = Caption()
        self.caption.setWordWrap(False)
        head = QHBoxLayout()
        head.setContentsMargins(GROUP, 6, GROUP, 2)
        head.setSpacing(GAP)
        head.addWidget(label("Images", tone="secondary"))
        head.addWidget(self.chooser)
        head.addWidget(self.caption)
        head.addStretch(1)
        return head

    # -- what is shown -----------------------------------------------------------------------------

    @property
    def class_name(self) -> str:
        """The class chosen, or the first."""
        names = self.shown.results.class_names
        return self.shown.class_name or (names[0] if names else "")

    @property
    def place(self) -> str:
        """The image chosen, or "" for all test images together."""
        return str(self.chooser.currentData() or TEST_IMAGES)

    def show_runs(self, shown: ShownRuns) -> None:
        """Other runs, another class, or newer scores."""
        if shown.results is not self.shown.results:
            self._validation.clear()
        self.shown = shown
        self._offer_places()
        several = len(shown.results.class_names) > 1
        words = f"Class {self.class_name}" if self.class_name else ""
        if several and not shown.class_name:
            words += ", the first: choose another above the table"
        self.caption.setText(words)
        self.ask_anew()

    def _offer_places(self) -> None:
        pooled = {
            TEST_IMAGES: "All test images, pooled",
            VALIDATION_IMAGES: "All validation images, pooled",
        }
        offer_choices(self.chooser, [*pooled.items(), *self.shown.results.images.items()])

    # -- drawing -----------------------------------------------------------------------------------

    def create_figure(self) -> QWidget:
        """Six plots."""
        from orgseg_app.gui.comparing.thresholds_figure import ThresholdsFigure

        return ThresholdsFigure(self.content)

    def look(self) -> None:
        """Sweep the thresholds, and find those of the validation images that are not known yet."""
        rows = [row for row in self.shown.chosen if row.pooled is not None]
        if not rows or not self.class_name:
            self.show_empty(EMPTY_TEXT)
            return
        class_name, place = self.class_name, self.place
        known, file = dict(self._validation), self._session.file
        folders = {row.run_id: entry.run for row in rows if (entry := self.runs.get(row.run_id))}

        def validation(run_id: str) -> ClassScores | None:
            if run_id not in known:
                folder = folders.get(run_id)
                known[run_id] = validation_scores(file, folder) if folder is not None else None
            return known[run_id]

        def work(task: Task) -> tuple[Thresholds, dict[str, ClassScores | None]]:
            stop = lambda: task.is_cancelled  # noqa: E731  (as the function takes it)
            return thresholds_of(rows, class_name, place, validation, stop), known

        self.begin(work)

    def take(self, answer: tuple[Thresholds, dict[str, ClassScores | None]]) -> None:
        """Keep the scores on validation images, too."""
        self.found, self._validation = answer

    def draw(self) -> None:
        """Plots and legend, or why there are none."""
        found = self.found
        if found is None:
            return
        if not found.runs:
            is_image = found.place in self.shown.results.images
            pooled = any(self._has_any(row) for row in self.shown.chosen)
            self.show_empty(OF_IMAGE if is_image and pooled else NOT_KEPT)
            return
        if not self.has_figure():
            return
        pair = [row.run_id for row in (self.shown.a, self.shown.b) if row is not None]
        self.figure.show_thresholds(found, pair)
        notes = self._notes(found)
        self.legend.set_entries(found.runs, notes)
        if found.without:
            self.caption.setText(
                f"Class {found.class_name} · {_some(found.without)} scored before OrgSeg kept "
                "probabilities: score again"
            )
        said = "; ".join(f"{run.name}: {notes[run.run_id]}" for run in found.runs)
        self.setAccessibleDescription(f"Class {found.class_name}. {said}")

    def _notes(self, found: Thresholds) -> dict[str, str]:
        """Letters and areas; a run counted on other images, or that saw some, is no equal."""
        of = {row.run_id: self.shown.note(row) for row in self.shown.chosen}
        return {
            run.run_id: " · ".join(filter(None, (of.get(run.run_id, ""), run.note)))
            for run in found.runs
        }

    def _has_any(self, row: ResultRow) -> bool:
        return row.pooled is not None and bool(row.pooled.rated)


def _some(names: tuple[str, ...]) -> str:
    return f"{names[0]} was" if len(names) == 1 else f"{len(names)} runs were"
