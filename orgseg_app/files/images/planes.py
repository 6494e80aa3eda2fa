"""Planes of a dataset ``(C, Z, Y, X)``, read and written a few rows of blocks at a time.

HDF5 does one thing at a time in the whole process, so nothing here holds it for long: the window
wants to read while an import writes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import Pixels
from orgseg_app.files.attributes import read_text
from orgseg_app.files.images.blocks import can_be_found, is_disk_failure, list_sum, stored_blocks

STRIPE_BYTES = 8 * 2**20

_LISTED_BLOCKS = 65_536  # the list takes HDF5 about 1.3 µs a block; beyond, they are only counted
_REMEMBERED = 50_000


def stripe_rows(dataset: Any) -> int:
    """Rows of a plane to read or write at once: whole blocks, about `STRIPE_BYTES` a channel."""
    block = int(dataset.chunks[2]) if dataset.chunks is not None else 1
    row_bytes = int(dataset.shape[3]) * int(dataset.dtype.itemsize)
    return max(block, STRIPE_BYTES // max(1, row_bytes) // block * block)


def write_rows(
    dataset: Any, channel: int, z: int, values: NDArray[Any], check: Callable[[], None]
) -> None:
    """Write a plane ``(Y, X)`` of one channel.

    Parameters
    ----------
    check
        Called between the stripes; raises to give up.
    """
    rows = stripe_rows(dataset)
    for top in range(0, values.shape[0], rows):
        dataset[channel, z, top : top + rows] = values[top : top + rows]
        check()


def read_pixels(dataset: Any, z: int, y0: int, x0: int, y1: int, x1: int) -> Pixels:
    """Part of a plane, ``(C, y1 - y0, x1 - x0)``, clipped to the image.

    Raises
    ------
    OSError
        When blocks are missing, which HDF5 would silently read as 0 (images have all of theirs),
        or a block is damaged.
    """
    _, _, height, width = dataset.shape
    top, left, bottom, right = max(0, y0), max(0, x0), min(y1, height), min(x1, width)
    if not _is_whole(dataset):
        _check_stored(dataset, z, top, left, bottom, right)
    elif dataset.chunks is not None:
        for place in _blocks_under(dataset, z, top, left, bottom, right):
            if not can_be_found(dataset, place):
                raise OSError(f"the block at {place} cannot be found")
    region: Pixels = dataset[:, z, top:bottom, left:right]
    return region


def read_what_is_left(
    dataset: Any, z: int, y0: int, x0: int, y1: int, x1: int
) -> tuple[Pixels, list[tuple[int, ...]]]:
    """As `read_pixels`, for an image with damage: black where blocks are damaged or missing.

    Returns
    -------
    region, offsets
        ``(C, y1 - y0, x1 - x0)``, and the first voxels of the blocks that could not be read.

    Raises
    ------
    OSError
        When nothing at all can be read: the disk is gone, and not the block.
    """
    channels, _, height, width = dataset.shape
    top, left, bottom, right = max(0, y0), max(0, x0), min(y1, height), min(x1, width)
    region = np.zeros((channels, max(0, bottom - top), max(0, right - left)), dataset.dtype)
    stored = stored_offsets(dataset)
    lost: list[tuple[int, ...]] = []
    deep, _, rows, columns = dataset.chunks
    for place in _blocks_under(dataset, z, top, left, bottom, right):
        c, _, y, x = place
        ya, yb, xa, xb = max(y, top), min(y + rows, bottom), max(x, left), min(x + columns, right)
        try:
            if place not in stored or not can_be_found(dataset, place):
                raise OSError("missing")
            values = dataset[c : c + deep, z, ya:yb, xa:xb]
        except OSError as error:
            if is_disk_failure(error):
                raise
            lost.append(place)
        else:
            region[c : c + deep, ya - top : yb - top, xa - left : xb - left] = values
    return region, lost


def stored_offsets(dataset: Any) -> frozenset[tuple[int, ...]]:
    """Places of all blocks that a chunked dataset has."""
    return frozenset(block.offset for block in stored_blocks(dataset))


_whole: set[tuple[object, ...]] = set()
"""Datasets known to have all their blocks, as HDF5 numbers them while their file is open."""


def _is_whole(dataset: Any) -> bool:
    """True when a dataset has all its blocks; looked up once for each opening of its file."""
    if dataset.chunks is None:
        return True
    info = h5py.h5g.get_objinfo(dataset.id)
    key = (*info.fileno, *info.objno)
    if key in _whole:
        return True
    sides = [range(0, n, c) for n, c in zip(dataset.shape, dataset.chunks, strict=True)]
    expected = math.prod(len(side) for side in sides)
    if expected <= _LISTED_BLOCKS:
        blocks = stored_blocks(dataset)
        noted = read_text(dataset, "blocks_sum")
        if noted is not None and noted != list_sum(blocks):
            raise OSError("the list of blocks is damaged")
        stored = {block.offset for block in blocks}
        whole = len(stored) >= expected and all(o in stored for o in itertools.product(*sides))
    else:
        whole = dataset.id.get_num_chunks() >= expected
    if whole:
        if len(_whole) >= _REMEMBERED:
            _whole.clear()
        _whole.add(key)
    return whole


def _check_stored(dataset: Any, z: int, y0: int, x0: int, y1: int, x1: int) -> None:
    stored = stored_offsets(dataset)
    for place in _blocks_under(dataset, z, y0, x0, y1, x1):
        if place not in stored or not can_be_found(dataset, place):
            raise OSError(f"the block at {place} is missing")


def _blocks_under(
    dataset: Any, z: int, y0: int, x0: int, y1: int, x1: int
) -> Iterator[tuple[int, ...]]:
    """First voxels of the blocks under part of a plane."""
    deep, planes, rows, columns = dataset.chunks
    return itertools.product(
        range(0, dataset.shape[0], deep),
        (z // planes * planes,),
        range(y0 // rows * rows, y1, rows),
        range(x0 // columns * columns, x1, columns),
    )
