"""The scores that the table of runs can show, each with what it means. No Qt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from orgseg_app.runs.class_scores import LOWER_IS_BETTER, ClassScores

OVERLAP, TOGETHER, OBJECTS = "Overlap", "All classes together", "Objects"
SECTIONS = (OVERLAP, TOGETHER, OBJECTS)
EACH_CLASS = "iou/each"
OF_GROUP = ("mean_iou_group", "mean_recall_group")

_POOLED = "All test images counted together: every pixel counts the same."
_MEAN = "The mean of the test images' own scores: every image counts the same."
_PLANES = "Every painted plane is judged by itself; the mean of all planes."
_SPACE = "Objects go through the planes of a volume; all test images counted together."
_ERROR = (
    "Takes two pixels inside true objects at a time: are they in one object, in the truth and in "
    "the prediction? 0 is perfect, 1 the worst. Objects found where there are none do not count: "
    "precision tells of them."
)
_SPLIT = (
    "Variation of information, in bits: how far true objects fell into several parts. What the "
    "model missed counts as a part. 0 is perfect."
)
_MERGE = (
    "Variation of information, in bits: how far several true objects became one. What the model "
    "missed counts as one. 0 is perfect."
)


@dataclass(frozen=True)
class Measure:
    """One score, or one way to count it.

    Attributes
    ----------
    key
        What is remembered when a person shows or hides it.
    score
        Its name in `ClassScores`.
    section
        Of `SECTIONS`.
    title
        What, a comma, and how it was counted.
    words
        What the number means.
    where
        What was counted.
    is_mean
        Mean of the images' own scores instead of the pooled one.
    is_of_class
        Each class has one; otherwise all classes have one together.
    """

    key: str
    score: str
    section: str
    title: str
    words: str
    where: str = _POOLED
    is_mean: bool = False
    is_of_class: bool = True

    @property
    def is_lower_better(self) -> bool:
        """An error instead of an agreement."""
        return self.score in LOWER_IS_BETTER


_IOU = "Intersection over union: agreement ÷ (agreement + too much + missed). 1 is perfect."
_DICE = "Dice, the same as F1: twice the agreement ÷ (truth + prediction). 1 is perfect."


def _together(score: str, title: str, words: str) -> Measure:
    return Measure(score, score, TOGETHER, title, words, is_of_class=False)


def _objects(score: str, word: str, words: str) -> tuple[Measure, Measure]:
    space = f"{score}_3d"
    return (
        Measure(score, score, OBJECTS, f"{word}, planes", words, _PLANES),
        Measure(space, space, OBJECTS, f"{word}, 3-D", words, _SPACE),
    )


MEASURES: tuple[Measure, ...] = (
    Measure("iou", "iou", OVERLAP, "IoU, pooled", _IOU),
    Measure("iou/mean", "iou", OVERLAP, "IoU, mean of images", _IOU, _MEAN, is_mean=True),
    Measure("dice", "dice", OVERLAP, "Dice (F1), pooled", _DICE),
    Measure("dice/mean", "dice", OVERLAP, "Dice (F1), mean of images", _DICE, _MEAN, is_mean=True),
    Measure(
        "precision", "precision", OVERLAP, "Precision, pooled",
        "How much of what the model marked is right.",
    ),
    Measure(
        "recall", "recall", OVERLAP, "Recall, pooled",
        "How much of the true structure the model found.",
    ),
    Measure(EACH_CLASS, "iou", OVERLAP, "IoU of each class, pooled", _IOU),
    _together(
        "accuracy", "Accuracy, with background",
        "The share of painted pixels that got their class. Where one class fills most of the "
        "image, it is high for poor models too.",
    ),
    _together(
        "mean_iou_all", "Mean IoU, with background",
        "The mean of the IoU of all classes, the background as one of them. 1 is perfect.",
    ),
    _together(
        "mean_iou_group", "Mean IoU, group",
        "The mean of the IoU of the classes of the group, which the menu of columns chooses. "
        "1 is perfect.",
    ),
    _together(
        "mean_recall_group", "Mean recall, group",
        "The mean share of each class that got its class, over the classes of the group (mean "
        "organelle accuracy). 1 is perfect.",
    ),
    _together(
        "adjusted_rand_index", "Adjusted Rand index, classes",
        "Takes two pixels at a time: are they of one class, in the truth and in the prediction? "
        "Corrected for chance: 1 is perfect, 0 as good as chance.",
    ),
    *_objects("adapted_rand_error", "Adapted Rand error", _ERROR),
    *_objects("voi_split", "VOI split", _SPLIT),
    *_objects("voi_merge", "VOI merge", _MERGE),
)  # fmt: skip

_USUAL = ("iou", "iou/mean", "dice", "dice/mean", "precision", "recall")
_USUAL_OF_MEANS = ("iou", "iou/mean", "dice", EACH_CLASS)


def is_usual(key: str, *, of_means: bool) -> bool:
    """Whether a column is there before anybody chose; other ones for means over classes."""
    return key in (_USUAL_OF_MEANS if of_means else _USUAL)


def as_text(chosen: Mapping[str, bool]) -> str:
    """Shown and hidden measures, as settings keep them: ``"+voi_split -dice"``."""
    return " ".join(("+" if shown else "-") + key for key, shown in chosen.items())


def from_text(text: object) -> dict[str, bool]:
    """As `as_text` wrote it; what is not understood is left out."""
    known = {item.key for item in MEASURES}
    words = text.split() if isinstance(text, str) else []
    return {word[1:]: word[0] == "+" for word in words if word[0] in "+-" and word[1:] in known}


def class_value(scores: ClassScores, score: str, class_name: str = "") -> float | None:
    """One score of a class, or ("") the mean over the classes other than background."""
    if score in scores.over_classes:
        return scores.over_classes[score]
    if score == "accuracy":
        return scores.accuracy
    if class_name:
        return scores.by_class[score].get(class_name)
    if score == "iou":
        return scores.mean_iou
    if score == "dice":
        return scores.mean_dice
    return average(scores.by_class[score].values())


def average(values: Iterable[float | None]) -> float | None:
    """Mean of those that exist, or None.

    Examples
    --------
    >>> average([0.5, None, 1.0])
    0.75
    """
    found = [value for value in values if value is not None]
    return sum(found) / len(found) if found else None
