"""Scores of objects one by one: which object of the truth was found, missed, split or merged.

All are made from one `Contingency` of object numbers, of a plane or a volume. Two objects are the
same when their intersection over union is above (not at) a threshold: from 0.5 on every object then
has one partner at the most, so that nothing needs to be searched.

Sums of several images are `Matching`s, too: scores of their sum are *pooled*, every object counts
the same; the mean of the images' own scores is something else (what contests publish), and whoever
wants it averages `Matching.scores`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.contingency import Contingency, Counts
from orgseg_app.core.metrics.overlaps import UNIQUE, overlaps
from orgseg_app.core.metrics.sums import average, ratio

THRESHOLDS = tuple(percent / 100 for percent in range(50, 100, 5))
"""0.50, 0.55 … 0.95."""

MISSED_BELOW = 0.7
"""Whatever overlaps an object no more than this has not found it (Caicedo et al.)."""

TOUCHES = 0.1
"""What overlaps two objects more than this has merged them (Caicedo et al.)."""

_CAICEDO = 9  # thresholds up to 0.90


@dataclass(frozen=True)
class Matching:
    """What scores of objects are made of; two of them add up to that of both images together.

    Attributes
    ----------
    truth, predicted
        Objects that count.
    hits
        Of `THRESHOLDS` each, pairs above it.
    iou_sum
        Over the pairs above 0.5.
    best_sum, best_predicted_sum
        Over the objects of the truth, the highest IoU with any predicted one; and the other way
        round.
    missed_by_size
        ``(objects, missed)`` of the truth with 1, 2–3, 4–7, 8–15 … voxels.
    missed_by_third
        The same for the smallest third of each image's objects, the middle, and the largest.
        Objects as large as one on a boundary are of the middle.
    splits, merges
        Objects of the truth in several predicted ones; predicted ones over several of the truth.
    miscounted
        Objects too many or too few, image by image.
    """

    truth: int = 0
    predicted: int = 0
    hits: tuple[int, ...] = (0,) * len(THRESHOLDS)
    iou_sum: float = 0.0
    best_sum: float = 0.0
    best_predicted_sum: float = 0.0
    missed_by_size: tuple[tuple[int, int], ...] = ()
    missed_by_third: tuple[tuple[int, int], ...] = field(default=((0, 0),) * 3)
    splits: int = 0
    merges: int = 0
    miscounted: int = 0

    def __add__(self, other: Matching) -> Matching:
        return Matching(
            truth=self.truth + other.truth,
            predicted=self.predicted + other.predicted,
            hits=tuple(a + b for a, b in zip(self.hits, other.hits, strict=True)),
            iou_sum=self.iou_sum + other.iou_sum,
            best_sum=self.best_sum + other.best_sum,
            best_predicted_sum=self.best_predicted_sum + other.best_predicted_sum,
            missed_by_size=_added(self.missed_by_size, other.missed_by_size),
            missed_by_third=_added(self.missed_by_third, other.missed_by_third),
            splits=self.splits + other.splits,
            merges=self.merges + other.merges,
            miscounted=self.miscounted + other.miscounted,
        )

    def ap(self, threshold: float) -> float | None:
        """TP / (TP + FP + FN): Kaggle's average precision, stardist's accuracy."""
        hits = self._hits(threshold)
        return ratio(hits, self.truth + self.predicted - hits)

    def f1(self, threshold: float) -> float | None:
        """2 TP / (2 TP + FP + FN)."""
        return ratio(2 * self._hits(threshold), self.truth + self.predicted)

    def scores(self) -> dict[str, float | None]:
        """All of them, by name; see `INSTANCE_SCORES`. One whose denominator is 0 is None."""
        small, middle, large = self.missed_by_third
        found = (
            *(self.ap(threshold) for threshold in THRESHOLDS),
            average([self.ap(threshold) for threshold in THRESHOLDS]),
            *(self.f1(threshold) for threshold in THRESHOLDS),
            average([self.f1(threshold) for threshold in THRESHOLDS[:_CAICEDO]]),
            ratio(2 * self.iou_sum, self.truth + self.predicted),
            ratio(self.iou_sum, self._hits(UNIQUE)),
            self.f1(UNIQUE),
            ratio(self.best_sum, self.truth),
            ratio(self.best_predicted_sum, self.predicted),
            ratio(small[1] + middle[1] + large[1], self.truth),
            *(ratio(missed, objects) for objects, missed in self.missed_by_third),
            ratio(self.splits, self.truth),
            ratio(self.merges, self.predicted),
            ratio(self.miscounted, self.truth),
            ratio(self.predicted - self.truth, self.truth),
        )
        return dict(zip(INSTANCE_SCORES, found, strict=True))

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``."""
        return dict(vars(self))

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Matching:
        """As `to_dict` gave it.

        Raises
        ------
        KeyError, TypeError, ValueError
            When something is missing, or cannot be.
        """
        found = cls(
            truth=int(kept["truth"]),
            predicted=int(kept["predicted"]),
            hits=tuple(int(value) for value in kept["hits"]),
            iou_sum=float(kept["iou_sum"]),
            best_sum=float(kept["best_sum"]),
            best_predicted_sum=float(kept["best_predicted_sum"]),
            missed_by_size=_pairs(kept["missed_by_size"]),
            missed_by_third=_pairs(kept["missed_by_third"]),
            splits=int(kept["splits"]),
            merges=int(kept["merges"]),
            miscounted=int(kept["miscounted"]),
        )
        numbers = [value for value in vars(found).values() if not isinstance(value, tuple)]
        numbers += [*found.hits, *sum(found.missed_by_size + found.missed_by_third, ())]
        if not all(0 <= value < math.inf for value in numbers):
            raise ValueError("Numbers of objects are from 0 on.")
        if len(found.hits) != len(THRESHOLDS) or len(found.missed_by_third) != 3:
            raise ValueError("Objects were matched at other thresholds.")
        if max(found.hits) > min(found.truth, found.predicted):
            raise ValueError("More objects were matched than there are.")
        return found

    def _hits(self, threshold: float) -> int:
        return self.hits[THRESHOLDS.index(threshold)]


INSTANCE_SCORES = (
    *(f"ap_{percent}" for percent in range(50, 100, 5)),
    "mean_ap",
    *(f"f1_{percent}" for percent in range(50, 100, 5)),
    "mean_f1",
    "panoptic_quality",
    "segmentation_quality",
    "recognition_quality",
    "best_jaccard",
    "best_jaccard_predicted",
    "missed_objects",
    "missed_small",
    "missed_middle",
    "missed_large",
    "split_objects",
    "merged_objects",
    "count_error",
    "count_bias",
)


def matching(table: Contingency) -> Matching:
    """Count what was found of the objects of one image.

    - AP at a threshold, TP / (TP + FP + FN), and its mean over the ten: the 2018 Data Science
      Bowl; Caicedo et al., Nat. Methods 16 (2019). Equal to `stardist.matching` (accuracy) and to
      `cellpose.metrics.average_precision`, but for an IoU that is exactly the threshold, which
      they count as found.
    - F1 at each, its mean over 0.50 … 0.90, the best Jaccard of each predicted object, objects
      missed at 0.7, split and merged at 0.1: Caicedo et al., Cytometry A 95 (2019).
    - Panoptic quality (SQ, RQ): Kirillov et al., CVPR 2019, of one class.

    Parameters
    ----------
    table
        Objects by number; gaps do not matter, 0 is in no object. Voxels of which the truth says
        nothing are not in the table or have the truth `UNKNOWN`; they count neither for size nor
        overlap. A predicted object of which more than half lies there, and that is no partner of
        an object of the truth at 0.5, does not count at all: nobody can say that it is wrong.

    Examples
    --------
    One object found (three voxels of four), one missed, one made up:

    >>> from orgseg_app.core.metrics.contingency import contingency
    >>> truth = np.array([1, 1, 1, 1, 0, 2, 2, 0, 0])
    >>> found = matching(contingency(truth, np.array([7, 7, 7, 0, 0, 0, 0, 9, 9])))
    >>> found.hits[0], found.ap(0.5), found.f1(0.5), found.scores()["segmentation_quality"]
    (1, 0.3333333333333333, 0.5, 0.75)
    >>> round(found.scores()["mean_ap"], 3)  # 5 / 3 / 10, as 0.75 is not above 0.75
    0.167
    """
    objects = overlaps(table)
    same = objects.above(UNIQUE)
    unseen = 2 * objects.hidden > objects.hidden + objects.prediction_sizes
    unseen[objects.columns[same]] = False
    if unseen.any():
        objects = objects.without(unseen)
        same = objects.above(UNIQUE)
    ious = objects.ious
    truth, predicted = len(objects.truth), len(objects.prediction)
    best, best_predicted = np.zeros(truth), np.zeros(predicted)
    np.maximum.at(best, objects.rows, ious)
    np.maximum.at(best_predicted, objects.columns, ious)
    missed = np.ones(truth, bool)
    missed[objects.rows[objects.above(MISSED_BELOW)]] = False
    touches = objects.above(TOUCHES)
    return Matching(
        truth=truth,
        predicted=predicted,
        hits=tuple(int(np.count_nonzero(objects.above(value))) for value in THRESHOLDS),
        iou_sum=float(ious[same].sum()),
        best_sum=float(best.sum()),
        best_predicted_sum=float(best_predicted.sum()),
        missed_by_size=_by_size(objects.truth_sizes, missed),
        missed_by_third=_by_third(objects.truth_sizes, missed),
        splits=_several(objects.rows[touches]),
        merges=_several(objects.columns[touches]),
        miscounted=abs(predicted - truth),
    )


def _by_size(sizes: Counts, missed: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Objects and those missed, of 1, 2–3, 4–7 … voxels."""
    octaves = np.frexp(sizes.astype(np.float64))[1] - 1
    objects, lost = np.bincount(octaves), np.bincount(octaves[missed])
    lost = np.pad(lost, (0, len(objects) - len(lost)))
    return tuple((int(a), int(b)) for a, b in zip(objects, lost, strict=True))


def _by_third(sizes: Counts, missed: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
    """Objects and those missed: the smallest, the middle, the largest."""
    if not len(sizes):
        return ((0, 0),) * 3
    ordered = np.sort(sizes)
    third = len(sizes) // 3
    small, large = sizes < ordered[third], sizes > ordered[-1 - third]
    parts = (small, ~(small | large), large)
    return tuple((int(part.sum()), int((part & missed).sum())) for part in parts)


def _several(places: NDArray[np.intp]) -> int:
    """How many places occur twice or more."""
    return int(np.count_nonzero(np.bincount(places) > 1)) if len(places) else 0


def _added(
    one: tuple[tuple[int, int], ...], other: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    """Pairs summed up; the shorter list goes on with zeros."""
    size = max(len(one), len(other))
    padded = (values + ((0, 0),) * (size - len(values)) for values in (one, other))
    return tuple((a[0] + b[0], a[1] + b[1]) for a, b in zip(*padded, strict=True))


def _pairs(kept: Any) -> tuple[tuple[int, int], ...]:
    return tuple((int(objects), int(missed)) for objects, missed in kept)
