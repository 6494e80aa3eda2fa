"""Skeletons of labelled volumes.

In turns, voxels are taken away from each of the six sides as long as that changes no connection, no
hole and no hollow; ends of lines stay. Sources: T.-C. Lee, R. L. Kashyap, C.-N. Chu, "Building
skeleton models via 3-D medial surface/axis thinning algorithms", CVGIP 56 (1994) 462–478, for the
six sides and the ends; G. Bertrand, G. Malandain, "A new characterization of three-dimensional
simple points", Pattern Recognition Letters 15 (1994) 169–175, for which voxels may go. Voxels that
may go are taken in eight groups, in which none neighbours another: they go together, with the same
effect as one after the other.

Memory: about 6 bytes a voxel of the volume, and 80 bytes a voxel at an edge.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.stopping import StoppedError

Labels = NDArray[np.int32]
Places = NDArray[np.int64]
Bits = NDArray[np.int32]

MOST_VOXELS = 1 << 27
"""Volumes of more voxels (512 × 512 × 512) get no skeletons: over 1 GB of memory."""

_AROUND = tuple(step for step in itertools.product((-1, 0, 1), repeat=3) if any(step))
_SIDES = ((-1, 0, 0), (1, 0, 0), (0, -1, 0), (0, 1, 0), (0, 0, -1), (0, 0, 1))
_FACES = sum(1 << bit for bit, step in enumerate(_AROUND) if sum(map(abs, step)) == 1)
_NEAR = sum(1 << bit for bit, step in enumerate(_AROUND) if sum(map(abs, step)) <= 2)
_PART, _PARTS = 9, 3  # 26 bits in three tables of 512


def thinned_volume(labels: Labels, *, goes_on: Callable[[], bool] = lambda: True) -> Labels:
    """The skeleton of each object; voxels of other objects count as outside.

    Parameters
    ----------
    labels
        ``(Z, Y, X)`` int32, 0 outside.
    goes_on
        Asked now and then; False gives up.

    Returns
    -------
    numpy.ndarray
        ``(Z, Y, X)`` int32.

    Raises
    ------
    StoppedError
        When given up.

    Examples
    --------
    >>> bar = np.ones((3, 3, 9), np.int32)
    >>> skeleton = thinned_volume(bar)
    >>> int(skeleton.sum()), int(skeleton[1, 1].sum())
    (9, 9)
    """
    framed = np.pad(labels, 1)
    flat = framed.ravel()
    strides = np.array([framed.shape[1] * framed.shape[2], framed.shape[2], 1])
    steps = np.array(_AROUND) @ strides
    edge = _edge(framed)
    is_changed = True
    while is_changed:
        is_changed = False
        for side in np.array(_SIDES) @ strides:
            if not goes_on():
                raise StoppedError
            own = flat.take(edge)
            facing = edge[(own > 0) & (flat.take(edge + side) != own)]
            may_go = facing[_may_go(_bits(flat, facing, steps))]
            gone = _take_away(flat, framed.shape, may_go, steps)
            if len(gone):
                is_changed = True
                edge = edge[flat.take(edge) > 0]
                around = (gone[:, None] + steps).ravel()
                edge = np.union1d(edge, around[flat.take(around) > 0])
    return np.ascontiguousarray(framed[1:-1, 1:-1, 1:-1])


def _take_away(flat: Labels, shape: tuple[int, ...], may_go: Places, steps: Places) -> Places:
    """Take voxels away that still may go when it is their group's turn."""
    gone = []
    z, y, x = np.unravel_index(may_go, shape)
    group = (z % 2) * 4 + (y % 2) * 2 + x % 2
    for number in range(8):
        asked = may_go[group == number]
        if len(asked):
            asked = asked[_may_go(_bits(flat, asked, steps))]
            flat[asked] = 0
            gone.append(asked)
    return np.concatenate(gone) if gone else np.zeros(0, np.int64)


def _edge(framed: Labels) -> Places:
    """Places of voxels with a face on another object or on nothing."""
    inner = framed[1:-1, 1:-1, 1:-1]
    differ = np.zeros(inner.shape, np.bool_)
    depth, height, width = inner.shape
    for dz, dy, dx in _SIDES:
        beside = framed[1 + dz : depth + 1 + dz, 1 + dy : height + 1 + dy, 1 + dx : width + 1 + dx]
        differ |= beside != inner
    differ &= inner > 0
    z, y, x = np.nonzero(differ)
    places: Places = ((z + 1) * framed.shape[1] + y + 1) * framed.shape[2] + x + 1
    return places


def _bits(flat: Labels, places: Places, steps: Places) -> Bits:
    """Neighbourhoods: bit k for the neighbour at step k being of the same object."""
    own = flat.take(places)
    found = np.zeros(len(places), np.int32)
    for bit, step in enumerate(steps):
        found |= (flat.take(places + step) == own).astype(np.int32) << bit
    return found


def _may_go(bits: Bits) -> NDArray[np.bool_]:
    """Which voxels are simple and not the end of a line."""
    found: NDArray[np.bool_] = (bits & (bits - 1)) != 0  # two neighbours or more
    at = np.flatnonzero(found)
    inside = bits[at]
    keep = _reached(inside & -inside, inside, "corners") == inside
    at, inside = at[keep], inside[keep]
    outside = ~inside & _NEAR
    faces = outside & _FACES
    reached = _reached(faces & -faces, outside, "faces")
    is_simple = (faces != 0) & (reached & faces == faces)
    found[:] = False
    found[at[is_simple]] = True
    return found


def _reached(start: Bits, within: Bits, by: str) -> Bits:
    """What hangs together with the start, staying within."""
    tables = _beside(by)
    found = start
    while True:
        grown = found.copy()
        for part, table in enumerate(tables):
            grown |= table[(found >> (_PART * part)) & 511]
        grown &= within
        if np.array_equal(grown, found):
            return found
        found = grown


@cache
def _beside(by: str) -> tuple[NDArray[np.int32], ...]:
    """Of nine neighbours a table: those beside any of a set of them, ``(512,)`` each."""
    reach = 3 if by == "corners" else 1
    near = []
    for a in _AROUND:
        apart = [[abs(p - q) for p, q in zip(a, b, strict=True)] for b in _AROUND]
        near.append(sum(1 << k for k, d in enumerate(apart) if max(d) <= 1 and 0 < sum(d) <= reach))
    tables = []
    for part in range(_PARTS):
        table = np.zeros(1 << _PART, np.int32)
        for bit in range(min(_PART, len(_AROUND) - _PART * part)):
            has = np.arange(1 << _PART) >> bit & 1 == 1
            table[has] |= near[_PART * part + bit]
        tables.append(table)
    return tuple(tables)
