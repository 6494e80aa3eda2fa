"""Objects of a mask, or of what a model says, made with one setting after another.

Both keep what the next setting does not touch: `grouping.Grouping`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.instances.flooding import Check, components, go_on
from orgseg_app.core.instances.grouping import Grouping, GroupingParameters, as_map
from orgseg_app.core.instances.steps import Steps

Values = NDArray[np.uint8]
Numbers = NDArray[np.uint32]

_FULL = np.uint8(255)


def depth_of(inside: NDArray[np.bool_], sampling: Sequence[float] | None = None) -> Values:
    """How deep in its piece a voxel lies: 255 where it is deepest, 0 outside.

    What a mask has in place of the depth a network learns, for `grouping.group`.

    Parameters
    ----------
    inside
        ``(Y, X)`` or ``(Z, Y, X)``.
    sampling
        Voxel size of each axis.
    """
    if inside.ndim == 2 and (sampling is None or sampling[0] == sampling[1]):
        import cv2  # ten times as fast; the edge of the image is no outside

        where = np.ascontiguousarray(inside).view(np.uint8)
        far = np.asarray(cv2.distanceTransform(where, cv2.DIST_L2, cv2.DIST_MASK_PRECISE))
        if inside.all():
            far = np.ones(inside.shape, np.float32)
    else:
        from scipy import ndimage

        far = np.asarray(ndimage.distance_transform_edt(inside, sampling=sampling), np.float32)
    labels, count = components(inside)
    deepest = np.zeros(count + 1, np.float32)
    where_inside = np.flatnonzero(labels)
    np.maximum.at(deepest, labels.ravel()[where_inside], far.ravel()[where_inside])
    share = far / np.maximum(deepest, 1e-6)[labels]
    return as_map(np.where(inside, share, 0).astype(np.float32))


class MaskGrouping:
    """Objects of a mask, each class by itself; the threshold has no say.

    Parameters
    ----------
    classes
        ``(Y, X)`` or ``(Z, Y, X)`` class ids; not to be changed afterwards.
    voxel_size
        Of each axis.
    keeps
        Whether anything is kept for another time.
    """

    def __init__(
        self, classes: Values, voxel_size: Sequence[float] | None = None, *, keeps: bool = True
    ) -> None:
        self._classes, self._keeps = classes, keeps
        self._size = None if voxel_size is None else tuple(voxel_size)
        there = np.flatnonzero(np.bincount(classes.ravel(), minlength=1)).tolist()
        self.class_ids = tuple(class_id for class_id in there if class_id > BACKGROUND)
        self._known: dict[int, Grouping] = {}

    def objects(
        self,
        parameters: GroupingParameters,
        class_ids: Iterable[int] | None = None,
        check: Check = go_on,
    ) -> tuple[Numbers, Values]:
        """Objects with these settings.

        Parameters
        ----------
        class_ids
            Of which they are made; of all but background unless given.
        check
            Called now and then; raises to stop.

        Returns
        -------
        numpy.ndarray, numpy.ndarray
            Numbers from 1 on, and the class of each of their voxels; 0 where there is no object.
        """
        classes = self._classes
        numbers, of = np.zeros(classes.shape, np.uint32), np.zeros(classes.shape, np.uint8)
        before = 0
        for class_id in self.class_ids if class_ids is None else class_ids:
            if class_id not in self.class_ids:
                continue
            found = self._grouping(class_id).objects(parameters, check)
            if self.class_ids != (class_id,):  # a filled hole may hold another class
                found *= ((classes == class_id) | (classes <= BACKGROUND)) & (numbers == 0)
            there = found > 0
            highest = int(found.max())
            np.add(found, np.uint32(before), out=found, where=there)
            numbers |= found
            of |= there.view(np.uint8) * np.uint8(class_id)
            before += highest
        return numbers, of

    def _grouping(self, class_id: int) -> Grouping:
        known = self._known.get(class_id)
        if known is None:
            inside = self._classes == class_id
            depth = depth_of(inside, self._size)
            foreground = inside.view(np.uint8) * _FULL
            known = Grouping(foreground, depth, voxel_size=self._size, keeps=self._keeps)
            if self._keeps:
                self._known[class_id] = known
        return known


class MapsGrouping:
    """Objects of what a model says; each has the class that most of its voxels were given.

    Parameters
    ----------
    foreground
        How likely any structure is, 0…255.
    seeds
        As of `grouping.group`; None where the model has not learnt them: then by the distance to
        the outside, as of a mask.
    predicted
        Class ids that the model chose, as large as the foreground.
    voxel_size
        Of each axis.
    keeps
        Whether anything is kept for another time.
    """

    def __init__(
        self,
        foreground: Values,
        seeds: Values | None,
        predicted: Values,
        voxel_size: Sequence[float] | None = None,
        *,
        keeps: bool = True,
    ) -> None:
        self._foreground, self._seeds, self._predicted = foreground, seeds, predicted
        self._size = None if voxel_size is None else tuple(voxel_size)
        self._keeps, self._steps = keeps, Steps(keeps)
        usual = np.bincount(predicted.ravel(), minlength=BACKGROUND + 1)
        usual[: BACKGROUND + 1] = 0
        self._is_one_class = np.count_nonzero(usual) <= 1
        self._most = int(usual.argmax()) if usual.any() else BACKGROUND + 1

    def objects(
        self, parameters: GroupingParameters, check: Check = go_on
    ) -> tuple[Numbers, Values]:
        """Objects with these settings, as of `MaskGrouping.objects`."""
        lowest = max(1, round(parameters.threshold * 255))
        key = lowest if self._seeds is None else 0
        grouping = self._steps.once("grouping", key, lambda: self._grouping(lowest))
        check()
        numbers = grouping.objects(parameters, check)
        if self._is_one_class:
            return numbers, (numbers > 0).view(np.uint8) * np.uint8(self._most)
        count = int(numbers.max(initial=0))
        there = (self._predicted > BACKGROUND) & (numbers > 0)
        votes = np.bincount(
            numbers[there].astype(np.int64) * 256 + self._predicted[there],
            minlength=(count + 1) * 256,
        ).reshape(-1, 256)
        has_votes = votes.any(axis=1)
        class_of = np.where(has_votes, votes.argmax(axis=1), self._most).astype(np.uint8)
        class_of[0] = 0
        return numbers, class_of[numbers]

    def _grouping(self, lowest: int) -> Grouping:
        seeds = self._seeds
        if seeds is None:
            seeds = depth_of(self._foreground >= lowest, self._size)
        return Grouping(self._foreground, seeds, voxel_size=self._size, keeps=self._keeps)
