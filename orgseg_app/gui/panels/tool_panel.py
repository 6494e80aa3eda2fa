"""How the tool in the hand is set."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSignalBlocker
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.actions import ACTIONS
from orgseg_app.gui.canvas.options import ToolOptions
from orgseg_app.gui.canvas.tool_settings import TOOL_SETTINGS, ToolSetting, Value
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.fields import Segments, SliderField
from orgseg_app.gui.widgets import GAP, SectionTitle, label, surface

NAME_WIDTH = 64
TOOL_NAMES = {
    tool: info.text for info in ACTIONS for tool in TOOLS if info.action_id == f"tool_{tool}"
}


class ToolPanel(QWidget):
    """The settings of the tool in the hand; as high as the largest needs, so that nothing jumps."""

    def __init__(self, tools: ToolOptions, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._tools = tools
        surface(self, "panel")
        self.title = SectionTitle("")
        self.fields = {name: _field(s, tools) for name, s in TOOL_SETTINGS.items()}
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        column.addWidget(self.title)
        column.addSpacing(4)
        for name in _order():
            column.addWidget(self.fields[name])
        column.addStretch(1)
        tools.changed.connect(self._show)
        self._show()

    def showEvent(self, event: QShowEvent) -> None:
        """Measure with the style and the font that the panel is shown in."""
        super().showEvent(event)
        self._measure()

    def changeEvent(self, event: QEvent) -> None:
        """Another style or font may need another height."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.StyleChange, QEvent.Type.FontChange) and self.isVisible():
            self._measure()

    def _measure(self) -> None:
        self.setMinimumHeight(self._needed())
        self._show()

    def _needed(self) -> int:
        """Height of the tool with the most to set."""
        heights = []
        for tool in TOOLS.values():
            for name, field in self.fields.items():
                field.setVisible(name in tool.settings)
            heights.append(self._column.sizeHint().height())
        return max(heights)

    def _show(self) -> None:
        self.title.setText(TOOL_NAMES[self._tools.tool])
        used = TOOLS[self._tools.tool].settings
        for name, field in self.fields.items():
            field.show_value(self._tools.value(name))
            field.setVisible(name in used)


class _Slider(SliderField):
    def __init__(self, setting: ToolSetting, tools: ToolOptions) -> None:
        super().__init__(
            setting.title,
            setting.minimum,
            setting.slider_maximum or setting.maximum,
            float(setting.default),
            decimals=setting.decimals,
            unit=setting.unit,
            logarithmic=setting.logarithmic,
            name_width=NAME_WIDTH,
            tip=setting.tip,
        )
        self.number.setRange(setting.minimum, setting.maximum)
        self.value_changed.connect(lambda value: tools.set_value(setting.name, value))

    def show_value(self, value: Value) -> None:
        self.set_value(float(value))


class _Switch(QCheckBox):
    def __init__(self, setting: ToolSetting, tools: ToolOptions) -> None:
        super().__init__(setting.title)
        self.setToolTip(setting.tip)
        self.toggled.connect(lambda value: tools.set_value(setting.name, value))

    def show_value(self, value: Value) -> None:
        with QSignalBlocker(self):
            self.setChecked(bool(value))


class _Choice(QWidget):
    def __init__(self, setting: ToolSetting, tools: ToolOptions) -> None:
        super().__init__()
        self.segments = Segments(setting.title, list(setting.choices))
        self.segments.setToolTip(setting.tip)
        self.segments.chosen.connect(lambda value: tools.set_value(setting.name, value))
        name = label(setting.title)
        name.setFixedWidth(NAME_WIDTH)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(name)
        row.addWidget(self.segments, 1)
        self.setFocusProxy(self.segments)

    def show_value(self, value: Value) -> None:
        self.segments.set_value(str(value))


def _field(setting: ToolSetting, tools: ToolOptions) -> _Slider | _Switch | _Choice:
    if isinstance(setting.default, bool):
        return _Switch(setting, tools)
    return _Choice(setting, tools) if setting.choices else _Slider(setting, tools)


def _order() -> list[str]:
    """Settings in the order that the tools show them: protection comes last everywhere."""
    return [name for name in TOOL_SETTINGS if name != "protect"] + ["protect"]
