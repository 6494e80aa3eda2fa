"""Label images: one picture whose values are classes, object numbers or structure / not structure.

Read as they were meant: palette indices rather than colours, 1-bit pictures as shown, 16-bit
numbers unchanged, colour codes as one number ``0xRRGGBB``. `find_beside` looks for label images
that lie next to their image: ``cell_mask.png`` beside ``cell.tif``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.annotations.found import Candidate, Found
from orgseg_app.files.annotations.listing import Entry, Listing
from orgseg_app.files.annotations.source import AnnotationSource
from orgseg_app.files.annotations.tokens import (
    OUTLINE_WORDS,
    SIDE_WORDS,
    base,
    has_any,
    has_label_word,
    without,
    words,
)
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers import apart
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.raster import decode_samples
from orgseg_app.files.readers.registry import read_header
from orgseg_app.files.readers.run_labels import run_labels
from orgseg_app.files.readers.sniff import RUNS, sniff
from orgseg_app.files.readers.tiff import open_pictures
from orgseg_app.files.readers.volume_files import VOLUME_FAMILIES, open_volumes
from orgseg_app.files.readers.volumes import label_planes_of

if TYPE_CHECKING:
    from orgseg_app.files.readers.tiff import TiffPicture
    from orgseg_app.files.readers.volumes import Volume

NAME = "label_image"
RANK_BESIDE = 40
MAX_COLOURS = 32
"""Colours a colour-coded annotation may have besides the background."""
MAX_OBJECT_COLOURS = 65_535
"""The same where each colour is one object."""
_FLAT = 0.7  # share of the pixels that have the colour of the one beside them

Labels = NDArray[np.integer]


def read_labels(path: Path, planes: Sequence[int] | None = None) -> Labels:
    """The values of a label image.

    Parameters
    ----------
    path
        TIFF, PNG, BMP, HDF5, MRC, Zarr, run-length JSON or (for two values only) JPEG.
    planes
        Which planes to read; all by default. Time points and positions count as planes.

    Returns
    -------
    array of integers ``(Z, Y, X)``
        As stored; colours as ``0xRRGGBB``; 0 where fully transparent or black.

    Raises
    ------
    ReadError
        One sentence: as for images, or because it is not a label image (fractions, many colours,
        several channels).
    """
    child = apart.in_use()
    if child is not None:
        return child.labels(path, planes)
    read = list(label_planes(path, planes))
    return read[0][np.newaxis] if len(read) == 1 else np.stack(read)


def label_planes(
    path: Path,
    planes: Sequence[int] | None = None,
    pictures: Sequence[TiffPicture] | None = None,
    volumes: Sequence[Volume] | None = None,
) -> Iterator[Labels]:
    """The values of a label image plane by plane, ``(Y, X)`` each; as `read_labels`.

    Parameters
    ----------
    pictures
        Of a TIFF that is open already.
    volumes
        Of an HDF5, MRC or Zarr file that is open already.
    """
    family = "tiff" if pictures is not None else sniff(path)
    if family == "tiff":
        yield from _tiff_label_planes(pictures or open_pictures(path), path, planes)
    elif family == RUNS:
        yield from run_labels(path).planes(planes)
    elif family in VOLUME_FAMILIES:
        for plane in label_planes_of(volumes or open_volumes(path), path, planes):
            yield _without_soft_edges(_integers(plane, path))
    else:
        yield _raster_labels(path)


def _raster_labels(path: Path) -> Labels:
    pixels, is_clear = decode_samples(path)
    labels = _colour_codes(pixels, path) if pixels.shape[0] == 3 else pixels[0]
    if is_clear is not None:
        labels = np.where(is_clear, labels.dtype.type(0), labels)
    if sniff(path) == "jpeg":
        labels = _two_values(labels, path)
    return _without_soft_edges(_integers(labels, path))


def count_planes(path: Path) -> int:
    """Planes of a label image, nothing decoded.

    Raises
    ------
    ReadError
        As for images.
    """
    child = apart.in_use()
    if child is not None:
        return child.count_planes(path)
    return read_header(path).planes


def find_beside(listing: Listing, claimed: set[Path]) -> Found:
    """Label images in the same folder as their image, told by words like “mask” in their name.

    Parameters
    ----------
    listing
        The files.
    claimed
        Files already known as annotations.
    """
    found = Found()
    by_folder: dict[Path, list[Entry]] = defaultdict(list)
    for entry in listing.entries:
        if entry.role in (None, "image") and not entry.is_annotation and entry.path not in claimed:
            by_folder[entry.path.parent].append(entry)
    for entries in by_folder.values():
        _find_in_folder(entries, found)
    if listing.has_annotations:
        found.candidates.clear()
        found.ambiguous.clear()
    return found


def _find_in_folder(entries: list[Entry], found: Found) -> None:
    images: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    marked, aside = [], []
    for entry in entries:
        if has_any(entry.stem, SIDE_WORDS | OUTLINE_WORDS):
            aside.append(entry)
        elif has_label_word(entry.stem):
            marked.append(entry)
        elif not entry.is_context:
            images[base(entry.stem)].append(entry)
    for entry in aside:
        if without(base(entry.stem), SIDE_WORDS | OUTLINE_WORDS | {"cp"}) in images:
            found.claimed.add(entry.path)
    labels: dict[tuple[str, ...], list[Entry]] = defaultdict(list)
    for entry in marked:
        if base(entry.stem) in images:
            labels[base(entry.stem)].append(entry)
            found.claimed.add(entry.path)
    for key, fitting in labels.items():
        if len(images[key]) > 1 or len(fitting) > 1:
            for image in images[key]:
                found.ambiguous[image.path] = ambiguity(image.path, [e.path for e in fitting])
            continue
        image, label = images[key][0], fitting[0]
        pattern = " ".join(w for w in words(label.stem) if w not in key) or "label"
        source = AnnotationSource(NAME, (label.path,))
        found.candidates.append(Candidate(image.path, source, RANK_BESIDE, f"“… {pattern}” beside"))


def ambiguity(image: Path, labels: list[Path]) -> str:
    """The sentence for an image to which several annotations fit, or that shares one."""
    names = ", ".join(shown(p) for p in labels[:3]) + (" and more" if len(labels) > 3 else "")
    if len(labels) == 1:
        return f"{names} fits {shown(image)} and another image equally well; neither took it."
    return f"Several annotations fit {shown(image)} equally well ({names}); none was taken."


def _tiff_label_planes(
    pictures: Sequence[TiffPicture], path: Path, planes: Sequence[int] | None
) -> Iterator[Labels]:
    if len({p.size_yx for p in pictures}) > 1:
        raise ReadError(
            f"{shown(path)} holds pictures of different sizes and cannot be one annotation."
        )
    places = [(p, t, z) for p in pictures for t in range(p.times) for z in range(p.depth)]
    wanted = places if planes is None else [places[n] for n in planes]
    for picture, time, z in wanted:
        yield _tiff_plane(picture, time, z, path)


def _tiff_plane(picture: TiffPicture, time: int, z: int, path: Path) -> Labels:
    plane = picture.stored_plane(time, z)
    if plane.shape[0] == 3 and picture.colours.is_rgb:
        labels: NDArray[np.generic] = _colour_codes(plane, path)
    elif plane.shape[0] == 1:
        labels = plane[0]
    else:
        raise ReadError(
            f"{shown(path)} has {plane.shape[0]} channels, where a label image has one; "
            "save the channel with the labels by itself."
        )
    if picture.colours.white_is_zero and _is_two_valued(labels):
        labels = labels == 0
    return _without_soft_edges(_integers(labels, path))


def _is_two_valued(labels: NDArray[np.generic]) -> bool:
    if labels.dtype == bool:
        return True
    if labels.dtype not in (np.uint8, np.uint16):
        return False
    top = 255 if labels.dtype == np.uint8 else 65535
    return bool(((labels == 0) | (labels == top)).all())


def _integers(labels: NDArray[np.generic], path: Path) -> Labels:
    """The same numbers as integers.

    Raises
    ------
    ReadError
        If they are fractions, such as probabilities, or not numbers.
    """
    if labels.dtype == bool:
        return labels.astype(np.uint8)
    if labels.dtype.kind in "ui":
        return labels  # type: ignore[return-value]
    values = labels.astype(np.float64)
    if not np.isfinite(values).all() or (values != np.rint(values)).any():
        raise ReadError(
            f"{shown(path)} holds fractions, so it is no label image; "
            "a label image has one whole number for each class or object."
        )
    if np.abs(values).max(initial=0) > np.iinfo(np.uint32).max:
        raise ReadError(f"{shown(path)} holds numbers too large for labels.")
    return values.astype(np.int64)


def _colour_codes(pixels: NDArray[np.generic], path: Path) -> Labels:
    """One number ``0xRRGGBB`` for each pixel of a colour picture ``(3, Y, X)``.

    Raises
    ------
    ReadError
        If there are more colours than an annotation would have.
    """
    levels = pixels.astype(np.uint32)
    if pixels.dtype == np.uint16:
        levels >>= 8
    codes = (levels[0] << 16) | (levels[1] << 8) | levels[2]
    if np.array_equal(levels[0], levels[1]) and np.array_equal(levels[0], levels[2]):
        return np.asarray(levels[0])
    colours = np.unique(codes)
    count = int((colours != 0).sum())
    if count > MAX_COLOURS and not _is_one_object_each(codes, count):
        raise ReadError(
            f"{shown(path)} holds {count:,} colours, where a colour-coded annotation has at most "
            f"{MAX_COLOURS}; save it as a label image with one number for each class or object."
        )
    return np.asarray(codes)


def _is_one_object_each(codes: NDArray[np.uint32], count: int) -> bool:
    """Whether many colours are those of single objects: areas of one colour, each in one place."""
    if count > MAX_OBJECT_COLOURS:
        return False
    for one, other in ((codes[:, 1:], codes[:, :-1]), (codes[1:], codes[:-1])):
        there = one != 0
        if not there.any() or float((one == other)[there].mean()) < _FLAT:
            return False
    from orgseg_app.files.annotations.values import COMPACT, statistics

    return statistics(codes[np.newaxis]).compactness >= COMPACT


def _two_values(labels: NDArray[np.generic], path: Path) -> Labels:
    """A JPEG mask as 0 and 255; JPEG changes values, so that only two can be told apart.

    Raises
    ------
    ReadError
        If the values do not lie near two ends.
    """
    grey = labels.astype(np.int64)
    low, high = int(grey.min()), int(grey.max())
    middle = (low + high) / 2
    near = np.minimum(np.abs(grey - low), np.abs(grey - high)) <= (high - low) / 4
    if high > 255 or high - low < 64 or near.mean() < 0.97:
        if high == low:
            return grey
        raise ReadError(
            f"{shown(path)} is a JPEG, which changes label values; save the labels as PNG or TIFF."
        )
    return np.where(grey > middle, 255, 0).astype(np.uint8)


def _without_soft_edges(labels: Labels) -> Labels:
    """0 and 255 for an 8-bit mask whose drawn borders were smoothed; anything else unchanged.

    A mask counts as one if nearly all of its structure is 255 and the few values between are
    many different ones or single pixels.
    """
    if labels.dtype != np.uint8:
        return labels
    counts = np.bincount(labels.ravel(), minlength=256)
    structure = int(counts[1:].sum())
    between = structure - int(counts[255])
    if not between or counts[255] == 0:
        return labels
    different = int((counts[1:255] > 0).sum())
    if between <= 0.02 * structure or (between <= 0.25 * structure and different > MAX_COLOURS):
        return np.where(labels >= 128, np.uint8(255), np.uint8(0))
    return labels
