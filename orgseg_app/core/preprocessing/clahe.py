"""Contrast limited adaptive histogram equalisation as OpenCV does it, also of parts of a plane."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocessing.part import FloatPlane, Params, Place, Sample
from orgseg_app.core.preprocessing.scaling import Histogram, Scaling, percentiles

_TABLES_BYTES = 64 << 20
_DENSE = 4  # from so many voxels a value on, the histogram of a sample looks like that of all


def clahe(plane: NDArray[Any], params: Params) -> FloatPlane:
    """Local contrast of a plane ``(C, Y, X)`` on its 8 or 16 bits, as 0…1; floats get 16 bits."""
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
    """How 16 bits are made of a float channel: from its 0.1st to its 99.9th percentile."""
    low, high = percentiles(channel, (0.1, 99.9))
    return Scaling(low, high, 0, 1)


def in_16_bit(channel: NDArray[np.generic], stretch: Scaling) -> NDArray[np.uint16]:
    """A float channel, or part of one, in 16 bits."""
    return (stretch.of(channel) * np.float32(65535)).astype(np.uint16)


class Equalisation:
    """Local contrast (CLAHE) of one channel as tables: one a region, blended between their middles.

    The same as OpenCV's ``CLAHE``, which keeps its tables to itself (Zuiderveld 1994, Graphics
    Gems IV).

    Parameters
    ----------
    tiles
        Regions along each side.
    tile_yx
        Height and width of a region, in voxels of the plane.
    table_of
        ``(row, column)`` of a region to the new value of each value, ``(256,)`` or ``(65536,)``.
    count
        256 or 65536.
    stretch
        How floats become 16 bits; None for 8 and 16 bits.
    """

    reach = 0

    def __init__(
        self,
        tiles: int,
        tile_yx: tuple[float, float],
        table_of: Callable[[int, int], NDArray[Any]],
        count: int,
        stretch: Scaling | None = None,
    ) -> None:
        dtype = np.dtype(np.uint8 if count == 256 else np.uint16)
        self._stretch, self._tile, self._most = stretch, tile_yx, count - 1
        self._shift = 0  # neighbouring values share an entry where the tables would be too large
        while tiles * tiles * (count >> self._shift) * dtype.itemsize > _TABLES_BYTES:
            self._shift += 1
        self._tables = np.empty((tiles, tiles, count >> self._shift), dtype)
        for row, column in np.ndindex(tiles, tiles):
            self._tables[row, column] = table_of(row, column)[:: 1 << self._shift]

    @property
    def size_bytes(self) -> int:
        """Of all tables."""
        return self._tables.nbytes

    @classmethod
    def fit(cls, sample: Sample, params: Params, reference: Sequence[float] = ()) -> Equalisation:
        """From some voxels of a channel, with the parameters of the step "clahe"."""
        stretch, parts = None, sample.parts
        if parts[0].dtype not in (np.uint8, np.uint16):
            stretch = sixteen_bits(sample.values)
            parts = [in_16_bit(part, stretch) for part in parts]
        tiles, count = int(params["tiles"]), int(np.iinfo(parts[0].dtype).max) + 1
        if len(parts) == 1:
            return cls._of_regions(parts[0], sample.plane_yx, tiles, count, params, stretch)
        tile_yx = tuple(-(-side // tiles) for side in sample.plane_yx)
        middles = [
            (place.y0 + part.shape[0] / 2, place.x0 + part.shape[1] / 2)
            for place, part in zip(sample.places, parts, strict=True)
        ]

        def table_of(row: int, column: int) -> NDArray[Any]:
            """From the parts that are nearest to the middle of the region."""
            middle = (row + 0.5) * tile_yx[0], (column + 0.5) * tile_yx[1]
            away = np.linalg.norm(np.subtract(middles, middle), axis=1)
            part = parts[int(np.argmin(away))]
            weight = max(1, round(tile_yx[0] * tile_yx[1] / part.size))
            return _table_of_some(part, count, weight, params["clip_limit"])

        return cls(tiles, (tile_yx[0], tile_yx[1]), table_of, count, stretch)

    @classmethod
    def _of_regions(
        cls,
        channel: NDArray[Any],
        plane_yx: tuple[int, int],
        tiles: int,
        count: int,
        params: Params,
        stretch: Scaling | None,
    ) -> Equalisation:
        height, width = channel.shape
        rows, columns = padded(height, width, tiles)
        channel = channel[rows][:, columns]
        high, wide = len(rows) // tiles, len(columns) // tiles
        weight = max(1, round(plane_yx[0] * plane_yx[1] / (height * width)))

        def table_of(row: int, column: int) -> NDArray[Any]:
            top, left = row * high, column * wide
            region = channel[top : top + high, left : left + wide]
            return _table_of_some(region, count, weight, params["clip_limit"])

        tile_yx = high * plane_yx[0] / height, wide * plane_yx[1] / width
        return cls(tiles, tile_yx, table_of, count, stretch)

    @classmethod
    def counted(
        cls, histograms: NDArray[np.integer], tile_yx: tuple[int, int], clip_limit: float
    ) -> Equalisation:
        """From the histogram of each region, ``(tiles, tiles, 256 or 65536)``."""
        area = tile_yx[0] * tile_yx[1]

        def table_of(row: int, column: int) -> NDArray[Any]:
            return _table(histograms[row, column], area, clip_limit)

        return cls(len(histograms), tile_yx, table_of, histograms.shape[2])

    def of(self, values: NDArray[Any], place: Place) -> FloatPlane:
        """Part of the channel ``(h, w)`` in 0…1."""
        native = values if self._stretch is None else in_16_bit(values, self._stretch)
        native = native >> self._shift
        rows, top, bottom, share_y = self._between(place.ys(values.shape[0]), self._tile[0])
        columns, left, right, share_x = self._between(place.xs(values.shape[1]), self._tile[1])
        out = np.empty(values.shape, np.float32)
        for y0, y1 in rows:
            for x0, x1 in columns:
                part, down, across = native[y0:y1, x0:x1], share_y[y0:y1, None], share_x[x0:x1]
                upper, lower = self._tables[top[y0]], self._tables[bottom[y0]]
                a = upper[left[x0]][part] * (1 - across) + upper[right[x0]][part] * across
                b = lower[left[x0]][part] * (1 - across) + lower[right[x0]][part] * across
                out[y0:y1, x0:x1] = np.rint(a * (1 - down) + b * down)
        return np.divide(out, np.float32(self._most), out=out)

    def _between(
        self, places: NDArray[Any], side: float
    ) -> tuple[list[tuple[int, int]], NDArray[Any], NDArray[Any], NDArray[np.float32]]:
        """Along an axis: stretches with the same two tables, which, and the share of the second."""
        at = places / side - 0.5
        first = np.floor(at).astype(np.intp)
        share = (at - first).astype(np.float32)
        cuts = [0, *(np.flatnonzero(np.diff(first)) + 1).tolist(), len(places)]
        last = len(self._tables) - 1
        stretches = list(itertools.pairwise(cuts))
        return stretches, first.clip(0, last), (first + 1).clip(0, last), share


def padded(height: int, width: int, tiles: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns of a plane as OpenCV cuts them into equal regions: mirrored at the end."""
    rows, columns = np.arange(height), np.arange(width)
    if height % tiles or width % tiles:
        rows = _mirrored(height, tiles - height % tiles)
        columns = _mirrored(width, tiles - width % tiles)
    return rows, columns


def _mirrored(length: int, rest: int) -> NDArray[Any]:
    """The places 0, 1, 2, 1, 0, 1, … of an axis of 3: there and back again."""
    if length == 1:
        return np.zeros(1 + rest, np.intp)
    there = np.arange(length + rest) % (2 * length - 2)
    return np.minimum(there, 2 * length - 2 - there)


def _table_of_some(
    region: NDArray[Any], count: int, weight: int, clip_limit: float
) -> NDArray[Any]:
    """The table of a region of which every `weight`-th voxel is known."""
    histogram: Histogram = np.bincount(region.ravel(), minlength=count) * weight
    if weight > 1 and region.size < _DENSE * np.count_nonzero(histogram):
        # Voxels left out had values beside those seen, and no bin may hold them all.
        histogram = _smoothed(histogram, 2 * (weight // 2) + 1)
    return _table(histogram, region.size * weight, clip_limit)


def _table(histogram: Histogram, area: int, clip_limit: float) -> NDArray[Any]:
    """The new value of every value, from the histogram of a region with its peaks cut off."""
    count = len(histogram)
    limit = max(int(clip_limit * area / count), 1)
    excess = int((histogram - limit).clip(0).sum())
    clipped = np.minimum(histogram, limit) + excess // count
    rest = excess % count
    if rest:
        clipped[:: max(count // rest, 1)][:rest] += 1
    scale = np.float32((count - 1) / area)
    equal: NDArray[Any] = np.rint(np.cumsum(clipped).astype(np.float32) * scale)
    return equal.clip(0, count - 1)


def _smoothed(histogram: Histogram, width: int) -> Histogram:
    """Means over an odd number of bins, as whole numbers with the same sum but for rounding."""
    before = np.concatenate([[0], np.cumsum(histogram)])
    bins = np.arange(len(histogram))
    low, high = (bins - width // 2).clip(0), (bins + width // 2 + 1).clip(None, len(histogram))
    total = np.cumsum((before[high] - before[low]) / width)
    smooth: NDArray[Any] = np.diff(np.rint(total), prepend=0).astype(np.int64)
    return smooth
