"""Steps that look at the surroundings of each voxel: smoothing, medians, edges.

They keep the units of what they are given, but for edges. Beyond the edge of a plane it goes on
mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.part import FloatPlane, Params, Place, Sample, finite, shrunk

_STRIP = 64
"""Rows whose medians are found at a time, so that they stay in the processor's cache."""


def gaussian(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Gaussian:
    """Nothing has to be learnt."""
    return Gaussian(params["sigma"])


def median(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Median:
    """Nothing has to be learnt."""
    return Median(int(params["radius"]))


def edge_enhance(sample: Sample, params: Params, reference: Sequence[float] = ()) -> Edges:
    """The largest value and the steepest edge."""
    highest = steepest = 0.0
    for part in sample.parts:
        values = finite(part)
        highest = max(highest, float(np.abs(values).max()))
        steepest = max(steepest, float(sobel(values).max()))
    return Edges(highest, steepest)


@dataclass(frozen=True)
class Gaussian:
    """Smoothing with a bell of `sigma` voxels, cut off at four times that."""

    sigma: float
    size_bytes: int = 0

    @property
    def reach(self) -> int:
        """Half of the kernel."""
        return _half(self.sigma)

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """Part of the channel ``(h, w)``."""
        import cv2

        sigma = self.sigma / place.shrink
        side = 2 * _half(sigma) + 1
        out: NDArray[Any] = cv2.GaussianBlur(
            finite(values), (side, side), sigma, borderType=cv2.BORDER_REFLECT_101
        )
        return out


def _half(sigma: float) -> int:
    return math.ceil(4 * sigma)


@dataclass(frozen=True)
class Median:
    """The median of a square of ``2 radius + 1`` voxels around each."""

    radius: int
    size_bytes: int = 0

    @property
    def reach(self) -> int:
        """Half of the square."""
        return self.radius

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """Part of the channel ``(h, w)``."""
        import cv2

        radius = shrunk(self.radius, place)
        native = values if values.dtype in (np.uint8, np.uint16) else finite(values)
        if not radius:
            return finite(values)
        padded = cv2.copyMakeBorder(
            np.ascontiguousarray(native), radius, radius, radius, radius, cv2.BORDER_REFLECT_101
        )
        if radius <= 2 or values.dtype == np.uint8:
            found = cv2.medianBlur(padded, 2 * radius + 1)
            return finite(found[radius:-radius, radius:-radius])
        out: FloatPlane = np.empty(values.shape, np.float32)
        for y in range(0, len(out), _STRIP):
            for x in range(0, out.shape[1], 4 * _STRIP):
                part = padded[y : y + _STRIP + 2 * radius, x : x + 4 * _STRIP + 2 * radius]
                out[y : y + _STRIP, x : x + 4 * _STRIP] = middle(part, radius)
        return out


def middle(padded: NDArray[Any], radius: int) -> NDArray[Any]:
    """The median around each voxel that is `radius` or more off the edges, any dtype.

    Half of the square's values and one more are held; the least and the greatest of them cannot be
    the median and make room for the next value, until one is left (Smith 1996, Implementing median
    filters in XC4000E FPGAs, XCell 23).
    """
    side = 2 * radius + 1
    height, width = padded.shape[0] - 2 * radius, padded.shape[1] - 2 * radius
    waiting = [padded[y : y + height, x : x + width] for y in range(side) for x in range(side)]
    held = [waiting.pop().copy() for _ in range(side * side // 2 + 2)]
    spare = np.empty_like(held[0])
    while True:
        spare = _sink_least(held, spare)
        spare = _lift_greatest(held, spare)
        if len(held) == 3:
            return held[1]
        held.pop()
        np.copyto(held[0], waiting.pop())


def _sink_least(held: list[NDArray[Any]], spare: NDArray[Any]) -> NDArray[Any]:
    """Exchange values so that ``held[0]`` has the least everywhere; gives a free array back."""
    for n in range(len(held) - 1, 0, -1):
        np.maximum(held[0], held[n], out=spare)
        np.minimum(held[0], held[n], out=held[0])
        held[n], spare = spare, held[n]
    return spare


def _lift_greatest(held: list[NDArray[Any]], spare: NDArray[Any]) -> NDArray[Any]:
    """Exchange values so that the last has the greatest of all but ``held[0]``."""
    for n in range(1, len(held) - 1):
        np.minimum(held[-1], held[n], out=spare)
        np.maximum(held[-1], held[n], out=held[-1])
        held[n], spare = spare, held[n]
    return spare


@dataclass(frozen=True)
class Edges:
    """Half the picture and half its edges, both 0…1.

    Attributes
    ----------
    highest, steepest
        What becomes 1 of the picture and of its edges.
    """

    highest: float
    steepest: float
    reach: int = 1
    size_bytes: int = 0

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """Part of the channel ``(h, w)``."""
        picture = finite(values)
        out = sobel(picture)
        # From voxel to voxel a smaller copy is as much steeper.
        out *= np.float32(0.5 / self.steepest / place.shrink if self.steepest else 0)
        out += picture * np.float32(0.5 / self.highest if self.highest else 0)
        return out


def sobel(picture: FloatPlane) -> FloatPlane:
    """Half the sum of the absolute slopes along rows and columns (Sobel & Feldman 1968)."""
    import cv2

    down: NDArray[Any] = cv2.Sobel(picture, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REFLECT_101)
    across: NDArray[Any] = cv2.Sobel(picture, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REFLECT_101)
    np.abs(down, out=down)
    down += np.abs(across, out=across)
    down *= np.float32(0.5)
    return down
