"""Scores from counting voxels: IoU, Dice, precision, recall, accuracy.

Per-image scores come from the confusion matrix of one image; pooled scores from the sum of the
matrices of all images. The two differ, and are never mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.metrics.sums import average, ratio

PER_CLASS = ("iou", "dice", "precision", "recall", "specificity")
_CHUNK = 1 << 18  # voxels that are worked on at once: they stay in the processor's cache
_CHUNK_OF_TWO = 1 << 19  # where a voxel needs four bytes in all


def confusion_matrix(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], class_ids: Sequence[int]
) -> NDArray[np.int64]:
    """Count voxels by true and predicted class.

    Voxels that the truth leaves unlabelled (0), or whose class is not among ``class_ids``, are
    ignored. A prediction outside ``class_ids`` counts as the first class (background).

    Parameters
    ----------
    truth, prediction
        Class ids, same shape.
    class_ids
        K ids, background first.

    Returns
    -------
    ``(K, K)`` int64, rows truth, columns prediction.

    >>> truth = np.array([1, 1, 2, 2, 0], np.uint8)
    >>> confusion_matrix(truth, np.array([1, 2, 2, 2, 2], np.uint8), [1, 2]).tolist()
    [[1, 1], [0, 2]]
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"Truth is {truth.shape} but the prediction is {prediction.shape}.")
    flat_truth, flat_prediction = truth.ravel(), prediction.ravel()
    if len(class_ids) == 2:
        return _two_classes(flat_truth, flat_prediction, *class_ids)
    count = len(class_ids)
    rows = np.full(256, count, np.intp)
    rows[list(class_ids)] = np.arange(count)
    rows[UNLABELLED] = count
    columns = np.zeros(256, np.intp)
    columns[list(class_ids)] = np.arange(count)
    joint = np.zeros((count + 1) * count, np.int64)
    for start in range(0, truth.size, _CHUNK):
        part = flat_truth[start : start + _CHUNK], flat_prediction[start : start + _CHUNK]
        lengths: NDArray[np.int64] | None = None
        new = np.ones(len(part[0]), bool)
        np.not_equal(part[0][1:], part[0][:-1], out=new[1:])
        new[1:] |= part[1][1:] != part[1][:-1]
        if np.count_nonzero(new) < len(new) // 4:  # in noise, counting voxels is quicker
            firsts = np.flatnonzero(new)
            lengths = np.diff(firsts, append=len(new))
            part = part[0][firsts], part[1][firsts]
        keys = rows[part[0]] * count + columns[part[1]]
        joint += np.bincount(keys, lengths, minlength=len(joint)).astype(np.int64)
    return joint.reshape(count + 1, count)[:count]


def _two_classes(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], first: int, second: int
) -> NDArray[np.int64]:
    """The same for two classes, by counting alone: four counts say everything, or three."""
    import cv2

    counts = np.zeros((2, 2), np.int64)
    scratch = np.empty((2, min(truth.size, _CHUNK_OF_TWO)), bool)  # anew for each chunk is slower
    for start in range(0, truth.size, _CHUNK_OF_TWO):
        part = truth[start : start + _CHUNK_OF_TWO]
        seen, true = scratch[:, : len(part)]
        np.equal(prediction[start : start + _CHUNK_OF_TWO], second, out=seen)
        np.equal(part, second, out=true)
        marked, there = (cv2.countNonZero(mask.view(np.uint8)) for mask in (seen, true))
        both = cv2.countNonZero(np.logical_and(true, seen, out=true).view(np.uint8))
        counts[1] += there - both, both
        if UNLABELLED < first == second - 1 and first <= part.min() and part.max() <= second:
            counts[0] += len(part) - there - marked + both, marked - both
        elif first != UNLABELLED:
            total = cv2.countNonZero(np.equal(part, first, out=true).view(np.uint8))
            wrong = cv2.countNonZero(np.logical_and(true, seen, out=true).view(np.uint8))
            counts[0] += total - wrong, wrong
    return counts


def scores(confusion: NDArray[np.int64], class_ids: Sequence[int]) -> dict[str, Any]:
    """Scores of each class and over all of them.

    - IoU (Jaccard 1912) TP / (TP + FP + FN); Dice = F1 (Dice 1945) 2 TP / (2 TP + FP + FN);
      precision TP / (TP + FP); recall TP / (TP + FN); specificity TN / (TN + FP).
    - A score whose denominator is 0 does not exist: None, never 0 or 1.
    - ``mean_iou`` and ``mean_dice`` average over the classes other than background that occur in
      truth or prediction.

    Returns
    -------
    ``{"iou": {class_id: x}, …, "accuracy": x, "mean_iou": x, "mean_dice": x, "voxels": n}``

    >>> result = scores(np.array([[1, 1], [0, 2]]), [1, 2])
    >>> round(result["iou"][2], 3), round(result["dice"][2], 3), result["accuracy"]
    (0.667, 0.8, 0.75)
    """
    matrix = np.asarray(confusion, np.int64)
    true_positive = np.diag(matrix)
    false_positive = matrix.sum(axis=0) - true_positive
    false_negative = matrix.sum(axis=1) - true_positive
    total = int(matrix.sum())
    true_negative = total - true_positive - false_positive - false_negative
    parts = {
        "iou": (true_positive, true_positive + false_positive + false_negative),
        "dice": (2 * true_positive, 2 * true_positive + false_positive + false_negative),
        "precision": (true_positive, true_positive + false_positive),
        "recall": (true_positive, true_positive + false_negative),
        "specificity": (true_negative, true_negative + false_positive),
    }
    out: dict[str, Any] = {
        name: {
            int(class_id): ratio(int(top[i]), int(bottom[i]))
            for i, class_id in enumerate(class_ids)
        }
        for name, (top, bottom) in parts.items()
    }
    out["accuracy"] = ratio(int(true_positive.sum()), total)
    out["mean_iou"] = _mean(out["iou"])
    out["mean_dice"] = _mean(out["dice"])
    out["voxels"] = total
    return out


def _mean(by_class: dict[int, float | None]) -> float | None:
    return average(x for class_id, x in by_class.items() if class_id != BACKGROUND)
