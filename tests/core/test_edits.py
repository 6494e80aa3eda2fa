"""Edits: what they paint, and that undo and redo are exact."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.components import ChangeComponent, CutComponent
from orgseg_app.core.edits.guided import PaintLivewire
from orgseg_app.core.edits.morphology import Reshape
from orgseg_app.core.edits.outlines import PaintEllipse, PaintPolygon, PaintRectangle
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.regions import FillHoles, FloodFill, PaintRegion
from orgseg_app.core.edits.slices import CopyPlane
from orgseg_app.core.edits.strokes import PaintBall, PaintStroke
from orgseg_app.core.edits.whole import ClearMask, InvertPlane, MergeClass, PaintRest, ReplaceMask
from orgseg_app.core.history import History
from orgseg_app.core.mask import Box, Mask
from orgseg_app.core.painting import brush
from orgseg_app.core.painting.limits import OtsuLimit, Voxels

SHAPE = (2, 280, 300)
NOISE = np.random.default_rng(0).integers(0, 255, SHAPE[1:]).astype(np.uint8)
places = st.tuples(st.floats(-20, 300), st.floats(-20, 320))


def run(edit: Edit, mask: Mask) -> object:
    recorder = Recorder("image", mask)
    edit.apply(recorder)
    return recorder.finish(edit.title)


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    z, class_id = draw(st.integers(0, 1)), draw(st.integers(0, 4))
    kind = draw(st.integers(0, 15))
    if kind == 0:
        points = tuple(draw(st.lists(places, min_size=1, max_size=4)))
        return PaintStroke(
            z, points, draw(st.integers(1, 60)), class_id, draw(st.booleans()), draw(st.booleans())
        )
    if kind == 6:
        points = tuple(draw(st.lists(places, min_size=1, max_size=3)))
        return PaintBall(z, points, draw(st.integers(1, 60)), class_id, (3, 1, 1))
    if kind == 7:
        points = tuple(draw(st.lists(places, min_size=1, max_size=3)))
        limit = OtsuLimit.at(Voxels.of(NOISE), *points[0], 20)
        sizes = tuple(draw(st.integers(1, 60)) for _ in points)
        return PaintStroke(z, points, 20, class_id, limit=limit, sizes=sizes)
    if kind == 1:
        points = tuple(draw(st.lists(places, min_size=1, max_size=5)))
        return PaintPolygon(z, points, class_id, draw(st.booleans()))
    if kind == 2:
        return FloodFill(z, draw(st.integers(-1, 280)), draw(st.integers(-1, 300)), class_id)
    if kind == 3:
        return ClearMask(z, draw(st.one_of(st.none(), st.integers(1, 4))))
    if kind == 4:
        return MergeClass(class_id or 1, draw(st.integers(0, 4)))
    if kind == 8:
        y0, x0 = draw(st.integers(-20, 290)), draw(st.integers(-20, 310))
        box = (y0, x0, y0 + draw(st.integers(1, 90)), x0 + draw(st.integers(1, 90)))
        shape = draw(st.sampled_from([PaintRectangle, PaintEllipse]))
        return shape(z, box, class_id, draw(st.booleans()))
    if kind == 9:
        place = (z, draw(st.integers(0, 279)), draw(st.integers(0, 299)))
        if draw(st.booleans()):
            return FillHoles(*place, draw(st.booleans()), draw(st.booleans()))
        return FloodFill(*place, class_id, in_3d=True)
    if kind == 10:
        where = NOISE[:90, :80] > 200
        pieces = ((z, 200, 190, where), (1 - z, 5, 9, where.T))
        return PaintRegion(pieces, class_id, draw(st.booleans()))
    if kind == 11:
        return draw(st.sampled_from([InvertPlane(z, class_id or 2), PaintRest(z, class_id)]))
    if kind == 12:
        return CopyPlane(
            z, 1 - z, class_id or None, draw(st.booleans()), protect=draw(st.booleans())
        )
    if kind == 13:
        if draw(st.booleans()):
            return CutComponent(z, tuple(draw(st.lists(places, min_size=1, max_size=3))), z)
        place = (draw(st.integers(-1, 280)), draw(st.integers(-1, 300)))
        return ChangeComponent(z, *place, class_id, in_3d=draw(st.booleans()))
    if kind == 14:
        points = tuple(draw(st.lists(places, min_size=1, max_size=5)))
        return PaintLivewire(z, points, class_id, draw(st.booleans()))
    if kind == 15:
        operation = draw(st.sampled_from(["grow", "shrink", "smooth"]))
        scope = draw(st.sampled_from(["object", "class", "plane"]))
        at = (draw(st.integers(0, 279)), draw(st.integers(0, 299)))
        radius = draw(st.integers(1, 9))
        return Reshape(operation, scope, z, *at, radius, draw(st.booleans()))
    values = np.random.default_rng(draw(st.integers(0, 99))).integers(0, 3, SHAPE)
    return ReplaceMask(values.astype(np.uint8), only_unlabelled=draw(st.booleans()))


@given(st.lists(edits(), max_size=6))
@settings(max_examples=40, deadline=None)
def test_any_story_undone_and_redone_is_byte_identical(story: list[Edit]) -> None:
    mask, history = Mask(SHAPE), History()
    states = [mask.to_array()]
    for edit in story:
        change = run(edit, mask)
        if change is not None:
            history.push(change)  # type: ignore[arg-type]
            states.append(mask.to_array())
            assert not np.array_equal(states[-1], states[-2])
        else:
            assert np.array_equal(mask.to_array(), states[-1])
    for expected in reversed(states[:-1]):
        taken = history.undo()
        assert taken is not None
        taken[1].undo(mask)
        assert np.array_equal(mask.to_array(), expected)
    assert history.undo() is None
    for expected in states[1:]:
        taken = history.redo()
        assert taken is not None
        taken[1].redo(mask)
        assert np.array_equal(mask.to_array(), expected)
    assert history.redo() is None


def slow_sweep(
    a: tuple[float, float], b: tuple[float, float], size: int, square: bool
) -> set[tuple[int, int]]:
    """Voxel by voxel, many steps along the way for the square, exact distance for the round."""
    (ay, ax), (by, bx) = brush.snapped(a, size), brush.snapped(b, size)
    found = set()
    for y in range(int(min(ay, by) - size), int(max(ay, by) + size) + 1):
        for x in range(int(min(ax, bx) - size), int(max(ax, bx) + size) + 1):
            cy, cx = y + 0.5, x + 0.5
            if square:
                steps = np.linspace(0, 1, 2001)
                reach = np.maximum(
                    abs(ay + steps * (by - ay) - cy), abs(ax + steps * (bx - ax) - cx)
                )
                inside = reach.min() <= size / 2 + 1e-2
            else:
                along = (cy - ay) * (by - ay) + (cx - ax) * (bx - ax)
                length = (by - ay) ** 2 + (bx - ax) ** 2
                t = min(max(along / length, 0), 1) if length else 0
                gap = (cy - ay - t * (by - ay)) ** 2 + (cx - ax - t * (bx - ax)) ** 2
                inside = gap <= size * size / 4 + 1e-4
            if inside:
                found.add((y, x))
    return found


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("b", [(4.2, 7.9), (10.0, 7.9), (4.2, 1.0), (9.5, 12.5), (0.4, 16.6)])
def test_the_brush_covers_what_a_slow_sweep_covers(
    b: tuple[float, float], size: int, square: bool
) -> None:
    a = (4.2, 7.9)
    y0, x0, where = brush.swept(a, b, size, square=square)
    fast = {(int(y) + y0, int(x) + x0) for y, x in np.argwhere(where)}
    slow = slow_sweep(a, b, size, square)
    # the stepped square may miss a voxel whose corner is grazed between two steps
    assert fast == slow if not square else len(fast ^ slow) <= 1


@given(places, places)
@settings(max_examples=80, deadline=None)
def test_a_line_one_voxel_wide_has_no_gap(a: tuple[float, float], b: tuple[float, float]) -> None:
    import cv2

    _, _, where = brush.swept(a, b, 1)
    count, _ = cv2.connectedComponents(where.astype(np.uint8), connectivity=8)
    assert count == 2


def test_protect_leaves_other_classes_alone_but_the_eraser_does_not() -> None:
    mask = Mask.from_array(np.full((20, 20), 3, np.uint8))
    run(PaintStroke(0, ((10, 10),), 9, 2, protect=True), mask)
    assert mask.counts() == {3: 400}
    run(PaintStroke(0, ((10, 10),), 9, 0, protect=True), mask)
    assert mask.counts()[3] < 400
    run(PaintStroke(0, ((10, 10),), 15, 2, protect=True), mask)
    assert set(mask.counts()) == {2, 3}


def test_fill_stops_at_borders_and_grows_over_the_whole_image() -> None:
    array = np.zeros((700, 900), np.uint8)
    array[:, 400] = 1
    mask = Mask.from_array(array)
    run(FloodFill(0, 5, 5, 2), mask)
    expected = array.copy()
    expected[:, :400] = 2
    assert np.array_equal(mask.plane(0), expected)


def test_a_polygon_fills_its_inside_only() -> None:
    mask = Mask((1, 40, 40))
    run(PaintPolygon(0, ((5, 5), (5, 25), (25, 25), (25, 5)), 2), mask)
    plane = mask.plane(0)
    assert plane[6:24, 6:24].min() == 2
    assert plane[:4].max() == 0
    assert plane[27:].max() == 0


def test_cancel_leaves_no_trace() -> None:
    mask = Mask.from_array(np.eye(30, dtype=np.uint8))
    before = mask.to_array()
    recorder = Recorder("image", mask)
    PaintStroke(0, ((1, 1), (25, 25)), 12, 4).apply(recorder)
    recorder.cancel()
    assert np.array_equal(mask.to_array(), before)


def test_a_replacement_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="not"):
        run(ReplaceMask(np.zeros((1, 3, 3), np.uint8)), Mask(SHAPE))


def test_a_long_stroke_costs_little_to_remember() -> None:
    mask, recorder = Mask((1, 2048, 2048)), None
    recorder = Recorder("image", mask)
    points = tuple((500 + 8 * i, 500 + 5 * i) for i in range(60))
    PaintStroke(0, points, 200, 2).apply(recorder)
    change = recorder.finish("paint")
    assert change is not None
    assert change.size_bytes < 20_000


def test_undo_and_redo_are_the_same_however_often_they_are_written() -> None:
    mask = Mask(SHAPE)
    change = run(PaintStroke(0, ((20, 20),), 9, 3), mask)
    assert change is not None
    painted = mask.to_array()
    for write, expected in ((change.redo, painted), (change.undo, np.zeros(SHAPE, np.uint8))):
        for _ in range(2):
            write(mask)
            assert np.array_equal(mask.to_array(), expected)


def test_history_forgets_the_oldest_steps_beyond_its_budget() -> None:
    history, mask = History(), Mask(SHAPE)
    numbers = []
    for class_id in (2, 3, 4):
        change = run(PaintStroke(0, ((9, 9),), 5, class_id), mask)
        assert change is not None
        numbers.append(history.push(change).number)
    assert history.trim(history.size_bytes) == []
    assert history.trim(history.size_bytes - 1) == numbers[:1]
    assert [step.number for step in history.undoable()] == numbers[1:]
    assert history.size_bytes == sum(step.size_bytes for step in history.undoable())
    assert history.beginning == numbers[0]
    history.undo()
    history.push(run(PaintStroke(0, ((40, 9),), 5, 2), mask))  # type: ignore[arg-type]
    assert history.size_bytes == sum(step.size_bytes for step in history.undoable())


def test_history_forgets_a_removed_image_and_what_a_new_edit_overtakes() -> None:
    history, mask = History(), Mask(SHAPE)
    for class_id in (2, 3):
        history.push(run(PaintStroke(0, ((9, 9),), 5, class_id), mask))  # type: ignore[arg-type]
    history.undo()
    history.push(run(PaintStroke(0, ((50, 50),), 5, 2), mask))  # type: ignore[arg-type]
    assert history.next_redo() is None
    assert len(history) == 2
    history.forget("image")
    assert history.next_undo() is None
    assert history.size_bytes == 0


def test_a_change_that_was_not_made_here_can_neither_explode_nor_leave_the_image():
    """The journal of a project may come from a stranger."""
    long = zlib.compress(bytes(2**26), 9)
    short, noise = zlib.compress(b"short"), b"no zlib"
    sound = zlib.compress(bytes(256 * 256) + bytes([3]) * (256 * 256))
    for bad in (long, short, noise, b""):
        mask = Mask((1, 300, 300))
        change = Change("a", "mask", "x", Box(0, 0, 0, 1, 9, 9), (((0, 0, 0), bad),))
        tracemalloc.start()
        assert not change.redo(mask)
        assert tracemalloc.get_traced_memory()[1] < 2**21
        tracemalloc.stop()
        assert mask.is_empty
    mask = Mask((1, 300, 300))
    outside = [(1, 0, 0), (-1, 0, 0), (0, 2, 0), (0, 0, 2), (0, -1, 0), (0, 0, 2**30)]
    blocks = tuple((index, sound) for index in (*outside, (0, 1, 1)))
    change = Change("a", "mask", "x", Box(0, 0, 0, 1, 9, 9), blocks)
    assert change.redo(mask)
    assert mask.block_indices() == [(0, 1, 1)]
