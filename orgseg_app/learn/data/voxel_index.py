"""Finding painted voxels among many planes, without a list of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_BLOCK = 32


class Painted(Protocol):
    """What a plane with paint looks like from here."""

    @property
    def target(self) -> NDArray[np.uint8]:
        """``(Y, X)`` class indices; those of no class are unlabelled."""

    @property
    def weights(self) -> NDArray[np.float32] | None:
        """``(Y, X)``, how much each voxel counts; None when all count 1."""


class VoxelIndex:
    """Finds the n-th voxel of a class: counts of each block of 32 × 32, then a look into one.

    Voxels of weight 0 are not learnt from, so they are not found.

    Parameters
    ----------
    planes
        Kept, not copied.
    classes
        Number of classes.

    Attributes
    ----------
    class_voxels
        Number of voxels of each class.
    """

    def __init__(self, planes: Sequence[Painted], classes: int) -> None:
        self._planes = planes
        plane_of: list[NDArray[np.int64]] = []
        block_of: list[NDArray[np.int64]] = []
        counts: list[NDArray[np.int64]] = []
        for index, plane in enumerate(planes):
            table = _block_counts(plane, classes)
            kept = np.flatnonzero(table.any(axis=1))
            plane_of.append(np.full(len(kept), index))
            block_of.append(kept)
            counts.append(table[kept])
        empty = np.zeros((0, classes), np.int64)
        self._plane_of = np.concatenate([np.zeros(0, np.int64), *plane_of])
        self._block_of = np.concatenate([np.zeros(0, np.int64), *block_of])
        self._ends = np.cumsum(np.concatenate([empty, *counts]), axis=0)
        self.class_voxels = [int(n) for n in self._ends[-1]] if len(self._ends) else [0] * classes

    def voxel(self, class_index: int, number: int) -> tuple[int, int, int]:
        """(plane, y, x) of voxel `number` (from 0) of a class."""
        ends = self._ends[:, class_index]
        row = int(np.searchsorted(ends, number, side="right"))
        inside = number - (int(ends[row - 1]) if row else 0)
        plane_index = int(self._plane_of[row])
        plane = self._planes[plane_index]
        columns = -(-plane.target.shape[1] // _BLOCK)
        y0, x0 = (int(n) * _BLOCK for n in divmod(int(self._block_of[row]), columns))
        place = (slice(y0, y0 + _BLOCK), slice(x0, x0 + _BLOCK))
        hits = plane.target[place] == class_index
        if plane.weights is not None:
            hits &= plane.weights[place] > 0
        y, x = divmod(int(np.flatnonzero(hits)[inside]), hits.shape[1])
        return plane_index, y0 + y, x0 + x


def _block_counts(plane: Painted, classes: int) -> NDArray[np.int64]:
    """Voxels of each class in each block, ``(blocks, classes)`` in reading order."""
    target = plane.target
    height, width = target.shape
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    out = np.zeros((rows * columns, classes), np.int64)
    for class_index in np.unique(target):
        if class_index < classes:
            hits = target == class_index
            if plane.weights is not None:
                hits &= plane.weights > 0
            a = np.add.reduceat(
                hits.view(np.uint8), np.arange(0, height, _BLOCK), axis=0, dtype=np.int64
            )
            a = np.add.reduceat(a, np.arange(0, width, _BLOCK), axis=1)
            out[:, class_index] = a.ravel()
    return out
