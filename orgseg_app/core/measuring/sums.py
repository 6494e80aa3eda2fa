"""Size, place and spread of objects, added up plane after plane.

Runs of voxels are summed up in closed form, so that a plane costs what its outlines cost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SELF = 1 / 12
"""Variance of a voxel along its side: voxels are boxes, not points."""


class Runs(NamedTuple):
    """Runs of equal labels above 0 of a plane, in order of row and column.

    Attributes
    ----------
    rows, starts, ends
        ``(n,)`` int64; the end is the column behind the last.
    labels
        ``(n,)`` int64.
    """

    rows: Ints
    starts: Ints
    ends: Ints
    labels: Ints


def runs_of(labels: Labels) -> Runs:
    """The runs of a plane ``(Y, X)``.

    >>> [column.tolist() for column in runs_of(np.array([[0, 2, 2], [2, 0, 1]], np.int32))]
    [[0, 1, 1], [1, 0, 2], [3, 1, 3], [2, 2, 1]]
    """
    width = labels.shape[1]
    begins = np.ones(labels.shape, np.bool_)
    np.not_equal(labels[:, 1:], labels[:, :-1], out=begins[:, 1:])
    at = np.flatnonzero(begins)
    ends = np.append(at[1:], labels.size)
    found = labels.ravel()[at].astype(np.int64)
    inside = found > 0
    at, ends, found = at[inside], ends[inside], found[inside]
    rows = at // width
    return Runs(rows, at - rows * width, ends - rows * width, found)


class Sums:
    """Voxels, boxes and moments of n objects.

    Parameters
    ----------
    count
        n; labels are 1…n.

    Attributes
    ----------
    voxels
        ``(n,)`` int64.
    low, high
        ``(n, 3)`` int64, first and last (z, y, x) of the box around each.
    """

    def __init__(self, count: int) -> None:
        self.voxels: Ints = np.zeros(count, np.int64)
        self.low: Ints = np.full((count, 3), np.iinfo(np.int64).max)
        self.high: Ints = np.full((count, 3), -1, np.int64)
        # relative to the voxel an object is first met at, so that squares lose no digits
        self._first: Ints = np.zeros((count, 3), np.int64)
        self._ones: Floats = np.zeros((count, 3))
        self._squares: Floats = np.zeros((count, 3, 3))

    def add(self, z: int, runs: Runs) -> None:
        """Add plane z."""
        which = runs.labels - 1
        new, at = np.unique(which, return_index=True)
        is_new = self.voxels[new] == 0
        new, at = new[is_new], at[is_new]
        self._first[new] = np.stack((np.full(len(at), z), runs.rows[at], runs.starts[at]), axis=1)
        lengths = runs.ends - runs.starts
        np.add.at(self.voxels, which, lengths)
        for axis, first, last in (
            (0, np.full(len(which), z), np.full(len(which), z)),
            (1, runs.rows, runs.rows),
            (2, runs.starts, runs.ends - 1),
        ):
            np.minimum.at(self.low[:, axis], which, first)
            np.maximum.at(self.high[:, axis], which, last)
        origin = self._first[which]
        along_z = (z - origin[:, 0]).astype(np.float64)
        along_y = (runs.rows - origin[:, 1]).astype(np.float64)
        start = (runs.starts - origin[:, 2]).astype(np.float64)
        sum_x = lengths * (start + (lengths - 1) / 2)
        sum_xx = lengths * start**2 + start * lengths * (lengths - 1)
        sum_xx += (lengths - 1) * lengths * (2 * lengths - 1) / 6
        for axis, value in enumerate((along_z * lengths, along_y * lengths, sum_x)):
            np.add.at(self._ones[:, axis], which, value)
        squares = self._squares
        for i, j, value in (
            (0, 0, along_z**2 * lengths),
            (0, 1, along_z * along_y * lengths),
            (0, 2, along_z * sum_x),
            (1, 1, along_y**2 * lengths),
            (1, 2, along_y * sum_x),
            (2, 2, sum_xx),
        ):
            np.add.at(squares[:, i, j], which, value)

    def centroids(self) -> Floats:
        """Mean (z, y, x) in voxels, ``(n, 3)``; the middle of the first voxel is 0."""
        return self._first + self._ones / np.maximum(self.voxels, 1)[:, None]

    def covariances(self, spacing: tuple[float, float, float]) -> Floats:
        """Spread of the voxels as boxes, ``(n, 3, 3)`` in squares of the unit of `spacing`."""
        voxels = np.maximum(self.voxels, 1)[:, None]
        means = self._ones / voxels
        found = self._squares / voxels[:, :, None] - means[:, :, None] * means[:, None, :]
        for i, j in ((1, 0), (2, 0), (2, 1)):
            found[:, i, j] = found[:, j, i]
        found[:, (0, 1, 2), (0, 1, 2)] += _SELF
        scale = np.asarray(spacing)
        scaled: Floats = found * scale[:, None] * scale[None, :]
        return scaled

    def are_cut(self, shape_zyx: tuple[int, int, int]) -> NDArray[np.bool_]:
        """Which objects reach the border, ``(n,)``; a single plane has none above and below."""
        last = np.array(shape_zyx) - 1
        at_border = (self.low == 0) | (self.high == last)
        if shape_zyx[0] == 1:
            at_border = at_border[:, 1:]
        cut: NDArray[np.bool_] = at_border.any(axis=1)
        return cut
