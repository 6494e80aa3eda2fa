"""Means over classes and groups against counting by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orgseg_app.core.metrics.class_groups import group_scores, shares_of_truth
from orgseg_app.core.metrics.pixels import confusion_matrix

IDS = [1, 2, 3, 6]
masks = arrays(np.uint8, 40, elements=st.sampled_from([1, 2, 3, 6]))


@given(masks, masks, st.sets(st.sampled_from(IDS)))
@settings(max_examples=60, deadline=None)
def test_means_by_hand(truth: np.ndarray, prediction: np.ndarray, group: set[int]) -> None:
    found = group_scores(confusion_matrix(truth, prediction, IDS), IDS, group)

    def mean(ids: set[int], *, recall: bool = False) -> float | None:
        values = []
        for i in ids:
            true, seen = truth == i, prediction == i
            whole = true if recall else true | seen
            if whole.any():
                values.append((true & seen).sum() / whole.sum())
        return pytest.approx(np.mean(values)) if values else None

    chosen = group or {2, 3, 6}
    assert found["mean_iou_all"] == mean(set(IDS))
    assert found["mean_iou_group"] == mean(chosen)
    assert found["mean_recall_group"] == mean(chosen, recall=True)


def test_rows_sum_to_one_or_do_not_exist() -> None:
    shares = shares_of_truth(np.array([[8, 2, 0], [0, 0, 0], [1, 1, 2]]))
    assert np.nansum(shares, axis=1).tolist() == [1, 0, 1]
    assert shares[0].tolist() == [0.8, 0.2, 0]
    assert np.isnan(shares[1]).all()


def test_nothing_at_all() -> None:
    assert set(group_scores(np.zeros((2, 2), int), [1, 2]).values()) == {None}
