"""The table of runs in the Compare workspace, 200 runs on 200 test images, in the real window.

Opening is from the click on the workspace to the end of the first frame in which the rows stand,
sorting from the click on a column's title to the end of its frame. Each opening is of a window that
was just started, on a project whose runs were scored before: their jobs left `runs.kept_scores`
beside ``metrics.json``. The first opening of runs that lack it (of an older OrgSeg) is given, too.
The window is offscreen.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from tests.benchmarks import on_canvas  # noqa: E402
from tests.benchmarks.figure import Figure  # noqa: E402

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.runs.folder import RunFolder

RUNS, IMAGES, SIDE = 200, 200, 512
TIMES = 5
GOALS_MS = {"opened": 500.0, "sorted": 50.0}
TEMPLATES = 12
CLASSES = ("ER", "nucleus")
LOSSES = ("bce", "dice", "focal", "tversky", "soft_iou")
STEPS = ("percentile", "minmax", "zscore", "clahe", "clahe+gaussian")
WIDTHS, SEEDS = (16, 32), 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """Fewer runs, for a quick look."""
    parser.add_argument("--compared-runs", type=int, default=RUNS, help="of compare_table")
    parser.add_argument("--compared-images", type=int, default=IMAGES, help="of compare_table")


def measure(say: Callable[[str], None], options: argparse.Namespace) -> Iterator[Figure]:
    """Milliseconds: opened and sorted against `GOALS_MS`, and the opening of older runs."""
    runs, images = options.compared_runs, options.compared_images
    with tempfile.TemporaryDirectory() as folder:
        say(f"making {runs} runs on {images} images")
        project = make(Path(folder) / "cells.orgseg", runs, images)
        found: dict[str, list[float]] = {}
        for number in range(TIMES + 1):
            for line in _child(project, "older" if number == 0 else "kept"):
                say(f"{line['figure']}: {line['median']:.0f} ms")
                found.setdefault(line["figure"], []).append(line["median"])
        for name, values in found.items():
            goal = GOALS_MS.get(name.partition("_")[0]) if name != "opened_older" else None
            median = float(np.median(values))
            yield Figure(
                name=f"compare_table.{name}",
                value=median,
                unit="ms",
                n=len(values),
                goal=f"<= {goal:g} ms" if goal else "",
                met=median <= goal if goal else None,
                note=f"{runs} runs × {images} images; at most {max(values):.0f} ms",
            )


def _child(project: Path, what: str) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "ORGSEG_HOME": home, "QT_QPA_PLATFORM": "offscreen"}
        done = subprocess.run(
            [sys.executable, __file__, str(project), what],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


# -- the project -----------------------------------------------------------------------------------


def make(path: Path, runs: int = RUNS, images: int = IMAGES) -> Path:
    """A project with test images, and runs that were scored on all of them."""
    from orgseg_app.core.classes import default_classes
    from orgseg_app.core.image import open_array
    from orgseg_app.files.project_file import NewImage, ProjectFile
    from tests.gui.recorded_runs import image_facts, make_pixels

    pictures = [make_pixels(number, SIDE, len(CLASSES)) for number in range(4)]
    with ProjectFile.create(path, default_classes(CLASSES)) as file:
        items = []
        for number in range(images + 2):
            pixels, mask = pictures[number % len(pictures)]
            split = ("train", "validation")[number] if number < 2 else "test"
            shifted = np.roll(pixels, number, 0).astype(np.uint8)
            items.append(NewImage(open_array(f"cell_{number:03}", shifted), split, mask))
        file.add_images(items)
        facts = image_facts(file, list(file.project.images))
        for fact in facts:
            fact["objects_sha256"] = ""
        templates = [_entry(number) for number in range(TEMPLATES)]
        for number in range(runs):
            record(file, number, facts, templates)
    return path


def _entry(number: int) -> dict[str, Any]:
    """What a job writes about one image, for a model of some quality."""
    from orgseg_app.core.metrics.judging import facts_of_image
    from orgseg_app.core.metrics.thresholds import rated
    from tests.gui.recorded_runs import make_pixels, predicted

    _, mask = make_pixels(number, 192, len(CLASSES))
    truth = mask[None]
    guess = predicted(truth, 0.6 + 0.03 * number, number)
    dice = np.random.default_rng(number)
    sure = {i: np.clip(dice.normal(60 + 140 * (guess == i), 40), 0, 255) for i in (2, 3)}
    probable = {i: rated(truth, values.astype(np.uint8), i) for i, values in sure.items()}
    return facts_of_image(truth, guess, [1, 2, 3], rated=probable)


def record(
    file: ProjectFile, number: int, facts: list[dict[str, Any]], templates: list[dict[str, Any]]
) -> RunFolder:
    """One run, as its job leaves it."""
    from orgseg_app.runs.folder import RunFolder, runs_dir
    from orgseg_app.runs.kept_scores import write_metrics
    from orgseg_app.runs.recipes.presets import PRESETS
    from orgseg_app.runs.recipes.settings import with_settings
    from tests.gui.recorded_runs import START, class_facts, record_events

    cell, seed = divmod(number, SEEDS)
    loss, step = LOSSES[cell % len(LOSSES)], STEPS[cell // len(LOSSES) % len(STEPS)]
    width = WIDTHS[cell // (len(LOSSES) * len(STEPS)) % len(WIDTHS)]
    settings = [f"loss={loss}", f"preprocess={step}", f"network.width={width}", f"seed={seed}"]
    run = RunFolder.create(
        runs_dir(file.path),
        name=f"{loss} {step.partition(':')[0]} {width} seed {seed + 1} of {SEEDS}",
        kind="train",
        recipe=with_settings(PRESETS["fast"], settings),
        project_uuid=file.project.uuid,
        extra={"images": facts, "classes": class_facts(file), "created": START + number},
    )
    dice = random.Random(number)
    record_events(run, quality=0.8, steps=400, class_ids=(2, 3), seed=number)
    run.best_path.write_bytes(b"recorded")
    images = []
    for fact in facts:
        if fact["split"] != "test":
            continue
        kept = templates[min(TEMPLATES - 1, (number % 8) + dice.randrange(5))]
        matrix = np.array(kept["confusion"]) + np.array(
            [[dice.randrange(300) for _ in range(3)] for _ in range(3)]
        )
        images.append(
            {
                "image": fact["name"],
                "image_id": fact["id"],
                "sha256": fact["sha256"],
                "split": "test",
                **kept,
                "confusion": matrix.tolist(),
            }
        )
    facts_of_run = {
        "run": run.run_id,
        "classes": class_facts(file),
        "images": images,
        "refused": [],
        "seconds": 50.0 + number,
        "seconds_per_megapixel": 1.4,
        "model_facts": {"parameters": 480_000 + number, "memory_bytes": 10**9, "device": "CPU"},
    }
    write_metrics(run, facts_of_run)
    return run


# -- the window ------------------------------------------------------------------------------------


class _Window:
    """The real window on the project, before Compare was opened."""

    def __init__(self, project: Path) -> None:
        from PySide6.QtWidgets import QApplication

        from orgseg_app.gui.main_window import MainWindow
        from orgseg_app.gui.style import theme
        from orgseg_app.settings import Settings

        self.app: Any = QApplication.instance() or QApplication([])
        theme.apply(self.app, "light")
        self.window = MainWindow(Settings())
        self.window.resize(1280, 800)
        self.window.show()
        self.window.session.open_project(project)
        self.parts = self.window.ensure_parts()
        runs = self.parts.runs
        self.until(lambda: runs.all() and all(entry.message for entry in runs.all()))
        self.rest(1.0)

    def until(self, done: Callable[[], object]) -> None:
        end = time.monotonic() + 600
        while not done():
            assert time.monotonic() < end
            self.app.processEvents()
            time.sleep(0.0005)

    def rest(self, seconds: float = 0.5) -> None:
        """Until nothing is under way."""
        end = time.monotonic() + seconds
        background = self.window.session.background
        self.until(lambda: background.is_idle and time.monotonic() > end)

    def open(self) -> float:
        """Milliseconds from the workspace's button to the frame that has all rows."""
        table = self.parts.results.table
        begin = time.perf_counter()
        self.window.show_workspace("compare")
        self.until(lambda: table.results.rowCount())
        self.app.processEvents()
        table.viewport().repaint()
        return 1000 * (time.perf_counter() - begin)

    def sort(self) -> list[float]:
        """Milliseconds from a click on a title to the end of its frame, every column twice."""
        table = self.parts.results.table
        taken = []
        for column in range(len(table.results.columns)):
            for _ in range(2):
                begin = time.perf_counter()
                table.sort_by(column)
                table.viewport().repaint()
                taken.append(1000 * (time.perf_counter() - begin))
                self.app.processEvents()
        return taken

    def close(self) -> None:
        self.rest()
        self.window.session.close_project()
        self.window.close()
        self.app.processEvents()


def main() -> int:
    """One window on a project."""
    project, what = Path(sys.argv[1]), sys.argv[2]
    window = _Window(project)
    if what == "older":
        on_canvas.emit("opened_older", [window.open()])
    else:
        on_canvas.emit("opened", [window.open()])
        window.rest()
        on_canvas.emit("sorted", window.sort())
    window.close()
    return 0


if __name__ == "__main__":
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    sys.exit(main())
