"""All that is counted of an image: equal to the scores called one by one, slab by slab."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.metrics import judging
from orgseg_app.core.metrics.boundaries import BoundaryAgreement, boundary_scores
from orgseg_app.core.metrics.judging import RatedCounter, facts_of_image
from orgseg_app.core.metrics.object_scores import object_scores
from orgseg_app.core.metrics.pixels import confusion_matrix
from orgseg_app.core.metrics.skeletons import SkeletonAgreement, skeleton_scores
from orgseg_app.core.metrics.thresholds import RatedVoxels, rated, roc_auc
from orgseg_app.core.stopping import StoppedError

IDS = [1, 2, 3]
SIZE = (0.5, 0.2, 0.2)


def blobs(seed: int, shape: tuple[int, int, int], unlabelled: float = 0.1) -> np.ndarray:
    """Class ids in blocks, some of them unlabelled."""
    random = np.random.default_rng(seed)
    coarse = random.choice([1, 1, 2, 3], (shape[0], -(-shape[1] // 3), -(-shape[2] // 3)))
    mask = coarse.repeat(3, axis=1).repeat(3, axis=2)[:, : shape[1], : shape[2]].astype(np.uint8)
    mask[random.random(shape) < unlabelled] = 0
    return mask


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction ``(Z, Y, X)``, some planes unpainted."""
    seed = draw(st.integers(0, 10**6))
    shape = draw(st.sampled_from([(1, 8, 11), (1, 1, 1), (2, 6, 9), (5, 6, 7)]))
    truth = blobs(seed, shape, draw(st.sampled_from([0.0, 0.2, 1.0])))
    for z in draw(st.sets(st.integers(0, shape[0] - 1))):
        truth[z] = 0
    return truth, np.maximum(blobs(seed + 1, shape), 1)


def slabs(truth: np.ndarray) -> list[list[int]]:
    """Neighbouring painted planes, the slow way."""
    found: list[list[int]] = []
    for z, plane in enumerate(truth):
        if plane.any():
            if found and found[-1][-1] == z - 1:
                found[-1].append(z)
            else:
                found.append([z])
    return found


@given(pairs())
@settings(max_examples=15, deadline=None)
def test_equal_to_each_score_called_by_itself(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, prediction = pair
    facts = json.loads(json.dumps(facts_of_image(truth, prediction, IDS, pixel_size_um=SIZE)))
    assert facts["confusion"] == confusion_matrix(truth, prediction, IDS).tolist()
    objects = object_scores(truth, prediction, IDS[1:])
    assert facts["objects"] == json.loads(
        json.dumps({str(i): found.to_dict() for i, found in objects.items()})
    )
    seen = np.where(truth == 0, 0, prediction)
    occurring = [str(i) for i in IDS[1:] if i in truth or i in seen]
    assert list(facts["boundaries"]) == list(facts["skeletons"]) == occurring
    for class_id in map(int, occurring):
        edges, skeletons = BoundaryAgreement(), SkeletonAgreement()
        for planes in slabs(truth):
            both = truth[planes], prediction[planes], class_id
            edges += boundary_scores(*both, pixel_size=SIZE, tolerance=2 * 0.2)
            skeletons += skeleton_scores(*both, pixel_size=SIZE)
        kept = BoundaryAgreement.from_dict(facts["boundaries"][str(class_id)])
        for name, value in vars(edges).items():
            if name != "furthest_95":
                assert getattr(kept, name) == (None if value is None else pytest.approx(value))
        if len(slabs(truth)) == 1:
            assert kept == edges
        kept_skeletons = facts["skeletons"][str(class_id)]
        assert SkeletonAgreement.from_dict(kept_skeletons) == skeletons
    is_deep = any(len(planes) > 1 for planes in slabs(truth))
    assert facts["distances"] == {
        "unit": "µm",
        "tolerance_pixels": 2.0,
        "boundaries": "space" if is_deep else "planes",
        "skeletons": "space" if is_deep else "planes",
    }


def test_the_percentile_is_that_of_all_planes_together() -> None:
    """Two planes apart: edges 1 and 3 voxels off; a third plane where the model found nothing."""
    truth, prediction = np.zeros((2, 5, 4, 12), np.uint8)
    for z, off in ((0, 1), (2, 3)):
        truth[z], prediction[z] = 1, 1
        truth[z, :, :6] = prediction[z, :, : 6 + off] = 2
    truth[4], prediction[4] = 1, 1
    truth[4, :, :6] = 2
    edges = facts_of_image(truth, prediction, [1, 2])["boundaries"]["2"]
    assert (edges["truth"], edges["predicted"], edges["measured"]) == (12, 8, 16)
    assert (edges["found"], edges["right"]) == (4, 4)
    assert (edges["distance_sum"], edges["furthest"]) == (2 * (4 * 1 + 4 * 3), 3)
    assert edges["furthest_95"] == np.percentile([1] * 4 + [3] * 4, 95) == 3


def test_what_is_unlabelled_changes_nothing() -> None:
    truth = blobs(3, (3, 9, 12), 0.3)
    truth[1] = 0
    one, other = (np.maximum(blobs(seed, truth.shape), 1) for seed in (4, 5))
    other[truth > 0] = one[truth > 0]
    assert facts_of_image(truth, one, IDS) == facts_of_image(truth, other, IDS)
    nothing = facts_of_image(np.zeros_like(truth), one, IDS)
    assert nothing["boundaries"] == nothing["skeletons"] == nothing["objects"] == {}
    assert not np.any(nothing["confusion"])


@pytest.mark.parametrize(
    ("size", "depth", "unit"),
    [
        (None, 1, "pixels"),
        ((0.5, 0.1, 0.1), 1, "µm"),
        ((0.0, 0.1, 0.1), 1, "µm"),
        ((0.0, 0.1, 0.1), 2, "pixels"),
        ((1.0, 0.1, float("nan")), 1, "pixels"),
    ],
)
def test_units(size: Any, depth: int, unit: str) -> None:
    truth = np.ones((depth, 3, 9), np.uint8)
    prediction = truth.copy()
    truth[:, :, :3] = prediction[:, :, :5] = 2
    facts = facts_of_image(truth, prediction, [1, 2], pixel_size_um=size)
    step = 0.1 if unit == "µm" else 1
    assert facts["distances"]["unit"] == unit
    assert facts["boundaries"]["2"]["furthest"] == pytest.approx(2 * step)
    assert facts["boundaries"]["2"]["found"] == 3 * depth  # two pixels are within the tolerance
    skeleton = facts["skeletons"]["2"]["prediction"]
    assert depth > 1 or skeleton["length"] == pytest.approx(2 * step)


def test_large_volumes_are_judged_plane_by_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, prediction = blobs(1, (3, 9, 9)), np.maximum(blobs(2, (3, 9, 9)), 1)
    planes: dict[str, Any] = {"boundaries": BoundaryAgreement(), "skeletons": SkeletonAgreement()}
    for true, seen in zip(truth, prediction, strict=True):
        planes["boundaries"] += boundary_scores(true, seen, 2)
        planes["skeletons"] += skeleton_scores(true, seen, 2)
    monkeypatch.setattr(judging, "PAINT_OF_SKELETONS", int(np.count_nonzero(truth)) - 1)
    facts = facts_of_image(truth, prediction, IDS)
    assert (facts["distances"]["boundaries"], facts["distances"]["skeletons"]) == (
        ("space", "planes")
    )
    assert facts["skeletons"]["2"] == planes["skeletons"].to_dict()
    monkeypatch.setattr(judging, "SPACE_OF_EDGES", truth.size - 1)
    facts = facts_of_image(truth, prediction, IDS)
    assert facts["distances"]["boundaries"] == "planes"
    assert facts["boundaries"]["2"]["found"] == planes["boundaries"].found
    assert facts["boundaries"]["2"]["furthest"] == planes["boundaries"].furthest
    monkeypatch.setattr(judging, "PLANE_OF_SKELETONS", 80)
    facts = facts_of_image(truth, prediction, IDS)
    assert "skeletons" not in facts
    assert facts["distances"]["skeletons"] == ""


def test_the_limit_is_the_truths_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever models predict, they are judged alike."""
    truth = blobs(1, (2, 9, 9))
    monkeypatch.setattr(judging, "PAINT_OF_SKELETONS", int(np.count_nonzero(truth)))
    for class_id in IDS:
        facts = facts_of_image(truth, np.full_like(truth, class_id), IDS)
        assert facts["distances"]["skeletons"] == "space"


def test_given_up_and_impossible() -> None:
    truth = blobs(1, (2, 9, 9))
    with pytest.raises(StoppedError):
        facts_of_image(truth, np.maximum(truth, 1), IDS, goes_on=lambda: False)
    for wrong in (truth[0], truth[:, :4]):
        with pytest.raises(ValueError, match="No volumes alike"):
            facts_of_image(wrong, truth, IDS)


@given(st.integers(0, 10**6), st.integers(1, 3))
@settings(max_examples=15, deadline=None)
def test_probabilities_plane_by_plane_are_those_of_the_volume(seed: int, depth: int) -> None:
    truth = blobs(seed, (depth, 5, 7), 0.3)
    random = np.random.default_rng(seed)
    probabilities = random.integers(0, 256, (3, *truth.shape)).astype(np.uint8)
    counter = RatedCounter([2, 4])
    for z in range(depth):
        counter.add(truth[z], probabilities[:, z], of_classes=[3, 2, 1])
    found = counter.rated()
    assert list(found) == [2]  # nobody said anything of class 4, nobody asked for 3
    whole = rated(truth, probabilities[1], 2)
    facts = facts_of_image(truth, np.maximum(truth, 1), IDS, rated=found)
    kept = RatedVoxels.from_dict(json.loads(json.dumps(facts))["rated"]["2"])
    for one in (found[2], kept):
        for name, value in vars(whole).items():
            assert np.array_equal(getattr(one, name), value)
    assert roc_auc(kept) == roc_auc(whole)
