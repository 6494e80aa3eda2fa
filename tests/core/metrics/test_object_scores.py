"""Scores of the objects of each class, plane by plane and in space."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.metrics.clusters import OBJECT_SCORES, grouping
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import INSTANCE_SCORES, Matching, matching
from orgseg_app.core.metrics.object_scores import ObjectAgreement, object_scores


def scored(truth: np.ndarray, prediction: np.ndarray, *ids: int) -> dict[int, ObjectAgreement]:
    return object_scores(truth, prediction, ids)


def by_hand(truth: np.ndarray, prediction: np.ndarray, class_id: int) -> dict[str, float | None]:
    """With SciPy's components of the whole array."""
    structure = np.ones((3,) * truth.ndim)
    labels = [
        ndimage.label((mask == class_id) & (truth != 0), structure)[0]
        for mask in (truth, prediction)
    ]
    return scores_of(*labels)


def scores_of(truth: np.ndarray, prediction: np.ndarray) -> dict[str, float | None]:
    table = contingency(truth, prediction)
    inside = table.where(table.truth > 0)
    return grouping(inside, missed_apart=True).scores() | matching(table).scores()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_equal_to_components_of_the_whole_array(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape = (int(random.integers(1, 6)), 7, 9)
    truth = random.choice([0, 1, 2, 3], shape, p=random.dirichlet(np.ones(4))).astype(np.uint8)
    truth[random.random(len(truth)) < 0.3] = 0
    prediction = np.where(random.random(shape) < 0.3, random.integers(1, 4, shape), truth)
    found = scored(truth, prediction.astype(np.uint8), 2, 3)
    painted = truth.any(axis=(1, 2))
    is_deep = (painted[1:] & painted[:-1]).any()
    for class_id in (2, 3):
        either = (truth == class_id) | ((prediction == class_id) & (truth != 0))
        assert (class_id in found) == either.any()
        if class_id not in found:
            continue
        nothing = dict.fromkeys((*OBJECT_SCORES, *INSTANCE_SCORES))
        wanted = by_hand(truth, prediction, class_id) if is_deep else nothing
        assert found[class_id].volume_scores() == pytest.approx(wanted, abs=1e-9)
        planes = [by_hand(*both, class_id) for both in zip(truth, prediction, strict=True)]
        for name, mean in found[class_id].plane_scores().items():
            values = [plane[name] for plane in planes if plane[name] is not None]
            if name in OBJECT_SCORES:
                assert mean == (pytest.approx(np.mean(values), abs=1e-9) if values else None)
            elif len(planes) == 1:
                assert [mean] == (pytest.approx(values) if values else [None])


def test_what_is_not_painted_changes_nothing() -> None:
    truth = np.array([[[2, 2, 0, 2, 2], [1, 1, 0, 1, 1]]], np.uint8)
    bridge = truth.copy()
    bridge[truth == 0] = 2
    nothing = np.where(truth == 0, 1, truth).astype(np.uint8)
    assert scored(truth, bridge, 2) == scored(truth, nothing, 2)
    assert scored(truth, bridge, 2)[2].plane_scores()["adapted_rand_error"] == 0


def test_objects_of_a_volume_may_join_on_another_plane() -> None:
    apart = np.array([[2, 2, 1, 2, 2]], np.uint8)
    joined = np.full((1, 5), 2, np.uint8)
    truth = np.stack((apart, apart))
    found = scored(truth, np.stack((apart, joined)), 2)[2]
    assert found.plane_scores()["voi_merge"] == 0.5  # one plane of two
    assert found.volume_scores()["voi_merge"] == 1
    whole = np.stack((apart, joined))
    assert scored(whole, whole, 2)[2].volume_scores()["adapted_rand_error"] == 0


def test_a_model_that_finds_nothing() -> None:
    truth = np.full((1, 4, 4), 2, np.uint8)
    found = scored(truth, np.ones((1, 4, 4), np.uint8), 2)[2].plane_scores()
    assert found["adapted_rand_error"] == 1
    assert found["recall"] == 0
    assert found["precision"] is None


def test_images_add_up_and_are_kept() -> None:
    random = np.random.default_rng(3)
    truth, prediction = random.integers(1, 3, (2, 4, 8, 8)).astype(np.uint8)
    flat = scored(truth[:1], prediction[:1], 2)[2]
    deep = scored(truth[1:], prediction[1:], 2)[2]
    assert flat.volume is None
    both = flat + deep
    assert both.volume == deep.volume
    counted = both.planes["adapted_rand_error"]
    assert counted[1] == 4
    again = (deep + deep).volume_scores()["adapted_rand_error"]
    assert again == pytest.approx(deep.volume_scores()["adapted_rand_error"])
    assert ObjectAgreement.from_dict(json.loads(json.dumps(both.to_dict()))) == both


def numbered(shape: tuple[int, int, int], *boxes: tuple[int, int, int]) -> np.ndarray:
    """Objects: rows of one line of voxels, as ``(number, first, end)``, on every plane."""
    objects = np.zeros(shape, np.uint32)
    for number, first, end in boxes:
        objects[:, 0, first:end] = number
    return objects


@pytest.mark.parametrize("depth", [1, 3])
def test_painted_objects_that_touch_are_two(depth: int) -> None:
    shape = (depth, 1, 12)
    painted = numbered(shape, (70_000, 0, 4), (9, 4, 8), (2**32 - 1, 10, 12))
    truth = np.where(painted > 0, 2, 1).astype(np.uint8)
    apart = numbered(shape, (5, 0, 4), (6, 4, 8), (7, 10, 12))

    def found(predicted: np.ndarray | None) -> dict[str, float | None]:
        scores = object_scores(
            truth, truth, [2], true_objects=painted, predicted_objects=predicted
        )[2]
        assert scores.matched is not None
        assert scores.matched.truth == 3 * depth
        assert (scores.matched_volume is None) == (depth == 1)
        return scores.plane_scores() if depth == 1 else scores.volume_scores()

    joined = found(None)  # components of the prediction: two of three are one
    assert (joined["ap_50"], joined["merged_objects"], joined["voi_split"]) == (0.25, 0.5, 0)
    assert joined["voi_merge"] > 0
    perfect = found(apart)
    assert perfect["mean_ap"] == perfect["panoptic_quality"] == 1
    assert perfect["voi_merge"] == perfect["count_error"] == 0


def test_components_beside_painted_objects() -> None:
    """One apart is an object; of one that touches an object nobody knows whether it is part."""
    truth = np.array([[[2, 2, 2, 2, 1, 2, 2, 1, 3]]], np.uint8)
    painted = numbered((1, 1, 9), (4, 0, 3))
    found = object_scores(truth, truth, [2, 3], true_objects=painted)
    assert found[2].matched is not None
    assert found[3].matched is not None
    assert (found[2].matched.truth, found[2].matched.predicted, found[2].matched.hits[9]) == (
        2,
        2,
        2,
    )
    assert found[3].matched.hits[0] == 1
    volume = np.repeat(truth, 2, axis=0)
    deep = object_scores(volume, volume, [2], true_objects=np.repeat(painted, 2, axis=0))[2]
    assert deep.matched_volume is not None
    assert (deep.matched_volume.truth, deep.matched_volume.hits[9]) == (2, 2)
    assert deep.matched == found[2].matched + found[2].matched


def test_predicted_objects_outside_the_paint_are_no_mistakes() -> None:
    truth = np.array([[[2, 2, 1, 1, 0, 0, 0, 0]]], np.uint8)
    prediction = np.array([[[2, 2, 1, 2, 2, 2, 2, 1]]], np.uint8)
    known = numbered((1, 1, 8), (1, 0, 2), (2, 3, 7))
    found = object_scores(truth, prediction, [2], predicted_objects=known)[2].matched
    assert found is not None
    assert (found.truth, found.predicted, found.hits[0]) == (1, 1, 1)
    found = object_scores(truth, prediction, [2])[2].matched  # components end with the paint
    assert found is not None
    assert found.predicted == 2


def test_a_class_that_is_only_predicted_is_made_up() -> None:
    truth = np.array([[[1, 1, 3, 3]]], np.uint8)
    found = scored(truth, np.array([[[2, 1, 3, 3]]], np.uint8), 2, 3)
    assert found[2].plane_scores()["ap_50"] == 0
    assert found[2].matched == Matching(predicted=1, miscounted=1)
    assert (found[2] + found[3]).plane_scores()["ap_50"] == 0.5
    assert found[2].plane_scores()["voi_split"] is None


def test_jobs_that_did_not_match_objects() -> None:
    mask = np.array([[[2, 1]]], np.uint8)
    new = scored(mask, mask, 2)[2]
    kept = new.to_dict()
    for name in ("matched", "matched_volume"):
        del kept[name]
    old = ObjectAgreement.from_dict(kept)
    assert old.matched is None
    assert old.plane_scores()["ap_50"] is None
    assert (old + new).matched is None  # half of the images would not be the pooled score
    assert (old + new).plane_scores()["recall"] == new.plane_scores()["recall"]
