"""What other thresholds of a class's probability would give, for runs side by side. No Qt."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.thresholds import (
    Curve,
    RatedVoxels,
    average_precision,
    best_threshold,
    precision_recall,
    roc,
    roc_auc,
    sweep,
)
from orgseg_app.core.split import VALIDATION
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.runs.class_scores import ClassScores
from orgseg_app.runs.comparison import compare
from orgseg_app.runs.folder import RunFolder

Floats = NDArray[np.float64]

STEPS = 100
THRESHOLDS = tuple(step / STEPS for step in range(STEPS + 1))
"""0, 0.01 … 1."""

MOST_POINTS = 1500
"""Of a curve: more than a screen has columns."""

TEST_IMAGES, VALIDATION_IMAGES = "", VALIDATION
"""Instead of an image's id: all of them, counted together."""


@dataclass(frozen=True)
class RunCurves:
    """One run's curves of one class.

    Attributes
    ----------
    run_id, name, colour_index
        Of the run.
    swept
        By score of `thresholds.SWEPT`, ``(101,)`` at each of `THRESHOLDS`; NaN where there is none.
    precision_recall, roc
        Empty where they do not exist.
    average_precision, roc_auc
        None likewise.
    best
        The threshold with the highest IoU on the run's validation images, all together; None where
        their probabilities are not known.
    """

    run_id: str
    name: str
    colour_index: int
    swept: Mapping[str, Floats]
    precision_recall: Curve
    roc: Curve
    average_precision: float | None
    roc_auc: float | None
    best: float | None = None

    @property
    def note(self) -> str:
        """The areas, for the legend."""
        areas = (("AP", self.average_precision), ("AUC", self.roc_auc))
        return " · ".join(f"{name} {value:.3f}" for name, value in areas if value is not None)

    def at(self, step: int) -> dict[str, float]:
        """Scores at a place of `THRESHOLDS`."""
        return {name: float(values[step]) for name, values in self.swept.items()}


@dataclass(frozen=True)
class Thresholds:
    """What the page shows.

    Attributes
    ----------
    class_name, place
        Of the class; of the images: an id, `TEST_IMAGES` or `VALIDATION_IMAGES`.
    runs
        Those whose probabilities are known.
    without
        Names of the others.
    """

    class_name: str
    place: str
    runs: tuple[RunCurves, ...]
    without: tuple[str, ...]

    @property
    def has_best(self) -> bool:
        """Whether a threshold was found on validation images."""
        return any(run.best is not None for run in self.runs)


def thresholds_of(
    rows: Sequence[ResultRow],
    class_name: str,
    place: str,
    validation: Callable[[str], ClassScores | None],
    should_stop: Callable[[], bool] = lambda: False,
) -> Thresholds:
    """Curves of some runs; slow where probabilities were not kept in steps.

    Parameters
    ----------
    rows
        The runs.
    class_name
        Of one class.
    place
        As in `Thresholds`.
    validation
        Gives a run's scores on its validation images together, by its id.
    should_stop
        Asked before each run.
    """
    found: list[RunCurves] = []
    without: list[str] = []
    for row in rows:
        if should_stop():
            break
        held_back = validation(row.run_id)
        chosen = held_back.rated.get(class_name) if held_back is not None else None
        shown = chosen if place == VALIDATION_IMAGES else _rated(row, class_name, place)
        if shown is None or not len(shown.values):
            without.append(row.name)
            continue
        best = best_threshold(chosen) if chosen is not None else None
        found.append(curves_of(row, shown, best[0] if best is not None else None))
    return Thresholds(class_name, place, tuple(found), tuple(without))


def curves_of(row: ResultRow, voxels: RatedVoxels, best: float | None = None) -> RunCurves:
    """Everything that one run's probabilities give."""
    swept = sweep(voxels, THRESHOLDS)
    return RunCurves(
        run_id=row.run_id,
        name=row.name,
        colour_index=row.colour_index,
        swept={name: np.array(values, np.float64) for name, values in swept.items()},
        precision_recall=_thinned(precision_recall(voxels)),
        roc=_thinned(roc(voxels)),
        average_precision=average_precision(voxels),
        roc_auc=roc_auc(voxels),
        best=best,
    )


def validation_scores(file: ProjectFile | None, run: RunFolder) -> ClassScores | None:
    """Scores of a run on all its validation images together; None where it has none.

    Raises
    ------
    FileError
        When the project cannot be read.
    """
    return compare(file, [run], VALIDATION).runs[0].pooled


def _rated(row: ResultRow, class_name: str, place: str) -> RatedVoxels | None:
    if place == TEST_IMAGES:
        return row.pooled.rated.get(class_name) if row.pooled is not None else None
    item = row.images.get(place)
    return item.scores.rated.get(class_name) if item is not None else None


def _thinned(curve: Curve) -> Curve:
    """Without points that nobody can see; both ends stay."""
    if len(curve.x) <= MOST_POINTS:
        return curve
    kept = np.unique(np.linspace(0, len(curve.x) - 1, MOST_POINTS).astype(np.intp))
    return Curve(curve.thresholds[kept], curve.x[kept], curve.y[kept])
