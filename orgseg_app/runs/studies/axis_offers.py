"""What may be tried on a field of a recipe: every value with a title and a sentence. No Qt.

Values are written as ``--set`` takes them, so that a study made here is the same in a TOML file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orgseg_app.runs.recipes.augmentation import AUGMENTATION_PRESETS
from orgseg_app.runs.recipes.fields import FieldInfo, recipe_fields
from orgseg_app.runs.recipes.networks import NetworkInfo
from orgseg_app.runs.recipes.reading import recipe_to_builtins
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.values import comparable, value_at
from orgseg_app.runs.studies.definition import Scalar

MAIN_FIELDS = ("preprocess", "loss", "network.name", "augmentation")
"""What most studies are about: offered first."""

LISTS = {"losses": " + ", "steps": " → ", "augmentations": " + "}
"""Kinds of fields that are lists of parts, and what stands between their titles."""

_OFFERED = ("choice", "flag", "int", "float", *LISTS)
_NOT_OFFERED = ("seed", "compile")
_FEW = 8
_INT_STEPS = (0.25, 0.5, 1, 2, 4)
_FLOAT_STEPS = (0.1, 0.3, 1, 3, 10)
_USUAL: dict[str, tuple[float, ...]] = {
    "network.planes": (1, 3, 5),
    "max_minutes": (1, 2, 5, 10, 30),
    "patience": (0, 3, 5, 10),
    "momentum": (0, 0.8, 0.9, 0.99),
    "weight_decay": (0, 1e-5, 1e-4, 1e-3, 1e-2),
    "decay_factor": (0.1, 0.2, 0.5),
    "warmup_steps": (0, 20, 50, 100),
    "gradient_clip": (0, 0.5, 1, 5, 12),
    "ema": (0, 0.9, 0.98, 0.99, 0.999),
}
"""Where multiples of the recipe's own value say little."""


@dataclass(frozen=True)
class Offer:
    """One value that may be tried.

    Attributes
    ----------
    value : str, int, float or bool
        As ``--set`` takes it.
    title, about : str
        For a person.
    """

    value: Scalar
    title: str
    about: str = ""


def axis_fields() -> dict[str, FieldInfo]:
    """Fields that can be an axis, by path: the main ones first, then in the order of the form."""
    infos = {
        info.path: info
        for info in recipe_fields()
        if info.group
        and info.kind in _OFFERED
        and info.path not in _NOT_OFFERED
        and not (info.kind == "choice" and len(info.options) < 2)
    }
    order = [*MAIN_FIELDS, *(path for path in infos if path not in MAIN_FIELDS)]
    return {path: infos[path] for path in order}


def field_path(key: str) -> str:
    """The path of a field, from the key of an axis: ``"network"`` is ``"network.name"``."""
    return "network.name" if key == "network" else key


def offers(info: FieldInfo, recipe: Recipe) -> list[Offer]:
    """Values worth trying on a field, in a useful order; the recipe's own is among them."""
    own = own_value(info, recipe)
    if info.kind in ("int", "float"):
        return [offer_of(info, value) for value in _numbers(info, float(own))]
    if info.kind == "flag":
        return [offer_of(info, value) for value in (False, True)]
    values: list[Scalar] = [
        name
        for name, choice in info.options.items()
        if not isinstance(choice, NetworkInfo) or choice.is_installed
    ]
    if info.kind == "augmentations":
        inside = {step.name for step in AUGMENTATION_PRESETS["basic"].steps}
        more = [f"basic+{name}" for name in info.options if name not in inside]
        values = [*AUGMENTATION_PRESETS, *more]
    if own not in values:
        values.insert(0, own)
    return [offer_of(info, value) for value in values]


def _numbers(info: FieldInfo, own: float) -> list[Scalar]:
    low = info.minimum if info.minimum is not None else 0.0
    high = info.maximum if info.maximum is not None else 1e9
    found: list[float]
    if info.path in _USUAL:
        found = list(_USUAL[info.path])
    elif info.kind == "int":
        if high - low <= _FEW:
            found = [float(n) for n in range(int(low), int(high) + 1)]
        elif own <= _FEW and high <= 64:
            found = [own + n for n in range(-2, 3)]
        else:
            found = [float(round(own * step)) for step in _INT_STEPS] if own else [0, 1, 2, 5, 10]
    elif own:
        found = [own * step for step in _FLOAT_STEPS]
    else:
        found = [0, 0.1, 0.2, 0.3, 0.5]
    kept = sorted({float(f"{n:.3g}") for n in found if low <= n <= high} | {own})
    return [int(n) for n in kept] if info.kind == "int" else list(kept)


def own_value(info: FieldInfo, recipe: Recipe) -> Scalar:
    """What a recipe has in a field, as ``--set`` takes it.

    Examples
    --------
    >>> from orgseg_app.runs.recipes.presets import PRESETS
    >>> own_value(axis_fields()["preprocess"], PRESETS["er-laptop"])
    'clahe+zscore'
    """
    value = value_at(recipe_to_builtins(recipe), info.path)
    if info.kind not in LISTS:
        return value  # type: ignore[no-any-return]
    if info.kind == "augmentations":
        for name, preset in AUGMENTATION_PRESETS.items():
            parts = [{"name": s.name, "chance": s.chance, "params": s.params} for s in preset.steps]
            if comparable(value) == comparable(parts):
                return name
    return "+".join(_part_text(part) for part in value) or "none"


def _part_text(part: Mapping[str, Any]) -> str:
    """``clahe:clip_limit=3``, ``dice:0.5``, ``rotate:0.5,degrees=30``."""
    alone = part.get("weight", part.get("chance", 1.0))
    said = [f"{alone:g}"] if alone != 1 else []
    said += [f"{name}={value:g}" for name, value in part.get("params", {}).items()]
    return str(part["name"]) + (":" + ",".join(said) if said else "")


def offer_of(info: FieldInfo, value: Scalar) -> Offer:
    """A value, with what it is called."""
    if info.kind == "flag" or isinstance(value, bool):
        return Offer(value, "On" if value else "Off")
    if not isinstance(value, str):
        return Offer(value, f"{value:g}" if isinstance(value, float) else str(value))
    if info.kind == "augmentations" and value in AUGMENTATION_PRESETS:
        preset = AUGMENTATION_PRESETS[value]
        return Offer(value, preset.title, preset.about)
    if info.kind in LISTS:
        parts = [_part_words(info, part) for part in _parts(value)]
        title = LISTS[info.kind].join(title for title, _ in parts)
        return Offer(value, title, parts[0][1] if len(parts) == 1 else "")
    choice = info.options.get(value)
    return Offer(value, choice.title, choice.about) if choice else Offer(value, value)


def _parts(value: Scalar) -> list[str]:
    return [part.strip() for part in str(value).split("+") if part.strip()]


def _part_words(info: FieldInfo, text: str) -> tuple[str, str]:
    name, _, values = text.partition(":")
    if info.kind == "augmentations" and name in AUGMENTATION_PRESETS:
        return AUGMENTATION_PRESETS[name].title, ""
    choice = info.options.get(name)
    title = choice.title if choice else name
    said = values.replace("=", " ").replace("_", " ").replace(",", ", ")
    return (f"{title} ({said})" if said else title), (choice.about if choice else "")
