"""Planes larger than memory: shown from square parts that are read when they are looked at.

A plane and its stored levels are cut into tiles of about 512². What is in sight and in memory is
shown sharp, the rest from the finest coarser level that is there; the coarsest level always is. Who
reads the tiles is no matter of this module: `tile_loading.TileLoader` does in the window. Plain
arrays, no Qt.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.gui.canvas.rendering import (
    PlanePyramid,
    StoredLevels,
    crossings,
    needed_part,
    resampled,
    voxels_under,
)
from orgseg_app.gui.canvas.tile_cache import LOST, TileCache, TileKey, TileRequest, tile_side


class TiledPyramid:
    """One plane ``(C, Y, X)`` that is never in memory as a whole; see `PlanePyramid.sample`.

    Parameters
    ----------
    image_id, z
        Which plane.
    stored
        Sizes of its levels; its coarsest level is read here, at once.
    cache
        Where tiles are.
    want
        Asks for tiles, the most wanted first; they are to be put into the cache.

    Attributes
    ----------
    has_voxels
        False where the voxels themselves cannot be had in parts: then level 1 is the finest.
    in_sight
        Tiles of the level looked at, since `view_moved`.
    """

    def __init__(
        self,
        image_id: str,
        z: int,
        stored: StoredLevels,
        cache: TileCache,
        want: Callable[[Sequence[TileRequest]], None] = lambda requests: None,
    ) -> None:
        self.image_id, self.z = image_id, z
        self.sizes_yx = tuple(stored.sizes_yx)
        self.has_voxels = True
        self.in_sight: dict[TileRequest, None] = {}
        self._cache, self._want = cache, want
        self._last = len(self.sizes_yx) - 1
        if self._last < 1:
            raise ValueError("A plane without stored levels is not shown in tiles.")
        key = TileKey(image_id, z, self._last, 0, 0)
        found = cache.get(key) if self._is_one_tile(self._last) else None
        if found is None:
            found = stored.read(self._last, 0, 0, *self.sizes_yx[self._last])
            if found is not None and self._is_one_tile(self._last):
                cache.put(key, found)
        self.coarsest: NDArray[Any] | None = None if found is LOST else found
        self._coarse = None if self.coarsest is None else PlanePyramid(self.coarsest)

    @property
    def size_yx(self) -> tuple[int, int]:
        """Height and width in voxels."""
        return self.sizes_yx[0]

    def view_moved(self) -> None:
        """What was in sight may not be any more."""
        self.in_sight = {}

    def sample(
        self, y0: float, x0: float, step: float, size_yx: tuple[int, int]
    ) -> list[NDArray[Any]]:
        """The plane on a grid of screen pixels, as sharp as what is in memory allows."""
        finest = 0 if self.has_voxels else 1
        level = max(finest, int(math.log2(max(step, 1.0))))
        if level >= self._last:
            return self._of_coarsest(y0, x0, step, size_yx)
        height, width = self.size_yx
        size = self.sizes_yx[level]
        if step <= 1 and level == 0:
            rows = voxels_under(y0, step, size_yx[0], height)
            columns = voxels_under(x0, step, size_yx[1], width)
            top, left = int(rows[0]), int(columns[0])
            part = self._part(0, top, left, int(rows[-1]) + 1, int(columns[-1]) + 1)
            return [crossings(channel, rows - top, columns - left) for channel in part]
        matrix = _placed(y0, x0, step, size[0] / height, size[1] / width)
        top, left, bottom, right = needed_part(matrix, size_yx, size)
        matrix[:, 2] -= (left, top)
        return resampled(list(self._part(level, top, left, bottom, right)), matrix, size_yx)

    def ahead(self, z: int) -> Iterator[TileRequest]:
        """What would be in sight on another plane of the image, its coarsest level first."""
        if self._is_one_tile(self._last):
            place = TileKey(self.image_id, z, self._last, 0, 0)
            yield TileRequest(place, 0, 0, *self.sizes_yx[self._last])
        for request in self.in_sight:
            yield request._replace(key=request.key._replace(z=z))

    # -- within ----------------------------------------------------------------------------------

    def _of_coarsest(
        self, y0: float, x0: float, step: float, size_yx: tuple[int, int]
    ) -> list[NDArray[Any]]:
        if self._coarse is None:
            return [np.zeros(size_yx, np.uint8)]
        (height, width), (small_y, small_x) = self.size_yx, self.sizes_yx[self._last]
        scale_y, scale_x = small_y / height, small_x / width
        further = max(0, int(math.log2(max(step * max(scale_y, scale_x), 1.0))))
        parts = self._coarse.level(further)
        scale_y *= parts[0].shape[0] / small_y
        scale_x *= parts[0].shape[1] / small_x
        return resampled(parts, _placed(y0, x0, step, scale_y, scale_x), size_yx)

    def _is_one_tile(self, level: int) -> bool:
        height, width = self.sizes_yx[level]
        return tile_side(height) >= height and tile_side(width) >= width

    def _part(self, level: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[Any]:
        """Part of a level ``(C, y1 - y0, x1 - x0)``, blurred where tiles are missing."""
        requests = list(self._under(level, y0, x0, y1, x1))
        tiles = [self._cache.get(request.key) for request in requests]
        self.in_sight.update(dict.fromkeys(requests))
        if len(tiles) == 1 and tiles[0] is not None and tiles[0] is not LOST:
            _, top, left, _, _ = requests[0]
            return tiles[0][:, y0 - top : y1 - top, x0 - left : x1 - left]
        missing = [r for r, tile in zip(requests, tiles, strict=True) if tile is None]
        if missing:
            middle_y, middle_x = (y0 + y1) / 2, (x0 + x1) / 2
            missing.sort(
                key=lambda r: abs(r.y0 + r.y1 - 2 * middle_y) + abs(r.x0 + r.x1 - 2 * middle_x)
            )
            self._want(missing)
        there = next((t for t in tiles if t is not None and t is not LOST), self.coarsest)
        channels, dtype = (1, np.uint8) if there is None else (there.shape[0], there.dtype)
        if there is not None:
            _, top, left, bottom, right = requests[0]
            tile_bytes = channels * there.itemsize * (bottom - top) * (right - left)
            self._cache.make_room(2 * tile_bytes * len(self.in_sight))
        out: NDArray[Any] = np.empty((channels, y1 - y0, x1 - x0), dtype)
        for (_, top, left, bottom, right), tile in zip(requests, tiles, strict=True):
            t, le, b, r = max(top, y0), max(left, x0), min(bottom, y1), min(right, x1)
            into = out[:, t - y0 : b - y0, le - x0 : r - x0]
            if tile is None or tile is LOST:
                self._blur(level, (t, le, b, r), into)
            else:
                into[...] = tile[:, t - top : b - top, le - left : r - left]
        return out

    def _under(self, level: int, y0: int, x0: int, y1: int, x1: int) -> Iterator[TileRequest]:
        """The tiles under part of a level."""
        height, width = self.sizes_yx[level]
        high, wide = tile_side(height), tile_side(width)
        for row in range(y0 // high, -(-y1 // high)):
            for column in range(x0 // wide, -(-x1 // wide)):
                top, left = row * high, column * wide
                yield TileRequest(
                    TileKey(self.image_id, self.z, level, row, column),
                    top,
                    left,
                    min(top + high, height),
                    min(left + wide, width),
                )

    def _blur(self, level: int, place: tuple[int, int, int, int], out: NDArray[Any]) -> None:
        """Fill part of a level from the finest coarser one that is in memory."""
        y0, x0, y1, x1 = place
        height, width = self.sizes_yx[level]
        for coarser in range(level + 1, self._last + 1):
            size = self.sizes_yx[coarser]
            scale_y, scale_x = size[0] / height, size[1] / width
            matrix = _placed(y0 + 0.5, x0 + 0.5, 1.0, scale_y, scale_x)
            top, left, bottom, right = needed_part(matrix, (y1 - y0, x1 - x0), size)
            parts = self._in_memory(coarser, top, left, bottom, right)
            if parts is not None:
                matrix[:, 2] -= (left, top)
                for channel, values in enumerate(resampled(parts, matrix, out.shape[1:])):
                    out[channel] = values
                return
        out[...] = 0

    def _in_memory(
        self, level: int, y0: int, x0: int, y1: int, x1: int
    ) -> list[NDArray[Any]] | None:
        """Part of a level when all of it is in memory."""
        if level == self._last:
            whole = self.coarsest
            return None if whole is None else [c[y0:y1, x0:x1] for c in whole]
        requests = list(self._under(level, y0, x0, y1, x1))
        tiles = [self._cache.get(request.key) for request in requests]
        if any(tile is None or tile is LOST for tile in tiles):
            return None
        first = tiles[0]
        assert first is not None
        out = np.empty((first.shape[0], y1 - y0, x1 - x0), first.dtype)
        for (_, top, left, bottom, right), tile in zip(requests, tiles, strict=True):
            assert tile is not None
            t, le, b, r = max(top, y0), max(left, x0), min(bottom, y1), min(right, x1)
            into = out[:, t - y0 : b - y0, le - x0 : r - x0]
            into[...] = tile[:, t - top : b - top, le - left : r - left]
        return list(out)


def _placed(y0: float, x0: float, step: float, scale_y: float, scale_x: float) -> NDArray[Any]:
    """Screen pixels to voxels of a level, as OpenCV's ``(2, 3)`` matrix."""
    return np.array(
        [[step * scale_x, 0, x0 * scale_x - 0.5], [0, step * scale_y, y0 * scale_y - 0.5]]
    )
