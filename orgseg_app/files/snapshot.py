"""What a run learns from, set aside: training never reads the file that is being edited.

A snapshot is a project file (same layout, ``kind`` = "snapshot") that holds the annotated images
as they were at one moment, with the fingerprint of each image (``sha256``) and of each mask
(attribute ``mask_sha256`` of the mask). Image ids, names, splits, classes, pixel sizes, objects
and weights are those of the project. Open it with ``ProjectFile.open(path, read_only=True)``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orgseg_app.core.mask import Mask
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.files import schema
from orgseg_app.files.attributes import write_text
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import codecs, layers
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.images.pyramid import PyramidWriter
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.store.draft import drafting


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
            image = facts.images[image_id]
            mask = store_image_copy(draft.file, project_file, image, draft.check)
            dataset = draft.file["images"][image_id]["mask"]
            write_text(dataset, "mask_sha256", layers.mask_hash(mask))
        schema.write_order(draft.file["images"], image_ids)


def store_image_copy(
    file: Any,
    project_file: ProjectFile,
    image: ProjectImage,
    check: Callable[[], None],
    *,
    with_levels: bool = False,
) -> Mask:
    """Copy one image with everything a person made for it into a file being written.

    The voxels of a linked image are copied, too: the file stands alone.

    Parameters
    ----------
    file
        h5py.File with a group of images.
    image
        Of the project; what is painted now is copied.
    check
        Called between pieces of work; raises to stop.
    with_levels
        Store the smaller versions that the window shows first.

    Returns
    -------
    Mask
        A copy: the window may go on painting. It notes which blocks were damaged; they look
        unlabelled in the file.

    Raises
    ------
    ProjectError
        When the image cannot be read, or its voxels are not those that were imported.
    """
    mask = project_file.load_mask(image.image_id)
    change = layers.MaskChange.whole(mask)
    group = file["images"].create_group(image.image_id)
    opened = project_file.opened_image(image.image_id)
    codec = codecs.chosen(file)
    codecs.choose(group, codec)
    pyramid = PyramidWriter(group, image.shape, opened.dtype, codec) if with_levels else None
    sha256, small = layers.store_pixels(group, opened, check, codec=codec, pyramid=pyramid)
    if image.sha256 and sha256 != image.sha256:
        raise ProjectError(
            f"“{image.name}” is not what it was when it was imported: its voxels in "
            f"“{project_file.path.name}” are damaged. Remove it and import it again."
        )
    layers.create_mask(group, image.mask_shape, codec)
    layers.store_annotation(group, change, codec, check)
    weights = project_file.weights(image.image_id)
    if weights is not None:
        layers.store_weights(group, weights, codec, check)
    layers.store_thumbnail(group, small)
    schema.write_image_facts(group, image.changed(sha256=sha256, link=None))
    check()
    copy = change.as_mask(image.mask_shape)
    copy.damaged, copy.is_doubtful = set(mask.damaged), mask.is_doubtful
    copy.objects.damaged, copy.objects.is_lost = set(mask.objects.damaged), mask.objects.is_lost
    return copy
