"""What the numbers in label images stand for, from a sample of them.

Three meanings are told apart. *Binary*: one value besides 0. *Classes*: few values that recur from
image to image, each in many places. *Instances*: each value is one connected object, and the values
differ from image to image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from orgseg_app.files.annotations.label_image import Labels, count_planes, read_labels
from orgseg_app.files.annotations.pieces import distinct
from orgseg_app.files.annotations.source import MAX_PLAIN_CLASS
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.registry import read_header

T = TypeVar("T")

MAX_SAMPLES = 8
"""Label images looked at."""
MAX_SAMPLED_PLANES = 3
MAX_SCANNED = 300
"""Class images in which rare classes are looked for."""
MAX_SCANNED_PLANES = 64
MAX_MEASURED_VALUES = 64
"""Values of one plane whose connectedness is measured."""
COMPACT = 0.75
"""Mean share of a value's largest connected part above which values count as single objects."""
FEW_CLASSES = 8
"""Up to this many values that are the same in every image are classes, connected or not."""


@dataclass(frozen=True)
class LabelStatistics:
    """What one label image holds.

    Attributes
    ----------
    values
        Values other than 0, ascending.
    compactness
        Mean over the values of the share that the largest connected part has, 0…1.
    background
        Share of the pixels that are 0.
    """

    values: tuple[int, ...]
    compactness: float
    background: float


def sample(things: Sequence[T], limit: int = MAX_SAMPLES) -> list[T]:
    """Up to ``limit`` of the things, evenly spread.

    >>> sample(range(10), 3)
    [0, 4, 9]
    """
    if len(things) <= limit:
        return list(things)
    return [things[round(n * (len(things) - 1) / (limit - 1))] for n in range(limit)]


def look_at(path: Path) -> LabelStatistics | None:
    """Statistics of one label image, of three planes if it has many; None if it cannot be read."""
    try:
        count = count_planes(path)
        planes = None
        if count > MAX_SAMPLED_PLANES:
            planes = sorted({0, count // 2, count - 1})
        labels = read_labels(path, planes)
    except ReadError:
        return None
    return statistics(labels)


def distinct_values(path: Path) -> set[int]:
    """Values other than 0 of a class image, of up to `MAX_SCANNED_PLANES` planes; empty if unread.

    Rare classes are missed by a sample; this is run over (nearly) all images of a set.
    """
    try:
        planes = sample(range(count_planes(path)), MAX_SCANNED_PLANES)
        labels = read_labels(path, planes)
    except ReadError:
        return set()
    if labels.dtype == np.uint8:
        return {int(v) for v in np.flatnonzero(np.bincount(labels.ravel())) if v}
    return {int(v) for v in np.unique(labels) if v}


def statistics(labels: Labels) -> LabelStatistics:
    """Statistics of label values ``(Z, Y, X)``; connectedness is judged in each plane."""
    values = distinct(labels)
    shares = [share for plane in labels for share in _largest_shares(plane)]
    return LabelStatistics(
        values=tuple(int(v) for v in values if v != 0),
        compactness=float(np.mean(shares)) if shares else 1.0,
        background=float((labels == 0).mean()),
    )


def guess(looked: Sequence[LabelStatistics]) -> str:
    """``"binary"``, ``"classes"`` or ``"instances"`` for a set of label images.

    >>> guess([LabelStatistics((255,), 0.2, 0.9)])
    'binary'
    """
    every = {v for statistics in looked for v in statistics.values if v > 0}
    if len(every) <= 1:
        return "binary"
    filled = [s for s in looked if s.values]
    varied = [s for s in filled if not is_plainly_binary(s)]
    if varied and len(varied) < len(filled):
        return guess(varied)
    if len(every) > MAX_PLAIN_CLASS:
        return "instances"
    compactness = float(np.mean([s.compactness for s in filled]))
    if compactness < COMPACT:
        return "classes"
    same_everywhere = len(filled) > 1 and len({s.values for s in filled}) == 1
    if same_everywhere and len(every) <= FEW_CLASSES:
        return "classes"
    if all(len(s.values) == 1 for s in filled) and len(filled) > 1 and max(every) <= FEW_CLASSES:
        return "classes"  # one structure in each image, of different kinds
    counted = max(every) == len(every) or len(every) > FEW_CLASSES
    return "instances" if counted else "classes"


def is_plainly_binary(statistics: LabelStatistics) -> bool:
    """True for one value in several places: neither one object nor one class among others."""
    return statistics.values in ((1,), (255,)) and statistics.compactness < COMPACT


def looks_like_labels(path: Path) -> bool:
    """True if a picture can hardly be anything but a label image."""
    try:
        header = read_header(path)
    except ReadError:
        return False
    if header.dtype == "bool" or header.is_palette:
        return True
    if header.dtype.startswith("float"):
        return False
    looked = look_at(path)
    if looked is None or not looked.values:
        return False
    return len(looked.values) == 1 or (looked.compactness >= COMPACT and looked.background > 0.05)


def _largest_shares(plane: Labels) -> list[float]:
    """For some of the values of a plane, the share of its pixels in its largest connected part."""
    import cv2

    values = np.unique(plane[plane != 0])
    step = max(1, len(values) // MAX_MEASURED_VALUES)
    shares = []
    for value in values[::step]:
        inside = plane == value
        rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
        box = inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        _, _, areas, _ = cv2.connectedComponentsWithStats(box.astype(np.uint8), connectivity=8)
        sizes = areas[1:, cv2.CC_STAT_AREA]
        shares.append(float(sizes.max() / sizes.sum()))
    return shares
