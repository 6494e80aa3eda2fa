"""Scores of how voxels are grouped: Rand index and variation of information.

All are made from one `Contingency`; none needs the groups of truth and prediction to have the same
numbers. Sums are exact whole numbers, so that volumes of any size, and several images, add up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.metrics.contingency import Contingency, Counts
from orgseg_app.core.metrics.sums import Sums

NOTHING = 0
"""Label of voxels that are in no object."""

_AT_ONCE = 1 << 20
_HALF = 22  # bits


@dataclass(frozen=True)
class Grouping(Sums):
    """What scores of objects are made of; two of them add up to that of both images together.

    Attributes
    ----------
    voxels
        Inside objects of the truth; only these count.
    pairs
        Ordered pairs of two such voxels that are in the same object in truth and prediction.
    truth_pairs, predicted_pairs
        Those in the same object of the truth; of the prediction.
    split_bits, merge_bits
        Variation of information times `voxels`.
    """

    voxels: int = 0
    pairs: int = 0
    truth_pairs: int = 0
    predicted_pairs: int = 0
    split_bits: float = 0.0
    merge_bits: float = 0.0

    @property
    def precision(self) -> float | None:
        """Of the pairs that the prediction joins, the share that belongs together."""
        return self.pairs / self.predicted_pairs if self.predicted_pairs else None

    @property
    def recall(self) -> float | None:
        """Of the pairs that belong together, the share that the prediction joins."""
        return self.pairs / self.truth_pairs if self.truth_pairs else None

    @property
    def adapted_rand_error(self) -> float | None:
        """1 − F of precision and recall: 0 perfect, 1 nothing right; None without a pair."""
        both = self.truth_pairs + self.predicted_pairs
        return 1 - 2 * self.pairs / both if both else None

    @property
    def voi_split(self) -> float | None:
        """H(prediction | truth) in bits: objects of the truth that fell into parts."""
        return self.split_bits / self.voxels if self.voxels else None

    @property
    def voi_merge(self) -> float | None:
        """H(truth | prediction) in bits: objects of the truth that became one."""
        return self.merge_bits / self.voxels if self.voxels else None

    def scores(self) -> dict[str, float | None]:
        """All of them, by name; see `OBJECT_SCORES`."""
        return {name: getattr(self, name) for name in OBJECT_SCORES}


OBJECT_SCORES = ("adapted_rand_error", "precision", "recall", "voi_split", "voi_merge")


def grouping(
    table: Contingency, *, truth_nothing: bool = False, missed_apart: bool = False
) -> Grouping:
    """What adapted Rand error and variation of information are made of.

    Adapted Rand error: Arganda-Carreras et al., Front. Neuroanat. 9:142 (2015), as in the SNEMI3D
    contest; equal to `skimage.metrics.adapted_rand_error` (0.26), which hands out our precision as
    its recall and the other way round. Variation of information: Meilă, J. Multivar. Anal. 98
    (2007), in bits, as `skimage.metrics.variation_of_information`.

    Parameters
    ----------
    table
        Objects by number; 0 is in no object. What is ignored is not in the table.
    truth_nothing
        Whether voxels in no object of the truth count as one more object. The contest, and both
        functions of scikit-image with ``ignore_labels=(0,)``, leave them out.
    missed_apart
        Voxels in no object of the prediction: False takes them for one more object, as scikit-image
        does; True for nobody's, each by itself, in the counting of pairs, as the contest's own
        script does. It makes a large difference where objects are small parts of the image:
        otherwise what was missed of a hundred objects counts as one wrong merger of them all.

    Examples
    --------
    Two objects of two voxels each, seen as one object:

    >>> from orgseg_app.core.metrics.contingency import contingency
    >>> found = grouping(contingency(np.array([1, 1, 2, 2]), np.array([5, 5, 5, 5])))
    >>> round(found.adapted_rand_error, 3), found.precision == 1 / 3, found.recall
    (0.5, True, 1.0)
    >>> found.voi_split, found.voi_merge
    (0.0, 1.0)
    """
    if not truth_nothing:
        table = table.where(table.truth != NOTHING)
    total = table.total
    truth, prediction = table.truth_sizes(), table.prediction_sizes()
    kept = table.where(table.prediction != NOTHING) if missed_apart else table
    return Grouping(
        voxels=total,
        pairs=_ordered_pairs(kept.voxels),
        truth_pairs=_ordered_pairs(truth),
        predicted_pairs=_ordered_pairs(kept.prediction_sizes()),
        split_bits=_bits(truth, table.voxels),
        merge_bits=_bits(prediction, table.voxels),
    )


def adjusted_rand_index(table: Contingency) -> float | None:
    """Agreement of two groupings, corrected for chance: 1 alike, 0 as by chance; may be negative.

    Hubert & Arabie, J. Classif. 2 (1985); equal to `sklearn.metrics.adjusted_rand_score`. 0 is a
    group like any other. None without a voxel; 1 when both have one group, or one voxel each.

    Examples
    --------
    >>> from orgseg_app.core.metrics.contingency import contingency
    >>> adjusted_rand_index(contingency(np.array([0, 0, 1, 1]), np.array([7, 7, 4, 4])))
    1.0
    """
    total = table.total
    if not total:
        return None
    both = _ordered_pairs(table.voxels)
    truth, prediction = (
        _ordered_pairs(table.truth_sizes()),
        _ordered_pairs(table.prediction_sizes()),
    )
    only_prediction, only_truth = prediction - both, truth - both
    neither = total * (total - 1) - both - only_prediction - only_truth
    if only_prediction == only_truth == 0:
        return 1.0
    bottom = truth * (only_truth + neither) + prediction * (only_prediction + neither)
    return 2 * (both * neither - only_truth * only_prediction) / bottom


def table_of(confusion: NDArray[np.int64]) -> Contingency:
    """A confusion matrix ``(K, K)``, rows truth, as a table: classes are groups of voxels."""
    rows, columns = np.nonzero(confusion)
    return Contingency(
        rows.astype(np.int64), columns.astype(np.int64), np.asarray(confusion)[rows, columns]
    )


def _ordered_pairs(sizes: Counts) -> int:
    """Σ n (n − 1), exact however large: squares are summed by halves of the numbers."""
    squares = 0
    for start in range(0, len(sizes), _AT_ONCE):
        part = sizes[start : start + _AT_ONCE]
        low, high = part & ((1 << _HALF) - 1), part >> _HALF
        squares += int(low @ low) + ((int(low @ high) * 2) << _HALF)
        squares += int(high @ high) << (2 * _HALF)
    return squares - int(sizes.sum())


def _bits(groups: Counts, pairs: Counts) -> float:
    """Σ g log₂ g − Σ p log₂ p: the voxels times the entropy of the parts within the groups."""
    difference = float(groups @ np.log2(groups)) - float(pairs @ np.log2(pairs))
    return max(0.0, difference)
