"""The size of the brush by a drag: Alt and the right button, as painters know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent

from orgseg_app.gui.canvas.tools.strokes import BrushTool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas


class SizeDrag:
    """To the right the brush grows, to the left it shrinks; its ring stays, its edge follows."""

    def __init__(self, canvas: AnnotationCanvas) -> None:
        self._canvas = canvas
        self._start: tuple[float, int] | None = None

    def takes(self, event: QMouseEvent) -> bool:
        """Whether a press, a move or a release is part of such a drag; then it is done."""
        right = Qt.MouseButton.RightButton
        tools = self._canvas.tools
        if event.type() == QMouseEvent.Type.MouseButtonPress:
            is_free = isinstance(self._canvas.tool, BrushTool) and self._canvas.is_shown
            alt = event.modifiers() & Qt.KeyboardModifier.AltModifier
            if event.button() == right and alt and is_free:
                self._start = (event.position().x(), tools.brush_size)
        elif self._start is not None and not event.buttons() & right:
            self._start = None
            return True
        elif self._start is not None:
            x, size = self._start
            way = (event.position().x() - x) / self._canvas.view_state().zoom
            tools.set_brush_size(round(size + 2 * way))
        return self._start is not None
