"""Classes: the kinds of structure a person paints.

Class ids are what a mask stores. 0 means *unlabelled* and is never a class; 1 is *background*,
which every project has; 2 and above are the user's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

UNLABELLED = 0
BACKGROUND = 1
MAX_CLASS_ID = 255

BACKGROUND_COLOUR = "#8A8F98"

# Okabe & Ito, "Color Universal Design" (2008), then a table of hues that stay apart from these and
# from each other for the common kinds of colour blindness.
PALETTE: tuple[str, ...] = (
    "#E69F00",
    "#56B4E9",
    "#009E73",
    "#F0E442",
    "#0072B2",
    "#D55E00",
    "#CC79A7",
    "#B8E986",
    "#7F3C8D",
    "#A5AA99",
    "#11A579",
    "#F97B72",
    "#3969AC",
    "#E8D5A9",
    "#80BA5A",
    "#CF1C90",
    "#6ED3CF",
    "#8C564B",
    "#D3C9FF",
    "#4B4B8F",
)

_COLOUR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class ClassInfo:
    """One kind of structure.

    Attributes
    ----------
    class_id
        What the mask stores, 1…255. 1 is background.
    name
        As the user calls it.
    colour
        ``"#RRGGBB"``.
    """

    class_id: int
    name: str
    colour: str

    def __post_init__(self) -> None:
        if not BACKGROUND <= self.class_id <= MAX_CLASS_ID:
            raise ValueError(f"A class id lies between 1 and 255; {self.class_id} does not.")
        if not self.name.strip():
            raise ValueError("A class needs a name.")
        if not _COLOUR.fullmatch(self.colour):
            raise ValueError(
                f"The colour of {self.name!r} must look like #E69F00, not {self.colour!r}."
            )

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green, blue, 0…255 each."""
        value = int(self.colour[1:], 16)
        return value >> 16, (value >> 8) & 255, value & 255


def palette_colour(class_id: int) -> str:
    """Colour suggested for a class id (2 is the first of the palette; it repeats at its end)."""
    return PALETTE[(class_id - 2) % len(PALETTE)] if class_id > BACKGROUND else BACKGROUND_COLOUR


def background() -> ClassInfo:
    """The class that every project has."""
    return ClassInfo(BACKGROUND, "background", BACKGROUND_COLOUR)


def default_classes(names: Sequence[str] = ()) -> tuple[ClassInfo, ...]:
    """Background, then one class for each name, ids from 2, colours from the palette.

    >>> [c.name for c in default_classes(["ER"])]
    ['background', 'ER']
    """
    return check_classes(
        (background(), *(ClassInfo(i, n, palette_colour(i)) for i, n in enumerate(names, 2)))
    )


def parse_classes(text: str) -> tuple[ClassInfo, ...]:
    """Classes written as ``NAME[:COLOUR],…``; background is added in front.

    Raises
    ------
    ValueError
        With a sentence that names the entry at fault.

    >>> [(c.class_id, c.name, c.colour) for c in parse_classes("ER:#112233, nucleus")][1:]
    [(2, 'ER', '#112233'), (3, 'nucleus', '#56B4E9')]
    """
    classes = [background()]
    for entry in text.split(","):
        if not entry.strip():
            continue
        name, _, colour = entry.partition(":")
        if name.strip().casefold() == "background":
            continue
        class_id = next_class_id(classes)
        classes.append(
            ClassInfo(class_id, name.strip(), colour.strip() or palette_colour(class_id))
        )
    return check_classes(classes)


def check_classes(classes: Iterable[ClassInfo]) -> tuple[ClassInfo, ...]:
    """The classes in order of id, background first.

    Raises
    ------
    ValueError
        When background is missing, or two classes share an id or a name.
    """
    ordered = tuple(sorted(classes, key=lambda c: c.class_id))
    if not ordered or ordered[0].class_id != BACKGROUND:
        raise ValueError("A project always has the class background (id 1).")
    seen: set[object] = set()
    for item in ordered:
        for key in (item.class_id, item.name.casefold()):
            if key in seen:
                raise ValueError(f"Two classes are called {item.name!r} or share its id.")
            seen.add(key)
    return ordered


def next_class_id(classes: Sequence[ClassInfo]) -> int:
    """The lowest free class id from 2 on.

    Raises
    ------
    ValueError
        When all 254 are taken.
    """
    taken = {c.class_id for c in classes}
    for class_id in range(BACKGROUND + 1, MAX_CLASS_ID + 1):
        if class_id not in taken:
            return class_id
    raise ValueError("A project holds at most 254 classes beside background.")
