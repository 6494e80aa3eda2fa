"""List files: “image mask” in each line, as the CBMI data sets have them, or names of one split.

A list called ``train…``, ``val…`` or ``test…`` also says which split its images are of; one with a
name a line says only that (the ``metadata/training.txt`` of BBBC039).
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from orgseg_app.files.annotations.folder_tree import RANK_GIVEN
from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.list_lines import Files, lines_of, readings
from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.tokens import folder_split, words
from orgseg_app.files.readers.names import shown

NAME = "list_file"
RANK = -5
"""Before folders: somebody wrote down what belongs together."""


def find_listed(listing: Listing, claimed: set[Path]) -> Found:
    """Pairs of images and masks that list files name.

    Parameters
    ----------
    listing
        The files; lists that are understood are taken out of those that may hold objects and of
        those left out.
    claimed
        Files already known as annotations.
    """
    found = Found()
    given = {e.path for e in listing.object_files if e.is_annotation}
    lists = [e.path for e in listing.object_files] + listing.skipped
    files = Files(e.path for e in listing.entries if e.owner is None)
    used: set[Path] = set()
    for path in lists:
        if listing.has_annotations and path not in given:
            continue
        lines = lines_of(path)
        if lines is not None and _take(path, lines, files, listing, found):
            used.add(path)
    listing.object_files = [e for e in listing.object_files if e.path not in used]
    listing.skipped = [path for path in listing.skipped if path not in used]
    images = {candidate.image for candidate in found.candidates}
    found.claimed -= images & found.claimed
    return found


def _take(path: Path, lines: list[str], files: Files, listing: Listing, found: Found) -> bool:
    """Take in one list; False if it names none of the files at hand."""
    rank = RANK_GIVEN if listing.has_annotations else RANK
    split = _split_of(path)
    pairs: dict[Path, Path] = {}
    alone: list[str] = []
    missing = 0
    for line in lines:
        pair, single = _read(line, path, files)
        if pair is not None:
            pairs.setdefault(*pair)
        elif single:
            alone.append(single)
        else:
            missing += 1
    for image, mask in pairs.items():
        source = AnnotationSource(NAME, (mask,))
        found.candidates.append(Candidate(image, source, rank, path.name))
        found.claimed.add(mask)
    chosen = set(pairs)
    if split and not pairs:
        chosen = _named(alone, path, files, listing)
    if split:
        _add_splits(chosen, split, path, found)
    if pairs and missing:
        lacking = "1 line names files" if missing == 1 else f"{missing:,} lines name files"
        found.notes.append(f"{shown(path)}: {lacking} that are not here, or not just one.")
    return bool(chosen)


def _read(line: str, path: Path, files: Files) -> tuple[tuple[Path, Path] | None, str]:
    """Image and mask that a line names, or the one name in it."""
    single = ""
    for names in readings(line):
        if len(names) == 1:
            single = names[0]
            continue
        image, mask = (files.find(name, path.parent) for name in names)
        if image is not None and mask is not None and image != mask:
            return (image, mask), ""
    return None, single


def _named(names: list[str], path: Path, files: Files, listing: Listing) -> set[Path]:
    """Images that a list of single names is about: by their file name, or by that of their mask."""
    by_stem: dict[str, list[Entry]] = defaultdict(list)
    for image in listing.images:
        by_stem[image.stem.casefold()].append(image)
    images = {image.path for image in listing.images}
    chosen: set[Path] = set()
    for name in names:
        file = files.find(name, path.parent)
        stem = Path(name.replace("\\", "/")).stem.casefold()
        same = by_stem.get(stem, [])
        if file is not None and file in images:
            chosen.add(file)
        elif len(same) == 1:
            chosen.add(same[0].path)
    return chosen


def _add_splits(images: set[Path], split: str, path: Path, found: Found) -> None:
    """Say which split images are of; the first list counts."""
    both = [image for image in images if found.splits.get(image, split) != split]
    for image in images:
        found.splits.setdefault(image, split)
    if both:
        found.notes.append(
            f"{shown(path)} names {len(both):,} image{'' if len(both) == 1 else 's'} of another "
            f"split, {shown(sorted(both)[0])} for one; each stays in the split first named."
        )


def _split_of(path: Path) -> str | None:
    """The split that a list's name says: ``train_er.txt``."""
    splits = {split for word in words(path.stem) if (split := folder_split(word))}
    return splits.pop() if len(splits) == 1 else None
