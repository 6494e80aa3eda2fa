"""A window of its own for what examinations of a run found out; the other one goes on beside it."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.examination_view import ExaminationView
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.widgets import GAP, SecondaryButton, surface


class ExaminationDialog(FittingDialog):
    """Examinations of one run.

    Parameters
    ----------
    runs : RunsModel
    run_id : str
        Of the run.

    Attributes
    ----------
    view : ExaminationView
    """

    def __init__(self, runs: RunsModel, run_id: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.run_id = run_id
        self._runs = runs
        surface(self)
        set_help(self, "examining")
        self.resize(980, 560)
        self.view = ExaminationView(runs, self)
        self.view.set_run(run_id)
        close = SecondaryButton("Close")
        close.clicked.connect(self.close)
        copy = SecondaryButton("Copy table", "copy", quiet=True)
        copy.clicked.connect(self.view.copy_table)
        save = SecondaryButton("Save plot…", "save", quiet=True)
        save.clicked.connect(self.view.plot.ask_to_save)
        row = QHBoxLayout()
        row.setContentsMargins(GAP, 0, 12, 10)
        row.setSpacing(GAP)
        row.addWidget(copy)
        row.addWidget(save)
        row.addStretch(1)
        row.addWidget(close)
        column = QVBoxLayout(self)
        column.setContentsMargins(GAP, GAP, GAP, 0)
        column.setSpacing(GAP)
        column.addWidget(self.view, 1)
        column.addLayout(row)
        self.view.found_changed.connect(copy.setEnabled)
        self.view.found_changed.connect(save.setEnabled)
        copy.setEnabled(False)
        save.setEnabled(False)
        runs.runs_changed.connect(self._on_runs_changed)
        self._on_runs_changed()

    def _on_runs_changed(self) -> None:
        """Another name; without the run there is nothing to show."""
        entry = self._runs.get(self.run_id)
        if entry is None:
            self.close()
        else:
            self.setWindowTitle(f"Examination of {entry.name}")
