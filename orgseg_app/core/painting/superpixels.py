"""Superpixels: small patches of like voxels, worked out tile by tile where they are needed.

Achanta et al., "SLIC superpixels compared to state-of-the-art superpixel methods", IEEE
Transactions on Pattern Analysis and Machine Intelligence 34 (11), 2012: k-means on colour and
place, begun on a grid. As in gSLIC (Ren and Reid, "gSLIC: a real-time implementation of SLIC
superpixel segmentation", University of Oxford, 2011) a voxel chooses among the centres of its own
grid cell and the eight around it. A superpixel is thereby known by its cell, the same in whichever
tile it is worked out, and reaches no further than the neighbouring cells; scikit-image numbers
superpixels anew in every picture.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.painting.brush import Point

ITERATIONS = 6
"""Achanta et al. take 10; of smoothed noise the seventh moves 2 % of the voxels, the tenth 1 %."""

SMOOTHING = 1.0
"""Standard deviation, in voxels, of the blur before; an eighth of the size if that is less. On the
noisy simulated cell of `livewire` a third as much area lies in superpixels across its border."""

_TILE = 256
_HALO_CELLS = 3
_TILES_KEPT = 96
_AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]

Labels = NDArray[np.int32]


def slic(picture: NDArray[np.uint8], size: int, compactness: float) -> Labels:
    """Which grid cell's superpixel each voxel belongs to.

    Parameters
    ----------
    picture
        ``(h, w)`` grey or ``(h, w, 3)`` red, green, blue.
    size
        Side of a grid cell in voxels, at least 2: about the width of a superpixel.
    compactness
        How much place counts against colour; above 0. 10 is customary, 40 gives near squares.

    Returns
    -------
    labels
        ``(h, w)`` int32, ``row * columns + column`` of the cell, where ``columns`` is
        ``ceil(w / size)``. Every superpixel is 4-connected; some cells may have none.
    """
    if size < 2 or compactness <= 0:
        raise ValueError("Superpixels are at least 2 voxels wide, and their compactness above 0.")
    height, width = picture.shape[:2]
    picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), min(SMOOTHING, size / 8)))
    rows, columns = -(-height // size), -(-width // size)
    features = _features(picture, rows * size - height, columns * size - width, size, compactness)
    count = features.shape[0]
    flat = features.reshape(count, -1)
    cells = features.reshape(count, rows, size, columns, size)
    centres = cells.mean(axis=(2, 4))
    labels = np.zeros(0, np.int32)
    for _ in range(ITERATIONS):
        labels = _nearest(cells, centres)
        members = np.bincount(labels, minlength=rows * columns)
        filled = np.maximum(members, 1)
        for feature in range(count):
            total = np.bincount(labels, flat[feature], minlength=rows * columns) / filled
            kept = centres[feature].reshape(-1)
            centres[feature] = np.where(members, total, kept).reshape(rows, columns)
    whole = labels.reshape(rows * size, columns * size)[:height, :width]
    return _connected(np.ascontiguousarray(whole))


def _features(
    picture: NDArray[np.uint8], below: int, right: int, size: int, compactness: float
) -> NDArray[np.float32]:
    """Colour in CIELAB and place, scaled so that Euclidean distance is SLIC's, ``(F, H, W)``."""
    padded = np.asarray(cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE))
    if padded.ndim == 2:
        colours = [padded.astype(np.float32) * np.float32(100 / 255)]
    else:
        lab = np.asarray(
            cv2.cvtColor(padded.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32
        )
        colours = [lab[..., i] for i in range(3)]
    scale = np.float32(compactness / size)
    y, x = np.indices(padded.shape[:2], np.float32)
    return np.stack([*colours, y * scale, x * scale]).astype(np.float32)


def _nearest(cells: NDArray[np.float32], centres: NDArray[np.float32]) -> Labels:
    """The nearest centre for each voxel among its cell's and the eight around it, flat."""
    _, rows, _, columns, _ = cells.shape
    best = np.full(cells.shape[1:], np.inf, np.float32)
    labels = np.zeros(cells.shape[1:], np.int32)
    numbers = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns)
    distance, part = np.empty_like(best), np.empty_like(best)
    for dy, dx in _AROUND:
        inside = (
            slice(max(0, -dy), rows - max(0, dy)),
            slice(None),
            slice(max(0, -dx), columns - max(0, dx)),
        )
        there = (slice(max(0, dy), rows + min(0, dy)), slice(max(0, dx), columns + min(0, dx)))
        if not numbers[there].size:
            continue
        here, piece = distance[inside], part[inside]
        here[...] = 0
        for feature, centre in zip(cells, centres, strict=True):
            np.subtract(feature[inside], centre[there][:, None, :, None], out=piece)
            np.multiply(piece, piece, out=piece)
            here += piece
        nearer = here < best[inside]
        np.copyto(best[inside], here, where=nearer)
        np.copyto(labels[inside], numbers[there][:, None, :, None], where=nearer)
    return labels.reshape(-1)


def _connected(labels: Labels) -> Labels:
    """Keep the largest 4-connected piece of every superpixel; the rest joins what lies beside it.

    Pieces are found in one pass of OpenCV over a picture of twice the size, in which voxels of
    different superpixels are kept apart by a line.
    """
    height, width = labels.shape
    lines = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    lines[::2, ::2] = 1
    lines[1::2, ::2] = labels[1:] == labels[:-1]
    lines[::2, 1::2] = labels[:, 1:] == labels[:, :-1]
    count, found = cv2.connectedComponents(lines, connectivity=4, ltype=cv2.CV_32S)
    pieces = np.asarray(found)[::2, ::2]
    sizes = np.bincount(pieces.ravel(), minlength=count)
    owner = np.zeros(count, np.int32)
    owner[pieces.ravel()] = labels.ravel()
    largest = np.full(int(labels.max()) + 1, -1, np.int64)
    for piece in np.argsort(sizes[1:], kind="stable") + 1:
        largest[owner[piece]] = piece
    kept = np.zeros(count, np.bool_)
    kept[largest[largest >= 0]] = True
    out = np.where(kept[pieces], labels, -1).astype(np.int32)
    while (out < 0).any():
        before = out.copy()
        for axis in (0, 1):
            for step in (1, -1):
                to, came = _beside(axis, step)
                grows = (out[to] < 0) & (before[came] >= 0)
                np.copyto(out[to], before[came], where=grows)
    return out


def _beside(axis: int, step: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Voxels that have a neighbour in a direction, and these neighbours."""
    ahead, behind = (slice(1, None), slice(None, -1))
    to, came = (ahead, behind) if step > 0 else (behind, ahead)
    return (slice(None),) * axis + (to,), (slice(None),) * axis + (came,)


class SuperpixelTiles:
    """The superpixels of one plane, as far as they have been worked out.

    Parameters
    ----------
    size_yx
        Of the plane.
    size, compactness
        As for `slic`.
    """

    def __init__(self, size_yx: tuple[int, int], size: int, compactness: float) -> None:
        self.size_yx, self.size, self.compactness = size_yx, size, compactness
        self._side = max(1, _TILE // size) * size
        self._columns = -(-size_yx[1] // size)
        self._tiles: dict[tuple[int, int], Labels] = {}

    def missing(self, point: Point, reach: int = 0) -> list[tuple[int, int]]:
        """Tiles to be worked out before `region` knows the superpixel at a point.

        Parameters
        ----------
        reach
            Further around the point, in voxels.
        """
        y0, x0, y1, x1 = self._window(point, reach)
        if y1 <= y0 or x1 <= x0:
            return []
        tiles = [
            (row, column)
            for row in range(y0 // self._side, -(-y1 // self._side))
            for column in range(x0 // self._side, -(-x1 // self._side))
        ]
        return [tile for tile in tiles if tile not in self._tiles]

    def work_out(
        self,
        tile: tuple[int, int],
        read: Callable[[int, int, int, int], NDArray[np.uint8]],
    ) -> Labels:
        """The superpixels of one tile, in any thread; `put` makes them known.

        Parameters
        ----------
        read
            ``read(y0, x0, y1, x1)`` gives part of the plane as `slic` wants it. Some cells around
            the tile are looked at too, so that it fits the tiles beside it.
        """
        halo, size = _HALO_CELLS * self.size, self.size
        y0, x0 = tile[0] * self._side, tile[1] * self._side
        y1, x1 = min(y0 + self._side, self.size_yx[0]), min(x0 + self._side, self.size_yx[1])
        top, left = max(0, y0 - halo), max(0, x0 - halo)
        bottom, right = min(y1 + halo, self.size_yx[0]), min(x1 + halo, self.size_yx[1])
        labels = slic(read(top, left, bottom, right), size, self.compactness)
        row, column = np.divmod(labels, np.int32(-(-(right - left) // size)))
        known = (row + top // size) * self._columns + (column + left // size)
        return np.ascontiguousarray(known[y0 - top : y1 - top, x0 - left : x1 - left], np.int32)

    def put(self, tile: tuple[int, int], labels: Labels) -> None:
        """Make a tile known; the ones known longest are forgotten."""
        while len(self._tiles) >= _TILES_KEPT:
            self._tiles.pop(next(iter(self._tiles)))
        self._tiles[tile] = labels

    def number(self, point: Point) -> int | None:
        """Which superpixel lies at a point; None when that is not known, or outside."""
        y, x = int(point[0] // 1), int(point[1] // 1)
        if not (0 <= y < self.size_yx[0] and 0 <= x < self.size_yx[1]):
            return None
        labels = self._tiles.get((y // self._side, x // self._side))
        return None if labels is None else int(labels[y % self._side, x % self._side])

    def region(self, point: Point) -> tuple[int, int, NDArray[np.bool_]] | None:
        """The superpixel at a point.

        Returns
        -------
        y0, x0, where
            Corner in the image, and ``(h, w)`` bool. None where something is `missing`.
        """
        number = self.number(point)
        if number is None or self.missing(point):
            return None
        y0, x0, y1, x1 = self._window(point)
        labels = np.empty((y1 - y0, x1 - x0), np.int32)
        side = self._side
        for row in range(y0 // side, -(-y1 // side)):
            for column in range(x0 // side, -(-x1 // side)):
                top, left = row * side, column * side
                tile = self._tiles[row, column]
                ya, xa = max(y0, top), max(x0, left)
                yb, xb = min(y1, top + tile.shape[0]), min(x1, left + tile.shape[1])
                part = tile[ya - top : yb - top, xa - left : xb - left]
                labels[ya - y0 : yb - y0, xa - x0 : xb - x0] = part
        where = labels == number
        rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
        tight = where[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        return y0 + int(rows[0]), x0 + int(columns[0]), np.ascontiguousarray(tight)

    def _window(self, point: Point, reach: int = 0) -> tuple[int, int, int, int]:
        """All that the superpixel at a point can cover, clipped to the plane.

        Its cell is the point's or one beside it, and it reaches one cell further.
        """
        around = 2 * self.size + reach
        y, x = int(point[0] // 1), int(point[1] // 1)
        cell_y, cell_x = y // self.size * self.size, x // self.size * self.size
        return (
            max(0, cell_y - around),
            max(0, cell_x - around),
            min(self.size_yx[0], cell_y + self.size + around),
            min(self.size_yx[1], cell_x + self.size + around),
        )
