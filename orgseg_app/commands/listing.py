"""``recipes``, ``networks``, ``losses``, ``preprocessing``, ``formats``: what can be chosen."""

from __future__ import annotations

import textwrap
from argparse import Namespace
from collections.abc import Iterable, Mapping

from orgseg_app.commands.console import out, out_json
from orgseg_app.runs import choices


def _show(rows: Iterable[tuple[str, str, str]]) -> None:
    for name, title, about in rows:
        out(f"{name}  —  {title}" if title else name)
        out(textwrap.fill(about, 88, initial_indent="    ", subsequent_indent="    "))


def recipes(asked: Namespace) -> int:
    """List the presets."""
    from orgseg_app.runs.recipe import PRESETS, describe, recipe_to_builtins

    for recipe in PRESETS.values():
        if asked.json:
            out_json(recipe_to_builtins(recipe))  # as it is: a line is a recipe file
        else:
            _show([(recipe.name, describe(recipe), recipe.about)])
    return 0


def _choices(asked: Namespace, table: Mapping[str, choices.Choice]) -> int:
    for choice in table.values():
        if asked.json:
            facts = {"name": choice.name, "title": choice.title, "about": choice.about}
            out_json(facts | {"source": choice.source})
        else:
            _show([(choice.name, choice.title, f"{choice.about} Source: {choice.source}.")])
    return 0


def networks(asked: Namespace) -> int:
    """List the networks."""
    return _choices(asked, choices.NETWORK_NAMES)


def losses(asked: Namespace) -> int:
    """List the losses."""
    return _choices(asked, choices.LOSS_NAMES)


def preprocessing(asked: Namespace) -> int:
    """List the preprocessing steps with their values."""
    from orgseg_app.core.preprocess import PREPROCESSING

    for choice in choices.PREPROCESSING_NAMES.values():
        params = PREPROCESSING[choice.name].params
        if asked.json:
            values = {
                name: {
                    "default": p.default,
                    "minimum": p.minimum,
                    "maximum": p.maximum,
                    "about": p.explanation,
                }
                for name, p in params.items()
            }
            facts = {"name": choice.name, "title": choice.title, "about": choice.about}
            out_json(facts | {"source": choice.source, "params": values})
            continue
        listed = "".join(
            f" {name}: {p.explanation} ({p.minimum:g} to {p.maximum:g}, usually {p.default:g})"
            for name, p in params.items()
        )
        _show([(choice.name, choice.title, f"{choice.about}{listed}")])
    return 0


def formats(asked: Namespace) -> int:
    """List how annotations may lie on disk."""
    from orgseg_app.files.annotations.registry import FORMATS

    for name, form in FORMATS.items():
        if asked.json:
            out_json({"name": name, "title": form.title, "about": form.about})
        else:
            _show([(name, form.title, form.about)])
    return 0
