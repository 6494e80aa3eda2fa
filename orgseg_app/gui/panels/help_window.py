"""The help window: contents or what a search found at the left, a page at the right.

Pages come from `help_pages`; nothing is ever fetched from a network.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, QUrl
from PySide6.QtGui import QColor, QKeyEvent, QKeySequence, QShortcut, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QSplitter,
    QStackedWidget,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.help.found_list import FoundList
from orgseg_app.gui.help.help_pages import SECTIONS, filled, pages, searched, section_of
from orgseg_app.gui.help.help_search import Entry, entries_of, meanings, plain, search, words_of
from orgseg_app.gui.help.page_view import PageView
from orgseg_app.gui.keys.shortcuts import Shortcuts
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.dialogs import fitted
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, IconButton, surface

CONTENTS_WIDTH = 288
NAME = Qt.ItemDataRole.UserRole
MOST_FOUND = 60  # answers that are listed
READING_MS = 20  # between two pages that are read for the search


class HelpWindow(QDialog):
    """The manual, beside the window it is about.

    Attributes
    ----------
    contents
        Every page, by section.
    found
        What answers the search, in place of the contents while there is one.
    page
        What is shown.
    """

    def __init__(self, shortcuts: Shortcuts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("OrgSeg help")
        self.resize(fitted(960, 700))
        self._shortcuts = shortcuts
        self._name = ""
        self._entries: dict[str, list[Entry]] = {}
        self._reading = QTimer(self, interval=READING_MS)
        self._reading.timeout.connect(self._read_next)
        self._way: list[str] = []
        self._place = -1
        self.field = QLineEdit(placeholderText="Search the help")
        self.field.setAccessibleName("Search the help")
        self.field.setClearButtonEnabled(True)
        self.back_button = IconButton("back", "Back", shortcut="Alt+Left")
        self.forward_button = IconButton("forward", "Forward", shortcut="Alt+Right")
        self.contents = QTreeWidget()
        self.contents.setAccessibleName("Contents")
        self.contents.setProperty("look", "contents")
        self.contents.setHeaderHidden(True)
        self.contents.setIndentation(theme.px(14))
        self.contents.setIconSize(QSize(icons.SIZE, icons.SIZE))
        self.contents.setExpandsOnDoubleClick(False)
        self.found = FoundList()
        self.nothing = Caption("Nothing about that. Try another word, or fewer.")
        self.nothing.hide()
        self.page = PageView()
        self.left = QStackedWidget()
        self.left.addWidget(self.contents)
        self.left.addWidget(self.found)
        self.headings: dict[str, QTreeWidgetItem] = {}
        self._items: dict[str, QTreeWidgetItem] = {}
        self._fill_contents()
        self._arrange()
        self._connect()
        self._show_way()

    @property
    def name(self) -> str:
        """The page that is shown."""
        return self._name

    def show_page(self, address: str) -> None:
        """Turn to a page, or to a place on it (``"page#key"``); to none there is not."""
        if self._turn_to(address):
            self._remember(address)

    def go_back(self) -> None:
        """To the page read before."""
        self._walk(-1)

    def go_forward(self) -> None:
        """To the page that Back left."""
        self._walk(1)

    # -- building ----------------------------------------------------------------------------------

    def _arrange(self) -> None:
        left = QWidget()
        surface(left)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.field, 1)
        head.addWidget(self.back_button)
        head.addWidget(self.forward_button)
        column = QVBoxLayout(left)
        column.setContentsMargins(12, GROUP, 12, 12)
        column.setSpacing(GAP)
        column.addLayout(head)
        column.addWidget(self.nothing)
        column.addWidget(self.left, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        split.setChildrenCollapsible(False)
        split.addWidget(left)
        split.addWidget(self.page)
        split.setStretchFactor(1, 1)
        width = theme.px(CONTENTS_WIDTH)
        split.setSizes([width, self.width() - width])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(split)

    def _connect(self) -> None:
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(self._on_return)
        self.field.installEventFilter(self)
        self.contents.currentItemChanged.connect(self._on_chosen)
        self.contents.itemClicked.connect(self._on_clicked)
        self.found.chosen.connect(self._on_found)
        self.found.entered.connect(self.page.setFocus)
        self.page.anchorClicked.connect(self._on_link)
        self.back_button.clicked.connect(self.go_back)
        self.forward_button.clicked.connect(self.go_forward)
        for key, act in (("Alt+Left", self.go_back), ("Alt+Right", self.go_forward)):
            QShortcut(QKeySequence(key), self, activated=act)  # type: ignore[call-overload]
        QShortcut(QKeySequence.StandardKey.Find, self, activated=self._to_field)  # type: ignore[call-overload]
        self._shortcuts.changed.connect(self._on_keys_changed)
        theme.watcher.changed.connect(self._on_theme)
        self._on_theme()

    def _fill_contents(self) -> None:
        for title, part in SECTIONS.items():
            heading = QTreeWidgetItem(self.contents, [title])
            heading.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
            self.headings[title] = heading
            for name in part:
                page = pages()[name]
                item = QTreeWidgetItem(heading, [page.title])
                item.setIcon(0, icons.icon(page.icon))
                item.setData(0, NAME, name)
                self._items[name] = item

    # -- searching ---------------------------------------------------------------------------------

    def _search(self, text: str) -> None:
        """List what answers, the best first, and turn to it; nothing typed, the contents again."""
        words = words_of(text)
        answers = search(text, self._all_entries())[:MOST_FOUND] if words else []
        self.left.setCurrentWidget(self.found if words else self.contents)
        self.nothing.setVisible(bool(words) and not answers)
        self.found.show_answers(answers)  # which turns to the first
        if not answers:
            self.page.mark(())

    def showEvent(self, event: QShowEvent) -> None:
        """Begin to read the pages, so that the first letter typed need not wait for it."""
        super().showEvent(event)
        self._reading.start()

    def _read_next(self) -> None:
        """Read one page that has not been read yet."""
        name = next((name for name in pages() if name not in self._entries), None)
        if name is None or not self.isVisible():
            self._reading.stop()
            return
        self._read(name)

    def _read(self, name: str) -> None:
        page = pages()[name]
        whole, *terms = entries_of(name, page.title, filled(page, self._shortcuts))
        more = plain(searched(page))
        text = f"{whole.text}\n{more}" if more else whole.text
        self._entries[name] = [Entry(name, "", page.title, "", text), *terms]

    def _all_entries(self) -> list[Entry]:
        for name in pages():
            if name not in self._entries:
                self._read(name)
        return [entry for name in pages() for entry in self._entries[name]]

    def _on_found(self, address: str) -> None:
        page, _, key = address.partition("#")
        self._turn_to(page)
        self._remember(address, replaces=self.field.hasFocus())
        words = [m for word in words_of(self.field.text()) for m in meanings(word)]
        self.page.mark(words, go=not key)
        if key:
            self.page.go_to(key)

    def _on_return(self) -> None:
        """Enter in the field: on to the page, or to the contents."""
        (self.page if words_of(self.field.text()) else self.contents).setFocus()

    def _to_field(self) -> None:
        self.field.setFocus()
        self.field.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Up and Down move through what was found while typing; Esc empties the field first."""
        if watched is self.field and event.type() == QEvent.Type.KeyPress:
            assert isinstance(event, QKeyEvent)
            key = Qt.Key(event.key())
            if key in (Qt.Key.Key_Up, Qt.Key.Key_Down) and self.found.count():
                self.found.step(1 if key == Qt.Key.Key_Down else -1)
                return True
            if key == Qt.Key.Key_Down:
                self.contents.setFocus()
                return True
            if key == Qt.Key.Key_Escape and self.field.text():
                self.field.clear()
                return True
        return super().eventFilter(watched, event)

    # -- turning pages -----------------------------------------------------------------------------

    def _turn_to(self, address: str) -> bool:
        name, _, key = address.partition("#")
        item = self._items.get(name or self._name)
        if item is None:
            return False
        if not self._is_listed(name):
            self.field.clear()
        if item is not self.contents.currentItem() or self._name != item.data(0, NAME):
            self.contents.blockSignals(True)
            self.headings[section_of(item.data(0, NAME))].setExpanded(True)
            self.contents.setCurrentItem(item)
            self.contents.scrollToItem(item)
            self.contents.blockSignals(False)
            self._name = item.data(0, NAME)
            self._show()
        if key:
            self.page.go_to(key)
        return True

    def _is_listed(self, name: str) -> bool:
        """Whether a search, if there is one, has found the page."""
        return not words_of(self.field.text()) or self.found.has_page(name)

    def _on_chosen(self, item: QTreeWidgetItem | None) -> None:
        if item is not None and item.data(0, NAME):
            self._name = item.data(0, NAME)
            self._show()
            self._remember(self._name)

    def _on_clicked(self, item: QTreeWidgetItem) -> None:
        """A click anywhere on a section's title opens and closes it."""
        if not item.data(0, NAME):
            item.setExpanded(not item.isExpanded())

    def _on_link(self, url: QUrl) -> None:
        if url.scheme() or url.authority():
            return
        name, key = url.path(), url.fragment()
        if name or key:
            self.show_page(f"{name or self._name}#{key}" if key else name)

    def _remember(self, address: str, *, replaces: bool = False) -> None:
        """Put a place on the way that Back leads; `replaces`: in place of the last one."""
        if self._way[self._place : self._place + 1] == [address]:
            return
        del self._way[self._place + 1 :]
        if replaces and self._way:
            self._way[-1] = address
        else:
            self._way.append(address)
        self._place = len(self._way) - 1
        self._show_way()

    def _walk(self, step: int) -> None:
        place = self._place + step
        if 0 <= place < len(self._way) and self._turn_to(self._way[place]):
            self._place = place
            self._show_way()

    def _show_way(self) -> None:
        self.back_button.setEnabled(self._place > 0)
        self.forward_button.setEnabled(self._place + 1 < len(self._way))

    # -- looks -------------------------------------------------------------------------------------

    def _on_keys_changed(self) -> None:
        self._entries = {}
        self._reading.start()
        self._show()

    def _on_theme(self) -> None:
        strong = theme.font(strong=True)
        for heading in self.headings.values():
            heading.setFont(0, strong)
            heading.setForeground(0, QColor(theme.current().secondary))
            heading.setSizeHint(0, QSize(0, theme.px(30)))
        for item in self._items.values():
            item.setSizeHint(0, QSize(0, theme.px(28)))
        self.found.doItemsLayout()
        self._show()

    def _show(self) -> None:
        if self._name:
            self.page.show_markdown(filled(pages()[self._name], self._shortcuts))
            self.page.mark(m for word in words_of(self.field.text()) for m in meanings(word))
