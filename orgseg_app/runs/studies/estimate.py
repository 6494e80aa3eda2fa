"""What a study will take before it starts: time of each cell and in all, memory at the most."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orgseg_app.runs.estimate import Duration, Speed, memory_bytes, training_duration
from orgseg_app.runs.folder import RunFolder, list_runs
from orgseg_app.runs.process import read_json
from orgseg_app.runs.studies.cells import Cell

_RUNS_LOOKED_AT = 60
"""The newest ones; reading the events of hundreds takes seconds."""


@dataclass(frozen=True)
class StudyEstimate:
    """How long and how much, on this computer.

    Attributes
    ----------
    cells : tuple of Duration
        In the order asked about.
    memory_bytes : float
        Of the cell that needs most; one trains at a time.
    """

    cells: tuple[Duration, ...]
    memory_bytes: float

    @property
    def seconds(self) -> tuple[float, float]:
        """Shortest and longest for all cells together; equal when earlier runs told all speeds."""
        return sum(c.shortest for c in self.cells), sum(c.longest for c in self.cells)

    @property
    def basis(self) -> tuple[str, ...]:
        """Names of the earlier runs whose speeds were used."""
        return tuple(dict.fromkeys(cell.basis for cell in self.cells if cell.basis))

    def to_dict(self) -> dict[str, Any]:
        """For ``study --dry-run --json``."""
        shortest, longest = self.seconds
        return {
            "seconds_shortest": shortest,
            "seconds_longest": longest,
            "memory_bytes": self.memory_bytes,
            "basis": list(self.basis),
        }


def estimate_study(
    cells: Sequence[Cell], earlier: Iterable[Speed] = (), *, channels: int = 1, classes: int = 2
) -> StudyEstimate:
    """Time and memory of the cells that are still to be trained.

    Parameters
    ----------
    cells : sequence of Cell
        At least one.
    earlier : iterable of Speed
        Of runs on this computer, oldest first.
    channels, classes : int
        Of the images; background included.
    """
    known = list(earlier)
    sizes = {"channels": channels, "classes": classes}
    return StudyEstimate(
        tuple(training_duration(cell.recipe, known, **sizes) for cell in cells),
        max(memory_bytes(cell.recipe, **sizes) for cell in cells),
    )


def earlier_speeds(project_path: Path) -> list[Speed]:
    """How quick the project's newest trainings were, those on this computer, oldest first."""
    trained = [run for run in list_runs(project_path) if run.kind == "train"]
    return list(_speeds(trained[-_RUNS_LOOKED_AT:]))


def _speeds(runs: Iterable[RunFolder]) -> Iterator[Speed]:
    for run in runs:
        recipe = run.recipe
        if recipe is None or (read_json(run.process_path) or {}).get("host") != platform.node():
            continue
        told = [event.get("patches_per_s") for event in run.events()[0] if event["event"] == "step"]
        numbers = [rate for rate in told if isinstance(rate, (int, float)) and rate > 0]
        if numbers:
            # The middle one: the first steps are slow, and another program may have been busy.
            yield Speed(run.name, recipe, float(sorted(numbers)[len(numbers) // 2]))
