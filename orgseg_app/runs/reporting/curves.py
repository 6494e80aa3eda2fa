"""How runs learned: their checks on the validation images, read from their events."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orgseg_app.runs.folder import RunFolder

MOST_POINTS = 240
"""Of a curve that is drawn; more cannot be told apart on a page."""


@dataclass(frozen=True)
class LearningCurve:
    """One run's.

    Attributes
    ----------
    run_id, name : str
    steps : tuple of int
        When it was checked.
    scores : tuple of float
        Mean IoU on the validation images at each.
    best : (int, float) or None
        The state that was kept.
    """

    run_id: str
    name: str
    steps: tuple[int, ...]
    scores: tuple[float, ...]
    best: tuple[int, float] | None

    def to_dict(self) -> dict[str, Any]:
        """For JSON; all checks."""
        return {
            "id": self.run_id,
            "name": self.name,
            "step": list(self.steps),
            "validation_mean_iou": list(self.scores),
            "best": None if self.best is None else list(self.best),
        }

    @property
    def points(self) -> tuple[tuple[float, float], ...]:
        """(step, score), thinned out to `MOST_POINTS`; the first, the last and the best stay."""
        pairs = list(zip(self.steps, self.scores, strict=True))
        if len(pairs) <= MOST_POINTS:
            return tuple(pairs)
        every = -(-len(pairs) // MOST_POINTS)
        kept = {*range(0, len(pairs), every), len(pairs) - 1}
        return tuple(pair for i, pair in enumerate(pairs) if i in kept or pair == self.best)


def learning_curve(run: RunFolder) -> LearningCurve | None:
    """What a run said of its checks; None where it said nothing, as ensembles do not.

    A run that was resumed says some steps again; the newer word counts.
    """
    found: dict[int, float] = {}
    offset = 0
    while True:
        events, new = run.events(offset)
        for event in events:
            if event.get("event") == "validation":
                step, score = _number(event.get("step")), _number(event.get("mean_iou"))
                if step is not None and score is not None:
                    found[int(step)] = score
        if new == offset or not events:
            break
        offset = new
    if not found:
        return None
    steps = tuple(sorted(found))
    scores = tuple(found[step] for step in steps)
    best = max(zip(steps, scores, strict=True), key=lambda pair: (pair[1], -pair[0]))
    return LearningCurve(run.run_id, run.name, steps, scores, best)


def learning_curves(runs: Sequence[RunFolder]) -> tuple[LearningCurve, ...]:
    """Those there are."""
    found = [learning_curve(run) for run in runs]
    return tuple(curve for curve in found if curve is not None)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if math.isfinite(value) else None
