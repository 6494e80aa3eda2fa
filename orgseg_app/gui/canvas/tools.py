"""Tools: pointer events in, edits out.

A tool never touches a mask. It asks the session for a recorder while the hand is down, or hands it
a finished `Edit`; either way the act can be undone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from orgseg_app.core import brush
from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits import FloodFill, PaintPolygon, overwritable
from orgseg_app.core.mask import Box

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

CLOSE_DISTANCE_PX = 10.0


class Tool(Protocol):
    """What the canvas asks of a tool; positions are (y, x) in voxels."""

    name: str
    cursor: Qt.CursorShape
    hint: str

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """The button goes down."""

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """The pointer moves."""

    def release(self) -> None:
        """The button comes up."""

    def finish(self) -> None:
        """Enter or double-click: complete what is being built."""

    def cancel(self) -> None:
        """Esc, or another tool is taken."""

    def paint(self, painter: QPainter) -> None:
        """Draw what the tool is about to do, in widget coordinates."""


class _Quiet:
    """The parts of a tool that need none."""

    name = ""
    cursor = Qt.CursorShape.CrossCursor
    hint = ""

    def __init__(self, canvas: AnnotationCanvas) -> None:
        self.canvas = canvas

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Nothing."""

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Nothing."""

    def release(self) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def cancel(self) -> None:
        """Nothing."""

    def paint(self, painter: QPainter) -> None:
        """Nothing."""


class PanTool(_Quiet):
    """Moves the picture; the canvas itself does it."""

    name = "pan"
    cursor = Qt.CursorShape.OpenHandCursor
    hint = "Drag to move · wheel to zoom"


class BrushTool(_Quiet):
    """Paints the chosen class, or erases, along the way of the hand."""

    name = "brush"
    cursor = Qt.CursorShape.BlankCursor
    hint = "Drag to paint · Shift+click: straight line · Alt: erase · [ ] or Ctrl+wheel: size"
    erases = False

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._last: tuple[float, float] | None = None
        self._anchor: tuple[float, float] | None = None
        self._class_id = UNLABELLED

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Begin a stroke; with Shift, from where the last one ended."""
        recorder = self.canvas.session.begin_stroke()
        if recorder is None:
            return
        erase = self.erases or bool(modifiers & Qt.KeyboardModifier.AltModifier)
        self._class_id = UNLABELLED if erase else self.canvas.session.class_id
        line = modifiers & Qt.KeyboardModifier.ShiftModifier and self._anchor
        self._last = self._anchor if line else (y, x)
        self._extend(y, x)

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Grow the stroke."""
        if pressed and self._last is not None:
            self._extend(y, x)

    def _extend(self, y: float, x: float) -> None:
        canvas = self.canvas
        recorder = canvas.session.recorder
        if recorder is None or self._last is None:
            return
        options = canvas.tools
        y0, x0, where = brush.swept(self._last, (y, x), options.brush_size, square=options.square)
        allowed = overwritable(self._class_id, options.protect)
        box = recorder.paint(canvas.session.z, y0, x0, where, self._class_id, allowed)
        canvas.update_box(box)
        self._last = self._anchor = (y, x)

    def release(self) -> None:
        """The stroke becomes one undoable change."""
        if self._last is not None:
            self._last = None
            self.canvas.session.end_stroke("erase" if self._class_id == UNLABELLED else "paint")

    def cancel(self) -> None:
        """Take the stroke back."""
        if self._last is not None:
            self._last = None
            self.canvas.session.cancel_stroke()


class EraserTool(BrushTool):
    """A brush that makes voxels unlabelled."""

    name = "eraser"
    hint = "Drag to erase · [ ] or Ctrl+wheel: size"
    erases = True


class PolygonTool(_Quiet):
    """Corners by click or a freehand drag; closed by Enter, double-click or the first corner."""

    name = "polygon"
    hint = "Click corners or drag · Enter, double-click or the first corner closes · Esc drops"

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self.points: list[tuple[float, float]] = []
        self._pointer: tuple[float, float] | None = None
        self._plane: tuple[str, int] = ("", 0)

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Add a corner, or close at the first one."""
        here = (self.canvas.session.image_id, self.canvas.session.z)
        if self.points and here != self._plane:
            self.cancel()
        self._plane = here
        if len(self.points) > 2 and self._near_first(y, x):
            self.finish()
            return
        self.points.append((y, x))
        self.canvas.update()

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Rubber band; while the button is down, a freehand outline."""
        self._pointer = (y, x)
        if not self.points:
            return
        if pressed:
            last = self.canvas.to_widget(*self.points[-1]) - self.canvas.to_widget(y, x)
            if math.hypot(last.x(), last.y()) >= 3:
                self.points.append((y, x))
        self.canvas.update()

    def release(self) -> None:
        """A freehand outline of many points is closed by letting go."""
        if len(self.points) > 12 and self._pointer is not None and self._near_first(*self._pointer):
            self.finish()

    def finish(self) -> None:
        """Fill the outline."""
        points, self.points = tuple(self.points), []
        session = self.canvas.session
        if len(points) >= 3 and session.image_id == self._plane[0]:
            session.apply(
                PaintPolygon(self._plane[1], points, session.class_id, self.canvas.tools.protect)
            )
        self.canvas.update()

    def cancel(self) -> None:
        """Drop the outline."""
        self.points = []
        self.canvas.update()

    def paint(self, painter: QPainter) -> None:
        """The outline so far, and the line to the pointer."""
        if not self.points:
            return
        corners = [self.canvas.to_widget(y, x) for y, x in self.points]
        if self._pointer is not None:
            corners.append(self.canvas.to_widget(*self._pointer))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        two_tone(painter, lambda: painter.drawPolyline(QPolygonF(corners)))
        painter.setBrush(QColor("#FFFFFF"))
        painter.drawEllipse(corners[0], 4, 4)

    def _near_first(self, y: float, x: float) -> bool:
        gap = self.canvas.to_widget(y, x) - self.canvas.to_widget(*self.points[0])
        return math.hypot(gap.x(), gap.y()) <= CLOSE_DISTANCE_PX


class FillTool(_Quiet):
    """Sets the connected region of equal class under the pointer."""

    name = "fill"
    hint = "Click a region to give it the chosen class · Alt: make it unlabelled"

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Fill."""
        session = self.canvas.session
        if session.image is None:
            return
        erase = modifiers & Qt.KeyboardModifier.AltModifier
        class_id = UNLABELLED if erase else session.class_id
        session.apply(FloodFill(session.z, math.floor(y), math.floor(x), class_id))


class PickerTool(_Quiet):
    """Takes the class under the pointer."""

    name = "picker"
    cursor = Qt.CursorShape.PointingHandCursor
    hint = "Click to choose the class under the pointer"

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Pick."""
        session = self.canvas.session
        if session.image is not None:
            class_id = session.mask().value(session.z, math.floor(y), math.floor(x))
            if class_id != UNLABELLED:
                session.select_class(class_id)


TOOL_CLASSES: tuple[type[_Quiet], ...] = (
    PanTool,
    BrushTool,
    EraserTool,
    PolygonTool,
    FillTool,
    PickerTool,
)


def two_tone(painter: QPainter, draw: object, width: float = 1.2) -> None:
    """Draw twice, dark and wide below light and thin: seen on any picture."""
    assert callable(draw)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for colour, pen_width in (("#B0000000", width + 1.6), ("#FFFFFF", width)):
        pen = QPen(QColor(colour), pen_width)
        pen.setCosmetic(True)
        painter.setPen(pen)
        draw()


def footprint_box(y: float, x: float, size: int) -> Box:
    """Voxels a footprint could touch, with a margin."""
    reach = size / 2 + 2
    return Box(
        0,
        math.floor(y - reach),
        math.floor(x - reach),
        1,
        math.ceil(y + reach),
        math.ceil(x + reach),
    )


def footprint_outline(size: int, *, square: bool) -> list[QPolygonF]:
    """The exact edge of a footprint around (0, 0), along voxel borders, in voxels (x, y)."""
    import cv2
    import numpy as np

    centre = 0.5 if size % 2 else 0.0
    y0, x0, where = brush.swept((centre, centre), (centre, centre), size, square=square)
    big = where.astype(np.uint8).repeat(2, axis=0).repeat(2, axis=1)
    big = np.pad(big, 1)
    found, _ = cv2.findContours(big, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlines = []
    for contour in found:
        corners = []
        for px, py in contour[:, 0]:
            # doubled and padded coordinates snap to the border of the voxel they lie in
            vx = x0 + (px - 1) // 2 + ((px - 1) % 2)
            vy = y0 + (py - 1) // 2 + ((py - 1) % 2)
            corners.append(QPointF(float(vx) - centre, float(vy) - centre))
        corners.append(corners[0])
        outlines.append(QPolygonF(corners))
    return outlines
