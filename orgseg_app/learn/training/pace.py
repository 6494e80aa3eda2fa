"""The clock of a training: how quick steps are, how long is left, when to check and to save."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator

VALIDATION_SHARE = 0.15
"""Checking the validation images may take this share of the time."""

_TELL_EVERY_S = 0.5
_SAVING_SHARE = 0.05


class Pace:
    """Measures one training; pauses do not count.

    Parameters
    ----------
    patches_per_step
        The recipe's batch size.
    active_s
        Seconds spent by earlier processes on the same run.
    """

    def __init__(self, patches_per_step: int, active_s: float = 0.0) -> None:
        now = time.monotonic()
        self._patches = patches_per_step
        self._start = now - active_s
        self._saved, self._told = now, -math.inf
        self._save_s: float | None = None
        self._steps, self._step_started = 0, now
        self._untold_steps, self._untold_s = 0, 0.0
        self.step_s = 0.0
        self.validation_s = 0.0

    def active_s(self) -> float:
        """Seconds spent so far, without pauses."""
        return time.monotonic() - self._start

    def step_done(self) -> None:
        """Note the end of a step."""
        now = time.monotonic()
        spent = now - self._step_started
        self._step_started = now
        self._steps += 1
        self._untold_steps += 1
        self._untold_s += spent
        # The first step is slow (memory, kernels); afterwards a running mean over about 20.
        weight = 1.0 if self._steps <= 2 else max(0.05, 1 / (self._steps - 1))
        self.step_s += weight * (spent - self.step_s)

    def may_tell(self) -> bool:
        """Whether the last report was long enough ago."""
        return time.monotonic() - self._told >= _TELL_EVERY_S

    def told(self) -> float:
        """Start counting for the next report; returns patches per second since the last one."""
        rate = self._untold_steps * self._patches / max(self._untold_s, 1e-9)
        self._told = time.monotonic()
        self._untold_steps, self._untold_s = 0, 0.0
        return rate

    def seconds_left(self, steps: int, validate_every: int, limit_s: float) -> float:
        """Estimate for the steps that are left, checks included.

        Parameters
        ----------
        steps, validate_every
            Steps to go, and between checks.
        limit_s
            Time limit of the whole training in seconds; 0 = none.
        """
        left = steps * (self.step_s + self.validation_s / max(validate_every, 1))
        return max(0.0, min(left, limit_s - self.active_s()) if limit_s else left)

    def wanted_interval(self, steps: int) -> int:
        """Steps between checks that keep their share of the time, but at least three checks."""
        work = self.validation_s * (1 - VALIDATION_SHARE) / VALIDATION_SHARE
        return min(math.ceil(work / max(self.step_s, 1e-9)), max(1, steps // 3))

    def since_save(self) -> float:
        """Seconds since the last checkpoint."""
        return time.monotonic() - self._saved

    def may_save(self) -> bool:
        """Whether saving now costs little of the time since the last save."""
        return self._save_s is None or self._save_s < _SAVING_SHARE * self.since_save()

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """A pause: its time does not count at all."""
        began = time.monotonic()
        with self._between_steps():
            yield
        self._start += time.monotonic() - began

    @contextlib.contextmanager
    def validating(self) -> Iterator[None]:
        """A check of the validation images."""
        began = time.monotonic()
        with self._between_steps():
            yield
        self.validation_s = time.monotonic() - began

    @contextlib.contextmanager
    def saving(self) -> Iterator[None]:
        """A checkpoint being written."""
        began = time.monotonic()
        with self._between_steps():
            yield
        self._saved = time.monotonic()
        self._save_s = self._saved - began

    @contextlib.contextmanager
    def _between_steps(self) -> Iterator[None]:
        """Time that does not count as part of a step."""
        began = time.monotonic()
        yield
        self._step_started += time.monotonic() - began
