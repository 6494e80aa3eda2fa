"""Settings as written on the command line, put into a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.choice import closest
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.reading import recipe_from_builtins, recipe_to_builtins
from orgseg_app.runs.recipes.schema import Recipe


def _parse_parts(text: str, key: str) -> list[dict[str, Any]]:
    """``"bce+dice:0.5"`` or ``"clahe:clip_limit=3,tiles=8+zscore"`` as lists of dicts.

    A number without a name is a loss's weight or an augmentation's chance; "none" is no step, and
    "basic" and "advanced" are the usual choices of augmentation.
    """
    alone = {"loss": "weight", "augmentation": "chance"}.get(key)
    parts: list[dict[str, Any]] = []
    for part in filter(None, (piece.strip() for piece in text.split("+"))):
        if key == "augmentation" and part in AUGMENTATION_PRESETS and part != "none":
            parts += msgspec.to_builtins(AUGMENTATION_PRESETS[part].steps)
            continue
        name, _, values = part.partition(":")
        entry: dict[str, Any] = {"name": name.strip().replace("-", "_")}
        for value in filter(None, (v.strip() for v in values.split(","))):
            key_of, equals, number = value.partition("=")
            if equals:
                entry.setdefault("params", {})[key_of.strip()] = number.strip()
            elif alone:
                entry[alone] = value
            else:
                raise RecipeError(f'"{part}" is not a step; write it as clahe:clip_limit=3.')
        parts.append(entry)
    return [] if [part["name"] for part in parts] == ["none"] else parts


def _parse_value(text: str, kind: str, path: str) -> Any:
    if kind in ("losses", "steps", "augmentations"):
        return _parse_parts(text, path)
    if kind == "numbers":
        return [number.strip() for number in text.split(",") if number.strip()]
    if kind == "class_weights":
        pairs = (pair.rpartition(":") for pair in text.split(",") if pair.strip())
        return {name.strip(): number.strip() for name, _, number in pairs}
    return text


def with_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with some fields changed, written as on the command line.

    Parameters
    ----------
    recipe : Recipe
    settings : sequence of str
        ``"network.width=32"``, ``"network=unet"``, ``"loss=bce+dice:0.5"``,
        ``"preprocess=clahe:clip_limit=3+zscore"``, ``"augmentation=d4+rotate:0.5,degrees=30"``,
        ``"augmentation=basic+blur"``,
        ``"milestones=0.5,0.75"``, ``"class_weight_values=ER:2,background:1"``.

    Raises
    ------
    RecipeError
        For an unknown field, or a value that does not fit.

    Examples
    --------
    >>> with_settings(PRESETS["fast"], ["network.width=32", "loss=bce"]).network.width
    32
    """
    data = recipe_to_builtins(recipe)
    kinds = {info.path: info.kind for info in recipe_fields()}
    for setting in settings:
        key, equals, value = (piece.strip() for piece in setting.partition("="))
        path = {"network": "network.name"}.get(key, key)
        if not equals:
            raise RecipeError(f'"{setting}" is not a setting; write it as steps=200.')
        if path not in kinds:
            near = closest(key, list(kinds)) or f" Fields are {', '.join(kinds)}."
            raise RecipeError(f'A recipe has no field "{key}".{near}')
        group, _, leaf = path.rpartition(".")
        target = data[group] if group else data
        target[leaf] = _parse_value(value, kinds[path], path)
    return recipe_from_builtins(data, strict=False)
