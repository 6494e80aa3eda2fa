"""Which grouping parameters give the best objects on the validation images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.instances.grouping import GroupingParameters, Map, group
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import Matching, matching

ROUNDS = 2
"""How often each parameter is tried, at most."""
MOST_VOXELS = 4_000_000
"""Voxels that are looked at; a plane of 1024² takes about 50 ms a try."""


@dataclass(frozen=True)
class Example:
    """Maps of a validation plane or volume, and what is true.

    Attributes
    ----------
    foreground, seeds
        uint8, as in `grouping.group`.
    truth
        As large: object numbers, 0 where there is none.
    labelled
        As large: where something is painted; None where everything is. What is predicted elsewhere
        is neither right nor wrong.
    voxel_size
        Of each axis, in any unit.
    """

    foreground: Map
    seeds: Map
    truth: NDArray[np.uint32]
    labelled: NDArray[np.bool_] | None = None
    voxel_size: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Fitted:
    """Parameters and how good they are.

    Attributes
    ----------
    parameters
        The best that were found.
    score, score_before
        Mean average precision (`mean_precision`), with them and with those at the start; 0…1.
    """

    parameters: GroupingParameters
    score: float
    score_before: float


def fit(examples: Sequence[Example], start: GroupingParameters | None = None) -> Fitted:
    """The parameters that give the highest mean average precision.

    One parameter after the other is set to the best of a few values, until nothing gets better
    (coordinate descent). What is not better stays as it was, so that the usual values win ties.

    Parameters
    ----------
    examples
        Of validation images, never of test images. Of very many the first are used.
    start
        The usual ones unless given. `fill_holes` and `drop_border` are kept: they say what is
        wanted.

    Returns
    -------
    Fitted
        The start, with a score of 0, where no example has objects.
    """
    start = start or GroupingParameters()
    used = _affordable([e for e in examples if e.truth.any()])
    if not used:
        return Fitted(start, 0.0, 0.0)
    before = best = mean_precision(used, start)
    chosen, tries = start, _tries(used)
    known = {start: before}
    for _ in range(ROUNDS):
        at_first = chosen
        for name, values in tries.items():
            for value in values:
                one = GroupingParameters.from_dict({**chosen.to_dict(), name: value})
                if one not in known:
                    known[one] = mean_precision(used, one)
                if known[one] > best + 1e-6:
                    best, chosen = known[one], one
        if chosen == at_first:
            break
    return Fitted(chosen, best, before)


def mean_precision(examples: Iterable[Example], parameters: GroupingParameters) -> float:
    """Mean average precision over IoU 0.50…0.95 of all objects together; 0 where there are none."""
    found = sum((_matched(example, parameters) for example in examples), Matching())
    return found.scores()["mean_ap"] or 0.0


def _matched(example: Example, parameters: GroupingParameters) -> Matching:
    objects = group(example.foreground, example.seeds, parameters, voxel_size=example.voxel_size)
    unknown = None if example.labelled is None else ~example.labelled
    return matching(contingency(example.truth, objects, ignore=unknown, keep_ignored=True))


def _affordable(examples: list[Example]) -> list[Example]:
    """The first examples, as many as can be looked at again and again; one at least."""
    sizes = np.cumsum([example.truth.size for example in examples])
    return examples[: max(1, int(np.searchsorted(sizes, MOST_VOXELS, side="right")))]


def _tries(examples: Sequence[Example]) -> Mapping[str, tuple[float, ...]]:
    """Values of each parameter; sizes by those of true objects."""
    sizes = np.concatenate(
        [np.unique(e.truth[e.truth > 0], return_counts=True)[1] for e in examples]
    )
    small = [int(np.quantile(sizes, share) * part) for share, part in _SIZES]
    return {
        "seeds": (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
        "threshold": (0.3, 0.4, 0.5, 0.6, 0.7),
        "smoothing": (0.0, 0.5, 1.0, 2.0, 3.0),
        "min_size": tuple(sorted({0, 10, *small})),
    }


_SIZES = ((0.01, 0.3), (0.05, 0.3), (0.05, 0.5))
"""Quantile of the sizes of true objects, and the part of it that is tried as the smallest size.

Parts of small quantiles only: other images may hold smaller objects than the few of validation."""
