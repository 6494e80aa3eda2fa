"""Boxes to objects, and to what is known outside of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from orgseg_app.core.shapes.boxes import WAYS, objects_in_boxes, weak_labels


def cells(*, inverted: bool = False) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
    """A noisy picture of ellipses, their numbers and their boxes."""
    rng = np.random.default_rng(3)
    truth = np.zeros((90, 120), np.uint8)
    for number, (y, x, a, b, turn) in enumerate(
        [(20, 25, 14, 9, 30), (55, 30, 10, 16, 0), (40, 85, 18, 12, 60), (75, 95, 9, 9, 0)], start=1
    ):
        cv2.ellipse(truth, (x, y), (a, b), turn, 0, 360, number, -1)
    picture = 400 + 500.0 * (truth > 0) + rng.normal(0, 60, truth.shape)
    if inverted:
        picture = 2000 - picture
    boxes = []
    for number in range(1, 5):
        rows, columns = np.nonzero(truth == number)
        boxes.append([rows.min(), columns.min(), rows.max() + 1, columns.max() + 1])
    return picture.clip(0, 65535).astype(np.uint16), truth, boxes


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("way", ["otsu", "grabcut"])
def test_what_stands_out_is_found(way, inverted):
    picture, truth, boxes = cells(inverted=inverted)
    found = objects_in_boxes(picture, boxes, way)
    assert (found.guessed, found.empty) == ((), ())
    for number in range(1, 5):
        assert overlap(found.objects == number, truth == number) > 0.9


def test_colour_tells_where_grey_does_not():
    _, truth, boxes = cells()
    rng = np.random.default_rng(0)
    picture = rng.integers(90, 110, (3, *truth.shape)).astype(np.uint8)
    picture[2][truth > 0] = 180
    found = objects_in_boxes(picture, boxes)
    assert overlap(found.objects > 0, truth > 0) > 0.9
    assert found.guessed == ()


def test_noise_gives_an_ellipse_and_says_so():
    picture = np.random.default_rng(1).integers(0, 255, (60, 60)).astype(np.uint8)
    found = objects_in_boxes(picture, [[10, 10, 40, 50]])
    assert found.guessed == (1,)
    drawn = objects_in_boxes(picture, [[10, 10, 40, 50]], "ellipse")
    assert np.array_equal(found.objects, drawn.objects)
    assert 0.76 < (found.objects > 0).sum() / (30 * 40) < 0.81


@pytest.mark.parametrize("way", WAYS)
def test_boxes_that_stick_out_or_lie_outside(way):
    picture, _, _ = cells()
    boxes = [[-20, -20, 10, 10], [80, 100, 200, 300], [200, 0, 220, 20], [5, 5, 5, 9]]
    found = objects_in_boxes(picture, boxes, way)
    assert found.empty == (3, 4)
    assert found.objects[10:80, 10:100].max() == 0
    assert {1, 2} <= set(np.unique(found.objects).tolist())


def test_no_object_leaves_its_box_and_neighbours_share_by_the_middle():
    picture = np.zeros((40, 60), np.uint8)
    found = objects_in_boxes(picture, [[5, 5, 35, 35], [5, 25, 35, 55]], "rectangle")
    assert not found.objects[:5].any()
    assert found.objects[20, 6] == 1
    assert found.objects[20, 54] == 2
    shared = found.objects[20, 25:35]
    assert shared.tolist() == [1] * 5 + [2] * 5


def test_the_same_boxes_give_the_same_objects():
    picture, _, boxes = cells()
    one = objects_in_boxes(picture, boxes, "grabcut").objects
    assert np.array_equal(one, objects_in_boxes(picture, boxes, "grabcut").objects)


def test_work_can_be_given_up():
    class EnoughError(Exception):
        pass

    def check() -> None:
        raise EnoughError

    picture, _, boxes = cells()
    with pytest.raises(EnoughError):
        objects_in_boxes(picture, boxes, check=check)


def test_weak_labels_are_silent_inside_the_boxes():
    mask = weak_labels([[2, 3, 5, 6], [-4, 8, 2, 40], [7, 7, 3, 3]], (8, 10))
    expected = np.ones((8, 10), np.uint8)
    expected[2:5, 3:6] = 0
    expected[0:2, 8:10] = 0
    assert np.array_equal(mask, expected)


def test_an_unknown_way_is_a_mistake():
    with pytest.raises(ValueError, match="otsu"):
        objects_in_boxes(np.zeros((4, 4)), [], "magic")
