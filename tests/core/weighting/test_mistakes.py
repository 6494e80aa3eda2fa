"""Weights from mistakes equal the published formula, written out slowly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orgseg_app.core.weighting.balance import class_balance
from orgseg_app.core.weighting.mistakes import (
    BOTH,
    EXTRA,
    MISSED,
    PARAMETERS,
    CorrectionSettings,
    correction_weights,
    mistaken,
    without_small,
)

UNLABELLED = 255


def slow_regions(wrong: np.ndarray) -> list[set[tuple[int, int]]]:
    """Connected sides, by walking."""
    left = {(int(y), int(x)) for y, x in np.argwhere(wrong)}
    found = []
    while left:
        region, front = set(), [left.pop()]
        while front:
            y, x = front.pop()
            region.add((y, x))
            for near in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if near in left:
                    left.discard(near)
                    front.append(near)
        found.append(region)
    return found


def slow_blur(values: np.ndarray, sigma: float) -> np.ndarray:
    """A Gaussian cut at four σ, the plane mirrored at its edge, the edge pixel twice."""
    radius = int(4 * sigma + 0.5)
    line = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    line /= line.sum()
    for axis in (0, 1):
        wide = np.pad(
            values, [(radius, radius) if a == axis else (0, 0) for a in (0, 1)], "symmetric"
        )
        values = np.apply_along_axis(lambda row: np.convolve(row, line, "valid"), axis, wide)
    return values


def slow_weights(painted, predicted, kind, size, strength, sigma, floor) -> np.ndarray:
    labelled = painted != UNLABELLED
    wrong = np.zeros(painted.shape, bool)
    for place in np.ndindex(painted.shape):
        truth, said = painted[place], predicted[place]
        if labelled[place] and truth != said:
            wrong[place] = {MISSED: truth > 0, EXTRA: said > 0, BOTH: True}[kind]
    for region in slow_regions(wrong):
        if len(region) < size:
            for place in region:
                wrong[place] = False
    factor = np.ones(painted.shape)
    if wrong.any():
        near = slow_blur(wrong.astype(float), sigma)
        factor = 1 + strength * near / near.max()
    counts = {c: np.count_nonzero(painted == c) for c in range(3)}
    inverse = {c: 1 / n for c, n in counts.items() if n}
    made = np.zeros(painted.shape)
    for place in np.ndindex(painted.shape):
        if labelled[place]:
            balance = inverse[painted[place]] / max(inverse.values())
            made[place] = max(floor, factor[place] * balance)
    return made


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 17), st.integers(1, 15)),
    kind=st.sampled_from([MISSED, EXTRA, BOTH]),
    size=st.integers(0, 12),
    sigma=st.sampled_from([0.7, 2.0, 5.0]),
)
def test_weights_equal_the_formula(seed, shape, kind, size, sigma) -> None:
    random = np.random.default_rng(seed)
    painted = random.choice([0, 1, 2, UNLABELLED], shape, p=[0.5, 0.3, 0.1, 0.1]).astype(np.uint8)
    predicted = np.where(random.random(shape) < 0.3, random.integers(0, 3, shape), painted)
    predicted = np.where(predicted == UNLABELLED, 0, predicted).astype(np.uint8)
    asked = CorrectionSettings(kind, size, strength=100, blur=sigma, floor=0.08)
    labelled = painted != UNLABELLED
    balance = class_balance({c: int(np.count_nonzero(painted == c)) for c in range(3)})
    table = np.array([balance.get(c, 1.0) for c in range(3)])
    wrong = mistaken(painted, predicted, labelled, asked)
    made = correction_weights(painted, wrong, table, asked)
    assert made.dtype == np.float32
    slow = slow_weights(painted, predicted, kind, size, 100, sigma, 0.08)
    np.testing.assert_allclose(made, slow, rtol=1e-6, atol=1e-6)


def test_which_mistakes() -> None:
    painted = np.array([[0, 1, 1, 0, 2, 255]], np.uint8)
    predicted = np.array([[1, 0, 1, 0, 1, 1]], np.uint8)
    labelled = painted != UNLABELLED

    def found(kind: str) -> list[int]:
        return mistaken(painted, predicted, labelled, CorrectionSettings(kind, 0))[0].tolist()

    assert found(MISSED) == [0, 1, 0, 0, 1, 0]
    assert found(EXTRA) == [1, 0, 0, 0, 1, 0]
    assert found(BOTH) == [1, 1, 0, 0, 1, 0]


def test_small_ones_are_told_by_their_sides() -> None:
    regions = np.eye(12, dtype=bool)
    regions[0, 1:9] = True
    kept = without_small(regions, 10)
    assert kept.sum() == 10  # the row and the pixel of the diagonal below it
    assert not without_small(regions, 11).any()
    assert without_small(regions, 0) is regions


def test_settings_come_back_and_ranges_hold() -> None:
    asked = CorrectionSettings(BOTH, 3, 7.5, 2.0, 0.2)
    assert CorrectionSettings.from_dict(asked.to_dict()) == asked
    assert CorrectionSettings.from_dict({}) == CorrectionSettings()
    assert CorrectionSettings() == CorrectionSettings(MISSED, 10, 100, 5, 0.08)
    with pytest.raises(ValueError, match="missed, extra or both"):
        CorrectionSettings("all")
    with pytest.raises(ValueError, match="is a number"):
        CorrectionSettings.from_dict({"blur": "wide"})
    for name, known in PARAMETERS.items():
        with pytest.raises(ValueError, match=f"corrections.{name} lies between"):
            CorrectionSettings(**{name: known.maximum + 1})
