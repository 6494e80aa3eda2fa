"""The Compare workspace: runs, or studies, by a switch where the title of the table stands."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from orgseg_app.gui.comparing.results_view import ResultsView
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.studies.studies_view import StudiesView
from orgseg_app.gui.style.fields import Segments
from orgseg_app.gui.style.widgets import GROUP, PageStack, surface

TOP = 9


class CompareSwitch(QWidget):
    """Both views of the workspace, one in sight; the switch stays at its place.

    Parameters
    ----------
    results : ResultsView
        Its title makes room for the switch.
    studies : StudiesView
    """

    def __init__(self, results: ResultsView, studies: StudiesView) -> None:
        super().__init__()
        self.results, self.studies = results, studies
        surface(self, "panel")
        set_help(self, "comparing")
        self._stack = PageStack(self)
        self._stack.addWidget(results)
        self._stack.addWidget(studies)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._stack)
        self.switch = Segments("Compare", (("runs", "Runs"), ("studies", "Studies")), self)
        self.switch.button("runs").setToolTip("Single runs, judged on the test images")
        self.switch.button("studies").setToolTip("Grids of runs that answer a question")
        self.switch.chosen.connect(self.show_page)
        self.switch.installEventFilter(self)
        results.title.setText("")
        self._place()
        studies.runs_chosen.connect(self._select)
        studies.runs_requested.connect(self.show_runs)

    def _place(self) -> None:
        """The switch over both pages, with as much room as its words take in this theme."""
        self.switch.move(GROUP - 8, TOP)
        self.switch.resize(self.switch.sizeHint())
        self.switch.raise_()
        self.results.title.setFixedWidth(self.switch.width() - 8)

    def showEvent(self, event: QShowEvent) -> None:
        """Words have their size only once they are seen."""
        super().showEvent(event)
        self._place()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The theme, or another type size, has given the switch another size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._place()
        return super().eventFilter(watched, event)

    @property
    def page(self) -> str:
        """``"runs"`` or ``"studies"``."""
        return self.switch.value()

    def show_page(self, page: str) -> None:
        """Show ``"runs"`` or ``"studies"``."""
        self.switch.set_value(page)
        self._stack.setCurrentWidget(self.results if page == "runs" else self.studies)

    def _select(self, run_ids: list[str]) -> None:
        self.results.table.choose(run_ids)

    def show_runs(self, run_ids: list[str]) -> None:
        """Go to the table of runs, with these selected."""
        self.show_page("runs")
        self._select(run_ids)
        self.results.table.setFocus()
