"""Folders of images beside folders of label images, in train / validation / test trees or without.

``images/`` with ``labels/``, ``masks/``, ``annotations/`` or ``gt/``, in either order with
``train/``, ``valid/`` and ``test/``, singular or plural, at any depth.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.label_image import ambiguity
from orgseg_app.files.annotations.listing import Entry, Listing, Scope
from orgseg_app.files.annotations.pairing import pair
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.tokens import has_any, is_plain_role, words
from orgseg_app.files.annotations.values import looks_like_labels

NAME = "folder_tree"
RANK_GIVEN = -10
RANK_PLAIN = 0
RANK_OTHER = 20
RANK_LOOKALIKE = 70
MIN_LOOKALIKE = 0.8
"""Share of a nameless folder's files that must be called like images."""

_PREFERENCE = ("labels", "label", "masks", "mask", "annotations", "annotation", "gt", "truth")
_RICH_WORDS = frozenset({"instance", "instances"})
_POOR_WORDS = frozenset({"binary", "colour", "color", "colours", "colors", "rgb", "sparse"})
"""Words of folders whose label images say less than others of the same images would."""


def find_pairs(listing: Listing, claimed: set[Path]) -> Found:
    """Label images in folders of their own.

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
    if listing.has_annotations and len(images) == 1 and len(labels) == 1:
        _add(found, images[0], labels[0], NAME, RANK_GIVEN)  # the user paired them
        found.claimed.add(labels[0].path)
        return found
    sets: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for label in labels:
        sets[tuple(label.folders[: label.role_at + 1])].append(label)
    for members in sets.values():
        rank = RANK_GIVEN if listing.has_annotations else _rank(members[0])
        pair_set(images, members, found, NAME, rank)
    found.claimed |= {label.path for label in labels}
    if not listing.has_annotations:
        _find_lookalikes([i for i in images if i.path not in found.claimed], found)
    return found


def pair_set(
    images: list[Entry], labels: list[Entry], found: Found, format: str, rank: int
) -> None:
    """Pair one folder of annotations, first where folders agree, then by names alone.

    Parameters
    ----------
    images
        Those it may be about.
    labels
        The folder's files.
    found
        Gets the pairs, as candidates of ``format`` with ``rank``, and what was left over.
    """
    groups: dict[tuple[Scope, str | None], list[Entry]] = defaultdict(list)
    for label in labels:
        groups[label.scope, label.split].append(label)
    left: list[Entry] = []
    paired: set[Path] = set()
    for (scope, split), members in groups.items():
        own = [i for i in images if i.scope == scope and i.split in (split, None)]
        pairing = pair([i.stem for i in own], [m.stem for m in members])
        for i, j in pairing.pairs.items():
            _add(found, own[i], members[j], format, rank)
            paired.add(own[i].path)
        for i, fitting in pairing.ambiguous.items():
            found.ambiguous[own[i].path] = ambiguity(
                own[i].path, [members[j].path for j in fitting]
            )
            paired |= {own[i].path}
        left += [members[j] for j in pairing.unmatched]
    free = [i for i in images if i.path not in paired]
    if not paired or rank == RANK_GIVEN:
        left = _pair_across(free, left, format, rank, found)
    found.unmatched += [label.path for label in left if not label.is_context]


def _pair_across(
    images: list[Entry], labels: list[Entry], format: str, rank: int, found: Found
) -> list[Entry]:
    """Pair by file name whatever the folders, where a name occurs once on each side."""
    by_image: dict[str, list[Entry]] = defaultdict(list)
    by_label: dict[str, list[Entry]] = defaultdict(list)
    for image in images:
        by_image[image.stem.casefold()].append(image)
    for label in labels:
        by_label[label.stem.casefold()].append(label)
    left = []
    for stem, fitting in by_label.items():
        own = by_image.get(stem, [])
        if len(own) == 1 and len(fitting) == 1:
            _add(found, own[0], fitting[0], format, rank)
        else:
            left += fitting
    return left


def _find_lookalikes(images: list[Entry], found: Found) -> None:
    """Folders of any name whose files look like labels and are called like images beside them."""
    by_folder: dict[Path, list[Entry]] = defaultdict(list)
    for image in images:
        by_folder[image.path.parent].append(image)
    for folder, members in by_folder.items():
        if members[0].role == "image":
            continue
        own = _images_beside(folder, by_folder)
        stems = {i.stem.casefold() for i in own}
        same = [m for m in members if m.stem.casefold() in stems]
        if not same or len(same) < MIN_LOOKALIKE * len(members):
            continue
        if not looks_like_labels(same[len(same) // 2].path):
            continue
        pairing = pair([i.stem for i in own], [m.stem for m in members])
        for i, j in pairing.pairs.items():
            source = AnnotationSource(NAME, (members[j].path,))
            found.candidates.append(Candidate(own[i].path, source, RANK_LOOKALIKE, folder.name))
        found.claimed |= {m.path for m in members}
        found.unmatched += [members[j].path for j in pairing.unmatched]


def _images_beside(folder: Path, by_folder: dict[Path, list[Entry]]) -> list[Entry]:
    """Images in the folder above, or in a folder called “images” beside."""
    above = by_folder.get(folder.parent, [])
    beside = [
        image
        for other, members in by_folder.items()
        if other.parent == folder.parent and members[0].role == "image"
        for image in members
    ]
    return [*above, *beside]


def _rank(label: Entry) -> int:
    """Folders that say no more than “labels” come first, in a fixed order of names."""
    name = label.folders[label.role_at] if label.role_at >= 0 else ""
    if has_any(name, _RICH_WORDS):
        return RANK_OTHER - 1
    if has_any(name, _POOR_WORDS):
        return RANK_OTHER + 1
    if not is_plain_role(name):
        return RANK_OTHER
    own = [word for word in words(name) if word in _PREFERENCE]
    return RANK_PLAIN + (_PREFERENCE.index(own[0]) if own else len(_PREFERENCE))


def _add(found: Found, image: Entry, label: Entry, format: str, rank: int) -> None:
    source = AnnotationSource(format, (label.path,))
    found.candidates.append(Candidate(image.path, source, rank, label.set_name))
