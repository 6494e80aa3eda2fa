"""Magic wand: voxels of about the same values as one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import BLOCK
from orgseg_app.core.painting.fill import Piece, spread

Read = Callable[[int, int, int, int], NDArray[np.generic]]
"""(y0, x0, y1, x1) → voxels ``(C, y1 - y0, x1 - x0)`` of the plane; called from several threads."""


def similar(
    read: Read,
    size_yx: tuple[int, int],
    z: int,
    y: int,
    x: int,
    *,
    tolerances: Sequence[float],
    contiguous: bool = True,
) -> Iterator[Piece]:
    """Voxels of a plane that differ from one of them by no more than a tolerance in any channel.

    Parameters
    ----------
    size_yx
        Of the plane, in voxels.
    z
        For the pieces.
    tolerances
        One for each channel in the image's own values; infinite for a channel that does not count.
    contiguous
        Only those that hang together with ``(y, x)`` by their sides.

    Yields
    ------
    z, y0, x0, where
        Pieces that do not overlap; none when the voxel is outside the plane or not a number.
    """
    height, width = size_yx
    if not (0 <= y < height and 0 <= x < width):
        return
    middle = read(y, x, y + 1, x + 1)[:, 0, 0]
    limits = [_limits(v, t) for v, t in zip(middle, tolerances, strict=True) if np.isfinite(t)]
    counted = [i for i, t in enumerate(tolerances) if np.isfinite(t)]
    if not np.all(np.isfinite(middle[counted].astype(np.float64))):
        return

    def look(_: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.bool_]:
        voxels = read(y0, x0, y1, x1)
        near = np.ones((y1 - y0, x1 - x0), np.bool_)
        for channel, (low, high) in zip(counted, limits, strict=True):
            near &= voxels[channel] >= low
            near &= voxels[channel] <= high
        return near

    if contiguous:
        for _, y0, x0, where in spread((1, height, width), (0, y, x), look):
            yield z, y0, x0, where
        return
    for y0 in range(0, height, BLOCK):
        where = look(0, y0, 0, min(y0 + BLOCK, height), width)
        if where.any():
            yield z, y0, 0, where


def _limits(value: np.generic, tolerance: float) -> tuple[np.generic, np.generic]:
    """Smallest and largest value that is near, in the type of the image: it compares fastest."""
    kind = value.dtype.type
    low, high = float(value.item()) - tolerance, float(value.item()) + tolerance
    if isinstance(value, np.integer):
        ends = np.iinfo(type(value))
        low, high = max(np.ceil(low), ends.min), min(np.floor(high), ends.max)
    return kind(low), kind(high)
