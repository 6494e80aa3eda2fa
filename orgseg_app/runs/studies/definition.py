"""What a study is: a question, a recipe, and the settings whose values are tried in every
combination.

Written as TOML by hand, frozen as JSON with the study. Seeds and folds are repeats of every
combination, not axes: they say how much is luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from orgseg_app import paths
from orgseg_app.runs.errors import RecipeError, RunError
from orgseg_app.runs.folds import MOST_FOLDS
from orgseg_app.runs.recipes.choice import closest
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.reading import load_recipe, recipe_from_builtins, recipe_to_builtins
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.seeds import MOST_SEEDS

STUDY_VERSION = 1
MOST_CELLS = 500
"""Runs of a study, repeats included."""

MOST_AXES, MOST_VALUES = 6, 50
_REPEATS = {"seed": "seeds", "seeds": "seeds", "fold": "folds", "folds": "folds"}
_NOT_VARIED = ("name", "about", "version")

Scalar = str | int | float | bool
"""A value of a setting, as ``--set`` takes it, or as TOML has it."""


class StudyError(RunError):
    """A study cannot be used as it is; the message says why and what to do."""


class AxisChoice(Struct, frozen=True, forbid_unknown_fields=True):
    """One place on an axis that changes several settings at once, under a name.

    Attributes
    ----------
    name : str
        As shown in tables.
    settings : dict
        Path of a field of the recipe → value.
    """

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    settings: Annotated[dict[str, Scalar], Meta(min_length=1, max_length=40)]


class Axis(Struct, frozen=True, forbid_unknown_fields=True):
    """What is varied.

    Attributes
    ----------
    key : str
        With `values`, the path of a field of the recipe, such as ``loss`` or ``network.name``. With
        `choices`, what they are called together.
    values : tuple
        Each as ``--set`` takes it: ``"clahe:clip_limit=3+zscore"``, ``32``.
    choices : tuple of AxisChoice
        In place of values.
    """

    key: Annotated[str, Meta(min_length=1, max_length=60)]
    values: Annotated[tuple[Scalar, ...], Meta(max_length=MOST_VALUES)] = ()
    choices: Annotated[tuple[AxisChoice, ...], Meta(max_length=MOST_VALUES)] = ()

    @property
    def places(self) -> tuple[AxisChoice, ...]:
        """All places on the axis, each with its name and its settings."""
        if self.choices:
            return self.choices
        path = _field_path(self.key)
        return tuple(AxisChoice(_word(value), {path: value}) for value in self.values)


class Study(Struct, frozen=True, kw_only=True):
    """A question to training, and everything it takes to answer it except the data.

    Attributes
    ----------
    name, question, source : str
        As shown; who asked it first, where.
    recipe : Recipe
        What all runs share.
    axes : tuple of Axis
        None where only seeds or folds are tried.
    seeds : int
        Runs of every combination, begun with different weights: 1 to `MOST_SEEDS`.
    folds : int
        So many parts are held out in turn, in every combination; 0 for the project's own splits.
    score : str
        What ranks the combinations, on the validation images: ``"mean_iou"`` or ``"mean_dice"``.
    version : int
    """

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    recipe: Recipe
    axes: Annotated[tuple[Axis, ...], Meta(max_length=MOST_AXES)] = ()
    question: Annotated[str, Meta(max_length=500)] = ""
    source: Annotated[str, Meta(max_length=500)] = ""
    seeds: Annotated[int, Meta(ge=1, le=MOST_SEEDS)] = 1
    folds: Annotated[int, Meta(ge=0, le=MOST_FOLDS)] = 0
    score: Literal["mean_iou", "mean_dice"] = "mean_iou"
    version: int = STUDY_VERSION

    @property
    def combinations(self) -> int:
        """Places of the grid, repeats not counted."""
        count = 1
        for axis in self.axes:
            count *= len(axis.places)
        return count

    @property
    def size(self) -> int:
        """Runs it takes, when all combinations can be trained."""
        return self.combinations * self.seeds * max(1, self.folds)


def _word(value: Scalar) -> str:
    """A value as it is written: ``32``, ``0.001``, ``true``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _field_path(key: str) -> str:
    """The path of a recipe's field, from a key as ``--set`` takes it."""
    return {"network": "network.name"}.get(key, key)


def settings_text(settings: Mapping[str, Scalar]) -> list[str]:
    """Settings as ``--set`` takes them: ``["network.width=32"]``."""
    return [f"{path}={_word(value)}" for path, value in settings.items()]


def check_study(study: Study) -> Study:
    """Check what types alone cannot, and give the study back.

    Raises
    ------
    StudyError
        With a sentence.
    """
    if study.folds == 1:
        raise StudyError(f'"folds" is 0 (the project\'s own splits) or 2 to {MOST_FOLDS}, not 1.')
    seen: dict[str, str] = {}
    for axis in study.axes:
        _check_axis(axis)
        for path in {path for place in axis.places for path in place.settings}:
            if path in seen:
                raise StudyError(
                    f'"{path}" is set by two axes, "{seen[path]}" and "{axis.key}". Leave one out.'
                )
            seen[path] = axis.key
    keys = [axis.key for axis in study.axes]
    if len(set(keys)) < len(keys):
        raise StudyError("Two axes have the same key; give one of them another.")
    if study.size < 2:
        raise StudyError(
            "A study of one run answers nothing. Give an axis at least two values, or ask for "
            "several seeds or folds."
        )
    if study.size > MOST_CELLS:
        parts = [str(len(axis.places)) for axis in study.axes]
        parts += [f"{study.seeds} seeds"] if study.seeds > 1 else []
        parts += [f"{study.folds} folds"] if study.folds else []
        raise StudyError(
            f"{' × '.join(parts)} are {study.size:,} runs; a study has at most {MOST_CELLS}. Leave "
            "out values, or make two studies of it."
        )
    return study


def _check_axis(axis: Axis) -> None:
    if repeats := _REPEATS.get(axis.key):
        raise StudyError(
            f'"{axis.key}" is no axis: seeds and folds repeat every combination. Write '
            f"{repeats} = 3 beside the axes."
        )
    if bool(axis.values) == bool(axis.choices):
        raise StudyError(
            f'The axis "{axis.key}" needs values = [...], or choices with names and settings: one '
            "of them."
        )
    known = [info.path for info in recipe_fields()]
    for place in axis.places:
        for path in place.settings:
            if path in (*_REPEATS, *_NOT_VARIED):
                raise StudyError(f'"{path}" cannot be an axis of a study.')
            if path not in known:
                raise StudyError(f'A recipe has no field "{path}".{closest(path, known)}')
    names = [place.name for place in axis.places]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise StudyError(f'The axis "{axis.key}" has "{twice[0]}" twice.')
    if len(names) < 2:
        raise StudyError(
            f'The axis "{axis.key}" has one value. Give it another, or put it into the recipe.'
        )


# Reading and writing


def study_from_builtins(data: object) -> Study:
    """Build and check a study from dicts and lists.

    ``recipe`` is a preset's name, a recipe file's path, or a recipe as a table; ``settings`` beside
    it changes fields for all runs.

    Raises
    ------
    StudyError, RecipeError
        With a sentence that names what cannot be.
    """
    if not isinstance(data, dict):
        raise StudyError("A study is a table with name, recipe and axes.")
    version = data.get("version", STUDY_VERSION)
    if isinstance(version, int) and version > STUDY_VERSION:
        raise StudyError(
            f"This study was written by a newer version of OrgSeg (study version {version}; this "
            f"one knows {STUDY_VERSION}). Update OrgSeg to use it."
        )
    known = [*Study.__struct_fields__, "settings"]
    for key in data:
        if key not in known:
            raise StudyError(f'A study has no "{key}".{closest(str(key), known)}')
    rest = {key: value for key, value in data.items() if key not in ("recipe", "settings")}
    recipe = _recipe_of(data.get("recipe"), data.get("settings"))
    rest |= {"recipe": recipe_to_builtins(recipe), "axes": _flat_axes(data.get("axes", []))}
    try:
        study = msgspec.convert(rest, Study)
    except msgspec.ValidationError as error:
        raise StudyError(_sentence(str(error))) from error
    return check_study(study)


def _recipe_of(asked: object, settings: object) -> Recipe:
    if asked is None:
        raise StudyError(
            'The study lacks a recipe: recipe = "fast", for example; see: orgseg recipes'
        )
    recipe = load_recipe(asked) if isinstance(asked, str) else recipe_from_builtins(asked)
    if settings is None:
        return recipe
    if not isinstance(settings, dict):
        raise StudyError("The settings of a study are a table, for example steps = 200.")
    texts = [f"{path}={_word(value)}" for path, value in _flat(settings).items()]
    return with_settings(recipe, texts)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Scalar]:
    """``{"network": {"width": 8}}`` as ``{"network.width": 8}``: what TOML makes of bare dots."""
    found: dict[str, Scalar] = {}
    for key, value in settings.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (str, int, float, bool)):
            found[prefix + key] = value
        else:
            raise StudyError(
                f'The setting "{prefix}{key}" is one value, written as --set takes it.'
            )
    return found


def _flat_axes(axes: object) -> object:
    """The axes with the settings of their choices flat."""
    if not isinstance(axes, list):
        return axes
    for axis in axes:
        choices = axis.get("choices") if isinstance(axis, dict) else None
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and isinstance(choice.get("settings"), dict):
                choice["settings"] = _flat(choice["settings"])
    return axes


def _sentence(message: str) -> str:
    """A message of msgspec, with the place in the study."""
    text, _, path = message.partition(" - at `$")
    place = path.rstrip("`").removeprefix(".")
    text = text.replace("`", "").replace("array", "list").replace("object", "table")
    if place.startswith(("version", "name", "question", "score", "seeds", "folds", "axes")):
        return f'"{place}" of the study does not fit. {text[:1].upper()}{text[1:]}.'
    return f"The study cannot be used. {text}."


def study_to_builtins(study: Study) -> dict[str, Any]:
    """The study as dicts and lists, ready for JSON."""
    data: dict[str, Any] = msgspec.to_builtins(study)
    return data


def study_to_toml(study: Study) -> str:
    """The study as TOML text; a recipe that is a preset as its name."""
    data = study_to_builtins(study)
    if PRESETS.get(study.recipe.name) == study.recipe:
        data["recipe"] = study.recipe.name
    axes = data.pop("axes")
    # An axis has values or choices; the other is left out.
    data["axes"] = [{key: value for key, value in axis.items() if value} for axis in axes]
    return msgspec.toml.encode(data).decode()


def study_from_toml(text: str | bytes) -> Study:
    """Read a study from TOML text.

    Raises
    ------
    StudyError, RecipeError
        When the text is not TOML, or something is missing, unknown or out of range.
    """
    try:
        data = msgspec.toml.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StudyError(f"This study is not readable as TOML: {error}.") from error
    return study_from_builtins(data)


def ready_made() -> dict[str, Path]:
    """The studies that come with OrgSeg: name → TOML file."""
    folder = paths.resources_dir() / "studies"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def load_study(name_or_path: str | Path) -> Study:
    """A ready-made study by its name, or one from a TOML file.

    Raises
    ------
    StudyError
        When there is neither, or the file cannot be used.
    """
    text, known = str(name_or_path), ready_made()
    path = known.get(text, Path(name_or_path))
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise StudyError(
            f'There is no study "{text}", neither a ready-made one nor a file; ready-made are '
            f"{', '.join(known) or 'none'}.{closest(text, list(known))}"
        ) from None
    except OSError as error:
        raise StudyError(f'The study "{text}" could not be read: {error.strerror}.') from error
    try:
        return study_from_toml(content)
    except (StudyError, RecipeError) as error:
        raise StudyError(f'The study file "{path.name}" cannot be used. {error}') from error


def titles(places: Sequence[tuple[str, str]]) -> str:
    """A combination in one line; a bare number with the end of its key.

    Examples
    --------
    >>> titles([("preprocess", "clahe"), ("network.depth", "2")])
    'clahe · depth 2'
    """
    return " · ".join(
        f"{key.rpartition('.')[2].replace('_', ' ')} {name}" if _is_bare(name) else name
        for key, name in places
    )


def _is_bare(name: str) -> bool:
    return name in ("true", "false") or name.replace(".", "").replace("e-", "").isdigit()
