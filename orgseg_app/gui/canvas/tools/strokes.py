"""Tools that paint along the way of the hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.recorder import overwritable
from orgseg_app.core.painting import brush
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas


class BrushTool(Tool):
    """Paints the chosen class, or erases, along the way of the hand."""

    name = "brush"
    cursor = Qt.CursorShape.BlankCursor
    hint = "Drag to paint · Shift+click: straight line · Alt: erase · [ ] or Ctrl+wheel: size"
    erases = False
    settings: ClassVar[tuple[str, ...]] = ("brush_size", "footprint", "protect")

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
    settings = ("brush_size", "footprint")
