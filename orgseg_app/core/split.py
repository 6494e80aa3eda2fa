"""Honest splits: by image, or by strips of one image with a gap; never by patch."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")

VALIDATION_SHARE = 0.2
TEST_SHARE = 0.2

_LEAST_BAND = 16
_LEAST_COMPARED = 32
_COMPARED = 128
_FIELDS = 4


def assign_splits(
    keys: Sequence[str], existing: Mapping[str, str] | None = None, seed: int = 0
) -> dict[str, str]:
    """A split for each new image, about 60 : 20 : 20 over old and new together.

    The order is drawn from a hash of each key, so that the same images always land the same way
    whatever order they were dropped in. From two images on there is a validation image, from three
    on a test image. Images that already have a split keep it.

    Parameters
    ----------
    keys
        New images: their content fingerprints, or names.
    existing
        Splits already given, by key.

    >>> sorted(assign_splits(["a", "b", "c"]).values())
    ['test', 'train', 'validation']
    """
    existing = existing or {}
    new = sorted(
        {k for k in keys if k not in existing},
        key=lambda k: hashlib.sha256(f"{seed}:{k}".encode()).digest(),
    )
    total = len(new) + len(existing)
    held = {s: sum(v == s for v in existing.values()) for s in SPLITS}
    wanted = {
        VALIDATION: max(round(total * VALIDATION_SHARE), 1 if total >= 2 else 0),
        TEST: max(round(total * TEST_SHARE), 1 if total >= 3 else 0),
    }
    if not held[TRAIN] and new:  # something must be left to learn from
        new, first = new[:-1], new[-1]
        splits = {first: TRAIN}
    else:
        splits = {}
    for key in new:
        open_places = [s for s in (VALIDATION, TEST) if held[s] < wanted[s]]
        split = open_places[0] if open_places else TRAIN
        held[split] += 1
        splits[key] = split
    return splits


@dataclass(frozen=True)
class Blocks:
    """Parts of one image for different splits: bands along one axis, with gaps between.

    Attributes
    ----------
    axis
        Of ``(Z, Y, X)``: 0 for bands of planes, 1 of rows, 2 of columns.
    bands
        ``(split, start, stop)`` each, in voxels; a split may have several.
    gap
        The least distance between bands of different splits, in voxels.
    """

    axis: int
    bands: tuple[tuple[str, int, int], ...]
    gap: int

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have a part."""
        return tuple(s for s in SPLITS if any(split == s for split, _, _ in self.bands))

    def part(self, mask: NDArray[np.uint8], split: str) -> NDArray[np.uint8]:
        """What a split may use of a mask ``(Z, Y, X)``: the rest is unlabelled there."""
        out = np.zeros_like(mask)
        for owner, start, stop in self.bands:
            if owner == split:
                place = [slice(None)] * 3
                place[self.axis] = slice(start, stop)
                out[tuple(place)] = mask[tuple(place)]
        return out


def hold_out_blocks(
    mask: NDArray[np.uint8], gap: int = 32, share: float = 0.25, *, gap_z: int | None = None
) -> Blocks | None:
    """A training and a validation band of one annotated image, with a gap between.

    Four strips are tried (top, bottom, left, right, ``share`` of the painted extent); the one that
    leaves most classes on both sides wins, then the one whose share of painted voxels is closest
    to ``share``. Where none of them leaves all classes on both sides, cuts through the paint of
    each class are tried, too, with gaps of at most a quarter of what they cut. Of a volume whose
    painted planes lie far enough apart, the first or the last of them are held out instead where
    that leaves as many classes on both sides and two thirds of the paint that the strip would leave
    to learn from.

    Parameters
    ----------
    mask
        ``(Z, Y, X)`` class ids.
    gap
        Voxels left out between the regions; at most a quarter of the painted extent.
    share
        Of the extent that is held out, 0…1.
    gap_z
        Planes between the last that is learned from and the first that is held out, since
        neighbouring planes show the same; None to cut within the planes.

    Returns
    -------
    Blocks or None
        None when no cut leaves something on both sides.
    """
    strips = _best_strips(mask, gap, share)
    planes = None if gap_z is None else _best_planes(mask, gap_z, share, strips)
    return planes if planes is not None else strips[1] if strips is not None else None


def _best_strips(
    mask: NDArray[np.uint8], gap: int, share: float
) -> tuple[tuple[int, float], Blocks] | None:
    """The best cut within the planes, with its score."""
    best: tuple[tuple[int, float], Blocks] | None = None
    for axis, low, high in _painted_extents(mask):
        strip = max(1, round((high - low) * share))
        space = min(gap, (high - low) // 4)
        cuts = [(low + strip, low + strip + space), (high - strip - space, high - strip)]
        best = _best_cut(mask, (axis, low, high), cuts, share, best)
    if best is None or best[0][0] < len(set(np.unique(mask)) - {UNLABELLED}):
        for extent in _painted_extents(mask):
            cuts = _cuts_through_classes(mask, extent[0], gap, share)
            best = _best_cut(mask, extent, cuts, share, best)
    return best


def _best_cut(
    mask: NDArray[np.uint8],
    extent: tuple[int, int, int],
    cuts: Sequence[tuple[int, int]],
    share: float,
    best: tuple[tuple[int, float], Blocks] | None,
) -> tuple[tuple[int, float], Blocks] | None:
    """The best of gaps ``(first, last + 1)`` within an extent ``(axis, low, high)``, or `best`."""
    axis, low, high = extent
    for first, stop in cuts:
        for before, after in ((VALIDATION, TRAIN), (TRAIN, VALIDATION)):
            bands = ((before, low, first), (after, stop, high))
            found = _judged(mask, Blocks(axis, bands, stop - first), {VALIDATION: share})
            if found is not None and (best is None or found[0] > best[0]):
                best = found
    return best


def _cuts_through_classes(
    mask: NDArray[np.uint8], axis: int, gap: int, share: float
) -> list[tuple[int, int]]:
    """Gaps that leave a share of a class's own paint on one side, one for each class and side.

    A stroke across the image and a short one somewhere beside it: no strip at an edge has both.
    """
    others = tuple(a for a in range(3) if a != axis)
    cuts = []
    for class_id in sorted(set(np.unique(mask)) - {UNLABELLED}):
        paint = np.cumsum((mask == class_id).sum(axis=others))
        places = np.flatnonzero(np.diff(paint, prepend=0))
        space = min(gap, (int(places[-1]) + 1 - int(places[0])) // 4)
        first = int(np.searchsorted(paint, share * paint[-1])) + 1
        stop = int(np.searchsorted(paint, (1 - share) * paint[-1]))
        cuts += [(first, first + space), (stop - space, stop)]
    return cuts


def _best_planes(
    mask: NDArray[np.uint8],
    gap: int,
    share: float,
    strips: tuple[tuple[int, float], Blocks] | None,
) -> Blocks | None:
    """The first good cut between planes, unless the strips are better.

    What is held out is chosen without a look at the gap, as far as that goes: networks that see
    more or fewer planes are then checked on the same ones, and can be compared and joined.
    """
    counts = np.stack([np.bincount(plane.ravel(), minlength=256) for plane in mask])
    counts[:, UNLABELLED] = 0
    painted = np.flatnonzero(counts.any(axis=1)).tolist()
    if len(painted) < 2:
        return None
    low, high = painted[0], painted[-1] + 1
    ends = [(low, last + 1) for last in painted[:-1]] + [(first, high) for first in painted[1:]]

    def promise(held: tuple[int, int]) -> tuple[int, float]:
        part = counts[slice(*held)].sum(axis=0)
        classes = int(np.count_nonzero(part * (counts.sum(axis=0) - part)))
        return classes, -abs(float(part.sum() / counts.sum()) - share)

    classes, paint = 1, 0
    if strips is not None:
        (classes, _), blocks = strips
        paint = int(np.count_nonzero(blocks.part(mask, TRAIN)))
    for held in sorted(ends, key=promise, reverse=True):
        learnt = (held[1] + gap, high) if held[0] == low else (low, held[0] - gap)
        if learnt[0] >= learnt[1]:
            continue
        parts = [counts[slice(*span)].sum(axis=0) for span in (held, learnt)]
        has_classes = np.count_nonzero(parts[0] * parts[1]) >= classes
        if has_classes and 3 * parts[1].sum() >= 2 * paint:
            return Blocks(0, ((VALIDATION, *held), (TRAIN, *learnt)), gap)
    return None


def three_blocks(mask: NDArray[np.uint8], gap: int) -> Blocks | None:
    """A training, a validation and a test band of one annotated image, 60 : 20 : 20.

    All orders along both axes are tried; the one with most classes in all three wins, then the
    one whose shares of painted voxels are closest to the wanted ones. The gap is kept whole.

    Parameters
    ----------
    mask
        ``(Z, Y, X)`` class ids.
    gap
        Voxels left out between the bands: at least what the network sees around a voxel.

    Returns
    -------
    Blocks or None
        None when the image is too small for three bands and their gaps, or a band has no paint.
    """
    wanted = {TRAIN: 1 - VALIDATION_SHARE - TEST_SHARE, VALIDATION: VALIDATION_SHARE}
    wanted[TEST] = TEST_SHARE
    best: tuple[tuple[int, float], Blocks] | None = None
    for axis, low, high in _painted_extents(mask):
        room = high - low - 2 * gap
        if room < 3 * _LEAST_BAND:
            continue
        for order in itertools.permutations(SPLITS):
            ends = np.cumsum([max(_LEAST_BAND, round(room * wanted[s])) for s in order[:2]])
            bands = (
                (order[0], low, low + int(ends[0])),
                (order[1], low + int(ends[0]) + gap, low + int(ends[1]) + gap),
                (order[2], low + int(ends[1]) + 2 * gap, high),
            )
            found = _judged(mask, Blocks(axis, bands, gap), wanted)
            if found is not None and (best is None or found[0] > best[0]):
                best = found
    return None if best is None else best[1]


def fold_blocks(mask: NDArray[np.uint8], gap: int, folds: int) -> list[Blocks] | None:
    """One annotated image in `folds` bands of equally much paint; each is held out once.

    Parameters
    ----------
    mask
        ``(Z, Y, X)`` class ids.
    gap
        Voxels on both sides of the band held out that nobody learns from.
    folds
        2 or more.

    Returns
    -------
    list of Blocks or None
        One a fold; None when the bands would be thinner than the gap beside them, or one of them
        had no paint to check on or to learn from.
    """
    extents = sorted(_painted_extents(mask), key=lambda e: e[1] - e[2])
    for axis, low, high in extents:
        others = tuple(a for a in range(3) if a != axis)
        paint = np.cumsum((mask != UNLABELLED).sum(axis=others)[low:high])
        cuts = [
            low,
            *(low + int(np.searchsorted(paint, paint[-1] * i / folds)) for i in range(1, folds)),
            high,
        ]
        if min(b - a for a, b in itertools.pairwise(cuts)) < max(_LEAST_BAND, gap):
            continue
        found = []
        for start, stop in itertools.pairwise(cuts):
            bands = (
                (TRAIN, low, start - gap),
                (VALIDATION, start, stop),
                (TRAIN, stop + gap, high),
            )
            kept = tuple(band for band in bands if band[2] > band[1])
            found.append(Blocks(axis, kept, gap))
        if all(_judged(mask, blocks, {}) is not None for blocks in found):
            return found
    return None


def assign_folds(keys: Sequence[str], folds: int, seed: int = 0) -> dict[str, int]:
    """The fold of each image, 0…folds-1, as equal in size as possible; alike for equal keys.

    Parameters
    ----------
    keys
        Images, by the fingerprints of their content: the order is drawn from a hash of these, so
        that it does not depend on the order in which they were added.

    >>> sorted(assign_folds(["a", "b", "c", "d"], 2).values())
    [0, 0, 1, 1]
    """
    order = sorted(set(keys), key=lambda k: hashlib.sha256(f"{seed}:{k}".encode()).digest())
    return {key: number % folds for number, key in enumerate(order)}


def fine_structure(plane: NDArray[np.floating]) -> NDArray[np.float32]:
    """What tells the place that a plane shows from other places; for `likeness`.

    What changes slowly across the picture (uneven light) and what is finer than the noise is taken
    away first.

    Parameters
    ----------
    plane
        ``(Y, X)``.

    Returns
    -------
    ``(16, n)`` float32: one row for each of 4 × 4 fields, the sum of all squares 1; zeros for an
    even or a tiny plane.
    """
    import cv2

    if min(plane.shape) < _LEAST_COMPARED:
        return np.zeros((_FIELDS**2, 1), np.float32)
    side = [max(_FIELDS, min(_COMPARED, n) // _FIELDS * _FIELDS) for n in plane.shape[::-1]]
    small = cv2.resize(plane.astype(np.float32), side, interpolation=cv2.INTER_AREA)
    light = cv2.GaussianBlur(small, (0, 0), max(side) / 10)
    fine = cv2.GaussianBlur(small, (0, 0), 1.0) - light
    fields = np.stack(
        [f for row in np.split(fine, _FIELDS) for f in np.split(row, _FIELDS, axis=1)]
    )
    fields = fields.reshape(len(fields), -1)
    fields = fields - fields.mean(axis=1, keepdims=True)
    size = float(np.linalg.norm(fields))
    found: NDArray[np.float32] = (fields / size if size > 0 else fields * 0).astype(np.float32)
    return found


def likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """How much two planes look like the same place, from their `fine_structure`.

    The correlation of the whole, or the median of that of the fields where that is less: so a scale
    bar, or the wall of a chamber, that all images show says nothing. Near 1 for neighbouring planes
    of a volume and for one image saved twice with another contrast, near 0 for different places of
    one sample; 0 for planes of different shape.
    """
    if a.shape != b.shape:
        return 0.0
    products = (a * b).sum(axis=1)
    sizes = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    by_field = np.divide(products, sizes, out=np.zeros_like(products), where=sizes > 0)
    return float(min(abs(products.sum()), abs(np.median(by_field))))


def _painted_extents(mask: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """``(axis, first, last + 1)`` of the painted rows and columns; empty without paint."""
    painted = mask != UNLABELLED
    found = []
    for axis in (1, 2):
        places = np.flatnonzero(painted.any(axis=tuple(a for a in range(3) if a != axis)))
        if len(places):
            found.append((axis, int(places[0]), int(places[-1]) + 1))
    return found


def _judged(
    mask: NDArray[np.uint8], blocks: Blocks, wanted: Mapping[str, float]
) -> tuple[tuple[int, float], Blocks] | None:
    """A cut with its score, the more the better; None where the parts share no class."""
    if any(stop <= start for _, start, stop in blocks.bands):
        return None
    parts = {split: blocks.part(mask, split) for split in blocks.splits}
    classes = set.intersection(*(set(np.unique(part)) - {UNLABELLED} for part in parts.values()))
    if len(parts) < 2 or not classes:
        return None
    painted = np.count_nonzero(mask)
    off = [abs(np.count_nonzero(parts[s]) / painted - x) for s, x in wanted.items()]
    return (len(classes), -sum(off)), blocks
