"""Preparing a plane for a network: pure functions, the same in training and in prediction.

A recipe lists steps by name; each step takes a plane ``(C, Y, X)`` of any supported dtype and gives
float32 of the same shape, every channel on its own. Steps keep the bit depth in mind: contrast
limited equalisation works on the 8 or 16 bits that the camera gave, never on a copy squeezed to 8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.generic]
"""``(C, Y, X)``: uint8, uint16 or float32."""
FloatPlane = NDArray[np.float32]

_SAMPLE = 1 << 22
"""Float planes with more values than this have their percentiles taken from every n-th value."""


class Step(Protocol):
    """What a recipe's preprocessing step looks like from here."""

    @property
    def name(self) -> str:
        """A key of `PREPROCESSING`."""

    @property
    def params(self) -> Mapping[str, float]:
        """Values that differ from the defaults."""


@dataclass(frozen=True)
class Parameter:
    """One number of a step.

    Attributes
    ----------
    default, minimum, maximum
        Default and the range that makes sense, both ends included.
    explanation
        Plain words, with the unit.
    """

    default: float
    minimum: float
    maximum: float
    explanation: str


@dataclass(frozen=True)
class Preprocess:
    """One way of preparing a plane.

    Attributes
    ----------
    title, explanation, source
        For people: a name, one line of why, and where it comes from.
    params
        Its numbers by name.
    run
        ``(plane (C, Y, X), params) -> float32 (C, Y, X)``; params are complete and checked.
    """

    title: str
    explanation: str
    source: str
    run: Callable[[Plane, Mapping[str, float]], FloatPlane]
    params: Mapping[str, Parameter] = field(default_factory=dict)


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
    values = channel.ravel()
    values = values[:: max(1, values.size // _SAMPLE)]
    values = values[np.isfinite(values)]
    if values.size == 0:
        return [0.0] * len(ranks)
    return [float(v) for v in np.percentile(values, ranks)]


def counted_percentiles(histogram: NDArray[np.integer], ranks: Sequence[float]) -> list[float]:
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
        Values that become 0 and 1.
    least, most
        What lies further out is cut off here.
    """

    low: float
    high: float
    least: float
    most: float

    def of(self, channel: NDArray[np.generic]) -> FloatPlane:
        """A channel of any shape, or part of one, as float32; what is not finite becomes 0."""
        return _scaled(channel, self.low, self.high).clip(self.least, self.most)


Fit = Callable[[NDArray[np.generic], Mapping[str, float]], Scaling]


def _percentile(channel: NDArray[np.generic], params: Mapping[str, float]) -> Scaling:
    low, high = percentiles(channel, (params["low"], params["high"]))
    return Scaling(low, high, -1, 2)


def _minmax(channel: NDArray[np.generic], params: Mapping[str, float]) -> Scaling:
    low, high = percentiles(channel, (0, 100))
    return Scaling(low, high, 0, 1)


def _zscore(channel: NDArray[np.generic], params: Mapping[str, float]) -> Scaling:
    values = channel[np.isfinite(channel)] if channel.dtype.kind == "f" else channel
    if not values.size:
        return _standard(0.0, 0.0)
    return _standard(float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64)))


def _standard(mean: float, deviation: float) -> Scaling:
    return Scaling(mean, mean + max(deviation, 1e-8), -100, 100)


def counted_scaling(
    name: str, histogram: NDArray[np.integer], params: Mapping[str, float]
) -> Scaling:
    """A step of `SCALINGS`, where it is known how often each value 0, 1, 2… occurs."""
    if name == "zscore":
        values, count = np.arange(len(histogram)), histogram.sum()
        mean = float((histogram * values).sum() / count)
        return _standard(mean, float(np.sqrt((histogram * (values - mean) ** 2).sum() / count)))
    if name == "percentile":
        low, high = counted_percentiles(histogram, (params["low"], params["high"]))
        return Scaling(low, high, -1, 2)
    low, high = counted_percentiles(histogram, (0, 100))
    return Scaling(low, high, 0, 1)


SCALINGS: dict[str, Fit] = {"percentile": _percentile, "zscore": _zscore, "minmax": _minmax}
"""Steps that treat every voxel of a channel alike, once they have seen all of them."""


def _scale(fit: Fit) -> Callable[[Plane, Mapping[str, float]], FloatPlane]:
    def run(plane: Plane, params: Mapping[str, float]) -> FloatPlane:
        out = np.empty(plane.shape, np.float32)
        for c, channel in enumerate(plane):
            out[c] = fit(channel, params).of(channel)
        return out

    return run


def _clahe(plane: Plane, params: Mapping[str, float]) -> FloatPlane:
    import cv2

    tiles = int(params["tiles"])
    equaliser = cv2.createCLAHE(clipLimit=params["clip_limit"], tileGridSize=(tiles, tiles))
    out = np.empty(plane.shape, np.float32)
    for c, channel in enumerate(plane):
        native = channel
        if channel.dtype not in (np.uint8, np.uint16):
            native = in_16_bit(channel, sixteen_bits(channel))
        equal = equaliser.apply(np.ascontiguousarray(native))
        np.divide(equal, np.float32(np.iinfo(native.dtype).max), out=out[c])
    return out


def sixteen_bits(channel: NDArray[np.generic]) -> Scaling:
    """How local contrast makes 16 bits of a float channel: its 0.1st to its 99.9th percentile."""
    low, high = percentiles(channel, (0.1, 99.9))
    return Scaling(low, high, 0, 1)


def in_16_bit(channel: NDArray[np.generic], stretch: Scaling) -> NDArray[np.uint16]:
    """A float channel, or part of one, in 16 bits."""
    return (stretch.of(channel) * np.float32(65535)).astype(np.uint16)


def _scaled(channel: NDArray[np.generic], low: float, high: float) -> FloatPlane:
    """``(value - low) / (high - low)``; 0 where the channel is flat or a value is not finite."""
    if not high > low:
        return np.zeros(channel.shape, np.float32)
    out = channel.astype(np.float32)
    out -= np.float32(low)
    out *= np.float32(1 / (high - low))
    if channel.dtype.kind == "f":
        np.copyto(out, np.float32(0), where=~np.isfinite(out))
    return out


PREPROCESSING: dict[str, Preprocess] = {
    "percentile": Preprocess(
        title="Percentile normalisation",
        explanation="Stretches brightness from a dark to a bright percentile to 0…1, so that "
        "images of different exposure look alike and a few hot pixels do not matter.",
        source="Usual in fluorescence microscopy; e.g. Weigert et al. 2018, Nature Methods 15",
        run=_scale(_percentile),
        params={
            "low": Parameter(1.0, 0.0, 49.0, "Dark end: this % of the pixels lie below 0."),
            "high": Parameter(99.8, 51.0, 100.0, "Bright end: this % of the pixels lie below 1."),
        },
    ),
    "zscore": Preprocess(
        title="Standardisation",
        explanation="Subtracts the mean and divides by the standard deviation of each image.",
        source="'norm' in Guo, Luo, Li, Yang 2020 (image standardisation)",
        run=_scale(_zscore),
    ),
    "minmax": Preprocess(
        title="Full range",
        explanation="Stretches brightness from the darkest to the brightest pixel to 0…1.",
        source="Textbook min-max scaling",
        run=_scale(_minmax),
    ),
    "clahe": Preprocess(
        title="Local contrast (CLAHE)",
        explanation="Evens out contrast region by region, so that faint structures show beside "
        "bright ones; amplifies noise a little.",
        source="Zuiderveld 1994, Graphics Gems IV; clip 2, 8 × 8 tiles as in Guo et al. 2020",
        run=_clahe,
        params={
            "clip_limit": Parameter(2.0, 0.1, 40.0, "How much contrast may rise; higher, noisier."),
            "tiles": Parameter(8.0, 1.0, 64.0, "Regions along each side of the image."),
        },
    ),
}
"""The steps that a recipe may name."""


def complete_params(name: str, params: Mapping[str, float]) -> dict[str, float]:
    """All parameters of a step: those given, the defaults for the others.

    Raises
    ------
    ValueError
        With a sentence, for an unknown step or parameter or a value out of range.
    """
    if name not in PREPROCESSING:
        known = ", ".join(PREPROCESSING)
        raise ValueError(f"There is no preprocessing called {name!r}; there is {known}.")
    known_params = PREPROCESSING[name].params
    for key, value in params.items():
        if key not in known_params:
            raise ValueError(f"The preprocessing {name!r} has no setting {key!r}.")
        p = known_params[key]
        if not p.minimum <= value <= p.maximum:
            between = f"{p.minimum:g} and {p.maximum:g}"
            raise ValueError(f"{name}.{key} lies between {between}, not {value:g}.")
    return {key: float(params.get(key, p.default)) for key, p in known_params.items()}


def apply_steps(plane_cyx: NDArray[Any], steps: Sequence[Step]) -> FloatPlane:
    """A plane as the network gets it.

    Parameters
    ----------
    plane_cyx
        ``(C, Y, X)``, uint8, uint16 or float32.
    steps
        In order; each has a ``name`` of `PREPROCESSING` and ``params``.

    Returns
    -------
    float32 (C, Y, X)
        Without steps the plain values as float32, what is not finite as 0.

    Raises
    ------
    ValueError
        For an unknown step, a parameter out of range or a plane with another number of axes.
    """
    if plane_cyx.ndim != 3:
        raise ValueError(f"A plane has the axes (C, Y, X), not the shape {plane_cyx.shape}.")
    out: NDArray[Any] = plane_cyx
    for step in steps:
        params = complete_params(step.name, step.params)
        out = PREPROCESSING[step.name].run(out, params)
    if out.dtype != np.float32 or not steps:
        out = np.nan_to_num(out.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return out
