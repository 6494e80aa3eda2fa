"""What each score is called, which way is better, and who described it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orgseg_app.runs.class_scores import LOWER_IS_BETTER, NEARER_TO_0_IS_BETTER

OVERLAP, OUTLINES, LIKELY = "Overlap", "Outlines and skeletons", "Probabilities"
FOUND, GROUPED, TOGETHER = "Objects, one by one", "Objects, as groups of voxels", "All classes"
SECTIONS = (OVERLAP, OUTLINES, LIKELY, FOUND, GROUPED, TOGETHER)

_JACCARD = "IoU: Jaccard, New Phytol. 11 (1912)"
_DICE = "Dice, the same as F1: Dice, Ecology 26 (1945)"
_CSURKA = "Boundary F1: Csurka et al., BMVC (2013)"
_HAUSDORFF = (
    "Hausdorff distance: Huttenlocher et al., IEEE TPAMI 15 (1993); its 95th percentile and the "
    "surface distance as Maier-Hein et al., Nat. Methods 21 (2024), recommend"
)
_CLDICE = "clDice: Shit et al., CVPR (2021)"
_ROC = "Area below the ROC curve: Hanley & McNeil, Radiology 143 (1982)"
_PR = "Precision over recall: Davis & Goadrich, ICML (2006)"
_AP = (
    "Average precision of objects, TP / (TP + FP + FN): 2018 Data Science Bowl; Caicedo et al., "
    "Nat. Methods 16 (2019)"
)
_MISSED = "Missed, split and merged objects: Caicedo et al., Cytometry A 95 (2019)"
_PQ = "Panoptic quality: Kirillov et al., CVPR (2019)"
_RAND = "Adapted Rand error: Arganda-Carreras et al., Front. Neuroanat. 9:142 (2015)"
_VOI = "Variation of information: Meilă, J. Multivar. Anal. 98 (2007)"
_ARI = "Adjusted Rand index: Hubert & Arabie, J. Classif. 2 (1985)"
_GUAY = "Mean IoU of all classes and of a group: Guay et al., Sci. Rep. 11 (2021)"


@dataclass(frozen=True)
class ScoreFact:
    """One score.

    Attributes
    ----------
    title
        Short, for the head of a column.
    section
        Of `SECTIONS`.
    source
        Who described it; "" where it needs none.
    """

    title: str
    section: str
    source: str = ""


SCORES: dict[str, ScoreFact] = {
    "iou": ScoreFact("IoU", OVERLAP, _JACCARD),
    "dice": ScoreFact("Dice (F1)", OVERLAP, _DICE),
    "precision": ScoreFact("Precision", OVERLAP),
    "recall": ScoreFact("Recall", OVERLAP),
    "specificity": ScoreFact("Specificity", OVERLAP),
    "boundary_f1": ScoreFact("Boundary F1", OUTLINES, _CSURKA),
    "boundary_precision": ScoreFact("Boundary precision", OUTLINES, _CSURKA),
    "boundary_recall": ScoreFact("Boundary recall", OUTLINES, _CSURKA),
    "hausdorff": ScoreFact("Hausdorff", OUTLINES, _HAUSDORFF),
    "hausdorff_95": ScoreFact("HD95", OUTLINES, _HAUSDORFF),
    "surface_distance": ScoreFact("Surface distance", OUTLINES, _HAUSDORFF),
    "cl_dice": ScoreFact("clDice", OUTLINES, _CLDICE),
    "cl_precision": ScoreFact("clPrecision", OUTLINES, _CLDICE),
    "cl_recall": ScoreFact("clRecall", OUTLINES, _CLDICE),
    "skeleton_length_error": ScoreFact("Length error", OUTLINES),
    "skeleton_length_bias": ScoreFact("Length bias", OUTLINES),
    "branch_point_error": ScoreFact("Branch error", OUTLINES),
    "branch_point_bias": ScoreFact("Branch bias", OUTLINES),
    "end_point_error": ScoreFact("End error", OUTLINES),
    "end_point_bias": ScoreFact("End bias", OUTLINES),
    "roc_auc": ScoreFact("ROC AUC", LIKELY, _ROC),
    "average_precision": ScoreFact("Average precision", LIKELY, _PR),
    "ap_50": ScoreFact("AP 0.50", FOUND, _AP),
    "ap_75": ScoreFact("AP 0.75", FOUND, _AP),
    "mean_ap": ScoreFact("AP 0.50–0.95", FOUND, _AP),
    "f1_50": ScoreFact("F1 0.50", FOUND, _AP),
    "mean_f1": ScoreFact("F1 0.50–0.90", FOUND, _AP),
    "panoptic_quality": ScoreFact("PQ", FOUND, _PQ),
    "segmentation_quality": ScoreFact("SQ", FOUND, _PQ),
    "recognition_quality": ScoreFact("RQ", FOUND, _PQ),
    "best_jaccard": ScoreFact("Best IoU", FOUND),
    "best_jaccard_predicted": ScoreFact("Best IoU, predicted", FOUND),
    "missed_objects": ScoreFact("Missed", FOUND, _MISSED),
    "missed_middle": ScoreFact("Missed, middle", FOUND, _MISSED),
    "missed_small": ScoreFact("Missed, small", FOUND, _MISSED),
    "missed_large": ScoreFact("Missed, large", FOUND, _MISSED),
    "split_objects": ScoreFact("Split", FOUND, _MISSED),
    "merged_objects": ScoreFact("Merged", FOUND, _MISSED),
    "count_error": ScoreFact("Count error", FOUND),
    "count_bias": ScoreFact("Count bias", FOUND),
    "adapted_rand_error": ScoreFact("Rand error", GROUPED, _RAND),
    "adapted_rand_precision": ScoreFact("Rand precision", GROUPED, _RAND),
    "adapted_rand_recall": ScoreFact("Rand recall", GROUPED, _RAND),
    "voi_split": ScoreFact("VOI split (bits)", GROUPED, _VOI),
    "voi_merge": ScoreFact("VOI merge (bits)", GROUPED, _VOI),
    "mean_iou": ScoreFact("Mean IoU", TOGETHER, _JACCARD),
    "mean_dice": ScoreFact("Mean Dice", TOGETHER, _DICE),
    "accuracy": ScoreFact("Accuracy", TOGETHER),
    "background_iou": ScoreFact("Background IoU", TOGETHER, _JACCARD),
    "mean_iou_all": ScoreFact("Mean IoU, with background", TOGETHER, _GUAY),
    "mean_iou_group": ScoreFact("Mean IoU, group", TOGETHER, _GUAY),
    "mean_recall_group": ScoreFact("Mean recall, group", TOGETHER, _GUAY),
    "adjusted_rand_index": ScoreFact("Adjusted Rand index", TOGETHER, _ARI),
}

_IN_SPACE = "_3d"
_PARTS = frozenset(
    (
        *("boundary_precision", "boundary_recall", "cl_precision", "cl_recall"),
        *("adapted_rand_precision", "adapted_rand_recall", "best_jaccard_predicted"),
        "recognition_quality",
    )
)
"""What other scores are made of."""
_AT = re.compile(r"(ap|f1)_(\d\d)")


def fact_of(score: str) -> ScoreFact:
    """How a score is called; one that is not known here is called by its name.

    >>> fact_of("ap_50_3d").title, fact_of("new_score").title
    ('AP 0.50, 3-D', 'New score')
    """
    plain = score.removesuffix(_IN_SPACE)
    known = SCORES.get(plain)
    if known is None and (at := _AT.fullmatch(plain)):
        known = ScoreFact(f"{at[1].upper()} 0.{at[2]}", FOUND, _AP)
    if known is None:
        words = plain.replace("_", " ")
        known = ScoreFact(words[:1].upper() + words[1:], OVERLAP)
    if plain == score:
        return known
    return ScoreFact(f"{known.title}, 3-D", known.section, known.source)


def is_on_page(score: str) -> bool:
    """Whether a page shows it: of the many thresholds for objects only the usual ones.

    >>> is_on_page("ap_50"), is_on_page("ap_65"), is_on_page("iou")
    (True, False, True)
    """
    plain = score.removesuffix(_IN_SPACE)
    return plain not in _PARTS and (plain in SCORES or not _AT.fullmatch(plain))


def arrow(score: str) -> str:
    """A sign behind a title: "" where higher is better.

    >>> arrow("iou"), arrow("hausdorff_95"), arrow("end_point_bias")
    ('', ' ↓', ' →0')
    """
    return " →0" if _is_bias(score) else " ↓" if score in LOWER_IS_BETTER else ""


def worth(score: str, value: float) -> float:
    """A number that is the higher, the better a score is.

    >>> worth("iou", 0.5), worth("count_error", 0.5), worth("end_point_bias", -0.25)
    (0.5, -0.5, -0.25)
    """
    if _is_bias(score):
        return -abs(value)
    return -value if score in LOWER_IS_BETTER else value


def _is_bias(score: str) -> bool:
    """Too much or too little: either is as bad."""
    return score in NEARER_TO_0_IS_BETTER or score.removesuffix(_IN_SPACE).endswith("_bias")
