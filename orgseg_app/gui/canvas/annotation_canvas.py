"""The canvas: the current plane with its mask, and the tool in the hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPolygonF,
    QResizeEvent,
    QTabletEvent,
    QWheelEvent,
)

from orgseg_app.gui.canvas.decorations import draw_scale_bar
from orgseg_app.gui.canvas.image_canvas import ImageCanvas
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.plane_view import WHEEL_STEP, ViewState
from orgseg_app.gui.canvas.tools.footprint import footprint_box, footprint_outline, two_tone
from orgseg_app.gui.canvas.tools.pointing import PanTool
from orgseg_app.gui.canvas.tools.registry import TOOL_CLASSES
from orgseg_app.gui.canvas.tools.strokes import BrushTool
from orgseg_app.gui.canvas.tools.tool import Tool
from orgseg_app.gui.canvas.wheel import NOTCH, Notches, is_two_fingers, turn, wheel_act

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

PLAIN_RING_PX = 40  # larger rings are drawn without smoothing: half a millisecond less a move
TAB_HELD_MS = 220  # shorter is a way to the next field
ARROWS = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}


class AnnotationCanvas(ImageCanvas):
    """The session's image and plane, painted on.

    The arrow keys move a cursor of their own and Enter puts the pen down and lifts it, so that
    everything can be painted without a pointer.

    Signals
    -------
    tool_hint_changed(text)
    measured(text)
        What the ruler says; "" when it is taken away.
    """

    tool_hint_changed = Signal(str)
    measured = Signal(str)

    def __init__(
        self, session: Session, tools: ToolOptions, display: DisplayOptions, parent: object = None
    ) -> None:
        super().__init__(session, display, parent)
        self.tools = tools
        self._tools: dict[str, Tool] = {kind.name: kind(self) for kind in TOOL_CLASSES}
        self._tool = self._tools[tools.tool]
        self._pointer: tuple[float, float] | None = None
        self.pressure = 1.0  # of a pen, 0…1; a mouse presses as hard as can be
        self._pressed = False
        self._by_keys = False
        self._outlines: tuple[tuple[int, bool], list[QPolygonF]] = ((0, False), [])
        self.setAccessibleName("Canvas")
        self.setAcceptDrops(False)  # the window takes drops everywhere
        self.wheel = "zoom"
        self._notches = Notches()
        self._tab_timer = QTimer(self, singleShot=True, interval=TAB_HELD_MS)
        self._tab_timer.timeout.connect(lambda: self.hide_overlay(True))
        self._describe_timer = QTimer(self, singleShot=True, interval=300)
        self._describe_timer.timeout.connect(self._describe)
        session.class_selected.connect(lambda _: self._update_footprint())
        tools.changed.connect(self._on_tools_changed)
        self._on_tools_changed()

    def image_leaves(self) -> None:
        """What a tool was about to do was meant for the image before."""
        self._tool.cancel()

    def image_came(self) -> None:
        """Screen readers hear what there is now."""
        self._describe()

    # -- the tool in the hand --------------------------------------------------------------------

    @property
    def is_by_keys(self) -> bool:
        """Whether the cursor was moved last by the arrow keys."""
        return self._by_keys

    @property
    def tool(self) -> Tool:
        """The tool in the hand."""
        return self._tool

    def tool_named(self, name: str) -> Tool:
        """A tool, in the hand or not."""
        return self._tools[name]

    @property
    def pointer(self) -> tuple[float, float]:
        """Where the pointer or the cursor of the keys is; the middle of the view when neither."""
        view = self.view_state()
        return self._pointer or (view.y, view.x)

    def _on_tools_changed(self) -> None:
        tool = self._tools[self.tools.tool]
        if tool is not self._tool:
            self._tool.cancel()
            self._pressed = False
            self._tool = tool
        self.update_cursor()
        self.tool_hint_changed.emit(tool.hint)
        self._describe_timer.start()
        self.update()

    def update_cursor(self) -> None:
        """The pointer's shape says what a press will do."""
        self.setCursor(self._tool.cursor if self.plane_size else Qt.CursorShape.ArrowCursor)

    def tabletEvent(self, event: QTabletEvent) -> None:
        """How hard a pen is pressed; it paints through the mouse events that follow each of it."""
        is_down = event.type() != QEvent.Type.TabletRelease and bool(event.buttons())
        self.pressure = event.pressure() if is_down else 1.0
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tool, pan, or a jump in the minimap."""
        self._by_keys = False
        place = self._minimap.place_at(event.position(), self)
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            view = self.view_state()
            self.set_view(ViewState(*place, view.zoom))
            self.view_changed.emit(self.view_state())
            return
        left = event.button() == Qt.MouseButton.LeftButton
        if left and isinstance(self._tool, PanTool) and not self._space_held:
            self._pan_from = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
            return
        if not left or self._space_held or not self.is_shown:
            super().mousePressEvent(event)
            return
        self._pressed = True
        y, x = self.to_image(event.position())
        self._tool.press(y, x, event.modifiers())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tool, footprint, pan."""
        if self.is_panning:
            super().mouseMoveEvent(event)
            return
        self._by_keys = False
        self._tool.hold_shift(bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier))
        if not event.buttons() & Qt.MouseButton.LeftButton:
            self._lift()  # the button came up where nobody told us
        y, x = self.to_image(event.position())
        self._move_pointer(y, x)
        self._tool.move(y, x, pressed=self._pressed)
        if self.plane_size:
            self.hovered.emit(y, x)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The hand is lifted."""
        if self.is_panning:
            super().mouseReleaseEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._lift()

    def _lift(self) -> None:
        """What the hand was doing is done."""
        if self._pressed:
            self._pressed = False
            self._tool.release()

    def hideEvent(self, event: QHideEvent) -> None:
        """Another workspace: nobody will say here that the hand was lifted."""
        super().hideEvent(event)
        self._lift()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fit with the hand tool or beside the image; close an outline; else a second press."""
        y, x = self.to_image(event.position())
        height, width = self.plane_size or (0, 0)
        is_beside = not (0 <= y < height and 0 <= x < width)
        is_building = bool(getattr(self._tool, "points", None))
        if isinstance(self._tool, PanTool) or not self.session.can_edit:
            super().mouseDoubleClickEvent(event)
        elif is_beside and not is_building:
            self._lift()
            super().mouseDoubleClickEvent(event)
        elif self._tool.name == "polygon" or self._tool.double_click_finishes:
            self._tool.finish()
        else:
            self.mousePressEvent(event)

    def leaveEvent(self, event: QEvent) -> None:
        """No footprint outside."""
        super().leaveEvent(event)
        if not self._by_keys:
            self._update_footprint()
            self._pointer = None

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A held key let go elsewhere must not stick."""
        super().focusOutEvent(event)
        self._space_held = False
        self._tool.hold_shift(False)
        self._tab_timer.stop()
        self.hide_overlay(False)
        self.update_cursor()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom, planes or brush size, as `wheel` has it; two fingers on a touchpad pan."""
        act = wheel_act(self.wheel, event.modifiers())
        fingers = not event.modifiers() and is_two_fingers(event)
        if fingers:
            self.pan_by(event.pixelDelta().y(), event.pixelDelta().x())
        elif act == "zoom":
            self.zoom_by(WHEEL_STEP ** (turn(event) / NOTCH), event.position())
        elif notches := self._notches.take(act, turn(event)):
            if act == "brush":
                self.tools.grow_brush(notches)
            else:
                self.session.select_plane(self.session.z - notches)
        if fingers or act == "zoom":
            self._follow_pointer(event.position())
        event.accept()

    def event(self, event: QEvent) -> bool:
        """A pinch moves the picture under the pointer, too."""
        handled = super().event(event)
        if isinstance(event, QNativeGestureEvent):
            self._follow_pointer(event.position())
        return handled

    def _follow_pointer(self, at: QPointF) -> None:
        """The picture moved under the pointer, which points at other voxels now."""
        if self._pointer is not None and not self._by_keys:
            self._pointer = self.to_image(at)

    def focusNextPrevChild(self, next: bool) -> bool:
        """Tab comes as a key: held, it hides the mask; let go at once, it leads on."""
        return False if next else super().focusNextPrevChild(next)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows and Enter paint; Esc steps back; H hides the mask while held."""
        key = Qt.Key(event.key())
        if key in ARROWS and self.plane_size:
            self._move_by_keys(*ARROWS[key], event.modifiers())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._enter(event.modifiers())
        elif key == Qt.Key.Key_Escape and (self._pressed or getattr(self._tool, "points", None)):
            self._pressed = False
            self._tool.cancel()
        elif key == Qt.Key.Key_Backspace and not event.modifiers() and self._tool.back():
            event.accept()
        elif key == Qt.Key.Key_Shift:
            self._tool.hold_shift(True)
        elif key == Qt.Key.Key_H and not event.modifiers():
            if not event.isAutoRepeat():
                self.hide_overlay(True)
        elif key == Qt.Key.Key_Tab and not event.modifiers():
            if not event.isAutoRepeat():
                self._tab_timer.start()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """H let go shows the mask again."""
        if event.key() == Qt.Key.Key_H and not event.isAutoRepeat():
            self.hide_overlay(False)
        elif event.key() == Qt.Key.Key_Tab and not event.isAutoRepeat():
            self._tab_let_go()
        elif event.key() == Qt.Key.Key_Shift:
            self._tool.hold_shift(False)
        else:
            super().keyReleaseEvent(event)

    def _tab_let_go(self) -> None:
        was_short = self._tab_timer.isActive()
        self._tab_timer.stop()
        self.hide_overlay(False)
        if was_short:
            super().focusNextPrevChild(True)

    def _move_by_keys(self, dy: int, dx: int, modifiers: Qt.KeyboardModifier) -> None:
        step = 10 if modifiers & Qt.KeyboardModifier.ShiftModifier else 1
        view, size = self.view_state(), self.plane_size
        assert size is not None
        y, x = self._pointer or (math.floor(view.y) + 0.5, math.floor(view.x) + 0.5)
        y = min(max(y + dy * step, 0.5), size[0] - 0.5)
        x = min(max(x + dx * step, 0.5), size[1] - 0.5)
        self._by_keys = True
        self._move_pointer(y, x)
        self._tool.move(y, x, pressed=self._pressed)
        self.hovered.emit(y, x)

    def _enter(self, modifiers: Qt.KeyboardModifier) -> None:
        if not self._by_keys or modifiers & Qt.KeyboardModifier.ControlModifier:
            self._tool.finish()
        elif self._pressed:
            self._lift()
        elif self._pointer is not None and self.is_shown:
            self._tool.press(*self._pointer, modifiers)
            self._pressed = self._tool.drags
            if not self._pressed:
                self._tool.release()

    def _move_pointer(self, y: float, x: float) -> None:
        self._update_footprint()
        self._pointer = (y, x)
        self._update_footprint()

    def _update_footprint(self) -> None:
        if self._pointer is not None:
            self.update_box(footprint_box(*self._pointer, self.tools.brush_size))

    def _describe(self) -> None:
        """Tell screen readers what the canvas holds."""
        image = self.session.image
        if image is None:
            self.setAccessibleDescription("No image.")
            return
        chosen = self.session.project.class_of(self.session.class_id)  # type: ignore[union-attr]
        self.setAccessibleDescription(
            f"{image.name}, {image.shape[3]} by {image.shape[2]} voxels, plane "
            f"{self._shown[1] + 1} of {image.shape[1]}; {self._tool.name}, size "
            f"{self.tools.brush_size}, class {chosen.name if chosen else 'none'}."
        )

    # -- on top of the picture -------------------------------------------------------------------

    def paint_decorations(self, painter: QPainter, rect: QRect) -> None:
        """Footprint, what the tool builds, scale bar, minimap."""
        if not self.plane_size:
            return
        self._tool.paint(painter)
        if self._pointer is not None and (isinstance(self._tool, BrushTool) or self._by_keys):
            self._draw_footprint(painter, *self._pointer)
        image = self.session.image
        if image is not None:
            size = image.pixel_size_um[2] if image.pixel_size_um else None
            draw_scale_bar(painter, self.rect(), self.view_state().zoom, size)
        self._minimap.draw(painter, self)

    def _draw_footprint(self, painter: QPainter, y: float, x: float) -> None:
        from orgseg_app.core.painting.brush import snapped

        size, square = self._tool.footprint if isinstance(self._tool, BrushTool) else (1, False)
        zoom = self.view_state().zoom
        cy, cx = snapped((y, x), size)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = self.to_widget(cy, cx)
        if size * zoom < 5:  # too small to see: a ring around the spot
            two_tone(painter, lambda: painter.drawEllipse(middle, 4.5, 4.5))
        elif zoom < 3 and not square:
            reach = size * zoom / 2
            if reach > PLAIN_RING_PX:
                painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
                for colour, radius in (("#000000", reach + 1), ("#FFFFFF", reach)):
                    painter.setPen(QColor(colour))
                    painter.drawEllipse(middle, radius, radius)
            else:
                two_tone(painter, lambda: painter.drawEllipse(middle, reach, reach))
        else:
            if self._outlines[0] != (size, square):
                self._outlines = ((size, square), footprint_outline(size, square=square))
            shapes = [
                QPolygonF([QPointF(p.x() * zoom, p.y() * zoom) + middle for p in outline.toList()])
                for outline in self._outlines[1]
            ]
            two_tone(painter, lambda: [painter.drawPolyline(shape) for shape in shapes])
        chosen = self.session.project and self.session.project.class_of(self.session.class_id)
        if chosen and self._tool.name in ("brush", "ball"):
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(chosen.colour))
            painter.drawEllipse(middle, 2, 2)
        painter.restore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The minimap follows the corner."""
        super().resizeEvent(event)
        self.update()
