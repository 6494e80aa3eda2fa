"""The help window: contents and search at the left, a page at the right.

Pages come from `help_pages`; nothing is ever fetched from a network.
"""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSplitter,
    QTextBrowser,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.help.help_pages import HelpPage, filled, pages, searched
from orgseg_app.gui.keys.shortcuts import Shortcuts
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, surface

CONTENTS_WIDTH = 236
MARGIN = 32.0  # round a page, in device-independent pixels
INDENT = 20.0  # of lists
NAME = Qt.ItemDataRole.UserRole
MOST_MARKS = 200  # places of a search that are marked on a page


class HelpWindow(QDialog):
    """A page about every tool, beside the window it is about.

    Attributes
    ----------
    contents
        Every page, or those that hold the words searched for.
    page
        What is shown.
    """

    def __init__(self, shortcuts: Shortcuts, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("OrgSeg help")
        self.resize(880, 680)
        self._shortcuts = shortcuts
        self._name = ""
        self._searched: dict[str, str] = {}
        self.field = QLineEdit(placeholderText="Search the help")
        self.field.setAccessibleName("Search the help")
        self.field.setClearButtonEnabled(True)
        self.contents = QListWidget()
        self.contents.setAccessibleName("Contents")
        self.contents.setProperty("look", "contents")
        self.contents.setIconSize(QSize(icons.SIZE, icons.SIZE))
        self.nothing = Caption("Nothing about that. Try another word, or fewer.")
        self.nothing.hide()
        self.page = PageView()
        self._fill_contents()
        self._arrange()
        self.field.textChanged.connect(self._search)
        self.field.returnPressed.connect(self.contents.setFocus)
        self.contents.currentItemChanged.connect(self._on_chosen)
        self.page.anchorClicked.connect(lambda url: self.show_page(url.path()))
        shortcuts.changed.connect(self._on_keys_changed)
        theme.watcher.changed.connect(self._on_theme)
        self._on_theme()

    @property
    def name(self) -> str:
        """The page that is shown."""
        return self._name

    def show_page(self, name: str) -> None:
        """Turn to a page; one that there is not changes nothing."""
        for row in range(self.contents.count()):
            item = self.contents.item(row)
            if item.data(NAME) == name:
                if item.isHidden():
                    self.field.clear()
                self.contents.setCurrentItem(item)
                self.contents.scrollToItem(item)

    # -- inside ----------------------------------------------------------------------------------

    def _arrange(self) -> None:
        left = QWidget()
        surface(left)
        column = QVBoxLayout(left)
        column.setContentsMargins(12, GROUP, 12, 12)
        column.setSpacing(GAP)
        column.addWidget(self.field)
        column.addWidget(self.nothing)
        column.addWidget(self.contents, 1)
        split = QSplitter(Qt.Orientation.Horizontal)
        split.setHandleWidth(1)
        split.setChildrenCollapsible(False)
        split.addWidget(left)
        split.addWidget(self.page)
        split.setStretchFactor(1, 1)
        split.setSizes([CONTENTS_WIDTH, self.width() - CONTENTS_WIDTH])
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(split)

    def _fill_contents(self) -> None:
        shown = list(pages().values())
        for title, part in (
            ("For every tool", [page for page in shown if not page.is_tool]),
            ("Tools", [page for page in shown if page.is_tool]),
        ):
            self.contents.addItem(_heading(title))
            for page in part:
                self.contents.addItem(_entry(page))

    def _search(self, text: str) -> None:
        """Leave the pages that hold every word, and turn to the best of them."""
        words = text.casefold().split()
        found: dict[str, int] = {}
        for row in range(self.contents.count()):
            item = self.contents.item(row)
            name = item.data(NAME)
            if name is None:
                item.setHidden(bool(words))
                continue
            if name not in self._searched:
                self._searched[name] = searched(pages()[name], self._shortcuts)
            score = _score(words, pages()[name].title, self._searched[name])
            item.setHidden(not score)
            if score:
                found[name] = score
        self.nothing.setVisible(not found)
        if words and found:
            self.show_page(max(found, key=lambda name: found[name]))
        self.page.mark(words)

    def _on_chosen(self, item: QListWidgetItem | None) -> None:
        if item is not None and item.data(NAME):
            self._name = item.data(NAME)
            self._show()

    def _on_keys_changed(self) -> None:
        self._searched.clear()
        self._show()

    def _on_theme(self) -> None:
        for row in range(self.contents.count()):
            if self.contents.item(row).data(NAME) is None:
                self.contents.item(row).setForeground(QColor(theme.current().secondary))
        self._show()

    def _show(self) -> None:
        if self._name:
            self.page.show_markdown(filled(pages()[self._name], self._shortcuts))
            self.page.mark(self.field.text().casefold().split())


class PageView(QTextBrowser):
    """One page of Markdown in the window's own type and colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOpenLinks(False)
        self.setAccessibleName("Page")
        self.setProperty("look", "page")
        self.document().setDocumentMargin(MARGIN)

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """Nothing is loaded from anywhere."""
        return None

    def show_markdown(self, text: str) -> None:
        """Show a page from its beginning."""
        self.setMarkdown(text)
        self.document().setDocumentMargin(MARGIN)
        _dress(self.document())
        self.moveCursor(QTextCursor.MoveOperation.Start)
        self.verticalScrollBar().setValue(0)

    def mark(self, words: list[str]) -> None:
        """Show where words are found."""
        found: list[QTextEdit.ExtraSelection] = []
        ground = QTextCharFormat()
        ground.setBackground(QColor(theme.current().selected))
        for word in words:
            place = self.document().find(word)
            while not place.isNull() and len(found) < MOST_MARKS:
                selection = QTextEdit.ExtraSelection()
                selection.cursor, selection.format = place, ground  # type: ignore[attr-defined]
                found.append(selection)
                place = self.document().find(word, place)
        self.setExtraSelections(found)


def _dress(document: QTextDocument) -> None:
    """Give headings, paragraphs, lists, keys and links the looks of the window."""
    now = theme.current()
    document.setIndentWidth(INDENT)
    block = document.begin()
    while block.isValid():
        level = block.blockFormat().headingLevel()
        space = QTextBlockFormat()
        space.setLineHeight(140, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        is_listed = block.textList() is not None
        space.setTopMargin({0: 0 if is_listed else 4, 1: 0}.get(level, 14))
        space.setBottomMargin(2 if is_listed else {0: 8, 1: 8}.get(level, 4))
        cursor = QTextCursor(block)
        cursor.mergeBlockFormat(space)
        pieces = block.begin()
        while not pieces.atEnd():
            fragment = pieces.fragment()
            cursor.setPosition(fragment.position())
            cursor.setPosition(
                fragment.position() + fragment.length(), QTextCursor.MoveMode.KeepAnchor
            )
            cursor.setCharFormat(_type(fragment.charFormat(), level, now))
            pieces += 1
        block = block.next()


def _type(given: QTextCharFormat, level: int, now: theme.Theme) -> QTextCharFormat:
    """How a stretch of text is to look."""
    sizes = {1: theme.DISPLAY_PX, 2: theme.TITLE_PX}
    made = QTextCharFormat(given)
    made.clearProperty(QTextFormat.Property.FontSizeAdjustment.value)  # Markdown's, of headings
    made.setFont(theme.font(sizes.get(level, theme.TEXT_PX), strong=level > 0))
    if given.fontWeight() > QFont.Weight.Normal and not level:
        made.setFontWeight(QFont.Weight.DemiBold)
    if given.fontItalic():
        made.setFontItalic(True)
    made.setForeground(QColor(now.text))
    if given.isAnchor():
        made.setForeground(QColor(now.accent))
        made.setFontUnderline(False)
    elif given.fontFixedPitch():
        made.setFontFixedPitch(False)
        made.setBackground(QColor(now.pressed))
        made.setFontWeight(QFont.Weight.DemiBold)
    return made


def _heading(title: str) -> QListWidgetItem:
    """A caption among the contents, that cannot be chosen."""
    item = QListWidgetItem(title)
    item.setFlags(Qt.ItemFlag.NoItemFlags)
    item.setFont(theme.font(theme.CAPTION_PX))
    item.setSizeHint(QSize(0, 28))
    return item


def _entry(page: HelpPage) -> QListWidgetItem:
    item = QListWidgetItem(icons.icon(page.icon), page.title)
    item.setData(NAME, page.name)
    item.setSizeHint(QSize(0, 28))
    return item


def _score(words: list[str], title: str, text: str) -> int:
    """How well a page answers: 0 not at all; words of the title count most.

    >>> _score(["fill"], "Fill holes", "") > _score(["fill"], "Lasso", "fill fill") > 0
    True
    """
    title, text = title.casefold(), text.casefold()
    score = 1
    for word in words:
        count = 100 * (word in title) + min(text.count(word), 20)
        if not count:
            return 0
        score += count
    return score
