"""Edges between classes, felt by diffusion: strong where two lie close, strongest in narrow gaps.

Per plane, after Guay et al. 2021 (see `settings`): u is 1 on the source classes and 0 elsewhere;
so many times ``u ← max(0, decay · (u + spread · K∗u))`` with sources set back to 1; then
``max(u - threshold, 0)``, on the target classes only. K is -1 at the centre, 1/6 at the edge
neighbours and 1/12 at the diagonal ones; what leaves the plane on one side comes in at the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from orgseg_app.core.weighting.settings import WeightSettings

TILE = 1024
"""Side of the pieces a plane is worked out in: memory does not grow with the plane, and pieces in
which nothing can be felt cost nothing."""

Floats = NDArray[Any]


class Tile(NamedTuple):
    """A piece of a plane, half open."""

    y0: int
    x0: int
    y1: int
    x1: int

    @property
    def place(self) -> tuple[slice, slice]:
        """Where it lies."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


def tiles(plane: NDArray[Any], side: int = TILE) -> Iterator[Tile]:
    """The pieces of a plane ``(Y, X)``, in reading order."""
    height, width = plane.shape
    for y0 in range(0, height, side):
        for x0 in range(0, width, side):
            yield Tile(y0, x0, min(y0 + side, height), min(x0 + side, width))


def edges_felt(
    plane: NDArray[np.uint8],
    tile: Tile,
    sources: Sequence[int],
    targets: Sequence[int],
    settings: WeightSettings,
    dtype: DTypeLike = np.float64,
) -> Floats | None:
    """How much the voxels of a piece feel the source classes, before it is scaled.

    Parameters
    ----------
    plane
        ``(Y, X)`` class ids, 0 unlabelled.
    tile
        The piece; what lies around it counts as far as it reaches.
    sources, targets
        Class ids.
    settings
        Its reach, spread, decay and threshold.
    dtype
        float64; float32 is half as exact and takes a third of the time.

    Returns
    -------
    array or None
        Of the piece's size, 0…1; None where all of it is 0.
    """
    feels = of_classes(plane[tile.place], targets)
    if not feels.any():
        return None
    halo = settings.reach
    rows, whole_rows = _around(tile.y0, tile.y1, plane.shape[0], halo)
    columns, whole_columns = _around(tile.x0, tile.x1, plane.shape[1], halo)
    near = of_classes(plane[np.ix_(rows, columns)], sources)
    if not near.any():
        return None
    felt = diffused(near, settings, dtype)
    top = tile.y0 if whole_rows else halo
    left = tile.x0 if whole_columns else halo
    part = felt[top : top + tile.y1 - tile.y0, left : left + tile.x1 - tile.x0]
    made: Floats = np.maximum(part - part.dtype.type(settings.threshold), 0)
    made *= feels
    return made


def _around(start: int, stop: int, size: int, halo: int) -> tuple[NDArray[np.intp], bool]:
    """Rows or columns of a piece and around it, wrapped; all of them once where that is less."""
    if stop - start + 2 * halo >= size:
        return np.arange(size), True
    return np.arange(start - halo, stop + halo) % size, False


def of_classes(plane: NDArray[np.uint8], class_ids: Sequence[int]) -> NDArray[np.bool_]:
    """Where one of these classes is painted."""
    table = np.zeros(256, np.bool_)
    table[list(class_ids)] = True
    return table[plane]


def diffused(
    sources: NDArray[np.bool_], settings: WeightSettings, dtype: DTypeLike = np.float64
) -> Floats:
    """What u is after all steps, ``(Y, X)``, the plane closed upon itself in both directions.

    The steps are one stencil each. No value falls below 0, as no part of the stencil does.
    """
    import cv2

    # One row and one column more on each side hold what lies on the other.
    kept = np.pad(sources, 1, mode="wrap").astype(dtype)
    kernel = np.full((3, 3), settings.spread / 12)
    kernel[1, ::2] = kernel[::2, 1] = settings.spread / 6
    kernel[1, 1] = 1 - settings.spread
    kernel = (settings.decay * kernel).astype(kept.dtype)
    now, after = kept.copy(), np.empty_like(kept)
    for _ in range(settings.reach):
        cv2.filter2D(now, -1, kernel, dst=after)
        cv2.max(after, kept, dst=after)  # sources are 1 and nothing is more
        after[0], after[-1] = after[-2], after[1]
        after[:, 0], after[:, -1] = after[:, -2], after[:, 1]
        now, after = after, now
    return now[1:-1, 1:-1]
