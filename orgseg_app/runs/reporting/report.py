"""All that a report of a comparison tells, put together once: every format is written from this."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orgseg_app import __version__
from orgseg_app.core.metrics.resampling import interval_of_mean
from orgseg_app.core.metrics.statistics import FEWEST_IMAGES
from orgseg_app.runs.comparison import Comparison, RunScores, scored_by
from orgseg_app.runs.folder import RunFolder, list_runs
from orgseg_app.runs.pairs import Pair, pairs_of
from orgseg_app.runs.reporting.curves import LearningCurve, learning_curves
from orgseg_app.runs.reporting.examples import Example, examples_of
from orgseg_app.runs.reporting.methods import Methods, methods_of
from orgseg_app.runs.reporting.model_card import ModelCard, model_card
from orgseg_app.runs.reporting.repeated import Repeated, repeated_of
from orgseg_app.runs.reporting.standing import Standing, standings

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile


@dataclass(frozen=True)
class Entry:
    """One run in the order of the report.

    Attributes
    ----------
    run : RunScores
    standing : Standing
    mean_of_images : float or None
        Mean of the common images' own mean IoU.
    interval : (float, float) or None
        That holds this mean over all such images in 95 of 100 cases; None with few images.
    """

    run: RunScores
    standing: Standing
    mean_of_images: float | None
    interval: tuple[float, float] | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "id": self.run.run_id,
            "name": self.run.name,
            **self.standing.to_dict(),
            "mean_of_images": self.mean_of_images,
            "interval": None if self.interval is None else list(self.interval),
        }


@dataclass(frozen=True)
class Report:
    """A comparison, and all around it.

    Attributes
    ----------
    title : str
    project : str
        Name of its file; "" where not known.
    comparison : Comparison
        Where all scores are from.
    entries : tuple of Entry
        The best first, runs that are not ranked last.
    pairs : tuple of Pair
    cards : tuple of ModelCard
    methods : Methods
    curves : tuple of LearningCurve
    examples : tuple of Example
    differs : mapping of str to str
        Id of a run → its values of the settings in which the runs are not all alike.
    baseline : mapping
        What a plain threshold scores; empty where nobody looked.
    repeated : tuple of Repeated
        Trainings with repeats put together, the best first; none where nothing was repeated.
    made : datetime
        When it was put together.
    """

    title: str
    project: str
    comparison: Comparison
    entries: tuple[Entry, ...]
    pairs: tuple[Pair, ...]
    cards: tuple[ModelCard, ...]
    methods: Methods
    curves: tuple[LearningCurve, ...] = ()
    examples: tuple[Example, ...] = ()
    differs: Mapping[str, str] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    repeated: tuple[Repeated, ...] = ()
    made: datetime = field(default_factory=lambda: datetime.now().astimezone())

    @property
    def ranked(self) -> list[Entry]:
        """Entries with a rank."""
        return [entry for entry in self.entries if entry.standing.rank is not None]

    def to_dict(self) -> dict[str, Any]:
        """``compare.json`` and all that the report adds."""
        return self.comparison.to_dict() | {
            "baseline": dict(self.baseline),
            "report": {
                "title": self.title,
                "project": self.project,
                "made": self.made.isoformat(timespec="seconds"),
                "orgseg": __version__,
            },
            "ranking": [entry.to_dict() for entry in self.entries],
            "repeats": [one.to_dict() for one in self.repeated],
            "learning_curves": [curve.to_dict() for curve in self.curves],
            "methods": self.methods.to_dict(),
            "model_cards": [card.to_dict() for card in self.cards],
        }


def make_report(
    comparison: Comparison,
    runs: Sequence[RunFolder],
    *,
    project_file: ProjectFile | None = None,
    baseline: Mapping[str, Any] | None = None,
    with_pictures: bool = True,
    progress: Callable[[int, int, str], bool] = lambda done, total, text: True,
) -> Report:
    """Put a report together.

    Parameters
    ----------
    comparison
        What it is about.
    runs
        Folders of its runs, in any order; others are passed over.
    project_file
        Images, pixel sizes and predictions are looked up there; without it there are no pictures.
    baseline
        From `runs.baseline.threshold_baseline`.
    with_pictures
        Whether the best and worst images are shown.
    progress
        Called with what is done, how much there is, and what comes; False leaves out the pictures.
    """
    by_id = {run.run_id: run for run in runs}
    stands = standings(comparison)
    shared = _shared(comparison, stands)
    entries = tuple(_entry(run, shared, stands[run.run_id]) for run in comparison.runs)
    entries = tuple(sorted(entries, key=_order))
    folders = [by_id[e.run.run_id] for e in entries if e.run.run_id in by_id]
    progress(0, 3, "Reading runs")
    cards = tuple(
        model_card(by_id[e.run.run_id], e.run, e.standing, split=comparison.split)
        for e in entries
        if e.run.run_id in by_id
    )
    pairs = tuple(pairs_of(comparison))
    goes_on = progress(1, 3, "Drawing images")
    examples: tuple[Example, ...] = ()
    if project_file is not None and with_pictures and goes_on:
        places = _places(project_file.path, folders)
        examples = examples_of(
            project_file,
            [entry.run for entry in entries if entry.standing.rank is not None],
            places,
            goes_on=lambda: progress(1, 3, "Drawing images"),
        )
    progress(2, 3, "Writing")
    count = len(comparison.runs)
    return Report(
        title=f"Comparison of {count} model{'' if count == 1 else 's'}",
        project=project_file.path.name if project_file is not None else "",
        comparison=comparison,
        entries=entries,
        pairs=pairs,
        cards=cards,
        methods=methods_of(
            folders,
            project_file=project_file,
            images=comparison.common_images,
            split=comparison.split,
            used_scores=scores_shown(comparison),
            has_pairs=any(pair.found is not None for pair in pairs),
        ),
        curves=learning_curves(folders),
        examples=examples,
        differs=what_differs(cards, comparison),
        baseline=dict(baseline or {}),
        repeated=repeated_of(entries, folders, comparison.classes),
    )


def _shared(comparison: Comparison, stands: Mapping[str, Standing]) -> set[tuple[str, str]]:
    """The common images by id and fingerprint: two images may have one name."""
    ranked = [run for run in comparison.runs if stands[run.run_id].rank is not None]
    common = set(comparison.common_images)
    each = [
        {(one.image_id, one.sha256) for one in run.per_image if one.image in common}
        for run in ranked or [run for run in comparison.runs if run.per_image]
    ]
    return set.intersection(*each) if each else set()


def _entry(run: RunScores, shared: set[tuple[str, str]], standing: Standing) -> Entry:
    mine = [one for one in run.per_image if (one.image_id, one.sha256) in shared]
    found = [one.scores.mean_iou for one in mine if one.scores.mean_iou is not None]
    if not found or len(mine) < len(shared):
        return Entry(run, standing, None, None)
    interval = interval_of_mean(np.array(found)) if len(found) >= FEWEST_IMAGES else None
    return Entry(run, standing, math.fsum(found) / len(found), interval)


def _order(entry: Entry) -> tuple[bool, int]:
    return entry.standing.rank is None, entry.standing.rank or 0


def _places(project_path: Path, runs: Sequence[RunFolder]) -> dict[str, Path]:
    scorings = [run for run in list_runs(project_path) if run.kind == "score"]
    return {run.run_id: scored_by(run, scorings).predictions_path for run in runs}


def what_differs(cards: Sequence[ModelCard], comparison: Comparison) -> dict[str, str]:
    """For every run, its values of the settings in which the runs' recipes are not all alike.

    Of a run without a recipe of its own, such as an ensemble: what it is made of.
    """
    values: dict[str, set[str]] = {}
    for card in cards:
        for title, value in card.settings:
            values.setdefault(title, set()).add(value)
    found = {run.run_id: run.recipe for run in comparison.runs}
    for card in cards:
        if card.settings:
            own = [f"{title} {value}" for title, value in card.settings if len(values[title]) > 1]
            found[card.run_id] = " · ".join(own)
    return found


def scores_shown(comparison: Comparison) -> list[str]:
    """Names of the scores by class that at least one run has, in their order."""
    names: dict[str, None] = {}
    for run in comparison.runs:
        if run.pooled is not None:
            for score, values in run.pooled.by_class.items():
                if any(value is not None for value in values.values()):
                    names.setdefault(score)
    return list(names)
