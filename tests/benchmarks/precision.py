"""Whether learning in bfloat16 is learning as in float32: two loss curves of the same seed.

The default preset learns twice from the same patches in the same order, once in each precision. The
curves are smoothed over a twentieth of the steps; their distance is the mean difference over the
mean loss, and the same distance between two seeds in float32 says how much of that is luck.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from tests.benchmarks.figure import Figure
from tests.benchmarks.trained import Outcome, Training, here, train

SETS = ("er", "mito")
STEPS = 400
MOST = 0.05


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """For each set the distance of the curves, beside that of two seeds."""
    for name in here(options.sets or SETS, say):
        half, full, other = (
            train(
                Training(
                    name,
                    settings=(f"precision={precision}", f"steps={options.steps or STEPS}"),
                    seed=seed,
                    clock=options.clock,
                ),
                options.kept,
                say,
            )
            for precision, seed in (("bf16", 0), ("fp32", 0), ("fp32", 1))
        )
        distance, luck = _distance(half, full), _distance(other, full)
        yield Figure(
            f"precision.{name}.loss_curves",
            100 * distance,
            "%",
            goal=f"<= {100 * MOST:g} %",
            met=distance <= MOST,
            bound=100 * luck,
            ratio=distance / luck,
            note=f"the bound is another seed; test IoU bf16 {half.mean_iou:.3f}, fp32 "
            f"{full.mean_iou:.3f}, other seed {other.mean_iou:.3f}",
        )


def _distance(one: Outcome, other: Outcome) -> float:
    """Mean difference of two smoothed loss curves over the mean loss."""
    a, b = _curve(one), _curve(other)
    return float(np.abs(a - b).mean() / b.mean())


def _curve(outcome: Outcome) -> NDArray[np.float64]:
    """The loss at each step, smoothed.

    A job tells the mean over the steps since it last told, a few times a second: each such mean
    stands for all its steps.
    """
    steps, losses = np.array(outcome.losses).T
    every = losses[np.searchsorted(steps, np.arange(1, steps[-1] + 1))]
    window = max(1, len(every) // 20)
    return np.convolve(every, np.ones(window) / window, mode="valid")
