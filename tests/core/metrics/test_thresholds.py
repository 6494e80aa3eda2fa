"""Curves, areas and thresholds, against loops over thresholds and over pairs of voxels."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.metrics.pixels import confusion_matrix, scores
from orgseg_app.core.metrics.thresholds import (
    SWEPT,
    RatedVoxels,
    average_precision,
    best_threshold,
    precision_recall,
    rated,
    roc,
    roc_auc,
    sweep,
)

Pair = tuple[np.ndarray, np.ndarray]


@st.composite
def pairs(draw: st.DrawFn) -> Pair:
    """Truth with unlabelled voxels, and probabilities with many ties, or none, or as bytes."""
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(0,), (1,), (4, 5), (2, 4, 6)]))
    truth = random.choice([0, 1, 2, 3], shape, p=random.dirichlet((0.3, 1, 1, 0.5)))
    kind = draw(st.sampled_from(["ties", "float32", "float64", "bytes", "equal"]))
    probability = random.random(shape)
    if kind == "ties":
        probability = np.round(probability, 1)
    if kind == "equal":
        probability[:] = 0.5
    if kind == "bytes":
        return truth.astype(np.uint8), np.rint(probability * 255).astype(np.uint8)
    dtype = np.float32 if kind == "float32" else np.float64
    return truth.astype(np.uint8), probability.astype(dtype)


def split(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
    truth, probability = pair
    values = probability / 255 if probability.dtype == np.uint8 else probability.astype(float)
    return values[truth == 2], values[(truth != 2) & (truth != 0)]


@given(pairs())
@settings(max_examples=40, deadline=None)
def test_roc_auc_is_the_share_of_pairs_in_the_right_order(pair: Pair) -> None:
    inside, outside = split(pair)
    above = (inside[:, None] > outside).sum() + (inside[:, None] == outside).sum() / 2
    total = inside.size * outside.size
    found = roc_auc(rated(*pair, 2))
    assert found == (pytest.approx(above / total, abs=1e-12) if total else None)


@given(pairs())
@settings(max_examples=40, deadline=None)
def test_curves_are_those_of_every_threshold_by_itself(pair: Pair) -> None:
    """As scikit-learn defines them."""
    inside, outside = split(pair)
    voxels = rated(*pair, 2)
    curve, area, ratios = precision_recall(voxels), 0.0, roc(voxels)
    if not inside.size:
        assert len(curve.x) == len(ratios.x) == 0
        assert average_precision(voxels) is None
        return
    points, before = [(0.0, 1.0)], 0.0
    rates = [(0.0, 0.0)]
    for threshold in np.unique(np.concatenate((inside, outside)))[::-1]:
        hits, wrong = (inside >= threshold).sum(), (outside >= threshold).sum()
        recall, precision = hits / inside.size, hits / (hits + wrong)
        area, before = area + (recall - before) * precision, recall
        points.append((recall, precision))
        rates.append((wrong / max(1, outside.size), recall))
    assert np.column_stack((curve.x, curve.y)) == pytest.approx(np.array(points), abs=1e-12)
    assert average_precision(voxels) == pytest.approx(area, abs=1e-12)
    assert curve.thresholds[0] == math.inf
    if outside.size:
        assert np.column_stack((ratios.x, ratios.y)) == pytest.approx(np.array(rates), abs=1e-12)


@given(pairs())
@settings(max_examples=40, deadline=None)
def test_a_sweep_gives_the_scores_of_the_masks(pair: Pair) -> None:
    truth, probability = pair
    values = probability / 255 if probability.dtype == np.uint8 else probability
    binary = np.where(truth == 3, 1, truth).astype(np.uint8)
    thresholds = [0.0, 0.25, 0.5, 0.7, 1.0]
    found = sweep(rated(*pair, 2), thresholds)
    for place, threshold in enumerate(thresholds):
        mask = np.where(values >= threshold, 2, 1).astype(np.uint8)
        wanted = scores(confusion_matrix(binary, mask, [1, 2]), [1, 2])
        for name in SWEPT:
            assert found[name][place] == wanted[name][2]


@given(pairs(), st.sampled_from(["iou", "dice"]))
@settings(max_examples=40, deadline=None)
def test_no_threshold_is_better_than_the_best(pair: Pair, score: str) -> None:
    voxels = rated(*pair, 2)
    best = best_threshold(voxels, score)
    if not len(voxels.values):
        assert best is None
        return
    if not voxels.inside.any():
        assert best is not None
        assert best[1] == 0
        return
    assert best is not None
    assert sweep(voxels, [best[0]])[score] == [best[1]]
    around = [*voxels.values, *np.nextafter(voxels.values, 2), *np.linspace(0, 1, 40)]
    assert best[1] >= max(value for value in sweep(voxels, around)[score] if value is not None)


@given(pairs(), st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_parts_add_up_to_the_whole_and_are_kept(pair: Pair, cut: int) -> None:
    truth, probability = (array.ravel() for array in pair)
    whole = rated(truth, probability, 2)
    both = rated(truth[:cut], probability[:cut], 2) + rated(truth[cut:], probability[cut:], 2)
    for one in (both, RatedVoxels.from_dict(json.loads(json.dumps(both.to_dict())))):
        for name, value in vars(whole).items():
            assert np.array_equal(getattr(one, name), value)


def test_bytes_and_steps_are_the_same_as_their_floating_values() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, (600, 700)).astype(np.uint8)  # more than a chunk
    kept = random.integers(0, 256, truth.shape).astype(np.uint8)
    exact = rated(truth, kept / 255, 2)
    near = np.minimum(kept / 255 + 0.001, 1)
    for other in (rated(truth, kept, 2), rated(truth, near, 2, steps=255)):
        assert np.array_equal(other.values, exact.values)
        assert np.array_equal(other.inside, exact.inside)
        assert np.array_equal(other.outside, exact.outside)
    assert exact.inside.sum() == (truth == 2).sum()


def test_bytes_are_kept_as_short_texts() -> None:
    random = np.random.default_rng(1)
    truth = random.integers(0, 3, (600, 700)).astype(np.uint8)
    voxels = rated(truth, random.integers(0, 256, truth.shape).astype(np.uint8), 2)
    kept = voxels.to_dict()
    assert len(json.dumps(kept)) < 2500
    assert kept["steps"] == 255
    assert [int(word) for word in kept["inside"].split()] == voxels.inside.tolist()
    longer = {name: value.tolist() for name, value in vars(voxels).items()}  # of other values
    for form in (kept, longer):
        back = RatedVoxels.from_dict(form)
        assert all(np.array_equal(getattr(back, name), vars(voxels)[name]) for name in longer)
    for wrong in ({"inside": "1 2"}, {"steps": 256}, {"outside": "-1 " * 255 + "0"}):
        with pytest.raises(ValueError, match=r"a step|invalid literal"):
            RatedVoxels.from_dict(kept | wrong)


def test_perfect_and_reversed() -> None:
    truth = np.array([[1, 1, 2, 2, 0]], np.uint8)
    right = np.array([[0.1, 0.2, 0.8, 0.9, 0.0]])
    assert roc_auc(rated(truth, right, 2)) == average_precision(rated(truth, right, 2)) == 1
    assert roc_auc(rated(truth, 1 - right, 2)) == 0
    assert best_threshold(rated(truth, right, 2)) == (0.5, 1.0)


def test_of_equally_good_thresholds_that_nearest_to_a_half_is_taken() -> None:
    truth = np.array([2, 1, 2, 1], np.uint8)
    probability = np.array([0.9, 0.7, 0.3, 0.3])
    found = best_threshold(rated(truth, probability, 2))
    assert found is not None
    assert found == (pytest.approx(0.8), 0.5)  # all of them, 0.15, are as good: 2 of 4


def test_impossible_input_is_refused() -> None:
    truth = np.array([1, 2], np.uint8)
    for wrong in (np.array([0.5, np.nan]), np.array([0.5])):
        with pytest.raises(ValueError, match=r"no numbers|Truth is"):
            rated(truth, wrong, 2)
    with pytest.raises(ValueError, match="from 0 to 1"):
        rated(truth, np.array([0.5, 1.5]), 2, steps=10)
    good = {"values": [0.1, 0.2], "inside": [1, 2], "outside": [0, 1]}
    for wrong in ({"values": [0.2, 0.1]}, {"inside": [1]}, {"outside": [0, -1]}):
        with pytest.raises(ValueError, match=r"rise|two numbers|from 0 on"):
            RatedVoxels.from_dict(good | wrong)
