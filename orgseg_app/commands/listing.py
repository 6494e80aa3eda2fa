"""``recipes``, ``networks``, ``losses``, ``preprocessing``…: what can be chosen."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orgseg_app.commands.console import out, out_json
from orgseg_app.runs.recipes.choice import Choice
from orgseg_app.runs.recipes.choices import OPTIONS
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.networks import NETWORK_NAMES

Facts = dict[str, dict[str, Any]]
"""Name of a value → what can be said of it."""


def _show(rows: Iterable[tuple[str, str, str]]) -> None:
    for name, title, about in rows:
        out(f"{name}  —  {title}" if title else name)
        _paragraph(about)


def _paragraph(text: str, *, hanging: int = 0) -> None:
    """Indented text; all lines after the first by `hanging` more."""
    later = " " * (4 + hanging)
    out(textwrap.fill(text, 88, initial_indent="    ", subsequent_indent=later))


def recipes(asked: Namespace) -> int:
    """List the presets."""
    from orgseg_app.runs.recipes.presets import PRESET_TITLES, PRESETS
    from orgseg_app.runs.recipes.reading import recipe_to_builtins
    from orgseg_app.runs.recipes.wording import describe

    for recipe in PRESETS.values():
        if asked.json:
            out_json(recipe_to_builtins(recipe))  # as it is: a line is a recipe file
        else:
            about = f"{recipe.about} {describe(recipe)}."
            _show([(recipe.name, PRESET_TITLES[recipe.name], about)])
    return 0


def _choices(
    asked: Namespace,
    table: Mapping[str, Choice],
    values_of: Callable[[Choice], Facts] = lambda choice: _params(choice),
) -> int:
    """List choices, each with the values that may be set."""
    for choice in table.values():
        values = values_of(choice)
        if asked.json:
            facts = {"name": choice.name, "title": choice.title, "about": choice.about}
            out_json(facts | {"source": choice.source, "params": values})
            continue
        out(f"{choice.name}  —  {choice.title}")
        source = f" Source: {choice.source}." if choice.source else ""
        _paragraph(choice.about + source)
        for name, value in values.items():
            _paragraph(f"{name}: {_sentence(value)}", hanging=4)
    return 0


def _params(choice: Choice) -> Facts:
    """What each value of a choice is usually, between what, and what it does."""
    return {
        name: {
            "default": p.default,
            "minimum": p.minimum,
            "maximum": p.maximum,
            "about": p.explanation,
        }
        for name, p in choice.params.items()
    }


def _network_fields(choice: Choice) -> Facts:
    """The fields of a recipe's network that an architecture heeds, with its published values."""
    info, values = NETWORK_NAMES[choice.name], {}
    published = {"depth": info.depth, "width": info.width, "fusion": info.fusions[0]}
    for field in recipe_fields():
        name = field.path.removeprefix("network.")
        if name not in info.heeded or name == field.path:
            continue
        values[name] = {"default": field.default, "about": field.description} | (
            {"published": published[name]} if name in published else {}
        )
        if field.options:
            values[name]["options"] = list(info.fusions if name == "fusion" else field.options)
        elif field.minimum is not None:
            values[name] |= {"minimum": field.minimum, "maximum": field.maximum}
    return values


def _sentence(value: Mapping[str, Any]) -> str:
    """One value for people."""
    text = str(value["about"]).rstrip(".") + " ("
    if "options" in value:
        text += f"{', '.join(value['options'])}; "
    elif "minimum" in value:
        text += f"{value['minimum']:g} to {value['maximum']:g}; "
    default = value["default"]
    shown = f"{default:g}" if isinstance(default, float) else default
    text += f"usually {shown}" if default != "" else "usually none"
    return text + (f", published {value['published']})." if "published" in value else ").")


def networks(asked: Namespace) -> int:
    """List the networks with the fields that each heeds."""
    return _choices(asked, OPTIONS["network.name"], _network_fields)


def losses(asked: Namespace) -> int:
    """List the losses with their values."""
    return _choices(asked, OPTIONS["loss"])


def preprocessing(asked: Namespace) -> int:
    """List the preprocessing steps with their values."""
    return _choices(asked, OPTIONS["preprocess"])


def augmentations(asked: Namespace) -> int:
    """List the augmentations with their values."""
    return _choices(asked, OPTIONS["augmentation"])


def formats(asked: Namespace) -> int:
    """List how annotations may lie on disk, and how objects are written."""
    from orgseg_app.files.annotations.registry import FORMATS
    from orgseg_app.files.object_export import ways

    written = ways()
    for name, form in FORMATS.items():
        about = form.about + (f" Written: export --as {name}." if name in written else "")
        if asked.json:
            facts = {"name": name, "title": form.title, "about": form.about}
            out_json(facts | {"written": name in written})
        else:
            _show([(name, form.title, about)])
    for name, way in written.items():
        if name not in FORMATS and not asked.json:
            _show([(name, way.title, f"{way.about} Written: export --as {name}.")])
    return 0
