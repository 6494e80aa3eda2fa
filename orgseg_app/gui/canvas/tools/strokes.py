"""Tools that paint along the way of the hand."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.edits.strokes import paint_ball_segment, paint_segment
from orgseg_app.core.mask import Box
from orgseg_app.core.painting.ball import discs, plane_distance
from orgseg_app.core.painting.brush import Point, swept
from orgseg_app.core.painting.limits import Limit, OtsuLimit, RangeLimit, Voxels
from orgseg_app.gui.canvas.tile_cache import TileRequest
from orgseg_app.gui.canvas.tool_settings import LARGEST
from orgseg_app.gui.canvas.tools.cursors import ERASE, PICK
from orgseg_app.gui.canvas.tools.footprint import two_tone
from orgseg_app.gui.canvas.tools.plane_values import (
    ValuesMissingError,
    fetch,
    missing_tiles,
    plane_values,
)
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

LIGHTEST = 0.1
"""A pen that hardly touches still paints a tenth of the size."""

NOTHING = Voxels((0, 0), lambda *_: np.zeros((0, 0)))

TILES_AT_ONCE = 24
"""Of other planes: so many are read while the hand waits, in about 50 ms."""


class BrushTool(Tool):
    """Paints the chosen class, or erases, along the way of the hand."""

    name = "brush"
    cursor = Qt.CursorShape.BlankCursor
    hint = "Drag to paint · Shift+click: straight line · Alt: erase · [ ] or Ctrl+wheel: size"
    erases = False
    limit_setting: ClassVar[str] = "limit"
    drags = True
    paints = True
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {Qt.KeyboardModifier.AltModifier: ERASE}
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
        if modifiers & Qt.KeyboardModifier.ControlModifier and self._limit_kind == "range":
            self._take_range(y, x)
            return
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
        self._extend(y, x, begins=True)

    def mark(self, held: Qt.KeyboardModifier) -> str:
        """Ctrl takes a range from the image, where the limit is one."""
        takes = held & Qt.KeyboardModifier.ControlModifier and self._limit_kind == "range"
        return PICK if takes else super().mark(held)

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Grow the stroke."""
        if self.preview() is not None:
            self.canvas.update()
        self._pointer = (y, x)
        if pressed and self._last is not None:
            self._extend(y, x)

    def _extend(self, y: float, x: float, *, begins: bool = False) -> None:
        canvas = self.canvas
        recorder = canvas.session.recorder
        if recorder is None or self._last is None:
            return
        try:
            box = self._paint_to(recorder, self._last, (y, x))
        except Exception as error:
            if isinstance(error, ValuesMissingError) and not begins:
                self.release()  # what is painted so far is right
            else:
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
            title = "erase" if self._class_id == UNLABELLED else "paint"
            if self.canvas.session.end_stroke(title) is None:
                self._say_out_of_range()

    def finish(self) -> None:
        """By keys: take the range from under the brush."""
        if self.canvas.is_by_keys and self._limit_kind == "range":
            self._take_range(*self.canvas.pointer)

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

    # -- limits ----------------------------------------------------------------------------------

    @property
    def _limit_kind(self) -> str:
        return str(self.canvas.tools.value(self.limit_setting))

    def _limit_at(self, y: float, x: float) -> Limit | None:
        """What the image's values allow, for a stroke that begins here."""
        if self._limit_kind == "none":
            return None
        voxels = plane_values(self.canvas)
        if self._limit_kind == "range":
            return RangeLimit(voxels, *self._range)
        return OtsuLimit.at(voxels, y, x, self.canvas.tools.brush_size)

    @property
    def _range(self) -> tuple[float, float]:
        tools = self.canvas.tools
        ends = [float(tools.value(name)) for name in ("limit_low", "limit_high")]
        low, high = sorted(end if abs(end) < LARGEST else end * math.inf for end in ends)
        return low, high

    def _take_range(self, y: float, x: float) -> None:
        """The range becomes that of the values under the brush."""
        size, square = self.footprint
        y0, x0, where = swept((y, x), (y, x), size, square=square)
        try:
            found, (ya, xa) = plane_values(self.canvas).cut(
                y0, x0, y0 + where.shape[0], x0 + where.shape[1]
            )
        except Exception as error:
            self._give_up(error)
            return
        inside = where[ya - y0 : ya - y0 + found.shape[0], xa - x0 : xa - x0 + found.shape[1]]
        values = found[inside]
        values = values[np.isfinite(values)]
        if values.size:
            self.canvas.tools.set_value("limit_low", float(values.min()))
            self.canvas.tools.set_value("limit_high", float(values.max()))

    def _say_out_of_range(self) -> None:
        """Nothing was painted: where the range is why, say so."""
        if not isinstance(self._limit, RangeLimit):
            return
        low, high = self._limit.low, self._limit.high
        bottom, top = self.canvas.display.value_range
        if low <= top and bottom <= high:
            return
        done = "erased" if self._class_id == UNLABELLED else "painted"
        words = f"{low:g} to {high:g}"
        if math.isinf(high):
            words = f"{low:g} and more"
        elif math.isinf(low):
            words = f"{high:g} and less"
        self.canvas.session.message.emit(
            f"Nothing was {done}: the tool is limited to values of {words}, and this image goes "
            f"from {bottom:g} to {top:g}. Set From and To, or Ctrl+click what shall be {done}.",
            "info",
        )

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
    paints = False
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {}
    limit_setting = "erase_limit"
    settings = (
        "brush_size",
        "footprint",
        "erase_limit",
        "limit_low",
        "limit_high",
        "pressure",
    )


class BallTool(BrushTool):
    """A brush with depth: round in micrometres, so that thick planes get fewer discs."""

    name = "ball"
    hint = "Drag to paint in depth, too · Shift+click: straight line · Alt: erase · [ ]: size"
    settings = ("brush_size", "limit", "limit_low", "limit_high", "pressure", "protect")

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._limits: dict[int, Limit] = {}

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Before a press the values that a limit will ask for are read."""
        super().move(y, x, pressed=pressed)
        canvas = self.canvas
        if pressed or self._limit_kind == "none" or not canvas.session.background.is_idle:
            return
        if canvas.session.can_edit and canvas.is_shown:
            limit = OtsuLimit(NOTHING, bright=True, size=canvas.tools.brush_size)
            missing = self._missing((y, x), (y, x), limit)
            if len(missing) > TILES_AT_ONCE:
                with contextlib.suppress(ValuesMissingError):  # a press says so
                    fetch(canvas, missing)

    def _paint_to(self, recorder: Recorder, start: Point, end: Point) -> Box:
        image = self.canvas.session.image
        assert image is not None
        if self._limit is not None:
            missing = self._missing(start, end, self._limit)
            if len(missing) > TILES_AT_ONCE:
                fetch(self.canvas, missing)
                raise ValuesMissingError(
                    "The planes beside this one are still being read; go on in a moment."
                )
        return paint_ball_segment(
            recorder,
            self.canvas.session.z,
            start,
            end,
            self.pressed_size,
            self._class_id,
            distance=plane_distance(image.pixel_size_um),
            allowed=overwritable(self._class_id, self.canvas.tools.protect),
            limits=None if self._limit is None else self._limit_on,
        )

    def _limit_at(self, y: float, x: float) -> Limit | None:
        limit = super()._limit_at(y, x)
        self._limits = {} if limit is None else {self.canvas.session.z: limit}
        return limit

    def _limit_on(self, z: int) -> Limit:
        """The limit of a plane: its own values decide."""
        if z not in self._limits:
            assert self._limit is not None
            self._limits[z] = self._limit.on(plane_values(self.canvas, z))
        return self._limits[z]

    def _missing(self, start: Point, end: Point, limit: Limit) -> list[TileRequest]:
        """Values under the ball, on all its planes, that are not in memory."""
        image, middle = self.canvas.session.image, self.canvas.session.z
        assert image is not None
        boxes = []
        for offset, radius in discs(self.pressed_size, plane_distance(image.pixel_size_um)):
            reach = radius + limit.look + 1
            y0, x0 = (math.floor(min(a, b) - reach) for a, b in zip(start, end, strict=True))
            y1, x1 = (math.ceil(max(a, b) + reach) for a, b in zip(start, end, strict=True))
            for z in {middle - offset, middle + offset}:
                if 0 <= z < image.shape[1]:
                    boxes.append(Box(z, y0, x0, z + 1, y1, x1))
        return missing_tiles(self.canvas, boxes)
