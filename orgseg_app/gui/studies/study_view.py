"""One study: its question, its ranking, and below it a page a question about it."""

from __future__ import annotations

import time

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.help.context import HelpButton
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies import study_lines
from orgseg_app.gui.studies.effects_view import EffectsView
from orgseg_app.gui.studies.facts_table import FactsTable
from orgseg_app.gui.studies.grid_data import Grid, grid_of
from orgseg_app.gui.studies.heat_map_view import HeatMapView
from orgseg_app.gui.studies.study_facts import StudyFacts
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox, Segments, show_choice
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    Caption,
    ElidedLabel,
    IconButton,
    IconPicture,
    ScrollColumn,
    SecondaryButton,
    SectionTitle,
    Separator,
    label,
)
from orgseg_app.runs.studies.definition import titles
from orgseg_app.runs.studies.results import StudyResults
from orgseg_app.runs.studies.wording import SCORES, axis_title, combination_title, runs_words

PAGES = {
    "map": ("Heat map", "Mean score over two axes; a click on a cell chooses its runs"),
    "effects": ("Each axis", "What each axis does by itself"),
    "why": ("Why is this one better", "The best beside each combination a single step away"),
    "runs": ("Runs", "Every run in the order in which they are trained"),
    "notes": ("Notes", "What to know before trusting the figures"),
}


class StudyView(QWidget):
    """Shows one study as far as it has come.

    Signals
    -------
    pause_requested(study_id), resume_requested(study_id), stop_requested(study_id)
    runs_chosen(list of run_id)
        Lines or a cell were selected.
    runs_requested(list of run_id)
        Show these in the table of runs.
    report_requested()
        All that came of it, as a file.
    """

    pause_requested = Signal(str)
    resume_requested = Signal(str)
    stop_requested = Signal(str)
    runs_chosen = Signal(list)
    runs_requested = Signal(list)
    report_requested = Signal()

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.facts: StudyFacts | None = None
        self.results: StudyResults | None = None
        self._chosen: list[str] = []
        self._build()

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.ranking = FactsTable("Combinations ranked on the validation images", self)
        self.ranking.runs_chosen.connect(self._on_runs_chosen)
        self.ranking.activated_runs.connect(self.runs_requested)
        top = QWidget(self)
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._build_head())
        column.addLayout(self._build_words())
        column.addWidget(self.ranking, 1)
        bottom = QWidget(self)
        below = QVBoxLayout(bottom)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(0)
        below.addWidget(Separator())
        below.addLayout(self._build_tabs())
        below.addWidget(self._build_pages(), 1)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setHandleWidth(1)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(top)
        splitter.addWidget(bottom)
        splitter.setSizes([320, 360])
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(splitter)

    def _build_head(self) -> QHBoxLayout:
        self.name = SectionTitle("")
        self.state = ElidedLabel()
        self.state.setProperty("tone", "secondary")
        self.pause_button = SecondaryButton("Pause", "pause")
        self.pause_button.setToolTip("Wait, with the run that is learning")
        self.pause_button.clicked.connect(lambda: self._ask(self.pause_requested))
        self.resume_button = SecondaryButton("Resume", "play")
        self.resume_button.setToolTip("Go on where it was; runs that failed are tried again")
        self.resume_button.clicked.connect(lambda: self._ask(self.resume_requested))
        self.stop_button = SecondaryButton("Stop", "stop")
        self.stop_button.setToolTip("End soon; what was learnt is kept, and it can go on later")
        self.stop_button.clicked.connect(lambda: self._ask(self.stop_requested))
        self.copy_button = IconButton("copy", "Copy the ranking", shortcut="Ctrl+C")
        self.copy_button.clicked.connect(self.ranking.copy)
        self.report_button = IconButton(
            "file", "Write report: a page to print, a workbook, or a table"
        )
        self.report_button.clicked.connect(self.report_requested)
        head = QHBoxLayout()
        head.setContentsMargins(GROUP, 6, GROUP, 2)
        head.setSpacing(GAP)
        head.addWidget(self.name)
        head.addWidget(self.state, 1)
        for button in (self.pause_button, self.resume_button, self.stop_button):
            head.addWidget(button)
        head.addWidget(self.copy_button)
        head.addWidget(self.report_button)
        head.addWidget(HelpButton("studies"))
        return head

    def _build_words(self) -> QVBoxLayout:
        self.question = label(wrap=True)
        self.question.setAccessibleName("Question")
        self.judged = Caption()
        self.judged.setAccessibleName("What the test images are for")
        words = QVBoxLayout()
        words.setContentsMargins(GROUP, 0, GROUP, 6)
        words.setSpacing(4)
        words.addWidget(self.question)
        words.addWidget(self.judged)
        return words

    def _build_tabs(self) -> QHBoxLayout:
        words = [(page, text) for page, (text, _) in PAGES.items()]
        tips = {page: tip for page, (_, tip) in PAGES.items()}
        self.tabs = Segments("Pages", words, self, tips=tips)
        self.tabs.chosen.connect(self.show_page)
        tabs = QHBoxLayout()
        tabs.setContentsMargins(12, 6, GROUP, 2)
        tabs.setSpacing(2)
        tabs.addWidget(self.tabs)
        tabs.addStretch(1)
        self.runs_button = SecondaryButton("", "table", quiet=True)
        self.runs_button.setToolTip("In the table of runs, beside their pictures and curves")
        self.runs_button.clicked.connect(lambda: self.runs_requested.emit(self._chosen))
        self.runs_button.hide()
        tabs.addWidget(self.runs_button)
        self.copy_page = IconButton("copy", "Copy as a table")
        self.copy_page.clicked.connect(self._on_copy_page)
        self.save_page = IconButton("image", "Save as SVG or PNG")
        self.save_page.clicked.connect(self._on_save_page)
        tabs.addWidget(self.copy_page)
        tabs.addWidget(self.save_page)
        return tabs

    def _build_pages(self) -> QStackedWidget:
        self.map = HeatMapView(self.session)
        self.map.cell_chosen.connect(self._on_runs_chosen)
        self.map.cell_activated.connect(self.runs_requested)
        self.effects = EffectsView(self.session)
        self.why = FactsTable("Why the best is ahead", self)
        self.runs = FactsTable("Runs of the study", self)
        for table in (self.why, self.runs):
            table.runs_chosen.connect(self._on_runs_chosen)
            table.activated_runs.connect(self.runs_requested)
        self.why_words = Caption()
        why = QWidget(self)
        column = QVBoxLayout(why)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(4)
        caption = QHBoxLayout()
        caption.setContentsMargins(GROUP, 0, GROUP, 0)
        caption.addWidget(self.why_words)
        column.addLayout(caption)
        column.addWidget(self.why, 1)
        notes = QWidget(self)
        self._notes = QVBoxLayout(notes)
        self._notes.setContentsMargins(GROUP, GAP, GROUP, GAP)
        self._notes.setSpacing(GAP)
        self.pages = QStackedWidget()
        map_page = self._build_map_page()
        pages = (map_page, ScrollColumn(self.effects), why, self.runs, ScrollColumn(notes))
        for page in pages:
            self.pages.addWidget(page)
        return self.pages

    def _build_map_page(self) -> QWidget:
        self.rows_box, self.columns_box = CalmComboBox("Rows"), CalmComboBox("Columns")
        self.axes = QWidget(self)
        theme.hold(self.axes, width=170)
        column = QVBoxLayout(self.axes)
        column.setContentsMargins(0, 4, GROUP, 0)
        column.setSpacing(4)
        for text, box in (("Rows", self.rows_box), ("Columns", self.columns_box)):
            column.addWidget(label(text, tone="secondary"))
            column.addWidget(box)
            column.addSpacing(4)
            box.view().setAccessibleName(text)
            box.setMinimumContentsLength(8)
            box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.currentIndexChanged.connect(lambda _, b=box: self._on_axis(b))
        column.addStretch(1)
        page = QWidget(self)
        row = QHBoxLayout(page)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(_Spread(self.map), 1)
        row.addWidget(self.axes)
        return page

    # -- showing -----------------------------------------------------------------------------------

    def show_facts(self, facts: StudyFacts | None) -> None:
        """Show where a study stands; its figures come with `show_results`."""
        is_other = facts is None or self.facts is None or facts.study_id != self.facts.study_id
        self.facts = facts
        if facts is None:
            return
        if is_other:
            self.results = None
            self._choose([])
        self.name.setText(facts.name)
        self.state.setText(facts.words(time.time()))
        self.question.setText(facts.folder.study.question)
        self.question.setVisible(bool(facts.folder.study.question))
        self.pause_button.setVisible(facts.can_pause)
        self.resume_button.setVisible(facts.can_resume)
        self.stop_button.setVisible(facts.is_active)

    def show_results(self, results: StudyResults) -> None:
        """Show the figures as they are now."""
        is_first = self.results is None
        self.results = results
        self.ranking.take(*study_lines.ranking(results))
        self.judged.setText(
            "Ranked on the validation images. The test images judge that one choice."
            if results.test is not None
            else "Ranked on the validation images. Test scores are shown once all runs are done."
        )
        if is_first:
            self._fill_axes(results)
        self._show_map()
        score = SCORES[results.folder.study.score]
        self.effects.show_effects(results.effects, results.runs, score)
        self.why.take(*study_lines.why(results))
        best = results.best
        self.why_words.setText(
            f"{combination_title(best.places)} is ahead. Image by image, beside what differs "
            "in one setting only:"
            if best is not None and results.why
            else "Nothing to compare yet: the best needs a scored neighbour that differs in one "
            "setting."
        )
        self._show_runs()
        self._show_notes(results)
        self.show_page(self.tabs.value())

    def _show_runs(self) -> None:
        if self.results is not None and self.facts is not None:
            self.runs.take(*study_lines.queue(self.results, self.facts.cells))

    def _fill_axes(self, results: StudyResults) -> None:
        keys = [axis.key for axis in results.folder.study.axes]
        for box in (self.rows_box, self.columns_box):
            blocked = box.blockSignals(True)
            box.clear()
            for key in keys:
                box.addItem(axis_title(key), key)
            box.blockSignals(blocked)
        if len(keys) > 1:
            show_choice(self.columns_box, keys[1])

    def _show_map(self) -> None:
        results = self.results
        if results is None or not results.folder.study.axes:
            self.map.show_grid(Grid(), "")
            return
        row, column = self.rows_box.currentData(), self.columns_box.currentData()
        grid = grid_of(results.runs, "" if row == column else row, column)
        self.map.show_grid(grid, SCORES[results.folder.study.score])

    def _show_notes(self, results: StudyResults) -> None:
        while (item := self._notes.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        said = [*results.notes, *(results.test.notes if results.test is not None else ())]
        for text in dict.fromkeys(said):
            self._notes.addWidget(_note("info", text))
        for refused in results.refused:
            self._notes.addWidget(
                _note("warning", f"Left out: {titles(refused.places)}. {refused.reason}")
            )
        if source := results.folder.study.source:
            self._notes.addWidget(_note("file", f"Source: {source}"))
        self._notes.addStretch(1)
        count = len(dict.fromkeys(said)) + len(results.refused)
        self.tabs.button("notes").setText(f"Notes ({count})")

    def show_page(self, page: str) -> None:
        """One of `PAGES`."""
        self.tabs.set_value(page)
        self.pages.setCurrentIndex(list(PAGES).index(page))
        axes = self.results.folder.study.axes if self.results is not None else ()
        self.axes.setVisible(len(axes) > 1)
        self.copy_page.setVisible(page != "notes")
        self.save_page.setVisible(page in ("map", "effects"))

    # -- the person --------------------------------------------------------------------------------

    def _ask(self, signal: object) -> None:
        if self.facts is not None:
            signal.emit(self.facts.study_id)  # type: ignore[attr-defined]

    def _on_axis(self, changed: CalmComboBox) -> None:
        """Rows and columns are never the same axis: the other one gives way."""
        other = self.columns_box if changed is self.rows_box else self.rows_box
        if changed.currentData() == other.currentData() and other.count() > 1:
            blocked = other.blockSignals(True)
            other.setCurrentIndex((other.currentIndex() + 1) % other.count())
            other.blockSignals(blocked)
        self._show_map()

    def _on_runs_chosen(self, run_ids: list[str]) -> None:
        self._choose(run_ids)
        if run_ids:
            self.runs_chosen.emit(run_ids)

    def _choose(self, run_ids: list[str]) -> None:
        self._chosen = list(dict.fromkeys(run_ids))
        count = len(self._chosen)
        self.runs_button.setText(f"Show {runs_words(count)}")
        self.runs_button.setVisible(count > 0)

    def _on_copy_page(self) -> None:
        page = list(PAGES)[self.pages.currentIndex()]
        if page == "map":
            self.map.copy_table()
        elif page == "effects":
            self.effects.copy_table()
        else:
            (self.why if page == "why" else self.runs).copy()

    def _on_save_page(self) -> None:
        is_map = list(PAGES)[self.pages.currentIndex()] == "map"
        (self.map if is_map else self.effects).ask_where()


class _Spread(ScrollColumn):
    """A figure that scrolls both ways where it does not fit."""

    def __init__(self, content: QWidget) -> None:
        super().__init__(content)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)

    def minimumSizeHint(self) -> QSize:
        """Narrower is fine: it scrolls."""
        return QSize(240, 96)


def _note(icon_name: str, text: str) -> QWidget:
    line = QWidget()
    row = QHBoxLayout(line)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GAP)
    tone = "warning" if icon_name == "warning" else "secondary"
    row.addWidget(IconPicture(icon_name, 16, tone), 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(label(text, wrap=True), 1)
    return line
