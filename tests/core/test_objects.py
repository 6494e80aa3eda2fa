"""Objects: numbers beside the mask, kept in step with it by every edit, undone byte by byte."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.morphology import Reshape
from orgseg_app.core.edits.outlines import PaintEllipse, PaintPolygon, PaintRectangle
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.regions import FillHoles, FloodFill
from orgseg_app.core.edits.slices import CopyPlane, Interpolate, seen_from
from orgseg_app.core.edits.strokes import PaintBall, PaintStroke
from orgseg_app.core.edits.whole import MakeAgain, MergeClass, TakeBack
from orgseg_app.core.history import History
from orgseg_app.core.mask import Box, Mask
from orgseg_app.core.objects import HIGHEST, Objects
from orgseg_app.core.ready import ready_change, worked_out
from tests.core.test_edits import SHAPE, edits, places

Numbers = NDArray[np.uint32]
State = tuple[bytes, bytes]


def run(edit: Edit, mask: Mask, object_id: int = 0) -> Change | None:
    recorder = Recorder("image", mask, object_id)
    edit.apply(recorder)
    return recorder.finish(edit.title)


def state(mask: Mask) -> State:
    return mask.to_array().tobytes(), mask.objects.to_array().tobytes()


def painted(*boxes: tuple[int, int, int]) -> Mask:
    """Boxes of 40 × 40 voxels at (y, x) that belong to objects, all of class 2."""
    mask = Mask(SHAPE)
    for y, x, number in boxes:
        run(PaintRectangle(0, (y, x, y + 40, x + 40), 2), mask, number)
    return mask


object_ids = st.sampled_from([0, 0, 1, 2, 300, 70_000])
steps = st.tuples(edits(), object_ids)


@given(st.lists(steps, max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_story_undone_and_redone_is_byte_identical(story: list[tuple[Edit, int]]) -> None:
    mask, history = Mask(SHAPE), History()
    states = [state(mask)]
    for edit, object_id in story:
        change = run(edit, mask, object_id)
        if change is None:
            assert state(mask) == states[-1]
            continue
        history.push(change)
        states.append(state(mask))
        assert states[-1] != states[-2]
        numbers, classes = mask.objects.to_array(), mask.to_array()
        assert not numbers[classes < 2].any(), "nothing and background belong to no object"
    for expected in reversed(states[:-1]):
        taken = history.undo()
        assert taken is not None
        taken[1].undo(mask)
        assert state(mask) == expected
    for expected in states[1:]:
        taken = history.redo()
        assert taken is not None
        taken[1].redo(mask)
        assert state(mask) == expected


@st.composite
def plain_edits(draw: st.DrawFn) -> Edit:
    """Edits that paint one region with one class."""
    z, class_id, protect = draw(st.integers(0, 1)), draw(st.integers(0, 4)), draw(st.booleans())
    points = tuple(draw(st.lists(places, min_size=1, max_size=4)))
    size = draw(st.integers(1, 60))
    match draw(st.integers(0, 3)):
        case 0:
            return PaintStroke(z, points, size, class_id, draw(st.booleans()), protect)
        case 1:
            return PaintBall(z, points, size, class_id, (3, 1, 1), protect)
        case 2:
            return PaintPolygon(z, points, class_id, protect)
        case _:
            y0, x0 = draw(st.integers(-20, 290)), draw(st.integers(-20, 310))
            box = (y0, x0, y0 + draw(st.integers(1, 90)), x0 + draw(st.integers(1, 90)))
            return draw(st.sampled_from([PaintRectangle, PaintEllipse]))(z, box, class_id, protect)


@given(st.lists(st.tuples(plain_edits(), object_ids), min_size=1, max_size=8))
@settings(max_examples=60, deadline=None)
def test_painting_is_what_a_dense_reference_says(story: list[tuple[Edit, int]]) -> None:
    mask = Mask(SHAPE)
    classes, numbers = np.zeros(SHAPE, np.uint8), np.zeros(SHAPE, np.uint32)
    for edit, object_id in story:
        class_id, protect = edit.class_id, edit.protect  # type: ignore[attr-defined]
        stencil = Mask(SHAPE)
        run(type(edit)(**{**vars(edit), "class_id": 9, "protect": False}), stencil)
        where = stencil.to_array() == 9
        if protect and class_id:
            where &= (classes == 0) | (classes == class_id)
            if object_id and class_id > 1:
                where &= (numbers == 0) | (numbers == object_id)
        if class_id > 1 and not object_id:
            numbers[where & (classes != class_id)] = 0
        else:
            numbers[where] = object_id if class_id > 1 else 0
        classes[where] = class_id
        run(edit, mask, object_id)
        np.testing.assert_array_equal(mask.to_array(), classes)
        np.testing.assert_array_equal(mask.objects.to_array(), numbers)


@given(st.lists(steps, max_size=4), edits(), object_ids)
@settings(max_examples=40, deadline=None)
def test_what_is_worked_out_beforehand_is_what_painting_makes(
    story: list[tuple[Edit, int]], last: Edit, object_id: int
) -> None:
    mask = Mask(SHAPE)
    for edit, number in story:
        run(edit, mask, number)
    before = state(mask)
    ready = worked_out("image", seen_from(mask, range(SHAPE[0])), last, object_id=object_id)
    assert state(mask) == before
    other = mask.copy()
    change = run(last, other, object_id)
    assert (ready is None) == (change is None)
    if ready is not None:
        assert ready.fits(mask)
        ready.make(mask)
        assert state(mask) == state(other)
        ready.change.undo(mask)
        assert state(mask) == before


@given(st.lists(steps, max_size=4), st.integers(0, 279), st.integers(0, 299), st.integers(1, 9))
@settings(max_examples=30, deadline=None)
def test_reshaping_beforehand_is_reshaping(
    story: list[tuple[Edit, int]], y: int, x: int, radius: int
) -> None:
    mask = painted((20, 20, 1), (20, 60, 2), (60, 20, 3))
    for edit, number in story:
        run(edit, mask, number)
    edit = Reshape("grow", "object", 0, y, x, radius)
    other, ready = mask.copy(), edit.ready("image", mask)
    run(edit, other)
    if ready is not None:
        ready.make(mask)
    assert state(mask) == state(other)


def test_what_an_object_grows_over_is_its_own_and_neighbours_stay_apart() -> None:
    mask = painted((40, 40, 1), (40, 80, 2))
    run(Reshape("grow", "object", 0, 50, 50, 3), mask)
    assert mask.objects.sizes()[2] == 1600
    assert mask.objects.sizes()[1] == mask.counts()[2] - 1600 > 1600


def test_touching_objects_of_one_class_stay_apart() -> None:
    mask = painted((20, 20, 1), (20, 60, 2))
    assert mask.counts() == {2: 3200}
    assert mask.objects.sizes() == {1: 1600, 2: 1600}
    assert mask.objects.box_of(2) == Box(0, 20, 60, 1, 60, 100)


def test_protect_leaves_other_objects_of_the_class_alone() -> None:
    mask = painted((20, 20, 1))
    run(PaintRectangle(0, (20, 40, 60, 90), 2, protect=True), mask, 2)
    assert mask.objects.sizes() == {1: 1600, 2: 1200}
    run(PaintRectangle(0, (20, 40, 60, 90), 2), mask, 2)
    assert mask.objects.sizes() == {1: 800, 2: 2000}


def test_without_an_object_in_the_hand_painting_takes_voxels_from_objects() -> None:
    mask = painted((20, 20, 1), (20, 60, 2))
    run(PaintRectangle(0, (20, 20, 30, 60), 1), mask)  # background
    run(PaintRectangle(0, (30, 20, 40, 60), 0), mask)  # erased
    run(PaintRectangle(0, (40, 20, 50, 60), 3), mask)  # another class
    run(PaintRectangle(0, (50, 20, 60, 60), 2), mask)  # its own: it stays what it is
    assert mask.objects.sizes() == {1: 400, 2: 1600}


def test_a_fill_of_an_object_is_undone_with_it() -> None:
    mask = painted((20, 20, 7), (200, 200, 8))
    before = state(mask)
    change = run(FloodFill(0, 30, 30, 3), mask)
    assert change is not None
    assert mask.objects.sizes() == {8: 1600}
    change.undo(mask)
    assert state(mask) == before
    fill = run(FloodFill(0, 5, 5, 1), mask)  # background around them
    assert fill is not None
    assert mask.objects.sizes() == {7: 1600, 8: 1600}


def test_a_fill_takes_one_object_whatever_it_is_filled_with() -> None:
    for class_id, number in ((0, 0), (1, 0), (3, 9)):
        mask = painted((10, 10, 1), (10, 50, 2))
        run(FloodFill(0, 30, 30, class_id), mask, 9)
        assert mask.value(0, 30, 30) == class_id
        assert mask.value(0, 30, 70) == 2
        assert mask.objects.sizes() == ({2: 1600, number: 1600} if number else {2: 1600})


def test_holes_become_part_of_the_object_around_them() -> None:
    mask = painted((10, 10, 1), (10, 50, 2))
    run(PaintRectangle(0, (20, 20, 30, 30), 3), mask, 5)
    run(PaintRectangle(0, (20, 60, 30, 70), 0), mask, 5)
    assert mask.objects.sizes() == {1: 1500, 2: 1500, 5: 100}
    run(FillHoles(0, 45, 45), mask, 7)
    assert mask.objects.sizes() == {1: 1600, 2: 1500}
    run(FillHoles(0, 45, 85), mask, 7)
    assert mask.objects.sizes() == {1: 1600, 2: 1600}
    assert mask.counts() == {2: 3200}


def test_a_merged_class_and_a_copied_plane_keep_their_objects() -> None:
    mask = painted((20, 20, 1), (20, 60, 2))
    run(MergeClass(2, 4), mask, 9)
    assert mask.counts() == {4: 3200}
    assert mask.objects.sizes() == {1: 1600, 2: 1600}
    run(CopyPlane(0, 1), mask)
    np.testing.assert_array_equal(mask.objects.plane(1), mask.objects.plane(0))
    run(MergeClass(4, 0), mask)
    assert mask.objects.is_empty


def test_objects_go_on_between_planes() -> None:
    mask = Mask((5, 280, 300))
    for z, shift in ((0, 0), (4, 8)):
        for x, number in ((20, 1), (60, 2)):
            box = (20 + shift, x + shift, 60 + shift, x + shift + 40)
            run(PaintRectangle(z, box, 2), mask, number)
    run(PaintRectangle(2, (30, 30, 34, 34), 2), mask, 7)
    edit = Interpolate(((0, 4),))
    before = state(mask)
    change = run(edit, mask, 99)
    assert change is not None
    numbers = mask.objects.to_array()
    classes = mask.to_array()
    assert ((numbers > 0) == (classes == 2)).all()
    assert set(np.unique(numbers[1])) == {0, 1, 2}
    assert set(np.unique(numbers[3])) == {0, 1, 2, 7}
    assert (numbers[2, 30:34, 30:34] == 7).all(), "what is painted stays"
    middle = np.argwhere(numbers[1] == 1)[:, 1].max(), np.argwhere(numbers[1] == 2)[:, 1].min()
    assert abs(middle[0] - middle[1]) < 8, "they still touch"
    assert abs(np.count_nonzero(numbers[1] == 1) - 1600) < 300
    change.undo(mask)
    assert state(mask) == before


def test_a_change_made_again_or_taken_back_brings_its_objects() -> None:
    mask = Mask(SHAPE)
    change = run(PaintRectangle(0, (5, 5, 30, 30), 2), mask, 70_000)
    assert change is not None
    made = state(mask)
    change.undo(mask)
    run(MakeAgain(change), mask)
    assert state(mask) == made
    run(TakeBack(change), mask)
    assert mask.objects.is_empty
    assert mask.is_empty


def test_cancel_leaves_no_trace() -> None:
    mask = painted((20, 20, 1))
    before, blocks = state(mask), mask.objects.block_indices()
    recorder = Recorder("image", mask, 2)
    PaintStroke(0, ((1, 1), (270, 290)), 12, 4).apply(recorder)
    assert state(mask) != before
    recorder.cancel()
    assert state(mask) == before
    assert mask.objects.block_indices() == blocks


def test_the_class_mask_alone_costs_what_it_did() -> None:
    mask = Mask((1, 2048, 2048))
    points = tuple((500 + 8 * i, 500 + 5 * i) for i in range(60))
    change = run(PaintStroke(0, points, 200, 2), mask)
    assert change is not None
    assert change.layer == "mask"
    assert not mask.objects.block_indices()
    numbered = run(PaintStroke(0, points, 200, 2), mask, 5)
    assert numbered is not None
    assert numbered.layer == "objects"
    assert numbered.size_bytes < 30_000


def test_numbers_are_never_given_twice() -> None:
    mask = painted((20, 20, 6))
    assert mask.objects.next_number() == 7
    run(PaintRectangle(0, (20, 20, 60, 60), 0), mask)
    assert mask.objects.is_empty
    assert mask.objects.next_number() == 8
    full = Objects.from_array(np.array([[1, 2, 4, HIGHEST]], np.uint32))
    assert full.next_number() == 3


def test_packed_objects_are_what_they_were() -> None:
    mask = Mask((1, 256 * 24, 256 * 24))
    run(PaintRectangle(0, (0, 0, 256 * 24, 256 * 24), 2), mask, 70_000)
    run(PaintStroke(0, ((100, 100), (5000, 6000)), 300, 2), mask, 9)
    rows, columns = np.arange(0, 6144, 5), np.arange(300, 400)
    before = mask.objects.sizes(), mask.objects.sample(0, rows, columns)
    held = mask.objects.value(0, 3000, 3600), mask.objects.value(0, 10, 6000)
    assert mask.objects.pack(10_000) is False
    assert sum(isinstance(b, BlockRuns) for b in mask.objects._blocks.values()) == 576 - 512
    mask.objects._known.clear()
    assert mask.objects.sizes() == before[0]
    assert np.array_equal(mask.objects.sample(0, rows, columns), before[1])
    assert (mask.objects.value(0, 3000, 3600), mask.objects.value(0, 10, 6000)) == held
    change = run(PaintRectangle(0, (0, 0, 600, 600), 2), mask, 3)
    assert change is not None
    change.undo(mask)
    assert mask.objects.sizes() == before[0]


def test_a_ready_change_loses_the_numbers_of_what_changes_class() -> None:
    now, then = painted((20, 20, 1), (20, 60, 2)), Mask(SHAPE)
    then.write(0, 20, 20, np.full((40, 60), 2, np.uint8))
    slow = now.copy()
    recorder = Recorder("image", slow)
    recorder.put(0, 0, 0, then.plane(0))
    change = recorder.finish("x")
    ready = ready_change("image", "x", now, then, now.block_indices())
    assert ready is not None
    assert change is not None
    assert dict(ready.change.blocks) == dict(change.blocks)
    ready.make(now)
    assert state(now) == state(slow)
    assert now.objects.sizes() == {1: 1600, 2: 800}


def test_a_change_of_objects_from_a_stranger_can_neither_explode_nor_be_taken_for_another() -> None:
    plane = 256 * 256
    good = zlib.compress(bytes(2 * plane) + bytes(plane) + bytes([3]) * plane)
    mask = Mask((1, 300, 300))
    box = Box(0, 0, 0, 1, 9, 9)
    change = Change("a", "objects", "x", box, (((0, 1, 1), good), ((0, 5, 5), good)))
    assert change.redo(mask)
    assert mask.objects.block_indices() == [(0, 1, 1)]
    assert mask.is_empty
    for layer, length in (
        ("mask", 4 * plane),
        ("weights", 2 * plane),
        ("objects", 3 * plane),
        ("objects", 8 * plane),
        ("objects", 10 * plane + 1),
        ("objects", 2**26),
        ("objects", plane),
    ):
        bad = Change("a", layer, "x", box, (((0, 0, 0), zlib.compress(bytes([1]) * length, 9)),))
        other = Mask((1, 300, 300))
        tracemalloc.start()
        assert not bad.redo(other)
        assert tracemalloc.get_traced_memory()[1] < 2**22
        tracemalloc.stop()
        assert other.is_empty
        assert other.objects.is_empty


@pytest.mark.parametrize("highest", [255, 256, 65_535, 65_536, HIGHEST])
def test_numbers_of_any_size_come_back(highest: int) -> None:
    mask = Mask((1, 300, 300))
    change = run(PaintRectangle(0, (5, 5, 290, 290), 2), mask, highest)
    assert change is not None
    made = state(mask)
    change.undo(mask)
    assert mask.objects.is_empty
    change.redo(mask)
    assert state(mask) == made


def test_what_blocks_hold_is_known_before_and_after_they_are_looked_through() -> None:
    random = np.random.default_rng(5)
    numbers = np.zeros((2, 300, 600), np.uint32)
    numbers[0] = np.kron(random.integers(0, 9, (30, 60)), np.ones((10, 10))).astype(np.uint32)
    numbers[1, 200:, :300] = 4_000_000_000
    numbers[1, :200, 300:] = random.integers(20, 70_000, (200, 300))  # too many runs to pack
    objects = Objects.from_array(numbers)
    packed = Objects(numbers.shape)
    for index in objects.block_indices():
        packed.replace_block(index, objects.kept(index))
    wanted = np.unique(numbers[numbers > 0])
    for one in (objects, packed):
        left = len(one.block_indices())
        assert left > 3
        asked = (1, 8, 4_000_000_000, 69_999, 71_000, 4_000_000_001)
        where = {n: one.blocks_of(n) for n in asked}
        assert where[1]
        assert where[4_000_000_000]
        assert not where[71_000]
        first = one.next_number()
        assert first == 4_000_000_001
        turns = 0
        while one.look_through(2):
            turns += 1
        assert turns == (left - 1) // 2
        assert {n: one.blocks_of(n) for n in asked} == where
        assert one.next_number() == first + 1
        assert one.count() == len(wanted) == len(one.sizes())
        one.write(1, 0, 0, np.full((5, 5), 4_000_000_007, np.uint32))
        assert one.look_through(0), "what was written since is not known"
        assert one.next_number() == 4_000_000_008
    assert Objects((1, 5, 5)).count() == 0
