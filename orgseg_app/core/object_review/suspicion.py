"""What is odd about an object, by simple robust statistics over the objects of its class.

An object is far from the others where it is more than 3.5 spreads from the median of its class;
the spread is 1.4826 × the median absolute deviation, which for a normal distribution is the
standard deviation (B. Iglewicz and D. C. Hoaglin, How to Detect and Handle Outliers, ASQC, 1993).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.object_review.survey import ObjectColumns

REASONS = (
    TINY,
    HUGE,
    NOT_ROUND,
    PARTS,
    HOLES,
    NEIGHBOUR,
    GAP,
    MIXED,
    BORDER,
) = ("tiny", "huge", "not round", "parts", "holes", "neighbour", "gap", "mixed", "border")
"""In the order they are said."""

FAR = 3.5
"""Spreads from the median; beyond these something is odd."""
ENOUGH = 6
"""Objects of a class; of fewer nobody can say what is usual."""
SUSPICIOUS = 1.0
"""Points from which somebody should look; the edge of the image alone is no reason to."""
MOST_POINTS = 3.0
"""For one reason, however far off it is."""

_SIZE_SPREAD = 0.15  # least, of the logarithm: sizes within a tenth or so never stand out
_SHAPE_SPREAD = 0.05
_LEAST_CONTACT = 0.25
_SHAPED = 20  # voxels; fewer have no shape
_POINTS = {PARTS: 2.0, HOLES: 1.0, GAP: 1.5, MIXED: 1.0, BORDER: 0.25}


@dataclass(frozen=True)
class Usual:
    """What is usual in a class.

    Attributes
    ----------
    count
        Objects.
    voxels
        Median.
    low, high
        Quartiles of the voxels.
    roundness
        Median.
    """

    count: int
    voxels: float
    low: float
    high: float
    roundness: float


@dataclass(frozen=True)
class Suspicions:
    """How odd each of n objects is.

    Attributes
    ----------
    score
        ``(n,)`` float64: points of all reasons together; 0 for nothing odd.
    reasons
        By reason, ``(n,)`` bool.
    usual
        By class id; classes of too few objects are left out.
    """

    score: NDArray[np.float64]
    reasons: Mapping[str, NDArray[np.bool_]]
    usual: Mapping[int, Usual]

    @property
    def is_suspicious(self) -> NDArray[np.bool_]:
        """``(n,)``: whether somebody should look at it."""
        found: NDArray[np.bool_] = self.score >= SUSPICIOUS
        return found

    def of(self, row: int) -> list[str]:
        """The reasons of one object."""
        return [reason for reason in REASONS if self.reasons[reason][row]]


def judged(columns: ObjectColumns) -> Suspicions:
    """Judge objects by the others of their class.

    Size, roundness and contact with a neighbour give ``spreads / 3.5`` points, at most 3; several
    parts 2, a plane left out 1.5, holes and voxels of another class 1, the edge of the image 0.25
    (a cut object is as large as it is, so that it is never said to be tiny).

    Returns
    -------
    Suspicions
    """
    count = len(columns)
    points = {reason: np.zeros(count) for reason in REASONS}
    usual: dict[int, Usual] = {}
    sizes = np.log(np.maximum(columns.voxels, 1))
    for class_id in np.unique(columns.class_ids).tolist():
        own = np.flatnonzero(columns.class_ids == class_id)
        if len(own) < ENOUGH:
            continue
        whole = own[~columns.at_border[own]]
        known = whole if len(whole) >= ENOUGH else own
        far = _spreads(sizes[own], sizes[known], _SIZE_SPREAD)
        points[TINY][own] = np.where(columns.at_border[own], 0, _points(-far))
        points[HUGE][own] = _points(far)
        shaped = known[columns.voxels[known] >= _SHAPED]
        if len(shaped) >= ENOUGH:
            far = _spreads(columns.roundness[own], columns.roundness[shaped], _SHAPE_SPREAD)
            odd = (columns.voxels[own] >= _SHAPED) & ~columns.at_border[own]
            points[NOT_ROUND][own] = np.where(odd, _points(-far), 0)
        far = _spreads(columns.contact[own], columns.contact[own], _SHAPE_SPREAD)
        touches = columns.contact[own] >= _LEAST_CONTACT
        points[NEIGHBOUR][own] = np.where(touches, _points(far), 0)
        low, middle, high = np.percentile(columns.voxels[known], (25, 50, 75)).tolist()
        shape = float(np.median(columns.roundness[shaped if len(shaped) else known]))
        usual[class_id] = Usual(len(own), middle, low, high, shape)
    for reason, there in (
        (PARTS, columns.parts > 1),
        (HOLES, columns.holes > 0),
        (GAP, columns.missing > 0),
        (MIXED, columns.foreign > 0),
        (BORDER, columns.at_border),
    ):
        points[reason] = np.where(there, _POINTS[reason], 0.0)
    score = np.sum([points[reason] for reason in REASONS], axis=0) if count else np.zeros(0)
    return Suspicions(score, {reason: points[reason] > 0 for reason in REASONS}, usual)


def _spreads(
    values: NDArray[np.float64], known: NDArray[np.float64], least: float
) -> NDArray[np.float64]:
    """How many spreads values are above the median of others."""
    middle = np.median(known)
    spread = max(least, 1.4826 * float(np.median(np.abs(known - middle))))
    far: NDArray[np.float64] = (values - middle) / spread
    return far


def _points(spreads: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(spreads > FAR, np.minimum(spreads / FAR, MOST_POINTS), 0.0)
