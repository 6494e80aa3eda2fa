"""Patches: where the network looks at each step.

Randomness has no state: what patch number *i* of step *s* shows follows from the run's seed, *s*
and *i* alone. So a run continued after a kill sees exactly what it would have seen, any number of
threads may draw ahead (`learn.training.feeding`), and several graphics cards may share a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.augmentation.dice import Dice
from orgseg_app.core.augmentation.geometry import Cuttable
from orgseg_app.core.augmentation.plan import Plan
from orgseg_app.core.instances.centres import NOWHERE, as_layer, as_ways
from orgseg_app.core.planes import first_plane
from orgseg_app.learn.data.voxel_index import VoxelIndex
from orgseg_app.runs.recipes.schema import AugmentationStep

if TYPE_CHECKING:
    from orgseg_app.learn.data.stack import Stack

IGNORED = 255
"""Class index of an unlabelled voxel in a target."""


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
    weights
        ``(Y, X)`` float32, 0 or more: how much each voxel counts; 0 leaves it out. None when all
        count 1.
    stack
        The planes around it, for networks that see several; None for those that see one.
    instances
        ``(Y, X)`` uint8 each: what is learnt of single objects beside their classes; see
        `core.instances.targets`. None for recipes that do not.
    objects
        ``(Y, X)`` uint32, object numbers to judge by; None for recipes that do not.
    """

    image_id: str
    name: str
    z: int
    pixels: NDArray[np.float32]
    target: NDArray[np.uint8]
    weights: NDArray[np.float32] | None = None
    stack: Stack | None = None
    instances: tuple[NDArray[np.uint8], ...] = ()
    objects: NDArray[np.uint32] | None = None


@dataclass(frozen=True)
class Batch:
    """Patches of one step.

    Attributes
    ----------
    pixels
        ``(N, C, P, P)`` float32, for networks of volumes ``(N, C, D, P, P)``; several planes seen
        by a network of planes are channels: all of the first plane, all of the second, ….
    target
        ``(N, P, P)`` or ``(N, D, P, P)`` uint8 class indices.
    weights
        As the target, float32; 0 = unlabelled.
    instances
        ``(N, L, …)`` uint8: as the target, the L layers that are learnt of single objects; None
        for recipes that learn classes alone.
    """

    pixels: NDArray[np.float32]
    target: NDArray[np.uint8]
    weights: NDArray[np.float32]
    instances: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def part(self, start: int, stop: int) -> Batch:
        """Some of the patches."""
        return Batch(
            self.pixels[start:stop],
            self.target[start:stop],
            self.weights[start:stop],
            None if self.instances is None else self.instances[start:stop],
        )


class PatchSampler:
    """Draws square patches that contain paint; in any thread.

    A painted voxel is drawn, then where in the patch it lies. The patch is turned, scaled and bent
    around it and moved inside the image where it sticks out, as far as the voxel stays in it. What
    still lies past the image is its mirror image, which nobody learns from. The same holds for the
    planes of a volume: where in a deep patch the painted plane lies is drawn, then the patch is
    moved inside the volume. All its planes are turned, bent and shaded alike.

    Parameters
    ----------
    planes
        Planes with paint.
    classes
        Number of classes of the project.
    patch_size
        Side in pixels.
    augmentation
        Steps, in order.
    seed
        The run's.
    sampling
        ``"balanced"``: a class is drawn (all painted ones alike), then one of its voxels;
        ``"uniform"``: one of all painted voxels.
    planes_seen
        For networks of planes: how many neighbouring planes they take as channels; odd.
    patch_depth
        For networks of volumes: planes of a patch; 0 for networks of planes.
    ways
        How many of the last layers of `LabelledPlane.instances` are ways to centres, which turn
        as the patch does; see `core.instances.centres`.

    Attributes
    ----------
    class_voxels
        Voxels of each class that are learnt from.
    patch_size, patch_depth
        Of the next patches.

    Raises
    ------
    ValueError
        With a sentence, when nothing is painted, a step is not to be had, or planes come without
        those around them though they are needed.
    """

    def __init__(
        self,
        planes: Sequence[LabelledPlane],
        *,
        classes: int,
        patch_size: int,
        augmentation: Sequence[AugmentationStep],
        seed: int,
        sampling: str = "balanced",
        planes_seen: int = 1,
        patch_depth: int = 0,
        ways: int = 0,
    ) -> None:
        self.planes = planes
        self.seed = seed
        self.patch_size, self.patch_depth = patch_size, patch_depth
        self._planes_seen, self._ways = planes_seen, ways
        self._is_deep = bool(patch_depth) or planes_seen > 1
        if self._is_deep and any(plane.stack is None for plane in planes):
            raise ValueError("This network looks at several planes, but some images give one only.")
        self._dice = Dice(augmentation)
        self._index = VoxelIndex(planes, classes)
        self._is_weighted = any(plane.weights is not None for plane in planes)
        self._instance_layers = len(planes[0].instances) if planes else 0
        self.class_voxels = self._index.class_voxels
        self._painted = [k for k, n in enumerate(self.class_voxels) if n]
        if not self._painted:
            raise ValueError(
                "Nothing is painted on the training images. Paint a little first."
                if not self._is_weighted
                else "Nothing is painted on the training images where their weights are above 0. "
                "Paint there, or remove the weights."
            )
        self._ends = np.cumsum(self.class_voxels) if sampling == "uniform" else None

    def resize(self, patch_size: int, patch_depth: int) -> None:
        """Draw patches of another size from now on; for networks of planes they stay flat."""
        self.patch_size = patch_size
        self.patch_depth = patch_depth if self.patch_depth else 0

    def batch(self, step: int, size: int, *, first: int = 0) -> Batch:
        """The patches of a step.

        Parameters
        ----------
        step
            From 0.
        size
            Number of patches.
        first
            Number of the first one within the step.
        """
        side, channels = self.patch_size, self.planes[0].pixels.shape[0] * self._planes_seen
        shape = (self.patch_depth, side, side) if self.patch_depth else (side, side)
        pixels = np.empty((size, channels, *shape), np.float32)
        target = np.empty((size, *shape), np.uint8)
        weights = np.ones((size, *shape), np.float32) if self._is_weighted else None
        count = self._instance_layers
        instances = np.empty((size, count, *shape), np.uint8) if count else None
        for i in range(size):
            pixels[i], layers = self._patch(step, first + i, side)
            target[i] = layers[0]
            if instances is not None:
                instances[i] = layers[1 : 1 + count]
            if weights is not None and len(layers) > 1 + count:
                weights[i] = layers[1 + count]
        if weights is None:
            return Batch(pixels, target, (target != IGNORED).astype(np.float32), instances)
        weights *= target != IGNORED
        target[weights == 0] = IGNORED
        return Batch(pixels, target, weights, instances)

    def _patch(
        self, step: int, number: int, side: int
    ) -> tuple[NDArray[np.float32], list[NDArray[Any]]]:
        random = np.random.default_rng([self.seed, step, number])
        plane_index, y, x = self._index.voxel(*self._voxel(random))
        down, right = random.integers(side, size=2)
        plan = self._dice.throw(random, side)

        plane = self.planes[plane_index]
        pixels: Cuttable = plane.pixels
        layers: Sequence[Cuttable] = [plane.target, *plane.instances]
        if plane.weights is not None:
            layers = [*layers, plane.weights]
        if self._is_deep and plane.stack is not None:
            if count := self.patch_depth:
                wanted = int(random.integers(count))
                first = first_plane(plane.z, wanted, count, plane.stack.shape[1])
                pixels, layers = plane.stack.pixels(first, count), plane.stack.layers(first, count)
            else:
                pixels = plane.stack.pixels(plane.z - self._planes_seen // 2, self._planes_seen)
        place = plan.geometry.anchored((int(down), int(right)), (y, x), plane.target.shape)
        shown, found = plan.cut(
            pixels,
            layers,
            outside=[IGNORED, *(0 for _ in layers[1:])],
            patch_yx=place,
            source_yx=(y, x),
        )
        if self._ways:
            end = 1 + self._instance_layers
            heat, *ways = found[end - self._ways - 1 : end]
            found[end - self._ways : end] = _shown(plan, place, heat, np.stack(ways))
        if self._planes_seen > 1:  # planes of channels, not channels of planes
            shown = shown.swapaxes(0, 1).reshape(-1, side, side)
        return shown, found

    def _voxel(self, random: np.random.Generator) -> tuple[int, int]:
        """A class, and which of its voxels."""
        if self._ends is None:
            class_index = self._painted[int(random.integers(len(self._painted)))]
            return class_index, int(random.integers(self.class_voxels[class_index]))
        number = int(random.integers(self._ends[-1]))
        class_index = int(np.searchsorted(self._ends, number, side="right"))
        return class_index, number - int(self._ends[class_index]) + self.class_voxels[class_index]


def _shown(
    plan: Plan, place: tuple[int, int], heat: NDArray[np.uint8], ways: NDArray[np.uint8]
) -> list[NDArray[np.uint8]]:
    """Ways as they lead through a patch, no way where there is no object."""
    layers = as_layer(plan.shown(as_ways(ways), place))
    layers[:, heat == 0] = NOWHERE
    return list(layers)
