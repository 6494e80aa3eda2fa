"""The runs of the project with their curves, and everything one may ask of a run."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from orgseg_app.gui.comparing.curves_view import CurvesView
from orgseg_app.gui.help.context import HelpButton, ask_help, set_help
from orgseg_app.gui.help.trouble_pages import page_of_failure
from orgseg_app.gui.panels.log_dialog import LogDialog
from orgseg_app.gui.panels.runs_details import RunDetails
from orgseg_app.gui.panels.runs_list import RunsList
from orgseg_app.gui.panels.training_start import can_start
from orgseg_app.gui.runs.deleted_bar import DeletedBar
from orgseg_app.gui.runs.joining import can_join, seeds_of
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    GAP,
    EmptyState,
    IconButton,
    SecondaryButton,
    SectionTitle,
    Separator,
    surface,
)
from orgseg_app.runs.examination import NOISE, WHATS
from orgseg_app.runs.folder import MODEL_KINDS


class RunsPanel(QWidget):
    """Runs on the left, the curves of the selected ones on the right.

    Without a selection the run that is learning, or else the newest, is drawn.

    Signals
    -------
    recipe_requested(Recipe)
        Train again with the recipe of a run; connect it to `TrainingPanel.use_recipe`.
    further_requested(run_id)
        A new run that begins with the model of this one.
    retrain_requested(run_id)
        As `further_requested`, with more weight where that model was wrong.
    ensemble_requested(list of run_id)
        Let these decide together.
    examination_requested(what, run_id)
        Find out what its model relies on, or bears: one of `runs.examination.WHATS`.
    train_requested()
        From the empty state.
    """

    recipe_requested = Signal(object)
    further_requested = Signal(str)
    retrain_requested = Signal(str)
    ensemble_requested = Signal(list)
    examination_requested = Signal(str, str)
    train_requested = Signal()

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        surface(self)
        self.setAccessibleName("Runs of the project")
        set_help(self, "training#runs")
        self.list = RunsList(runs, self)
        self.details = RunDetails(runs, self)
        self.details.examination_requested.connect(self.examination_requested)
        self.empty = EmptyState(
            "No models yet. Paint at least two classes, then Train.", icon_name="model"
        )
        self._build()
        self.list.chosen_changed.connect(self._on_chosen_changed)
        self.list.delete_pressed.connect(self._on_delete)
        self.list.customContextMenuRequested.connect(self._open_menu)
        self.list.doubleClicked.connect(self.list.rename_current)
        runs.runs_changed.connect(self._on_runs_changed)
        runs.run_changed.connect(self._on_run_changed)
        runs.run_ended.connect(self._on_chosen_changed)
        runs.run_prepared.connect(self._on_run_prepared)
        self._on_runs_changed()

    @property
    def curves(self) -> CurvesView:
        """The curves of the chosen runs."""
        return self.details.curves

    # -- building ----------------------------------------------------------------------------------

    def _build(self) -> None:
        self.pause = IconButton("pause", "Pause")
        self.pause.clicked.connect(self._on_pause)
        self.stop = IconButton("stop", "Stop; the best model so far is kept")
        self.stop.clicked.connect(self._on_stop)
        self.more = IconButton("more", "More")
        self.more.clicked.connect(self._on_more)
        head = QHBoxLayout()
        head.setContentsMargins(16, 6, GAP, 4)
        head.setSpacing(2)
        head.addWidget(SectionTitle("Runs"))
        head.addStretch(1)
        for button in (self.pause, self.stop, self.more, HelpButton("runs")):
            head.addWidget(button)
        self.undo_bar = DeletedBar(self.runs, self)
        self.undo_text = self.undo_bar.text
        left = QWidget(self)
        theme.hold(left, least_width=220)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 0, 4)
        column.setSpacing(0)
        column.addLayout(head)
        column.addWidget(self.list, 1)
        column.addLayout(self._build_studies())
        column.addWidget(self.undo_bar)
        splitter = QSplitter(Qt.Orientation.Horizontal)
        splitter.setHandleWidth(1)
        splitter.setChildrenCollapsible(False)
        splitter.addWidget(left)
        splitter.addWidget(self.details)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([288, 480])
        pages = QWidget(self)
        self._stack = QStackedLayout(pages)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(splitter)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(Separator())
        outer.addWidget(pages, 1)

    def _build_studies(self) -> QHBoxLayout:
        """Dozens of runs of a study would bury the others: they are listed when wanted."""
        self.studies = SecondaryButton("", quiet=True)
        self.studies.setToolTip("What came of studies is in Compare, under Studies")
        self.studies.clicked.connect(self._on_studies)
        row = QHBoxLayout()
        row.setContentsMargins(GAP, 2, GAP, 0)
        row.addWidget(self.studies)
        row.addStretch(1)
        return row

    def _on_studies(self) -> None:
        self.list.list_model.hide_studies(not self.list.list_model.hides_studies)
        self._on_runs_changed()

    # -- showing -----------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """The runs may have changed meanwhile."""
        super().showEvent(event)
        self._on_chosen_changed()

    def _on_runs_changed(self) -> None:
        count = sum(entry.is_of_study for entry in self.runs.all())
        hides = self.list.list_model.hides_studies
        self.studies.setText(f"Show {count} runs of studies" if hides else "Hide runs of studies")
        self.studies.setVisible(count > 0)
        has_any = self.list.list_model.rowCount() + count > 0 or not self.undo_bar.isHidden()
        self._stack.setCurrentIndex(1 if has_any else 0)
        self._on_chosen_changed()

    def _on_chosen_changed(self) -> None:
        known = [entry.run_id for entry in self.runs.model_runs()]
        chosen = [run_id for run_id in self.list.chosen() if run_id in known]
        if not chosen and known:
            current = self._working()
            chosen = [current] if current else known[-1:]
        self.details.set_runs(chosen, behind=known if len(chosen) == 1 else [])
        self._show_buttons()

    def _on_run_prepared(self, run_id: str) -> None:
        """A new run takes over the curves, unless another is learning still."""
        others = [entry for entry in self.runs.active() if entry.run_id != run_id]
        if not others:
            self.list.choose([])

    def _working(self) -> str:
        """Id of the training or ensemble that works, or is next, or ""."""
        order = {"running": 0, "paused": 1, "queued": 2}
        active = [entry for entry in self.runs.model_runs() if entry.is_active]
        found = min(active, key=lambda entry: order[entry.state], default=None)
        return found.run_id if found is not None else ""

    def _on_run_changed(self, run_id: str) -> None:
        if not self.list.chosen() and self._working() not in ("", *self.curves.shown):
            self._on_chosen_changed()
        self._show_buttons()

    def selected(self) -> list[RunEntry]:
        """The selected runs; without a selection the one that is working."""
        found = [entry for i in self.list.chosen() if (entry := self.runs.get(i)) is not None]
        current = self.runs.current()
        return found or ([current] if current is not None else [])

    def _show_buttons(self) -> None:
        active = [entry for entry in self.selected() if entry.is_active]
        paused = bool(active) and all(entry.state == "paused" for entry in active)
        self.pause.setEnabled(bool(active))
        if paused:
            self.pause.describe("play", "Go on")
        else:
            self.pause.describe("pause", "Pause")
        self.stop.setEnabled(bool(active))
        self.more.setEnabled(bool(self.selected()))

    # -- asking ------------------------------------------------------------------------------------

    def _on_pause(self) -> None:
        active = [entry for entry in self.selected() if entry.is_active]
        paused = [entry for entry in active if entry.state == "paused"]
        for entry in paused if len(paused) == len(active) else active:
            if entry.state == "paused":
                self.runs.request_resume(entry.run_id)
            else:
                self.runs.request_pause(entry.run_id)

    def _on_stop(self) -> None:
        for entry in self.selected():
            if entry.is_active:
                self.runs.request_stop(entry.run_id)

    def _on_more(self) -> None:
        self._open_menu_at(self.more.mapToGlobal(QPoint(0, self.more.height())))

    def _open_menu(self, at: QPoint) -> None:
        self._open_menu_at(self.list.viewport().mapToGlobal(at))

    def _open_menu_at(self, at: QPoint) -> None:
        selected = self.selected()
        if selected:
            self.make_menu(selected).popup(at)

    def make_menu(self, selected: list[RunEntry]) -> QMenu:
        """What one may do with these runs."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        one = selected[0]
        active = [entry for entry in selected if entry.is_active]
        alone = len(selected) == 1

        def add(text: str, call: Any, enabled: bool = True, keys: str = "") -> None:
            action = menu.addAction(text, call)
            action.setEnabled(enabled)
            if keys:
                action.setShortcut(keys)

        if alone and one.kind in MODEL_KINDS:
            add("Rename", self.list.rename_current, keys="F2")
        if alone and one.kind == "train":
            add("Train again with this recipe", partial(self._on_recipe, one), bool(one.recipe))
            further = partial(self.further_requested.emit, one.run_id)
            add("Train further from this run", further, can_start(one))
            again = partial(self.retrain_requested.emit, one.run_id)
            add("Retrain on corrections…", again, can_start(one))
        if alone and one.kind in MODEL_KINDS:
            for what in WHATS if one.kind == "train" else (NOISE,):  # levels are of one network
                ask = partial(self.examination_requested.emit, what, one.run_id)
                add(f"{WHATS[what]}…", ask, one.has_model and not one.is_active)
        together = self._together(selected)
        if len(together) > 1:
            ids = [entry.run_id for entry in together]
            text = f"Make an ensemble of these {len(ids)} runs…"
            if alone:
                text = f"Make an ensemble of its {len(ids)} seeds…"
            add(text, partial(self.ensemble_requested.emit, ids))
        can_go_on = alone and one.state in ("paused", "stopped", "failed", "lost")
        if can_go_on:
            add("Go on", partial(self.runs.request_resume, one.run_id))
        elif any(entry.kind == "train" for entry in active):
            add("Pause", self._on_pause)
        if active:
            add("Stop", self._on_stop)
            if alone:
                add("End at once", partial(self.runs.kill, one.run_id))
        menu.addSeparator()
        if alone and one.state in ("failed", "lost"):
            page = page_of_failure(one.message, state=one.state)
            add("What to do", partial(ask_help, self, page))
        if alone:
            add("Show log", partial(self._on_log, one))
            add("Open folder", partial(self._on_folder, one))
            menu.addSeparator()
        noun = "Delete" if alone else f"Delete {len(selected)} runs"
        add(noun, self._on_delete, not active, keys="Del")
        return menu

    def _together(self, selected: list[RunEntry]) -> list[RunEntry]:
        """Those that can be an ensemble: the selected ones, or all seeds of the one selected."""
        if len(selected) == 1:
            selected = seeds_of(selected[0], self.runs.trainings())
        return [entry for entry in selected if can_join(entry)]

    def _on_recipe(self, entry: RunEntry) -> None:
        self.recipe_requested.emit(entry.recipe)

    def _on_log(self, entry: RunEntry) -> None:
        dialog = LogDialog(entry, self.runs.session, self.window())
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.show()

    def _on_folder(self, entry: RunEntry) -> None:
        if not entry.run.exists:
            text = f"The folder of “{entry.name}” is gone. The project is untouched."
            self.runs.session.message.emit(text, "error")
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(entry.run.path)))

    def _on_delete(self) -> None:
        self.runs.delete(self.list.chosen())
