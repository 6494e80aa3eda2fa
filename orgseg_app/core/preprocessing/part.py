"""A part of a channel and where it lies, and what a step looks at to learn what it needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

FloatPlane = NDArray[np.float32]
Params = Mapping[str, float]
Box = tuple[int, int, int, int]
"""``y0, x0, y1, x1``."""

_LARGEST = np.float32(1e30)
_LOOKED_AT = 1 << 22
"""Of more values than this, what is estimated is estimated from every n-th."""


@dataclass(frozen=True)
class Place:
    """Where a part of a channel lies.

    Attributes
    ----------
    y0, x0
        Its first voxel.
    whole_yx
        Height and width of what it is a part of: the plane, or a smaller copy of it.
    shrink
        Voxels of the plane along the side of one voxel here; 1 but for smaller copies.
    """

    y0: int
    x0: int
    whole_yx: tuple[int, int]
    shrink: float = 1.0

    def ys(self, count: int) -> NDArray[Any]:
        """Rows of the part as places in the plane."""
        return (self.y0 + np.arange(count) + 0.5) * self.shrink - 0.5

    def xs(self, count: int) -> NDArray[Any]:
        """Columns of the part as places in the plane."""
        return (self.x0 + np.arange(count) + 0.5) * self.shrink - 0.5

    def grown(self, box: Box, reach: int) -> Box:
        """A box with its surroundings, as far as there are any."""
        y0, x0, y1, x1 = box
        height, width = self.whole_yx
        return (
            max(0, y0 - reach),
            max(0, x0 - reach),
            min(height, y1 + reach),
            min(width, x1 + reach),
        )


def whole(channel: NDArray[Any]) -> Place:
    """The place of a channel ``(Y, X)`` that is all there."""
    return Place(0, 0, (channel.shape[0], channel.shape[1]))


@dataclass(frozen=True)
class Sample:
    """What a step looks at to learn what it needs: all of a channel, or some of it.

    Attributes
    ----------
    parts
        ``(Y, X)`` each, from left to right and top to bottom.
    places
        Where each of them lies.
    plane_yx
        Height and width of the plane.
    """

    parts: Sequence[NDArray[Any]]
    places: Sequence[Place]
    plane_yx: tuple[int, int]

    @property
    def values(self) -> NDArray[Any]:
        """All of them; of any shape."""
        if len(self.parts) == 1:
            return self.parts[0]
        return np.concatenate([part.ravel() for part in self.parts])


class Fitted(Protocol):
    """A step that knows of a channel what it has to know."""

    @property
    def reach(self) -> int:
        """So far around a voxel it looks, in voxels of the plane; 0 when at the voxel alone."""

    @property
    def size_bytes(self) -> int:
        """What it knows takes so much memory."""

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """A part of the channel ``(h, w)``; right from `reach` off its edges on, or at the plane's.

        Of a smaller copy of the plane all sizes are smaller by as much.
        """


Fit = Callable[[Sample, Params, Sequence[float]], Fitted]
"""``(sample, complete params, reference) -> fitted``."""


def finite(channel: NDArray[Any]) -> FloatPlane:
    """As float32 ``(Y, X)``, C-contiguous; what is not finite is 0, and nothing can overflow."""
    out = np.ascontiguousarray(channel, np.float32)
    if channel.dtype.kind == "f":
        out = np.nan_to_num(out, nan=0.0, posinf=0.0, neginf=0.0)
        out = out.clip(-_LARGEST, _LARGEST, out=out)
    return out


def some(values: NDArray[Any]) -> NDArray[Any]:
    """Enough of many values to estimate from, 1-D."""
    flat = values.ravel()
    return flat[:: max(1, flat.size // _LOOKED_AT)]


def shrunk(length: float, place: Place) -> int:
    """A size in voxels of the plane in whole voxels of the smaller copy."""
    return math.ceil(length / place.shrink - 0.5)
