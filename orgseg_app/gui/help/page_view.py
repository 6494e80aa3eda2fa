"""One page of the manual as it is shown: in the window's type, with pictures and places to go to.

Pictures lie in ``resources/help/pictures``, each light and dark; nothing else is ever loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from PySide6.QtCore import QEvent, QRegularExpression, Qt, QTimer, QUrl
from PySide6.QtGui import (
    QColor,
    QFont,
    QImage,
    QPainter,
    QResizeEvent,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextImageFormat,
)
from PySide6.QtWidgets import QTextBrowser, QTextEdit, QWidget

from orgseg_app import paths
from orgseg_app.gui.help.help_pages import ANCHOR
from orgseg_app.gui.style import theme

MARGIN = 32.0  # round a page, in device-independent pixels
INDENT = 20.0  # of lists
MOST_MARKS = 200  # places of a search that are marked on a page
PICTURE_WIDTH = 720  # as wide as a picture is shown at most
PICTURE_HEIGHT = 460  # as high
FINE = 1.7  # pixels of a picture for each that it is shown in, for fine screens
GLOW_MS = 1600  # how long the place that was asked for is marked
PICTURE = re.compile(r"^pictures/([\w-]+)$")


class PageView(QTextBrowser):
    """One page of Markdown in the window's own type and colours."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setOpenLinks(False)
        self.setAccessibleName("Page")
        self.setProperty("look", "page")
        self.document().setDocumentMargin(MARGIN)
        self._places: dict[str, QTextCursor] = {}
        self._found: list[QTextEdit.ExtraSelection] = []
        self._glow: QTextCursor | None = None
        self._timer = QTimer(self, singleShot=True, interval=GLOW_MS)
        self._timer.timeout.connect(self._end_glow)
        self._shown_width = 0

    def loadResource(self, kind: int, name: QUrl | str) -> object:
        """Nothing is loaded from anywhere: pictures are handed to the document when it is shown."""
        return None

    # -- showing -----------------------------------------------------------------------------------

    def show_markdown(self, text: str) -> None:
        """Show a page from its beginning."""
        self._end_glow()
        self._found = []
        self.setExtraSelections([])
        # A document that nobody shows lays nothing out after each of a thousand changes.
        made = QTextDocument(self)  # the view deletes the one before
        made.setUndoRedoEnabled(False)
        made.setDefaultFont(theme.font())
        made.setMarkdown(text)
        made.setDocumentMargin(MARGIN)
        self._places = _take_marks(made)
        _dress(made)
        self.setDocument(made)
        self._show_pictures()
        self.moveCursor(QTextCursor.MoveOperation.Start)
        self.verticalScrollBar().setValue(0)

    @property
    def keys(self) -> list[str]:
        """Places of this page that can be gone to."""
        return list(self._places)

    def go_to(self, key: str) -> bool:
        """Bring a place to the top and mark it for a moment; False where there is none."""
        place = next((self._places[k] for k in nearest(key) if k in self._places), None)
        if place is None:
            return False
        self._scroll_to(place)
        self._glow = QTextCursor(place)
        self._timer.start()
        self._show_marks()
        return True

    @property
    def is_glowing(self) -> bool:
        """Whether the place that was asked for is still marked."""
        return self._glow is not None

    def mark(self, words: Iterable[str], *, go: bool = False) -> None:
        """Show where words begin; and go to the first place, if wanted."""
        ground = QTextCharFormat()
        ground.setBackground(QColor(theme.current().selected))
        ground.setFontWeight(QFont.Weight.DemiBold)
        self._found = []
        for word in words:
            pattern = QRegularExpression(
                rf"\b{QRegularExpression.escape(word)}\w*",
                QRegularExpression.PatternOption.CaseInsensitiveOption
                | QRegularExpression.PatternOption.UseUnicodePropertiesOption,
            )
            place = self.document().find(pattern)
            while not place.isNull() and len(self._found) < MOST_MARKS:
                self._found.append(_selection(place, ground))
                place = self.document().find(pattern, place)
        self._show_marks()
        if go and self._found:
            first = min(
                (s.cursor for s in self._found),  # type: ignore[attr-defined]
                key=lambda cursor: cursor.selectionStart(),
            )
            self._scroll_to(first, above=self.viewport().height() // 3)

    def _scroll_to(self, place: QTextCursor, above: int = 12) -> None:
        layout = self.document().documentLayout()
        top = layout.blockBoundingRect(place.block()).top()
        self.verticalScrollBar().setValue(max(0, round(top) - above))

    def _show_marks(self) -> None:
        shown = list(self._found)
        if self._glow is not None:
            ground = QTextCharFormat()
            ground.setBackground(QColor(theme.current().selected))
            ground.setProperty(QTextFormat.Property.FullWidthSelection, True)
            place = QTextCursor(self._glow.block())
            place.movePosition(
                QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor
            )
            shown.append(_selection(place, ground))
        self.setExtraSelections(shown)

    def _end_glow(self) -> None:
        self._timer.stop()
        if self._glow is not None:
            self._glow = None
            self._show_marks()

    # -- pictures ----------------------------------------------------------------------------------

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Pictures become as wide as the page."""
        super().resizeEvent(event)
        if self._room() != self._shown_width:
            self._show_pictures()

    def event(self, event: QEvent) -> bool:
        """On another screen pictures are drawn with as many pixels as it has."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._show_pictures()
        return super().event(event)

    def _room(self) -> int:
        """The width of the text, in device-independent pixels."""
        return max(80, self.viewport().width() - round(2 * MARGIN) - 2)

    def _show_pictures(self) -> None:
        self._shown_width = self._room()
        document = self.document()
        for place in _pictures(document):
            given = place.charFormat().toImageFormat()
            found = PICTURE.match(given.name().partition("#")[0])
            image = read_picture(found[1], theme.current().name) if found else QImage()
            if image.isNull():
                continue
            ratio = self.devicePixelRatioF()
            most = PICTURE_HEIGHT * image.width() / image.height()
            width = min(self._shown_width, PICTURE_WIDTH, most, image.width() / FINE)
            drawn = image.scaledToWidth(
                round(width * ratio), Qt.TransformationMode.SmoothTransformation
            )
            _frame(drawn, theme.current())
            drawn.setDevicePixelRatio(ratio)
            name = f"{given.name().partition('#')[0]}#{theme.current().name}-{drawn.width()}"
            document.addResource(QTextDocument.ResourceType.ImageResource.value, QUrl(name), drawn)
            made = QTextImageFormat(given)
            made.setName(name)
            made.setWidth(width)
            made.setHeight(image.height() * width / image.width())
            place.setCharFormat(made)


def nearest(key: str) -> list[str]:
    """Keys that serve for one: itself, then what it is a part of, or another way to count.

    >>> nearest("network.depth"), nearest("hausdorff_95/mean")
    (['network.depth', 'network'], ['hausdorff_95/mean', 'hausdorff_95'])
    """
    found = [key]
    while (shorter := re.sub(r"(_3d|[./][^./]*)$", "", found[-1])) != found[-1]:
        found.append(shorter)
    return found


def pictures_dir() -> Path:
    """Where the manual's pictures lie."""
    return paths.resources_dir() / "help" / "pictures"


@lru_cache(maxsize=16)
def read_picture(name: str, mode: str) -> QImage:
    """A picture in the colours of a theme, else the one for both; a null image without any."""
    image = QImage(str(pictures_dir() / f"{name}-{mode}.jpg"))
    return QImage(str(pictures_dir() / f"{name}-light.jpg")) if image.isNull() else image


def _frame(image: QImage, now: theme.Theme) -> None:
    """A thin line around a picture, which may be as light or dark as the page."""
    painter = QPainter(image)
    painter.setPen(QColor(now.line))
    painter.drawRect(image.rect().adjusted(0, 0, -1, -1))
    painter.end()


def _selection(cursor: QTextCursor, ground: QTextCharFormat) -> QTextEdit.ExtraSelection:
    selection = QTextEdit.ExtraSelection()
    selection.cursor, selection.format = cursor, ground  # type: ignore[attr-defined]
    return selection


def _take_marks(document: QTextDocument) -> dict[str, QTextCursor]:
    """Take ``{#KEY}`` marks out of the text; where each was, by key."""
    places = {}
    for block in _blocks(document):
        for mark in reversed(list(ANCHOR.finditer(block.text()))):
            place = QTextCursor(block)
            place.setPosition(block.position() + mark.start())
            place.setPosition(block.position() + mark.end(), QTextCursor.MoveMode.KeepAnchor)
            place.removeSelectedText()
            places[mark[1]] = place
    return places


def _blocks(document: QTextDocument) -> Iterable[QTextBlock]:
    block = document.begin()
    while block.isValid():
        yield block
        block = block.next()


def _pictures(document: QTextDocument) -> list[QTextCursor]:
    """Each picture, selected."""
    found = []
    for block in _blocks(document):
        pieces = block.begin()
        while not pieces.atEnd():
            fragment = pieces.fragment()
            if fragment.charFormat().isImageFormat():
                for number in range(fragment.length()):
                    cursor = QTextCursor(document)
                    cursor.setPosition(fragment.position() + number)
                    cursor.setPosition(
                        fragment.position() + number + 1, QTextCursor.MoveMode.KeepAnchor
                    )
                    found.append(cursor)
            pieces += 1
    return found


def _dress(document: QTextDocument) -> None:
    """Give headings, paragraphs, lists, keys and links the looks of the window."""
    now = theme.current()
    document.setIndentWidth(theme.px(INDENT))
    for block in _blocks(document):
        level = block.blockFormat().headingLevel()
        space = QTextBlockFormat()
        space.setLineHeight(140, QTextBlockFormat.LineHeightTypes.ProportionalHeight.value)
        is_listed = block.textList() is not None
        space.setTopMargin({0: 0 if is_listed else 4, 1: 0}.get(level, 14))
        space.setBottomMargin(2 if is_listed else {0: 8, 1: 8}.get(level, 4))
        cursor = QTextCursor(block)
        pieces = block.begin()
        while not pieces.atEnd():
            fragment = pieces.fragment()
            if fragment.charFormat().isImageFormat():
                space.setLineHeight(0, QTextBlockFormat.LineHeightTypes.SingleHeight.value)
                space.setTopMargin(8)
                space.setBottomMargin(12)
            else:
                cursor.setPosition(fragment.position())
                cursor.setPosition(
                    fragment.position() + fragment.length(), QTextCursor.MoveMode.KeepAnchor
                )
                cursor.setCharFormat(_type(fragment.charFormat(), level, now))
            pieces += 1
        QTextCursor(block).mergeBlockFormat(space)


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
