"""Whether to let torch compile the network: only where that pays back within the run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import torch

from orgseg_app.learn.training.improver import Heads, Improver
from orgseg_app.runs.recipes.schema import Recipe

EAGER_STEPS = 6
"""Steps that are timed before anything is decided, and again afterwards; the first is left out."""
COST_S = {"cpu": 40.0, "cuda": 60.0}
"""Seconds that building the network takes: 27 measured on two cores, more for larger networks."""
GAIN = {"cpu": 1.1, "cuda": 1.25}
"""How many times faster it is hoped to be. On a processor with channels-last and bfloat16 nothing
was gained, with float32 up to 1.2."""
_MARGIN = 1.03


class Compiling:
    """Times a few steps, compiles when the hoped-for gain exceeds the cost, and checks the gain.

    Parameters
    ----------
    recipe
        Its field `compile` says whether to try at all.
    improver
        Its `heads` are replaced.
    say
        Gets a sentence about what was decided.
    """

    def __init__(self, recipe: Recipe, improver: Improver, say: Callable[[str], None]) -> None:
        # A frozen program would start itself again instead of the compiler's helpers.
        self._may = recipe.compile == "auto" and not getattr(sys, "frozen", False)
        self._improver, self._say = improver, say
        self._eager: Heads = improver.heads
        self._eager_s: float | None = None
        self._count, self._since = 0, 0.0

    @property
    def is_trying(self) -> bool:
        """Whether the network runs compiled, but has not yet shown that it is faster."""
        return self._may and self._eager_s is not None

    def after_step(self, steps_left: int) -> None:
        """Decide, when enough steps were timed; call after every step.

        Parameters
        ----------
        steps_left
            Of the training.
        """
        if not self._may or self._improver.device.kind not in COST_S:
            return
        self._count += 1
        if self._count == 1:
            self._since = self._now()
        if self._count <= EAGER_STEPS:
            return
        step_s = (self._now() - self._since) / EAGER_STEPS
        self._count = 0
        if self._eager_s is None:
            self._decide(step_s, steps_left)
        elif step_s * _MARGIN < self._eager_s:
            self._say(f"The compiled network is {self._eager_s / step_s:.2f} times as fast.")
            self._may = False
        else:
            self.give_up("it is not faster")

    def give_up(self, reason: str) -> None:
        """Run the network as it is written from now on, and say why."""
        self._improver.heads = self._eager
        self._may = False
        self._say(f"The network runs as it is written: compiled, {reason}.")

    def _decide(self, step_s: float, steps_left: int) -> None:
        kind = self._improver.device.kind
        saved_s = steps_left * step_s * (1 - 1 / GAIN[kind])
        if saved_s <= COST_S[kind]:
            self._may = False  # too short a run: nothing to say
            return
        self._eager, self._eager_s = self._improver.heads, step_s
        self._improver.heads = torch.compile(self._eager)
        self._say("Compiling the network, which may save time in a training as long as this.")

    def _now(self) -> float:
        if self._improver.device.kind == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()
