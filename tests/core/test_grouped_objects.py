"""Objects made anew of a mask or of a prediction, and what writing them leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.edits.grouped_objects import PutObjects, grouped_maps, grouped_mask
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.core.instances.making import depth_of
from orgseg_app.core.mask import Mask

PLAIN = GroupingParameters(smoothing=0, min_size=0)


def twins(gap: int = 30) -> np.ndarray:
    """Two touching discs of class 2, one of class 3 beside them, on background."""
    y, x = np.mgrid[:80, :300]
    classes = np.ones((80, 300), np.uint8)
    for cx in (40, 40 + gap):
        classes[(y - 40) ** 2 + (x - cx) ** 2 < 17**2] = 2
    classes[(y - 40) ** 2 + (x - 254) ** 2 < 15**2] = 3
    return classes


def painted(classes: np.ndarray) -> Mask:
    mask = Mask((1, *classes.shape))
    Recorder("", mask).put(0, 0, 0, classes)
    return mask


def test_a_mask_is_divided_where_it_is_narrow_each_class_by_itself() -> None:
    classes = twins()
    numbers, of = grouped_mask(classes, (2, 3), PLAIN)
    assert numbers.max() == 3
    assert len({numbers[40, 40], numbers[40, 70], numbers[40, 254]}) == 3
    assert np.array_equal(of, np.where(classes > 1, classes, 0))
    whole, _ = grouped_mask(classes, (2,), GroupingParameters(seeds=0.1, smoothing=0))
    assert whole.max() == 1
    assert whole[40, 254] == 0, "another class"
    none, _ = grouped_mask(classes, (2, 3), GroupingParameters(min_size=100_000))
    assert not none.any()


def test_depth_is_one_in_the_middle_of_every_piece() -> None:
    inside = twins(60) > 1
    depth = depth_of(inside)
    assert depth[40, 40] == depth[40, 254] == 255
    assert not depth[~inside].any()
    assert depth_of(np.ones((5, 5), np.bool_)).min() == 255
    assert np.array_equal(depth_of(np.stack([inside] * 3))[1] > 0, inside)


def test_objects_of_a_prediction_have_the_class_of_most_of_their_voxels() -> None:
    predicted = twins()
    predicted[40, 40:44] = 3
    foreground = np.where(predicted > 1, np.uint8(220), np.uint8(20))
    numbers, of = grouped_maps(foreground, None, predicted, PLAIN)
    assert numbers.max() == 3
    assert set(np.unique(of[numbers == numbers[40, 41]]).tolist()) == {2}
    assert of[40, 254] == 3
    nothing, _ = grouped_maps(foreground, None, predicted, GroupingParameters(threshold=0.95))
    assert not nothing.any()


@pytest.mark.parametrize("keeps", [True, False])
def test_what_is_painted_is_kept_or_not_and_undo_leaves_nothing_behind(keeps: bool) -> None:
    classes = twins()
    numbers, of = grouped_mask(classes, (2, 3), PLAIN)
    mask = Mask((2, *classes.shape))
    Recorder("", mask, 7).paint(0, 35, 30, np.ones((10, 10), np.bool_), 4)
    Recorder("", mask, 2).paint(1, 0, 0, np.ones((5, 5), np.bool_), 2)  # on another plane
    before = mask.to_array().tobytes(), mask.objects.to_array().tobytes()
    recorder = Recorder("", mask)
    edit = PutObjects(0, numbers[np.newaxis], of[np.newaxis], keeps)
    edit.apply(recorder)
    change = recorder.finish(edit.title)
    assert change is not None
    assert mask.objects.value(0, 36, 31) == (7 if keeps else mask.objects.value(0, 40, 45))
    assert mask.value(0, 36, 31) == (4 if keeps else 2)
    found = set(mask.objects.sizes())
    assert found == ({7, 2, 1, 3, 4} if keeps else {2, 1, 3, 4}), "the lowest that are free"
    assert mask.objects.value(1, 2, 2) == 2
    assert mask.value(0, 0, 0) == 1, "what was unlabelled is background where no object is"
    assert change.undo(mask)
    assert (mask.to_array().tobytes(), mask.objects.to_array().tobytes()) == before


def test_objects_of_a_mask_take_the_place_of_those_of_its_classes() -> None:
    classes = twins()
    mask = painted(classes)
    recorder = Recorder("", mask)
    recorder.number(0, 0, 0, classes == 2, 1)
    recorder.number(0, 0, 0, classes == 3, 2)
    numbers, of = grouped_mask(classes, (2,), GroupingParameters(smoothing=0, drop_border=True))
    again = Recorder("", mask)
    PutObjects(0, numbers[np.newaxis], of[np.newaxis], False, (2,)).apply(again)
    assert mask.objects.value(0, 40, 254) == 2, "the other class is left alone"
    assert {mask.objects.value(0, 40, 40), mask.objects.value(0, 40, 70)} == {1, 3}
    assert np.array_equal(mask.plane(0), classes)
