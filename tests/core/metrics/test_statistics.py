"""Which model is better: against SciPy, against every toss of signs; and how it is said."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from orgseg_app.core.metrics.resampling import METHODS, RESAMPLES, interval_of_mean
from orgseg_app.core.metrics.statistics import (
    ALIKE,
    BETTER,
    SAME,
    TOO_FEW,
    UNCLEAR,
    WORSE,
    Difference,
    cohens_d,
    difference,
    differences,
    holm,
    rank_biserial,
    signed_rank_p,
)

CLEAR = [0.62, 0.61, 0.64, 0.63, 0.62, 0.63, 0.64, 0.6]


def every_toss(values: np.ndarray) -> float:
    """p of the sum of signed ranks, by writing out all signs."""
    values = values[values != 0]
    ranks = stats.rankdata(np.abs(values))
    seen = abs((ranks * np.sign(values)).sum())
    tosses = np.array(list(itertools.product((-1, 1), repeat=len(values))))
    return float(np.mean(np.abs(tosses @ ranks) >= seen - 1e-9))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
@example([0, 0])
@settings(max_examples=40, deadline=None)
def test_signed_ranks_with_ties_and_zeros_are_exact(steps: list[int]) -> None:
    values = np.array(steps) / 10
    if values.any():
        assert signed_rank_p(values) == pytest.approx(every_toss(values), abs=1e-12)
        signed = stats.rankdata(np.abs(values[values != 0])) * np.sign(values[values != 0])
        wanted = signed.sum() / np.abs(signed).sum()
        assert rank_biserial(values) == pytest.approx(wanted, abs=1e-12)
    else:
        assert (signed_rank_p(values), rank_biserial(values)) == (1, 0)


@pytest.mark.parametrize("n", [1, 2, 6, 12, 30, 50, 200, 201, 400])
def test_signed_ranks_are_those_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(0.2, 1, n)
    method = "exact" if n <= 200 else "asymptotic"
    wanted = stats.wilcoxon(values, method=method).pvalue
    assert signed_rank_p(values) == pytest.approx(wanted, abs=1e-9)
    if n == 400:  # without those that are 0 still more than 200
        tied = np.round(values, 1)
        wanted = stats.wilcoxon(tied, method=method).pvalue
        assert signed_rank_p(tied) == pytest.approx(wanted, abs=1e-9)


def test_differences_that_floating_numbers_make_are_ties() -> None:
    assert signed_rank_p(np.array([0.3 - 0.2, 0.2 - 0.1, -0.1])) == 1.0
    assert signed_rank_p(np.array([0.1 + 0.2 - 0.3] * 6)) == 1.0


@pytest.mark.parametrize("method", ["percentile", "bca"])
def test_intervals_are_those_of_scipy(method: str) -> None:
    values = np.random.default_rng(4).gamma(1.5, 0.02, 15) - 0.01
    random = np.random.default_rng(8)
    peer = {"percentile": "percentile", "bca": "BCa"}[method]
    found = interval_of_mean(values, method=method)
    wanted = stats.bootstrap(
        (values,), np.mean, method=peer, n_resamples=RESAMPLES, rng=random
    ).confidence_interval
    assert found == pytest.approx(tuple(wanted), abs=0.06 * (wanted.high - wanted.low))


def test_the_studentised_interval_is_that_of_the_samples_written_out() -> None:
    values = np.random.default_rng(4).gamma(1.5, 0.02, 15) - 0.01
    drawn = values[np.random.default_rng(7).integers(0, 15, (RESAMPLES, 15))]
    t = (drawn.mean(axis=1) - values.mean()) / stats.sem(drawn, axis=1)
    highest = np.sort(np.abs(t))[int(0.95 * (RESAMPLES + 1)) - 1]
    reach = highest * stats.sem(values)
    found = interval_of_mean(values, seed=7)
    assert found == pytest.approx((values.mean() - reach, values.mean() + reach), abs=1e-12)


def test_intervals_move_and_turn_with_the_values_and_are_the_same_again() -> None:
    values = np.random.default_rng(1).normal(0, 0.1, 400)
    for n in (8, 400):  # some draws are kept, larger ones made anew
        low, high = interval_of_mean(values[:n])
        assert interval_of_mean(values[:n]) == (low, high)
        assert interval_of_mean(-values[:n]) == pytest.approx((-high, -low))
        assert interval_of_mean(values[:n] + 0.5) == pytest.approx((low + 0.5, high + 0.5))
    t = stats.t.interval(0.95, 399, loc=values.mean(), scale=stats.sem(values))
    assert interval_of_mean(values) == pytest.approx(t, abs=0.05 * (t[1] - t[0]))


def test_draws_in_parts_are_as_many(monkeypatch: pytest.MonkeyPatch) -> None:
    from orgseg_app.core.metrics import resampling

    values = np.random.default_rng(1).normal(0, 0.1, 30)
    whole = interval_of_mean(values, seed=5)
    monkeypatch.setattr(resampling, "_AT_ONCE", 30 * 700)
    parts = interval_of_mean(values, seed=5)
    assert whole == parts


@pytest.mark.parametrize("method", METHODS)
def test_values_without_spread(method: str) -> None:
    assert interval_of_mean(np.zeros(9), method=method) == (0, 0)
    assert interval_of_mean(np.full(9, 0.1), method=method) == pytest.approx((0.1, 0.1))
    assert interval_of_mean(np.array([0.3]), method=method) is None
    rare = interval_of_mean(np.array([0.0] * 11 + [0.4]), method=method)
    assert (rare is None) == (method == "studentised")


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=7))
@settings(max_examples=40, deadline=None)
def test_holm_claims_what_step_by_step_tests_claim(p_values: list[float | None]) -> None:
    adjusted = holm(p_values)
    known = sorted(p for p in p_values if p is not None)
    for level in (0.01, 0.05, 0.2, 0.7):
        claimed = 0
        while claimed < len(known) and known[claimed] * (len(known) - claimed) <= level:
            claimed += 1
        assert sum(p is not None and p <= level for p in adjusted) == claimed
    assert [p is None for p in adjusted] == [p is None for p in p_values]
    assert all(a >= p for a, p in zip(adjusted, p_values, strict=True) if p is not None)


def test_effect_sizes() -> None:
    values = np.array([0.1, 0.2, 0.3, -0.1])
    assert cohens_d(values) == pytest.approx(values.mean() / values.std(ddof=1))
    assert cohens_d(np.full(5, 0.1)) is None
    assert cohens_d(np.array([0.1])) is None
    assert rank_biserial(np.array([0.1, 0.2])) == 1
    assert rank_biserial(np.array([])) is None


def test_runs_of_one_recipe_are_no_further_images() -> None:
    random = np.random.default_rng(0)
    first, second = random.uniform(0.5, 0.9, (8, 3)), random.uniform(0.4, 0.8, (8, 2))
    found = difference(first, second)
    means = difference(first.mean(axis=1), second.mean(axis=1))
    assert (found.images, found.mean, found.interval, found.p) == (
        (8, means.mean, means.interval, means.p)
    )
    assert found.runs == (3, 2)
    assert found.run_deviations[0] == pytest.approx(first.mean(axis=0).std(ddof=1))
    assert means.run_deviations == (None, None)
    assert "8 images, 3 and 2 runs" in found.in_words("A", "B")


def test_images_without_a_score_are_left_out_and_said() -> None:
    first = [*CLEAR, None, 0.7]
    second = [0.6] * 9 + [float("nan")]
    found = difference(first, second)
    assert (found.images, found.left_out) == (8, 2)
    said = "A is better by 0.02 (0.01 to 0.04), 8 images (2 without a score left out)"
    assert found.in_words("A", "B") == said
    nothing = difference([None], [0.5])
    assert (nothing.mean, nothing.p, nothing.verdict) == (None, None, TOO_FEW)
    assert nothing.in_words("A", "B").startswith("too few images to tell, 0 images")
    assert difference([], []).verdict == TOO_FEW


def test_one_is_better_and_the_other_worse() -> None:
    found, turned = difference(CLEAR, [0.6] * 8), difference([0.6] * 8, CLEAR)
    assert (found.verdict, turned.verdict) == (BETTER, WORSE)
    said = "{} is better by 0.02 (0.01 to 0.04), 8 images"
    assert found.in_words("net 1", "net 2") == said.format("net 1")
    assert turned.in_words("net 1", "net 2") == said.format("net 2")
    distances = difference(CLEAR, [0.6] * 8, higher_is_better=False)
    assert distances.verdict == WORSE
    assert distances.in_words("net 1", "net 2") == said.format("net 2")


def test_too_few_images() -> None:
    found = difference(CLEAR[:5], [0.5] * 5)
    assert found.interval is None
    assert found.in_words("A", "B") == "too few images to tell: A − B is 0.12, 5 images"
    six = difference(CLEAR[:6], [0.5] * 6)
    assert six.verdict == BETTER
    unclear = difference([0.5, 0.7, 0.4, 0.8, 0.6, 0.5, 0.7], [0.6, 0.5, 0.5, 0.6, 0.7, 0.6, 0.5])
    assert unclear.verdict == TOO_FEW
    words = unclear.in_words("A", "B")
    assert words.startswith("too few images to tell: A − B is 0.03 (−0.09 to 0.15)")
    assert words.endswith(", 7 images")
    many = difference([0.5, 0.7, 0.4, 0.8] * 10, [0.6, 0.5, 0.5, 0.7] * 10)
    assert many.verdict == UNCLEAR  # nobody is told that 40 images are too few
    assert many.in_words("A", "B").startswith("no clear difference: A − B is 0.03 (−0.02")


def test_many_comparisons_need_more_images() -> None:
    models = {"A": CLEAR[:6], "B": [0.5] * 6, "C": [0.5, 0.5, 0.5, 0.5, 0.5, 0.51]}
    found = differences(models)
    assert list(found) == [("A", "B"), ("A", "C"), ("B", "C")]
    assert found["A", "B"].p_adjusted == 3 * 0.03125
    assert found["A", "B"].verdict == TOO_FEW
    assert found["A", "B"].in_words("A", "B").endswith("6 images, p = 0.09 among 3 comparisons")
    assert difference(models["A"], models["B"]).verdict == BETTER


def test_the_same_and_alike() -> None:
    same = difference(CLEAR, CLEAR)
    assert (same.verdict, same.p, same.cohens_d) == (SAME, 1.0, None)
    assert same.in_words("A", "B") == "A and B have the same scores, 8 images"
    close = np.add(CLEAR, [0.001, -0.001, 0.002, 0, -0.002, 0.001, 0, -0.001])
    assert difference(close, CLEAR).verdict == TOO_FEW
    alike = difference(close, CLEAR, margin=0.01)
    assert alike.verdict == ALIKE
    said = "A and B are alike to within 0.010: A − B is 0.000 (−0.001 to 0.001), 8 images"
    assert alike.in_words("A", "B") == said


def test_scores_that_do_not_pair_up_are_refused() -> None:
    for first, second in (([0.1, 0.2], [0.1]), (np.zeros((2, 2, 2)), [0, 0]), (0.1, 0.1)):
        with pytest.raises(ValueError, match=r"pair up|one an image"):
            difference(first, second)


@given(st.integers(0, 2**32 - 1), st.integers(0, 14), st.sampled_from([0.0, 0.3]))
@settings(max_examples=30, deadline=None)
def test_turning_the_two_turns_everything(seed: int, n: int, missing: float) -> None:
    random = np.random.default_rng(seed)
    scores = random.choice([0.5, 0.6, 0.7, 0.75], (2, n))
    scores[random.random((2, n)) < missing] = np.nan
    found, turned = difference(*scores), difference(*scores[::-1])
    swapped = {BETTER: WORSE, WORSE: BETTER}
    assert turned.verdict == swapped.get(found.verdict, found.verdict)
    assert turned.p == found.p
    assert isinstance(found, Difference)
    for name in ("mean", "cohens_d", "rank_biserial"):
        value = getattr(found, name)
        assert getattr(turned, name) == (None if value is None else pytest.approx(-value))
    if found.interval is not None:
        low, high = found.interval
        assert turned.interval == pytest.approx((-high, -low))
        assert low <= found.mean <= high
