"""What the table of runs holds: ranked ones by score, the others below with the reason."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor

from orgseg_app.gui.comparing.result_columns import (
    NOTE_COLUMN,
    Column,
    fact_columns,
    score_columns,
    setting_columns,
)
from orgseg_app.gui.comparing.results_data import ResultRow, Results
from orgseg_app.gui.comparing.row_facts import Value, mean_text
from orgseg_app.gui.comparing.row_order import Arrangement, GroupRow, Shown, arranged
from orgseg_app.gui.comparing.score_words import unit_of, why_none
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import plain_tip
from orgseg_app.runs.remarks import Remarks

Index = QModelIndex | QPersistentModelIndex
ROW_ROLE = Qt.ItemDataRole.UserRole
SORT_ROLE = Qt.ItemDataRole.UserRole + 1


class ResultsModel(QAbstractTableModel):
    """Runs with their scores; sorting keeps the runs that are not ranked below the others.

    Signals
    -------
    renamed(run_id, name), note_written(run_id, note)
        A person gave a run another name or note; whoever keeps them changes the rows.
    """

    renamed = Signal(str, str)
    note_written = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.results = Results()
        self.columns: list[Column] = []
        self.class_name = ""
        self.chosen: dict[str, bool] = {}
        self.arrangement = Arrangement()
        self._all: list[ResultRow] = []
        self._shown: list[Shown] = []
        self._places: dict[str, int] = {}
        self._offered: dict[tuple[str, str], Column] = {}
        self._values: dict[tuple[int, str], Value] = {}
        self._column_places: dict[tuple[str, str], int] = {}
        self._ranked = 0
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
        others = [*setting_columns(results.rows), *fact_columns()]
        more = [column for column in others if self.chosen.get(column.key[0])]
        tail = [NOTE_COLUMN] if self.shows_notes else []
        if any(row.reason for row in results.rows):
            tail.append(Column("Not ranked because", field="reason"))
        if any(row.differs for row in results.rows):
            tip = "Fields of the recipe in which these runs are not all alike"
            tail.append(Column("What differs", tip, field="differs"))
        before = self.columns[self._sort[0]].key if self._sort[0] < len(self.columns) else None
        self.columns = [*words, *scores, *more, *tail]
        self._offered = {column.key: column for column in (*others, NOTE_COLUMN, *self.columns)}
        self._values.clear()
        self._column_places = {column.key: at for at, column in enumerate(self.columns)}
        self._ranked = len(results.ranked)
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

    @property
    def shows_notes(self) -> bool:
        """Whether there is a column for notes: it was asked for, or a run has one."""
        return self.chosen.get("note", any(row.note for row in self.results.rows))

    @property
    def offered(self) -> list[Column]:
        """Columns that one can group and filter by, those that are shown first."""
        return [*self.columns, *(c for c in self._offered.values() if c not in self.columns)]

    def column_of(self, key: tuple[str, str]) -> Column | None:
        """One of `offered`."""
        return self._offered.get(key)

    def set_filter(self, text: str) -> None:
        """Keep runs whose name, recipe, note or reason contains every word."""
        self.arrange(words=text)

    def arrange(self, **changes: Any) -> None:
        """Show other rows, or in other groups; the fields of `Arrangement`."""
        self.arrangement = replace(self.arrangement, **changes)
        self._rearrange()

    def flip_group(self, place: int) -> None:
        """Show or hide the runs of a group by the row of its head."""
        group = self.group(place)
        if group is not None:
            self.arrange(closed=self.arrangement.closed ^ {group.key})

    def set_remarks(self, run_id: str, remarks: Remarks) -> None:
        """What a person noted about a run is another."""
        rows = [replace(row, remarks=remarks) if row.run_id == run_id else row for row in self._all]
        self.set_results(replace(self.results, rows=tuple(rows)), self.class_name)

    def _rearrange(self) -> None:
        self.layoutAboutToBeChanged.emit()
        before = self._persistent()
        self._arrange()
        self._restore(before)
        self.layoutChanged.emit()

    def set_letters(self, letters: dict[str, str]) -> None:
        """Mark runs with A and B."""
        self.letters = letters
        if self._shown:
            self.dataChanged.emit(self.index(0, 0), self.index(len(self._shown) - 1, 0))

    def row(self, place: int) -> ResultRow | None:
        """The run in a row of the table; None for the head of a group."""
        found = self._shown[place] if 0 <= place < len(self._shown) else None
        return found if isinstance(found, ResultRow) else None

    def group(self, place: int) -> GroupRow | None:
        """The group whose head is in a row of the table."""
        found = self._shown[place] if 0 <= place < len(self._shown) else None
        return found if isinstance(found, GroupRow) else None

    def place_of(self, run_id: str) -> int:
        """Row of a run, or -1."""
        return self._places.get(run_id, -1)

    @property
    def rows(self) -> list[ResultRow]:
        """Runs as shown."""
        return [row for row in self._shown if isinstance(row, ResultRow)]

    @property
    def hidden_count(self) -> int:
        """Runs that a person hid."""
        return sum(row.remarks.is_hidden for row in self._all)

    def value(self, row: Shown, place: int) -> Value:
        """Of a run or a group in a column."""
        column = self.columns[place]
        if isinstance(row, GroupRow):
            return row.value(column)
        key = place, row.run_id
        if key not in self._values:
            self._values[key] = column.value(row)
        return self._values[key]

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
            found = [self.value(row, place) for row in self._all if row.is_ranked]
            downwards = not column.is_lower_better
            values = sorted({v for v in found if isinstance(v, float)}, reverse=downwards)
            if values:
                self._best[place] = values[0]
            alike = any(f"{a:.2f}" == f"{b:.2f}" for a, b in itertools.pairwise(values))
            self._digits[place] = 3 if alike else 2

    def is_best(self, place: int, column: int) -> bool:
        """Whether it reads as the best value of its column, where there is a choice."""
        row = self.row(place)
        if row is None or not row.is_ranked or self._ranked < 2:
            return False
        best, value = self._best.get(column), self.value(row, column)
        if best is None or not isinstance(value, float):
            return False
        digits = self.digits(column)
        return f"{value:.{digits}f}" == f"{best:.{digits}f}"

    # -- order -------------------------------------------------------------------------------------

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort; what is not ranked or has no value stays below."""
        if not 0 <= column < len(self.columns):
            return
        self._sort = (column, order)
        self._rearrange()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, len(self.columns) - 1)

    def _arrange(self) -> None:
        place, order = self._sort
        column = self.columns[place] if place < len(self.columns) else None
        backwards = order == Qt.SortOrder.DescendingOrder
        self._shown = arranged(
            self._all, self._offered, self.arrangement, (column, backwards), look=self._look
        )
        self._places = {
            row.run_id: at for at, row in enumerate(self._shown) if isinstance(row, ResultRow)
        }

    def _look(self, column: Column, row: ResultRow) -> Value:
        """The value of a run in a column that is shown is looked up once."""
        place = self._column_places.get(column.key)
        return column.value(row) if place is None else self.value(row, place)

    def _persistent(self) -> list[tuple[QModelIndex, str]]:
        return [
            (index, row.run_id if row is not None else "")
            for index in self.persistentIndexList()
            for row in (self.row(index.row()),)
        ]

    def _restore(self, before: list[tuple[QModelIndex, str]]) -> None:
        for index, run_id in before:
            place = self.place_of(run_id)
            new = self.index(place, index.column()) if place >= 0 else QModelIndex()
            self.changePersistentIndex(index, new)

    # -- as Qt asks --------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Runs shown."""
        return 0 if parent.isValid() else len(self._shown)

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
            side = (
                Qt.AlignmentFlag.AlignRight
                if column.is_on_the_right
                else Qt.AlignmentFlag.AlignLeft
            )
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names and notes can be changed; the head of a group cannot be chosen."""
        flags = super().flags(index)
        if self.row(index.row()) is None:
            return flags & ~Qt.ItemFlag.ItemIsSelectable
        if index.isValid() and self.columns[index.column()].field in ("name", "note"):
            flags |= Qt.ItemFlag.ItemIsEditable
        return flags

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Another name or note, told to whoever keeps it."""
        row = self.row(index.row())
        if row is None or role != Qt.ItemDataRole.EditRole:
            return False
        text = " ".join(str(value).split())
        if self.columns[index.column()].field == "note":
            if text != row.note:
                self.note_written.emit(row.run_id, text)
        elif text and text != row.name:
            self.renamed.emit(row.run_id, text)
        return True

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Cells."""
        place, at = index.column(), index.row()
        if not 0 <= at < len(self._shown) or not 0 <= place < len(self.columns):
            return None
        row, column = self._shown[at], self.columns[place]
        if role == ROW_ROLE:
            return row
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(at, place)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            right = Qt.AlignmentFlag.AlignRight
            side = right if column.is_on_the_right else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if isinstance(row, GroupRow):
            return self._data_of_group(row, place, role)
        if role == SORT_ROLE:
            return self.value(row, place)
        if role == Qt.ItemDataRole.EditRole:
            return row.note if column.field == "note" else row.name
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(row, place))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            extra = ", best" if column.is_score and self.is_best(at, place) else ""
            return f"{column.title}: {self.text(at, place)}{extra}"
        if role == Qt.ItemDataRole.FontRole and (column.is_score or column.setting):
            strong = self.is_best(at, place) if column.is_score else column.stands_out(row)
            return theme.font(strong=strong)
        if role == Qt.ItemDataRole.ForegroundRole:
            now = theme.current()
            is_usual = bool(column.setting) and not column.stands_out(row)
            quiet = not row.is_ranked or is_usual or column.field in ("differs", "reason")
            return QColor(now.secondary if quiet else now.text)
        return None

    def _data_of_group(self, group: GroupRow, place: int, role: int) -> Any:
        column = self.columns[place]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            if place == 0:
                state = "open" if group.is_open else "closed"
                return f"Group {self._group_title(group)}, {state}"
            return f"{column.title}, mean: {self._text_of_group(group, place)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            words = "Enter or a click shows and hides its runs"
            if column.is_score:
                words = f"{column.title}: mean of the group's runs that are ranked"
            return plain_tip(f"{self._group_title(group)}\n{words}.")
        if role == Qt.ItemDataRole.FontRole:
            return theme.font(strong=place == 0)
        if role == Qt.ItemDataRole.BackgroundRole:
            return QColor(theme.current().window)
        if role == Qt.ItemDataRole.ForegroundRole:
            return QColor(theme.current().text)
        return None

    def _group_title(self, group: GroupRow) -> str:
        count = len(group.members)
        return f"{group.title} · {count} {'run' if count == 1 else 'runs'}"

    def _text_of_group(self, group: GroupRow, place: int) -> str:
        if place == 0:
            return self._group_title(group)
        value = group.value(self.columns[place])
        if value is None:
            return ""
        if isinstance(value, float) and self.columns[place].is_score:
            return f"{value:.{self.digits(place)}f}"
        if isinstance(value, float):
            fact = self.columns[place].fact
            return mean_text(fact, value) if fact else f"{value:g}"
        return value

    def text(self, place: int, column: int) -> str:
        """What a cell says."""
        row = self._shown[place]
        if isinstance(row, GroupRow):
            return self._text_of_group(row, column)
        if not self.columns[column].is_score:
            return self.columns[column].text(row)
        value = self.value(row, column)
        return f"{value:.{self.digits(column)}f}" if isinstance(value, float) else "–"

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
            unit = unit_of(column.measure, row.pooled) if column.measure is not None else ""
            return f"{column.title}: {value:.4f}{unit} ({count} {noun})"
        lines = [row.name]
        if row.reason:
            lines.append(f"Not ranked: {row.reason}.")
        lines += dict.fromkeys(row.refused.values())
        if row.caution:
            lines.append(row.caution)
        if row.note:
            lines.append(f"Note: {row.note}")
        if row.all_that_differs:
            lines.append(f"What differs: {row.all_that_differs}")
        return "\n".join(lines)

    def _why_none(self, row: ResultRow, column: Column) -> str:
        """Why a run has no such score."""
        if column.measure is None or row.pooled is None:
            return "No such score: the class occurs neither in truth nor in prediction."
        return why_none(column.measure, row.pooled)

    # -- copying -----------------------------------------------------------------------------------

    def as_tsv(self, places: Sequence[int] | None = None) -> str:
        """Rows as tab-separated text with a heading, four decimals, for a spreadsheet."""
        wanted = range(len(self._shown)) if places is None else places
        lines = ["\t".join(column.title for column in self.columns)]
        for place in wanted:
            row = self._shown[place]
            cells = [_cell(self.value(row, at)) for at in range(len(self.columns))]
            if isinstance(row, GroupRow):
                cells[0] = _cell(self._group_title(row))
            lines.append("\t".join(cells))
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


def _cell(value: float | str | None) -> str:
    """A value as a spreadsheet takes it; text never becomes a formula."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    plain = " ".join(value.split())
    return f"'{plain}" if plain[:1] in ("=", "+", "-", "@") else plain
