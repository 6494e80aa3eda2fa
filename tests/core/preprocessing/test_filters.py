"""Steps that look at the surroundings, beside slow and obvious ways."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from orgseg_app.core.preprocessing import denoising
from orgseg_app.core.preprocessing.denoising import differences, noise_of
from orgseg_app.core.preprocessing.filters import middle
from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.runs.recipes.schema import PreprocessStep


def run(plane: np.ndarray, name: str, **params: float) -> np.ndarray:
    return apply_steps(plane[None], [PreprocessStep(name, params)])[0]


def picture(dtype: str, shape: tuple[int, int] = (40, 52)) -> np.ndarray:
    top = {"uint8": 25, "uint16": 4000, "float32": 0.3}[dtype]
    values = np.random.default_rng(0).gamma(2, 1, shape) * top
    return values.clip(0, 255 if dtype == "uint8" else 65535).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.3])
def test_gaussian(dtype: str, sigma: float) -> None:
    plane = picture(dtype)
    radius = int(np.ceil(4 * sigma))
    expected = ndimage.gaussian_filter(plane.astype(float), sigma, mode="mirror", radius=radius)
    np.testing.assert_allclose(run(plane, "gaussian", sigma=sigma), expected, rtol=1e-4)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("radius", [1, 2, 3, 4])
def test_median(dtype: str, radius: int) -> None:
    plane = picture(dtype, (70, 52))
    expected = ndimage.median_filter(plane, 2 * radius + 1, mode="mirror")
    np.testing.assert_array_equal(run(plane, "median", radius=radius), expected)


@given(
    values=hnp.arrays(
        st.sampled_from([np.uint16, np.float32]),
        st.tuples(st.integers(7, 9), st.integers(7, 9)),
        elements=st.integers(0, 5),
    )
)
@settings(deadline=None, max_examples=40)
def test_the_middle_of_many_equal_values(values: np.ndarray) -> None:
    windows = np.lib.stride_tricks.sliding_window_view(values, (7, 7))
    np.testing.assert_array_equal(middle(values, 3), np.median(windows, axis=(2, 3)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_edges_are_added_as_published(dtype: str) -> None:
    plane = picture(dtype)
    values = plane.astype(float)
    down, across = (ndimage.sobel(values, axis, mode="mirror") for axis in (0, 1))
    edges = 0.5 * np.abs(across) + 0.5 * np.abs(down)
    expected = 0.5 * (values / values.max() + edges / edges.max())
    np.testing.assert_allclose(run(plane, "edge_enhance"), expected, atol=1e-5)


# -- non-local means -------------------------------------------------------------------------------


def slow_means(plane: np.ndarray, strength: float, patch: int, search: int) -> np.ndarray:
    """Every voxel beside every other in sight."""
    noise = noise_of(differences(plane.astype(np.float32)))
    padded = np.pad(plane.astype(float), patch + search, mode="reflect")
    out = np.empty(plane.shape)
    side = 2 * patch + 1
    for y, x in np.ndindex(plane.shape):
        own = padded[y + search : y + search + side, x + search : x + search + side]
        total = weights = 0.0
        for v, u in np.ndindex(2 * search + 1, 2 * search + 1):
            other = padded[y + v : y + v + side, x + u : x + u + side]
            away = ((own - other) ** 2).mean() - 2 * noise**2
            weight = np.exp(-max(away, 0) / (strength * noise) ** 2)
            weights += weight
            total += weight * other[patch, patch]
        out[y, x] = total / weights
    return out


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("patch, search", [(1, 2), (2, 3)])
def test_non_local_means(
    dtype: str, patch: int, search: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denoising, "_TILE", 9)  # tiles meet within the picture
    plane = picture(dtype, (17, 14))
    got = run(plane, "nlm", strength=0.8, patch_radius=patch, search_radius=search)
    np.testing.assert_allclose(got, slow_means(plane, 0.8, patch, search), rtol=1e-4)


def scene(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Stripes and a disc in 12 bits of 16, without noise and with it."""
    y, x = np.mgrid[:96, :96]
    clean = 1000.0 + 800 * (np.sin(x / 3) > 0.3) + 900 * (np.hypot(y - 48, x - 48) < 20)
    noisy = clean + np.random.default_rng(0).normal(0, noise, clean.shape)
    return clean, noisy.clip(0, 65535).astype(np.uint16)


@pytest.mark.parametrize("noise", [30.0, 120.0])
def test_the_noise_is_estimated_and_most_of_it_removed(noise: float) -> None:
    clean, noisy = scene(noise)
    assert noise_of(differences(noisy.astype(np.float32))) == pytest.approx(noise, rel=0.15)
    left = float(np.std(run(noisy, "nlm") - clean))
    blurred = float(np.std(run(noisy, "gaussian", sigma=1) - clean))
    assert left < 0.6 * noise
    assert left < 0.6 * blurred  # structure stays


def test_without_noise_nothing_is_changed() -> None:
    flat = np.full((20, 30), 700, np.uint16)
    np.testing.assert_array_equal(run(flat, "nlm"), flat)


def test_values_far_apart_do_not_overflow() -> None:
    plane = np.zeros((30, 30), np.float32)
    plane[10:12, 10:12] = 1e38
    plane[20:] = np.random.default_rng(0).random((10, 30))
    out = run(plane, "nlm")
    assert np.isfinite(out).all()
    assert out[25].std() < plane[25].std()
