"""Sets of keys and wheel habits that people bring from other programs.

A preset says only what differs from the keys of the menu table (`actions.ACTIONS`). What a preset
claims belongs to its action alone: an action that had the key in the table goes without it.

Sources: the shortcut pages of the manuals of ImageJ/Fiji, ilastik and napari (labels layer) as of
2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ZOOM, SLICE = "zoom", "slice"


@dataclass(frozen=True)
class Preset:
    """Habits of one program.

    Attributes
    ----------
    name
        In the settings; one of `settings.KEY_PRESETS`.
    title, tip
        As the person chooses it, and what differs.
    wheel
        What the wheel does over the picture: `ZOOM`, or go through the planes (`SLICE`).
    keys
        Keys by action id, in Qt's portable form.
    """

    name: str
    title: str
    tip: str
    wheel: str = ZOOM
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


_ALL = (
    Preset("orgseg", "OrgSeg", "The keys of the menus; the wheel zooms."),
    Preset(
        "fiji",
        "Fiji, ilastik",
        "The wheel goes through the planes and zooms with Ctrl; < and > change the plane.",
        SLICE,
        {
            "previous_plane": ("<", ",", "PgUp"),
            "next_plane": (">", ".", "PgDown"),
            "previous_class": (),
            "next_class": (),
            "zoom_in": ("+", "=", "Ctrl++", "Ctrl+="),
            "zoom_out": ("-", "Ctrl+-"),
        },
    ),
    Preset(
        "napari",
        "napari",
        "Digits take the tools, Alt and a digit the classes; ← and → change the plane.",
        ZOOM,
        {
            "tool_eraser": ("E", "1"),
            "tool_brush": ("P", "2"),
            "tool_polygon": ("3", "G"),
            "tool_fill": ("F", "4"),
            "tool_picker": ("L", "5"),
            "tool_pan": ("6", "Z"),
            "previous_plane": ("Left", "PgUp"),
            "next_plane": ("Right", "PgDown"),
            "previous_class": ("-",),
            "next_class": ("=",),
            "new_class": ("M", "N"),
            "protect": ("B",),
            "zoom_fit": ("Ctrl+R", "Home"),
            "zoom_in": ("+", "Ctrl+="),
            "zoom_out": ("Ctrl+-",),
            "train": ("Ctrl+Shift+R",),
            **{f"class_{number}": (f"Alt+{number}",) for number in range(1, 10)},
        },
    ),
)

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}
