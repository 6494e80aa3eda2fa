"""Rectangles, ellipses and lassos against slow, obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.edits.outlines import PaintEllipse, PaintPolygon, PaintRectangle
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting import brush, shapes

SIZE = (530, 300)
places = st.tuples(st.floats(-40, 580), st.floats(-40, 340))


def drawn(edit: PaintEllipse | PaintPolygon | PaintRectangle, mask: Mask) -> np.ndarray:
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    recorder.finish(edit.title)
    return mask.plane(0)


@given(places, places)
@settings(max_examples=60, deadline=None)
def test_a_rectangle_and_an_ellipse_hold_the_centres_inside_them(
    start: tuple[float, float], end: tuple[float, float]
) -> None:
    box = shapes.dragged_box(start, end)
    y0, x0, y1, x1 = box
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    inside = (y >= y0) & (y < y1) & (x >= x0) & (x < x1)
    assert np.array_equal(drawn(PaintRectangle(0, box, 3), Mask((1, *SIZE))), 3 * inside)
    height, width = y1 - y0, x1 - x0
    ry, rx = 2 * (y - y0) + 1 - height, 2 * (x - x0) + 1 - width
    inside = ry**2 * width**2 + rx**2 * height**2 <= height**2 * width**2
    assert np.array_equal(drawn(PaintEllipse(0, box, 3), Mask((1, *SIZE))), 3 * inside)


@given(places, places, st.booleans(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_a_dragged_box_holds_its_start_and_is_square_or_centred_when_asked(
    start: tuple[float, float], end: tuple[float, float], square: bool, from_middle: bool
) -> None:
    y0, x0, y1, x1 = shapes.dragged_box(start, end, square=square, from_middle=from_middle)
    ay, ax = int(np.floor(start[0])), int(np.floor(start[1]))
    by, bx = int(np.floor(end[0])), int(np.floor(end[1]))
    assert y0 <= ay < y1
    assert x0 <= ax < x1
    assert y0 <= by < y1
    assert x0 <= bx < x1
    if square:
        assert y1 - y0 == x1 - x0 == max(abs(by - ay), abs(bx - ax)) * (1 + from_middle) + 1
    if from_middle:
        assert (y0 + y1 - 1, x0 + x1 - 1) == (2 * ay, 2 * ax)
    elif not square:
        assert {y0, y1 - 1} == {ay, by} or ay == by == y0
    else:  # it grows away from the start
        assert ay in (y0, y1 - 1)
        assert ax in (x0, x1 - 1)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 12, 41])
def test_a_circle_is_what_the_round_brush_of_its_size_stamps(size: int) -> None:
    middle = (100.5, 100.5) if size % 2 else (100.0, 100.0)
    y0, x0, where = brush.swept(middle, middle, size)
    plane = drawn(PaintEllipse(0, (y0, x0, y0 + size, x0 + size), 2), Mask((1, *SIZE)))
    assert np.array_equal(plane[y0 : y0 + size, x0 : x0 + size] == 2, where[:size, :size])
    assert np.count_nonzero(plane) == np.count_nonzero(where)


@pytest.mark.parametrize("kind", [PaintRectangle, PaintEllipse])
def test_shapes_honour_protection(kind: type[PaintRectangle] | type[PaintEllipse]) -> None:
    mask = Mask((1, *SIZE))
    drawn(PaintRectangle(0, (0, 0, 20, 300), 5), mask)
    plane = drawn(kind(0, (10, 10, 41, 41), 2, protect=True), mask)
    assert (plane[:20] == 5).all()
    assert plane[30, 25] == 2
    assert (drawn(kind(0, (10, 10, 41, 41), 0, protect=True), mask)[25] == 0).all()


def test_an_outline_of_a_whole_large_plane_takes_little_memory_at_a_time() -> None:
    box, size = (0, 0, 20_000, 20_000), (20_000, 20_000)
    for rows in (shapes.rectangle_rows(box, size), shapes.ellipse_rows(box, size)):
        _, _, where = next(iter(rows))
        assert where.size <= shapes.STRIP * size[1]


def test_a_lasso_is_a_polygon_with_a_title_of_its_own() -> None:
    corners = ((5.0, 5.0), (5.0, 60.0), (70.0, 60.0), (70.0, 5.0))
    one, other = PaintPolygon(0, corners, 2, name="lasso"), PaintPolygon(0, corners, 2)
    assert (one.title, other.title) == ("lasso", "polygon")
    assert np.array_equal(drawn(one, Mask((1, *SIZE))), drawn(other, Mask((1, *SIZE))))
