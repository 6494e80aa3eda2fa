"""“Pack…”: which runs go into the one file, how large it gets, how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QCheckBox,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.editing.save_trouble import size_words
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.export_progress import ExportProgress
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    PrimaryButton,
    SecondaryButton,
    label,
    plain_tip,
)

if TYPE_CHECKING:
    from orgseg_app.files.packing import Packed
    from orgseg_app.gui.background import Task

NAME, SCORE, SIZE = range(3)
LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
COLUMNS = (("Run", LEFT), ("Validation IoU", RIGHT), ("Size", RIGHT))


@dataclass(frozen=True)
class PackableRun:
    """One line of the dialog.

    Attributes
    ----------
    run_id, name
        Which run.
    score
        Mean IoU on the validation images, or None.
    size_bytes
        What it takes to compare it and to predict with it.
    training_bytes
        What it takes on top to repeat its training, or to go on with it.
    is_best
        It has the best validation score of all.
    """

    run_id: str
    name: str
    score: float | None
    size_bytes: int
    training_bytes: int
    is_best: bool = False


class PackDialog(FittingDialog):
    """Asks which runs go along; the window goes on beside it.

    Signals
    -------
    pack_requested(run ids, with_training)
    """

    pack_requested = Signal(list, bool)

    def __init__(self, images_bytes: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Pack into one file")
        set_help(self, "projects#packing")
        self.resize(560, 480)
        self.images_bytes = images_bytes
        self.runs: list[PackableRun] = []
        self._task: Task | None = None
        self._build()
        self._arrange()
        for widget in self._choices:
            widget.setEnabled(False)
        self.waiting.setText("Looking at the runs…")
        self._show_size()

    def _build(self) -> None:
        self.table = QTableWidget(0, 3)
        self.table.setAccessibleName("Runs that go into the file")
        for column, (title, side) in enumerate(COLUMNS):
            item = QTableWidgetItem(title)
            item.setTextAlignment(side)
            self.table.setHorizontalHeaderItem(column, item)
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.setTabKeyNavigation(False)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setAccessibleName("Columns")
        self.table.verticalHeader().setAccessibleName("Rows")
        for corner in self.table.findChildren(QAbstractButton):
            corner.setAccessibleName("Select all rows")
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        theme.hold_columns(self.table, {SCORE: 110, SIZE: 90})
        self.table.itemChanged.connect(lambda _: self._show_size())
        self.waiting = Caption()
        self.all_button = SecondaryButton("All", quiet=True)
        self.best_button = SecondaryButton("Best", quiet=True)
        self.best_button.setToolTip("The run with the best score on the validation images")
        self.none_button = SecondaryButton("None", quiet=True)
        for button, wanted in (
            (self.all_button, lambda _: True),
            (self.best_button, lambda run: run.is_best),
            (self.none_button, lambda _: False),
        ):
            button.clicked.connect(lambda _=False, wanted=wanted: self._tick(wanted))
        self.training = QCheckBox()
        self.training.setToolTip(
            "What each run learned from, and where it stopped; without it, runs can be compared "
            "and used there, but not continued"
        )
        self.training.toggled.connect(lambda _: self._show_size())
        self._choices = (self.all_button, self.best_button, self.none_button, self.training)
        self.size_label = label()
        self.size_label.setAccessibleName("Size of the file")
        self.pack_button = PrimaryButton("Pack…", "export")
        self.pack_button.clicked.connect(self._on_pack)
        self.pack_button.setDefault(True)
        self.pack_button.setFocus()
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.close)
        self.progress = ExportProgress()
        self.progress.setAccessibleName("Progress of packing")
        ended = self.progress.ended.layout()
        if ended is not None:  # the dialog is wider than the panel that it was made for
            ended.setAlignment(self.progress.open_button, Qt.AlignmentFlag.AlignLeft)

    def _arrange(self) -> None:
        choices = QHBoxLayout()
        choices.setSpacing(GAP)
        choices.addWidget(self.waiting, 1)
        for button in (self.all_button, self.best_button, self.none_button):
            choices.addWidget(button)
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.size_label, 1)
        foot.addWidget(self.pack_button)
        foot.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Pack into one file", "packing"))
        column.addWidget(
            Caption(
                "To mail, or to keep: all images, linked ones too, everything painted, and the "
                "runs chosen here. The undo history stays here."
            )
        )
        column.addLayout(choices)
        column.addWidget(self.table, 1)
        column.addWidget(self.training)
        column.addWidget(self.progress)
        column.addLayout(foot)

    # -- what can be chosen ----------------------------------------------------------------------

    def show_runs(self, runs: Sequence[PackableRun], at_work: int = 0) -> None:
        """List the runs, newest last; all are ticked.

        Parameters
        ----------
        at_work
            How many are still learning and cannot be packed.
        """
        self.runs = list(runs)
        self.table.setRowCount(len(self.runs))
        for row, run in enumerate(self.runs):
            name = QTableWidgetItem(run.name)
            name.setFlags(name.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            name.setCheckState(Qt.CheckState.Checked)
            name.setToolTip(plain_tip(run.name))
            self.table.setItem(row, NAME, name)
            score = "" if run.score is None else f"{run.score:.2f}"
            for column, text in ((SCORE, score), (SIZE, size_words(run.size_bytes))):
                item = QTableWidgetItem(text)
                item.setTextAlignment(RIGHT)
                self.table.setItem(row, column, item)
        if not self.runs:
            self.waiting.setText("The project has no finished run.")
        else:
            learning = f"; {at_work} still learning, left out" if at_work else ""
            count = f"{len(self.runs)} run{'' if len(self.runs) == 1 else 's'}"
            self.waiting.setText(f"{count}{learning}")
        for widget in self._choices:
            widget.setEnabled(bool(self.runs))
        self.best_button.setEnabled(any(run.is_best for run in self.runs))
        self._show_size()

    def chosen(self) -> list[PackableRun]:
        """The ticked runs."""
        return [
            run
            for row, run in enumerate(self.runs)
            if (item := self.table.item(row, NAME)) is not None
            and item.checkState() == Qt.CheckState.Checked
        ]

    def _tick(self, wanted: object) -> None:
        assert callable(wanted)
        for row, run in enumerate(self.runs):
            item = self.table.item(row, NAME)
            if item is not None:
                state = Qt.CheckState.Checked if wanted(run) else Qt.CheckState.Unchecked
                item.setCheckState(state)

    def _show_size(self) -> None:
        chosen = self.chosen()
        more = sum(run.training_bytes for run in chosen)
        total = self.images_bytes + sum(run.size_bytes for run in chosen)
        self.training.setText(
            "So that trainings can be continued there" + (f" (+ {size_words(more)})" * bool(more))
        )
        total += more if self.training.isChecked() else 0
        self.size_label.setText(f"About {size_words(total)}")

    def _on_pack(self) -> None:
        self.pack_requested.emit([run.run_id for run in self.chosen()], self.training.isChecked())

    # -- how far it is ---------------------------------------------------------------------------

    def follow(self, task: Task, path: Path) -> None:
        """Show a packing under way."""
        self._task = task
        self.progress.start(f"Packing “{path.name}”")
        self.progress.cancel_requested.connect(task.cancel)
        task.progressed.connect(self._on_progress)
        self.pack_button.setEnabled(False)

    def _on_progress(self, done: int, total: int, text: str) -> None:
        self.progress.show_progress(done, total, text)
        if total:
            shares = size_words(done << 10), size_words(total << 10)
            self.progress.show_words(f"{shares[0]} of {shares[1]}")

    def _end(self) -> None:
        self._task = None
        self.pack_button.setEnabled(True)

    def show_packed(self, packed: Packed | None) -> None:
        """Say where the file is and how large; None: it was cancelled."""
        self._end()
        if packed is None:
            self.progress.finish("warning", "Cancelled; nothing was written.")
            return
        runs = f"{packed.runs} run{'' if packed.runs == 1 else 's'}"
        images = f"{packed.images} image{'' if packed.images == 1 else 's'}"
        self.progress.finish(
            "warning" if packed.notes else "success",
            f"“{packed.path.name}” holds {images} and {runs}: {size_words(packed.size_bytes)}.",
            problems=packed.notes,
            folder=packed.path.parent,
        )

    def show_failure(self, sentence: str) -> None:
        """Say why nothing was packed."""
        self._end()
        self.progress.finish("error", sentence)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closing gives up what is under way."""
        if self._task is not None:
            self._task.cancel()
        super().closeEvent(event)
