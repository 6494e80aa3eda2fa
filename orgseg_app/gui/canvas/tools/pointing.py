"""Tools that change nothing: moving the picture, choosing a class, measuring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QPainter

from orgseg_app.core.classes import UNLABELLED, ClassInfo
from orgseg_app.gui.canvas.measuring import distance_text
from orgseg_app.gui.canvas.tools.footprint import two_tone
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

TICK_PX = 6.0
NAME_AT = QPointF(12, 2)  # of the picker, so that it stands beside the pointer's own picture
LABEL_PX = 260.0  # what is painted anew around a measure has room for its words


class PanTool(Tool):
    """Moves the picture; the canvas itself does it."""

    name = "pan"
    edits = False
    cursor = Qt.CursorShape.OpenHandCursor
    hint = "Drag to move · wheel to zoom"


class PickerTool(Tool):
    """Takes the class under the pointer."""

    name = "picker"
    edits = False
    hint = "Click to choose the class under the pointer"

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._pointer: tuple[float, float] | None = None
        self._found: ClassInfo | None = None

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Pick."""
        session = self.canvas.session
        if session.image is not None:
            class_id = session.mask().value(session.z, math.floor(y), math.floor(x))
            if session.objects.is_on and session.objects.pick(y, x):
                return
            if class_id != UNLABELLED:
                session.select_class(class_id)

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Name what is under the pointer."""
        project = self.canvas.session.project
        self._paint_again()
        self._pointer = (y, x)
        self._found = project.class_of(self.class_under()) if project is not None else None
        self._paint_again()

    def cancel(self) -> None:
        """Another tool or image: nothing is under the pointer."""
        self._paint_again()
        self._pointer = self._found = None

    def leave(self) -> None:
        """Nor is anything when the pointer is elsewhere."""
        self.cancel()

    def cursor_colour(self) -> str:
        """That of the class under the pointer."""
        return self.colour_of(self.class_under())

    def paint(self, painter: QPainter) -> None:
        """The name of the class under the pointer, below it; in objects mode the object, too."""
        if self._found is None or self._pointer is None:
            return
        at = self.canvas.to_widget(*self._pointer) + NAME_AT
        painter.save()
        number = self.object_under()
        words = f"{self._found.name} · object {number}" if number else self._found.name
        _draw_words(painter, self.canvas, words, at)
        painter.restore()

    def _paint_again(self) -> None:
        if self._found is not None and self._pointer is not None:
            at = self.canvas.to_widget(*self._pointer)
            room = QRectF(at.x() - LABEL_PX, at.y() - 8, 2 * LABEL_PX, 72)
            self.canvas.update(room.toAlignedRect())


class RulerTool(Tool):
    """Measures a distance; it stays in sight until the next one, another tool or image."""

    name = "ruler"
    edits = False
    hint = "Drag to measure · Shift keeps to 45° · Esc takes it away"
    drags = True

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self.points: list[tuple[float, float]] = []
        self._shift = False
        self._is_measuring = False

    @property
    def text(self) -> str:
        """The distance in words; "" while there is none."""
        image = self.canvas.session.image
        if len(self.points) < 2 or image is None:
            return ""
        (y0, x0), (y1, x1) = self.points
        return distance_text(y1 - y0, x1 - x0, image.pixel_size_um)

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """One end."""
        self._paint_again()
        self._shift = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        self.points = [(y, x), (y, x)]
        self._is_measuring = True

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """The other end."""
        if not (pressed and self._is_measuring):
            return
        self._paint_again()
        y0, x0 = self.points[0]
        if self._shift and not self.canvas.is_by_keys:  # with an arrow Shift is the long step
            y, x = _straightened(y0, x0, y, x)
        self.points[1] = (y, x)
        self._paint_again()
        self.canvas.measured.emit(self.text)

    def hold_shift(self, held: bool) -> None:
        """Keep to 45° from the next move on."""
        self._shift = held

    def release(self) -> None:
        """It stays; a click alone measures nothing."""
        self._is_measuring = False
        if self.points and self.points[0] == self.points[1]:
            self.cancel()

    def cancel(self) -> None:
        """Take it away."""
        had = bool(self.points)
        self._paint_again()
        self.points = []
        self._is_measuring = False
        if had:
            self.canvas.measured.emit("")

    def paint(self, painter: QPainter) -> None:
        """A line with ticks at its ends, and the distance beside it."""
        if len(self.points) < 2 or not self.text:
            return
        start, end = (self.canvas.to_widget(y, x) for y, x in self.points)
        along = end - start
        length = math.hypot(along.x(), along.y())
        across = QPointF(-along.y(), along.x()) * (TICK_PX / length) if length else QPointF(0, 0)

        def draw() -> None:
            painter.drawLine(start, end)
            for place in (start, end):
                painter.drawLine(place - across, place + across)

        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        two_tone(painter, draw, 1.6)
        left, above = end.x() < start.x(), end.y() <= start.y()
        _draw_words(painter, self.canvas, self.text, end, left=left, above=above)
        painter.restore()

    def _paint_again(self) -> None:
        if len(self.points) < 2:
            return
        start, end = (self.canvas.to_widget(y, x) for y, x in self.points)
        room = QRectF(start, end).normalized()
        near = room.adjusted(-LABEL_PX, -60, LABEL_PX, 60)
        # At the edge of the canvas the words are moved into it.
        whole = QRectF(self.canvas.rect())
        self.canvas.update((near if whole.contains(near) else whole).toAlignedRect())


def _draw_words(
    painter: QPainter,
    canvas: AnnotationCanvas,
    text: str,
    at: QPointF,
    *,
    left: bool = False,
    above: bool = False,
) -> None:
    """Words on a dark ground beside a place, to its right and below unless said otherwise."""
    font = QFont(canvas.font())
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    words = painter.fontMetrics()
    width, height = words.horizontalAdvance(text) + 16.0, words.height() + 8.0
    x = at.x() - 12 - width if left else at.x() + 12
    y = at.y() - height - 8 if above else at.y() + 8
    x = min(max(x, 4.0), canvas.width() - width - 4)
    y = min(max(y, 4.0), canvas.height() - height - 4)
    ground = QRectF(x, y, width, height)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(16, 18, 20, 210))
    painter.drawRoundedRect(ground, 6, 6)
    painter.setPen(QColor("#FFFFFF"))
    painter.drawText(ground, int(Qt.AlignmentFlag.AlignCenter), text)


def _straightened(y0: float, x0: float, y: float, x: float) -> tuple[float, float]:
    """The place on the nearest line of 45° steps through a start."""
    step = math.pi / 4
    angle = round(math.atan2(y - y0, x - x0) / step) * step
    length = (y - y0) * math.sin(angle) + (x - x0) * math.cos(angle)
    return y0 + length * math.sin(angle), x0 + length * math.cos(angle)
