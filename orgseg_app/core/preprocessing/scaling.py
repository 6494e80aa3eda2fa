"""Steps that treat every voxel of a channel alike: linear changes of brightness, and gamma."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.part import FloatPlane, Params, Place, Sample, some

Histogram = NDArray[np.integer]
"""How often each value 0, 1, 2… of an 8 or 16 bit channel occurs, ``(256,)`` or ``(65536,)``."""


def percentiles(channel: NDArray[np.generic], ranks: Sequence[float]) -> list[float]:
    """Values below which the given percentages of a channel lie.

    Parameters
    ----------
    channel
        Any shape; uint8 and uint16 are counted exactly, of floats only finite values count.
    ranks
        Percentages, 0…100.

    Returns
    -------
    list of float
        One value a rank; zeros when a float channel has no finite value.

    >>> percentiles(np.arange(101, dtype=np.uint8), [0, 50, 100])
    [0.0, 50.0, 100.0]
    """
    if channel.dtype in (np.uint8, np.uint16):
        return counted_percentiles(np.bincount(channel.ravel()), ranks)
    values = some(channel)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return [0.0] * len(ranks)
    return [float(v) for v in np.percentile(values, ranks)]


def counted_percentiles(histogram: Histogram, ranks: Sequence[float]) -> list[float]:
    """As `percentiles`, where it is known how often each value 0, 1, 2… occurs."""
    cumulative = np.cumsum(histogram)
    wanted = np.ceil(np.asarray(ranks) / 100 * cumulative[-1]).clip(1)
    return [float(v) for v in np.searchsorted(cumulative, wanted)]


@dataclass(frozen=True)
class Scaling:
    """A linear change of brightness, the same everywhere in a plane.

    Attributes
    ----------
    low, high
        Values that become 0 and 1; `high` may be the lower of the two.
    least, most
        What lies further out is cut off here.
    """

    low: float
    high: float
    least: float
    most: float
    reach: int = 0
    size_bytes: int = 0

    def of(self, values: NDArray[Any], place: Place | None = None) -> FloatPlane:
        """A channel of any shape, or part of one, as float32; what is not finite becomes 0."""
        if not (self.high > self.low or self.high < self.low):
            return np.zeros(values.shape, np.float32)
        out = values.astype(np.float32)
        out -= np.float32(self.low)
        out *= np.float32(1 / (self.high - self.low))
        if values.dtype.kind == "f":
            np.copyto(out, np.float32(0), where=~np.isfinite(out))
        return out.clip(self.least, self.most, out=out)


@dataclass(frozen=True)
class Power:
    """The full range as 0…1, raised to a power: darker above 1, brighter below."""

    scaling: Scaling
    exponent: float
    reach: int = 0
    size_bytes: int = 0

    def of(self, values: NDArray[Any], place: Place | None = None) -> FloatPlane:
        """A channel of any shape, or part of one."""
        out = self.scaling.of(values)
        return np.power(out, np.float32(self.exponent), out=out)


def percentile(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Scaling:
    """From a dark to a bright percentile."""
    return _between(percentiles(sample.values, (params["low"], params["high"])))


def minmax(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Scaling:
    """From the darkest to the brightest voxel."""
    low, high = _extremes(sample.values)
    return Scaling(low, high, 0, 1)


def invert(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Scaling:
    """From the brightest to the darkest voxel."""
    low, high = _extremes(sample.values)
    return Scaling(high, low, 0, 1)


def gamma(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Power:
    """The full range, raised to the power "gamma"."""
    return Power(minmax(sample, params), params["gamma"])


def zscore(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Scaling:
    """Mean and standard deviation."""
    values = sample.values
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
    if not values.size:
        return _standard(0.0, 0.0)
    return _standard(float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)))


def counted_percentile(
    histogram: Histogram, params: Params, reference: Sequence[float] = ()
) -> Scaling:
    """As `percentile`, from the histogram of a channel."""
    return _between(counted_percentiles(histogram, (params["low"], params["high"])))


def counted_minmax(
    histogram: Histogram, params: Params, reference: Sequence[float] = ()
) -> Scaling:
    """As `minmax`, from the histogram of a channel."""
    low, high = counted_percentiles(histogram, (0, 100))
    return Scaling(low, high, 0, 1)


def counted_invert(
    histogram: Histogram, params: Params, reference: Sequence[float] = ()
) -> Scaling:
    """As `invert`, from the histogram of a channel."""
    low, high = counted_percentiles(histogram, (0, 100))
    return Scaling(high, low, 0, 1)


def counted_gamma(histogram: Histogram, params: Params, reference: Sequence[float] = ()) -> Power:
    """As `gamma`, from the histogram of a channel."""
    return Power(counted_minmax(histogram, params), params["gamma"])


def counted_zscore(
    histogram: Histogram, params: Params, reference: Sequence[float] = ()
) -> Scaling:
    """As `zscore`, from the histogram of a channel."""
    values, count = np.arange(len(histogram)), histogram.sum()
    mean = float((histogram * values).sum() / count)
    return _standard(mean, float(np.sqrt((histogram * (values - mean) ** 2).sum() / count)))


def _between(ends: Sequence[float]) -> Scaling:
    low, high = ends
    return Scaling(low, high, -1, 2)


def _standard(mean: float, deviation: float) -> Scaling:
    return Scaling(mean, mean + max(deviation, 1e-8), -100, 100)


def _extremes(values: NDArray[Any]) -> tuple[float, float]:
    """Of all values, also of those of a float channel of which percentiles see only some."""
    if values.dtype.kind == "f":
        values = values[np.isfinite(values)]
        if not values.size:
            return 0.0, 0.0
    return float(values.min()), float(values.max())
