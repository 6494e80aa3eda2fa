"""Recipes from and to JSON and TOML, checked: what cannot be used is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.choice import Choice, closest
from orgseg_app.runs.recipes.choices import AUGMENTATION_NAMES, PREPROCESSING_NAMES
from orgseg_app.runs.recipes.fields import sentence_for
from orgseg_app.runs.recipes.library_networks import decoder_and_encoder
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import RECIPE_VERSION, Recipe


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
    network = recipe.network
    for title, name, known in (
        ("Network", network.name, NETWORK_NAMES),
        *(("Loss", term.name, LOSS_NAMES) for term in recipe.loss),
        *(("Preprocessing", step.name, PREPROCESSING_NAMES) for step in recipe.preprocess),
        *(("Augmentation", step.name, AUGMENTATION_NAMES) for step in recipe.augmentation),
    ):
        if name not in known:
            raise RecipeError(
                f'"{title}" cannot be "{name}"; it is one of {", ".join(known)}.'
                f"{closest(name, known)}"
            )
    if len({term.name for term in recipe.loss}) < len(recipe.loss):
        raise RecipeError('"Loss" names the same loss twice; give it a larger weight instead.')
    info = NETWORK_NAMES[network.name]
    if network.fusion not in info.fusions:
        raise RecipeError(
            f'"Fine detail" of {info.title} cannot be "{network.fusion}"; it is one of '
            f"{', '.join(info.fusions)}."
        )
    if "encoder" in info.fields:
        decoder_and_encoder(network.encoder)
    if "depth" in info.fields and recipe.patch_size < 2**network.depth * 2:
        raise RecipeError(
            f'"Patch size (pixels)" must be at least {2**network.depth * 2} for a network '
            f"of depth {network.depth}."
        )
    _check_planes(recipe)
    if info.is_fitted and recipe.objects != "components":
        raise RecipeError(
            f'"Single objects" of {info.title} can only be "components": it learns classes alone. '
            "Choose a network to have objects that touch kept apart."
        )
    if any(not 0 < share < 1 for share in recipe.milestones):
        raise RecipeError('"Milestones" must lie between 0 and 1.')
    for term in recipe.loss:
        _check_params("Loss", term.name, term.params, LOSS_NAMES)
    for step in recipe.preprocess:
        _check_params("Preprocessing", step.name, step.params, PREPROCESSING_NAMES)
    for change in recipe.augmentation:
        _check_params("Augmentation", change.name, change.params, AUGMENTATION_NAMES)
    return recipe


def _check_planes(recipe: Recipe) -> None:
    """Check what concerns volumes alone: planes seen at once, planes of a patch."""
    network, info = recipe.network, NETWORK_NAMES[recipe.network.name]
    if network.planes > 1 and not info.takes_planes:
        why = (
            "looks at whole volumes already; how many planes of them it learns from at once is "
            '"Patch depth (planes)"'
            if info.dimensions == 3
            else "looks at one plane at a time"
        )
        raise RecipeError(f'"Planes seen at once" must be 1: {info.title} {why}.')
    if network.planes % 2 == 0:
        raise RecipeError(
            '"Planes seen at once" must be an odd number, as many planes above the one that is '
            f"judged as below it; {network.planes - 1} or {network.planes + 1} would do."
        )
    # Fewer are filled up by their mirror image; more than half of the work would go there.
    least = 2 ** (network.depth - 1) if info.halves_planes else 1
    if recipe.patch_depth < least:
        raise RecipeError(
            f'"Patch depth (planes)" must be at least {least} for a network that halves planes '
            f"{network.depth} times."
        )


def _check_params(
    title: str, name: str, params: Mapping[str, float], choices: Mapping[str, Choice]
) -> None:
    known = choices[name].params
    for key, value in params.items():
        if key not in known:
            listed = f"it has {', '.join(known)}" if known else "it has none"
            raise RecipeError(
                f'{title} "{name}" has no value "{key}"; {listed}.{closest(key, known)}'
            )
        low, high = known[key].minimum, known[key].maximum
        if not low <= value <= high:
            raise RecipeError(
                f'"{key}" of {title.lower()} "{name}" must lie between {low:g} and {high:g}.'
            )


def _migrated(data: object) -> object:
    """A recipe of an earlier version as one of today's.

    Version 1 named its augmentation, ``"none"`` or ``"d4"``.
    """
    if not isinstance(data, dict) or data.get("version") != 1:
        return data
    named = data.get("augmentation", "d4")
    if isinstance(named, str):
        data = data | {"augmentation": [] if named == "none" else [{"name": named}]}
    return data | {"version": RECIPE_VERSION}


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
    if isinstance(version, int) and version < 1:
        raise RecipeError(f'"version" of a recipe is 1 to {RECIPE_VERSION}, not {version}.')
    try:
        return _check_meaning(msgspec.convert(_migrated(data), Recipe, strict=strict))
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
    return _decoded(msgspec.json.decode, "JSON", text)


def recipe_to_toml(recipe: Recipe) -> str:
    """The recipe as TOML text."""
    return msgspec.toml.encode(recipe).decode()


def recipe_from_toml(text: str | bytes) -> Recipe:
    """Read a recipe from TOML text.

    Raises
    ------
    RecipeError
        When the text is not TOML, or a field is missing, unknown, or out of range.
    """
    return _decoded(msgspec.toml.decode, "TOML", text)


def _decoded(decode: Callable[[str | bytes], object], language: str, text: str | bytes) -> Recipe:
    try:
        data = decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RecipeError(f"This recipe is not readable as {language}: {error}.") from error
    return recipe_from_builtins(data)


def load_recipe(name_or_path: str | Path) -> Recipe:
    """A preset by its name, or a recipe from a JSON or TOML file (by its ending).

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
            f"{', '.join(PRESETS)}.{closest(text, list(PRESETS))}"
        ) from None
    except OSError as error:
        raise RecipeError(f'The recipe "{text}" could not be read: {error.strerror}.') from error
    try:
        is_toml = path.suffix.casefold() == ".toml"
        return recipe_from_toml(content) if is_toml else recipe_from_json(content)
    except RecipeError as error:
        raise RecipeError(f'The recipe file "{path.name}" cannot be used. {error}') from error
