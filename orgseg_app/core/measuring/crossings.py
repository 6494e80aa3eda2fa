"""Perimeter and surface from how often lines cross the edge, and which objects touch.

Crofton's formula: the length of a curve in the plane is π / 2 times, the area of a surface in space
twice, the mean over all directions of the crossings with parallel lines, per line and its share of
the plane or the space. Lines along the neighbours of a voxel are taken: 4 directions in the plane,
13 in space, each weighted with the part of the circle or the sphere that is nearest to it. Source:
D. Legland, K. Kiêu, M.-F. Devaux, "Computation of Minkowski measures on 2D and 3D binary images",
Image Analysis & Stereology 26 (2007) 83–92. A disc or ball of some ten voxels comes out within
1 to 2 %; a square along the axes 5 % too short, a cube 9 % too small, where counting voxel sides
gives a disc 27 % and a ball 50 % too much.

Only two planes are needed at a time. An edge at the border of the image counts as one.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Floats = NDArray[np.float64]
Spacing = tuple[float, float, float]

_IN_PLANE = ((0, 0, 1), (0, 1, 0), (0, 1, 1), (0, 1, -1))
_DOWN = tuple((1, y, x) for y, x in itertools.product((-1, 0, 1), repeat=2))
_PENDING = 1 << 21


class Crossings:
    """Counts crossings of the edges of n objects, plane after plane.

    Parameters
    ----------
    count
        n; labels are 1…n.
    in_3d
        Whether the planes lie above each other; otherwise there is one plane.
    touching
        Whether to note which objects touch, by a corner or more.

    Examples
    --------
    >>> found = Crossings(1, in_3d=False)
    >>> found.add(np.ones((40, 40), np.int32))
    >>> found.finish()
    >>> round(float(found.edges((1, 1, 1))[0]))  # of a square of 40: 160
    151
    """

    def __init__(self, count: int, *, in_3d: bool, touching: bool = False) -> None:
        self.directions = (*_IN_PLANE, *_DOWN) if in_3d else _IN_PLANE
        self.counts: NDArray[np.int64] = np.zeros((len(self.directions), count), np.int64)
        self._count = count
        self._in_3d = in_3d
        self._touching = touching
        self._above: Labels | None = None
        self._pairs: list[NDArray[np.int64]] = []
        self._pending = 0

    def add(self, labels: Labels) -> None:
        """Add the next plane, ``(Y, X)``."""
        here = _framed(labels)
        for number, (_, dy, dx) in enumerate(_IN_PLANE):
            self._count_between(number, here, here, dy, dx)
        if self._in_3d:
            above = np.zeros_like(here) if self._above is None else self._above
            self._count_down(above, here)
            self._above = here.copy()

    def finish(self) -> None:
        """There are no more planes."""
        if self._in_3d and self._above is not None:
            self._count_down(self._above, np.zeros_like(self._above))
        self._above = None

    def edges(self, spacing_zyx: Spacing) -> Floats:
        """Perimeters or surfaces, ``(n,)``, in the unit of `spacing_zyx` or its square."""
        weights = direction_weights(self.directions, spacing_zyx)
        volume = math.prod(spacing_zyx if self._in_3d else spacing_zyx[1:])
        steps = np.linalg.norm(np.array(self.directions) * np.array(spacing_zyx), axis=1)
        factor = 2.0 if self._in_3d else math.pi / 2
        found: Floats = factor * ((weights * volume / steps)[:, None] * self.counts).sum(axis=0)
        return found

    def neighbours(self) -> NDArray[np.int64]:
        """How many other objects each one touches, ``(n,)``."""
        self._sum_up()
        pairs = self._pairs[0] if self._pairs else np.zeros(0, np.int64)
        one, other = pairs // (self._count + 1), pairs % (self._count + 1)
        both = np.concatenate((one, other))
        return np.bincount(both, minlength=self._count + 1)[1:]

    def _count_down(self, above: Labels, here: Labels) -> None:
        for number, (_, dy, dx) in enumerate(_DOWN, len(_IN_PLANE)):
            self._count_between(number, above, here, dy, dx)

    def _count_between(self, number: int, one: Labels, other: Labels, dy: int, dx: int) -> None:
        """Steps from voxels of one plane to those of the other, framed with zeros both."""
        height, width = one.shape
        y0, y1, x0, x1 = max(0, -dy), height - max(0, dy), max(0, -dx), width - max(0, dx)
        start = one[y0:y1, x0:x1]
        end = other[y0 + dy : y1 + dy, x0 + dx : x1 + dx]
        differ = start != end
        left, entered = start[differ], end[differ]
        for found in (left, entered):
            self.counts[number] += np.bincount(found, minlength=self._count + 1)[1:]
        if self._touching:
            both = (left > 0) & (entered > 0)
            if both.any():
                self._note(left[both].astype(np.int64), entered[both].astype(np.int64))

    def _note(self, one: NDArray[np.int64], other: NDArray[np.int64]) -> None:
        keys = np.unique(np.minimum(one, other) * (self._count + 1) + np.maximum(one, other))
        self._pairs.append(keys)
        self._pending += len(keys)
        if self._pending > _PENDING:
            self._sum_up()

    def _sum_up(self) -> None:
        if len(self._pairs) > 1:
            self._pairs = [np.unique(np.concatenate(self._pairs))]
        self._pending = 0


def direction_weights(directions: tuple[tuple[int, int, int], ...], spacing_zyx: Spacing) -> Floats:
    """The part of all directions nearest to each, ``(n,)``, together 1.

    Parameters
    ----------
    directions
        Steps (z, y, x) in voxels: those of a plane or of space, one of each opposite pair.
    spacing_zyx
        Sizes of a voxel.
    """
    steps = np.array(directions) * np.array(spacing_zyx, np.float64)
    steps /= np.linalg.norm(steps, axis=1)[:, None]
    if not steps[:, 0].any():
        angles = np.arctan2(steps[:, 1], steps[:, 2]) % math.pi
        order = np.argsort(angles)
        around = np.concatenate(
            (angles[order][-1:] - math.pi, angles[order], angles[order][:1] + math.pi)
        )
        weights = np.empty(len(angles))
        weights[order] = (around[2:] - around[:-2]) / (2 * math.pi)
        return weights
    from scipy.spatial import SphericalVoronoi

    areas = SphericalVoronoi(np.concatenate((steps, -steps))).calculate_areas()
    found: Floats = areas[: len(steps)] / (2 * math.pi)
    return found


def _framed(labels: Labels) -> Labels:
    """With a frame of zeros."""
    framed = np.zeros((labels.shape[0] + 2, labels.shape[1] + 2), np.int32)
    framed[1:-1, 1:-1] = labels
    return framed
