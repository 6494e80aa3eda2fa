"""Two of the panes in one: what one shows left of a line that is dragged, the other right of it."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QAbstractSlider, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.comparing.compare_pane import ComparePane
from orgseg_app.gui.comparing.pane_parts import PlaceChooser, Shown
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, Caption, label, surface

STEPS = 1000
GRIP = 15
"""Pixels across in which the line can be taken."""
ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)


class Divider(QAbstractSlider):
    """The line between the two sides; its value is its place in thousandths of the width."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setOrientation(Qt.Orientation.Horizontal)
        self.setRange(0, STEPS)
        self.setValue(STEPS // 2)
        self.setSingleStep(10)
        self.setPageStep(100)
        self.setAccessibleName("Divider between the two sides")
        self.setToolTip("Drag, or use the arrow keys")
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def sizeHint(self) -> QSize:
        """As wide as can be taken hold of."""
        return QSize(GRIP, 90)

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line, and a grip in its middle."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.width() / 2
        painter.fillRect(QRectF(middle - 2, 0, 4, self.height()), QColor(now.canvas))
        colour = QColor(now.accent) if self.hasFocus() or self.underMouse() else QColor("#FFFFFF")
        painter.fillRect(QRectF(middle - 1, 0, 2, self.height()), colour)
        grip = QRectF(middle - 5.5, self.height() / 2 - 16, 11, 32)
        painter.setPen(QColor(now.canvas))
        painter.setBrush(colour)
        painter.drawRoundedRect(grip, 5.5, 5.5)
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take it."""
        self.setSliderDown(event.button() == Qt.MouseButton.LeftButton)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag it."""
        room = self.parentWidget()
        if self.isSliderDown() and room is not None:
            x = self.mapToParent(event.position().toPoint()).x()
            self.setValue(round(x / max(1, room.width()) * STEPS))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let it go."""
        self.setSliderDown(False)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Back to the middle."""
        self.setValue(STEPS // 2)

    def event(self, event: QEvent) -> bool:
        """Keys that are shortcuts elsewhere move it; the pointer over it is shown."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            if keeps_key(event):
                return True
            if event.key() in ARROWS and event.modifiers() == Qt.KeyboardModifier.NoModifier:
                event.accept()
                return True
        if event.type() in (QEvent.Type.Enter, QEvent.Type.Leave):
            self.update()
        return super().event(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that the keyboard is here."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """It is elsewhere."""
        super().focusOutEvent(event)
        self.update()


class SwipePane(ComparePane):
    """Paints other layers right of the divider than left of it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Two sides", parent)
        self._sides: tuple[tuple[OverlayLayer, ...], ...] = ((), ())
        self.divider = Divider(self)
        self.divider.valueChanged.connect(self._on_moved)

    def set_sides(self, left: Sequence[OverlayLayer], right: Sequence[OverlayLayer]) -> None:
        """What lies over the image on both sides."""
        self._sides = tuple(left), tuple(right)
        self.update()

    @property
    def sides(self) -> tuple[tuple[OverlayLayer, ...], ...]:
        """What is painted left, and right."""
        return self._sides

    @property
    def split_x(self) -> int:
        """Where the line is, in pixels of the widget."""
        return round(self.divider.value() / STEPS * self.width())

    def layers_in(self, rect: QRect) -> list[tuple[QRect, tuple[OverlayLayer, ...]]]:
        """The part left of the line, and the part right of it."""
        at = self.split_x
        left = rect.intersected(QRect(0, 0, at, self.height()))
        right = rect.intersected(QRect(at, 0, self.width() - at, self.height()))
        parts = zip((left, right), self._sides, strict=True)
        return [(part, layers) for part, layers in parts if not part.isEmpty()]

    def _on_moved(self) -> None:
        self._place_divider()
        self.update()

    def _place_divider(self) -> None:
        self.divider.setGeometry(self.split_x - GRIP // 2, 0, GRIP, self.height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The line keeps its share of the width."""
        super().resizeEvent(event)
        self._place_divider()


class SwipeView(QWidget):
    """The pane, and above it what is shown on either side."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        surface(self)
        self.pane = SwipePane(self)
        self.choosers = (PlaceChooser("Left of the divider"), PlaceChooser("Right of the divider"))
        self.scores = (Caption(), Caption())
        self._shown: tuple[Shown, ...] = ()
        self._sides = [0, 1]
        row = QHBoxLayout()
        row.setContentsMargins(GAP, 4, GAP, 4)
        row.setSpacing(6)
        for score in self.scores:
            score.setWordWrap(False)
        left, right = self.choosers
        for widget, stretch in (
            (label("Left", "caption"), 0),
            (left, 3),
            (self.scores[0], 0),
        ):
            row.addWidget(widget, stretch)
        row.addStretch(1)
        row.addWidget(self.scores[1])
        row.addWidget(right, 3)
        row.addWidget(label("Right", "caption"))
        for number, chooser in enumerate(self.choosers):
            chooser.currentIndexChanged.connect(lambda at, side=number: self._on_chosen(side, at))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.pane, 1)

    def show_what(self, shown: Sequence[Shown]) -> None:
        """What the panes show, the truth last; the sides stay what they were where they can."""
        count = len(shown)
        if len(self._shown) != count:
            self._sides = [0, 1]
        self._shown = tuple(shown)
        if count and self._shown[self._sides[1]].missing and self._sides == [0, 1]:
            self._sides = [0, count - 1]  # one run only: beside the truth
        self._fill()

    def _fill(self) -> None:
        if not self._shown:
            return
        for chooser, score, place in zip(self.choosers, self.scores, self._sides, strict=True):
            chooser.set_places(self._shown, place)
            item = self._shown[place]
            score.setText("no prediction" if item.missing else item.score)
            score.setToolTip(item.missing)
        left, right = (self._shown[place].layers for place in self._sides)
        self.pane.set_sides(left, right)

    def _on_chosen(self, side: int, place: int) -> None:
        if 0 <= place < len(self._shown):
            if place == self._sides[1 - side]:  # a side beside itself tells nothing
                self._sides[1 - side] = self._sides[side]
            self._sides[side] = place
            self._fill()

    @property
    def sides(self) -> tuple[int, int]:
        """The places shown left and right."""
        return self._sides[0], self._sides[1]
