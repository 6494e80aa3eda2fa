"""Maps of a network become objects: seeds, and a flood that starts from them.

Two maps are needed, 0…255 or 0…1: how likely a voxel belongs to any structure, and how deep in an
object it lies (`seed_map`). Where the second is above a height there is a seed; the foreground
around several seeds is divided by a marker watershed of the depth (Meyer and Beucher 1990, Journal
of Visual Communication and Image Representation 1), in steps of height.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.instances.flooding import Labels, components, flood, neighbours_highest
from orgseg_app.core.instances.targets import EDGE, INTERIOR, Target
from orgseg_app.core.parameter import Parameter, complete

Map = NDArray[np.uint8]

PARAMETERS: Mapping[str, Parameter] = {
    "threshold": Parameter(
        0.5, 0.02, 0.98, "How likely a pixel must be any structure to belong to an object."
    ),
    "seeds": Parameter(
        0.5,
        0.02,
        0.98,
        "How sure the network must be of the inside of an object. Higher takes more objects "
        "apart; lower keeps more of them whole.",
    ),
    "smoothing": Parameter(
        1, 0, 10, "How far the map of insides is smoothed first, in pixels; evens out speckles."
    ),
    "min_size": Parameter(
        10,
        0,
        1_000_000,
        "Smallest object in pixels (voxels in volumes); smaller ones go to their neighbour, or "
        "vanish.",
    ),
}


@dataclass(frozen=True)
class GroupingParameters:
    """Everything that decides how maps become objects.

    Attributes
    ----------
    threshold, seeds, smoothing, min_size
        See `PARAMETERS`.
    fill_holes
        Whether what one object encloses belongs to it.
    drop_border
        Whether objects that the image cuts at its sides are left out; the first and the last plane
        of a volume are no sides.

    Raises
    ------
    ValueError
        With a sentence, for a value out of range.
    """

    threshold: float = float(PARAMETERS["threshold"].default)
    seeds: float = float(PARAMETERS["seeds"].default)
    smoothing: float = float(PARAMETERS["smoothing"].default)
    min_size: int = int(PARAMETERS["min_size"].default)
    fill_holes: bool = True
    drop_border: bool = False

    def __post_init__(self) -> None:
        complete("settings", "objects", {k: getattr(self, k) for k in PARAMETERS}, PARAMETERS)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> GroupingParameters:
        """Parameters as `to_dict` wrote them; what is missing has its usual value.

        Raises
        ------
        ValueError
            With a sentence, for an unknown name, a value of another kind or out of range.
        """
        given: dict[str, Any] = {}
        kinds: dict[str, type[float | int | bool]]
        kinds = {name: type(value) for name, value in cls().to_dict().items()}
        for name, value in data.items():
            kind = kinds.get(name)
            if kind is None:
                raise ValueError(f"Objects have no setting {name!r}.")
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not (isinstance(value, bool) if kind is bool else is_number):
                raise ValueError(f"The setting {name!r} of objects cannot be {value!r}.")
            if kind is int and not (math.isfinite(value) and value == int(value)):
                raise ValueError(f"The setting {name!r} of objects is a whole number.")
            given[name] = kind(value)
        return cls(**given)


def as_map(values: NDArray[np.generic]) -> Map:
    """A map of 0…1 in 256 steps; one of uint8 as it is.

    Whoever groups maps, live or in a batch, groups these: all get the same objects.
    """
    if values.dtype == np.uint8:
        return np.asarray(values, np.uint8)
    scaled = np.clip(np.asarray(values, np.float32), 0, 1) * np.float32(255)
    steps: Map = np.rint(scaled).astype(np.uint8)
    return steps


def seed_map(target: Target, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """How deep in an object voxels lie, from all that a network says of them beside the classes.

    Parameters
    ----------
    target
        What the network learnt.
    maps
        ``(outputs, …)`` float32 in 0…1: probabilities of outside, interior and edge, then depth;
        those the target has.

    Returns
    -------
    numpy.ndarray
        float32 in 0…1: the interior's probability, the depth, or what the two agree on: their
        geometric mean.
    """
    found: NDArray[np.float32] = maps[INTERIOR] if target.has_boundary else maps[0]
    if target.has_boundary and target.has_distance:
        found = np.sqrt(found * maps[EDGE + 1])
    return found


def group(
    foreground: NDArray[np.generic],
    seeds: NDArray[np.generic] | None,
    parameters: GroupingParameters | None = None,
    *,
    voxel_size: tuple[float, ...] | None = None,
) -> NDArray[np.uint32]:
    """Objects from the maps of a plane or a volume.

    Parameters
    ----------
    foreground
        ``(Y, X)`` or ``(Z, Y, X)``, uint8 or float: how likely any structure is.
    seeds
        As large: how deep in an object a voxel lies (`seed_map`). None: every connected component
        is one object.
    parameters
        The usual ones unless given.
    voxel_size
        Of each axis, in any unit; says how far smoothing reaches across planes.

    Returns
    -------
    numpy.ndarray
        uint32, 0 where there is no object, objects from 1 on without a gap, each in one piece:
        voxels that share a face hang together. A piece of foreground without a seed is one object.

    Raises
    ------
    ValueError
        When the maps differ in shape, or are neither planes nor volumes.
    """
    parameters = parameters or GroupingParameters()
    if foreground.ndim not in (2, 3):
        raise ValueError(f"A map has two or three axes, not {foreground.ndim}.")
    if seeds is not None and seeds.shape != foreground.shape:
        raise ValueError(f"Maps differ in shape: {foreground.shape} and {seeds.shape}.")
    if not foreground.size:  # OpenCV ends the process over nothing
        return np.zeros(foreground.shape, np.uint32)
    inside = as_map(foreground) >= max(1, round(parameters.threshold * 255))
    labels, count = components(inside)
    if seeds is not None and count:
        depth = _smoothed(as_map(seeds), parameters.smoothing, voxel_size)
        labels, count = _divided(labels, count, depth, parameters)
    if parameters.fill_holes and count:
        labels = _filled(labels)
    keep = np.bincount(labels.ravel(), minlength=count + 1) >= max(1, parameters.min_size)
    if parameters.drop_border:
        for edge in (labels[..., 0, :], labels[..., -1, :], labels[..., 0], labels[..., -1]):
            keep[np.unique(edge)] = False
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.uint32)[labels]


def _divided(
    labels: Labels, count: int, depth: Map, parameters: GroupingParameters
) -> tuple[Labels, int]:
    """Components of the foreground, those with several seeds divided among them."""
    height = max(1, round(parameters.seeds * 255))
    seeds, seed_count = components((depth >= height) & (labels > 0))
    where = np.flatnonzero(seeds)
    home = np.zeros(seed_count + 1, np.int64)
    home[seeds.ravel()[where]] = labels.ravel()[where]
    is_shared = np.bincount(home[1:], minlength=count + 1) > 1
    if not is_shared.any():
        return labels, count
    shared = is_shared[labels]
    found = flood(np.where(shared, seeds, 0), depth, shared, height)
    gone = np.zeros(seed_count + 1, np.bool_)
    while True:
        sizes = np.bincount(found.ravel(), minlength=seed_count + 1)
        too_small = is_shared[home] & (sizes < parameters.min_size) & ~gone
        too_small[_largest(sizes, home, count)] = False
        if not too_small[1:].any():
            break
        # Their seeds go, and what they were in is flooded again: it falls to their neighbours.
        gone |= too_small
        again = np.zeros(count + 1, np.bool_)
        again[home[too_small]] = True
        again[0] = False
        where_again = again[labels]
        rivals = np.where(where_again & ~gone[seeds], seeds, 0)
        found = np.where(where_again, flood(rivals, depth, where_again, height), found)
    # Pieces that no seed reaches cannot be: each component hangs together.
    whole = np.where(shared, 0, labels)
    return np.where(found > 0, found + count, whole), count + seed_count


def _largest(sizes: NDArray[np.int64], home: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The seed with most voxels of each component."""
    order = np.argsort(sizes, kind="stable")
    best = np.zeros(count + 1, np.int64)
    best[home[order]] = order
    return best[1:]


def _smoothed(depth: Map, sigma: float, voxel_size: tuple[float, ...] | None) -> Map:
    """The depth, blurred within planes and, as far in micrometres, across them."""
    if not sigma:
        return depth
    import cv2

    if depth.ndim == 2:
        return np.asarray(cv2.GaussianBlur(depth, (0, 0), sigma), np.uint8)
    from scipy import ndimage

    size = voxel_size or (1.0, 1.0, 1.0)
    planes = np.stack([cv2.GaussianBlur(plane, (0, 0), sigma) for plane in depth])
    across = sigma * size[-1] / size[0]
    return np.asarray(ndimage.gaussian_filter1d(planes, across, axis=0), np.uint8)


def _filled(labels: Labels) -> Labels:
    """Objects with what they alone enclose."""
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
    filled = labels.ravel().copy()
    filled[where] = owner[hole]
    return filled.reshape(labels.shape)


def with_changes(parameters: GroupingParameters, **changes: Any) -> GroupingParameters:
    """The parameters with some of them changed, checked anew."""
    return replace(parameters, **changes)
