"""The Compare workspace, about studies: which there are, and what came of the one that is chosen.

Everything is read and computed in the background, again whenever a run of the study finishes.
"""

from __future__ import annotations

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QHBoxLayout,
    QSplitter,
    QStackedLayout,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies.studies_list import StudiesList
from orgseg_app.gui.studies.studies_model import StudiesModel
from orgseg_app.gui.studies.study_facts import StudyFacts
from orgseg_app.gui.studies.study_view import StudyView
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import EmptyState, SecondaryButton, surface
from orgseg_app.runs.studies.results import StudyResults

READ_DELAY_MS = 400
TICK_MS = 5000
"""The time left is said anew so often while a study is at work."""

Signs = tuple[str, str, int, int, int]


class StudiesView(QWidget):
    """A list of studies at the left, the chosen one at the right.

    Signals
    -------
    new_requested()
        From the button, or from the empty state.
    runs_chosen(list of run_id), runs_requested(list of run_id)
        As in `StudyView`.
    report_requested()
        Of the study that is shown.
    """

    new_requested = Signal()
    runs_chosen = Signal(list)
    runs_requested = Signal(list)
    report_requested = Signal()

    def __init__(
        self,
        session: Session,
        studies: StudiesModel,
        runs: RunsModel,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.studies, self.runs = session, studies, runs
        self._asked = 0
        self._read_of: Signs | None = None
        surface(self, "panel")
        self.setAccessibleName("Studies")
        set_help(self, "studies")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(READ_DELAY_MS)
        self._timer.timeout.connect(self._read)
        self._clock = QTimer(self)
        self._clock.setInterval(TICK_MS)
        self._clock.timeout.connect(self._show_state)
        self._build()
        studies.studies_changed.connect(self._on_studies_changed)
        studies.study_changed.connect(self._on_study_changed)
        studies.preparing_changed.connect(self._show_empty)
        runs.run_ended.connect(self._on_run_ended)
        self._on_studies_changed()

    def _build(self) -> None:
        self.list = StudiesList(self.studies, self)
        self.list.chosen.connect(self._on_chosen)
        self.new_button = SecondaryButton("New study…", "plus")
        self.new_button.clicked.connect(self.new_requested)
        left = QWidget(self)
        theme.hold(left, least_width=180)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 48, 0, 12)  # the switch of the workspace lies above
        column.setSpacing(8)
        column.addWidget(self.list, 1)
        row = QHBoxLayout()
        row.setContentsMargins(12, 0, 12, 0)
        row.addWidget(self.new_button)
        column.addLayout(row)
        self.study = StudyView(self.session, self)
        self.study.pause_requested.connect(self.studies.request_pause)
        self.study.resume_requested.connect(self.studies.request_resume)
        self.study.stop_requested.connect(self.studies.request_stop)
        self.study.runs_chosen.connect(self.runs_chosen)
        self.study.runs_requested.connect(self.runs_requested)
        self.study.report_requested.connect(self.report_requested)
        self.splitter = QSplitter()
        self.splitter.setHandleWidth(1)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.addWidget(left)
        self.splitter.addWidget(self.study)
        self.splitter.setStretchFactor(1, 1)
        self.splitter.setSizes([220, 840])
        self.empty = EmptyState("", "New study…", self.new_requested.emit, icon_name="table")
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(self.splitter)

    # -- following ---------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """What changed while the view was away is read now."""
        super().showEvent(event)
        self._clock.start()
        self._show_state()
        self._read()

    def hideEvent(self, event: QHideEvent) -> None:
        """Nobody looks: nothing is read."""
        super().hideEvent(event)
        self._clock.stop()
        self._timer.stop()

    def choose(self, study_id: str) -> None:
        """Show a study, now or when it comes."""
        self.list.choose(study_id)

    @property
    def chosen(self) -> StudyFacts | None:
        """The study that is shown."""
        return self.list.current_study()

    def _on_studies_changed(self) -> None:
        self._show_empty()
        self._on_chosen(self.chosen.study_id if self.chosen is not None else "")

    def _show_empty(self, is_preparing: bool = False) -> None:
        has_any = bool(self.studies.all())
        self._stack.setCurrentIndex(1 if has_any else 0)
        preparing = is_preparing or self.studies.is_preparing
        self.empty.set_text(
            "Setting the images for the study aside…"
            if preparing
            else "No studies yet. A study trains every combination of the settings you choose, and "
            "says which is better, by how much, and whether it is luck."
        )
        self.empty.button.setVisible(not preparing)

    def _on_chosen(self, study_id: str) -> None:
        shown = self.study.facts
        if shown is not None and shown.study_id == study_id and self.studies.get(study_id):
            self._show_state()
            return
        self._asked += 1  # an answer under way is of another study
        self._read_of = None
        self._show_state()
        if self.isVisible():
            self._read()

    def _on_study_changed(self, study_id: str) -> None:
        if self.chosen is not None and self.chosen.study_id == study_id:
            self._show_state()
            self._read_soon()

    def _on_run_ended(self, run_id: str) -> None:
        """A scoring, too, changes what is said of the test images."""
        if self.chosen is not None:
            self._read_of = None
            self._read_soon()

    def _show_state(self) -> None:
        self.study.show_facts(self.chosen)
        self.list.viewport().update()

    def _read_soon(self) -> None:
        if self.isVisible():
            self._timer.start()

    # -- reading -----------------------------------------------------------------------------------

    def _signs(self) -> Signs | None:
        """What the figures depend on, as far as the studies thread tells it."""
        facts = self.chosen
        if facts is None:
            return None
        return facts.study_id, facts.state, facts.finished, facts.unlucky, len(facts.run_ids)

    def _read(self) -> None:
        facts, signs = self.chosen, self._signs()
        if facts is None or signs == self._read_of:
            return
        self._read_of = signs
        self._asked += 1
        asked, folder, file = self._asked, facts.folder, self.session.file

        def work(task: object) -> tuple[int, StudyResults]:
            from orgseg_app.runs.studies.results import study_results

            return asked, study_results(folder, file)

        # A bound method: Qt drops the answer when this widget is gone before it comes.
        self.session.background.start(
            "Reading the study", work, self._on_read, self._on_read_failed
        )

    def _on_read(self, answer: tuple[int, StudyResults]) -> None:
        if answer[0] == self._asked and self.study.facts is not None:
            self.study.show_results(answer[1])

    def _on_read_failed(self, error: Exception) -> None:
        self.session.report_error(error)
