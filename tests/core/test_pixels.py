"""Voxel scores against a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orgseg_app.core.metrics.pixels import confusion_matrix, scores

ids = arrays(np.uint8, 60, elements=st.sampled_from([0, 1, 2, 5]))


@given(ids, ids)
@settings(max_examples=100, deadline=None)
def test_scores_match_counting_by_hand(truth: np.ndarray, prediction: np.ndarray) -> None:
    prediction = np.where(prediction == 0, 1, prediction).astype(np.uint8)
    result = scores(confusion_matrix(truth, prediction, [1, 2, 5]), [1, 2, 5])
    known = truth != 0
    means = []
    for c in (1, 2, 5):
        t, p = (truth == c) & known, (prediction == c) & known
        tp, fp, fn = (t & p).sum(), (~t & p & known).sum(), (t & ~p).sum()
        tn = known.sum() - tp - fp - fn
        for name, top, bottom in (
            ("iou", tp, tp + fp + fn),
            ("dice", 2 * tp, 2 * tp + fp + fn),
            ("precision", tp, tp + fp),
            ("recall", tp, tp + fn),
            ("specificity", tn, tn + fp),
        ):
            expected = top / bottom if bottom else None
            assert result[name][c] == (pytest.approx(expected) if bottom else None)
        if c != 1 and tp + fp + fn:
            means.append(tp / (tp + fp + fn))
    assert result["mean_iou"] == (pytest.approx(np.mean(means)) if means else None)
    same = ((truth == prediction) & known).sum()
    assert result["accuracy"] == (pytest.approx(same / known.sum()) if known.any() else None)
    assert result["voxels"] == known.sum()


@pytest.mark.parametrize("class_ids", [[1, 2], [1, 5], [1, 2, 5], [1, 2, 3, 5, 9]])
@pytest.mark.parametrize("length", [1, 4, 400])
def test_large_planes_count_like_small_ones(class_ids: list[int], length: int) -> None:
    """Noise, short runs and long ones, over more voxels than are worked on at once."""
    random = np.random.default_rng(length)
    known = np.array([0, 1, 2, 5, 7])
    drawn = np.repeat(random.choice(known, (2, 700_000 // length + 1)), length, axis=1)
    truth, prediction = drawn[:, :690_000].astype(np.uint8).reshape(2, 600, 1150)
    truth[500:] = 1 + truth[500:] % 2  # the end is painted whole, with two classes
    wanted = np.zeros((len(class_ids), len(class_ids)), np.int64)
    for row, true in enumerate(class_ids):
        for column, seen in enumerate(class_ids):
            wanted[row, column] = ((truth == true) & (prediction == seen)).sum()
        others = ~np.isin(prediction, class_ids)
        wanted[row, 0] += ((truth == true) & others).sum()  # what is no class is background
    assert np.array_equal(confusion_matrix(truth, prediction, class_ids), wanted)


def test_unlabelled_voxels_never_count() -> None:
    truth = np.array([[1, 2], [0, 0]], np.uint8)
    one = confusion_matrix(truth, np.array([[1, 2], [1, 2]], np.uint8), [1, 2])
    other = confusion_matrix(truth, np.array([[1, 2], [2, 1]], np.uint8), [1, 2])
    assert np.array_equal(one, other)


def test_a_class_that_is_nowhere_has_no_score() -> None:
    ones = np.ones(9, np.uint8)
    result = scores(confusion_matrix(ones, ones, [1, 2]), [1, 2])
    assert result["iou"] == {1: 1.0, 2: None}
    assert result["mean_iou"] is None


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match="prediction"):
        confusion_matrix(np.zeros(3, np.uint8), np.zeros(4, np.uint8), [1])
