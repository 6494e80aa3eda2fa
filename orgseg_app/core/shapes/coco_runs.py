"""COCO's run lengths: how many pixels are outside, inside, outside, … down the columns.

“Counts” begin with the pixels outside, 0 where the first pixel is inside, and their sum is that of
all pixels. They come as numbers, or “compressed” as text: from the fourth on, the difference to the
number two before; each as groups of five bits, lowest first, a sixth bit saying that more follow
and the fifth of the last the sign; each group is a character, its number + 48.

The format is documented by its authors' programs (T.-Y. Lin and P. Dollár, COCO API, 2014 on,
cocodataset.org); this is our own writing of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.shapes.polygons import Filled

Counts = NDArray[np.int64]

_FIRST_CHARACTER = 48
_MORE, _SIGN, _BITS = 0x20, 0x10, 0x1F
_MOST_GROUPS = 10
"""Fifty bits: more than there are pixels in any image."""


def counts_of(mask: NDArray[np.bool_]) -> Counts:
    """Counts of a mask ``(Y, X)``.

    >>> counts_of(np.array([[True, False], [True, True]])).tolist()
    [0, 2, 1, 1]
    """
    flat = (np.asarray(mask) != 0).T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    first = [0, 0] if flat.size and flat[0] else [0]
    return np.diff(np.concatenate([first, changes, [flat.size]])).astype(np.int64)


def piece_of(counts: Counts, shape_yx: tuple[int, int]) -> Filled:
    """The pixels that counts stand for.

    Parameters
    ----------
    counts
        ``(N,)``.
    shape_yx
        Of the image they belong to.

    Returns
    -------
    Filled
        The columns from the first to the last that has pixels, cut to the rows that have any.

    Raises
    ------
    ValueError
        When a count is below 0, or their sum is not the number of pixels.
    """
    height, width = shape_yx
    # Any one count beyond the image could make the sum wrap round.
    if counts.size and (counts.min() < 0 or counts.max() > height * width):
        raise ValueError("The run lengths of an object are below 0 or longer than the image")
    total = int(counts.sum())
    if total != height * width:
        raise ValueError(
            f"The run lengths of an object cover {total:,} pixels, but the image has "
            f"{height * width:,}"
        )
    ends = np.cumsum(counts)
    begin, end = ends[0:-1:2], ends[1::2]
    begin, end = begin[begin < end], end[begin < end]
    if not len(begin):
        return Filled(0, 0, np.zeros((0, 0), bool))
    x0, x1 = int(begin[0]) // height, -(-int(end[-1]) // height)
    turns = np.zeros((x1 - x0) * height + 1, np.int8)
    turns[begin - x0 * height] = 1
    turns[end - x0 * height] -= 1  # where a run of no length lay between, they cancel out
    inside = np.cumsum(turns[:-1], dtype=np.int8).view(np.bool_).reshape(x1 - x0, height).T
    rows = np.flatnonzero(inside.any(axis=1))
    y0, y1 = int(rows[0]), int(rows[-1]) + 1
    return Filled(y0, x0, np.ascontiguousarray(inside[y0:y1]))


def text_of(counts: Counts) -> str:
    """Counts as compressed text.

    >>> text_of(np.array([6, 1, 40, 4, 5, 4, 5, 4, 21]))
    '61X13mN000`0'
    """
    left = np.array(counts, np.int64)
    left[3:] -= np.asarray(counts, np.int64)[1:-2]
    groups: list[NDArray[np.int64]] = []
    is_open = np.ones(len(left), bool)
    while is_open.any():
        group = left & _BITS
        left >>= 5
        has_more = is_open & (left != np.where(group & _SIGN, -1, 0))
        groups.append(np.where(is_open, group + _MORE * has_more + _FIRST_CHARACTER, 0))
        is_open = has_more
    if not groups:
        return ""
    characters = np.stack(groups, axis=1).ravel()
    return characters[characters > 0].astype(np.uint8).tobytes().decode("ascii")


def counts_in(text: str) -> Counts:
    """Counts of compressed text.

    Raises
    ------
    ValueError
        When it has other characters, ends within a number, or has one that is too long.
    """
    if not text:
        return np.zeros(0, np.int64)
    groups = np.frombuffer(text.encode("utf-8"), np.uint8).astype(np.int64) - _FIRST_CHARACTER
    if (groups < 0).any() or (groups >= 2 * _MORE).any():
        raise ValueError("The compressed run lengths of an object have an impossible character")
    is_last = (groups & _MORE) == 0
    if not is_last[-1]:
        raise ValueError("The compressed run lengths of an object are cut short")
    last = np.flatnonzero(is_last)
    first = np.concatenate([[0], last[:-1] + 1])
    lengths = last - first + 1
    if lengths.max() > _MOST_GROUPS:
        raise ValueError("The compressed run lengths of an object have an impossibly long number")
    place = np.arange(len(groups)) - np.repeat(first, lengths)
    counts = np.add.reduceat((groups & _BITS) << (5 * place), first)
    is_negative = (groups[last] & _SIGN) != 0
    counts[is_negative] -= np.int64(1) << (5 * lengths[is_negative])
    # Sums of a few million numbers of fifty bits may wrap round; then some count is impossible.
    counts[1::2] = np.cumsum(counts[1::2])
    counts[2::2] = np.cumsum(counts[2::2])
    return counts
