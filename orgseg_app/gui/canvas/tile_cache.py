"""Square parts of large planes, kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

CACHE_BYTES = 256 << 20
"""What all tiles in memory may take."""

BLOCK = 256
"""Side of the blocks that images are stored in, before they are evened out."""

LOST: NDArray[Any] = np.zeros((0, 0, 0), np.uint8)
"""In place of a tile that cannot be read."""


class Key(Protocol):
    """Names a tile; equal ones are the same tile."""

    @property
    def image_id(self) -> str:
        """Of the image it is part of."""

    def __hash__(self) -> int: ...


class TileKey(NamedTuple):
    """Which tile: of an image, a plane, a level (0: the voxels themselves), by row and column."""

    image_id: str
    z: int
    level: int
    row: int
    column: int


class TileRequest(NamedTuple):
    """A tile that is wanted, and where it lies, in voxels of its level."""

    key: TileKey
    y0: int
    x0: int
    y1: int
    x1: int


def tile_side(length: int) -> int:
    """Side of the tiles along an axis: two stored blocks, which are cut evenly.

    >>> tile_side(8192), tile_side(1000), tile_side(300)
    (512, 500, 300)
    """
    return 2 * -(-length // (-(-length // BLOCK)))


class TileCache:
    """Tiles in memory, up to a number of bytes; those not looked at for longest go first.

    Safe to use from several threads.

    Parameters
    ----------
    most_bytes
        More only where what is in sight takes more.
    """

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most = self._room = most_bytes
        self._tiles: OrderedDict[Key, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()
        self.size_bytes = 0

    def __contains__(self, key: Key) -> bool:
        return key in self._tiles

    def get(self, key: Key) -> NDArray[Any] | None:
        """A tile ``(C, h, w)``, `LOST`, or None when it is not there; it counts as looked at."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is not None:
                self._tiles.move_to_end(key)
            return tile

    def put(self, key: Key, tile: NDArray[Any]) -> None:
        """Keep a tile; others may go for it."""
        with self._lock:
            before = self._tiles.pop(key, None)
            self.size_bytes += tile.nbytes - (0 if before is None else before.nbytes)
            self._tiles[key] = tile
            while self.size_bytes > self._room and len(self._tiles) > 1:
                self.size_bytes -= self._tiles.popitem(last=False)[1].nbytes

    def make_room(self, size: int) -> None:
        """Tiles in sight never push each other out, or they would be read for ever."""
        self._room = max(self._most, size)

    def forget_lost(self, image_id: str) -> None:
        """Tiles of an image that could not be read may be tried again."""
        with self._lock:
            for key in [k for k, t in self._tiles.items() if k.image_id == image_id and t is LOST]:
                del self._tiles[key]

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._tiles.clear()
            self.size_bytes = 0

    def value(self, image_id: str, z: int, size_yx: tuple[int, int], y: int, x: int) -> Any:
        """Values ``(C,)`` at a voxel of a plane of this size, or None while it is not there."""
        high, wide = tile_side(size_yx[0]), tile_side(size_yx[1])
        with self._lock:
            tile = self._tiles.get(TileKey(image_id, z, 0, y // high, x // wide))
        return None if tile is None or tile is LOST else tile[:, y % high, x % wide]
