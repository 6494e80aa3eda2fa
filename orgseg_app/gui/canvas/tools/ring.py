"""The ring around the pointer: exactly what a brush would touch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPolygonF, QTransform

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.gui.canvas.tools.footprint import footprint_outline, two_tone
from orgseg_app.gui.canvas.tools.strokes import BallTool, BrushTool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

PLAIN_RING_PX = 40  # larger rings are drawn without smoothing: half a millisecond less a move
TINY_PX = 5  # a smaller footprint is too small to see: a ring around the spot instead
PAD_PX = 3  # half of the widest pen, and what smoothing adds
DEPTH_PX = 2.5  # an edge on the next plane that is nearer to this one's is not told from it
WORDS_PX = (40, 20)  # room for the ball's reach, to the right and below
NUMBER_PX = (80, 20)  # and for the number of an object, to the right and above


class BrushRing:
    """Draws the footprint of the tool in the hand; one voxel for tools that have none.

    A dot in its middle has the colour of the class, a cross says that it erases. In objects mode
    the colour is the object's, and its number stands beside the ring. The ball also shows how wide
    it is on the planes beside this one, and how many it reaches.
    """

    def __init__(self, canvas: AnnotationCanvas) -> None:
        self._canvas = canvas
        self._outlines: tuple[tuple[int, bool, float], list[QPolygonF]] = ((0, False, 0.0), [])

    def rect(self, y: float, x: float) -> QRect:
        """What has to be painted anew where it comes or goes."""
        canvas = self._canvas
        zoom = canvas.view_state().zoom
        reach = max(self._footprint()[0] * zoom / 2, TINY_PX) + zoom / 2 + PAD_PX
        middle = canvas.to_widget(y, x)
        right, below = WORDS_PX if isinstance(canvas.tool, BallTool) else (0, 0)
        wide, above = NUMBER_PX if canvas.session.objects.is_on else (0, 0)
        return (
            QRectF(middle.x() - reach, middle.y() - reach, 2 * reach, 2 * reach)
            .adjusted(0, -above, max(right, wide), below)
            .toAlignedRect()
        )

    def paint(self, painter: QPainter, y: float, x: float, *, erases: bool) -> None:
        """Draw it around a place, in widget coordinates."""
        from orgseg_app.core.painting.brush import snapped

        size, square = self._footprint()
        zoom = self._canvas.view_state().zoom
        middle = self._canvas.to_widget(*snapped((y, x), size))
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_edge(painter, middle, size, square=square)
        if isinstance(self._canvas.tool, BallTool):
            self._paint_depth(painter, middle, size * zoom / 2)
        if isinstance(self._canvas.tool, BrushTool):
            erases = erases or self._canvas.tool.erases
            self._paint_middle(painter, middle, erases=erases)
            if not erases:
                self._paint_number(painter, middle, max(size * zoom / 2, TINY_PX))
        painter.restore()

    def _footprint(self) -> tuple[int, bool]:
        tool = self._canvas.tool
        return tool.footprint if isinstance(tool, BrushTool) else (1, False)

    def _paint_edge(self, painter: QPainter, middle: QPointF, size: int, *, square: bool) -> None:
        zoom = self._canvas.view_state().zoom
        if size * zoom < TINY_PX:
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
            if self._outlines[0] != (size, square, zoom):
                found = footprint_outline(size, square=square)
                larger = QTransform.fromScale(zoom, zoom)
                self._outlines = ((size, square, zoom), [larger.map(line) for line in found])
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)  # all lines are upright
            lines = [line.translated(middle) for line in self._outlines[1]]
            two_tone(painter, lambda: [painter.drawPolyline(line) for line in lines], 1.0)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)

    def _paint_depth(self, painter: QPainter, middle: QPointF, reach: float) -> None:
        """The ball's edge on the next planes, thin, and how many planes it reaches."""
        from orgseg_app.core.painting.ball import discs, plane_distance

        image = self._canvas.session.image
        if image is None or image.shape[1] < 2:
            return
        cuts = discs(self._canvas.tools.brush_size, plane_distance(image.pixel_size_um))
        radius = cuts[1][1] * self._canvas.view_state().zoom if len(cuts) > 1 else reach
        if reach - radius >= DEPTH_PX:
            two_tone(painter, lambda: painter.drawEllipse(middle, radius, radius), 0.6)
        at = middle + QPointF(1, 1) * (reach * 0.7071 + 4) + QPointF(0, 10)
        _draw_words(painter, at, f"±{min(len(cuts), image.shape[1]) - 1}")

    def _paint_number(self, painter: QPainter, middle: QPointF, reach: float) -> None:
        """Which object is painted; none is, where the chosen class belongs to no object."""
        session = self._canvas.session
        if session.objects.number and session.class_id > BACKGROUND:
            at = middle + QPointF(1, -1) * (reach * 0.7071 + 4)
            _draw_words(painter, at, str(session.objects.number))

    def _paint_middle(self, painter: QPainter, middle: QPointF, *, erases: bool) -> None:
        colour = self._canvas.tool.hand_colour()
        if erases:
            lines = [
                QLineF(middle - QPointF(2.5, 2.5 * way), middle + QPointF(2.5, 2.5 * way))
                for way in (1, -1)
            ]
            two_tone(painter, lambda: painter.drawLines(lines))
        elif colour:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(colour))
            painter.drawEllipse(middle, 2, 2)


def _draw_words(painter: QPainter, at: QPointF, words: str) -> None:
    for colour, offset in (("#000000", QPointF(1, 1)), ("#FFFFFF", QPointF(0, 0))):
        painter.setPen(QColor(colour))
        painter.drawText(at + offset, words)
