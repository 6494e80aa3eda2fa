"""Preprocessing of one part of a plane that is too large to be prepared as a whole.

What a step has to know of the whole plane (percentiles, mean, the histograms of local contrast) is
learnt from a sample of its voxels; the first step can count all of them as they are read. Then any
part of the plane can be prepared by itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.preprocess import (
    SCALINGS,
    FloatPlane,
    Scaling,
    Step,
    complete_params,
    counted_scaling,
    in_16_bit,
    sixteen_bits,
)

MOST_COUNTED = 16
"""Regions along a side whose values are all counted: more would take hundreds of megabytes."""

_TABLES_BYTES = 64 << 20
_DENSE = 4  # from so many voxels a value on, the histogram of a sample looks like that of all


class FittedSteps:
    """The steps of a recipe with what they have learnt of a plane.

    Fitted to all voxels of a plane it does to them what `preprocess.apply_steps` does.

    Parameters
    ----------
    sample_cyx
        ``(C, Y, X)``, uint8, uint16 or float32: every n-th voxel of the plane in both directions.
    steps
        In order; see `preprocess.apply_steps`.
    whole_yx
        Height and width of the plane; those of the sample by default.
    first
        The first step of each channel where it has been learnt from all voxels.
    check
        Called before each step of each channel; raises to give up.

    Raises
    ------
    ValueError
        For an unknown step or a parameter out of range.
    """

    def __init__(
        self,
        sample_cyx: NDArray[Any],
        steps: Sequence[Step],
        *,
        whole_yx: tuple[int, int] | None = None,
        first: Sequence[Fitted] = (),
        check: Callable[[], object] = lambda: None,
    ) -> None:
        height, width = sample_cyx.shape[1:]
        self._size = whole_yx or (height, width)
        ys = _places(0, height, self._size[0] / height)
        xs = _places(0, width, self._size[1] / width)
        self._channels: list[list[Fitted]] = []
        for number, values in enumerate(sample_cyx):
            fitted = list(first[number : number + 1])
            for step in steps[len(fitted) :]:
                check()
                params = complete_params(step.name, step.params)
                if fitted:
                    values = _done(fitted[-1], values, ys, xs)
                if step.name in SCALINGS:
                    fitted.append(SCALINGS[step.name](values, params))
                else:
                    fitted.append(Equalisation.of_sample(values, params, self._size))
            self._channels.append(fitted)

    @property
    def size_bytes(self) -> int:
        """What was learnt takes so much memory."""
        steps = itertools.chain.from_iterable(self._channels)
        return sum(step.size_bytes for step in steps if isinstance(step, Equalisation))

    def of(self, part: NDArray[Any], y0: int, x0: int, whole_yx: tuple[int, int]) -> FloatPlane:
        """Part of the plane as the network gets it.

        Parameters
        ----------
        part
            ``(C, h, w)`` of the plane, or of a smaller version of it.
        y0, x0
            Where it begins.
        whole_yx
            Height and width of what it is a part of.

        Returns
        -------
        float32 (C, h, w)
        """
        ys = _places(y0, part.shape[1], self._size[0] / whole_yx[0])
        xs = _places(x0, part.shape[2], self._size[1] / whole_yx[1])
        out = np.empty(part.shape, np.float32)
        for c, fitted in enumerate(self._channels):
            values = part[c]
            for step in fitted:
                values = _done(step, values, ys, xs)
            out[c] = values
        return np.nan_to_num(out, copy=False, nan=0.0, posinf=0.0, neginf=0.0)


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
    def of_sample(
        cls, channel: NDArray[Any], params: Mapping[str, float], whole_yx: tuple[int, int]
    ) -> Equalisation:
        """From some voxels of a channel ``(Y, X)``, with the parameters of the step "clahe"."""
        stretch = None
        if channel.dtype not in (np.uint8, np.uint16):
            stretch = sixteen_bits(channel)
            channel = in_16_bit(channel, stretch)
        tiles, count = int(params["tiles"]), int(np.iinfo(channel.dtype).max) + 1
        height, width = channel.shape
        rows, columns = padded(height, width, tiles)
        channel = channel[rows][:, columns]
        high, wide = len(rows) // tiles, len(columns) // tiles
        weight = max(1, round(whole_yx[0] * whole_yx[1] / (height * width)))

        def table_of(row: int, column: int) -> NDArray[Any]:
            top, left = row * high, column * wide
            region = channel[top : top + high, left : left + wide]
            histogram = np.bincount(region.ravel(), minlength=count) * weight
            if weight > 1 and region.size < _DENSE * np.count_nonzero(histogram):
                # Voxels left out had values beside those seen, and no bin may hold them all.
                histogram = _smoothed(histogram, 2 * (weight // 2) + 1)
            return _table(histogram, region.size * weight, params["clip_limit"])

        tile_yx = high * whole_yx[0] / height, wide * whole_yx[1] / width
        return cls(tiles, tile_yx, table_of, count, stretch)

    def of(self, channel: NDArray[Any], ys: NDArray[Any], xs: NDArray[Any]) -> FloatPlane:
        """Part of the channel ``(h, w)`` in 0…1; `ys`, `xs` are its places in the plane."""
        native = channel if self._stretch is None else in_16_bit(channel, self._stretch)
        native = native >> self._shift
        rows, top, bottom, share_y = self._between(ys, self._tile[0])
        columns, left, right, share_x = self._between(xs, self._tile[1])
        out = np.empty(channel.shape, np.float32)
        for y0, y1 in rows:
            for x0, x1 in columns:
                values, down, across = native[y0:y1, x0:x1], share_y[y0:y1, None], share_x[x0:x1]
                upper, lower = self._tables[top[y0]], self._tables[bottom[y0]]
                a = upper[left[x0]][values] * (1 - across) + upper[right[x0]][values] * across
                b = lower[left[x0]][values] * (1 - across) + lower[right[x0]][values] * across
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


Fitted = Scaling | Equalisation


class PlaneCounts:
    """Counts the values of an 8 or 16 bit plane strip by strip, for the first step.

    Parameters
    ----------
    shape_cyx
        Of the plane.
    dtype
        uint8 or uint16.
    step
        For which.
    """

    def __init__(self, shape_cyx: tuple[int, int, int], dtype: np.dtype[Any], step: Step) -> None:
        channels, height, width = shape_cyx
        self._name, self._params = step.name, complete_params(step.name, step.params)
        self._count = int(np.iinfo(dtype).max) + 1
        self._tiles = 1 if step.name in SCALINGS else int(self._params["tiles"])
        self._rows, self._columns = np.arange(height), np.arange(width)
        if step.name not in SCALINGS:
            self._rows, self._columns = padded(height, width, self._tiles)
        self._high = len(self._rows) // self._tiles
        self._wide = len(self._columns) // self._tiles
        self._found = np.zeros((channels, self._tiles, self._tiles, self._count), np.int64)

    @staticmethod
    def can(dtype: np.dtype[Any], steps: Sequence[Step]) -> bool:
        """Whether the first of the steps can be learnt so."""
        if not steps or dtype not in (np.uint8, np.uint16):
            return False
        tiles = complete_params(steps[0].name, steps[0].params).get("tiles", 1)
        return steps[0].name in SCALINGS or tiles <= MOST_COUNTED

    def add(self, strip: NDArray[Any], y0: int) -> None:
        """Count the rows ``(C, h, width)`` from `y0` on; each row is given once."""
        inside = np.flatnonzero((self._rows >= y0) & (self._rows < y0 + strip.shape[1]))
        wider = len(self._columns) > strip.shape[2]
        for row in np.unique(inside // self._high):
            rows = self._rows[inside[inside // self._high == row]] - y0
            there = rows[-1] - rows[0] == len(rows) - 1  # as they come, which needs no copy
            part = strip[:, rows[0] : rows[-1] + 1] if there else strip[:, rows]
            if wider:
                part = part[:, :, self._columns]
            for c, column in np.ndindex(len(strip), self._tiles):
                region = part[c, :, column * self._wide : (column + 1) * self._wide]
                counted = np.bincount(region.ravel(), minlength=self._count)
                self._found[c, row, column] += counted

    def first(self) -> list[Fitted]:
        """The first step of each channel, once all strips have been counted."""
        if self._name in SCALINGS:
            return [counted_scaling(self._name, h[0, 0], self._params) for h in self._found]
        return [self._equalisation(histograms) for histograms in self._found]

    def _equalisation(self, histograms: NDArray[np.int64]) -> Equalisation:
        area, clip_limit = self._high * self._wide, self._params["clip_limit"]

        def table_of(row: int, column: int) -> NDArray[Any]:
            return _table(histograms[row, column], area, clip_limit)

        return Equalisation(self._tiles, (self._high, self._wide), table_of, self._count)


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


def _done(step: Fitted, values: NDArray[Any], ys: NDArray[Any], xs: NDArray[Any]) -> FloatPlane:
    return step.of(values) if isinstance(step, Scaling) else step.of(values, ys, xs)


def _table(histogram: NDArray[np.integer], area: int, clip_limit: float) -> NDArray[Any]:
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


def _smoothed(histogram: NDArray[Any], width: int) -> NDArray[Any]:
    """Means over an odd number of bins, as whole numbers with the same sum but for rounding."""
    before = np.concatenate([[0], np.cumsum(histogram)])
    bins = np.arange(len(histogram))
    low, high = (bins - width // 2).clip(0), (bins + width // 2 + 1).clip(None, len(histogram))
    total = np.cumsum((before[high] - before[low]) / width)
    smooth: NDArray[Any] = np.diff(np.rint(total), prepend=0).astype(np.int64)
    return smooth


def _places(first: int, count: int, scale: float) -> NDArray[Any]:
    """Voxels of a part as places in the plane."""
    return (first + np.arange(count) + 0.5) * scale - 0.5
