"""Image and mask side by side in one picture: left the image, right the mask, or the other way.

“FMSegmentationRobustness” keeps its microscopy images so. As nothing in the name says it, the
content must: twice as wide as high, one half of two values, the other of many.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage, Pixels
from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.values import sample
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.registry import read_headers, read_images

NAME = "halves"
RANK = 90
"""Behind everything that lies in a file of its own."""

MAX_CHECKED = 4
MANY = 16
"""Values that the half with the image has more of."""

LEFT, RIGHT = "left", "right"


def find_halves(listing: Listing, claimed: set[Path]) -> Found:
    """Pictures with their mask beside them, where there is no other annotation.

    Parameters
    ----------
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    if listing.has_annotations or listing.labels or claimed:
        return found
    entries = [e for e in listing.images if e.owner is None]
    sets: dict[tuple[Path, int, int], list[Entry]] = defaultdict(list)
    for entry, header in zip(entries, read_headers([e.path for e in entries]), strict=True):
        if isinstance(header, ImageHeader) and _is_double(header):
            sets[entry.path.parent, header.height, header.width].append(entry)
    for members in sets.values():
        sides = {_mask_side(e.path) for e in sample(members, MAX_CHECKED)}
        if len(sides - {"empty"}) == 1 and None not in sides:
            for entry in members:
                source = AnnotationSource(NAME, (entry.path,))
                found.candidates.append(Candidate(entry.path, source, RANK, "image and mask"))
    return found


def split_halves(image: OpenedImage) -> tuple[OpenedImage, NDArray[np.uint8]]:
    """The image of a picture, and its mask.

    Returns
    -------
    image
        The half with many values, read as before.
    mask
        uint8 ``(1, Y, X)``: 1 where the other half has the higher of its two values.

    Raises
    ------
    ReadError
        One sentence: neither half is a mask.
    """
    channels, depth, height, width = image.shape
    plane = image.read_plane(0)
    side = _side(plane) if depth == 1 and width % 2 == 0 else None
    if side is None:
        raise ReadError(
            f"“{image.source}” is not image and mask side by side like the others of its folder; "
            "import it by itself."
        )
    side = RIGHT if side == "empty" else side
    half = width // 2
    own, other = (slice(0, half), slice(half, width))[:: 1 if side == RIGHT else -1]
    marked = plane[0, :, other].astype(np.float64)
    mask = marked > (marked.min() + marked.max()) / 2

    def read_plane(z: int) -> Pixels:
        return np.ascontiguousarray(image.read_plane(z)[:, :, own])

    def read_part(z: int, y0: int, x0: int, y1: int, x1: int) -> Pixels | None:
        return image.read_part(z, y0, x0 + own.start, y1, x1 + own.start)

    cut = replace(
        image,
        shape=(channels, depth, height, half),
        read_plane=read_plane,
        read_part=read_part,
        notes=(*image.notes, f"Image and mask were side by side in it; the mask was {side}."),
    )
    return cut, mask.astype(np.uint8)[np.newaxis]


def read_half_mask(path: Path) -> NDArray[np.uint8]:
    """The mask of a picture with its mask beside it, uint8 ``(1, Y, X)``.

    Raises
    ------
    ReadError
        One sentence: it cannot be read, or neither half is a mask.
    """
    images = read_images(path)
    if len(images) != 1:
        raise ReadError(f"{shown(path)} holds several images, not an image and its mask.")
    return split_halves(images[0])[1]


def _is_double(header: ImageHeader) -> bool:
    return header.planes == 1 and header.width == 2 * header.height and header.channels <= 4


def _mask_side(path: Path) -> str | None:
    try:
        images = read_images(path)
        return _side(images[0].read_plane(0)) if len(images) == 1 else None
    except ReadError:
        return None


def _side(plane: Pixels) -> str | None:
    """The half that is a mask; ``"empty"`` for one without structure at the right; None."""
    half = plane.shape[2] // 2
    counts = [_values(plane[:, :, :half]), _values(plane[:, :, half:])]
    if counts[0] > MANY and counts[1] == 2:
        return RIGHT
    if counts[1] > MANY and counts[0] == 2:
        return LEFT
    is_empty = counts[0] > MANY and counts[1] == 1 and not plane[:, :, half:].any()
    return "empty" if is_empty else None


def _values(part: Pixels) -> int:
    """How many values a half has; many where its channels differ, as those of a mask do not."""
    if any(not np.array_equal(channel, part[0]) for channel in part[1:]):
        return MANY + 1
    return len(np.unique(part[0]))
