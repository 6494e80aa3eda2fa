"""Exact distances between two sets of voxels, each to the nearest of the other.

Most voxels of two outlines lie a few voxels apart. So the distance along the row of voxels of one
axis is worked out for the box around both, which is two passes over it; then steps along the other
axes are tried, shortest first, until none can lead nearer: the distance transform in two parts of
Meijster, Roerdink, Hesselink (2000), only where it is asked for. What is further off than the steps
reach is looked up in a tree. On outlines of 2048² it takes a fifth of the time of a distance
transform (SciPy) and half of one that is exact for square pixels only (OpenCV).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int32]
Distances = NDArray[np.float64]
Spacing = tuple[float, float, float]

_FAR = 255
"""Steps along y that fit into a byte; as many or more are the tree's business."""

_STEPS_IN_PLANE, _STEPS_IN_SPACE = 65, 300
_PACKED = 0.8  # where this share is still waiting, sorting out the others is not worth it


def nearest_distances(
    one: Places, other: Places, spacing_zyx: Spacing
) -> tuple[Distances, Distances]:
    """From each voxel of a set to the nearest of the other, and the other way round.

    Parameters
    ----------
    one, other
        ``(n, 3)``, ``(m, 3)`` int32 places (z, y, x).
    spacing_zyx
        Sizes of a voxel.

    Returns
    -------
    ``(n,)`` and ``(m,)`` float64, infinite where the other set is empty.

    Examples
    --------
    >>> one = np.array([[0, 0, 0], [0, 3, 0]], np.int32)
    >>> there, back = nearest_distances(one, np.array([[0, 0, 2]], np.int32), (1, 0.5, 1))
    >>> there.tolist(), back.tolist()
    ([2.0, 2.5], [2.0])
    """
    if not len(one) or not len(other):
        return np.full(len(one), np.inf), np.full(len(other), np.inf)
    low = np.minimum(one.min(axis=0), other.min(axis=0))
    shape = np.maximum(one.max(axis=0), other.max(axis=0)) - low + 1
    steps, reach = _steps(spacing_zyx, is_flat=shape[0] == 1)
    reach = min(reach, _FAR * spacing_zyx[1])
    margin = np.abs(steps).max(axis=0)
    size = (shape[0] + 2 * margin[0], shape[1], shape[2] + 2 * margin[1])
    shift = low - (margin[0], 0, margin[1])
    strides = np.array((size[1] * size[2], size[2], 1))
    flat = [(places - shift) @ strides for places in (one, other)]
    found = []
    for here, there, places in ((flat[0], flat[1], one), (flat[1], flat[0], other)):
        along_y = _along_y(there, size, margin)
        squares = _searched(here, along_y.ravel(), steps, strides, spacing_zyx)
        distances = np.sqrt(squares)
        far = np.flatnonzero(distances > reach)
        if len(far):
            targets = other if places is one else one
            distances[far] = _by_tree(places[far], targets, spacing_zyx)
        found.append(distances)
    return found[0], found[1]


def _steps(spacing_zyx: Spacing, *, is_flat: bool) -> tuple[NDArray[np.int64], float]:
    """Steps (z, x), shortest first, and how long those are that were left out at least."""
    count = _STEPS_IN_PLANE if is_flat else _STEPS_IN_SPACE
    sizes = np.array((spacing_zyx[0], spacing_zyx[2]))
    most = (0, count // 2) if is_flat else np.minimum(sizes.max() / sizes * count**0.5, count // 2)
    z, x = (np.arange(-int(m), int(m) + 1) for m in most)
    steps = np.stack(np.meshgrid(z, x, indexing="ij"), axis=-1).reshape(-1, 2)
    lengths = np.hypot(*(steps * sizes).T)
    order = np.argsort(lengths, kind="stable")
    beyond = min((int(m) + 1) * size for m, size in zip(most, sizes, strict=True) if m)
    if len(order) > count:
        beyond = min(beyond, float(lengths[order[count]]))
    return steps[order[:count]], float(beyond)


def _along_y(
    places: NDArray[np.int64], size: tuple[int, int, int], margin: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Voxels to the nearest of some places along y, ``(Z, Y, X)``; `_FAR` where that is as far."""
    import cv2

    found = np.full(size, _FAR, np.uint8)
    found.ravel()[places] = 0
    depth, height, width = size
    further = np.ones((1, width - 2 * margin[1]), np.uint8)
    scratch = np.empty_like(further)
    for z in range(margin[0], depth - margin[0]):
        plane = found[z, :, margin[1] : width - margin[1]]
        rows = [plane[y : y + 1] for y in range(height)]
        for order in (rows, rows[::-1]):
            before = order[0]
            for row in order[1:]:
                cv2.add(before, further, dst=scratch)  # stays at 255
                cv2.min(row, scratch, dst=row)
                before = row
    return found


def _searched(
    places: NDArray[np.int64],
    along_y: NDArray[np.uint8],
    steps: NDArray[np.int64],
    strides: NDArray[np.int64],
    spacing_zyx: Spacing,
) -> Distances:
    """Squared distances as far as the steps reach; larger ones may be too large."""
    squares = np.square(np.arange(_FAR + 1.0) * spacing_zyx[1])
    squares[_FAR] = np.inf
    lengths = np.square(steps * (spacing_zyx[0], spacing_zyx[2])).sum(axis=1)
    found = np.full(len(places), np.inf)
    waiting, at, best = np.arange(len(places)), places, found.copy()
    for step, length in zip(steps @ strides[[0, 2]], lengths, strict=True):
        is_open = best > length
        left = np.count_nonzero(is_open)
        if left < _PACKED * len(best):
            found[waiting] = best
            waiting, at, best = waiting[is_open], at[is_open], best[is_open]
        if not left:
            break
        np.minimum(best, squares.take(along_y.take(at + step)) + length, out=best)
    found[waiting] = best
    return found


def _by_tree(places: Places, targets: Places, spacing_zyx: Spacing) -> Distances:
    from scipy.spatial import cKDTree

    # Neither is of use for places on a grid, and both take long to make.
    tree = cKDTree(targets * spacing_zyx, balanced_tree=False, compact_nodes=False)
    distances: Distances = tree.query(places * spacing_zyx)[0]
    return distances
