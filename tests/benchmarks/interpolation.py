"""Interpolating every fifth labelled plane of a real stack: Dice on the planes between, and time.

The stack is ``em_multiclass_epfl6`` of the shared data: 14 FIB-SEM planes with six classes drawn by
hand. Planes 0, 5 and 10 are painted, 1 to 4 and 6 to 9 are interpolated, all classes at once.
Mitochondria are their inside and their boundary together. The peer is the method as it was
published, each class by itself (Raya and Udupa 1990: no components, no centres).
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.edits.slices import whole_gaps
from orgseg_app.core.mask import Mask
from orgseg_app.core.painting.interpolation import gaps, plain
from tests.benchmarks.figure import Figure

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "em_multiclass_epfl6"
PAINTED = (0, 5, 10)
GOAL = 0.9
CLASSES = {
    "mitochondria": (3, 4),
    "mitochondria_inside": (3,),
    "membranes": (2,),
    "synapses": (5,),
    "vesicles": (6,),
    "sheaths": (7,),
}
"""Class ids here: one more than in the files, where 0 has no class."""

Ids = NDArray[np.uint8]


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    """Mean Dice of each class on the planes between, and milliseconds a plane."""
    if not DATA.is_dir():
        say(f"{DATA} is not here; nothing is measured")
        return
    truth = _planes()
    say(f"interpolating between planes of {truth.shape[1:]}")
    ours, seconds = _ours(truth)
    for name, chosen in CLASSES.items():
        shapes = np.isin(truth, chosen)
        scores: dict[str, list[float]] = {"ours": [], "plain": [], "nearest": []}
        for a, b in gaps(PAINTED):
            for z in range(a + 1, b):
                way = (z - a) / (b - a)
                copied = shapes[b if way > 0.5 else a]
                scores["ours"].append(_dice(np.isin(ours[z], chosen), shapes[z]))
                scores["plain"].append(_dice(plain(shapes[a], shapes[b], way), shapes[z]))
                scores["nearest"].append(_dice(copied, shapes[z]))
        value, peer, nearest = map(statistics.mean, scores.values())
        has_goal = name.startswith("mitochondria")
        yield Figure(
            name=f"interpolation.{name}",
            value=value,
            unit="Dice",
            n=len(scores["ours"]),
            goal=f">= {GOAL:g}" if has_goal else "",
            met=value >= GOAL if has_goal else None,
            peer=peer,
            ratio=value / peer,
            note=f"nearest plane {nearest:.3f}; worst plane {min(scores['ours']):.3f}",
        )
    count = sum(b - a - 1 for a, b in gaps(PAINTED))
    yield Figure("interpolation.plane", 1e3 * seconds / count, "ms", n=count)


def _planes() -> Ids:
    """``(Z, Y, X)`` class ids: 1 (none of the classes: background) to 7."""
    found = []
    for path in sorted((DATA / "labels").glob("*.png")):
        read = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        assert read is not None
        found.append((read + 1).astype(np.uint8))
    return np.stack(found)


def _ours(truth: Ids) -> tuple[Ids, float]:
    """What the program makes of the painted planes, and the seconds it takes."""
    painted = np.zeros_like(truth)
    painted[list(PAINTED)] = truth[list(PAINTED)]
    mask = Mask.from_array(painted)
    edit = whole_gaps(mask)
    assert edit is not None
    start = time.perf_counter()
    edit.apply(Recorder("stack", mask))
    return mask.to_array(), time.perf_counter() - start


def _dice(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float(2 * (found & truth).sum() / max(1, found.sum() + truth.sum()))
