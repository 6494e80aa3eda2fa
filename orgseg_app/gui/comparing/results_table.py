"""The table of runs as it is seen: keys and letters, widths, choosing and copying."""

from __future__ import annotations

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    Qt,
)
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_model import ROW_ROLE, ResultsModel, next_order
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.run_colours import paint_key

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 30


class RunNameDelegate(QStyledItemDelegate):
    """A run's key and name, its letter when it is shown below, and why it is not ranked."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The cell's ground, then words on one or two lines."""
        row = index.data(ROW_ROLE)
        model = index.model()
        if row is None or not isinstance(model, ResultsModel):
            return
        ground = QStyleOptionViewItem(option)
        self.initStyleOption(ground, index)
        ground.text = ""
        table = ground.widget
        table.style().drawControl(QStyle.ControlElement.CE_ItemViewItem, ground, painter, table)
        now = theme.current()
        painter.save()
        place = QRectF(option.rect)
        line = QRectF(place.left() + 42, place.top() + 1, place.width() - 50, ROW_HEIGHT - 2)
        key = QRectF(place.left() + 12, line.top(), 22, line.height())
        paint_key(painter, key, row.colour_index)
        letter = model.letters.get(row.run_id, "")
        if letter:
            badge = QRectF(line.right() - 18, line.center().y() - 9, 18, 18)
            paint_letter(painter, badge, letter)
            line.setRight(line.right() - 26)
        painter.setPen(QColor(now.text if row.is_ranked else now.secondary))
        _draw(painter, line, row.name, theme.font())
        if row.reason:
            small = QRectF(line.left(), place.top() + 25, place.right() - line.left() - 8, 14)
            ratio = painter.device().devicePixelRatioF()
            picture = icons.pixmap("warning", "warning", 12, ratio)
            painter.drawPixmap(QRect(round(small.left()), round(small.top() + 1), 12, 12), picture)
            painter.setPen(QColor(now.warning))
            _draw(painter, small.adjusted(17, 0, 0, 0), row.reason, theme.font(theme.CAPTION_PX))
        painter.restore()


def _draw(painter: QPainter, place: QRectF, text: str, font: QFont) -> None:
    painter.setFont(font)
    mode = Qt.TextElideMode.ElideMiddle
    shown = QFontMetrics(font).elidedText(text, mode, int(place.width()))
    painter.drawText(place, Qt.AlignmentFlag.AlignVCenter, shown)


def paint_letter(painter: QPainter, place: QRectF, letter: str) -> None:
    """A small badge with A or B."""
    now = theme.current()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(now.accent))
    painter.drawRoundedRect(place, 4, 4)
    painter.setPen(QColor(now.on_accent))
    painter.setFont(theme.font(theme.CAPTION_PX, strong=True))
    painter.drawText(place, Qt.AlignmentFlag.AlignCenter, letter)
    painter.restore()


class ResultsTable(QTableView):
    """The table itself; Ctrl+C copies the selected rows, or all of them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.results = ResultsModel(self)
        self.setModel(self.results)
        self.setAccessibleName("Runs compared")
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setItemDelegateForColumn(0, RunNameDelegate(self))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setStretchLastSection(True)
        header.setFixedHeight(42)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_title_clicked)
        self.setStyleSheet("QTableView::item { padding: 0 5px; }")  # in line with the titles
        self.results.modelReset.connect(self.fit_rows)
        self.results.layoutChanged.connect(self.fit_rows)
        self.fit_columns()

    def fit_columns(self) -> None:
        """Widths: names wide, numbers narrow, words as they need."""
        header = self.horizontalHeader()
        metrics = QFontMetrics(theme.font(theme.CAPTION_PX))
        for place, info in enumerate(self.results.columns):
            if info.is_score:
                words = f"▾ {info.title}".replace(", ", "\n").split("\n")  # with the sorting mark
                width = max(metrics.horizontalAdvance(word) for word in words)
                header.resizeSection(place, min(170, max(72, width + 32)))
            elif place == 0:
                header.resizeSection(place, 248)
            self.setColumnHidden(place, info.field == "reason")  # said below the name

    def fit_rows(self) -> None:
        """Runs that are not ranked have a second line."""
        for place, row in enumerate(self.results.rows):
            self.setRowHeight(place, ROW_HEIGHT + 14 if row.reason else ROW_HEIGHT)

    def sort_by(self, column: int) -> None:
        """As a click on a column's title: scores start with the best, words with A."""
        first = self.results.first_order(column)
        self.results.sort(column, next_order(self.results.sorted_by, column, first))

    def _on_title_clicked(self, column: int) -> None:
        self.sort_by(column)

    def chosen(self) -> list[ResultRow]:
        """Selected runs, in the order of the table."""
        places = sorted(index.row() for index in self.selectionModel().selectedRows())
        return [row for place in places if (row := self.results.row(place)) is not None]

    def choose(self, run_ids: list[str]) -> None:
        """Select runs."""
        selection = QItemSelection()
        last = max(0, self.results.columnCount() - 1)
        places = [place for i in run_ids if (place := self.results.place_of(i)) >= 0]
        for place in places:
            selection.select(self.results.index(place, 0), self.results.index(place, last))
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(selection, flag.ClearAndSelect | flag.Rows)
        if places:
            self.selectionModel().setCurrentIndex(self.results.index(places[0], 0), flag.NoUpdate)

    def copy(self) -> None:
        """Selected rows (or all) to the clipboard, as tab-separated text."""
        places = sorted(index.row() for index in self.selectionModel().selectedRows())
        text = self.results.as_tsv(places if len(places) > 1 else None)
        QGuiApplication.clipboard().setText(text)

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take: Home, End, Page up, Page down, copy."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        else:
            super().keyPressEvent(event)
