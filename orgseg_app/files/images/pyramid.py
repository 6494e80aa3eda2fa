"""Smaller versions of large planes, stored beside an image when it is imported.

The window shows a plane of 8192² in the time it takes to read one of 1024², and a linked image
whose file is away still has something to look at. Level k has about ``Y / 2^k`` × ``X / 2^k``
voxels, each the average of those below it, and the image's own number type::

    /images/<image_id>/levels
        1 … n       (C, Z, Y/2^k, X/2^k), sides rounded up, packed like the image
        contrast    (Z, C, 4) float64: least and largest value, and the limits of automatic contrast
                    (0.1 % and 99.9 % of a sample), taken from the full plane

The last level is the first whose longer side is at most 512: that is about what the overview in the
corner and the smallest window show, one to four stored blocks; whatever is smaller is made from it
in less than a millisecond. All levels together take a third of the image's room.

Levels are derived. Where they are missing (older projects) or damaged, the image itself is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.contrast import auto_levels, value_range
from orgseg_app.core.image import Pixels
from orgseg_app.files.images import codecs
from orgseg_app.files.images.planes import read_pixels, write_rows
from orgseg_app.files.safety.audit import DAMAGE

LARGE_SIDE = 1024
"""Images with a longer side have levels."""

LAST_SIDE = 512
GROUP = "levels"
CONTRAST = "contrast"

_PIECE_VOXELS = 8 * 2**20

Shape = tuple[int, int, int, int]


def level_sizes(height: int, width: int, *, always: bool = False) -> tuple[tuple[int, int], ...]:
    """Height and width of levels 1…n of a plane; none for a small one.

    Parameters
    ----------
    always
        One level at least, however small the plane: linked images, whose file may be away.

    >>> level_sizes(8192, 3000)
    ((4096, 1500), (2048, 750), (1024, 375), (512, 188))
    >>> level_sizes(1024, 1024)
    ()
    """
    if max(height, width) <= LARGE_SIDE and not always:
        return ()
    sizes = [(-(-height // 2), -(-width // 2))]
    while max(sizes[-1]) > LAST_SIDE:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    return tuple(sizes)


def halved(channel: NDArray[Any], check: Callable[[], None] = lambda: None) -> NDArray[Any]:
    """A plane ``(Y, X)`` at half its size, area-averaged, sides rounded up.

    Parameters
    ----------
    check
        Called now and then; raises to give up.
    """
    import cv2  # imported by the window anyway, but not by a command that only looks

    height, width = channel.shape
    size = (-(-width // 2), -(-height // 2))
    rows = max(2, _PIECE_VOXELS // width // 2 * 2)
    if height % 2 or height <= rows:  # an odd number of rows is shared out unevenly among all
        return np.asarray(cv2.resize(channel, size, interpolation=cv2.INTER_AREA))
    small = np.empty((size[1], size[0]), channel.dtype)
    for top in range(0, height, rows):
        part = channel[top : top + rows]
        there = (size[0], part.shape[0] // 2)
        small[top // 2 : top // 2 + there[1]] = cv2.resize(
            part, there, interpolation=cv2.INTER_AREA
        )
        check()
    return small


# -- writing -------------------------------------------------------------------------------------


class PyramidWriter:
    """Stores the levels of one image, plane by plane as it is imported.

    Parameters
    ----------
    group
        h5py.Group of the image.
    shape
        ``(C, Z, Y, X)`` of the image.
    always
        See `level_sizes`.
    """

    def __init__(
        self, group: Any, shape: Shape, dtype: Any, codec: codecs.Codec, *, always: bool = False
    ) -> None:
        channels, depth, height, width = shape
        self._levels: list[Any] = []
        sizes = level_sizes(height, width, always=always)
        if not sizes:
            return
        levels = group.create_group(GROUP)
        for number, size in enumerate(sizes, 1):
            self._levels.append(
                codecs.create_dataset(
                    levels,
                    str(number),
                    (channels, depth, *size),
                    dtype,
                    chunk=codec.chunk(*size),
                    filters=codec.pixels,
                )
            )
        self._contrast = codecs.create_dataset(
            levels, CONTRAST, (depth, channels, 4), np.float64, chunk=(256, channels, 4)
        )

    def add(self, z: int, plane: Pixels, check: Callable[[], None]) -> None:
        """Store the levels of one plane ``(C, Y, X)``.

        Parameters
        ----------
        check
            Called now and then; raises when the file can no longer be written.
        """
        if not self._levels:
            return
        for channel, values in enumerate(plane):
            small = np.ascontiguousarray(values)
            one = small[np.newaxis]
            self._contrast[z, channel] = (*value_range(one, check), *auto_levels(one)[0])
            check()
            for level in self._levels:
                small = halved(small, check)
                check()
                write_rows(level, channel, z, small, check)


# -- reading -------------------------------------------------------------------------------------


def stored_sizes(group: Any, shape: Shape, dtype: Any) -> tuple[tuple[int, int], ...]:
    """Height and width of the levels that an image group holds; none where they do not fit it.

    Parameters
    ----------
    shape, dtype
        Of the image.
    """
    found: list[tuple[int, int]] = []
    for number, size in enumerate(level_sizes(*shape[2:], always=True), 1):
        if _level(group, number, (*shape[:2], *size), dtype) is None:
            break
        found.append(size)
    return tuple(found)


def read_level(
    group: Any, shape: Shape, dtype: Any, level: int, z: int, y0: int, x0: int, y1: int, x1: int
) -> Pixels | None:
    """Part of a plane of a level, ``(C, y1 - y0, x1 - x0)``, clipped to the level.

    Parameters
    ----------
    group
        h5py.Group of the image.
    shape, dtype
        Of the image.
    level
        From 1.
    y0, x0, y1, x1
        In voxels of the level.

    Returns
    -------
    ndarray or None
        None where there is no such level, or a block of it is missing or damaged.
    """
    size = level_sizes(*shape[2:], always=True)[level - 1]
    dataset = _level(group, level, (*shape[:2], *size), dtype)
    if dataset is None:
        return None
    try:
        codecs.provide(codecs.filters_of(dataset))
        return read_pixels(dataset, z, y0, x0, y1, x1)
    except DAMAGE:
        return None


def read_contrast(group: Any, shape: Shape, z: int) -> NDArray[np.float64] | None:
    """Least, largest, low and high limit of each channel of a plane, ``(C, 4)``, or None."""
    try:
        dataset = group[GROUP][CONTRAST]
        if dataset.shape != (shape[1], shape[0], 4) or dataset.dtype != np.float64:
            return None
        values: NDArray[np.float64] = dataset[z]
    except DAMAGE:
        return None
    low_high = np.all(np.isfinite(values)) and np.all(values[:, 3] > values[:, 2])
    return values if low_high else None


def _level(group: Any, number: int, shape: Shape, dtype: Any) -> Any:
    """The dataset of a level, or None when it is not there or is not what it should be."""
    try:
        dataset = group[GROUP][str(number)]
        fits = dataset.shape == shape and dataset.dtype == dtype and dataset.chunks is not None
    except DAMAGE:
        return None
    return dataset if fits else None
