"""Outlines turned into voxels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_FRACTION_BITS = 4


def polygon(
    points_yx: Sequence[tuple[float, float]], size_yx: tuple[int, int]
) -> tuple[int, int, NDArray[np.bool_]]:
    """Voxels inside or on a closed outline, clipped to an image of ``size_yx``.

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
    """
    nothing = np.zeros((0, 0), np.bool_)
    if len(points_yx) < 3:
        return 0, 0, nothing
    ys, xs = [p[0] for p in points_yx], [p[1] for p in points_yx]
    y0, x0 = max(0, math.floor(min(ys)) - 1), max(0, math.floor(min(xs)) - 1)
    y1 = min(size_yx[0], math.ceil(max(ys)) + 1)
    x1 = min(size_yx[1], math.ceil(max(xs)) + 1)
    if y1 <= y0 or x1 <= x0:
        return 0, 0, nothing
    corners = np.array([[x - x0 - 0.5, y - y0 - 0.5] for y, x in points_yx])
    fixed = np.round(corners * (1 << _FRACTION_BITS)).astype(np.int32)
    canvas = np.zeros((y1 - y0, x1 - x0), np.uint8)
    cv2.fillPoly(canvas, [fixed], (1,), cv2.LINE_8, _FRACTION_BITS)
    return y0, x0, canvas.astype(np.bool_)
