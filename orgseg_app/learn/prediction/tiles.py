"""Where the windows of a tiled prediction lie, and how much each counts at every pixel.

A tile sees less of the image than the whole image does, so near its inner edges it would answer
differently. Those edges, as wide as the network can see, are computed and thrown away (the halo);
what is left overlaps a little and is blended linearly. Where the network's sight has an end, the
blend of tiles is what the whole image would have given, to rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLEND = 16
"""Pixels over which neighbouring tiles pass into each other, in the plane."""

BLEND_Z = 4
"""The same over planes, of which tiles have fewer."""


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
        ``(kept_stop - kept_start,)`` float32. From `plan_axis`: this tile's share at each kept
        pixel; the shares of all tiles sum to 1 everywhere. From `plan_windows`: how many pixels
        lie between each pixel and the nearer end of the window, itself included.
    """

    start: int
    stop: int
    kept_start: int
    kept_stop: int
    weights: NDArray[np.float32]


def tile_size(*, radius: int | None, multiple: int, wanted: int, blend: int = BLEND) -> int:
    """The longest side of a tile: about `wanted`, but large enough that most of it is not halo.

    Parameters
    ----------
    radius, multiple
        The network's; see `learn.networks.network.Network`.
    wanted
        In pixels.
    blend
        As in `plan_axis`.
    """
    least = 2 * (blend + multiple) if radius is None else 3 * radius + blend + 2 * multiple
    return -(-max(wanted, least) // multiple) * multiple


def plan_axis(
    size: int, *, tile: int, multiple: int, radius: int | None, blend: int = BLEND
) -> list[Tile]:
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
    blend
        Pixels over which neighbouring tiles pass into each other.

    Returns
    -------
    list of Tile
        In order; one tile when the axis fits into it.
    """
    if size <= tile:
        return [Tile(0, size, 0, size, np.ones(size, np.float32))]
    halo = tile // 8 if radius is None else radius
    shared = 2 * halo + blend
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
        ramp = np.arange(1, kept_stop - kept_start + 1, dtype=np.float32) / np.float32(blend + 1)
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


def plan_windows(size: int, *, window: int) -> list[Tile]:
    """Windows along one axis that overlap by a third, as published for "deepest" stitching.

    All have the same size; the last one ends where the axis does.

    Parameters
    ----------
    size, window
        Pixels of the axis and of a window.
    """
    if size <= window:
        starts, window = [0], size
    else:
        stride = max(1, window - window // 3)
        starts = sorted({min(i * stride, size - window) for i in range(-(-size // stride))})
    inward = np.minimum(np.arange(1, window + 1), np.arange(window, 0, -1)).astype(np.float32)
    return [Tile(start, start + window, start, start + window, inward) for start in starts]


def tile_box(
    size_zyx: tuple[int, int, int],
    *,
    radius: int | None,
    radius_z: int | None,
    multiple: int,
    multiple_z: int,
    voxels: int,
) -> tuple[int, int]:
    """Depth and side of the tiles of a volume for which the fewest voxels are computed twice.

    Parameters
    ----------
    size_zyx
        Of the volume.
    radius, radius_z, multiple, multiple_z
        The network's.
    voxels
        How many a tile should have; exceeded where the network's sight asks for more.

    Returns
    -------
    depth, side
        As `plan_axis` takes them.
    """
    depth = _round_up(size_zyx[0], multiple_z)
    sides = tuple(_round_up(size, multiple) for size in size_zyx[1:])
    least = tile_size(radius=radius_z, multiple=multiple_z, wanted=1, blend=BLEND_Z)
    depths, wanted = [depth], least
    while wanted < depth:
        depths.append(wanted)
        wanted = _round_up(wanted + max(wanted // 3, 1), multiple_z)

    def cost(tile_z: int) -> tuple[float, int, tuple[int, int]]:
        side = int((voxels / min(tile_z, depth)) ** 0.5)
        tile = tile_size(radius=radius, multiple=multiple, wanted=side)
        z = plan_axis(depth, tile=tile_z, multiple=multiple_z, radius=radius_z, blend=BLEND_Z)
        y, x = (plan_axis(n, tile=tile, multiple=multiple, radius=radius) for n in sides)
        largest = math.prod(max(t.stop - t.start for t in tiles) for tiles in (z, y, x))
        computed = math.prod(sum(t.stop - t.start for t in tiles) for tiles in (z, y, x))
        return max(largest / voxels, 1.0), computed, (tile_z, tile)

    return min(map(cost, depths))[2]


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple
