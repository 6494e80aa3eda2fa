"""Which runs can be made an ensemble, and how that is said. No Qt, no disk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.runs.seeds import seed_group

ABOUT = (
    "Several models decide together, as a rule better than the best of them alone. Each is judged "
    "on the validation images; then the best 2, 3, 4 … decide together on the same images, and the "
    "number that does best is kept. Test images have no say in it."
)
HOW_WORDS = {
    "mean": "For every voxel the probabilities of all models are averaged.",
    "vote": "Every model has one vote for each voxel; where votes are equal, the mean probability "
    "decides.",
}
TURNS_WORDS = (
    "Every image is predicted eight times, turned and mirrored, and the answers are averaged: "
    "often a little better, and eight times the work."
)


def can_join(entry: RunEntry) -> bool:
    """Whether a run can be a member: a training that is over and has a model."""
    return entry.kind == "train" and entry.has_model and not entry.is_active


def seeds_of(entry: RunEntry, trainings: Iterable[RunEntry]) -> list[RunEntry]:
    """All seeds that were trained together with a run; empty for a run by itself."""
    group = seed_group(entry.run)
    return [other for other in trainings if group and seed_group(other.run) == group]


def suggested(trainings: Sequence[RunEntry]) -> list[RunEntry]:
    """Members to begin with: the newest seeds, where at least two of them are ready, else all."""
    for entry in reversed(trainings):
        ready = [other for other in seeds_of(entry, trainings) if can_join(other)]
        if len(ready) > 1:
            return ready
    return [entry for entry in trainings if can_join(entry)]


def ensemble_name(members: Sequence[RunEntry]) -> str:
    """A name for an ensemble: after its seeds, or how many there are."""
    groups = {seed_group(entry.run) for entry in members}
    if len(groups) == 1 and "" not in groups:
        return f"{members[0].name.rpartition(' seed ')[0] or members[0].name} ensemble"
    return f"ensemble of {len(members)}"
