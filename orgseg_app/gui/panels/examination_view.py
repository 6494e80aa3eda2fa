"""What examinations of a run found out: levels its network relies on, and the noise it bears."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QGuiApplication, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.comparing.figure_view import FigureView
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.copied_table import Cell, CopiedTable
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style.fields import CalmComboBox, Segments, show_choice
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    EmptyState,
    IconButton,
    surface,
)
from orgseg_app.runs.examination import ABLATIONS, LEVELS, NOISE, SCORES, WHATS, Examination
from orgseg_app.runs.examining import read_examination

if TYPE_CHECKING:
    from orgseg_app.gui.panels.examined_figure import ExaminedFigure

FIGURE_MODULE = "orgseg_app.gui.panels.examined_figure"
EMPTY = {
    LEVELS: (
        "Which levels does this network rely on? It predicts the held-out images again, each time "
        "without one level, and you see what that costs."
    ),
    NOISE: (
        "How much noise does this model bear? It predicts the held-out images again with more and "
        "more noise, and you see how its scores fall. Your images stay as they are."
    ),
}
NO_MODEL = "This run has no model yet. Examine it when it has finished."
SPLIT_WORDS = {"validation": "Validation images", "test": "Test images"}
FEW = "Fewer than six images have this score: too few to tell"


class Row(NamedTuple):
    """A condition in the table."""

    words: str
    score: float | None
    lost: float | None
    interval: tuple[float, float] | None


class Shown(NamedTuple):
    """An examination and the rows of one of its scores, worked out in the background."""

    found: Examination
    score: str
    class_name: str
    rows: tuple[Row, ...]
    sentences: tuple[str, ...]


def rows_of(found: Examination, score: str, class_name: str = "") -> Shown:
    """What the page shows of an examination; draws images anew for the intervals."""
    rows = [Row("As it is", found.intact.score(score, class_name), None, None)]
    for condition in found.conditions:
        words = condition.words
        if condition.level is not None:  # the plot says how large its maps are
            words = f"Level {condition.level}, {ABLATIONS[condition.kind]}"
        rows.append(
            Row(
                words,
                condition.score(score, class_name),
                found.drop(condition, score, class_name),
                found.compared(condition, score, class_name).interval,
            )
        )
    return Shown(found, score, class_name, tuple(rows), tuple(found.sentences(score, class_name)))


class ExaminationView(QWidget):
    """The newest examination of one run of each kind: a plot, a table, and what it says.

    Parameters
    ----------
    runs : RunsModel

    Attributes
    ----------
    what, split, measure, class_name
        Choosers.
    plot, table
        What was found out.
    again
        Examines (once more).

    Signals
    -------
    found_changed(bool)
        Something else is shown, or nothing.
    """

    found_changed = Signal(bool)

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self.shown: Shown | None = None
        self._run_id = ""
        self._wanted: tuple[str, str, str, str] | None = None
        self._read: dict[str, Examination | None] = {}
        surface(self)
        self.setAccessibleName("Examination")
        set_help(self, "examining")
        self._build()
        runs.run_changed.connect(self._on_run_changed)
        runs.runs_changed.connect(self._show)

    def _build(self) -> None:
        self.what = Segments("Examine", list(WHATS.items()), self)
        self.what.chosen.connect(self._on_chosen)
        self.split = _chooser("Images", SPLIT_WORDS.items())
        self.measure = _chooser("Score", SCORES.items())
        self.class_name = _chooser("Class", [("", "Mean of classes")])
        for box in (self.split, self.measure, self.class_name):
            box.activated.connect(self._on_chosen)
        self.again = IconButton("redo", "Examine once more")
        self.again.clicked.connect(self.examine)
        head = QHBoxLayout()
        head.setContentsMargins(GAP, 2, 12, 2)
        head.setSpacing(GAP)
        head.addWidget(self.what)
        head.addStretch(1)
        for widget in (self.class_name, self.measure, self.split, self.again):
            head.addWidget(widget)
        self.plot = _Plot(self.runs.session, EMPTY[LEVELS], self)
        self.table = CopiedTable("Scores under each condition", self)
        self.words = Caption()
        self.words.setAccessibleName("What the examination says")
        self.empty = EmptyState(EMPTY[LEVELS], "Examine", self.examine, icon_name="chart")
        both = QSplitter(Qt.Orientation.Horizontal)
        both.setHandleWidth(1)
        both.setChildrenCollapsible(False)
        both.addWidget(self.plot)
        both.addWidget(self.table)
        both.setStretchFactor(0, 3)
        both.setStretchFactor(1, 2)
        both.setSizes([480, 460])
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(both, 1)
        note = QHBoxLayout()
        note.setContentsMargins(12, 4, 12, 6)
        note.addWidget(self.words)
        column.addLayout(note)
        self._stack = QStackedLayout()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(page)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addLayout(head)
        outer.addLayout(self._stack, 1)

    # -- choosing ----------------------------------------------------------------------------------

    def set_run(self, run_id: str) -> None:
        """Show the examinations of this run; "" for none."""
        if run_id != self._run_id:
            self._run_id = run_id
            self.shown = None
        self._show()

    def show_what(self, what: str) -> None:
        """Show one of `WHATS`, on the images that it was last found out on."""
        self.what.set_value(what)
        jobs = [job for job in self._jobs() if job.run.request.get("what") == what]
        if jobs:
            show_choice(self.split, jobs[-1].run.request.get("on"))
        self._show()

    def examine(self) -> None:
        """Ask for what is chosen."""
        if self._run_id:
            self.runs.examine(self._run_id, self.what.value(), self.split.currentData())

    def _on_chosen(self, *_: object) -> None:
        self._show()

    # -- showing -----------------------------------------------------------------------------------

    def _jobs(self) -> list[RunEntry]:
        """Examinations of the run, oldest first."""
        return self.runs.examinations_of(self._run_id)

    def showEvent(self, event: QShowEvent) -> None:
        """Read what was found out while the page was away."""
        super().showEvent(event)
        self._show()

    def _on_run_changed(self, run_id: str) -> None:
        if run_id == self._run_id or run_id in (job.run_id for job in self._jobs()):
            self._show()

    def _show(self) -> None:
        if not self.isVisible():
            return
        what, split = self.what.value(), self.split.currentData()
        asked = [
            job
            for job in self._jobs()
            if (job.run.request.get("what"), job.run.request.get("on")) == (what, split)
        ]
        entry = self.runs.get(self._run_id)
        working = next((job for job in reversed(asked) if job.is_active), None)
        can_ask = entry is not None and entry.has_model and not entry.is_active
        self.again.setEnabled(can_ask and working is None)
        done = [job for job in asked if job.state == "finished"]
        if not done:
            self._wanted = None
            self._show_empty(what, asked[-1] if asked else None, can_ask=can_ask)
            return
        self._want(done[-1])

    def _show_empty(self, what: str, job: RunEntry | None, *, can_ask: bool) -> None:
        is_working = job is not None and job.is_active
        text = EMPTY[what] if can_ask else NO_MODEL
        if job is not None and job.is_active:
            text = f"{job.state_text[:1].upper()}{job.state_text[1:]}…"
        elif job is not None and job.state in ("failed", "lost"):
            text = f"{text}\n\nLast time: {job.message or job.state_text}"
        self.empty.set_text(text)
        self.empty.button.setVisible(can_ask and not is_working)
        self._say_nothing()

    def _say_nothing(self) -> None:
        self.shown = None
        self._stack.setCurrentIndex(0)
        self.found_changed.emit(False)

    def copy_table(self) -> None:
        """Put the table on the clipboard, for a spreadsheet."""
        QGuiApplication.clipboard().setText(self.table.as_tsv())

    def _want(self, job: RunEntry) -> None:
        """Have the job's file read and its rows worked out, unless that was done."""
        class_name = self.class_name.currentData() or ""
        wanted = (job.run_id, self.measure.currentData(), class_name, self._run_id)
        if wanted == self._wanted:
            return
        self._wanted = wanted
        if self.shown is None or self.shown.found.run_id != job.run_id:
            self.empty.set_text("Reading what was found out…")
            self.empty.button.hide()
            self._say_nothing()
        known, run = self._read.get(job.run_id), job.run

        def work(_task: object) -> Shown | None:
            found = known or read_examination(run)
            if found is None:
                return None
            name = class_name if class_name in found.class_names else ""
            return rows_of(found, wanted[1], name)

        self.runs.session.background.start(
            "Reading an examination",
            work,
            lambda shown: self._on_read(wanted, shown),
            self.runs.session.report_error,
        )

    def _on_read(self, wanted: tuple[str, str, str, str], shown: Shown | None) -> None:
        if wanted != self._wanted:
            return
        self.shown = shown
        if shown is None:
            self.empty.set_text("What was found out cannot be read any more. Examine once more.")
            self._say_nothing()
            return
        self._read = {wanted[0]: shown.found}
        self._fill_classes(shown)
        self.table.fill(*_table_of(shown))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for column, width in ((1, 68), (2, 68), (3, 132)):
            self.table.setColumnWidth(column, width)
        self.words.setText(" ".join([*shown.sentences, *shown.found.refused[:1]]))
        self._stack.setCurrentIndex(1)
        self.plot.show_examination(shown)
        self.found_changed.emit(True)

    def _fill_classes(self, shown: Shown) -> None:
        names = shown.found.class_names
        listed = [self.class_name.itemData(i) for i in range(1, self.class_name.count())]
        if listed != list(names):
            self.class_name.clear()
            for data, text in [("", "Mean of classes"), *((name, name) for name in names)]:
                self.class_name.addItem(text, data)
        show_choice(self.class_name, shown.class_name)
        self.class_name.setVisible(len(names) > 1)


class _Plot(FigureView):
    """The figure with its legend."""

    title, noun = "Examination", "examination"
    figure_module = FIGURE_MODULE
    figure: ExaminedFigure | None

    def show_examination(self, shown: Shown) -> None:
        """Draw it."""
        self._shown = shown
        self.redraw_in_sight()

    def ask_to_save(self) -> None:
        """Ask where, and write the picture."""
        self._on_save()

    def create_figure(self) -> QWidget:
        """Make the figure."""
        from orgseg_app.gui.panels.examined_figure import ExaminedFigure

        return ExaminedFigure(self)

    def redraw(self) -> None:
        """Draw what was found out, if anything was."""
        shown: Shown | None = getattr(self, "_shown", None)
        if shown is None or not self.has_figure() or self.figure is None:
            return
        self.figure.show_examination(shown.found, shown.score, shown.class_name)
        self.legend.set_entries(self.figure.legend())
        said = [f"{row.words}: {_number(row.score)}" for row in shown.rows]
        self.setAccessibleDescription(f"{SCORES[shown.score]}. " + "; ".join(said))

    def sizeHint(self) -> QSize:
        """Room for one plot."""
        return QSize(360, 220)


def _table_of(shown: Shown) -> tuple[list[Cell], list[list[Cell]]]:
    """Titles and rows."""
    titles = [
        ("Condition", "What was done to the network or to the images"),
        (SCORES[shown.score], "Of all images counted together"),
        ("Lost", "How much lower it is than that of the model as it is"),
        ("95 % interval", "Holds the mean loss on other images like these in 95 of 100 cases"),
    ]
    rows = []
    for number, row in enumerate(shown.rows):
        cells = [(row.words, row.words), (_number(row.score), ""), ("", ""), ("", "")]
        if number:
            cells[2] = (_number(row.lost), "")
            cells[3] = (_interval(row.interval), "" if row.interval else FEW)
        rows.append(cells)
    return titles, rows


def _chooser(name: str, options: Iterable[tuple[str, str]]) -> CalmComboBox:
    box = CalmComboBox(name)
    for data, text in options:
        box.addItem(text, data)
    box.setToolTip(name)
    return box


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "–" if interval is None else f"{interval[0]:.3f} … {interval[1]:.3f}"
