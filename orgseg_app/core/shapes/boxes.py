"""Boxes to objects: what a box around an object says about its pixels.

The object in a box is found by Otsu's threshold (Otsu, "A threshold selection method from
gray-level histograms", IEEE Transactions on Systems, Man, and Cybernetics 9 (1), 1979) or by
GrabCut (`core.painting.grabcut`). What neither tells from its surroundings becomes the ellipse
that touches the box. Boxes may instead stay what they are: weak labels, background outside of all
of them and nothing said inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.contrast import auto_levels

OTSU, GRABCUT, ELLIPSE, RECTANGLE = "otsu", "grabcut", "ellipse", "rectangle"
WAYS = (OTSU, GRABCUT, ELLIPSE, RECTANGLE)
"""How a box becomes an object."""

_LEAST_SHARE, _MOST_SHARE = 0.2, 0.98
"""Share of its box that an object takes; an ellipse takes 0.79, a thin slanting rod a fifth."""

_LEAST_GAP = 1.0
"""Between object and rest, in standard deviations within them: less is noise cut in two."""

_TOWARDS_FRAME = (1.0, 0.8, 0.6, 0.4, 0.25)
"""Thresholds tried: from Otsu's to near the level of the frame of the box."""

_LEAST_REACH = 0.85
"""Rows and columns of its box that an object has pixels in."""

_CORNERS = 1.25
"""Beyond this many half axes lie the corners of a box, where there is something else."""

_CLEAR_GAP = 2.5
_AGREES = 0.65
"""An object that stands out less than clearly must be about an ellipse to be believed."""

_LEAST_SIDE = 3
_NOISE = 1.0  # pixels, standard deviation of the blur before the threshold
_GRABCUT_LARGEST = 100  # side of a box that is worked on pixel by pixel: about 60 ms

Boxes = NDArray[np.int64]
"""``(N, 4)``: y0, x0, y1, x1 in pixels, half-open."""


@dataclass(frozen=True)
class Boxed:
    """Objects made of boxes.

    Attributes
    ----------
    objects
        ``(Y, X)`` uint32: n + 1 for box n, 0 outside.
    guessed
        Numbers of those that did not stand out and were drawn as ellipses.
    empty
        Numbers of boxes that lie outside of the image, or altogether under others.
    """

    objects: NDArray[np.uint32]
    guessed: tuple[int, ...]
    empty: tuple[int, ...]


def objects_in_boxes(
    picture: NDArray[np.generic],
    boxes: Sequence[Sequence[int]] | Boxes,
    way: str = OTSU,
    *,
    check: Callable[[], None] = lambda: None,
) -> Boxed:
    """An object for each box.

    Parameters
    ----------
    picture
        ``(Y, X)`` or ``(C, Y, X)``: one plane of the image, any type. Colours and stains are used
        together.
    boxes
        As `Boxes`; what sticks out of the image is cut off.
    way
        One of `WAYS`.
    check
        Called for each box; raises to give up.

    Returns
    -------
    Boxed
        A pixel of several objects goes to the one nearest to the middle of whose box it lies.
    """
    if way not in WAYS:
        raise ValueError(f"Boxes become objects by {', '.join(WAYS)}, not {way!r}.")
    grey = _eight_bits(picture[np.newaxis] if picture.ndim == 2 else picture)
    size = grey.shape[0], grey.shape[1]
    objects = np.zeros(size, np.uint32)
    nearest = np.full(size, np.inf, np.float32)
    guessed = []
    for number, box in enumerate(np.asarray(boxes, np.int64).reshape(-1, 4).tolist(), start=1):
        check()
        y0, x0, y1, x1 = _cut_off(box, size)
        if y0 >= y1 or x0 >= x1:
            continue
        far = _far((y1 - y0, x1 - x0))
        inside = _object(grey, (y0, x0, y1, x1), way)
        if inside is None:
            inside = far <= 1
            guessed.append(number)
        place = slice(y0, y1), slice(x0, x1)
        won = inside & (far < nearest[place])
        objects[place][won] = number
        nearest[place][won] = far[won]
    there = np.bincount(objects.ravel(), minlength=len(boxes) + 1)
    empty = tuple(np.flatnonzero(there[1 : len(boxes) + 1] == 0) + 1)
    return Boxed(objects, tuple(guessed), tuple(int(n) for n in empty))


def weak_labels(
    boxes: Sequence[Sequence[int]] | Boxes, size_yx: tuple[int, int]
) -> NDArray[np.uint8]:
    """A mask ``(Y, X)`` that says only what boxes do: background outside, unlabelled inside."""
    mask = np.full(size_yx, BACKGROUND, np.uint8)
    for box in np.asarray(boxes, np.int64).reshape(-1, 4).tolist():
        y0, x0, y1, x1 = _cut_off(box, size_yx)
        mask[y0 : max(y0, y1), x0 : max(x0, x1)] = UNLABELLED
    return mask


def _object(
    grey: NDArray[np.uint8], box: tuple[int, int, int, int], way: str
) -> NDArray[np.bool_] | None:
    """The object in a box, as large as the box; None where none stands out."""
    y0, x0, y1, x1 = box
    if way == RECTANGLE:
        return np.ones((y1 - y0, x1 - x0), np.bool_)
    if way == ELLIPSE or min(y1 - y0, x1 - x0) < _LEAST_SIDE:
        return _far((y1 - y0, x1 - x0)) <= 1
    if way == OTSU:
        return _by_threshold(grey, box)
    from orgseg_app.core.painting import grabcut

    top, left, bottom, right = grabcut.window_around(box, (grey.shape[0], grey.shape[1]))
    around = grey[top:bottom, left:right]
    own = (y0 - top, x0 - left, y1 - top, x1 - left)
    found = grabcut.cut(around, own, _GRABCUT_LARGEST)
    return found if _is_likely(found) else _by_threshold(grey, box)


def _by_threshold(
    grey: NDArray[np.uint8], box: tuple[int, int, int, int]
) -> NDArray[np.bool_] | None:
    """The piece in the middle on one side of a threshold.

    Which side is the object's is told by the frame of the box, which an object only touches: it is
    the side that the frame has less of. Otsu's threshold often keeps the bright core of an object
    only; as the box is known to end where the object does, the threshold moves towards the level of
    the frame until the object reaches the sides. Of a colour picture, the channel that parts best
    is used.
    """
    import cv2

    y0, x0, y1, x1 = box
    part = grey[y0:y1, x0:x1]
    calm = np.asarray(cv2.GaussianBlur(part, (0, 0), _NOISE)).reshape(*part.shape[:2], -1)
    far = _far(part.shape[:2])
    best, best_gap = None, _LEAST_GAP
    for channel in np.moveaxis(calm, -1, 0):
        channel = np.ascontiguousarray(channel)
        otsu, _ = cv2.threshold(channel, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        frame = np.concatenate([channel[0], channel[-1], channel[1:-1, 0], channel[1:-1, -1]])
        is_light = (frame > otsu).mean() < 0.5
        level = float(np.percentile(frame, 25 if is_light else 75))
        for share in _TOWARDS_FRAME:
            limit = level + share * (otsu - level)
            side = (channel > limit if is_light else channel <= limit) & (far < _CORNERS)
            found = _in_the_middle(side.astype(np.uint8))
            if _is_likely(found):
                gap = _gap(channel, found)
                if gap > best_gap and (gap > _CLEAR_GAP or _agreement(found, far <= 1) > _AGREES):
                    best, best_gap = found, gap
                break
    return best


def _in_the_middle(side: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The largest piece, where pixels count the more the nearer they are to the middle; filled."""
    import cv2
    from scipy import ndimage

    count, pieces = cv2.connectedComponents(side, connectivity=4)
    weights = np.bincount(
        np.asarray(pieces).ravel(), np.exp(-2 * _far(side.shape) ** 2).ravel(), minlength=count
    )
    weights[0] = 0
    found = (pieces == weights.argmax()) & (side > 0)
    return np.asarray(ndimage.binary_fill_holes(found), np.bool_)


def _gap(channel: NDArray[np.uint8], found: NDArray[np.bool_]) -> float:
    """Difference of the means of object and rest, in standard deviations within the two."""
    if not found.any() or found.all():
        return 0.0
    inside, outside = channel[found].astype(np.float64), channel[~found].astype(np.float64)
    spread = np.sqrt((inside.var() * inside.size + outside.var() * outside.size) / channel.size)
    return float(abs(inside.mean() - outside.mean()) / max(spread, 0.5))


def _agreement(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Intersection over union."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def _is_likely(found: NDArray[np.bool_]) -> bool:
    """Whether an object takes as much of its box, and reaches as far, as one would."""
    share = float(found.mean())
    if not _LEAST_SHARE <= share <= _MOST_SHARE:
        return False
    rows, columns = found.any(axis=1).sum(), found.any(axis=0).sum()
    return bool(rows >= _LEAST_REACH * found.shape[0] and columns >= _LEAST_REACH * found.shape[1])


def _far(size: Sequence[int]) -> NDArray[np.float32]:
    """How far from the middle of a box, ``size`` float32; 1 on the ellipse that touches it."""
    y = (np.arange(size[0], dtype=np.float32) + 0.5) / (size[0] / 2) - 1
    x = (np.arange(size[1], dtype=np.float32) + 0.5) / (size[1] / 2) - 1
    return np.asarray(np.hypot(y[:, None], x[None, :]), np.float32)


def _cut_off(box: Sequence[int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    y0, x0, y1, x1 = box
    return max(0, y0), max(0, x0), min(size[0], y1), min(size[1], x1)


def _eight_bits(picture: NDArray[np.generic]) -> NDArray[np.uint8]:
    """``(C, Y, X)`` of any type as ``(Y, X)`` or, of three channels or more, ``(Y, X, 3)``."""
    chosen = picture[:3] if picture.shape[0] >= 3 else picture[:1]
    channels = []
    for channel, (low, high) in zip(chosen, auto_levels(chosen), strict=True):
        scaled = (np.nan_to_num(channel.astype(np.float32)) - low) * (255 / (high - low))
        channels.append(np.clip(scaled, 0, 255).astype(np.uint8))
    return channels[0] if len(channels) == 1 else np.dstack(channels)
