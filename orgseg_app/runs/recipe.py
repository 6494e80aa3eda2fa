"""The recipe: everything that decides a training except the data.

One frozen, validated, versioned object (its fields are in `schema`), the presets, and what a
command line needs: settings as text, a one-line description, the differences between two.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from orgseg_app.runs import choices
from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.schema import (
    RECIPE_VERSION,
    FieldInfo,
    LossTerm,
    NetworkChoice,
    PreprocessStep,
    Recipe,
    recipe_fields,
    sentence_for,
)

__all__ = [
    "PRESETS",
    "RECIPE_VERSION",
    "FieldInfo",
    "LossTerm",
    "NetworkChoice",
    "PreprocessStep",
    "Recipe",
    "check_recipe",
    "describe",
    "differences",
    "load_recipe",
    "recipe_fields",
    "recipe_from_builtins",
    "recipe_from_json",
    "recipe_to_builtins",
    "recipe_to_json",
    "with_settings",
]

_FAST = Recipe(
    name="fast",
    about="Fast on a laptop: a small U-Net that learns in a minute or two without a graphics card.",
)
_ALL_PRESETS = (
    _FAST,
    msgspec.structs.replace(
        _FAST,
        name="fast-bce",
        about='As "fast", but judging every pixel on its own (binary cross-entropy).',
        loss=(LossTerm("bce"),),
    ),
    msgspec.structs.replace(
        _FAST,
        name="fast-clahe",
        about='As "fast", with local contrast evened out first; for unevenly lit images.',
        preprocess=(PreprocessStep("clahe"), PreprocessStep("percentile")),
    ),
    Recipe(
        name="multi-class",
        about="Several kinds of structure at once: classes compete for every pixel and rare ones "
        "count more.",
        network=NetworkChoice(depth=4, width=16),
        loss=(LossTerm("cross_entropy"), LossTerm("dice")),
        steps=800,
        patch_size=192,
        class_weights="auto",
    ),
    Recipe(
        name="em-mitochondria",
        about="Mitochondria in electron micrographs: local contrast, wide surroundings.",
        preprocess=(PreprocessStep("clahe"), PreprocessStep("zscore")),
        network=NetworkChoice(depth=4, width=16),
        loss=(LossTerm("bce"), LossTerm("dice")),
        steps=1500,
        patch_size=256,
    ),
    Recipe(
        name="er-published",
        about="The published study of ER and mitochondria networks (Guo, Luo, Li and Yang): U-Net "
        "of width 64, soft IoU, SGD. Wants a graphics card or a night.",
        preprocess=(PreprocessStep("clahe"),),
        network=NetworkChoice(depth=4, width=64),
        optimiser="sgd",
        learning_rate=0.01,
        weight_decay=0.0005,
        schedule="step",
        steps=900,
        batch_size=32,
        patch_size=256,
        validate_every=30,
    ),
)
PRESETS: dict[str, Recipe] = {recipe.name: recipe for recipe in _ALL_PRESETS}


def check_recipe(recipe: Recipe) -> Recipe:
    """Check every field of a recipe that was put together in code, and give it back.

    Raises
    ------
    RecipeError
        With a sentence that names the field.
    """
    recipe_from_builtins(recipe_to_builtins(recipe))
    return recipe


def _check_meaning(recipe: Recipe) -> Recipe:
    """Check what types alone cannot: names that exist, parameters that exist, sizes that fit."""
    for title, name, known in (
        ("Network", recipe.network.name, choices.NETWORK_NAMES),
        *(("Loss", term.name, choices.LOSS_NAMES) for term in recipe.loss),
        *(("Preprocessing", step.name, choices.PREPROCESSING_NAMES) for step in recipe.preprocess),
    ):
        if name not in known:
            raise RecipeError(
                f'"{title}" cannot be "{name}"; it is one of {", ".join(known)}.'
                f"{choices.closest(name, known)}"
            )
    if len({term.name for term in recipe.loss}) < len(recipe.loss):
        raise RecipeError('"Loss" names the same loss twice; give it a larger weight instead.')
    if recipe.patch_size < 2**recipe.network.depth * 2:
        raise RecipeError(
            f'"Patch size (pixels)" must be at least {2**recipe.network.depth * 2} for a network '
            f"of depth {recipe.network.depth}."
        )
    for step in recipe.preprocess:
        if step.params:
            _check_params(step)
    return recipe


def _check_params(step: PreprocessStep) -> None:
    from orgseg_app.core.preprocess import PREPROCESSING

    known = PREPROCESSING[step.name].params
    for name, value in step.params.items():
        if name not in known:
            listed = f"it has {', '.join(known)}" if known else "it has none"
            raise RecipeError(
                f'Preprocessing "{step.name}" has no value "{name}"; {listed}.'
                f"{choices.closest(name, known)}"
            )
        low, high = known[name].minimum, known[name].maximum
        if not low <= value <= high:
            raise RecipeError(
                f'"{name}" of preprocessing "{step.name}" must lie between {low:g} and {high:g}.'
            )


def recipe_from_builtins(data: object, *, strict: bool = True) -> Recipe:
    """Build and check a recipe from dicts and lists (as read from JSON).

    Raises
    ------
    RecipeError
        With a sentence that names the field.
    """
    version = data.get("version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > RECIPE_VERSION:
        raise RecipeError(
            f"This recipe was written by a newer version of OrgSeg (recipe version {version}; "
            f"this one knows {RECIPE_VERSION}). Update OrgSeg to use it."
        )
    try:
        return _check_meaning(msgspec.convert(data, Recipe, strict=strict))
    except msgspec.ValidationError as error:
        raise RecipeError(sentence_for(str(error))) from error


def recipe_to_builtins(recipe: Recipe) -> dict[str, Any]:
    """The recipe as dicts and lists, ready for JSON."""
    data: dict[str, Any] = msgspec.to_builtins(recipe)
    return data


def recipe_to_json(recipe: Recipe) -> str:
    """The recipe as indented JSON text, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(recipe), indent=2).decode() + "\n"


def recipe_from_json(text: str | bytes) -> Recipe:
    """Read a recipe from JSON text.

    Raises
    ------
    RecipeError
        When the text is not JSON, or a field is missing, unknown, or out of range.
    """
    try:
        data = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"This recipe is not readable as JSON: {error}.") from error
    return recipe_from_builtins(data)


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A preset by its name, or a recipe from a JSON file.

    Raises
    ------
    RecipeError
        When there is neither such a preset nor such a file, or the file cannot be used.
    """
    text = str(name_or_path)
    if text in PRESETS:
        return PRESETS[text]
    path = Path(name_or_path)
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise RecipeError(
            f'There is no recipe "{text}", neither a preset nor a file; presets are '
            f"{', '.join(PRESETS)}.{choices.closest(text, list(PRESETS))}"
        ) from None
    except OSError as error:
        raise RecipeError(f'The recipe "{text}" could not be read: {error.strerror}.') from error
    try:
        return recipe_from_json(content)
    except RecipeError as error:
        raise RecipeError(f'The recipe file "{path.name}" cannot be used. {error}') from error


def _parse_parts(text: str, key: str) -> list[dict[str, Any]]:
    """``"bce+dice:0.5"`` or ``"clahe:clip_limit=3,tiles=8+zscore"`` as lists of dicts."""
    parts: list[dict[str, Any]] = []
    for part in filter(None, (piece.strip() for piece in text.split("+"))):
        name, _, values = part.partition(":")
        entry: dict[str, Any] = {"name": name.strip().replace("-", "_")}
        if values and key == "loss":
            entry["weight"] = values
        elif values:
            pairs = [pair.partition("=") for pair in values.split(",")]
            entry["params"] = {name.strip(): value for name, _, value in pairs}
        parts.append(entry)
    return parts


def with_settings(recipe: Recipe, settings: Sequence[str]) -> Recipe:
    """The recipe with some fields changed, written as on the command line.

    Parameters
    ----------
    recipe : Recipe
    settings : sequence of str
        ``"network.width=32"``, ``"network=unet"``, ``"loss=bce+dice:0.5"``,
        ``"preprocess=clahe:clip_limit=3+zscore"``.

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
    paths = [info.path for info in recipe_fields()]
    for setting in settings:
        key, equals, value = (piece.strip() for piece in setting.partition("="))
        path = {"network": "network.name"}.get(key, key)
        if not equals:
            raise RecipeError(f'"{setting}" is not a setting; write it as steps=200.')
        if path not in paths:
            near = choices.closest(key, paths) or f" Fields are {', '.join(paths)}."
            raise RecipeError(f'A recipe has no field "{key}".{near}')
        group, _, leaf = path.rpartition(".")
        target = data[group] if group else data
        if path in ("loss", "preprocess"):
            target[leaf] = _parse_parts(value, path)
        else:
            target[leaf] = value
    return recipe_from_builtins(data, strict=False)


def _steps_text(recipe: Recipe) -> str:
    def one(step: PreprocessStep) -> str:
        values = ",".join(f"{name}={value:g}" for name, value in step.params.items())
        return f"{step.name}:{values}" if values else step.name

    return "+".join(one(step) for step in recipe.preprocess)


def _loss_text(recipe: Recipe) -> str:
    return "+".join(
        term.name if term.weight == 1 else f"{term.name}:{term.weight:g}" for term in recipe.loss
    )


def describe(recipe: Recipe) -> str:
    """One line that says what the recipe does.

    Examples
    --------
    >>> describe(Recipe(name="x"))
    'U-Net depth 3 width 16 · Soft IoU · Percentile range · AdamW 0.002 · 400 steps of 8 × 128²'
    """
    network = choices.NETWORK_NAMES[recipe.network.name].title
    losses = " + ".join(
        choices.LOSS_NAMES[term.name].title + (f" × {term.weight:g}" if term.weight != 1 else "")
        for term in recipe.loss
    )
    steps = " → ".join(choices.PREPROCESSING_NAMES[step.name].title for step in recipe.preprocess)
    optimiser = choices.OPTIMISER_NAMES[recipe.optimiser].title.partition(",")[0]
    return (
        f"{network} depth {recipe.network.depth} width {recipe.network.width} · {losses} · {steps}"
        f" · {optimiser} {recipe.learning_rate:g} · {recipe.steps} steps of "
        f"{recipe.batch_size} × {recipe.patch_size}²"
    )


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
        return values | {"loss": _loss_text(recipe), "preprocess": _steps_text(recipe)}

    left, right = flat(a), flat(b)
    return {
        path: (left[path], right[path])
        for path in left
        if path not in ("name", "about") and left[path] != right[path]
    }
