"""Edits of whole objects against slow obvious references."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.edits.objects import (
    ClassifyObject,
    DeleteObject,
    MakeObjects,
    NumberObject,
    SplitObject,
    class_of,
)
from orgseg_app.core.edits.outlines import PaintRectangle
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.edits.strokes import PaintStroke
from orgseg_app.core.edits.whole import MakeAgain, TakeBack
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import HIGHEST
from orgseg_app.core.ready import worked_out
from tests.core.test_objects import painted, run, state

SHAPE = (3, 270, 530)


def random_mask(seed: int, density: float = 0.5) -> Mask:
    """Blobs of three classes and background, some of them over the borders of blocks."""
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.random((3, *SHAPE)), (0, 0.7, 3, 3))
    limits = np.quantile(noise, 1 - density / 3, axis=(1, 2, 3))
    classes = np.ones(SHAPE, np.uint8)
    for number in range(3):
        classes[noise[number] > limits[number]] = number + 2
    return Mask.from_array(classes)


def undone(edit: Edit, mask: Mask) -> None:
    """Make an edit, and see that undo and redo are exact."""
    before = state(mask)
    change = run(edit, mask)
    assert change is not None
    after = state(mask)
    change.undo(mask)
    assert state(mask) == before
    change.redo(mask)
    assert state(mask) == after


def slow_objects(classes: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Components by sides and corners, class by class."""
    out, count = np.zeros(classes.shape, np.int64), 0
    for class_id in (2, 3, 4):
        labels, found = ndimage.label((classes == class_id) & free, np.ones((3,) * classes.ndim))
        out[labels > 0] = labels[labels > 0] + count
        count += found
    return out


def assert_same_parts(one: np.ndarray, other: np.ndarray) -> None:
    """The same voxels belong together, whatever they are called."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


@given(st.integers(0, 10_000), st.sampled_from([None, 0, 2]), st.booleans())
@settings(max_examples=25, deadline=None)
def test_objects_of_the_mask_are_its_components(seed: int, z: int | None, some: bool) -> None:
    mask = random_mask(seed)
    if some:
        run(PaintStroke(1, ((20, 20), (250, 500)), 40, 2), mask, 5)
    before = mask.objects.to_array()
    edit = MakeObjects(mask.objects.next_number(), z)
    undone(edit, mask)
    numbers = mask.objects.to_array()
    classes = mask.to_array()
    assert np.array_equal(numbers[before > 0], before[before > 0])
    free = before == 0
    if z is None:
        expected = slow_objects(classes, free)
    else:
        expected = np.zeros(SHAPE, np.int64)
        expected[z] = slow_objects(classes[z], free[z])
        assert not numbers[free & (np.arange(3) != z).reshape(3, 1, 1)].any()
    assert_same_parts(np.where(free, numbers, 0), expected)
    found = np.unique(numbers[free & (numbers > 0)])
    assert found.tolist() == list(range(edit.first, edit.first + len(found)))


def test_they_can_be_made_in_the_background_and_given_up() -> None:
    mask, other = random_mask(1), random_mask(1)
    edit = MakeObjects(1)
    ready = worked_out("image", mask, edit)
    run(edit, other)
    assert ready is not None
    ready.make(mask)
    assert state(mask) == state(other)
    recorder = Recorder("image", random_mask(1))
    edit.apply(recorder, lambda done, total: done < 2)
    assert recorder.finish("x") is None


def test_an_object_is_deleted_everywhere_or_on_one_plane() -> None:
    mask = random_mask(3)
    run(MakeObjects(1), mask)
    classes, numbers = mask.to_array(), mask.objects.to_array()
    number = int(np.bincount(numbers[numbers > 0]).argmax())
    assert len(set(np.argwhere(numbers == number)[:, 0])) > 1
    one = mask.copy()
    undone(DeleteObject(number, 1), one)
    gone = (numbers == number) & (np.arange(3) == 1).reshape(3, 1, 1)
    np.testing.assert_array_equal(one.to_array(), np.where(gone, 0, classes))
    undone(DeleteObject(number), mask)
    np.testing.assert_array_equal(mask.to_array(), np.where(numbers == number, 0, classes))
    np.testing.assert_array_equal(mask.objects.to_array(), np.where(numbers == number, 0, numbers))


def test_merged_objects_have_one_number_and_one_class() -> None:
    mask = painted((20, 20, 1), (20, 60, 2), (100, 240, 3))
    run(ClassifyObject(1, 3), mask)
    assert class_of(mask, 1) == 3
    assert mask.objects.sizes() == {1: 1600, 2: 1600, 3: 1600}
    undone(NumberObject(1, 2), mask)
    assert mask.objects.sizes() == {2: 3200, 3: 1600}
    assert mask.counts() == {2: 4800}
    undone(NumberObject(2, 70_000), mask)
    assert mask.objects.sizes() == {70_000: 3200, 3: 1600}
    undone(ClassifyObject(3, 4), mask)
    assert mask.counts() == {2: 3200, 4: 1600}
    assert class_of(mask, 99) == 0
    assert run(ClassifyObject(3, 1), mask) is None, "background has no objects"
    assert run(DeleteObject(0), mask) is None


@pytest.mark.parametrize("x", [10, 220])
def test_a_line_cuts_an_object_and_no_voxel_is_lost(x: int) -> None:
    mask = painted((20, x, 1), (20, x + 40, 2))
    before = mask.to_array()
    undone(SplitObject(0, ((10.0, x + 10.5), (70.0, x + 12.5)), 7), mask)
    assert np.array_equal(mask.to_array(), before)
    sizes = mask.objects.sizes()
    assert sizes[2] == 1600, "only the first object that the line meets"
    assert sizes[1] + sizes[7] == 1600
    assert sizes[1] > sizes[7] > 350
    assert mask.objects.value(0, 40, x + 5) == 7
    left = mask.objects.plane(0) == 7
    assert ndimage.label(left)[1] == 1


def test_a_line_that_does_not_reach_the_other_side_cuts_nothing() -> None:
    mask = painted((20, 20, 1))
    assert run(SplitObject(0, ((10.0, 30.5), (50.0, 30.5)), 7), mask) is None
    assert run(SplitObject(0, ((200.0, 30.5), (250.0, 30.5)), 7), mask) is None


def test_a_line_across_a_ring_and_one_in_many_parts() -> None:
    mask = painted((20, 20, 1))
    comb = tuple((y, 15.0 if i % 2 else 65.0) for i, y in enumerate((25.5, 30.5, 40.5, 45.5)))
    undone(SplitObject(0, comb, 7), mask)
    numbers = mask.objects.sizes()
    assert set(numbers) >= {1, 7, 8}
    assert sum(numbers.values()) == 1600
    assert numbers[1] == max(numbers.values())


def test_a_cut_through_all_planes() -> None:
    mask = Mask((4, 60, 60))
    for z in range(4):
        mask.write(z, 10, 10, np.full((40, 40), 2, np.uint8))
    run(MakeObjects(1), mask)
    assert mask.objects.sizes() == {1: 6400}
    flat = mask.copy()
    line = ((0.0, 20.5), (60.0, 20.5))
    undone(SplitObject(1, line, 2), flat)
    assert flat.objects.sizes()[2] < 500
    undone(SplitObject(1, line, 2, in_3d=True), mask)
    assert sorted(mask.objects.sizes()) == [1, 2]
    assert 4 * 350 < mask.objects.sizes()[2] < 4 * 450


def test_new_objects_get_none_of_the_numbers_that_are_taken() -> None:
    """The number in the hand may be lower than those of others, and there may be no higher one."""
    mask = painted((10, 10, 2), (10, 100, 3), (10, 200, HIGHEST), (100, 10, 7))
    for x in (10, 100, 200):
        run(PaintRectangle(1, (10, x, 50, x + 40), 3), mask)
    undone(MakeObjects(HIGHEST - 1), mask)
    sizes = mask.objects.sizes()
    assert sizes == dict.fromkeys([1, 2, 3, 4, 7, HIGHEST - 1, HIGHEST], 1600)
    line = tuple((float(y), float(x)) for y, x in ((0, 22), (60, 22), (60, 32), (0, 32)))
    undone(SplitObject(0, line, 3), mask)
    assert set(mask.objects.sizes()) == {*sizes, 5, 6}
    assert mask.objects.next_number() == 8


def test_taking_a_change_of_class_back_leaves_the_object_one() -> None:
    mask = painted((10, 10, 5))
    change = run(ClassifyObject(5, 4), mask)
    assert change is not None
    run(PaintRectangle(1, (0, 0, 20, 20), 2), mask)
    run(TakeBack(change), mask)
    assert mask.objects.sizes() == {5: 1600}
    assert class_of(mask, 5) == 2
    run(MakeAgain(change), mask)
    assert mask.objects.sizes() == {5: 1600}
    assert class_of(mask, 5) == 4
