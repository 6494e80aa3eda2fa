"""Planes between two painted ones: shapes blended by their signed distances.

Raya and Udupa, "Shape-based interpolation of multidimensional objects", IEEE Transactions on
Medical Imaging 9 (1990); Herman, Zheng and Bucholtz, "Shape-based interpolation", IEEE Computer
Graphics and Applications 12 (1992). Beyond them, components are matched from plane to plane, and
each is carried along with its centre: what moved further than it is wide does not vanish between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED

Ids = NDArray[np.uint8]
Field = NDArray[np.float32]

MARGIN = 12
"""Voxels around a component in which its distance is known: what it may grow or move beside it."""

_FAR = np.float32(-1e6)
_ROWS = 256
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


def signed_distance(where: NDArray[np.bool_]) -> Field:
    """Distance to the edge in voxels, ``(h, w)``: positive inside, negative outside.

    The edge runs between voxels, so that no voxel lies on it. Where nothing is inside, everything
    is far away; the border of the array is no edge.

    >>> signed_distance(np.array([[True, True, False, False]])).tolist()
    [[1.5, 0.5, -0.5, -1.5]]
    """
    inside = where.astype(np.uint8)
    filled = cv2.countNonZero(inside)
    if filled == 0 or filled == where.size:
        return np.full(where.shape, -_FAR if filled else _FAR, np.float32)
    found = np.where(where, np.float32(-0.5), np.float32(0.5))
    found += cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    found -= cv2.distanceTransform(1 - inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return found


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

    def at(self, way: float) -> Field:
        """Its distance at a fraction of the way."""
        if self.first is None or self.second is None:
            known, gone = (self.second, 1 - way) if self.first is None else (self.first, way)
            assert known is not None
            return known - np.float32(gone * max(float(known.max()), 0.5))  # down to its core
        dy, dx = self.step_yx
        here = _moved(self.first, way * dy, way * dx)
        return (1 - way) * here + way * _moved(self.second, (way - 1) * dy, (way - 1) * dx)


class Between:
    """Two painted planes, and any plane between them.

    Every class goes its own way; where two claim a voxel, the one that lies deeper inside has it,
    and background only takes what no other class does. What is unlabelled in both stays so.

    Parameters
    ----------
    first, second
        ``(Y, X)`` class ids.

    Attributes
    ----------
    y0, x0
        Corner of what `at` gives: the box around what is painted in either plane, and a margin.
    """

    def __init__(self, first: Ids, second: Ids) -> None:
        if first.shape != second.shape:
            raise ValueError(f"Planes of one volume have one size, not {first.shape}.")
        y0, x0, y1, x1 = _box((first > 0) | (second > 0))
        self.y0, self.x0 = max(0, y0 - MARGIN), max(0, x0 - MARGIN)
        y1, x1 = (y1 + MARGIN, x1 + MARGIN) if y1 else (0, 0)
        window = (slice(self.y0, y1), slice(self.x0, x1))
        self._a, self._b = first[window], second[window]
        self._shapes = list(self._find_shapes()) if self._a.size else []
        self._rest = {
            class_id: (signed_distance(self._a == class_id), signed_distance(self._b == class_id))
            for class_id in (BACKGROUND, UNLABELLED)
            if (self._a == class_id).any() or (self._b == class_id).any()
        }

    def at(self, way: float) -> Ids:
        """Class ids ``(h, w)`` at a fraction of the way, 0 the first plane and 1 the second."""
        if not 0 <= way <= 1:
            raise ValueError(f"Between two planes lie the ways from 0 to 1, not {way}.")
        if way in (0, 1):
            return np.array(self._b if way else self._a)
        depth = np.full(self._a.shape, _FAR, np.float32)
        ids = np.zeros(self._a.shape, np.uint8)
        for shape in self._shapes:
            found = shape.at(way)
            part = np.s_[shape.y0 : shape.y0 + found.shape[0], shape.x0 : shape.x0 + found.shape[1]]
            deeper = found > depth[part]
            depth[part][deeper] = found[deeper]
            ids[part][deeper] = shape.class_id
        depth[depth >= 0] = np.inf  # a hole of the background that moved is filled by the object
        for class_id, (one, other) in self._rest.items():
            found = (1 - way) * one + way * other
            deeper = found > depth
            depth[deeper] = found[deeper]
            ids[deeper] = class_id
        return ids

    def _find_shapes(self) -> Iterator[_Shape]:
        used = np.bincount(self._a.ravel(), minlength=256) + np.bincount(
            self._b.ravel(), minlength=256
        )
        for class_id in np.flatnonzero(used):
            if class_id > BACKGROUND:
                yield from _shapes(int(class_id), self._a == class_id, self._b == class_id)


def _shapes(class_id: int, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Iterator[_Shape]:
    """Components of one class, matched: those that overlap, then those that may have moved."""
    top, left, bottom, right = _box(first | second)
    top, left = max(0, top - MARGIN), max(0, left - MARGIN)
    around = np.s_[top : bottom + MARGIN, left : right + MARGIN]
    one, other = _Components(first[around]), _Components(second[around])
    for ours, theirs in _matched(one, other):
        boxes = [one.boxes[i] for i in ours] + [other.boxes[j] for j in theirs]
        y0, x0 = np.maximum(np.min(boxes, axis=0)[:2] - MARGIN, 0)
        y1, x1 = np.max(boxes, axis=0)[2:] + MARGIN
        part = np.s_[int(y0) : int(y1), int(x0) : int(x1)]
        step = (0.0, 0.0)
        if len(ours) == 1 and len(theirs) == 1:
            dy, dx = other.centres[theirs[0]] - one.centres[ours[0]]
            step = (float(dy), float(dx))
        yield _Shape(
            class_id,
            top + int(y0),
            left + int(x0),
            signed_distance(one.only(ours, part)) if ours else None,
            signed_distance(other.only(theirs, part)) if theirs else None,
            step,
        )


class _Components:
    """The 8-connected components of a plane; 0 is what belongs to none."""

    def __init__(self, where: NDArray[np.bool_]) -> None:
        self.count, self.labels, stats, centres = cv2.connectedComponentsWithStats(
            where.astype(np.uint8), connectivity=8
        )
        x, y, width, height, self.areas = stats.T
        self.boxes = np.stack([y, x, y + height, x + width], axis=1)
        self.centres = centres[:, ::-1]

    def only(self, numbers: list[int], part: tuple[slice, slice]) -> NDArray[np.bool_]:
        """Where some of them lie in a part of the plane."""
        chosen = np.zeros(self.count, np.bool_)
        chosen[numbers] = True
        return np.asarray(chosen[self.labels[part]])


def _matched(one: _Components, other: _Components) -> list[tuple[list[int], list[int]]]:
    """Which components become which; without a counterpart, one side is empty."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = _overlaps(one, other)
    lone_a = np.setdiff1d(np.arange(1, one.count), pairs[0])
    lone_b = np.setdiff1d(np.arange(1, other.count), pairs[1])
    pairs = np.concatenate([pairs, _moved_ones(one, other, lone_a, lone_b)], axis=1)
    total = one.count + other.count
    links = coo_array((np.ones(pairs.shape[1]), (pairs[0], pairs[1] + one.count)), (total, total))
    _, family = connected_components(links, directed=False)
    families: dict[int, tuple[list[int], list[int]]] = {}
    for number, name in enumerate(family.tolist()):
        is_ours = number < one.count
        at = number if is_ours else number - one.count
        if at:  # 0 is the rest of the plane
            families.setdefault(name, ([], []))[0 if is_ours else 1].append(at)
    return list(families.values())


def _overlaps(one: _Components, other: _Components) -> NDArray[np.int64]:
    """Pairs ``(2, n)`` of components that have much in common: what only grazes is another one."""
    common: dict[int, int] = {}
    for row in range(0, len(one.labels), _ROWS):
        ours, theirs = one.labels[row : row + _ROWS], other.labels[row : row + _ROWS]
        keys = np.where((ours > 0) & (theirs > 0), ours * np.int64(other.count) + theirs, 0).ravel()
        # run by run: there are far fewer of these than voxels, and they must be sorted
        starts = np.flatnonzero(np.diff(keys, prepend=-1))
        lengths = np.diff(starts, append=keys.size)
        known, which = np.unique(keys[starts], return_inverse=True)
        for key, count in zip(known.tolist(), np.bincount(which, lengths).tolist(), strict=True):
            common[key] = common.get(key, 0) + int(count)
    common.pop(0, None)
    pairs = [(*divmod(key, other.count), count) for key, count in common.items()]
    kept = [
        (i, j)
        for i, j, count in pairs
        if count >= _SHARE * min(int(one.areas[i]), int(other.areas[j]))
    ]
    return np.array(kept, np.int64).reshape(-1, 2).T


def _moved_ones(
    one: _Components, other: _Components, lone_a: NDArray[np.intp], lone_b: NDArray[np.intp]
) -> NDArray[np.int32]:
    """Pairs ``(2, n)`` of similar components, each the nearest to the other, within their width."""
    from scipy.spatial import cKDTree

    nothing = np.zeros((2, 0), np.int32)
    if not len(lone_a) or not len(lone_b):
        return nothing
    _, to_b = cKDTree(other.centres[lone_b]).query(one.centres[lone_a])
    _, to_a = cKDTree(one.centres[lone_a]).query(other.centres[lone_b])
    found = []
    for i, j in enumerate(to_b):
        a, b = lone_a[i], lone_b[j]
        areas = sorted((float(one.areas[a]), float(other.areas[b])))
        reach = 2 * (np.sqrt(areas[0] / np.pi) + np.sqrt(areas[1] / np.pi))
        is_near = np.hypot(*(other.centres[b] - one.centres[a])) <= reach
        if to_a[j] == i and is_near and areas[1] <= _SIMILAR * areas[0]:
            found.append((a, b))
    return np.array(found, np.int32).T if found else nothing


def _moved(field: Field, dy: float, dx: float) -> Field:
    """The field moved by a fraction of voxels; beyond its edge it goes on as at the edge."""
    if not dy and not dx:
        return field
    matrix = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
    size = (field.shape[1], field.shape[0])
    return cv2.warpAffine(field, matrix, size, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def _box(where: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """Corners of the box around what is true; empty when nothing is."""
    rows = np.flatnonzero(where.any(axis=1))
    columns = np.flatnonzero(where.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1
