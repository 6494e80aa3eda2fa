"""The image's own values where a tool is at work, read tile by tile as the canvas reads them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.painting.limits import Voxels
from orgseg_app.gui.canvas.tile_cache import CACHE_BYTES, LOST, TileKey, TileRequest, tile_side

if TYPE_CHECKING:
    from orgseg_app.core.mask import Box
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas


LOG = logging.getLogger(__name__)


class ValuesMissingError(Exception):
    """The voxels of this plane are not there yet; the message says what to do."""


def plane_values(canvas: AnnotationCanvas, z: int | None = None) -> Voxels:
    """A plane, by default the one looked at: of several channels the mean of those that are shown.

    What is in memory costs nothing; a tile that is not is read from the file once, about 2 ms.

    Raises
    ------
    ValuesMissingError, FileError
        Also later, by what is returned.
    """
    session, image = canvas.session, canvas.session.image
    assert image is not None
    image_id, z = session.image_id, session.z if z is None else z
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
            raise _missing(canvas, z)
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


def _missing(canvas: AnnotationCanvas, z: int) -> ValuesMissingError:
    if z != canvas.session.z:
        return ValuesMissingError(
            "The values of the planes beside this one cannot be read while the hand waits, so a "
            "limit works only with the brush, plane by plane."
        )
    canvas.voxels_missed()
    return ValuesMissingError(
        "The voxels of this plane are still being read; try again in a moment."
    )


def missing_tiles(canvas: AnnotationCanvas, boxes: Iterable[Box]) -> list[TileRequest]:
    """The tiles under some boxes, each on one plane, that would have to be read."""
    session, image = canvas.session, canvas.session.image
    assert image is not None
    height, width = image.shape[2:]
    high, wide = tile_side(height), tile_side(width)
    found = []
    for box in boxes:
        if session.loaded_plane(session.image_id, box.z0) is not None:
            continue
        box = box.clipped((box.z0 + 1, height, width))
        for row in range(box.y0 // high, -(-box.y1 // high)):
            for column in range(box.x0 // wide, -(-box.x1 // wide)):
                key = TileKey(session.image_id, box.z0, 0, row, column)
                if key not in session.tiles:
                    y0, x0 = row * high, column * wide
                    place = (y0, x0, min(y0 + high, height), min(x0 + wide, width))
                    found.append(TileRequest(key, *place))
    return found


def fetch(canvas: AnnotationCanvas, requests: Sequence[TileRequest]) -> None:
    """Read tiles off the window's thread.

    Raises
    ------
    ValuesMissingError
        When they are more than are kept in memory.
    """
    session, image = canvas.session, canvas.session.image
    assert image is not None
    voxel = image.shape[0] * np.dtype(image.dtype).itemsize
    if sum((r.y1 - r.y0) * (r.x1 - r.x0) for r in requests) * voxel > CACHE_BYTES // 2:
        raise ValuesMissingError(
            "A ball of this size reaches over more voxels than can be looked at in one go; make it "
            "smaller, or paint without a limit."
        )
    file, tiles = session.file, session.tiles
    assert file is not None

    def work(task: Task) -> None:
        for done, (key, *place) in enumerate(requests):
            if not task.report(done, len(requests)) or session.file is not file:
                return
            part = None
            try:
                part = file.read_part(key.image_id, key.z, *place)
            except Exception:  # whoever needs it finds it lost, and says so
                LOG.debug("a tile of %s", key.image_id, exc_info=True)
            tiles.put(key, LOST if part is None else part)

    session.background.start("Reading planes", work)
