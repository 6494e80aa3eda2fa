"""Weights made from what is painted equal the published formulas, written out slowly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.weighting.balance import class_balance
from orgseg_app.core.weighting.diffusion import diffused
from orgseg_app.core.weighting.maker import WeightMaker, largest
from orgseg_app.core.weighting.settings import (
    PARAMETERS,
    PRODUCT,
    SUM,
    EdgePair,
    WeightSettings,
)

CLASS_IDS = (1, 2, 3, 4)
QUICK = settings(max_examples=40, deadline=None)
shapes = st.tuples(st.integers(1, 3), st.integers(1, 19), st.integers(1, 23))


# -- the formulas, by Fourier transforms and loops, for a whole volume at once ---------------------


def slow_diffused(near: np.ndarray, reach: int, spread: float, decay: float) -> np.ndarray:
    kernel = np.zeros(near.shape)
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            part = (-1, 1 / 6, 1 / 12)[abs(dy) + abs(dx)]
            kernel[dy % near.shape[0], dx % near.shape[1]] += part
    transformed = np.fft.fft2(kernel)
    u = near.astype(float)
    for _ in range(reach):
        change = np.fft.ifft2(transformed * np.fft.fft2(u)).real
        u = np.maximum(0, decay * (u + spread * change))
        u[near] = 1
    return u


def slow_edges(volume, sources, targets, asked: WeightSettings) -> np.ndarray:
    made = np.stack(
        [
            slow_diffused(np.isin(plane, sources), asked.reach, asked.spread, asked.decay)
            for plane in volume
        ]
    )
    made = np.maximum(made - asked.threshold, 0) * np.isin(volume, targets)
    return made * (asked.strength / made.max()) if made.max() > 0 else made


def slow_weights(volume: np.ndarray, asked: WeightSettings) -> np.ndarray:
    counts = {c: np.count_nonzero(volume == c) for c in CLASS_IDS if c not in asked.left_out}
    total = sum(counts.values())
    inverse = {c: total / n for c, n in counts.items() if n}
    together = np.zeros(volume.shape)
    for c, value in inverse.items():
        together[volume == c] = value / max(inverse.values()) if asked.balance else 1
    counted = together > 0
    if asked.edges:
        felt = np.zeros(volume.shape)
        for pair in asked.pairs or (EdgePair((2, 3, 4), (1,)),):
            for a, b in [(pair.sources, pair.targets), (pair.targets, pair.sources)][
                : 1 + pair.both
            ]:
                b = [c for c in b if c not in asked.left_out]
                if b:
                    felt += slow_edges(volume, a, b, asked)
        together = together * felt if asked.combine == PRODUCT else together + felt
    return np.where(counted, np.maximum(together, asked.floor), 0)


def made_weights(volume: np.ndarray, asked: WeightSettings, tile: int = 8) -> np.ndarray:
    """As the program does it: plane by plane, in pieces."""
    ids, counts = np.unique(volume, return_counts=True)
    voxels = {int(i): int(n) for i, n in zip(ids, counts, strict=True) if i}
    maker = WeightMaker(asked, CLASS_IDS, voxels, tile=tile)
    peaks = (0.0,) * len(maker.directions)
    for plane in volume:
        peaks = largest(peaks, maker.peaks(plane))
    return np.stack([maker.weights(plane, peaks) for plane in volume])


def random_volume(seed: int, shape: tuple[int, int, int], most: int) -> np.ndarray:
    """Blots of some classes, some voxels unlabelled; often a class is absent."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, most + 1, [-(-n // 3) for n in shape])
    volume = np.kron(coarse, np.ones((3, 3, 3), int))[tuple(slice(n) for n in shape)]
    noise = random.random(shape) < 0.1
    return np.where(noise, random.integers(0, most + 1, shape), volume).astype(np.uint8)


pairs = st.sampled_from(
    [
        (),
        (EdgePair((2,), (1,)),),
        (EdgePair((2,), (1, 3), both=False), EdgePair((3, 4), (2,))),
        (EdgePair((4,), (3,)),),
    ]
)
asked_settings = st.builds(
    WeightSettings,
    balance=st.booleans(),
    edges=st.booleans(),
    pairs=pairs,
    strength=st.sampled_from([0, 1.5, 25]),
    reach=st.integers(1, 12),
    floor=st.sampled_from([0, 0.01, 0.3]),
    spread=st.sampled_from([0.05, 0.2, 1.0]),
    decay=st.sampled_from([0.7, 0.98, 1.0]),
    threshold=st.sampled_from([0, 0.2, 0.5]),
    combine=st.sampled_from([SUM, PRODUCT]),
    left_out=st.sampled_from([(), (1,), (2, 4)]),
)


@QUICK
@given(seed=st.integers(0, 10**6), shape=shapes, most=st.integers(1, 4), asked=asked_settings)
def test_weights_equal_the_formulas(seed, shape, most, asked) -> None:
    volume = random_volume(seed, shape, most)
    slow = slow_weights(volume, asked)
    for tile in (4, 1000):  # in pieces as well as in one
        made = made_weights(volume, asked, tile)
        assert made.dtype == np.float32
        np.testing.assert_allclose(made, slow, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (2, 2), (2, 5), (33, 31), (64, 48)])
def test_diffusion_equals_the_fourier_transform(size) -> None:
    near = np.random.default_rng(3).random(size) < 0.2
    asked = WeightSettings()
    slow = slow_diffused(near, asked.reach, asked.spread, asked.decay)
    np.testing.assert_allclose(diffused(near, asked), slow, atol=1e-12)
    quick = diffused(near, asked, np.float32)
    assert quick.dtype == np.float32
    np.testing.assert_allclose(quick, slow, atol=1e-5)  # enough for the eye


def test_a_narrow_gap_counts_most() -> None:
    plane = np.full((40, 60), 2, np.uint8)
    plane[:, 10:12] = 1  # a narrow gap between two structures
    plane[:, 30:50] = 1  # a wide one
    made = made_weights(plane[None], WeightSettings(balance=False), 1024)[0]
    assert made[20, 10] == made[:, 10:12].max() == 26
    assert 1 < made[20, 30] < 20  # beside the wide gap
    assert made[20, 40] == 1  # in the middle of it


def test_what_is_made_once_is_scaled_again() -> None:
    volume = random_volume(1, (1, 30, 30), 3)
    voxels = {i: int(np.count_nonzero(volume == i)) for i in (1, 2, 3)}
    weak = WeightMaker(WeightSettings(strength=3), CLASS_IDS, voxels)
    peaks, edges = weak.peaks(volume[0]), weak.edges(volume[0])
    strong = WeightMaker(WeightSettings(strength=9), CLASS_IDS, voxels)
    np.testing.assert_array_equal(
        strong.weights(volume[0], peaks, edges), strong.weights(volume[0], peaks)
    )


def test_class_balance() -> None:
    assert class_balance({1: 75, 2: 25, 3: 0}, 2.0) == {1: 2 / 3, 2: 2.0}
    assert class_balance({}) == {}
    volume = random_volume(4, (2, 20, 20), 3)
    made = made_weights(volume, WeightSettings(edges=False, floor=0))
    sums = [made[volume == c].sum() for c in (1, 2, 3)]
    np.testing.assert_allclose(sums, sums[0], rtol=1e-5)  # every class counts the same in all


def test_unlabelled_and_left_out_count_nothing_whatever_the_floor() -> None:
    volume = np.array([[[0, 1, 2, 3, 9]]], np.uint8)  # 9 is no class of the project
    made = made_weights(volume, WeightSettings(floor=0.5, left_out=(3,)))
    assert (made[0, 0, [0, 3, 4]] == 0).all()
    assert (made[0, 0, 1:3] >= 0.5).all()


@pytest.mark.parametrize("name", list(PARAMETERS))
def test_ranges(name: str) -> None:
    known = PARAMETERS[name]
    for good in (known.minimum, known.maximum, known.default):
        assert getattr(WeightSettings(**{name: good}), name) == good
    for bad in (known.minimum - 1, known.maximum + 1, float("nan")):
        with pytest.raises(ValueError, match=f"weights.{name} lies between"):
            WeightSettings(**{name: bad})


def test_what_makes_no_sense_is_refused() -> None:
    with pytest.raises(ValueError, match="sum or product"):
        WeightSettings(combine="mean")
    with pytest.raises(ValueError, match="a class on both sides"):
        EdgePair((), (1,))
    with pytest.raises(ValueError, match="class 2 lies on both sides"):
        EdgePair((2, 3), (1, 2))


def test_pairs_of_classes_that_are_gone_are_left_out() -> None:
    asked = WeightSettings(pairs=(EdgePair((2, 7), (1,)), EdgePair((7,), (1,))))
    assert asked.directions((1, 2)) == (((2,), (1,)), ((1,), (2,)))
    assert WeightSettings().directions((1,)) == ()
    assert WeightSettings().directions((1, 2, 3)) == (((2, 3), (1,)), ((1,), (2, 3)))
    assert WeightSettings(edges=False).directions((1, 2)) == ()
