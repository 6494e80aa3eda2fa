"""GrabCut: the object in a box, told from what surrounds the box.

Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph
cuts", ACM Transactions on Graphics 23 (3), 2004; OpenCV's implementation.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LARGEST = 400
"""Side up to which a box is worked on voxel by voxel: about a second of work."""

ITERATIONS = 5
SURROUNDINGS = 0.25
"""What is looked at around the box, as a fraction of its longer side: that is surely background."""

_LEAST_SURROUNDINGS = 8
_LEAST_PIECE = 0.02  # of the largest piece; smaller ones are noise


def window_around(
    box_yx: tuple[int, int, int, int], size_yx: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The box ``(y0, x0, y1, x1)`` with its surroundings, inside an image."""
    y0, x0, y1, x1 = box_yx
    around = max(_LEAST_SURROUNDINGS, round(SURROUNDINGS * max(y1 - y0, x1 - x0)))
    return (
        max(0, y0 - around),
        max(0, x0 - around),
        min(size_yx[0], y1 + around),
        min(size_yx[1], x1 + around),
    )


def cut(
    picture: NDArray[np.uint8], box_yx: tuple[int, int, int, int], largest: int = LARGEST
) -> NDArray[np.bool_]:
    """Which voxels of a box belong to the object in it.

    Parameters
    ----------
    picture
        ``(h, w)`` or ``(h, w, 3)``: the box with its surroundings.
    box_yx
        ``(y0, x0, y1, x1)`` of the box in the picture.
    largest
        Boxes with a longer side are worked on at reduced resolution.

    Returns
    -------
    where
        ``(y1 - y0, x1 - x0)`` bool; all false when nothing stands out. The same picture gives the
        same object.

    Raises
    ------
    ValueError
        When the box is empty or not inside the picture.
    """
    y0, x0, y1, x1 = box_yx
    if not (0 <= y0 < y1 <= picture.shape[0] and 0 <= x0 < x1 <= picture.shape[1]):
        raise ValueError("The box must lie in the picture.")
    height, width = y1 - y0, x1 - x0
    factor = min(1.0, largest / max(height, width))
    if factor < 1:
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    if picture.ndim == 2:
        picture = np.dstack([picture] * 3)
    rows, columns = picture.shape[0], picture.shape[1]
    labels = np.full((rows, columns), cv2.GC_BGD, np.uint8)
    top, left = int(y0 * factor), int(x0 * factor)
    bottom = min(max(top + 1, round(y1 * factor)), rows)
    right = min(max(left + 1, round(x1 * factor)), columns)
    inside = (slice(top, bottom), slice(left, right))
    labels[inside] = cv2.GC_PR_FGD
    # A box as large as the image has no surroundings: then its own edge is background.
    if (labels == cv2.GC_BGD).sum() < 5:
        labels[[0, -1]] = cv2.GC_BGD
        labels[:, [0, -1]] = cv2.GC_BGD
    if (labels != cv2.GC_BGD).sum() < 5 or picture.min() == picture.max():
        return np.zeros((height, width), np.bool_)  # OpenCV fits five colours to each side
    cv2.setRNGSeed(0)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(
        np.ascontiguousarray(picture),
        labels,
        (0, 0, 0, 0),
        *models,
        ITERATIONS,
        cv2.GC_INIT_WITH_MASK,
    )
    found = (labels[inside] == cv2.GC_PR_FGD).astype(np.uint8)
    if factor < 1:
        smooth = cv2.resize(found * 255, (width, height), interpolation=cv2.INTER_LINEAR)
        found = (np.asarray(smooth) > 127).astype(np.uint8)
    return _without_specks(found)


def _without_specks(found: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """All pieces that are not tiny beside the largest."""
    _, pieces, facts, _ = cv2.connectedComponentsWithStats(found, connectivity=4)
    areas = np.asarray(facts)[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    large = areas >= max(1.0, _LEAST_PIECE * areas.max())
    return np.asarray(large[np.asarray(pieces)])
