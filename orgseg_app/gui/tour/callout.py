"""The callout of the tour, and the outline round what it speaks of.

Both lie over the window and move at once, never gliding; the outline lets every click through.
"""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QAccessible,
    QAccessibleEvent,
    QColor,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QFrame,
    QGraphicsDropShadowEffect,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    IconButton,
    IconPicture,
    SecondaryButton,
    SectionTitle,
    label,
    surface,
)

WIDTH = 320
SHADOW = 12
"""Room round the card, for its shadow."""
PEN = 2
BEYOND = 3
"""How far the outline lies outside of the widget."""


class Callout(QFrame):
    """What the step is, and the ways on, back and out.

    Signals
    -------
    next_requested(), back_requested(), close_requested()
    """

    next_requested = Signal()
    back_requested = Signal()
    close_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.card = QFrame(self)
        surface(self.card, "bar")
        shadow = QGraphicsDropShadowEffect(self.card)
        shadow.setBlurRadius(16)
        shadow.setOffset(0, 2)
        self.card.setGraphicsEffect(shadow)
        self._count = ""
        self.count = Caption()
        self.count.setWordWrap(False)
        self.done_icon = IconPicture("check", 16, "success")
        self.done_icon.setAccessibleName("Done")
        self.done = label("Done", tone="success")
        self.title = SectionTitle("")
        self.text = label(wrap=True)
        self.text.setAccessibleName("What to do")
        self.close_button = IconButton("close", "Close the tour", shortcut="Esc")
        self.back_button = SecondaryButton("Back", quiet=True)
        # The primary button is the one that the step speaks of.
        self.next_button = SecondaryButton("Next")
        self.close_button.clicked.connect(self.close_requested)
        self.back_button.clicked.connect(self.back_requested)
        self.next_button.clicked.connect(self.next_requested)
        self._arrange()
        self.hide()

    def _arrange(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.count)
        head.addSpacing(GAP)
        head.addWidget(self.done_icon)
        head.addWidget(self.done)
        head.addStretch(1)
        head.addWidget(self.close_button)
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.back_button)
        foot.addStretch(1)
        foot.addWidget(self.next_button)
        column = QVBoxLayout(self.card)
        column.setContentsMargins(16, 8, 8, 12)
        column.setSpacing(4)
        column.addLayout(head)
        for widget in (self.title, self.text):
            widget.setContentsMargins(0, 0, 8, 0)
            column.addWidget(widget)
        column.addSpacing(GAP)
        foot.setContentsMargins(0, 0, 4, 0)
        column.addLayout(foot)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(SHADOW, SHADOW, SHADOW, SHADOW)
        outer.addWidget(self.card)

    def show_step(self, number: int, count: int, title: str, text: str) -> None:
        """Say what a step is; it is not done yet.

        Parameters
        ----------
        number, count
            Which one of how many, from 1.
        """
        self._count = f"Step {number} of {count}"
        self.title.setText(title)
        self.text.setText(text)
        self.back_button.setVisible(number > 1)
        self.next_button.setText("Next" if number < count else "Finish")
        self.setAccessibleName(f"Guided tour, step {number} of {count}: {title}")
        self.setAccessibleDescription(text)
        self.show_done(False)
        self.show_way("")
        self.fit()
        QAccessible.updateAccessibility(QAccessibleEvent(self, QAccessible.Event.Alert))

    def show_done(self, is_done: bool) -> None:
        """Whether the step was done."""
        self.done_icon.setVisible(is_done)
        self.done.setVisible(is_done)

    def show_way(self, workspace: str) -> None:
        """Say in which workspace the step is done; "" while that is in front."""
        self.count.setText(f"{self._count}, under {workspace}" if workspace else self._count)

    def fit(self) -> None:
        """As wide as the text size asks, as high as the words need."""
        self.setFixedWidth(theme.px(WIDTH) + 2 * SHADOW)
        for layout in (self.card.layout(), self.layout()):
            if layout is not None:
                layout.invalidate()
                layout.activate()
        self.resize(self.width(), self.heightForWidth(self.width()))

    @property
    def has_keyboard(self) -> bool:
        """Whether one of its buttons has it."""
        focus = QApplication.focusWidget()
        return focus is not None and self.isAncestorOf(focus)

    def take_keyboard(self) -> bool:
        """The next press of Space or Enter goes on; always True."""
        self.next_button.setFocus(Qt.FocusReason.TabFocusReason)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc closes, Enter presses."""
        key, focus = event.key(), QApplication.focusWidget()
        if key == Qt.Key.Key_Escape:
            self.close_requested.emit()
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and isinstance(focus, QAbstractButton):
            focus.click()
        else:
            super().keyPressEvent(event)


class Outline(QWidget):
    """A line in the accent round a widget."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.hide()

    def surround(self, target: QRect, room: QRect) -> None:
        """Lie round a rectangle, within another, both in the parent's coordinates."""
        self.setGeometry(target.adjusted(-BEYOND, -BEYOND, BEYOND, BEYOND).intersected(room))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Only the line; what it surrounds stays as it is."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(theme.current().accent), PEN))
        inner = QRectF(self.rect()).adjusted(PEN / 2, PEN / 2, -PEN / 2, -PEN / 2)
        painter.drawRoundedRect(inner, 6, 6)
