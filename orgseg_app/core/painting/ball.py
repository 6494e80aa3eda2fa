"""The ball: a brush with depth, as round in micrometres as the pixel size allows."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.painting.brush import MAX_SIZE, Point, capsule, snapped

_TOLERANCE = 1e-4  # of the squared radius, as in `brush`


def plane_distance(pixel_size_um: tuple[float, float, float] | None) -> float:
    """How far apart two planes are, in voxels of the plane; 1 where the image does not say.

    >>> plane_distance((0.5, 0.1, 0.1))
    5.0
    """
    if pixel_size_um is None or min(pixel_size_um) <= 0:
        return 1.0
    z, y, x = pixel_size_um
    return z / ((y + x) / 2)


def discs(size: int, distance: float) -> list[tuple[int, float]]:
    """Which planes a ball cuts and how wide: ``(planes from the middle one ≥ 0, radius)``.

    Parameters
    ----------
    size
        Diameter in voxels of the plane.
    distance
        From plane to plane, in voxels of the plane.

    >>> discs(5, 2.0)
    [(0, 2.5), (1, 1.5)]
    """
    if not 1 <= size <= MAX_SIZE:
        raise ValueError(f"The brush size lies between 1 and {MAX_SIZE} voxels, not {size}.")
    squared = size * size / 4
    found = [(0, size / 2)]
    for offset in range(1, math.floor(size / 2 / distance + _TOLERANCE) + 1):
        left = squared - (offset * distance) ** 2
        if left + _TOLERANCE < 0:
            break
        found.append((offset, math.sqrt(max(left, 0.0))))
    return found


def swept(
    start: Point, end: Point, size: int, distance: float, below: int, above: int
) -> Iterator[tuple[int, int, int, NDArray[np.bool_]]]:
    """Voxels covered by a ball moved in a straight line within one plane, disc by disc.

    A voxel is covered when its centre lies within ``size / 2`` of the line between the snapped
    points, depth counted in voxels of the plane. The middle plane comes first: it is the one that
    is looked at.

    Parameters
    ----------
    distance
        From `plane_distance`.
    below, above
        How many planes there are before and after the middle one; discs beyond are left out.

    Yields
    ------
    offset
        Planes from the middle one, negative before it.
    y0, x0, where
        Corner in the image, and ``(h, w)`` bool.
    """
    a, b = snapped(start, size), snapped(end, size)
    for offset, radius in discs(size, distance):
        if offset > below and offset > above:
            return
        y0, x0, where = capsule(a, b, radius)
        if offset <= above:
            yield offset, y0, x0, where
        if 0 < offset <= below:
            yield -offset, y0, x0, where
