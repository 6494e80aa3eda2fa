"""What other thresholds of a class's probability would give: curves, areas, the best threshold.

Voxels are sorted once by probability, those of the class and the others; curves, areas and scores
at any threshold are sums over that. Probabilities kept as bytes have 256 values, so that an image
of any size is a small table. Others are taken exactly as they are, or in steps. Tables of several
images add up: what is made of the sum is pooled.

A voxel is predicted to be of the class when its probability is at or above the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
Probabilities = NDArray[np.uint8] | NDArray[np.floating[Any]]

THRESHOLDS = tuple(percent / 100 for percent in range(5, 100, 5))
"""0.05, 0.10 … 0.95."""

SWEPT = ("iou", "dice", "precision", "recall", "specificity")

_CHUNK = 1 << 18  # voxels
_BYTE = 255


@dataclass(frozen=True)
class RatedVoxels:
    """How many voxels have which probability; two of them add up to that of both images.

    Attributes
    ----------
    values
        ``(n,)`` float64 probabilities, rising, each once.
    inside, outside
        ``(n,)`` int64 voxels with each: of the class, of others.
    """

    values: Floats
    inside: Counts
    outside: Counts

    def __add__(self, other: RatedVoxels) -> RatedVoxels:
        values, place = np.unique(np.concatenate((self.values, other.values)), return_inverse=True)
        inside, outside = np.zeros((2, len(values)), np.int64)
        np.add.at(inside, place, np.concatenate((self.inside, other.inside)))
        np.add.at(outside, place, np.concatenate((self.outside, other.outside)))
        return RatedVoxels(values, inside, outside)

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``.

        Of probabilities that were bytes it is short, and quick to read over: ``{"steps": 255,
        "inside": "0 12 …", "outside": …}``, voxels at 0/255, 1/255 … as one text.
        """
        steps = np.rint(self.values * _BYTE)
        is_byte = bool(len(steps)) and steps[0] >= 0 and steps[-1] <= _BYTE
        if is_byte and np.array_equal(steps / _BYTE, self.values):
            places = steps.astype(np.intp)
            texts = (_as_text(places, voxels) for voxels in (self.inside, self.outside))
            return {"steps": _BYTE, **dict(zip(("inside", "outside"), texts, strict=True))}
        return {
            "values": self.values.tolist(),
            "inside": self.inside.tolist(),
            "outside": self.outside.tolist(),
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> RatedVoxels:
        """As `to_dict` gave it.

        Raises
        ------
        KeyError, OverflowError, TypeError, ValueError
            When something is missing, or cannot be.
        """
        if "steps" in kept:
            return cls._from_texts(int(kept["steps"]), kept["inside"], kept["outside"])
        values = np.array(kept["values"], np.float64)
        counts = [np.array(kept[name], np.int64) for name in ("inside", "outside")]
        if values.ndim != 1 or any(part.shape != values.shape for part in counts):
            raise ValueError("Every probability has two numbers of voxels.")
        if not np.isfinite(values).all() or (np.diff(values) <= 0).any():
            raise ValueError("Probabilities are numbers that rise.")
        if any((part < 0).any() for part in counts):
            raise ValueError("Numbers of voxels are from 0 on.")
        return cls(values, *counts)

    @classmethod
    def _from_texts(cls, steps: int, *texts: str) -> RatedVoxels:
        rows = [[int(word) for word in str(text).split(" ")] for text in texts]
        is_whole = 0 < steps <= _BYTE and all(len(row) == steps + 1 for row in rows)
        counts = np.array(rows if is_whole else [[-1]], np.int64)
        if counts.min() < 0:
            raise ValueError("There is one number of voxels, from 0 on, a step.")
        there = np.flatnonzero(counts.any(axis=0))
        return cls(there / steps, counts[0, there], counts[1, there])


@dataclass(frozen=True)
class Curve:
    """A curve over all thresholds, ``(n,)`` float64 each.

    Attributes
    ----------
    thresholds
        Falling; the first is infinite: nothing is predicted.
    x, y
        Of a precision-recall curve recall and precision, of a ROC curve the share of the others
        that is predicted (1 − specificity) and recall. Empty where it does not exist.
    """

    thresholds: Floats
    x: Floats
    y: Floats


def rated(
    truth: NDArray[np.uint8],
    probability: Probabilities,
    class_id: int,
    *,
    steps: int | None = None,
) -> RatedVoxels:
    """Count the voxels of an image by the probability of a class.

    Parameters
    ----------
    truth
        Class ids, any shape; where it is 0 nothing is counted.
    probability
        Of the class, same shape: uint8 for 0…1 in 255 steps, or floating.
    class_id
        The class.
    steps
        Round floating probabilities to so many steps between 0 and 1, which keeps the table short;
        None takes each as it is.

    Raises
    ------
    ValueError
        When shapes differ, or a probability is none: NaN, or with `steps` outside 0…1.

    Examples
    --------
    >>> truth = np.array([2, 2, 1, 1, 0], np.uint8)
    >>> found = rated(truth, np.array([0.8, 0.4, 0.4, 0.1, 0.9]), 2)
    >>> found.values.tolist(), found.inside.tolist(), found.outside.tolist()
    ([0.1, 0.4, 0.8], [0, 1, 1], [1, 1, 0])
    """
    if truth.shape != probability.shape:
        raise ValueError(f"Truth is {truth.shape} but probabilities are {probability.shape}.")
    flat_truth, flat = truth.ravel(), probability.ravel()
    if probability.dtype == np.uint8:
        return _in_steps(flat_truth, flat, class_id, _BYTE)
    if np.isnan(flat).any():
        raise ValueError("There are probabilities that are no numbers.")
    if steps is not None:
        if flat.size and (flat.min() < 0 or flat.max() > 1):
            raise ValueError("Probabilities are from 0 to 1.")
        return _in_steps(flat_truth, flat, class_id, steps)
    is_inside = flat_truth == class_id
    is_outside = (flat_truth != UNLABELLED) & ~is_inside
    found = []
    for where in (is_inside, is_outside):
        values, voxels = _sorted_counts(flat[where])
        found.append(RatedVoxels(values, voxels, np.zeros_like(voxels)))
    outside = RatedVoxels(found[1].values, found[1].outside, found[1].inside)
    return found[0] + outside


def _in_steps(
    truth: NDArray[np.uint8], probability: Probabilities, class_id: int, steps: int
) -> RatedVoxels:
    counts = np.zeros((2, steps + 1), np.int64)
    for start in range(0, truth.size, _CHUNK):
        part = truth[start : start + _CHUNK]
        rate: NDArray[Any] = probability[start : start + _CHUNK]
        if rate.dtype != np.uint8:
            rate = np.rint(rate * steps).astype(np.int64)
        is_inside = part == class_id
        is_outside = (part != UNLABELLED) & ~is_inside
        for row, where in enumerate((is_inside, is_outside)):
            counts[row] += np.bincount(rate[where], minlength=steps + 1)
    there = np.flatnonzero(counts.any(axis=0))
    return RatedVoxels(there / steps, counts[0, there], counts[1, there])


def _as_text(steps: NDArray[np.intp], voxels: Counts) -> str:
    whole = np.zeros(_BYTE + 1, np.int64)
    whole[steps] = voxels
    return " ".join(map(str, whole.tolist()))


def _sorted_counts(values: NDArray[np.floating[Any]]) -> tuple[Floats, Counts]:
    """Values that occur, rising, and how often."""
    ordered = np.sort(values)
    new = np.ones(len(ordered), bool)
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    firsts = np.flatnonzero(new)
    return ordered[firsts].astype(np.float64), np.diff(firsts, append=len(ordered))


def precision_recall(voxels: RatedVoxels) -> Curve:
    """Precision over recall, a point a probability that occurs (Davis & Goadrich, ICML 2006).

    Equal to `sklearn.metrics.precision_recall_curve`, in the other order. It begins at recall 0
    with precision 1. Empty without a voxel of the class.

    >>> truth = np.array([2, 2, 1, 1], np.uint8)
    >>> found = precision_recall(rated(truth, np.array([0.8, 0.4, 0.6, 0.1]), 2))
    >>> found.x.tolist(), found.y.round(3).tolist()
    ([0.0, 0.5, 0.5, 1.0, 1.0], [1.0, 1.0, 0.5, 0.667, 0.5])
    """
    thresholds, hits, wrong = _predicted(voxels)
    total = hits[-1]
    if not total:
        return Curve(*np.zeros((3, 0)))
    precision = np.ones(len(hits))
    np.divide(hits, hits + wrong, out=precision, where=hits + wrong > 0)
    return Curve(thresholds, hits / total, precision)


def roc(voxels: RatedVoxels) -> Curve:
    """Recall over the share of the others that is predicted (Fawcett, Pattern Recogn. Lett. 2006).

    Equal to `sklearn.metrics.roc_curve` with all points. Empty without voxels of the class or
    without others.

    >>> truth = np.array([2, 2, 1, 1], np.uint8)
    >>> found = roc(rated(truth, np.array([0.8, 0.4, 0.6, 0.1]), 2))
    >>> found.x.tolist(), found.y.tolist()
    ([0.0, 0.0, 0.5, 0.5, 1.0], [0.0, 0.5, 0.5, 1.0, 1.0])
    """
    thresholds, hits, wrong = _predicted(voxels)
    if not (hits[-1] and wrong[-1]):
        return Curve(*np.zeros((3, 0)))
    return Curve(thresholds, wrong / wrong[-1], hits / hits[-1])


def roc_auc(voxels: RatedVoxels) -> float | None:
    """The chance that a voxel of the class has a higher probability than another one.

    Hanley & McNeil, Radiology 143 (1982); ties count half, so that it is the area below the ROC
    curve. None without voxels of the class or without others.

    >>> roc_auc(rated(np.array([2, 2, 1, 1], np.uint8), np.array([0.8, 0.4, 0.6, 0.1]), 2))
    0.75
    """
    curve = roc(voxels)
    if not len(curve.x):
        return None
    return float((np.diff(curve.x) * (curve.y[1:] + curve.y[:-1])).sum() / 2)


def average_precision(voxels: RatedVoxels) -> float | None:
    """Precision, averaged over recall in steps, without drawing lines between the points.

    As `sklearn.metrics.average_precision_score`. None without a voxel of the class.

    >>> truth = np.array([2, 2, 1, 1], np.uint8)
    >>> round(average_precision(rated(truth, np.array([0.8, 0.4, 0.6, 0.1]), 2)), 3)
    0.833
    """
    curve = precision_recall(voxels)
    if not len(curve.x):
        return None
    return float((np.diff(curve.x) * curve.y[1:]).sum())


def sweep(
    voxels: RatedVoxels, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, list[float | None]]:
    """Scores at each of some thresholds, by name (`SWEPT`); as `pixels.scores`.

    >>> truth = np.array([2, 2, 1, 1], np.uint8)
    >>> found = sweep(rated(truth, np.array([0.8, 0.4, 0.6, 0.1]), 2), [0.4, 0.7, 0.9])
    >>> [round(value, 3) for value in found["iou"]], found["precision"][1:]
    ([0.667, 0.5, 0.0], [1.0, None])
    """
    _, hits, wrong = _predicted(voxels)
    above = len(voxels.values) - np.searchsorted(voxels.values, thresholds)
    scores = _scores(hits, wrong)
    return {
        name: [None if np.isnan(value) else float(value) for value in scores[name][above]]
        for name in SWEPT
    }


def best_threshold(voxels: RatedVoxels, score: str = "iou") -> tuple[float, float] | None:
    """The threshold that gives the highest score, and that score.

    To be found on validation images: on those of the test it would flatter the model. Between two
    probabilities that occur every threshold does the same; of these the middle is given, so that it
    does not sit on a value. Of several equally good ones that nearest to 0.5 is taken.

    Parameters
    ----------
    voxels
        As `rated` gave them.
    score
        One of `SWEPT`.

    Returns
    -------
    Threshold and score; None where no threshold gives one.

    Raises
    ------
    KeyError
        When there is no such score.

    Examples
    --------
    >>> truth = np.array([2, 2, 1, 1], np.uint8)
    >>> best_threshold(rated(truth, np.array([0.75, 0.5, 0.625, 0.125]), 2))
    (0.3125, 0.6666666666666666)
    """
    _, hits, wrong = _predicted(voxels)
    found = _scores(hits, wrong)[score][1:]
    if not len(found) or np.isnan(found).all():
        return None
    values = voxels.values[::-1]
    below = np.append(values[1:], min(0.0, float(values[-1])))
    middle = (values + below) / 2
    middle[middle >= values] = values[middle >= values]  # neighbours among floating numbers
    best = np.flatnonzero(found == np.nanmax(found))
    chosen = best[np.argmin(np.abs(middle[best] - 0.5))]
    return float(middle[chosen]), float(found[chosen])


def _predicted(voxels: RatedVoxels) -> tuple[Floats, Counts, Counts]:
    """Falling thresholds, and what each predicts: voxels of the class, and others."""
    thresholds = np.concatenate(([np.inf], voxels.values[::-1]))
    hits, wrong = (
        np.concatenate(([0], np.cumsum(part[::-1]))) for part in (voxels.inside, voxels.outside)
    )
    return thresholds, hits, wrong


def _scores(hits: Counts, wrong: Counts) -> dict[str, Floats]:
    """`SWEPT` at every threshold, NaN where one does not exist."""
    inside, outside = hits[-1], wrong[-1]
    parts = {
        "iou": (hits, inside + wrong),
        "dice": (2 * hits, inside + hits + wrong),
        "precision": (hits, hits + wrong),
        "recall": (hits, np.full_like(hits, inside)),
        "specificity": (outside - wrong, np.full_like(hits, outside)),
    }
    return {
        name: np.divide(top, bottom, out=np.full(len(hits), np.nan), where=bottom > 0)
        for name, (top, bottom) in parts.items()
    }
