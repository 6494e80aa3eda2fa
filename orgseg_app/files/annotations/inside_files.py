"""Files with several arrays: each image of an HDF5 file by itself, with its labels and weights.

CREMI's ``volumes/raw`` with ``volumes/labels/neuron_ids``, ``raw`` with ``label``, OME-Zarr images
with their ``labels/`` folder.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from pathlib import Path

from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.label_image import ambiguity
from orgseg_app.files.annotations.listing import ZARR_SUFFIX, Entry, Listing
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.inside import inside, split_inside
from orgseg_app.files.readers.names import clean_name, stem_of
from orgseg_app.files.readers.ome_zarr import label_folders
from orgseg_app.files.readers.registry import read_contents, read_headers
from orgseg_app.files.readers.sniff import SUFFIX_FAMILIES
from orgseg_app.files.readers.volumes import IMAGE, LABELS, WEIGHTS

NAME = "inside_file"
RANK = 5

_ROLES = {IMAGE: "image", LABELS: "label", WEIGHTS: "weights"}


def expand(listing: Listing) -> None:
    """Put what files with several arrays hold in the place of these files."""
    expanded: list[Entry] = []
    for entry in listing.entries:
        if split_inside(entry.path)[1]:
            expanded.append(entry)
        elif SUFFIX_FAMILIES.get(entry.path.suffix.lower()) == "hdf5":
            expanded += _arrays_of(entry)
        elif entry.path.suffix.lower() == ZARR_SUFFIX:
            expanded += [entry, *_labels_of(entry)]
        else:
            expanded.append(entry)
    listing.entries = expanded


def find_inside(listing: Listing, claimed: set[Path]) -> Found:
    """Labels in the same file as their image, told by their name and size.

    Parameters
    ----------
    listing
        The files, once `expand` has seen them.
    claimed
        Files already known as annotations.
    """
    found = Found()
    by_file: dict[Path, list[Entry]] = defaultdict(list)
    for entry in listing.entries:
        if entry.owner is not None and entry.path not in claimed and not entry.is_annotation:
            by_file[entry.owner].append(entry)
    for owner, members in by_file.items():
        labels = [m for m in members if m.role == "label"]
        found.claimed |= {label.path for label in labels}
        images = [m for m in members if m.role == "image"]
        images += [e for e in listing.images if e.path == owner and e.owner is None]
        if not listing.has_annotations:
            _pair(images, labels, found)
    return found


def _arrays_of(entry: Entry) -> list[Entry]:
    """The arrays of an HDF5 file, or the file itself when one image is all that matters."""
    try:
        contents = read_contents(entry.path)
    except ReadError:
        return [entry]  # said when its header is read
    if entry.is_annotation:
        labels = [inner for inner, kind in contents if kind == LABELS]
        if len(labels) == 1 and len(contents) > 1:
            return [replace(entry, path=inside(entry.path, labels[0]), title=entry.stem)]
        return [entry]
    images = [inner for inner, kind in contents if kind == IMAGE]
    if len(contents) == 1:
        return [entry]
    made = []
    for inner, kind in contents:
        is_only = kind == IMAGE and len(images) == 1
        if not images and kind == LABELS:
            kind = IMAGE  # nothing else is in the file: labels of another one, or the image
        role = entry.role if not images else _ROLES[kind]
        title = entry.stem if is_only else clean_name(f"{stem_of(entry.path)} {inner.strip('/')}")
        path = entry.path if is_only else inside(entry.path, inner)
        made.append(replace(entry, path=path, role=role, title=title, owner=entry.path))
    return made


def _labels_of(entry: Entry) -> list[Entry]:
    """The labels that an OME-Zarr image carries."""
    return [
        replace(entry, path=folder, role="label", owner=entry.path, title=clean_name(folder.name))
        for folder in label_folders(entry.path)
    ]


def _pair(images: list[Entry], labels: list[Entry], found: Found) -> None:
    """Pair arrays of equal size, by their group where several would fit."""
    headers = dict(
        zip(
            [e.path for e in (*images, *labels)],
            read_headers([e.path for e in (*images, *labels)]),
            strict=True,
        )
    )
    used: set[Path] = set()
    for image in images:
        size = _size(headers[image.path])
        fitting = [e for e in labels if size is not None and _size(headers[e.path]) == size]
        if len(images) > 1 and len(fitting) > 1:
            near = [e for e in fitting if e.path.parent == image.path.parent]
            fitting = near or fitting
        if len(fitting) == 1:
            source = AnnotationSource(NAME, (fitting[0].path,))
            found.candidates.append(Candidate(image.path, source, RANK, "labels in the same file"))
            used.add(fitting[0].path)
        elif fitting:
            found.ambiguous[image.path] = ambiguity(image.path, [e.path for e in fitting])
            used |= {e.path for e in fitting}
    found.unmatched += [e.path for e in labels if e.path not in used]


def _size(header: ImageHeader | ReadError) -> tuple[int, int, int] | None:
    if isinstance(header, ReadError):
        return None
    return header.planes, header.height, header.width
