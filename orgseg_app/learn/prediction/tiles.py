"""Where the windows of a tiled prediction lie, and how much each counts at every pixel.

A tile sees less of the image than the whole image does, so near its inner edges it would answer
differently. Those edges, as wide as the network can see, are computed and thrown away (the halo);
what is left overlaps a little and is blended linearly. Where the network's sight has an end, the
blend of tiles is what the whole image would have given, to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_BLEND = 16


@dataclass(frozen=True)
class Tile:
    """One window along one axis.

    Attributes
    ----------
    start, stop
        Pixels computed.
    kept_start, kept_stop
        Pixels that count.
    weights
        ``(kept_stop - kept_start,)`` float32: this tile's share at each kept pixel; the shares of
        all tiles sum to 1 everywhere.
    """

    start: int
    stop: int
    kept_start: int
    kept_stop: int
    weights: NDArray[np.float32]


def tile_size(*, radius: int | None, multiple: int, wanted: int) -> int:
    """The longest side of a tile: about `wanted`, but large enough that most of it is not halo.

    Parameters
    ----------
    radius, multiple
        The network's; see `learn.networks.registry.Network`.
    wanted
        In pixels.
    """
    least = 2 * (_BLEND + multiple) if radius is None else 3 * radius + _BLEND + 2 * multiple
    return -(-max(wanted, least) // multiple) * multiple


def plan_axis(size: int, *, tile: int, multiple: int, radius: int | None) -> list[Tile]:
    """The tiles along one axis: as few as possible, then as short as possible.

    Parameters
    ----------
    size
        Pixels to cover, a multiple of `multiple`.
    tile
        Longest side of a tile, as `tile_size` gives it.
    multiple
        Tiles start and end at multiples of this.
    radius
        The network's sight in pixels; None when it has no end: then an eighth of a tile is thrown
        away at inner edges, and the result is near that of the whole image, not equal.

    Returns
    -------
    list of Tile
        In order; one tile when the axis fits into it.
    """
    if size <= tile:
        return [Tile(0, size, 0, size, np.ones(size, np.float32))]
    halo = tile // 8 if radius is None else radius
    shared = 2 * halo + _BLEND
    longest_stride = max((tile - shared) // multiple, 1) * multiple
    count = -(-(size - shared) // longest_stride)
    stride = _round_up(-(-(size - shared) // count), multiple)
    length = min(_round_up(stride + shared, multiple), size)
    starts = sorted({min(i * stride, size - length) for i in range(count)})

    total = np.zeros(size, np.float32)
    raw: list[tuple[int, int, int, NDArray[np.float32]]] = []
    for start in starts:
        first, last = start == 0, start + length == size
        kept_start = start if first else start + halo
        kept_stop = size if last else start + length - halo
        ramp = np.arange(1, kept_stop - kept_start + 1, dtype=np.float32) / np.float32(_BLEND + 1)
        weights = np.ones_like(ramp)
        if not first:
            weights = np.minimum(weights, ramp)
        if not last:
            weights = np.minimum(weights, ramp[::-1])
        total[kept_start:kept_stop] += weights
        raw.append((start, kept_start, kept_stop, weights))
    return [
        Tile(start, start + length, kept_start, kept_stop, weights / total[kept_start:kept_stop])
        for start, kept_start, kept_stop, weights in raw
    ]


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
