"""What a score's own words leave out: its range, when it misleads, who described it. No Qt.

The words themselves are in `comparing.measures`. Ways to count one score share its note.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreNote:
    """What to know of a score before trusting it.

    Attributes
    ----------
    span
        Its range, and the unit where it has one.
    misleads
        When a good or a bad figure says less than it seems to; a sentence or two.
    source
        Who described it, where.
    """

    span: str
    misleads: str
    source: str


_SHARE = "0 to 1"
_NO_END = "0 and up"
_CAICEDO = "Caicedo and others, Cytometry A 95, 2019"
_BOWL = "Caicedo and others, Nature Methods 16, 2019"
_FEW_PIXELS = "Thin or small structures score lower than large ones for the same slip of the hand."
_SMOOTH = (
    "It says nothing of the inside, and two pixels are much where the structure is three wide."
)
_STRICT = (
    "All or nothing: an object just below the threshold counts as missed and as made up. With few "
    "objects one of them moves it much."
)
_ONE_SIDED = "Look at its counterpart beside it: marking too much, or too little, makes one high."
_ARGANDA = "Arganda-Carreras and others, Frontiers in Neuroanatomy 9, 2015"
_MEILA = "Meilă, Journal of Multivariate Analysis 98, 2007"
_MAIER_HEIN = "Maier-Hein and others, Nature Methods 21, 2024"
_SHIT = "Shit and others, CVPR 2021"
_OWN = "OrgSeg's own, counted on the skeletons of truth and prediction"
_GUAY = "Guay and others, Scientific Reports 11, 2021"

NOTES: Mapping[str, ScoreNote] = {
    "iou": ScoreNote(
        _SHARE,
        f"{_FEW_PIXELS} Compare it on the same images only.",
        "Jaccard, New Phytologist 11, 1912",
    ),
    "dice": ScoreNote(
        _SHARE,
        f"Always higher than IoU between 0 and 1, and ranks the same: 0.8 of IoU is 0.89 of Dice. "
        f"{_FEW_PIXELS}",
        "Dice, Ecology 26, 1945",
    ),
    "precision": ScoreNote(_SHARE, _ONE_SIDED, "As in information retrieval"),
    "recall": ScoreNote(_SHARE, _ONE_SIDED, "As in information retrieval"),
    "specificity": ScoreNote(
        _SHARE,
        "Where the structure covers little of the image, nearly every model is above 0.95.",
        "Yerushalmy, Public Health Reports 62, 1947",
    ),
    "accuracy": ScoreNote(
        _SHARE,
        "A model that finds nothing has 0.9 where background fills 90 % of what is painted.",
        "The share of pixels that are right",
    ),
    "mean_iou_all": ScoreNote(
        _SHARE,
        "Background is easy and lifts it; a rare class counts as much as a common one.",
        _GUAY,
    ),
    "mean_iou_group": ScoreNote(
        _SHARE, "A rare class counts as much as a common one, and is less sure.", _GUAY
    ),
    "mean_recall_group": ScoreNote(
        _SHARE, "Marking too much raises it; read it beside precision.", _GUAY
    ),
    "adjusted_rand_index": ScoreNote(
        "about 0 to 1; below 0 is worse than chance",
        "Large classes decide it, since pairs of pixels are counted.",
        "Hubert and Arabie, Journal of Classification 2, 1985",
    ),
    "ap_50": ScoreNote(_SHARE, f"{_STRICT} Outlines hardly matter at 0.50.", _BOWL),
    "ap_75": ScoreNote(
        _SHARE, f"{_STRICT} Small objects seldom reach 0.75, whatever the model.", _BOWL
    ),
    "mean_ap": ScoreNote(
        _SHARE,
        "Two people seldom agree beyond 0.80: the strictest thresholds measure the painting hand.",
        _BOWL,
    ),
    "f1_50": ScoreNote(_SHARE, _STRICT, _CAICEDO),
    "mean_f1": ScoreNote(
        _SHARE, "The strictest thresholds measure the painting hand as much as the model.", _CAICEDO
    ),
    "panoptic_quality": ScoreNote(
        _SHARE,
        "Mixes finding and outlining: look at F1 and at the overlap of found objects to tell which "
        "of the two is weak.",
        "Kirillov and others, CVPR 2019",
    ),
    "segmentation_quality": ScoreNote(
        "0.5 to 1",
        "Only objects that were found count: it may be high for a model that misses most.",
        "Kirillov and others, CVPR 2019",
    ),
    "best_jaccard": ScoreNote(
        _SHARE,
        "Objects that the model made up do not lower it, and one predicted object may be the best "
        "of several.",
        f"{_CAICEDO}, who take the best of each predicted object",
    ),
    "missed_objects": ScoreNote(
        _SHARE, "An object found with a poor outline counts as missed at 0.70.", _CAICEDO
    ),
    "missed_small": ScoreNote(
        _SHARE, "Thirds are taken in each image: small in one may be large in another.", _CAICEDO
    ),
    "missed_large": ScoreNote(
        _SHARE, "Thirds are taken in each image: large in one may be small in another.", _CAICEDO
    ),
    "split_objects": ScoreNote(
        _SHARE, "A model that finds nothing splits nothing: read it beside missed.", _CAICEDO
    ),
    "merged_objects": ScoreNote(
        _SHARE, "A model that finds nothing merges nothing: read it beside missed.", _CAICEDO
    ),
    "count_error": ScoreNote(
        _NO_END,
        "Says nothing of where objects are: one missed and one made up in an image cancel out.",
        "The mean of absolute differences, as a share",
    ),
    "adapted_rand_error": ScoreNote(
        _SHARE, "Large objects decide it, since pairs of pixels are counted.", _ARGANDA
    ),
    "voi_split": ScoreNote(
        _NO_END + ", in bits",
        "It grows with the number of objects: compare it on the same images only.",
        _MEILA,
    ),
    "voi_merge": ScoreNote(
        _NO_END + ", in bits",
        "It grows with the number of objects: compare it on the same images only.",
        _MEILA,
    ),
    "boundary_f1": ScoreNote(_SHARE, _SMOOTH, "Csurka, Larlus and Perronnin, BMVC 2013"),
    "boundary_precision": ScoreNote(_SHARE, _ONE_SIDED, "Csurka, Larlus and Perronnin, BMVC 2013"),
    "boundary_recall": ScoreNote(_SHARE, _ONE_SIDED, "Csurka, Larlus and Perronnin, BMVC 2013"),
    "hausdorff": ScoreNote(
        _NO_END,
        "One stray pixel far away decides it. Where nothing was predicted there is no distance, "
        "and the image is left out.",
        "Huttenlocher and others, IEEE TPAMI 15, 1993",
    ),
    "hausdorff_95": ScoreNote(
        _NO_END,
        "Forgets the worst twentieth, which may be a whole lost structure. Images without "
        "a prediction are left out, so that a model that fails wholly may look good.",
        _MAIER_HEIN,
    ),
    "surface_distance": ScoreNote(
        _NO_END,
        "A long good edge hides a short bad one. Images without a prediction are left out.",
        _MAIER_HEIN,
    ),
    "cl_dice": ScoreNote(
        _SHARE,
        "Width hardly counts: a mask twice as wide may have the same. Rough edges grow spurs on "
        "skeletons.",
        _SHIT,
    ),
    "cl_precision": ScoreNote(_SHARE, _ONE_SIDED, _SHIT),
    "cl_recall": ScoreNote(_SHARE, _ONE_SIDED, _SHIT),
    "skeleton_length_error": ScoreNote(
        _NO_END, "Says nothing of where the skeleton runs; spurs of rough edges count.", _OWN
    ),
    "branch_point_error": ScoreNote(
        _NO_END, "Rough edges grow spurs, and each spur is a branching point.", _OWN
    ),
    "end_point_error": ScoreNote(_NO_END, "Each gap makes two ends, and so does each spur.", _OWN),
    "roc_auc": ScoreNote(
        "0.5 (chance) to 1",
        "Easy background fills most images and lifts it; average precision is the stricter one.",
        "Hanley and McNeil, Radiology 143, 1982",
    ),
    "average_precision": ScoreNote(
        _SHARE,
        "Chance is the share of the structure, not 0: compare it on the same images only.",
        "Davis and Goadrich, ICML 2006",
    ),
}


def note_of(score: str) -> ScoreNote:
    """The note of a score, also of one counted through the planes of a volume.

    Raises
    ------
    KeyError
        For a score that there is not.
    """
    return NOTES[score.removesuffix("_3d")]
