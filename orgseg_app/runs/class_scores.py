"""The scores of one image, or of several counted together, by the names that people see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.metrics.boundaries import BOUNDARY_SCORES, BoundaryAgreement
from orgseg_app.core.metrics.class_groups import group_scores
from orgseg_app.core.metrics.clusters import OBJECT_SCORES
from orgseg_app.core.metrics.instances import INSTANCE_SCORES
from orgseg_app.core.metrics.object_scores import ObjectAgreement
from orgseg_app.core.metrics.pixels import PER_CLASS as PER_CLASS
from orgseg_app.core.metrics.pixels import scores
from orgseg_app.core.metrics.skeletons import SKELETON_SCORES, SkeletonAgreement
from orgseg_app.core.metrics.thresholds import RatedVoxels, average_precision, roc_auc
from orgseg_app.runs.counted import Counted, Objects

_RAND = {"precision": "adapted_rand_precision", "recall": "adapted_rand_recall"}
_COUNTED = (*OBJECT_SCORES, *INSTANCE_SCORES)
PER_OBJECT = tuple(_RAND.get(name, name) + where for where in ("", "_3d") for name in _COUNTED)
"""Scores of the objects of a class in planes, and in space (``_3d``).

Those of groups of voxels are means over planes; those of objects one by one count all objects of
all planes alike.
"""

PER_EDGE = BOUNDARY_SCORES
"""Scores of outlines; of several images ``hausdorff`` is the largest of all, ``hausdorff_95`` the
mean of the images, ``surface_distance`` that of all edge voxels. Images where truth or prediction
has no edge have no distances."""

PER_SKELETON = SKELETON_SCORES
"""Scores of skeletons; of several images, of all added up."""

PER_RATED = ("roc_auc", "average_precision")
"""Scores of probabilities; of several images, of all their voxels."""

EVERY_SCORE = (*PER_CLASS, *PER_OBJECT, *PER_EDGE, *PER_SKELETON, *PER_RATED)
"""Scores that every class has, in the order of tables."""

_ERRORS = ("adapted_rand_error", "voi_", "missed_", "split_", "merged_", "count_error")
DISTANCES = ("hausdorff", "hausdorff_95", "surface_distance")
"""They have a unit, `ClassScores.distance_unit`; images with several units have none in common."""
_OF_SKELETONS = ("skeleton_length_error", "branch_point_error", "end_point_error")
LOWER_IS_BETTER = frozenset(
    (*(name for name in PER_OBJECT if name.startswith(_ERRORS)), *DISTANCES, *_OF_SKELETONS)
)
NEARER_TO_0_IS_BETTER = frozenset(name for name in PER_SKELETON if name.endswith("_bias"))
"""They may be negative: too little."""


@dataclass(frozen=True)
class ClassScores:
    """Scores by class name, background left out; None where a score does not exist.

    Attributes
    ----------
    by_class : mapping
        ``{"iou": {CLASS: x}, "dice": …}``: every name of `EVERY_SCORE`; but for `PER_CLASS` they
        are empty where a job of an older OrgSeg wrote none, or could not.
    mean_iou, mean_dice : float or None
        Over classes other than background that occur in truth or prediction.
    accuracy : float or None
        Share of labelled voxels that got their class, background included.
    background_iou : float or None
    voxels : int
        Labelled voxels that were judged.
    over_classes : mapping
        `core.metrics.class_groups.GROUP_SCORES`.
    class_names : tuple of str
        Of the rows of `confusion`, background first.
    confusion : tuple of tuples of int
        Voxels, rows truth, columns prediction.
    rated : mapping
        Voxels by the probability of each class, for curves; empty where a job wrote none.
    distance_unit : str
        Of `PER_EDGE` distances: "µm" or "pixels"; "" where there are none.
    """

    by_class: Mapping[str, Mapping[str, float | None]]
    mean_iou: float | None
    mean_dice: float | None
    accuracy: float | None
    background_iou: float | None
    voxels: int
    over_classes: Mapping[str, float | None]
    class_names: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    rated: Mapping[str, RatedVoxels] = field(default_factory=dict)
    distance_unit: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As in ``compare.json``."""
        return {
            **{score: dict(values) for score, values in self.by_class.items()},
            "mean_iou": self.mean_iou,
            "mean_dice": self.mean_dice,
            "accuracy": self.accuracy,
            "background_iou": self.background_iou,
            "voxels": self.voxels,
            **self.over_classes,
            "distance_unit": self.distance_unit,
            "confusion": [list(row) for row in self.confusion],
            "confusion_classes": list(self.class_names),
        }


def class_scores(
    matrix: NDArray[np.int64],
    class_ids: Sequence[int],
    names: Mapping[int, str],
    *,
    counted: Counted | None = None,
    group: Collection[str] = (),
) -> ClassScores:
    """Scores from what a job counted.

    Parameters
    ----------
    matrix
        ``(K, K)`` voxels, rows truth.
    class_ids
        K ids.
    names
        How each id is called.
    counted
        What a job counted besides, of this image or of these together.
    group
        Names of the classes of the group; none for all but background.
    """
    found = scores(matrix, class_ids)
    counted = Counted() if counted is None else counted
    others = {i: names[i] for i in class_ids if i != BACKGROUND}
    by_class: dict[str, dict[str, float | None]] = {
        score: {name: found[score][i] for i, name in others.items()} for score in PER_CLASS
    }
    wanted = {name.casefold() for name in group}
    ids = {i for i in class_ids if names[i].casefold() in wanted}
    over_classes = group_scores(matrix, class_ids, ids)
    if group and not ids:  # a run that knows none of them
        over_classes |= dict.fromkeys(("mean_iou_group", "mean_recall_group"))
    by_class |= _of_objects(others, counted.objects)
    by_class |= _of_edges(others, counted)
    by_class |= _of_skeletons(others, counted)
    by_class |= _of_rated(others, counted)
    return ClassScores(
        by_class=by_class,
        mean_iou=found["mean_iou"],
        mean_dice=found["mean_dice"],
        accuracy=found["accuracy"],
        background_iou=found["iou"].get(BACKGROUND),
        voxels=int(matrix.sum()),
        over_classes=over_classes,
        class_names=tuple(names[i] for i in class_ids),
        confusion=tuple(tuple(row) for row in np.asarray(matrix).tolist()),
        rated={others[i]: voxels for i, voxels in (counted.rated or {}).items() if i in others},
        distance_unit=counted.unit,
    )


def _of_objects(
    names: Mapping[int, str], objects: Objects | None
) -> dict[str, dict[str, float | None]]:
    found: dict[str, dict[str, float | None]] = {score: {} for score in PER_OBJECT}
    if objects is None:
        return found
    is_matched = all(agreement.matched is not None for agreement in objects.values())
    for class_id, name in names.items():
        agreement = objects.get(class_id, ObjectAgreement())
        planes, volume = agreement.plane_scores(), agreement.volume_scores()
        for score in _COUNTED if is_matched else OBJECT_SCORES:
            found[_RAND.get(score, score)][name] = planes[score]
            found[_RAND.get(score, score) + "_3d"][name] = volume[score]
    return found


def _of_edges(names: Mapping[int, str], counted: Counted) -> dict[str, dict[str, float | None]]:
    if counted.edges is None:
        return {score: {} for score in PER_EDGE}
    found = {
        name: counted.edges.get(class_id, BoundaryAgreement()).scores()
        for class_id, name in names.items()
    }
    return {score: {name: of[score] for name, of in found.items()} for score in PER_EDGE}


def _of_skeletons(names: Mapping[int, str], counted: Counted) -> dict[str, dict[str, float | None]]:
    if counted.skeletons is None:
        return {score: {} for score in PER_SKELETON}
    found = {
        name: counted.skeletons.get(class_id, SkeletonAgreement()).scores()
        for class_id, name in names.items()
    }
    return {score: {name: of[score] for name, of in found.items()} for score in PER_SKELETON}


def _of_rated(names: Mapping[int, str], counted: Counted) -> dict[str, dict[str, float | None]]:
    rated = counted.rated
    if not rated:
        return {score: {} for score in PER_RATED}
    both = {
        name: (roc_auc(rated[i]), average_precision(rated[i])) if i in rated else (None, None)
        for i, name in names.items()
    }
    return {score: {name: of[k] for name, of in both.items()} for k, score in enumerate(PER_RATED)}
