"""One pane of the comparison: a plane that is looked at, with its linked fellows."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
)
from PySide6.QtWidgets import QMenu, QWidget

from orgseg_app.gui.canvas.difference import Region
from orgseg_app.gui.canvas.plane_view import PlaneView, ViewState
from orgseg_app.gui.canvas.rendering import Picture
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import focus_ring

PAN_PX = 48.0
ARROWS = {
    Qt.Key.Key_Left: (0.0, PAN_PX),
    Qt.Key.Key_Right: (0.0, -PAN_PX),
    Qt.Key.Key_Up: (PAN_PX, 0.0),
    Qt.Key.Key_Down: (-PAN_PX, 0.0),
}
ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)
MARK_PX = 5
REGION_SHARE = 0.3
"""Of the pane that a region gone to takes up."""
MOST_ZOOM = 24.0


class ComparePane(PlaneView):
    """Arrows move, Enter and a double click open the place in the Annotate workspace.

    Signals
    -------
    opened(y, x)
        The place is to be opened where one paints.
    """

    opened = Signal(float, float)

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setAccessibleDescription(
            "A picture of the test image; arrows move it, plus and minus zoom, in all panes alike"
        )
        self.setMinimumSize(96, 64)
        self._marked: Region | None = None

    # -- what is shown -----------------------------------------------------------------------------

    def show_picture(
        self, picture: Picture | None, levels: list[tuple[float, float]], *, is_rgb: bool
    ) -> None:
        """Show a plane that others show, too; nobody is told when it is fitted."""
        blocked = self.blockSignals(True)
        self.set_plane(None, is_rgb, levels, picture)
        self.blockSignals(blocked)

    def follow(self, state: ViewState, *, is_fitted: bool) -> None:
        """Look where another pane looks; nobody is told."""
        blocked = self.blockSignals(True)
        if is_fitted:
            self.fit()
        else:
            self.set_view(state)
        self.blockSignals(blocked)

    def mark(self, region: Region | None) -> None:
        """Draw corners around a region, or no longer."""
        if region != self._marked:
            self._marked = region
            self.update()

    @property
    def marked(self) -> Region | None:
        """What is marked."""
        return self._marked

    def view_of(self, region: Region) -> ViewState:
        """Where to look so that a region is seen with what is around it."""
        side = max(region.y1 - region.y0, region.x1 - region.x0, 1)
        zoom = min(MOST_ZOOM, REGION_SHARE * min(self.width(), self.height()) / side)
        return ViewState((region.y0 + region.y1) / 2, (region.x0 + region.x1) / 2, zoom)

    def paint_decorations(self, painter: QPainter, rect: QRect) -> None:
        """The corners around what is marked, and where the keyboard is."""
        if self._marked is not None:
            found = self._marked
            corner = self.to_widget(found.y0, found.x0)
            box = QRectF(corner, self.to_widget(found.y1, found.x1))
            _draw_corners(painter, box.adjusted(-MARK_PX, -MARK_PX, MARK_PX, MARK_PX))
        if self.hasFocus():
            painter.save()
            focus_ring(painter, QRectF(self.rect()), 2)
            painter.restore()

    # -- pointer and keys --------------------------------------------------------------------------

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open the place."""
        if event.button() == Qt.MouseButton.LeftButton and self.plane_size:
            self.opened.emit(*self.to_image(event.position()))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What one may do with a place."""
        if self.plane_size:
            by_key = event.reason() == QContextMenuEvent.Reason.Keyboard
            at = self.rect().center() if by_key else event.pos()
            self.make_menu(at).popup(self.mapToGlobal(at))

    def make_menu(self, at: QPoint) -> QMenu:
        """The menu of a place of the widget."""
        y, x = self.to_image(QPointF(at))
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Open in Annotate here", lambda: self.opened.emit(y, x))
        menu.addAction("Fit to pane", self.fit)
        return menu

    def event(self, event: QEvent) -> bool:
        """Keys that are shortcuts elsewhere: the arrows."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() == Qt.KeyboardModifier.NoModifier
            if plain and (event.key() in ARROWS or self.keeps(event.key())):
                event.accept()
                return True
        return super().event(event)

    def keeps(self, key: int) -> bool:
        """Whether a key that may be a shortcut is the pane's own; for subclasses."""
        return False

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows, Enter."""
        plain = event.modifiers() in (
            Qt.KeyboardModifier.NoModifier,
            Qt.KeyboardModifier.KeypadModifier,
        )
        step = ARROWS.get(Qt.Key(event.key())) if plain else None
        if step is not None and self.plane_size:
            self.pan_by(*step)
        elif plain and event.key() in ENTER and self.plane_size:
            self.opened.emit(*self.to_image(QPointF(self.rect().center())))
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that the keyboard is here."""
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """It is elsewhere."""
        super().focusOutEvent(event)
        self.update()


def _draw_corners(painter: QPainter, box: QRectF) -> None:
    """Four corners around a box, to be seen on any ground."""
    reach = max(5.0, min(12.0, box.width() / 3, box.height() / 3))
    painter.save()
    for colour, width in ((theme.current().canvas, 4.0), ("#FFFFFF", 2.0)):
        painter.setPen(QPen(QColor(colour), width))
        for corner, dx, dy in (
            (box.topLeft(), 1, 1),
            (box.topRight(), -1, 1),
            (box.bottomLeft(), 1, -1),
            (box.bottomRight(), -1, -1),
        ):
            painter.drawLine(corner, corner + QPointF(dx * reach, 0))
            painter.drawLine(corner, corner + QPointF(0, dy * reach))
    painter.restore()
