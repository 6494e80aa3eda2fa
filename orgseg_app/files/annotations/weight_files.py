"""Volumes of weights beside their images: how much each voxel is to count in training.

``train-error-weights.tif`` beside ``train-images.tif``, ``cell_weights.tif`` beside ``cell.tif``,
``weights/`` beside ``images/``, and arrays called weights in the file of their image. What no image
belongs to is left an image.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.pairing import pair
from orgseg_app.files.annotations.tokens import (
    WEIGHT_WORDS,
    base,
    has_any,
    has_label_word,
    without_weights,
)


def find_weights(listing: Listing, claimed: set[Path]) -> dict[Path, Path]:
    """The weights of each image.

    Parameters
    ----------
    listing
        The files, arrays within files among them.
    claimed
        Files already known as annotations.

    Returns
    -------
    dict
        Image → weights.
    """
    marked = [e for e in listing.entries if _is_marked(e) and e.path not in claimed]
    paths = {e.path for e in marked}
    images = [e for e in listing.images if e.path not in paths and e.path not in claimed]
    found: dict[Path, Path] = {}
    for weights in (e for e in marked if e.owner is not None):
        own = [i for i in images if weights.owner in (i.owner, i.path)]
        if len(own) == 1:
            found[own[0].path] = weights.path
    _beside(images, [e for e in marked if e.role != "weights"], found)
    _in_folders(images, [e for e in marked if e.role == "weights" and e.owner is None], found)
    return found


def _is_marked(entry: Entry) -> bool:
    return entry.role == "weights" or (
        entry.role in (None, "image") and has_any(entry.stem, WEIGHT_WORDS)
    )


def _beside(images: list[Entry], marked: list[Entry], found: dict[Path, Path]) -> None:
    """Same folder, same name but for the words that mark them."""
    by_name: dict[tuple[Path, tuple[str, ...]], list[Entry]] = defaultdict(list)
    for image in images:
        if not has_label_word(image.stem):
            by_name[image.path.parent, base(image.stem)].append(image)
    for weights in marked:
        own = by_name.get((weights.path.parent, without_weights(base(weights.stem))), [])
        if len(own) == 1:
            found.setdefault(own[0].path, weights.path)


def _in_folders(images: list[Entry], marked: list[Entry], found: dict[Path, Path]) -> None:
    """A folder of weights beside a folder of images, paired by name."""
    groups: dict[tuple[tuple[str, ...], str | None], list[Entry]] = defaultdict(list)
    for weights in marked:
        groups[weights.scope, weights.split].append(weights)
    for (scope, split), members in groups.items():
        own = [i for i in images if i.scope == scope and i.split == split]
        pairing = pair([i.stem for i in own], [m.stem for m in members])
        for i, j in pairing.pairs.items():
            found.setdefault(own[i].path, members[j].path)
