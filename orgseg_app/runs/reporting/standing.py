"""Which runs of a comparison may be ranked, and why the others may not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orgseg_app.runs.comparison import Comparison, RunScores


@dataclass(frozen=True)
class Standing:
    """Where a run stands.

    Attributes
    ----------
    rank : int or None
        1 is the best pooled mean IoU; equal scores share a rank. None where the run must not be
        ranked with the others.
    reasons : tuple of str
        Why not, without a capital at the start; none where there is a rank.
    """

    rank: int | None
    reasons: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """The reasons in one line; "" where there is a rank."""
        return "; ".join(self.reasons)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"rank": self.rank, "not_ranked_because": list(self.reasons)}


def standings(comparison: Comparison) -> dict[str, Standing]:
    """Rank the runs whose scores can be believed and are over the same images.

    A run that saw an image while learning, whose score of an image was refused, that was scored
    before an image was painted anew, or that lacks an image of the others, gets no rank.

    Returns
    -------
    dict
        Id of each run → where it stands.
    """
    names = {one.image_id: one.image for run in comparison.runs for one in run.per_image}
    is_mixed = len({run.is_banded for run in comparison.runs if run.per_image}) > 1
    reasons = {
        run.run_id: _reasons(run, comparison, names, is_mixed=is_mixed) for run in comparison.runs
    }
    scores = {
        run.run_id: run.pooled.mean_iou
        for run in comparison.runs
        if run.pooled is not None and run.pooled.mean_iou is not None and not reasons[run.run_id]
    }
    return {
        run.run_id: Standing(1 + sum(other > mine for other in scores.values()))
        if (mine := scores.get(run.run_id)) is not None
        else Standing(None, reasons[run.run_id] or ("no score",))
        for run in comparison.runs
    }


def _reasons(
    run: RunScores, comparison: Comparison, names: Mapping[str, str], *, is_mixed: bool
) -> tuple[str, ...]:
    found = []
    if run.leaked:
        found.append(f"saw {_some(run.leaked)} while learning")
    if run.refused:
        refused = tuple(names.get(image_id, image_id) for image_id in run.refused)
        found.append(f"no honest score on {_some(refused)}")
    outdated = tuple(one.image for one in run.per_image if one.is_outdated)
    if outdated:
        found.append(f"{_some(outdated)} changed since it was scored")
    if not run.per_image:
        return tuple(found) or (f"no scores ({run.state})",)
    lacking = tuple(name for name in comparison.common_images if name in run.missing)
    if lacking and not run.refused:
        found.append(f"not scored on {_some(lacking)}")
    if run.is_banded and is_mixed:
        found.append("judged on a band of an image, others on whole images")
    return tuple(found)


def _some(names: tuple[str, ...]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{len(names)} of the images"
