"""The help pages: one for every tool, and some about what all tools share.

A page is Markdown in ``resources/help``. What may change is not written there but named, and filled
in when the page is shown:

======================  ========================================================================
``{key:ACTION}``        the keys of an action in force; the way through the menus if it has none
``{menu:ACTION}``       the way through the menus
``{wheel:zoom}``        how the wheel zooms; ``plane``, ``brush`` and ``time`` likewise
``{settings}``          what can be set about the tool, each with a sentence
``{set:SETTING}``       what one setting is called
``[words](PAGE)``       a way to another page
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
from orgseg_app.gui.keys.shortcuts import Shortcuts, native

TOPICS: dict[str, str] = {
    "canvas": "image",
    "classes": "palette",
    "objects": "component",
    "object_table": "table",
    "layers": "layers",
    "volumes": "copy",
    "contrast": "contrast",
    "preprocessing": "eye",
    "training": "train",
    "comparing": "compare",
    "examining": "chart",
    "studies": "table",
    "undo": "undo",
}
"""Pages that are about no single tool, and their icons."""

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
    """All pages by name, in the order of the contents: what is shared, then tool by tool."""
    made = {}
    tools = {name: BY_ID[f"tool_{name}"].icon for name in TOOLS}
    for name, icon in {**TOPICS, **tools}.items():
        text = (paths.resources_dir() / "help" / f"{name}.md").read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix("# ").strip()
        made[name] = HelpPage(name, title, icon, text)
    return made


def filled(page: HelpPage, shortcuts: Shortcuts) -> str:
    """The Markdown of a page with the keys and settings in force.

    Raises
    ------
    KeyError
        When it names an action or a setting that there is not.
    """

    def keys(action_id: str) -> str:
        found = [f"`{native(key)}`" for key in shortcuts.keys(action_id)]
        return " or ".join(found) or _way(action_id)

    def turned(act: str) -> str:
        return next(f"`{keys}`" for keys, a in wheel_acts(shortcuts.wheel).items() if a == act)

    fill: dict[str, Callable[[str], str]] = {
        "key": keys,
        "menu": _way,
        "wheel": turned,
        "set": lambda name: TOOL_SETTINGS[name].title,
        "settings": lambda _: _settings(page.name),
    }
    return NAMED.sub(lambda found: fill[found[1]](found[2] or ""), page.text)


def searched(page: HelpPage, shortcuts: Shortcuts) -> str:
    """What a search looks through: the page, and what the actions that it names are called."""
    named = [BY_ID[what] for kind, what in NAMED.findall(page.text) if kind in ("key", "menu")]
    words = [f"{info.text} {info.tip}" for info in named]
    return "\n".join([filled(page, shortcuts), *words])


def _way(action_id: str) -> str:
    """Where an action is in the menus."""
    info = BY_ID[action_id]
    return f"{info.menu} › {info.text.removesuffix('…')}"


def _settings(tool: str) -> str:
    """What can be set about a tool, as a list."""
    return "\n".join(_described(TOOL_SETTINGS[name]) for name in TOOLS[tool].settings)


def _described(setting: ToolSetting) -> str:
    choices = ", ".join(text for _, text in setting.choices)
    more = f" ({choices})" if choices else ""
    return f"- **{setting.title}**{more}: {setting.tip[0].lower()}{setting.tip[1:]}."
