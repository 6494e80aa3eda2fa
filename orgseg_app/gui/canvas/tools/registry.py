"""All tools, in the order of the tool strip."""

from __future__ import annotations

from orgseg_app.gui.canvas.tools.outlines import PolygonTool
from orgseg_app.gui.canvas.tools.pointing import PanTool, PickerTool
from orgseg_app.gui.canvas.tools.regions import FillTool
from orgseg_app.gui.canvas.tools.strokes import BrushTool, EraserTool
from orgseg_app.gui.canvas.tools.tool import Tool

TOOL_CLASSES: tuple[type[Tool], ...] = (
    PanTool,
    BrushTool,
    EraserTool,
    PolygonTool,
    FillTool,
    PickerTool,
)

TOOLS = {kind.name: kind for kind in TOOL_CLASSES}
