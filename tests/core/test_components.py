"""Components: found, changed, merged, cut, against slow searches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.components import ChangeComponent, CutComponent
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting import components

small = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 4, (2, 9, 11)).astype(np.uint8)
)


def run(edit: Edit, mask: Mask) -> Change | None:
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    return recorder.finish(edit.title)


def slow_component(plane: np.ndarray, y: int, x: int) -> np.ndarray:
    """From neighbour to neighbour."""
    found, open_ = np.zeros(plane.shape, bool), [(y, x)]
    while open_:
        a, b = open_.pop()
        inside = 0 <= a < plane.shape[0] and 0 <= b < plane.shape[1]
        if inside and not found[a, b] and plane[a, b] == plane[y, x]:
            found[a, b] = True
            open_ += [(a + 1, b), (a - 1, b), (a, b + 1), (a, b - 1)]
    return found


@given(small, st.integers(-1, 9), st.integers(-1, 11), st.integers(0, 3), st.booleans())
@settings(max_examples=80, deadline=None)
def test_a_component_is_changed_and_nothing_else(
    volume: np.ndarray, y: int, x: int, class_id: int, in_3d: bool
) -> None:
    mask = Mask.from_array(volume)
    change = run(ChangeComponent(1, y, x, class_id, in_3d), mask)
    expected = volume.copy()
    if 0 <= y < 9 and 0 <= x < 11 and volume[1, y, x] > 1:
        if in_3d:
            found, _ = ndimage.label(volume == volume[1, y, x])
            expected[found == found[1, y, x]] = class_id
        else:
            expected[1][slow_component(volume[1], y, x)] = class_id
    assert np.array_equal(mask.to_array(), expected)
    assert (change is None) == np.array_equal(volume, expected)
    if change is not None:
        change.undo(mask)
        assert np.array_equal(mask.to_array(), volume)


@given(small, st.integers(-1, 9), st.integers(-1, 11))
@settings(max_examples=60, deadline=None)
def test_what_is_under_the_pointer(volume: np.ndarray, y: int, x: int) -> None:
    mask = Mask.from_array(volume)
    found = components.component_at(mask, 1, y, x)
    if not (0 <= y < 9 and 0 <= x < 11) or volume[1, y, x] < 2:
        assert found is None
        return
    expected = slow_component(volume[1], y, x)
    assert found is not None
    assert found.class_id == volume[1, y, x]
    for place in np.ndindex(9, 11):
        assert found.holds(*place) == expected[place]
    assert not found.holds(-1, 0)
    # holes are walked around the other way, so that together the edges enclose its area
    enclosed = 0.0
    for line in found.outlines():
        x_, y_ = line.T
        assert np.array_equal(line[0], line[-1])
        enclosed += 0.5 * float(np.dot(x_[:-1], y_[1:]) - np.dot(x_[1:], y_[:-1]))
    assert abs(enclosed) == expected.sum()


def test_an_outline_runs_along_the_borders_of_voxels() -> None:
    plane = np.zeros((30, 40), np.uint8)
    plane[5:20, 10:30] = 2
    plane[8:12, 14:18] = 0
    lines = components.component_at(Mask.from_array(plane), 0, 6, 11).outlines()
    boxes = sorted((*line.min(axis=0), *line.max(axis=0)) for line in lines)
    assert boxes == [(10, 5, 30, 20), (14, 8, 18, 12)]


def test_a_large_component_has_an_outline_too() -> None:
    plane = np.zeros((1500, 1500), np.uint8)
    plane[20:1480, 30:1490] = 3
    found = components.component_at(Mask.from_array(plane), 0, 700, 700)
    assert found.box[1:3] + found.box[4:] == (20, 30, 1480, 1490)
    (line,) = found.outlines()
    assert [*line.min(axis=0), *line.max(axis=0)] == pytest.approx([30, 20, 1490, 1480], abs=3)
    noise = (np.random.default_rng(0).random((1000, 1000)) < 0.8).astype(np.uint8) * 2
    noise[:, 500] = 2
    lines = components.component_at(Mask.from_array(noise), 0, 0, 500).outlines()
    assert sum(map(len, lines[1:])) < 30_000  # what can be drawn


@given(
    st.lists(st.tuples(st.floats(-5, 45), st.floats(-5, 65)), min_size=2, max_size=4),
    st.sampled_from([0, 1]),
)
@settings(max_examples=60, deadline=None)
def test_a_cut_takes_the_line_out_of_one_component(
    points: list[tuple[float, float]], class_id: int
) -> None:
    plane = np.zeros((40, 60), np.uint8)
    plane[5:35, 5:28], plane[5:35, 32:55], plane[12:20, 28:32] = 2, 2, 3
    mask = Mask.from_array(plane)
    run(CutComponent(0, tuple(points), class_id), mask)
    changed = mask.plane(0) != plane
    line = np.zeros(plane.shape, bool)
    for y, x in components.line_voxels(points):
        if 0 <= y < 40 and 0 <= x < 60:
            line[y, x] = True
    start = components.first_object(Mask.from_array(plane), 0, points)
    if start is None:
        assert not changed.any()
        assert not (plane[line] > 1).any()
        return
    assert np.array_equal(changed, line & slow_component(plane, *start))
    assert (mask.plane(0)[changed] == class_id).all()


@pytest.mark.parametrize("end", [(35.5, 30.5), (3.0, 58.0), (20.2, 66.0), (39.9, 44.4)])
def test_a_line_across_leaves_two_components(end: tuple[float, float]) -> None:
    plane = np.zeros((40, 60), np.uint8)
    plane[5:35, 5:55] = 2
    mask = Mask.from_array(plane)
    start = (40 - end[0], 60 - end[1])
    run(CutComponent(0, (start, end)), mask)
    parts, count = ndimage.label(mask.plane(0) == 2)
    assert count == 2
    assert (plane > 0).sum() - (parts > 0).sum() <= 60
    change = run(ChangeComponent(0, *np.argwhere(parts == 1)[0].tolist(), 0), mask)
    assert change.title == "delete region"
    assert np.array_equal(mask.plane(0) == 2, parts == 2)


def test_work_follows_the_component_and_not_the_image() -> None:
    mask = Mask((1, 40_000, 40_000))
    mask.write(0, 20_000, 20_000, np.full((30, 30), 2, np.uint8))
    assert components.component_at(mask, 0, 20_010, 20_010).box.y1 == 20_030
    change = run(ChangeComponent(0, 20_010, 20_010, 3), mask)
    assert len(change.blocks) <= 4
    assert len(mask.block_indices()) <= 4
