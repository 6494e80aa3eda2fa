"""Tools that work on the region under the pointer."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.regions import FloodFill
from orgseg_app.gui.canvas.tools.tool import Tool


class FillTool(Tool):
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
