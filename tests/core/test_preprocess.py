"""Preprocessing: the same structure looks the same at any bit depth, exposure or size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.preprocess import (
    PREPROCESSING,
    apply_steps,
    complete_params,
    percentiles,
)


class Step:
    def __init__(self, name: str, **params: float) -> None:
        self.name, self.params = name, params


def picture(dtype: str, shape: tuple[int, ...] = (2, 60, 70)) -> np.ndarray:
    base = np.random.default_rng(0).gamma(2.0, 1.0, shape)
    top = {"uint8": 25, "uint16": 4000, "float32": 0.3}[dtype]
    return (base * top).clip(0, 255 if dtype == "uint8" else 65535).astype(dtype)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("name", PREPROCESSING)
def test_every_step_takes_every_dtype_and_leaves_it_alone(name: str, dtype: str) -> None:
    plane = picture(dtype)
    before = plane.copy()
    out = apply_steps(plane, [Step(name)])
    assert out.dtype == np.float32
    assert out.shape == plane.shape
    assert np.isfinite(out).all()
    assert out.std() > 0
    assert np.array_equal(plane, before)


@pytest.mark.parametrize("name", PREPROCESSING)
@given(
    plane=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32]),
        hnp.array_shapes(min_dims=3, max_dims=3, max_side=9),
    )
)
def test_anything_in_finite_out(name: str, plane: np.ndarray) -> None:
    """Also one pixel, one value, infinity and no number at all."""
    with np.errstate(all="ignore"):
        out = apply_steps(plane, [Step(name)])
    assert out.shape == plane.shape
    assert np.isfinite(out).all()


@pytest.mark.parametrize("name", ["percentile", "zscore", "minmax"])
def test_gain_and_offset_do_not_matter(name: str) -> None:
    plane = picture("float32")
    a = apply_steps(plane, [Step(name)])
    b = apply_steps(plane * 117 + 2300, [Step(name)])
    assert np.allclose(a, b, atol=1e-3)


def test_channels_are_independent() -> None:
    plane = picture("uint16")
    for name in PREPROCESSING:
        both = apply_steps(plane, [Step(name)])
        for c in range(2):
            assert np.array_equal(both[c], apply_steps(plane[c : c + 1], [Step(name)])[0])


def test_percentile_maps_its_ends_to_0_and_1_and_tames_hot_pixels() -> None:
    plane = picture("uint16", (1, 200, 200))
    out = apply_steps(plane, [Step("percentile", low=2, high=98)])
    assert (out <= 0).mean() == pytest.approx(0.02, abs=0.003)
    assert (out >= 1).mean() == pytest.approx(0.02, abs=0.003)
    plane[0, 5, 5] = 65535
    hot = apply_steps(plane, [Step("percentile", low=2, high=98)])
    assert hot.max() == 2
    assert np.abs(np.delete(hot.ravel(), 5 * 200 + 5) - np.delete(out.ravel(), 1005)).max() < 0.01


def test_zscore_and_minmax_do_what_they_say() -> None:
    plane = picture("uint16")
    out = apply_steps(plane, [Step("zscore")])
    assert np.allclose(out.mean((1, 2)), 0, atol=1e-4)
    assert np.allclose(out.std((1, 2)), 1, atol=1e-4)
    out = apply_steps(plane, [Step("minmax")])
    assert out.min() == 0
    assert out.max() == 1


@pytest.mark.parametrize("dtype, top", [("uint8", 255), ("uint16", 65535)])
def test_clahe_works_on_the_bits_the_camera_gave(dtype: str, top: int) -> None:
    import cv2

    plane = picture(dtype, (1, 128, 128))
    out = apply_steps(plane, [Step("clahe")])
    expected = cv2.createCLAHE(2.0, (8, 8)).apply(plane[0]) / top
    assert np.allclose(out[0], expected, atol=1e-6)
    if dtype == "uint16":
        assert len(np.unique(out)) > 1000


def test_steps_run_in_order() -> None:
    plane = picture("uint16")
    chain = apply_steps(plane, [Step("clahe"), Step("zscore")])
    by_hand = apply_steps(apply_steps(plane, [Step("clahe")]), [Step("zscore")])
    assert np.array_equal(chain, by_hand)
    assert not np.allclose(chain, apply_steps(plane, [Step("zscore"), Step("clahe")]), atol=0.1)


def test_no_steps_gives_plain_values() -> None:
    plane = np.array([[[1.5, np.nan], [np.inf, -2.0]]], np.float32)
    assert apply_steps(plane, []).tolist() == [[[1.5, 0.0], [0.0, -2.0]]]
    assert apply_steps(picture("uint16"), []).dtype == np.float32


@given(
    values=hnp.arrays(np.uint16, st.integers(1, 300)),
    rank=st.floats(0, 100),
)
def test_counted_percentiles_match_the_slow_way(values: np.ndarray, rank: float) -> None:
    expected = np.percentile(values, rank, method="inverted_cdf")
    found = percentiles(values, [rank])[0]
    neighbours = np.percentile(
        values, [max(0, rank - 1e-6), min(100, rank + 1e-6)], method="inverted_cdf"
    )
    assert found in {float(expected), *(float(n) for n in neighbours)}


@pytest.mark.parametrize(
    "name, params, sentence",
    [
        ("sharpen", {}, "no preprocessing called 'sharpen'"),
        ("clahe", {"clip": 2}, "no setting 'clip'"),
        ("clahe", {"tiles": 0}, "lies between 1 and 64"),
        ("percentile", {"low": float("nan")}, "lies between"),
    ],
)
def test_mistakes_are_said_in_a_sentence(
    name: str, params: dict[str, float], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        apply_steps(picture("uint8"), [Step(name, **params)])


def test_defaults_lie_in_their_ranges() -> None:
    for name, step in PREPROCESSING.items():
        assert complete_params(name, {k: p.default for k, p in step.params.items()}) == {
            k: p.default for k, p in step.params.items()
        }


def test_a_plane_has_three_axes() -> None:
    with pytest.raises(ValueError, match="axes"):
        apply_steps(np.zeros((4, 4), np.uint8), [])
