"""Several seeds: the same training over and over, each beginning with other random weights.

How good a network gets depends on chance; several show how much, and decide better together
(`orgseg_app.runs.ensembles`).
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.recipes.schema import Recipe
from orgseg_app.runs.training import prepare_training

if TYPE_CHECKING:
    from orgseg_app.core.weighting.mistakes import CorrectionSettings
    from orgseg_app.files.project_file import ProjectFile

MOST_SEEDS = 20


def check_seeds(seeds: int) -> None:
    """Whether so many seeds can be trained.

    Raises
    ------
    RunError
        With a sentence, when there are too few or too many.
    """
    if not 2 <= seeds <= MOST_SEEDS:
        raise RunError(f"Choose 2 to {MOST_SEEDS} seeds, not {seeds}.")


def prepare_seeds(
    project_file: ProjectFile,
    recipe: Recipe,
    seeds: int,
    name: str | None = None,
    *,
    start_from: RunFolder | Path | None = None,
    blocks: bool = False,
    corrections: CorrectionSettings | None = None,
    preview_images: Sequence[str] = (),
) -> list[RunFolder]:
    """Check a training and make one run folder a seed, counted up from the recipe's.

    Parameters
    ----------
    project_file, recipe, start_from, blocks, corrections, preview_images
        As in `runs.training.prepare_training`; the same for all.
    seeds : int
        2 to `MOST_SEEDS`.
    name : str, optional
        The runs are called ``"name seed 1 of 3"``; the recipe's name without one.

    Returns
    -------
    list of RunFolder
        Not started. Their requests name each other under ``seeds``: group, number, of.

    Raises
    ------
    RunError
        With a sentence, when the project cannot be trained on or the disk refuses; nothing is left.
    """
    check_seeds(seeds)
    group = uuid.uuid4().hex[:12]
    made: list[RunFolder] = []
    try:
        for number in range(seeds):
            made.append(
                prepare_training(
                    project_file,
                    msgspec.structs.replace(recipe, seed=(recipe.seed + number) % 2**31),
                    f"{name or recipe.name} seed {number + 1} of {seeds}",
                    start_from=start_from,
                    blocks=blocks,
                    corrections=corrections,
                    preview_images=preview_images,
                    extra={"seeds": {"group": group, "number": number + 1, "of": seeds}},
                )
            )
    except BaseException:
        for run in made:
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    return made


def seed_group(run: RunFolder) -> str:
    """Which seeds a run belongs to; "" for a run by itself."""
    found = run.request.get("seeds")
    group = found.get("group") if isinstance(found, dict) else None
    return group if isinstance(group, str) else ""
