"""Lists that pages of the manual are filled with: they say what the tables of the program say.

So a page about recipes cannot name a field that there is not, or leave one out. Each line carries a
``{#KEY}`` mark, by which links and the window find it: of a field of a recipe its path
(``network.depth``), of something that may be chosen there the path and its name (``loss.dice``), of
a score its key (``hausdorff_95``), of a command the action's id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from orgseg_app.gui.actions import ACTIONS, BY_ID, MENUS

if TYPE_CHECKING:
    from orgseg_app.core.parameter import Parameter
    from orgseg_app.gui.comparing.measures import Measure
    from orgseg_app.gui.keys.shortcuts import Shortcuts
    from orgseg_app.runs.recipes.choice import Choice
    from orgseg_app.runs.recipes.fields import FieldInfo

NO_GROUP = "Name and description"


def way_to(action_id: str) -> str:
    """Where an action is in the menus."""
    info = BY_ID[action_id]
    return f"{info.menu} › {info.text.removesuffix('…')}"


def actions_text(shortcuts: Shortcuts) -> str:
    """Every command by menu, with the keys in force and what it does."""
    from orgseg_app.gui.keys.shortcuts import native

    lines = []
    for menu in MENUS:
        lines += [f"## {menu} {{#menu_{menu.casefold()}}}", ""]
        for info in (info for info in ACTIONS if info.menu == menu):
            keys = " or ".join(f"`{native(key)}`" for key in shortcuts.keys(info.action_id))
            tip = f": {info.tip}." if info.tip else "."
            title = info.text.removesuffix("…")
            lines.append(f"- **{title}** {{#{info.action_id}}}{' ' * bool(keys)}{keys}{tip}")
        lines.append("")
    return "\n".join(lines)


# -- recipes -------------------------------------------------------------------------------------


def fields_text() -> str:
    """Every field of a recipe in the groups of the form, with its range and what may be chosen."""
    from orgseg_app.runs.recipes.fields import recipe_fields

    lines = []
    for group, fields in groupby(recipe_fields(), key=lambda info: info.group):
        title = group or NO_GROUP
        lines += [f"## {title} {{#group-{_key_of(title)}}}", ""]
        for info in fields:
            lines += [_field(info), ""]
            lines += [_choice(info, choice) for choice in info.options.values()]
            lines.append("")
    return "\n".join(lines)


def _field(info: FieldInfo) -> str:
    more = ""
    if info.minimum is not None and info.maximum is not None and info.kind in ("int", "float"):
        high = 1 if info.maximum == 1 - 1e-6 else info.maximum
        more = f" *From {_number(info.minimum)} to {_number(high)}; "
        more += f"usually {_number(info.default)}.*"  # type: ignore[arg-type]
    return f"**{info.title}** {{#{info.path}}}: {info.description}{more}"


def _choice(info: FieldInfo, choice: Choice) -> str:
    source = f" *{choice.source}.*" if choice.source else ""
    about = f"{choice.about.rstrip('.')}.{_params(choice.params)}{source}"
    return f"- **{choice.title}** {{#{info.path}.{choice.name}}}: {about}"


def _params(params: Mapping[str, Parameter]) -> str:
    """What can be set about a choice, in brackets."""
    said = [
        f"{p.explanation.rstrip('.')}, {_number(p.minimum)} to {_number(p.maximum)}, "
        f"usually {_number(p.default)}"
        for p in params.values()
    ]
    return f" ({'; '.join(said)}.)" if said else ""


def _number(value: float) -> str:
    """As people write it: ``10,000,000``, ``0.0001``."""
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:.6f}".rstrip("0")


def presets_text() -> str:
    """Every ready-made recipe, in the groups of the cards."""
    from orgseg_app.runs.recipes.presets import PRESET_GROUPS, PRESET_TITLES, PRESETS

    lines = []
    for group, names in PRESET_GROUPS.items():
        lines += [f"### {group}", ""]
        lines += [
            f"- **{PRESET_TITLES[name]}** {{#preset.{name}}}: {PRESETS[name].about}"
            for name in names
        ]
        lines.append("")
    return "\n".join(lines)


# -- scores --------------------------------------------------------------------------------------


def scores_text() -> str:
    """Every score of the table of runs, in the sections of its menu of columns."""
    from orgseg_app.gui.comparing.measures import MEASURES, SECTIONS

    lines = []
    first: dict[str, Measure] = {}
    marked: set[str] = set()
    for section in SECTIONS:
        lines += [f"## {section} {{#section-{_key_of(section)}}}", ""]
        for same in _grouped(item for item in MEASURES if item.section == section):
            known = first.setdefault(same[0].score.removesuffix("_3d"), same[0])
            lines += [*_score(same, known, marked), ""]
    return "\n".join(lines)


def _key_of(title: str) -> str:
    """A title as part of a mark: ``"Objects, one by one"`` → ``"objects-one-by-one"``."""
    return "-".join("".join(c if c.isalnum() else " " for c in title).casefold().split())


def _grouped(measures: Iterable[Measure]) -> list[list[Measure]]:
    """Ways to count the same score, together."""
    found: dict[str, list[Measure]] = {}
    for item in measures:
        found.setdefault(item.words, []).append(item)
    return list(found.values())


def _score(same: list[Measure], known: Measure, marked: set[str]) -> list[str]:
    """What one score means, and how each of its columns was counted; `marked` keys grow."""
    from orgseg_app.gui.help.score_notes import note_of

    names = [item.title.rpartition(", ") for item in same]
    is_counted_so = len(same) > 1 or names[0][2] == "pooled"
    title = names[0][0] if is_counted_so else same[0].title
    keys = dict.fromkeys(name for item in same for name in (item.score, item.key))
    own = [key for key in keys if key not in marked]
    marked.update(own)
    marks = "".join(f" {{#{key}}}" for key in own)
    if known not in same:  # the same, counted through the planes
        return [f"**{title}**{marks}: [the same](#{known.key}), in 3-D. {same[0].where}"]
    note = note_of(known.score)
    better = "Lower is better." if known.is_lower_better else "Higher is better."
    lines = [f"**{title}**{marks}: {same[0].words}", ""]
    for item, (_, _, how) in zip(same, names, strict=True):
        said = how if item.title.startswith(f"{title}, ") else "Counted"
        said = item.title if said == "Counted" and len(same) > 1 else said
        lines.append(f"- *{said[0].upper()}{said[1:]}*: {item.where}")
    lines += [
        f"- *Range*: {note.span}. {better}",
        f"- *Misleads*: {note.misleads}",
        f"- *Source*: {note.source}.",
    ]
    return lines


# -- measurements --------------------------------------------------------------------------------


def quantities_text() -> str:
    """Every column of the table of objects."""
    return _columns("OBJECTS", "")


def totals_text() -> str:
    """Every column of the table of images."""
    return _columns("CLASSES", "image-")


def _columns(table: str, prefix: str) -> str:
    from orgseg_app.core.measuring import columns

    return "\n".join(
        f"- **{item.name.replace('_', ' ')}** {{#{prefix}{item.key}}}: {item.about.rstrip('.')}."
        for item in getattr(columns, table)
    )


def training_numbers_text() -> str:
    """Every number of the Train workspace."""
    from orgseg_app.gui.help.training_numbers import TRAINING_NUMBERS

    return "\n".join(
        f"- **{meaning.title}** {{#{key}}}: {meaning.text}"
        for key, meaning in TRAINING_NUMBERS.items()
    )


LISTS: Mapping[str, Callable[[], str]] = {
    "fields": fields_text,
    "presets": presets_text,
    "scores": scores_text,
    "quantities": quantities_text,
    "totals": totals_text,
    "training_numbers": training_numbers_text,
}
"""What a page may ask for by name, beside `actions_text`."""
