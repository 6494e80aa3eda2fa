"""Tools that draw an outline and fill it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QGuiApplication, QPainter, QPolygonF

from orgseg_app.core.edits.outlines import PaintEllipse, PaintPolygon, PaintRectangle
from orgseg_app.core.mask import Box
from orgseg_app.core.painting import shapes
from orgseg_app.gui.canvas.tools.footprint import draw_handle, two_tone
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

CLOSE_DISTANCE_PX = 10.0
LASSO_STEP_PX = 1.0


class PolygonTool(Tool):
    """Corners by click or a freehand drag; closed by Enter, double-click or the first corner."""

    name = "polygon"
    hint = (
        "Click corners or drag · Enter, double-click or the first corner closes · Backspace: back"
    )
    settings = ("protect",)
    paints = True

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

    def back(self) -> bool:
        """Take the last corner back."""
        if not self.points:
            return False
        self.points.pop()
        self.canvas.update()
        return True

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
        draw_handle(painter, corners[0], 4)

    def _near_first(self, y: float, x: float) -> bool:
        gap = self.canvas.to_widget(y, x) - self.canvas.to_widget(*self.points[0])
        return math.hypot(gap.x(), gap.y()) <= CLOSE_DISTANCE_PX


class LassoTool(Tool):
    """A freehand outline; letting go closes and fills it."""

    name = "lasso"
    hint = "Drag around a region; letting go fills it · Esc drops"
    settings = ("protect",)
    paints = True
    drags = True

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self.points: list[tuple[float, float]] = []
        self._plane: tuple[str, int] = ("", 0)

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Begin the outline."""
        session = self.canvas.session
        if session.can_edit:
            self._plane = (session.image_id, session.z)
            self.points = [(y, x)]

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Draw on."""
        if not pressed or not self.points:
            return
        way = self.canvas.to_widget(y, x) - self.canvas.to_widget(*self.points[-1])
        if math.hypot(way.x(), way.y()) >= LASSO_STEP_PX:
            self.points.append((y, x))
            self.canvas.update_box(_around(self.points[0], *self.points[-2:]))

    def release(self) -> None:
        """Close and fill."""
        points, session = tuple(self.points), self.canvas.session
        self.cancel()
        if len(points) >= 3 and (session.image_id, session.z) == self._plane:
            protect = self.canvas.tools.protect
            session.apply(
                PaintPolygon(session.z, points, session.class_id, protect, name=self.name)
            )

    def cancel(self) -> None:
        """Drop the outline."""
        if self.points:
            self.canvas.update_box(_around(*self.points))
            self.points = []

    def paint(self, painter: QPainter) -> None:
        """The outline so far, and how it would be closed."""
        if len(self.points) < 2:
            return
        corners = QPolygonF([self.canvas.to_widget(y, x) for y, x in self.points])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        two_tone(painter, lambda: painter.drawPolyline(corners))
        pen = painter.pen()
        pen.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(pen)
        painter.drawLine(corners.last(), corners.first())


class BoxTool(Tool):
    """A shape that a drag spans between two voxels; what shape, a subclass says."""

    settings = ("protect",)
    paints = True
    drags = True
    edit: ClassVar[type[PaintRectangle] | type[PaintEllipse]]

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._start: tuple[float, float] | None = None
        self._end = (0.0, 0.0)
        self._pressed_with = Qt.KeyboardModifier.NoModifier
        self._plane: tuple[str, int] = ("", 0)
        self._shown: Box | None = None

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """One corner, or the middle."""
        session = self.canvas.session
        if session.can_edit:
            self._plane = (session.image_id, session.z)
            self._pressed_with = modifiers
            self._start = self._end = (y, x)
            self._refresh()

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """The other corner."""
        if pressed and self._start is not None:
            self._end = (y, x)
            self._refresh()

    def release(self) -> None:
        """Fill the shape."""
        session, box = self.canvas.session, self._box()
        self.cancel()
        if box is not None and (session.image_id, session.z) == self._plane:
            protect = self.canvas.tools.protect
            session.apply(self.edit(session.z, box, session.class_id, protect))

    def cancel(self) -> None:
        """Drop the shape."""
        self._start = None
        self._refresh()

    def paint(self, painter: QPainter) -> None:
        """The outline of the shape, along the borders of its voxels."""
        box = self._box()
        if box is None:
            return
        corner, other = self.canvas.to_widget(*box[:2]), self.canvas.to_widget(*box[2:])
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        two_tone(painter, lambda: self.draw(painter, QRectF(corner, other)))

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        """The shape in widget coordinates."""
        raise NotImplementedError

    def _box(self) -> tuple[int, int, int, int] | None:
        """The voxels spanned now; Shift and Alt may come and go during a drag of the mouse.

        By keys they count as they were when the first corner was set, since Shift with an arrow is
        the long step there.
        """
        if self._start is None:
            return None
        keys = self._pressed_with
        if not self.canvas.is_by_keys:
            keys = QGuiApplication.keyboardModifiers()
        return shapes.dragged_box(
            self._start,
            self._end,
            square=bool(keys & Qt.KeyboardModifier.ShiftModifier),
            from_middle=bool(keys & Qt.KeyboardModifier.AltModifier),
        )

    def _refresh(self) -> None:
        """Repaint where the outline was and where it is."""
        before, box = self._shown, self._box()
        self._shown = None if box is None else Box(0, *box[:2], 1, *box[2:])
        for area in (before, self._shown):
            if area is not None:
                self.canvas.update_box(area)


class RectangleTool(BoxTool):
    """A rectangle of voxels."""

    name = "rectangle"
    hint = "Drag from corner to corner · Shift: square · Alt: from the middle · Esc drops"
    edit = PaintRectangle

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        """Its sides."""
        painter.drawRect(rect)


class EllipseTool(BoxTool):
    """An ellipse that touches the sides of the box dragged."""

    name = "ellipse"
    hint = "Drag from corner to corner · Shift: circle · Alt: from the middle · Esc drops"
    edit = PaintEllipse

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        """Its edge."""
        painter.drawEllipse(rect)


def _around(*points: tuple[float, float]) -> Box:
    """Voxels around points, with a margin for the line."""
    ys, xs = [p[0] for p in points], [p[1] for p in points]
    return Box(
        0,
        math.floor(min(ys)) - 1,
        math.floor(min(xs)) - 1,
        1,
        math.ceil(max(ys)) + 1,
        math.ceil(max(xs)) + 1,
    )
