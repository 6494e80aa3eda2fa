"""Scores over many classes at once, from a confusion matrix: means over all or over a group.

A group is what an image is about, such as the organelles of a cell without cell body and
background; by default, all classes but background.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.metrics.clusters import adjusted_rand_index, table_of

GROUP_SCORES = ("mean_iou_all", "mean_iou_group", "mean_recall_group", "adjusted_rand_index")


def group_scores(
    confusion: NDArray[np.int64], class_ids: Sequence[int], group: Collection[int] = ()
) -> dict[str, float | None]:
    """Means over classes, and how alike the voxels are grouped by class.

    - ``mean_iou_all``: IoU, background included; MIoU(all) of Guay et al., Sci. Rep. 11 (2021).
    - ``mean_iou_group``: IoU of the classes of the group; their MIoU(org).
    - ``mean_recall_group``: the share of each class's voxels that got their class, over the group;
      their mean organelle accuracy.
    - ``adjusted_rand_index``: see `clusters.adjusted_rand_index`, every class a group of voxels.

    Means are over classes that occur in truth or prediction, the third over those of the truth.
    A score without any is None.

    Parameters
    ----------
    confusion
        ``(K, K)`` voxels, rows truth.
    class_ids
        K ids.
    group
        Ids; none for all but background.

    Examples
    --------
    >>> found = group_scores(np.array([[6, 0, 0], [0, 2, 2], [0, 0, 0]]), [1, 2, 3])
    >>> found["mean_iou_all"], found["mean_iou_group"], found["mean_recall_group"]
    (0.5, 0.25, 0.5)
    """
    matrix = np.asarray(confusion, np.int64)
    hits, true = np.diagonal(matrix), matrix.sum(axis=1)
    either = true + matrix.sum(axis=0) - hits
    in_group = np.array([i in group if group else i != BACKGROUND for i in class_ids], bool)
    return {
        "mean_iou_all": _mean(hits, either),
        "mean_iou_group": _mean(hits[in_group], either[in_group]),
        "mean_recall_group": _mean(hits[in_group], true[in_group]),
        "adjusted_rand_index": adjusted_rand_index(table_of(matrix)),
    }


def shares_of_truth(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """A confusion matrix with every row divided by its sum; NaN where the truth has none.

    >>> shares_of_truth(np.array([[3, 1], [0, 0]])).tolist()
    [[0.75, 0.25], [nan, nan]]
    """
    rows = np.asarray(confusion, np.float64)
    sums = rows.sum(axis=1, keepdims=True)
    shares = np.full(rows.shape, np.nan)
    np.divide(rows, sums, out=shares, where=sums > 0)
    return shares


def _mean(top: NDArray[np.int64], bottom: NDArray[np.int64]) -> float | None:
    there = bottom > 0
    return float((top[there] / bottom[there]).mean()) if there.any() else None
