"""What the table of runs holds: ranked ones by score, the others below with the reason."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)
from PySide6.QtGui import QColor

from orgseg_app.gui.comparing.measures import FOUND, OF_OBJECTS
from orgseg_app.gui.comparing.result_columns import Column, score_columns
from orgseg_app.gui.comparing.results_data import ResultRow, Results
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import plain_tip

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole
SORT_ROLE = Qt.ItemDataRole.UserRole + 1


class ResultsModel(QAbstractTableModel):
    """Runs with their scores; sorting keeps the runs that are not ranked below the others."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.results = Results()
        self.columns: list[Column] = []
        self.class_name = ""
        self.chosen: dict[str, bool] = {}
        self._all: list[ResultRow] = []
        self._rows: list[ResultRow] = []
        self._filter = ""
        self._sort: tuple[int, Qt.SortOrder] = (1, Qt.SortOrder.DescendingOrder)
        self._best: dict[int, float] = {}
        self._digits: dict[int, int] = {}
        self.letters: dict[str, str] = {}

    # -- content -----------------------------------------------------------------------------------

    def set_results(self, results: Results, class_name: str = "") -> None:
        """Show results, for one class or ("") all of them."""
        self.beginResetModel()
        self.results = results
        self.class_name = class_name if class_name in results.class_names else ""
        names = results.class_names
        scores = score_columns(names, self.class_name, self.chosen, results.group)
        words = [Column("Run", "The trained model", field="name")]
        tail = []
        if any(row.reason for row in results.rows):
            tail.append(Column("Not ranked because", field="reason"))
        if any(row.differs for row in results.rows):
            tip = "Fields of the recipe in which these runs are not all alike"
            tail.append(Column("What differs", tip, field="differs"))
        before = self.columns[self._sort[0]].key if self._sort[0] < len(self.columns) else None
        self.columns = words + scores + tail
        place = next((i for i, item in enumerate(self.columns) if item.key == before), 1)
        is_kept = place < len(self.columns) and self.columns[place].key == before
        self._sort = (place, self._sort[1] if is_kept else self.first_order(place))
        self._all = list(results.rows)
        self._arrange()
        self._measure()
        self.endResetModel()

    def choose_columns(self, chosen: Mapping[str, bool]) -> None:
        """Show and hide measures, by key; those that are not named are as usual."""
        self.chosen = dict(chosen)
        self.set_results(self.results, self.class_name)

    def first_order(self, column: int) -> Qt.SortOrder:
        """Order after the first click on a title: the best run, or A, on top."""
        info = self.columns[column] if column < len(self.columns) else None
        downwards = info is not None and info.is_score and not info.is_lower_better
        return Qt.SortOrder.DescendingOrder if downwards else Qt.SortOrder.AscendingOrder

    def set_filter(self, text: str) -> None:
        """Keep runs whose name, recipe or reason contains every word."""
        self._filter = text
        self.layoutAboutToBeChanged.emit()
        before = self._persistent()
        self._arrange()
        self._restore(before)
        self.layoutChanged.emit()

    def set_letters(self, letters: dict[str, str]) -> None:
        """Mark runs with A and B."""
        self.letters = letters
        if self._rows:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._rows) - 1, 0))

    def row(self, place: int) -> ResultRow | None:
        """The run in a row of the table."""
        return self._rows[place] if 0 <= place < len(self._rows) else None

    def place_of(self, run_id: str) -> int:
        """Row of a run, or -1."""
        return next((i for i, row in enumerate(self._rows) if row.run_id == run_id), -1)

    @property
    def rows(self) -> list[ResultRow]:
        """As shown."""
        return list(self._rows)

    @property
    def sorted_by(self) -> tuple[int, Qt.SortOrder]:
        """Column and order."""
        return self._sort

    def digits(self, column: int) -> int:
        """Decimals of a column: two, or three where two runs would look alike."""
        return self._digits.get(column, 2)

    def _measure(self) -> None:
        """Best value and decimals of every column, from the ranked runs only."""
        self._best, self._digits = {}, {}
        for place, column in enumerate(self.columns):
            if not column.is_score:
                continue
            found = [column.value(row) for row in self._all if row.is_ranked]
            downwards = not column.is_lower_better
            values = sorted({v for v in found if isinstance(v, float)}, reverse=downwards)
            if values:
                self._best[place] = values[0]
            alike = any(f"{a:.2f}" == f"{b:.2f}" for a, b in itertools.pairwise(values))
            self._digits[place] = 3 if alike else 2

    def is_best(self, place: int, column: int) -> bool:
        """Whether it reads as the best value of its column, where there is a choice."""
        row = self._rows[place]
        ranked = sum(1 for item in self._all if item.is_ranked)
        best, value = self._best.get(column), self.columns[column].value(row)
        if not row.is_ranked or ranked < 2 or best is None or not isinstance(value, float):
            return False
        digits = self.digits(column)
        return f"{value:.{digits}f}" == f"{best:.{digits}f}"

    # -- order -------------------------------------------------------------------------------------

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort; what is not ranked or has no value stays below."""
        if not 0 <= column < len(self.columns):
            return
        self._sort = (column, order)
        self.layoutAboutToBeChanged.emit()
        before = self._persistent()
        self._arrange()
        self._restore(before)
        self.layoutChanged.emit()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)

    def _arrange(self) -> None:
        words = self._filter.casefold().split()
        kept = [row for row in self._all if all(word in _searched(row) for word in words)]
        place, order = self._sort
        column = self.columns[place] if place < len(self.columns) else None
        backwards = order == Qt.SortOrder.DescendingOrder
        if column is not None:
            with_value = [row for row in kept if column.value(row) not in (None, "")]
            without = [row for row in kept if column.value(row) in (None, "")]
            with_value.sort(key=lambda row: _key(column.value(row)), reverse=backwards)
            kept = with_value + without
        kept.sort(key=lambda row: not row.is_ranked)  # stable
        self._rows = kept

    def _persistent(self) -> list[tuple[QModelIndex, str]]:
        return [
            (index, self._rows[index.row()].run_id)
            for index in self.persistentIndexList()
            if index.row() < len(self._rows)
        ]

    def _restore(self, before: list[tuple[QModelIndex, str]]) -> None:
        for index, run_id in before:
            place = self.place_of(run_id)
            new = self.index(place, index.column()) if place >= 0 else QModelIndex()
            self.changePersistentIndex(index, new)

    # -- as Qt asks --------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Runs shown."""
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Name, scores, words."""
        return 0 if parent.isValid() else len(self.columns)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles in two lines: what, and how it was counted."""
        if orientation != Qt.Orientation.Horizontal or section >= len(self.columns):
            return None
        column = self.columns[section]
        if role == Qt.ItemDataRole.DisplayRole:
            title = column.title.replace(", ", ",\n") if column.is_score else column.title
            return f"{sort_mark(self._sort[1])} {title}" if section == self._sort[0] else title
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(column.tip or column.title)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return column.title
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.is_score else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Cells."""
        row = self.row(index.row())
        if row is None:
            return None
        place = index.column()
        column = self.columns[place]
        if role == ROW_ROLE:
            return row
        if role == SORT_ROLE:
            return column.value(row)
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(index.row(), place)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(row, place))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            text = self.text(index.row(), place)
            extra = ", best" if column.is_score and self.is_best(index.row(), place) else ""
            return f"{column.title}: {text}{extra}"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column.is_score else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and column.is_score:
            return theme.font(strong=self.is_best(index.row(), place))
        if role == Qt.ItemDataRole.ForegroundRole:
            now = theme.current()
            quiet = not row.is_ranked or column.field in ("differs", "reason")
            return QColor(now.secondary if quiet else now.text)
        return None

    def text(self, place: int, column: int) -> str:
        """What a cell says."""
        value = self.columns[column].value(self._rows[place])
        if value is None:
            return "–"
        return f"{value:.{self.digits(column)}f}" if isinstance(value, float) else value

    def _tip(self, row: ResultRow, place: int) -> str:
        column = self.columns[place]
        if column.is_score:
            value = column.value(row)
            if not isinstance(value, float):
                if row.refused and not row.images:
                    return "\n".join(dict.fromkeys(row.refused.values()))
                return self._why_none(row, column)
            count = len(row.images)
            noun = "test image" if count == 1 else "test images"
            return f"{column.title}: {value:.4f} ({count} {noun})"
        lines = [row.name]
        if row.reason:
            lines.append(f"Not ranked: {row.reason}.")
        lines += dict.fromkeys(row.refused.values())
        if row.all_that_differs:
            lines.append(f"What differs: {row.all_that_differs}")
        return "\n".join(lines)

    def _why_none(self, row: ResultRow, column: Column) -> str:
        """Why a run has no such score."""
        item = column.measure
        if item is None or item.section not in OF_OBJECTS or row.pooled is None:
            return "No such score: the class occurs neither in truth nor in prediction."
        if not row.pooled.by_class[item.score]:
            return "Not known: the run was scored before OrgSeg looked at objects. Score it again."
        if item.score.endswith("_3d"):
            return "No such score: no two neighbouring planes of a volume are painted."
        if item.section == FOUND:
            return "No such score: there is no object of the class to count."
        return "No such score: the truth has no object of the class."

    # -- copying -----------------------------------------------------------------------------------

    def as_tsv(self, places: Sequence[int] | None = None) -> str:
        """Rows as tab-separated text with a heading, four decimals, for a spreadsheet."""
        wanted = range(len(self._rows)) if places is None else places
        lines = ["\t".join(column.title for column in self.columns)]
        for place in wanted:
            row = self._rows[place]
            lines.append("\t".join(_cell(column.value(row)) for column in self.columns))
        return "\n".join(lines) + "\n"


def sort_mark(order: Qt.SortOrder) -> str:
    """Before the title of the column that the rows are sorted by."""
    return "▾" if order == Qt.SortOrder.DescendingOrder else "▴"


def next_order(before: tuple[int, Qt.SortOrder], column: int, first: Qt.SortOrder) -> Qt.SortOrder:
    """Order after a click on a column's title: `first`, then turned round."""
    if before[0] != column:
        return first
    down = Qt.SortOrder.DescendingOrder
    return Qt.SortOrder.AscendingOrder if before[1] == down else down


def _searched(row: ResultRow) -> str:
    return f"{row.name} {row.all_that_differs} {row.reason}".casefold()


def _key(value: float | str | None) -> Any:
    return value.casefold() if isinstance(value, str) else value


def _cell(value: float | str | None) -> str:
    """A value as a spreadsheet takes it; text never becomes a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    plain = " ".join(value.split())
    return f"'{plain}" if plain[:1] in ("=", "+", "-", "@") else plain
