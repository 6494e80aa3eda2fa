"""Length, branches, branching points and ends of skeletons.

Voxels of a skeleton are linked with their neighbours of the same object, by a corner only where no
shorter way round leads there; a link is as long as the way between the middles of its voxels. A
voxel with three links or more is a branching point, neighbouring ones being one together; one with
a single link, or none, is an end; branches are what hangs together between branching points. As in
I. Arganda-Carreras et al., "3D reconstruction of histological sections", Microscopy Research and
Technique 73 (2010) 1019–1029.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]

_STEPS = tuple(s for s in itertools.product((-1, 0, 1), repeat=3) if s > (0, 0, 0))
"""One of each two opposite steps (z, y, x)."""


@dataclass(frozen=True)
class Networks:
    """Of n objects.

    Attributes
    ----------
    lengths
        ``(n,)`` float64, in the unit of the spacing.
    branches, branch_points, ends
        ``(n,)`` int64.
    """

    lengths: NDArray[np.float64]
    branches: Places
    branch_points: Places
    ends: Places


def networks_of(
    skeleton: NDArray[np.int32], count: int, spacing_zyx: tuple[float, float, float]
) -> Networks:
    """Measure the skeletons of all objects.

    Parameters
    ----------
    skeleton
        ``(Z, Y, X)`` int32, labels 1…`count`.
    count
        How many objects there are.
    spacing_zyx
        Sizes of a voxel.

    Examples
    --------
    >>> cross = np.zeros((1, 5, 5), np.int32)
    >>> cross[0, 2] = cross[0, :, 2] = 1
    >>> found = networks_of(cross, 1, (1.0, 1.0, 1.0))
    >>> found.lengths.tolist(), found.branches.tolist(), found.branch_points.tolist()
    ([8.0], [4], [1])
    >>> found.ends.tolist()
    [4]
    """
    framed = np.pad(skeleton, 1)
    flat = framed.ravel()
    places = np.flatnonzero(flat)
    labels = flat[places].astype(np.int64)
    strides = np.array([framed.shape[1] * framed.shape[2], framed.shape[2], 1])
    degree = np.zeros(len(places), np.int64)
    lengths = np.zeros(count)
    links = []
    for step in _STEPS:
        start = _linked(flat, places, step, strides)
        end = np.searchsorted(places, places[start] + int(np.array(step) @ strides))
        degree += np.bincount(start, minlength=len(places))
        degree += np.bincount(end, minlength=len(places))
        length = float(np.linalg.norm(np.array(step) * np.array(spacing_zyx)))
        lengths += length * np.bincount(labels[start], minlength=count + 1)[1:]
        links.append(np.stack((start, end)))
    pairs = np.concatenate(links, axis=1)
    is_point = degree >= 3
    in_branch = ~is_point & (degree > 0)
    points, branches = (_pieces(chosen, pairs, labels, count) for chosen in (is_point, in_branch))
    ends = np.bincount(labels[degree <= 1], minlength=count + 1)[1:]
    return Networks(lengths, branches, points, ends)


def _linked(
    flat: NDArray[np.int32], places: Places, step: tuple[int, ...], strides: Places
) -> Places:
    """Which voxels have a link along a step: no shorter steps lead there within the object."""
    own = flat[places]
    found = flat[places + int(np.array(step) @ strides)] == own
    axes = [axis for axis in range(3) if step[axis]]
    for size in range(1, len(axes)):
        for some in itertools.combinations(axes, size):
            part = np.array([step[axis] if axis in some else 0 for axis in range(3)])
            found &= flat[places + int(part @ strides)] != own
    return np.flatnonzero(found)


def _pieces(chosen: NDArray[np.bool_], pairs: Places, labels: Places, count: int) -> Places:
    """Of each object, how many pieces the chosen voxels are in."""
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    both = pairs[:, chosen[pairs].all(axis=0)]
    size = len(labels)
    graph = sparse.coo_array((np.ones(both.shape[1], np.int8), both), shape=(size, size))
    _, families = connected_components(graph.tocsr(), directed=False)
    _, firsts = np.unique(families[chosen], return_index=True)
    return np.bincount(labels[chosen][firsts], minlength=count + 1)[1:]
