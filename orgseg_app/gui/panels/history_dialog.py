"""Undo history: every step and checkpoint, what they take on the disk, and the limit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from orgseg_app import settings as settings_module
from orgseg_app.core.history import History, Mark, Step
from orgseg_app.gui.editing.save_trouble import size_words
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.question import ask
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import NumberBox
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    EmptyState,
    PageStack,
    SecondaryButton,
    label,
)

Index = QModelIndex | QPersistentModelIndex

COLUMNS = ("Step", "Image", "When", "On disk")
STEP_ROLE = Qt.ItemDataRole.UserRole
_MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Row:
    """One line: a step, a checkpoint, or the beginning.

    Attributes
    ----------
    position
        Going back to this line leaves the steps up to this number done.
    what
        The step or the checkpoint; None for the beginning.
    is_undone
        It can be redone.
    """

    position: int
    what: Step | Mark | None = None
    is_undone: bool = False

    @property
    def is_mark(self) -> bool:
        """True for a checkpoint."""
        return isinstance(self.what, Mark)

    def cells(self, names: dict[str, str]) -> tuple[str, ...]:
        """Step, image, when, size; image names by id."""
        if self.what is None:
            return "Before the first step kept", "", "", ""
        if isinstance(self.what, Mark):
            return f"⚑ {self.what.title}", "", when(self.what.made), ""
        step = self.what
        return (
            f"{step.title} (undone)" if self.is_undone else step.title,
            names.get(step.image_id, ""),
            when(step.made),
            size_words(step.size_bytes),
        )


class HistoryModel(QAbstractTableModel):
    """The history, newest first; what is undone stands greyed on top.

    Its words are made for the lines in sight only: a history may have 100,000 steps.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Row] = []
        self._names: dict[str, str] = {}

    def take(self, history: History, names: dict[str, str]) -> None:
        """Show a history; image names by id."""
        self.beginResetModel()
        self.rows, self._names = list(_rows(history)), names
        self.endResetModel()

    def rowCount(self, parent: Index | None = None) -> int:
        """Lines."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index | None = None) -> int:
        """Step, image, when, size."""
        return 0 if parent is not None and parent.isValid() else len(COLUMNS)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> object:
        """Titles; numbers are aligned to the right."""
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        """Words, alignment; a checkpoint is strong."""
        from orgseg_app.gui.style import theme

        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.cells(self._names)[index.column()]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(index.column())
        if role == Qt.ItemDataRole.ForegroundRole and row.is_undone:
            return theme.current().colour("secondary")
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(strong=row.is_mark)
        if role == STEP_ROLE:
            return row.position
        return None


def _alignment(column: int) -> int:
    right = (
        Qt.AlignmentFlag.AlignRight if column == len(COLUMNS) - 1 else Qt.AlignmentFlag.AlignLeft
    )
    return int(right | Qt.AlignmentFlag.AlignVCenter)


def _rows(history: History) -> Iterator[Row]:
    marks: dict[int, list[Mark]] = {}
    for mark in history.marks:
        marks.setdefault(mark.after_step, []).append(mark)
    done, undone = history.undoable(), history.redoable()
    for steps, is_undone in ((undone, True), (reversed(done), False)):
        for step in steps:
            for mark in reversed(marks.pop(step.number, [])):
                yield Row(step.number, mark, is_undone)
            yield Row(step.number, step, is_undone)
    if done:
        first = done[0].number - 1
        for mark in reversed(marks.pop(first, [])):
            yield Row(first, mark)
        yield Row(first)


def when(made: str) -> str:
    """A moment as people say it: the time today, else with the day."""
    try:
        then = datetime.fromisoformat(made).astimezone()
    except ValueError:
        return ""
    today = datetime.now().astimezone().date()
    return then.strftime("%H:%M:%S" if then.date() == today else "%d %b %Y %H:%M")


class HistoryDialog(FittingDialog):
    """Shows the history; goes back in it, limits it, forgets it.

    Signals
    -------
    go_back_requested(step number)
        Undo until this step is the last that is done.
    """

    go_back_requested = Signal(int)

    def __init__(
        self,
        session: Session,
        settings: settings_module.Settings,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.session = session
        self.settings = settings
        self._is_asking = False
        self.setWindowTitle("Undo history")
        set_help(self, "undo")
        self.resize(600, 560)
        self.model = HistoryModel(self)
        self.table = QTableView()
        self.table.setModel(self.model)
        self.table.setAccessibleName("Steps, newest first")
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setProperty("look", "rows")
        self.table.setTabKeyNavigation(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        theme.hold_columns(self.table, {1: 150, 2: 120, 3: 88})
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._show_buttons())
        self.empty = EmptyState("", icon_name="clock")
        self.size_label = label()
        self.back_button = SecondaryButton("Go back to here", "undo")
        self.back_button.setToolTip("Undo every step above; redo leads forward again")
        self.back_button.clicked.connect(self._on_back)
        self.forget_button = SecondaryButton("Forget history…", "trash")
        self.forget_button.setToolTip("Free the space; the masks stay as they are")
        self.forget_button.clicked.connect(self._on_forget)
        self.budget = NumberBox("Limit of the history on the disk, in GiB")
        theme.hold(self.budget, width=96)
        self.budget.setSuffix("\u2009GiB")
        self.budget.setDecimals(2)
        self.budget.setSingleStep(0.25)
        low, high = settings_module.UNDO_BUDGET_RANGE_MB
        self.budget.setRange(low / _MIB_PER_GIB, high / _MIB_PER_GIB)
        self._show_budget()
        self.budget.editingFinished.connect(self._on_budget)
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.reject)
        for button in (self.back_button, self.forget_button, self.close_button):
            button.setAutoDefault(False)  # Enter in the field is none of theirs
        self._arrange()
        self._later = QTimer(self, singleShot=True, interval=0)  # many steps: once for all of them
        self._later.timeout.connect(self.refresh)
        session.history_changed.connect(self._later.start)
        session.saving.state_changed.connect(self._on_state_changed)  # ends with this dialog
        session.project_changed.connect(self.reject)
        self.refresh()

    def _arrange(self) -> None:
        limits = QHBoxLayout()
        limits.setSpacing(GAP)
        limits.addWidget(self.size_label, 1)
        limits.addWidget(label("At most"))
        limits.addWidget(self.budget)
        buttons = QHBoxLayout()
        buttons.setSpacing(GAP)
        buttons.addWidget(self.back_button)
        buttons.addWidget(self.forget_button)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Undo history", "the undo history"))
        column.addWidget(
            Caption(
                "Kept with the project, across restarts. The oldest steps go when it grows beyond "
                "its limit; masks never change by that."
            )
        )
        self.pages = PageStack()
        self.pages.addWidget(self.table)
        self.pages.addWidget(self.empty)
        column.addWidget(self.pages, 1)
        column.addLayout(limits)
        column.addLayout(buttons)

    def refresh(self) -> None:
        """Take the history as it is now."""
        project = self.session.project
        names = {i.image_id: i.name for i in project.images.values()} if project else {}
        self.model.take(self.session.history, names)
        self.empty.set_text(
            "The history is shown once this project is open for painting in this window."
            if self.session.is_read_only
            else "Nothing to undo yet. Every stroke, fill and prediction gets a line here."
        )
        self.pages.setCurrentWidget(self.table if self.model.rows else self.empty)
        self._show_size()
        self._show_buttons()

    def _on_state_changed(self, state: str, sentence: str) -> None:
        self._show_size()

    def _show_size(self) -> None:
        history = self.session.history
        steps = len(history.undoable()) + len(history.redoable())
        words = f"{steps:,} step{'' if steps == 1 else 's'}"
        size = f", {size_words(history.size_bytes)} on the disk" if steps else ""
        self.size_label.setText(words + size)

    def _show_buttons(self) -> None:
        may = not self.session.is_read_only
        chosen = self._chosen_step()
        history = self.session.history
        self.back_button.setEnabled(may and chosen is not None and chosen < history.position)
        self.forget_button.setEnabled(may and bool(self.model.rows))

    def _chosen_step(self) -> int | None:
        rows = self.table.selectionModel().selectedRows()
        return self.model.rows[rows[0].row()].position if rows else None

    def _on_back(self) -> None:
        step = self._chosen_step()
        if step is not None:
            self.go_back_requested.emit(step)

    def _on_budget(self) -> None:
        if self.budget.value() == self._budget_shown or self._is_asking:
            return
        megabytes = round(self.budget.value() * _MIB_PER_GIB)
        excess = self.session.history.size_bytes - (megabytes << 20)
        if excess > 0 and not self.session.is_read_only and not self.ask_to_shorten(excess):
            self._show_budget()
            return
        self.settings.undo_budget_mb = megabytes
        settings_module.save(self.settings)
        self.session.set_undo_budget(megabytes << 20)
        self._show_budget()

    def _show_budget(self) -> None:
        self.budget.setValue(self.settings.undo_budget_mb / _MIB_PER_GIB)
        self._budget_shown = self.budget.value()  # in hundredths of a GiB
        self._show_size()

    def _on_forget(self) -> None:
        if self.confirm():
            self.session.forget_history()

    def confirm(self) -> bool:
        """Ask: this cannot be undone."""
        return self._ask(
            "Forget the undo history?",
            "The masks stay as they are, but no step so far can be undone any more.",
            "Forget",
        )

    def ask_to_shorten(self, excess: int) -> bool:
        """Ask before a lower limit takes steps away: this cannot be undone either."""
        return self._ask(
            "Forget the oldest steps?",
            f"With this limit the oldest {size_words(excess)} of the history are forgotten. The "
            "masks stay as they are.",
            "Forget them",
        )

    def _ask(self, title: str, text: str, verb: str) -> bool:
        self._is_asking = True  # the field loses the keyboard to the question, and would ask again
        answer = ask(self, title, text, verb)
        self._is_asking = False
        return answer
