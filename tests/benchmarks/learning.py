"""The demo without a window: how long it takes, and how far its networks beat a threshold.

Otsu's threshold is computed here by OpenCV, not by OrgSeg, on the test images of the demo: for each
image by itself and for all together, foreground bright or dark, whichever scores best.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.figure import Figure

ROOT = Path(__file__).resolve().parents[2]
MOST_SECONDS = 240
LEAST_MARGIN = 0.15
PATIENCE_S = 1200


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Wall time of the demo, then for each run its test IoU and its margin over the threshold."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "demo"
        say("running the demo, which takes minutes")
        begin = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "main.py", "demo", "--headless", "--out", str(out)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        seconds = time.perf_counter() - begin
        if done.returncode != 0:
            raise RuntimeError(f"The demo ended with {done.returncode}:\n{done.stderr[-2000:]}")
        yield Figure(
            "learning.demo_seconds",
            seconds,
            "s",
            goal=f"<= {MOST_SECONDS} s on 2 cores",
            met=seconds <= MOST_SECONDS,
        )
        yield from scores_of(out)


def scores_of(out: Path) -> Iterator[Figure]:
    """Test IoU and margin over Otsu's threshold of every run in a demo's folder.

    Raises
    ------
    RuntimeError
        When the folder does not hold what a demo leaves there.
    """
    comparison = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    projects = sorted(out.glob("*.orgseg"))
    if len(projects) != 1 or not comparison["runs"]:
        raise RuntimeError(f"A demo leaves one project and its runs in {out}.")
    thresholds = otsu_iou(projects[0], comparison["images"])
    for run in comparison["runs"]:
        for name, threshold in thresholds.items():
            iou = run["pooled"]["iou"][name]
            run_name = f"learning.{run['name']}.{name}".replace(" ", "_")
            yield Figure(
                f"{run_name}.test_iou",
                iou,
                "IoU",
                n=len(comparison["images"]),
                peer=threshold,
                ratio=iou / threshold,
            )
            yield Figure(
                f"{run_name}.margin",
                iou - threshold,
                "IoU",
                n=len(comparison["images"]),
                goal=f">= {LEAST_MARGIN} above Otsu",
                met=iou - threshold >= LEAST_MARGIN,
            )


def otsu_iou(project: Path, names: list[str]) -> dict[str, float]:
    """Pooled IoU of the best global threshold for every class of a project but background.

    Parameters
    ----------
    project
        A project file.
    names
        Its images that count.
    """
    from orgseg_app.core.classes import BACKGROUND
    from orgseg_app.files.project_file import ProjectFile

    pixels: list[np.ndarray[Any, Any]] = []
    truths: list[np.ndarray[Any, Any]] = []
    with ProjectFile.open(project, read_only=True) as opened:
        for image_id, image in opened.project.images.items():
            if image.name in names:
                pixels.append(opened.read_image(image_id).mean(axis=0))
                truths.append(opened.mask(image_id).to_array())
        classes = [info for info in opened.project.classes if info.class_id != BACKGROUND]
    if len(pixels) != len(names):
        raise RuntimeError("The project lacks some of the images that were compared.")
    together = otsu_threshold(np.concatenate([image.ravel() for image in pixels]))
    bright = (
        [image > otsu_threshold(image) for image in pixels],
        [image > together for image in pixels],
    )
    dark = tuple([~above for above in images] for images in bright)
    return {
        info.name: max(
            pooled_iou(foreground, truths, info.class_id) for foreground in (*bright, *dark)
        )
        for info in classes
    }


def otsu_threshold(values: np.ndarray[Any, Any]) -> float:
    """Otsu's threshold (Otsu, 1979) by OpenCV; values are taken as whole numbers up to 65535."""
    import cv2

    grey = np.clip(np.rint(values), 0, 65535).astype(np.uint16).reshape(1, -1)
    threshold, _ = cv2.threshold(grey, 0, 65535, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return float(threshold)


def pooled_iou(
    foregrounds: list[np.ndarray[Any, Any]], truths: list[np.ndarray[Any, Any]], class_id: int
) -> float:
    """Intersection over union of a class over all images, unlabelled voxels left out."""
    both = either = 0
    for foreground, truth in zip(foregrounds, truths, strict=True):
        found, wanted = foreground & (truth != 0), truth == class_id
        both += int((found & wanted).sum())
        either += int((found | wanted).sum())
    return both / either if either else 0.0
