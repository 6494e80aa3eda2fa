"""Fiji's local contrast, beside the curve of every single voxel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.preprocessing import clahe_fiji
from orgseg_app.core.preprocessing.clahe_fiji import curves
from orgseg_app.core.preprocessing.steps import apply_steps
from orgseg_app.runs.recipes.schema import PreprocessStep


def slow_curve(counts: np.ndarray, slope: float) -> np.ndarray:
    """Cut off, share out, again and again."""
    bins, total = len(counts) - 1, counts.sum()
    counts = counts.astype(float)
    limit = slope * total / bins
    for _ in range(10_000):
        above = (counts - limit).clip(0).sum()
        if above < 1e-12 * total:
            break
        counts = np.minimum(counts, limit) + above / len(counts)
    below = np.cumsum(counts)
    lowest = below[np.flatnonzero(counts)[0]]
    span = below[-1] - lowest
    return (below - lowest).clip(0) / (span if span > 0 else 1)


def slow(plane: np.ndarray, block: int, bins: int, slope: float) -> np.ndarray:
    """Fiji's exact mode on 8 bits, 0…1."""
    radius = (block - 1) // 2
    nearest = np.floor(plane / 255 * bins + 0.5).astype(int)
    out = np.empty(plane.shape)
    for y, x in np.ndindex(plane.shape):
        window = nearest[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]
        counts = np.bincount(window.ravel(), minlength=bins + 1)
        out[y, x] = slow_curve(counts, slope)[nearest[y, x]]
    return out


def picture(shape: tuple[int, int] = (60, 50)) -> np.ndarray:
    """Coarse structure under uneven light, with noise."""
    random = np.random.default_rng(1)
    y, x = np.mgrid[: shape[0], : shape[1]]
    light = 0.3 + 0.7 * x / shape[1]
    wave = 90 + 60 * np.sin(y / 7) * np.sin(x / 5) + random.normal(0, 8, shape)
    return (wave * light).clip(0, 255).astype(np.uint8)


def run(plane: np.ndarray, block: int, bins: int, slope: float) -> np.ndarray:
    params = {"block": float(block), "bins": float(bins), "max_slope": slope}
    return apply_steps(plane[None], [PreprocessStep("clahe_fiji", params)])[0]


@given(
    counts=hnp.arrays(np.int64, st.integers(3, 40), elements=st.integers(0, 50)),
    slope=st.floats(1, 20),
)
@settings(deadline=None, max_examples=60)
def test_what_is_cut_off_is_shared_out(counts: np.ndarray, slope: float) -> None:
    if counts.any():
        (got,) = curves(counts[None].astype(float), slope)
        np.testing.assert_allclose(got, slow_curve(counts, slope), atol=1e-4)


@pytest.mark.parametrize("bins, slope", [(256, 1.5), (256, 3.0), (64, 2.0)])
def test_with_a_block_around_every_voxel_it_is_the_exact_mode(
    bins: int, slope: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clahe_fiji, "APART", 1e-6)
    plane = picture((33, 30))
    difference = np.abs(run(plane, 15, bins, slope) - slow(plane, 15, bins, slope))
    # Between two bins a curve runs straight here and has a step there.
    assert difference.max() <= slope / bins + 0.01
    assert difference.mean() < 0.6 * slope / bins


@pytest.mark.parametrize("block, slope, most", [(31, 1.5, 0.006), (31, 3.0, 0.012)])
def test_blocks_apart_come_close_to_it(block: int, slope: float, most: float) -> None:
    plane = picture()
    exact = slow(plane, block, 256, slope)
    got = run(plane, block, 256, slope)
    assert np.abs(got - exact).mean() < most
    assert np.abs(exact - plane / 255).mean() > 5 * most  # which is little beside what it does


def test_slope_1_leaves_8_bits_as_they_are() -> None:
    plane = picture()
    assert np.abs(run(plane, 31, 256, 1.0) - plane / 255).max() < 2 / 255


def test_a_block_larger_than_the_picture() -> None:
    plane = picture((20, 24))
    once = run(plane, 127, 256, 1.5)
    counts = np.bincount(np.floor(plane / 255 * 256 + 0.5).astype(int).ravel(), minlength=257)
    curve = slow_curve(counts, 1.5)
    expected = curve[np.floor(plane / 255 * 256 + 0.5).astype(int)]
    assert np.abs(once - expected).max() < 1.5 / 256 + 0.005
