"""Run-length labels in JSON files beside their volume: ``train-labels.json``, ``cell.json``."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.pairing import pair
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.readers.sniff import RUNS_SUFFIX

NAME = "run_labels"
RANK = 45
"""Behind label images of the same name, which say the same."""


def find_runs(listing: Listing, claimed: set[Path]) -> Found:
    """JSON files with run-length labels, by name: in the image's folder first, then anywhere.

    Parameters
    ----------
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    runs = [e for e in listing.labels if e.path.suffix.lower() == RUNS_SUFFIX]
    images = [e for e in listing.images if e.path not in claimed]
    if listing.has_annotations and len(images) == len(listing.labels) == len(runs) == 1:
        _add(images[0], runs[0], found)  # the user paired them
        return found
    by_folder: dict[Path, list[Entry]] = defaultdict(list)
    for entry in runs:
        by_folder[entry.path.parent].append(entry)
    for folder, members in by_folder.items():
        own = [i for i in images if i.path.parent == folder] or images
        pairing = pair([i.stem for i in own], [m.stem for m in members])
        for i, j in pairing.pairs.items():
            _add(own[i], members[j], found)
        found.unmatched += [members[j].path for j in pairing.unmatched]
    found.claimed |= {e.path for e in runs}
    return found


def _add(image: Entry, runs: Entry, found: Found) -> None:
    source = AnnotationSource(NAME, (runs.path,))
    found.candidates.append(Candidate(image.path, source, RANK, "run-length labels beside"))
    found.claimed.add(runs.path)
