"""Splits in which several models together may be judged: what none of them has learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TEST, TRAIN, VALIDATION, Blocks
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.data.splitting import SplitPlan, gap_for, plan_split
from orgseg_app.learn.ensembles.members import Member
from orgseg_app.learn.errors import DataError


def unseen_plan(
    snapshot: ProjectFile, members: Sequence[Member], wanted: Mapping[str, Any] | None
) -> SplitPlan:
    """Splits in which nothing is for validation that any of the members has learned from.

    Parameters
    ----------
    snapshot
        Today's painted images, opened for reading.
    members
        All that may decide.
    wanted
        The bands of one image that all of them were trained with, from the request; None: whole
        images.

    Raises
    ------
    DataError
        With a sentence, when the members were held out from different bands of one image.
    """
    if wanted:
        return _banded(snapshot, members, wanted)
    splits, messages = {}, []
    painted = [
        i for i in snapshot.project.images.values() if not snapshot.mask(i.image_id).is_empty
    ]
    for image in painted:
        if image.split == TEST:
            continue
        knows = [m.model.name for m in members if m.learned_from(image.sha256)]
        is_held = all(image.sha256 in (m.facts.get("held_out") or ()) for m in members)
        if not knows and (image.split == VALIDATION or is_held):
            splits[image.image_id] = VALIDATION
            continue
        splits[image.image_id] = TRAIN
        if image.split == VALIDATION:
            messages.append(
                f'"{image.name}" does not help to choose: "{knows[0]}" has learned from it.'
            )
    if VALIDATION in splits.values():
        return SplitPlan(splits, messages=tuple(messages))
    blocks, gap = _common_strips(snapshot, members, painted)
    return SplitPlan(splits, blocks, gap, tuple(messages), holds_out=bool(blocks))


def _banded(
    snapshot: ProjectFile, members: Sequence[Member], wanted: Mapping[str, Any]
) -> SplitPlan:
    plans = [plan_split(snapshot, m.model.recipe, wanted) for m in members]
    first = plans[0]
    if any(plan.blocks != first.blocks for plan in plans[1:]):
        raise DataError(
            "These networks see differently far, so they were held out from different bands of the "
            "image, and no band is left that none of them has seen. Choose runs of one network."
        )
    for image_id in first.blocks:
        if not _is_as_it_was(snapshot, members, image_id):
            name = snapshot.project.images[image_id].name
            raise DataError(
                f'"{name}" was painted anew since the runs learned from it, so its bands lie '
                "elsewhere now. Train again, then make the ensemble."
            )
    return first


def _common_strips(
    snapshot: ProjectFile, members: Sequence[Member], painted: Sequence[ProjectImage]
) -> tuple[dict[str, Blocks | None], int]:
    """Strips of the training images that every member held out alike, and the widest gap."""
    if any(m.facts.get("split") or m.facts.get("held_out") for m in members):
        return {}, 0
    by_recipe = {repr(m.model.recipe.network): m.model.recipe for m in members}
    plans = [plan_split(snapshot, recipe) for recipe in by_recipe.values()]
    found: dict[str, Blocks | None] = {}
    for image in painted:
        each = [plan.blocks.get(image.image_id) for plan in plans]
        strips = {_held(blocks) for blocks in each}
        if (
            len(strips) != 1
            or not strips.pop()
            or not _is_as_it_was(snapshot, members, image.image_id)
        ):
            continue
        found[image.image_id] = max((b for b in each if b is not None), key=lambda b: b.gap)
    return found, max((gap_for(recipe) for recipe in by_recipe.values()), default=0)


def _held(blocks: Blocks | None) -> tuple[tuple[int, int, int], ...]:
    if blocks is None:
        return ()
    return tuple((blocks.axis, start, stop) for s, start, stop in blocks.bands if s == VALIDATION)


def _is_as_it_was(snapshot: ProjectFile, members: Sequence[Member], image_id: str) -> bool:
    """Whether an image is painted as when the members learned from it."""
    today = snapshot.mask_sha256(image_id)
    return all((m.facts.get("masks") or {}).get(image_id) == today for m in members)
