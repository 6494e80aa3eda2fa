"""Filling polygons and following borders: exact, whatever the shape."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from orgseg_app.core.shapes import polygons
from orgseg_app.core.shapes.polygons import (
    Filled,
    fill,
    fill_piece,
    fill_united,
    joined,
    outline_of,
    outlines_of,
    united,
)

masks = arrays.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))
coordinates = st.one_of(
    st.integers(-4, 12).map(lambda n: n / 2), st.floats(-4, 12, allow_nan=False, width=32)
)
rings = arrays.arrays(
    np.float64, st.tuples(st.integers(0, 8), st.just(2)), elements=coordinates, fill=st.nothing()
)


def slow_fill(of, shape_yx):
    """Every pixel's middle by itself: how many sides lie to the left of it."""
    inside = np.zeros(shape_yx, bool)
    for y, x in np.ndindex(*shape_yx):
        for ring in of:
            if len(ring) < 3:
                continue
            for (y0, x0), (y1, x1) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
                if y0 > y1:
                    y0, x0, y1, x1 = y1, x1, y0, x0
                if y0 <= y + 0.5 < y1:
                    inside[y, x] ^= x0 + (y + 0.5 - y0) / (y1 - y0) * (x1 - x0) <= x + 0.5
    return inside


@settings(deadline=None, max_examples=60)
@given(of=st.lists(rings, max_size=3))
def test_fills_as_a_slow_reference(of):
    assert np.array_equal(fill(of, (6, 8)), slow_fill(of, (6, 8)))


@settings(deadline=None, max_examples=80)
@given(mask=masks)
def test_an_outline_fills_to_the_same_pixels(mask):
    parts = outline_of(mask)
    all_rings = [ring for part in parts for ring in part]
    assert np.array_equal(fill(all_rings, mask.shape), mask)
    if all_rings:
        assert np.array_equal(fill([joined(all_rings)], mask.shape), mask)
        shifted = [ring + np.array([0.49, -0.49]) for ring in all_rings]  # rounded by a file
        assert np.array_equal(fill(shifted, mask.shape), mask)
    each = united(fill_piece(part, mask.shape) for part in parts)
    assert np.array_equal(whole(each, mask.shape), mask)
    without_holes = fill_united([joined(part) for part in parts], mask.shape)
    assert np.array_equal(whole(without_holes, mask.shape), mask)


@settings(deadline=None, max_examples=60)
@given(mask=masks)
def test_rings_are_simple_and_run_the_agreed_way(mask):
    import cv2

    parts = outline_of(mask)
    count, _ = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    assert len(parts) == count - 1
    for part in parts:
        for place, ring in enumerate(part):
            points = list(map(tuple, ring.tolist()))
            assert len(set(points)) == len(points) >= 4
            y, x = ring[:, 0].astype(float), ring[:, 1].astype(float)
            area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
            assert (area > 0) == (place == 0)  # clockwise as seen, holes the other way
            # sides lie along rows and columns in turn, so no point is on a straight line
            steps = np.roll(ring, -1, axis=0) - ring
            assert ((steps == 0).sum(axis=1) == 1).all()
            assert ((steps[:, 0] == 0) != (np.roll(steps, -1, axis=0)[:, 0] == 0)).all()


@settings(deadline=None, max_examples=50)
@given(
    labels=arrays.arrays(
        np.uint32,
        st.tuples(st.integers(1, 8), st.integers(1, 8)),
        elements=st.sampled_from([0, 1, 2, 7, 2**32 - 1]),
    )
)
def test_all_objects_at_once_are_each_by_itself(labels):
    found = outlines_of(labels)
    assert sorted(found) == list(found) == [n for n in np.unique(labels).tolist() if n]
    for number, parts in found.items():
        alone = outline_of(labels == number)
        assert [[r.tolist() for r in p] for p in parts] == [[r.tolist() for r in p] for p in alone]


def test_strips_of_rows_do_not_show(monkeypatch):
    from orgseg_app.core.shapes import rings as of_rings

    mask = np.random.default_rng(0).random((40, 30)) < 0.6
    at_once = outline_of(mask)
    monkeypatch.setattr(of_rings, "_STRIP", 100)
    monkeypatch.setattr(polygons, "_BAND", 64)
    monkeypatch.setattr(polygons, "_AT_ONCE", 7)
    in_strips = outline_of(mask)
    assert [[r.tolist() for r in p] for p in in_strips] == [
        [r.tolist() for r in p] for p in at_once
    ]
    assert np.array_equal(fill([r for p in in_strips for r in p], mask.shape), mask)


def test_a_hole_that_touches_the_rim_by_a_corner_is_a_ring_of_its_own():
    mask = np.ones((4, 4), bool)
    mask[0, 0] = mask[1, 1] = False  # the hole and the outside share a corner
    ((outer, hole),) = outline_of(mask)
    assert [1, 1] in outer.tolist()
    assert sorted(hole.tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_an_island_in_a_hole_is_a_part_after_its_surroundings():
    mask = np.ones((7, 7), bool)
    mask[1:6, 1:6] = False
    mask[3, 3] = True
    around, island = outline_of(mask)
    assert len(around) == 2
    assert island[0].tolist() == [[3, 3], [3, 4], [4, 4], [4, 3]]


def test_what_reaches_beyond_the_plane_is_cut_off():
    ring = np.array([[-5, -5], [-5, 50], [2, 50], [2, -5]])
    assert fill([ring], (4, 3)).tolist() == [[True] * 3] * 2 + [[False] * 3] * 2
    assert fill_piece([ring + 100], (4, 3)).inside.size == 0
    assert united([]).inside.size == 0


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300, 2.0**40])
def test_impossible_coordinates_are_refused(wrong):
    with pytest.raises(ValueError, match="no number or impossibly large"):
        fill([np.array([[0, 0], [0, wrong], [3, 3]])], (4, 4))


def test_a_tangle_is_refused_before_it_is_worked_through():
    up_and_down = np.tile([[0.0, 0.0], [60_000.0, 1.0]], (2_000, 1))
    with pytest.raises(ValueError, match="crosses 240,000,000 rows"):
        fill_piece([up_and_down], (60_000, 2))


def whole(filled: Filled, shape_yx):
    plane = np.zeros(shape_yx, bool)
    plane[filled.box] = filled.inside
    return plane
