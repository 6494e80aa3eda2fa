"""Magic wand: voxels of about the same values as one of them.

Against noise, values are compared on a smoothed copy. That takes a voxel or two from every edge;
they are given back where the voxels themselves agree, and holes of a few voxels are filled.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import BLOCK
from orgseg_app.core.painting.fill import Piece, spread

Read = Callable[[int, int, int, int], NDArray[np.generic]]
"""(y0, x0, y1, x1) → voxels ``(C, y1 - y0, x1 - x0)`` of the plane; called from several threads."""


SMALL_HOLE = 9
"""Voxels of the largest hole that is taken for noise where values are smoothed."""


def similar(
    read: Read,
    size_yx: tuple[int, int],
    z: int,
    y: int,
    x: int,
    *,
    tolerances: Sequence[float],
    contiguous: bool = True,
    smoothing: float = 0.0,
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
    smoothing
        Standard deviation of the blur, in voxels; 0 compares the voxels as they are.

    Yields
    ------
    z, y0, x0, where
        Pieces that do not overlap; none when the voxel is outside the plane or not a number.
    """
    height, width = size_yx
    if not (0 <= y < height and 0 <= x < width):
        return
    counted = [i for i, t in enumerate(tolerances) if np.isfinite(t)]
    reach = math.ceil(3 * smoothing)  # of the blur
    back = math.ceil(2 * smoothing)  # how far from what is alike when smoothed edges are given back

    def around(y0: int, x0: int, y1: int, x1: int, margin: int) -> tuple[int, int, int, int]:
        return (
            max(0, y0 - margin),
            max(0, x0 - margin),
            min(height, y1 + margin),
            min(width, x1 + margin),
        )

    place = around(y, x, y + 1, x + 1, reach)
    seed = [
        _calm(channel, smoothing)[y - place[0], x - place[1]] for channel in read(*place)[counted]
    ]
    if not np.all(np.isfinite(np.asarray(seed, np.float64))):
        return
    limits = [_limits(v, tolerances[i]) for v, i in zip(seed, counted, strict=True)]

    def near(voxels: NDArray[Any], *, calm: bool) -> NDArray[np.bool_]:
        found = np.ones(voxels.shape[1:], np.bool_)
        for channel, (low, high) in zip(counted, limits, strict=True):
            values = _calm(voxels[channel], smoothing) if calm else voxels[channel]
            found &= values >= low
            found &= values <= high
        return found

    def look(_: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.bool_]:
        if not smoothing:
            return near(read(y0, x0, y1, x1), calm=False)
        top, left, bottom, right = around(y0, x0, y1, x1, reach + back)
        voxels = read(top, left, bottom, right)
        alike = near(voxels, calm=True)
        edges = cv2.dilate(alike.view(np.uint8), np.ones((2 * back + 1, 2 * back + 1), np.uint8))
        alike |= np.asarray(edges).view(np.bool_) & near(voxels, calm=False)
        return np.ascontiguousarray(alike[y0 - top : y1 - top, x0 - left : x1 - left])

    def found() -> Iterator[Piece]:
        if contiguous:
            for _, y0, x0, where in spread((1, height, width), (0, y, x), look):
                yield z, y0, x0, where
            return
        for y0 in range(0, height, BLOCK):
            where = look(0, y0, 0, min(y0 + BLOCK, height), width)
            if where.any():
                yield z, y0, 0, where

    yield from _without_small_holes(list(found())) if smoothing else found()


def _calm(channel: NDArray[Any], smoothing: float) -> NDArray[Any]:
    """One channel ``(h, w)``, blurred; places that are not a number stay that, and spread not."""
    if not smoothing:
        return channel
    is_single = channel.dtype.itemsize < 4 or channel.dtype == np.float32
    values = channel.astype(np.float32 if is_single else np.float64)
    side = 2 * math.ceil(3 * smoothing) + 1

    def blurred(values: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(cv2.GaussianBlur(values, (side, side), smoothing))

    if np.issubdtype(channel.dtype, np.floating):
        known = np.isfinite(values)
        if not known.all():
            weights = blurred(known.astype(values.dtype))
            mean = blurred(np.where(known, values, 0)) / np.maximum(weights, 1e-6)
            return np.where(known, mean, np.nan)
    return blurred(values)


def _without_small_holes(pieces: list[Piece]) -> Iterator[Piece]:
    """The same region of one plane in one piece, its holes of up to `SMALL_HOLE` voxels filled."""
    if not pieces:
        return
    y0, x0 = min(p[1] for p in pieces), min(p[2] for p in pieces)
    y1 = max(p[1] + p[3].shape[0] for p in pieces)
    x1 = max(p[2] + p[3].shape[1] for p in pieces)
    region = np.zeros((y1 - y0, x1 - x0), np.bool_)
    for _, top, left, where in pieces:
        part = region[top - y0 :, left - x0 :]
        part[: where.shape[0], : where.shape[1]] |= where
    for top in range(0, len(region), BLOCK):  # strip by strip: labels take four bytes a voxel
        first = max(0, top - SMALL_HOLE - 1)
        strip = region[first : top + BLOCK + SMALL_HOLE + 1]
        _, labels, facts, _ = cv2.connectedComponentsWithStats(
            (~strip).view(np.uint8), connectivity=4
        )
        left, upper, wide, tall, area = np.asarray(facts).T
        is_hole = (area <= SMALL_HOLE) & (left > 0) & (left + wide < strip.shape[1])
        is_hole &= (upper > 0) & (upper + tall < strip.shape[0])
        is_hole[0] = False
        strip |= is_hole[np.asarray(labels)]
    yield pieces[0][0], y0, x0, region


def _limits(value: np.generic, tolerance: float) -> tuple[np.generic, np.generic]:
    """Smallest and largest value that is near, in the type of the image: it compares fastest."""
    kind = value.dtype.type
    low, high = float(value.item()) - tolerance, float(value.item()) + tolerance
    if isinstance(value, np.integer):
        ends = np.iinfo(type(value))
        low, high = max(np.ceil(low), ends.min), min(np.floor(high), ends.max)
    return kind(low), kind(high)
