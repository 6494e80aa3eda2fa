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

from orgseg_app.core.instances.centres import divided_by_centres
from orgseg_app.core.instances.flooding import Check, Labels, components, filled, flood, go_on
from orgseg_app.core.instances.steps import Steps
from orgseg_app.core.instances.targets import EDGE, INTERIOR, Target
from orgseg_app.core.parameter import Parameter, complete

Map = NDArray[np.uint8]

APART = 2.0
"""Centres are at least so many times as far apart as their heat is smoothed."""

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
        geometric mean. Heat and ways to centres stay as they are, ``(1 + axes, …)``.
    """
    if target.has_centre:
        return maps
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
    check: Check = go_on,
) -> NDArray[np.uint32]:
    """Objects from the maps of a plane or a volume.

    Parameters
    ----------
    foreground
        ``(Y, X)`` or ``(Z, Y, X)``, uint8 or float: how likely any structure is.
    seeds
        As large: how deep in an object a voxel lies (`seed_map`). None: every connected component
        is one object. Or ``(1 + axes, …)``, heat and ways to centres: `centres` says how these
        divide the foreground, in place of a flood.
    parameters
        The usual ones unless given.
    voxel_size
        Of each axis, in any unit; says how far smoothing reaches across planes.
    check
        Called now and then; raises to stop.

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
    once = Grouping(foreground, seeds, voxel_size=voxel_size, keeps=False)
    return once.objects(parameters or GroupingParameters(), check)


class Grouping:
    """Objects of the same maps, made with one setting after another.

    What a setting has no say in is kept: whoever moves the slider of the smallest size waits for no
    flood. The objects are those of `group`.

    Parameters
    ----------
    foreground, seeds, voxel_size
        As of `group`; not to be changed afterwards.
    keeps
        Whether anything is kept for another time.

    Raises
    ------
    ValueError
        As `group`.
    """

    def __init__(
        self,
        foreground: NDArray[np.generic],
        seeds: NDArray[np.generic] | None,
        *,
        voxel_size: tuple[float, ...] | None = None,
        keeps: bool = True,
    ) -> None:
        if foreground.ndim not in (2, 3):
            raise ValueError(f"A map has two or three axes, not {foreground.ndim}.")
        by_centres = seeds is not None and seeds.ndim == foreground.ndim + 1 and len(seeds) > 2
        if seeds is not None and (seeds[0] if by_centres else seeds).shape != foreground.shape:
            raise ValueError(f"Maps differ in shape: {foreground.shape} and {seeds.shape}.")
        self._foreground, self._seeds, self._size = foreground, seeds, voxel_size
        self._by_centres = by_centres
        self._steps = Steps(keeps)

    def objects(self, parameters: GroupingParameters, check: Check = go_on) -> NDArray[np.uint32]:
        """The objects with these settings.

        Parameters
        ----------
        parameters
            All of them count.
        check
            Called now and then; raises to stop, and what was done until then is kept.

        Returns
        -------
        numpy.ndarray
            As of `group`.
        """
        if not self._foreground.size:  # OpenCV ends the process over nothing
            return np.zeros(self._foreground.shape, np.uint32)
        once = self._steps.once
        lowest = max(1, round(parameters.threshold * 255))
        key: tuple[float, ...] = (lowest,)
        labels, count = once(
            "components", key, lambda: components(as_map(self._foreground) >= lowest)
        )
        check()
        if self._seeds is not None and count:
            labels, count, key = self._divided(labels, count, lowest, parameters, check)
            check()
        if parameters.fill_holes and count:
            parted = labels
            labels = once("filled", key, lambda: filled(parted))
            check()
        keep = np.bincount(labels.ravel(), minlength=count + 1) >= max(1, parameters.min_size)
        if parameters.drop_border:
            for edge in (labels[..., 0, :], labels[..., -1, :], labels[..., 0], labels[..., -1]):
                keep[np.unique(edge)] = False
        keep[0] = False
        return np.where(keep, np.cumsum(keep), 0).astype(np.uint32)[labels]

    def _divided(
        self,
        labels: Labels,
        count: int,
        lowest: int,
        parameters: GroupingParameters,
        check: Check,
    ) -> tuple[Labels, int, tuple[float, ...]]:
        """Components of the foreground, divided; how many at most; what all of it depends on."""
        once, smoothing = self._steps.once, parameters.smoothing
        height, min_size = max(1, round(parameters.seeds * 255)), parameters.min_size
        depth = once("depth", smoothing, lambda: self._smoothed(smoothing))
        check()
        key: tuple[float, ...] = (lowest, smoothing, height)
        if self._by_centres:
            key = (*key, min_size)
            at = height, APART * smoothing, min_size
            return *once("divided", key, lambda: self._by_centre(labels, depth, *at, check)), key
        flooded = once("flooded", key, lambda: _flooded(labels, count, depth, height, check))
        if flooded is None:
            return labels, count, key
        key = (*key, min_size)
        found = once("divided", key, lambda: _without_small(flooded, min_size, check))
        return found, count + flooded.count, key

    def _smoothed(self, smoothing: float) -> Map:
        assert self._seeds is not None
        seeds = self._seeds[0] if self._by_centres else self._seeds
        return _smoothed(as_map(seeds), smoothing, self._size)

    def _by_centre(
        self, labels: Labels, heat: Map, height: int, apart: float, min_size: int, check: Check
    ) -> tuple[Labels, int]:
        assert self._seeds is not None
        return divided_by_centres(
            labels,
            heat,
            as_map(self._seeds[1:]),
            height=height,
            apart=apart,
            min_size=min_size,
            voxel_size=self._size,
            check=check,
        )


@dataclass(frozen=True)
class _Flooded:
    """Components of the foreground, those with several seeds flooded from all of them.

    Attributes
    ----------
    labels
        The components, ``components`` of them.
    seeds, count, home
        The seeds, how many, and the component of each.
    is_shared
        Of components: whether they have several seeds.
    found
        The seed whose flood was first, in what is shared.
    """

    labels: Labels
    components: int
    seeds: Labels
    count: int
    home: NDArray[np.int64]
    is_shared: NDArray[np.bool_]
    depth: Map
    height: int
    found: Labels


def _flooded(labels: Labels, count: int, depth: Map, height: int, check: Check) -> _Flooded | None:
    """None where no component has several seeds."""
    seeds, seed_count = components((depth >= height) & (labels > 0))
    where = np.flatnonzero(seeds)
    home = np.zeros(seed_count + 1, np.int64)
    home[seeds.ravel()[where]] = labels.ravel()[where]
    is_shared = np.bincount(home[1:], minlength=count + 1) > 1
    if not is_shared.any():
        return None
    found = flood(seeds, depth, is_shared[labels], height, check)
    return _Flooded(labels, count, seeds, seed_count, home, is_shared, depth, height, found)


def _without_small(flooded: _Flooded, min_size: int, check: Check) -> Labels:
    """Components and the parts of divided ones; small parts fall to their neighbours."""
    labels, home, found = flooded.labels, flooded.home, flooded.found
    gone = np.zeros(flooded.count + 1, np.bool_)
    while True:
        sizes = np.bincount(found.ravel(), minlength=flooded.count + 1)
        too_small = flooded.is_shared[home] & (sizes < min_size) & ~gone
        too_small[_largest(sizes, home, flooded.components)] = False
        if not too_small[1:].any():
            break
        # Their seeds go, and what they were in is flooded again: it falls to their neighbours.
        gone |= too_small
        again = np.zeros(flooded.components + 1, np.bool_)
        again[home[too_small]] = True
        again[0] = False
        where = again[labels]
        rivals = np.where(gone, 0, np.arange(flooded.count + 1, dtype=np.int32))[flooded.seeds]
        more = flood(rivals, flooded.depth, where, flooded.height, check)
        found = np.where(where, more, found)
    # Pieces that no seed reaches cannot be: each component hangs together.
    whole = np.where(flooded.is_shared, 0, np.arange(flooded.components + 1, dtype=np.int32))
    return np.where(found > 0, found + np.int32(flooded.components), whole[labels])


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


def with_changes(parameters: GroupingParameters, **changes: Any) -> GroupingParameters:
    """The parameters with some of them changed, checked anew."""
    return replace(parameters, **changes)
