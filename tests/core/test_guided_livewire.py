"""Livewire: paths that follow edges, against Dijkstra done slowly and circles known exactly."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.edits.guided import PaintLivewire
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting.livewire import (
    WINDOW,
    LivewireMap,
    closing,
    encloses,
    joined,
    on_edge,
    step_for,
    window_around,
)


def disk(side: int, radius: float) -> np.ndarray:
    """A bright disk in the middle of a dark, slightly noisy picture."""
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    noise = np.random.default_rng(0).integers(0, 12, (side, side))
    return (np.where(np.hypot(y, x) < radius, 170, 40) + noise).astype(np.uint8)


def on_circle(side: int, radius: float, degrees: float) -> tuple[float, float]:
    angle = math.radians(degrees)
    return side / 2 + radius * math.sin(angle), side / 2 + radius * math.cos(angle)


@pytest.mark.parametrize("step", [1, 4])
def test_a_path_follows_the_edge_of_a_disk_and_no_straight_line_does(step: int) -> None:
    side, radius = 200 * step, 70.0 * step
    wire = LivewireMap(disk(side, radius), (0, 0), on_circle(side, radius, 0), step)
    path = np.array(wire.path(on_circle(side, radius, 100)))
    off = abs(np.hypot(*(path - side / 2).T) - radius)
    assert off.max() <= 3 * step
    middle = (path[0] + path[-1]) / 2
    assert abs(np.hypot(*(middle - side / 2)) - radius) > 20 * step


def test_four_clicks_outline_a_disk() -> None:
    side, radius = 256, 90.0
    picture = disk(side, radius)
    clicks = [on_circle(side, radius, degrees) for degrees in (0, 90, 180, 270)]
    paths = [
        LivewireMap(picture, (0, 0), a).path(b)
        for a, b in zip(clicks, clicks[1:] + clicks[:1], strict=True)
    ]
    mask = Mask((1, side, side))
    recorder = Recorder("image", mask)
    PaintLivewire(0, joined(paths), 2).apply(recorder)
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    truth, found = np.hypot(y, x) < radius, mask.plane(0) == 2
    straight = Mask((1, side, side))
    PaintLivewire(0, tuple(clicks), 2).apply(Recorder("image", straight))
    assert (truth & found).sum() / (truth | found).sum() > 0.95
    lines = straight.plane(0) == 2
    assert (truth & lines).sum() / (truth | lines).sum() < 0.7


def test_noise_leads_the_wire_astray_no_further_than_a_voxel_or_two() -> None:
    side, radius = 256, 90.0
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    noise = np.random.default_rng(2).normal(0, 40, (side, side))
    picture = np.clip(np.where(np.hypot(y, x) < radius, 150, 90) + noise, 0, 255)
    clicks = [on_circle(side, radius, degrees) for degrees in (0, 72, 144, 216, 288)]
    outline = joined(
        [
            LivewireMap(picture.astype(np.uint8), (0, 0), a).path(b)
            for a, b in zip(clicks, clicks[1:] + clicks[:1], strict=True)
        ]
    )
    off = abs(np.hypot(*(np.array(outline) - side / 2).T) - radius)
    assert np.median(off) < 1.5
    assert np.percentile(off, 95) < 5


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
    st.tuples(st.floats(-30, 60), st.floats(-30, 60)),
    st.integers(1, 3),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_paths_join_their_ends_without_a_gap(
    size: tuple[int, int],
    part: tuple[float, float],
    target: tuple[float, float],
    step: int,
    colour: bool,
) -> None:
    """On any window, however small; only the way on from the window's edge is one long line."""
    rng = np.random.default_rng(size[0] * 13 + size[1])
    picture = rng.integers(0, 256, (*size, 3) if colour else size).astype(np.uint8)
    corner = (7, 9)
    anchor = (7 + part[0] * size[0], 9 + part[1] * size[1])
    wire = LivewireMap(picture, corner, anchor, step)
    path = wire.path(target)
    assert path[0] == anchor
    assert path[-1] == target
    inside = np.array(path[:-1])
    gaps = abs(np.diff(inside, axis=0)).max(axis=1) if len(inside) > 1 else np.zeros(1)
    assert gaps.max() <= 1.5 * step + 1e-6
    assert (inside >= corner).all()
    assert (inside < np.add(corner, -(-np.array(size) // step) * step)).all()


def test_an_anchor_outside_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        LivewireMap(np.zeros((9, 9), np.uint8), (0, 0), (9.5, 3))


@given(
    st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
    st.tuples(st.floats(0, 0.999), st.floats(0, 0.999)),
    st.sampled_from([1, 2, 4, 8, 16]),
)
def test_the_window_holds_the_anchor_and_is_no_larger_than_it_must(
    size: tuple[int, int], part: tuple[float, float], step: int
) -> None:
    anchor = (part[0] * size[0], part[1] * size[1])
    y0, x0, y1, x1 = window_around(anchor, size, step)
    for low, high, at, length in ((y0, y1, anchor[0], size[0]), (x0, x1, anchor[1], size[1])):
        assert 0 <= low <= at < high <= length
        assert high - low == min(length, WINDOW * step)


def test_cells_are_what_a_screen_pixel_covers() -> None:
    assert [step_for(zoom) for zoom in (8, 1, 0.51, 0.5, 0.25, 0.001)] == [1, 1, 1, 2, 4, 16]


def test_joined_paths_repeat_no_corner() -> None:
    a, b, c = (0.0, 0.0), (5.0, 5.0), (0.0, 5.0)
    assert joined([[a, b], [b, c], [c, a]]) == (a, b, c)
    assert joined([]) == ()


def test_protect_is_honoured_and_what_lies_outside_is_dropped() -> None:
    mask = Mask.from_array(np.pad(np.full((4, 4), 3, np.uint8), 4))
    recorder = Recorder("image", mask)
    PaintLivewire(0, ((-5, -5), (-5, 8), (8, 8), (8, -5)), 4, protect=True).apply(recorder)
    plane = mask.plane(0)
    assert (plane[4:8, 4:8] == 3).all()
    assert (plane[:4, :8] == 4).all()
    assert (plane[9:] == 0).all()
    PaintLivewire(0, ((1, 1), (2, 2)), 5).apply(recorder)
    assert 5 not in mask.counts()


@pytest.mark.parametrize("colour", [False, True])
def test_an_anchor_set_off_the_edge_sits_on_it(colour: bool) -> None:
    side, radius = 200, 70.0
    picture = disk(side, radius)
    if colour:
        picture = np.dstack([np.full_like(picture, 90), picture, np.full_like(picture, 9)])
    for degrees in range(0, 360, 30):
        for off in (-4.0, 4.0):
            clicked = on_circle(side, radius + off, degrees)
            corner = (10, 5)
            y, x = on_edge(picture, (0, 0), clicked, 6.0)
            assert abs(math.hypot(y - side / 2, x - side / 2) - radius) < 2
            assert math.hypot(y - clicked[0], x - clicked[1]) <= 6
            part = on_edge(picture[corner[0] :, corner[1] :], corner, clicked, 6.0)
            assert part == pytest.approx((y, x), abs=1)  # where the window lies does not matter


def test_an_anchor_in_flat_voxels_or_at_the_rim_stays() -> None:
    flat = np.full((30, 30), 7, np.uint8)
    assert on_edge(flat, (5, 5), (5.2, 34.7), 8.0) == (5.2, 34.7)
    y, x = on_edge(disk(40, 15), (0, 0), (0.0, 0.0), 8.0)
    assert min(y, x) >= 0
    assert max(y, x) < 40


def test_a_wire_that_goes_back_the_way_it_came_is_closed_straight() -> None:
    side, radius = 200, 70.0
    first, last = (on_circle(side, radius, degrees) for degrees in (0, 110))
    picture = disk(side, radius)
    way = LivewireMap(picture, (0, 0), first).path(last)
    back = LivewireMap(picture, (0, 0), last).path(first)
    assert not encloses(joined([way, back]))
    assert closing(way, back) == [last, first]
    assert encloses(joined([way, closing(way, back)]))
    middle = on_circle(side, radius, 240)
    on = LivewireMap(picture, (0, 0), last).path(middle)
    home = LivewireMap(picture, (0, 0), middle).path(first)
    assert closing(joined([way, on]), home) == home
    straight = [(5.5, float(x)) for x in range(9)]
    assert not encloses(joined([straight, closing(straight, straight[::-1])]))
