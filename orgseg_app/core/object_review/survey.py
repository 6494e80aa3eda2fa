"""All objects of an image, measured block by block and kept up to date by what an edit touched."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK, BlockIndex, Box
from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.mask import Mask
from orgseg_app.core.object_review.pieces import (
    EULER,
    FACES,
    SUM_X,
    SUM_XX,
    SUM_Y,
    SUM_YX,
    SUM_YY,
    VOXELS,
    Ints,
    Pieces,
    measured,
)
from orgseg_app.core.objects import Numbers

Check = Callable[[int, int], None]
"""Told blocks done and blocks in all; raises to stop."""

_TOP, _BOTTOM, _LEFT, _RIGHT = range(4)
_FACING = {
    (dy, dx): _RIGHT if dx > 0 and not dy else _LEFT if not dy else _BOTTOM if dy > 0 else _TOP
    for dy, dx in itertools.product((-1, 0, 1), repeat=2)
}
_BESIDE = [step for step in itertools.product((-1, 0, 1), repeat=3) if step[1:] != (0, 0)]
_EULER_UNIT = 12
_MAPS_KEPT = 3
_NO_PAIRS: Ints = np.zeros((0, 2), np.int64)


@dataclass(frozen=True)
class ObjectColumns:
    """What is known of n objects, sorted by number.

    Attributes
    ----------
    numbers
        ``(n,)`` uint32.
    class_ids
        ``(n,)`` uint8: the class that most of its voxels have; 0 where none has one.
    voxels
        ``(n,)`` int64.
    low, high
        ``(n, 3)`` int64: the box around it, (z, y, x), half-open.
    centres
        ``(n, 3)`` float64: mean place of its voxels, in voxels.
    planes
        ``(n,)`` int64: on how many planes it is.
    missing
        ``(n,)`` int64: planes between its first and its last on which it is not.
    parts, stray
        ``(n,)`` int64: parts that do not hang together, and voxels outside the largest of them.
    holes
        ``(n,)`` int64: holes, plane by plane.
    roundness
        ``(n,)`` float64, 0…1: its area over that of a circle as long as it (of a ball, where it is
        on several planes), by second moments; 1 for a disc, 1 / aspect for an ellipse, less with
        notches and holes.
    at_border
        ``(n,)`` bool: the edge of the image cuts it.
    neighbours, contact
        ``(n,)`` uint32 and float64: the object of its class that it touches most (0 for none), and
        which share of its own faces in the planes touches it.
    foreign
        ``(n,)`` float64: share of its voxels with another class than its own.
    """

    numbers: Numbers
    class_ids: NDArray[np.uint8]
    voxels: Ints
    low: Ints
    high: Ints
    centres: NDArray[np.float64]
    planes: Ints
    missing: Ints
    parts: Ints
    stray: Ints
    holes: Ints
    roundness: NDArray[np.float64]
    at_border: NDArray[np.bool_]
    neighbours: Numbers
    contact: NDArray[np.float64]
    foreign: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.numbers)

    def row_of(self, number: int) -> int:
        """Where an object is among them; -1 where it is not."""
        place = int(np.searchsorted(self.numbers, number))
        return place if place < len(self) and int(self.numbers[place]) == number else -1

    def box(self, row: int) -> Box:
        """The smallest box around an object."""
        return Box(*self.low[row].tolist(), *self.high[row].tolist())


class Survey:
    """The objects of one image, piece by piece.

    Parameters
    ----------
    shape
        ``(Z, Y, X)`` of the image.
    pixel_size_um
        (z, y, x), for the roundness of what is on several planes; None when unknown.
    """

    def __init__(
        self, shape: tuple[int, int, int], pixel_size_um: tuple[float, float, float] | None = None
    ) -> None:
        self.shape, self.pixel_size_um = shape, pixel_size_um
        self._blocks: dict[BlockIndex, Pieces] = {}
        self._links: dict[tuple[BlockIndex, BlockIndex], Ints] = {}
        self._maps: dict[BlockIndex, NDArray[np.int32] | None] = {}

    def look(self, mask: Mask, box: Box, check: Check = lambda done, total: None) -> None:
        """Measure what lies in a box anew, and next to it.

        Parameters
        ----------
        mask
            With its objects, as they are now.
        box
            Where something may differ; what `Survey` was made for, the first time.

        Raises
        ------
        Exception
            Whatever ``check`` raises to stop; the survey is then good for nothing any more.
        """
        known = set(self._blocks) | set(mask.objects.block_indices())
        changed = {index for index in known if _touches(index, box)}
        self._maps.clear()
        for done, index in enumerate(sorted(changed, key=lambda i: (i[1], i[2], i[0]))):
            check(done, len(changed))
            self._keep_map(index, self._measure(mask, index))
            z, by, bx = index
            self._link_planes(mask, (z - 1, by, bx), index)
            if (z + 1, by, bx) not in changed:
                self._link_planes(mask, index, (z + 1, by, bx))
        self._maps.clear()
        for index in changed:
            for dz, dy, dx in _BESIDE:
                other = (index[0] + dz, index[1] + dy, index[2] + dx)
                self._link_beside(*sorted((index, other)))

    def columns(self) -> ObjectColumns:
        """What is known of the objects now."""
        return _columns(self._together(), self.shape, self.pixel_size_um)

    # -- within ----------------------------------------------------------------------------------

    def _measure(self, mask: Mask, index: BlockIndex) -> NDArray[np.int32] | None:
        found = measured(mask, index)
        if found is None:
            self._blocks.pop(index, None)
            return None
        self._blocks[index] = found[0]
        return found[1]

    def _keep_map(self, index: BlockIndex, where: NDArray[np.int32] | None) -> None:
        while len(self._maps) >= _MAPS_KEPT:
            self._maps.pop(next(iter(self._maps)))
        self._maps[index] = where

    def _map(self, mask: Mask, index: BlockIndex) -> NDArray[np.int32] | None:
        if index not in self._maps:
            found = measured(mask, index) if index in self._blocks else None
            self._keep_map(index, None if found is None else found[1])
        return self._maps[index]

    def _link_planes(self, mask: Mask, above: BlockIndex, below: BlockIndex) -> None:
        """Which pieces of two blocks over each other hang together: 26 neighbours in a block."""
        self._links.pop((above, below), None)
        if above not in self._blocks or below not in self._blocks:
            return
        upper, lower = self._map(mask, above), self._map(mask, below)
        assert upper is not None
        assert lower is not None
        of_upper = np.append(0, self._blocks[above].numbers)[upper]
        of_lower = np.append(0, self._blocks[below].numbers)[lower]
        pairs = []
        for dy, dx in itertools.product((-1, 0, 1), repeat=2):
            a = np.s_[max(0, dy) : BLOCK + min(0, dy), max(0, dx) : BLOCK + min(0, dx)]
            b = np.s_[max(0, -dy) : BLOCK + min(0, -dy), max(0, -dx) : BLOCK + min(0, -dx)]
            meet = (of_upper[a] == of_lower[b]) & (of_upper[a] > 0)
            pairs.append(_pairs(upper[a][meet], lower[b][meet]))
        self._links[above, below] = np.unique(np.concatenate(pairs), axis=0)

    def _link_beside(self, one: BlockIndex, other: BlockIndex) -> None:
        """Which pieces of two blocks hang together that do not lie over each other."""
        self._links.pop((one, other), None)
        if one not in self._blocks or other not in self._blocks:
            return
        first, second = self._blocks[one], self._blocks[other]
        dy, dx = other[1] - one[1], other[2] - one[2]
        a, b = first.edges[_FACING[dy, dx]], second.edges[_FACING[-dy, -dx]]
        if dy and dx:  # they share a corner
            a, b = a[-1:] if dx > 0 else a[:1], b[:1] if dx > 0 else b[-1:]
        pairs = [_NO_PAIRS]
        for shift in (-1, 0, 1) if len(a) > 1 else (0,):
            p = a[max(0, shift) : len(a) + min(0, shift)]
            q = b[max(0, -shift) : len(b) + min(0, -shift)]
            both = (p > 0) & (q > 0)
            p, q = p[both], q[both]
            alike = first.numbers[p - 1] == second.numbers[q - 1]
            pairs.append(_pairs(p[alike], q[alike]))
        found = np.unique(np.concatenate(pairs), axis=0)
        if len(found):
            self._links[one, other] = found

    def _together(self) -> _Together:
        """All pieces in one row each, and which of them hang together."""
        indices = sorted(self._blocks)
        counts = [len(self._blocks[index].numbers) for index in indices]
        starts = dict(zip(indices, np.cumsum([0, *counts])[:-1].tolist(), strict=True))
        total = sum(counts)
        flat, upright = [_NO_PAIRS], [_NO_PAIRS]
        for (one, other), pairs in self._links.items():
            kept = flat if one[0] == other[0] else upright
            kept.append(pairs + np.array([starts[one], starts[other]]))
        in_plane = np.concatenate(flat)
        blocks = [self._blocks[index] for index in indices]
        votes = [
            b.votes + np.array([starts[i], 0, 0]) for i, b in zip(indices, blocks, strict=True)
        ]
        return _Together(
            numbers=_joined([b.numbers for b in blocks], np.zeros(0, np.uint32)),
            z=np.repeat(np.array([i[0] for i in indices], np.int64), counts),
            sums=_joined([b.sums for b in blocks], np.zeros((0, 8), np.int64)),
            low=_joined([b.low for b in blocks], _NO_PAIRS),
            high=_joined([b.high for b in blocks], _NO_PAIRS),
            votes=_joined(votes, np.zeros((0, 3), np.int64)),
            contacts=_joined([b.contacts for b in blocks], np.zeros((0, 3), np.int64)),
            flat_parts=_components(in_plane, total),
            parts=_components(np.concatenate([in_plane, *upright]), total),
        )


@dataclass(frozen=True)
class _Together:
    """The pieces of all blocks."""

    numbers: Numbers
    z: Ints
    sums: Ints
    low: Ints
    high: Ints
    votes: Ints
    contacts: Ints
    flat_parts: Ints
    parts: Ints


def _touches(index: BlockIndex, box: Box) -> bool:
    """Whether a block lies in a box or next to it."""
    z, y, x = index[0], index[1] * BLOCK, index[2] * BLOCK
    return (
        box.z0 <= z < box.z1
        and box.y0 - 1 < y + BLOCK
        and y < box.y1 + 1
        and box.x0 - 1 < x + BLOCK
        and x < box.x1 + 1
    )


def _pairs(one: NDArray[np.int32], other: NDArray[np.int32]) -> Ints:
    """Different pairs of pieces, ``(n, 2)``, from their numbers + 1."""
    keys = np.unique((one.astype(np.int64) - 1) * (BLOCK * BLOCK) + other - 1)
    return np.stack(np.divmod(keys, BLOCK * BLOCK), axis=1)


def _joined(parts: Iterable[NDArray[np.generic]], empty: NDArray[np.generic]) -> NDArray[Any]:
    return np.concatenate([empty, *parts])


def _components(pairs: Ints, count: int) -> Ints:
    """Which part each of so many pieces belongs to, from 0."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), np.bool_)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    if not count:
        return np.zeros(0, np.int64)
    groups: Ints = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups


def _columns(
    all_: _Together,
    shape: tuple[int, int, int],
    pixel_size_um: tuple[float, float, float] | None,
) -> ObjectColumns:
    numbers, of = np.unique(all_.numbers, return_inverse=True)
    count = len(numbers)

    def added(values: NDArray[Any], where: Ints = of) -> NDArray[np.float64]:
        found: NDArray[np.float64] = np.bincount(where, values, count).astype(np.float64)
        return found

    order = np.argsort(of, kind="stable")
    firsts = np.flatnonzero(np.diff(of[order], prepend=-1))
    low = np.column_stack([all_.z, all_.low])[order]
    high = np.column_stack([all_.z, all_.high])[order] + 1
    if count:
        low, high = np.minimum.reduceat(low, firsts), np.maximum.reduceat(high, firsts)
    sums = all_.sums
    voxels = added(sums[:, VOXELS])
    centres = np.column_stack(
        [
            added(all_.z * sums[:, VOXELS]),
            added(sums[:, SUM_Y]),
            added(sums[:, SUM_X]),
        ]
    ) / np.maximum(voxels, 1).reshape(-1, 1)
    planes = _different(of, all_.z, count)
    part_of, part = _ranked(of, all_.parts)
    part_sizes = np.bincount(part, sums[:, VOXELS], len(part_of))
    largest = np.zeros(count)
    np.maximum.at(largest, part_of, part_sizes)
    holes = _different(of, all_.flat_parts, count) - added(sums[:, EULER]) / _EULER_UNIT
    class_ids, own = _classes(all_, of, count)
    neighbours, contact = _neighbours(all_, numbers, class_ids, added(sums[:, FACES]))
    depth, height, width = shape
    at_border = (low[:, 1:] == 0).any(axis=1) | (high[:, 1] == height) | (high[:, 2] == width)
    if depth > 1:
        at_border |= (low[:, 0] == 0) | (high[:, 0] == depth)
    return ObjectColumns(
        numbers=numbers,
        class_ids=class_ids,
        voxels=voxels.astype(np.int64),
        low=low,
        high=high,
        centres=centres,
        planes=planes,
        missing=high[:, 0] - low[:, 0] - planes,
        parts=np.bincount(part_of, minlength=count).astype(np.int64),
        stray=np.rint(voxels - largest).astype(np.int64),
        holes=np.rint(holes).astype(np.int64),
        roundness=_roundness(all_, of, voxels, centres, high[:, 0] - low[:, 0], pixel_size_um),
        at_border=at_border,
        neighbours=neighbours,
        contact=contact,
        foreign=1 - own / np.maximum(voxels, 1),
    )


def _ranked(of: Ints, groups: Ints) -> tuple[Ints, Ints]:
    """The different groups of each object: whose each is, and which one each piece is in."""
    many = int(groups.max(initial=0)) + 1
    keys, place = np.unique(of * many + groups, return_inverse=True)
    return keys // many, place


def _different(of: Ints, values: Ints, count: int) -> Ints:
    """How many different values the pieces of each object have."""
    return np.bincount(_ranked(of, values)[0], minlength=count).astype(np.int64)


def _classes(
    all_: _Together, of: Ints, count: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The class of most voxels of each object, and how many have it."""
    votes = all_.votes[all_.votes[:, 1] > BACKGROUND]
    keys, place = np.unique(of[votes[:, 0]] * 256 + votes[:, 1], return_inverse=True)
    total = np.bincount(place, votes[:, 2], len(keys))
    whose, class_id = np.divmod(keys, 256)
    order = np.lexsort((-class_id, total))  # the last one written is the class of most voxels
    class_ids, own = np.zeros(count, np.uint8), np.zeros(count)
    class_ids[whose[order]] = class_id[order]
    own[whose[order]] = total[order]
    return class_ids, own


def _neighbours(
    all_: _Together, numbers: Numbers, class_ids: NDArray[np.uint8], faces: NDArray[np.float64]
) -> tuple[Numbers, NDArray[np.float64]]:
    """The object of the same class that each touches most, and by which share of its faces."""
    found = all_.contacts
    one, other = (np.searchsorted(numbers, found[:, side]) for side in (0, 1))
    there = (one < len(numbers)) & (other < len(numbers))
    one, other, shared = one[there], other[there], found[there, 2]
    alike = class_ids[one] == class_ids[other]
    count = max(1, len(numbers))
    keys, place = np.unique(one[alike] * count + other[alike], return_inverse=True)
    total = np.bincount(place, shared[alike], len(keys))
    one, other = np.divmod(keys, count)
    whose, whom, total = np.append(one, other), np.append(other, one), np.append(total, total)
    order = np.argsort(total, kind="stable")
    neighbours, contact = np.zeros(len(numbers), np.uint32), np.zeros(len(numbers))
    neighbours[whose[order]] = numbers[whom[order]]
    contact[whose[order]] = total[order] / np.maximum(faces[whose[order]], 1)
    return neighbours, contact


def _roundness(
    all_: _Together,
    of: Ints,
    voxels: NDArray[np.float64],
    centres: NDArray[np.float64],
    depths: Ints,
    pixel_size_um: tuple[float, float, float] | None,
) -> NDArray[np.float64]:
    """Area or volume over that of a disc or ball with the same largest spread."""
    count, sums = len(voxels), all_.sums
    if not count:
        return np.zeros(0)
    z = all_.z
    moments = np.zeros((count, 3, 3))
    for row, column, values in (
        (0, 0, z * z * sums[:, VOXELS]),
        (0, 1, z * sums[:, SUM_Y]),
        (0, 2, z * sums[:, SUM_X]),
        (1, 1, sums[:, SUM_YY]),
        (1, 2, sums[:, SUM_YX]),
        (2, 2, sums[:, SUM_XX]),
    ):
        moments[:, row, column] = moments[:, column, row] = np.bincount(of, values, count)
    spread = moments / voxels.reshape(-1, 1, 1) - centres[:, :, None] * centres[:, None, :]
    spread[:, [0, 1, 2], [0, 1, 2]] += 1 / 12  # of a voxel, which is no point
    is_flat = depths == 1
    size = np.array(pixel_size_um or (1.0, 1.0, 1.0))
    spread *= size[:, None] * size[None, :]
    spread[is_flat, 0, :] = spread[is_flat, :, 0] = 0
    largest = np.maximum(np.linalg.eigvalsh(spread)[:, 2], 1e-12)
    area, volume = voxels * size[1] * size[2], voxels * size.prod()
    flat = area / (4 * np.pi * largest)  # a disc of radius r: r² / 4
    deep = volume / (4 / 3 * np.pi * (5 * largest) ** 1.5)  # a ball: r² / 5
    found: NDArray[np.float64] = np.minimum(np.where(is_flat, flat, deep), 1.0)
    return found
