"""Recipes in sentences for a paper: what all runs share is said once, what differs of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from orgseg_app.runs.recipes.choice import Choice
from orgseg_app.runs.recipes.choices import AUGMENTATION_NAMES, PREPROCESSING_NAMES
from orgseg_app.runs.recipes.losses import LOSS_NAMES
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.objects import OBJECT_NAMES
from orgseg_app.runs.recipes.optimisation import (
    CLASS_WEIGHT_NAMES,
    OPTIMISER_NAMES,
    SAMPLING_NAMES,
    SCHEDULE_NAMES,
)
from orgseg_app.runs.recipes.schema import LossTerm, PreprocessStep, Recipe
from orgseg_app.runs.reporting.sentences import listed, some_runs

Named = Sequence[tuple[str, Recipe]]
"""Name of a run, or "", and its recipe."""


def preprocessing_sentence(runs: Named) -> str:
    """What every image goes through, with all numbers."""

    def words(recipe: Recipe) -> str:
        return ", then ".join(
            _inside(PREPROCESSING_NAMES, step.name) + _params(PREPROCESSING_NAMES, step)
            for step in recipe.preprocess
        )

    return _told(runs, words, "Every image went through: {}.")


def network_sentence(runs: Named) -> str:
    """The architectures and their sizes."""

    def words(recipe: Recipe) -> str:
        network = NETWORK_NAMES[recipe.network.name]
        fields = [
            f"{name} {getattr(recipe.network, name)}"
            for name in ("depth", "width")
            if name in network.fields
        ]
        text = network.title + (f" ({', '.join(fields)})" if fields else "")
        if recipe.network.planes > 1:
            text += f" on {recipe.network.planes} neighbouring planes"
        if recipe.objects != "components":
            text += f", objects kept apart by {OBJECT_NAMES[recipe.objects].title.lower()}"
        return text

    return _told(runs, words, "The network was {}.")


def training_sentences(runs: Named) -> str:
    """Loss, augmentation, optimiser, budget and seeds; "" where nothing is learnt by steps."""
    learnt = [(n, r) for n, r in runs if not NETWORK_NAMES[r.network.name].is_fitted]
    if not learnt:
        return ""
    parts = [
        _told(learnt, _loss_words, "The loss was {}."),
        _told(learnt, _augmentation_words, "Patches were augmented by {}."),
        _told(learnt, _drawn_words, "Patches were drawn {}."),
        _told(learnt, _optimiser_words, "The optimiser was {}."),
        _told(learnt, _budget_words, "A training took {}."),
    ]
    seeds = [str(seed) for seed in sorted({recipe.seed for _, recipe in learnt})]
    if len(seeds) == 1:
        parts.append(f"Random numbers began with seed {seeds[0]}.")
    else:
        shown = f"seeds {listed(seeds)}" if len(seeds) < 9 else f"{len(seeds)} seeds"
        parts.append(f"Random numbers began with {shown}.")
    return " ".join(parts)


def _loss_words(recipe: Recipe) -> str:
    return " + ".join(
        (f"{term.weight:g} × " if term.weight != 1 else "")
        + _inside(LOSS_NAMES, term.name)
        + _params(LOSS_NAMES, term)
        for term in recipe.loss
    )


def _augmentation_words(recipe: Recipe) -> str:
    return (
        ", ".join(_inside(AUGMENTATION_NAMES, step.name) for step in recipe.augmentation)
        or "nothing"
    )


def _drawn_words(recipe: Recipe) -> str:
    weights = _inside(CLASS_WEIGHT_NAMES, recipe.class_weights)
    return f"{_inside(SAMPLING_NAMES, recipe.sampling)}, with class weights {weights}"


def _optimiser_words(recipe: Recipe) -> str:
    optimiser = _title(OPTIMISER_NAMES, recipe.optimiser).partition(",")[0]
    text = f"{optimiser} with a learning rate of {recipe.learning_rate:g}"
    if recipe.schedule != "constant":
        text += f" (schedule: {_title(SCHEDULE_NAMES, recipe.schedule).lower()})"
    if recipe.weight_decay:
        text += f" and a weight decay of {recipe.weight_decay:g}"
    return text + (f", weights averaged with {recipe.ema:g}" if recipe.ema else "")


def _budget_words(recipe: Recipe) -> str:
    side = f"{recipe.patch_size} × {recipe.patch_size}"
    if NETWORK_NAMES[recipe.network.name].dimensions == 3:
        side = f"{recipe.patch_depth} × {side}"
    text = f"at most {recipe.steps:,} steps of {recipe.batch_size} patches of {side} voxels"
    if recipe.max_minutes:
        unit = "minute" if recipe.max_minutes == 1 else "minutes"
        text += f", and at most {recipe.max_minutes:g} {unit}"
    return text + (
        f"; every {recipe.validate_every} steps the validation images were scored, and the best "
        "state was kept"
    )


def _told(runs: Named, words: Callable[[Recipe], str], sentence: str) -> str:
    """One sentence where all recipes are alike, else what each group of runs has."""
    groups: dict[str, list[str]] = {}
    for name, recipe in runs:
        groups.setdefault(words(recipe), []).append(name)
    if len(groups) == 1:
        return sentence.format(next(iter(groups)))
    said = "; ".join(f"{text} ({some_runs(names)})" for text, names in groups.items())
    return sentence.format(said)


def _title(choices: Mapping[str, Choice], name: str) -> str:
    return choices[name].title if name in choices else name


def _inside(choices: Mapping[str, Choice], name: str) -> str:
    """A title inside a sentence: without a capital, but for abbreviations."""
    title = _title(choices, name)
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]


def _params(choices: Mapping[str, Choice], step: PreprocessStep | LossTerm) -> str:
    """All its numbers, those that were left as they are, too."""
    known = choices[step.name].params if step.name in choices else {}
    values = {name: parameter.default for name, parameter in known.items()} | dict(step.params)
    listed = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in values.items())
    return f" ({listed})" if listed else ""
