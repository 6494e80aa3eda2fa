"""Brightness of objects or classes: mean, spread, median, extremes and sum, plane after plane.

The median is exact: of every object, each value that occurs is kept with how often it does. Where
that would take more than 1 GiB, medians are left out. Voxels that hold no number (NaN, infinity)
do not count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32] | NDArray[np.uint8]
Floats = NDArray[np.float64]

MOST_VALUES = 1 << 26
"""Pairs of object and value, 16 bytes each, above which there are no medians."""

_PENDING = 1 << 22


class Brightness:
    """Of n objects in one channel.

    Parameters
    ----------
    count
        n; labels are 1…n.

    Attributes
    ----------
    voxels
        ``(n,)`` int64, those that hold a number.
    means, lowest, highest
        ``(n,)`` float64; NaN where there are no voxels.

    Examples
    --------
    >>> found = Brightness(2)
    >>> found.add(np.array([[1, 1, 1, 0]], np.int32), np.array([[1, 2, 6, 9]], np.uint8))
    >>> found.means.tolist(), found.medians().tolist(), found.sums().tolist()
    ([3.0, nan], [2.0, nan], [9.0, 0.0])
    """

    def __init__(self, count: int) -> None:
        self.voxels: NDArray[np.int64] = np.zeros(count, np.int64)
        self.means: Floats = np.full(count, np.nan)
        self.lowest: Floats = np.full(count, np.nan)
        self.highest: Floats = np.full(count, np.nan)
        self.has_medians = True
        self._spread: Floats = np.zeros(count)
        self._kept: list[tuple[NDArray[np.uint64], NDArray[np.int64]]] = []
        self._pending = 0

    def add(self, labels: Labels, values: NDArray[np.generic]) -> None:
        """Add a plane: labels and values, ``(Y, X)`` both."""
        inside = labels > 0
        if values.dtype.kind == "f":
            inside &= np.isfinite(values)
        which, found = labels[inside], values[inside]
        if not len(which):
            return
        # only objects on this plane: a volume may have a million
        present, places = np.unique(which, return_inverse=True)
        exact = found.astype(np.float64)
        voxels = np.bincount(places)
        means = np.bincount(places, weights=exact) / voxels
        spread = np.bincount(places, weights=(exact - means[places]) ** 2)
        lowest, highest = np.full(len(present), np.inf), np.full(len(present), -np.inf)
        np.minimum.at(lowest, places, exact)
        np.maximum.at(highest, places, exact)
        self._merge(present.astype(np.int64) - 1, voxels, means, spread.astype(np.float64))
        at = present.astype(np.int64) - 1
        self.lowest[at] = np.fmin(self.lowest[at], lowest)
        self.highest[at] = np.fmax(self.highest[at], highest)
        if self.has_medians:
            self._keep(present.astype(np.uint64)[places], found)

    def deviations(self) -> Floats:
        """Standard deviations, ``(n,)``, of the voxels themselves (divided by their number)."""
        with np.errstate(invalid="ignore"):
            return np.sqrt(self._spread / np.where(self.voxels > 0, self.voxels, np.nan))

    def sums(self) -> Floats:
        """Sums of all voxels, ``(n,)``."""
        return np.where(self.voxels > 0, self.means, 0) * self.voxels

    def medians(self) -> Floats:
        """Medians, ``(n,)``; of an even number, the mean of the two in the middle."""
        found = np.full(len(self.voxels), np.nan)
        self._sum_up()
        if not self._kept or not self.has_medians:
            return found
        keys, counts = self._kept[0]
        until = np.cumsum(counts)
        before = np.concatenate(([0], np.cumsum(self.voxels)[:-1]))
        has = self.voxels > 0
        low = before[has] + (self.voxels[has] - 1) // 2
        high = before[has] + self.voxels[has] // 2
        both = [_value_of(keys[np.searchsorted(until, at, side="right")]) for at in (low, high)]
        found[has] = (both[0] + both[1]) / 2
        return found

    def _merge(
        self,
        at: NDArray[np.int64],
        voxels: NDArray[np.int64],
        means: NDArray[np.floating[Any]],
        spread: NDArray[np.floating[Any]],
    ) -> None:
        """Put two means and spreads together: T. F. Chan, G. H. Golub, R. J. LeVeque, 1979."""
        before = self.voxels[at]
        total = before + voxels
        old = np.where(before > 0, self.means[at], 0)
        apart = means - old
        self.means[at] = np.where(before > 0, old + apart * voxels / total, means)
        self._spread[at] += spread + np.where(before > 0, apart**2 * before * voxels / total, 0)
        self.voxels[at] = total

    def _keep(self, labels: NDArray[np.uint64], values: NDArray[np.generic]) -> None:
        keys, counts = np.unique(labels << np.uint64(32) | _sortable(values), return_counts=True)
        self._kept.append((keys, counts))
        self._pending += len(keys)
        if self._pending > _PENDING:
            self._sum_up()
            if self._kept and len(self._kept[0][0]) > MOST_VALUES:
                self.has_medians = False
                self._kept.clear()

    def _sum_up(self) -> None:
        if len(self._kept) > 1:
            keys = np.concatenate([kept[0] for kept in self._kept])
            counts = np.concatenate([kept[1] for kept in self._kept])
            order = np.argsort(keys, kind="stable")
            keys, counts = keys[order], counts[order]
            starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
            self._kept = [(keys[starts], np.add.reduceat(counts, starts))]
        self._pending = 0


def _sortable(values: NDArray[np.generic]) -> NDArray[np.uint64]:
    """Numbers of 32 bits in the order of the values as float32."""
    bits = (values.astype(np.float32) + np.float32(0)).view(np.uint32)  # -0 becomes 0
    is_negative = bits >> np.uint32(31) == 1
    return np.where(is_negative, ~bits, bits | np.uint32(1 << 31)).astype(np.uint64)


def _value_of(keys: NDArray[np.uint64]) -> Floats:
    bits = (keys & np.uint64(0xFFFFFFFF)).astype(np.uint32)
    is_negative = bits >> np.uint32(31) == 0
    bits = np.where(is_negative, ~bits, bits & np.uint32((1 << 31) - 1))
    return bits.view(np.float32).astype(np.float64)
