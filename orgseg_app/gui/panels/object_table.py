"""The table of objects under the canvas: found, sorted, chosen and worked on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QPoint,
    QSignalBlocker,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QHideEvent, QKeyEvent, QKeySequence, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QStackedLayout,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.panels.layer_section import tick
from orgseg_app.gui.panels.object_act_bar import ObjectActBar
from orgseg_app.gui.panels.object_table_model import (
    CLASS,
    NUMBER,
    PLANES,
    ROUNDNESS,
    SCORE,
    SIZE,
    Filter,
    ObjectTableModel,
)
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox, offer_choices
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    EmptyState,
    IconButton,
    SectionTitle,
    Separator,
    surface,
)

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

ROW_HEIGHT = 26
WIDTHS = {NUMBER: 74, CLASS: 92, SIZE: 84, PLANES: 60, ROUNDNESS: 56, SCORE: 50}
MOST_RANGES = 2000
"""Stretches of rows chosen in the table; what is chosen beyond them is chosen all the same."""
ACTS = (
    "merge_objects",
    "split_object",
    "delete_objects",
    "classify_objects",
    "fill_objects",
    "smooth_objects",
)


class ObjectView(QTableView):
    """The rows; Enter shows an object on the canvas, Delete deletes, Ctrl+C copies.

    Signals
    -------
    shown(), delete_pressed()
    """

    shown = Signal()
    delete_pressed = Signal()

    def __init__(self, model: ObjectTableModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.objects = model
        self.setModel(model)
        self.setAccessibleName("Objects")
        self.setProperty("look", "rows")
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setTabKeyNavigation(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.verticalHeader().hide()
        theme.hold_rows(self, ROW_HEIGHT)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(theme.px(40))
        header.setStretchLastSection(True)
        header.setSectionsClickable(True)
        header.setSortIndicatorShown(True)
        header.setSortIndicator(SCORE, Qt.SortOrder.DescendingOrder)
        theme.hold_columns(self, WIDTHS)
        # A header asks of every column whether all its rows are chosen, one by one.
        header.setSelectionModel(QItemSelectionModel(model, header))
        self.setStyleSheet("QTableView::item { padding: 0 5px; }")  # in line with the titles

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy, show, delete."""
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.shown.emit()
        elif event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            self.delete_pressed.emit()
        elif event.key() == Qt.Key.Key_Escape:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def chosen_rows(self) -> list[int]:
        """Rows that are selected, in order; stretches are not looked at cell by cell."""
        rows: set[int] = set()
        chosen = self.selectionModel().selection()
        for part in (chosen.at(n) for n in range(chosen.count())):
            rows.update(range(part.top(), part.bottom() + 1))
        return sorted(rows)

    def copy(self) -> None:
        """Selected rows (or all) to the clipboard, as tab-separated text."""
        rows = self.chosen_rows() or list(range(self.objects.rowCount()))
        QGuiApplication.clipboard().setText(self.objects.as_tsv(rows))


class ObjectTable(QWidget):
    """Shown in objects mode, under the canvas, while it is wanted.

    Attributes
    ----------
    model, view
        The rows.
    search
        A number to find, or words to filter by.
    """

    def __init__(self, window: MainWindow, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.window_, self._session = window, window.session
        self._acts = window.commands.object_acts
        self._review = window.session.objects.review
        self._step_later = 0
        self._is_choosing = self._is_following = False
        surface(self)
        self.setAccessibleName("Objects of the image")
        set_help(self, "object_table")
        self.model = ObjectTableModel(self)
        self.view = ObjectView(self.model)
        self.bar = ObjectActBar(window, ACTS)
        self._build()
        self._connect()
        self._on_classes()
        self._show_found()

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.title = SectionTitle("Objects")
        self.summary = Caption()
        self.summary.setWordWrap(False)
        self.search = QLineEdit()
        self.search.setPlaceholderText("Number, tiny, …")
        self.search.setAccessibleName("Find an object or filter the list")
        self.search.setClearButtonEnabled(True)
        theme.hold(self.search, least_width=120, most_width=176)
        self.of_class = CalmComboBox("Only objects of a class")
        self.of_class.setToolTip("List only objects of this class")
        self.of_class.view().setAccessibleName("Classes")
        theme.hold(self.of_class, width=120)
        self.suspicious = tick(
            "Suspicious", "List only objects with something odd", lambda _: self._filter()
        )
        self.close_button = IconButton("close", "Put the table away", colour="secondary")
        top = QHBoxLayout()
        top.setContentsMargins(12, 4, 4, 4)
        top.setSpacing(GAP)
        top.addWidget(self.title)
        top.addWidget(self.summary)
        top.addStretch(1)
        ask = HelpButton("the table of objects")
        for part in (self.suspicious, self.of_class, self.search, ask, self.close_button):
            top.addWidget(part, 9 if part is self.search else 0)  # it takes what there is
        self.empty = EmptyState("")
        self._rows = QStackedLayout()
        self._rows.addWidget(self.view)
        self._rows.addWidget(self.empty)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(0)
        row.addLayout(self._rows, 1)
        row.addWidget(Separator(vertical=True))
        row.addWidget(self.bar)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(Separator())
        column.addLayout(row, 1)
        theme.hold(self, least_height=150)

    def _connect(self) -> None:
        session, review = self._session, self._review
        self._typed = QTimer(self, singleShot=True, interval=150)
        self._typed.timeout.connect(self._filter)
        self.search.textEdited.connect(lambda _: self._typed.start())
        self.search.textChanged.connect(lambda text: None if text else self._filter())
        self.search.returnPressed.connect(self._on_enter)
        self.of_class.activated.connect(lambda _: self._filter())
        self.close_button.clicked.connect(self._acts.flip_table)
        self.view.horizontalHeader().sectionClicked.connect(self._on_title)
        self.view.selectionModel().selectionChanged.connect(lambda *_: self._on_selected())
        self.view.clicked.connect(lambda _: self._show_current())
        self.view.shown.connect(self._on_shown)
        self.view.delete_pressed.connect(self._acts.delete)
        self.view.customContextMenuRequested.connect(self._open_menu)
        review.changed.connect(self._show_found)
        review.chosen_changed.connect(self._show_chosen)
        review.progressed.connect(self._on_progressed)
        session.classes_changed.connect(self._on_classes)

    def showEvent(self, event: QShowEvent) -> None:
        """Look the objects over from now on."""
        super().showEvent(event)
        self._review.set_wanted(True)

    def hideEvent(self, event: QHideEvent) -> None:
        """Put away: nobody wants to know any more."""
        super().hideEvent(event)
        if not self.window_.is_closed:
            self._review.set_wanted(False)
            self.bar.leave()

    # -- showing ---------------------------------------------------------------------------------

    def _show_found(self) -> None:
        image, found = self._session.image, self._review.found
        depth = image.shape[1] if image is not None else 1
        size = image.pixel_size_um if image is not None else None
        classes = {info.class_id: info for info in self._session.classes}
        with QSignalBlocker(self.view.selectionModel()):
            self.model.show(found, classes, depth, size)
        self.view.setColumnHidden(PLANES, depth == 1)
        self._say()
        self._show_chosen()
        if found is not None and self._step_later:
            later, self._step_later = self._step_later, 0
            self._acts.step(later)

    def _say(self) -> None:
        found = self._review.found
        listed = self.model.rowCount()
        if found is None:
            self.summary.setText("")
            self.empty.set_text("Looking the objects over…")
        else:
            count = len(found.columns)
            odd = int(found.suspicions.is_suspicious.sum())
            words = f"{count:,}" if listed == count else f"{listed:,} of {count:,}"
            self.summary.setText(f"{words} · {odd:,} suspicious" if count else "")
            self.empty.set_text(
                "No object is like that."
                if count
                else "No objects on this image yet. Paint them, or make them of a mask or a "
                "prediction with “Make objects…”."
            )
        self._rows.setCurrentWidget(self.view if listed else self.empty)

    def _on_progressed(self, done: int, total: int) -> None:
        if self._review.found is None and total:
            self.empty.set_text(f"Looking the objects over… {done / total:.0%}")

    def _show_chosen(self) -> None:
        """Select what is chosen, and bring the last of it into sight."""
        self.bar.refresh()
        if self._is_choosing:
            return  # the rows say so already
        places = self.model.places_of(self._review.chosen)
        selection, last = QItemSelection(), self.model.columnCount() - 1
        for low, high in _stretches(places)[:MOST_RANGES]:
            selection.select(self.model.index(low, 0), self.model.index(high, last))
        flag = QItemSelectionModel.SelectionFlag
        rows = self.view.selectionModel()
        self._is_following = True
        rows.select(selection, flag.ClearAndSelect)
        at = self.model.place_of(self._review.chosen[-1]) if self._review.chosen else -1
        if at >= 0:
            rows.setCurrentIndex(self.model.index(at, 0), flag.NoUpdate)
            self.view.scrollTo(self.model.index(at, 0))
        self._is_following = False

    # -- the person ------------------------------------------------------------------------------

    def _on_selected(self) -> None:
        """Rows were chosen here: by keys they are shown at once, as they are gone through."""
        if self._is_following:
            return
        numbers = self.model.numbers_of(self.view.chosen_rows())
        current = self.view.currentIndex()
        if current.isValid() and (now := self.model.number(current.row())) in numbers:
            numbers.remove(now)
            numbers.append(now)
        self._is_choosing = True
        self._review.choose(numbers)
        self._is_choosing = False
        if len(numbers) == 1:
            self._acts.show(numbers[0])

    def _show_current(self) -> None:
        current = self.view.currentIndex()
        if current.isValid():
            self._acts.show(self.model.number(current.row()))

    def _on_shown(self) -> None:
        self._show_current()
        self.window_.ensure_parts().canvas.setFocus()

    def _on_title(self, column: int) -> None:
        model = self.model
        first = column in (SIZE, SCORE)
        falls = not model.is_descending if column == model.sorted_by else first
        order = Qt.SortOrder.DescendingOrder if falls else Qt.SortOrder.AscendingOrder
        with QSignalBlocker(self.view.selectionModel()):
            model.sort(column, order)
        self.view.horizontalHeader().setSortIndicator(column, order)
        self._show_chosen()

    def _filter(self) -> None:
        text = self.search.text().strip()
        words = "" if text.isdecimal() else text
        wanted = Filter(int(self.of_class.currentData() or 0), words, self.suspicious.isChecked())
        with QSignalBlocker(self.view.selectionModel()):
            self.model.set_filter(wanted)
        self._say()
        self._show_chosen()

    def _on_enter(self) -> None:
        """A number finds its object; words lead to the first row that is left."""
        text = self.search.text().strip()
        self._filter()
        if text.isdecimal():
            if self._review.found is not None and not self._acts.find_number(int(text)):
                self._session.message.emit(f"There is no object {text} on this image.", "info")
            return
        if self.model.rowCount():
            self.view.setFocus()
            self._acts.find_number(self.model.number(0))

    def _on_classes(self) -> None:
        classes = ((info.class_id, info.name) for info in self._session.classes[1:])
        offer_choices(self.of_class, [(0, "All classes"), *classes])
        self._show_found()

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        for action_id in (*ACTS, "", "remove_small_objects", "renumber_objects"):
            if action_id:
                menu.addAction(self.window_.actions_by_id[action_id])
            else:
                menu.addSeparator()
        copy = menu.addAction("Copy rows")
        copy.triggered.connect(self.view.copy)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(self.view.viewport().mapToGlobal(place))

    def step_when_known(self, direction: int) -> None:
        """Go to a suspicious object as soon as it is known which are."""
        self._step_later = direction

    def begin_split(self, number: int) -> None:
        """Set how many parts an object is split into."""
        self.bar.begin_split(number)

    def begin_small(self) -> None:
        """Set which objects are too small."""
        self.bar.begin_small(int(self.of_class.currentData() or 0))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc leaves what is under way, then the table."""
        if event.key() == Qt.Key.Key_Escape:
            if not self.bar.leave():
                self.window_.ensure_parts().canvas.setFocus()
            return
        super().keyPressEvent(event)


def _stretches(places: list[int]) -> list[tuple[int, int]]:
    """Sorted rows as stretches (first, last)."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place - 1:
            found[-1] = found[-1][0], place
        else:
            found.append((place, place))
    return found
