"""Scores of skeletons: clDice as its authors write it, lengths and points counted by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.measuring import thinning_3d
from orgseg_app.core.measuring.thinning import thinned
from orgseg_app.core.measuring.thinning_3d import thinned_volume
from orgseg_app.core.metrics.skeletons import (
    SKELETON_SCORES,
    SkeletonAgreement,
    skeleton_scores,
    skeletons_of_classes,
)
from orgseg_app.core.stopping import StoppedError


def skeleton(mask: np.ndarray) -> np.ndarray:
    thin = thinned if mask.ndim == 2 else thinned_volume
    return thin(mask.astype(np.int32)) > 0


def cl_score(mask: np.ndarray, bones: np.ndarray) -> float:
    """As in the paper's own code (but for its smoothing)."""
    return float(np.sum(mask * bones) / np.sum(bones))


def walked(bones: np.ndarray) -> tuple[float, int, int]:
    """Length, voxels with three links or more, voxels with one or none, of a plane."""
    here = {tuple(place) for place in np.argwhere(bones)}
    length, links = 0.0, dict.fromkeys(here, 0)
    for y, x in here:
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            around = {(y + dy, x), (y, x + dx)} if dy and dx else set()
            if (y + dy, x + dx) in here and not around & here:
                length += math.hypot(dy, dx)
                links[y, x] += 1
                links[y + dy, x + dx] += 1
    return length, sum(n > 2 for n in links.values()), sum(n < 2 for n in links.values())


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_equal_to_the_formulas(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (11, 13) if seed % 5 else (3, 6, 7)
    truth = random.choice([0, 1, 2, 3], shape, p=random.dirichlet((0.5, 2, 4, 0.5)))
    prediction = np.where(random.random(shape) < 0.2, random.integers(1, 4, shape), truth)
    agreement = skeleton_scores(truth.astype(np.uint8), prediction.astype(np.uint8), 2)
    found = agreement.scores()
    true, seen = truth == 2, (prediction == 2) & (truth != 0)
    bones = [skeleton(mask) for mask in (true, seen)]
    precision = cl_score(true, bones[1]) if seen.any() else None
    recall = cl_score(seen, bones[0]) if true.any() else None
    assert (found["cl_precision"], found["cl_recall"]) == (precision, recall)
    if precision and recall:
        wanted = 2 * precision * recall / (precision + recall)
        assert found["cl_dice"] == pytest.approx(wanted, abs=1e-12)
    else:
        assert found["cl_dice"] == (0 if true.any() or seen.any() else None)
    if truth.ndim == 2:
        lengths, _, ends = zip(*(walked(part) for part in bones), strict=True)
        assert agreement.truth.length == pytest.approx(lengths[0])
        assert agreement.prediction.length == pytest.approx(lengths[1])
        assert (agreement.truth.end_points, agreement.prediction.end_points) == ends
        if lengths[0]:
            bias = (lengths[1] - lengths[0]) / lengths[0]
            assert found["skeleton_length_bias"] == pytest.approx(bias)
            assert found["skeleton_length_error"] == pytest.approx(abs(bias))


@given(st.integers(0, 10**6), st.sampled_from([(9, 11), (1, 8, 9), (4, 7, 8)]))
@settings(max_examples=12, deadline=None)
def test_several_classes_are_as_each_by_itself(seed: int, shape: tuple[int, ...]) -> None:
    """Also where a class fills a part of the image alone."""
    random = np.random.default_rng(seed)
    truth, prediction = random.choice([0, 1, 2, 3, 3, 5], (2, *shape)).astype(np.uint8)
    truth[..., :3][truth[..., :3] == 2] = 1
    prediction[..., :5, :][prediction[..., :5, :] == 2] = 3
    together = skeletons_of_classes(truth, prediction, [2, 3, 4, 5])
    for class_id, found in together.items():
        true, seen = (np.where(mask == class_id, 2, mask > 0) for mask in (truth, prediction))
        alone = skeleton_scores(true.astype(np.uint8), seen.astype(np.uint8), 2)
        assert found == alone
    assert together[4] == SkeletonAgreement()


def test_a_network_with_a_branch_too_few() -> None:
    truth = np.ones((21, 41), np.uint8)
    truth[9:12, 2:39] = 2
    truth[2:10, 10] = truth[11:19, 30] = 2
    prediction = truth.copy()
    prediction[11:19, 30] = np.where(prediction[11:19, 30] == 2, 1, 1)
    prediction[9:12, 30] = 2
    found = skeleton_scores(truth, prediction, 2)
    assert (found.truth.branch_points, found.prediction.branch_points) == (2, 1)
    assert (found.truth.end_points, found.prediction.end_points) == (4, 3)
    scores = found.scores()
    assert scores["branch_point_error"] == -scores["branch_point_bias"] == 0.5
    assert scores["end_point_error"] == 0.25
    assert scores["cl_precision"] == 1 > scores["cl_recall"] > 0.8


@pytest.mark.parametrize("shape", [(9, 12), (1, 9, 12), (5, 9, 12)])
def test_equal_empty_and_one_sided(shape: tuple[int, ...]) -> None:
    truth = np.ones(shape, np.uint8)
    truth[..., 2:5, 3:10] = 2
    same = skeleton_scores(truth, truth, 2).scores()
    assert same["cl_dice"] == 1
    assert same["skeleton_length_error"] == same["end_point_bias"] == 0
    assert set(skeleton_scores(truth, truth, 3).scores().values()) == {None}
    full = np.full_like(truth, 2)
    missed = skeleton_scores(truth, np.ones_like(truth), 2).scores()
    assert (missed["cl_dice"], missed["cl_recall"], missed["cl_precision"]) == (0, 0, None)
    assert (missed["skeleton_length_error"], missed["skeleton_length_bias"]) == (1, -1)
    made_up = skeleton_scores(np.ones_like(truth), full, 2).scores()
    assert (made_up["cl_dice"], made_up["skeleton_length_error"]) == (0, None)


def test_what_is_unlabelled_counts_neither_way() -> None:
    truth = np.ones((9, 15), np.uint8)
    truth[4, 1:14] = 2
    truth[:, 6:9] = 0
    gap, bridge = truth.copy(), truth.copy()
    gap[:, 6:9], bridge[:, 6:9] = 1, 2
    assert skeleton_scores(truth, gap, 2) == skeleton_scores(truth, bridge, 2)
    assert skeleton_scores(truth, bridge, 2).scores()["cl_dice"] == 1


def test_lengths_are_in_the_unit_of_the_pixel_size() -> None:
    truth = np.ones((9, 15), np.uint8)
    truth[4, 1:14] = 2
    found = skeleton_scores(truth, truth, 2, pixel_size=(0.5, 0.1))
    assert found.truth.length == pytest.approx(1.2)
    volume = skeleton_scores(truth[None], truth[None], 2, pixel_size=(3, 0.5, 0.1))
    assert volume == found


def test_images_add_up_and_are_kept() -> None:
    random = np.random.default_rng(2)
    truth, prediction = random.integers(1, 3, (2, 2, 16, 16)).astype(np.uint8)
    each = [skeleton_scores(*pair, 2) for pair in zip(truth, prediction, strict=True)]
    total = each[0] + each[1]
    missed = [abs(one.truth.end_points - one.prediction.end_points) for one in each]
    ends = each[0].truth.end_points + each[1].truth.end_points
    assert total.scores()["end_point_error"] == sum(missed) / ends
    assert tuple(total.scores()) == SKELETON_SCORES
    for one in (*each, total, SkeletonAgreement()):
        assert SkeletonAgreement.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    kept = total.to_dict()
    wrong = kept | {"truth": kept["truth"] | {"inside": 10_000}}
    for damaged in (wrong, kept | {"length_missed": math.nan}):
        with pytest.raises(ValueError, match=r"from 0 on|than there is"):
            SkeletonAgreement.from_dict(damaged)


def test_too_large_given_up_and_impossible(monkeypatch: pytest.MonkeyPatch) -> None:
    volume = np.full((4, 4, 4), 2, np.uint8)
    with pytest.raises(StoppedError):
        skeleton_scores(volume, volume, 2, goes_on=lambda: False)
    monkeypatch.setattr(thinning_3d, "MOST_VOXELS", 63)
    with pytest.raises(ValueError, match="too large"):
        skeleton_scores(volume, volume, 2)
    with pytest.raises(ValueError, match="alike"):
        skeleton_scores(volume, volume[:2], 2)
    with pytest.raises(ValueError, match="pixel size"):
        skeleton_scores(volume, volume, 2, pixel_size=(1, 1))
