"""What a run learns from, set aside: training never reads the file that is being edited.

A snapshot is a project file (same layout, ``kind`` = "snapshot") that holds the annotated images
as they were at one moment, with the fingerprint of each image (``sha256``) and of each mask
(attribute ``mask_sha256`` of the mask). Image ids, names, splits, classes, pixel sizes and objects
are those of the project. Open it with ``ProjectFile.open(path, read_only=True)``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orgseg_app.core.project import Project
from orgseg_app.files import layers, schema
from orgseg_app.files.attributes import write_text
from orgseg_app.files.draft import Draft, drafting
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.intake import NewImage
from orgseg_app.files.project_file import ProjectFile


def write_snapshot(
    project_file: ProjectFile, path: str | Path, image_ids: Sequence[str] | None = None
) -> None:
    """Write annotated images, unsaved strokes included, into a new read-only project file.

    Parameters
    ----------
    project_file
        The open project; it is only read.
    path
        The file to write; one that is there is replaced when the new one is complete.
    image_ids
        Which images, in this order; all that have paint unless given.

    Raises
    ------
    ProjectError
        When an image cannot be read, or the file cannot be written; a file that was there is as
        before.
    """
    target = Path(os.path.realpath(path))
    if image_ids is None:
        image_ids = [i for i in project_file.project.images if project_file.counts(i)]
    unknown = [i for i in image_ids if i not in project_file.project.images]
    if unknown:
        raise ProjectError(f"The project holds no image {unknown[0]!r}.")
    project = project_file.project
    facts = Project(
        uuid=project.uuid,
        name=project.name,
        classes=project.classes,
        images={i: project.images[i] for i in image_ids},
    )
    size = sum(NewImage(project_file.opened_image(i)).stored_bytes for i in image_ids)
    with drafting(target, new_bytes=size) as draft:
        schema.write_root(draft.file, facts, schema.SNAPSHOT)
        for image_id in image_ids:
            _store(draft, project_file, facts, image_id)
        schema.write_order(draft.file["images"], image_ids)


def _store(draft: Draft, project_file: ProjectFile, facts: Project, image_id: str) -> None:
    """Copy one image with everything a person made for it."""
    image = facts.images[image_id]
    mask = project_file.load_mask(image_id)
    change = layers.MaskChange.whole(mask)  # a copy: the window may go on painting
    group: Any = draft.file["images"].create_group(image_id)
    sha256, small = layers.store_pixels(group, project_file.opened_image(image_id), draft.check)
    if image.sha256 and sha256 != image.sha256:
        raise ProjectError(
            f"“{image.name}” is not what it was when it was imported: its voxels in "
            f"“{project_file.path.name}” are damaged. Remove it and import it again."
        )
    dataset = layers.create_mask(group, image.mask_shape)
    layers.store_mask(dataset, change)
    write_text(dataset, "mask_sha256", layers.mask_hash(change.as_mask(image.mask_shape)))
    objects = project_file.objects(image_id)
    if objects is not None:
        layers.store_objects(group, objects)
    layers.store_thumbnail(group, small)
    schema.write_image_facts(group, image.changed(sha256=sha256))
    draft.check()
