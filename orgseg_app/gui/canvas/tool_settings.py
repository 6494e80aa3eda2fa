"""What can be set about tools: one table, from which the fields of the tool panel are made."""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.core.painting.brush import MAX_SIZE

Value = float | bool | str


@dataclass(frozen=True)
class ToolSetting:
    """One setting, shared by all tools that name it.

    Attributes
    ----------
    name
        In `ToolOptions.value`.
    title
        Shown before the field.
    default
        Its type is that of the setting: a number, a switch, or one of ``choices``.
    minimum, maximum
        Of a number; the slider reaches to ``slider_maximum``.
    decimals, unit
        Of a number.
    logarithmic
        Equal ways of the slider are equal ratios.
    choices
        ``((value, text), …)`` of a choice.
    tip
        What it does, in a sentence.
    """

    name: str
    title: str
    default: Value
    minimum: float = 0
    maximum: float = 1
    slider_maximum: float | None = None
    decimals: int = 0
    unit: str = ""
    logarithmic: bool = False
    choices: tuple[tuple[str, str], ...] = ()
    tip: str = ""

    def clean(self, value: Value) -> Value:
        """The value as the setting allows it.

        Raises
        ------
        ValueError
            For what is none of the choices, or no number.
        """
        if isinstance(self.default, bool):
            return bool(value)
        if self.choices:
            if value not in dict(self.choices):
                raise ValueError(f"{self.title} cannot be {value!r}.")
            return value
        number = min(max(float(value), self.minimum), self.maximum)
        return number if self.decimals else int(number)


_ALL = (
    ToolSetting(
        "brush_size",
        "Size",
        24,
        1,
        MAX_SIZE,
        slider_maximum=400,
        unit="px",
        logarithmic=True,
        tip="Diameter in voxels ([ and ], or Ctrl and wheel)",
    ),
    ToolSetting(
        "footprint",
        "Shape",
        "round",
        choices=(("round", "Round"), ("square", "Square")),
        tip="Footprint of the brush (Q)",
    ),
    ToolSetting(
        "protect",
        "Protect other classes",
        False,
        tip="Paint only over what is unlabelled (R)",
    ),
)

TOOL_SETTINGS = {setting.name: setting for setting in _ALL}
