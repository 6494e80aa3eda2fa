"""A small menu of colours for a class."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QEnterEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QAbstractButton,
    QColorDialog,
    QGridLayout,
    QMenu,
    QWidget,
    QWidgetAction,
)

from orgseg_app.core.classes import BACKGROUND_COLOUR, PALETTE
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import focus_ring

COLUMNS = 7


class ColourMenu(QMenu):
    """The palette that can be told apart by everybody, and any other colour.

    Signals
    -------
    colour_chosen("#RRGGBB")
    """

    colour_chosen = Signal(str)

    def __init__(self, current: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._current = current
        grid_widget = QWidget()
        grid = QGridLayout(grid_widget)
        grid.setContentsMargins(6, 6, 6, 6)
        grid.setSpacing(4)
        self.swatches: list[ColourSwatch] = []
        for number, colour in enumerate((*PALETTE, BACKGROUND_COLOUR)):
            swatch = ColourSwatch(colour, chosen=colour.casefold() == current.casefold())
            swatch.clicked.connect(lambda _=False, c=colour: self._choose(c))
            grid.addWidget(swatch, number // COLUMNS, number % COLUMNS)
            self.swatches.append(swatch)
        action = QWidgetAction(self)
        action.setDefaultWidget(grid_widget)
        self.addAction(action)
        self.addSeparator()
        self.addAction(icons.icon("palette"), "Other colour…", self._ask)

    def _choose(self, colour: str) -> None:
        self.close()
        self.colour_chosen.emit(colour)

    def _ask(self) -> None:
        chosen = QColorDialog.getColor(
            QColor(self._current), self.parentWidget(), "Colour of the class"
        )
        if chosen.isValid():
            self.colour_chosen.emit(chosen.name().upper())


class ColourSwatch(QAbstractButton):
    """One colour to press."""

    def __init__(self, colour: str, *, chosen: bool = False) -> None:
        super().__init__()
        self._colour = colour
        self._chosen = chosen
        self.setAccessibleName(f"Colour {colour}")
        self.setToolTip(colour)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFixedSize(24, 24)

    def sizeHint(self) -> QSize:
        """Always the same."""
        return QSize(24, 24)

    def paintEvent(self, event: QPaintEvent) -> None:
        """The colour, a ring when it is the present one."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inset = 2.5 if self.underMouse() else 3.5
        painter.setPen(QPen(QColor(now.control), 1))
        painter.setBrush(QColor(self._colour))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(inset, inset, -inset, -inset), 4, 4)
        if self._chosen or self.hasFocus():
            focus_ring(painter, QRectF(self.rect()), 6)

    def enterEvent(self, event: QEnterEvent) -> None:
        """A little larger under the pointer."""
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self.update()
