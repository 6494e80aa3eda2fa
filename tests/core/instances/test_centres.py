"""Centres and the ways there: by hand, beside slow references, and back to objects."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orgseg_app.core.instances.centres import (
    NOWHERE,
    REACH,
    SPREAD,
    as_layer,
    as_ways,
    divided_by_centres,
    heat_and_ways,
    parted,
)
from orgseg_app.core.instances.flooding import components
from orgseg_app.core.instances.grouping import GroupingParameters, as_map, group
from orgseg_app.core.metrics.contingency import contingency
from orgseg_app.core.metrics.instances import matching
from tests.core.instances.test_grouping import TOUCHING, discs

OBJECTS = arrays(np.uint32, st.tuples(*[st.integers(1, 9)] * 2), elements=st.integers(0, 3))
VOLUMES = arrays(np.uint32, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(0, 2))


def maps_of(objects: np.ndarray, **more: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """What a network says that has learnt everything."""
    return as_map(objects > 0), np.stack(heat_and_ways(objects, **more))


def ap(objects: np.ndarray, found: np.ndarray) -> float | None:
    return matching(contingency(objects, found)).ap(0.75)


def test_an_l_has_its_centre_in_itself() -> None:
    objects = np.zeros((5, 5), np.uint32)
    objects[:, 0] = 7
    objects[4, :] = 7  # the centre of mass, (2.7, 1.1), lies outside
    heat, down, right = heat_and_ways(objects)
    centre = (3, 0)
    assert heat[centre] == 255
    assert (heat == 255).sum() == 1
    for place in np.argwhere(objects).tolist():
        way = (int(down[tuple(place)]) - NOWHERE) / 2, (int(right[tuple(place)]) - NOWHERE) / 2
        assert (place[0] + way[0], place[1] + way[1]) == centre
        squared = (place[0] - 3) ** 2 + place[1] ** 2
        spread = SPREAD * math.sqrt(9 / math.pi)
        assert heat[tuple(place)] == max(1, round(255 * math.exp(-squared / (2 * spread**2))))
    assert not heat[objects == 0].any()
    assert (down[objects == 0] == NOWHERE).all()
    assert (right[objects == 0] == NOWHERE).all()


@settings(max_examples=40, deadline=None)
@given(st.one_of(OBJECTS, VOLUMES), st.sampled_from([1.0, 3.0]))
def test_each_way_leads_to_the_voxel_nearest_the_middle(objects: np.ndarray, first: float) -> None:
    size = np.array((first, *[1.0] * (objects.ndim - 1)))
    heat, *layers = heat_and_ways(objects, voxel_size=tuple(size))
    assert ((heat > 0) == (objects > 0)).all()
    for number in np.unique(objects[objects > 0]):
        own = np.argwhere(objects == number)
        ways = as_ways(np.stack(layers))[:, *own.T].T
        (centre,) = np.unique(own + ways, axis=0)
        away = (((own - own.mean(axis=0)) * size) ** 2).sum(axis=1)
        mine = (((centre - own.mean(axis=0)) * size) ** 2).sum()
        assert mine <= away.min() + 1e-5
        assert objects[tuple(centre.astype(int))] == number
        assert heat[tuple(centre.astype(int))] == 255


def test_thick_planes_spread_the_heat_less_across() -> None:
    objects = np.zeros((7, 15, 15), np.uint32)
    objects[1:6, 2:13, 2:13] = 1
    alike, thick = (heat_and_ways(objects, voxel_size=(z, 1, 1))[0] for z in (1.0, 4.0))
    assert alike[3, 7, 7] == thick[3, 7, 7] == 255
    assert alike[2, 7, 7] == alike[3, 6, 7]
    assert thick[2, 7, 7] == thick[3, 3, 7] < thick[3, 6, 7]
    # Ways are counted in voxels, however thick they are.
    assert (heat_and_ways(objects, voxel_size=(4, 1, 1))[1][1, 2:13, 2:13] == NOWHERE + 4).all()


def test_ways_come_back_and_long_ones_keep_their_direction() -> None:
    ways = np.array([[0.5, -3, 60, -120], [0, 2, -20, 50]], np.float32)
    found = as_ways(as_layer(ways))
    np.testing.assert_array_equal(found[:, :3], ways[:, :3])
    assert np.hypot(*found[:, 3]) == pytest.approx(REACH, abs=0.5)
    assert found[0, 3] / found[1, 3] == pytest.approx(-120 / 50, abs=0.05)


@pytest.mark.parametrize("kind", TOUCHING)
@pytest.mark.parametrize("noise", [0, 5])
def test_touching_objects_come_apart_for_all_the_noise(kind: str, noise: int) -> None:
    objects = TOUCHING[kind]
    foreground, maps = maps_of(objects)
    random = np.random.default_rng(0)
    said = np.clip(maps + random.normal(0, noise, maps.shape), 0, 255).astype(np.uint8)
    found = group(foreground, said, GroupingParameters(smoothing=1))
    assert found.max() == objects.max()
    assert matching(contingency(objects, found)).ap(0.75 if noise else 0.95) == 1


def test_what_was_learnt_of_volumes_also_serves_a_plane() -> None:
    objects = TOUCHING["volume"]
    foreground, maps = maps_of(objects)
    plane = int(np.argmax(maps[0].max(axis=(1, 2))))
    found = group(foreground[plane], maps[:, plane], GroupingParameters(smoothing=0.5))
    assert ap(objects[plane], found) == 1


def test_maps_of_planes_are_grouped_by_plane_and_linked() -> None:
    objects = TOUCHING["volume"]
    by_plane = [maps_of(plane)[1] for plane in objects]
    found = group(as_map(objects > 0), np.stack(by_plane, axis=1), GroupingParameters(smoothing=0))
    assert ap(objects, found) == 1
    assert found.max() == 2


def test_objects_farther_across_than_a_way_can_say() -> None:
    objects = np.zeros((30, 640), np.uint32)
    objects[5:25, 10:320], objects[5:25, 320:630] = 1, 2
    foreground, maps = maps_of(objects)
    assert np.abs(as_ways(maps[1:])).max() <= REACH
    found = group(foreground, maps)
    assert ap(objects, found) == 1
    np.testing.assert_array_equal(found, objects)


def test_of_two_peaks_that_are_near_the_hotter_counts() -> None:
    labels = np.ones((1, 12), np.int32)
    heat = np.zeros((1, 12), np.uint8)
    heat[0, [2, 5, 10]] = 200, 220, 210
    ways = np.full((2, 1, 12), NOWHERE, np.uint8)

    def starts(apart: float) -> list[int]:
        found, _ = divided_by_centres(labels, heat, ways, height=100, apart=apart, min_size=0)
        return (np.flatnonzero(np.diff(found[0])) + 1).tolist()

    assert len(starts(1)) == 2
    assert len(starts(3)) == 1
    assert starts(9) == []


def test_a_hot_region_with_many_bumps_is_one_centre() -> None:
    labels = np.ones((12, 24), np.int32)
    heat = np.random.default_rng(0).integers(130, 180, labels.shape).astype(np.uint8)
    heat[:, 11:13] = 40
    ways = np.full((2, *labels.shape), NOWHERE, np.uint8)
    found, _ = divided_by_centres(labels, heat, ways, height=120, apart=0, min_size=0)
    assert len(np.unique(found)) == 2


def test_nobody_votes_for_a_centre_of_something_else() -> None:
    """A way that leads out of its component: the voxel goes to a neighbour's centre."""
    objects = discs((20, 15), (20, 29))
    objects[38:, 50:] = 3
    foreground, maps = maps_of(objects)
    maps[:, 18:22, 13:17] = as_map(np.full((3, 4, 4), 255, np.uint8))  # far off, and hot
    found = group(foreground, maps, GroupingParameters(smoothing=0))
    assert ap(objects, found) == 1


def test_small_ones_go_to_their_neighbour() -> None:
    objects = discs((20, 15), (20, 29))
    objects[26, 14:17] = 3
    foreground, maps = maps_of(objects)
    whole = GroupingParameters(smoothing=0, min_size=0)
    assert group(foreground, maps, whole).max() == 3
    found = group(foreground, maps, GroupingParameters(smoothing=0, min_size=20))
    assert found.max() == 2
    assert (found > 0).sum() == (objects > 0).sum()


@example(  # the left component votes for nothing of its own
    foreground=np.array([[0, 128, 0, 128], [128, 128, 0, 128]], np.uint8),
    maps=np.where(np.arange(432).reshape(3, 12, 12) == 13, 0, 134).astype(np.uint8),
    min_size=0,
)
@settings(max_examples=50, deadline=None)
@given(
    arrays(np.uint8, st.tuples(*[st.integers(1, 12)] * 2)),
    arrays(np.uint8, (3, 12, 12)),
    st.sampled_from([0, 5]),
)
def test_whatever_is_said_objects_hang_together_and_cover_everything(
    foreground: np.ndarray, maps: np.ndarray, min_size: int
) -> None:
    maps = maps[:, : foreground.shape[0], : foreground.shape[1]]
    parameters = GroupingParameters(smoothing=0, min_size=min_size, fill_holes=False)
    found = group(foreground, maps, parameters)
    highest = int(found.max())
    assert np.unique(found[found > 0]).tolist() == list(range(1, highest + 1))
    for number in range(1, highest + 1):
        assert components(found == number)[1] == 1
        assert (found == number).sum() >= min_size
    covered = foreground >= round(0.5 * 255)
    assert not found[~covered].any()
    if not min_size:
        assert (found > 0)[covered].all()


def test_maps_are_parted_by_how_many_there_are() -> None:
    maps = np.zeros((4, 2, 3), np.uint8)
    foreground, seeds = parted(maps[:2])
    assert foreground.shape == seeds.shape == (2, 3)
    assert parted(maps)[1].shape == (3, 2, 3)
    with pytest.raises(ValueError, match="differ in shape"):
        group(foreground, maps[:2])
