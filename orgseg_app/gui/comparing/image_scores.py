"""Test images with the scores of the two runs shown, where they differ most first."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QGuiApplication, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from orgseg_app.gui.comparing.measures import class_value
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_model import next_order, sort_mark
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import plain_tip
from orgseg_app.runs.comparison import ImageScores

Index = QModelIndex | QPersistentModelIndex
IMAGE, SCORE_A, SCORE_B, DIFFERENCE = range(4)
DIFFERENCE_ROLE = Qt.ItemDataRole.UserRole
ROW_HEIGHT = 28


class ImageScoresModel(QAbstractTableModel):
    """One row a test image: IoU of run A, of run B, and A − B."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._images: dict[str, str] = {}
        self._a: ResultRow | None = None
        self._b: ResultRow | None = None
        self._class_name = ""
        self._ids: list[str] = []
        self._sort = (DIFFERENCE, Qt.SortOrder.DescendingOrder)

    def set_runs(
        self, images: dict[str, str], a: ResultRow | None, b: ResultRow | None, class_name: str
    ) -> None:
        """Show these test images and runs, for one class or ("") the mean over classes."""
        self.beginResetModel()
        self._images, self._a, self._b = dict(images), a, b
        self._class_name = class_name
        self._arrange()
        self.endResetModel()

    @property
    def image_ids(self) -> list[str]:
        """As shown."""
        return list(self._ids)

    def scores_of(self, image_id: str) -> tuple[float | None, float | None]:
        """IoU of A and of B on one image."""
        return self._score(self._a, image_id), self._score(self._b, image_id)

    def difference_of(self, image_id: str) -> float | None:
        """A − B, or None where one of them is missing."""
        a, b = self.scores_of(image_id)
        return None if a is None or b is None else a - b

    def _score(self, row: ResultRow | None, image_id: str) -> float | None:
        item = self._item(row, image_id)
        return None if item is None else class_value(item.scores, "iou", self._class_name)

    @staticmethod
    def _item(row: ResultRow | None, image_id: str) -> ImageScores | None:
        return None if row is None else row.images.get(image_id)

    def _arrange(self) -> None:
        column, order = self._sort
        backwards = order == Qt.SortOrder.DescendingOrder

        def key(image_id: str) -> Any:
            a, b = self.scores_of(image_id)
            if column == IMAGE:
                return self._images[image_id].casefold()
            if column == DIFFERENCE:
                difference = self.difference_of(image_id)
                if difference is None and self._b is None and a is not None:
                    return 1 - a  # one run only: its worst image first
                return None if difference is None else abs(difference)
            return a if column == SCORE_A else b

        known = [i for i in self._images if key(i) is not None]
        rest = [i for i in self._images if key(i) is None]
        known.sort(key=key, reverse=backwards)
        self._ids = known + rest

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort; differences by their size."""
        self._sort = (column, order)
        self.layoutAboutToBeChanged.emit()
        before = [(i, self._ids[i.row()]) for i in self.persistentIndexList()]
        self._arrange()
        for index, image_id in before:
            new = self.index(self._ids.index(image_id), index.column())
            self.changePersistentIndex(index, new)
        self.layoutChanged.emit()
        self.headerDataChanged.emit(Qt.Orientation.Horizontal, 0, self.columnCount() - 1)

    @property
    def sorted_by(self) -> tuple[int, Qt.SortOrder]:
        """Column and order."""
        return self._sort

    @property
    def digits(self) -> int:
        """Two decimals, or three where the runs would look alike on some image."""
        for image_id in self._ids:
            a, b = self.scores_of(image_id)
            if a is not None and b is not None and a != b and f"{a:.2f}" == f"{b:.2f}":
                return 3
        return 2

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Images."""
        return 0 if parent.isValid() else len(self._ids)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Image, A, and with a second run B and the difference."""
        return 0 if parent.isValid() else 4 if self._b is not None else 2

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        whose = self._class_name or "mean of classes"
        tips = {
            IMAGE: "Test images; Up and Down show them",
            SCORE_A: f"IoU of run A on the image ({whose})",
            SCORE_B: f"IoU of run B on the image ({whose})",
            DIFFERENCE: "IoU of A minus IoU of B; sorted by its size",
        }
        if role == Qt.ItemDataRole.DisplayRole:
            title = ("Image", "IoU A", "IoU B", "A − B")[section]
            return f"{sort_mark(self._sort[1])} {title}" if section == self._sort[0] else title
        if role == Qt.ItemDataRole.ToolTipRole:
            return tips[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if section else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Cells."""
        if not index.isValid() or index.row() >= len(self._ids):
            return None
        image_id, column = self._ids[index.row()], index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(image_id, column)
        if role == DIFFERENCE_ROLE and column == DIFFERENCE:
            return self.difference_of(image_id)
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
            return side | Qt.AlignmentFlag.AlignVCenter
        if role == Qt.ItemDataRole.FontRole and column in (SCORE_A, SCORE_B):
            a, b = self.scores_of(image_id)
            mine, other = (a, b) if column == SCORE_A else (b, a)
            better = mine is not None and other is not None and mine > other
            alike = self.text(image_id, SCORE_A) == self.text(image_id, SCORE_B)
            return theme.font(strong=better and not alike)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(image_id))
        return None

    def text(self, image_id: str, column: int) -> str:
        """What a cell says."""
        if column == IMAGE:
            return self._images[image_id]
        a, b = self.scores_of(image_id)
        if column == DIFFERENCE:
            difference = self.difference_of(image_id)
            return "–" if difference is None else f"{difference:+.{self.digits}f}".replace("-", "−")
        value = a if column == SCORE_A else b
        return "–" if value is None else f"{value:.{self.digits}f}"

    def _tip(self, image_id: str) -> str:
        lines = [self._images[image_id]]
        for row in (self._a, self._b):
            item = self._item(row, image_id)
            if row is None:
                continue
            if item is None:
                refused = row.refused.get(image_id)
                lines.append(
                    f"“{row.name}”: {refused}" if refused else f"“{row.name}” was not scored on it."
                )
                continue
            value = class_value(item.scores, "iou", self._class_name)
            lines.append(f"{row.name}: IoU {value:.4f}" if value is not None else f"{row.name}: –")
            if item.is_leaked:
                lines.append("  had seen this image while learning")
            if item.is_outdated:
                lines.append("  scored before the image was painted anew")
        return "\n".join(lines)

    def as_tsv(self) -> str:
        """All rows as tab-separated text with a heading."""
        titles = ["Test image", f"IoU of {self._name(self._a)}"]
        if self._b is not None:
            titles += [f"IoU of {self._name(self._b)}", "Difference"]
        lines = ["\t".join(titles)]
        for image_id in self._ids:
            numbers: list[float | None] = list(self.scores_of(image_id))
            numbers = [*numbers, self.difference_of(image_id)][: len(titles) - 1]
            cells = ["" if n is None else f"{n:.4f}" for n in numbers]
            lines.append("\t".join([" ".join(self._images[image_id].split()), *cells]))
        return "\n".join(lines) + "\n"

    @staticmethod
    def _name(row: ResultRow | None) -> str:
        return " ".join(row.name.split()) if row is not None else ""


class DifferenceDelegate(QStyledItemDelegate):
    """The number, and behind it a bar from the middle: to the right where A is better."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Bar, then the cell's number."""
        super().paint(painter, option, index)
        difference = index.data(DIFFERENCE_ROLE)
        if difference is None:
            return
        now = theme.current()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, width = option.rect.left() + 8.0, 28.0
        middle = left + width / 2
        y = option.rect.center().y() - 2.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.line))
        painter.drawRect(QRectF(middle - 0.5, y - 3, 1, 11))
        length = max(-1.0, min(1.0, difference * 4)) * width / 2
        painter.setBrush(QColor(now.secondary))
        painter.drawRoundedRect(QRectF(middle, y, length, 5).normalized(), 1.5, 1.5)
        painter.restore()


class ImageScoresTable(QTableView):
    """The list of test images.

    Signals
    -------
    image_chosen(image_id)
        Another row is current.
    """

    image_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scores = ImageScoresModel(self)
        self._chosen = ""
        self.setModel(self.scores)
        self.setAccessibleName("Test images")
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setTabKeyNavigation(False)
        self.setStyleSheet("QTableView::item { padding: 0 5px; }")  # in line with the titles
        self.setItemDelegateForColumn(DIFFERENCE, DifferenceDelegate(self))
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(40)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_title_clicked)
        self.selectionModel().currentRowChanged.connect(self._on_current_changed)

    def set_runs(
        self, images: dict[str, str], a: ResultRow | None, b: ResultRow | None, class_name: str
    ) -> None:
        """Show these; the chosen image stays, or the first becomes it."""
        kept = self._chosen
        self.scores.set_runs(images, a, b, class_name)
        header = self.horizontalHeader()
        for column in range(self.scores.columnCount()):
            stretch = column == IMAGE
            header.setSectionResizeMode(
                column,
                QHeaderView.ResizeMode.Stretch if stretch else QHeaderView.ResizeMode.Fixed,
            )
            if not stretch:
                self.setColumnWidth(column, 106 if column == DIFFERENCE else 62)
        ids = self.scores.image_ids
        self.choose(kept if kept in ids else ids[0] if ids else "")

    @property
    def chosen(self) -> str:
        """Id of the image shown, or ""."""
        return self._chosen

    def choose(self, image_id: str) -> None:
        """Show an image."""
        ids = self.scores.image_ids
        if image_id not in ids:
            self._chosen = ""
            return
        index = self.scores.index(ids.index(image_id), 0)
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flag.ClearAndSelect | flag.Rows)
        self.scrollTo(index)

    def _on_title_clicked(self, column: int) -> None:
        down, up = Qt.SortOrder.DescendingOrder, Qt.SortOrder.AscendingOrder
        first = down if column == DIFFERENCE else up
        self.scores.sort(column, next_order(self.scores.sorted_by, column, first))

    def _on_current_changed(self, index: QModelIndex, before: QModelIndex) -> None:
        ids = self.scores.image_ids
        if index.isValid() and index.row() < len(ids) and ids[index.row()] != self._chosen:
            self._chosen = ids[index.row()]
            self.image_chosen.emit(self._chosen)

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take: Home, End, Page up, Page down."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy takes the whole list as tab-separated text."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.scores.as_tsv())
        else:
            super().keyPressEvent(event)
