"""The objects of an image for recipes that learn them: what is learnt, and what is true."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.components import Components
from orgseg_app.core.instances.targets import TARGETS, Layer, target_layers
from orgseg_app.core.project import ProjectImage
from orgseg_app.files.project_file import ProjectFile

Numbers = NDArray[np.uint32]


class Instances:
    """The objects of one image of a snapshot, read when they are first asked for.

    Objects are those that were painted. Structures without a number are taken apart as their mask
    is: each connected component of a class is one object.

    Parameters
    ----------
    snapshot
        Opened for reading.
    image
        Of the snapshot.
    target
        A key of `core.instances.targets.TARGETS`.
    is_deep
        Whether the network sees volumes: objects go on from plane to plane then.
    """

    def __init__(
        self, snapshot: ProjectFile, image: ProjectImage, target: str, *, is_deep: bool
    ) -> None:
        self._snapshot, self._image = snapshot, image
        self._target, self._is_deep = TARGETS[target], is_deep
        self._known: dict[int, tuple[Layer, ...]] = {}

    def truth(self, z: int) -> Numbers | None:
        """Object numbers of a plane ``(Y, X)``; None for recipes that learn classes alone."""
        return self._objects[z] if self._target.layers else None

    def layers(self, z: int) -> tuple[Layer, ...]:
        """What is learnt of the objects of a painted plane, ``(Y, X)`` uint8 each.

        Of a volume, made of all painted planes in a row; where the paint ends no object ends.
        """
        if not self._target.layers:
            return ()
        if z not in self._known:
            first, end = self._row(z) if self._is_deep else (z, z + 1)
            objects = self._objects[first:end] if self._is_deep else self._objects[z]
            size = self._image.pixel_size_um
            size = size if size is None or self._is_deep else size[1:]  # type: ignore[assignment]
            found = target_layers(self._target, objects, voxel_size=size)
            for at in range(first, end):
                part = (layer[at - first] if self._is_deep else layer for layer in found)
                self._known[at] = tuple(part)
        return self._known[z]

    def _row(self, z: int) -> tuple[int, int]:
        """The painted planes around one, without a gap: the first, and that after the last."""
        gaps = np.flatnonzero(~(self._mask != UNLABELLED).any(axis=(1, 2)))
        place = int(np.searchsorted(gaps, z))
        first = int(gaps[place - 1]) + 1 if place else 0
        return first, int(gaps[place]) if place < len(gaps) else len(self._mask)

    @cached_property
    def _mask(self) -> NDArray[np.uint8]:
        return self._snapshot.mask(self._image.image_id).to_array()

    @cached_property
    def _objects(self) -> Numbers:
        painted = self._snapshot.objects(self._image.image_id)
        if painted is None:
            painted = np.zeros(self._mask.shape, np.uint32)
        return with_components(painted, self._mask, is_deep=self._is_deep)


def with_components(objects: Numbers, mask: NDArray[np.uint8], *, is_deep: bool) -> Numbers:
    """Objects, and one for each connected component of a structure that has no number.

    Parameters
    ----------
    objects, mask
        ``(Z, Y, X)``.
    is_deep
        Whether voxels of neighbouring planes hang together.

    Returns
    -------
    numpy.ndarray
        ``(Z, Y, X)`` uint32; new numbers are higher than those that are there.
    """
    bare = (mask > BACKGROUND) & (objects == 0)
    found = objects.copy()
    highest = int(objects.max(initial=0))
    for class_id in np.flatnonzero(np.bincount(mask[bare], minlength=1)).tolist():
        pieces = Components()
        planes = []
        for z in range(len(mask)):
            planes.append(pieces.add(bare[z] & (mask[z] == class_id)))
            if not is_deep:
                pieces.skip()
        numbers = pieces.numbers()
        for z, labels in enumerate(planes):
            inside = labels > 0
            found[z][inside] = numbers[labels[inside]] + highest
        highest += int(numbers.max(initial=0))
    return found
