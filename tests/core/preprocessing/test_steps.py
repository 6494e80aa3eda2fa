"""Preprocessing: the same structure looks the same at any bit depth, exposure or size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.preprocessing.scaling import percentiles
from orgseg_app.core.preprocessing.steps import (
    PREPROCESSING,
    apply_steps,
    complete_params,
)


class Step:
    def __init__(self, name: str, params: dict[str, float] | None = None, **more: float) -> None:
        self.name, self.params, self.reference = name, (params or {}) | more, ()


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
@settings(max_examples=40, deadline=None)
def test_anything_in_finite_out(name: str, plane: np.ndarray) -> None:
    """Also one pixel, one value, infinity and no number at all."""
    with np.errstate(all="ignore"):
        out = apply_steps(plane, [Step(name)])
    assert out.shape == plane.shape
    assert np.isfinite(out).all()


UNITLESS = [
    *("percentile", "zscore", "minmax", "gamma", "invert", "equalise", "clahe", "clahe_fiji"),
    "background",
]
"""Steps whose result has no unit."""


@pytest.mark.parametrize("name", UNITLESS)
def test_gain_and_offset_do_not_matter(name: str) -> None:
    plane = picture("float32")
    a = apply_steps(plane, [Step(name)])
    b = apply_steps(plane * 117 + 2300, [Step(name)])
    assert np.abs(a - b).mean() < 1e-4
    assert np.abs(a - b).max() < 0.02  # a voxel may fall into the next of few bins


@pytest.mark.parametrize("name", PREPROCESSING)
def test_8_and_16_bits_look_the_same(name: str) -> None:
    """Trap 10: nothing is divided by 255 that has 16 bits, or the other way round."""
    plane = picture("uint8", (1, 96, 96))
    a = apply_steps(plane, [Step(name)])
    b = apply_steps(plane.astype(np.uint16) * 257, [Step(name)])
    if name in ("gaussian", "median", "nlm", "match"):  # they keep the unit
        b /= 257
        assert np.allclose(a, b, atol=0.01)
    elif name in ("clahe_fiji", "background"):  # 8 bits have both ends, 16 what is found
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98
    else:  # local contrast counts 256 times as many bins
        assert np.abs(a - b).mean() < (0.06 if name == "clahe" else 0.001)


@pytest.mark.parametrize("name", PREPROCESSING)
def test_16_bits_are_never_squeezed_to_8(name: str) -> None:
    ramp = np.sort(np.random.default_rng(0).integers(0, 65536, 128 * 128)).astype(np.uint16)
    if name == "edge_enhance":  # a ramp's edges are everywhere the same
        ramp = np.random.default_rng(0).permutation(ramp)
    out = apply_steps(ramp.reshape(1, 128, 128), [Step(name)])
    assert len(np.unique(out)) > 5000


TURNS = {
    "rows": lambda a: a[:, ::-1],
    "columns": lambda a: a[:, :, ::-1],
    "quarter": lambda a: np.rot90(a, 1, (1, 2)),
    "corner": lambda a: a.transpose(0, 2, 1),
}


@pytest.mark.parametrize("name", PREPROCESSING)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_turned_and_prepared_is_prepared_and_turned(name: str, dtype: str) -> None:
    """So that turning patches is lossless; where blocks are counted, the sides divide by them."""
    plane = picture(dtype, (1, 64, 96))
    params = [{"radius": 4.0}, {"radius": 20.0}] if name == "background" else [{}]
    for some in params:
        step = Step(name, some)
        expected = apply_steps(plane, [step])
        # OpenCV takes the middles of its regions to be half a voxel further up and left.
        limit = 0.05 if name == "clahe" else 2e-5 * max(1.0, np.abs(expected).max())
        for turn in TURNS.values():
            got = apply_steps(np.ascontiguousarray(turn(plane)), [step])
            assert np.abs(got - turn(expected)).max() <= limit


@pytest.mark.parametrize("first", PREPROCESSING)
def test_any_two_steps_go_together(first: str) -> None:
    random = np.random.default_rng(0)
    holes = picture("float32", (1, 33, 20))
    holes[0, :3, :4], holes[0, 9, 9] = np.nan, -np.inf
    planes = [picture("uint8", (1, 33, 20)), picture("uint16", (1, 33, 20)), holes]
    for second in PREPROCESSING:
        for plane in planes:
            values = random.permutation(plane.ravel()).reshape(plane.shape)
            out = apply_steps(values, [Step(first), Step(second)])
            assert out.dtype == np.float32
            assert out.shape == values.shape
            assert np.isfinite(out).all()
            assert out.std() > 0


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


def test_inversion_and_gamma_do_what_they_say() -> None:
    plane = np.array([[[100, 300, 200]]], np.uint16)
    assert apply_steps(plane, [Step("invert")]).tolist() == [[[1.0, 0.0, 0.5]]]
    assert np.allclose(apply_steps(plane, [Step("gamma", gamma=2)]), [[[0, 1, 0.25]]])


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
