"""A banner: one bar across the window that stays until what it says is no longer so.

Unlike a message it never fades and is not stacked away. An icon, words and a ground of its own say
how grave it is; the colour only repeats it.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QHideEvent,
    QKeyEvent,
    QPainter,
    QPaintEvent,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from orgseg_app.gui.help.context import ask_help, set_help
from orgseg_app.gui.panels.message_bar import LEVELS
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    GAP,
    IconButton,
    IconPicture,
    SecondaryButton,
    label,
    plain_tip,
    set_tone,
)

GROUND = {"dark": 0.20, "light": 0.10}
"""How much of its colour is in the ground: words on it keep a contrast of 4.5 and more."""
EDGE_PX = 4


class Banner(QFrame):
    """Says one thing across the window, with what can be done about it.

    Signals
    -------
    closed()
        The person has read it.
    """

    closed = Signal()

    def __init__(
        self, name: str, *, can_close: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self._colour = "accent"
        self._can_close = can_close
        self._before: QWidget | None = None
        self.icon = IconPicture("info")
        self.title = label(wrap=True)
        self.title.setFont(theme.font(strong=True))
        self.words = label(wrap=True)
        self.buttons: list[QPushButton] = []
        texts = QVBoxLayout()
        texts.setSpacing(2)
        texts.addWidget(self.title)
        texts.addWidget(self.words)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(EDGE_PX + 12, 8, 12, 8)
        self._row.setSpacing(GAP)
        self._row.addWidget(self.icon, 0, Qt.AlignmentFlag.AlignTop)
        self._row.addSpacing(4)
        self._row.addLayout(texts, 1)
        self._row.addSpacing(GAP)
        self._page = ""
        self.help_button = SecondaryButton("What to do", quiet=True)
        self.help_button.setToolTip("Open the page of the help that says what to do")
        self.help_button.clicked.connect(lambda: ask_help(self, self._page))
        self.help_button.hide()
        self._row.addWidget(self.help_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.close_button = IconButton("close", "Close")
        self.close_button.setVisible(can_close)
        self.close_button.clicked.connect(self._on_closed)
        self._row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.setAccessibleName(name)
        self.hide()

    def add_action(self, text: str, tip: str, act: Callable[[], object]) -> QPushButton:
        """A button at the right end, before the help and the cross."""
        button = SecondaryButton(text)
        button.setToolTip(tip)
        button.clicked.connect(lambda: act())
        place = self._row.indexOf(self.help_button)
        self._row.insertWidget(place, button, 0, Qt.AlignmentFlag.AlignVCenter)
        self.buttons.append(button)
        return button

    def say(
        self, level: str, title: str, text: str = "", details: str = "", *, page: str = ""
    ) -> None:
        """Show it, or say something else in it.

        Parameters
        ----------
        level
            "info", "success", "warning" or "error".
        title, text
            What happened; what is safe and what to do.
        details
            The whole story, as a tooltip.
        page
            Place of the help that says what to do, or "".
        """
        self._page = page
        self.help_button.setVisible(bool(page))
        set_help(self, page or "saving")
        picture, self._colour, kind = LEVELS[level]
        self.icon.set_icon(picture, self._colour)
        self.icon.setAccessibleName(kind)
        self.title.setText(title)
        set_tone(self.title, level if level in ("warning", "error") else "")
        self.words.setText(text)
        self.words.setVisible(bool(text))
        place = Qt.AlignmentFlag.AlignTop if text else Qt.AlignmentFlag.AlignVCenter
        self._row.setAlignment(self.icon, place)
        self.setToolTip(plain_tip(details))
        self.setAccessibleDescription(f"{kind}: {title} {text}")
        self.update()
        if not self.isVisible():
            self.show()
            QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def _on_closed(self) -> None:
        self.hide()
        self.closed.emit()

    # -- keyboard --------------------------------------------------------------------------------

    def take_keyboard(self) -> bool:
        """Put the keyboard on the first button; False when there is none. Esc leads back."""
        buttons = (*self.buttons, self.close_button, self.help_button)
        usable = [button for button in buttons if button.isVisible() and button.isEnabled()]
        if not usable:
            return False
        if not self.has_keyboard:
            self._before = _outside(QApplication.focusWidget())
        usable[0].setFocus(Qt.FocusReason.TabFocusReason)
        return True

    @property
    def has_keyboard(self) -> bool:
        """True while one of its buttons has it."""
        focus = QApplication.focusWidget()
        return focus is not None and self.isAncestorOf(focus)

    def _give_keyboard_back(self) -> None:
        before, self._before = self._before, None
        if before is not None and isValid(before) and before.isVisible():
            before.setFocus(Qt.FocusReason.OtherFocusReason)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes what has been read; what stays lets go of the keyboard."""
        if event.key() != Qt.Key.Key_Escape:
            super().keyPressEvent(event)
        elif self._can_close:
            self._on_closed()
        else:
            self._give_keyboard_back()

    def hideEvent(self, event: QHideEvent) -> None:
        """The keyboard goes back to where it was."""
        super().hideEvent(event)
        if self.has_keyboard:
            self._give_keyboard_back()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A tinted ground, an edge in the full colour, a line below."""
        now = theme.current()
        colour = now.colour(self._colour)
        painter = QPainter(self)
        painter.fillRect(self.rect(), _mixed(now.colour("panel"), colour, GROUND[now.name]))
        painter.fillRect(0, 0, EDGE_PX, self.height(), colour)
        painter.fillRect(0, self.height() - 1, self.width(), 1, now.colour("line"))


def _outside(focus: QWidget | None) -> QWidget | None:
    """Where the keyboard goes back to: not to another banner that it only passed through."""
    widget = focus
    while widget is not None:
        if isinstance(widget, Banner):
            return widget._before
        widget = widget.parentWidget()
    return focus


def _mixed(ground: QColor, colour: QColor, share: float) -> QColor:
    def mix(a: int, b: int) -> int:
        return round(a + (b - a) * share)

    return QColor(
        mix(ground.red(), colour.red()),
        mix(ground.green(), colour.green()),
        mix(ground.blue(), colour.blue()),
    )
