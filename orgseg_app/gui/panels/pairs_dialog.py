"""The table of an import: which annotation goes with which image, problems first."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QModelIndex,
    QPersistentModelIndex,
    QSortFilterProxyModel,
    Qt,
)
from PySide6.QtGui import QColor, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.files.names import clean_text
from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    Caption,
    SecondaryButton,
    SectionTitle,
    label,
    plain_tip,
)

if TYPE_CHECKING:
    from orgseg_app.files.annotations.plan import ImportItem, ImportPlan

Index = QModelIndex | QPersistentModelIndex
COLUMNS = ("Image", "Annotation", "Split", "Problem")
NOTES_SHOWN = 4
NO_IMAGE = "No image of this name"
NO_ANNOTATION = "No annotation found"


@dataclass(frozen=True)
class Pair:
    """One row: texts by column, the whole paths, and how bad it is (2 problem, 1 missing, 0)."""

    texts: tuple[str, str, str, str]
    paths: tuple[str, str]
    severity: int


def pairs_of(plan: ImportPlan) -> list[Pair]:
    """The rows of a plan: problems first, then annotations and images left alone, then pairs."""
    root = _common_folder(plan)
    pairs = [_pair(item, root) for item in plan.items]
    for path in plan.unmatched:
        pairs.append(Pair(("", _short(path, root), "", NO_IMAGE), ("", str(path)), 2))
    return sorted(pairs, key=lambda pair: -pair.severity)


def _pair(item: ImportItem, root: str) -> Pair:
    annotation = item.annotation
    found, whole = "", ""
    if annotation is not None and annotation.paths:
        found, whole = _short(annotation.paths[0], root), str(annotation.paths[0])
        if len(annotation.paths) > 1:
            found = f"{found} and {len(annotation.paths) - 1} more"
    if item.has_weights:
        found = f"{found} and weights" if found else "weights"
    problem, severity = item.problem or "", 2 if item.problem else 0
    if not problem and item.duplicate_of:
        problem, severity = f"Same content as “{item.duplicate_of}”", 1
    if not problem and annotation is None:
        problem, severity = NO_ANNOTATION, 1
    texts = (_short(item.image_path, root), found, item.split or "", clean_text(problem, 400))
    return Pair(texts, (str(item.image_path), whole), severity)


def _common_folder(plan: ImportPlan) -> str:
    folders = {str(item.image_path.parent) for item in plan.items}
    folders |= {str(path.parent) for path in plan.unmatched}
    try:
        return os.path.commonpath(folders) if folders else ""
    except ValueError:  # different drives, or relative beside absolute
        return ""


def _short(path: Path, root: str) -> str:
    text = str(path)
    if root and text.startswith(root.rstrip(os.sep) + os.sep):
        text = text[len(root.rstrip(os.sep)) + 1 :]
    return clean_text(text, 300)


class PairsModel(QAbstractTableModel):
    """The rows of a plan for a table."""

    def __init__(self, pairs: Sequence[Pair], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pairs = list(pairs)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Images, and annotations without one."""
        return 0 if parent.isValid() else len(self.pairs)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Image, annotation, split, problem."""
        return 0 if parent.isValid() else len(COLUMNS)

    def headerData(
        self,
        section: int,
        orientation: Qt.Orientation,
        role: int = Qt.ItemDataRole.DisplayRole,
    ) -> Any:
        """Names of the columns."""
        if role == Qt.ItemDataRole.DisplayRole and orientation == Qt.Orientation.Horizontal:
            return COLUMNS[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Words; an icon and a tone for what is wrong."""
        if not index.isValid():
            return None
        pair, column = self.pairs[index.row()], index.column()
        text = pair.texts[column]
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(pair.paths[column] if column < 2 else text) or None
        if column == 3 and pair.severity:
            tone = "warning" if pair.severity == 2 else "secondary"
            if role == Qt.ItemDataRole.ForegroundRole:
                return QColor(theme.current().colour(tone))
            if role == Qt.ItemDataRole.DecorationRole and pair.severity == 2:
                return icons.icon("warning", tone)
        return None

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """By a column; below 0 as at first."""
        from orgseg_app.files.readers.names import natural_key

        self.layoutAboutToBeChanged.emit()
        if column < 0:
            self.pairs.sort(key=lambda pair: -pair.severity)
        else:
            falling = order == Qt.SortOrder.DescendingOrder
            self.pairs.sort(key=lambda pair: natural_key(pair.texts[column]), reverse=falling)
        self.layoutChanged.emit()


class _Filter(QSortFilterProxyModel):
    """Rows in which a text occurs anywhere; sorting is the model's own."""

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.sourceModel().sort(column, order)


class _Sentence(QStyledItemDelegate):
    """A sentence reads from its beginning; the table's paths are cut in their middle."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: Index) -> None:
        super().initStyleOption(option, index)
        option.textElideMode = Qt.TextElideMode.ElideRight


class PairsDialog(FittingDialog):
    """Shows a plan row by row; the window goes on beside it."""

    def __init__(self, plan: ImportPlan, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Images and annotations")
        set_help(self, "importing")
        self.resize(860, 520)
        self.model = PairsModel(pairs_of(plan), self)
        self.filter_model = _Filter(self)
        self.filter_model.setSourceModel(self.model)
        self.filter_model.setFilterKeyColumn(-1)
        self.filter_model.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter")
        self.filter.setAccessibleName("Filter rows")
        self.filter.setClearButtonEnabled(True)
        theme.hold(self.filter, width=200)
        self.filter.textChanged.connect(self.filter_model.setFilterFixedString)
        self.table = self._make_table()
        copy = SecondaryButton("Copy table", "copy")
        copy.setToolTip("Copy as text with tabs, for a spreadsheet (Ctrl+C)")
        copy.clicked.connect(self.copy)
        close = SecondaryButton("Close")
        close.clicked.connect(self.close)
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(SectionTitle(plan.summary().split(";")[0]))
        head.addWidget(self.filter, 0, Qt.AlignmentFlag.AlignRight)
        head.addWidget(HelpButton("importing"))
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        root = _common_folder(plan)
        foot.addWidget(Caption(f"In {root}" if root else ""), 1)
        foot.addWidget(copy)
        foot.addWidget(close)
        self.notes = [clean_text(note, 400) for note in plan.notes]
        if plan.skipped:
            names = ", ".join(clean_text(path.name, 60) for path in plan.skipped[:3])
            more = f" and {len(plan.skipped) - 3:,} more" if len(plan.skipped) > 3 else ""
            self.notes.append(f"Left out, as they are no images: {names}{more}.")
        column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, GROUP, GROUP, GROUP)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addWidget(self.table, 1)
        for note in self.notes[:NOTES_SHOWN]:
            column.addWidget(label(note, tone="secondary", wrap=True))
        if len(self.notes) > NOTES_SHOWN:
            column.addWidget(Caption(f"And {len(self.notes) - NOTES_SHOWN} more notes"))
        column.addLayout(foot)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Copy), self.table, self.copy)
        self.table.setFocus()

    def _make_table(self) -> QTableView:
        table = QTableView()
        table.setModel(self.filter_model)
        table.setAccessibleName("Images and their annotations")
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        table.setItemDelegateForColumn(3, _Sentence(table))
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setTabKeyNavigation(False)
        table.verticalHeader().hide()
        theme.hold_rows(table, 28)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setSortIndicatorClearable(True)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        table.setSortingEnabled(True)
        header.setStretchLastSection(True)
        header.setAccessibleName("Columns; press one to sort")
        table.verticalHeader().setAccessibleName("Rows")
        for corner in table.findChildren(QAbstractButton):
            corner.setAccessibleName("Select all rows")
        for column, width in enumerate((230, 230, 88, 240)):
            table.setColumnWidth(column, width)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        return table

    def copy(self) -> None:
        """Copy the selected rows, or all that are shown, as lines with tabs."""
        shown = self.filter_model
        rows = sorted({index.row() for index in self.table.selectionModel().selectedRows()})
        if len(rows) < 2:
            rows = list(range(shown.rowCount()))
        lines = ["\t".join(COLUMNS)]
        for row in rows:
            cells = (str(shown.index(row, c).data() or "") for c in range(len(COLUMNS)))
            lines.append("\t".join(cell.replace("\t", " ") for cell in cells))
        QGuiApplication.clipboard().setText("\n".join(lines) + "\n")
