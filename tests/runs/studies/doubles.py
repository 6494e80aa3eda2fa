"""Studies on small projects, and jobs that end at once with the scores they are told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from orgseg_app.files.project_file import ProjectFile
from orgseg_app.runs import launcher
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder
from orgseg_app.runs.process import write_json
from orgseg_app.runs.studies.definition import study_from_toml
from orgseg_app.runs.studies.folder import StudyFolder
from orgseg_app.runs.studies.preparing import prepare_study
from tests.pictures import make_project

SPLITS = ("train", "train", "validation", "validation", "test")

TWO_BY_TWO = """
name = "two by two"
question = "Which?"
recipe = "fast"

[settings]
steps = 12
validate_every = 6
patch_size = 32
batch_size = 2
learning_rate = 0.02
"network.depth" = 1
"network.width" = 4

[[axes]]
key = "preprocess"
values = ["percentile", "zscore"]

[[axes]]
key = "loss"
values = ["soft_iou", "bce"]
"""


def make_study(
    folder: Path, text: str = TWO_BY_TWO, splits: tuple[str, ...] = SPLITS
) -> tuple[Path, StudyFolder]:
    """A project of small images, and a study on it that was not started."""
    path = folder / "Zellen ü.orgseg"
    if not path.exists():
        make_project(path, splits)
    with ProjectFile.open(path, read_only=True) as project_file:
        return path, prepare_study(project_file, study_from_toml(text))


def confusion(iou: float) -> list[list[int]]:
    """A matrix of 10,000 voxels of the class with this IoU."""
    hits = round(10_000 * iou)
    return [[5000, 0], [10_000 - hits, hits]]


def finish(run: RunFolder, iou_of: Callable[[dict[str, Any]], float]) -> None:
    """Let a run have finished with an IoU for each of its validation and test images."""
    images = [
        {
            "image": image["name"],
            "image_id": image["id"],
            "sha256": image["sha256"],
            "split": image["split"],
            "confusion": confusion(iou_of(image)),
        }
        for image in run.request["images"]
        if image["split"] != "train"
    ]
    classes = [{"id": 1, "name": "background"}, {"id": 2, "name": "blob"}]
    write_json(run.metrics_path, {"classes": classes, "images": images, "seconds": 3.0})
    run.best_path.write_bytes(b"weights")
    with EventWriter(run.events_path) as events:
        events.write("started", steps=12, step=0)
        events.write("finished", run=run.run_id, message="done")


class Jobs:
    """In place of `launcher.start`: jobs that end at once, as they are told to.

    Attributes
    ----------
    started : list of int
        Numbers of the cells whose jobs were started, in order.
    ends : dict of int to list of str
        Number of a cell → how its first, second… job ends; ``"finished"`` where nothing is said.
    scores : callable
        Run and image → IoU.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.started: list[int] = []
        self.ends: dict[int, list[str]] = {}
        self.scores: Callable[[RunFolder, Mapping[str, Any]], float] = lambda run, image: 0.5
        self.on_start: Callable[[RunFolder], object] = lambda run: None
        monkeypatch.setattr(launcher, "start", self.start)

    def start(self, run: RunFolder) -> int:
        number = run.request["study"]["number"]
        self.started.append(number)
        self.on_start(run)
        ends = self.ends.get(number) or ["finished"]
        end = ends.pop(0)
        if end == "finished":
            finish(run, lambda image: self.scores(run, image))
            return 1
        with EventWriter(run.events_path) as events:
            events.write("started", steps=12, step=0)
            if end != "lost":
                events.write(end, run=run.run_id, message=f"{end}, as told")
        # Of a process that is gone.
        write_json(run.process_path, {"pid": 2**22 + 1, "create_time": 1.0, "path": "gone"})
        return 1


def places_of(run: RunFolder) -> dict[str, str]:
    """Where a run lies on the axes of its study."""
    return dict(run.request["study"]["places"])
