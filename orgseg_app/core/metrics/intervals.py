"""How far a score may be off: the bootstrap over what can count as independent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND

LEVEL = 0.95
_RESAMPLES = 1000


@dataclass(frozen=True)
class Spread:
    """Intervals that hold the score of 95 in 100 repetitions with other units of the same kind.

    Attributes
    ----------
    units
        What was drawn anew: ``"planes"``, ``"tiles of 128 pixels"``. Tiles of one plane are more
        alike than planes, so their intervals are too narrow.
    count
        How many there were.
    mean_iou
        Low and high end, 0…1; None with fewer than two units.
    iou
        The same a class id.
    """

    units: str
    count: int
    mean_iou: tuple[float, float] | None = None
    iou: dict[int, tuple[float, float] | None] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For an event."""
        return {
            "interval": self.mean_iou,
            "iou_interval": self.iou,
            "units": self.units,
            "unit_count": self.count,
        }


def bootstrap_iou(
    confusions: NDArray[np.int64], class_ids: Sequence[int], *, units: str, seed: int = 0
) -> Spread:
    """Percentile intervals of pooled IoU (Efron 1979), units drawn with replacement.

    Parameters
    ----------
    confusions
        ``(n, K, K)`` one confusion matrix a unit, rows truth.
    class_ids
        K ids, background first.
    units
        What a unit is, in a word.
    seed
        The same seed gives the same interval.

    >>> alike = np.array([[[5, 1], [1, 3]]] * 4)
    >>> bootstrap_iou(alike, [1, 2], units="planes").mean_iou
    (0.6, 0.6)
    """
    count = len(confusions)
    if count < 2:
        return Spread(units, count, None, dict.fromkeys(map(int, class_ids)))
    drawn = np.random.default_rng(seed).multinomial(count, [1 / count] * count, _RESAMPLES)
    pooled = np.tensordot(drawn, np.asarray(confusions, np.float64), axes=1)
    hits = np.diagonal(pooled, axis1=1, axis2=2)
    either = pooled.sum(axis=1) + pooled.sum(axis=2) - hits
    iou = np.divide(hits, either, out=np.full(hits.shape, np.nan), where=either > 0)
    counted = [k for k, class_id in enumerate(class_ids) if class_id != BACKGROUND]
    present = ~np.isnan(iou[:, counted])
    sums = np.where(present, iou[:, counted], 0).sum(axis=1)
    means = np.divide(
        sums, present.sum(axis=1), out=np.full(len(sums), np.nan), where=present.any(axis=1)
    )
    by_class = {int(class_id): _interval(iou[:, k]) for k, class_id in enumerate(class_ids)}
    return Spread(units, count, _interval(means), by_class)


def _interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
