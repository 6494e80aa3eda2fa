"""What a study's scores say: which combination is best, what each axis does, and why one is better.

Pure functions over scores of the validation images; nothing here knows of files or of test images.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orgseg_app.core.metrics.statistics import Difference, corrected, difference
from orgseg_app.runs.studies.cells import Cell, Places
from orgseg_app.runs.studies.definition import titles


@dataclass(frozen=True)
class RunResult:
    """What came of one cell.

    Attributes
    ----------
    cell : Cell
    run_id, name : str
        Of its run; "" where there is none yet.
    state : str
        As of the run; ``"queued"`` where there is none yet.
    score : float or None
        On all validation images together; None unless the run has finished.
    per_image : mapping of str to float
        The same for each validation image (and fold, where an image is parted).
    seconds : float or None
        Time to train.
    """

    cell: Cell
    run_id: str = ""
    name: str = ""
    state: str = "queued"
    score: float | None = None
    per_image: Mapping[str, float] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True)
class Spread:
    """Several numbers in short.

    Attributes
    ----------
    count : int
    mean : float or None
        None of no numbers.
    deviation : float or None
        Standard deviation of the sample (n - 1); None of fewer than two.
    lowest, highest : float or None
    """

    count: int
    mean: float | None = None
    deviation: float | None = None
    lowest: float | None = None
    highest: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "count": self.count,
            "mean": self.mean,
            "deviation": self.deviation,
            "lowest": self.lowest,
            "highest": self.highest,
        }


def spread_of(values: Sequence[float | None]) -> Spread:
    """The spread of what is there.

    Examples
    --------
    >>> spread_of([0.0, None, 1.0, 2.0])
    Spread(count=3, mean=1.0, deviation=1.0, lowest=0.0, highest=2.0)
    """
    found = [value for value in values if value is not None]
    if not found:
        return Spread(0)
    mean = math.fsum(found) / len(found)
    deviation = None
    if len(found) > 1:
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in found) / (len(found) - 1))
    return Spread(len(found), mean, deviation, min(found), max(found))


@dataclass(frozen=True)
class Combination:
    """All repeats of one combination.

    Attributes
    ----------
    places : tuple of (str, str)
    runs : tuple of RunResult
        Seeds and folds, finished or not.
    validation : Spread
        Over those that have finished.
    rank : int or None
        1 is best; equal scores share a rank; None without a score.
    """

    places: Places
    runs: tuple[RunResult, ...]
    validation: Spread
    rank: int | None = None

    @property
    def title(self) -> str:
        """In one line."""
        return titles(self.places)

    @property
    def is_complete(self) -> bool:
        """Whether all repeats have a score."""
        return self.validation.count == len(self.runs)


def ranking(runs: Sequence[RunResult]) -> tuple[Combination, ...]:
    """Combinations, the best mean score first; those without a score at the end."""
    by_places: dict[Places, list[RunResult]] = {}
    for run in runs:
        by_places.setdefault(run.cell.places, []).append(run)
    found = [
        Combination(places, tuple(group), spread_of([run.score for run in group]))
        for places, group in by_places.items()
    ]
    means = [c.validation.mean for c in found if c.validation.mean is not None]
    ranked = [
        Combination(c.places, c.runs, c.validation, 1 + sum(other > mean for other in means))
        if (mean := c.validation.mean) is not None
        else c
        for c in found
    ]
    return tuple(sorted(ranked, key=lambda c: (c.rank is None, c.rank)))


@dataclass(frozen=True)
class Effect:
    """What one axis does by itself.

    Attributes
    ----------
    key : str
    places : tuple of (str, Spread)
        Name of a place → the scores of all finished runs there (the marginal mean).
    """

    key: str
    places: tuple[tuple[str, Spread], ...]

    @property
    def reach(self) -> float | None:
        """How far the best marginal mean is from the worst; None with fewer than two."""
        means = [spread.mean for _, spread in self.places if spread.mean is not None]
        return max(means) - min(means) if len(means) > 1 else None

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        places = [{"place": name, **spread.to_dict()} for name, spread in self.places]
        return {"axis": self.key, "reach": self.reach, "places": places}


def main_effects(runs: Sequence[RunResult]) -> tuple[Effect, ...]:
    """Marginal means of every axis, in the order of the study.

    Where combinations are missing, places were not tried under the same conditions: compare the
    counts before the means.
    """
    effects = []
    for key in _keys(runs):
        names = dict.fromkeys(dict(run.cell.places)[key] for run in runs)
        places = tuple(
            (name, spread_of([run.score for run in runs if dict(run.cell.places)[key] == name]))
            for name in names
        )
        effects.append(Effect(key, places))
    return tuple(effects)


@dataclass(frozen=True)
class HeatMap:
    """Mean scores over two axes, all others averaged over.

    Attributes
    ----------
    row_key, column_key : str
    rows, columns : tuple of str
        Names of places.
    cells : tuple of tuple of Spread
        One a row and column.
    """

    row_key: str
    column_key: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[Spread, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "row_axis": self.row_key,
            "column_axis": self.column_key,
            "rows": list(self.rows),
            "columns": list(self.columns),
            "mean": [[spread.mean for spread in row] for row in self.cells],
            "count": [[spread.count for spread in row] for row in self.cells],
        }


def heat_map(runs: Sequence[RunResult], row_key: str, column_key: str) -> HeatMap:
    """Means for two axes.

    Raises
    ------
    KeyError
        For a key that is no axis of the study.
    """
    scores: dict[tuple[str, str], list[float | None]] = {}
    for run in runs:
        places = dict(run.cell.places)
        scores.setdefault((places[row_key], places[column_key]), []).append(run.score)
    rows = tuple(dict.fromkeys(row for row, _ in scores))
    columns = tuple(dict.fromkeys(column for _, column in scores))
    cells = tuple(tuple(spread_of(scores.get((r, c), [])) for c in columns) for r in rows)
    return HeatMap(row_key, column_key, rows, columns, cells)


@dataclass(frozen=True)
class Neighbour:
    """A combination that differs from another one on a single axis.

    Attributes
    ----------
    key : str
        The axis.
    place, other : str
        Where the one lies, and where this one does.
    places : tuple of (str, str)
        Of this one.
    difference : core.metrics.statistics.Difference
        Score of the one less score of this one, image by image; seeds are repeats. Its p is
        corrected for the number of neighbours.
    per_image : mapping of str to float
        The differences, each of means over repeats.
    """

    key: str
    place: str
    other: str
    places: Places
    difference: Difference
    per_image: Mapping[str, float]

    @property
    def better(self) -> int:
        """Images on which the one is ahead."""
        return sum(value > 0 for value in self.per_image.values())

    @property
    def worse(self) -> int:
        """Images on which it is behind."""
        return sum(value < 0 for value in self.per_image.values())

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = self.difference
        return {
            "axis": self.key,
            "place": self.place,
            "other": self.other,
            "places": dict(self.places),
            "mean": found.mean,
            "interval": None if found.interval is None else list(found.interval),
            "p": found.p,
            "p_adjusted": found.p_adjusted,
            "cohens_d": found.cohens_d,
            "verdict": found.verdict,
            "images": found.images,
            "left_out": found.left_out,
            "better": self.better,
            "worse": self.worse,
            "per_image": dict(self.per_image),
        }


def neighbours(combination: Combination, others: Sequence[Combination]) -> tuple[Neighbour, ...]:
    """Why one is better: the paired difference to each combination a single step away.

    Parameters
    ----------
    combination
        Usually the best by validation.
    others
        All of the study; those that differ on more than one axis, or share no scored image, are
        left out.

    Returns
    -------
    tuple of Neighbour
        By axis in the study's order, the largest difference first.
    """
    found = []
    for other in others:
        steps = [
            (key, place, theirs)
            for (key, place), (_, theirs) in zip(combination.places, other.places, strict=True)
            if place != theirs
        ]
        pair = _paired(combination, other) if len(steps) == 1 else None
        if pair is not None:
            found.append(Neighbour(*steps[0], other.places, *pair))
    adjusted = corrected([each.difference for each in found])
    neighbours = (replace(each, difference=one) for each, one in zip(found, adjusted, strict=True))
    order = [key for key, _ in combination.places]
    return tuple(
        sorted(neighbours, key=lambda n: (order.index(n.key), -(n.difference.mean or 0.0), n.other))
    )


def _paired(one: Combination, other: Combination) -> tuple[Difference, dict[str, float]] | None:
    """Two combinations on the images that both have; None where there are none."""
    mine, theirs = _by_image(one), _by_image(other)
    images = [image for image in mine if image in theirs]
    if not images:
        return None
    first, second = ([scores[image] for image in images] for scores in (mine, theirs))
    per_image = {
        image: math.fsum(ours) / len(ours) - math.fsum(others) / len(others)
        for image, ours, others in zip(images, first, second, strict=True)
    }
    return difference(first, second), per_image


def _by_image(combination: Combination) -> dict[str, list[float]]:
    """Scores of each image, one a repeat; without images that some repeat has no score of."""
    scores: dict[str, dict[int, float]] = {}
    for run in combination.runs:
        for image, score in run.per_image.items():
            scores.setdefault(image, {})[run.cell.repeat] = score
    repeats = sorted({repeat for of_image in scores.values() for repeat in of_image})
    return {
        image: [of_image[repeat] for repeat in repeats]
        for image, of_image in scores.items()
        if len(of_image) == len(repeats)
    }


def _keys(runs: Sequence[RunResult]) -> list[str]:
    return [key for key, _ in runs[0].cell.places] if runs else []
