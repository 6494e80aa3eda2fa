"""What the table of runs holds: ranked ones by score, the others below with the reason."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)
from PySide6.QtGui import QColor

from orgseg_app.gui.runs.results_data import MEASURE_WORDS, MEASURES, ResultRow, Results
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import plain_tip

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole
SORT_ROLE = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True)
class Column:
    """One column: a score, or words.

    Attributes
    ----------
    title : str
        Whole, as copied: ``"IoU, pooled"``.
    tip : str
    measure : str
        Of `MEASURES`, or "" for words.
    class_name : str
        "" for the mean over classes.
    mean : bool
        Mean of images instead of pooled.
    field : str
        Attribute of the row, for words.
    """

    title: str
    tip: str = ""
    measure: str = ""
    class_name: str = ""
    mean: bool = False
    field: str = ""

    @property
    def is_score(self) -> bool:
        """A number between 0 and 1."""
        return bool(self.measure)

    def value(self, row: ResultRow) -> float | str | None:
        """Of one run."""
        if self.is_score:
            return row.value(self.measure, self.class_name, mean=self.mean)
        value: float | str | None = getattr(row, self.field)
        return value


def score_columns(class_names: Sequence[str], class_name: str) -> list[Column]:
    """The scores to show: of one class, or ("") means over classes and each class's IoU."""
    several = len(class_names) > 1
    is_mean = not class_name and several
    only = class_name or (class_names[0] if len(class_names) == 1 else "")
    whose = "mean of classes" if is_mean else only

    def column(measure: str, *, mean: bool = False) -> Column:
        word = MEASURES[measure]
        title = f"Mean {word}" if is_mean else word
        how = "mean of images" if mean else "pooled"
        where = (
            "The mean of the test images' own scores: every image counts the same."
            if mean
            else "All test images counted together: every pixel counts the same."
        )
        tip = f"{MEASURE_WORDS[measure]}\n{where}"
        if whose:
            tip = f"{word}, {how} ({whose})\n{tip}"
        return Column(f"{title}, {how}", tip, measure, only, mean)

    columns = [
        column("iou"),
        column("iou", mean=True),
        column("dice"),
        column("dice", mean=True),
        column("precision"),
        column("recall"),
    ]
    if is_mean:
        columns = columns[:3]
        columns += [
            Column(f"{name} IoU, pooled", f"{name}: {MEASURE_WORDS['iou']}", "iou", name)
            for name in class_names
        ]
    return columns


class ResultsModel(QAbstractTableModel):
    """Runs with their scores; sorting keeps the runs that are not ranked below the others."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.results = Results()
        self.columns: list[Column] = []
        self.class_name = ""
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
        scores = score_columns(results.class_names, self.class_name)
        words = [Column("Run", "The trained model", field="name")]
        tail = []
        if any(row.reason for row in results.rows):
            tail.append(Column("Not ranked because", field="reason"))
        if any(row.differs for row in results.rows):
            tip = "Fields of the recipe in which these runs are not all alike"
            tail.append(Column("What differs", tip, field="differs"))
        self.columns = words + scores + tail
        column = self._sort[0]
        if not 1 <= column <= len(scores) and column != 0:
            self._sort = (1, Qt.SortOrder.DescendingOrder)
        self._all = list(results.rows)
        self._arrange()
        self._measure()
        self.endResetModel()

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
            values = sorted({v for v in found if isinstance(v, float)}, reverse=True)
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
                return "No such score: the class occurs neither in truth nor in prediction."
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
