"""Recipes in words: one line for a person, and what differs between two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgseg_app.runs.recipes.choices import FUSION_NAMES, PREPROCESSING_NAMES
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.objects import OBJECT_NAMES
from orgseg_app.runs.recipes.optimisation import OPTIMISER_NAMES
from orgseg_app.runs.recipes.schema import Recipe


def _values(params: Mapping[str, float]) -> list[str]:
    return [f"{name}={value:g}" for name, value in params.items()]


def _joined(name: str, values: list[str]) -> str:
    return f"{name}:{','.join(values)}" if values else name


def steps_text(recipe: Recipe) -> str:
    """The preprocessing as ``--set`` takes it."""
    return "+".join(_joined(step.name, _values(step.params)) for step in recipe.preprocess)


def loss_text(recipe: Recipe) -> str:
    """The losses as ``--set`` takes them."""
    return "+".join(
        _joined(t.name, [*([] if t.weight == 1 else [f"{t.weight:g}"]), *_values(t.params)])
        for t in recipe.loss
    )


def augmentation_text(recipe: Recipe) -> str:
    """The augmentation as ``--set`` takes it; "none" where there is none."""
    return (
        "+".join(
            _joined(s.name, [*([] if s.chance == 1 else [f"{s.chance:g}"]), *_values(s.params)])
            for s in recipe.augmentation
        )
        or "none"
    )


def describe(recipe: Recipe) -> str:
    """One line that says what the recipe does.

    Examples
    --------
    >>> describe(Recipe(name="x"))
    'U-Net depth 3 width 16 · Soft IoU · Percentile range · AdamW 0.002 · 400 steps of 8 × 128²'
    """
    network = NETWORK_NAMES[recipe.network.name]
    losses = " + ".join(
        LOSS_NAMES[term.name].title + (f" × {term.weight:g}" if term.weight != 1 else "")
        for term in recipe.loss
    )
    steps = " → ".join(PREPROCESSING_NAMES[step.name].title for step in recipe.preprocess)
    if network.is_fitted:  # there is nothing to say about learning
        return f"{network.title} · {steps}"
    optimiser = OPTIMISER_NAMES[recipe.optimiser].title.partition(",")[0]
    planes = f"{recipe.patch_depth} × " if network.dimensions == 3 else ""
    apart = "" if recipe.objects == "components" else f" · {OBJECT_NAMES[recipe.objects].title}"
    return (
        f"{network.title}{_size(recipe)}{apart} · {losses} · {steps}"
        f" · {optimiser} {recipe.learning_rate:g} · {recipe.steps} steps of "
        f"{recipe.batch_size} × {planes}{recipe.patch_size}²"
    )


def _size(recipe: Recipe) -> str:
    """What is special about the network, in the words of its fields."""
    fields = NETWORK_NAMES[recipe.network.name].fields
    words = [f" {name} {getattr(recipe.network, name)}" for name in ("depth", "width")]
    text = "".join(word for word in words if word.split()[0] in fields)
    if recipe.network.planes > 1:
        text += f" on {recipe.network.planes} planes"
    if recipe.network.encoder and "encoder" in fields:
        text += f" on {recipe.network.encoder}"
    if recipe.network.fusion != NETWORK_NAMES[recipe.network.name].fusions[0]:
        text += f", {FUSION_NAMES[recipe.network.fusion].title.lower()}"
    return text


def differences(a: Recipe, b: Recipe) -> dict[str, tuple[object, object]]:
    """What differs between two recipes, beside their name and description.

    Returns
    -------
    dict
        Path of the field (as in ``--set``) → (value in `a`, value in `b`); losses and
        preprocessing as the text ``--set`` takes.

    Examples
    --------
    >>> differences(PRESETS["fast"], PRESETS["fast-bce"])
    {'loss': ('soft_iou', 'bce')}
    """

    def flat(recipe: Recipe) -> dict[str, object]:
        values: dict[str, object] = {}
        for info in recipe_fields():
            value: Any = recipe
            for name in info.path.split("."):
                value = getattr(value, name)
            values[info.path] = value
        return values | {
            "loss": loss_text(recipe),
            "preprocess": steps_text(recipe),
            "augmentation": augmentation_text(recipe),
        }

    left, right = flat(a), flat(b)
    return {
        path: (left[path], right[path])
        for path in left
        if path not in ("name", "about") and left[path] != right[path]
    }
