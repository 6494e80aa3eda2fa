"""Trainings for benchmarks: a project made of images, a real job in a child process, its scores.

Every training is kept as one JSON file in a folder (``--kept``), named after all that decides it,
so that a benchmark that was stopped goes on where it was. ``--clock cpu`` counts half of the
processor time of one thread instead of seconds: on a busy machine a training then learns about as
much as in the same seconds on two idle cores.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks.real_sets import REAL_SETS, TEST, TRAIN, Labelled  # noqa: E402

CORES = 2
"""Of the machine that seconds of ``--clock cpu`` stand for."""

Paint = Callable[[Labelled, int], NDArray[np.uint8]]
"""``(image, seed) -> mask``: what of an image's mask is painted."""


@dataclass(frozen=True)
class Training:
    """All that decides a training, beside the version of OrgSeg.

    Attributes
    ----------
    images
        A name of `real_sets.REAL_SETS`.
    method
        ``"orgseg"`` or a way of `peer_unet`.
    recipe
        Name of a preset; empty for peers.
    settings
        As on the command line.
    seconds
        Time for learning and for checking the validation images; 0 = as the recipe says.
    seed
        Of the training and of the paint.
    paint
        ``"all"``, or a name that `train` finds in its `paints`.
    clock
        ``"wall"`` or ``"cpu"``.
    """

    images: str
    method: str = "orgseg"
    recipe: str = "fast"
    settings: tuple[str, ...] = ()
    seconds: float = 0.0
    seed: int = 0
    paint: str = "all"
    clock: str = "wall"


@dataclass(frozen=True)
class Outcome:
    """What a training came to, on the test images unless said otherwise.

    Attributes
    ----------
    iou
        By class, over all images together (pooled); None for classes that are nowhere.
    mean_iou
        Mean of these over the classes that the truth holds, background left out.
    per_image
        The same mean for each image alone.
    validation
        `mean_iou` of the validation images.
    seconds
        That it learned for.
    steps
        That it learned for.
    painted
        Share of the training pixels that were painted.
    losses
        ``[step, loss]`` as told.
    """

    iou: dict[str, float | None]
    mean_iou: float
    per_image: list[float]
    validation: float
    seconds: float
    steps: int
    painted: float
    losses: list[list[float]]

    @property
    def mean_per_image(self) -> float:
        """Mean over the images of their own IoU."""
        return float(np.mean(self.per_image))


def add_options(parser: argparse.ArgumentParser) -> None:
    """What all benchmarks that train take."""
    group = parser.add_argument_group("benchmarks that train")
    group.add_argument(
        "--kept",
        type=Path,
        default=Path(tempfile.gettempdir()) / "orgseg-trainings",
        metavar="FOLDER",
        help="where finished trainings are kept and found again",
    )
    group.add_argument("--sets", nargs="+", metavar="NAME", choices=list(REAL_SETS))
    group.add_argument("--seconds", nargs="+", type=float, metavar="S", help="time of a training")
    group.add_argument("--steps", type=int, metavar="N", help="where time does not decide")
    group.add_argument("--seeds", type=int, metavar="N", help="trainings with other luck")
    group.add_argument("--clock", choices=("wall", "cpu"), default="wall")


def here(names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Those sets whose images lie on this machine."""
    for name in names:
        if not REAL_SETS[name].is_here:
            say(f"{name}: left out, for want of ../shared/data/{REAL_SETS[name].folder}")
    return [name for name in names if REAL_SETS[name].is_here]


def offered_first(images: str) -> str:
    """The preset that the window offers first for a set; it depends on how many classes it has."""
    from orgseg_app.gui.panels.preset_cards import preset_order

    return preset_order(len(REAL_SETS[images].classes))[0]


def train(
    training: Training,
    kept: Path,
    say: Callable[[str], None],
    *,
    paints: dict[str, Paint] | None = None,
) -> Outcome:
    """Do a training, or find what it came to when it was done before.

    Raises
    ------
    RuntimeError
        With the job's last words, when it failed.
    """
    key = hashlib.sha256(json.dumps(asdict(training), sort_keys=True).encode()).hexdigest()[:12]
    label = "-".join(filter(None, (training.images, training.method, training.recipe)))
    path = kept / f"{label}-{training.seconds:g}s-{training.paint}-{training.seed}-{key}.json"
    if path.exists():
        return Outcome(**json.loads(path.read_text(encoding="utf-8"))["outcome"])
    say(f"training {path.stem} {' '.join(training.settings)}")
    images = REAL_SETS[training.images].images()
    paint = None if training.paint == "all" else (paints or {})[training.paint]
    masks = [
        image.mask if paint is None or image.split == TEST else paint(image, training.seed)
        for image in images
    ]
    learnt = [mask for image, mask in zip(images, masks, strict=True) if image.split == TRAIN]
    painted = float(sum(np.count_nonzero(m) for m in learnt) / sum(m.size for m in learnt))
    with tempfile.TemporaryDirectory() as folder:
        work = _orgseg if training.method == "orgseg" else _peer
        outcome = work(training, images, masks, Path(folder), painted)
    kept.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"training": asdict(training), "outcome": asdict(outcome)}, indent=1)
    draft = path.with_suffix(".draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return outcome


def _orgseg(
    training: Training,
    images: list[Labelled],
    masks: list[NDArray[np.uint8]],
    folder: Path,
    painted: float,
) -> Outcome:
    """A run of a new project, in the process that the window would start."""
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.images.intake import NewImage
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.launcher import job_environment
    from orgseg_app.runs.recipes.presets import PRESETS
    from orgseg_app.runs.recipes.settings import with_settings
    from orgseg_app.runs.training import prepare_training

    settings = [f"seed={training.seed}", *training.settings]
    if training.seconds:
        settings += [f"max_minutes={training.seconds / 60}", "steps=1000000", "patience=0"]
    recipe = with_settings(PRESETS[training.recipe], settings)
    classes = default_classes(list(REAL_SETS[training.images].classes))
    with ProjectFile.create(folder / "bench.orgseg", classes) as file:
        file.add_images(
            [
                NewImage(open_array(image.name, image.image), image.split, mask=mask)
                for image, mask in zip(images, masks, strict=True)
            ]
        )
        run = prepare_training(file, recipe)
    environment = job_environment() | {"ORGSEG_HOME": str(folder)}
    child(["tests.benchmarks.trained", str(run.path), training.clock], environment, training)
    events = run.events()[0]
    if events[-1]["event"] != "finished":
        raise RuntimeError(f"{training}: {events[-1]}\n{run.log_path.read_text()[-2000:]}")
    metrics = json.loads(run.metrics_path.read_text(encoding="utf-8"))
    matrices = [np.array(e["confusion"]) for e in metrics["images"] if e["split"] == TEST]
    total = np.sum(matrices, axis=0)
    steps = [e for e in events if e["event"] == "step"]
    return Outcome(
        iou=dict(zip([c.name for c in classes[1:]], class_iou(total)[1:], strict=True)),
        mean_iou=mean_iou(total),
        per_image=[mean_iou(m) for m in matrices],
        validation=metrics["validation"]["mean_iou"],
        seconds=metrics["seconds"],
        steps=max([e["step"] for e in steps], default=1),
        painted=painted,
        losses=[[e["step"], e["loss"]] for e in steps if e["loss"] is not None],
    )


def _peer(
    training: Training,
    images: list[Labelled],
    masks: list[NDArray[np.uint8]],
    folder: Path,
    painted: float,
) -> Outcome:
    """The same images, handed to `peer_unet` in a process of its own."""
    from orgseg_app.runs.launcher import job_environment

    data, answer = folder / "images.npz", folder / "answer.json"
    np.savez(
        data,
        splits=np.array([image.split for image in images]),
        **{f"image{n}": image.image for n, image in enumerate(images)},
        **{f"mask{n}": mask for n, mask in enumerate(masks)},
    )
    classes = 1 + len(REAL_SETS[training.images].classes)
    tuned = training.method.endswith("tuned")
    environment = job_environment() if tuned else dict(os.environ)
    arguments = [str(v) for v in (data, answer, training.method, classes, training.seconds)]
    command = ["tests.benchmarks.peer_unet", *arguments, str(training.seed), training.clock]
    child(command, environment, training)
    found = json.loads(answer.read_text(encoding="utf-8"))
    matrices = [np.array(m) for m in found["test"]]
    total = np.sum(matrices, axis=0)
    return Outcome(
        iou=dict(zip(REAL_SETS[training.images].classes, class_iou(total)[1:], strict=True)),
        mean_iou=mean_iou(total),
        per_image=[mean_iou(m) for m in matrices],
        validation=mean_iou(np.sum([np.array(m) for m in found["validation"]], axis=0)),
        seconds=found["seconds"],
        steps=found["steps"],
        painted=painted,
        losses=[],
    )


def child(command: list[str], environment: dict[str, str], training: Training) -> None:
    """Run a module of this repository until it ends, in a process of its own.

    Raises
    ------
    RuntimeError
        With the end of what it said, when it failed.
    """
    if training.clock == "cpu":
        environment = environment | {"ORGSEG_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{training} ended with {done.returncode}:\n{done.stderr[-3000:]}")


def class_iou(confusion: NDArray[np.int64]) -> list[float | None]:
    """IoU of each class of a confusion matrix (rows truth); None where it is nowhere."""
    both = np.diag(confusion)
    either = confusion.sum(axis=0) + confusion.sum(axis=1) - both
    return [float(b / e) if e else None for b, e in zip(both, either, strict=True)]


def mean_iou(confusion: NDArray[np.int64]) -> float:
    """Mean over the classes of the truth other than background.

    What is said of a class that is not there is missing in the others; counted as a class, one
    pixel of it would cost as much as a whole one. Of a truth that holds none: 1 where none is said
    either, else 0.
    """
    found = class_iou(confusion)[1:]
    there = confusion.sum(axis=1)[1:] > 0
    if not there.any():
        return float(all(value is None for value in found))
    return float(np.mean([v or 0.0 for v, is_there in zip(found, there, strict=True) if is_there]))


class ProcessorClock:
    """Stands in for the module ``time`` where a training looks at the clock."""

    @staticmethod
    def monotonic() -> float:
        """Processor seconds of this process, as if shared by `CORES` cores."""
        import time

        return time.process_time() / CORES


def main() -> int:
    """Do the job of a run folder: ``RUN_FOLDER CLOCK``."""
    from orgseg_app.learn.job import run_job

    folder, clock = sys.argv[1:]
    if clock == "cpu":
        from orgseg_app.learn.training import pace

        pace.time = ProcessorClock  # type: ignore[attr-defined]
    return run_job(folder)


if __name__ == "__main__":
    sys.exit(main())
