"""One section of a volume: what is seen of it, and what hand and keys do there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from PySide6.QtCore import QPointF, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QResizeEvent, QWheelEvent

from orgseg_app.gui.canvas.crosshair import Crosshair, draw_lines, update_lines
from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.canvas.plane_view import WHEEL_STEP, PlaneView, ViewState
from orgseg_app.gui.canvas.section_voxels import XZ, PlaneSamples, SectionMask, SectionPicture
from orgseg_app.gui.canvas.wheel import NOTCH, Notches, is_two_fingers, turn, wheel_act
from orgseg_app.gui.style import theme

IN_SIGHT = 0.8
"""The plane looked at stays within so much of a section's view."""


Look = tuple[Sequence[tuple[float, float]], float, Sequence[bool], Sequence[str]]
"""As `PlaneView.set_contrast` takes it."""


class SectionView(PlaneView):
    """One section. Its own axis is z, the other is shared with the canvas.

    A press and a drag move the crosshair and the plane; the arrow keys do so voxel by voxel.

    Signals
    -------
    pointed(z, along)
        The person wants the crosshair there.
    stepped(planes, along)
        The person wants it moved by so many planes and voxels along the section.
    turned(act, notches)
        The wheel: "plane" or "brush".
    resized()
        More or less of the section is in sight.
    """

    pointed = Signal(float, float)
    stepped = Signal(int, int)
    turned = Signal(str, int)
    resized = Signal()

    def __init__(self, kind: str, crosshair: Crosshair) -> None:
        super().__init__()
        self.kind = kind
        self.wheel = "zoom"
        self._crosshair = crosshair
        self._notches = Notches()
        self._is_pointing = False
        self._drawn_at = QPointF()
        self._is_new = True
        self._shown_layers: object = None
        self.look: Look | None = None
        self.section: SectionPicture | None = None
        # In a small window the canvas needs the room.
        theme.hold(self, least_width=72, least_height=60)
        self.setAccessibleName(f"Section {kind.upper()}")
        self.setAccessibleDescription("A cut through the volume at the crosshair; arrows move it")
        self.setCursor(Qt.CursorShape.CrossCursor)

    # -- place -----------------------------------------------------------------------------------

    def show_section(self, picture: SectionPicture | None, is_rgb: bool, stretch: float) -> None:
        """Show a section; zoom and place are told by `follow`."""
        is_same = picture and self.section and picture.image is self.section.image
        self._is_new = not is_same
        self.section = picture
        self._stretch_yx = (stretch, 1.0) if self.kind == XZ else (1.0, stretch)
        self._fitted = False
        self.set_plane(None, is_rgb, self._levels, picture)

    def show_layers(self, layers: Sequence[OverlayLayer]) -> None:
        """Lay what lies over the planes over the section, looking as it does there."""
        section = self.section
        looks_like = section and (
            section,
            [(x.overlay, x.colours.tobytes(), x.outline, x.hatch_unlabelled) for x in layers],
        )
        if looks_like == self._shown_layers:  # a step to another plane changes nothing here
            return
        self._shown_layers = looks_like
        shown = []
        for layer in layers if section is not None else ():
            assert section is not None
            overlay = SectionMask(cast(PlaneSamples, layer.overlay), self.kind, section.position)
            shown.append(replace(layer, overlay=overlay))
        self.set_layers(shown)

    def follow(self, canvas: ViewState, z: int) -> None:
        """Look where the canvas looks along the shared axis, and at a plane in the other."""
        if self.plane_size is None:
            return
        middle = self._middle_of(z, canvas.zoom)
        there = (middle, canvas.x) if self.kind == XZ else (canvas.y, middle)
        self._is_new = False
        state = ViewState(*there, canvas.zoom)
        if state != self.view_state():
            self.set_view(state)
        else:
            self.paint_lines_anew()

    def _middle_of(self, z: int, zoom: float) -> float:
        """The depth in the middle: of all when all is in sight, else so that a plane is."""
        assert self.plane_size is not None
        axis = 0 if self.kind == XZ else 1
        depth, room = self.plane_size[axis], (self.height(), self.width())[axis]
        half = room / (zoom * self._stretch_yx[axis]) / 2
        if 2 * half >= depth:
            return depth / 2
        middle = self._y if axis == 0 else self._x
        if zoom != self._zoom or self._is_new:
            middle = z + 0.5
        middle = min(max(middle, z + 0.5 - half * IN_SIGHT), z + 0.5 + half * IN_SIGHT)
        return min(max(middle, half), depth - half)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """What is looked at stays in sight."""
        super().resizeEvent(event)
        self.resized.emit()

    def fit(self) -> None:
        """The canvas decides about zoom and place."""

    def _clamped(self, zoom: float) -> float:
        return zoom

    def _split(self, at: QPointF) -> tuple[float, float]:
        """(z, along) at a point of the widget."""
        y, x = self.to_image(at)
        return (y, x) if self.kind == XZ else (x, y)

    @property
    def crossing(self) -> QPointF:
        """Where the crosshair is on the widget: the middle of its voxel."""
        z, y, x = self._crosshair.place
        row, column = (z, x) if self.kind == XZ else (y, z)
        return self.to_widget(row + 0.5, column + 0.5)

    def paint_lines_anew(self) -> None:
        """The crosshair is elsewhere."""
        update_lines(self, self._drawn_at, self.crossing)

    # -- painting --------------------------------------------------------------------------------

    def paint_decorations(self, painter: QPainter, rect: QRect) -> None:
        """The crosshair, and which section this is."""
        if self.plane_size is None:
            return
        self._drawn_at = self.crossing
        if self._crosshair.is_shown:
            draw_lines(painter, self, self._drawn_at)
        _, y, x = self._crosshair.place
        text = f"XZ · y {y}" if self.kind == XZ else f"YZ · x {x}"
        painter.setFont(theme.font(theme.CAPTION_PX))
        width = painter.fontMetrics().horizontalAdvance(text)
        ground = QRectF(8, 8, width + 12, theme.px(18))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(16, 18, 20, 170))
        painter.drawRoundedRect(ground, 4, 4)
        painter.setPen(QColor("#FFFFFF"))
        painter.drawText(ground, int(Qt.AlignmentFlag.AlignCenter), text)
        if self.hasFocus():
            painter.setPen(theme.current().colour("accent"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    # -- hand ------------------------------------------------------------------------------------

    def update_cursor(self) -> None:
        """A press moves the crosshair."""
        self.setCursor(Qt.CursorShape.CrossCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Move the crosshair, or pan."""
        is_left = event.button() == Qt.MouseButton.LeftButton
        if is_left and not self._space_held and self.plane_size:
            self._is_pointing = True
            self.pointed.emit(*self._split(event.position()))
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the crosshair, or the picture."""
        if self._is_pointing and event.buttons() & Qt.MouseButton.LeftButton:
            self.pointed.emit(*self._split(event.position()))
        else:
            self._is_pointing = False
            super().mouseMoveEvent(event)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let it go."""
        self._is_pointing = False
        super().mouseReleaseEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Two presses."""
        self.mousePressEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """As over the canvas; planes are those of this section's own direction."""
        act = wheel_act(self.wheel, event.modifiers())
        if not event.modifiers() and is_two_fingers(event):
            self.pan_by(event.pixelDelta().y(), event.pixelDelta().x())
        elif act == "zoom":
            self.zoom_by(WHEEL_STEP ** (turn(event) / NOTCH), event.position())
        elif notches := self._notches.take(act, turn(event)):
            self.turned.emit(act, notches)
        event.accept()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """The arrow keys move the crosshair, by ten with Shift."""
        step = 10 if event.modifiers() & Qt.KeyboardModifier.ShiftModifier else 1
        ways = {
            Qt.Key.Key_Up: (-step, 0),
            Qt.Key.Key_Down: (step, 0),
            Qt.Key.Key_Left: (0, -step),
            Qt.Key.Key_Right: (0, step),
        }
        way = ways.get(Qt.Key(event.key()))
        if way is None:
            super().keyPressEvent(event)
        else:
            self.stepped.emit(*(way if self.kind == XZ else way[::-1]))
