"""Growing, shrinking and smoothing of what is painted on a plane.

Distances are Euclidean, between the centres of voxels of one plane. What lies beyond the edge of
the image has no say: an object that touches it is neither eaten nor rounded from there.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED

GROW, SHRINK, SMOOTH = "grow", "shrink", "smooth"
OPERATIONS = (GROW, SHRINK, SMOOTH)

Values = NDArray[np.uint8]
Where = NDArray[np.bool_]

_TIE = 1e-4  # nearer to one half than this, smoothing leaves a voxel as it is


def reach(operation: str, radius: int) -> int:
    """How far away, in voxels, a voxel can lie that decides what becomes of another."""
    return (3 * radius if operation == SMOOTH else radius) + 2


def grown(where: Where, radius: float) -> Where:
    """Everything within ``radius`` voxels of a region ``(h, w)``.

    >>> grown(np.array([[False, False, True]]), 1).tolist()
    [[False, True, True]]
    """
    if not where.any():
        return where.copy()
    return np.asarray(_distance(~where) <= radius)


def shrunk(where: Where, radius: float) -> Where:
    """What of a region ``(h, w)`` is further than ``radius`` voxels from all outside.

    >>> shrunk(np.array([[False, True, True]]), 1).tolist()
    [[False, False, True]]
    """
    return ~grown(~where, radius)


def smoothed(where: Where, radius: int) -> Where:
    """The voxels whose surroundings belong mostly to a region ``(h, w)``.

    Surroundings are weighted by a Gaussian with a standard deviation of ``radius`` voxels, so that
    straight edges stay where they are, and bays and headlands narrower than that go.
    """
    share = _blurred(where, radius)
    return np.asarray((share > 0.5 + _TIE) | (where & (share > 0.5 - _TIE)))


def changed(
    values: Values, where: Where, class_id: int, operation: str, radius: int, allowed: Where | None
) -> Values:
    """A plane after one region of it was grown, shrunk or smoothed.

    What the region gives up takes the value of the nearest voxel outside it: unlabelled in sparse
    annotation, and what it bordered on in dense annotation.

    Parameters
    ----------
    values
        ``(h, w)`` class ids.
    where
        ``(h, w)``: the region.
    class_id
        What it is made of.
    operation
        One of `OPERATIONS`.
    radius
        In voxels.
    allowed
        ``(256,)``: values that the region may take over; None for all.
    """
    new = {GROW: grown, SHRINK: shrunk, SMOOTH: smoothed}[operation](where, radius)
    gained, lost = new & ~where, where & ~new
    out = values.copy()
    if allowed is not None:
        gained &= allowed[values]
    out[gained] = class_id
    if lost.any():
        out[lost] = _nearest_outside(values, where)[lost]
    return out


def changed_everywhere(values: Values, operation: str, radius: int, *, protect: bool) -> Values:
    """A plane after all its classes were grown, shrunk or smoothed at once.

    Growing takes unlabelled voxels and background, with ``protect`` only the former; where two
    classes meet, the nearer one wins, and on a tie the one listed first. Shrinking gives back what
    the class has around it, unlabelled or background, and nothing to other classes. Smoothing gives
    each voxel what weighs most around it; with ``protect`` classes do not take from one another.

    Parameters
    ----------
    values
        ``(h, w)`` class ids.
    operation, radius, protect
        As above.
    """
    if operation == SMOOTH:
        return _smoothed_everywhere(values, radius, protect=protect)
    classes = [int(c) for c in np.unique(values) if c > BACKGROUND]
    out = values.copy()
    if operation == GROW:
        free = values == UNLABELLED if protect else values <= BACKGROUND
        nearest = np.full(values.shape, np.inf, np.float32)
        for class_id in classes:
            distance = _distance(values != class_id)
            wins = free & (distance <= radius) & (distance < nearest)
            out[wins], nearest[wins] = class_id, distance[wins]
        return out
    lost = np.zeros(values.shape, np.bool_)
    for class_id in classes:
        where = values == class_id
        lost |= where & ~shrunk(where, radius)
    if lost.any():
        taken = values > BACKGROUND
        near = grown(~taken, radius)
        out[lost] = np.where(near, _nearest_outside(values, taken), UNLABELLED)[lost]
    return out


def _smoothed_everywhere(values: Values, radius: int, *, protect: bool) -> Values:
    out, best = values.copy(), np.full(values.shape, -1, np.float32)
    for value in np.unique(values):
        is_value = values == value
        share = _blurred(is_value, radius) + np.float32(_TIE) * is_value
        wins = share > best
        out[wins], best[wins] = value, share[wins]
    if protect:
        kept = (values != UNLABELLED) & (out != UNLABELLED)
        out[kept] = values[kept]
    return out


def _distance(where: Where) -> NDArray[np.float32]:
    """How far each voxel of a region is from the nearest one outside; infinite if there is none."""
    if where.all():
        return np.full(where.shape, np.inf, np.float32)
    return np.asarray(
        cv2.distanceTransform(where.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE),
        np.float32,
    )


def _blurred(where: Where, radius: int) -> NDArray[np.float32]:
    side = 2 * math.ceil(3 * radius) + 1
    return np.asarray(
        cv2.GaussianBlur(
            where.astype(np.float32), (side, side), radius, borderType=cv2.BORDER_REPLICATE
        ),
        np.float32,
    )


def _nearest_outside(values: Values, where: Where) -> Values:
    """For each voxel of a region the value of the nearest one outside; 0 when there is none.

    On a tie it is the smaller value. One distance transform of OpenCV for each value is exact and,
    with the few values there are, faster than SciPy's one with indices.
    """
    out = np.full(values.shape, UNLABELLED, np.uint8)
    present = np.unique(values[~where])
    if len(present) <= 1:
        out[...] = present[0] if len(present) else UNLABELLED
        return out
    nearest = np.full(values.shape, np.inf, np.float32)
    for value in present:
        distance = _distance(where | (values != value))
        wins = distance < nearest
        out[wins], nearest[wins] = value, distance[wins]
    return out
