"""Objects as runs of pixels: “start length start length …”, in every convention that is in use.

Two things differ from file to file and are hardly ever said in it: whether pixels are counted along
the rows or down the columns, and whether the first one is 0 or 1. Sartorius (Kaggle 2021) counts
from 1 along the rows, the 2018 Data Science Bowl from 1 down the columns, the tables of “Cells
Segger” from 0 along the rows. A wrong base moves every object by a pixel and a wrong order scatters
it, so `Evidence` gathers over a whole file what speaks for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

ROWS, COLUMNS = "rows", "columns"
ORDERS = (ROWS, COLUMNS)
"""Right, then down; or down, then right."""

MAX_COUNT = 2**40
"""Starts and lengths beyond this are nonsense, and their sum would not fit a number."""

_CLEAR_ORDER = 0.02  # of the mean overlap of runs in neighbouring lines
_LEAST_PAIRS = 40  # of such runs, before they speak against what is usual
_LEAST_STRADDLING = 8
_BATCH = 100_000  # runs
_NOT_NUMBERS = re.compile(r"[^0-9\s,;()\[\]]")
_SEPARATORS = str.maketrans(",;()[]", "      ")

T = TypeVar("T", bound=np.generic)

Runs = NDArray[np.int64]
"""``(N, 2)``: start and length of each run, as the file counts them."""


class RunError(ValueError):
    """Text that holds no runs, or runs that lead out of their image; the message says how."""


@dataclass(frozen=True)
class Coding:
    """How a file counts pixels.

    Attributes
    ----------
    order
        One of `ORDERS`.
    base
        Number of the first pixel, 0 or 1.
    """

    order: str = ROWS
    base: int = 0

    def __post_init__(self) -> None:
        if self.order not in ORDERS or self.base not in (0, 1):
            raise ValueError(f"No way to count pixels: {self.order!r} from {self.base!r}.")


SARTORIUS = Coding(ROWS, 1)
DSB2018 = Coding(COLUMNS, 1)
UNIFIED = Coding(ROWS, 0)
CODINGS = tuple(Coding(order, base) for order in ORDERS for base in (1, 0))
"""All there are."""


def parse_runs(text: str) -> Runs:
    """The runs in a text; separated by spaces or commas, in brackets or without.

    Raises
    ------
    RunError
        When there is anything but whole numbers, an odd number of them, or absurdly large ones.

    Examples
    --------
    >>> parse_runs("[(3, 2), (9, 1)]").tolist()
    [[3, 2], [9, 1]]
    """
    if _NOT_NUMBERS.search(text):
        raise RunError("the runs are not all whole numbers")
    text = text.translate(_SEPARATORS)
    if not text.strip():
        return np.zeros((0, 2), np.int64)
    numbers = np.fromstring(text, np.int64, sep=" ")  # past 2**63 it gives the largest there is
    if numbers.size % 2:
        raise RunError(
            f"there are {numbers.size:,} numbers, where each run has two, its start and its length"
        )
    if numbers.max() > MAX_COUNT:
        raise RunError(f"a run counts to {int(numbers.max()):,}, which no image has")
    runs = numbers.reshape(-1, 2)
    return runs[runs[:, 1] > 0]


def text_of(runs: Runs) -> str:
    """Runs as “start length start length …”."""
    return " ".join(map(str, runs.ravel().tolist()))


def runs_of(mask: NDArray[np.bool_], coding: Coding) -> Runs:
    """The runs of one object.

    Parameters
    ----------
    mask
        ``(Y, X)``; anything but 0 is the object. The first and the last pixel may be part of it.

    Examples
    --------
    >>> runs_of(np.array([[True, True], [False, True]]), DSB2018).tolist()
    [[1, 1], [3, 2]]
    """
    flat = _line_up(mask != 0, coding)
    edges = np.flatnonzero(np.diff(flat.astype(np.int8), prepend=0, append=0))
    starts, ends = edges[::2], edges[1::2]
    return np.stack([starts + coding.base, ends - starts], axis=1).astype(np.int64)


def runs_by_object(objects: NDArray[np.unsignedinteger[Any]], coding: Coding) -> dict[int, Runs]:
    """The runs of all objects ``(Y, X)`` at once, by number; 0 is none."""
    flat = _line_up(objects, coding)
    if not flat.size:
        return {}
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(np.append(starts, flat.size))
    numbers = flat[starts]
    order = np.argsort(numbers, kind="stable")
    order = order[numbers[order] > 0]
    runs = np.stack([starts + coding.base, lengths], axis=1).astype(np.int64)[order]
    found, firsts = np.unique(numbers[order], return_index=True)
    parts = np.split(runs, firsts[1:]) if found.size else []
    return dict(zip(found.tolist(), parts, strict=True))


def mask_of(runs: Runs, shape_yx: tuple[int, int], coding: Coding) -> NDArray[np.bool_]:
    """The pixels of one object, ``(Y, X)``.

    Raises
    ------
    RunError
        When a run leads out of the image.
    """
    flat = np.zeros(shape_yx[0] * shape_yx[1], np.bool_)
    flat[_pixels(runs, flat.size, coding)] = True
    return _image(flat, shape_yx, coding)


def objects_of(
    runs_each: Iterable[Runs], shape_yx: tuple[int, int], coding: Coding
) -> tuple[NDArray[np.uint32], int]:
    """Numbered objects from the runs of each, 1 for the first.

    Returns
    -------
    objects
        ``(Y, X)`` uint32; the earlier object keeps what two claim.
    overlap
        Pixels that an object did not get for that reason.

    Raises
    ------
    RunError
        When a run leads out of the image.
    """
    flat = np.zeros(shape_yx[0] * shape_yx[1], np.uint32)
    overlap = 0
    for number, runs in enumerate(runs_each, start=1):
        pixels = _pixels(runs, flat.size, coding)
        free = pixels[flat[pixels] == 0]
        overlap += len(pixels) - len(free)
        flat[free] = number
    return _image(flat, shape_yx, coding), overlap


@dataclass
class Evidence:
    """What speaks for each way of counting, over all objects of a file.

    Order: runs of one object lie above each other in neighbouring lines, and overlap there; counted
    along the wrong side of the image they do not, or are sheared. Base: no run leads out of its
    image, and few go on from the end of a line to the beginning of the next, as all those at an
    edge of the image do when the base is wrong by one.
    """

    _overlap: dict[str, float] = field(default_factory=lambda: dict.fromkeys(ORDERS, 0.0))
    _pairs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ORDERS, 0))
    _straddling: dict[Coding, int] = field(default_factory=lambda: dict.fromkeys(CODINGS, 0))
    _outside: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    _has_oblong: bool = False
    _waiting: list[Runs] = field(default_factory=list)
    _waiting_runs: int = 0
    _shape: tuple[int, int] | None = None

    def add(self, runs: Runs, shape_yx: tuple[int, int] | None) -> None:
        """Take in one object; ``shape_yx`` is None where the file does not say how large."""
        if not len(runs):
            return
        if shape_yx != self._shape or self._waiting_runs > _BATCH:
            self._look()  # at many objects at once, which is ten times as fast
            self._shape = shape_yx
        self._waiting.append(runs)
        self._waiting_runs += len(runs)

    def _look(self) -> None:
        """Take in the objects that wait, all of images of one shape."""
        waiting, self._waiting, self._waiting_runs = self._waiting, [], 0
        if not waiting:
            return
        runs = np.concatenate(waiting)
        objects = np.repeat(np.arange(len(waiting)), [len(own) for own in waiting])
        starts, lengths = runs[:, 0], runs[:, 1]
        self._outside[1] += int((starts < 1).sum())
        shape = self._shape
        if shape is None:
            return
        ends = starts + lengths
        for base in (0, 1):
            self._outside[base] += int((ends - base > shape[0] * shape[1]).sum())
        self._has_oblong |= shape[0] != shape[1]
        order_of = np.lexsort((starts, objects))
        order_of = order_of[lengths[order_of] < min(shape)]  # others lie in several lines
        placed, objects = runs[order_of], objects[order_of]
        for order, line in ((ROWS, shape[1]), (COLUMNS, shape[0])):
            for base in (0, 1):
                first, last = (starts - base) // line, (ends - 1 - base) // line
                wraps = (first != last) & (lengths < line)
                self._straddling[Coding(order, base)] += int(wraps.sum())
            overlap, pairs = _overlap_of_neighbours(placed, objects, line)
            self._overlap[order] += overlap
            self._pairs[order] += pairs

    def decide(self, prior: Coding) -> tuple[Coding, str]:
        """The way of counting the evidence speaks for, and a note where it is not the expected.

        Parameters
        ----------
        prior
            What files with such a header usually do; kept where nothing speaks against it.

        Raises
        ------
        RunError
            When runs lead out of the image whichever way they are counted.
        """
        self._look()
        order = prior.order
        rows, columns = (self._overlap[o] / max(1, self._pairs[o]) for o in ORDERS)
        enough = min(self._pairs.values()) >= _LEAST_PAIRS and self._has_oblong
        if enough and abs(rows - columns) > _CLEAR_ORDER * max(rows, columns):
            order = ROWS if rows > columns else COLUMNS
        possible = [base for base in (0, 1) if self._outside[base] == 0]
        if not possible:
            raise RunError("runs lead past the end of the image, whether counted from 0 or from 1")
        base = prior.base if prior.base in possible else possible[0]
        if len(possible) == 2:
            own, other = (self._straddling[Coding(order, b)] for b in (base, 1 - base))
            # All of the runs at an edge straddle when the base is wrong, hardly any when it is not.
            if own >= _LEAST_STRADDLING and own > 4 * other:
                base = 1 - base
        coding = Coding(order, base)
        if coding == prior:
            return coding, ""
        way = "along the rows" if order == ROWS else "down the columns"
        return coding, f"Its runs were counted {way}, from {base}, as only that fits its objects."


def _overlap_of_neighbours(runs: Runs, objects: NDArray[np.int64], line: int) -> tuple[float, int]:
    """How much runs overlap that follow each other in neighbouring lines: sum and number of pairs.

    Each pair counts its intersection over its union; 0 where the lines are not neighbours.

    Parameters
    ----------
    runs
        In order within each object.
    objects
        Which object each run is of, in order.
    line
        Pixels of a line.
    """
    lines, lefts = runs[:, 0] // line, runs[:, 0] % line
    rights = lefts + runs[:, 1]
    step = np.diff(lines)
    counted = (step > 0) & (np.diff(objects) == 0)
    both = np.minimum(rights[1:], rights[:-1]) - np.maximum(lefts[1:], lefts[:-1])
    either = np.maximum(rights[1:], rights[:-1]) - np.minimum(lefts[1:], lefts[:-1])
    shares = np.where((step == 1) & (both > 0), both / either, 0.0)
    return float(shares[counted].sum()), int(counted.sum())


def _pixels(runs: Runs, size: int, coding: Coding) -> NDArray[np.int64]:
    """Places of all pixels of an object in the lined-up image; each once."""
    if not len(runs):
        return np.zeros(0, np.int64)
    starts, lengths = runs[:, 0] - coding.base, runs[:, 1]
    if starts.min() < 0:
        raise RunError(f"a run begins before pixel {coding.base}")
    if (starts + lengths).max() > size:
        raise RunError(f"a run leads past the end of the image, which has {size:,} pixels")
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], (starts + lengths)[order]
    if (
        starts[1:] < ends[:-1]
    ).any():  # runs of one object that overlap are the object all the same
        reach = np.maximum.accumulate(ends)
        starts = np.maximum(starts, np.concatenate([[0], reach[:-1]]))
        ends = np.maximum(ends, starts)
    lengths = ends - starts
    before = np.concatenate([[0], np.cumsum(lengths)])
    offsets = np.repeat(starts - before[:-1], lengths)
    return np.asarray(offsets + np.arange(before[-1]), np.int64)


def _line_up(image: NDArray[T], coding: Coding) -> NDArray[T]:
    return image.ravel(order="C" if coding.order == ROWS else "F")


def _image(flat: NDArray[T], shape_yx: Sequence[int], coding: Coding) -> NDArray[T]:
    height, width = shape_yx
    if coding.order == ROWS:
        return flat.reshape(height, width)
    return np.ascontiguousarray(flat.reshape(width, height).T)
