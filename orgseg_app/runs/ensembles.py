"""Ensembles: several trained models that decide together, as one more run.

Prepared here, without torch: what goes together is checked, the members' checkpoints are copied
into the run's folder, and the painted images are set aside. The job (`learn.ensembles.choice`) then
ranks the members and chooses how many of the best decide, on validation images only.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.files.atomic import reason, replacing
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, runs_dir
from orgseg_app.runs.model_file import read_model_facts
from orgseg_app.runs.process import read_json
from orgseg_app.runs.training import (
    class_facts,
    free_name,
    image_facts_of,
    model_path,
    painted_voxels,
    quoted,
    set_aside,
)
from orgseg_app.runs.withheld import image_facts, is_banded, seen_by

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

KIND = "ensemble"
HOWS = {"mean": "Mean", "vote": "Vote"}
"""How members decide together: their probabilities are averaged, or each has one vote."""

MOST_MEMBERS = 50
CHOICE_FILE = "ensemble.json"


@dataclass(frozen=True)
class MemberFacts:
    """What must be alike for models to decide together.

    Attributes
    ----------
    name : str
        Of the run.
    class_names : tuple of str
        Background first.
    channels : int
        Of the images it takes.
    """

    name: str
    class_names: tuple[str, ...]
    channels: int


def member_facts(run: RunFolder) -> MemberFacts:
    """What a run's model says about itself; reads the head of a file.

    Raises
    ------
    RunError
        With a sentence, when the run cannot be a member: no training, still at work, no model, a
        damaged one.
    """
    if run.kind == KIND:
        raise RunError(
            f'"{run.name}" is an ensemble itself. Choose the runs that it was made of instead.'
        )
    if run.kind != "train":
        raise RunError(f'"{run.name}" is no training, so it has no model for an ensemble.')
    if run.is_active:
        raise RunError(
            f'The run "{run.name}" is still learning. Wait for its end, or stop it; then make the '
            "ensemble."
        )
    facts = read_model_facts(model_path(run))
    try:
        names = tuple(str(item["name"]) for item in facts["classes"])
        return MemberFacts(run.name, names, int(facts["channels"]))
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise RunError(
            f'The model of "{run.name}" does not say which classes it knows. Choose another run.'
        ) from error


def disagreement(members: Sequence[MemberFacts]) -> str:
    """Why these models cannot decide together, in a sentence; "" when they can.

    Examples
    --------
    >>> a, b = MemberFacts("a", ("background", "ER"), 1), MemberFacts("b", ("background", "ER"), 3)
    >>> disagreement([a, a])
    ''
    >>> disagreement([a, b])
    '"a" takes images with 1 channel, "b" with 3; models of an ensemble see the same images.'
    """
    if len(members) < 2:
        return "An ensemble needs at least two models. Choose more runs."
    if len(members) > MOST_MEMBERS:
        return f"An ensemble has at most {MOST_MEMBERS} models, not {len(members)}. Choose fewer."
    first = members[0]
    for other in members[1:]:
        if other.class_names != first.class_names:
            return (
                f'"{first.name}" knows {_listed(first.class_names)}, "{other.name}" knows '
                f"{_listed(other.class_names)}; models of an ensemble know the same classes."
            )
        if other.channels != first.channels:
            noun = "channel" if first.channels == 1 else "channels"
            return (
                f'"{first.name}" takes images with {first.channels} {noun}, "{other.name}" with '
                f"{other.channels}; models of an ensemble see the same images."
            )
    return ""


def _listed(class_names: Sequence[str]) -> str:
    return quoted(class_names[1:], 6) or "background only"


def prepare_ensemble(
    project_file: ProjectFile,
    runs: Sequence[RunFolder],
    *,
    name: str | None = None,
    how: str = "mean",
    turns: bool = False,
) -> RunFolder:
    """Check an ensemble and freeze its members and the painted images into a new run folder.

    Parameters
    ----------
    project_file : ProjectFile
        What is painted now counts: its validation images choose how many members decide.
    runs : sequence of RunFolder
        Trainings with a model; each counts once.
    name : str, optional
        As shown; without one, ``"ensemble of N"``, numbered when it is taken.
    how : str
        One of `HOWS`.
    turns : bool
        Every image is also predicted turned and mirrored, eight ways in all, and the answers are
        averaged (test-time augmentation).

    Returns
    -------
    RunFolder
        Not started.

    Raises
    ------
    RunError
        With a sentence, when the runs do not go together, a model is missing, or the disk refuses.
    """
    if how not in HOWS:
        raise RunError(f"Members decide by {' or '.join(HOWS)}, not by {how!r}.")
    members = list({run.run_id: run for run in runs}.values())
    problem = disagreement([member_facts(run) for run in members])
    if problem:
        raise RunError(problem)
    split = _common_split(members)
    painted = list(painted_voxels(project_file))
    if split:  # bands of one image; others were not there
        known = {entry.get("id") for entry in image_facts(members[0])}
        painted = [image_id for image_id in painted if image_id in known]
    extra: dict[str, Any] = {
        "members": [_member(run, number) for number, run in enumerate(members, 1)],
        "how": how,
        "turns": turns,
        "warnings": _warnings(project_file, painted),
        "classes": class_facts(project_file),
        # Last is what is painted today: by its id an image is looked up in this list.
        "images": [*_seen(members), *image_facts_of(project_file, painted)],
    }
    run = RunFolder.create(
        runs_dir(project_file.path),
        name=name or free_name(project_file.path, f"ensemble of {len(members)}"),
        kind=KIND,
        project_uuid=project_file.project.uuid,
        extra=extra | ({"split": split} if split else {}),
    )
    for number, member in enumerate(members, 1):
        _copy(member, run, run.path / member_file(number))
    set_aside(run, project_file, painted)
    return run


def member_file(number: int) -> str:
    """The name of a member's checkpoint in the folder of the ensemble; the first is 1."""
    return f"member-{number}.ckpt"


def _member(run: RunFolder, number: int) -> dict[str, Any]:
    """What the job must know of a member: it may be deleted before the job begins."""
    facts = image_facts(run)
    held = run.request.get("split")
    metrics = run.metrics() or {}
    seconds = metrics.get("seconds")
    return {
        "run": run.run_id,
        "name": run.name,
        "file": member_file(number),
        "split": held if isinstance(held, dict) else None,
        "learned_from": sorted(seen_by(run, run, VALIDATION)),
        "known": sorted({str(e["sha256"]) for e in facts if e.get("sha256")}),
        "held_out": _held_out(run),
        "masks": {str(e.get("id")): str(e.get("mask_sha256")) for e in facts},
        "seconds": seconds if isinstance(seconds, (int, float)) else None,
    }


def _held_out(run: RunFolder) -> list[str]:
    """Fingerprints of the whole images on which a run was chosen."""
    held = run.request.get("split")
    listed = held.get("validation") if isinstance(held, dict) else None
    found = set()
    for entry in image_facts(run):
        is_held = entry.get("split") == VALIDATION
        if isinstance(listed, list):
            is_held = entry.get("id") in listed
        if is_held and entry.get("sha256"):
            found.add(str(entry["sha256"]))
    return sorted(found)


def _common_split(members: Sequence[RunFolder]) -> dict[str, Any] | None:
    """The bands of one image that all members were trained and judged on; None for whole images.

    Raises
    ------
    RunError
        When some learned from what others are judged on: no part would be left to judge them all.
    """
    asked = [run.request.get("split") for run in members]
    if not any(is_banded(run) for run in members):
        return None
    first = asked[0]
    if not isinstance(first, dict) or any(split != first for split in asked[1:]):
        raise RunError(
            "These runs learned from different bands of one image, so no band is left that none of "
            "them has seen. Choose runs that were split alike."
        )
    return first


def _seen(members: Sequence[RunFolder]) -> list[dict[str, Any]]:
    """Images that any member learned from or was chosen on, whatever their split is today."""
    found: dict[str, dict[str, Any]] = {}
    for run in members:
        for split in (VALIDATION, TEST):  # what it learned from; that, and what it was chosen on
            for sha256 in seen_by(run, run, split):
                kind = TRAIN if split == VALIDATION else VALIDATION
                if found.get(sha256, {}).get("split") != TRAIN:
                    found[sha256] = {"id": "", "name": "", "split": kind, "sha256": sha256}
    return list(found.values())


def _warnings(project_file: ProjectFile, painted: Iterable[str]) -> list[str]:
    images = project_file.project.images
    splits = {images[image_id].split for image_id in painted}
    if TEST in splits:
        return []
    return [
        "No painted image is in the test split, so the ensemble cannot be compared on images it "
        "has not seen. Paint one more image and move it to test."
    ]


def _copy(member: RunFolder, run: RunFolder, target: Path) -> None:
    """Copy a member's best state; without it the new run's folder is taken away again."""
    try:
        with replacing(target) as draft:
            shutil.copyfile(member.best_path, draft)
    except OSError as error:
        shutil.rmtree(run.path, ignore_errors=True)
        raise RunError(
            f'The model of "{member.name}" could not be copied: {reason(error)}. Nothing was '
            "changed; check that the disk has room, then make the ensemble again."
        ) from error


# What came of it


@dataclass(frozen=True)
class EnsembleMember:
    """One model of an ensemble.

    Attributes
    ----------
    run_id, name : str
        The run it comes from.
    validation : float or None
        Its mean IoU by itself, 0…1; None where there was nothing to judge it on.
    together : float or None
        Mean IoU of this one and all that are ranked above it, deciding together.
    is_used : bool
        Whether it is among those that decide.
    """

    run_id: str
    name: str
    validation: float | None
    together: float | None
    is_used: bool


@dataclass(frozen=True)
class EnsembleFacts:
    """What an ensemble is made of.

    Attributes
    ----------
    members : tuple of EnsembleMember
        The best first, once they are ranked.
    k : int
        How many of the best decide; 0 while that is not known.
    how : str
        One of `HOWS`.
    turns : bool
        Whether images are turned and mirrored, too.
    """

    members: tuple[EnsembleMember, ...]
    k: int
    how: str
    turns: bool

    @property
    def words(self) -> str:
        """In one line: ``"mean of the best 2 of 3: a, b"``."""
        turned = ", turned and mirrored" if self.turns else ""
        if not self.k:
            return f"{self.how} of some of {len(self.members)} models{turned}"
        used = [member.name for member in self.members if member.is_used]
        which = f"all {self.k}" if self.k == len(self.members) else f"the best {self.k}"
        of = "" if self.k == len(self.members) else f" of {len(self.members)}"
        if self.k == 1:
            which, of = "the best", f" of {len(self.members)} alone"
            return f"{which}{of}{turned}: {used[0] if used else ''}"
        return f"{self.how} of {which}{of}{turned}: {', '.join(used)}"


def ensemble_facts(request: Mapping[str, Any], choice: Mapping[str, Any] | None) -> EnsembleFacts:
    """What an ensemble is made of, from its request and (when there is one) its choice.

    Damaged entries are passed over.
    """
    how = request.get("how")
    how = how if isinstance(how, str) and how in HOWS else "mean"
    turns = bool(request.get("turns"))
    asked = _dicts(request.get("members"))
    ranked = _dicts(choice.get("ranked")) if choice is not None else []
    k = choice.get("k") if choice is not None else 0
    if not ranked or not isinstance(k, int) or not 0 < k <= len(ranked):
        plain = (EnsembleMember(str(m.get("run")), _name(m), None, None, False) for m in asked)
        return EnsembleFacts(tuple(plain), 0, how, turns)
    together = {t.get("k"): _mean(t.get("validation")) for t in _dicts((choice or {}).get("tried"))}
    members = tuple(
        EnsembleMember(
            str(m.get("run")), _name(m), _mean(m.get("validation")), together.get(place), place <= k
        )
        for place, m in enumerate(ranked, 1)
    )
    return EnsembleFacts(members, k, how, turns)


def facts_of(run: RunFolder) -> EnsembleFacts:
    """`ensemble_facts` of a run of kind ``"ensemble"``, read from its folder."""
    return ensemble_facts(run.request, read_json(run.path / CHOICE_FILE))


def _dicts(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _name(member: Mapping[str, Any]) -> str:
    return str(member.get("name") or member.get("run") or "")


def _mean(scores: object) -> float | None:
    value = scores.get("mean_iou") if isinstance(scores, dict) else None
    return float(value) if isinstance(value, (int, float)) else None
