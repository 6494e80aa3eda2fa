"""Honest splits: by image, or by strips of one image with a gap; never by patch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")

VALIDATION_SHARE = 0.2
TEST_SHARE = 0.2


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


def hold_out_strip(
    mask: NDArray[np.uint8], gap: int = 32, share: float = 0.25
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Part one annotated image into a training and a validation region with a gap between.

    Four strips are tried (top, bottom, left, right, ``share`` of the painted extent); the one that
    leaves most classes on both sides wins, then the one whose share of painted voxels is closest
    to ``share``. Voxels in the gap, and outside a region, are unlabelled there.

    Parameters
    ----------
    mask
        ``(Z, Y, X)`` class ids.
    gap
        Voxels left out between the regions; shrunk when the image is too small for it.

    Returns
    -------
    train, validation
        ``(Z, Y, X)`` class ids each. When no cut leaves something on both sides (a few voxels
        only), validation equals train: the caller says so.
    """
    painted = mask != UNLABELLED
    best: tuple[tuple[int, float], NDArray[np.uint8], NDArray[np.uint8]] | None = None
    for axis in (1, 2):
        others = tuple(a for a in range(3) if a != axis)
        places = np.flatnonzero(painted.any(axis=others))
        if not len(places):
            continue
        low, high = int(places[0]), int(places[-1]) + 1
        length = high - low
        space = min(gap, length // 8)
        strip = max(1, round(length * share))
        for start, stop, keep_low, keep_high in (
            (low, low + strip, low + strip + space, high),
            (high - strip, high, low, high - strip - space),
        ):
            train = _only(mask, axis, keep_low, keep_high)
            validation = _only(mask, axis, start, stop)
            classes = set(np.unique(train)) & set(np.unique(validation)) - {UNLABELLED}
            if not classes:
                continue
            part = np.count_nonzero(validation) / np.count_nonzero(painted)
            score = (len(classes), -abs(part - share))
            if best is None or score > best[0]:
                best = (score, train, validation)
    return (mask, mask) if best is None else (best[1], best[2])


def _only(mask: NDArray[np.uint8], axis: int, start: int, stop: int) -> NDArray[np.uint8]:
    out = np.zeros_like(mask)
    part = [slice(None)] * 3
    part[axis] = slice(max(0, start), max(0, stop))
    out[tuple(part)] = mask[tuple(part)]
    return out
