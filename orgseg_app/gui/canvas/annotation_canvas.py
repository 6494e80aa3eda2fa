"""The canvas: the current plane with its mask, and the tool in the hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QPointF, QRect, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import (
    QColor,
    QFocusEvent,
    QHideEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPolygonF,
    QResizeEvent,
    QWheelEvent,
)

from orgseg_app.core.mask import Box
from orgseg_app.gui.canvas.decorations import Minimap, draw_scale_bar
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.plane_view import PlaneView, ViewState
from orgseg_app.gui.canvas.rendering import auto_levels, class_colours, value_range
from orgseg_app.gui.canvas.tools.footprint import footprint_box, footprint_outline, two_tone
from orgseg_app.gui.canvas.tools.pointing import PanTool
from orgseg_app.gui.canvas.tools.registry import TOOL_CLASSES
from orgseg_app.gui.canvas.tools.strokes import BrushTool
from orgseg_app.gui.canvas.tools.tool import Tool
from orgseg_app.gui.overview import Overview, overview_of

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

LOAD_HERE_BYTES = 48 << 20
OVERVIEW_BYTES = 8 << 20  # larger planes are shown from their stored overview until they are read
PLAIN_RING_PX = 40  # larger rings are drawn without smoothing: half a millisecond less a move
ARROWS = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}


class AnnotationCanvas(PlaneView):
    """Shows the session's image and plane, and paints on it.

    The arrow keys move a cursor of their own and Enter puts the pen down and lifts it, so that
    everything can be painted without a pointer.

    Signals
    -------
    tool_hint_changed(text)
    loading_changed(is_loading)
    """

    tool_hint_changed = Signal(str)
    loading_changed = Signal(bool)

    def __init__(
        self, session: Session, tools: ToolOptions, display: DisplayOptions, parent: object = None
    ) -> None:
        super().__init__(parent)  # type: ignore[arg-type]
        self.session = session
        self.tools = tools
        self.display = display
        self._tools: dict[str, Tool] = {kind.name: kind(self) for kind in TOOL_CLASSES}
        self._tool = self._tools[tools.tool]
        self._pointer: tuple[float, float] | None = None
        self._pressed = False
        self._by_keys = False
        self._hidden_by_key = False
        self._views: dict[str, ViewState] = {}
        self._shown: tuple[str, int] = ("", 0)
        self._overview: Overview | None = None
        self._missed: tuple[str, int] | None = None
        self._minimap = Minimap()
        self._outlines: tuple[tuple[int, bool], list[QPolygonF]] = ((0, False), [])
        self.setAccessibleName("Canvas")
        self.setAcceptDrops(False)  # the window takes drops everywhere
        self._describe_timer = QTimer(self, singleShot=True, interval=300)
        self._describe_timer.timeout.connect(self._describe)
        session.image_selected.connect(self._on_image_selected)
        session.plane_selected.connect(self._on_plane_selected)
        session.mask_changed.connect(self._on_mask_changed)
        session.links_changed.connect(self._on_links_changed)
        session.classes_changed.connect(self._refresh_overlay)
        session.class_selected.connect(lambda _: self._update_footprint())
        display.changed.connect(self._on_display_changed)
        tools.changed.connect(self._on_tools_changed)
        self._on_tools_changed()

    # -- what is shown ---------------------------------------------------------------------------

    def _on_image_selected(self, image_id: str) -> None:
        if self._shown[0]:
            self._views.pop(self._shown[0], None)
            if not self.is_fitted:  # a fit is one at whatever size the canvas has by then
                self._views[self._shown[0]] = self.view_state()
        self._tool.cancel()
        if not image_id:
            self._clear()
            return
        self._load(image_id, 0)

    def _on_plane_selected(self, z: int) -> None:
        image_id = self.session.image_id
        if image_id and (image_id, z) != self._shown:
            self._load(image_id, z)

    def _load(self, image_id: str, z: int) -> None:
        image = self.session.image
        assert image is not None
        self._overview = None
        size = image.shape[0] * image.shape[2] * image.shape[3] * np.dtype(image.dtype).itemsize
        is_linked = image.link is not None
        loaded = self.session.loaded_plane(image_id, z)
        if loaded is None and (size > OVERVIEW_BYTES or is_linked):
            self._show_overview(image_id, z)
        if loaded is not None or (
            size <= LOAD_HERE_BYTES and not is_linked and self._overview is None
        ):
            try:
                plane = self.session.plane(image_id, z)
            except Exception as error:
                self._on_unreadable(error)
                return
            self._show(image_id, z, plane)
            return
        self._missed = None
        if self._overview is None:
            self._load_voxels(image_id, z)

    def voxels_missed(self) -> None:
        """Read the plane, once somebody looks closely; from afar the overview is all there is."""
        if self._missed is None:
            self._missed = self._shown
            QTimer.singleShot(0, self, self._load_missed)  # not while it is painted

    def _load_missed(self) -> None:
        session = self.session
        if session.file is not None and self._missed == (session.image_id, session.z):
            self._load_voxels(*self._missed)

    def _load_voxels(self, image_id: str, z: int) -> None:
        self.loading_changed.emit(True)
        self.session.background.start(
            "Loading image",
            lambda task: self._read(image_id, z),
            lambda plane: self._on_loaded(image_id, z, plane),
            lambda error: self._on_unreadable(error, image_id, z),
        )

    def _read(self, image_id: str, z: int) -> np.ndarray | None:
        """In the background: voxels, unless another plane has been chosen since."""
        session = self.session
        wanted = (image_id, z) == (session.image_id, session.z)
        return session.plane(image_id, z) if wanted else None

    def _show_overview(self, image_id: str, z: int) -> None:
        """What is stored of a plane for this; the plane itself takes its place when it is read."""
        file, image = self.session.file, self.session.image
        assert file is not None
        assert image is not None
        overview = overview_of(file, image, z)
        if overview is not None:
            self._show(image_id, z, None, overview)

    def _clear(self) -> None:
        self._overview = None
        self._shown = ("", 0)
        self.set_plane(None)
        self.set_overlay(None)

    def _on_links_changed(self) -> None:
        """The file of a linked image may be there again: then its voxels are read."""
        file, image = self.session.file, self.session.image
        if self._missed is None or self._overview is None or file is None or image is None:
            return
        if file.links.last_state(image) == "found":
            self._missed = None
            self.update()

    def _on_unreadable(self, error: Exception, image_id: str = "", z: int = 0) -> None:
        from orgseg_app.files.images.links import LinkError

        self.loading_changed.emit(False)
        if image_id and (image_id, z) != (self.session.image_id, self.session.z):
            return  # nobody looks at it any more
        if self._overview is None:
            self._clear()
            self.session.report_error(error)
        elif isinstance(error, LinkError):
            self.session.links_changed.emit()  # it is said as long as the image is looked at
        else:
            self.session.report_error(error)

    def _on_loaded(self, image_id: str, z: int, plane: np.ndarray | None) -> None:
        self.loading_changed.emit(False)
        if plane is not None and (image_id, z) == (self.session.image_id, self.session.z):
            self._show(image_id, z, plane, self._overview)

    def _show(
        self, image_id: str, z: int, plane: np.ndarray | None, overview: Overview | None = None
    ) -> None:
        """Show voxels, or the overview alone."""
        image = self.session.image
        assert image is not None
        other_image = image_id != self._shown[0]
        self._shown, self._overview = (image_id, z), overview
        if other_image:
            self.display.blockSignals(True)
            if overview is not None:
                levels, reach = overview.levels, overview.value_range
            else:
                assert plane is not None
                levels, reach = auto_levels(plane, is_rgb=image.is_rgb), value_range(plane)
            self.display.set_image(image.channel_names, levels, reach)
            self.display.blockSignals(False)
        self.set_plane(plane, image.is_rgb, self.display.shown_levels(), overview)
        if other_image and image_id in self._views:
            self.set_view(self._views[image_id])
        elif other_image:
            self.fit()
        small = overview.smallest() if overview is not None else plane
        self._minimap.set_plane(
            plane if small is None else small, image.is_rgb, self.display.shown_levels()
        )
        self.display.changed.emit()
        self._describe()

    def _on_display_changed(self) -> None:
        self.set_contrast(self.display.shown_levels(), self.display.gamma, self.display.channels)
        self._refresh_overlay()

    def _refresh_overlay(self) -> None:
        session, display = self.session, self.display
        visible = display.overlay_visible and not self._hidden_by_key
        if not visible or not self._shown[0] or session.file is None:
            self.set_overlay(None)
            return
        self.set_overlay(
            session.mask(self._shown[0]),
            class_colours(session.classes, fill=display.fill, opacity=display.opacity),
            z=self._shown[1],
            outline=display.outline,
            hatch_unlabelled=display.show_unlabelled,
        )

    def _on_mask_changed(self, image_id: str, box: Box) -> None:
        if image_id == self._shown[0] and box.z0 <= self._shown[1] < max(box.z1, box.z0 + 1):
            self.update_box(box)

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

    # -- the tool in the hand --------------------------------------------------------------------

    @property
    def is_shown(self) -> bool:
        """Whether the plane to be painted is the one that is seen (large ones take a moment)."""
        return bool(self.plane_size) and self._shown == (self.session.image_id, self.session.z)

    @property
    def tool(self) -> Tool:
        """The tool in the hand."""
        return self._tool

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

    def hide_overlay(self, hidden: bool) -> None:
        """Hide the mask while a key is held."""
        if hidden != self._hidden_by_key:
            self._hidden_by_key = hidden
            self._refresh_overlay()

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
        """Fit with the hand tool; close a polygon; a second press for the others."""
        if isinstance(self._tool, PanTool) or not self.session.can_edit:
            super().mouseDoubleClickEvent(event)
        elif self._tool.name == "polygon":
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
        self.hide_overlay(False)
        self.update_cursor()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Wheel zooms; Ctrl: brush size; Shift: planes."""
        steps = event.angleDelta().y() or event.angleDelta().x()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.tools.grow_brush(1 if steps > 0 else -1)
            event.accept()
        elif event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.session.select_plane(self.session.z + (-1 if steps > 0 else 1))
            event.accept()
        else:
            super().wheelEvent(event)
            if self._pointer is not None:
                self._pointer = self.to_image(event.position())

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
        elif key == Qt.Key.Key_H and not event.modifiers():
            if not event.isAutoRepeat():
                self.hide_overlay(True)
        else:
            super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """H let go shows the mask again."""
        if event.key() == Qt.Key.Key_H and not event.isAutoRepeat():
            self.hide_overlay(False)
        else:
            super().keyReleaseEvent(event)

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
            self._pressed = isinstance(self._tool, BrushTool)
            if not self._pressed:
                self._tool.release()

    def _move_pointer(self, y: float, x: float) -> None:
        self._update_footprint()
        self._pointer = (y, x)
        self._update_footprint()

    def _update_footprint(self) -> None:
        if self._pointer is not None:
            self.update_box(footprint_box(*self._pointer, self.tools.brush_size))

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

        size = self.tools.brush_size if isinstance(self._tool, BrushTool) else 1
        square = self.tools.square
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
        if chosen and self._tool.name == "brush":
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(chosen.colour))
            painter.drawEllipse(middle, 2, 2)
        painter.restore()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The minimap follows the corner."""
        super().resizeEvent(event)
        self.update()

    def minimap_rect(self) -> QRectF:
        """Where the minimap is, in widget coordinates; empty when hidden."""
        return self._minimap.rect(self)
