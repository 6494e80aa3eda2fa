"""Rows of the comparison that no job made: another program's predictions, a second person's masks.

They are run folders of kind ``"imported"`` or ``"annotation"``, made by `runs.adding_predictions`,
and have no model. What OrgSeg does not know of them is said wherever they stand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orgseg_app.files.names import clean_text
from orgseg_app.runs.folder import ELSEWHERE_KINDS, RunFolder

IMPORTED, ANNOTATION = ELSEWHERE_KINDS

MARKS = {IMPORTED: "made elsewhere, trained on unknown images", ANNOTATION: "painted by a person"}
"""Few words beside the name."""

UNKNOWN_TRAINING = "OrgSeg cannot know what it was trained on"


def is_made_elsewhere(run: RunFolder) -> bool:
    """Whether a run was never trained here."""
    return run.kind in ELSEWHERE_KINDS


def words_of(run: RunFolder) -> str:
    """What such a run is, in one line; "" of any other run."""
    if run.kind == IMPORTED:
        return f"imported {_title(run) or 'predictions'}; {UNKNOWN_TRAINING}"
    if run.kind == ANNOTATION:
        return f"second annotation by a person, from {_title(run) or 'files'}"
    return ""


def caution_of(run: RunFolder) -> str:
    """What must be said beside its scores, in a sentence; "" of any other run."""
    if run.kind == IMPORTED:
        return (
            f'"{run.name}" was made elsewhere: {UNKNOWN_TRAINING}. If it has seen these images, '
            "its scores flatter it."
        )
    if run.kind == ANNOTATION:
        return (
            f'"{run.name}" was painted by a person: its scores say how far two people agree, which '
            "no model can be expected to surpass."
        )
    return ""


def held_images(run: RunFolder) -> frozenset[str]:
    """Ids of the images that masks were given for; they can be scored, painted today or not."""
    held = _source(run).get("images")
    return frozenset(str(i) for i in held) if isinstance(held, dict) else frozenset()


def _title(run: RunFolder) -> str:
    """What was given; the words may be a stranger's."""
    title = _source(run).get("title")
    return clean_text(title, 80) if isinstance(title, str) else ""


def _source(run: RunFolder) -> Mapping[str, Any]:
    found = run.request.get("source")
    return found if isinstance(found, dict) else {}
