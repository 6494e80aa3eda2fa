"""Where the predictions of a model lie: in jobs that predicted images, scorings, or its own run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePath

from orgseg_app.files.errors import FileError
from orgseg_app.files.predictions import predicted_images
from orgseg_app.runs.folder import RunFolder, list_runs


def predicted_by(project_path: Path, run: RunFolder) -> dict[str, Path]:
    """Which images a model has predicted, and the file that holds each.

    Predictions of whole images that were asked for come before scorings, of which only painted
    planes were predicted, and those before the training's own; of each, the newest.

    Parameters
    ----------
    project_path
        Among whose runs jobs are looked for.
    run
        A training or an ensemble.

    Returns
    -------
    dict
        Image id → file; files that cannot be read are left out.
    """
    found: dict[str, Path] = {}
    for path in prediction_files(run, list_runs(project_path)):
        try:
            held = predicted_images(path)
        except FileError:
            continue
        for image_id in held:
            found.setdefault(image_id, path)
    return found


def prediction_files(run: RunFolder, jobs: Sequence[RunFolder]) -> list[Path]:
    """Where a model's predictions may lie, the best first."""
    predicted, scored = [], []
    for job in jobs:
        if job.state != "finished":
            continue
        if job.kind == "score" and job.request.get("scored_run") == run.run_id:
            scored.append(job)
        elif job.kind == "predict" and _is_of(job.request.get("models"), run):
            predicted.append(job)
    newest = [
        sorted(some, key=lambda job: job.created, reverse=True) for some in (predicted, scored)
    ]
    return [job.predictions_path for some in newest for job in some] + [run.predictions_path]


def _is_of(models: object, run: RunFolder) -> bool:
    """Whether a job predicted with this model alone; the folder of the runs may have moved."""
    if not isinstance(models, Sequence) or isinstance(models, str) or len(models) != 1:
        return False
    here = run.best_path
    return PurePath(str(models[0])).parts[-2:] == (here.parent.name, here.name)
