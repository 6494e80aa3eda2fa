"""Skeletons of labelled planes: thinning in two turns until one voxel is left across.

Source: Z. Guo, R. W. Hall, "Parallel thinning with two-subiteration algorithms", Communications of
the ACM 32 (1989) 359–373, in the form of L. Lam, S.-W. Lee, C. Y. Suen, "Thinning methodologies – a
comprehensive survey", IEEE TPAMI 14 (1992) 869–885 (p. 879). What hangs together by 8 neighbours
stays together, holes stay holes. Each voxel's neighbourhood is kept as a number, and only those
beside a voxel taken away are looked at again: the work grows with the voxels taken away and not
with the plane.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.stopping import StoppedError

Labels = NDArray[np.int32]

_AROUND = ((0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1))
"""x₁ … x₈ of the papers: steps (y, x) from the right, anticlockwise."""


def _may_go(second: bool) -> NDArray[np.bool_]:
    """Of each of the 256 neighbourhoods (bit k for xₖ₊₁), whether the middle goes, ``(256,)``."""
    x = (np.arange(256)[:, None] >> np.arange(8) & 1).astype(bool)
    after = np.roll(x, -1, axis=1)
    odd, even = slice(0, 8, 2), slice(1, 8, 2)
    once = (~x[:, odd] & (x[:, even] | np.roll(x[:, odd], -1, axis=1))).sum(axis=1) == 1
    pairs = np.minimum(
        (x[:, odd] | after[:, odd]).sum(axis=1), (x[:, even] | after[:, even]).sum(axis=1)
    )
    if second:
        side = (x[:, 5] | x[:, 6] | ~x[:, 3]) & x[:, 4]
    else:
        side = (x[:, 1] | x[:, 2] | ~x[:, 7]) & x[:, 0]
    goes: NDArray[np.bool_] = once & (pairs >= 2) & (pairs <= 3) & ~side
    return goes


_GOES = (_may_go(second=False), _may_go(second=True))
_GOES_EVER = _GOES[0] | _GOES[1]


def thinned(labels: Labels, *, goes_on: Callable[[], bool] = lambda: True) -> Labels:
    """The skeleton of each object; voxels of other objects count as outside.

    Parameters
    ----------
    labels
        ``(Y, X)`` int32, 0 outside.
    goes_on
        Asked every turn; False gives up.

    Returns
    -------
    numpy.ndarray
        ``(Y, X)`` int32.

    Raises
    ------
    StoppedError
        When given up.

    Examples
    --------
    >>> thinned(np.array([[1, 1, 1, 1, 1]] * 3, np.int32)).tolist()
    [[0, 0, 0, 0, 0], [0, 1, 1, 1, 0], [0, 0, 0, 0, 0]]
    """
    inside, around = _neighbourhoods(labels)
    steps = np.array([dy * (labels.shape[1] + 2) + dx for dy, dx in _AROUND])
    waiting = [np.flatnonzero(goes[around] & inside) for goes in _GOES]
    owner = np.zeros(len(inside), np.int32)
    turn = 0
    while len(waiting[0]) or len(waiting[1]):
        if not goes_on():
            raise StoppedError
        asked, waiting[turn] = waiting[turn], np.zeros(0, np.int64)
        gone = asked[_GOES[turn].take(around.take(asked)) & inside.take(asked)]
        inside[gone] = False
        beside = [gone[:0]]
        for bit, step in enumerate(steps):
            # seen from the neighbour, the voxel lies opposite
            places = gone + step
            after = around.take(places) & np.uint8(255 ^ (1 << (bit + 4) % 8))
            around[places] = after
            beside.append(places[_GOES_EVER.take(after)])
        changed = np.concatenate(beside)
        changed = changed[inside.take(changed)]
        after = around.take(changed)
        for other in (0, 1):
            new = changed[_GOES[other].take(after)]
            both = np.concatenate((waiting[other], new))
            numbers = np.arange(len(both), dtype=np.int32)
            owner[both] = numbers
            waiting[other] = both[owner.take(both) == numbers]  # each once
        turn = 1 - turn
    left = inside.reshape(labels.shape[0] + 2, labels.shape[1] + 2)[1:-1, 1:-1]
    return np.where(left, labels, 0)


def _neighbourhoods(labels: Labels) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """What is inside, and bit k where the neighbour at step k is of the same object; both flat,
    with a frame of one voxel.
    """
    framed = np.zeros((labels.shape[0] + 2, labels.shape[1] + 2), np.int32)
    framed[1:-1, 1:-1] = labels
    around = np.zeros(framed.shape, np.uint8)
    height, width = labels.shape
    for bit, (dy, dx) in enumerate(_AROUND):
        same = framed[1 + dy : height + 1 + dy, 1 + dx : width + 1 + dx] == labels
        around[1:-1, 1:-1] |= same.view(np.uint8) << np.uint8(bit)
    return (framed > 0).ravel(), around.ravel()
