"""Patches: where the network looks at each step.

Randomness has no state: what patch number *i* of step *s* shows follows from the run's seed, *s*
and *i* alone. So a run continued after a kill sees exactly what it would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.learn.augment import AUGMENTATIONS

IGNORED = 255
"""Class index of an unlabelled voxel in a target."""

_BLOCK = 32


@dataclass(frozen=True)
class LabelledPlane:
    """One plane with paint on it, ready to learn from or to score on.

    Attributes
    ----------
    image_id, name, z
        Where it comes from.
    pixels
        ``(C, Y, X)`` float32, preprocessed.
    target
        ``(Y, X)`` uint8: class index (position in the project's class list), `IGNORED` where
        nothing is painted.
    """

    image_id: str
    name: str
    z: int
    pixels: NDArray[np.float32]
    target: NDArray[np.uint8]


@dataclass(frozen=True)
class Batch:
    """Patches of one step.

    Attributes
    ----------
    pixels
        ``(N, C, P, P)`` float32.
    target
        ``(N, P, P)`` uint8 class indices.
    weights
        ``(N, P, P)`` float32; 0 = unlabelled.
    """

    pixels: NDArray[np.float32]
    target: NDArray[np.uint8]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.pixels)

    def part(self, start: int, stop: int) -> Batch:
        """Some of the patches."""
        return Batch(self.pixels[start:stop], self.target[start:stop], self.weights[start:stop])


class PatchSampler:
    """Draws square patches that contain paint, each class as often as any other.

    A class is drawn (all painted ones alike), then one of its voxels (all alike), then a window in
    which this voxel may lie anywhere; the window is moved inside the image where it sticks out. An
    image smaller than the patch is continued by its mirror image, which nobody learns from.

    Parameters
    ----------
    planes
        Planes with paint.
    classes
        Number of classes of the project.
    patch_size
        Side in pixels.
    augmentation
        A key of `AUGMENTATIONS`.
    seed
        The run's.

    Raises
    ------
    ValueError
        With a sentence, when nothing is painted.
    """

    def __init__(
        self,
        planes: Sequence[LabelledPlane],
        *,
        classes: int,
        patch_size: int,
        augmentation: str,
        seed: int,
    ) -> None:
        self.planes = planes
        self.patch_size = patch_size
        self.seed = seed
        self._turn = AUGMENTATIONS[augmentation]
        self._index = _VoxelIndex(planes, classes)
        self.class_voxels = self._index.class_voxels
        self._painted = [k for k, n in enumerate(self.class_voxels) if n]
        if not self._painted:
            raise ValueError("Nothing is painted on the training images. Paint a little first.")

    def batch(self, step: int, size: int) -> Batch:
        """The patches of a step.

        Parameters
        ----------
        step
            From 0.
        size
            Number of patches.
        """
        p, channels = self.patch_size, self.planes[0].pixels.shape[0]
        pixels = np.empty((size, channels, p, p), np.float32)
        target = np.empty((size, p, p), np.uint8)
        for i in range(size):
            pixels[i], target[i] = self._patch(step, i)
        return Batch(pixels, target, (target != IGNORED).astype(np.float32))

    def _patch(self, step: int, index: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        random = np.random.default_rng([self.seed, step, index])
        class_index = self._painted[int(random.integers(len(self._painted)))]
        number = int(random.integers(self.class_voxels[class_index]))
        jitter = random.integers(self.patch_size, size=2)
        turn = self._turn(random)

        plane_index, y, x = self._index.voxel(class_index, number)
        plane = self.planes[plane_index]
        pixels, target = cut_window(
            plane.pixels, plane.target, int(y - jitter[0]), int(x - jitter[1]), self.patch_size
        )
        return turn.apply(pixels), turn.apply(target)


def cut_window(
    pixels: NDArray[np.float32], target: NDArray[np.uint8], y: int, x: int, size: int
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A square window, moved inside the image; past a small image its mirror image, unlabelled.

    Parameters
    ----------
    pixels, target
        ``(C, Y, X)`` float32 and ``(Y, X)`` uint8.
    y, x
        Wanted top left corner; may lie outside.
    size
        Side in pixels.
    """
    height, width = target.shape
    y = min(max(y, 0), max(height - size, 0))
    x = min(max(x, 0), max(width - size, 0))
    pixels = pixels[:, y : y + size, x : x + size]
    target = target[y : y + size, x : x + size]
    below, right = size - target.shape[0], size - target.shape[1]
    if below or right:
        pixels = np.pad(pixels, ((0, 0), (0, below), (0, right)), mode="symmetric")
        target = np.pad(target, ((0, below), (0, right)), constant_values=IGNORED)
    return pixels, target


class _VoxelIndex:
    """Finds the n-th voxel of a class without a list of all voxels: counts a block, then looks."""

    def __init__(self, planes: Sequence[LabelledPlane], classes: int) -> None:
        self._planes = planes
        plane_of: list[NDArray[np.int64]] = []
        block_of: list[NDArray[np.int64]] = []
        counts: list[NDArray[np.int64]] = []
        for index, plane in enumerate(planes):
            table = _block_counts(plane.target, classes)
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
        target = self._planes[plane_index].target
        columns = -(-target.shape[1] // _BLOCK)
        y0, x0 = (int(n) * _BLOCK for n in divmod(int(self._block_of[row]), columns))
        block = target[y0 : y0 + _BLOCK, x0 : x0 + _BLOCK]
        y, x = divmod(int(np.flatnonzero(block == class_index)[inside]), block.shape[1])
        return plane_index, y0 + y, x0 + x


def _block_counts(target: NDArray[np.uint8], classes: int) -> NDArray[np.int64]:
    """Voxels of each class in each block of 32 × 32, ``(blocks, classes)`` in reading order."""
    height, width = target.shape
    rows, columns = -(-height // _BLOCK), -(-width // _BLOCK)
    out = np.zeros((rows * columns, classes), np.int64)
    for class_index in np.unique(target):
        if class_index < classes:
            hits = (target == class_index).view(np.uint8)
            a = np.add.reduceat(hits, np.arange(0, height, _BLOCK), axis=0, dtype=np.int64)
            a = np.add.reduceat(a, np.arange(0, width, _BLOCK), axis=1)
            out[:, class_index] = a.ravel()
    return out
