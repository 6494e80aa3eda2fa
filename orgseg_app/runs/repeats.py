"""Which runs are repeats: the same training with another seed, and nothing else.

Repeats tell how much is luck of the beginning; they are no further models, and no further images.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.seeds import seed_group

_SEED_WORDS = re.compile(r"[\s·,]*\bseed \d+( of \d+)?| \d+(?=: )")
"""What seeds and runs of a study have in their names: "seed 1 of 3", "study 4: loss dice"."""

_PER_RUN = ("seed", "name", "about")
"""Fields of a recipe in which repeats may differ."""


def repeats(runs: Sequence[RunFolder]) -> list[list[RunFolder]]:
    """Put runs that repeat one another together.

    Runs are repeats that were started as seeds of one training, that are one combination of a study
    in the same fold, or whose recipes differ in the seed alone while they learnt from the same
    masks. Two runs with the same seed are not: one of them was made for another reason.

    Returns
    -------
    list of list of RunFolder
        Each run once, groups in the order of their first run.
    """
    groups: dict[str, list[RunFolder]] = {}
    for run in runs:
        groups.setdefault(_training(run), []).append(run)
    found: list[list[RunFolder]] = []
    for group in groups.values():
        seeds = {_seed(run) for run in group}
        found += [group] if len(seeds) == len(group) else [[run] for run in group]
    place = {run.run_id: number for number, run in enumerate(runs)}
    return sorted(found, key=lambda group: place[group[0].run_id])


def name_of_repeats(names: Sequence[str]) -> str:
    """What repeats are called together.

    >>> name_of_repeats(["wide seed 1 of 2", "wide seed 2 of 2"])
    'wide (2 seeds)'
    >>> name_of_repeats(["study 4: loss dice · seed 1", "study 9: loss dice · seed 2"])
    'study: loss dice (2 seeds)'
    """
    if len(names) == 1:
        return names[0]
    stems = {_SEED_WORDS.sub("", name).strip() or name for name in names}
    stem = stems.pop() if len(stems) == 1 else names[0]
    return f"{stem} ({len(names)} seeds)"


def _training(run: RunFolder) -> str:
    """What is the same in all repeats of a training; of a run without any, its id."""
    request: Mapping[str, Any] = run.request
    if group := seed_group(run):
        return f"seeds {group}"
    study, recipe = request.get("study"), request.get("recipe")
    if isinstance(study, dict):
        return json.dumps([study.get(name) for name in ("id", "places", "fold")])
    # What a run that goes on from a model learnt before is not in its recipe.
    is_fresh = not run.start_path.exists() and "corrections" not in request
    if request.get("kind") != "train" or not isinstance(recipe, dict) or not is_fresh:
        return run.run_id
    same = {name: value for name, value in recipe.items() if name not in _PER_RUN}
    facts = [request.get(name) for name in ("classes", "images", "split")]
    return json.dumps([same, *facts], sort_keys=True)


def _seed(run: RunFolder) -> object:
    """A run without a recipe differs from every other."""
    recipe = run.request.get("recipe")
    return recipe.get("seed", 0) if isinstance(recipe, dict) else run.run_id
