"""Scores of networks and other thin structures, from their skeletons.

Truth and prediction are taken apart where the truth is unlabelled, both alike; a prediction is
looked at only where it is labelled. Planes are thinned by `measuring.thinning`, volumes by
`measuring.thinning_3d`, and measured by `measuring.networks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.measuring import thinning, thinning_3d
from orgseg_app.core.measuring.networks import networks_of
from orgseg_app.core.metrics.sums import Sums, ratio

Numbers = NDArray[np.uint8]

SKELETON_SCORES = (
    "cl_dice",
    "cl_precision",
    "cl_recall",
    "skeleton_length_error",
    "skeleton_length_bias",
    "branch_point_error",
    "branch_point_bias",
    "end_point_error",
    "end_point_bias",
)
"""Of errors lower is better, of biases nearer to 0."""


@dataclass(frozen=True)
class Skeleton(Sums):
    """What is counted of the skeleton of one side.

    Attributes
    ----------
    voxels
        Of the skeleton.
    inside
        Those that lie in the mask of the other side.
    length
        In the unit of the pixel size.
    branch_points, end_points
        As `measuring.networks` tells them.
    """

    voxels: int = 0
    inside: int = 0
    length: float = 0.0
    branch_points: int = 0
    end_points: int = 0

    def check(self) -> None:
        """Only what is there can be found."""
        if self.inside > self.voxels:
            raise ValueError("More of a skeleton was found than there is.")


@dataclass(frozen=True)
class SkeletonAgreement(Sums):
    """What scores of skeletons are made of; two of them add up to that of both images together.

    Attributes
    ----------
    truth, prediction
        The two skeletons.
    length_missed, branch_points_missed, end_points_missed
        Too much or too little of each, image by image.
    """

    truth: Skeleton = Skeleton()
    prediction: Skeleton = Skeleton()
    length_missed: float = 0.0
    branch_points_missed: int = 0
    end_points_missed: int = 0

    def scores(self) -> dict[str, float | None]:
        """All of them, by name; see `SKELETON_SCORES`. One whose denominator is 0 is None.

        clDice is 0 where only one of truth and prediction has a skeleton.
        """
        true, seen = self.truth, self.prediction
        precision, recall = ratio(seen.inside, seen.voxels), ratio(true.inside, true.voxels)
        both = 0.0 if true.voxels or seen.voxels else None
        if precision and recall:
            both = 2 * precision * recall / (precision + recall)
        found = (
            both,
            precision,
            recall,
            ratio(self.length_missed, true.length),
            ratio(seen.length - true.length, true.length),
            ratio(self.branch_points_missed, true.branch_points),
            ratio(seen.branch_points - true.branch_points, true.branch_points),
            ratio(self.end_points_missed, true.end_points),
            ratio(seen.end_points - true.end_points, true.end_points),
        )
        return dict(zip(SKELETON_SCORES, found, strict=True))


def skeleton_scores(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    class_id: int,
    *,
    pixel_size: Sequence[float] | None = None,
    goes_on: Callable[[], bool] = lambda: True,
) -> SkeletonAgreement:
    """Compare the skeletons of a class in an image.

    - clDice: of topology precision, the share of the predicted skeleton inside the true mask, and
      topology sensitivity, the share of the true skeleton inside the predicted mask, the harmonic
      mean (Shit et al., CVPR 2021).
    - Error of the length, of the number of branching points and of ends: the difference, whichever
      way, over what the truth has. Biases keep the sign: more than 0 is too much.

    Parameters
    ----------
    truth, prediction
        ``(Y, X)`` or ``(Z, Y, X)`` class ids. Where the truth is 0 nothing counts. A volume of one
        plane is a plane.
    class_id
        The class.
    pixel_size
        One an axis, in the unit lengths shall have; 1 each when left out.
    goes_on
        Asked now and then; False gives up.

    Raises
    ------
    ValueError
        When shapes differ, are of other than two or three axes, or too large: see
        `thinning_3d.MOST_VOXELS`.
    StoppedError
        When given up.

    Examples
    --------
    A line of nine voxels, predicted with a gap:

    >>> truth = np.ones((3, 9), np.uint8)
    >>> truth[1] = 2
    >>> prediction = truth.copy()
    >>> prediction[1, 4] = 1
    >>> found = skeleton_scores(truth, prediction, 2).scores()
    >>> round(found["cl_dice"], 3), found["cl_precision"], found["skeleton_length_error"]
    (0.941, 1.0, 0.25)
    >>> found["end_point_error"], found["end_point_bias"], found["branch_point_error"]
    (1.0, 1.0, None)
    """
    return skeletons_of_classes(
        truth, prediction, [class_id], pixel_size=pixel_size, goes_on=goes_on
    )[class_id]


def skeletons_of_classes(
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    class_ids: Sequence[int],
    *,
    pixel_size: Sequence[float] | None = None,
    goes_on: Callable[[], bool] = lambda: True,
) -> dict[int, SkeletonAgreement]:
    """The same of several classes, by class id, in little more time than of one.

    Parameters and errors as in `skeleton_scores`.

    Examples
    --------
    >>> truth = np.array([[2, 2, 2, 1, 3, 3, 3]], np.uint8)
    >>> found = skeletons_of_classes(truth, np.where(truth == 3, 1, truth), [2, 3])
    >>> found[2].scores()["cl_dice"], found[3].scores()["cl_dice"]
    (1.0, 0.0)
    """
    if truth.shape != prediction.shape or truth.ndim not in (2, 3):
        raise ValueError(f"No planes or volumes alike: {truth.shape} and {prediction.shape}.")
    sizes = (1.0,) * truth.ndim if pixel_size is None else tuple(map(float, pixel_size))
    if len(sizes) != truth.ndim or not all(0 < size < math.inf for size in sizes):
        raise ValueError(f"No pixel size of {truth.ndim} axes: {sizes}.")
    if truth.ndim == 2:
        truth, prediction, sizes = truth[None], prediction[None], (1.0, *sizes)
    numbers = np.zeros(256, np.uint8)
    numbers[list(class_ids)] = np.arange(1, len(class_ids) + 1)
    numbers[UNLABELLED] = 0
    true = numbers[truth]
    seen = numbers[prediction]
    seen[truth == UNLABELLED] = 0
    spacing = (sizes[0], sizes[1], sizes[2])
    of_truth = _skeletons(true, seen, len(class_ids), spacing, goes_on)
    of_prediction = _skeletons(seen, true, len(class_ids), spacing, goes_on)
    return {
        class_id: SkeletonAgreement(
            one,
            other,
            abs(other.length - one.length),
            abs(other.branch_points - one.branch_points),
            abs(other.end_points - one.end_points),
        )
        for class_id, one, other in zip(class_ids, of_truth, of_prediction, strict=True)
    }


def _skeletons(
    labels: Numbers,
    other: Numbers,
    count: int,
    spacing: tuple[float, float, float],
    goes_on: Callable[[], bool],
) -> list[Skeleton]:
    """Of each of `count` classes in ``(Z, Y, X)``, numbered from 1; those of one touch no other."""
    box = _box(labels)
    if box is None:
        return [Skeleton()] * count
    labels, other = labels[box], other[box]
    if len(labels) == 1:
        skeleton = thinning.thinned(labels[0].astype(np.int32), goes_on=goes_on)[None]
    elif labels.size > thinning_3d.MOST_VOXELS:
        raise ValueError(f"A volume of {labels.shape} is too large for a skeleton.")
    else:
        skeleton = thinning_3d.thinned_volume(labels.astype(np.int32), goes_on=goes_on)
    of = networks_of(skeleton, count, spacing)
    places = np.nonzero(skeleton)
    owners = skeleton[places]
    voxels = np.bincount(owners, minlength=count + 1)[1:]
    inside = np.bincount(owners[other[places] == owners], minlength=count + 1)[1:]
    return [
        Skeleton(
            int(voxels[i]),
            int(inside[i]),
            float(of.lengths[i]),
            int(of.branch_points[i]),
            int(of.ends[i]),
        )
        for i in range(count)
    ]


def _box(labels: Numbers) -> tuple[slice, slice, slice] | None:
    """The smallest box around all that is not 0; all planes. None where there is nothing.

    It begins at even places: volumes are thinned in groups of every other voxel, and shall be in
    the same ones with and without what lies around them.
    """
    there: NDArray[np.bool_] = np.any(labels, axis=0)
    if not there.any():
        return None
    rows, columns = (np.flatnonzero(np.any(there, axis=axis)) for axis in (1, 0))
    y0, x0 = (places[0] // 2 * 2 for places in (rows, columns))
    return slice(None), slice(y0, rows[-1] + 1), slice(x0, columns[-1] + 1)
