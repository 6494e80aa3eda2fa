"""Projects with recorded runs: run folders as a job leaves them, made in milliseconds.

Images are discs and tubes on noise; predictions are the truth, shifted and nibbled at by an amount
that stands for how good the run is. Scores are computed from them as the job computes them.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orgseg_app.core.classes import default_classes
from orgseg_app.core.image import OpenedImage
from orgseg_app.core.metrics.judging import RatedCounter, facts_of_image
from orgseg_app.core.metrics.pixels import scores
from orgseg_app.core.metrics.thresholds import RatedVoxels
from orgseg_app.files.predictions import Prediction, write_predictions
from orgseg_app.files.project_file import NewImage, ProjectFile
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.runs.training_thread import TrainingThread
from orgseg_app.gui.session import Session
from orgseg_app.runs.events import EventWriter
from orgseg_app.runs.folder import RunFolder, runs_dir
from orgseg_app.runs.process import write_json
from orgseg_app.runs.recipes.presets import PRESETS
from orgseg_app.runs.recipes.schema import Recipe

SPLITS = ("train", "train", "train", "validation", "test", "test", "test")
START = 1_760_000_000.0


def make_pixels(seed: int, side: int, class_count: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey values ``(Y, X)`` uint16 and class ids ``(Y, X)`` uint8 of one simulated image."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    mask = np.ones((side, side), np.uint8)
    for number in range(9 * class_count):
        cy, cx = random.uniform(0, side, 2)
        radius = random.uniform(0.02, 0.07) * side
        mask[(y - cy) ** 2 + (x - cx) ** 2 < radius**2] = 2 + number % class_count
    light = np.where(mask > 1, 700.0 + 300.0 * mask, 400.0) * (1 + 0.2 * np.sin(x / side * 3))
    return random.poisson(light).astype(np.uint16), mask


def opened_image(name: str, pixels: np.ndarray) -> OpenedImage:
    """`pixels` ``(Z, Y, X)`` or ``(Y, X)`` as a reader would give them."""
    volume = pixels[None, None] if pixels.ndim == 2 else pixels[None]
    return OpenedImage(
        name=name,
        source=f"{name}.tif",
        shape=volume.shape,
        dtype=volume.dtype,
        is_rgb=False,
        channel_names=("channel 1",),
        pixel_size_um=None,
        read_plane=lambda z: volume[:, z],
    )


def make_project(
    path: Path,
    *,
    class_names: Sequence[str] = ("ER",),
    splits: Sequence[str] = SPLITS,
    side: int = 96,
) -> ProjectFile:
    """A project with one fully painted image for each split named."""
    file = ProjectFile.create(path, default_classes(class_names))
    items = []
    for number, split in enumerate(splits, 1):
        pixels, mask = make_pixels(number, side, len(class_names))
        items.append(NewImage(opened_image(f"cell_{number:02}", pixels), split, mask))
    file.add_images(items)
    return file


def predicted(truth: np.ndarray, quality: float, seed: int) -> np.ndarray:
    """Truth ``(Z, Y, X)`` shifted, with flipped blocks: the worse, the lower `quality` (0…1)."""
    random = np.random.default_rng(seed)
    shift = round((1 - quality) * 8)
    mask = np.roll(truth, (shift, -shift), (1, 2))
    mask[mask == 0] = 1
    depth, height, width = mask.shape
    classes = np.unique(mask)
    for _ in range(round((1 - quality) * 30)):
        y, x = random.integers(0, height - 6), random.integers(0, width - 6)
        mask[random.integers(depth), y : y + 6, x : x + 6] = random.choice(classes)
    return mask


def record_events(
    run: RunFolder,
    *,
    quality: float,
    steps: int,
    upto: int | None = None,
    every: int = 4,
    end: str = "finished",
    message: str = "",
    class_ids: Sequence[int] = (2,),
    seed: int = 0,
) -> None:
    """Write the events of a training: as far as step `upto`, ended as `end` ("" is not ended)."""
    random = np.random.default_rng(seed)
    last, best = upto or steps, -1.0
    with EventWriter(run.events_path) as events:
        events.write("state", state="queued")
        events.write("state", state="running")
        events.write(
            "started",
            time=START,
            device="CPU · 2 threads · bf16",
            parameters=481_234,
            steps=steps,
            images={"train": 3, "validation": 1, "test": 3},
        )
        for step in range(every, last + 1, every):
            share = step / steps
            loss = 0.12 + (1 - quality) + 0.7 * math.exp(-5 * share) + random.normal(0, 0.035)
            events.write(
                "step",
                step=step,
                loss=max(0.01, loss),
                learning_rate=0.002 * (1 - share),
                patches_per_s=61.5 + random.normal(0, 1.5),
                memory_bytes=1.24e9,
                gpu_memory_bytes=None,
                seconds_left=(steps - step) * 0.13,
            )
            if step % (steps // 10) < every:
                iou = quality * (1 - math.exp(-5 * share)) + random.normal(0, 0.012)
                events.write(
                    "validation",
                    step=step,
                    loss=max(0.02, loss + 0.05),
                    iou={str(i): iou for i in class_ids},
                    mean_iou=iou,
                    interval=[iou - 0.06, min(1.0, iou + 0.05)],
                    units="planes",
                    unit_count=6,
                    best=iou > best,
                )
                best = max(best, iou)
        if end:
            events.write(
                end,
                time=START + 0.13 * last,
                run=run.run_id,
                message=message or "The best state is kept.",
                validation={"mean_iou": best},
                test=None,
            )


def record_run(
    file: ProjectFile,
    name: str,
    *,
    recipe: Recipe | None = None,
    quality: float = 0.8,
    steps: int = 400,
    end: str = "finished",
    upto: int | None = None,
    images: Sequence[str] | None = None,
    scored: Sequence[str] | None = None,
    with_predictions: bool = True,
    created: float | None = None,
    message: str = "",
    seed: int = 0,
) -> RunFolder:
    """A run as it lies on disk after it ended.

    Parameters
    ----------
    images
        Ids of the images it was given; all by default.
    scored
        Ids of the images it was scored on; by default those of the test split.
    """
    recipe = recipe or PRESETS["fast"]
    project = file.project
    ids = list(project.images) if images is None else list(images)
    run = RunFolder.create(
        runs_dir(file.path),
        name=name,
        kind="train",
        recipe=recipe,
        project_uuid=project.uuid,
        extra={"images": image_facts(file, ids), "classes": class_facts(file)},
    )
    if created is not None:
        write_json(run.path / "request.json", run.request | {"created": created})
    class_ids = [c.class_id for c in project.classes if c.class_id > 1]
    record_events(
        run,
        quality=quality,
        steps=steps,
        upto=upto,
        end=end,
        message=message,
        class_ids=class_ids,
        seed=seed,
    )
    run.best_path.write_bytes(b"recorded")
    if end in ("finished", "stopped"):
        wanted = [i for i in ids if project.images[i].split == "test"]
        record_scores(
            file,
            run,
            wanted if scored is None else list(scored),
            quality=quality,
            with_predictions=with_predictions,
            seed=seed,
        )
    return RunFolder(run.path)


def record_scores(
    file: ProjectFile,
    run: RunFolder,
    image_ids: Sequence[str],
    *,
    quality: float,
    with_predictions: bool = True,
    seed: int = 0,
) -> None:
    """Write `metrics.json` and `predictions.h5` of a run."""
    class_ids = list(file.project.class_ids)
    images: list[dict[str, Any]] = []
    predictions = []
    for number, image_id in enumerate(image_ids):
        image = file.project.images[image_id]
        truth = file.load_mask(image_id).to_array()
        guess = predicted(truth, quality - 0.03 * (number % 3), seed + number)
        predictions.append(Prediction(image_id, guess))
        images.append(
            {
                "image": image.name,
                "image_id": image_id,
                "sha256": image.sha256,
                "mask_sha256": file.mask_sha256(image_id),
                "split": "test",
                **facts_of_image(
                    truth,
                    guess,
                    class_ids,
                    pixel_size_um=image.pixel_size_um,
                    rated=rated_by(truth, guess, class_ids, seed + number),
                ),
            }
        )
    pooled = scores(np.sum([i["confusion"] for i in images], axis=0), class_ids) if images else None
    write_json(
        run.metrics_path,
        {
            "run": run.run_id,
            "classes": class_facts(file),
            "images": images,
            "validation": pooled,
            "test": pooled,
            "seconds": 52.0,
            "seconds_per_megapixel": 1.4,
        },
    )
    if with_predictions and predictions:
        write_predictions(run.predictions_path, predictions)


def rated_by(
    truth: np.ndarray, guess: np.ndarray, class_ids: Sequence[int], seed: int
) -> dict[int, RatedVoxels]:
    """Voxels by probability, of a model that is mostly sure of what it predicts."""
    random = np.random.default_rng(seed)
    sure = random.integers(100, 256, guess.shape)
    rest = (255 - sure) // max(1, len(class_ids) - 1)
    probabilities = np.array([np.where(guess == i, sure, rest) for i in class_ids], np.uint8)
    counter = RatedCounter(class_ids[1:])
    counter.add(truth, probabilities, class_ids)
    return counter.rated()


def class_facts(file: ProjectFile) -> list[dict[str, Any]]:
    """Classes as `request.json` lists them."""
    return [{"id": c.class_id, "name": c.name, "colour": c.colour} for c in file.project.classes]


def image_facts(file: ProjectFile, image_ids: Sequence[str]) -> list[dict[str, Any]]:
    """Images as `request.json` lists them."""
    return [
        {
            "id": image.image_id,
            "name": image.name,
            "split": image.split,
            "sha256": image.sha256,
            "mask_sha256": file.mask_sha256(image.image_id),
            "shape": list(image.shape),
        }
        for image in (file.project.images[i] for i in image_ids)
    ]


def append_events(run: RunFolder, *events: dict[str, Any]) -> None:
    """Let a recorded run go on."""
    with EventWriter(run.events_path) as writer:
        for event in events:
            writer.write(event["event"], **{k: v for k, v in event.items() if k != "event"})


def pretend_alive(run: RunFolder) -> None:
    """Let this very process pass for the run's job."""
    run.write_process(os.getpid())
    assert run.is_active, (run.state, time.time())


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[World]:
    """A session with a project, its training thread and its runs model, closed at the end."""
    world = World()
    try:
        if path is not None:
            world.session.open_project(path)
        yield world
    finally:
        assert world.thread.stop()
        world.session.close_project()
        world.session.background.wait()


class World:
    """What the window holds of runs, without a window."""

    def __init__(self) -> None:
        self.session = Session()
        self.thread = TrainingThread()
        self.runs = RunsModel(self.session, self.thread)
        self.messages: list[tuple[str, str]] = []
        self.session.message.connect(lambda text, level: self.messages.append((level, text)))
        self.thread.start()

    def named(self, name: str) -> RunEntry:
        """The run of this name."""
        return next(entry for entry in self.runs.all() if entry.name == name)

    @property
    def is_read(self) -> bool:
        """Whether every run's history has arrived."""
        found = self.runs.all()
        return bool(found) and all(entry.steps or entry.message for entry in found)
