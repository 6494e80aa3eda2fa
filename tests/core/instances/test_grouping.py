"""Maps become objects: touching ones apart, filters, and a flood against a slow one."""

from __future__ import annotations

import heapq
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orgseg_app.core.instances.flooding import STEPS, components, flood
from orgseg_app.core.instances.grouping import GroupingParameters, as_map, group, seed_map
from orgseg_app.core.instances.targets import TARGETS, Target, target_layers
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import matching

WITH_MAPS = [name for name, target in TARGETS.items() if target.layers]


def discs(
    *centres: tuple[int, ...], radius: int = 8, size: tuple[int, ...] = (40, 60)
) -> np.ndarray:
    """Objects ``size``, the earlier ones on top."""
    grid = np.indices(size)
    objects = np.zeros(size, np.uint32)
    for number, centre in enumerate(centres, 1):
        away = sum((axis - at) ** 2 for axis, at in zip(grid, centre, strict=True))
        objects[(away < radius**2) & (objects == 0)] = number
    return objects


def maps_of(target: Target, objects: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a network says that has learnt everything."""
    layers = target_layers(target, objects)
    maps = [(layers[0] == k).astype(np.float32) for k in range(3)] if target.has_boundary else []
    if target.has_distance:
        maps.append(layers[-1] / np.float32(255))
    if target.has_centre:
        maps = [layer / np.float32(255) for layer in layers]
    return as_map(objects > 0), as_map(seed_map(target, np.stack(maps)))


def ap(objects: np.ndarray, found: np.ndarray) -> float | None:
    return matching(contingency(objects, found)).ap(0.75)


TOUCHING = {
    "plane": discs((20, 15), (20, 29), (20, 43)),
    "volume": discs((9, 9, 9), (9, 9, 20), radius=6, size=(18, 18, 30)),
}


@pytest.mark.parametrize("name", WITH_MAPS)
@pytest.mark.parametrize("kind", TOUCHING)
def test_touching_objects_come_apart_where_components_merge_them(name: str, kind: str) -> None:
    objects = TOUCHING[kind]
    foreground, seeds = maps_of(TARGETS[name], objects)
    parameters = GroupingParameters(smoothing=0.5)
    assert ap(objects, group(foreground, seeds, parameters)) == 1
    assert ap(objects, group(foreground, None, parameters)) == 0
    assert group(foreground, None).max() == 1


def test_live_and_batch_give_the_same_objects() -> None:
    objects = TOUCHING["plane"]
    foreground, seeds = maps_of(TARGETS["distance"], objects)
    as_float = group(foreground / np.float32(255), seeds / np.float32(255))
    np.testing.assert_array_equal(as_float, group(foreground, seeds))
    assert as_float.dtype == np.uint32


def test_what_has_no_seed_is_one_object() -> None:
    objects = discs((20, 15), (20, 45))
    foreground = as_map(objects > 0)
    found = group(foreground, 0 * foreground)
    assert ap(objects, found) == 1


def test_small_objects_go_to_their_neighbour_or_vanish() -> None:
    objects = discs((20, 20), radius=10)
    objects[2:4, 2:4] = 2
    foreground = as_map(objects > 0)
    seeds = np.zeros(objects.shape, np.uint8)
    seeds[18:22, 14:24] = 200
    seeds[20, 28] = 200  # a speckle of one pixel inside the disc
    kept = group(foreground, seeds, GroupingParameters(smoothing=0, min_size=0))
    assert kept.max() == 3
    found = group(foreground, seeds, GroupingParameters(smoothing=0, min_size=60))
    assert found.max() == 1
    np.testing.assert_array_equal(found > 0, objects == 1)


def test_of_objects_that_are_all_small_the_largest_stays_whole() -> None:
    foreground = np.full((1, 9), 255, np.uint8)
    seeds = np.array([[0, 200, 200, 0, 0, 0, 0, 200, 0]], np.uint8)
    parameters = GroupingParameters(smoothing=0, min_size=8)
    assert group(foreground, seeds, parameters).tolist() == [[1] * 9]


@pytest.mark.parametrize("shape", [(11, 11), (7, 11, 11)])
def test_holes_are_filled_only_where_one_object_encloses_them(shape: tuple[int, ...]) -> None:
    inside = np.zeros(shape, np.uint8)
    inside[(slice(1, -1),) * len(shape)] = 255
    middle = tuple(n // 2 for n in shape)
    inside[middle] = 0
    filled = group(inside, None)
    assert filled[middle] == 1
    assert group(inside, None, GroupingParameters(fill_holes=False))[middle] == 0
    assert filled[(0,) * len(shape)] == 0
    # Two objects around a hole: it is nobody's.
    seeds = np.zeros(shape, np.uint8)
    seeds[..., 1:-1, 2], seeds[..., 1:-1, -3] = inside[..., 1:-1, 2], inside[..., 1:-1, -3]
    seeds[..., middle[-2], 4] = 0
    two = group(inside, seeds, GroupingParameters(smoothing=0, min_size=0))
    assert two.max() == 2
    assert two[middle] == 0


def test_objects_at_the_sides_may_be_dropped_but_not_at_the_ends_of_a_volume() -> None:
    inside = np.zeros((3, 9, 12), np.uint8)
    inside[:, 3:6, 2:5] = 255  # through all planes
    inside[:, 3:6, 8:] = 255
    found = group(inside, None, GroupingParameters(drop_border=True))
    assert found.max() == 1
    assert (found[:, 3:6, 2:5] == 1).all()
    assert not found[:, :, 8:].any()


def test_thick_planes_are_smoothed_less_across() -> None:
    seeds = np.zeros((5, 21, 21), np.uint8)
    seeds[2, 8:13, 8:13] = 255
    foreground = np.full(seeds.shape, 255, np.uint8)
    foreground[:, :, 0] = 0
    parameters = GroupingParameters(smoothing=2, seeds=0.1, min_size=0)
    for size in ((1.0, 1.0, 1.0), (10.0, 1.0, 1.0)):
        assert group(foreground, seeds, parameters, voxel_size=size).max() == 1


@settings(max_examples=80, deadline=None)
@given(
    arrays(np.uint8, st.tuples(*[st.integers(1, 12)] * 2)),
    arrays(np.uint8, (12, 12)),
    st.booleans(),
)
def test_objects_are_numbered_without_gaps_and_hang_together(
    foreground: np.ndarray, seeds: np.ndarray, fill: bool
) -> None:
    seeds = seeds[: foreground.shape[0], : foreground.shape[1]]
    parameters = GroupingParameters(smoothing=0, min_size=0, fill_holes=fill)
    found = group(foreground, seeds, parameters)
    numbers = np.unique(found)
    assert numbers[numbers > 0].tolist() == list(range(1, int(found.max()) + 1))
    covered = foreground >= round(0.5 * 255)
    assert (found > 0)[covered].all()
    assert fill or not found[~covered].any()
    for number in range(1, int(found.max()) + 1):
        assert components(found == number)[1] == 1


@settings(max_examples=60, deadline=None)
@given(arrays(np.uint8, (9, 9)), st.integers(0, 2**32 - 1))
def test_flood_reaches_every_voxel_as_early_as_a_slow_one(depth: np.ndarray, seed: int) -> None:
    random = np.random.default_rng(seed)
    seeds = np.zeros(depth.shape, np.int32)
    for number in (1, 2, 3):
        seeds[tuple(random.integers(9, size=2))] = number
    inside = (random.random(depth.shape) < 0.8) | (seeds > 0)
    found = flood(seeds, depth, inside, 255)
    when = {n: slow_arrivals(seeds == n, depth, inside, 255) for n in np.unique(seeds[seeds > 0])}
    first = np.min(list(when.values()), axis=0)
    assert ((found > 0) == (np.isfinite(first) & inside)).all()
    for number, halts in when.items():
        mine = found == number
        np.testing.assert_array_equal(halts[mine], first[mine])


def slow_arrivals(
    seed: np.ndarray, depth: np.ndarray, inside: np.ndarray, height: int
) -> np.ndarray:
    """The halt at which a seed alone could be everywhere: the highest on the best way there."""
    halts = np.clip((height - depth.astype(int)) * (STEPS - 1) // height, 0, STEPS - 1)
    best = np.full(depth.shape, np.inf)
    queue = [(0, y, x) for y, x in np.argwhere(seed).tolist()]
    for _, y, x in queue:
        best[y, x] = 0
    while queue:
        cost, y, x = heapq.heappop(queue)
        for i, j in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= i < depth.shape[0] and 0 <= j < depth.shape[1] and inside[i, j]:
                reached = max(cost, int(halts[i, j]))
                if reached < best[i, j]:
                    best[i, j] = reached
                    heapq.heappush(queue, (reached, i, j))
    return best


def test_parameters_survive_json_and_refuse_what_cannot_be() -> None:
    parameters = GroupingParameters(0.3, 0.7, 2, 40, fill_holes=False, drop_border=True)
    assert GroupingParameters.from_dict(json.loads(json.dumps(parameters.to_dict()))) == parameters
    assert GroupingParameters.from_dict({}) == GroupingParameters()
    for wrong in (
        {"threshold": 2},
        {"seeds": "0.5"},
        {"min_size": 1.5},
        {"min_size": float("nan")},
        {"min_size": float("inf")},
        {"fill_holes": 1},
        {"smoothing": True},
        {"smoothing": float("nan")},
        {"rest": 1},
    ):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            GroupingParameters.from_dict(wrong)


def test_maps_that_do_not_fit_are_refused() -> None:
    plane = np.zeros((4, 5), np.uint8)
    with pytest.raises(ValueError, match="differ in shape"):
        group(plane, plane.T)
    with pytest.raises(ValueError, match="two or three axes"):
        group(plane[0], None)
    assert group(np.zeros((0, 5), np.uint8), np.zeros((0, 5), np.uint8)).shape == (0, 5)
