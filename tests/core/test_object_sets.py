"""Several objects edited at once: what is written, and that undo leaves nothing behind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from orgseg_app.core.edits.object_sets import (
    ClassifyObjects,
    DeleteObjects,
    DivideObject,
    FillObjects,
    MergeObjects,
    RenumberObjects,
    SmoothObjects,
    body_of,
    parts_of,
)
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting import dividing


def painted(*discs: tuple[int, int, int, int, int], shape: tuple[int, int] = (80, 300)) -> Mask:
    """Discs as (number, class, y, x, radius) on background, of one plane."""
    mask = Mask((1, *shape))
    numbers, classes = np.zeros(shape, np.uint32), np.ones(shape, np.uint8)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for number, class_id, cy, cx, radius in discs:
        where = (y - cy) ** 2 + (x - cx) ** 2 < radius**2
        numbers[where], classes[where] = number, class_id
    Recorder("", mask).put(0, 0, 0, classes, numbers)
    return mask


def state(mask: Mask) -> tuple[bytes, bytes]:
    return mask.to_array().tobytes(), mask.objects.to_array().tobytes()


def make(mask: Mask, edit: Edit) -> None:
    """Make an edit, and see that undo brings back every byte, and redo makes it again."""
    before = state(mask)
    recorder = Recorder("", mask)
    edit.apply(recorder)
    change = recorder.finish(edit.title)
    assert change is not None
    after = state(mask)
    assert change.undo(mask)
    assert state(mask) == before
    assert change.redo(mask)
    assert state(mask) == after


def sizes(mask: Mask) -> dict[int, int]:
    return mask.objects.sizes()


FOUR = (
    (3, 2, 30, 40, 10),
    (5, 2, 30, 100, 12),
    (9, 3, 30, 254, 14),  # over the border of two blocks
    (4_000_000_000, 2, 60, 200, 8),
)


def test_delete_merge_and_classify_touch_only_the_chosen() -> None:
    mask = painted(*FOUR)
    before = sizes(mask)
    make(mask, ClassifyObjects((3, 9), 4))
    assert mask.value(0, 30, 40) == mask.value(0, 30, 254) == 4
    assert mask.value(0, 30, 100) == 2
    assert sizes(mask) == before
    make(mask, MergeObjects((3, 9, 5), 5))
    assert sizes(mask) == {5: before[3] + before[5] + before[9], 4_000_000_000: before[4000000000]}
    assert {mask.value(0, 30, x) for x in (40, 100, 254)} == {2}, "the class of the one that stays"
    make(mask, DeleteObjects((5,)))
    assert list(sizes(mask)) == [4_000_000_000]
    assert mask.value(0, 30, 40) == 0
    assert mask.value(0, 0, 0) == 1, "background stays"


def test_numbers_are_without_gaps_and_in_their_order() -> None:
    mask = painted(*FOUR)
    before = sizes(mask)
    make(mask, RenumberObjects())
    assert sizes(mask) == dict(zip((1, 2, 3, 4), before.values(), strict=True))
    recorder = Recorder("", mask)
    RenumberObjects().apply(recorder)
    assert recorder.finish("") is None, "nothing differs any more"


def test_holes_are_filled_but_not_with_what_lies_in_them() -> None:
    mask = painted((1, 2, 40, 60, 30), (2, 3, 40, 60, 6))
    Recorder("", mask).paint(0, 30, 40, np.ones((5, 5), np.bool_), 0)
    Recorder("", mask).paint(0, 40, 80, np.ones((3, 3), np.bool_), 1)
    whole, inner = 25 + 9, sizes(mask)[2]
    before = sizes(mask)[1]
    make(mask, FillObjects((1,)))
    assert sizes(mask) == {1: before + whole, 2: inner}
    assert mask.value(0, 32, 42) == mask.value(0, 41, 81) == 2


def test_smoothing_takes_spikes_off_and_gives_them_to_what_is_beside() -> None:
    mask = painted((1, 2, 40, 60, 20), (2, 2, 40, 99, 20))
    Recorder("", mask, 1).paint(0, 40, 30, np.ones((1, 12), np.bool_), 2)
    assert mask.value(0, 40, 31) == 2
    make(mask, SmoothObjects((1,), 3))
    assert mask.value(0, 40, 31) == 1, "background again"
    assert mask.objects.value(0, 40, 60) == 1
    classes, numbers = mask.to_array(), mask.objects.to_array()
    assert ((numbers > 0) == (classes == 2)).all(), "no voxel of the class without a number"


@pytest.mark.parametrize("count", [2, 3, 4])
def test_touching_discs_are_told_apart(count: int) -> None:
    discs = [(7, 2, 40, 30 + 33 * n, 20) for n in range(count)]
    mask = painted(*discs)
    body = body_of(mask.objects, 7)
    assert body is not None
    far = dividing.distances(body[1][0])
    assert dividing.usual_count(dividing.peaks(far)) == count
    make(mask, DivideObject(7, count, 8))
    found = sizes(mask)
    assert set(found) == {7, *range(8, 8 + count - 1)}
    middles = [mask.objects.value(0, 40, 30 + 33 * n) for n in range(count)]
    assert len(set(middles)) == count
    for number in found:
        assert ndimage.label(mask.objects.to_array()[0] == number)[1] == 1
    assert max(found.values()) < 1.25 * min(found.values())
    assert found[7] == max(found.values()), "the largest keeps the number"


def test_two_balls_are_cut_through_all_planes() -> None:
    z, y, x = np.mgrid[:20, :40, :80]
    one, two = ((z - 10) ** 2 * 4 + (y - 20) ** 2 + (x - c) ** 2 < 17**2 for c in (24, 54))
    labels = parts_of(one | two, 2, (2.0, 1.0, 1.0))
    assert len({int(labels[10, 20, 20]), int(labels[10, 20, 60])}) == 2
    assert sorted(np.unique(labels).tolist()) == [0, 1, 2]
    assert (
        abs(int((labels == 1).sum()) - int((labels == 2).sum())) < 0.15 * labels.astype(bool).sum()
    )


def test_a_disc_has_one_peak_and_stays_whole() -> None:
    mask = painted((1, 2, 40, 60, 25))
    body = body_of(mask.objects, 1)
    assert body is not None
    found = dividing.peaks(dividing.distances(body[1][0]))
    assert dividing.usual_count(found) in (1, 2)
    assert [p for p in found[1:] if p.dynamics > 1.5] == []
    assert body_of(mask.objects, 99) is None


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(1, 6),
            st.integers(2, 4),
            st.integers(0, 59),
            st.integers(0, 69),
            st.integers(2, 20),
        ),
        min_size=1,
        max_size=8,
    ),
    st.integers(0, 5),
)
def test_undo_leaves_nothing_behind(
    discs: list[tuple[int, int, int, int, int]], which: int
) -> None:
    mask = painted(*discs, shape=(60, 70))
    numbers = tuple(sizes(mask))[:3]
    edit = (
        DeleteObjects(numbers),
        MergeObjects(numbers, numbers[-1]),
        ClassifyObjects(numbers, 4),
        FillObjects(numbers),
        SmoothObjects(numbers, 2),
        DivideObject(numbers[0], 3, 10),
    )[which]
    before = state(mask)
    recorder = Recorder("", mask)
    edit.apply(recorder)
    change = recorder.finish(edit.title)
    classes, objects = mask.to_array(), mask.objects.to_array()
    assert not objects[classes <= 1].any()
    if change is not None:
        assert change.undo(mask)
    assert state(mask) == before
