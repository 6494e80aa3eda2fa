"""Which objects of truth and prediction overlap, how much, and which are partners.

Comparisons with a threshold are between whole numbers, hence exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.clusters import NOTHING
from orgseg_app.core.metrics.contingency import UNKNOWN, Contingency, Counts

UNIQUE = 0.5
"""From here on an object cannot have two partners."""

_FINEST = 10_000  # thresholds are fractions with no larger denominator


@dataclass(frozen=True)
class Overlaps:
    """Objects of truth and prediction, and the pairs of them that share voxels.

    Attributes
    ----------
    truth, prediction
        ``(T,)``, ``(P,)`` int64, numbers of the objects, in order.
    truth_sizes, prediction_sizes
        ``(T,)``, ``(P,)`` int64, voxels where the truth is known.
    hidden
        ``(P,)`` int64, voxels of predicted objects where it is not.
    rows, columns
        ``(n,)`` places in `truth` and `prediction`, in order of row.
    shared
        ``(n,)`` int64 voxels, 1 or more.
    """

    truth: Counts
    prediction: Counts
    truth_sizes: Counts
    prediction_sizes: Counts
    hidden: Counts
    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    shared: Counts

    @property
    def unions(self) -> Counts:
        """``(n,)`` voxels of either object of a pair."""
        sizes: Counts = self.truth_sizes[self.rows] + self.prediction_sizes[self.columns]
        return sizes - self.shared

    @property
    def ious(self) -> NDArray[np.float64]:
        """``(n,)`` intersection over union of each pair."""
        found: NDArray[np.float64] = self.shared / self.unions
        return found

    def above(self, threshold: float) -> NDArray[np.bool_]:
        """``(n,)`` pairs whose intersection over union is above a threshold, exactly."""
        limit = Fraction(threshold).limit_denominator(_FINEST)
        return self.shared * limit.denominator > self.unions * limit.numerator

    def without(self, unseen: NDArray[np.bool_]) -> Overlaps:
        """Some predicted objects ``(P,)`` left out."""
        place = np.cumsum(~unseen) - 1
        kept = ~unseen[self.columns]
        return Overlaps(
            self.truth,
            self.prediction[~unseen],
            self.truth_sizes,
            self.prediction_sizes[~unseen],
            self.hidden[~unseen],
            self.rows[kept],
            place[self.columns[kept]],
            self.shared[kept],
        )


@dataclass(frozen=True)
class Partners:
    """Objects that were matched one to one.

    Attributes
    ----------
    truth, prediction
        ``(m,)`` int64, numbers of the objects of each pair, in order of `truth`.
    iou
        ``(m,)`` intersection over union.
    """

    truth: Counts
    prediction: Counts
    iou: NDArray[np.float64]


def overlaps(table: Contingency) -> Overlaps:
    """Objects and pairs of a table; see `instances.matching` for what is in it."""
    seen = table.where(table.prediction != NOTHING)
    prediction, columns = np.unique(seen.prediction, return_inverse=True)
    is_known = seen.truth != UNKNOWN
    true = table.where(table.truth > NOTHING)
    firsts = np.flatnonzero(np.diff(true.truth, prepend=NOTHING))
    truth = true.truth[firsts]
    sizes = np.add.reduceat(true.voxels, firsts) if len(firsts) else true.voxels
    both = seen.truth > NOTHING
    return Overlaps(
        truth,
        prediction,
        sizes,
        _sums(columns[is_known], seen.voxels[is_known], len(prediction)),
        _sums(columns[~is_known], seen.voxels[~is_known], len(prediction)),
        np.searchsorted(truth, seen.truth[both]),
        columns[both],
        seen.voxels[both],
    )


def partners(table: Contingency, threshold: float = UNIQUE) -> Partners:
    """Match objects one to one: as many pairs above a threshold as there can be.

    From 0.5 on there is one way. Below, of all ways with the most pairs that with the highest sum
    of IoU is chosen (Kuhn, Nav. Res. Logist. Q. 2 (1955), as `scipy.optimize` solves it), each
    group of objects that overlap by itself.

    Parameters
    ----------
    table
        As of `instances.matching`; no predicted object is left out.
    threshold
        0…1; a pair's IoU is above it.

    Examples
    --------
    >>> from orgseg_app.core.metrics.contingency import contingency
    >>> table = contingency(np.array([1, 1, 1, 2, 2, 2]), np.array([5, 5, 6, 6, 0, 0]))
    >>> found = partners(table)
    >>> found.truth.tolist(), found.prediction.tolist()
    ([1], [5])
    >>> partners(table, 0.2).prediction.tolist()
    [5, 6]
    """
    objects = overlaps(table)
    chosen = np.flatnonzero(objects.above(threshold))
    ious = objects.ious
    if threshold < UNIQUE:
        chosen = _assigned(objects, ious, chosen)
    rows, columns = objects.rows[chosen], objects.columns[chosen]
    return Partners(objects.truth[rows], objects.prediction[columns], ious[chosen])


def _assigned(
    objects: Overlaps, ious: NDArray[np.float64], pairs: NDArray[np.intp]
) -> NDArray[np.intp]:
    """The pairs that are kept so that no object has two."""
    from scipy import sparse
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse.csgraph import connected_components

    if not len(pairs):
        return pairs
    count = len(objects.truth)
    rows, columns = objects.rows[pairs], objects.columns[pairs]
    size = count + len(objects.prediction)
    graph = sparse.coo_array((np.ones(len(pairs)), (rows, count + columns)), shape=(size, size))
    families = connected_components(graph.tocsr(), directed=False)[1][rows]
    order = np.argsort(families, kind="stable")
    starts = np.flatnonzero(np.diff(families[order], prepend=-1))
    kept: list[NDArray[np.intp]] = []
    for family in np.split(order, starts[1:]):
        if len(family) == 1:
            kept.append(family)
            continue
        own_rows, y = np.unique(rows[family], return_inverse=True)
        own_columns, x = np.unique(columns[family], return_inverse=True)
        gain = np.zeros((len(own_rows), len(own_columns)))
        place = np.full(gain.shape, -1)
        # A pair more is worth more than all that IoU can add.
        gain[y, x] = 1 + ious[pairs[family]] / (2 * min(gain.shape))
        place[y, x] = family
        taken = place[linear_sum_assignment(gain, maximize=True)]
        kept.append(taken[taken >= 0])
    found: NDArray[np.intp] = np.sort(pairs[np.concatenate(kept)])
    return found


def _sums(places: NDArray[np.intp], voxels: Counts, count: int) -> Counts:
    sums = np.zeros(count, np.int64)
    np.add.at(sums, places, voxels)
    return sums
