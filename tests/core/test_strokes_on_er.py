"""What the local Otsu limit is for: a stroke over ER paints ER, and hardly what is between it."""

from __future__ import annotations

import statistics

import pytest

from orgseg_app.core.samples.catalogue import STRUCTURE, simulate
from tests.benchmarks import otsu_stroke


@pytest.mark.parametrize("index", [0, 1])
def test_a_limited_stroke_over_simulated_er_beats_a_plain_one(index: int) -> None:
    """The figures for real images come from ``tests/benchmarks/otsu_stroke.py``."""
    sample = simulate("er", index)
    truth = sample.mask == STRUCTURE
    ways = otsu_stroke.ways(sample.pixels, truth, 12)
    assert len(ways) == 12
    scores = [otsu_stroke.scores(sample.pixels, truth, way) for way in ways]
    plain, limited, best, _ = (statistics.median(column) for column in zip(*scores, strict=True))
    assert plain <= 0.5
    assert limited >= 0.66
    assert limited >= best  # no single threshold along the whole way does better
    assert all(score[1] > score[0] + 0.05 for score in scores)
