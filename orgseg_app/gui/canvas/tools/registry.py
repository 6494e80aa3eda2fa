"""All tools, in the order of the tool strip."""

from __future__ import annotations

from orgseg_app.gui.canvas.tools.components import ComponentTool
from orgseg_app.gui.canvas.tools.guided import GrabCutTool, LivewireTool
from orgseg_app.gui.canvas.tools.outlines import EllipseTool, LassoTool, PolygonTool, RectangleTool
from orgseg_app.gui.canvas.tools.pointing import PanTool, PickerTool, RulerTool
from orgseg_app.gui.canvas.tools.regions import FillTool, HolesTool, WandTool
from orgseg_app.gui.canvas.tools.reshape import ReshapeTool
from orgseg_app.gui.canvas.tools.strokes import BallTool, BrushTool, EraserTool
from orgseg_app.gui.canvas.tools.superpixels import SuperpixelTool
from orgseg_app.gui.canvas.tools.tool import Tool

TOOL_CLASSES: tuple[type[Tool], ...] = (
    PanTool,
    BrushTool,
    EraserTool,
    BallTool,
    PolygonTool,
    LassoTool,
    RectangleTool,
    EllipseTool,
    LivewireTool,
    SuperpixelTool,
    GrabCutTool,
    FillTool,
    HolesTool,
    WandTool,
    ComponentTool,
    ReshapeTool,
    PickerTool,
    RulerTool,
)

TOOLS = {kind.name: kind for kind in TOOL_CLASSES}
