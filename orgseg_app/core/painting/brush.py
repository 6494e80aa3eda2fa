"""The brush: which voxels a footprint covers on its way from one point to the next."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
"""(y, x) in voxels; the centre of the first voxel is (0.5, 0.5)."""

MAX_SIZE = 1000

_TOLERANCE = 1e-4  # of the squared radius, so that rounding never costs a voxel on the rim


def snapped(point: Point, size: int) -> Point:
    """The point moved so that the footprint covers whole voxels the same way everywhere.

    To a voxel's centre for odd sizes, to a corner for even ones.

    >>> snapped((3.2, 4.9), 1), snapped((3.2, 4.9), 2)
    ((3.5, 4.5), (3.0, 5.0))
    """
    y, x = point
    if size % 2:
        return math.floor(y) + 0.5, math.floor(x) + 0.5
    return float(math.floor(y + 0.5)), float(math.floor(x + 0.5))


def swept(
    start: Point, end: Point, size: int, *, square: bool = False
) -> tuple[int, int, NDArray[np.bool_]]:
    """Voxels covered by a footprint moved in a straight line.

    A voxel is covered when its centre lies within ``size / 2`` of the line between the snapped
    points: in Euclidean distance for the round brush, in the larger of the two coordinates for the
    square one.

    Returns
    -------
    y0, x0
        Corner of ``where`` in the image.
    where
        ``(h, w)`` bool.

    >>> swept((0.5, 0.5), (0.5, 2.5), 1)[2].astype(int).tolist()
    [[1, 1, 1]]
    """
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"The brush size lies between 1 and {MAX_SIZE} voxels, not {size}.")
    (ay, ax), (by, bx) = snapped(start, size), snapped(end, size)
    radius = size / 2
    if not square:
        return capsule((ay, ax), (by, bx), radius)
    y0, x0 = math.floor(min(ay, by) - radius), math.floor(min(ax, bx) - radius)
    y1, x1 = math.ceil(max(ay, by) + radius), math.ceil(max(ax, bx) + radius)
    dy = np.arange(y0, y1, dtype=np.float64) + np.float64(0.5 - ay)
    dx = np.arange(x0, x1, dtype=np.float64) + np.float64(0.5 - ax)
    low_y, high_y = _reach(dy[:, None], by - ay, radius)
    low_x, high_x = _reach(dx[None, :], bx - ax, radius)
    low = np.maximum(np.maximum(low_y, low_x), 0)
    return y0, x0, low <= np.minimum(np.minimum(high_y, high_x), 1)


def capsule(start: Point, end: Point, radius: float) -> tuple[int, int, NDArray[np.bool_]]:
    """Voxels whose centre lies within any ``radius`` of the line between two points as they are.

    Returns
    -------
    y0, x0, where
        As `swept`, which snaps its points and gives a brush of whole voxels.
    """
    (ay, ax), (by, bx) = start, end
    y0, x0 = math.floor(min(ay, by) - radius), math.floor(min(ax, bx) - radius)
    y1, x1 = math.ceil(max(ay, by) + radius), math.ceil(max(ax, bx) + radius)
    dy = np.arange(y0, y1, dtype=np.float64) + (0.5 - ay)
    dx = np.arange(x0, x1, dtype=np.float64) + (0.5 - ax)
    left, right = _row_ends(dy, by - ay, bx - ax, math.sqrt(radius * radius + _TOLERANCE))
    return y0, x0, (dx >= left[:, None]) & (dx <= right[:, None])


def pieces(start: Point, end: Point, longest: float) -> list[tuple[Point, Point]]:
    """A line cut into equal parts, none longer than ``longest`` voxels.

    >>> pieces((0, 0), (0, 4), 2)
    [((0.0, 0.0), (0.0, 2.0)), ((0.0, 2.0), (0.0, 4.0))]
    """
    count = max(1, math.ceil(math.dist(start, end) / longest))
    (ay, ax), (by, bx) = start, end
    stops = [(ay + (by - ay) * i / count, ax + (bx - ax) * i / count) for i in range(count + 1)]
    return list(itertools.pairwise(stops))


def _row_ends(
    dy: NDArray[np.float64], vy: float, vx: float, radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where each row enters and leaves a disk swept from the origin along ``(vy, vx)``.

    The swept shape is convex, so a row meets it in one stretch. At way t the disk's left end on row
    y is ``t vx - sqrt(r² - (y - t vy)²)``, convex in t: its least value is where the derivative is
    zero, or at an end of the ways on which the disk reaches the row.
    """
    if vy:
        one, other = (dy - radius) / vy, (dy + radius) / vy
        first = np.maximum(np.minimum(one, other), 0)
        last = np.minimum(np.maximum(one, other), 1)
        tangent = radius * vx * math.copysign(1, vy) / math.hypot(vy, vx)
        at_left = np.clip((dy - tangent) / vy, first, np.maximum(first, last))
        at_right = np.clip((dy + tangent) / vy, first, np.maximum(first, last))
    else:
        first, last = np.zeros_like(dy), np.ones_like(dy)
        at_left = np.full_like(dy, 0.0 if vx > 0 else 1.0)
        at_right = 1 - at_left
    ends = []
    for way, side in ((at_left, -1), (at_right, 1)):
        half = np.sqrt(np.maximum(radius * radius - (dy - way * vy) ** 2, 0))
        ends.append(way * vx + side * half)
    missed = (first > last) | (np.abs(dy - at_left * vy) > radius * (1 + 1e-12))
    ends[0][missed] = np.inf
    return ends[0], ends[1]


def _reach(
    offset: NDArray[np.float64], step: float, radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Between which fractions of the way the footprint covers a coordinate."""
    if step == 0:
        inside = np.abs(offset) <= radius
        low = np.where(inside, -np.inf, np.inf)
        return low, -low
    one, other = (offset - radius) / step, (offset + radius) / step
    return np.minimum(one, other), np.maximum(one, other)
