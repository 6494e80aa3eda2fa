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
    return grouping(contingency(*labels), missed_apart=True).scores()


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
        assert (class_id in found) == (truth == class_id).any()
        if class_id not in found:
            continue
        wanted = by_hand(truth, prediction, class_id) if is_deep else dict.fromkeys(OBJECT_SCORES)
        assert found[class_id].volume_scores() == pytest.approx(wanted, abs=1e-9)
        planes = [by_hand(*both, class_id) for both in zip(truth, prediction, strict=True)]
        for name, mean in found[class_id].plane_scores().items():
            values = [plane[name] for plane in planes if plane[name] is not None]
            assert mean == (pytest.approx(np.mean(values), abs=1e-9) if values else None)


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
