"""Planes between two painted ones: shapes blended by their signed distances.

Raya and Udupa, "Shape-based interpolation of multidimensional objects", IEEE Transactions on
Medical Imaging 9 (1990); Herman, Zheng and Bucholtz, "Shape-based interpolation", IEEE Computer
Graphics and Applications 12 (1992). Beyond them, components are matched from plane to plane, and
each is carried along with its centre: what moved further than it is wide does not vanish between.

Time and memory follow what is painted. Planes are looked at cell by cell, components are labelled
in islands of painted cells, and each has its distances in a box of its own. What is unlabelled or
background in both planes needs no distance at all; where one is needed, `rest` has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.painting.distance import FAR, Field, Ids, signed_distance
from orgseg_app.core.painting.rest import TILE, Rest

MARGIN = 12
"""Voxels around a component in which its distance is known: what it may grow or move beside it."""

_ROWS = 256
_CELL = 64  # voxels: what lies in cells that do not touch is labelled by itself
_SHARE = (
    0.1  # of the smaller of two components, in common: at least so much if they belong together
)
_SIMILAR = 4.0  # areas of components that may be one that moved: at most so many times another


def gaps(painted: Iterable[int]) -> list[tuple[int, int]]:
    """Neighbouring painted planes with others between them.

    >>> gaps([0, 1, 5, 7])
    [(1, 5), (5, 7)]
    """
    return [(a, b) for a, b in pairwise(sorted(set(painted))) if b - a > 1]


def plain(first: NDArray[np.bool_], second: NDArray[np.bool_], way: float) -> NDArray[np.bool_]:
    """The shape at a fraction of the way, as in Raya and Udupa: no components, no centres."""
    return (1 - way) * signed_distance(first) + way * signed_distance(second) >= 0


@dataclass(frozen=True)
class _Shape:
    """Components of one class that become others of that class.

    Attributes
    ----------
    y0, x0
        Corner of the distances.
    first, second
        ``(h, w)`` signed distances in both planes; None where it has no counterpart.
    step_yx
        From the centre in the first plane to that in the second, in voxels.
    """

    class_id: int
    y0: int
    x0: int
    first: Field | None
    second: Field | None
    step_yx: tuple[float, float]

    @property
    def size_yx(self) -> tuple[int, int]:
        """Of the distances."""
        known = self.first if self.second is None else self.second
        assert known is not None
        return known.shape[0], known.shape[1]

    def at(self, way: float) -> Callable[[tuple[slice, slice]], Field]:
        """Its distance at a fraction of the way, for parts of it."""
        if self.first is None or self.second is None:
            known, gone = (self.second, 1 - way) if self.first is None else (self.first, way)
            assert known is not None
            depth = np.float32(gone * max(float(known.max()), 0.5))  # down to its core
            return lambda part: known[part] - depth
        dy, dx = self.step_yx
        here = _moved(self.first, way * dy, way * dx)
        there = _moved(self.second, (way - 1) * dy, (way - 1) * dx)
        return lambda part: (1 - way) * here[part] + way * there[part]


class Between:
    """Two painted planes, and any plane between them.

    Every class goes its own way; where two claim a voxel, the one that lies deeper inside has it,
    and background only takes what no other class does. What is unlabelled in both stays so.

    Parameters
    ----------
    first, second
        ``(Y, X)`` class ids; not to be written to afterwards.
    check
        Told now and then what share of the preparation is done, 0…1; raises to give up.
    """

    def __init__(
        self, first: Ids, second: Ids, check: Callable[[float], None] = lambda share: None
    ) -> None:
        if first.shape != second.shape:
            raise ValueError(f"Planes of one volume have one size, not {first.shape}.")
        self._a, self._b = first, second
        islands = _islands(first, second)
        self._painted = {tile for island in islands for tile in island.tiles()}
        self._shapes = list(_find_shapes(first, second, islands, lambda s: check(0.8 * s)))
        self._rest = Rest(first, second)
        for done, tile in enumerate(sorted(self._painted)):
            check(0.8 + 0.2 * done / len(self._painted))
            self._rest.look(tile)
        self._rest.finish()

    def plane(self, way: float) -> Ids:
        """Class ids ``(Y, X)`` at a fraction of the way, 0 the first plane and 1 the second."""
        out = np.zeros(self._a.shape, np.uint8)
        for y0, x0, ids in self.parts(way):
            out[y0 : y0 + ids.shape[0], x0 : x0 + ids.shape[1]] = ids
        return out

    def parts(self, way: float) -> Iterator[tuple[int, int, Ids]]:
        """The same in pieces that do not overlap, none where nothing is painted.

        Yields
        ------
        y0, x0, ids
            Corner, and ``(h, w)`` class ids.
        """
        if not 0 <= way <= 1:
            raise ValueError(f"Between two planes lie the ways from 0 to 1, not {way}.")
        depths = {} if way in (0, 1) else self._depths(way)
        for tile in sorted(self._painted | depths.keys()):
            part = _part(tile, self._a.shape)
            here, there = self._a[part], self._b[part]
            if way in (0, 1):
                ids = np.array(there if way else here)
            else:
                ids = self._rest.merged(tile, way, *depths.pop(tile, _nothing(here)))
            rows, columns = (np.flatnonzero(ids.any(axis=axis)) for axis in (1, 0))
            if rows.size:
                (y0, y1), (x0, x1) = (rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)
                # a copy, so that the tile around it does not stay in memory
                yield part[0].start + int(y0), part[1].start + int(x0), ids[y0:y1, x0:x1].copy()

    def _depths(self, way: float) -> dict[tuple[int, int], tuple[Field, Ids]]:
        """How deep inside which class each voxel lies, tile by tile, where there are shapes."""
        found: dict[tuple[int, int], tuple[Field, Ids]] = {}
        for shape in self._shapes:
            field, (height, width) = shape.at(way), shape.size_yx
            y1, x1 = shape.y0 + height, shape.x0 + width
            for tile in _tiles(shape.y0, shape.x0, y1, x1):
                rows, columns = _part(tile, self._a.shape)
                if tile not in found:
                    found[tile] = _nothing(self._a[rows, columns])
                ya, yb = max(shape.y0, rows.start), min(y1, rows.stop)
                xa, xb = max(shape.x0, columns.start), min(x1, columns.stop)
                new = field(np.s_[ya - shape.y0 : yb - shape.y0, xa - shape.x0 : xb - shape.x0])
                inside = np.s_[
                    ya - rows.start : yb - rows.start, xa - columns.start : xb - columns.start
                ]
                depth, ids = found[tile]
                deeper = new > depth[inside]
                depth[inside][deeper] = new[deeper]
                ids[inside][deeper] = shape.class_id
        return found


def _nothing(like: Ids) -> tuple[Field, Ids]:
    return np.full(like.shape, FAR, np.float32), np.zeros(like.shape, np.uint8)


def _tiles(y0: int, x0: int, y1: int, x1: int) -> Iterator[tuple[int, int]]:
    for row in range(y0 // TILE, -(-y1 // TILE)):
        for column in range(x0 // TILE, -(-x1 // TILE)):
            yield row, column


def _part(tile: tuple[int, int], size: tuple[int, ...]) -> tuple[slice, slice]:
    y0, x0 = tile[0] * TILE, tile[1] * TILE
    return slice(y0, min(y0 + TILE, size[0])), slice(x0, min(x0 + TILE, size[1]))


# -- shapes --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Island:
    """Painted cells that touch each other, and no others.

    Attributes
    ----------
    y0, x0
        Corner of the box around them, in cells.
    cells
        ``(h, w)`` bool.
    """

    y0: int
    x0: int
    cells: NDArray[np.bool_]

    @property
    def part(self) -> tuple[slice, slice]:
        """The box in voxels; may reach beyond the plane."""
        height, width = self.cells.shape
        return (
            slice(self.y0 * _CELL, (self.y0 + height) * _CELL),
            slice(self.x0 * _CELL, (self.x0 + width) * _CELL),
        )

    def of(self, plane: Ids) -> Ids:
        """What of a plane is in its cells, ``(h, w)``; 0 between them."""
        part = plane[self.part]
        if self.cells.all():
            return part
        inside = self.cells.repeat(_CELL, axis=0).repeat(_CELL, axis=1)
        return np.where(inside[: part.shape[0], : part.shape[1]], part, np.uint8(0))

    def tiles(self) -> set[tuple[int, int]]:
        """The tiles that its cells are in."""
        rows, columns = np.nonzero(self.cells)
        per = TILE // _CELL
        places = (rows + self.y0) // per, (columns + self.x0) // per
        return set(zip(*(place.tolist() for place in places), strict=True))


def _islands(first: Ids, second: Ids) -> list[_Island]:
    """Where anything is painted in either plane."""
    height, width = first.shape
    cells = np.zeros((-(-height // _CELL), -(-width // _CELL)), np.uint8)
    starts = np.arange(0, width, _CELL)
    for row in range(len(cells)):
        strip = np.s_[row * _CELL : (row + 1) * _CELL]
        painted = (first[strip] | second[strip]).any(axis=0)
        cells[row] = np.logical_or.reduceat(painted, starts)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(cells, connectivity=8)
    found = []
    for number in range(1, count):
        x, y, w, h, _ = stats[number].tolist()
        found.append(_Island(y, x, labels[y : y + h, x : x + w] == number))
    return found


def _find_shapes(
    first: Ids, second: Ids, islands: list[_Island], check: Callable[[float], None]
) -> Iterator[_Shape]:
    classes: dict[int, list[_Island]] = {}
    for island in islands:
        used = _used(first[island.part]) | _used(second[island.part])
        for class_id in np.flatnonzero(used).tolist():
            if class_id > BACKGROUND:
                classes.setdefault(class_id, []).append(island)
    for done, (class_id, homes) in enumerate(sorted(classes.items())):

        def share(inside: float, done: int = done) -> None:
            check((done + inside) / len(classes))

        yield from _shapes(class_id, first, second, homes, share)


def _used(values: Ids) -> NDArray[np.bool_]:
    """Which values occur, ``(256,)``; row by row, because counting takes eight times the memory."""
    found = np.zeros(256, np.bool_)
    for row in range(0, len(values), _ROWS):
        found |= np.bincount(values[row : row + _ROWS].ravel(), minlength=256) > 0
    return found


def _shapes(
    class_id: int,
    first: Ids,
    second: Ids,
    islands: list[_Island],
    check: Callable[[float], None],
) -> Iterator[_Shape]:
    """Components of one class, matched: those that overlap, then those that may have moved."""
    one, other = _Components(), _Components()
    pairs = [np.zeros((2, 0), np.int64)]
    for done, island in enumerate(islands):
        check(0.3 * done / len(islands))
        a, b = (island.of(plane) == class_id for plane in (first, second))
        top, left = island.part[0].start, island.part[1].start
        here, there = one.add(a, top, left), other.add(b, top, left)
        pairs.append(_overlaps(one, other, here, there))
    families = _matched(one, other, np.concatenate(pairs, axis=1))
    height, width = first.shape
    for done, (ours, theirs) in enumerate(families):
        check(0.3 + 0.7 * done / len(families))
        boxes = [one.boxes[i] for i in ours] + [other.boxes[j] for j in theirs]
        y0, x0 = np.maximum(np.min(boxes, axis=0)[:2] - MARGIN, 0).tolist()
        y1, x1 = np.minimum(np.max(boxes, axis=0)[2:] + MARGIN, (height, width)).tolist()
        step = (0.0, 0.0)
        if len(ours) == 1 and len(theirs) == 1:
            dy, dx = np.subtract(other.centres[theirs[0]], one.centres[ours[0]])
            step = (float(dy), float(dx))
        yield _Shape(
            class_id,
            y0,
            x0,
            signed_distance(one.only(ours, y0, x0, y1, x1)) if ours else None,
            signed_distance(other.only(theirs, y0, x0, y1, x1)) if theirs else None,
            step,
        )


class _Components:
    """The 8-connected components of one class on a plane, by number.

    Attributes
    ----------
    boxes, centres, areas
        Of each: ``(y0, x0, y1, x1)``, ``(y, x)``, voxels.
    """

    def __init__(self) -> None:
        self.boxes: list[tuple[int, int, int, int]] = []
        self.centres: list[tuple[float, float]] = []
        self.areas: list[int] = []
        self._homes: list[tuple[NDArray[np.int32], int, int, int]] = []

    def __len__(self) -> int:
        return len(self.areas)

    def add(self, where: NDArray[np.bool_], y0: int, x0: int) -> tuple[NDArray[np.int32], int]:
        """Label a part of the plane; its labels, and which number label 1 has."""
        _, labels, stats, centres = cv2.connectedComponentsWithStats(
            where.view(np.uint8), connectivity=8
        )
        start = len(self)
        for (x, y, width, height, area), (cx, cy) in zip(
            stats[1:].tolist(), centres[1:].tolist(), strict=True
        ):
            self.boxes.append((y0 + y, x0 + x, y0 + y + height, x0 + x + width))
            self.centres.append((y0 + cy, x0 + cx))
            self.areas.append(area)
            self._homes.append((labels, y0, x0, start))  # type: ignore[arg-type]
        return labels, start  # type: ignore[return-value]

    def only(self, numbers: list[int], y0: int, x0: int, y1: int, x1: int) -> NDArray[np.bool_]:
        """Where some of them lie, in a box that holds them."""
        out = np.zeros((y1 - y0, x1 - x0), np.bool_)
        for number in numbers:
            labels, top, left, start = self._homes[number]
            ya, xa, yb, xb = self.boxes[number]
            found = labels[ya - top : yb - top, xa - left : xb - left] == number - start + 1
            out[ya - y0 : yb - y0, xa - x0 : xb - x0] |= found
        return out


def _matched(
    one: _Components, other: _Components, pairs: NDArray[np.int64]
) -> list[tuple[list[int], list[int]]]:
    """Which components become which; without a counterpart, one side is empty."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    lone_a = np.setdiff1d(np.arange(len(one)), pairs[0])
    lone_b = np.setdiff1d(np.arange(len(other)), pairs[1])
    pairs = np.concatenate([pairs, _moved_ones(one, other, lone_a, lone_b)], axis=1)
    total = len(one) + len(other)
    links = coo_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1] + len(one))), (total, total))
    _, family = connected_components(links, directed=False)
    families: dict[int, tuple[list[int], list[int]]] = {}
    for number, name in enumerate(family.tolist()):
        is_ours = number < len(one)
        at = number if is_ours else number - len(one)
        families.setdefault(name, ([], []))[0 if is_ours else 1].append(at)
    return list(families.values())


def _overlaps(
    one: _Components,
    other: _Components,
    ours: tuple[NDArray[np.int32], int],
    theirs: tuple[NDArray[np.int32], int],
) -> NDArray[np.int64]:
    """Pairs ``(2, n)`` of components that have much in common: what only grazes is another one."""
    (a, start_a), (b, start_b) = ours, theirs
    width = len(other) - start_b + 1
    common: dict[int, int] = {}
    for row in range(0, len(a), _ROWS):
        here, there = a[row : row + _ROWS], b[row : row + _ROWS]
        keys = np.where((here > 0) & (there > 0), here * np.int64(width) + there, 0).ravel()
        # run by run: there are far fewer of these than voxels, and they must be sorted
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        lengths = np.diff(starts, append=keys.size)
        known, which = np.unique(keys[starts], return_inverse=True)
        for key, count in zip(known.tolist(), np.bincount(which, lengths).tolist(), strict=True):
            common[key] = common.get(key, 0) + int(count)
    common.pop(0, None)
    found = [
        (key // width - 1 + start_a, key % width - 1 + start_b, count)
        for key, count in common.items()
    ]
    kept = [(i, j) for i, j, count in found if count >= _SHARE * min(one.areas[i], other.areas[j])]
    return np.array(kept, np.int64).reshape(-1, 2).T


def _moved_ones(
    one: _Components, other: _Components, lone_a: NDArray[np.intp], lone_b: NDArray[np.intp]
) -> NDArray[np.int64]:
    """Pairs ``(2, n)`` of similar components, each the nearest to the other, within their width."""
    from scipy.spatial import cKDTree

    nothing = np.zeros((2, 0), np.int64)
    if not len(lone_a) or not len(lone_b):
        return nothing
    here, there = np.array(one.centres)[lone_a], np.array(other.centres)[lone_b]
    _, to_b = cKDTree(there).query(here)
    _, to_a = cKDTree(here).query(there)
    found = []
    for i, j in enumerate(to_b):
        a, b = lone_a[i], lone_b[j]
        areas = sorted((float(one.areas[a]), float(other.areas[b])))
        reach = 2 * (np.sqrt(areas[0] / np.pi) + np.sqrt(areas[1] / np.pi))
        is_near = np.hypot(*(there[j] - here[i])) <= reach
        if to_a[j] == i and is_near and areas[1] <= _SIMILAR * areas[0]:
            found.append((a, b))
    return np.array(found, np.int64).T if found else nothing


def _moved(field: Field, dy: float, dx: float) -> Field:
    """The field moved by a fraction of voxels; beyond its edge it goes on as at the edge."""
    if not dy and not dx:
        return field
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (field.shape[1], field.shape[0])
    return cv2.warpAffine(field, matrix, size, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]
