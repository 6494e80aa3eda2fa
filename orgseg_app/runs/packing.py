"""Which runs go into a packed project, and which of their files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from orgseg_app.core.split import TEST, VALIDATION
from orgseg_app.files.packing import RunToPack
from orgseg_app.runs.comparison import compare, scored_by
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import COMPARED_KINDS, RunFolder, find_run, list_runs

ALL, BEST, NONE = "all", "best", "none"

FILES = (
    "title.json", "remarks.json", "events.jsonl", "metrics.json", "ensemble.json", "best.ckpt",
    "predictions.h5",
)  # fmt: skip
"""Enough to compare a run, to score it again and to predict with it."""

TRAINING_FILES = ("snapshot.h5", "last.ckpt", "mistakes.npz")
"""What it learned from, and where it stopped: to repeat a training, or to go on with it."""


def packable_runs(project_path: Path) -> list[RunFolder]:
    """Runs that may be packed, oldest first: all that can be compared but those at work."""
    runs = list_runs(project_path)
    return [run for run in runs if run.kind in COMPARED_KINDS and not run.is_active]


def best_run(runs: Sequence[RunFolder]) -> RunFolder | None:
    """The run with a model whose mean IoU on the validation images is highest.

    The test images do not choose: a model chosen on them could not be judged on them any more. Only
    where no run has a validation score do they decide.
    """
    for split in (VALIDATION, TEST):
        scored = []
        for run in runs:
            pooled = compare(None, [run], split).runs[0].pooled
            if pooled is not None and pooled.mean_iou is not None and run.best_path.is_file():
                scored.append((pooled.mean_iou, run.created, run))
        if scored:
            return max(scored, key=lambda found: found[:2])[2]
    return None


def choose_runs(project_path: Path, text: str) -> list[RunFolder]:
    """The runs meant by ``all``, ``best``, ``none``, or ids and names with commas between.

    Raises
    ------
    RunError
        When there is no such run, it is at work, or it is no training.
    """
    wanted = text.strip()
    if wanted == NONE:
        return []
    if wanted == ALL:
        return packable_runs(project_path)
    if wanted == BEST:
        best = best_run(packable_runs(project_path))
        if best is None:
            raise RunError(
                f'No run of "{project_path.name}" has scores yet, so none is the best. Choose runs '
                "by name, or pack all of them."
            )
        return [best]
    chosen: dict[str, RunFolder] = {}
    for name in filter(None, (part.strip() for part in wanted.split(","))):
        run = find_run(project_path, name)
        if run.kind not in COMPARED_KINDS:
            raise RunError(
                f'"{run.name}" is no training and nothing else to compare; only these are packed.'
            )
        if run.is_active:
            raise RunError(
                f'The run "{run.name}" is still working. Stop it, or wait for its end, then pack.'
            )
        chosen[run.run_id] = run
    if not chosen:
        raise RunError("Name the runs to pack, or say all, best or none.")
    return list(chosen.values())


def to_pack(
    project_path: Path, runs: Sequence[RunFolder], *, training: bool = False
) -> list[RunToPack]:
    """What goes into the file: the runs, and the scoring whose figures count for each.

    Parameters
    ----------
    project_path
        Where the scorings are.
    runs
        As `choose_runs` gives them.
    training
        Also `TRAINING_FILES`.
    """
    scorings = [run for run in list_runs(project_path) if run.kind == "score"]
    found: dict[str, RunToPack] = {}
    for run in runs:
        names = (*FILES, *TRAINING_FILES) if training else FILES
        found[run.run_id] = _files(run, names)
        scoring = scored_by(run, scorings)
        if scoring is not run:
            found[scoring.run_id] = _files(scoring, FILES)
    return list(found.values())


def _files(run: RunFolder, names: Sequence[str]) -> RunToPack:
    files: dict[str, Path | bytes] = {"request.json": _request(run)}
    for name in names:
        path = run.path / name
        if os.path.isfile(path) and not os.path.islink(path):
            files[name] = path
    return RunToPack(run.run_id, run.name, files)


def _request(run: RunFolder) -> bytes:
    """The request without paths of this computer."""
    request: dict[str, Any] = dict(run.request)
    if "model" in request:
        request["model"] = ""
    return msgspec.json.format(msgspec.json.encode(request), indent=2) + b"\n"


def studies_left(runs: Sequence[RunFolder]) -> list[str]:
    """A sentence for each study of which runs are packed: the study itself stays here.

    What was asked of its grid, its queue and its snapshot lie in a folder of their own, which is
    bound to the project it was begun in. Its runs say in their requests which cell they are of.
    """
    found: dict[str, tuple[str, int]] = {}
    for run in runs:
        asked = run.request.get("study")
        if isinstance(asked, dict) and asked.get("id"):
            name, count = found.get(str(asked["id"]), (str(asked.get("name") or "study"), 0))
            found[str(asked["id"])] = name, count + 1
    return [
        f'{"A run" if count == 1 else f"{count} runs"} of the study "{name}" '
        f"{'goes' if count == 1 else 'go'} along; the study itself, its grid and its queue, stays "
        "here. Write its report to pass on what it found."
        for name, count in found.values()
    ]


def share_of_training(runs: Sequence[RunFolder]) -> int:
    """Bytes that `TRAINING_FILES` of runs take up."""
    total = 0
    for run in runs:
        for name in TRAINING_FILES:
            try:
                total += (run.path / name).stat().st_size
            except OSError:
                continue
    return total
