"""Pictures of outlines: objects are what the lines enclose.

``outlines/NAME`` for the image ``NAME`` (BBBC007, BBBC009, BBBC030), ``NAME_outlines.png`` beside
it, and ``NNNNN-cells.png`` or ``NNNNN-nuclei.png`` for the stain that shows them (BBBC018). A name
that says so is not enough, as programs also write pictures of the image with lines drawn into it:
the content must be lines.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.core.shapes.outlines import (
    OutlineError,
    enclosed,
    flip_that_fits,
    lines_in,
)
from orgseg_app.files import giving_up
from orgseg_app.files.annotations.folder_tree import RANK_GIVEN, pair_set
from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.label_image import ambiguity, read_labels
from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.tokens import OUTLINE_WORDS, Tokens, base, has_any, words
from orgseg_app.files.annotations.values import sample
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import shown

NAME = "outlines"
RANK = 30
RANK_BESIDE = 42
MAX_CHECKED = 3
"""Pictures of a folder that are looked into."""

_MOST_LINES = 0.25
_VALUES = 8  # in a picture of lines; more are shades, or a photograph with lines drawn into it
_STAINS: dict[str, frozenset[str]] = {
    "cells": frozenset({"actin", "phalloidin", "membrane", "cytoplasm", "tubulin"}),
    "nuclei": frozenset({"dna", "dapi", "hoechst", "nucleus", "h2b"}),
}
"""Words of images that show what a file called like this outlines."""

_TURNED = {"rows": "upside down", "columns": "left to right"}


def find_outlines(listing: Listing, claimed: set[Path]) -> Found:
    """Pictures of outlines, in folders or beside their images.

    Parameters
    ----------
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    images = [e for e in listing.images if e.path not in claimed]
    drawn = [e for e in listing.entries if e.path not in claimed and _is_said(e, listing)]
    sets: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in drawn:
        sets[(str(entry.path.parent.parent), *entry.folders[: entry.role_at + 1])].append(entry)
    rank = RANK_GIVEN if listing.has_annotations else RANK
    for members in sets.values():
        if not _are_lines([e.path for e in members]):
            continue
        if listing.has_annotations and len(images) == len(drawn) == 1:
            _add(found, images[0], drawn[0], rank)  # the user paired them
        else:
            pair_set(images, members, found, NAME, rank)
        found.claimed |= {e.path for e in members}
    if not listing.has_annotations:
        _find_beside([i for i in images if i.path not in found.claimed], found)
    return found


def find_given(listing: Listing, claimed: set[Path]) -> Found:
    """As `find_outlines`, where the user says that the annotations are outlines."""
    found = find_outlines(listing, claimed)
    if listing.has_annotations:
        images = [e for e in listing.images if e.path not in claimed]
        others = [e for e in listing.labels if e.path not in claimed | found.claimed]
        if len(images) == len(others) == 1:
            _add(found, images[0], others[0], RANK_GIVEN)
        elif others:
            pair_set(images, others, found, NAME, RANK_GIVEN)
        found.claimed |= {e.path for e in others}
    return found


def read_outlined(
    paths: Sequence[Path], image: OpenedImage | None
) -> tuple[NDArray[np.uint32], tuple[str, ...]]:
    """The objects of a picture of outlines.

    Parameters
    ----------
    paths
        The picture; planes are taken one by one.
    image
        Tells whether the outlines lie upside down, as those of BBBC018 do.

    Returns
    -------
    objects
        uint32 ``(Z, Y, X)``, numbered through all planes.
    notes
        Sentences about what had to be decided.

    Raises
    ------
    ReadError
        One sentence: it cannot be read, or holds no outlines.
    """
    labels = read_labels(paths[0])
    objects = np.zeros(labels.shape, np.uint32)
    count, flip = 0, ""
    for z, plane in enumerate(labels):
        giving_up.ask()
        if len(labels) > 1 and plane.min() == plane.max():
            continue  # a plane without objects
        try:
            lines = lines_in(plane)
        except OutlineError as error:
            raise ReadError(
                f"{shown(paths[0])} holds no outlines: {error}. Import it as a label image."
            ) from error
        if not flip:
            flip = "none"
            if image is not None and image.shape[1:] == labels.shape:
                flip = flip_that_fits(lines, image.read_plane(z))
        found = enclosed(lines, flip=flip)
        objects[z] = np.where(found.objects > 0, found.objects + np.uint32(count), 0)
        count += found.count
    notes = []
    if flip in _TURNED:
        notes.append(
            f"The outlines {shown(paths[0])} lie {_TURNED[flip]} on their image; they were turned "
            "back."
        )
    if not count:
        notes.append(f"The lines in {shown(paths[0])} enclose nothing.")
    return objects, tuple(notes)


def looks_like_outlines(path: Path) -> bool:
    """True if a picture is one of lines: a few values, the rarer of them in thin lines."""
    try:
        plane = read_labels(path, [0])[0]
        lines = lines_in(plane)
    except (ReadError, OutlineError):
        return False
    if lines.mean() > _MOST_LINES or len(np.unique(plane)) > _VALUES:
        return False
    import cv2

    thick = cv2.erode(lines.view(np.uint8), np.ones((7, 7), np.uint8))
    return float(thick.sum()) < 0.05 * float(lines.sum())


def _is_said(entry: Entry, listing: Listing) -> bool:
    """Whether a folder, or the name of a given file, says that it holds outlines."""
    if listing.has_annotations:
        names = (entry.path.stem, entry.path.parent.name, *entry.folders)
        return entry.is_annotation and any(has_any(name, OUTLINE_WORDS) for name in names)
    return entry.role == "outline"


def _are_lines(paths: Sequence[Path]) -> bool:
    return all(looks_like_outlines(path) for path in sample(paths, MAX_CHECKED))


def _find_beside(images: list[Entry], found: Found) -> None:
    """Outlines in the folder of their images, by words like “outlines” or “cells”."""
    by_folder: dict[Path, list[Entry]] = defaultdict(list)
    for image in images:
        by_folder[image.path.parent].append(image)
    for members in by_folder.values():
        sets: dict[str, list[tuple[Entry, Entry]]] = defaultdict(list)
        own = [e for e in members if not _kind(e)]
        by_base: dict[Tokens, list[Entry]] = defaultdict(list)
        for image in own:
            by_base[base(image.stem)].append(image)
        for entry in members:
            kind = _kind(entry)
            if not kind:
                continue
            fitting = _shown_in(entry, kind, own, by_base)
            if len(fitting) == 1:
                sets[kind].append((fitting[0], entry))
            elif fitting and looks_like_outlines(entry.path):
                found.claimed.add(entry.path)
                for image in fitting:
                    found.ambiguous[image.path] = ambiguity(image.path, [entry.path])
        for kind, pairs in sets.items():
            if _are_lines([entry.path for _, entry in pairs]):
                for image, entry in pairs:
                    _add(found, image, entry, RANK_BESIDE, f"“… {kind}” beside")
                    found.claimed.add(entry.path)


def _kind(entry: Entry) -> str:
    """What a file outlines by its name: ``"cells"``, ``"nuclei"``, ``"outlines"``; “” for none."""
    found = words(entry.stem)
    if not OUTLINE_WORDS.isdisjoint(found):
        return "outlines"
    return found[-1] if len(found) > 1 and found[-1] in _STAINS else ""


def _shown_in(
    entry: Entry, kind: str, images: list[Entry], by_base: dict[Tokens, list[Entry]]
) -> list[Entry]:
    """The images that show what a file outlines."""
    rest = tuple(w for w in base(entry.stem) if w not in OUTLINE_WORDS and w not in _STAINS)
    same = by_base.get(rest, [])
    if same or kind == "outlines" or not rest:
        return same
    stains = _STAINS[kind]
    near = [
        i for i in images if (own := base(i.stem))[: len(rest)] == rest and len(own) > len(rest)
    ]
    return [i for i in near if not stains.isdisjoint(words(i.stem))]


def _add(found: Found, image: Entry, drawn: Entry, rank: int, set_name: str = "") -> None:
    source = AnnotationSource(NAME, (drawn.path,))
    found.candidates.append(Candidate(image.path, source, rank, set_name or drawn.set_name))
