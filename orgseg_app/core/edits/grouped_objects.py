"""Objects made anew by a watershed, of the mask itself or of what a model says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK
from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.instances.flooding import components
from orgseg_app.core.instances.grouping import GroupingParameters, as_map, group
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import NO_OBJECT, Numbers

Values = NDArray[np.uint8]


def depth_of(inside: NDArray[np.bool_], sampling: Sequence[float] | None = None) -> Values:
    """How deep in its piece a voxel lies: 255 where it is deepest, 0 outside.

    What the mask has in place of the depth a network learns, for `grouping.group`.

    Parameters
    ----------
    inside
        ``(Y, X)`` or ``(Z, Y, X)``.
    sampling
        Voxel size of each axis.
    """
    from scipy import ndimage

    if inside.ndim == 2 and (sampling is None or sampling[0] == sampling[1]):
        import cv2  # ten times as fast; the edge of the image is no outside

        where = np.ascontiguousarray(inside).view(np.uint8)
        far = np.asarray(cv2.distanceTransform(where, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
        if inside.all():
            far = np.ones(inside.shape, np.float32)
    else:
        far = np.asarray(ndimage.distance_transform_edt(inside, sampling=sampling), np.float32)
    labels, count = components(inside)
    deepest = np.zeros(count + 1, np.float32)
    where_inside = np.flatnonzero(labels)
    np.maximum.at(deepest, labels.ravel()[where_inside], far.ravel()[where_inside])
    share = far / np.maximum(deepest, 1e-6)[labels]
    return as_map(np.where(inside, share, 0).astype(np.float32))


def grouped_mask(
    classes: Values,
    class_ids: Iterable[int],
    parameters: GroupingParameters,
    voxel_size: Sequence[float] | None = None,
) -> tuple[Numbers, Values]:
    """Objects of a mask, each class by itself; the threshold has no say.

    Parameters
    ----------
    classes
        ``(Y, X)`` or ``(Z, Y, X)`` class ids.
    class_ids
        Of which objects are made.

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        Numbers from 1 on, and the class of each of their voxels; 0 where there is no object.
    """
    numbers, of = np.zeros(classes.shape, np.uint32), np.zeros(classes.shape, np.uint8)
    before = 0
    for class_id in class_ids:
        inside = classes == class_id
        if not inside.any():
            continue
        size = None if voxel_size is None else tuple(voxel_size)
        found = group(as_map(inside.astype(np.float32)), depth_of(inside, size), parameters,
                      voxel_size=size)  # fmt: skip
        new = (found > 0) & (numbers == 0)  # a filled hole may hold another class's objects
        new &= inside | (classes <= BACKGROUND)
        numbers[new], of[new] = found[new] + np.uint32(before), class_id
        before += int(found.max())
    return numbers, of


def grouped_maps(
    foreground: Values,
    seeds: Values | None,
    predicted: Values,
    parameters: GroupingParameters,
    voxel_size: Sequence[float] | None = None,
) -> tuple[Numbers, Values]:
    """Objects of what a model says; each has the class that most of its voxels were given.

    Parameters
    ----------
    foreground
        How likely any structure is, 0…255.
    seeds
        How deep in an object; None where the model has not learnt it: then by the distance to the
        outside, as of a mask.
    predicted
        Class ids that the model chose, as large.

    Returns
    -------
    As of `grouped_mask`.
    """
    size = None if voxel_size is None else tuple(voxel_size)
    if seeds is None:
        seeds = depth_of(foreground >= max(1, round(parameters.threshold * 255)), size)
    numbers = group(foreground, seeds, parameters, voxel_size=size)
    count = int(numbers.max(initial=0))
    structure = predicted > BACKGROUND
    there = structure & (numbers > 0)
    votes = np.bincount(
        numbers[there].astype(np.int64) * 256 + predicted[there], minlength=(count + 1) * 256
    ).reshape(-1, 256)
    usual = np.bincount(predicted[structure], minlength=256)
    most = int(usual.argmax()) if usual.any() else BACKGROUND + 1
    class_of = np.where(votes.any(axis=1), votes.argmax(axis=1), most).astype(np.uint8)
    class_of[0] = 0
    return numbers, class_of[numbers]


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
