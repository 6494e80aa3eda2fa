"""How the tool in the hand is set."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.core.brush import MAX_SIZE
from orgseg_app.gui.canvas.options import ToolOptions
from orgseg_app.gui.fields import Segments, SliderField
from orgseg_app.gui.widgets import GAP, SectionTitle, label, surface

TOOL_NAMES = {
    "pan": "Move",
    "brush": "Brush",
    "eraser": "Eraser",
    "polygon": "Polygon",
    "fill": "Fill",
    "picker": "Pick class",
}
SIZED = ("brush", "eraser")
PROTECTING = ("brush", "polygon", "fill")
USUAL_SIZE = 24
SLIDER_MAX = 400
NAME_WIDTH = 64


class ToolPanel(QWidget):
    """Size, shape and protection; what the tool does not use is greyed, so that nothing jumps."""

    def __init__(self, tools: ToolOptions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tools = tools
        surface(self, "panel")
        self.title = SectionTitle("")
        self.size_field = SliderField(
            "Size",
            1,
            min(SLIDER_MAX, MAX_SIZE),
            USUAL_SIZE,
            unit="px",
            logarithmic=True,
            name_width=NAME_WIDTH,
            tip="Diameter in voxels ([ and ], or Ctrl and wheel)",
        )
        self.size_field.number.setRange(1, MAX_SIZE)
        self.shape = Segments("Shape", [("round", "Round"), ("square", "Square")])
        self.shape.setToolTip("Footprint of the brush (Q)")
        self.protect = QCheckBox("Protect other classes")
        self.protect.setToolTip("Paint only over what is unlabelled (R)")
        self._shape_name = label("Shape")
        self._shape_name.setFixedWidth(NAME_WIDTH)
        shape_row = QHBoxLayout()
        shape_row.setSpacing(GAP)
        shape_row.addWidget(self._shape_name)
        shape_row.addWidget(self.shape, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addWidget(self.title)
        column.addSpacing(4)
        column.addWidget(self.size_field)
        column.addLayout(shape_row)
        column.addWidget(self.protect)
        self.size_field.value_changed.connect(lambda value: tools.set_brush_size(round(value)))
        self.shape.chosen.connect(lambda value: tools.set_square(value == "square"))
        self.protect.toggled.connect(tools.set_protect)
        tools.changed.connect(self._show)
        self._show()

    def _show(self) -> None:
        tools = self._tools
        self.title.setText(TOOL_NAMES[tools.tool])
        self.size_field.set_value(tools.brush_size)
        self.shape.set_value("square" if tools.square else "round")
        with QSignalBlocker(self.protect):
            self.protect.setChecked(tools.protect)
        for widget in (self.size_field, self.shape, self._shape_name):
            widget.setEnabled(tools.tool in SIZED)
        self.protect.setEnabled(tools.tool in PROTECTING)
