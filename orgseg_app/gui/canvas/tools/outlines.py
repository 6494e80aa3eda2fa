"""Tools that draw an outline and fill it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPolygonF

from orgseg_app.core.edits.outlines import PaintPolygon
from orgseg_app.gui.canvas.tools.footprint import two_tone
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

CLOSE_DISTANCE_PX = 10.0


class PolygonTool(Tool):
    """Corners by click or a freehand drag; closed by Enter, double-click or the first corner."""

    name = "polygon"
    hint = "Click corners or drag · Enter, double-click or the first corner closes · Esc drops"
    settings = ("protect",)

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
