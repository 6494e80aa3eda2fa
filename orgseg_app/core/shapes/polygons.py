"""Polygons to pixels and back, without loss.

A pixel ``(y, x)`` is the square from ``(y, x)`` to ``(y + 1, x + 1)``; a polygon holds the pixels
whose middle, ``(y + 0.5, x + 0.5)``, lies inside it. `outline_of` gives polygons that follow the
borders of pixels, so their corners are whole numbers and every middle is half a pixel away from the
nearest line: filling them again gives exactly the same pixels, and still does when a file has
rounded the corners by less than half a pixel. The corners of a file in another convention (points
in the middle of pixels) are moved by half a pixel by whoever reads it.

Points are ``(y, x)``, as everywhere in OrgSeg; most files have ``(x, y)``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.shapes.rings import Labels, Part, Ring, rings_of

Points = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
"""``(N, 2)`` as ``(y, x)``; the last is joined to the first, said again or not."""

FARTHEST = 2.0**31
"""Coordinates beyond this, in either direction, are a mistake."""
MOST_CROSSINGS = 1 << 25
"""Lines times rows that one call works through; 2 s or so. An outline of a thousand points round a
whole image of 8,192 rows has 20,000."""

_BAND = 1 << 22  # pixels filled together
_AT_ONCE = 1 << 20  # crossings worked out together


class Filled(NamedTuple):
    """The pixels of a polygon, as a piece of the plane.

    Attributes
    ----------
    y0, x0
        Where the piece begins.
    inside
        bool ``(height, width)``, the smallest box that surely holds it; may be empty.
    """

    y0: int
    x0: int
    inside: NDArray[np.bool_]

    @property
    def box(self) -> tuple[slice, slice]:
        """Rows and columns of the piece."""
        height, width = self.inside.shape
        return slice(self.y0, self.y0 + height), slice(self.x0, self.x0 + width)


def fill(rings: Iterable[Points], shape_yx: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels inside polygons, by the even-odd rule.

    Parameters
    ----------
    rings
        Each ``(N, 2)`` points ``(y, x)``; what lies in an even number of them is outside, so a ring
        within a ring is a hole. Fewer than three points hold nothing.
    shape_yx
        Height and width of the plane; what reaches beyond it is cut off.

    Returns
    -------
    numpy.ndarray
        bool ``(Y, X)``.

    Raises
    ------
    ValueError
        When a coordinate is not finite or impossibly large, or the polygon is so tangled that
        filling would take minutes.

    Examples
    --------
    >>> fill([np.array([[0, 1], [0, 3], [2, 3], [2, 1]])], (3, 4)).astype(int).tolist()
    [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    plane = np.zeros(shape_yx, bool)
    filled = fill_piece(rings, shape_yx)
    plane[filled.box] = filled.inside
    return plane


def fill_piece(rings: Iterable[Points], shape_yx: tuple[int, int]) -> Filled:
    """As `fill`, but only the piece of the plane around the polygon: many objects, one plane."""
    checked = [_checked(ring) for ring in rings]
    checked = [ring for ring in checked if len(ring) > 2]
    if not checked:
        return Filled(0, 0, np.zeros((0, 0), bool))
    every = np.concatenate(checked)
    size = np.array(shape_yx)
    low = np.clip(np.floor(every.min(axis=0)), 0, size).astype(np.int64)
    high = np.clip(np.ceil(every.max(axis=0)), low, size).astype(np.int64)
    (y0, x0), (height, width) = low.tolist(), (high - low).tolist()
    inside = np.zeros((height, width), bool)
    if not inside.size:
        return Filled(y0, x0, inside)
    lines = _lines([ring - low for ring in checked])
    crossed = int(_rows_crossed(lines, 0, height)[1].sum())
    if crossed > MOST_CROSSINGS:
        raise ValueError(
            f"A polygon crosses {crossed:,} rows; no outline of an object is as tangled as that."
        )
    rows = max(1, _BAND // (width + 1))
    for first in range(0, height, rows):
        _fill_band(lines, first, inside[first : first + rows])
    return Filled(y0, x0, inside)


def fill_united(rings: Iterable[Points], shape_yx: tuple[int, int]) -> Filled:
    """As `fill_piece`, but what lies in any of the polygons is inside: there are no holes."""
    return united(fill_piece([ring], shape_yx) for ring in rings)


def united(pieces: Iterable[Filled]) -> Filled:
    """What any of the pieces holds; an empty one where there are none."""
    pieces = [piece for piece in pieces if piece.inside.size]
    if len(pieces) < 2:
        return pieces[0] if pieces else Filled(0, 0, np.zeros((0, 0), bool))
    y0, x0 = min(piece.y0 for piece in pieces), min(piece.x0 for piece in pieces)
    y1 = max(piece.box[0].stop for piece in pieces)
    x1 = max(piece.box[1].stop for piece in pieces)
    inside = np.zeros((y1 - y0, x1 - x0), bool)
    for piece in pieces:
        rows, columns = piece.box
        rows = slice(rows.start - y0, rows.stop - y0)
        inside[rows, columns.start - x0 : columns.stop - x0] |= piece.inside
    return Filled(y0, x0, inside)


def outline_of(mask: NDArray[np.bool_]) -> list[Part]:
    """Polygons around a mask, such that `fill` gives exactly the mask again.

    Parameters
    ----------
    mask
        ``(Y, X)``, anything but 0 is inside.

    Returns
    -------
    list
        Parts that hang together by the sides of pixels, from the top; each is its outer ring, then
        the rings of its holes, int32 ``(N, 2)`` points ``(y, x)`` on the corners of pixels, none
        twice and none on a straight line. Outer rings run clockwise as seen on the screen, holes
        the other way. No ring crosses or touches itself; two may touch in a point.

    Examples
    --------
    >>> [[ring.tolist() for ring in part] for part in outline_of(np.eye(2, dtype=bool))]
    [[[[0, 0], [0, 1], [1, 1], [1, 0]]], [[[1, 1], [1, 2], [2, 2], [2, 1]]]]
    """
    return rings_of(mask != 0).get(1, [])


def outlines_of(labels: Labels) -> dict[int, list[Part]]:
    """As `outline_of`, of every object ``(Y, X)`` at once; by number, in rising order."""
    return rings_of(labels)


def joined(rings: Sequence[Ring]) -> Ring:
    """Several rings as one, for files whose objects have only one: `fill` gives the same pixels.

    From one ring to the next leads a bridge without width, which is walked there and back and
    so cancels out by the even-odd rule (and holes, which run the other way, by the other rule).

    Parameters
    ----------
    rings
        ``(N, 2)`` each, one at least.

    Returns
    -------
    numpy.ndarray
        ``(N, 2)``.
    """
    way = rings[0]
    for ring in rings[1:]:
        here, there = _nearest(way, ring)
        way = np.concatenate([way[: here + 1], ring[there:], ring[: there + 1], way[here:]])
    return way


def _nearest(one: Ring, other: Ring) -> tuple[int, int]:
    """Places of two points that are as near as any; looked for among the first few thousand."""
    few = one[: max(1, (1 << 22) // len(other))].astype(np.float64)
    distances = ((few[:, np.newaxis] - other[np.newaxis]) ** 2).sum(axis=2)
    here, there = divmod(int(distances.argmin()), len(other))
    return here, there


class _Lines(NamedTuple):
    """Lines from a point to one below it, each ``(N,)`` float64."""

    y0: NDArray[np.float64]
    x0: NDArray[np.float64]
    y1: NDArray[np.float64]
    x1: NDArray[np.float64]


def _checked(ring: Points) -> NDArray[np.float64]:
    points = np.asarray(ring, np.float64)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"A polygon has points of two coordinates each, not {points.shape}.")
    if not (np.abs(points) <= FARTHEST).all():
        raise ValueError("A polygon has a coordinate that is no number or impossibly large.")
    return points


def _lines(rings: Sequence[NDArray[np.float64]]) -> _Lines:
    """The sides of polygons, downwards: a side walked up and down must be the same to the bit."""
    begin = np.concatenate(rings)
    behind = np.cumsum([len(ring) for ring in rings])
    following = np.arange(1, len(begin) + 1)
    following[behind - 1] = np.concatenate([[0], behind[:-1]])
    end = begin[following]
    is_down = begin[:, 0] < end[:, 0]
    top, bottom = np.where(is_down, begin.T, end.T), np.where(is_down, end.T, begin.T)
    slanted = top[0] != bottom[0]
    return _Lines(top[0, slanted], top[1, slanted], bottom[0, slanted], bottom[1, slanted])


def _rows_crossed(
    lines: _Lines, first: int, rows: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First row of ``first`` … ``first + rows`` whose middle a line crosses, and how many."""
    begin = np.clip(np.ceil(lines.y0 - 0.5), first, first + rows).astype(np.int64)
    end = np.clip(np.ceil(lines.y1 - 0.5), first, first + rows).astype(np.int64)
    return begin, end - begin


def _fill_band(lines: _Lines, first: int, inside: NDArray[np.bool_]) -> None:
    """Fill some rows: each crossing turns inside to outside from there on to the right."""
    rows, width = inside.shape
    turns = np.zeros(rows * (width + 1), np.uint8)
    begin, count = _rows_crossed(lines, first, rows)
    for chosen in _portions(count):
        counts = count[chosen]
        line = np.repeat(np.arange(chosen.start, chosen.stop), counts)
        row = np.repeat(begin[chosen] - (np.cumsum(counts) - counts), counts) + np.arange(len(line))
        share = (row + 0.5 - lines.y0[line]) / (lines.y1[line] - lines.y0[line])
        x = lines.x0[line] + share * (lines.x1[line] - lines.x0[line])
        column = np.clip(np.ceil(x - 0.5), 0, width).astype(np.int64)
        times = np.bincount((row - first) * (width + 1) + column, minlength=len(turns))
        turns ^= times.astype(np.uint8) & 1
    parity = np.bitwise_xor.accumulate(turns.reshape(rows, width + 1), axis=1)
    inside[:] = parity[:, :width].view(np.bool_)


def _portions(counts: NDArray[np.int64]) -> Iterator[slice]:
    """Lines in portions of some `_AT_ONCE` crossings."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(ends):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _AT_ONCE, side="right")))
        yield slice(first, last)
        first = last
