"""The scores of one image, or of several counted together, by the names that people see."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.metrics.class_groups import group_scores
from orgseg_app.core.metrics.clusters import OBJECT_SCORES
from orgseg_app.core.metrics.instances import INSTANCE_SCORES
from orgseg_app.core.metrics.object_scores import ObjectAgreement
from orgseg_app.core.metrics.pixels import scores

PER_CLASS = ("iou", "dice", "precision", "recall")

_RAND = {"precision": "adapted_rand_precision", "recall": "adapted_rand_recall"}
_COUNTED = (*OBJECT_SCORES, *INSTANCE_SCORES)
PER_OBJECT = tuple(_RAND.get(name, name) + where for where in ("", "_3d") for name in _COUNTED)
"""Scores of the objects of a class in planes, and in space (``_3d``).

Those of groups of voxels are means over planes; those of objects one by one count all objects of
all planes alike.
"""

_ERRORS = ("adapted_rand_error", "voi_", "missed_", "split_", "merged_", "count_error")
LOWER_IS_BETTER = frozenset(name for name in PER_OBJECT if name.startswith(_ERRORS))

Objects = Mapping[int, ObjectAgreement]
"""By class id; a class that the truth lacks is not there."""


@dataclass(frozen=True)
class ClassScores:
    """Scores by class name, background left out; None where a score does not exist.

    Attributes
    ----------
    by_class : mapping
        ``{"iou": {CLASS: x}, "dice": …, "precision": …, "recall": …}`` and `PER_OBJECT`, which are
        empty where a job of an older OrgSeg wrote none.
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
            "confusion": [list(row) for row in self.confusion],
            "confusion_classes": list(self.class_names),
        }


def class_scores(
    matrix: NDArray[np.int64],
    class_ids: Sequence[int],
    names: Mapping[int, str],
    *,
    objects: Objects | None = None,
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
    objects
        None when a job did not look at objects.
    group
        Names of the classes of the group; none for all but background.
    """
    found = scores(matrix, class_ids)
    others = {i: names[i] for i in class_ids if i != BACKGROUND}
    by_class: dict[str, dict[str, float | None]] = {
        score: {name: found[score][i] for i, name in others.items()} for score in PER_CLASS
    }
    wanted = {name.casefold() for name in group}
    ids = {i for i in class_ids if names[i].casefold() in wanted}
    over_classes = group_scores(matrix, class_ids, ids)
    if group and not ids:  # a run that knows none of them
        over_classes |= dict.fromkeys(("mean_iou_group", "mean_recall_group"))
    return ClassScores(
        by_class=by_class | _of_objects(others, objects),
        mean_iou=found["mean_iou"],
        mean_dice=found["mean_dice"],
        accuracy=found["accuracy"],
        background_iou=found["iou"].get(BACKGROUND),
        voxels=int(matrix.sum()),
        over_classes=over_classes,
        class_names=tuple(names[i] for i in class_ids),
        confusion=tuple(tuple(row) for row in np.asarray(matrix).tolist()),
    )


def objects_of(entry: Mapping[str, Any]) -> Objects | None:
    """What a job wrote about an image's objects; None when nothing, or something damaged."""
    try:
        return {int(i): ObjectAgreement.from_dict(kept) for i, kept in entry["objects"].items()}
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return None


def pooled_objects(images: Sequence[Objects | None]) -> Objects | None:
    """Objects of several images counted together; None when those of one are not known."""
    total: dict[int, ObjectAgreement] = {}
    for objects in images:
        if objects is None:
            return None
        for class_id, agreement in objects.items():
            total[class_id] = total.get(class_id, ObjectAgreement()) + agreement
    return total


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
