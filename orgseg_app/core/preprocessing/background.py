"""Background subtraction with a rolling ball.

A ball rolled along the under side of the grey values, seen as a landscape, reaches everywhere but
into structures narrower than itself; what it reaches is the background (Sternberg 1983, Biomedical
image processing, IEEE Computer 16(1)). That is the grey-scale opening by the upper half of a ball.
As ImageJ describes it (imagej.net, BackgroundSubtracter), the picture is smoothed over 3 × 3 voxels
first, the steep rim of the ball is left out, and large balls roll over a smaller copy that holds
the darkest voxel of every block. Unlike there, the smaller ball keeps its true curvature.
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

_TILE = 192
"""Side of what is worked on at a time, so that it stays in the processor's cache."""


def background(sample: Sample, params: Params, reference: Sequence[float] = ()) -> RollingBall:
    """What is 0 and 1: of 8 bits both ends, else the 0.1st and 99.9th percentile.

    The ball is as high as it is in a picture of 8 bits, whatever the depth.
    """
    values = sample.values
    low, high = (0.0, 255.0) if values.dtype == np.uint8 else percentiles(values, (0.1, 99.9))
    return RollingBall(Scaling(low, high, -100, 100), params["radius"])


def shrink_factor(radius: float) -> int:
    """So many voxels along a side become one for a ball of this radius."""
    return next((factor for most, factor in ((10, 1), (30, 2), (100, 4)) if radius <= most), 8)


def ball(radius: float, factor: int) -> FloatPlane:
    """Heights of a ball above its rim, in voxels, at every `factor`-th voxel.

    Returns
    -------
    float32 (S, S)
        S is odd. A quarter to two fifths of the ball's radius are left out at its rim.
    """
    trimmed = 0.24 if radius <= 30 else 0.32 if radius <= 100 else 0.4
    half = max(1, math.floor(radius / factor * (1 - trimmed) + 0.5))
    y, x = np.mgrid[-half : half + 1, -half : half + 1] * factor
    heights: FloatPlane = np.sqrt(np.maximum(radius**2 - y**2 - x**2, 0)).astype(np.float32)
    return heights


@dataclass(frozen=True)
class RollingBall:
    """A channel without its background.

    Attributes
    ----------
    scaling
        From grey values to about 0…1.
    radius
        Of the ball, in voxels.
    """

    scaling: Scaling
    radius: float
    size_bytes: int = 0

    @property
    def reach(self) -> int:
        """The ball there and back, a block, and what is smoothed."""
        factor = shrink_factor(self.radius)
        return (len(ball(self.radius, factor)) + 2) * factor + 2

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """Part of the channel ``(h, w)`` less its background; noise goes a little below 0."""
        out = self.scaling.of(finite(values))
        radius = max(1.0, self.radius / place.shrink)
        factor = shrink_factor(radius)
        # Curvature in grey levels of 8 bits, of which 255 are 1; a smaller copy is as steep.
        heights = ball(radius, factor) * np.float32(place.shrink / 255)
        out -= rolled(out, heights, factor, place.y0, place.x0)
        return out


def rolled(
    image: FloatPlane, heights: FloatPlane, factor: int, y0: int = 0, x0: int = 0
) -> FloatPlane:
    """The background of a picture ``(Y, X)``, for a ball at every `factor`-th voxel.

    Parameters
    ----------
    heights
        See `ball`; in the units of the picture.
    y0, x0
        Where the picture begins in its plane, to which blocks of `factor` keep.
    """
    import cv2

    smooth: NDArray[Any] = cv2.blur(image, (3, 3), borderType=cv2.BORDER_REPLICATE)
    if factor == 1:
        rolling: FloatPlane = np.minimum(opened(smooth, heights), smooth)
        return rolling
    top, left = y0 % factor, x0 % factor
    height, width = smooth.shape
    rows, columns = -(-(top + height) // factor), -(-(left + width) // factor)
    small = np.full((rows * factor, columns * factor), np.inf, np.float32)
    small[top : top + height, left : left + width] = smooth
    small = small.reshape(rows, factor, columns * factor).min(1)
    small = small.reshape(rows, columns, factor).min(2)
    under: NDArray[Any] = cv2.resize(
        opened(small, heights), (columns * factor, rows * factor), interpolation=cv2.INTER_LINEAR
    )
    below: FloatPlane = np.minimum(under[top : top + height, left : left + width], smooth)
    return below


def opened(image: FloatPlane, heights: FloatPlane) -> FloatPlane:
    """The highest places a ball reaches from below, the picture going on endlessly high."""
    half = len(heights) // 2
    high = np.float32(np.inf)
    centres = _lowest(_padded(image, 2 * half, high), heights)  # also those beside the picture
    return -_lowest(-centres, heights)


def _padded(image: FloatPlane, by: int, value: np.float32) -> FloatPlane:
    return np.pad(image, by, constant_values=value)


def _lowest(image: FloatPlane, heights: FloatPlane) -> FloatPlane:
    """Minimum of picture less ball over the ball's square, wherever that lies in the picture."""
    half = len(heights) // 2
    height, width = (side - 2 * half for side in image.shape)
    out = np.empty((height, width), np.float32)
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            part = image[y : y + _TILE + 2 * half, x : x + _TILE + 2 * half]
            out[y : y + _TILE, x : x + _TILE] = _lowest_of_tile(part, heights)
    return out


def _lowest_of_tile(image: FloatPlane, heights: FloatPlane) -> FloatPlane:
    """As `_lowest`. The quarters of the ball are alike: four voxels share one subtraction."""
    half = len(heights) // 2
    height, width = (side - 2 * half for side in image.shape)
    lowest = np.full((height, width), np.inf, np.float32)
    pairs = np.empty((image.shape[0], width), np.float32)
    less = np.empty((height, width), np.float32)
    for dx in range(half + 1):
        left, right = half - dx, half + dx
        np.minimum(image[:, left : left + width], image[:, right : right + width], out=pairs)
        for dy in range(half + 1):
            up, down = half - dy, half + dy
            np.minimum(pairs[up : up + height], pairs[down : down + height], out=less)
            less -= heights[half + dy, half + dx]
            np.minimum(lowest, less, out=lowest)
    return lowest
