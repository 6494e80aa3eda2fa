"""The planes of an image around those that are painted: what networks of volumes look at.

Planes are read, prepared and kept one by one. Those past the first and the last are mirrored
(`core.planes.mirrored`); they are shown, but never learnt from. Nothing is interpolated between
planes, however far apart they lie: patches are turned, scaled and bent within their planes only, so
that thick sections need no other treatment than thin ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.augmentation.loose import LoosePlanes
from orgseg_app.core.planes import mirrored
from orgseg_app.learn.data.patches import IGNORED


class KeptPlanes:
    """The planes of one image as the network gets them, each read and prepared once; in any thread.

    Parameters
    ----------
    shape
        ``(C, Z, Y, X)``, with as many channels as the network takes.
    read
        Gives plane `z`, prepared: ``(C, Y, X)`` float32.
    keep
        Gives back what it was given, perhaps from a file (`shelf.Shelf.put`).
    """

    def __init__(
        self,
        shape: tuple[int, int, int, int],
        read: Callable[[int], NDArray[np.float32]],
        keep: Callable[[NDArray[np.float32]], NDArray[np.float32]] = lambda plane: plane,
    ) -> None:
        self.shape = shape
        self._read, self._keep = read, keep
        self._planes: dict[int, NDArray[np.float32]] = {}
        self._lock = threading.Lock()

    def read_plane(self, z: int) -> NDArray[np.float32]:
        """One plane ``(C, Y, X)``, z from 0 to Z - 1.

        Raises
        ------
        DataError
            When its channels do not fit, or the disk is full.
        """
        if (plane := self._planes.get(z)) is None:
            with self._lock:
                if (plane := self._planes.get(z)) is None:
                    plane = self._planes[z] = self._keep(self._read(z))
        return plane


@dataclass(frozen=True)
class Stack:
    """One image, with what one split may use of its paint.

    Attributes
    ----------
    planes
        Its pixels; splits of one image share them.
    targets
        Painted planes by z, ``(Y, X)`` uint8 class indices; the others are unpainted.
    weights
        How much the voxels of painted planes count, ``(Y, X)`` float32; planes that are missing
        here count 1 everywhere.
    instances
        What is learnt of single objects of painted planes, ``(Y, X)`` uint8 each; see
        `LabelledPlane.instances`.
    is_prepared, pixel_size_um
        So that it can be predicted like an opened image (`learn.prediction.source`).
    """

    planes: KeptPlanes
    targets: Mapping[int, NDArray[np.uint8]] = field(default_factory=dict)
    weights: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    instances: Mapping[int, tuple[NDArray[np.uint8], ...]] = field(default_factory=dict)
    is_prepared: ClassVar[bool] = True
    pixel_size_um: ClassVar[None] = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(C, Z, Y, X)``."""
        return self.planes.shape

    def read_plane(self, z: int) -> NDArray[np.float32]:
        """One prepared plane ``(C, Y, X)``, z from 0 to Z - 1."""
        return self.planes.read_plane(z)

    def pixels(self, first: int, count: int) -> LoosePlanes:
        """Planes `first` … ``first + count - 1``, ``(C, count, Y, X)``; mirrored past the ends."""
        depth = self.shape[1]
        return LoosePlanes(
            [self.read_plane(mirrored(z, depth)) for z in range(first, first + count)]
        )

    def around(self, z: int, count: int) -> NDArray[np.float32]:
        """`count` planes with `z` in the middle as channels, ``(count · C, Y, X)``.

        All channels of the first plane come first.
        """
        stacked = self.pixels(z - count // 2, count)[..., :, :]
        return np.ascontiguousarray(stacked.swapaxes(0, 1)).reshape(-1, *stacked.shape[2:])

    def layers(self, first: int, count: int) -> list[LoosePlanes]:
        """What planes `first` … are learnt from, ``(count, Y, X)`` each.

        Targets, instances and weights, those there are. Planes past the ends and unpainted ones
        are `IGNORED`.
        """
        wanted = range(first, first + count)
        size = self.shape[2:]
        blank = np.broadcast_to(np.uint8(IGNORED), size)
        found = [LoosePlanes([self.targets.get(z, blank) for z in wanted])]
        for k in range(len(next(iter(self.instances.values()), ()))):
            nothing = np.broadcast_to(np.uint8(0), size)
            known = {z: layers[k] for z, layers in self.instances.items()}
            found.append(LoosePlanes([known.get(z, nothing) for z in wanted]))
        if self.weights:
            even = np.broadcast_to(np.float32(1), size)
            found.append(LoosePlanes([self.weights.get(z, even) for z in wanted]))
        return found
