"""What a number means: a small card with a few sentences, and the way to the page that says more.

One mechanism for scores, settings and everything counted while a network learns: `Meaning` says it,
`add_meaning` puts it into a menu, `explain` gives it to a number that stands somewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QCursor, QKeyEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import ask_help, set_help
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, GROUP, SecondaryButton, label, plain_tip, surface

ENTRY = "What does this mean"
WIDTH = 320


@dataclass(frozen=True)
class Meaning:
    """What something means.

    Attributes
    ----------
    title
        What it is called.
    text
        A few sentences.
    page
        ``"page#place"`` of the help that says more.
    """

    title: str
    text: str
    page: str


class MeaningCard(QFrame):
    """The card: title, sentences, Help. Esc or a click elsewhere puts it away."""

    def __init__(self, meaning: Meaning, asked: QWidget) -> None:
        super().__init__(asked.window(), Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.meaning = meaning
        self._asked = asked
        surface(self, "bar")
        self.setAccessibleName(meaning.title)
        self.setAccessibleDescription(meaning.text)
        title = label(meaning.title, wrap=True)
        title.setFont(theme.font(strong=True))
        self.words = label(meaning.text, wrap=True)
        self.help_button = SecondaryButton("Help", "help", quiet=True)
        self.help_button.setToolTip("Open the page of the help that says more")
        self.help_button.setAccessibleDescription(meaning.text)
        self.help_button.clicked.connect(self._on_help)
        foot = QHBoxLayout()
        foot.addWidget(self.help_button)
        foot.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, 12, GROUP, GAP)
        column.setSpacing(GAP)
        column.addWidget(title)
        column.addWidget(self.words)
        column.addLayout(foot)
        theme.hold(self, width=WIDTH)

    def show_at(self, at: QPoint) -> None:
        """Show it at a place on the screen, wholly on it."""
        self.adjustSize()
        height = self.heightForWidth(self.width()) if self.hasHeightForWidth() else 0
        self.resize(self.width(), max(height, self.minimumSizeHint().height()))
        room = self._asked.screen().availableGeometry()
        x = max(room.left(), min(at.x(), room.right() - self.width()))
        y = max(room.top(), min(at.y(), room.bottom() - self.height()))
        self.move(x, y)
        self.show()
        self.help_button.setFocus(Qt.FocusReason.PopupFocusReason)

    def _on_help(self) -> None:
        asked, page = self._asked, self.meaning.page
        self.close()
        ask_help(asked, page)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc puts it away; F1 says more."""
        if event.key() == Qt.Key.Key_Escape:
            self.close()
        elif event.key() == Qt.Key.Key_F1:
            self._on_help()
        else:
            super().keyPressEvent(event)


def show_meaning(asked: QWidget, meaning: Meaning, at: QPoint | None = None) -> MeaningCard:
    """Show the card of a part of the window; at the pointer unless a place is given."""
    card = MeaningCard(meaning, asked)
    card.show_at(QCursor.pos() if at is None else at)
    return card


def add_meaning(menu: QMenu, asked: QWidget, meaning: Meaning, text: str = ENTRY) -> None:
    """Put "What does this mean" into a menu; the card opens where the menu was."""
    action = menu.addAction(text, lambda: show_meaning(asked, meaning, menu.pos()))
    action.setToolTip(plain_tip(meaning.text))


class _Explained(QObject):
    """Opens the menu of a number: by the right button, or by the menu key."""

    def __init__(self, widget: QWidget, meaning: Callable[[], Meaning]) -> None:
        super().__init__(widget)
        self._widget, self._meaning = widget, meaning
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QContextMenuEvent):
            meaning = self._meaning()
            menu = QMenu(self._widget)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            add_meaning(menu, self._widget, meaning)
            menu.addAction("Help", lambda: ask_help(self._widget, meaning.page))
            menu.popup(event.globalPos())
            return True
        return False


def explain(words: QLabel, meaning: Meaning) -> None:
    """Let a number, shown as words, be asked for its meaning.

    It says it as its tooltip, unless it gets another one; it can be reached by Tab, the menu of
    the right button and of the menu key opens the card, and F1 the page.
    """
    set_help(words, meaning.page)
    words.setProperty("look", "explained")
    words.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    if not words.toolTip():
        words.setToolTip(plain_tip(meaning.text))
    _Explained(words, lambda: meaning)
