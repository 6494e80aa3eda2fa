"""One row an object: what the table shows, sorts and filters, however many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
)
from PySide6.QtGui import QColor, QIcon, QPixmap

from orgseg_app.core.classes import ClassInfo
from orgseg_app.core.object_review import suspicion
from orgseg_app.gui.canvas.object_colours import object_colour
from orgseg_app.gui.editing.object_review import Reviewed
from orgseg_app.gui.panels.object_words import (
    HOW_JUDGED,
    explained,
    planes_words,
    reasons_of,
    size_words,
    unit_of,
)

NUMBER, CLASS, SIZE, PLANES, ROUNDNESS, SCORE, WHY = range(7)
COLUMNS = 7
_WORDS = {
    "tiny": suspicion.TINY,
    "small": suspicion.TINY,
    "huge": suspicion.HUGE,
    "large": suspicion.HUGE,
    "shape": suspicion.NOT_ROUND,
    "round": suspicion.NOT_ROUND,
    "parts": suspicion.PARTS,
    "holes": suspicion.HOLES,
    "beside": suspicion.NEIGHBOUR,
    "neighbour": suspicion.NEIGHBOUR,
    "missing": suspicion.GAP,
    "classes": suspicion.MIXED,
    "border": suspicion.BORDER,
}

Index = QModelIndex | QPersistentModelIndex
_NO_ROWS: NDArray[np.int64] = np.zeros(0, np.int64)


@dataclass(frozen=True)
class Filter:
    """Which objects are listed.

    Attributes
    ----------
    class_id
        Only this class; 0 for all.
    words
        Only objects for which all of these are said, or that are of such a class.
    suspicious
        Only those with something odd.
    """

    class_id: int = 0
    words: str = ""
    suspicious: bool = False


class ObjectTableModel(QAbstractTableModel):
    """Rows of `Reviewed` columns in the order and choice that is wanted.

    Attributes
    ----------
    rows
        ``(n,)``: which row of the columns each row of the table is.
    sorted_by, is_descending
        Column, and its direction.
    """

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.found: Reviewed | None = None
        self.rows = _NO_ROWS
        self.sorted_by, self.is_descending = SCORE, True
        self.filter = Filter()
        self._classes: Mapping[int, ClassInfo] = {}
        self._depth = 1
        self._pixel_um: tuple[float, float, float] | None = None
        self._places = _NO_ROWS
        self._icons: dict[str, QIcon] = {}

    # -- what is shown ---------------------------------------------------------------------------

    def show(
        self,
        found: Reviewed | None,
        classes: Mapping[int, ClassInfo],
        depth: int,
        pixel_size_um: tuple[float, float, float] | None,
    ) -> None:
        """Show these objects."""
        self.beginResetModel()
        self.found, self._classes = found, classes
        self._depth, self._pixel_um = depth, pixel_size_um
        self._arrange()
        self.endResetModel()

    def set_filter(self, wanted: Filter) -> None:
        """List only some of them."""
        if wanted != self.filter:
            self.beginResetModel()
            self.filter = wanted
            self._arrange()
            self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """List them by a column."""
        self.beginResetModel()
        self.sorted_by = column
        self.is_descending = order == Qt.SortOrder.DescendingOrder
        self._arrange()
        self.endResetModel()

    @property
    def unit(self) -> tuple[str, float]:
        """What sizes are told in, and how much of it a voxel is."""
        return unit_of(self._depth, self._pixel_um)

    def number(self, row: int) -> int:
        """The object in a row of the table."""
        assert self.found is not None
        return int(self.found.columns.numbers[self.rows[row]])

    def numbers_of(self, rows: Sequence[int]) -> list[int]:
        """The objects in some rows of the table."""
        if self.found is None or not len(rows):
            return []
        places = self.rows[np.asarray(rows, np.int64)]
        found: list[int] = self.found.columns.numbers[places].tolist()
        return found

    def place_of(self, number: int) -> int:
        """The row of the table with an object; -1 where it is not listed."""
        if self.found is None:
            return -1
        row = self.found.columns.row_of(number)
        return int(self._places[row]) if row >= 0 else -1

    def places_of(self, numbers: Sequence[int]) -> list[int]:
        """Rows of the table with these objects, in order; those not listed are left out."""
        if self.found is None or not len(self.found.columns):
            return []
        known, wanted = self.found.columns.numbers, np.array(numbers, np.uint32)
        rows = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        places = self._places[rows[known[rows] == wanted]]
        return sorted(places[places >= 0].tolist())

    def _arrange(self) -> None:
        if self.found is None:
            self.rows = self._places = _NO_ROWS
            return
        columns, found = self.found.columns, self.found.suspicions
        keys = {
            NUMBER: columns.numbers,
            CLASS: columns.class_ids,
            SIZE: columns.voxels,
            PLANES: columns.low[:, 0],
            ROUNDNESS: columns.roundness,
        }
        key = np.asarray(keys.get(self.sorted_by, found.score), np.float64)
        order = np.argsort(-key if self.is_descending else key, kind="stable")
        self.rows = order[self._listed()[order]]
        self._places = np.full(len(columns), -1, np.int64)
        self._places[self.rows] = np.arange(len(self.rows))

    def _listed(self) -> NDArray[np.bool_]:
        assert self.found is not None
        columns, found = self.found.columns, self.found.suspicions
        listed = np.ones(len(columns), np.bool_)
        if self.filter.class_id:
            listed &= columns.class_ids == self.filter.class_id
        if self.filter.suspicious:
            listed &= found.is_suspicious
        for word in self.filter.words.casefold().replace(",", " ").split():
            fits = np.zeros(len(columns), np.bool_)
            for name, reason in _WORDS.items():
                if name.startswith(word):
                    fits |= found.reasons[reason]
            for class_id, info in self._classes.items():
                if word in info.name.casefold():
                    fits |= columns.class_ids == class_id
            if word.isdecimal():
                fits |= columns.numbers == int(word) if len(word) < 11 else False
            listed &= fits
        return listed

    # -- Qt --------------------------------------------------------------------------------------

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own)
        """Objects listed."""
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's own)
        """Always the same."""
        return 0 if parent.isValid() else COLUMNS

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles, with the unit of sizes."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            unit = self.unit[0]
            titles = ("Number", "Class", f"Size ({unit})", "Planes", "Round", "Odd", "Why")
            return titles[section]
        if role == Qt.ItemDataRole.ToolTipRole:
            return {
                ROUNDNESS: "Area over that of a disc as long: 1 for a disc, less when it is long, "
                "notched or holed; of a ball, on several planes",
                SCORE: HOW_JUDGED,
                WHY: HOW_JUDGED,
            }.get(section, "Sort by this column; again, the other way round")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(section)
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """One cell."""
        if self.found is None or not index.isValid() or index.row() >= len(self.rows):
            return None
        row, column = int(self.rows[index.row()]), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(row, column)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return _alignment(column)
        if role == Qt.ItemDataRole.ToolTipRole:
            unit, one = self.unit
            return explained(self.found.columns, self.found.suspicions, row, unit, one)
        if role == Qt.ItemDataRole.DecorationRole:
            return self._swatch(row, column)
        return None

    def text(self, row: int, column: int) -> str:
        """What a cell says; ``row`` is one of the columns."""
        assert self.found is not None
        columns, found = self.found.columns, self.found.suspicions
        if column == NUMBER:
            return str(columns.numbers[row])
        if column == CLASS:
            info = self._classes.get(int(columns.class_ids[row]))
            return info.name if info is not None else "none"
        if column == SIZE:
            return size_words(float(columns.voxels[row]) * self.unit[1])
        if column == PLANES:
            return planes_words(int(columns.low[row, 0]), int(columns.high[row, 0]))
        if column == ROUNDNESS:
            return f"{columns.roundness[row]:.2f}"
        if column == SCORE:
            return f"{found.score[row]:.1f}" if found.score[row] > 0 else ""
        return reasons_of(columns, found, row)

    def as_tsv(self, places: list[int]) -> str:
        """Rows of the table with their titles, tab-separated."""
        shown = [c for c in range(COLUMNS) if c != PLANES or self._depth > 1]
        titles = [str(self.headerData(c, Qt.Orientation.Horizontal)) for c in shown]
        lines = ["\t".join(self.text(int(self.rows[place]), c) for c in shown) for place in places]
        return "\n".join(["\t".join(titles), *lines])

    def _swatch(self, row: int, column: int) -> QIcon | None:
        """The object's colour beside its number, the class's beside its name."""
        assert self.found is not None
        if column == NUMBER:
            colour = object_colour(int(self.found.columns.numbers[row]))
        elif column == CLASS:
            info = self._classes.get(int(self.found.columns.class_ids[row]))
            if info is None:
                return None
            colour = info.colour
        else:
            return None
        if colour not in self._icons:
            picture = QPixmap(10, 10)
            picture.fill(QColor(colour))
            icon = QIcon()
            for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):  # chosen, it stays as it is
                icon.addPixmap(picture, mode)
            self._icons[colour] = icon
        return self._icons[colour]


def _alignment(column: int) -> Qt.AlignmentFlag:
    is_number = column in (NUMBER, SIZE, PLANES, ROUNDNESS, SCORE)
    side = Qt.AlignmentFlag.AlignRight if is_number else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter
