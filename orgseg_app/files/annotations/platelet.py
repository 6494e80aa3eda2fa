"""The platelet volumes of Guay et al. (2021): their files, their seven classes, their colours.

``train-images.tif`` with ``train-labels.tif`` and ``train-error-weights.tif``, likewise ``eval-``
and ``test-``; labels are numbers 0…6, colours (RGBA), or runs in a JSON file. Guay, M. D. et al.
(2021), Dense cellular segmentation for EM using 2D–3D neural network ensembles, Sci. Rep. 11, 2561;
colours as its data description gives them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class KnownClass:
    """A class that a known data set has.

    Attributes
    ----------
    name
        As shown.
    colour
        ``"#rrggbb"``.
    order
        Its place among the classes, from 1; the number it has in label images.
    """

    name: str
    colour: str
    order: int


CLASSES: tuple[KnownClass, ...] = tuple(
    KnownClass(name, colour, order)
    for order, (name, colour) in enumerate(
        (
            ("cell", "#0101e0"),
            ("mitochondrion", "#01abfe"),
            ("alpha granule", "#01fe01"),
            ("canalicular channel", "#ffe000"),
            ("dense granule", "#fa5e00"),
            ("dense granule core", "#f500cb"),
        ),
        start=1,
    )
)
"""The classes besides background."""

SPLIT_NAMES = {"train": "train", "validation": "eval", "test": "test"}
"""What the splits are called in the names of the files."""


def known_classes(values: Iterable[int], names: Iterable[str]) -> dict[int, KnownClass]:
    """The classes of the values of label images, if these are the platelet's.

    Parameters
    ----------
    values
        Seen in all label images, 0 left out.
    names
        Stems of the image files.

    Returns
    -------
    dict
        Value → class; empty where they are not. Colours tell by themselves. Numbers are those of
        the platelet when they go up to 6 and a file is called like one of theirs.
    """
    found = {v for v in values if v > 0}
    colours = {int(known.colour[1:], 16): known for known in CLASSES}
    if len(found) >= 2 and found <= set(colours):
        return {value: colours[value] for value in sorted(found)}
    theirs = {f"{split}-images" for split in SPLIT_NAMES.values()}
    if found and max(found) == len(CLASSES) and any(n.casefold() in theirs for n in names):
        return {known.order: known for known in CLASSES}
    return {}
