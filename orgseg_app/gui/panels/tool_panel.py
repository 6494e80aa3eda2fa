"""How the tool in the hand is set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QSignalBlocker
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.actions import ACTIONS
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.tool_settings import LARGEST, TOOL_SETTINGS, ToolSetting, Value
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.help.context import as_mark, set_help
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import Segments, SliderField
from orgseg_app.gui.style.widgets import GAP, IconButton, SectionTitle, label, surface

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

NAME_WIDTH = 64
LIMITS = ("limit", "erase_limit")
TOOL_NAMES = {
    tool: info.text for info in ACTIONS for tool in TOOLS if info.action_id == f"tool_{tool}"
}


class ToolPanel(QWidget):
    """The settings of the tool in the hand; as wide as the widest needs, so that nothing jumps.

    It stands at the lower end of its column: what a tool does not need, what is above gets.

    Parameters
    ----------
    tools
        What is set.
    display, session
        Whose image's values the ends of a range go over.
    """

    def __init__(
        self,
        tools: ToolOptions,
        display: DisplayOptions,
        session: Session,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._tools = tools
        self._display, self._session = display, session
        surface(self, "panel")
        self.title = SectionTitle("")
        self.help_button = IconButton("help", "Help for this tool")
        as_mark(self.help_button)
        self.fields = {name: _field(s, tools) for name, s in TOOL_SETTINGS.items()}
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(4)
        heading = QHBoxLayout()
        heading.setSpacing(GAP)
        heading.addWidget(self.title, 1)
        heading.addWidget(self.help_button)
        column.addLayout(heading)
        column.addSpacing(4)
        for name in _order():
            column.addWidget(self.fields[name])
        column.addStretch(1)
        tools.changed.connect(self._show)
        display.changed.connect(self._follow_values)
        self._follow_values()
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
        width = 0
        for tool in TOOLS.values():
            for name, field in self.fields.items():
                field.setVisible(name in tool.settings)
            width = max(width, self._column.minimumSize().width())
        self.setMinimumWidth(width)
        self._show()

    def _follow_values(self) -> None:
        """The ends of a range go over the values of the image that is looked at."""
        image = self._session.image
        dtype = np.dtype(image.dtype if image is not None else "uint8")
        for field in self.fields.values():
            if isinstance(field, _RangeEnd):
                field.follow(self._display.value_range, dtype)

    def _show(self) -> None:
        self.title.setText(TOOL_NAMES[self._tools.tool])
        set_help(self, self._tools.tool)
        used = TOOLS[self._tools.tool].settings
        limits = [self._tools.value(name) for name in LIMITS if name in used]
        for name, field in self.fields.items():
            field.show_value(self._tools.value(name))
            field.setVisible(name in used)
            follows = TOOL_SETTINGS[name].follows
            field.setEnabled(not follows or follows in limits)


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


class _RangeEnd(_Slider):
    """One end of a range of the image's values; at the end of the slider there is no limit."""

    def __init__(self, setting: ToolSetting, tools: ToolOptions) -> None:
        super().__init__(setting, tools)
        self._setting, self._tools = setting, tools
        self._reach: tuple[float, float] = (0.0, 0.0)
        self.value_changed.disconnect()
        self.value_changed.connect(self._on_value_changed)

    def follow(self, reach: tuple[float, float], dtype: np.dtype[np.generic]) -> None:
        """The slider goes over the values looked at, the number over what the type can hold."""
        if dtype.kind == "f":
            span = max(reach[1] - reach[0], 1e-9)
            self._reach = reach
            self.set_range(reach, (-LARGEST, LARGEST), max(0, 3 - math.floor(math.log10(span))))
        else:
            ends = np.iinfo(dtype)  # type: ignore[type-var]
            self._reach = (math.floor(reach[0]), math.ceil(reach[1]))
            self.set_range(self._reach, (ends.min, ends.max), 0)
        self.show_value(self._tools.value(self._setting.name))

    def show_value(self, value: Value) -> None:
        """Without a limit, the end that it leaves open."""
        number = float(value)
        if abs(number) >= LARGEST:
            number = self._reach[number > 0]
        self.set_value(number)

    def reset(self) -> None:
        """No limit."""
        self._tools.set_value(self._setting.name, self._setting.default)

    def _on_value_changed(self, value: float) -> None:
        end = self._reach[float(self._setting.default) > 0]
        self._tools.set_value(self._setting.name, self._setting.default if value == end else value)


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
        theme.hold(name, width=NAME_WIDTH)
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
    if setting.follows:
        return _RangeEnd(setting, tools)
    return _Choice(setting, tools) if setting.choices else _Slider(setting, tools)


def _order() -> list[str]:
    """Settings in the order that the tools show them: protection comes last everywhere."""
    return [name for name in TOOL_SETTINGS if name != "protect"] + ["protect"]
