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
    Signal,
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
    QHeaderView,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_model import ROW_ROLE, ResultsModel, next_order
from orgseg_app.gui.comparing.row_order import GroupRow
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.name_delegate import NameDelegate
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.run_colours import paint_key
from orgseg_app.gui.style.tables import draw_ground, make_rows
from orgseg_app.gui.style.widgets import edit_name
from orgseg_app.runs.remarks import LONGEST_NOTE

_ALWAYS = (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
_FLIPS = {True: (*_ALWAYS, Qt.Key.Key_Left), False: (*_ALWAYS, Qt.Key.Key_Right)}
"""Keys that close an open group, and open a closed one."""

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 30
MEASURED_ROWS = 60
"""So many rows decide how wide a column of words is."""


class NoteDelegate(NameDelegate):
    """A field for the note of a run."""

    field_name = "Note"
    longest = LONGEST_NOTE


class RunNameDelegate(NameDelegate):
    """A run's key and name, its letter when it is shown below, and why it is not ranked.

    Of a group, its title behind a mark that tells whether its runs are shown.
    """

    field_name = "Name of the run"
    longest = 80

    def name_rect(self, row: QRect) -> QRect:
        """Behind the key."""
        return QRect(row.left() + 36, row.top(), row.width() - 38, ROW_HEIGHT)

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """The cell's ground, then words on one or two lines."""
        row = index.data(ROW_ROLE)
        model = index.model()
        if row is None or not isinstance(model, ResultsModel):
            return
        draw_ground(self, painter, option, index)
        now = theme.current()
        if isinstance(row, GroupRow):
            _draw_group(painter, QRectF(option.rect), str(index.data()), row.is_open)
            return
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
        for name, is_so in (("pin", row.remarks.is_pinned), ("eye-off", row.remarks.is_hidden)):
            if is_so:
                sign = icons.pixmap(name, "secondary", 14, painter.device().devicePixelRatioF())
                at = QRect(round(line.right() - 14), round(line.center().y() - 7), 14, 14)
                painter.drawPixmap(at, sign)
                line.setRight(line.right() - 20)
        painter.setPen(QColor(now.text if row.is_ranked else now.secondary))
        _draw(painter, line, row.name, theme.font())
        if row.reason or row.mark:
            tone = "warning" if row.reason else "info"
            small = QRectF(line.left(), place.top() + 25, place.right() - line.left() - 8, 14)
            ratio = painter.device().devicePixelRatioF()
            picture = icons.pixmap(tone, "warning" if row.reason else "secondary", 12, ratio)
            painter.drawPixmap(QRect(round(small.left()), round(small.top() + 1), 12, 12), picture)
            painter.setPen(QColor(now.warning if row.reason else now.secondary))
            words = "; ".join(text for text in (row.reason, row.mark) if text)
            _draw(painter, small.adjusted(17, 0, 0, 0), words, theme.font(theme.CAPTION_PX))
        painter.restore()


def _draw_group(painter: QPainter, place: QRectF, title: str, is_open: bool) -> None:
    painter.save()
    ratio = painter.device().devicePixelRatioF()
    sign = icons.pixmap("chevron-down" if is_open else "chevron-right", "secondary", 14, ratio)
    at = QRect(round(place.left() + 10), round(place.center().y() - 7), 14, 14)
    painter.drawPixmap(at, sign)
    painter.setPen(QColor(theme.current().text))
    _draw(painter, place.adjusted(32, 0, -6, 0), title, theme.font(strong=True))
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
    """The table itself; Ctrl+C copies the selected rows, or all of them.

    F2 changes a name or a note, Delete asks for the selected runs to be deleted, Space pins them;
    Enter, Left and Right open and close a group.

    Signals
    -------
    delete_pressed(), pin_pressed()
    """

    delete_pressed = Signal()
    pin_pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.results = ResultsModel(self)
        self.setModel(self.results)
        make_rows(self, "Runs compared", height=ROW_HEIGHT)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)  # F2: see `edit_cell`
        self.setItemDelegate(NoteDelegate(self))
        self.setItemDelegateForColumn(0, RunNameDelegate(self))
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        header = self.horizontalHeader()
        theme.hold(header, height=42)
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_title_clicked)
        header.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.clicked.connect(lambda index: self.results.flip_group(index.row()))
        self.setStyleSheet("QTableView::item { padding: 0 5px; }")  # in line with the titles
        for signal in (self.selectionModel().currentChanged, self.results.modelReset):
            signal.connect(self._name_page)
        self._name_page()
        self.results.modelReset.connect(self.fit_rows)
        self.results.layoutChanged.connect(self.fit_rows)
        self.fit_columns()

    def _name_page(self, *_: object) -> None:
        """The help is about the column of the cell that the keys go to."""
        at, columns = self.currentIndex().column(), self.results.columns
        set_help(self, columns[at].help_page if 0 <= at < len(columns) else "comparing#table")

    def fit_columns(self) -> None:
        """Widths: names wide, numbers narrow, words as they need."""
        header = self.horizontalHeader()
        metrics = QFontMetrics(theme.font(theme.CAPTION_PX))
        for place, info in enumerate(self.results.columns):
            if info.is_score:
                words = f"▾ {info.title}".replace(", ", "\n").split("\n")  # with the sorting mark
                width = max(metrics.horizontalAdvance(word) for word in words)
                header.resizeSection(place, min(theme.px(170), max(theme.px(72), width + 36)))
            elif info.setting or info.fact:
                title = metrics.horizontalAdvance(f"▾ {info.title}")
                texts = [info.text(row) for row in self.results.rows[:MEASURED_ROWS]]
                most = max((metrics.horizontalAdvance(text) for text in texts), default=0)
                width = max(theme.px(72), title + 24, most * 13 // 11 + 28)
                header.resizeSection(place, min(theme.px(200), width))
            elif info.field == "note":
                header.resizeSection(place, theme.px(200))
            elif place == 0:
                header.resizeSection(place, theme.px(248))
            self.setColumnHidden(place, info.field == "reason")  # said below the name
        # Words take the room that is left, else names: a number far from the others is not read.
        shown = [info for info in self.results.columns if info.field != "reason"]
        ends_in_words = bool(shown) and not shown[-1].is_score
        header.setStretchLastSection(ends_in_words)
        header.setMinimumSectionSize(theme.px(80))
        if self.results.columns:
            mode = QHeaderView.ResizeMode
            header.setSectionResizeMode(0, mode.Interactive if ends_in_words else mode.Stretch)

    def fit_rows(self) -> None:
        """Runs that are not ranked, or made elsewhere, have a second line."""
        for place in range(self.results.rowCount()):
            row = self.results.row(place)
            has_second = row is not None and bool(row.reason or row.mark)
            height = theme.px(ROW_HEIGHT + 14 if has_second else ROW_HEIGHT)
            if self.rowHeight(place) != height:  # of 200 rows, most have theirs already
                self.setRowHeight(place, height)

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

    def edit_cell(self, field: str, run_id: str = "") -> None:
        """Change the ``"name"`` or the ``"note"`` of a run; without an id, of the current one."""
        at = self.results.place_of(run_id) if run_id else self.currentIndex().row()
        columns = [column.field for column in self.results.columns]
        if field in columns and at >= 0:
            index = self.results.index(at, columns.index(field))
            self.setCurrentIndex(index)
            self.scrollTo(index)
            edit_name(self, index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, rename, delete, pin; open and close groups."""
        current = self.currentIndex()
        group = self.results.group(current.row())
        is_chosen = bool(self.selectionModel().selectedRows())
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif group is not None and event.key() in _FLIPS.get(group.is_open, ()):
            self.results.flip_group(current.row())
        elif event.key() == Qt.Key.Key_F2:
            column = self.results.columns[current.column()] if current.isValid() else None
            self.edit_cell("note" if column is not None and column.field == "note" else "name")
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and is_chosen:
            self.delete_pressed.emit()
        elif event.key() == Qt.Key.Key_Space and is_chosen:
            self.pin_pressed.emit()
        else:
            super().keyPressEvent(event)
