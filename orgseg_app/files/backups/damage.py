"""Damage in a project, said so that a person finds it: image, layer, plane, block, voxels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from orgseg_app.core.blocks import BLOCK, BlockArray, BlockIndex
from orgseg_app.core.mask import Mask
from orgseg_app.core.project import ProjectImage

IMAGE, MASK, OBJECTS, WEIGHTS = "image", "mask", "objects", "weights"
LEVELS, THUMBNAIL, FACTS, JOURNAL, FILE = "levels", "thumbnail", "facts", "journal", "file"

WORDS = {
    IMAGE: "image",
    MASK: "mask of",
    OBJECTS: "objects of",
    WEIGHTS: "weights of",
    LEVELS: "smaller versions of",
    THUMBNAIL: "thumbnail of",
    FACTS: "facts of",
}

CHECKSUM = "its checksum does not fit: these are not the bytes that were written."

WRONG_LIST = "its list of blocks is not the one that was written."
OTHER_BLOCKS = (
    "its blocks are not those that were last written: some have vanished or moved, or another "
    "program has painted."
)


@dataclass(frozen=True)
class Damage:
    """One damaged place.

    Attributes
    ----------
    what
        `IMAGE`, `MASK` …: which layer.
    problem
        What is wrong there, as the end of a sentence.
    image_id, image
        Id and name; "" where it is not about one image.
    start, stop
        The voxels ``(z, y, x)`` of a damaged block, half open; None where it is not one block.
    shape
        ``(rows, columns)`` of blocks of that layer.
    channel
        Of an image with several, counted from 0; None otherwise.
    is_derived
        Nothing is lost: OrgSeg makes it again from what is sound.
    remedy
        What a backup has for it, as a sentence; "" where there is nothing to say.
    """

    what: str
    problem: str
    image_id: str = ""
    image: str = ""
    start: tuple[int, int, int] | None = None
    stop: tuple[int, int, int] | None = None
    shape: tuple[int, int] = (BLOCK, BLOCK)
    channel: int | None = None
    is_derived: bool = False
    remedy: str = ""

    @property
    def block(self) -> BlockIndex | None:
        """Plane, block row and block column, counted from 0."""
        if self.start is None:
            return None
        z, y, x = self.start
        return z, y // self.shape[0], x // self.shape[1]

    @property
    def place(self) -> str:
        """Where it is.

        Planes count from 1, as in the window; blocks and voxels from 0, as in files.

        >>> Damage(MASK, "", "1", "cell 3", (0, 512, 1280), (1, 768, 1536)).place
        'mask of “cell 3”, plane 1, block row 2 column 5, voxels y 512–767, x 1280–1535'
        """
        if not self.image:
            return self.what
        text = f"{WORDS.get(self.what, self.what)} “{self.image}”"
        if self.start is None or self.stop is None or self.block is None:
            return text
        if self.channel is not None:
            text += f", channel {self.channel + 1}"
        z, row, column = self.block
        (_, y0, x0), (_, y1, x1) = self.start, self.stop
        text += f", plane {z + 1}, block row {row} column {column}"
        return f"{text}, voxels y {y0}–{y1 - 1}, x {x0}–{x1 - 1}"

    @property
    def sentence(self) -> str:
        """Where, what, and what a backup has for it."""
        return f"{self.place}: {self.problem}{' ' + self.remedy if self.remedy else ''}"

    def with_remedy(self, remedy: str) -> Damage:
        """The same with what a backup has for it."""
        return replace(self, remedy=remedy)


def block_damage(
    image: ProjectImage, what: str, dataset: Any, offset: tuple[int, ...], problem: str
) -> Damage:
    """The damage of one block of an open dataset."""
    rows, columns = dataset.chunks[-2:]
    z, y, x = offset[-3:]
    stop = tuple(
        min(o + c, n)
        for o, c, n in zip(offset[-3:], dataset.chunks[-3:], dataset.shape[-3:], strict=True)
    )
    return Damage(
        what,
        problem,
        image.image_id,
        image.name,
        (z, y, x),
        (stop[0], stop[1], stop[2]),
        (rows, columns),
        offset[0] if len(offset) == 4 and image.shape[0] > 1 else None,
        is_derived=what == LEVELS,
    )


def mask_damage(image_id: str, name: str, mask: Mask) -> list[Damage]:
    """What is damaged of a mask that was read, its objects included."""
    found = [
        *_layer_damage(MASK, image_id, name, mask),
        *_layer_damage(OBJECTS, image_id, name, mask.objects),
    ]
    if mask.objects.is_lost:
        found.append(Damage(OBJECTS, WRONG_LIST, image_id, name))
    return found


def _layer_damage(
    what: str, image_id: str, name: str, array: BlockArray[np.uint8] | BlockArray[np.uint32]
) -> list[Damage]:
    found = []
    _, height, width = array.shape
    for z, row, column in sorted(array.damaged):
        y, x = row * BLOCK, column * BLOCK
        found.append(
            Damage(
                what,
                CHECKSUM,
                image_id,
                name,
                (z, y, x),
                (z + 1, min(y + BLOCK, height), min(x + BLOCK, width)),
            )
        )
    if array.is_doubtful:
        found.append(Damage(what, OTHER_BLOCKS, image_id, name))
    return found


def told(places: Sequence[Damage]) -> tuple[str, str]:
    """Title and text for a person whose project turns out to be damaged."""
    first = places[0]
    more = len(places) - 1
    others = f" and {count(more, 'more place')}" if more else ""
    parts = []
    if any(place.what == MASK and place.start is not None for place in places):
        parts.append(
            "What is damaged of a mask looks unlabelled, and stays as it is on the disk until you "
            "paint there or restore it."
        )
    if any(place.what == OBJECTS for place in places):
        parts.append(
            "Where numbers of objects are damaged, there seem to be none; they stay as they are on "
            "the disk until you paint objects there or restore them."
        )
    if any(place.what in (MASK, OBJECTS) for place in places):
        parts.append("A backup may have it.")
    if any(place.what == IMAGE for place in places):
        parts.append(
            "What is damaged of an image is black: add the image again from where it came, then "
            "restore its mask."
        )
    return f"Damaged: {first.place}{others}.", " ".join(["Everything else can be used.", *parts])


def summary(damages: Iterable[Damage]) -> str:
    """How many places of which images.

    >>> summary([Damage(MASK, "", "1", "a"), Damage(IMAGE, "", "2", "b")])
    '2 places (a, b)'
    """
    places = [d for d in damages if not d.is_derived]
    names = list(dict.fromkeys(d.image or d.what for d in places))
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return f"{count(len(places), 'place')} ({shown})"


def count(number: int, word: str) -> str:
    """``"1 place"``, ``"3 places"``."""
    return f"{number} {word}{'' if number == 1 else 's'}"
