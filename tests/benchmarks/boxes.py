"""How well the object in a box is found (GrabCut) in annotated microscope images.

Boxes around whole objects with a tenth of room on every side, as a careful hand draws them;
intersection over union with the annotated object counts in the box. The peer is GrabCut as it is
published: voxels alone, told apart by colour, all of the box perhaps the object.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from orgseg_app.core.painting.grabcut import cut, window_around
from tests.benchmarks.figure import Figure

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
SETS = {
    "phase": ("phase_usiigaci", "labels"),
    "dic": ("dic_cho_bbbc030", "filled"),
    "nuclei": ("nuclei_dsb2018", "labels"),
}
BOXES = 25
ROOM = 0.1
LEAST_AREA, LONGEST_SIDE = 300, 380
SHOWN = (0.35, 99.65)  # percentiles shown as black and white

BoxYX = tuple[int, int, int, int]
Task = tuple[NDArray[np.uint8], BoxYX, NDArray[np.bool_]]


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Median IoU of each set that lies at hand, and the seconds of the slowest box."""
    for name, (folder, truth) in SETS.items():
        if not (DATA / folder).is_dir():
            say(f"{folder} is not at hand")
            continue
        say(f"boxes on {name}")
        found, plain, seconds = [], [], []
        for picture, box, where in tasks(DATA / folder, truth):
            start = time.perf_counter()
            y0, x0, y1, x1 = window_around(box, (picture.shape[0], picture.shape[1]))
            inside = (box[0] - y0, box[1] - x0, box[2] - y0, box[3] - x0)
            found.append(iou(cut(picture[y0:y1, x0:x1], inside), where))
            seconds.append(time.perf_counter() - start)
            plain.append(iou(as_published(picture, box), where))
        value, peer = statistics.median(found), statistics.median(plain)
        yield Figure(
            name=f"boxes.{name}",
            value=value,
            unit="IoU",
            n=len(found),
            goal="no worse than as published",
            met=value >= peer,
            peer=peer,
            note=f"means {statistics.mean(found):.2f} and {statistics.mean(plain):.2f}; the "
            f"slowest box {max(seconds):.2f} s",
        )


def tasks(folder: Path, truth: str) -> list[Task]:
    """Pictures as they are shown, boxes in them, and the object in each box; the same each time."""
    found: list[Task] = []
    for path in sorted((folder / "images").iterdir()):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        answer = next((folder / truth).glob(f"{path.stem}.*"))
        labels = np.asarray(cv2.imread(str(answer), cv2.IMREAD_UNCHANGED))
        assert picture is not None
        grey = picture[..., 0] if picture.ndim == 3 else picture
        if picture.ndim == 3 and (picture[..., :3] != grey[..., None]).any():
            continue  # stained tissue, in colour
        labels = labels[..., 0] if labels.ndim == 3 else labels
        if truth == "filled":  # no objects are told apart there
            labels, _ = ndimage.label(labels)
        low, high = np.percentile(grey, SHOWN)
        shown = np.clip((grey - low) / max(high - low, 1e-9) * 255, 0, 255).astype(np.uint8)
        found += [(shown, box, where) for box, where in _boxes(labels)]
    chosen = np.random.default_rng(0).permutation(len(found))[:BOXES]
    return [found[i] for i in chosen]


def _boxes(labels: NDArray[np.generic]) -> Iterator[tuple[BoxYX, NDArray[np.bool_]]]:
    """Around objects that the image's edge does not cut."""
    rows, columns = labels.shape
    for number, place in enumerate(ndimage.find_objects(labels.astype(np.int32)), 1):
        if place is None:
            continue
        (y0, y1), (x0, x1) = ((part.start, part.stop) for part in place)
        if (
            min(y0, x0) == 0
            or y1 == rows
            or x1 == columns
            or max(y1 - y0, x1 - x0) > LONGEST_SIDE
            or (labels[place] == number).sum() < LEAST_AREA
        ):
            continue
        dy, dx = max(2, round(ROOM * (y1 - y0))), max(2, round(ROOM * (x1 - x0)))
        box = (max(0, y0 - dy), max(0, x0 - dx), min(rows, y1 + dy), min(columns, x1 + dx))
        yield box, labels[box[0] : box[2], box[1] : box[3]] == number


def as_published(picture: NDArray[np.uint8], box: BoxYX) -> NDArray[np.bool_]:
    """OpenCV's example: a rectangle, five rounds, a quarter of the box around it."""
    y0, x0, y1, x1 = box
    around = max(8, round(0.25 * max(y1 - y0, x1 - x0)))
    top, left = max(0, y0 - around), max(0, x0 - around)
    part = picture[top : y1 + around, left : x1 + around]
    labels = np.zeros(part.shape, np.uint8)
    rect = (x0 - left, y0 - top, x1 - x0, y1 - y0)
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(np.dstack([part] * 3), labels, rect, *models, 5, cv2.GC_INIT_WITH_RECT)
    return np.asarray((labels & 1)[y0 - top : y1 - top, x0 - left : x1 - left] > 0)


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((found & truth).sum() / (found | truth).sum())
