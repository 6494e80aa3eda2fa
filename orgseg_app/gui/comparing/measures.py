"""The scores that the table of runs can show, each with what it means. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from orgseg_app.core.metrics.class_groups import GROUP_SCORES
from orgseg_app.core.metrics.sums import average
from orgseg_app.runs.class_scores import LOWER_IS_BETTER, ClassScores

OVERLAP, TOGETHER = "Overlap", "All classes together"
FOUND, FOUND_3D = "Objects, one by one", "Objects in 3-D, one by one"
OBJECTS = "Objects, as groups of pixels"
EDGES, SKELETONS, RATES = "Outlines", "Skeletons", "Probabilities"
SECTIONS = (OVERLAP, TOGETHER, FOUND, FOUND_3D, EDGES, SKELETONS, RATES, OBJECTS)
OF_OBJECTS = (FOUND, FOUND_3D, OBJECTS)
COUNTED_APART = (*OF_OBJECTS, EDGES, SKELETONS, RATES)
"""Not made of the confusion matrix: jobs of an older OrgSeg did not look at them."""
LONG_SECTIONS = (FOUND, FOUND_3D, EDGES, SKELETONS, RATES)
"""They have a menu of their own."""
EACH_CLASS = "iou/each"
OF_GROUP = ("mean_iou_group", "mean_recall_group")

_POOLED = "All test images counted together: every pixel counts the same."
_MEAN = "The mean of the test images' own scores: every image counts the same."
_PLANES = "Every painted plane is judged by itself; the mean of all planes."
_SPACE = "Objects go through the planes of a volume; all test images counted together."
_ALL = "Objects of each plane; all test images counted together: every object counts the same."
_PER_IMAGE = (
    "Objects of each plane; the mean of the test images' own scores, as contests publish it: every "
    "image counts the same."
)
_EDGES = "The edges of all test images counted together: every edge pixel counts the same."
_FURTHEST = "The largest distance in any of the test images."
_SKELETONS = "The skeletons of all test images added up: every part of them counts the same."
_RATES = "All test images counted together, at every threshold from 0 to 1."
_UNIT = (
    " In micrometres where the images say how large a pixel is, in pixels otherwise. Images "
    "without any of the class in truth or prediction have none and are left out."
)
_SLABS = (
    " Neighbouring painted planes are one volume, but for large volumes, which are judged plane "
    "by plane."
)
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


def _found(
    score: str, title: str, words: str, *, mean: bool = False, space: bool = False
) -> tuple[Measure, ...]:
    """A score of objects one by one: pooled, and the ways that help besides."""
    found = [Measure(score, score, FOUND, f"{title}, pooled", words, _ALL)]
    if mean:
        title_of_mean = f"{title}, mean of images"
        found.append(Measure(f"{score}/mean", score, FOUND, title_of_mean, words, _PER_IMAGE, True))
    if space:
        key = f"{score}_3d"
        found.append(Measure(key, key, FOUND_3D, f"{title}, 3-D", words, _SPACE))
    return tuple(found)


def _at(percent: int) -> str:
    share = f"0.{percent}"
    return (
        f"An object is found when a predicted one and it share more than {share} of the area that "
        "they cover together. "
    )


_AP = "Average precision: found ÷ (found + missed + made up). 1 is perfect."


def _together(score: str, title: str, words: str) -> Measure:
    return Measure(score, score, TOGETHER, title, words, is_of_class=False)


def _counted(
    section: str, score: str, title: str, words: str, where: str, *, mean: bool = False
) -> tuple[Measure, ...]:
    """A score of outlines, skeletons or probabilities: pooled, and as mean of images."""
    found = [Measure(score, score, section, f"{title}, pooled", words, where)]
    if mean:
        key, title = f"{score}/mean", f"{title}, mean of images"
        found.append(Measure(key, score, section, title, words, _MEAN, is_mean=True))
    return tuple(found)


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
    Measure(
        "specificity", "specificity", OVERLAP, "Specificity, pooled",
        "How much of what is not the structure the model left unmarked. Where the structure is "
        "small, it is high for poor models too.",
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
    *_found("ap_50", "AP at 0.50", _at(50) + _AP, mean=True, space=True),
    *_found("ap_75", "AP at 0.75", _at(75) + _AP, space=True),
    *_found(
        "mean_ap", "Mean AP 0.50–0.95",
        "Average precision, found ÷ (found + missed + made up), with ten ways to say what is "
        "found: sharing more than 0.50, 0.55 … 0.95 of the area. Their mean, as in the 2018 Data "
        "Science Bowl: outlines count, too. 1 is perfect.",
        mean=True, space=True,
    ),
    *_found(
        "f1_50", "F1 at 0.50",
        _at(50) + "Twice the found ÷ (true objects + predicted objects). 1 is perfect.",
        space=True,
    ),
    *_found(
        "mean_f1", "Mean F1 0.50–0.90",
        "The mean of F1 over nine ways to say what is found: sharing more than 0.50, 0.55 … 0.90 "
        "of the area. 1 is perfect.",
        mean=True,
    ),
    *_found(
        "panoptic_quality", "Panoptic quality",
        "How many objects are found (F1 at 0.50) times how well these overlap. 1 is perfect.",
        space=True,
    ),
    *_found(
        "segmentation_quality", "Overlap of found objects",
        "The mean IoU of the objects that are found at 0.50, those missed left out. 1 is perfect.",
    ),
    *_found(
        "best_jaccard", "Best overlap of objects",
        "For each true object the highest IoU with any predicted one; their mean. 1 is perfect.",
    ),
    *_found(
        "missed_objects", "Missed objects",
        "The share of true objects that no predicted one overlaps by more than 0.70. 0 is perfect.",
        space=True,
    ),
    *_found(
        "missed_small", "Missed small objects",
        "As missed objects, of the smallest third of each image's objects. 0 is perfect.",
    ),
    *_found(
        "missed_large", "Missed large objects",
        "As missed objects, of the largest third of each image's objects. 0 is perfect.",
    ),
    *_found(
        "split_objects", "Split objects",
        "The share of true objects that two or more predicted ones overlap by more than 0.10. "
        "0 is perfect.",
        space=True,
    ),
    *_found(
        "merged_objects", "Merged objects",
        "The share of predicted objects that overlap two or more true ones by more than 0.10. "
        "0 is perfect.",
        space=True,
    ),
    *_found(
        "count_error", "Count error",
        "Objects too many or too few in each image, as a share of the true ones; too many here do "
        "not make up for too few there. 0 is perfect.",
        space=True,
    ),
    *_objects("adapted_rand_error", "Adapted Rand error", _ERROR),
    *_objects("voi_split", "VOI split", _SPLIT),
    *_objects("voi_merge", "VOI merge", _MERGE),
    *_counted(
        EDGES, "boundary_f1", "Boundary F1",
        "How well the outlines agree: the harmonic mean of boundary precision and recall, with "
        "two pixels of tolerance. 1 is perfect (Csurka et al. 2013)." + _SLABS,
        _EDGES, mean=True,
    ),
    *_counted(
        EDGES, "boundary_precision", "Boundary precision",
        "The share of the predicted outline that lies within two pixels of the true one. "
        "1 is perfect." + _SLABS, _EDGES,
    ),
    *_counted(
        EDGES, "boundary_recall", "Boundary recall",
        "The share of the true outline that lies within two pixels of the predicted one. "
        "1 is perfect." + _SLABS, _EDGES,
    ),
    Measure(
        "hausdorff/mean", "hausdorff", EDGES, "Hausdorff distance, mean of images",
        "The largest distance of any edge pixel to the other outline: a single stray pixel can "
        "make it large. 0 is perfect (Huttenlocher et al. 1993)." + _UNIT + _SLABS, _MEAN, True,
    ),
    Measure(
        "hausdorff", "hausdorff", EDGES, "Hausdorff distance, largest",
        "The largest distance of any edge pixel to the other outline: a single stray pixel can "
        "make it large. 0 is perfect (Huttenlocher et al. 1993)." + _UNIT + _SLABS, _FURTHEST,
    ),
    Measure(
        "hausdorff_95/mean", "hausdorff_95", EDGES, "HD95, mean of images",
        "Of 100 edge pixels, 95 lie nearer to the other outline than this; of both directions the "
        "larger one. 0 is perfect (Maier-Hein et al. 2024)." + _UNIT + _SLABS, _MEAN, True,
    ),
    *_counted(
        EDGES, "surface_distance", "Surface distance",
        "How far edge pixels lie from the other outline, on average (average symmetric surface "
        "distance). 0 is perfect (Maier-Hein et al. 2024)." + _UNIT + _SLABS, _EDGES, mean=True,
    ),
    *_counted(
        SKELETONS, "cl_dice", "clDice",
        "For networks and thin structures, whose course matters more than their width: how much "
        "of each skeleton lies inside the other mask. 1 is perfect (Shit et al. 2021)." + _SLABS,
        _SKELETONS, mean=True,
    ),
    *_counted(
        SKELETONS, "cl_precision", "Skeleton precision",
        "The share of the predicted skeleton that lies inside the true structure. 1 is perfect."
        + _SLABS, _SKELETONS,
    ),
    *_counted(
        SKELETONS, "cl_recall", "Skeleton recall",
        "The share of the true skeleton that the prediction covers; gaps lower it. 1 is perfect."
        + _SLABS, _SKELETONS,
    ),
    *_counted(
        SKELETONS, "skeleton_length_error", "Length error",
        "Skeleton too long or too short in each image, as a share of the true length; too long "
        "here does not make up for too short there. 0 is perfect." + _SLABS,
        _SKELETONS, mean=True,
    ),
    *_counted(
        SKELETONS, "branch_point_error", "Branch point error",
        "Branching points too many or too few in each image, as a share of the true ones. "
        "0 is perfect." + _SLABS, _SKELETONS, mean=True,
    ),
    *_counted(
        SKELETONS, "end_point_error", "End point error",
        "Ends of lines too many or too few in each image, as a share of the true ones: every gap "
        "makes two. 0 is perfect." + _SLABS, _SKELETONS, mean=True,
    ),
    *_counted(
        RATES, "roc_auc", "ROC-AUC",
        "The chance that a pixel of the class has a higher probability than one of the others. "
        "1 is perfect, 0.5 chance (Hanley and McNeil 1982). Where the structure is small, it is "
        "high for poor models too.", _RATES, mean=True,
    ),
    *_counted(
        RATES, "average_precision", "Average precision of pixels",
        "Precision at every threshold, averaged over recall: the area below the precision-recall "
        "curve. 1 is perfect (Davis and Goadrich 2006).", _RATES, mean=True,
    ),
)  # fmt: skip

_USUAL = ("iou", "iou/mean", "dice", "dice/mean", "precision", "recall")
_USUAL_OF_MEANS = ("iou", "iou/mean", "dice", EACH_CLASS)


def score_page(score: str) -> str:
    """The place of the help that says what a score means; in 3-D it means the same.

    >>> score_page("ap_50_3d")
    'scores#ap_50'
    """
    return f"scores#{score.removesuffix('_3d')}"


def is_usual(key: str, *, of_means: bool) -> bool:
    """Whether a column is there before anybody chose; other ones for means over classes."""
    return key in (_USUAL_OF_MEANS if of_means else _USUAL)


BESIDE_SCORES = ("setting:", "fact:")
"""How the keys of columns that are no scores begin."""


def as_text(chosen: Mapping[str, bool]) -> str:
    """Shown and hidden measures, as settings keep them: ``"+voi_split -dice"``."""
    return " ".join(("+" if shown else "-") + key for key, shown in chosen.items())


def from_text(text: object) -> dict[str, bool]:
    """As `as_text` wrote it; what is not understood is left out."""
    known = {item.key for item in MEASURES} | {"note"}
    words = text.split() if isinstance(text, str) else []
    return {
        word[1:]: word[0] == "+"
        for word in words
        if word[0] in "+-" and (word[1:] in known or word[1:].startswith(BESIDE_SCORES))
    }


def class_value(scores: ClassScores, score: str, class_name: str = "") -> float | None:
    """One score of a class, or ("") the mean over the classes other than background."""
    if score in GROUP_SCORES:
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
