"""Messages: one bar that floats over the window's lower edge and never asks for an answer.

The newest message is shown; earlier ones wait behind a "+2". Words about something done fade away
by themselves, warnings and errors stay until they are closed. Nothing below moves, and the keyboard
stays where it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer
from PySide6.QtGui import QAccessible, QAccessibleEvent, QFontMetrics, QGuiApplication, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFrame,
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from orgseg_app.gui.help.context import ask_help, set_help
from orgseg_app.gui.panels.message_report import report
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    GAP,
    ElidedLabel,
    IconButton,
    IconPicture,
    SecondaryButton,
    Separator,
    label,
    surface,
    text_rect,
)

INFO, SUCCESS, WARNING, ERROR = "info", "success", "warning", "error"
LEVELS = {
    INFO: ("info", "accent", "Note"),
    SUCCESS: ("check", "success", "Done"),
    WARNING: ("warning", "warning", "Warning"),
    ERROR: ("error", "error", "Error"),
}
"""Icon, its colour, and its name, by level."""
PASSING = (INFO, SUCCESS)

MESSAGES_PAGE = "trouble"
NARROWEST, WIDEST = 344, 664
ABOVE_EDGE = 76
"""Distance from the parent's lower edge: over run strip and status line."""
SIDE = 12
"""Room round the card, for its shadow."""
LINES = 3
FADE_MS, FADE_MS_PER_LETTER, FADE_AGAIN_MS = 6000, 60, 2500
COPIED_MS = 1500
KEPT = 20
LISTED = 6


@dataclass(eq=False)
class Message:
    """One message; the same words again make it come twice, not another.

    Attributes
    ----------
    text, level
        What is said; one of `LEVELS`.
    details
        For a bug report: a traceback, say.
    times
        How often it came.
    page
        Place of the help that says what to do, or "".
    """

    text: str
    level: str
    details: str = ""
    times: int = 1
    page: str = ""

    @property
    def passes(self) -> bool:
        """True if it fades away by itself."""
        return self.level in PASSING and not self.details

    @property
    def line(self) -> str:
        """Its words on one line, and how often they came."""
        words = " ".join(self.text.split())
        return f"{words} (×{self.times})" if self.times > 1 else words

    @property
    def report(self) -> str:
        """Everything about it, for the clipboard."""
        return report(f"{self.text}\n\n{self.details}" if self.details else self.text)


class MessageBar(QWidget):
    """Shows what `Session.message` says; hidden while there is nothing to say.

    It floats: put into a layout, it takes itself out and lies over its parent's lower edge.

    Attributes
    ----------
    keep_clear
        Answers which part of the parent it lies above, rather than over it.
    column
        Answers in which part of the parent's width it lies, so as not to cover the buttons beside
        it; in all of it where that is empty or too narrow.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._messages: list[Message] = []
        self._before: QWidget | None = None
        self.keep_clear: Callable[[], QRect] = QRect
        self.column: Callable[[], QRect] = QRect
        self.setAccessibleName("Messages")
        self._build()
        if parent is not None:
            parent.installEventFilter(self)
        self.fade_timer = QTimer(self)
        self.fade_timer.setSingleShot(True)
        self.fade_timer.timeout.connect(self._on_faded)
        self._copied_timer = QTimer(self)
        self._copied_timer.setSingleShot(True)
        self._copied_timer.setInterval(COPIED_MS)
        self._copied_timer.timeout.connect(lambda: self.copy_button.setText("Copy report"))
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.focusChanged.connect(self._on_focus_changed)
        self.hide()

    def _build(self) -> None:
        self.card = QFrame(self)
        surface(self.card, "bar")
        shadow = QGraphicsDropShadowEffect(self.card)
        shadow.setBlurRadius(16)
        shadow.setOffset(0, 2)
        self.card.setGraphicsEffect(shadow)
        self.icon = IconPicture("info")
        self.words = label(wrap=True)
        self.words.setAccessibleName("Message")
        self.more_button = _quiet("", "Show the earlier messages")
        self.more_button.setCheckable(True)
        self.more_button.toggled.connect(lambda _: self._show())
        self.details_button = _quiet("Details", "Show everything about this")
        self.details_button.setCheckable(True)
        self.details_button.toggled.connect(self._on_details)
        self.copy_button = _quiet("Copy report", "Copy message, version and the end of the log")
        self.copy_button.clicked.connect(self._on_copy)
        self.help_button = _quiet("What to do", "Open the page of the help that says what to do")
        self.help_button.clicked.connect(self._on_help)
        self.close_button = IconButton("close", "Close", shortcut="Esc")
        self.close_button.clicked.connect(self.close_message)
        row = QHBoxLayout()
        row.setContentsMargins(12, 6, 6, 6)
        row.setSpacing(4)
        row.addWidget(self.icon)
        row.addSpacing(4)
        row.addWidget(self.words, 1)
        row.addSpacing(GAP)
        for button in self._buttons:
            row.addWidget(button)
        self.details = QPlainTextEdit()
        self.details.setReadOnly(True)
        theme.hold(self.details, height=180)
        self.details.setTabChangesFocus(True)
        self.details.setAccessibleName("Details of the message")
        self._fold = QWidget()
        inside = QVBoxLayout(self._fold)
        inside.setContentsMargins(12, 0, 12, 12)
        inside.addWidget(self.details)
        self._line = Separator()
        self.earlier = QWidget()
        self._rows = QVBoxLayout(self.earlier)
        self._rows.setContentsMargins(6, 4, 6, 6)
        self._rows.setSpacing(0)
        column = QVBoxLayout(self.card)
        column.setContentsMargins(1, 1, 1, 1)
        column.setSpacing(0)
        column.addLayout(row)
        for widget in (self._fold, self._line, self.earlier):
            column.addWidget(widget)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(SIDE, SIDE, SIDE, SIDE)
        outer.addWidget(self.card)

    @property
    def _buttons(self) -> tuple[QAbstractButton, ...]:
        """From left to right."""
        beside = (self.help_button, self.details_button, self.copy_button)
        return (*beside, self.more_button, self.close_button)

    # -- messages --------------------------------------------------------------------------------

    def show_message(self, text: str, level: str = INFO, details: str = "") -> None:
        """Say something.

        Parameters
        ----------
        text
            A sentence or two, shown literally.
        level
            ``"info"`` and ``"success"`` fade away, ``"warning"`` and ``"error"`` stay until they
            are closed; anything else counts as a warning.
        details
            For a bug report; folded away.
        """
        text = text.strip()
        if not text:
            return
        new = Message(text, level if level in LEVELS else WARNING, details)
        for known in self._messages:
            if (known.text, known.level) == (new.text, new.level):
                new.times = known.times + 1
                self._messages.remove(known)
                break
        self._messages = [*self._messages, new][-KEPT:]
        self.details_button.setChecked(False)
        self._show_newest()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def add_help(self, text: str, page: str) -> None:
        """Offer the place of the help that says what to do about a message, by its words."""
        for message in reversed(self._messages):
            if message.text == text.strip():
                message.page = page
                self._show()
                return

    def messages(self) -> list[Message]:
        """Those that are not closed, oldest first; the last is the one in sight."""
        return list(self._messages)

    def close_message(self) -> None:
        """Close the message in sight; an earlier one comes back."""
        del self._messages[-1:]
        self.details_button.setChecked(False)
        self._show_newest()

    def close_all(self) -> None:
        """Close every message."""
        self._messages.clear()
        self._show()

    def bring_forward(self, message: Message) -> None:
        """Show an earlier message again."""
        if message in self._messages:
            self._messages.remove(message)
            self._messages.append(message)
            self.more_button.setChecked(False)
            self.details_button.setChecked(False)
            self._show_newest()

    def _show_newest(self) -> None:
        self._show()
        if self._messages and self._messages[-1].passes:
            letters = len(self._messages[-1].text)
            self.fade_timer.start(max(FADE_MS, FADE_MS_PER_LETTER * letters))
        else:
            self.fade_timer.stop()

    def _on_faded(self) -> None:
        folds = (self.more_button, self.details_button)
        if self.card.underMouse() or self.has_keyboard or any(f.isChecked() for f in folds):
            self.fade_timer.start(FADE_AGAIN_MS)  # somebody is reading
            return
        self._messages = [message for message in self._messages if not message.passes]
        self._show()

    # -- showing ---------------------------------------------------------------------------------

    def _show(self) -> None:
        if not self._messages:
            self._leave()
            return
        newest, *earlier = reversed(self._messages)
        picture, colour, name = LEVELS[newest.level]
        self.icon.set_icon(picture, colour)
        self.icon.setAccessibleName(name)
        self.copy_button.setVisible(newest.level == ERROR or bool(newest.details))
        self.help_button.setVisible(bool(newest.page))
        set_help(self, newest.page or MESSAGES_PAGE)
        if not earlier:
            self.more_button.setChecked(False)
        self.more_button.setVisible(bool(earlier))
        self.more_button.setText(f"+{len(earlier)}")
        plural = "" if len(earlier) == 1 else "s"
        self.more_button.setAccessibleName(f"Show {len(earlier)} earlier message{plural}")
        self._list_earlier(earlier if self.more_button.isChecked() else [])
        self._place()
        self.raise_()
        self.show()

    def _list_earlier(self, messages: list[Message]) -> None:
        while (item := self._rows.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for message in messages[:LISTED]:
            row = _EarlierRow(message)
            row.clicked.connect(lambda _=False, m=message: self.bring_forward(m))
            self._rows.addWidget(row)
        if messages:
            clear = _quiet("Close all", "Close all messages")
            clear.clicked.connect(self.close_all)
            self._rows.addWidget(clear, 0, Qt.AlignmentFlag.AlignRight)
        self.earlier.setVisible(bool(messages))
        self._line.setVisible(bool(messages))

    def _place(self) -> None:
        """Lie over the parent's lower edge, in the middle of the column."""
        parent = self.parentWidget()
        if parent is None:
            self._show_words(self.width())
            return
        layout = parent.layout()
        if layout is not None and layout.indexOf(self) >= 0:
            layout.removeWidget(self)
        column = self.column().intersected(parent.rect())
        if column.width() < NARROWEST:
            column = parent.rect()
        width = self._wanted_width(column.width())
        self._show_words(width)
        for inner in (self.card.layout(), self.layout()):
            if inner is not None:
                inner.invalidate()
                inner.activate()
        height = self.heightForWidth(width) if self.hasHeightForWidth() else 0
        height = max(height, self.sizeHint().height())
        y = parent.height() - ABOVE_EDGE + SIDE - height
        x, clear = column.x() + (column.width() - width) // 2, self.keep_clear()
        card = QRect(x, y, width, height).adjusted(SIDE, SIDE, -SIDE, -SIDE)
        if card.intersects(clear):
            y = clear.top() - height
        self.setGeometry(x, max(0, y), width, height)

    def _show_words(self, width: int) -> None:
        """The text in at most three lines; the rest is behind Details."""
        newest = self._messages[-1]
        text = newest.line
        self.words.ensurePolished()
        metrics = self.words.fontMetrics()
        self.details_button.setVisible(newest.level == ERROR or bool(newest.details))
        room = self._room_for_words(width)
        shown = first_lines(text, metrics, room)
        if shown != text and self.details_button.isHidden():
            self.details_button.show()  # which takes room itself
            room = self._room_for_words(width)
            shown = first_lines(text, metrics, room)
        self.words.setText(shown)
        self.words.setFixedSize(room, text_rect(metrics, shown, room).height() + 2)
        self._fold.setVisible(self.details_button.isChecked())

    def _wanted_width(self, most: int) -> int:
        """A short message covers no more than it needs, unless something is folded out."""
        folds = (self.more_button, self.details_button)
        if any(fold.isChecked() for fold in folds):
            return min(WIDEST, most)
        newest = self._messages[-1]
        self.words.ensurePolished()
        self.details_button.setVisible(newest.level == ERROR or bool(newest.details))
        beside = WIDEST - self._room_for_words(WIDEST)
        wanted = beside + self.words.fontMetrics().horizontalAdvance(newest.line) + 4
        return min(max(NARROWEST, min(wanted, WIDEST)), most)

    def _room_for_words(self, width: int) -> int:
        taken = sum(b.sizeHint().width() + 4 for b in self._buttons if not b.isHidden())
        return max(120, width - 2 * SIDE - 2 - 18 - self.icon.width() - 12 - GAP - taken)

    def _on_details(self, is_open: bool) -> None:
        self.details_button.setText("Hide details" if is_open else "Details")
        if not self._messages:
            return
        if is_open:
            newest = self._messages[-1]
            everything = newest.level == ERROR or newest.details
            self.details.setPlainText(newest.report if everything else newest.text)
        self._show()

    def _on_help(self) -> None:
        if self._messages:
            ask_help(self, self._messages[-1].page)

    def _on_copy(self) -> None:
        if self._messages:
            QGuiApplication.clipboard().setText(self._messages[-1].report)
            self.copy_button.setFixedWidth(self.copy_button.width())
            self.copy_button.setText("Copied")
            self._copied_timer.start()

    # -- keyboard, place -------------------------------------------------------------------------

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes the message that has the keyboard."""
        if event.key() == Qt.Key.Key_Escape and self._messages:
            self.close_message()
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """Follow a new parent."""
        before = self.parentWidget()
        if event.type() == QEvent.Type.ParentAboutToChange and before is not None:
            before.removeEventFilter(self)
        done = super().event(event)
        now = self.parentWidget()
        if event.type() == QEvent.Type.ParentChange and now is not None:
            now.installEventFilter(self)
        return done

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Keep the place when the parent, or what is kept clear, changes its size."""
        if event.type() == QEvent.Type.Resize and self._messages:
            self._place()
        return False

    @property
    def has_keyboard(self) -> bool:
        """True while one of its buttons has it."""
        focus = QApplication.focusWidget()
        return focus is not None and self.isAncestorOf(focus)

    def take_keyboard(self) -> bool:
        """Put the keyboard on the cross, from which Esc leads back; always True."""
        self.close_button.setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def _on_focus_changed(self, old: QWidget | None, new: QWidget | None) -> None:
        if not isValid(self) or new is None:
            return
        if not self.isAncestorOf(new):
            self._before = None
        elif old is not None and not self.isAncestorOf(old):
            self._before = old

    def _leave(self) -> None:
        """Hide, and give the keyboard back to who had it."""
        self.fade_timer.stop()
        self.more_button.setChecked(False)
        self.details_button.setChecked(False)
        before = self._before
        if self.has_keyboard and before is not None and isValid(before) and before.isVisible():
            before.setFocus(Qt.FocusReason.OtherFocusReason)
        self.hide()


class _EarlierRow(QPushButton):
    """One earlier message: icon and the beginning of its words."""

    def __init__(self, message: Message) -> None:
        super().__init__()
        self.setProperty("look", "quiet")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        picture, colour, name = LEVELS[message.level]
        self.setAccessibleName(f"{name}: {message.text}")
        row = QHBoxLayout(self)
        row.setContentsMargins(6, 0, 6, 0)
        row.setSpacing(GAP)
        row.addWidget(IconPicture(picture, 16, colour))
        row.addWidget(ElidedLabel(message.text), 1)
        theme.hold(self, height=28)


def first_lines(text: str, metrics: QFontMetrics, width: int, lines: int = LINES) -> str:
    """As much of a text as fits into some lines of a width, with … where it is cut."""
    room = text_rect(metrics, "\n".join("M" * lines), width).height()
    if text_rect(metrics, text, width).height() <= room:
        return text
    short, long = 0, len(text)
    while long - short > 1:
        middle = (short + long) // 2
        fits = text_rect(metrics, f"{text[:middle].rstrip()}…", width).height() <= room
        short, long = (middle, long) if fits else (short, middle)
    return f"{text[:short].rstrip()}…"


def _quiet(text: str, tip: str) -> QPushButton:
    button = SecondaryButton(text, quiet=True)
    button.setToolTip(tip)
    return button
