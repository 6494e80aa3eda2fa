"""Tools that paint along the way of the hand."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.edits.strokes import paint_ball_segment, paint_segment
from orgseg_app.core.mask import Box
from orgseg_app.core.painting.ball import plane_distance
from orgseg_app.core.painting.brush import Point
from orgseg_app.core.painting.limits import Limit, OtsuLimit, RangeLimit
from orgseg_app.gui.canvas.tools.footprint import two_tone
from orgseg_app.gui.canvas.tools.plane_values import ValuesMissingError, plane_values
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

LIGHTEST = 0.1
"""A pen that hardly touches still paints a tenth of the size."""


class BrushTool(Tool):
    """Paints the chosen class, or erases, along the way of the hand."""

    name = "brush"
    cursor = Qt.CursorShape.BlankCursor
    hint = "Drag to paint · Shift+click: straight line · Alt: erase · [ ] or Ctrl+wheel: size"
    erases = False
    drags = True
    settings: ClassVar[tuple[str, ...]] = (
        "brush_size",
        "footprint",
        "limit",
        "limit_low",
        "limit_high",
        "pressure",
        "protect",
    )

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._last: Point | None = None
        self._anchor: Point | None = None
        self._anchored: tuple[str, int] = ("", 0)
        self._class_id = UNLABELLED
        self._limit: Limit | None = None
        self._pointer: Point | None = None
        self._shift = False

    # -- under the hand --------------------------------------------------------------------------

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Begin a stroke; with Shift, from where the last one ended."""
        line = self.anchor if modifiers & Qt.KeyboardModifier.ShiftModifier else None
        if not self.canvas.session.can_edit:
            self.canvas.session.begin_stroke()  # says why not
            return
        try:
            self._limit = self._limit_at(*(line or (y, x)))
        except Exception as error:
            self._give_up(error)
            return
        if self.canvas.session.begin_stroke() is None:
            return
        erase = self.erases or bool(modifiers & Qt.KeyboardModifier.AltModifier)
        self._class_id = UNLABELLED if erase else self.canvas.session.class_id
        self._last = line or (y, x)
        self._extend(y, x)

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Grow the stroke."""
        if self.preview() is not None:
            self.canvas.update()
        self._pointer = (y, x)
        if pressed and self._last is not None:
            self._extend(y, x)

    def _extend(self, y: float, x: float) -> None:
        canvas = self.canvas
        recorder = canvas.session.recorder
        if recorder is None or self._last is None:
            return
        try:
            box = self._paint_to(recorder, self._last, (y, x))
        except Exception as error:
            self.cancel()
            self._give_up(error)
            return
        canvas.update_box(box)
        self._last = self._anchor = (y, x)
        self._anchored = (canvas.session.image_id, canvas.session.z)

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

    # -- what is painted -------------------------------------------------------------------------

    @property
    def footprint(self) -> tuple[int, bool]:
        """Its size in voxels, and whether it is square."""
        tools = self.canvas.tools
        return tools.brush_size, tools.square and "footprint" in self.settings

    @property
    def pressed_size(self) -> int:
        """The size as hard as the pen is pressed, where that counts."""
        size = self.canvas.tools.brush_size
        if not self.canvas.tools.value("pressure"):
            return size
        return max(1, round(size * max(LIGHTEST, self.canvas.pressure)))

    def _paint_to(self, recorder: Recorder, start: Point, end: Point) -> Box:
        return paint_segment(
            recorder,
            self.canvas.session.z,
            start,
            end,
            self.pressed_size,
            self._class_id,
            square=self.footprint[1],
            allowed=overwritable(self._class_id, self.canvas.tools.protect),
            limit=self._limit,
        )

    def _limit_at(self, y: float, x: float) -> Limit | None:
        """What the image's values allow, for a stroke that begins here."""
        tools = self.canvas.tools
        kind = tools.value("limit") if "limit" in self.settings else "none"
        if kind == "none":
            return None
        voxels = plane_values(self.canvas)
        if kind == "range":
            low, high = sorted((tools.value("limit_low"), tools.value("limit_high")))
            return RangeLimit(voxels, low, high)
        return OtsuLimit.at(voxels, y, x, tools.brush_size)

    def _give_up(self, error: Exception) -> None:
        if isinstance(error, ValuesMissingError):
            self.canvas.session.message.emit(str(error), "info")
        else:
            self.canvas.session.report_error(error)

    # -- the line to come ------------------------------------------------------------------------

    @property
    def anchor(self) -> Point | None:
        """Where the last stroke on this plane ended."""
        session = self.canvas.session
        return self._anchor if self._anchored == (session.image_id, session.z) else None

    def hold_shift(self, held: bool) -> None:
        """While Shift is held, the line that a press would draw is shown."""
        if held != self._shift:
            self._shift = held
            self.canvas.update()

    def preview(self) -> tuple[Point, Point] | None:
        """From where to where a press would draw a line; None when it would not."""
        if not self._shift or self._last is not None or self._pointer is None:
            return None
        return None if self.anchor is None else (self.anchor, self._pointer)

    def paint(self, painter: QPainter) -> None:
        """The line that Shift and a press would draw."""
        line = self.preview()
        if line is not None and math.dist(*line) > 0:
            start, end = (self.canvas.to_widget(*point) for point in line)
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            two_tone(painter, lambda: painter.drawLine(start, end), 1.0)
            painter.restore()


class EraserTool(BrushTool):
    """A brush that makes voxels unlabelled."""

    name = "eraser"
    hint = "Drag to erase · Shift+click: straight line · [ ] or Ctrl+wheel: size"
    erases = True
    settings = ("brush_size", "footprint", "pressure")


class BallTool(BrushTool):
    """A brush with depth: round in micrometres, so that thick planes get fewer discs."""

    name = "ball"
    hint = "Drag to paint in depth, too · Shift+click: straight line · Alt: erase · [ ]: size"
    settings = ("brush_size", "pressure", "protect")

    def _paint_to(self, recorder: Recorder, start: Point, end: Point) -> Box:
        image = self.canvas.session.image
        assert image is not None
        return paint_ball_segment(
            recorder,
            self.canvas.session.z,
            start,
            end,
            self.pressed_size,
            self._class_id,
            distance=plane_distance(image.pixel_size_um),
            allowed=overwritable(self._class_id, self.canvas.tools.protect),
        )
