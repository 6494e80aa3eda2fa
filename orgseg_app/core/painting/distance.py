"""How far voxels of a plane lie from an edge."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.uint8]
Field = NDArray[np.float32]

FAR = np.float32(-1e6)
"""Outside of something that is nowhere."""


def signed_distance(where: NDArray[np.bool_]) -> Field:
    """Distance to the edge in voxels, ``(h, w)``: positive inside, negative outside.

    The edge runs between voxels, so that no voxel lies on it. Where nothing is inside, everything
    is far away; the border of the array is no edge.

    >>> signed_distance(np.array([[True, True, False, False]])).tolist()
    [[1.5, 0.5, -0.5, -1.5]]
    """
    inside = where.astype(np.uint8)
    filled = cv2.countNonZero(inside)
    if filled == 0 or filled == where.size:
        return np.full(where.shape, -FAR if filled else FAR, np.float32)
    found = np.where(where, np.float32(-0.5), np.float32(0.5))
    found += cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    found -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return found
