"""What can be set about tools: one table, from which the fields of the tool panel are made."""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.core.painting.brush import MAX_SIZE

Value = float | bool | str

LARGEST = 3.4e38
"""No limit on that side: beyond the values of every kind of image."""

_LIMITS = (("none", "None"), ("range", "Range"), ("otsu", "Otsu"))


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
    follows
        It counts only while the limit of the tool has this value, and its slider goes over the
        values of the image.
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
    follows: str = ""
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
        tip="Diameter in voxels",
    ),
    ToolSetting(
        "footprint",
        "Shape",
        "round",
        choices=(("round", "Round"), ("square", "Square")),
        tip="Footprint of the brush",
    ),
    ToolSetting(
        "limit",
        "Limit",
        "none",
        choices=_LIMITS,
        tip="Paint only values of a range, or of the class that the first voxel is in around it",
    ),
    ToolSetting(
        "erase_limit",
        "Limit",
        "none",
        choices=_LIMITS,
        tip="Erase only values of a range, or of the class that the first voxel is in around it",
    ),
    ToolSetting(
        "limit_low",
        "From",
        -LARGEST,
        -LARGEST,
        LARGEST,
        decimals=2,
        follows="range",
        tip="Lowest value that a range lets through; Ctrl+click takes the range from the image",
    ),
    ToolSetting(
        "limit_high",
        "To",
        LARGEST,
        -LARGEST,
        LARGEST,
        decimals=2,
        follows="range",
        tip="Highest value that a range lets through; Ctrl+click takes the range from the image",
    ),
    ToolSetting(
        "pressure",
        "Pen pressure",
        False,
        tip="The harder the pen is pressed, the larger the brush, up to its size",
    ),
    ToolSetting(
        "superpixel_size",
        "Size",
        16,
        4,
        200,
        slider_maximum=80,
        unit="px",
        logarithmic=True,
        tip="About how wide a superpixel is, in voxels",
    ),
    ToolSetting(
        "compactness",
        "Compact",
        10,
        1,
        100,
        logarithmic=True,
        tip="Low: superpixels follow every edge; high: they come near squares",
    ),
    ToolSetting(
        "cut",
        "Cuts are",
        "unlabelled",
        choices=(("unlabelled", "Unlabelled"), ("background", "Background")),
        tip="What a region is split by, one voxel wide",
    ),
    ToolSetting(
        "copy_replaces",
        "Copies replace what is there",
        False,
        tip="Otherwise only what is unlabelled is painted",
    ),
    ToolSetting(
        "wand_tolerance",
        "Tolerance",
        10.0,
        0.0,
        100.0,
        slider_maximum=50.0,
        decimals=1,
        unit="%",
        tip="How much values may differ from the one clicked, as a share of the contrast shown",
    ),
    ToolSetting(
        "wand_smooth",
        "Smooth",
        1.0,
        0.0,
        5.0,
        decimals=1,
        unit="px",
        tip="How far noise is blurred before values are compared; 0 takes every voxel as it is",
    ),
    ToolSetting(
        "wand_contiguous",
        "Only what hangs together",
        True,
        tip="Stay within the region clicked; otherwise search the whole plane",
    ),
    ToolSetting(
        "in_3d",
        "Through the planes",
        False,
        tip="Go on through the planes above and below",
    ),
    ToolSetting(
        "operation",
        "Click to",
        "grow",
        choices=(("grow", "Grow"), ("shrink", "Shrink"), ("smooth", "Smooth")),
        tip="What a click does",
    ),
    ToolSetting(
        "scope",
        "What",
        "object",
        choices=(("object", "Object"), ("class", "Class"), ("plane", "Plane")),
        tip="The object under the pointer, all of its class on the plane, or all classes on it",
    ),
    ToolSetting(
        "radius",
        "By",
        2,
        1,
        50,
        slider_maximum=20,
        unit="px",
        tip="How far it grows or shrinks, or how wide smoothing looks, in voxels",
    ),
    ToolSetting(
        "protect",
        "Protect other classes",
        False,
        tip="Paint only over what is unlabelled; in objects mode, leave other objects alone, too",
    ),
)

TOOL_SETTINGS = {setting.name: setting for setting in _ALL}
