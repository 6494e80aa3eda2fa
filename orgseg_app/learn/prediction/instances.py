"""Objects of an image from what models say of it, in the plane and in space.

Models of planes are grouped plane by plane, models of volumes in space as far as that fits into
memory. Planes that were grouped one by one are linked by overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.instances.centres import parted
from orgseg_app.core.instances.grouping import GroupingParameters, group
from orgseg_app.core.instances.linking import LinkedPlanes
from orgseg_app.learn.prediction.predictor import Predictor

Maps = NDArray[np.uint8]
Numbers = NDArray[np.uint32]
ReadMaps = Callable[[int], Maps]
"""z → maps ``(M, Y, X)``, see `volumes.maps_of`."""

BYTES_A_VOXEL = 40
"""What grouping in space takes at its height."""
_SHARE = 0.5
"""Of the memory that is free."""


@dataclass(frozen=True)
class Found:
    """The objects of an image, and what they were made of.

    Attributes
    ----------
    objects
        ``(Z, Y, X)`` uint32; 0 where there is none and on planes that were not asked for.
    maps
        ``(M, Z, Y, X)`` uint8: how likely any structure is, and how deep in an object, or what
        else objects are made of; see `volumes.maps_of`.
    grouping
        How the one was made of the other.
    """

    objects: Numbers
    maps: Maps
    grouping: GroupingParameters


def objects_of(
    predictor: Predictor,
    maps: Maps,
    planes: Sequence[int] | None = None,
    *,
    pixel_size_um: tuple[float, float, float] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Found:
    """The objects of an image whose maps are in memory.

    Parameters
    ----------
    predictor
        That made the maps; its grouping parameters are taken.
    maps
        ``(M, Z, Y, X)`` uint8, see `volumes.maps_of`.
    planes
        Which planes were predicted; all unless given. Nothing goes on across others.
    pixel_size_um
        ``(z, y, x)`` of the image.
    say
        Gets a sentence where a volume is too large for grouping in space.
    """
    depth = maps.shape[1]
    objects = np.zeros(maps.shape[1:], np.uint32)
    highest = 0
    for first, end in _rows(range(depth) if planes is None else planes):
        for z, labels in object_planes(
            predictor,
            lambda z: maps[:, z],
            range(first, end),
            (maps.shape[2], maps.shape[3]),
            pixel_size_um=pixel_size_um,
            say=say,
        ):
            np.add(labels, np.uint32(highest), out=objects[z], where=labels > 0)
        highest = int(objects[first:end].max(initial=highest))
    return Found(objects, maps, predictor.grouping)


def object_planes(
    predictor: Predictor,
    read: ReadMaps,
    planes: Sequence[int],
    size_yx: tuple[int, int],
    *,
    pixel_size_um: tuple[float, float, float] | None = None,
    say: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[int, Numbers]]:
    """The objects of planes in a row, each with its z; parameters as in `objects_of`."""
    if len(planes) > 1 and predictor.deep is not None:
        if BYTES_A_VOXEL * len(planes) * math.prod(size_yx) <= _room():
            foreground, seeds = parted(np.stack([read(z) for z in planes], axis=1))
            size = pixel_size_um or predictor.models[0].pixel_size_um
            yield from zip(
                planes,
                group(foreground, seeds, predictor.grouping, voxel_size=size),
                strict=True,
            )
            return
        say(
            "This volume is too large to find its objects in space at once: they are found plane "
            "by plane and linked where they overlap."
        )
    linked = LinkedPlanes()
    for z in planes:
        foreground, seeds = parted(read(z))
        yield z, linked.add(group(foreground, seeds, predictor.grouping))


def _rows(planes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Planes in a row: the first, and that after the last."""
    wanted = sorted(set(planes))
    start = 0
    for place, z in enumerate(wanted):
        if place + 1 == len(wanted) or wanted[place + 1] != z + 1:
            yield wanted[start], z + 1
            start = place + 1


def _room() -> float:
    import psutil

    return float(psutil.virtual_memory().available) * _SHARE
