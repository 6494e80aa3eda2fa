"""Noise at a ratio that is what it says, on the image's own numbers, the same each time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.learn.examining.noise import ChannelFacts, NoisyPlanes, channel_facts, noisy
from orgseg_app.learn.prediction.source import ArrayPlanes


def stripes(low: float, high: float, dtype: Any = np.float32) -> np.ndarray:
    """``(1, 2, 200, 300)``: half dark, half bright."""
    pixels = np.full((1, 2, 200, 300), low)
    pixels[..., ::2] = high
    return pixels.astype(dtype)


@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
@settings(max_examples=12, deadline=None)
@given(snr_db=st.floats(-10, 40), low=st.floats(0, 1e4), contrast=st.floats(10, 1e4))
def test_the_ratio_is_what_it_says(kind: str, snr_db: float, low: float, contrast: float) -> None:
    pixels = stripes(low, low + contrast, np.float64)
    source = ArrayPlanes(pixels)
    facts = channel_facts(source, [0, 1])
    assert facts[0].variance == pytest.approx((contrast / 2) ** 2, rel=1e-6)
    assert facts[0].mean == pytest.approx(low + contrast / 2, rel=1e-9)
    plane = pixels[0, 0]
    random = np.random.default_rng(0)
    added = noisy(plane, facts[0], kind=kind, snr_db=snr_db, random=random) - plane
    found = 10 * np.log10(facts[0].variance / np.mean(added**2))
    assert found == pytest.approx(snr_db, abs=0.3)
    assert abs(added.mean()) < 6 * added.std() / plane.size**0.5 + 1e-9


def test_photon_noise_is_stronger_where_it_is_bright() -> None:
    plane = stripes(100, 900)[0, 0]
    facts = channel_facts(ArrayPlanes(plane[None, None]), [0])[0]
    random = np.random.default_rng(1)
    added = noisy(plane, facts, kind="poisson", snr_db=10.0, random=random) - plane
    assert np.all(added[:, 1::2] == 0), "the darkest voxel is no light"
    assert added[:, ::2].std() > 10


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("kind", ["gaussian", "poisson"])
def test_numbers_stay_of_their_kind(dtype: Any, kind: str) -> None:
    plane = stripes(0, 255, dtype)[0, 0]
    facts = channel_facts(ArrayPlanes(plane[None, None]), [0])[0]
    before = plane.copy()
    found = noisy(plane, facts, kind=kind, snr_db=0.0, random=np.random.default_rng(2))
    assert found.dtype == dtype
    assert found.shape == plane.shape
    assert np.array_equal(plane, before)
    assert not np.array_equal(found, plane)
    if dtype == np.uint8:  # it is limited, never wrapped
        assert found.max() == 255
        assert (found[:, ::2] > 100).mean() > 0.8


def test_the_same_noise_whenever_it_is_read() -> None:
    source = ArrayPlanes(stripes(100, 400, np.uint16))
    facts = channel_facts(source, [0, 1])

    def planes(**other: Any) -> NoisyPlanes:
        asked = {"kind": "gaussian", "snr_db": 10.0, "seed": 0, "name": "a"} | other
        return NoisyPlanes(source, facts, **asked)

    one = planes()
    first = one.read_plane(1)
    assert np.array_equal(first, one.read_plane(1))
    assert np.array_equal(first, planes().read_plane(1))
    assert not np.array_equal(first, one.read_plane(0))
    for other in ({"seed": 1}, {"name": "b"}, {"kind": "poisson"}, {"snr_db": 0.0}):
        assert not np.array_equal(first, planes(**other).read_plane(1))
    assert one.shape == source.shape
    assert one.pixel_size_um is None


def test_what_cannot_have_noise_is_left_alone() -> None:
    flat = np.full((4, 4), 7, np.uint8)
    facts = channel_facts(ArrayPlanes(flat[None, None]), [0])[0]
    random = np.random.default_rng(0)
    assert np.array_equal(noisy(flat, facts, kind="poisson", snr_db=0.0, random=random), flat)
    holes = np.array([[np.nan, 1.0], [3.0, np.inf]], np.float32)
    facts = channel_facts(ArrayPlanes(holes[None, None]), [0])[0]
    assert facts == ChannelFacts(1.0, 2.0, 1.0)
    found = noisy(holes, facts, kind="poisson", snr_db=20.0, random=random)
    assert np.isnan(found[0, 0])
    assert np.isinf(found[1, 1])
    with pytest.raises(ValueError, match="gaussian or poisson"):
        noisy(flat, ChannelFacts(0, 1, 1), kind="salt", snr_db=0.0, random=random)
