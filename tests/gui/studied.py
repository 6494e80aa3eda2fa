"""Studies as they lie on disk after a driver was at them: no job, no driver process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.studies import queue
from orgseg_app.runs.studies.folder import StudyFolder
from tests.runs.studies.doubles import TWO_BY_TWO, Jobs, make_study, places_of

SPLITS = ("train", "train", *["validation"] * 7, "test", "test")
SCORES = {
    ("percentile", "soft_iou"): 0.60,
    ("percentile", "bce"): 0.50,
    ("zscore", "soft_iou"): 0.80,
    ("zscore", "bce"): 0.40,
}
TWO_SEEDS = "seeds = 2\n" + TWO_BY_TWO


class _CutOffError(Exception):
    """The driver is killed."""


def _score(run: RunFolder, image: object) -> float:
    return SCORES[tuple(places_of(run).values())] + 0.02 * run.request["study"]["repeat"]  # type: ignore[index]


def driven(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    text: str = TWO_SEEDS,
    upto: int | None = None,
    ends: dict[int, list[str]] | None = None,
) -> tuple[Path, StudyFolder]:
    """A project and a study that a driver was at.

    Parameters
    ----------
    upto
        After so many runs the driver is killed; None for never.
    ends
        As in `doubles.Jobs`.
    """
    path, study = make_study(folder, text, SPLITS)
    jobs = Jobs(monkeypatch)
    jobs.scores = _score
    jobs.ends = ends or {}
    jobs.on_start = _stopper(jobs, upto)
    if upto is None:
        assert queue.run_study(str(study.path)) == 0
    else:
        with pytest.raises(_CutOffError):
            queue.run_study(str(study.path))
        (study.process_path).write_text('{"pid": 4194305, "create_time": 1.0, "path": "gone"}')
        assert study.state == "lost"
    return path, study


def _stopper(jobs: Jobs, upto: int | None) -> Callable[[RunFolder], None]:
    def on_start(run: RunFolder) -> None:
        if upto is not None and len(jobs.started) > upto:
            raise _CutOffError

    return on_start
