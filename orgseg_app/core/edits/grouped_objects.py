"""Objects made anew by a watershed, of the mask itself or of what a model says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK
from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.instances.grouping import GroupingParameters
from orgseg_app.core.instances.making import MapsGrouping, MaskGrouping
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import NO_OBJECT, Numbers

Values = NDArray[np.uint8]


def grouped_mask(
    classes: Values,
    class_ids: Iterable[int],
    parameters: GroupingParameters,
    voxel_size: Sequence[float] | None = None,
) -> tuple[Numbers, Values]:
    """Objects of a mask, each class by itself; see `MaskGrouping`."""
    return MaskGrouping(classes, voxel_size, keeps=False).objects(parameters, class_ids)


def grouped_maps(
    foreground: Values,
    seeds: Values | None,
    predicted: Values,
    parameters: GroupingParameters,
    voxel_size: Sequence[float] | None = None,
) -> tuple[Numbers, Values]:
    """Objects of what a model says; see `MapsGrouping`."""
    return MapsGrouping(foreground, seeds, predicted, voxel_size, keeps=False).objects(parameters)


@dataclass(frozen=True)
class PutObjects:
    """Objects written into some planes, with the lowest numbers that others leave free.

    Attributes
    ----------
    z
        The first plane.
    numbers, classes
        ``(planes, Y, X)``: objects from 1 on and their classes, 0 where there is none.
    keeps_painted
        Only what is unlabelled is written.
    replaced
        Classes whose voxels become background where there is no object now; None for all classes
        and for what is unlabelled, too.
    """

    z: int
    numbers: Numbers
    classes: Values
    keeps_painted: bool
    replaced: tuple[int, ...] | None = None

    @property
    def title(self) -> str:
        """Make objects."""
        return "make objects"

    def apply(self, recorder: Recorder) -> None:
        """Write the blocks that differ."""
        mask = recorder.mask
        gone = np.zeros(256, np.bool_)
        if self.replaced is None:
            gone[:] = True
        else:
            gone[list(self.replaced)] = True
        count = int(self.numbers.max(initial=0))
        taken = self._staying(mask, gone)
        free = np.setdiff1d(np.arange(1, count + len(taken) + 1, dtype=np.uint32), taken)[:count]
        final = np.append(np.uint32(NO_OBJECT), free)
        _, height, width = mask.shape
        for n, z in enumerate(range(self.z, self.z + len(self.numbers))):
            for y0 in range(0, height, BLOCK):
                for x0 in range(0, width, BLOCK):
                    region = np.s_[n, y0 : y0 + BLOCK, x0 : x0 + BLOCK]
                    self._write(recorder, (z, y0, x0), region, final, gone)

    def _staying(self, mask: Mask, gone: NDArray[np.bool_]) -> Numbers:
        """Numbers of objects that stay, or some of which may."""
        stay = [np.zeros(0, np.uint32)]
        last = self.z + len(self.numbers)
        for index in mask.objects.block_indices():
            numbers, classes = mask.objects.block(index), mask.block(index)
            if numbers is None or classes is None:
                continue
            is_here = self.z <= index[0] < last and not self.keeps_painted
            stay.append(np.unique(numbers[~gone[classes]] if is_here else numbers))
        return np.unique(np.concatenate(stay))

    def _write(
        self,
        recorder: Recorder,
        place: tuple[int, int, int],
        region: tuple[int, slice, slice],
        final: Numbers,
        gone: NDArray[np.bool_],
    ) -> None:
        z, y0, x0 = place
        new, new_classes = self.numbers[region], self.classes[region]
        box = z, y0, x0, y0 + new.shape[0], x0 + new.shape[1]
        classes, numbers = recorder.mask.read(*box), recorder.mask.objects.read(*box)
        open_ = classes == UNLABELLED if self.keeps_painted else np.ones(new.shape, np.bool_)
        put = open_ & (new > 0)
        lost = open_ & (new == 0) & gone[classes]
        out, out_numbers = classes.copy(), numbers.copy()
        out[lost], out_numbers[lost] = BACKGROUND, NO_OBJECT
        out[put], out_numbers[put] = new_classes[put], final[new[put]]
        if not (np.array_equal(out, classes) and np.array_equal(out_numbers, numbers)):
            recorder.put(z, y0, x0, out, out_numbers)
