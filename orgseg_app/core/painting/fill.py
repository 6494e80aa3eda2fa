"""Flood fill on a block mask: cost follows the region, not the image.

Most objects end within a small window around the start. For what goes on, the image is looked at in
windows of 1024 × 1024 voxels. A window is flooded from where the region entered it, and passes on
to its neighbours what it filled along their border; windows where everything is of the region are
taken whole. So nothing is flooded twice, and windows that are entered in the same round are flooded
in several threads (OpenCV and numpy let go of the interpreter's lock).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.mask import BLOCK, Mask

WINDOW = 4 * BLOCK
REACHES = (BLOCK // 2, BLOCK)
"""How far around the start is looked first: most objects end within."""

_OTHER, _OPEN, _FILLED = 0, 1, 2
_FLOODS = 24  # a region that enters a window at more places is cheaper to find by labelling it
_THREADS = 2
_WORTH_THREADS = 4  # windows at a time; starting threads takes longer than fewer of them

Key = tuple[int, int, int]
"""(z, window row, window column)."""
Piece = tuple[int, int, int, NDArray[np.bool_]]
"""z, corner (y0, x0) in the image, and ``(h, w)`` bool."""


Look = Callable[[int, int, int, int, int], NDArray[np.bool_]]
"""(z, y0, x0, y1, x1) → a new array ``(y1 - y0, x1 - x0)``: which voxels may be filled. It is
called from several threads."""


def flood(mask: Mask, z: int, y: int, x: int, *, in_3d: bool = False) -> Iterator[Piece]:
    """The region of equal class id around a voxel, as of `spread`."""
    depth, height, width = mask.shape
    if not (0 <= z < depth and 0 <= y < height and 0 <= x < width):
        return iter(())
    value = mask.value(z, y, x)

    def look(z: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.bool_]:
        found = np.empty((y1 - y0, x1 - x0), np.bool_)
        for index, inside, region in mask.overlaps(z, y0, x0, y1, x1):
            block = mask.block(index)
            if block is None:
                found[region] = value == 0
            else:
                np.equal(block[inside], value, out=found[region])
        return found

    return spread(mask.shape, (z, y, x), look, in_3d=in_3d)


def spread(
    shape: tuple[int, int, int], start: tuple[int, int, int], look: Look, *, in_3d: bool = False
) -> Iterator[Piece]:
    """What can be reached from a voxel over voxels that may be filled.

    They hang together by their sides: 4-connected in the plane, 6-connected over planes.

    Parameters
    ----------
    shape
        ``(Z, Y, X)``.
    start
        ``(z, y, x)``, inside.
    look
        Which voxels may be filled; asked once for each window.
    in_3d
        Go on through the planes above and below.

    Yields
    ------
    z, y0, x0, where
        Pieces of the region that do not overlap. They come when all has been looked at, so the mask
        may be written meanwhile.
    """
    for reach in () if in_3d else REACHES:
        small = _small(shape, start, look, reach)
        if small is not None:
            yield small
            return
    z, y, x = start
    windows: dict[Key, _Window] = {}
    first = (z, y // WINDOW, x // WINDOW)
    place = (y % WINDOW) * _size(shape, first)[1] + x % WINDOW
    entered = {first: [np.array([place])]}
    with ThreadPoolExecutor(_THREADS) as pool:  # starts threads only when work comes in
        while entered:
            for key in entered:
                if key not in windows:
                    windows[key] = _Window(shape, key)

            def work(key: Key, entered: dict[Key, list[NDArray[np.intp]]] = entered) -> _News:
                return windows[key].spread(look, entered[key], in_3d=in_3d)

            worth = len(entered) > _WORTH_THREADS
            all_news = list(pool.map(work, entered) if worth else map(work, entered))
            entered = _next_round(shape, dict(zip(entered, all_news, strict=True)), windows)
    for (wz, wy, wx), window in sorted(windows.items()):
        piece = window.piece()
        if piece is not None:
            top, left, where = piece
            yield wz, wy * WINDOW + top, wx * WINDOW + left, where
            window.drop()


def _small(
    shape: tuple[int, int, int], start: tuple[int, int, int], look: Look, reach: int
) -> Piece | None:
    """The region when it lies so close to the start; None when it may go on."""
    z, y, x = start
    _, height, width = shape
    y0, x0 = max(0, y - reach), max(0, x - reach)
    y1, x1 = min(height, y + reach + 1), min(width, x + reach + 1)
    marks = look(z, y0, x0, y1, x1).view(np.uint8)
    room = _room(marks.shape[0] + 2, marks.shape[1] + 2)
    place = (x - x0, y - y0)
    _, _, _, (left, top, w, h) = cv2.floodFill(marks, room, place, _FILLED, flags=4)
    if (
        (top == 0 and y0 > 0)
        or (left == 0 and x0 > 0)
        or (top + h == y1 - y0 and y1 < height)
        or (left + w == x1 - x0 and x1 < width)
    ):
        return None
    return z, y0 + top, x0 + left, marks[top : top + h, left : left + w] == _FILLED


class _Window:
    """What is known of one window.

    Attributes
    ----------
    marks
        ``(h, w)`` uint8, `_OTHER`, `_OPEN` or `_FILLED`; None while it has not been looked at, and
        where all of it is filled.
    """

    def __init__(self, shape: tuple[int, int, int], key: Key) -> None:
        self.key = key
        self.size = _size(shape, key)
        self.marks: NDArray[np.uint8] | None = None
        self.is_full = False
        self._box = (self.size[0], self.size[1], 0, 0)

    def spread(self, look: Look, entries: list[NDArray[np.intp]], *, in_3d: bool) -> _News:
        """Flood from the places entered; what that filled along each border, and over planes.

        Parameters
        ----------
        entries
            Places of the window, row by row, that lie beside filled voxels of its neighbours.
        """
        if self.is_full:
            return {}
        marks = self.marks
        if marks is None:
            marks = self._open(look)
            if cv2.countNonZero(marks) == marks.size:
                self.is_full = True
                return self._news(None, None, in_3d=in_3d)
            self.marks = marks
        starts = np.concatenate(entries)
        starts = starts[marks.ravel()[starts] == _OPEN]
        if not starts.size:
            return {}
        before = {step: marks[edge] == _OPEN for step, edge in _EDGES.items()}
        filled = marks == _FILLED if in_3d else None
        self._flood(marks, starts)
        return self._news(before, filled, in_3d=in_3d)

    def _open(self, look: Look) -> NDArray[np.uint8]:
        """Which voxels may be filled."""
        z, wy, wx = self.key
        y0, x0 = wy * WINDOW, wx * WINDOW
        return look(z, y0, x0, y0 + self.size[0], x0 + self.size[1]).view(np.uint8)

    def _flood(self, marks: NDArray[np.uint8], starts: NDArray[np.intp]) -> None:
        flat, width = marks.ravel(), marks.shape[1]
        room = _room(marks.shape[0] + 2, width + 2)
        for _ in range(_FLOODS):
            y, x = divmod(int(starts[0]), width)
            _, _, _, (left, top, w, h) = cv2.floodFill(marks, room, (x, y), _FILLED, flags=4)
            self._grow(top, left, top + h, left + w)
            starts = starts[flat[starts] == _OPEN]
            if not starts.size:
                return
        open_ = (marks == _OPEN).view(np.uint8)
        count, labels = cv2.connectedComponents(open_, connectivity=4)
        chosen = np.zeros(count, np.bool_)
        chosen[labels.ravel()[starts]] = True
        chosen[0] = False
        np.copyto(marks, np.uint8(_FILLED), where=chosen[labels])
        self._grow(0, 0, *marks.shape)

    def _grow(self, y0: int, x0: int, y1: int, x1: int) -> None:
        box = self._box
        self._box = (min(box[0], y0), min(box[1], x0), max(box[2], y1), max(box[3], x1))

    def _news(
        self,
        before: dict[Step, NDArray[np.bool_]] | None,
        filled: NDArray[np.bool_] | None,
        *,
        in_3d: bool,
    ) -> _News:
        """Places filled just now, for each neighbour; None for all of that side."""
        if before is None:
            steps = (*_EDGES, *_PLANES) if in_3d else tuple(_EDGES)
            return dict.fromkeys(steps)
        marks = self.marks
        assert marks is not None
        news: _News = {}
        for step, edge in _EDGES.items():
            places = np.flatnonzero(before[step] & (marks[edge] == _FILLED))
            if places.size:
                news[step] = places
        if in_3d:
            places = np.flatnonzero((marks == _FILLED) & ~filled)  # type: ignore[operator]
            news |= dict.fromkeys(_PLANES, places)
        return news

    def piece(self) -> tuple[int, int, NDArray[np.bool_]] | None:
        """Corner in the window and what is filled of it; None for nothing."""
        if self.is_full:
            return 0, 0, np.ones(self.size, np.bool_)
        y0, x0, y1, x1 = self._box
        if self.marks is None or y1 <= y0:
            return None
        marks = self.marks[y0:y1, x0:x1]
        # in place: fresh memory for a whole large plane takes longer than comparing
        return y0, x0, np.equal(marks, _FILLED, out=marks.view(np.bool_))

    def drop(self) -> None:
        """Let go of the memory."""
        self.marks = None


_ROOMS = threading.local()


def _room(height: int, width: int) -> NDArray[np.uint8]:
    """Zeros for OpenCV to work in: taking them anew each time costs more than the flood."""
    room: NDArray[np.uint8] | None = getattr(_ROOMS, "room", None)
    if room is None or room.size < height * width:
        room = _ROOMS.room = np.empty(height * width, np.uint8)
    room = room[: height * width].reshape(height, width)
    room[...] = 0
    return room


Step = tuple[int, int, int]
_News = dict[Step, NDArray[np.intp] | None]

_EDGES: dict[Step, tuple[int | slice, int | slice]] = {
    (0, -1, 0): (0, slice(None)),
    (0, 1, 0): (-1, slice(None)),
    (0, 0, -1): (slice(None), 0),
    (0, 0, 1): (slice(None), -1),
}
_PLANES: tuple[Step, ...] = ((-1, 0, 0), (1, 0, 0))


def _size(shape: tuple[int, int, int], key: Key) -> tuple[int, int]:
    """Height and width of a window; those at the image's end are smaller."""
    _, height, width = shape
    return min(WINDOW, height - key[1] * WINDOW), min(WINDOW, width - key[2] * WINDOW)


def _next_round(
    shape: tuple[int, int, int], news: dict[Key, _News], windows: dict[Key, _Window]
) -> dict[Key, list[NDArray[np.intp]]]:
    """Which windows are entered, and where."""
    entered: dict[Key, list[NDArray[np.intp]]] = {}
    for key, found in news.items():
        for step, places in found.items():
            other = (key[0] + step[0], key[1] + step[1], key[2] + step[2])
            if not (
                0 <= other[0] < shape[0]
                and 0 <= other[1] * WINDOW < shape[1]
                and 0 <= other[2] * WINDOW < shape[2]
            ):
                continue
            if other in windows and windows[other].is_full:
                continue
            entered.setdefault(other, []).append(_entry(step, places, _size(shape, other)))
    return entered


def _entry(step: Step, places: NDArray[np.intp] | None, size: tuple[int, int]) -> NDArray[np.intp]:
    """Places on the border of one window as places of its neighbour."""
    height, width = size
    if step[0]:
        return np.arange(height * width) if places is None else places
    if step[1]:
        places = np.arange(width) if places is None else places
        return places + (height - 1) * width if step[1] < 0 else places
    places = np.arange(height) if places is None else places
    return places * width + (width - 1 if step[2] < 0 else 0)
