"""What figures share: plots in the window's type and colours. Importing this imports pyqtgraph."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import pyqtgraph as pg
from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFocusEvent, QFontMetricsF, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QWidget

from orgseg_app.gui.comparing.curves_legend import Readout
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import focus_ring

AXIS_WIDTH = 46


@dataclass
class Plot:
    """A view and its axes, and how wide the left one is at a text size of 100 %."""

    box: Any
    left: Any
    bottom: Any
    axis_width: int


class Title(pg.LabelItem):  # type: ignore[misc]
    """Small words on one line that ends in … where there is no room; the tooltip says the whole.

    A label of pyqtgraph itself makes the whole figure as wide as its words.
    """

    def __init__(self) -> None:
        self._whole = self._shown = ""
        super().__init__("", justify="left")
        self.setContentsMargins(4, 6, 0, 0)

    def say(self, text: str) -> None:
        """Show a text, in colours and type of the theme in use."""
        self._whole, self._shown = text, ""
        self._show()

    def resizeEvent(self, event: Any) -> None:
        """Cut the words anew."""
        super().resizeEvent(event)
        if self._whole:
            self._show()

    def updateMin(self) -> None:
        """As high as the words, as narrow as need be."""
        super().updateMin()
        self.setMinimumWidth(0)

    def _show(self) -> None:
        room, shown = self.rect().width() - 8, self._whole  # a text item has 4 px on each side
        metrics = QFontMetricsF(theme.font(theme.CAPTION_PX))
        if room > 0:
            shown = metrics.elidedText(shown, Qt.TextElideMode.ElideRight, room)
        if shown != self._shown:
            self._shown = shown
            self.setToolTip(self._whole if shown != self._whole else "")
            size = f"{theme.px(theme.CAPTION_PX)}px"
            self.setText(html.escape(shown), color=theme.current().secondary, size=size)


class PlotFigure(pg.GraphicsLayoutWidget):  # type: ignore[misc]
    """Plots in a grid, and the table beside the pointer."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.NoContextMenu)
        self.plots: list[Plot] = []
        self._lay_out()
        self.readout = Readout(self)
        self._ring = _Ring(self)
        self.scene().sigMouseMoved.connect(self._on_mouse_moved)

    def _lay_out(self) -> None:
        layout = self.ci.layout
        layout.setContentsMargins(8, 4, 12, 4)
        layout.setSpacing(0)

    def start_again(self) -> None:
        """Without any plot; a layout that was emptied would keep the sizes of what it had."""
        self.plots.clear()
        self.ci = pg.GraphicsLayout()
        self.setCentralItem(self.ci)
        self._lay_out()

    def add_title(self, row: int, col: int = 0, *, colspan: int = 2) -> Any:
        """Small words above a plot; `write_title` says them."""
        title = Title()
        self.ci.addItem(title, row=row, col=col, colspan=colspan)
        return title

    @staticmethod
    def write_title(title: Any, text: str) -> None:
        """Say something above a plot."""
        title.say(text)

    def add_plot(
        self, row: int, col: int = 0, *, rowspan: int = 1, width: int = AXIS_WIDTH
    ) -> Plot:
        """A view with two axes; PlotItem would bring menus and buttons that nobody wants here.

        It takes two columns and one row more than it spans.
        """
        box = pg.ViewBox(enableMenu=False, enableMouse=False, defaultPadding=0.02)
        left, bottom = pg.AxisItem("left"), pg.AxisItem("bottom")
        left.setGrid(38)
        for axis in (left, bottom):
            axis.linkToView(box)
            axis.setZValue(-100)
        self.ci.addItem(left, row=row, col=col, rowspan=rowspan)
        self.ci.addItem(box, row=row, col=col + 1, rowspan=rowspan)
        self.ci.addItem(bottom, row=row + rowspan, col=col + 1)
        self.plots.append(Plot(box, left, bottom, width))
        return self.plots[-1]

    def restyle(self) -> None:
        """Colours and type of the theme in use."""
        now = theme.current()
        self.setBackground(now.panel)
        for plot in self.plots:
            plot.left.setWidth(theme.px(plot.axis_width))
            for axis, line in ((plot.left, None), (plot.bottom, now.line)):
                axis.setTickFont(theme.font(theme.CAPTION_PX))
                axis.setTextPen(now.secondary)
                axis.setPen(pg.mkPen(line))
                axis.setTickPen(pg.mkPen(QColor(now.control)))
                axis.setStyle(
                    tickLength=0,
                    tickTextOffset=6,
                    maxTickLevel=0,
                    hideOverlappingLabels=theme.watcher.text_scale > 1,
                )

    # -- the pointer and the keyboard --------------------------------------------------------------

    def point_at(self, at: QPointF) -> None:
        """Read off what is at a place of the scene; figures that can be read do it."""

    def hide_readout(self) -> None:
        """Nothing is pointed at."""
        self.readout.hide()

    def _on_mouse_moved(self, at: QPointF) -> None:
        self.point_at(at)

    def leaveEvent(self, event: QEvent) -> None:
        """The pointer is elsewhere."""
        super().leaveEvent(event)
        self.hide_readout()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The ring goes around all of it."""
        super().resizeEvent(event)
        if hasattr(self, "_ring"):  # not while it is being made
            self._ring.setGeometry(self.rect())

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that the keyboard is here."""
        super().focusInEvent(event)
        self._ring.setVisible(event.reason() != Qt.FocusReason.MouseFocusReason)
        self._ring.raise_()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """It is elsewhere."""
        super().focusOutEvent(event)
        self._ring.hide()
        self.hide_readout()


class _Ring(QWidget):
    """Around the figure that has the keyboard."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A line in the accent's colour."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        focus_ring(painter, QRectF(self.rect()), 4)
        painter.end()
