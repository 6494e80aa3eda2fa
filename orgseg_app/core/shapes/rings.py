"""Rings around objects: the borders of pixels, followed from corner to corner.

All objects of a plane are followed at once. What is looked at are the corners, the places where a
border turns: along each line between two rows, the corners of one object come in pairs, and so they
do along each line between two columns. Going to the partner along the row, then along the column,
and so on, leads round the object. (J. O'Rourke, Uniqueness of orthogonal connect-the-dots, in
Computational Morphology, 1988, shows that this finds the one and only such shape.)
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.integer[Any]] | NDArray[np.bool_]
Ring = NDArray[np.int32]
"""Corners ``(N, 2)`` as ``(y, x)``, N ≥ 4, the last joined to the first."""
Part = list[Ring]
"""A piece that hangs together by the sides of pixels: its outer ring, then the rings of holes."""

_STRIP = 1 << 22  # corners of pixels looked at together: some 40 MB of scratch


class _Corners(NamedTuple):
    """Where borders turn, each ``(N,)``; a place where two pixels touch by a corner is two."""

    number: NDArray[np.int64]
    y: NDArray[np.int32]
    x: NDArray[np.int32]
    goes_right: NDArray[np.bool_]
    """The side along the row leads right from here; else left."""
    goes_down: NDArray[np.bool_]
    """The side along the column leads down from here; else up."""
    is_inward: NDArray[np.bool_]
    """Three of the four pixels are inside."""


class _Found(NamedTuple):
    """A ring, and a pixel ``(y, x)`` of its object beside it."""

    ring: Ring
    is_hole: bool
    pixel: tuple[int, int]


def rings_of(labels: Labels) -> dict[int, list[Part]]:
    """The rings of every object of a plane.

    Parameters
    ----------
    labels
        ``(Y, X)``, an object's number at each of its pixels, 0 outside all.

    Returns
    -------
    dict
        Number of an object, in rising order → its parts, from the top. Points lie on corners of
        pixels: pixel ``(y, x)`` reaches from ``(y, x)`` to ``(y + 1, x + 1)``. Outer rings run
        clockwise as seen on the screen, holes the other way; no ring touches itself, and pixels
        that only share a corner are different parts (but may well be sides of one hole).

    Examples
    --------
    >>> rings_of(np.array([[7, 7, 0]]))[7][0][0].tolist()
    [[0, 0], [0, 2], [1, 2], [1, 0]]
    """
    corners = _corners(labels)
    by_rows, along_row, along_column = _partners(corners)
    places = np.stack([corners.y, corners.x], axis=1)
    is_double = np.zeros(len(places), bool)
    first, second = by_rows[:-1], by_rows[1:]
    same = (corners.number[first] == corners.number[second]) & (
        places[first] == places[second]
    ).all(axis=1)
    is_double[first[same]] = is_double[second[same]] = True
    found: dict[int, list[_Found]] = {}
    row, column, doubles = along_row.tolist(), along_column.tolist(), is_double.tolist()
    is_seen = bytearray(len(places))
    for start in by_rows.tolist():
        if is_seen[start]:
            continue
        way: list[int] = []
        touches, at = False, start
        while not is_seen[at]:
            beside = row[at]
            way += (at, beside)
            is_seen[at] = is_seen[beside] = 1
            touches = touches or doubles[at] or doubles[beside]
            at = column[beside]
        is_hole = bool(corners.is_inward[start])
        y, x = int(corners.y[start]), int(corners.x[start])
        pixel = (y - 1, x - 1) if is_hole else (y, x)
        ring = places[way[::-1] if is_hole else way]
        of_object = found.setdefault(int(corners.number[start]), [])
        for simple in _without_touching(ring) if touches else [ring]:
            turns_back = is_hole or (touches and _is_hole(simple))
            of_object.append(_Found(simple, turns_back, pixel))
    return {number: _parts(rings, number, labels) for number, rings in found.items()}


def _corners(labels: Labels) -> _Corners:
    """Where the borders of all objects turn, strip by strip of rows."""
    height, width = labels.shape
    rows = max(1, _STRIP // (width + 1))
    strips: list[_Corners] = []
    for first in range(0, height + 1, rows):
        last = min(first + rows, height + 1)  # lines between rows `first` … `last` - 1
        strip = np.zeros((last - first + 1, width + 2), labels.dtype)
        above, below = max(0, first - 1), min(height, last)
        strip[above - first + 1 : below - first + 1, 1:-1] = labels[above:below]
        strips.append(_corners_of(strip, first))
    return _Corners(*(np.concatenate(of_strips) for of_strips in zip(*strips, strict=True)))


def _corners_of(strip: Labels, first: int) -> _Corners:
    """Corners of a strip that has one more pixel on each side than lines to look at."""
    beside, above = strip[:, :-1] == strip[:, 1:], strip[:-1] == strip[1:]
    is_straight = (beside[:-1] & beside[1:]) | (above[:, :-1] & above[:, 1:])
    y, x = np.nonzero(~is_straight)
    found: list[_Corners] = []
    for down in (0, 1):
        for right in (0, 1):
            own = strip[y + down, x + right]
            has_row = own == strip[y + down, x + 1 - right]
            has_column = own == strip[y + 1 - down, x + right]
            is_inward = has_row & has_column & (own != strip[y + 1 - down, x + 1 - right])
            here = (own != 0) & ((~has_row & ~has_column) | is_inward)
            inward = is_inward[here]
            found.append(
                _Corners(
                    own[here].astype(np.int64),
                    (y[here] + first).astype(np.int32),
                    x[here].astype(np.int32),
                    inward != bool(right),
                    inward != bool(down),
                    inward,
                )
            )
    return _Corners(*(np.concatenate(of_places) for of_places in zip(*found, strict=True)))


def _partners(
    corners: _Corners,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Order by object, row and column; partner of each corner along its row, along its column."""
    number, y, x = corners.number, corners.y, corners.x
    by_rows = np.lexsort((corners.goes_right, x, y, number))
    by_columns = np.lexsort((corners.goes_down, y, x, number))
    partners = []
    for order in (by_rows, by_columns):
        partner = np.empty(len(order), np.int64)
        partner[order[0::2]], partner[order[1::2]] = order[1::2], order[0::2]
        partners.append(partner)
    return by_rows, partners[0], partners[1]


def _without_touching(ring: Ring) -> list[Ring]:
    """A ring that comes back to a point, as rings that do not."""
    rings: list[Ring] = []
    way: list[tuple[int, int]] = []
    at: dict[tuple[int, int], int] = {}
    for point in map(tuple, ring.tolist()):
        if point in at:
            since = at[point]
            rings.append(np.array(way[since:], np.int32))
            for left in way[since:]:
                del at[left]
            del way[since:]
        at[point] = len(way)
        way.append(point)
    return [*rings, np.array(way, np.int32)]


def _is_hole(ring: Ring) -> bool:
    """True if it runs against the clock as seen on the screen."""
    y, x = ring[:, 0].astype(np.int64), ring[:, 1].astype(np.int64)
    twice_area = x[:-1] @ y[1:] - y[:-1] @ x[1:] + x[-1] * y[0] - y[-1] * x[0]
    return int(twice_area) < 0


def _parts(rings: list[_Found], number: int, labels: Labels) -> list[Part]:
    """Holes with the outer ring they lie in."""
    outer = [found for found in rings if not found.is_hole]
    holes = [found for found in rings if found.is_hole]
    parts = [[found.ring] for found in outer]
    if len(outer) == 1 or not holes:
        for hole in holes:
            parts[0].append(hole.ring)
        return parts
    import cv2

    every = np.concatenate([found.ring for found in outer])
    (y0, x0), (y1, x1) = every.min(axis=0), every.max(axis=0)
    inside = labels[y0:y1, x0:x1] == number
    _, pieces = cv2.connectedComponents(inside.view(np.uint8), connectivity=4, ltype=cv2.CV_32S)
    of_piece = {
        int(pieces[found.pixel[0] - y0, found.pixel[1] - x0]): part
        for found, part in zip(outer, parts, strict=True)
    }
    for hole in holes:
        of_piece[int(pieces[hole.pixel[0] - y0, hole.pixel[1] - x0])].append(hole.ring)
    return parts
