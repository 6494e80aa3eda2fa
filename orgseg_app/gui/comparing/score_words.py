"""What is said beside a score: its unit, or why it is not there. No Qt."""

from __future__ import annotations

from orgseg_app.gui.comparing.measures import (
    COUNTED_APART,
    EDGES,
    FOUND,
    OF_OBJECTS,
    RATES,
    SKELETONS,
    Measure,
)
from orgseg_app.runs.class_scores import DISTANCES, ClassScores

_NOT_KNOWN = {
    **dict.fromkeys(
        OF_OBJECTS,
        "Not known: the run was scored before OrgSeg looked at objects. Score it again.",
    ),
    EDGES: "Not known: the run was scored before OrgSeg looked at outlines. Score it again.",
    SKELETONS: "Not known: the run was scored before OrgSeg looked at skeletons, or an image is "
    "larger than 8192 × 8192 pixels. Score it again if it is not.",
    RATES: "Not known: no probabilities were counted when the run was scored. A model has them "
    "when it is scored again.",
}


def unit_of(item: Measure, scores: ClassScores | None) -> str:
    """What a score is in, after a space; "" for shares, and where images differ."""
    if item.score not in DISTANCES or scores is None or not scores.distance_unit:
        return ""
    return f" {scores.distance_unit}"


def why_none(item: Measure, scores: ClassScores) -> str:
    """Why a run that has scores lacks this one."""
    if item.section not in COUNTED_APART:
        return "No such score: the class occurs neither in truth nor in prediction."
    if not scores.by_class[item.score]:
        return _NOT_KNOWN[item.section]
    if item.score in DISTANCES:
        if not scores.distance_unit:
            return "No such score: some images say how large a pixel is, and some do not."
        return "No such score: truth or prediction has no outline of the class."
    if item.section == RATES:
        return "No such score: the truth has no pixel of the class, or no other."
    if item.section == EDGES:
        return "No such score: the class has no outline."
    if item.section == SKELETONS:
        return "No such score: the truth has none of it to count."
    if item.score.endswith("_3d"):
        return "No such score: no two neighbouring planes of a volume are painted."
    if item.section == FOUND:
        return "No such score: there is no object of the class to count."
    return "No such score: the truth has no object of the class."
