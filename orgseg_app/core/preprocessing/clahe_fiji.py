"""Contrast limited adaptive histogram equalisation as Fiji does it: around every voxel.

Fiji's plugin "Enhance Local Contrast (CLAHE)" (S. Saalfeld, imagej.net/plugins/clahe) takes the
histogram of the block around a voxel, cuts its bins off at "maximum slope" times their mean, shares
what was cut off out among all bins until none is above the limit, and gives the voxel the share of
the block that is darker. Its fast mode knows the curves of blocks side by side and blends between
them. Here the blocks lie a quarter of their size apart, so that blending comes close to the exact
mode; curves run straight between bins, so that 16 bits and floats keep their depth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.part import FloatPlane, Params, Place, Sample, finite
from orgseg_app.core.preprocessing.scaling import Scaling, percentiles

APART = 0.25
"""Of blocks, as a share of their size."""


def clahe_fiji(
    sample: Sample, params: Params, reference: Sequence[float] = ()
) -> LocalEqualisation:
    """Black and white: of 8 bits both ends, else the 0.1st and the 99.9th percentile."""
    values = sample.values
    low, high = (0.0, 255.0) if values.dtype == np.uint8 else percentiles(values, (0.1, 99.9))
    return LocalEqualisation(
        Scaling(low, high, 0, 1), int(params["block"]), int(params["bins"]), params["max_slope"]
    )


@dataclass(frozen=True)
class LocalEqualisation:
    """Local contrast of one channel, block by block.

    Attributes
    ----------
    scaling
        From grey values to 0…1.
    block
        Side of a block in voxels.
    bins
        Of a histogram.
    slope
        So much steeper than the plain values a curve may be.
    """

    scaling: Scaling
    block: int
    bins: int
    slope: float
    size_bytes: int = 0

    @property
    def reach(self) -> int:
        """Half a block around the curves on either side."""
        return self.block // 2 + math.ceil(self.block * APART) + 1

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """Part of the channel ``(h, w)`` in 0…1."""
        if self.scaling.low == self.scaling.high:
            return np.zeros(values.shape, np.float32)
        height, width = values.shape
        at = self.scaling.of(finite(values)) * np.float32(self.bins)
        nearest = (at + np.float32(0.5)).astype(np.uint16)
        radius = max(1.0, (self.block - 1) / 2 / place.shrink)
        apart = max(1.0, self.block * APART / place.shrink)
        ys = _nodes(place.whole_yx[0], place.y0, height, apart)
        xs = _nodes(place.whole_yx[1], place.x0, width, apart)
        columns, share = _between(xs, width)
        column = columns * (self.bins + 1)
        out = np.empty(values.shape, np.float32)
        upper = self._curves(nearest, ys[0], xs, radius)
        for n in range(max(1, len(ys) - 1)):
            lower = upper if len(ys) == 1 else self._curves(nearest, ys[n + 1], xs, radius)
            top, stop = 0 if n == 0 else math.ceil(ys[n]), height
            if n + 2 < len(ys):
                stop = min(height, math.ceil(ys[n + 1]))
            if top < stop:
                rows = slice(top, stop)
                down = _shares(np.arange(top, stop), ys[n], ys[min(n + 1, len(ys) - 1)])[:, None]
                out[rows] = _blended(upper, lower, at[rows], column, share, down)
            upper = lower
        return out

    def _curves(
        self, nearest: NDArray[np.uint16], y: float, xs: NDArray[Any], radius: float
    ) -> NDArray[np.float32]:
        """The curves ``(xs, bins + 1)`` of the blocks around the voxels at `y`, `xs`."""
        height, width = nearest.shape
        rows = nearest[max(0, math.ceil(y - radius)) : min(height, math.floor(y + radius) + 1)]
        found = np.empty((len(xs), self.bins + 1))
        for n, x in enumerate(xs):
            left, right = max(0, math.ceil(x - radius)), min(width, math.floor(x + radius) + 1)
            # Blocks in the halo of a part may lie outside it altogether; nobody looks at them.
            found[n] = np.bincount(rows[:, left:right].ravel(), minlength=self.bins + 1)
        return curves(found, self.slope)


def curves(histograms: NDArray[np.float64], slope: float) -> NDArray[np.float32]:
    """The new value, 0…1, of each bin.

    Parameters
    ----------
    histograms
        ``(N, bins + 1)`` counts of a block each.
    slope
        At least 1. A bin holds at most so many times the mean of `bins` bins; what is above is
        shared out evenly among all until none is above.
    """
    bins = histograms.shape[1] - 1
    total = histograms.sum(1, keepdims=True)
    limit = slope * total / bins
    share = np.zeros_like(total)
    for _ in range(
        bins + 2
    ):  # Newton's method from below: a sum of straight lines with a knee each
        raised = histograms + share
        missing = total - np.minimum(raised, limit).sum(1, keepdims=True)
        rising = (raised < limit).sum(1, keepdims=True)
        wanted = (missing > 1e-9 * total) & (rising > 0)
        if not wanted.any():
            break
        share += np.where(wanted, missing / np.maximum(rising, 1), 0)
    below = np.cumsum(np.minimum(histograms + share, limit), axis=1)
    empty = np.where(share > 0, False, histograms == 0)
    lowest = below[np.arange(len(below)), np.argmin(empty, axis=1)][:, None]
    span = below[:, -1:] - lowest
    new: NDArray[np.float64] = (below - lowest).clip(0) / np.where(span > 0, span, 1)
    return new.astype(np.float32)


def _nodes(whole: int, start: int, count: int, apart: float) -> NDArray[np.float64]:
    """Where blocks have their middles, in voxels of the part: evenly over the plane.

    Only those that voxels of the part lie between.
    """
    steps = math.ceil((whole - 1) / apart)
    nodes = np.linspace(0, whole - 1, steps + 1) - start
    first = max(0, int(np.searchsorted(nodes, 0, "right")) - 1)
    last = min(steps, int(np.searchsorted(nodes, count - 1, "left")))
    return nodes[first : max(last, first) + 1]


def _shares(places: NDArray[Any], low: float, high: float) -> NDArray[np.float32]:
    share: NDArray[Any] = ((places - low) / max(high - low, 1e-9)).clip(0, 1)
    return share.astype(np.float32)


def _between(nodes: NDArray[np.float64], count: int) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Of each place 0, 1, 2…: which node is before it, and the share of the one behind."""
    places = np.arange(count)
    before = (np.searchsorted(nodes, places, "right") - 1).clip(0, max(0, len(nodes) - 2))
    if len(nodes) == 1:
        return before, np.zeros(count, np.float32)
    share = (places - nodes[before]) / (nodes[before + 1] - nodes[before])
    return before, share.clip(0, 1).astype(np.float32)


def _blended(
    upper: NDArray[np.float32],
    lower: NDArray[np.float32],
    at: FloatPlane,
    column: NDArray[np.intp],
    across: NDArray[np.float32],
    down: NDArray[np.float32],
) -> FloatPlane:
    """Rows between two rows of blocks, from the curves of those, ``(xs, bins + 1)`` each.

    `at` are the values in bins; `column` is where in the curves that of the block on the left
    begins, and `across` and `down` are the shares of the blocks on the right and below.
    """
    first = np.minimum(at.astype(np.intp), upper.shape[1] - 2)
    rest = at - first.astype(np.float32)
    first += column
    next_curve = upper.shape[1] if len(upper) > 1 else 0
    rows = []
    for all_curves in (upper, lower):
        flat = all_curves.ravel()
        sides = []
        for offset in (0, next_curve):
            start = flat.take(first + offset if offset else first)
            start += (flat.take(first + (offset + 1)) - start) * rest
            sides.append(start)
        left, right = sides
        left += (right - left) * across
        rows.append(left)
    above: FloatPlane = rows[0]
    above += (rows[1] - above) * down
    return above
