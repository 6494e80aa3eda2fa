"""How often the statistics of the comparison are right: coverage of intervals, size of tests.

Differences of IoU between two models are simulated, of which the true mean is known:

- ``equal``: two models alike, symmetric differences with long tails,
- ``little``: one a little better, on images of unequal difficulty,
- ``skewed``: one better, the other now and then much worse,
- ``independent``: scores that know nothing of each other, beta distributed,
- ``gain``: nearly always a gain, mostly small (a gamma distribution),
- ``failures``: alike, but on one image in ten one of them fails. With 10 images a third of all sets
  holds no such image, which no way of drawing them anew can make up for: no goal.

An interval of 95 % is to hold the true mean in 93 to 97 of 100 sets of images. Wilcoxon's test and
Friedman's at 5 % are to see something in 4 to 6 of 100 sets where there is nothing; the verdicts of
four models, all pairs together, in no more than 6. The figures of percentile and BCa intervals are
the reason why they are not used.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from orgseg_app.core.metrics.ranking import ranking
from orgseg_app.core.metrics.resampling import METHODS, interval_of_mean
from orgseg_app.core.metrics.statistics import BETTER, WORSE, differences, signed_rank_p
from tests.benchmarks.figure import Figure

REPETITIONS = 4000
IMAGES = (10, 20, 50)
COVERED, SIZE, AMONG_ALL = (93.0, 97.0), (4.0, 6.0), 6.0
MODELS, RUNS = 4, 3

Random = np.random.Generator
Floats = NDArray[np.float64]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Fewer repetitions."""
    parser.add_argument(
        "--repetitions", type=int, default=REPETITIONS, metavar="N", help="statistics: sets drawn"
    )


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Coverage of each kind of difference, then sizes of tests."""
    for name, drawn in DIFFERENCES.items():
        say(f"intervals: {name}")
        truth = float(drawn(np.random.default_rng(99), 2_000_000, 1).mean())
        for n in IMAGES:
            yield from _coverage(name, drawn, truth, n, options.repetitions)
    for n in IMAGES:
        say(f"tests of {n} images")
        yield from _sizes(n, options.repetitions)


def _coverage(
    name: str, drawn: Callable[[Random, int, int], Floats], truth: float, n: int, count: int
) -> Iterator[Figure]:
    sets = drawn(np.random.default_rng(n), count, n)
    for method in METHODS:
        held, widths = 0, []
        for values in sets:
            found = interval_of_mean(values, method=method)
            assert found is not None
            held += found[0] <= truth <= found[1]
            widths.append(found[1] - found[0])
        is_goal = method == "studentised" and name != "failures"
        yield _figure(
            f"coverage_{name}_{n}" + ("" if method == "studentised" else f"_{method}"),
            100 * held / count,
            count,
            COVERED if is_goal else None,
            f"true mean {truth:.4f}; the interval is {np.median(widths):.4f} wide",
        )


def _sizes(n: int, count: int) -> Iterator[Figure]:
    random = np.random.default_rng(n)
    many = 4 * count  # both are quick
    seen = sum(signed_rank_p(values) <= 0.05 for values in _equal(random, many, n))
    yield _figure(f"wilcoxon_size_{n}", 100 * seen / many, many, SIZE)

    friedman = 0
    for _ in range(many):
        p = ranking(_of_models(random, n)).f_p
        friedman += p is not None and p <= 0.05
    yield _figure(f"friedman_size_{n}_{MODELS}_models", 100 * friedman / many, many, SIZE)

    averaged = as_images = 0
    for _ in range(count):
        own = random.normal(0, 0.02, (n, 1)) + random.normal(0, 0.02, (n, RUNS))
        averaged += signed_rank_p(own.mean(axis=1)) <= 0.05
        as_images += signed_rank_p(own.ravel()) <= 0.05
    note = f"runs taken for further images: {100 * as_images / count:.1f} %"
    yield _figure(f"wilcoxon_size_{n}_{RUNS}_runs", 100 * averaged / count, count, SIZE, note)

    claims, few = 0, max(1, count // 2)
    for _ in range(few):
        scores = _of_models(random, n)
        found = differences({str(k): scores[:, k] for k in range(MODELS)})
        claims += any(each.verdict in (BETTER, WORSE) for each in found.values())
    name = f"false_claims_{n}_{MODELS}_models"
    yield _figure(name, 100 * claims / few, few, (0.0, AMONG_ALL), "any among all pairs")


def _of_models(random: Random, n: int) -> Floats:
    """Scores ``(n, MODELS)`` of models that are all alike."""
    return expit(random.normal(1.5, 0.8, (n, 1)) + random.normal(0, 0.4, (n, MODELS)))


def _figure(
    name: str, value: float, n: int, goal: tuple[float, float] | None, note: str = ""
) -> Figure:
    said = f"{goal[0]:g} to {goal[1]:g} %" if goal else ""
    met = goal[0] <= value <= goal[1] if goal else None
    return Figure(f"statistics.{name}", value, "%", n=n, goal=said, met=met, note=note)


# -- differences, ``(count, n)`` ----------------------------------------------------------------


def _of_logits(
    random: Random, size: tuple[int, int], gain: float, own: tuple[float, float], spread: float
) -> Floats:
    """Images of unequal difficulty; how either model differs from that."""
    difficulty = random.normal(1.7, spread, size)
    first = expit(difficulty + gain + random.normal(0, own[0], size))
    return first - expit(difficulty + random.normal(0, own[1], size))


def _equal(random: Random, count: int, n: int) -> Floats:
    return _of_logits(random, (count, n), 0.0, (0.4, 0.4), 0.8)


def _little(random: Random, count: int, n: int) -> Floats:
    return _of_logits(random, (count, n), 0.2, (0.3, 0.3), 0.8)


def _skewed(random: Random, count: int, n: int) -> Floats:
    return _of_logits(random, (count, n), 0.4, (0.2, 0.7), 1.0)


def _independent(random: Random, count: int, n: int) -> Floats:
    return random.beta(9, 2, (count, n)) - random.beta(5, 2, (count, n))


def _gain(random: Random, count: int, n: int) -> Floats:
    return random.gamma(1.5, 0.02, (count, n)) - 0.005


def _failures(random: Random, count: int, n: int) -> Floats:
    fails = random.random((count, n)) < 0.1
    lost = random.uniform(0.2, 0.5, (count, n))
    return random.normal(0.01, 0.02, (count, n)) + np.where(fails, lost, 0)


DIFFERENCES = {
    "equal": _equal,
    "little": _little,
    "skewed": _skewed,
    "independent": _independent,
    "gain": _gain,
    "failures": _failures,
}
