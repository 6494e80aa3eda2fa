"""Scores of outlines against every pair of edge voxels, and against SciPy."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.distance import directed_hausdorff

from orgseg_app.core.metrics.boundaries import (
    BoundaryAgreement,
    boundary_scores,
    edge_distances,
    edges,
)
from orgseg_app.core.metrics.nearest import nearest_distances


def edge_places(mask: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Voxel by voxel, neighbour by neighbour: ``(n, axes)``."""
    found = []
    for place in itertools.product(*map(range, mask.shape)):
        if not (mask[place] and labelled[place]):
            continue
        for axis, step in itertools.product(range(mask.ndim), (-1, 1)):
            beside = list(place)
            beside[axis] += step
            inside = 0 <= beside[axis] < mask.shape[axis]
            if inside and labelled[tuple(beside)] and not mask[tuple(beside)]:
                found.append(place)
                break
    return np.array(found, float).reshape(-1, mask.ndim)


def by_hand(
    truth: np.ndarray, prediction: np.ndarray, class_id: int, tolerance: float, sizes: tuple
) -> dict[str, float | None]:
    labelled = truth != 0
    one, other = (edge_places(mask == class_id, labelled) * sizes for mask in (truth, prediction))
    if not len(one) and not len(other):
        return dict.fromkeys(BoundaryAgreement().scores())
    if not len(one) or not len(other):
        found = dict.fromkeys(BoundaryAgreement().scores()) | {"boundary_f1": 0.0}
        return found | {"boundary_recall" if len(one) else "boundary_precision": 0.0}
    apart = np.sqrt(((one[:, None] - other[None]) ** 2).sum(axis=2))
    there, back = apart.min(axis=1), apart.min(axis=0)
    recall, precision = (np.mean(d <= tolerance + 1e-9) for d in (there, back))
    total = precision + recall
    return {
        "boundary_f1": 2 * precision * recall / total if total else 0.0,
        "boundary_precision": precision,
        "boundary_recall": recall,
        "hausdorff": max(directed_hausdorff(one, other)[0], directed_hausdorff(other, one)[0]),
        "hausdorff_95": max(np.percentile(there, 95), np.percentile(back, 95)),
        "surface_distance": np.concatenate((there, back)).mean(),
    }


SIZES = ((1, 1, 1), (3.5, 0.5, 0.25), (0.3, 0.1, 0.1), (0.1, 2.0, 0.7))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(1, 1), (6, 9), (4, 4), (1, 13), (3, 5, 6), (1, 6, 7)]))
    spread = draw(st.sampled_from([0.3, 1.0, 5.0]))  # from one class nearly everywhere on
    truth = random.choice([0, 1, 2, 3], shape, p=random.dirichlet(np.full(4, spread)))
    moved = np.roll(truth, random.integers(0, 3), axis=-1)
    noise = random.random(shape) < draw(st.sampled_from([0.0, 0.1, 1.0]))
    prediction = np.where(noise, random.integers(1, 4, shape), moved)
    return truth.astype(np.uint8), prediction.astype(np.uint8)


@given(pairs(), st.sampled_from(SIZES), st.sampled_from([0.0, 0.3, 1.0, 2.0]))
@settings(max_examples=40, deadline=None)
def test_equal_to_every_pair_of_edge_voxels(
    pair: tuple[np.ndarray, np.ndarray], sizes: tuple[float, ...], tolerance: float
) -> None:
    truth, prediction = pair
    sizes = sizes[-truth.ndim :]
    found = boundary_scores(truth, prediction, 2, tolerance=tolerance, pixel_size=sizes)
    wanted = by_hand(truth, prediction, 2, tolerance, sizes)
    assert found.scores() == pytest.approx(wanted, abs=1e-9)
    places = edge_places(truth == 2, truth != 0)
    assert np.argwhere(edges(truth == 2, truth != 0)).tolist() == places.tolist()


@given(pairs())
@settings(max_examples=20, deadline=None)
def test_what_is_unlabelled_counts_neither_way(pair: tuple[np.ndarray, np.ndarray]) -> None:
    truth, prediction = pair
    other = np.where(truth == 0, 2, prediction).astype(np.uint8)
    assert boundary_scores(truth, prediction, 2) == boundary_scores(truth, other, 2)


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(1, 600, 5), (1, 4, 700), (1, 80, 200), (20, 15, 40), (40, 5, 60)]),
    st.sampled_from(SIZES),
    st.integers(1, 40),
)
@example(3, (1, 600, 5), (1, 1, 1), 1)
@settings(max_examples=25, deadline=None)
def test_near_and_far_distances_are_those_of_scipy(
    seed: int, shape: tuple[int, int, int], sizes: tuple[float, float, float], count: int
) -> None:
    random = np.random.default_rng(seed)
    masks = np.zeros((2, *shape), bool)
    for mask in masks:
        corner = random.integers(1, np.array(shape) + 1)  # some lie at one end only
        places = random.integers(0, corner, (count, 3))
        mask[tuple(places.T)] = True
    sets = [np.argwhere(mask).astype(np.int32) for mask in masks]
    found = nearest_distances(*sets, sizes)
    for own, other, distances in ((0, 1, found[0]), (1, 0, found[1])):
        wanted = ndimage.distance_transform_edt(~masks[other], sampling=sizes)[masks[own]]
        assert distances == pytest.approx(wanted, abs=1e-9)


def test_the_border_of_image_and_paint_is_no_edge() -> None:
    full = np.full((5, 6), 2, np.uint8)
    assert boundary_scores(full, full, 2) == BoundaryAgreement()
    half = full.copy()
    half[:, 3:] = 0
    assert boundary_scores(half, full, 2).scores()["boundary_f1"] is None
    half[:, 2] = 1
    found = edge_distances(half, half, 2)
    assert found.truth.tolist() == [0] * 5


def test_one_side_without_an_edge() -> None:
    truth = np.ones((5, 6), np.uint8)
    other = truth.copy()
    other[2, 2:4] = 2
    missed, made_up = boundary_scores(other, truth, 2), boundary_scores(truth, other, 2)
    for found, kept in ((missed, "boundary_recall"), (made_up, "boundary_precision")):
        scores = found.scores()
        assert scores.pop("boundary_f1") == scores.pop(kept) == 0
        assert set(scores.values()) == {None}


def test_a_square_one_pixel_larger_all_round_in_micrometres() -> None:
    truth = np.ones((30, 30), np.uint8)
    truth[10:20, 10:20] = 2
    larger = truth.copy()
    larger[9:21, 9:21] = 2
    found = boundary_scores(truth, larger, 2, tolerance=0.3, pixel_size=(0.3, 0.3)).scores()
    assert found["hausdorff"] == pytest.approx(0.3 * math.sqrt(2))
    assert found["boundary_recall"] == 1  # 3 × 0.1 is not quite 0.3, and does not matter
    assert found["boundary_precision"] == 40 / 44  # of the predicted edge the corners are too far
    assert found["surface_distance"] == pytest.approx(0.3 * (76 + 4 * math.sqrt(2)) / 80)


def test_images_add_up_and_are_kept() -> None:
    random = np.random.default_rng(5)
    truth, prediction = random.integers(1, 3, (2, 3, 12, 12)).astype(np.uint8)
    each = [boundary_scores(*pair, 2, tolerance=1) for pair in zip(truth, prediction, strict=True)]
    empty = boundary_scores(truth[0], np.ones_like(truth[0]), 2, tolerance=1)
    total = sum((*each, empty), start=BoundaryAgreement())
    scores = total.scores()
    assert total.truth == sum(one.truth for one in each) + each[0].truth
    assert scores["hausdorff"] == max(one.furthest for one in each)
    wanted = sum(one.distance_sum for one in each) / sum(one.measured for one in each)
    assert scores["surface_distance"] == pytest.approx(wanted)  # without the image with one edge
    assert scores["hausdorff_95"] is None
    assert (each[0] + empty).scores()["hausdorff_95"] == each[0].furthest_95
    for one in (*each, empty, total):
        assert BoundaryAgreement.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    kept = each[0].to_dict()
    for wrong in ({"found": kept["truth"] + 1}, {"furthest": math.nan}, {"measured": -1}):
        with pytest.raises(ValueError, match=r"from 0 on|than there is"):
            BoundaryAgreement.from_dict(kept | wrong)


def test_impossible_input_is_refused() -> None:
    mask = np.ones((4, 4), np.uint8)
    for wrong in ({"tolerance": -1}, {"pixel_size": (1, 0)}, {"pixel_size": (1, 1, 1)}):
        with pytest.raises(ValueError, match=r"tolerance|pixel size"):
            boundary_scores(mask, mask, 2, **wrong)
    with pytest.raises(ValueError, match="alike"):
        boundary_scores(mask, mask[:2], 2)
