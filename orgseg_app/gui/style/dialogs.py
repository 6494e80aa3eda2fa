"""Dialogs that fit on the screen however large the text is: what does not, is scrolled to."""

from __future__ import annotations

from PySide6.QtCore import QSize
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QFrame, QLayout, QScrollArea, QVBoxLayout, QWidget

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.focus import tab_in_order

SMALLEST = QSize(1280, 800)
"""The smallest screen the window is made for."""

FRAME = QSize(8, 40)
"""What the system's frame takes of it, in pixels."""


def fitted(width: int, height: int) -> QSize:
    """A window's size as the text size asks, as far as the screen has room; given for 100 %."""
    return QSize(theme.px(width), theme.px(height)).boundedTo(_room(None))


def _room(widget: QWidget | None) -> QSize:
    screen = (widget.screen() if widget is not None else None) or QGuiApplication.primaryScreen()
    return screen.availableSize().expandedTo(SMALLEST) - FRAME


class FittingDialog(QDialog):
    """A dialog that scrolls where the screen is too small for it, as with text of 200 %."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._scroll: QScrollArea | None = None
        self._fitted_to = 1.0
        theme.watcher.changed.connect(self._on_theme_changed)

    def setVisible(self, visible: bool) -> None:
        """Fit before it is seen."""
        if visible and not self.isVisible():
            self._fit()
            tab_in_order(self)
        super().setVisible(visible)

    def _on_theme_changed(self) -> None:
        if self.isVisible():
            self._fit()

    def _fit(self) -> None:
        room, layout = _room(self), self.layout()
        if layout is None:
            return
        if theme.watcher.text_scale != self._fitted_to:
            larger = self.size() * (theme.watcher.text_scale / self._fitted_to)
            self._fitted_to = theme.watcher.text_scale
            self.resize(larger.boundedTo(room))
        needed = layout.totalMinimumSize().expandedTo(self.minimumSize())
        if layout.hasHeightForWidth():
            # Words wrap: what is narrow has to be high, of which Qt takes no notice here.
            width = max(self.width(), needed.width())
            needed.setHeight(max(needed.height(), layout.totalMinimumHeightForWidth(width)))
            if self._scroll is None:
                self.resize(self.size().expandedTo(needed).boundedTo(room))
        is_too_large = needed.width() > room.width() or needed.height() > room.height()
        if self._scroll is None and is_too_large:
            self._scroll_all(layout)
        inside = self._scroll.widget() if self._scroll is not None else None
        if self._scroll is not None and inside is not None:
            content = inside.minimumSizeHint()
            bar = self._scroll.verticalScrollBar().sizeHint().width()
            self.setMinimumSize((content + QSize(bar, bar)).boundedTo(room) / 2)
            self.resize((content + QSize(bar, bar)).expandedTo(self.size()).boundedTo(room))

    def _scroll_all(self, layout: QLayout) -> None:
        """Move all that is in the dialog into an area that scrolls."""
        content = QWidget()
        content.setLayout(layout)  # takes it from the dialog, with the widgets in it
        self._scroll = scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        content.setProperty("surface", "clear")
        content.setAutoFillBackground(False)
        scroll.viewport().setAutoFillBackground(False)
        scroll.setWidget(content)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(scroll)
