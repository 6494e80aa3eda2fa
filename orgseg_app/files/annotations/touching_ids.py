"""Objects told apart only where they touch: 1 for most, 2 and 3 for their neighbours (BBBC039).

The masks of BBBC039 have these numbers in the red channel of a colour PNG, with green and blue
empty. Each connected piece of each number is one object.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files import giving_up
from orgseg_app.files.annotations.folder_tree import RANK_GIVEN, RANK_PLAIN, pair_set
from orgseg_app.files.annotations.found import Found
from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.values import sample
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.registry import read_headers

NAME = "touching_ids"
MAX_ID = 16
"""Colours as dark as these are seen by nobody, so they are numbers."""

MAX_CHECKED = 3
_RED = 16  # bits to shift 0xRRGGBB by


def find_touching(listing: Listing, claimed: set[Path]) -> Found:
    """Folders of masks with small numbers in the red channel.

    Parameters
    ----------
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    images = [e for e in listing.images if e.path not in claimed]
    sets: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for label in listing.labels:
        if label.path not in claimed and label.path.suffix.lower() == ".png":
            sets[tuple(label.folders[: label.role_at + 1])].append(label)
    for members in sets.values():
        if _are_red_ids([e.path for e in members]):
            rank = RANK_GIVEN if listing.has_annotations else RANK_PLAIN
            pair_set(images, members, found, NAME, rank)
            found.claimed |= {e.path for e in members}
    return found


def read_touching(paths: Sequence[Path]) -> NDArray[np.uint32]:
    """A number for each object, uint32 ``(Z, Y, X)``.

    Raises
    ------
    ReadError
        One sentence: the file cannot be read, or holds other colours.
    """
    labels = read_labels(paths[0])
    if not _has_red_ids(labels):
        raise ReadError(
            f"{shown(paths[0])} holds other colours than the small numbers in red that its folder "
            "has; import it by itself, as a label image."
        )
    return pieces_of_each(labels >> _RED)


def pieces_of_each(labels: NDArray[np.integer]) -> NDArray[np.uint32]:
    """A number for each connected piece of each value, ``(Z, Y, X)``; each plane by itself."""
    import cv2

    objects = np.zeros(labels.shape, np.uint32)
    count = 0
    for plane, own in zip(labels, objects, strict=True):
        for value in np.unique(plane[plane > 0]):
            giving_up.ask()
            inside = (plane == value).astype(np.uint8)
            pieces, numbers = cv2.connectedComponents(inside, connectivity=8)
            there = numbers > 0
            own[there] = numbers[there] + count
            count += pieces - 1
    return objects


def _are_red_ids(paths: Sequence[Path]) -> bool:
    checked = sample(paths, MAX_CHECKED)
    for header in read_headers(checked):
        if isinstance(header, ReadError) or not header.is_colour or header.dtype != "uint8":
            return False
    try:
        return all(_has_red_ids(read_labels(path)) for path in checked)
    except ReadError:
        return False


def _has_red_ids(labels: NDArray[np.integer]) -> bool:
    """Whether colours ``0xRRGGBB`` are small numbers in red, or nothing at all."""
    if labels.dtype.itemsize < 4 or not labels.size:
        return False  # indices or greys, not colours
    is_red = not (labels & 0xFFFF).any()
    return is_red and 0 <= int(labels.min()) <= int(labels.max()) <= MAX_ID << _RED
