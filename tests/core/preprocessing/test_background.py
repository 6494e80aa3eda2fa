"""The rolling ball, beside a ball that is rolled over every voxel."""

from __future__ import annotations

import numpy as np
import pytest

from orgseg_app.core.preprocessing.background import ball, rolled, shrink_factor
from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.runs.recipes.schema import PreprocessStep


def slow(image: np.ndarray, heights: np.ndarray) -> np.ndarray:
    """At every place, also beside the picture: up until the ball touches, then what it covers."""
    half = len(heights) // 2
    height, width = image.shape
    high = np.pad(image.astype(float), 2 * half, constant_values=np.inf)
    reached = np.full(high.shape, -np.inf)
    side = 2 * half + 1
    for y, x in np.ndindex(height + 2 * half, width + 2 * half):
        window = np.s_[y : y + side, x : x + side]
        centre = (high[window] - heights).min()
        reached[window] = np.maximum(reached[window], centre + heights)
    return reached[2 * half : 2 * half + height, 2 * half : 2 * half + width]


def smoothed(image: np.ndarray) -> np.ndarray:
    padded = np.pad(image.astype(float), 1, mode="edge")
    return sum(
        padded[y : y + image.shape[0], x : x + image.shape[1]] for y in range(3) for x in range(3)
    ) / np.float64(9)


def scene(shape: tuple[int, int] = (90, 110)) -> tuple[np.ndarray, np.ndarray]:
    """Spots of 0…1 and the shade they lie on."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[: shape[0], : shape[1]]
    shade = 0.2 + 0.3 * y / shape[0] + 0.2 * np.sin(x / 60)
    spots = np.zeros(shape)
    for _ in range(18):
        v, u = random.uniform(0, shape[0]), random.uniform(0, shape[1])
        spots = np.maximum(spots, 0.4 * np.exp(-((y - v) ** 2 + (x - u) ** 2) / 8))
    return spots.astype(np.float32), shade.astype(np.float32)


@pytest.mark.parametrize("radius", [2.0, 5.0, 10.0])
def test_small_balls_roll_over_every_voxel(radius: float) -> None:
    spots, shade = scene((40, 33))
    image = spots + shade
    heights = ball(radius, 1) / 255
    assert shrink_factor(radius) == 1
    expected = np.minimum(slow(smoothed(image), heights), smoothed(image))
    np.testing.assert_allclose(rolled(image, heights, 1), expected, atol=1e-5)


@pytest.mark.parametrize("radius, most", [(20.0, 0.02), (40.0, 0.04)])
def test_large_balls_roll_over_a_smaller_copy(radius: float, most: float) -> None:
    spots, shade = scene()
    image = spots + shade
    factor = shrink_factor(radius)
    assert factor > 1
    exact = slow(smoothed(image), ball(radius, 1) / 255)
    got = rolled(image, ball(radius, factor) / np.float32(255), factor)
    assert np.abs(got - exact).mean() < most * np.ptp(shade)
    # A copy of the darkest voxels: a little deeper than the exact one, never above the picture.
    assert (got <= smoothed(image) + 1e-6).all()


@pytest.mark.parametrize("dtype, top", [("uint8", 200), ("uint16", 4000), ("float32", 3)])
def test_the_shade_goes_and_the_spots_stay(dtype: str, top: float) -> None:
    spots, shade = scene()
    plane = ((spots + shade) * top).astype(dtype)[None]
    (out,) = apply_steps(plane, [PreprocessStep("background", {"radius": 12.0})])
    assert np.corrcoef(out.ravel(), spots.ravel())[0, 1] > 0.97
    assert np.corrcoef(plane.ravel(), spots.ravel())[0, 1] < 0.8
    assert np.abs(np.median(out)) < 0.02


def test_an_even_picture_has_nothing_but_background() -> None:
    plane = np.full((1, 30, 30), 77, np.uint8)
    out = apply_steps(plane, [PreprocessStep("background", {"radius": 40.0})])
    assert np.abs(out).max() < 1e-6
