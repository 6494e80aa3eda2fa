"""GrabCut in a box: objects known exactly, and boxes that nothing can be made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.painting.grabcut import cut, window_around


def scene(side: int, radius: float, *, colour: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A noisy picture with a disk in the middle that is textured and ragged, and where it is."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2
    disk = np.hypot(y, x) < radius
    grey = np.where(disk, 150, 70) + rng.normal(0, 15, (side, side))
    picture = np.clip(grey, 0, 255).astype(np.uint8)
    return (np.dstack([picture, picture // 2, 255 - picture]) if colour else picture), disk


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("largest", [400, 60])
def test_the_disk_in_the_box_is_found(largest: int, colour: bool) -> None:
    picture, disk = scene(200, 60, colour=colour)
    box = (30, 30, 170, 170)
    found, truth = cut(picture, box, largest), disk[30:170, 30:170]
    least = 0.97 if largest == 400 else 0.9
    assert (found & truth).sum() / (found | truth).sum() > least
    threshold = (picture if not colour else picture[..., 0])[30:170, 30:170] > 110
    assert (found ^ truth).sum() < (threshold ^ truth).sum() or largest == 60
    assert np.array_equal(found, cut(picture, box, largest))


def test_a_box_as_large_as_the_image() -> None:
    picture, disk = scene(120, 40)
    found = cut(picture, (0, 0, 120, 120))
    assert (found & disk).sum() / (found | disk).sum() > 0.95


@given(
    st.integers(1, 14),
    st.integers(1, 14),
    st.tuples(*[st.floats(0, 1)] * 4),
    st.integers(2, 20),
    st.sampled_from(["noise", "flat", "colour"]),
)
@settings(max_examples=80, deadline=None)
def test_any_box_gives_something_of_its_size(
    height: int, width: int, parts: tuple[float, ...], largest: int, kind: str
) -> None:
    rng = np.random.default_rng(height * 16 + width)
    shape = (height, width, 3) if kind == "colour" else (height, width)
    picture = rng.integers(0, 256, shape).astype(np.uint8)
    if kind == "flat":
        picture[...] = 9
    y0, x0 = int(parts[0] * (height - 1)), int(parts[1] * (width - 1))
    y1 = y0 + 1 + int(parts[2] * (height - y0 - 1))
    x1 = x0 + 1 + int(parts[3] * (width - x0 - 1))
    found = cut(picture, (y0, x0, y1, x1), largest)
    assert found.shape == (y1 - y0, x1 - x0)
    assert found.dtype == np.bool_
    assert kind != "flat" or not found.any()


@pytest.mark.parametrize("box", [(0, 0, 0, 5), (-1, 0, 5, 5), (0, 0, 5, 11)])
def test_a_box_outside_is_refused(box: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="box"):
        cut(np.zeros((10, 10), np.uint8), box)


def test_the_window_has_surroundings_inside_the_image() -> None:
    assert window_around((40, 40, 140, 100), (500, 500)) == (30, 30, 150, 110)
    assert window_around((40, 40, 44, 44), (500, 500)) == (36, 36, 48, 48)
    assert window_around((0, 0, 90, 500), (100, 500)) == (0, 0, 100, 500)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_neighbours_that_are_as_bright_stay_out() -> None:
    """Nuclei stand close; those beside the box are no proof that bright voxels are background."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:120, :120] + 0.5
    disks = [np.hypot(y - cy, x - cx) < 20 for cy in (15, 60, 105) for cx in (15, 60, 105)]
    grey = np.where(np.any(disks, axis=0), 150, 40) + rng.normal(0, 10, y.shape)
    picture = grey.clip(0, 255).astype(np.uint8)
    for shown in (picture, np.dstack([picture, picture // 3, picture // 2])):
        found = cut(shown, (34, 34, 86, 86))
        assert iou(found, disks[4][34:86, 34:86]) > 0.9


def test_an_object_told_by_its_relief_alone_is_found_in_one_piece() -> None:
    """Phase contrast and DIC: the mean is that of what surrounds it."""
    rng = np.random.default_rng(2)
    y, x = np.mgrid[:160, :160] + 0.5 - 80
    disk = np.hypot(y, x) < 50
    picture = (120 + rng.normal(0, 1, disk.shape) * np.where(disk, 40, 6)).clip(0, 255)
    found = cut(picture.astype(np.uint8), (22, 22, 138, 138))
    assert iou(found, disk[22:138, 22:138]) > 0.85


def test_noise_alone_is_no_object() -> None:
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(120, 15, (140, 150)).clip(0, 255)
        assert not cut(noise.astype(np.uint8), (20, 20, 120, 125)).any()
