"""The help pages: the manual, one page for every tool, and what is filled into them.

A page is Markdown in ``resources/help``. What may change is not written there but named, and filled
in when the page is shown:

======================  ========================================================================
``{key:ACTION}``        the keys of an action in force; the way through the menus if it has none
``{menu:ACTION}``       the way through the menus
``{wheel:zoom}``        how the wheel zooms; ``plane``, ``brush`` and ``time`` likewise
``{settings}``          what can be set about the tool, each with a sentence
``{set:SETTING}``       what one setting is called
``{fields}``            every field of a recipe; the other lists are in `help_texts.LISTS`
``{#KEY}``              at the end of a heading, or after a term: links and the window find it here
``[words](PAGE)``       a way to another page, ``[words](PAGE#KEY)`` to a place in it
``![words](pictures/NAME)``  a picture: ``NAME-light`` or ``NAME-dark`` in ``pictures``
======================  ========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from orgseg_app import paths
from orgseg_app.gui.actions import BY_ID
from orgseg_app.gui.canvas.tool_settings import TOOL_SETTINGS, ToolSetting
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.canvas.wheel import wheel_acts
from orgseg_app.gui.help.help_texts import LISTS, actions_text, way_to
from orgseg_app.gui.keys.shortcuts import Shortcuts, native

PAINTING_TOOLS = "Painting tools"

SECTIONS: dict[str, dict[str, str]] = {
    "Start": {
        "start": "info",
        "first_mask": "play",
        "importing": "import",
        "projects": "folder",
        "saving": "save",
    },
    "Painting": {
        "canvas": "image",
        "classes": "palette",
        "objects": "component",
        "object_table": "table",
        "layers": "layers",
        "volumes": "copy",
        "contrast": "contrast",
        "undo": "undo",
    },
    PAINTING_TOOLS: {name: BY_ID[f"tool_{name}"].icon for name in TOOLS},
    "Learning": {
        "training": "train",
        "recipes": "settings",
        "preprocessing": "eye",
        "predictions": "model",
        "ensembles": "group",
        "examining": "chart",
        "gpu": "device",
    },
    "Comparing": {
        "comparing": "compare",
        "scores": "check",
        "statistics": "chart",
        "studies": "table",
    },
    "Exporting": {"exporting": "export", "measuring": "ruler"},
    "Reference": {
        "glossary": "file",
        "trouble": "warning",
        "shortcuts": "keyboard",
        "command_line": "chevron-right",
    },
}
"""Title of a section of the contents → its pages and their icons, both in order."""

TOPICS: dict[str, str] = {
    name: icon
    for title, part in SECTIONS.items()
    if title != PAINTING_TOOLS
    for name, icon in part.items()
}
"""Pages that are about no single tool, and their icons."""

ANCHOR = re.compile(r"[ \t]*\{#([\w./-]+)\}")
NAMED = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True)
class HelpPage:
    """One page.

    Attributes
    ----------
    name
        The file's, without ``.md``; for a page about a tool, that of the tool.
    title
        Its first heading.
    icon
        In ``resources/icons``.
    text
        Markdown, with names to be filled in.
    """

    name: str
    title: str
    icon: str
    text: str

    @property
    def is_tool(self) -> bool:
        """Whether it is about one tool."""
        return self.name in TOOLS


@cache
def pages() -> dict[str, HelpPage]:
    """All pages by name, in the order of the contents."""
    made = {}
    for name, icon in (page for part in SECTIONS.values() for page in part.items()):
        text = (paths.resources_dir() / "help" / f"{name}.md").read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ").strip()
        made[name] = HelpPage(name, title, icon, text)
    return made


def section_of(name: str) -> str:
    """Title of the section of a page. Raises StopIteration for one there is not."""
    return next(title for title, part in SECTIONS.items() if name in part)


def filled(page: HelpPage, shortcuts: Shortcuts) -> str:
    """The Markdown of a page with the keys and settings in force; ``{#KEY}`` marks stay in it.

    Raises
    ------
    KeyError
        When it names an action or a setting that there is not.
    """

    def keys(action_id: str) -> str:
        found = [f"`{native(key)}`" for key in shortcuts.keys(action_id)]
        return " or ".join(found) or way_to(action_id)

    def turned(act: str) -> str:
        return next(f"`{keys}`" for keys, a in wheel_acts(shortcuts.wheel).items() if a == act)

    fill: dict[str, Callable[[str], str]] = {
        "key": keys,
        "menu": way_to,
        "wheel": turned,
        "set": lambda name: TOOL_SETTINGS[name].title,
        "settings": lambda _: _settings(page.name),
        "actions": lambda _: actions_text(shortcuts),
    } | {name: lambda _, make=make: make() for name, make in LISTS.items()}
    return NAMED.sub(lambda found: fill[found[1]](found[2] or ""), page.text)


def searched(page: HelpPage) -> str:
    """What a search looks through beside the page: what the actions that it names are called."""
    named = [BY_ID[what] for kind, what in NAMED.findall(page.text) if kind in ("key", "menu")]
    return "\n".join(f"{info.text} {info.tip}" for info in named)


def _settings(tool: str) -> str:
    """What can be set about a tool, as a list."""
    return "\n".join(_described(TOOL_SETTINGS[name]) for name in TOOLS[tool].settings)


def _described(setting: ToolSetting) -> str:
    choices = ", ".join(text for _, text in setting.choices)
    more = f" ({choices})" if choices else ""
    return f"- **{setting.title}**{more}: {setting.tip[0].lower()}{setting.tip[1:]}."
