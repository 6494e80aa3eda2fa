"""Changes of grey values, measured by the patch's own mean and spread; masks stay as they are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

Values = Mapping[str, float]
Channel = NDArray[np.float32]


def shade(pixels: NDArray[np.float32], acts: Iterable[tuple[str, Values]]) -> None:
    """Change the grey values of a patch in place.

    Parameters
    ----------
    pixels
        ``(C, …, Y, X)`` float32, contiguous; every channel on its own.
    acts
        Names and numbers, in order; those that move pixels are passed over. Mean and spread
        (standard deviation) are those of the channel before the first of them.
    """
    wanted = [(name, values) for name, values in acts if name in INTENSITIES]
    if wanted:
        for number, channel in enumerate(pixels):
            _shade(channel, number, wanted)


def _shade(channel: Channel, number: int, acts: Iterable[tuple[str, Values]]) -> None:
    """One channel ``(…, Y, X)``. Linear changes are gathered and done with the next other one."""
    import cv2

    flat = channel.reshape(-1, channel.shape[-1])
    mean = cv2.sumElems(flat)[0] / flat.size
    # Both sums are taken in double precision, and four times as fast as OpenCV's meanStdDev.
    spread = math.sqrt(max(0.0, cv2.norm(flat) ** 2 / flat.size - mean**2))
    gain, offset = 1.0, 0.0
    for name, values in acts:
        if name in _LINEAR:
            factor, added = _LINEAR[name](values, mean, spread)
            gain, offset = gain * factor, offset * factor + added
        elif name == "noise":
            noise = np.empty_like(flat)
            # OpenCV's dice are each thread's own; thrown anew from a seed they tell no threads.
            cv2.setRNGSeed((int(values["seed"]) + 7919 * number) % (1 << 31))
            cv2.randn(noise, 0, 1)  # type: ignore[call-overload]
            cv2.addWeighted(flat, gain, noise, values["amount"] * spread, offset, dst=flat)
            gain, offset = 1.0, 0.0
        else:
            _line(flat, gain, offset)
            gain, offset = 1.0, 0.0
            _CHANGES[name](channel, values, mean)
    _line(flat, gain, offset)


def _line(flat: Channel, gain: float, offset: float) -> None:
    if (gain, offset) != (1.0, 0.0):
        np.multiply(flat, np.float32(gain), out=flat)
        np.add(flat, np.float32(offset), out=flat)


def _brightness(values: Values, mean: float, spread: float) -> tuple[float, float]:
    return 1.0, values["amount"] * spread


def _contrast(values: Values, mean: float, spread: float) -> tuple[float, float]:
    return values["factor"], mean * (1 - values["factor"])


def _gamma(channel: Channel, values: Values, mean: float) -> None:
    """An exponent on the channel's own range; darkest and brightest value stay."""
    import cv2

    low, high = float(channel.min()), float(channel.max())
    if high <= low:
        return
    flat = channel.reshape(-1, channel.shape[-1])
    np.subtract(flat, np.float32(low), out=flat)
    np.multiply(flat, np.float32(1 / (high - low)), out=flat)
    cv2.pow(flat, values["exponent"], flat)
    np.multiply(flat, np.float32(high - low), out=flat)
    np.add(flat, np.float32(low), out=flat)


def _blur(channel: Channel, values: Values, mean: float) -> None:
    import cv2

    for lead in np.ndindex(channel.shape[:-2]):
        plane = channel[lead]
        cv2.GaussianBlur(plane, (0, 0), values["sigma"], dst=plane)


def _cutout(channel: Channel, values: Values, mean: float) -> None:
    """One rectangle; its middle lies anywhere in the patch, at least one pixel is hidden."""
    spans = []
    for length, middle, share in zip(
        channel.shape[-2:],
        (values["y"], values["x"]),
        (values["height"], values["width"]),
        strict=True,
    ):
        at, half = min(int(middle * length), length - 1), share * length / 2
        spans.append(slice(max(0, round(at - half)), max(at + 1, round(at + half))))
    channel[..., spans[0], spans[1]] = mean


_LINEAR: dict[str, Callable[[Values, float, float], tuple[float, float]]] = {
    "brightness": _brightness,
    "contrast": _contrast,
}
_CHANGES: dict[str, Callable[[Channel, Values, float], None]] = {
    "gamma": _gamma,
    "blur": _blur,
    "cutout": _cutout,
}
INTENSITIES = frozenset({*_LINEAR, *_CHANGES, "noise"})
"""Steps that change grey values; all others move pixels."""
