"""The grid of a study, spelt out: one cell a run, each with its recipe, its name and a lasting id.

What cannot be trained is found here, before anything starts, with the reason.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from orgseg_app.runs.errors import RecipeError
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.reading import (
    check_recipe,
    recipe_from_builtins,
    recipe_to_builtins,
)
from orgseg_app.runs.recipes.relevance import idle_fields
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.settings import with_settings
from orgseg_app.runs.studies.definition import (
    AxisChoice,
    Study,
    StudyError,
    settings_text,
    titles,
)

Places = tuple[tuple[str, str], ...]
"""Key of each axis with the name of the place on it."""

_SEEDS = 2**31


@dataclass(frozen=True)
class Cell:
    """One run of a study.

    Attributes
    ----------
    cell_id : str
        12 hex digits of what it trains: the same recipe on the same part has the same id, in this
        study and in a longer one.
    number : int
        1 for the first.
    places : tuple of (str, str)
        Where it lies on each axis; the same for all repeats of a combination.
    recipe : Recipe
        With its seed.
    repeat : int
        Which of the seeds, from 0.
    fold : int or None
        Which part is held out, from 0; None where the project's splits count.
    """

    cell_id: str
    number: int
    places: Places
    recipe: Recipe
    repeat: int = 0
    fold: int | None = None

    @property
    def title(self) -> str:
        """The combination and the repeat, in one line."""
        parts = [titles(self.places)] if self.places else []
        parts.append(f"seed {self.repeat + 1}")
        parts += [f"fold {self.fold + 1}"] if self.fold is not None else []
        return " · ".join(parts)


@dataclass(frozen=True)
class Refused:
    """A combination that is not trained, and why."""

    places: Places
    reason: str


@dataclass(frozen=True)
class Grid:
    """All cells of a study in the order in which they are trained, and what is left out.

    Repeats are the slowest to change: a study that is stopped early has one run of each combination
    before it has two of any.
    """

    cells: tuple[Cell, ...]
    refused: tuple[Refused, ...] = ()


def spell_out(study: Study) -> Grid:
    """The grid of a study.

    Raises
    ------
    StudyError
        When fewer than two runs are left.
    """
    combinations: dict[str, tuple[Places, Recipe]] = {}
    refused: list[Refused] = []
    for places, chosen in _combinations(study):
        try:
            recipe = _recipe_at(study, chosen)
        except RecipeError as error:
            refused.append(Refused(places, str(error)))
            continue
        key = _essence(recipe)
        if key in combinations:
            other = titles(combinations[key][0])
            reason = (
                f'It trains the same as "{other}": '
                f"{NETWORK_NAMES[recipe.network.name].title} heeds no other value here."
            )
            refused.append(Refused(places, reason))
            continue
        combinations[key] = places, recipe
    cells = tuple(_cells(study, list(combinations.values())))
    if len(cells) < 2:
        why = f" {refused[0].reason}" if refused else ""
        raise StudyError(f"Fewer than two runs of this study can be trained.{why}")
    return Grid(cells, tuple(refused))


def _combinations(study: Study) -> Iterator[tuple[Places, list[AxisChoice]]]:
    for chosen in itertools.product(*(axis.places for axis in study.axes)):
        places = zip(study.axes, chosen, strict=True)
        yield tuple((axis.key, place.name) for axis, place in places), list(chosen)


def _recipe_at(study: Study, chosen: Sequence[AxisChoice]) -> Recipe:
    """The recipe of one combination.

    Raises
    ------
    RecipeError
        When it cannot be trained here.
    """
    # One call: a value may only fit together with that of another axis.
    texts = [text for place in chosen for text in settings_text(place.settings)]
    recipe = check_recipe(with_settings(study.recipe, texts))
    network = NETWORK_NAMES[recipe.network.name]
    if not network.is_installed:
        raise RecipeError(f'The optional library for "{network.title}" is not installed.')
    return recipe


def _cells(study: Study, combinations: Sequence[tuple[Places, Recipe]]) -> Iterator[Cell]:
    folds: list[int | None] = [*range(study.folds)] if study.folds else [None]
    number = itertools.count(1)
    for repeat, fold in itertools.product(range(study.seeds), folds):
        for places, recipe in combinations:
            own = msgspec.structs.replace(recipe, seed=(recipe.seed + repeat) % _SEEDS)
            text = f"{_essence(own)} {fold} {study.folds}"
            cell_id = hashlib.sha256(text.encode()).hexdigest()[:12]
            yield Cell(cell_id, next(number), places, own, repeat, fold)


def _essence(recipe: Recipe) -> str:
    """What a recipe trains, as text: the same where only its name or fields without effect differ.

    Examples
    --------
    >>> a, b = (Recipe(name="x", decay_steps=n) for n in (5, 6))  # no steps: the schedule is cosine
    >>> _essence(a) == _essence(b)
    True
    """
    network = recipe.network.name
    idle = idle_fields(network, schedule=recipe.schedule, class_weights=recipe.class_weights) - {
        "name",
        "about",
    }
    data = recipe_to_builtins(recipe)
    for info in recipe_fields():
        if info.path in idle or info.path == "about":
            group, _, leaf = info.path.rpartition(".")
            target: dict[str, Any] = data[group] if group else data
            target[leaf] = None
    data["name"] = network
    return msgspec.json.encode(data, order="sorted").decode()


def cell_to_builtins(cell: Cell) -> dict[str, Any]:
    """A cell, ready for JSON."""
    return {
        "id": cell.cell_id,
        "number": cell.number,
        "places": [list(place) for place in cell.places],
        "recipe": recipe_to_builtins(cell.recipe),
        "repeat": cell.repeat,
        "fold": cell.fold,
    }


def cell_from_builtins(data: Any) -> Cell:
    """A cell from what `cell_to_builtins` gave.

    Raises
    ------
    RecipeError
        When the recipe cannot be read by this version.
    KeyError, TypeError, ValueError
        When something else is damaged.
    """
    fold = data["fold"]
    return Cell(
        cell_id=str(data["id"]),
        number=int(data["number"]),
        places=tuple((str(key), str(name)) for key, name in data["places"]),
        recipe=recipe_from_builtins(data["recipe"]),
        repeat=int(data["repeat"]),
        fold=None if fold is None else int(fold),
    )
