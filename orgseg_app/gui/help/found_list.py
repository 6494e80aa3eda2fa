"""What a search of the manual found: title, where it stands, and a sentence with the hit marked."""

from __future__ import annotations

import html
import math

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QTextDocument
from PySide6.QtWidgets import (
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from orgseg_app.gui.help.help_search import Found
from orgseg_app.gui.style import theme

ANSWER = Qt.ItemDataRole.UserRole
SIDE, TOP = 8, 6  # round the words of an answer


class FoundList(QListWidget):
    """Answers, the best first.

    Signals
    -------
    chosen(address)
        ``"page"`` or ``"page#key"``.
    entered()
        Enter was pressed: the reader goes on in the page.
    """

    chosen = Signal(str)
    entered = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Found")
        self.setProperty("look", "contents")
        self.setItemDelegate(_AnswerDelegate(self))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QListWidget.ScrollMode.ScrollPerPixel)
        self.setResizeMode(QListWidget.ResizeMode.Adjust)
        self.currentItemChanged.connect(self._on_current)

    def show_answers(self, answers: list[Found]) -> None:
        """List these, and choose the first."""
        self.blockSignals(True)
        self.clear()
        for answer in answers:
            item = QListWidgetItem()
            where = f", {answer.entry.within}" if answer.entry.within else ""
            item.setData(ANSWER, answer)
            said = f"{answer.entry.title}{where}. {answer.excerpt}"
            item.setData(Qt.ItemDataRole.AccessibleTextRole, said)
            self.addItem(item)
        self.blockSignals(False)
        if answers:
            self.setCurrentRow(0)
            self.scrollToTop()

    def addresses(self) -> list[str]:
        """What is listed, in order."""
        return [self.item(row).data(ANSWER).address for row in range(self.count())]

    def has_page(self, name: str) -> bool:
        """Whether a page, or something on it, is listed."""
        return any(address.partition("#")[0] == name for address in self.addresses())

    def step(self, by: int) -> None:
        """To the next answer, or the one before."""
        self.setCurrentRow(max(0, min(self.count() - 1, self.currentRow() + by)))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter leads into the page."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.entered.emit()
            return
        super().keyPressEvent(event)

    def _on_current(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.chosen.emit(item.data(ANSWER).address)


class _AnswerDelegate(QStyledItemDelegate):
    """Draws an answer on two to four lines."""

    def paint(
        self,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        """The ground of the list, then title and sentence."""
        self.initStyleOption(option, index)
        view = self.parent()
        assert isinstance(view, QListWidget)
        rect = option.rect  # type: ignore[attr-defined]
        view.style().drawPrimitive(
            QStyle.PrimitiveElement.PE_PanelItemViewItem, option, painter, view
        )
        painter.save()
        painter.translate(rect.left() + SIDE, rect.top() + TOP)
        _document(index.data(ANSWER), _room(view)).drawContents(painter)
        painter.restore()

    def sizeHint(
        self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> QSize:
        """As high as its words at the width of the list."""
        view = self.parent()
        assert isinstance(view, QListWidget)
        document = _document(index.data(ANSWER), _room(view))
        return QSize(_room(view) + 2 * SIDE, math.ceil(document.size().height()) + 2 * TOP)


def _room(view: QListWidget) -> int:
    """The width of the words: beside the scroll bar, whether it is there or not."""
    return view.width() - view.verticalScrollBar().sizeHint().width() - 2 * (SIDE + 1)


def _document(answer: Found, width: int) -> QTextDocument:
    now = theme.current()
    title = _marked(answer.entry.title, answer.title_marks)
    within = html.escape(answer.entry.within)
    where = f' <span style="color:{now.secondary}">· {within}</span>' if within else ""
    text = _marked(answer.excerpt, answer.marks)
    document = QTextDocument()
    document.setDocumentMargin(0)
    document.setDefaultFont(theme.font(theme.TEXT_PX))
    document.setHtml(
        f'<div style="color:{now.text}"><span style="font-weight:600">{title}</span>{where}</div>'
        f'<div style="color:{now.secondary}; font-size:{theme.px(theme.CAPTION_PX)}px">{text}</div>'
    )
    document.setTextWidth(max(40, width))
    return document


def _marked(text: str, marks: tuple[tuple[int, int], ...]) -> str:
    """HTML with the marks in the accent."""
    accent, done, parts = theme.current().accent, 0, []
    for start, end in marks:
        parts.append(html.escape(text[done:start]))
        words = html.escape(text[start:end])
        parts.append(f'<span style="color:{accent}; font-weight:600">{words}</span>')
        done = end
    return "".join([*parts, html.escape(text[done:])])
