"""Parts of a plane prepared by themselves: as if the whole had been prepared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core import fitted_steps
from orgseg_app.core.fitted_steps import FittedSteps, PlaneCounts
from orgseg_app.core.preprocess import PREPROCESSING, apply_steps
from orgseg_app.runs.schema import PreprocessStep

STEPS = st.one_of(
    st.just(PreprocessStep("minmax")),
    st.just(PreprocessStep("zscore")),
    st.builds(
        lambda low, high: PreprocessStep("percentile", {"low": low, "high": high}),
        st.floats(0, 49),
        st.floats(51, 100),
    ),
    st.builds(
        lambda clip, tiles: PreprocessStep("clahe", {"clip_limit": clip, "tiles": float(tiles)}),
        st.floats(0.1, 40),
        st.integers(1, 12),
    ),
)
PLANES = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 40)),
)


@given(plane=PLANES, step=STEPS)
@settings(deadline=None, max_examples=150)
def test_fitted_to_all_voxels_it_is_the_same(plane: np.ndarray, step: PreprocessStep) -> None:
    with np.errstate(all="ignore"):
        fitted = FittedSteps(plane, [step])
        got = fitted.of(plane, 0, 0, plane.shape[1:])
        expected = apply_steps(plane, [step])
    assert got.dtype == np.float32
    if step.name == "clahe":
        most = 255 if plane.dtype == np.uint8 else 65535
        assert np.abs(got - expected).max() <= 1.01 / most
    else:
        np.testing.assert_array_equal(got, expected)


@given(
    plane=hnp.arrays(st.sampled_from([np.uint8, np.uint16]), st.just((1, 37, 41))),
    steps=st.lists(STEPS, max_size=3),
    corner=st.tuples(st.integers(0, 30), st.integers(0, 30)),
)
@settings(deadline=None, max_examples=60)
def test_a_part_is_the_part_of_the_whole(
    plane: np.ndarray, steps: list[PreprocessStep], corner: tuple[int, int]
) -> None:
    fitted = FittedSteps(plane, steps)
    whole = fitted.of(plane, 0, 0, (37, 41))
    y, x = corner
    part = fitted.of(plane[:, y : y + 7, x : x + 9], y, x, (37, 41))
    np.testing.assert_array_equal(part, whole[:, y : y + 7, x : x + 9])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("names", [["clahe"], ["clahe", "percentile"], ["percentile", "clahe"]])
def test_a_sample_says_nearly_as_much(dtype: str, names: list[str]) -> None:
    """Every second voxel both ways of a plane with bright and dim parts."""
    random = np.random.default_rng(0)
    shade = np.linspace(0.2, 1, 2400)[:, None] * np.linspace(1, 0.4, 2600)
    top = {"uint8": 8, "uint16": 900, "float32": 0.1}[dtype]
    plane = (random.gamma(8, 1, (1, 2400, 2600)) * shade * top).clip(0, 60000)
    plane = plane.clip(0, 255 if dtype == "uint8" else None).astype(dtype)
    large = {"tiles": 2.0}  # regions of a million voxels, as planes have that are sampled
    steps = [PreprocessStep(name, large if name == "clahe" else {}) for name in names]
    expected = apply_steps(plane, steps)
    sample = plane[:, 1::2, 1::2]
    got = FittedSteps(sample, steps, whole_yx=plane.shape[1:]).of(plane, 0, 0, plane.shape[1:])
    assert np.abs(got - expected).mean() < 0.1 * expected.std()
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.99


@given(
    plane=hnp.arrays(
        st.sampled_from([np.uint8, np.uint16]),
        st.tuples(st.integers(1, 2), st.integers(1, 70), st.integers(1, 40)),
    ),
    step=STEPS,
    strip=st.integers(1, 80),
)
@settings(deadline=None, max_examples=120)
def test_values_counted_strip_by_strip(plane: np.ndarray, step: PreprocessStep, strip: int) -> None:
    """The first step is then exact, whatever the sample for the others holds."""
    assert PlaneCounts.can(plane.dtype, [step])
    counts = PlaneCounts(plane.shape, plane.dtype, step)
    for top in range(0, plane.shape[1], strip):
        counts.add(plane[:, top : top + strip], top)
    fitted = FittedSteps(plane[:, :1, :1], [step], whole_yx=plane.shape[1:], first=counts.first())
    got, expected = fitted.of(plane, 0, 0, plane.shape[1:]), apply_steps(plane, [step])
    if step.name == "clahe":
        assert np.abs(got - expected).max() <= 1.01 / np.iinfo(plane.dtype).max
    else:
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_counted_is_sampled() -> None:
    floats, integers = np.dtype(np.float32), np.dtype(np.uint16)
    assert not PlaneCounts.can(floats, [PreprocessStep("zscore")])
    assert not PlaneCounts.can(integers, [])
    assert not PlaneCounts.can(integers, [PreprocessStep("clahe", {"tiles": 64.0})])


def test_many_regions_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = np.random.default_rng(0).integers(0, 60000, (1, 128, 128)).astype(np.uint16)
    steps = [PreprocessStep("clahe", {"tiles": 16.0})]
    exact = FittedSteps(plane, steps).of(plane, 0, 0, (128, 128))
    monkeypatch.setattr(fitted_steps, "_TABLES_BYTES", 4 << 20)
    coarse = FittedSteps(plane, steps)
    tables = coarse._channels[0][0]
    assert isinstance(tables, fitted_steps.Equalisation)
    assert tables._tables.nbytes <= 4 << 20
    assert np.abs(coarse.of(plane, 0, 0, (128, 128)) - exact).max() < 0.04


def test_what_is_wrong_with_a_step_is_said() -> None:
    plane = np.zeros((1, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="no preprocessing called 'blur'"):
        FittedSteps(plane, [PreprocessStep("blur")])
    with pytest.raises(ValueError, match="lies between"):
        FittedSteps(plane, [PreprocessStep("clahe", {"tiles": 99.0})])


def test_it_can_be_given_up() -> None:
    class EnoughError(Exception):
        pass

    def check() -> None:
        raise EnoughError

    with pytest.raises(EnoughError):
        FittedSteps(
            np.zeros((1, 4, 4), np.uint8), [PreprocessStep(n) for n in PREPROCESSING], check=check
        )
