"""The Compare workspace: which run is better, by how much, where, and why.

A table of runs on top; below it the chosen runs on a test image (A, B and the truth), or their
curves. Scores are read in the background, again whenever runs or test images change.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import (
    QPoint,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.background import Task
from orgseg_app.gui.comparing.columns_menu import ColumnsMenu
from orgseg_app.gui.comparing.filter_bar import FilterBar
from orgseg_app.gui.comparing.pane_data import LETTERS
from orgseg_app.gui.comparing.result_columns import Column
from orgseg_app.gui.comparing.results_data import Candidate, ResultRow, Results, gather
from orgseg_app.gui.comparing.results_pages import ResultsPages
from orgseg_app.gui.comparing.results_table import ResultsTable
from orgseg_app.gui.comparing.shown_runs import ShownRuns
from orgseg_app.gui.comparing.table_acts import TableActs
from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.runs.deleted_bar import DeletedBar
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.session import SAVED, Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    Caption,
    EmptyState,
    IconButton,
    IconPicture,
    SecondaryButton,
    SectionTitle,
    label,
    surface,
)

LOG = logging.getLogger(__name__)

GATHER_DELAY_MS = 400
AHEAD_MS = 1500
"""After a project was opened or a run has ended, scores are read before anybody asks for them."""
ALL_CLASSES = "All classes"
FILTER_FROM = 9
"""A filter field is offered from so many runs on."""


class ResultsView(QWidget):
    """Runs side by side.

    Signals
    -------
    report_requested()
        The button of the head: write a report of the runs in the table.
    score_requested(run_ids)
        Connect it to `RunsModel.score`.
    train_requested()
        From the empty state: go to the Train workspace.
    annotate_requested()
        From the empty state without a painted test image.
    columns_chosen(chosen)
        Scores that a person shows (True) or hides in the table, by key: to be remembered.
    group_chosen(names)
        Classes that the means of a group are over: to be remembered.
    """

    report_requested = Signal()
    score_requested = Signal(list)
    train_requested = Signal()
    annotate_requested = Signal()
    columns_chosen = Signal(dict)
    group_chosen = Signal(list)

    def __init__(self, session: Session, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session, self.runs = session, runs
        self.results = Results()
        self.group: list[str] = []
        self.a = self.b = ""
        self._shown: list[str] = []
        self._task: Task | None = None
        self._asked = 0
        self._is_stale = True
        self._is_choosing = False
        surface(self, "panel")
        self.setAccessibleName("Results")
        set_help(self, "comparing")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(GATHER_DELAY_MS)
        self._timer.timeout.connect(self._gather)
        self._ahead = QTimer(self)
        self._ahead.setSingleShot(True)
        self._ahead.setInterval(AHEAD_MS)
        self._ahead.timeout.connect(self._gather_ahead)
        self._has_news = False
        self._build()
        session.project_changed.connect(self._on_project_changed)
        session.images_changed.connect(self.refresh)
        session.classes_changed.connect(self.refresh)
        session.mask_changed.connect(self._on_mask_changed)
        session.image_selected.connect(self._on_image_selected)
        runs.runs_changed.connect(self._on_runs_changed)
        runs.run_ended.connect(self._on_runs_changed)

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.table = ResultsTable(self)
        self.table.selectionModel().selectionChanged.connect(self._on_selection)
        self.table.customContextMenuRequested.connect(self._open_menu)
        self.pages = ResultsPages(self.session, self.runs, self)
        self.pages.runs_chosen.connect(self._on_runs_chosen)
        self.pages.score_requested.connect(self.score_requested)
        self.columns_menu = ColumnsMenu(self)
        self.columns_menu.columns_chosen.connect(self._on_columns)
        self.columns_menu.group_chosen.connect(self._on_group)
        self.empty = EmptyState("", icon_name="compare")
        self.empty.button.clicked.connect(self._on_empty_action)
        self._empty_action: Any = None
        top = QWidget(self)
        column = QVBoxLayout(top)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._build_head())
        column.addWidget(self._build_note())
        self.filter_bar = FilterBar(self)
        column.addWidget(self.filter_bar)
        column.addWidget(self.table, 1)
        self.deleted_bar = DeletedBar(self.runs, self)
        column.addWidget(self.deleted_bar)
        self.acts = TableActs(self)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.setHandleWidth(1)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(top)
        splitter.addWidget(self.pages)
        splitter.setStretchFactor(0, 2)
        splitter.setStretchFactor(1, 3)
        splitter.setSizes([270, 440])
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(splitter)

    def _build_head(self) -> QHBoxLayout:
        self.title = SectionTitle("Results")
        self.caption = Caption()
        self.caption.setWordWrap(False)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter runs, loss = bce")
        self.filter.setToolTip(
            "Words of name, settings or note; or a condition such as IoU ≥ 0.7, which Enter keeps"
        )
        self.filter.setAccessibleName("Filter runs")
        self.filter.setClearButtonEnabled(True)
        theme.hold(self.filter, width=180)
        self.chooser = QComboBox()
        self.chooser.setAccessibleName("Class")
        self.chooser.setToolTip("Class that table and overlays are about")
        self.chooser.setMinimumContentsLength(10)
        self.chooser.currentIndexChanged.connect(self._on_class)
        self.group_button = IconButton("group", "Group runs, show hidden ones")
        self.group_button.clicked.connect(self.open_groups)
        self.group_menu = QMenu(self)
        self.group_menu.setToolTipsVisible(True)
        self.columns_button = IconButton("table", "Choose columns")
        self.columns_button.clicked.connect(self.open_columns)
        self.copy_button = IconButton("copy", "Copy table", shortcut="Ctrl+C")
        self.copy_button.clicked.connect(self.table.copy)
        self.save_button = IconButton("save", "Save comparison")
        self.save_button.clicked.connect(self.save_comparison)
        self.report_button = IconButton("file", "Write report")
        self.report_button.clicked.connect(self.report_requested)
        head = QHBoxLayout()
        head.setContentsMargins(GROUP, 10, GROUP, 6)
        head.setSpacing(GAP)
        head.addWidget(self.title)
        head.addWidget(self.caption)
        head.addStretch(1)
        buttons = (
            self.group_button,
            self.columns_button,
            self.copy_button,
            self.save_button,
            self.report_button,
        )
        for widget in (self.filter, self.chooser, *buttons, HelpButton("comparing runs")):
            head.addWidget(widget)
        return head

    def _build_note(self) -> QWidget:
        self.note = QWidget(self)
        self.note_text = label(wrap=True, tone="warning")
        self.note_text.setAccessibleName("Note")
        self.score_button = SecondaryButton("Score")
        self.score_button.clicked.connect(self._on_score)
        row = QHBoxLayout(self.note)
        row.setContentsMargins(GROUP, 0, GROUP, 6)
        row.setSpacing(GAP)
        row.addWidget(IconPicture("warning", 16, "warning"))
        row.addWidget(self.note_text, 1)
        row.addWidget(self.score_button)
        self.note.hide()
        return self.note

    # -- gathering ---------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """What was read while the view was away is shown, and what changed since is read."""
        super().showEvent(event)
        if self._has_news:
            self._show_results()
        if self._is_stale:
            self._gather()

    def refresh(self) -> None:
        """Read the scores again soon."""
        self._is_stale = True
        if self.isVisible():
            self._timer.start()

    def _gather_ahead(self) -> None:
        """Read in good time; never while strokes are on their way to the disk."""
        is_wanted = self._is_stale and not self.isVisible() and bool(self.runs.compared_runs())
        if is_wanted and self.session.save_state == SAVED:
            self._gather()

    def _on_runs_changed(self, *_: object) -> None:
        self.refresh()
        self._ahead.start()

    def _on_project_changed(self) -> None:
        self._ahead.stop()
        self.results = Results()
        self._asked += 1  # an answer under way is of the project before
        self.a = self.b = ""
        self._shown = []
        self.acts.forget()
        self.pages.clear()
        self._show_results()
        self.refresh()

    def _on_mask_changed(self, image_id: str, box: object) -> None:
        project = self.session.project
        if project and image_id in project.images and project.images[image_id].split == "test":
            self.refresh()

    def _on_image_selected(self, image_id: str) -> None:
        """A test image chosen in the list of images is shown here too."""
        if image_id in self.results.images:
            self.pages.images.choose(image_id)

    def _gather(self) -> None:
        file = self.session.file
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._is_stale = False
        self._asked += 1
        asked = self._asked
        if file is None:
            self.results = Results()
            self._show_results()
            return
        candidates = [Candidate.of(entry) for entry in self.runs.compared_runs()]
        scorings = [entry.run for entry in self.runs.all() if entry.kind == "score"]
        group = tuple(self.group)

        def work(task: Task) -> tuple[int, Results | Exception] | None:
            if task.is_cancelled:
                return None
            try:
                return asked, gather(
                    file, candidates, group, scorings=scorings, progress=task.report
                )
            except Exception as error:
                LOG.exception("comparing runs failed")
                return asked, error

        self.session.fold_in()
        # A bound method: Qt drops the answer when this widget is gone before it comes.
        self._task = self.session.background.start("Comparing runs", work, self._on_gathered)
        self._task.progressed.connect(self._on_progress)
        if not self.results.rows:
            self._show_results()

    def _on_gathered(self, answer: tuple[int, Results | Exception] | None) -> None:
        if answer is None or answer[0] != self._asked:
            return
        self._task = None
        if isinstance(answer[1], Exception):
            self.results = Results(problem=f"The runs could not be compared. {answer[1]}")
            self.session.report_error(answer[1])
        else:
            self.results = answer[1]
        self._has_news = not self.isVisible()
        if self.isVisible():
            self._show_results()

    def _on_progress(self, done: int, total: int, text: str) -> None:
        """Scores of older runs are worked out once, which takes a second or so for each."""
        if self._task is not None and not self.results.rows and done:
            self.empty.set_text(f"Reading scores… {done} of {total} runs")

    @property
    def is_gathering(self) -> bool:
        """Whether scores are being read."""
        return self._task is not None

    # -- showing -----------------------------------------------------------------------------------

    def _show_results(self) -> None:
        self._has_news = False
        results = self.results
        if not self._show_empty():
            return
        self._fill_classes()
        self.filter.setVisible(len(results.rows) >= FILTER_FROM or bool(self.filter.text()))
        chosen = [row.run_id for row in self.table.chosen()]
        blocked = self.table.selectionModel().blockSignals(True)
        self.table.results.set_results(results, self.class_name)
        self.table.selectionModel().blockSignals(blocked)
        self.table.fit_columns()
        ranked = len(results.ranked)
        images = len(results.images)
        noun = "test image" if images == 1 else "test images"
        self.caption.setText(f"{ranked} of {len(results.rows)} runs ranked on {images} {noun}")
        self.note_text.setText(" ".join(results.notes))
        self.note.setVisible(bool(results.notes))
        count = len(results.to_score)
        self.score_button.setText("Score" if count == 1 else f"Score {count} runs")
        self.score_button.setVisible(count > 0)
        self._choose_runs(chosen)

    def show_rows(self, results: Results) -> None:
        """The same runs with other notes."""
        self.results = results
        self._show_results()

    def _show_empty(self) -> bool:
        """Show what is missing; True when there is something to show instead."""
        results = self.results
        text, action, signal = "", "", None
        if self.session.project is None:
            text = "Open a project to compare its models."
        elif results.problem:
            text, action, signal = results.problem, "Annotate", self.annotate_requested
        elif not results.rows and self._task is not None:
            text = "Reading scores…"
        elif not results.rows:
            text = "No models yet. Paint at least two classes, then Train."
            action, signal = "Train", self.train_requested
        self.empty.set_text(text)
        self.empty.button.setText(action)
        self.empty.button.setVisible(bool(action))
        self._empty_action = signal
        self._stack.setCurrentIndex(0 if text else 1)
        return not text

    def _on_empty_action(self) -> None:
        if self._empty_action is not None:
            self._empty_action.emit()

    @property
    def class_name(self) -> str:
        """Class chosen; "" for all."""
        return str(self.chooser.currentData() or "")

    def _fill_classes(self) -> None:
        names = self.results.class_names
        chosen = self.class_name
        blocked = self.chooser.blockSignals(True)
        self.chooser.clear()
        if len(names) > 1:
            self.chooser.addItem(ALL_CLASSES, "")
        for name in names:
            self.chooser.addItem(name, name)
        self.chooser.setCurrentIndex(max(0, self.chooser.findData(chosen)))
        self.chooser.blockSignals(blocked)
        self.chooser.setVisible(len(names) > 1)

    def _choose_runs(self, wanted: list[str]) -> None:
        """Select the runs that were selected, or the two best."""
        rows = self.table.results.rows
        shown = [row.run_id for row in rows]
        chosen = [run_id for run_id in wanted if run_id in shown]
        if not chosen:
            with_scores = [row.run_id for row in rows if row.images]
            chosen = (with_scores or shown)[:2]
        self._is_choosing = True  # the pages are filled once, and not for each change on the way
        self.table.choose(chosen)
        self._is_choosing = False
        self._on_selection()

    def _on_selection(self) -> None:
        """A and B are the first two selected; with one, B is the best other."""
        if self._is_choosing:
            return
        chosen = [row.run_id for row in self.table.chosen()]
        if not chosen:
            return
        if set(chosen) == set(self._shown):
            self._show_runs(self._shown)  # with the letters they have
            return
        a = chosen[0]
        others = [row.run_id for row in self.table.results.rows if row.images and row.run_id != a]
        b = chosen[1] if len(chosen) > 1 else next(iter(others), "")
        self._show_pair(a, b)

    def _show_pair(self, a: str, b: str) -> None:
        """Show these as A and B ("" for none), and after them what else is selected."""
        further = [row.run_id for row in self.table.chosen() if row.run_id not in (a, b)]
        self._show_runs([a, b, *further] if b else [a])

    def _show_runs(self, run_ids: Sequence[str]) -> None:
        """Show runs as A, B and so on; they keep their letters until others are selected."""
        rows = [row for run_id in run_ids if (row := self.results.row(run_id)) is not None]
        self._shown = [row.run_id for row in rows]
        self.a, self.b = (*self._shown, "", "")[:2]
        letters = dict(zip(self._shown, LETTERS, strict=False))
        self.table.results.set_letters(letters)
        first, second = (*rows, None, None)[:2]
        order, further = tuple(self.table.results.rows), tuple(rows[2:])
        self.pages.show_runs(
            ShownRuns(self.results, order, first, second, further, self.class_name)
        )

    # -- the person --------------------------------------------------------------------------------

    def choose_columns(self, chosen: Mapping[str, bool]) -> None:
        """Show and hide scores, by key; others are as usual."""
        self.table.results.choose_columns(chosen)
        self._show_results()

    def open_columns(self) -> None:
        """A menu of the scores that the table can show."""
        if self._stack.currentIndex() == 0:
            self.session.message.emit("There are no runs with scores to show yet.", "info")
            return
        self._fill_columns()
        button = self.columns_button
        self.columns_menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    def _fill_columns(self) -> None:
        names, chosen = self.results.class_names, self.table.results.chosen
        rows = self.results.rows
        self.columns_menu.fill(names, self.class_name, chosen, self.results.group, rows)

    def _on_columns(self, chosen: dict[str, bool]) -> None:
        self.choose_columns(chosen)
        self.columns_chosen.emit(chosen)

    def _on_group(self, names: list[str]) -> None:
        self.group = names
        self.group_chosen.emit(names)
        self.refresh()

    def open_groups(self) -> None:
        """A menu of what the runs can be grouped by."""
        self.acts.fill_groups(self.group_menu)
        button = self.group_button
        self.group_menu.popup(button.mapToGlobal(button.rect().bottomLeft()))

    def _on_class(self) -> None:
        self._show_results()

    def _on_runs_chosen(self, run_ids: list[str]) -> None:
        """In the headings of the panes: the table has them selected, too."""
        if run_ids:
            self._shown = run_ids
            self.table.choose(run_ids)
            self._show_runs(run_ids)

    def _on_score(self) -> None:
        self.score_requested.emit(self.results.to_score)

    def _open_menu(self, at: QPoint) -> None:
        index = self.table.indexAt(at)
        row = self.table.results.row(index.row())
        if row is not None:
            column = self.table.results.columns[index.column()]
            self.make_menu(row, column).popup(self.table.viewport().mapToGlobal(at))

    def make_menu(self, row: ResultRow, column: Column | None = None) -> QMenu:
        """What one may do with a run of the table, from one of its cells."""
        menu = self.acts.run_menu(row, column)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addSeparator()
        menu.addAction("Copy", self.table.copy)
        menu.addAction("Save comparison…", self.save_comparison)
        return menu

    def _show_confusion(self, run_id: str, other: str) -> None:
        self._show_pair(run_id, other)
        self.pages.show_page("confusion")

    def save_comparison(self) -> None:
        """Ask where, and write the ranked runs as a table."""
        if self.results.comparison is None:
            text = "There is nothing to save yet: no run is scored on the test images."
            self.session.message.emit(text, "info")
            return
        name, _ = QFileDialog.getSaveFileName(
            self, "Save comparison", "comparison.csv", "Tables (*.csv *.xlsx *.json)"
        )
        if name:
            path = Path(name)
            self.write_comparison(path if path.suffix else path.with_suffix(".csv"))

    def write_comparison(self, path: Path) -> None:
        """Write the ranked runs as a report does, in the background."""
        comparison, file = self.results.comparison, self.session.file
        if comparison is None:
            return
        runs = [entry.run for entry in self.runs.compared_runs()]

        def work(task: Task) -> Path:
            from orgseg_app.runs.reporting.report import make_report
            from orgseg_app.runs.reporting.writing import check_suffix, write_report

            check_suffix(path)  # before the runs are read
            report = make_report(comparison, runs, project_file=file, with_pictures=False)
            return write_report(path, report)

        self.session.background.start(
            "Saving the comparison",
            work,
            lambda _: self.session.message.emit(f"Comparison saved as “{path.name}”.", "info"),
            self.session.report_error,
        )
