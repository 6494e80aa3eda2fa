"""Components and marker watershed of planes and volumes, in whole-array steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int32]
"""``(Y, X)`` or ``(Z, Y, X)``, 0 where there is nothing."""

Places = NDArray[np.int64]
"""Where voxels are in a flat array."""

Check = Callable[[], None]
"""Called between two steps of long work; raises to stop it."""

STEPS = 16
"""Heights at which a flood halts: between two of them it spreads evenly, whatever the depth."""


def go_on() -> None:
    """The check of work that nobody stops."""


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
    seeds: Labels,
    depth: NDArray[np.uint8],
    inside: NDArray[np.bool_],
    height: int,
    check: Check = go_on,
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
    check
        Called now and then; raises to stop.

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
    labels, halts = np.zeros(shape, np.int32), np.full(shape, STEPS, np.uint8)
    np.copyto(labels[within], seeds[box], where=inside[box])
    is_open = inside[box] & (labels[within] == 0)
    np.copyto(halts[within], _halt_of(depth[box], height), where=is_open)
    strides = [int(np.prod(shape[axis + 1 :])) for axis in range(len(shape))]
    _grow(labels.reshape(-1), halts.reshape(-1), [s for n in strides for s in (-n, n)], check)
    found = np.zeros(seeds.shape, np.int32)
    found[box] = labels[within]
    return found


def _halt_of(depth: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """At which halt voxels are flooded, by their depth: the deepest at 0."""
    import cv2

    fall = (height - np.arange(256)) * (STEPS - 1) // max(height, 1)
    table = np.clip(fall, 0, STEPS - 1).astype(np.uint8)
    flat = np.ascontiguousarray(depth).reshape(len(depth), -1)
    return np.asarray(cv2.LUT(flat, table), np.uint8).reshape(depth.shape)


def _grow(labels: Labels, halts: NDArray[np.uint8], steps: Sequence[int], check: Check) -> None:
    """Flood flat arrays in place, halt by halt; who is discovered early waits for its halt.

    Parameters
    ----------
    halts
        `STEPS` where nothing may grow, or where something has grown.
    steps
        To each neighbour.
    """
    waiting: list[list[tuple[Places, Labels]]] = [[] for _ in range(STEPS)]
    is_held, is_open = labels > 0, halts < STEPS
    for step in steps:
        beside = np.flatnonzero(is_open & np.roll(is_held, -step))
        waiting[0].append(_those_now(waiting, halts, beside, labels[beside + step], 0))
    del is_held, is_open
    around = np.array(steps)[:, np.newaxis]
    rank = np.zeros(len(labels), np.int32)
    for halt in range(STEPS):
        if not waiting[halt]:
            continue
        places, owners = (np.concatenate(side) for side in zip(*waiting[halt], strict=True))
        waiting[halt] = []
        while len(places):
            check()
            ranks = np.arange(len(places), dtype=np.int32)
            rank[places] = ranks  # who is discovered twice counts once: the last one has it
            first = np.flatnonzero((rank[places] == ranks) & (halts[places] < STEPS))
            places, owners = places[first], owners[first]
            labels[places], halts[places] = owners, STEPS
            beside, heirs = (places + around).reshape(-1), np.tile(owners, len(around))
            places, owners = _those_now(waiting, halts, beside, heirs, halt)


def _those_now(
    waiting: list[list[tuple[Places, Labels]]],
    halts: NDArray[np.uint8],
    places: Places,
    owners: Labels,
    now: int,
) -> tuple[Places, Labels]:
    """Of places that were discovered, those to flood at once; the others wait for their halt."""
    at = halts[places]
    later = np.flatnonzero((at > now) & (at < STEPS))
    if len(later):
        then = at[later]
        for halt in range(now + 1, STEPS):
            some = later[then == halt]
            if len(some):
                waiting[halt].append((places[some], owners[some]))
    at_once = np.flatnonzero(at <= now)
    return places[at_once], owners[at_once]


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


def filled(labels: Labels) -> Labels:
    """Labels with what each of them alone encloses."""
    holes, count = components(labels == 0)
    if not count:
        return labels
    is_open = np.zeros(count + 1, np.bool_)
    for axis in range(labels.ndim):
        for end in (0, -1):
            is_open[np.unique(holes.take(end, axis=axis))] = True
    is_open[0] = True
    if is_open.all():
        return labels
    where = np.flatnonzero(~is_open[holes])
    hole = holes.ravel()[where]
    highest, lowest = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    top = int(labels.max()) + 1
    np.maximum.at(highest, hole, neighbours_highest(labels).ravel()[where])
    turned = np.where(labels > 0, top - labels, 0)
    np.maximum.at(lowest, hole, neighbours_highest(turned).ravel()[where])
    owner = np.where(highest == top - lowest, highest, 0)
    whole = labels.ravel().copy()
    whole[where] = owner[hole]
    return whole.reshape(labels.shape)
