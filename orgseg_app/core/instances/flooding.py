"""Components and marker watershed of planes and volumes, in whole-array steps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
"""``(Y, X)`` or ``(Z, Y, X)``, 0 where there is nothing."""

STEPS = 16
"""Heights at which a flood halts: between two of them it spreads evenly, whatever the depth."""


def components(mask: NDArray[np.bool_]) -> tuple[Labels, int]:
    """Pieces of a plane or a volume whose voxels share faces, numbered from 1 on, and how many."""
    if mask.ndim == 2:
        import cv2

        plane = np.ascontiguousarray(mask).view(np.uint8)
        pieces, found = cv2.connectedComponents(plane, connectivity=4, ltype=cv2.CV_32S)
        return np.asarray(found, np.int32), pieces - 1
    from scipy import ndimage

    labels = np.empty(mask.shape, np.int32)
    return labels, int(ndimage.label(mask, output=labels))


def neighbours_highest(labels: Labels) -> Labels:
    """The highest label among each voxel and those that share a face with it."""
    import cv2

    # Dilation knows no int32; numbers are exact up to 2²⁴ in float32.
    highest = int(labels.max(initial=0))
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    values: NDArray[Any] = labels.astype(
        np.uint16 if highest < 1 << 16 else np.float32 if highest < 1 << 24 else np.float64
    )
    if labels.ndim == 2:
        return np.asarray(cv2.dilate(values, kernel), np.int32)
    found = np.stack([cv2.dilate(plane, kernel) for plane in values])
    np.maximum(found[1:], values[:-1], out=found[1:])
    np.maximum(found[:-1], values[1:], out=found[:-1])
    return found.astype(np.int32)


def flood(
    seeds: Labels, depth: NDArray[np.uint8], inside: NDArray[np.bool_], height: int
) -> Labels:
    """Let seeds grow over the inside, the deepest voxels first, ring by ring.

    Only the ring that was flooded last is looked at, so that the time follows what is flooded, not
    how many rings there are.

    Parameters
    ----------
    seeds
        Where each begins.
    depth
        As large; what lies deep is flooded before what lies near an edge.
    inside
        Where they may grow. What hangs together with no seed stays 0.
    height
        Where the flood begins; nothing that is deeper is left between seeds.

    Returns
    -------
    numpy.ndarray
        int32. Where two seeds meet in the same ring, always the same one of them wins.

    Examples
    --------
    The line runs where the depth is least.

    >>> depth = np.array([[9, 7, 5, 1, 8, 9]], np.uint8)
    >>> seeds = np.array([[1, 0, 0, 0, 0, 2]], np.int32)
    >>> flood(seeds, depth, np.ones((1, 6), bool), 9).tolist()
    [[1, 1, 1, 1, 2, 2]]
    """
    box = _box(inside)
    if box is None:
        return np.zeros(seeds.shape, np.int32)
    # A rim of one voxel that nothing grows into, so that a neighbour is a step in a flat array.
    shape = tuple(part.stop - part.start + 2 for part in box)
    within = (slice(1, -1),) * len(shape)
    wide = np.zeros(shape, np.int32)
    wide[within] = np.where(inside[box], seeds[box], 0)
    steps_down = np.full(shape, STEPS, np.uint8)
    fall = (np.int32(height) - depth[box]) * (STEPS - 1)
    steps_down[within] = np.where(inside[box], np.clip(fall // max(height, 1), 0, STEPS - 1), STEPS)
    labels, halts = wide.reshape(-1), steps_down.reshape(-1)
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    neighbours = np.array([s for stride in strides for s in (-stride, stride)])
    _grow(labels, halts, neighbours)
    found = np.zeros(seeds.shape, np.int32)
    found[box] = wide[within]
    return found


def _grow(labels: Labels, halts: NDArray[np.uint8], neighbours: NDArray[np.int64]) -> None:
    """Flood a flat array in place, halt by halt; who is discovered early waits for its halt."""
    left = np.flatnonzero((labels == 0) & (halts < STEPS))
    waiting: list[list[tuple[NDArray[np.int64], Labels]]] = [[] for _ in range(STEPS)]

    def wait(places: NDArray[np.int64], owners: Labels, now: int) -> None:
        at = np.maximum(halts[places], now)
        for halt in np.flatnonzero(np.bincount(at, minlength=1)).tolist():
            is_here = at == halt
            waiting[halt].append((places[is_here], owners[is_here]))

    for step in neighbours:
        owners = labels[left + step]
        is_found = owners > 0
        wait(left[is_found], owners[is_found], 0)
    order = np.zeros(len(labels), np.int32)
    for halt in range(STEPS):
        while waiting[halt]:
            ring, waiting[halt] = waiting[halt], []
            places = np.concatenate([p for p, _ in ring])
            owners = np.concatenate([o for _, o in ring])
            is_dry = labels[places] == 0
            places, owners = places[is_dry], owners[is_dry]
            order[places] = np.arange(len(places))  # who is found twice counts once
            is_last = order[places] == np.arange(len(places))
            places, owners = places[is_last], owners[is_last]
            labels[places] = owners
            for step in neighbours:
                beside = places + step
                is_open = (labels[beside] == 0) & (halts[beside] < STEPS)
                if is_open.any():
                    wait(beside[is_open], owners[is_open], halt)


def _box(inside: NDArray[np.bool_]) -> tuple[slice, ...] | None:
    """The smallest region that holds everything; None where there is nothing."""
    region = []
    for axis in range(inside.ndim):
        others = tuple(a for a in range(inside.ndim) if a != axis)
        held = np.flatnonzero(inside.any(axis=others))
        if not len(held):
            return None
        region.append(slice(int(held[0]), int(held[-1]) + 1))
    return tuple(region)
