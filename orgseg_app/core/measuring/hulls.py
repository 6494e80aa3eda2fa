"""What is around an object of a plane: convex area, largest and smallest Feret diameter.

The convex hull is that of the middles of all voxel sides, so that a bar of 1 × 10 voxels is 1 wide
and 10 long; the convex area counts the voxels whose middle lies inside, which for a convex object
is its own area (as scikit-image's ``area_convex``). Everything is worked out in whole numbers.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.measuring.sums import Runs
from orgseg_app.core.stopping import StoppedError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_ASK_EVERY = 512


@dataclass(frozen=True)
class Hulls:
    """Of n objects.

    Attributes
    ----------
    convex_voxels
        ``(n,)`` int64.
    feret_max, feret_min
        ``(n,)`` in the unit of the spacing: the largest distance of two points of the hull, and
        the width of the narrowest gap between parallel lines that it fits through.
    """

    convex_voxels: Ints
    feret_max: Floats
    feret_min: Floats


def hulls_of(
    runs: Runs,
    count: int,
    spacing_yx: tuple[float, float],
    *,
    goes_on: Callable[[], bool] = lambda: True,
) -> Hulls:
    """The hulls of all objects of a plane.

    Parameters
    ----------
    runs, count
        Labels 1…`count`.
    spacing_yx
        Sizes of a voxel.
    goes_on
        Asked now and then; False gives up.

    Raises
    ------
    StoppedError
        When given up.

    Examples
    --------
    >>> from orgseg_app.core.measuring.sums import runs_of
    >>> plane = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 1]], np.int32)
    >>> hulls_of(runs_of(plane), 1, (1.0, 1.0)).convex_voxels.tolist()
    [6]
    """
    labels, rows, first, last = _row_ends(runs)
    bounds = np.searchsorted(labels, np.arange(1, count + 2))
    convex = np.zeros(count, np.int64)
    longest, narrowest = np.zeros(count), np.zeros(count)
    for place, (start, stop) in enumerate(itertools.pairwise(bounds.tolist())):
        if place % _ASK_EVERY == 0 and not goes_on():
            raise StoppedError
        if start == stop:
            continue
        y0, x0 = int(rows[start]), int(first[start:stop].min())
        hull = _hull(rows[start:stop] - y0, first[start:stop] - x0, last[start:stop] - x0)
        convex[place] = _voxels_inside(hull, int(rows[stop - 1]) - y0 + 1)
        longest[place], narrowest[place] = _feret(hull[:, ::-1] / 2 * np.array(spacing_yx))
    return Hulls(convex, longest, narrowest)


def _row_ends(runs: Runs) -> tuple[Ints, Ints, Ints, Ints]:
    """Label, row, first and last column of every row of every object, by label and row."""
    order = np.lexsort((runs.rows, runs.labels))
    labels, rows = runs.labels[order], runs.rows[order]
    if not len(labels):
        return labels, rows, runs.starts, runs.ends
    is_new = np.ones(len(labels), np.bool_)
    is_new[1:] = (np.diff(labels) != 0) | (np.diff(rows) != 0)
    at = np.flatnonzero(is_new)
    first = np.minimum.reduceat(runs.starts[order], at)
    last = np.maximum.reduceat(runs.ends[order], at) - 1
    return labels[at], rows[at], first, last


def _hull(rows: Ints, first: Ints, last: Ints) -> Ints:
    """Corners ``(m, 2)`` of the hull, (x, y) in half voxels, all the way round."""
    import cv2

    y, left, right = 2 * rows, 2 * first, 2 * last
    points = np.concatenate(
        [
            np.stack(pair, axis=1)
            for pair in (
                (left - 1, y),
                (right + 1, y),
                (left, y - 1),
                (left, y + 1),
                (right, y - 1),
                (right, y + 1),
            )
        ]
    ).astype(np.int32)
    return cv2.convexHull(points)[:, 0].astype(np.int64)


def _voxels_inside(hull: Ints, height: int) -> int:
    """How many voxels, whose middles have even coordinates, lie in the hull or on its edge."""
    following = np.roll(hull, -1, axis=0)
    step = following - hull
    turning = np.sum(hull[:, 0] * following[:, 1] - following[:, 0] * hull[:, 1])
    if turning < 0:
        step, hull = -step, following
    slanted = step[:, 1] != 0
    step, start = step[slanted], hull[slanted]
    y = 2 * np.arange(height)[:, None]
    # inside: dx (y - y0) - dy (x - x0) >= 0, so that dy x <= dx (y - y0) + dy x0
    right_of = step[:, 0] * (y - start[:, 1]) + step[:, 1] * start[:, 0]
    dy = 2 * step[:, 1]
    limits = right_of // dy
    upper = np.where(dy > 0, limits, np.iinfo(np.int64).max).min(axis=1)
    ceiling = -(right_of // -dy)
    lower = np.where(dy < 0, ceiling, np.iinfo(np.int64).min).max(axis=1)
    return int(np.maximum(upper - lower + 1, 0).sum())


def _feret(corners: Floats) -> tuple[float, float]:
    """Largest and smallest diameter of a convex polygon ``(m, 2)``."""
    between = corners[:, None] - corners[None, :]
    longest = float(np.sqrt((between**2).sum(axis=2).max()))
    edges = np.roll(corners, -1, axis=0) - corners
    lengths = np.linalg.norm(edges, axis=1)
    edges, lengths = edges[lengths > 0], lengths[lengths > 0]
    normals = np.stack((-edges[:, 1], edges[:, 0]), axis=1) / lengths[:, None]
    along = corners @ normals.T
    return longest, float((along.max(axis=0) - along.min(axis=0)).min())
