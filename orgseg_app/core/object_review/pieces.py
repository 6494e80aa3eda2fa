"""What the objects of one block are made of: pieces that hang together, measured by their runs.

All of it can be added up over blocks, so that an edit costs what it touched: number, voxels and
moments of a piece, faces between it and what is not it, its Euler number by the windows of 2 × 2
voxels around each voxel (S. B. Gray, Local properties of binary images in two dimensions, IEEE
Trans. Computers C-20, 1971), and the faces between two objects.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK, BlockIndex
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import NO_OBJECT, Numbers

Ints = NDArray[np.int64]

VOXELS, SUM_Y, SUM_X, SUM_YY, SUM_YX, SUM_XX, FACES, EULER = range(8)
"""Columns of `Pieces.sums`; `EULER` counts twelfths, of 8-connected pieces."""

_AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))
_WINDOWS = ((0, 2, 4), (0, 3, 5), (1, 2, 6), (1, 3, 7))  # up or down, left or right, the corner
_EULER = np.array([3, 0, 0, -1, -3, -1, -1, 0], np.int64)  # by which of these three are alike


class Pieces(NamedTuple):
    """The pieces of objects in one block, numbered from 0; p of them.

    Attributes
    ----------
    numbers
        ``(p,)`` uint32: which object.
    sums
        ``(p, 8)`` int64: voxels, Σy, Σx, Σy², Σyx, Σx², faces, Euler number × 12; voxels of the
        image.
    low, high
        ``(p, 2)`` int64: first and last row and column.
    votes
        ``(n, 3)`` int64: piece, class id, voxels.
    contacts
        ``(n, 3)`` int64: two objects, the lower number first, and the faces between them that lie
        right of or below a voxel of this block.
    edges
        ``(4, 256)``: piece + 1 along the top, bottom, left and right of the block; 0 for none.
    """

    numbers: Numbers
    sums: Ints
    low: Ints
    high: Ints
    votes: Ints
    contacts: Ints
    edges: NDArray[np.int32]


def measured(mask: Mask, index: BlockIndex) -> tuple[Pieces, NDArray[np.int32]] | None:
    """The pieces of a block, and which one each voxel is of; None without objects.

    Parameters
    ----------
    mask
        With its objects; voxels next to the block are looked at, too.

    Returns
    -------
    Pieces, numpy.ndarray
        The second is ``(256, 256)`` int32: piece + 1, 0 for none.
    """
    z, by, bx = index
    y0, x0 = by * BLOCK, bx * BLOCK
    around = mask.objects.read(z, y0 - 1, x0 - 1, y0 + BLOCK + 1, x0 + BLOCK + 1)
    inner = np.ascontiguousarray(around[1:-1, 1:-1])
    if not inner.any():
        return None
    classes = mask.read(z, y0, x0, y0 + BLOCK, x0 + BLOCK)
    starts = np.ones((BLOCK, BLOCK), np.bool_)
    starts[:, 1:] = (inner[:, 1:] != inner[:, :-1]) | (classes[:, 1:] != classes[:, :-1])
    runs = (np.cumsum(starts.ravel(), dtype=np.int32) - 1).reshape(BLOCK, BLOCK)
    first = np.flatnonzero(starts)
    lengths = np.diff(first, append=BLOCK * BLOCK)
    value = inner.ravel()[first]
    real = value != NO_OBJECT
    _, of_real = np.unique(_grouped(inner, starts, runs, len(first))[real], return_inverse=True)
    piece_of_run = np.zeros(len(first), np.int32)
    piece_of_run[real] = of_real + 1
    where = piece_of_run[runs]
    count = int(of_real.max()) + 1
    rows, columns = np.divmod(first[real], BLOCK)
    rows, columns, lengths = rows + y0, columns + x0, lengths[real]
    sums = np.zeros((count, 8), np.int64)
    _add_moments(sums, of_real, rows, columns, lengths)
    contacts = _add_edges(sums, around, where)
    low, high = _boxes(of_real, rows, columns, lengths)
    numbers = np.zeros(count, np.uint32)
    numbers[of_real] = value[real]
    pairs, place = np.unique(
        of_real * 256 + classes.ravel()[first[real]].astype(np.int64), return_inverse=True
    )
    votes = np.stack([*np.divmod(pairs, 256), _added(place, lengths, len(pairs))], axis=1)
    edges = np.stack([where[0], where[-1], where[:, 0], where[:, -1]])
    return Pieces(numbers, sums, low, high, votes, contacts, edges), where


def _added(place: Ints, values: Ints, count: int) -> Ints:
    """Whole numbers added up by place; exact below 2**53."""
    return np.bincount(place, values, count).astype(np.int64)


def _grouped(
    inner: Numbers, starts: NDArray[np.bool_], runs: NDArray[np.int32], count: int
) -> NDArray[np.int32]:
    """For each run of a block, which group it hangs together with, by sides and corners."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    up, down = inner[:-1], inner[1:]
    meet = (up == down) & (down != NO_OBJECT) & (starts[:-1] | starts[1:])
    ends = [(runs[:-1][meet], runs[1:][meet])]
    both = starts[:-1, 1:] & starts[1:, 1:]  # only there can two runs touch by a corner alone
    falls = both & (up[:, :-1] == down[:, 1:]) & (down[:, 1:] != NO_OBJECT)
    ends.append((runs[:-1, :-1][falls], runs[1:, 1:][falls]))
    rises = both & (up[:, 1:] == down[:, :-1]) & (up[:, 1:] != NO_OBJECT)
    ends.append((runs[:-1, 1:][rises], runs[1:, :-1][rises]))
    goes_on = starts[:, 1:] & (inner[:, 1:] == inner[:, :-1])  # another class of the same object
    ends.append((runs[:, :-1][goes_on], runs[:, 1:][goes_on]))
    one, other = (np.concatenate(side) for side in zip(*ends, strict=True))
    graph = coo_array((np.ones(len(one), np.bool_), (one, other)), shape=(count, count))
    groups: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return groups


def _add_moments(sums: Ints, piece: Ints, rows: Ints, columns: Ints, lengths: Ints) -> None:
    """Voxels and moments of runs that begin at these rows and columns."""
    last = columns + lengths - 1
    sum_x = (columns + last) * lengths // 2
    sum_xx = _squares(last) - _squares(columns - 1)
    for column, values in (
        (VOXELS, lengths),
        (SUM_Y, rows * lengths),
        (SUM_X, sum_x),
        (SUM_YY, rows * rows * lengths),
        (SUM_YX, rows * sum_x),
        (SUM_XX, sum_xx),
    ):
        sums[:, column] = _added(piece, values, len(sums))


def _squares(last: Ints) -> Ints:
    """0² + 1² + … + last²."""
    return last * (last + 1) * (2 * last + 1) // 6


def _boxes(piece: Ints, rows: Ints, columns: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    order = np.argsort(piece, kind="stable")
    firsts = np.flatnonzero(np.diff(piece[order], prepend=-1))
    low = np.stack([rows, columns], axis=1)[order]
    high = np.stack([rows, columns + lengths - 1], axis=1)[order]
    return np.minimum.reduceat(low, firsts), np.maximum.reduceat(high, firsts)


def _add_edges(sums: Ints, around: Numbers, where: NDArray[np.int32]) -> Ints:
    """Faces and Euler numbers of the pieces; the faces between objects are returned.

    Only voxels next to something else are looked at one by one.
    """
    inner = around[1:-1, 1:-1]
    near = np.zeros(inner.shape, np.bool_)
    for dy, dx in _AROUND:
        near |= around[1 + dy : 1 + dy + BLOCK, 1 + dx : 1 + dx + BLOCK] != inner
    near &= inner != NO_OBJECT
    place = np.flatnonzero(near)
    rows, columns = np.divmod(place, BLOCK)
    wide, flat = BLOCK + 2, around.ravel()
    at = (rows + 1) * wide + columns + 1
    own = flat[at]
    alike = [flat[at + dy * wide + dx] == own for dy, dx in _AROUND]
    piece = where.ravel()[place].astype(np.int64) - 1
    faces = 4 - sum(side.astype(np.int64) for side in alike[:4])
    euler = np.zeros(len(place), np.int64)
    for up, side, corner in _WINDOWS:
        euler += _EULER[alike[up] + 2 * alike[side] + 4 * alike[corner].astype(np.int8)]
    sums[:, FACES] = _added(piece, faces, len(sums))
    sums[:, EULER] = np.bincount(piece, euler, len(sums)).astype(np.int64)
    pairs = []
    for step in (wide, 1):
        other = flat[at + step]
        meet = (other != own) & (other != NO_OBJECT)
        pairs.append(np.stack([own[meet], other[meet]], axis=1).astype(np.uint64))
    both = np.sort(np.concatenate(pairs), axis=1)
    keys, counts = np.unique((both[:, 0] << 32) | both[:, 1], return_counts=True)
    low = keys & np.uint64(0xFFFFFFFF)
    return np.stack([(keys >> 32).astype(np.int64), low.astype(np.int64), counts], axis=1)
