"""What range of values a plane should be shown in."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LOW, HIGH = 0.1, 99.9
SAMPLES = 250_000

_PIECE_VOXELS = 4 * 2**20


def auto_levels(
    plane: NDArray[np.generic], *, is_rgb: bool = False, low: float = LOW, high: float = HIGH
) -> tuple[tuple[float, float], ...]:
    """Contrast limits by percentile for each channel of ``(C, Y, X)``, from a subsample.

    Colour pictures keep the range of their type, so that white stays white.
    """
    if is_rgb:
        top = 255.0 if plane.dtype == np.uint8 else 65535.0
        return tuple((0.0, top) for _ in range(plane.shape[0]))
    step = max(1, round(math.sqrt(plane.shape[1] * plane.shape[2] / SAMPLES)))
    found = []
    for channel in plane[:, ::step, ::step]:
        values = channel[np.isfinite(channel)] if channel.dtype.kind == "f" else channel
        if values.size == 0:
            found.append((0.0, 1.0))
            continue
        a, b = (float(v) for v in np.percentile(values, [low, high]))
        found.append((a, b if b > a else a + 1.0))
    return tuple(found)


def value_range(
    plane: NDArray[np.generic], check: Callable[[], None] = lambda: None
) -> tuple[float, float]:
    """What a contrast slider should offer: the range of the values, widened to the full 8 bits.

    Parameters
    ----------
    plane
        ``(C, Y, X)``.
    check
        Called now and then; raises to give up.
    """
    if plane.dtype == np.uint8:
        return 0.0, 255.0
    low, high = math.inf, -math.inf
    rows = max(1, _PIECE_VOXELS // max(1, plane.shape[2]))
    for channel in plane:
        for top in range(0, channel.shape[0], rows):
            values = channel[top : top + rows]
            if values.dtype.kind == "f":
                values = values[np.isfinite(values)]
            if values.size:
                low, high = min(low, float(values.min())), max(high, float(values.max()))
            check()
    if low > high:
        return 0.0, 1.0
    return (min(low, 0.0) if plane.dtype.kind == "u" else low), (high if high > low else low + 1.0)
