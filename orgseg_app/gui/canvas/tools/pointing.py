"""Tools that change nothing: moving the picture, choosing a class."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.gui.canvas.tools.tool import Tool


class PanTool(Tool):
    """Moves the picture; the canvas itself does it."""

    name = "pan"
    cursor = Qt.CursorShape.OpenHandCursor
    hint = "Drag to move · wheel to zoom"


class PickerTool(Tool):
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
