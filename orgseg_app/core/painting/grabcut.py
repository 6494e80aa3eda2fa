"""GrabCut: the object in a box, told from what surrounds the box.

Rother, Kolmogorov and Blake, "GrabCut: interactive foreground extraction using iterated graph
cuts", ACM Transactions on Graphics 23 (3), 2004; OpenCV's implementation.

It tells the two sides apart by three numbers a voxel. Colour alone does that for photographs; under
a microscope the inside of a cell is about as grey as what lies outside, and the next nucleus as
bright. So one of the three is where in the box a voxel lies, the others are its grey or colour with
and without noise. `tests/benchmarks/boxes.py` measures what that is worth; local standard deviation
or gradients as a number of their own gained nothing there, and blurred the edges.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LARGEST = 400
"""Side up to which a box is worked on voxel by voxel: about half a second of work."""

ITERATIONS = 3
"""More of them let faint objects melt into what surrounds them."""

SURROUNDINGS = 0.1
"""What is looked at around the box, as a fraction of its longer side: that is surely background.
Where much is looked at, other objects of the same kind are among it."""

_LEAST_SURROUNDINGS = 4
_CORE = 0.2  # of the half axes of the box: surely the object
_PLACE = 60.0  # levels from the middle of the box to the middle of a side
_FARTHEST = 1.5  # half axes; beyond, places are alike
_NOISE = 1.0  # voxels, standard deviation of the blur against noise
_ROUGHNESS = 0.03  # of the shorter side: smaller notches and spurs are smoothed away
_LEAST_DIFFERENCE = 0.25
"""Between the mean of the object and that of the rest, in standard deviations."""

_LEAST_RATIO = 1.05
"""Of the standard deviations: in relief, cells differ from what surrounds them by these alone."""


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
        ``(y1 - y0, x1 - x0)`` bool: one piece without holes; all false when nothing stands out. The
        same picture gives the same object.

    Raises
    ------
    ValueError
        When the box is empty or not inside the picture.
    """
    y0, x0, y1, x1 = box_yx
    if not (0 <= y0 < y1 <= picture.shape[0] and 0 <= x0 < x1 <= picture.shape[1]):
        raise ValueError("The box must lie in the picture.")
    height, width = y1 - y0, x1 - x0
    nothing = np.zeros((height, width), np.bool_)
    if picture.min() == picture.max():
        return nothing
    factor = min(1.0, largest / max(height, width))
    if factor < 1:
        size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))
    rows, columns = picture.shape[0], picture.shape[1]
    top, left = int(y0 * factor), int(x0 * factor)
    bottom = min(max(top + 1, round(y1 * factor)), rows)
    right = min(max(left + 1, round(x1 * factor)), columns)
    inside = (slice(top, bottom), slice(left, right))
    far = _far((rows, columns), (top, left, bottom, right))
    labels = np.full((rows, columns), cv2.GC_BGD, np.uint8)
    labels[inside] = np.where(far[inside] < 1, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
    labels[far < _CORE] = cv2.GC_FGD
    # A box as large as the image has no surroundings: then its own edge is background.
    if (labels == cv2.GC_BGD).sum() < 5:
        labels[[0, -1]] = cv2.GC_BGD
        labels[:, [0, -1]] = cv2.GC_BGD
    if min((labels & 1).sum(), (labels & 1 == 0).sum()) < 5:
        return nothing  # OpenCV fits five normal distributions to each side
    seen = _seen(picture)
    features = np.dstack([seen, np.minimum(far, _FARTHEST) * _PLACE])
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.clip(features, 0, 255).astype(np.uint8),
        labels,
        (0, 0, 0, 0),
        np.zeros((1, 65)),
        np.zeros((1, 65)),
        ITERATIONS,
        cv2.GC_INIT_WITH_MASK,
    )
    found = np.asarray(labels & 1, np.uint8)  # surely and probably the object
    if not _stands_out(seen, found.astype(np.bool_)):
        return nothing
    found = found[inside]
    if factor < 1:
        smooth = cv2.resize(found * 255, (width, height), interpolation=cv2.INTER_LINEAR)
        found = (np.asarray(smooth) > 127).astype(np.uint8)
    return _in_the_middle(_smoothed(found))


def _far(size: tuple[int, int], box_yx: tuple[int, int, int, int]) -> NDArray[np.float32]:
    """How far from the middle of the box, ``size`` float32; 1 on the ellipse that touches it."""
    y0, x0, y1, x1 = box_yx
    y = (np.arange(size[0], dtype=np.float32) + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
    x = (np.arange(size[1], dtype=np.float32) + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
    return np.asarray(np.hypot(y[:, None], x[None, :]), np.float32)


def _seen(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Two numbers ``(h, w, 2)`` a voxel: its grey as it is and without noise, or its two colours.

    The colours are the principal components of those in the picture: they tell most.
    """
    if picture.ndim == 3 and (picture == picture[..., :1]).all():
        picture = picture[..., 0]
    voxels = picture.astype(np.float32)
    calm = np.asarray(cv2.GaussianBlur(voxels, (0, 0), _NOISE))
    if voxels.ndim == 2:
        return np.dstack([voxels, calm])
    middle = calm.mean(axis=(0, 1))
    colours = (calm - middle).reshape(-1, 3)
    _, axes = np.linalg.eigh(colours.T @ colours)  # the strongest last
    return np.dstack([(voxels - middle) @ axes[:, 2], (calm - middle) @ axes[:, 1]]) + 128


def _stands_out(seen: NDArray[np.float32], found: NDArray[np.bool_]) -> bool:
    """Whether what was found looks different from the rest: in noise, it is but a place."""
    if not found.any() or found.all():
        return False
    object_, rest = seen[found, 0], seen[~found, 0]
    gap = abs(object_.mean() - rest.mean())
    low, high = sorted((object_.std(), rest.std()))
    return bool(gap > _LEAST_DIFFERENCE * low or high > _LEAST_RATIO * low)


def _smoothed(found: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Without notches, spurs and holes; as it is where nothing would be left."""
    from scipy import ndimage

    reach = max(1, round(_ROUGHNESS * min(found.shape)))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    padded = np.pad(found, reach)
    closed = np.asarray(cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disk))
    opened = np.asarray(cv2.morphologyEx(closed, cv2.MORPH_OPEN, disk))
    smooth = opened if opened.any() else padded
    filled = np.asarray(ndimage.binary_fill_holes(smooth), np.uint8)
    return filled[reach:-reach, reach:-reach]


def _in_the_middle(found: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The largest piece, where voxels count the more the nearer they are to the middle."""
    count, pieces = cv2.connectedComponents(found, connectivity=4)
    far = _far((found.shape[0], found.shape[1]), (0, 0, *found.shape))
    weights = np.bincount(np.asarray(pieces).ravel(), np.exp(-2 * far**2).ravel(), count)
    weights[0] = 0
    return np.asarray((pieces == weights.argmax()) & (found > 0))
