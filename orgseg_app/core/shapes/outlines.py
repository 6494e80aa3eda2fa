"""Drawn outlines to objects.

The lines are the minority of the pixels, whichever value the reader gives them: one-bit TIFFs come
as line = 1 from one library and line = 0 from another. What the lines and the edges of the image
enclose is an object, but for the background. (Contour trees, which other programs use, lose one
object in each image and all that the edge of the image cuts.)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_AREA = 50
"""Pixels of the smallest object; gaps between two lines, and the insides of letters, are less."""

MOST_LINES = 0.4
"""Share of the pixels above which lines are not lines."""

FLIPS = ("none", "rows", "columns")
"""Upside down: the outlines of BBBC018 are, seen beside its images; or left to right."""

_BORDER_SHARE = 0.5  # of the border of the image: what holds more is background
_MUCH_LARGER = 4.0  # than the median of the pieces: background too
_FEW = 3  # pieces that make a median
_CONTACTS = 3  # pixels along a line that tell how thick it is
_CHANNELS = 4  # of an image that are looked at
_CALM = 1.5  # pixels, standard deviation of the blur before the gradient
_ON_EDGES = 1.8  # times the usual gradient: lines lie on edges
_LONG = 8  # contacts of two objects that touch, not by chance
_THICKEST = 12.0  # pixels of a line that are handed to the object beside it

Objects = NDArray[np.uint32]


class OutlineError(ValueError):
    """A picture that holds no outlines; the message says why."""


@dataclass(frozen=True)
class Outlined:
    """What outlines enclose.

    Attributes
    ----------
    objects
        ``(Y, X)`` uint32: 1… in the order of their first pixels, 0 outside.
    count
        How many.
    small
        Pieces smaller than the least area, which are none.
    """

    objects: Objects
    count: int
    small: int


def lines_in(picture: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a picture has its lines.

    Parameters
    ----------
    picture
        ``(Y, X)``, numbers of any type; two values, or two with shades between them.

    Returns
    -------
    ``(Y, X)`` bool
        The rarer of light and dark.

    Raises
    ------
    OutlineError
        When there is one value only, or neither light nor dark is rare.
    """
    if not picture.size:
        raise OutlineError("the picture is empty")
    low, high = float(picture.min()), float(picture.max())
    if not high > low:
        raise OutlineError("all its pixels have the same value")
    light = picture.astype(np.float64) > (low + high) / 2
    share = float(light.mean())
    if min(share, 1 - share) > MOST_LINES:
        raise OutlineError(
            f"{min(share, 1 - share):.0%} of it is the rarer of light and dark, too much for lines"
        )
    return light if share < 0.5 else ~light


def enclosed(
    lines: NDArray[np.bool_],
    *,
    min_area: int = MIN_AREA,
    with_lines: bool = True,
    flip: str = "none",
) -> Outlined:
    """The objects that lines enclose, together with the edges of the image.

    Parameters
    ----------
    lines
        ``(Y, X)``, as `lines_in` gives them.
    min_area
        Pixels an object has at least, its lines not counted.
    with_lines
        Whether a line belongs to the object beside it (the nearest), or to none.
    flip
        One of `FLIPS`: how the lines lie, seen beside their image. The objects are turned back.
    """
    if flip not in FLIPS:
        raise ValueError(f"Outlines are flipped by {', '.join(FLIPS)}, not {flip!r}.")
    if flip != "none":
        lines = lines[::-1] if flip == "rows" else lines[:, ::-1]
    lines = np.ascontiguousarray(lines, np.bool_)
    pieces, areas = _pieces(lines)
    large = areas >= min_area
    large[0] = False
    is_background = _background(pieces, areas, large)
    is_background |= _gaps(lines, pieces, large, is_background)
    numbers = _in_order(pieces, large & ~is_background)
    objects = numbers[pieces]
    if with_lines and objects.any():
        objects = _with_lines(lines, objects, pieces, large)
    count = int(numbers.max(initial=0))
    return Outlined(objects, count, int((~large[1:]).sum()))


def flip_that_fits(lines: NDArray[np.bool_], picture: NDArray[np.generic]) -> str:
    """How outlines lie, seen beside their image: one of `FLIPS`.

    Lines lie on edges of the image. Turned over, they do not, so the two are easily told apart: in
    the images of BBBC009 and BBBC030 the gradient under the lines is 2.5 to 22 times the usual, and
    1 to 4 times when they are turned over. Only a clear answer is another one than “none”.

    Parameters
    ----------
    lines
        ``(Y, X)``.
    picture
        ``(C, Y, X)``: the image.
    """
    import cv2

    if not lines.any():
        return "none"
    steepness = np.zeros(lines.shape, np.float32)
    for channel in picture[:_CHANNELS]:
        levels = np.nan_to_num(channel.astype(np.float32))
        calm = cv2.GaussianBlur(levels, (0, 0), _CALM)
        own = np.hypot(cv2.Sobel(calm, cv2.CV_32F, 1, 0), cv2.Sobel(calm, cv2.CV_32F, 0, 1))
        own = np.minimum(own, np.percentile(own, 99))
        steepness += own / max(float(own.mean()), np.finfo(np.float32).tiny)
    usual = float(steepness.mean())
    if usual <= 0:
        return "none"
    ways = {"none": lines, "rows": lines[::-1], "columns": lines[:, ::-1]}
    scores = {way: float(steepness[own].mean()) / usual for way, own in ways.items()}
    best = max(scores, key=lambda way: scores[way])
    is_clear = scores[best] > _ON_EDGES and scores[best] > 1.5 * scores["none"]
    return best if is_clear else "none"


def _pieces(lines: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """4-connected pieces of what is no line, and their areas; number 0 is the lines."""
    import cv2

    free = np.ascontiguousarray(~lines).view(np.uint8)
    count, pieces, statistics, _ = cv2.connectedComponentsWithStats(free, connectivity=4)
    areas = np.zeros(count, np.int64)
    areas[1:] = statistics[1:, cv2.CC_STAT_AREA]
    return np.asarray(pieces), areas


def _background(
    pieces: NDArray[np.int32], areas: NDArray[np.int64], large: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which pieces are the background, bool for each; none where the image is full of objects.

    The largest that touches the border is, if it holds most of the border or is much larger than
    the others are; and so is each other one at the border that is much larger than those inside.
    """
    border = np.concatenate([pieces[0], pieces[-1], pieces[1:-1, 0], pieces[1:-1, -1]])
    held = np.bincount(border, minlength=len(areas))
    held[0] = 0
    found = np.zeros(len(areas), np.bool_)
    touching = np.flatnonzero((held > 0) & large)
    if not touching.size:
        return found
    largest = touching[areas[touching].argmax()]
    others = areas[large & (np.arange(len(areas)) != largest)]
    most_border = held[largest] >= _BORDER_SHARE * held.sum()
    if not others.size or most_border or areas[largest] > _MUCH_LARGER * np.median(others):
        found[largest] = True
    inner = areas[large & (held == 0)]
    if inner.size >= _FEW:
        found[touching[areas[touching] > _MUCH_LARGER * np.median(inner)]] = True
    return found


def _gaps(
    lines: NDArray[np.bool_],
    pieces: NDArray[np.int32],
    large: NDArray[np.bool_],
    is_background: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Pieces of background between objects, where each object has a line of its own.

    Then a line between two objects is two pixels thick and one towards the background is one. So
    each thin line leads from an object out, or in; from the background known, it can be told of all
    pieces which they are. Lines that do not bear this out everywhere were drawn in another way.
    """
    nothing = np.zeros(len(large), np.bool_)
    thin, thick = _contacts(lines, pieces, 1), _contacts(lines, pieces, 2)
    neighbours: dict[int, list[tuple[int, bool]]] = {}
    has_thick = False
    for one, other in thin.keys() | thick.keys():
        ones, twos = thin.get((one, other), 0), thick.get((one, other), 0)
        if max(ones, twos) < _CONTACTS or not (large[one] and large[other]):
            continue
        if 0 < ones <= twos:
            return nothing  # lines that meet or cross
        is_thin = ones > 0
        has_thick |= twos >= _LONG and not is_thin
        neighbours.setdefault(one, []).append((other, is_thin))
        neighbours.setdefault(other, []).append((one, is_thin))
    if not has_thick:
        return nothing
    outside = dict.fromkeys(np.flatnonzero(is_background).tolist(), True)
    waiting = list(outside)
    while waiting:
        one = waiting.pop()
        for other, is_thin in neighbours.get(one, []):
            if outside[one] and not is_thin:
                return nothing
            is_out = is_thin and not outside[one]
            if other not in outside:
                outside[other] = is_out
                waiting.append(other)
            elif outside[other] != is_out:
                return nothing
    nothing[[piece for piece, is_out in outside.items() if is_out]] = True
    return nothing


def _contacts(
    lines: NDArray[np.bool_], pieces: NDArray[np.int32], thickness: int
) -> dict[tuple[int, int], int]:
    """How often two pieces face each other across a line of a thickness, along rows and columns."""
    found: Counter[tuple[int, int]] = Counter()
    for labels, between in ((pieces, lines), (pieces.T, lines.T)):
        reach = thickness + 1
        if labels.shape[1] <= reach:
            continue
        one, other = labels[:, :-reach], labels[:, reach:]
        faces = (one > 0) & (other > 0) & (one != other)
        for step in range(1, reach):
            faces &= between[:, step : step + one.shape[1]]
        pairs = np.sort(np.stack([one[faces], other[faces]], axis=1), axis=1)
        numbers, counts = np.unique(pairs, axis=0, return_counts=True)
        for pair, count in zip(numbers.tolist(), counts.tolist(), strict=True):
            found[pair[0], pair[1]] += count
    return found


def _in_order(pieces: NDArray[np.int32], kept: NDArray[np.bool_]) -> Objects:
    """A number for each piece, ``(pieces,)``: 1… by the first pixel of those kept, else 0."""
    flat = pieces.ravel()
    firsts = np.zeros(len(kept), np.int64)
    firsts[flat[::-1]] = np.arange(flat.size - 1, -1, -1)
    chosen = np.flatnonzero(kept)
    numbers = np.zeros(len(kept), np.uint32)
    numbers[chosen[np.argsort(firsts[chosen])]] = np.arange(1, len(chosen) + 1)
    return numbers


def _with_lines(
    lines: NDArray[np.bool_],
    objects: Objects,
    pieces: NDArray[np.int32],
    left: NDArray[np.bool_],
) -> Objects:
    """The objects with the lines around them, and with specks that are cut off of one of them.

    Parameters
    ----------
    left
        ``(pieces,)``: large ones, which stay what they are.
    """
    import cv2

    inside = cv2.distanceTransform(lines.view(np.uint8), cv2.DIST_L2, 3)
    reach = min(_THICKEST, 2 * float(np.percentile(inside[lines], 99)))
    free = np.ascontiguousarray(objects == 0).view(np.uint8)
    distance, nearest = cv2.distanceTransformWithLabels(
        free, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    owners = np.zeros(int(nearest.max()) + 1, np.uint32)
    owners[nearest[free == 0]] = objects[free == 0]
    given = lines & (distance <= reach)
    objects = np.where(given, owners[nearest], objects)
    specks = np.flatnonzero(~left)
    specks = specks[specks > 0]
    if specks.size:
        owner = _only_neighbour(pieces, objects, np.isin(np.arange(len(left)), specks))
        ends = owner[pieces]
        own_lines = cv2.dilate(ends.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.uint32)
        ends = np.where(lines, own_lines, ends)
        objects = np.where(objects > 0, objects, ends)
    return objects


def _only_neighbour(
    pieces: NDArray[np.int32], objects: Objects, wanted: NDArray[np.bool_]
) -> Objects:
    """The only object whose lines surround each wanted piece, ``(pieces,)``; 0 where none does."""
    lowest = np.full(len(wanted), np.iinfo(np.int64).max)
    highest = np.zeros(len(wanted), np.int64)
    for one, around in ((pieces, objects), (pieces.T, objects.T)):
        for inner, outer, beside in (
            (one[:, :-1], one[:, 1:], around[:, 1:]),
            (one[:, 1:], one[:, :-1], around[:, :-1]),
        ):
            edge = wanted[inner] & (inner != outer) & (beside > 0)
            np.minimum.at(lowest, inner[edge], beside[edge].astype(np.int64))
            np.maximum.at(highest, inner[edge], beside[edge].astype(np.int64))
    return np.where(lowest == highest, highest, 0).astype(np.uint32)
