"""The canvas: the current plane with its mask, and the tool in the hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QResizeEvent,
    QTabletEvent,
    QWheelEvent,
)

from orgseg_app.gui.canvas.crosshair import Crosshair, draw_lines, update_lines
from orgseg_app.gui.canvas.decorations import draw_scale_bar, scale_bar_rect
from orgseg_app.gui.canvas.image_canvas import ImageCanvas
from orgseg_app.gui.canvas.object_marks import ObjectMarks
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.plane_view import WHEEL_STEP, ViewState
from orgseg_app.gui.canvas.sizing import SizeDrag
from orgseg_app.gui.canvas.tools.cursors import ERASE, ToolCursor
from orgseg_app.gui.canvas.tools.pointing import PanTool
from orgseg_app.gui.canvas.tools.registry import TOOL_CLASSES
from orgseg_app.gui.canvas.tools.ring import BrushRing
from orgseg_app.gui.canvas.tools.strokes import BrushTool
from orgseg_app.gui.canvas.tools.tool import Tool
from orgseg_app.gui.canvas.wheel import NOTCH, Notches, is_two_fingers, turn, wheel_act
from orgseg_app.gui.style.widgets import focus_ring

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

BY_KEYS = (Qt.FocusReason.TabFocusReason, Qt.FocusReason.BacktabFocusReason)
IN_SIGHT_PX = (6, 6, -6, -6)  # nearer to the edge the cursor of the keys moves the picture
TAB_HELD_MS = 220  # shorter is a way to the next field
ARROWS = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}
MODIFIERS = {
    Qt.Key.Key_Shift: Qt.KeyboardModifier.ShiftModifier,
    Qt.Key.Key_Alt: Qt.KeyboardModifier.AltModifier,
    Qt.Key.Key_Control: Qt.KeyboardModifier.ControlModifier,
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
        self.crosshair = Crosshair(session, self)
        self.crosshair.moved.connect(self._on_crosshair_moved)
        self._crossed_at = QPointF()
        self._tools: dict[str, Tool] = {kind.name: kind(self) for kind in TOOL_CLASSES}
        self._tool = self._tools[tools.tool]
        self._pointer: tuple[float, float] | None = None
        self._at: QPointF | None = None  # where on the canvas the mouse is
        self.pressure = 1.0  # of a pen, 0…1; a mouse presses as hard as can be
        self._pressed = False
        self._by_keys = False
        self._came_by_keys = False
        self._ring = BrushRing(self)
        self._marks = ObjectMarks(self)
        self._cursor = ToolCursor(self)
        self._sizing = SizeDrag(self)
        self.setAccessibleName("Canvas")
        self.setAcceptDrops(False)  # the window takes drops everywhere
        self.wheel = "zoom"
        self._notches = Notches()
        # X servers may repeat a held key as if it were let go and pressed again at the same moment
        self._let_go: tuple[int, int] = (0, 0)
        self._tab_timer = QTimer(self, singleShot=True, interval=TAB_HELD_MS)
        self._tab_timer.timeout.connect(lambda: self.hide_overlay(True))
        self._describe_timer = QTimer(self, singleShot=True, interval=300)
        self._describe_timer.timeout.connect(self._describe)
        session.class_selected.connect(lambda _: self._update_footprint())
        for signal in (session.class_selected, session.classes_changed, session.save_state_changed):
            signal.connect(lambda *_: self.update_cursor())
        session.objects.changed.connect(self._on_object_changed)
        tools.changed.connect(self._on_tools_changed)
        self._on_tools_changed()

    def image_leaves(self) -> None:
        """What a tool was about to do was meant for the image before."""
        self._tool.cancel()

    def image_came(self) -> None:
        """Screen readers hear what there is now, and it can be painted."""
        self._describe()
        self.update_cursor()

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

    def _on_object_changed(self) -> None:
        """Another object in the hand: the ring, too, has its colour and number."""
        self.update_cursor()
        self._update_footprint()

    def update_cursor(self) -> None:
        """The pointer's shape says what a press will do."""
        if not self.is_panning and not self._space_held:
            self.setCursor(self._cursor.shape())

    def _hold(self, modifiers: Qt.KeyboardModifier) -> None:
        """Keys that change what a press does go down or come up."""
        self._tool.hold_shift(bool(modifiers & Qt.KeyboardModifier.ShiftModifier))
        if self._cursor.hold(modifiers):
            self.update_cursor()
            self._update_footprint()

    def tabletEvent(self, event: QTabletEvent) -> None:
        """How hard a pen is pressed; it paints through the mouse events that follow each of it."""
        is_down = event.type() != QEvent.Type.TabletRelease and bool(event.buttons())
        self.pressure = event.pressure() if is_down else 1.0
        event.ignore()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Tool, pan, or a jump in the minimap."""
        if self._sizing.takes(event):
            return
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
        if event.button() == Qt.MouseButton.RightButton and self.crosshair.is_shown:
            self.crosshair.put(*self.to_image(event.position()))
            return
        if not left or self._space_held or not self.is_shown:
            super().mousePressEvent(event)
            return
        if self._is_refused():
            return
        y, x = self.to_image(event.position())
        if self._picks_objects(event.modifiers()):
            adds = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
            self.session.objects.pick(y, x, adds=adds)
            return
        self._pressed = True
        self._tool.press(y, x, event.modifiers())

    def _picks_objects(self, modifiers: Qt.KeyboardModifier) -> bool:
        """Whether a click takes the object under it: Ctrl, where the tool has no use for that."""
        tool, ctrl = self._tool, Qt.KeyboardModifier.ControlModifier
        has_use = tool.name == "component" or (
            "limit" in tool.settings and self.tools.value("limit") == "range"
        )
        return self.session.objects.is_on and bool(modifiers & ctrl) and not has_use

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Tool, footprint, pan."""
        if self._sizing.takes(event):
            return
        self._at = event.position()
        if self.is_panning:
            super().mouseMoveEvent(event)
            return
        self._by_keys = False
        self._hold(event.modifiers())
        if not event.buttons() & Qt.MouseButton.LeftButton:
            self._lift()  # the button came up where nobody told us
        y, x = self.to_image(event.position())
        self._move_pointer(y, x)
        if event.buttons() & Qt.MouseButton.RightButton and self.crosshair.is_shown:
            self.crosshair.put(y, x)
        self._tool.move(y, x, pressed=self._pressed)
        if self.plane_size:
            self.hovered.emit(y, x)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """The hand is lifted."""
        if self._sizing.takes(event):
            return
        if self.is_panning:
            super().mouseReleaseEvent(event)
        elif event.button() == Qt.MouseButton.LeftButton:
            self._lift()

    def _is_refused(self) -> bool:
        """Whether the tool would change what may only be looked at; then that is said."""
        refused = self._tool.edits and self.session.is_read_only
        if refused:
            self.session.say_look_only()
        return refused

    def _lift(self) -> None:
        """What the hand was doing is done."""
        if self._pressed:
            self._pressed = False
            self._tool.release()
            self.update_cursor()

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
        self._at = None
        if not self._by_keys:
            self._update_footprint()
            self._pointer = None
            self._tool.leave()

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show that the keyboard is here, to those who came by it."""
        super().focusInEvent(event)
        self._came_by_keys = event.reason() in BY_KEYS
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A held key let go elsewhere must not stick."""
        super().focusOutEvent(event)
        self._came_by_keys = False
        self.update()
        self._hold(Qt.KeyboardModifier.NoModifier)
        self._tab_timer.stop()
        self.hide_overlay(False)
        self.update_cursor()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom, planes or brush size, as `wheel` has it; two fingers on a touchpad pan."""
        self._at = event.position()
        act = wheel_act(self.wheel, event.modifiers())
        fingers = not event.modifiers() and is_two_fingers(event)
        if fingers:
            self.pan_by(event.pixelDelta().y(), event.pixelDelta().x())
        elif act == "zoom":
            self.zoom_by(WHEEL_STEP ** (turn(event) / NOTCH), event.position())
        elif notches := self._notches.take(act, turn(event)):
            if act == "brush":
                self.tools.grow_brush(notches)
            elif act == "time":
                self.session.select_time(-notches)
            else:
                self.session.select_plane(self.session.z - notches)
        event.accept()

    def event(self, event: QEvent) -> bool:
        """A pinch moves the picture under the pointer, too; another screen wants other cursors."""
        if isinstance(event, QNativeGestureEvent):
            self._at = event.position()
        handled = super().event(event)
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.update_cursor()
        elif event.type() == QEvent.Type.ShortcutOverride and self._claims(event):
            event.accept()
            return True
        return handled

    def _claims(self, event: QEvent) -> bool:
        """Alt over the picture erases; let go without a press, it would lead to the menus."""
        is_alt = isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Alt
        return is_alt and self._pointer is not None and not self._by_keys

    def _look_elsewhere(self) -> None:
        """The picture moved under the mouse, which points at other voxels now."""
        super()._look_elsewhere()
        if self._at is not None and not self._by_keys and self.plane_size:
            self._pointer = self.to_image(self._at)
            self.hovered.emit(*self._pointer)

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
        elif key == Qt.Key.Key_Escape and self.session.working.cancel():
            return  # what is being worked out ends, and says so
        elif key == Qt.Key.Key_Backspace and not event.modifiers() and self._tool.back():
            event.accept()
        elif key in MODIFIERS:
            self._hold(event.modifiers() | MODIFIERS[key])
            super().keyPressEvent(event)
        elif key == Qt.Key.Key_H and not event.modifiers():
            self.hide_overlay(True)
        elif key == Qt.Key.Key_Tab and not event.modifiers():
            if (key, event.timestamp()) == self._let_go:
                self.hide_overlay(True)
            elif not event.isAutoRepeat():
                self._tab_timer.start()
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """H let go shows the mask again."""
        if event.timestamp():
            self._let_go = (event.key(), event.timestamp())
        if event.key() == Qt.Key.Key_H and not event.isAutoRepeat():
            self.hide_overlay(False)
        elif event.key() == Qt.Key.Key_Tab and not event.isAutoRepeat():
            self._tab_let_go()
        elif event.key() in MODIFIERS:
            self._hold(event.modifiers() & ~MODIFIERS[Qt.Key(event.key())])
            super().keyReleaseEvent(event)
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
        y, x = (math.floor(place) + 0.5 for place in self._pointer or (view.y, view.x))
        y = min(max(y + dy * step, 0.5), size[0] - 0.5)
        x = min(max(x + dx * step, 0.5), size[1] - 0.5)
        self._by_keys = True
        self._keep_in_sight(y, x)
        self._move_pointer(y, x)
        self._tool.move(y, x, pressed=self._pressed)
        self.hovered.emit(y, x)

    def _keep_in_sight(self, y: float, x: float) -> None:
        """Move the picture as far as it takes to see a place."""
        at, room = self.to_widget(y, x), self.rect().adjusted(*IN_SIGHT_PX)
        dy = min(room.bottom() - at.y(), 0) + max(room.top() - at.y(), 0)
        dx = min(room.right() - at.x(), 0) + max(room.left() - at.x(), 0)
        if dy or dx:
            self.pan_by(dy, dx)

    def _enter(self, modifiers: Qt.KeyboardModifier) -> None:
        if not self._by_keys or modifiers & Qt.KeyboardModifier.ControlModifier:
            self._tool.finish()
        elif self._pressed:
            self._lift()
        elif self._pointer is not None and self.is_shown and not self._is_refused():
            self._tool.press(*self._pointer, modifiers)
            self._pressed = self._tool.drags
            if not self._pressed:
                self._tool.release()

    def _move_pointer(self, y: float, x: float) -> None:
        self._update_footprint()
        self._pointer = (y, x)
        self._update_footprint()
        if self._cursor.is_outdated():
            self.update_cursor()

    def _update_footprint(self) -> None:
        if self._pointer is not None:
            self.update(self._ring.rect(*self._pointer))

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
        """Crosshair, footprint, what the tool builds, scale bar, minimap."""
        if not self.plane_size:
            return
        if self.crosshair.is_shown:
            self._crossed_at = self._crossing()
            draw_lines(painter, self, self._crossed_at)
        self._marks.paint(painter)
        self._tool.paint(painter)
        if self._pointer is not None and (isinstance(self._tool, BrushTool) or self._by_keys):
            self._ring.paint(painter, *self._pointer, erases=self._cursor.mark == ERASE)
        if self.session.image is not None:
            draw_scale_bar(painter, self.rect(), self.view_state().zoom, self._pixel_um(), rect)
        self._minimap.draw(painter, self, rect)
        if self._came_by_keys:
            focus_ring(painter, QRectF(self.rect()), 2)

    def scale_bar_rect(self) -> QRect:
        """Where the scale bar is; empty without an image."""
        if self.session.image is None:
            return QRect()
        place = scale_bar_rect(self.rect(), self.view_state().zoom, self._pixel_um())
        return place.toAlignedRect()

    def _pixel_um(self) -> float | None:
        image = self.session.image
        return image.pixel_size_um[2] if image is not None and image.pixel_size_um else None

    def _crossing(self) -> QPointF:
        """Where the crosshair is on the widget: the middle of its voxel."""
        _, y, x = self.crosshair.place
        return self.to_widget(y + 0.5, x + 0.5)

    def _on_crosshair_moved(self) -> None:
        if self.crosshair.is_shown and self._crossed_at != QPointF():
            update_lines(self, self._crossed_at, self._crossing())
        else:
            self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The minimap follows the corner."""
        super().resizeEvent(event)
        self.update()
