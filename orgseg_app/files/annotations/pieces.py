"""Large label images a few rows at a time, so that an import can be given up in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files import giving_up

_PIECE_VOXELS = 4 * 2**20

Labels = NDArray[np.integer[Any]]


def pieces(shape: tuple[int, ...]) -> Iterator[tuple[int, slice]]:
    """Plane and rows of each piece of ``(Z, Y, X)``; asks before each whether to go on."""
    depth, height, width = shape
    rows = max(1, _PIECE_VOXELS // max(1, width))
    for z in range(depth):
        for top in range(0, height, rows):
            giving_up.ask()
            yield z, slice(top, top + rows)


def distinct(labels: Labels) -> NDArray[np.integer[Any]]:
    """All values of ``(Z, Y, X)`` in order, as `numpy.unique` gives them."""
    found = np.empty(0, labels.dtype)
    for place in pieces(labels.shape):
        part = labels[place].ravel()
        if part.dtype in (np.uint8, np.uint16):  # counting is many times faster than sorting
            there = np.flatnonzero(np.bincount(part)).astype(part.dtype)
        else:
            there = np.unique(part)
        found = np.union1d(found, there)
    return found
