"""What is learnt of objects, beside slow and obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from orgseg_app.core.instances.targets import (
    EDGE,
    INTERIOR,
    OUTSIDE,
    TARGETS,
    boundary_classes,
    depths,
    target_layers,
)

OBJECTS = arrays(np.uint32, st.tuples(*[st.integers(1, 9)] * 2), elements=st.integers(0, 3))
VOLUMES = arrays(np.uint32, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(0, 2))


def slow_boundary(objects: np.ndarray) -> np.ndarray:
    found = (objects > 0).astype(np.uint8)
    for place in np.ndindex(objects.shape):
        for axis in range(objects.ndim):
            for step in (-1, 1):
                other = list(place)
                other[axis] += step
                inside = 0 <= other[axis] < objects.shape[axis]
                if inside and objects[tuple(other)] != objects[place]:
                    found[place] = EDGE
    return found


@settings(max_examples=60, deadline=None)
@given(st.one_of(OBJECTS, VOLUMES))
def test_an_edge_is_where_a_neighbour_is_of_something_else(objects: np.ndarray) -> None:
    np.testing.assert_array_equal(boundary_classes(objects), slow_boundary(objects))


@settings(max_examples=60, deadline=None)
@given(st.one_of(OBJECTS, VOLUMES))
def test_depths_are_shares_and_never_mix_objects(objects: np.ndarray) -> None:
    found = depths(objects)
    assert ((found > 0) == (objects > 0)).all()
    for number in np.unique(objects[objects > 0]):
        assert found[objects == number].max() == 1
        alone = np.where(objects == number, number, 0)
        # Touching another object or the ground is the same to an object.
        np.testing.assert_allclose(depths(alone)[alone > 0], found[alone > 0], atol=1e-6)


def test_a_disc_is_deepest_in_the_middle_as_measured_one_by_one() -> None:
    y, x = np.mgrid[:21, :21]
    objects = ((y - 10) ** 2 + (x - 10) ** 2 < 64).astype(np.uint32)
    outside = np.argwhere(objects == 0)
    slow = np.array(
        [
            [np.hypot(*(outside - (i, j)).T).min() if objects[i, j] else 0 for j in range(21)]
            for i in range(21)
        ]
    )
    np.testing.assert_allclose(depths(objects), slow / slow.max(), atol=1e-5)
    assert depths(objects)[10, 10] == 1


def test_the_border_of_the_image_is_no_edge() -> None:
    objects = np.zeros((9, 9), np.uint32)
    objects[:, :4] = 1  # goes on to the left and beyond
    assert boundary_classes(objects)[4].tolist() == [1, 1, 1, 2, 2, 0, 0, 0, 0]
    assert np.argmax(depths(objects)[4]) == 0
    whole = np.ones((3, 4), np.uint32)
    assert (depths(whole) == 1).all()
    assert (boundary_classes(whole) == INTERIOR).all()
    assert (boundary_classes(0 * whole) == OUTSIDE).all()
    assert (depths(0 * whole) == 0).all()


def test_thick_planes_are_an_edge_only_between_objects() -> None:
    objects = np.ones((4, 5, 5), np.uint32)
    objects[2] = 2
    objects[3] = 0
    alike, thick = (boundary_classes(objects, voxel_size=(z, 1, 1)) for z in (1.0, 3.0))
    assert [int(plane[2, 2]) for plane in alike] == [INTERIOR, EDGE, EDGE, EDGE]
    assert [int(plane[2, 2]) for plane in thick] == [INTERIOR, EDGE, EDGE, OUTSIDE]


def test_depth_is_measured_in_micrometres() -> None:
    objects = np.zeros((5, 9, 9), np.uint32)
    objects[1:4, 1:8, 1:8] = 1
    thick, thin = (depths(objects, voxel_size=(z, 1, 1)) for z in (4.0, 0.25))
    assert thick[1, 4, 4] > 0.9  # the sides are nearer than the planes above
    assert thin[1, 4, 4] < thin[2, 4, 4] == 1


@pytest.mark.parametrize("name", TARGETS)
def test_layers_fit_what_the_target_says(name: str) -> None:
    target = TARGETS[name]
    objects = np.array([[0, 7, 7, 7, 900_000_000]], np.uint32)  # numbers with wide gaps
    found = target_layers(target, objects)
    assert len(found) == target.layers
    assert all(layer.dtype == np.uint8 and layer.shape == objects.shape for layer in found)
    if target.has_distance:
        assert found[-1].tolist() == [[0, 128, 255, 128, 255]]
