"""Bringing the annotation of a backup back into a project.

Masks come back as ordinary edits, so that undo takes them away again;
`orgseg_app.files.backups.matching` says which image and which class is which.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK, BlockIndex
from orgseg_app.core.classes import ClassInfo, check_classes
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.recorder import Edit, Recorder
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import are_equal
from orgseg_app.core.project import Project
from orgseg_app.core.ready import ReadyChange, ready_change
from orgseg_app.files.backups.backup import (
    Backup,
    opened_backup,
    read_mask,
    read_weights,
)
from orgseg_app.files.backups.matching import ClassMap, Match, map_classes, match_images
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images import codecs, layers
from orgseg_app.files.images.layers import LOST

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile


@dataclass(frozen=True)
class RestoreMask:
    """A whole mask put back with its objects, block by block.

    Attributes
    ----------
    mask
        As it shall be.
    unknown
        Blocks nothing is known of; they stay as they are.
    with_objects
        Its objects are known, too; otherwise voxels whose class changes leave theirs.
    unknown_objects
        Blocks whose objects are not known even so.
    """

    mask: Mask
    unknown: frozenset[BlockIndex] = frozenset()
    with_objects: bool = False
    unknown_objects: frozenset[BlockIndex] = frozenset()

    @property
    def title(self) -> str:
        """Restore."""
        return "restore"

    def apply(self, recorder: Recorder) -> None:
        """Write every block that differs, and every one that could not be read."""
        target = recorder.mask
        if self.mask.shape != target.shape:
            raise ValueError(f"The mask of this image is {target.shape}, not {self.mask.shape}.")
        indices = self._indices(target)
        known = self._known_objects(indices)
        nothing = np.zeros((BLOCK, BLOCK), np.uint8)
        for index in sorted(indices):
            new, numbers = self.mask.block(index), None
            differs = index in target.damaged or not are_equal(target.block(index), new)
            if index in known:
                found = self.mask.objects.block(index)
                numbers = np.zeros((BLOCK, BLOCK), np.uint32) if found is None else found
                differs |= not are_equal(target.objects.block(index), numbers)
                if index in target.objects.damaged:
                    differs = True
                    target.objects.writable(index)  # to be stored even where it is empty
                    target.objects.damaged.discard(index)
            if differs:
                z, by, bx = index
                values = nothing if new is None else new
                recorder.put(z, by * BLOCK, bx * BLOCK, values, numbers)
                target.damaged.discard(index)

    def ready(self, image_id: str, now: Mask) -> ReadyChange | None:
        """The same worked out beforehand, in any thread; None where nothing differs."""
        if self.mask.shape != now.shape:
            raise ValueError(f"The mask of this image is {now.shape}, not {self.mask.shape}.")
        indices = self._indices(now)
        known = self._known_objects(indices)
        return ready_change(image_id, self.title, now, self.mask, indices, known)

    def _indices(self, now: Mask) -> set[BlockIndex]:
        """Blocks that may have to be written."""
        indices = {*self.mask.block_indices(), *now.block_indices(), *now.damaged}
        if self.with_objects:
            objects = self.mask.objects, now.objects
            indices |= {i for held in objects for i in held.block_indices()} | now.objects.damaged
        return indices - self.unknown

    def _known_objects(self, indices: set[BlockIndex]) -> set[BlockIndex]:
        return indices - self.unknown_objects if self.with_objects else set()


@dataclass
class Restoration:
    """What is put back from a backup: planned first, then read one image at a time.

    Attributes
    ----------
    backup
        Where it comes from.
    classes
        Ids of the backup in the words of the project.
    matches
        The images to restore.
    read
        Ids of the images whose masks have been read.
    with_objects
        Ids of all images whose objects were not those of the project.
    weights, with_weights
        The same for weights.
    facts
        Split and note by image id, where they are not those of the project.
    problems
        Sentences about what cannot be restored.
    lost
        Images whose mask could not be read at all: `write_lost` put a new one in its place.
    """

    backup: Backup
    classes: ClassMap
    matches: list[Match] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    with_objects: list[str] = field(default_factory=list)
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    with_weights: list[str] = field(default_factory=list)
    facts: dict[str, tuple[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def added_classes(self) -> tuple[ClassInfo, ...]:
        """Classes the project lacks."""
        return self.classes.added


def plan_restoration(
    project_file: ProjectFile, backup: Backup, image_ids: Iterable[str] | None = None
) -> Restoration:
    """Find out what restoring a backup means; no voxel is read.

    Parameters
    ----------
    image_ids
        Images of the project to restore; all that the backup knows unless given.

    Raises
    ------
    ProjectError
        When the project has no room for the classes of the backup.
    """
    project = project_file.project
    chosen = None if image_ids is None else set(image_ids)
    matches = match_images(project, backup)
    wanted = [m for m in matches if m.image_id and (chosen is None or m.image_id in chosen)]
    used = {i for m in wanted for i in m.source.counts}
    plan = Restoration(backup, map_classes(project.classes, backup.classes, used), wanted)
    if chosen is None:
        plan.problems += [m.problem for m in matches if m.problem and m.source.counts]
    for match in wanted:
        source, image = match.source, project.images[match.image_id]
        if (source.split, source.note) != (image.split, image.note):
            plan.facts[image.image_id] = source.split, source.note
    return plan


def read_masks(project_file: ProjectFile, plan: Restoration) -> Iterator[tuple[str, RestoreMask]]:
    """Read one image after the other; what cannot be read is noted and left out. Any thread.

    Raises
    ------
    ProjectError
        When the backup cannot be opened.
    """
    with opened_backup(plan.backup.path) as file:
        for match in plan.matches:
            source, image = match.source, project_file.project.images.get(match.image_id)
            if image is None:  # it was removed meanwhile
                continue
            try:
                mask = read_mask(file, source.image_id)
                if mask.shape != image.mask_shape:
                    raise ProjectError(f"The mask of “{image.name}” in the backup does not fit it.")
            except FileError as error:
                plan.problems.append(str(error))
                plan.facts.pop(match.image_id, None)
                continue
            unknown = source.damaged | mask.damaged
            if unknown:
                plan.problems.append(
                    f"The backup lacks {len(unknown)} damaged block{'s' * (len(unknown) > 1)} of "
                    f"“{image.name}”; there the mask stays as it is."
                )
            plan.read.append(image.image_id)
            then = plan.classes.apply(mask)
            with_objects = "objects" in source.layers and not mask.objects.is_lost
            unknown_objects = source.damaged_objects | mask.objects.damaged
            if mask.objects.is_lost or unknown_objects:
                plan.problems.append(
                    f"The backup lacks some objects of “{image.name}”; they stay as they are there."
                )
            if with_objects and not _has_objects(project_file, image.image_id, then):
                plan.with_objects.append(image.image_id)
            try:
                weights = _other_weights(project_file, file, match)
            except FileError:
                weights = None
                plan.problems.append(
                    f"The backup lacks some weights of “{image.name}”; they stay as they are."
                )
            if weights is not None:
                plan.weights[image.image_id] = weights
                plan.with_weights.append(image.image_id)
            yield image.image_id, RestoreMask(then, unknown, with_objects, unknown_objects)


def _has_objects(project_file: ProjectFile, image_id: str, then: Mask) -> bool:
    """Whether the project has the same objects already."""
    try:
        now = project_file.load_mask(image_id).objects
    except FileError:
        return False
    indices = {*now.block_indices(), *then.objects.block_indices()}
    same = all(are_equal(now.block(i), then.objects.block(i)) for i in indices)
    return same and not (now.damaged or now.is_lost)


def _other_weights(
    project_file: ProjectFile, file: Any, match: Match
) -> NDArray[np.float32] | None:
    """The backup's weights, unless it has none or the project has the same."""
    then = read_weights(file, match.source.image_id) if "weights" in match.source.layers else None
    if then is None or then.shape != match.source.mask_shape:
        return None
    try:
        now = project_file.weights(match.image_id)
    except FileError:
        now = None
    return None if now is not None and np.array_equal(now, then) else then


def all_classes(project: Project, plan: Restoration) -> tuple[ClassInfo, ...]:
    """The classes the project will have."""
    return check_classes(sorted((*project.classes, *plan.added_classes), key=lambda c: c.class_id))


def restore(
    project_file: ProjectFile,
    backup: Backup,
    image_ids: Iterable[str] | None = None,
    *,
    with_facts: bool = False,
) -> tuple[Restoration, list[Change]]:
    """Put a backup's annotation back; undo takes the masks away again. `save` makes it last.

    The window does the same through its own one door for edits.

    Parameters
    ----------
    image_ids
        Images of the project to restore; all that the backup knows unless given.
    with_facts
        Splits and notes as well.

    Raises
    ------
    ProjectError
        When the backup cannot be read, or the project cannot be written.
    """
    plan = plan_restoration(project_file, backup, image_ids)
    masks = read_masks(project_file, plan)
    first = next(masks, None)  # a backup that cannot be opened has changed nothing
    if plan.added_classes:
        project_file.set_classes(all_classes(project_file.project, plan))
        back = {c.class_id for c in plan.added_classes}
        removed = project_file.project.removed_classes
        project_file.set_removed_classes([c for c in removed if c.class_id not in back])
    changes = []
    for image_id, edit in itertools.chain([first] if first else [], masks):
        try:
            project_file.mask(image_id)
        except FileError:
            write_lost(project_file, plan, image_id, edit.mask)
        else:
            change = apply_edit(project_file, edit, image_id)
            if change is not None:
                changes.append(change)
        write_weights(project_file, plan)
    if with_facts:
        for image_id, (split, note) in plan.facts.items():
            project_file.set_split(image_id, split)
            project_file.set_note(image_id, note)
    return plan, changes


def apply_edit(project_file: ProjectFile, edit: Edit, image_id: str) -> Change | None:
    """Make an edit and remember it for undo, where there is no window."""
    recorder = Recorder(image_id, project_file.mask(image_id))
    try:
        edit.apply(recorder)
    except BaseException:
        recorder.cancel()
        raise
    change = recorder.finish(edit.title)
    if change is not None:
        project_file.note_change(change)
    return change


def write_lost(project_file: ProjectFile, plan: Restoration, image_id: str, mask: Mask) -> None:
    """Make a mask anew that cannot be read at all, in one atomic write. Any thread.

    There is nothing undo could bring back. HDF5 cannot even free what it cannot follow, so the old
    one stays under another name until the project is compacted, and its objects, too.

    Raises
    ------
    ProjectError
        When it cannot be written.
    """
    with project_file.transaction() as file:
        group = file["images"][image_id]
        group.move("mask", f"{LOST}{len(group)}")
        layers.create_mask(group, mask.shape, codecs.chosen(group))
        change = layers.MaskChange.whole(mask)
        layers.store_annotation(group, replace(change, loses_objects=True))
    plan.lost.append(image_id)


def write_weights(project_file: ProjectFile, plan: Restoration) -> None:
    """Put weights that were read back, in one atomic write; undo does not reach them. Any thread.

    Raises
    ------
    ProjectError
        When it cannot be written.
    """
    if not plan.weights:
        return
    size = sum(values.nbytes for values in plan.weights.values())
    with project_file.transaction(new_bytes=size) as file:
        for image_id, weights in plan.weights.items():
            group = file["images"][image_id]
            if "weights" in group:
                del group["weights"]
            layers.store_weights(group, weights)
    plan.weights.clear()
