"""Friedman's test and critical differences: SciPy, and Demšar's table and example."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from orgseg_app.core.metrics.ranking import critical_difference, ranking

# Demšar 2006, table 5 (a): q at 5 % for 2 to 10 models.
NEMENYI = (1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164)

# His table 6: AUC of C4.5 with two parameters, neither or both tuned, on 14 sets of data.
DEMSAR = np.array(
    [
        (0.763, 0.768, 0.771, 0.798),
        (0.599, 0.591, 0.590, 0.569),
        (0.954, 0.971, 0.968, 0.967),
        (0.628, 0.661, 0.654, 0.657),
        (0.882, 0.888, 0.886, 0.898),
        (0.936, 0.931, 0.916, 0.931),
        (0.661, 0.668, 0.609, 0.685),
        (0.583, 0.583, 0.563, 0.625),
        (0.775, 0.838, 0.866, 0.875),
        (1.000, 1.000, 1.000, 1.000),
        (0.940, 0.962, 0.965, 0.962),
        (0.619, 0.666, 0.614, 0.669),
        (0.972, 0.981, 0.9751, 0.975),
        (0.957, 0.978, 0.946, 0.970),
    ]
)


def test_the_example_of_the_paper() -> None:
    found = ranking(DEMSAR)
    assert found.mean_ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    assert found.images == 14
    # He does not correct for ties, which here take 6.5 of the 70 that ranks can differ by.
    assert found.chi_square == pytest.approx(9.28 * 70 / 63.5, abs=0.01)
    assert found.critical_difference == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), abs=1e-3)


@pytest.mark.parametrize(("models", "q"), list(enumerate(NEMENYI, 2)))
def test_critical_differences_are_those_of_the_table(models: int, q: float) -> None:
    wanted = q * math.sqrt(models * (models + 1) / (6 * 20))
    assert critical_difference(models, 20) == pytest.approx(wanted, rel=3e-4)


def test_quantiles_are_those_of_scipy() -> None:
    for models, level in ((3, 0.95), (7, 0.9), (40, 0.99)):
        q = stats.studentized_range.ppf(level, models, np.inf) / math.sqrt(2)
        wanted = q * math.sqrt(models * (models + 1) / (6 * 9))
        assert critical_difference(models, 9, level=level) == pytest.approx(wanted, rel=1e-6)


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(3, 5), st.booleans())
@settings(max_examples=30, deadline=None)
def test_equal_to_scipy_with_ties_and_gaps(seed: int, n: int, k: int, higher: bool) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 6, (n + 2, k)) / 10
    scores[n:, 0] = np.nan
    found = ranking(scores, higher_is_better=higher)
    assert found.images == n
    kept = -scores[:n] if higher else scores[:n]
    ranks = stats.rankdata(kept, axis=1)
    assert found.mean_ranks == pytest.approx(ranks.mean(axis=0))
    if (ranks == (k + 1) / 2).all():
        assert found.chi_square is None
        return
    wanted = stats.friedmanchisquare(*kept.T)
    assert found.chi_square == pytest.approx(wanted.statistic)
    assert found.chi_square_p == pytest.approx(wanted.pvalue)
    if found.f is not None and math.isfinite(found.f) and n > 1:
        assert found.f == pytest.approx(
            (n - 1) * found.chi_square / (n * (k - 1) - found.chi_square)
        )
        assert found.f_p == pytest.approx(stats.f.sf(found.f, k - 1, (k - 1) * (n - 1)))


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_sets_of_models_alike_are_all_and_only_the_largest(seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.normal(np.linspace(0, random.uniform(0, 3), 6), 1, (random.integers(4, 30), 6))
    found = ranking(scores)
    ranks, critical = found.mean_ranks, found.critical_difference
    assert critical is not None
    pairs = {
        (a, b) for a in range(6) for b in range(a + 1, 6) if abs(ranks[a] - ranks[b]) < critical
    }
    joined = {(a, b) for each in found.alike for a in each for b in each if a < b}
    assert joined == pairs
    for each in found.alike:
        assert not any(set(each) < set(other) for other in found.alike)


def test_nothing_to_rank() -> None:
    empty = ranking(np.full((3, 2), np.nan))
    assert (empty.images, empty.chi_square, empty.critical_difference) == (0, None, None)
    agreed = ranking([[3, 2, 1]] * 5)
    assert (agreed.mean_ranks, agreed.f, agreed.f_p) == ((1, 2, 3), math.inf, 0.0)
    with pytest.raises(ValueError, match="two or more"):
        ranking([[1.0], [2.0]])
