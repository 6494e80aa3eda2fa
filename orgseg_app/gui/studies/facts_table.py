"""A calm table of words and figures that is read, selected from and copied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
)
from PySide6.QtWidgets import QAbstractButton, QMenu, QTableView, QWidget

from orgseg_app.gui.help.context import ask_help, set_help
from orgseg_app.gui.help.meaning import Meaning, add_meaning
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.tables import make_rows
from orgseg_app.gui.style.widgets import plain_tip

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 28
HEAD_HEIGHT = 40
NARROWEST = 44


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    title, tip : str
    is_number : bool
        Aligned right.
    is_quiet : bool
        Secondary, but for lines that stand out.
    widest : int
        Pixels that words get at the most.
    page : str
        Place of the help that says what it means.
    """

    title: str
    tip: str = ""
    is_number: bool = False
    is_quiet: bool = False
    widest: int = 200
    page: str = "studies#outcome"


@dataclass(frozen=True)
class Line:
    """One row.

    Attributes
    ----------
    cells : tuple of str
        As shown and copied.
    tip : str
    runs : tuple of str
        Ids of the runs it is about.
    is_strong : bool
        Whether it stands out.
    """

    cells: tuple[str, ...]
    tip: str = ""
    runs: tuple[str, ...] = ()
    is_strong: bool = False


class FactsModel(QAbstractTableModel):
    """Lines as they were given, in their order."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.columns: tuple[Column, ...] = ()
        self.lines: tuple[Line, ...] = ()

    def take(self, columns: Sequence[Column], lines: Sequence[Line]) -> None:
        """Show others."""
        self.beginResetModel()
        self.columns, self.lines = tuple(columns), tuple(lines)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Lines."""
        return 0 if parent.isValid() else len(self.lines)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Columns."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles."""
        if orientation != Qt.Orientation.Horizontal or not 0 <= section < len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            return column.title
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return column.title or column.tip or "Nothing"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(column.tip)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(column)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Cells."""
        if not index.isValid() or index.row() >= len(self.lines):
            return None
        line = self.lines[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return line.cells[index.column()]
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(line.tip or line.cells[index.column()])
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _side(self.columns[index.column()])
        if role == Qt.ItemDataRole.ForegroundRole:
            is_quiet = self.columns[index.column()].is_quiet and not line.is_strong
            return QColor(theme.current().secondary) if is_quiet else None
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(strong=line.is_strong)
        return None

    def as_tsv(self, rows: Sequence[int] | None = None) -> str:
        """Titles and lines as tab-separated text."""
        wanted = range(len(self.lines)) if rows is None else rows
        lines = [[column.title for column in self.columns]]
        lines += [list(self.lines[row].cells) for row in wanted]
        if self.columns and not self.columns[-1].title:
            lines = [line[:-1] for line in lines]  # it is there for the looks
        return "\n".join("\t".join(" ".join(c.split()) for c in line) for line in lines) + "\n"


def _side(column: Column) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column.is_number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


class FactsTable(QTableView):
    """The table; Ctrl+C copies the selected lines, or all.

    Signals
    -------
    runs_chosen(list of run_id)
        The lines selected have changed.
    activated_runs(list of run_id)
        Enter or a double-click.
    """

    runs_chosen = Signal(list)
    activated_runs = Signal(list)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.facts = FactsModel(self)
        self.setModel(self.facts)
        make_rows(self, name, height=ROW_HEIGHT)
        self.setProperty("look", "rows")
        header = self.horizontalHeader()
        header.setAccessibleName(f"Columns: {name}")
        self.verticalHeader().setAccessibleName(f"Lines: {name}")
        for corner in self.findChildren(QAbstractButton):
            corner.setAccessibleName("Select all lines")
        header.setSectionsClickable(False)
        header.setStretchLastSection(True)
        theme.hold(header, height=HEAD_HEIGHT)
        self.selectionModel().selectionChanged.connect(
            lambda *_: self.runs_chosen.emit(self.chosen_runs())
        )
        self.activated.connect(lambda _: self.activated_runs.emit(self.chosen_runs()))
        for signal in (self.selectionModel().currentChanged, self.facts.modelReset):
            signal.connect(self._name_page)
        self._name_page()

    def _name_page(self, *_: object) -> None:
        """The help is about the column of the cell that the keys go to."""
        column = self._column(self.currentIndex().column())
        set_help(self, column.page if column is not None else Column("").page)

    def _column(self, place: int) -> Column | None:
        columns = self.facts.columns
        return columns[place] if 0 <= place < len(columns) else None

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What the number that was pointed at, or has the keyboard, means."""
        is_key = event.reason() == QContextMenuEvent.Reason.Keyboard
        place = self.currentIndex().column() if is_key else self.columnAt(event.pos().x())
        column = self._column(place)
        if column is None or not column.tip:
            return
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        title = " ".join(column.title.split()) or column.tip
        add_meaning(menu, self, Meaning(title, column.tip, column.page))
        menu.addAction("Help", lambda: ask_help(self, column.page))
        menu.popup(event.globalPos())

    def take(self, columns: Sequence[Column], lines: Sequence[Line]) -> None:
        """Show others; lines about the same runs stay selected, and the table where it is."""
        if self.facts.columns == tuple(columns) and self.facts.lines == tuple(lines):
            return
        kept = [self.facts.lines[row].runs for row in self._rows()]
        at = self.verticalScrollBar().value()
        self.facts.take(columns, lines)
        self._fit()
        flag = QItemSelectionModel.SelectionFlag
        for row, line in enumerate(self.facts.lines):
            if line.runs and line.runs in kept:
                index = self.facts.index(row, 0)
                self.selectionModel().select(index, flag.Select | flag.Rows)
        self.verticalScrollBar().setValue(at)

    def _rows(self) -> list[int]:
        return sorted(index.row() for index in self.selectionModel().selectedRows())

    def chosen_runs(self) -> list[str]:
        """Ids of the runs of the selected lines."""
        return [run for row in self._rows() for run in self.facts.lines[row].runs]

    def _fit(self) -> None:
        words = QFontMetrics(theme.font(strong=True))
        small = QFontMetrics(theme.font(theme.CAPTION_PX))
        for place, column in enumerate(self.facts.columns):
            widths = [words.horizontalAdvance(line.cells[place]) for line in self.facts.lines]
            titles = [small.horizontalAdvance(part) for part in column.title.split("\n")]
            widest = max(max(widths, default=0) + theme.px(24), max(titles) + theme.px(28))
            least, most = theme.px(NARROWEST), theme.px(column.widest)
            self.setColumnWidth(place, min(most, max(least, widest)))

    def copy(self) -> None:
        """Selected lines (or all) to the clipboard, as tab-separated text."""
        rows = self._rows()
        QGuiApplication.clipboard().setText(self.facts.as_tsv(rows if len(rows) > 1 else None))

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy; Enter goes to the runs."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.activated_runs.emit(self.chosen_runs())
        else:
            super().keyPressEvent(event)
