"""Flood fill on a block mask: cost follows the region, not the image."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import BLOCK, Mask

_FILLED = 2


def flood(mask: Mask, z: int, y: int, x: int) -> tuple[int, int, NDArray[np.bool_]]:
    """The 4-connected region of equal class id around a voxel.

    The flood runs inside a window around the voxel; the window doubles as long as the region
    reaches an edge of it that is not the image's.

    Returns
    -------
    y0, x0, where
        Corner in the image, and ``(h, w)`` bool; empty when the voxel is outside the image.
    """
    depth, height, width = mask.shape
    if not (0 <= z < depth and 0 <= y < height and 0 <= x < width):
        return 0, 0, np.zeros((0, 0), np.bool_)
    value = mask.value(z, y, x)
    reach = BLOCK // 2
    while True:
        y0, x0 = max(0, y - reach), max(0, x - reach)
        y1, x1 = min(height, y + reach + 1), min(width, x + reach + 1)
        window = (mask.read(z, y0, x0, y1, x1) == value).astype(np.uint8)
        cv2.floodFill(window, None, (x - x0, y - y0), _FILLED, flags=4)
        where = window == _FILLED
        grows = (
            (y0 > 0 and where[0].any())
            or (x0 > 0 and where[:, 0].any())
            or (y1 < height and where[-1].any())
            or (x1 < width and where[:, -1].any())
        )
        if not grows:
            return y0, x0, where
        reach *= 4
