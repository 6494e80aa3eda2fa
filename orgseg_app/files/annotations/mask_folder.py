"""One mask for each object: the 2018 Data Science Bowl's folders, and folders named after images.

Two layouts are found: ``ID/images/*.png`` with ``ID/masks/*.png``, and ``masks/NAME/*.png`` (or
``NAME_masks/*.png``) for the image ``NAME``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files import giving_up
from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.label_image import read_labels
from orgseg_app.files.annotations.listing import Entry, Listing, Scope
from orgseg_app.files.annotations.pairing import same_name
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.tokens import OBJECT_WORDS, base, has_any, words
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import shown

NAME = "mask_folder"
RANK = 10
RANK_NAMED = 50


def find_objects(listing: Listing, claimed: set[Path]) -> Found:
    """Folders that hold one mask for each object of one image.

    Parameters
    ----------
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    images = [e for e in listing.images if e.path not in claimed]
    labels = [e for e in listing.labels if e.path not in claimed]
    _find_native(images, labels, found)
    _find_named(images, [e for e in labels if e.path not in found.claimed], found)
    return found


def read_objects(paths: Sequence[Path]) -> tuple[NDArray[np.uint32], int]:
    """Object numbers from one mask for each object, 1 for the first file and so on.

    Returns
    -------
    objects
        uint32 ``(Z, Y, X)``; where masks overlap the earlier object keeps its voxels.
    overlap
        Voxels that more than one mask claimed.

    Raises
    ------
    ReadError
        One sentence if a mask cannot be read or differs in size from the first.
    """
    objects: NDArray[np.uint32] | None = None
    overlap = 0
    for number, path in enumerate(paths, start=1):
        giving_up.ask()
        inside = read_labels(path) > 0
        if objects is None:
            objects = np.zeros(inside.shape, np.uint32)
        if inside.shape != objects.shape:
            raise ReadError(
                f"{shown(path)} is {size_words(inside.shape)}, "
                f"{shown(paths[0])} beside it {size_words(objects.shape)}."
            )
        free = objects == 0
        overlap += int((inside & ~free).sum())
        objects[inside & free] = number
    if objects is None:
        raise ReadError("There is no mask in the folder of objects.")
    return objects, overlap


def size_words(shape: tuple[int, ...]) -> str:
    """Width × height, and planes where there are several, as people say it.

    >>> size_words((1, 520, 696)), size_words((5, 20, 30))
    ('696 × 520 pixels', '30 × 20 pixels in 5 planes')
    """
    planes = f" in {shape[0]} planes" if shape[0] > 1 else ""
    return f"{shape[-1]} × {shape[-2]} pixels{planes}"


def _find_native(images: list[Entry], labels: list[Entry], found: Found) -> None:
    """``ID/images/one.png`` with ``ID/masks/*.png`` of other names."""
    groups: dict[tuple[Path, Scope], list[Entry]] = defaultdict(list)
    for label in labels:
        role_folder = label.folders[label.role_at] if label.role_at >= 0 else ""
        if has_any(role_folder, OBJECT_WORDS) and not label.below:
            groups[label.path.parent.parent, label.scope].append(label)
    by_parent: dict[Path, list[Entry]] = defaultdict(list)
    for image in images:
        if image.role == "image":
            by_parent[image.path.parent.parent].append(image)
    for (parent, _), masks in groups.items():
        own = by_parent.get(parent, [])
        if len(own) == 1 and not any(same_name(own[0].stem, m.stem) for m in masks):
            _add(found, own[0], masks, RANK, parent.name)


def _find_named(images: list[Entry], labels: list[Entry], found: Found) -> None:
    """Folders of masks that are called like an image."""
    groups: dict[Path, list[Entry]] = defaultdict(list)
    for label in labels:
        groups[label.path.parent].append(label)
    if not groups:
        return
    stems = {_key(image.stem) for image in images}
    by_name: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for image in images:
        by_name[_key(image.stem)].append(image)
    for folder, masks in groups.items():
        first = masks[0]
        if any(_key(m.stem) in stems for m in masks):
            continue  # the masks are named after images themselves: classes, or pairs
        if first.below:
            key, before = _key(first.below[-1]), (*first.scope_before, *_folded(first.below[:-1]))
        else:
            key, before = base(folder.name), first.scope_before
        fitting = [i for i in by_name.get(key, []) if i.split in (first.split, None)] if key else []
        nearest = [i for i in fitting if i.scope == before] or fitting
        if len(nearest) == 1:
            _add(found, nearest[0], masks, RANK_NAMED, folder.parent.name)


def _add(found: Found, image: Entry, masks: list[Entry], rank: int, set_name: str) -> None:
    source = AnnotationSource(NAME, tuple(m.path for m in masks))
    found.candidates.append(Candidate(image.path, source, rank, set_name))
    found.claimed |= set(source.paths)


def _key(stem: str) -> tuple[str, ...]:
    return base(stem) or words(stem)


def _folded(folders: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f.casefold() for f in folders)
