"""Outlines turned into voxels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import BLOCK

STRIP = BLOCK
"""Rows worked out at a time: an outline of any size takes little memory."""

_ON = 1e-6  # voxels: nearer to an outline than this is on it


def polygon(
    points_yx: Sequence[tuple[float, float]], size_yx: tuple[int, int]
) -> tuple[int, int, NDArray[np.bool_]]:
    """Voxels whose centre lies inside or on a closed outline, clipped to an image of ``size_yx``.

    Where the outline crosses itself, the even-odd rule holds.

    Parameters
    ----------
    points_yx
        ``(y, x)`` in voxels; the centre of the first voxel is (0.5, 0.5). Fewer than three points
        give nothing.

    Returns
    -------
    y0, x0, where
        Corner in the image, and ``(h, w)`` bool; empty when nothing is inside.

    >>> polygon([(0.5, 0.5), (0.5, 2.5), (2.5, 0.5)], (9, 9))[2].astype(int).tolist()
    [[1, 1, 1], [1, 1, 0], [1, 0, 0]]
    """
    nothing = np.zeros((0, 0), np.bool_)
    if len(points_yx) < 3:
        return 0, 0, nothing
    corners = np.array(points_yx, np.float64)
    (top, left), (bottom, right) = corners.min(axis=0), corners.max(axis=0)
    y0, x0 = max(0, math.floor(top)), max(0, math.floor(left))
    y1, x1 = min(size_yx[0], math.floor(bottom) + 1), min(size_yx[1], math.floor(right) + 1)
    if y1 <= y0 or x1 <= x0:
        return 0, 0, nothing
    where = np.zeros((y1 - y0, x1 - x0), np.bool_)
    starts = corners - (y0 + 0.5, x0 + 0.5)  # so that centres are whole numbers
    ends = np.roll(starts, -1, axis=0)
    for rows, lefts, rights in (_spans_inside(starts, ends, where.shape), _level(starts, ends)):
        firsts = np.ceil(lefts - _ON).clip(0, where.shape[1]).astype(np.intp)
        lasts = (np.floor(rights + _ON) + 1).clip(0, where.shape[1]).astype(np.intp)
        for row, first, last in zip(rows.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
            if 0 <= row < where.shape[0]:
                where[row, first:last] = True
    return y0, x0, where


_Spans = tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]
"""Rows, and from where to where along each."""


def _spans_inside(
    starts: NDArray[np.float64], ends: NDArray[np.float64], size: tuple[int, ...]
) -> _Spans:
    """Where rows are inside an outline: from each odd crossing to the next even one."""
    low, high = np.minimum(starts[:, 0], ends[:, 0]), np.maximum(starts[:, 0], ends[:, 0])
    first, last = (np.ceil(y).clip(0, size[0]).astype(np.intp) for y in (low, high))
    counts = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(starts)), counts)
    rows = np.arange(len(edge)) - np.repeat(np.cumsum(counts) - counts, counts) + first[edge]
    (ay, ax), (by, bx) = starts[edge].T, ends[edge].T
    crossings = ax + (rows - ay) / (by - ay) * (bx - ax)
    order = np.lexsort((crossings, rows))
    rows, crossings = rows[order], crossings[order]
    return rows[::2], crossings[::2], crossings[1::2]


def _level(starts: NDArray[np.float64], ends: NDArray[np.float64]) -> _Spans:
    """Corners, and edges along a row, that run through centres of voxels."""
    rows = np.round(starts[:, 0])
    on = np.abs(starts[:, 0] - rows) <= _ON
    flat = on & (np.abs(ends[:, 0] - rows) <= _ON)
    other = np.where(flat, ends[:, 1], starts[:, 1])[on]
    here = starts[on, 1]
    return rows[on].astype(np.intp), np.minimum(here, other), np.maximum(here, other)


def dragged_box(
    start: tuple[float, float],
    end: tuple[float, float],
    *,
    square: bool = False,
    from_middle: bool = False,
) -> tuple[int, int, int, int]:
    """Whole voxels between two points of a drag; both points' own voxels belong to it.

    Parameters
    ----------
    start, end
        ``(y, x)`` in voxels; the centre of the first voxel is (0.5, 0.5).
    square
        The longer of the two sides counts for both, away from ``start``.
    from_middle
        ``start`` is the middle: the box reaches as far to the other side.

    Returns
    -------
    y0, x0, y1, x1
        Half-open; may lie outside the image.

    >>> dragged_box((2.5, 2.5), (4.1, 3.9))
    (2, 2, 5, 4)
    >>> dragged_box((2.5, 2.5), (4.1, 3.9), square=True, from_middle=True)
    (0, 0, 5, 5)
    """
    ay, ax = math.floor(start[0]), math.floor(start[1])
    dy, dx = math.floor(end[0]) - ay, math.floor(end[1]) - ax
    if square:
        side = max(abs(dy), abs(dx))
        dy, dx = (-side if dy < 0 else side), (-side if dx < 0 else side)
    by, bx = ay + dy, ax + dx
    if from_middle:
        ay, ax = ay - dy, ax - dx
    return min(ay, by), min(ax, bx), max(ay, by) + 1, max(ax, bx) + 1


def rectangle_rows(
    box: tuple[int, int, int, int], size_yx: tuple[int, int]
) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """The voxels of ``(y0, x0, y1, x1)`` inside an image, in pieces of `STRIP` rows.

    Yields
    ------
    y0, x0, where
        Corner in the image, and ``(h, w)`` bool.
    """
    y0, x0, y1, x1 = (
        max(0, box[0]),
        max(0, box[1]),
        min(size_yx[0], box[2]),
        min(size_yx[1], box[3]),
    )
    if x1 <= x0:
        return
    for top, bottom in _strips(y0, y1):
        yield top, x0, np.ones((bottom - top, x1 - x0), np.bool_)


def ellipse_rows(
    box: tuple[int, int, int, int], size_yx: tuple[int, int]
) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
    """The voxels of the ellipse in ``(y0, x0, y1, x1)``, in pieces as of `rectangle_rows`.

    A voxel belongs to it when its centre lies in or on the ellipse. That is decided in whole
    numbers, so an ellipse looks the same wherever it is drawn, and is symmetric.
    """
    height, width = box[2] - box[0], box[3] - box[1]
    y0, y1 = max(0, box[0]), min(size_yx[0], box[2])
    x0, x1 = max(0, box[1]), min(size_yx[1], box[3])
    if x1 <= x0:
        return
    columns = np.arange(x0, x1, dtype=np.int64)
    for top, bottom in _strips(y0, y1):
        # in half voxels from the middle: (Y / height)² + (X / width)² ≤ 1
        rows = 2 * (np.arange(top, bottom, dtype=np.int64) - box[0]) + 1 - height
        square = (height * height - rows * rows) * (width * width) // (height * height)
        reach = np.sqrt(square.astype(np.float64)).astype(np.int64)
        reach -= reach * reach > square
        reach += (reach + 1) * (reach + 1) <= square
        left = box[1] + (width - reach) // 2  # the first column whose centre is inside
        right = box[1] + (width - 1 + reach) // 2
        yield top, x0, (columns >= left[:, None]) & (columns <= right[:, None])


def _strips(y0: int, y1: int) -> Iterator[tuple[int, int]]:
    """Rows in pieces that end where blocks of a mask end."""
    while y0 < y1:
        end = min(y1, (y0 // STRIP + 1) * STRIP)
        yield y0, end
        y0 = end
