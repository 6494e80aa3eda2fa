"""The brush: which voxels a footprint covers on its way from one point to the next."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]
"""(y, x) in voxels; the centre of the first voxel is (0.5, 0.5)."""

MAX_SIZE = 1000


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
    y0, x0 = math.floor(min(ay, by) - radius), math.floor(min(ax, bx) - radius)
    y1, x1 = math.ceil(max(ay, by) + radius), math.ceil(max(ax, bx) + radius)
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - ay)
    dx = np.arange(x0, x1, dtype=np.float32)[None, :] + np.float32(0.5 - ax)
    vy, vx = by - ay, bx - ax
    if square:
        low_y, high_y = _reach(dy, vy, radius)
        low_x, high_x = _reach(dx, vx, radius)
        low = np.maximum(np.maximum(low_y, low_x), 0)
        return y0, x0, low <= np.minimum(np.minimum(high_y, high_x), 1)
    length_squared = vy * vy + vx * vx
    if length_squared:
        along = dy * np.float32(vy / length_squared) + dx * np.float32(vx / length_squared)
        np.clip(along, 0, 1, out=along)
        dy = dy - along * np.float32(vy)
        dx = dx - along * np.float32(vx)
    return y0, x0, dy * dy + dx * dx <= np.float32(radius * radius + 1e-4)


def _reach(
    offset: NDArray[np.float32], step: float, radius: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Between which fractions of the way the footprint covers a coordinate."""
    if step == 0:
        inside = np.abs(offset) <= radius
        low = np.where(inside, np.float32(-np.inf), np.float32(np.inf))
        return low.astype(np.float32), (-low).astype(np.float32)
    one, other = (offset - radius) / np.float32(step), (offset + radius) / np.float32(step)
    return np.minimum(one, other), np.maximum(one, other)
