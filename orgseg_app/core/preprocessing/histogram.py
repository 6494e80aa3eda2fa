"""Steps that give every grey value of a channel a new one by how often it occurs.

Equalisation spreads the values evenly (Gonzalez & Woods, Digital Image Processing, 3.3). Matching
gives them the distribution of the training images, as the mean of their quantiles: the landmarks of
Nyúl, Udupa & Zhang 2000, IEEE Trans. Med. Imaging 19, but many and dense at both ends, where the
few brightest voxels of a fluorescence image are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.clahe import in_16_bit, sixteen_bits
from orgseg_app.core.preprocessing.part import FloatPlane, Params, Place, Sample, finite
from orgseg_app.core.preprocessing.scaling import Histogram, Scaling, percentiles

QUANTILES = 256
"""Of each channel, in a reference."""

RANKS = tuple(50 - 50 * np.cos(np.linspace(0, np.pi, QUANTILES)))
"""Their percentages: 0, 0.004, 0.015 … 50 … 100."""


class Table:
    """A new value for each value of an 8 or 16 bit channel.

    Parameters
    ----------
    table
        float32, ``(256,)`` or ``(65536,)``.
    stretch
        How floats become 16 bits; None for 8 and 16 bits.
    """

    reach = 0

    def __init__(self, table: NDArray[np.float32], stretch: Scaling | None = None) -> None:
        self._table, self._stretch = table, stretch

    @property
    def size_bytes(self) -> int:
        """Of the table."""
        return self._table.nbytes

    def of(self, values: NDArray[Any], place: Place | None = None) -> FloatPlane:
        """A channel of any shape, or part of one."""
        native = values if self._stretch is None else in_16_bit(values, self._stretch)
        return self._table.take(native, mode="clip")  # no value lies outside: "clip" saves a look


class Curve:
    """A new value for each value of a float channel: straight between given ones."""

    reach = 0

    def __init__(self, old: NDArray[Any], new: NDArray[Any]) -> None:
        self._old, self._new = old, new

    @property
    def size_bytes(self) -> int:
        """Of the given values."""
        return self._old.nbytes + self._new.nbytes

    def of(self, values: NDArray[Any], place: Place | None = None) -> FloatPlane:
        """A channel of any shape, or part of one."""
        out: FloatPlane = np.interp(values, self._old, self._new).astype(np.float32)
        out[~np.isfinite(values)] = 0
        return out


class Plain:
    """The values as they are."""

    reach = size_bytes = 0

    def of(self, values: NDArray[Any], place: Place | None = None) -> FloatPlane:
        """A channel ``(Y, X)``, or part of one."""
        return finite(values)


# -- equalisation ----------------------------------------------------------------------------------


def equalise(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Table:
    """From the histogram of the channel, on its 8 or 16 bits; floats get 16 bits."""
    values, stretch = sample.values, None
    if values.dtype not in (np.uint8, np.uint16):
        stretch = sixteen_bits(values)
        values = in_16_bit(values, stretch)
    count = int(np.iinfo(values.dtype).max) + 1
    return Table(_evenly(np.bincount(values.ravel(), minlength=count)), stretch)


def counted_equalise(
    histogram: Histogram, params: Params, reference: Sequence[float] = ()
) -> Table:
    """As `equalise`, from the histogram of a channel."""
    return Table(_evenly(histogram))


def _evenly(histogram: Histogram) -> NDArray[np.float32]:
    """The share of voxels up to each value, from 0 at the darkest to 1 at the brightest."""
    below = np.cumsum(histogram)
    first = below[np.flatnonzero(histogram)[0]]
    if first == below[-1]:
        return np.zeros(len(histogram), np.float32)
    share: NDArray[np.float32] = ((below - first).clip(0) / (below[-1] - first)).astype(np.float32)
    return share


# -- matching --------------------------------------------------------------------------------------


def quantiles_of(planes: Iterable[NDArray[Any]]) -> tuple[float, ...]:
    """The reference of the step "match": the mean of the quantiles of planes ``(C, Y, X)``.

    Returns
    -------
    tuple of float
        `QUANTILES` values a channel, one channel after the other; empty without planes.

    Raises
    ------
    ValueError
        When the planes have different numbers of channels.
    """
    found = [[percentiles(channel, RANKS) for channel in plane] for plane in planes]
    if len({len(one) for one in found}) > 1:
        raise ValueError("The reference images have different numbers of channels.")
    if not found:
        return ()
    mean = np.mean(found, axis=0, dtype=np.float64)
    return tuple(float(v) for v in np.float32(np.maximum.accumulate(mean, axis=1)).ravel())


def match(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Table | Curve | Plain:
    """To a reference of `QUANTILES` values; the plain values without one."""
    if not reference:
        return Plain()
    values = sample.values
    if values.dtype in (np.uint8, np.uint16):
        count = int(np.iinfo(values.dtype).max) + 1
        return counted_match(np.bincount(values.ravel(), minlength=count), params, reference)
    old, group = np.unique(percentiles(values, RANKS), return_inverse=True)
    # A value that many voxels have fills several quantiles: their middle is its rank.
    ranks = np.bincount(group, weights=RANKS) / np.bincount(group)
    return Curve(old, np.interp(ranks, RANKS, _unit(reference)))


def counted_match(
    histogram: Histogram, params: Params, reference: Sequence[float] = ()
) -> Table | Plain:
    """As `match`, from the histogram of a channel."""
    if not reference:
        return Plain()
    below = np.cumsum(histogram)
    ranks = (below - histogram / 2) * (100 / below[-1])
    return Table(np.interp(ranks, RANKS, _unit(reference)).astype(np.float32))


def _unit(reference: Sequence[float]) -> NDArray[np.float64]:
    """The reference with its 0.1st and 99.9th percentile at 0 and 1, cut off at -1 and 2."""
    values = np.asarray(reference, np.float64)
    low, high = np.interp((0.1, 99.9), RANKS, values)
    if not high > low:
        low, high = values[0], values[-1]
    if not high > low:
        return np.zeros(len(values))
    unit: NDArray[np.float64] = ((values - low) / (high - low)).clip(-1, 2)
    return unit
