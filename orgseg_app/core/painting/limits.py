"""What a brush may touch by the image's values: a fixed range, or a local Otsu class."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

_BINS = 256
_SAMPLES = 1 << 13  # at least: enough for 256 bins; windows of large brushes hold more
_SMOOTHING = 0.85  # voxels (sigma): single photons do not make a class
_HALO = 4  # voxels that the smoothing looks beyond an edge
_SPACING = (12, 64)  # voxels between the nodes of the grid of thresholds: small brush, large one
_REACH = (20, 96)  # voxels from a node to the edge of its window, likewise
_COMPRESSION = 0.2
_LARGEST = np.float32(1e30)  # infinite values are that, so that sums of them stay numbers


@dataclass(frozen=True, eq=False)
class Voxels:
    """The values of one plane, wherever they are kept.

    Attributes
    ----------
    size_yx
        Of the plane.
    read
        ``(y0, x0, y1, x1)`` within it → values ``(y1 - y0, x1 - x0)``.
    """

    size_yx: tuple[int, int]
    read: Callable[[int, int, int, int], NDArray[np.generic]]

    @classmethod
    def of(cls, plane: NDArray[np.generic]) -> Voxels:
        """Those of an array ``(Y, X)``."""
        size = (plane.shape[0], plane.shape[1])
        return cls(size, lambda y0, x0, y1, x1: plane[y0:y1, x0:x1])

    def cut(
        self, y0: int, x0: int, y1: int, x1: int
    ) -> tuple[NDArray[np.float32], tuple[int, int]]:
        """A region clipped to the plane, and the corner of what is left."""
        ya, xa = max(y0, 0), max(x0, 0)
        yb, xb = min(y1, self.size_yx[0]), min(x1, self.size_yx[1])
        if yb <= ya or xb <= xa:
            return np.zeros((0, 0), np.float32), (ya, xa)
        return self.read(ya, xa, yb, xb).astype(np.float32), (ya, xa)


class Limit(Protocol):
    """Leaves out voxels of a footprint."""

    @property
    def look(self) -> int:
        """How far beyond the footprint it may read values, in voxels."""

    def on(self, voxels: Voxels) -> Limit:
        """The same limit on another plane, whose own values decide."""

    def narrowed(self, y0: int, x0: int, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The voxels of ``where`` (corner at ``y0, x0``) that may be painted, ``(h, w)``."""


@dataclass(frozen=True, eq=False)
class RangeLimit:
    """Only voxels whose value lies between ``low`` and ``high``, both included; never NaN.

    Attributes
    ----------
    voxels
        The plane, in the image's own values.
    """

    voxels: Voxels
    low: float
    high: float

    @property
    def look(self) -> int:
        """Each voxel decides for itself."""
        return 0

    def on(self, voxels: Voxels) -> RangeLimit:
        """The same range on another plane."""
        return RangeLimit(voxels, self.low, self.high)

    def narrowed(self, y0: int, x0: int, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The voxels within the range."""
        found, (ya, xa) = self.voxels.cut(y0, x0, y0 + where.shape[0], x0 + where.shape[1])
        out = np.zeros_like(where)
        inside = (
            slice(ya - y0, ya - y0 + found.shape[0]),
            slice(xa - x0, xa - x0 + found.shape[1]),
        )
        out[inside] = where[inside] & (found >= self.low) & (found <= self.high)
        return out


@dataclass(frozen=True, eq=False)
class OtsuLimit:
    """Only voxels on the same side of a local threshold as the one pressed first.

    The threshold is Otsu's (N. Otsu, "A threshold selection method from gray-level histograms",
    IEEE Transactions on Systems, Man, and Cybernetics 9, 1979, 62–66) in windows around the stroke:
    one at each node of a grid, of lightly smoothed values on a compressed scale, and bilinear
    between the nodes. So a voxel has one threshold, from wherever the hand comes and however often.

    Attributes
    ----------
    voxels
        The plane, in the image's own values.
    bright
        Which side.
    size
        Of the brush in voxels: windows of large brushes are larger.
    """

    voxels: Voxels
    bright: bool
    size: int
    _nodes: dict[tuple[int, int], float] = field(default_factory=dict, repr=False)

    @classmethod
    def at(cls, voxels: Voxels, y: float, x: float, size: int) -> OtsuLimit:
        """The limit of a stroke that begins at a voxel, or at the nearest one to it."""
        row = min(max(math.floor(y), 0), voxels.size_yx[0] - 1)
        column = min(max(math.floor(x), 0), voxels.size_yx[1] - 1)
        limit = cls(voxels, bright=True, size=size)
        is_bright = limit.narrowed(row, column, np.ones((1, 1), np.bool_))[0, 0]
        return cls(voxels, bool(is_bright), size, limit._nodes)

    @property
    def look(self) -> int:
        """To the edges of the windows around the nodes next to the footprint."""
        return self._spacing + self._reach + _HALO

    @property
    def _spacing(self) -> int:
        return min(max(self.size // 2, _SPACING[0]), _SPACING[1])

    @property
    def _reach(self) -> int:
        return min(max(self.size, _REACH[0]), _REACH[1])

    def on(self, voxels: Voxels) -> OtsuLimit:
        """The same side on another plane, whose own values part it."""
        return OtsuLimit(voxels, self.bright, self.size)

    def narrowed(self, y0: int, x0: int, where: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """The voxels of the class."""
        out = np.zeros_like(where)
        ya, xa = max(y0, 0), max(x0, 0)
        yb = min(y0 + where.shape[0], self.voxels.size_yx[0])
        xb = min(x0 + where.shape[1], self.voxels.size_yx[1])
        if yb <= ya or xb <= xa:
            return out
        found = self._smooth(ya, xa, yb, xb) >= self._thresholds(ya, xa, yb, xb)
        inside = (slice(ya - y0, yb - y0), slice(xa - x0, xb - x0))
        out[inside] = where[inside] & (found if self.bright else ~found)
        return out

    def _smooth(self, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.float32]:
        """Smoothed values of a box, ``(y1 - y0, x1 - x0)``; what is no number counts as 0."""
        found, (ya, xa) = self.voxels.cut(y0 - _HALO, x0 - _HALO, y1 + _HALO, x1 + _HALO)
        found = np.clip(np.nan_to_num(found), -_LARGEST, _LARGEST)
        smooth = cv2.GaussianBlur(found, (0, 0), _SMOOTHING, borderType=cv2.BORDER_REFLECT_101)
        return np.asarray(smooth[y0 - ya : y1 - ya, x0 - xa : x1 - xa], np.float32)

    def _thresholds(self, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.float32]:
        """The threshold at each voxel of a box, ``(y1 - y0, x1 - x0)``."""
        spacing = self._spacing
        rows, down = _between(y0, y1, spacing)
        columns, right = _between(x0, x1, spacing)
        nodes = np.array([
            [self._node(row, column, spacing) for column in range(columns[0], columns[-1] + 2)]
            for row in range(rows[0], rows[-1] + 2)
        ], np.float32)  # fmt: skip
        i, j = rows - rows[0], columns - columns[0]
        across = nodes[:, j] * (1 - right) + nodes[:, j + 1] * right
        return np.asarray(across[i] * (1 - down[:, None]) + across[i + 1] * down[:, None])

    def _node(self, row: int, column: int, spacing: int) -> float:
        """The threshold in the window around a node of the grid, or around the nearest voxel."""
        key = (row, column)
        if key not in self._nodes:
            height, width = self.voxels.size_yx
            y = min(max(row * spacing, 0), height - 1)
            x = min(max(column * spacing, 0), width - 1)
            reach = self._reach
            box = (
                max(y - reach, 0),
                max(x - reach, 0),
                min(y + reach, height),
                min(x + reach, width),
            )
            self._nodes[key] = local_threshold(self._smooth(*box))
        return self._nodes[key]


def _between(start: int, stop: int, spacing: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For voxels along an axis: the node before each, and how far on the way to the next it is."""
    place = (np.arange(start, stop) + 0.5) / spacing
    node = np.floor(place)
    return node.astype(np.intp), (place - node).astype(np.float32)


def local_threshold(values: NDArray[np.float32]) -> float:
    """Otsu's threshold on a scale that compresses what is bright, in the values' own unit.

    The values are put between their 1st and 99th percentile, so that hot pixels do not stretch the
    scale, and their logarithm is taken above a fifth of that span. Where bright things are
    few, the plain scale pulls the threshold above the dim ones; nearer to a logarithm, noise of the
    dark counts too much. On annotated ER images a fifth was the best of 0.05 to 3.

    Parameters
    ----------
    values
        ``(h, w)``, at least one.
    """
    step = max(1, math.isqrt(-(-values.size // _SAMPLES)))
    sample = values[::step, ::step].ravel()
    low, high = np.quantile(sample, (0.01, 0.99)).tolist()
    if not high > low:
        return float(low)
    scaled = np.clip((sample - low) / (high - low), 0, None)
    threshold = otsu(np.log(scaled + _COMPRESSION))
    return float((math.exp(threshold) - _COMPRESSION) * (high - low) + low)


def otsu(values: NDArray[np.floating]) -> float:
    """The threshold that parts values into the two classes furthest apart (N. Otsu, 1979).

    Values of at least the threshold are the upper class. Where several cuts are equally good (a
    gap in the histogram) the threshold lies in the middle of them.

    Parameters
    ----------
    values
        At least one, finite. Where all are equal, that one is the threshold.

    >>> round(otsu(np.array([1.0, 1.0, 2.0, 9.0, 9.0, 10.0])))
    6
    """
    low, high = float(values.min()), float(values.max())
    if not high > low:
        return low
    bins = ((values.ravel() - low) * (_BINS / (high - low))).astype(np.intp)
    counts = np.bincount(np.minimum(bins, _BINS - 1), minlength=_BINS).astype(np.float64)
    below, first = counts.cumsum()[:-1], (counts * np.arange(_BINS)).cumsum()
    above = counts.sum() - below
    apart = below * above * (first[:-1] / below - (first[-1] - first[:-1]) / above) ** 2
    best = np.flatnonzero(apart >= apart.max() * (1 - 1e-12))
    return low + (float(best.mean()) + 1) * (high - low) / _BINS
