"""What the table of runs tells of a run beside its scores: settings, kind, device, cost. No Qt."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orgseg_app.runs.model_facts import FACTS, ModelFacts, count_text, seconds_text
from orgseg_app.runs.recipes.fields import recipe_fields
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.recipes.wording import augmentation_text, loss_text, steps_text

Value = float | str | None

KINDS = {
    "train": "single",
    "ensemble": "ensemble",
    "imported": "imported",
    "annotation": "second annotation",
}
"""Kinds of runs in the words of the table."""

UNTOLD = ("name", "about")
"""Fields of a recipe that are no settings."""


@dataclass(frozen=True)
class FactInfo:
    """One fact that a column can show.

    Attributes
    ----------
    key, title, tip : str
    is_number : bool
        Sorted, and averaged, as a number.
    """

    key: str
    title: str
    tip: str
    is_number: bool = True


RUN_FACTS = (
    FactInfo("kind", "Kind", "A single model, an ensemble, or made elsewhere", is_number=False),
    FactInfo("seconds", "Training time", "Time to train; of an ensemble, all its members"),
    FactInfo("device", "Device", "What it was scored on", is_number=False),
    *(FactInfo(f"model/{item.name}", item.title, item.about) for item in FACTS),
)
"""In the order of the menu."""

_MODEL_FACTS = {f"model/{item.name}": item for item in FACTS}


@dataclass(frozen=True)
class RowFacts:
    """Facts of one run.

    Attributes
    ----------
    settings : mapping
        Path of a recipe's field → number, or words; none for runs without a recipe.
    kind : str
        Of `KINDS`.
    seconds : float or None
        Time to train.
    model : ModelFacts or None
        As its job measured them.
    training : str
        The same for repeats of one training, see `runs.repeats`; else the run's id.
    """

    settings: Mapping[str, float | str]
    kind: str = ""
    seconds: float | None = None
    model: ModelFacts | None = None
    training: str = ""

    def value(self, key: str) -> Value:
        """One of `RUN_FACTS`, as a number or as words."""
        if key == "kind":
            return self.kind
        if key == "seconds":
            return self.seconds
        if self.model is None:
            return None
        if key == "device":
            return self.model.device or None
        value = _MODEL_FACTS[key].value(self.model)
        return None if value is None else float(value)

    def text(self, key: str) -> str:
        """The same for people, with the unit."""
        if key == "seconds":
            return seconds_text(self.seconds)
        if self.model is not None and key in _MODEL_FACTS:
            return _MODEL_FACTS[key].text(self.model)
        value = self.value(key)
        return "–" if value is None else str(value)


def mean_text(key: str, value: float) -> str:
    """The mean of a fact over several runs, for people."""
    if key == "seconds":
        return seconds_text(value)
    unit = _MODEL_FACTS[key].unit if key in _MODEL_FACTS else ""
    return f"{value:.3g} {unit}" if unit else count_text(value)


def settings_of(recipe: Recipe | None) -> dict[str, float | str]:
    """Every field of a recipe as a number, or in the words of the table."""
    if recipe is None:
        return {}
    texts = {
        "loss": loss_text(recipe),
        "preprocess": steps_text(recipe),
        "augmentation": augmentation_text(recipe),
    }
    found: dict[str, float | str] = {}
    for path, names in _paths():
        value: Any = texts.get(path)
        if value is None:
            value = recipe
            for name in names:
                value = getattr(value, name)
        found[path] = _plain(value)
    return found


def differing(all_settings: Sequence[Mapping[str, float | str]]) -> dict[str, float | str]:
    """Fields in which not all runs are alike, in the order of the form → the most common value."""
    told = [settings for settings in all_settings if settings]
    found: dict[str, float | str] = {}
    for path, _ in _paths():
        values = Counter(settings.get(path, "") for settings in told)
        if len(values) > 1:
            found[path] = values.most_common(1)[0][0]
    return found


@functools.cache
def titles() -> dict[str, str]:
    """Path of each field → its title."""
    return {info.path: info.title for info in recipe_fields() if info.path not in UNTOLD}


@functools.cache
def descriptions() -> dict[str, str]:
    """Path of each field → what it is."""
    return {info.path: info.description for info in recipe_fields() if info.path not in UNTOLD}


@functools.cache
def _paths() -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((path, tuple(path.split("."))) for path in titles())


def _plain(value: Any) -> float | str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number:g}" for name, number in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(f"{item:g}" if isinstance(item, float) else str(item) for item in value)
    return str(value).replace("_", " ").replace("+", " + ")
