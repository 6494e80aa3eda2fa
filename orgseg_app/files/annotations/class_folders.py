"""One folder for each class, with one mask for each image in it: ``masks/CLASS/NAME.png``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.annotations.listing import Entry, Listing, Scope
from orgseg_app.files.annotations.mask_folder import size_words
from orgseg_app.files.annotations.pairing import pair
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import clean_name, natural_key, shown

NAME = "class_folders"
RANK = 60
MIN_MATCHED = 0.5
"""Share of the masks that must belong to an image before folders count as classes."""


def find_classes(listing: Listing, claimed: set[Path]) -> Found:
    """Folders of masks below a folder of annotations, one for each class.

    Parameters
    ----------
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    images = [e for e in listing.images if e.path not in claimed]
    sets: dict[tuple[tuple[str, ...], Scope], list[Entry]] = defaultdict(list)
    for label in listing.labels:
        if label.path not in claimed and len(label.below) == 1:
            role_folders = label.folders[: label.role_at + 1]
            sets[role_folders, label.scope_before].append(label)
    for (_, scope), labels in sets.items():
        _find_in_set(scope, images, labels, found)
    return found


def read_classes(paths: Sequence[Path], values: Sequence[int]) -> NDArray[np.uint8]:
    """Class values from one mask for each class.

    Where masks overlap, the class with the smaller area in this image wins, so that a small
    structure inside a large one is kept.

    Returns
    -------
    uint8 ``(Z, Y, X)``
        The value of a class where its mask is set, else 0.

    Raises
    ------
    ReadError
        One sentence if a mask cannot be read or differs in size from the first.
    """
    masks = [read_labels(path) > 0 for path in paths]
    for path, mask in zip(paths, masks, strict=True):
        if mask.shape != masks[0].shape:
            raise ReadError(
                f"{shown(path)} is {size_words(mask.shape)}, "
                f"{shown(paths[0])} of another class {size_words(masks[0].shape)}."
            )
    if not masks:
        raise ReadError("There is no mask in the folders of classes.")
    merged = np.zeros(masks[0].shape, np.uint8)
    largest_first = sorted(range(len(masks)), key=lambda n: -int(masks[n].sum()))
    for n in largest_first:
        merged[masks[n]] = values[n]
    return merged


def _find_in_set(scope: Scope, images: list[Entry], labels: list[Entry], found: Found) -> None:
    by_class: dict[str, list[Entry]] = defaultdict(list)
    for label in labels:
        by_class[label.below[0]].append(label)
    if len(by_class) < 2:
        return
    classes = sorted(by_class, key=natural_key)
    splits = {label.split for label in labels}
    parts: dict[Path, list[tuple[int, Path]]] = defaultdict(list)
    for split in splits:
        own = [i for i in images if i.scope == scope and i.split in (split, None)]
        for value, name in enumerate(classes, start=1):
            masks = [m for m in by_class[name] if m.split == split]
            pairing = pair([i.stem for i in own], [m.stem for m in masks])
            for i, j in pairing.pairs.items():
                parts[own[i].path].append((value, masks[j].path))
    matched = sum(map(len, parts.values()))
    if matched < MIN_MATCHED * len(labels):
        return
    names = tuple(clean_name(name, fallback=f"class {n + 1}") for n, name in enumerate(classes))
    for image, masks_of_image in parts.items():
        values, paths = zip(*masks_of_image, strict=True)
        source = AnnotationSource(NAME, paths, class_names=names, path_values=values)
        found.candidates.append(Candidate(image, source, RANK, labels[0].set_name))
    used = {path for image in parts.values() for _, path in image}
    found.claimed |= {label.path for label in labels}
    found.unmatched += [label.path for label in labels if label.path not in used]
