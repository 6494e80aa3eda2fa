"""Parts of a plane prepared by themselves: as if the whole had been prepared."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from orgseg_app.core.preprocessing import clahe
from orgseg_app.core.preprocessing import fitted as fitted_steps
from orgseg_app.core.preprocessing.fitted import FittedSteps, PlaneCounts, prepare_channel
from orgseg_app.core.preprocessing.histogram import QUANTILES
from orgseg_app.core.preprocessing.steps import PREPROCESSING, apply_steps
from orgseg_app.runs.recipes.schema import PreprocessStep

REFERENCE = tuple(float(v) for v in np.linspace(3, 900, QUANTILES) ** 1.5)


def step(name: str, params: dict[str, float] | None = None) -> PreprocessStep:
    return PreprocessStep(name, params or {}, REFERENCE if name == "match" else ())


ANY_PARAMS = {
    "percentile": {"low": st.floats(0, 49), "high": st.floats(51, 100)},
    "clahe": {"clip_limit": st.floats(0.1, 40), "tiles": st.integers(1, 12)},
    "clahe_fiji": {
        "block": st.integers(3, 40),
        "bins": st.integers(8, 256),
        "max_slope": st.floats(1, 5),
    },
    "gamma": {"gamma": st.floats(0.1, 5)},
    "background": {"radius": st.floats(2, 120)},
    "gaussian": {"sigma": st.floats(0.1, 4)},
    "median": {"radius": st.integers(1, 4)},
    "nlm": {
        "strength": st.floats(0.1, 3),
        "patch_radius": st.integers(1, 2),
        "search_radius": st.integers(2, 3),
    },
}
STEPS = st.sampled_from(list(PREPROCESSING)).flatmap(
    lambda name: st.fixed_dictionaries(ANY_PARAMS.get(name, {})).map(
        lambda params: step(name, {key: float(v) for key, v in params.items()})
    )
)
PLANES = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.tuples(st.just(1), st.integers(1, 40), st.integers(1, 40)),
)
COUNTED = [name for name, spec in PREPROCESSING.items() if spec.counted or name == "clahe"]


def scene(dtype: str, shape: tuple[int, int, int] = (1, 70, 61)) -> np.ndarray:
    """Shade, structure and noise."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[: shape[1], : shape[2]]
    shade = 0.3 + 0.7 * y / shape[1] + 0.5 * (np.sin(x / 4) * np.sin(y / 5) > 0.4)
    top = {"uint8": 60, "uint16": 3000, "float32": 0.7}[dtype]
    values = (shade + random.normal(0, 0.1, shape)) * top
    return values.clip(0, 255 if dtype == "uint8" else 65535).astype(dtype)


class Reading:
    """Reads boxes of a plane and remembers which."""

    def __init__(self, plane: np.ndarray) -> None:
        self.plane, self.asked = plane, []

    def __call__(self, *box: int) -> np.ndarray:
        self.asked.append(box)
        y0, x0, y1, x1 = box
        return self.plane[:, y0:y1, x0:x1]


def close(got: np.ndarray, expected: np.ndarray, steps: list[PreprocessStep]) -> None:
    """The same, but for rounding; local contrast rounds to whole values of 8 or 16 bits."""
    far = 1.01 / 255 if steps[-1].name == "clahe" else 2e-5 * max(1.0, np.abs(expected).max())
    assert got.shape == expected.shape
    assert got.dtype == np.float32
    assert np.abs(got - expected).max() <= far


@given(plane=PLANES, one=STEPS)
@settings(deadline=None, max_examples=150)
def test_fitted_to_all_voxels_it_is_the_same(plane: np.ndarray, one: PreprocessStep) -> None:
    with np.errstate(all="ignore"):
        fitted = FittedSteps(plane, [one])
        got = fitted.of(plane, 0, 0, plane.shape[1:])
        expected = apply_steps(plane, [one])
    close(got, expected, [one])
    if one.name != "clahe":
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("name", PREPROCESSING)
def test_a_box_is_the_box_of_the_whole(name: str, dtype: str) -> None:
    """With as much around it as the step looks at, and no more."""
    plane = scene(dtype)
    small = {"block": 21.0, "radius": 12.0 if name == "background" else 3.0, "search_radius": 3.0}
    known = PREPROCESSING[name].params
    steps = [step(name, {key: v for key, v in small.items() if key in known})]
    fitted = FittedSteps(plane, steps)
    expected = apply_steps(plane, steps)
    for box in ((0, 0, 9, 8), (31, 23, 45, 33), (55, 40, 70, 61)):
        y0, x0, y1, x1 = box
        read = Reading(plane)
        got = fitted.box(read, box, (70, 61))
        assert got is not None
        close(got, expected[:, y0:y1, x0:x1], steps)
        far = fitted.reach
        around = max(0, y0 - far), max(0, x0 - far), min(70, y1 + far), min(61, x1 + far)
        assert read.asked == [around]
    assert (fitted.reach > 0) == PREPROCESSING[name].is_local
    assert fitted.box(lambda *part: None, (0, 0, 4, 4), (70, 61)) is None


@pytest.mark.parametrize(
    "names",
    [["gaussian", "percentile"], ["median", "nlm", "zscore"], ["background", "clahe_fiji"]],
)
def test_a_box_of_steps_one_after_the_other(names: list[str]) -> None:
    plane = scene("uint16", (2, 90, 110))
    small = {
        "background": {"radius": 5.0},
        "clahe_fiji": {"block": 15.0},
        "nlm": {"search_radius": 3.0},
    }
    steps = [step(name, small.get(name)) for name in names]
    fitted, expected = FittedSteps(plane, steps), apply_steps(plane, steps)
    got = fitted.box(lambda y0, x0, y1, x1: plane[:, y0:y1, x0:x1], (40, 50, 61, 72), (90, 110))
    assert got is not None
    close(got, expected[:, 40:61, 50:72], steps)


@pytest.mark.parametrize("name", PREPROCESSING)
def test_in_strips_a_whole_channel_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted_steps, "STRIP", 16)
    plane, shares = scene("uint16"), []
    steps = [step("gaussian"), step(name)]
    references = [(), REFERENCE if name == "match" else ()]
    got = prepare_channel(plane[0], steps, references, shares.append)
    close(got[None], apply_steps(plane, steps), steps)
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] < 1


def test_in_strips_it_can_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitted_steps, "STRIP", 8)
    shares: list[float] = []

    def report(share: float) -> None:
        shares.append(share)
        if len(shares) == 4:
            raise InterruptedError

    plane = scene("uint16", (1, 200, 40))[0]
    with pytest.raises(InterruptedError):
        prepare_channel(plane, [step("nlm")], [()], report)
    assert 0 < shares[-1] < 0.3


@pytest.mark.parametrize(
    "names",
    [["gaussian", "percentile"], ["nlm", "zscore"], ["background", "clahe"], ["edge_enhance"]],
)
def test_squares_tell_what_every_fourth_voxel_does_not(names: list[str]) -> None:
    """What noise is left, and how steep edges are, shows only in voxels side by side."""
    plane = scene("uint16", (1, 1100, 1000))
    small = {"nlm": {"search_radius": 2.0}, "gaussian": {"sigma": 2.0}, "clahe": {"tiles": 2.0}}
    steps = [step(name, small.get(name)) for name in names]
    sample, expected = plane[:, 2::4, 2::4], apply_steps(plane, steps)
    read = Reading(plane)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitted_steps, "SQUARE", 48)
        squares = FittedSteps(sample, steps, whole_yx=(1100, 1000), read=read)
    assert len(read.asked) == 64
    got, blind = (
        one.of(plane, 0, 0, (1100, 1000))
        for one in (squares, FittedSteps(sample, steps, whole_yx=(1100, 1000)))
    )
    away = np.abs(got - expected).mean()
    assert away < 0.1 * expected.std()
    if names[0] in ("gaussian", "nlm"):
        assert away < 0.7 * np.abs(blind - expected).mean()


def test_where_no_squares_can_be_read_the_sample_has_to_do() -> None:
    plane = scene("uint16", (1, 300, 280))
    steps = [step("gaussian"), step("percentile")]
    sample = plane[:, 1::2, 1::2]
    fitted = FittedSteps(sample, steps, whole_yx=(300, 280), read=lambda *box: None)
    got = fitted.of(plane, 0, 0, (300, 280))
    assert np.corrcoef(got.ravel(), apply_steps(plane, steps).ravel())[0, 1] > 0.999


@pytest.mark.parametrize("name", PREPROCESSING)
def test_a_smaller_copy_looks_like_the_plane(name: str) -> None:
    """Sizes shrink with the picture."""
    plane = scene("float32", (1, 256, 320))
    plane = np.kron(plane[:, ::4, ::4], np.ones((4, 4), np.float32))  # nothing finer than the copy
    steps = [step(name, {"sigma": 6.0} if name == "gaussian" else None)]
    fitted = FittedSteps(plane, steps)
    half = plane.reshape(1, 128, 2, 160, 2).mean((2, 4))
    got = fitted.of(half, 0, 0, (128, 160))
    expected = fitted.of(plane, 0, 0, (256, 320)).reshape(1, 128, 2, 160, 2).mean((2, 4))
    assert np.corrcoef(got.ravel(), expected.ravel())[0, 1] > 0.97
    box = fitted.box(Reading(half), (60, 70, 80, 90), (128, 160))
    np.testing.assert_allclose(box, got[:, 60:80, 70:90], atol=1e-4)


@given(
    plane=hnp.arrays(st.sampled_from([np.uint8, np.uint16]), st.just((1, 37, 41))),
    steps=st.lists(STEPS.filter(lambda one: not PREPROCESSING[one.name].is_local), max_size=3),
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
    step=STEPS.filter(lambda one: one.name in COUNTED),
    strip=st.integers(1, 80),
)
@settings(deadline=None, max_examples=120)
def test_values_counted_strip_by_strip(plane: np.ndarray, step: PreprocessStep, strip: int) -> None:
    """The first step is then exact, whatever the sample for the others holds."""
    step = PreprocessStep(step.name, step.params, step.reference * len(plane))
    assert PlaneCounts.can(plane.dtype, [step])
    counts = PlaneCounts(plane.shape, plane.dtype, step)
    for top in range(0, plane.shape[1], strip):
        counts.add(plane[:, top : top + strip], top)
    shape = plane.shape[1:]
    fitted = FittedSteps(plane[:, :1, :1], [step], whole_yx=shape, first=counts.first())
    got, expected = fitted.of(plane, 0, 0, plane.shape[1:]), apply_steps(plane, [step])
    if step.name == "clahe":
        assert np.abs(got - expected).max() <= 1.01 / np.iinfo(plane.dtype).max
    else:
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


def test_what_cannot_be_counted_is_sampled() -> None:
    floats, integers = np.dtype(np.float32), np.dtype(np.uint16)
    assert not PlaneCounts.can(floats, [PreprocessStep("zscore")])
    assert not PlaneCounts.can(integers, [])
    assert not PlaneCounts.can(integers, [PreprocessStep("gaussian")])
    assert not PlaneCounts.can(integers, [PreprocessStep("clahe", {"tiles": 64.0})])


def test_many_regions_take_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = np.random.default_rng(0).integers(0, 60000, (1, 128, 128)).astype(np.uint16)
    steps = [PreprocessStep("clahe", {"tiles": 16.0})]
    exact = FittedSteps(plane, steps).of(plane, 0, 0, (128, 128))
    monkeypatch.setattr(clahe, "_TABLES_BYTES", 4 << 20)
    coarse = FittedSteps(plane, steps)
    tables = coarse._channels[0][0]
    assert isinstance(tables, clahe.Equalisation)
    assert tables._tables.nbytes <= 4 << 20
    assert np.abs(coarse.of(plane, 0, 0, (128, 128)) - exact).max() < 0.04


def test_what_is_wrong_with_a_step_is_said() -> None:
    plane = np.zeros((1, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="no preprocessing called 'blurr'"):
        FittedSteps(plane, [PreprocessStep("blurr")])
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
