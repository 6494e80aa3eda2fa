"""The image's own values where a tool is at work, read tile by tile as the canvas reads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.painting.limits import Voxels
from orgseg_app.gui.canvas.tile_cache import LOST, TileKey, tile_side

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas


class ValuesMissingError(Exception):
    """The voxels of this plane are not there yet; the message says what to do."""


def plane_values(canvas: AnnotationCanvas) -> Voxels:
    """The plane that is looked at: of several channels the mean of those that are shown.

    What is in memory costs nothing; a tile that is not is read from the file once, about 2 ms.

    Raises
    ------
    ValuesMissingError, FileError
        Also later, by what is returned.
    """
    session, image = canvas.session, canvas.session.image
    assert image is not None
    image_id, z = session.image_id, session.z
    height, width = image.shape[2:]
    high, wide = tile_side(height), tile_side(width)
    shown = [i for i, on in enumerate(canvas.display.channels) if on and i < image.shape[0]]
    chosen = shown or list(range(image.shape[0]))

    def grey(part: NDArray[np.generic]) -> NDArray[np.generic]:
        if len(chosen) == 1:
            return part[chosen[0]]
        return part[chosen].astype(np.float32).mean(axis=0, dtype=np.float32)

    def tile(row: int, column: int) -> NDArray[np.generic]:
        key = TileKey(image_id, z, 0, row, column)
        found = session.tiles.get(key)
        if found is None:
            assert session.file is not None
            y0, x0 = row * high, column * wide
            place = (y0, x0, min(y0 + high, height), min(x0 + wide, width))
            found = session.file.read_part(image_id, z, *place)
            if found is not None:
                session.tiles.put(key, found)
        if found is None or found is LOST:
            canvas.voxels_missed()
            raise ValuesMissingError(
                "The voxels of this plane are still being read; try again in a moment."
            )
        return found

    def read(y0: int, x0: int, y1: int, x1: int) -> NDArray[np.generic]:
        plane = session.loaded_plane(image_id, z)
        if plane is not None:
            return grey(plane[:, y0:y1, x0:x1])
        rows = [
            np.hstack([
                grey(
                    tile(row, column)[
                        :,
                        max(y0 - row * high, 0) : y1 - row * high,
                        max(x0 - column * wide, 0) : x1 - column * wide,
                    ]
                )
                for column in range(x0 // wide, -(-x1 // wide))
            ])
            for row in range(y0 // high, -(-y1 // high))
        ]  # fmt: skip
        joined: NDArray[np.generic] = np.vstack(rows)
        return joined

    return Voxels((height, width), read)
