"""One body taken for several that touch: cut where it is narrow.

Each peak of the distance to the outside is the middle of a part. How much a peak stands out is its
dynamics: how far one must come down from it to reach a higher one (M. Grimaud, A new measure of
contrast: the dynamics, SPIE 1769, 1992). The peaks that stand out most are flooded from.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Where = NDArray[np.bool_]
Distances = NDArray[np.float32]

_LEVELS = 48
_LOOKED_AT = 1 << 17  # voxels; of larger bodies every second, third … one is looked at for peaks
_NECK, _NECK_VOXELS = 0.15, 1.0
"""A neck narrower by this share of a part, and by this many voxels, is one to cut at."""


class Peak(NamedTuple):
    """The middle of a part.

    Attributes
    ----------
    place
        Of its voxel.
    height
        Distance from there to the outside.
    dynamics
        How much it stands out; as much as its height where it is the highest of its piece.
    """

    place: tuple[int, ...]
    height: float
    dynamics: float


def distances(where: Where, sampling: tuple[float, ...] | None = None) -> Distances:
    """How far each voxel is from the outside, which begins at the edge of the array, too."""
    from scipy import ndimage

    padded = np.pad(where, 1)
    found = ndimage.distance_transform_edt(padded, sampling=sampling)
    return np.asarray(found[(slice(1, -1),) * where.ndim], np.float32)


def peaks(far: Distances) -> list[Peak]:
    """The peaks of the distance of a body to the outside, those that stand out most first."""
    from scipy import ndimage

    step = max(1, int(np.ceil((far.size / _LOOKED_AT) ** (1 / far.ndim))))
    coarse = far[(slice(None, None, step),) * far.ndim]
    top = float(coarse.max(initial=0))
    if not top:
        return []
    levels = np.ceil(coarse / top * _LEVELS).astype(np.uint8)
    around = np.ones((3,) * far.ndim)
    alive: list[tuple[tuple[int, ...], float]] = []
    found: list[Peak] = []
    for level in range(_LEVELS, 0, -1):
        labels, count = ndimage.label(levels >= level, around)
        owner: dict[int, tuple[tuple[int, ...], float]] = {}
        for place, height in alive:  # the highest first
            label = int(labels[place])
            if label in owner:
                found.append(Peak(place, height, height - level / _LEVELS * top))
            else:
                owner[label] = place, height
        new = sorted(set(range(1, count + 1)) - set(owner))
        if new:
            for place in ndimage.maximum_position(coarse, labels, new):
                here = tuple(int(p) for p in place)
                owner[int(labels[here])] = here, float(coarse[here])
        alive = sorted(owner.values(), key=lambda peak: -peak[1])
    found += [Peak(place, height, height) for place, height in alive]
    found.sort(key=lambda peak: (-peak.dynamics, -peak.height, peak.place))
    return [peak._replace(place=tuple(p * step for p in peak.place)) for peak in found]


def usual_count(found: list[Peak]) -> int:
    """How many parts a body seems to have; 2 at least, where it has two peaks."""
    clear = [p for p in found if p.dynamics >= max(_NECK_VOXELS, _NECK * p.height)]
    return max(len(clear), min(2, len(found)))


def divided(where: Where, far: Distances, found: list[Peak], count: int) -> NDArray[np.int32]:
    """The parts of a body, from 1, the largest first; 0 outside.

    Parameters
    ----------
    where
        ``(Y, X)`` or ``(Z, Y, X)``.
    far
        As `distances` gives it.
    found
        Its `peaks`.
    count
        How many of them become parts.
    """
    from orgseg_app.core.instances.flooding import flood

    seeds = np.zeros(where.shape, np.int32)
    for number, peak in enumerate(found[:count], 1):
        seeds[peak.place] = number
    top = float(far.max(initial=0)) or 1.0
    depth = np.rint(far / top * 255).astype(np.uint8)
    labels = flood(seeds, depth, where, 255)
    labels[where & (labels == 0)] = 1  # pieces without a peak of their own stay with the first
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    rank = np.zeros(len(sizes) + 1, np.int32)
    rank[1 + np.argsort(-sizes, kind="stable")] = np.arange(1, len(sizes) + 1)
    return rank[labels]
