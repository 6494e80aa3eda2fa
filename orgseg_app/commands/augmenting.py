"""``augment``: annotated images many times over, turned and changed, for other programs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from orgseg_app.commands.console import CommandError, Progress, note, out, out_json, plural, warn
from orgseg_app.commands.exporting import formats_from
from orgseg_app.commands.project import existing_project

if TYPE_CHECKING:
    from orgseg_app.core.classes import ClassInfo
    from orgseg_app.files.augmented import AnnotatedPicture, Written
    from orgseg_app.files.importing import Intake
    from orgseg_app.files.project_file import ProjectFile

_ALL = "all"


def run(asked: Namespace) -> int:
    """Write the copies."""
    (form, *more) = formats_from(asked.format)
    if more:
        raise CommandError("Augmented images are written as one format, tiff or png.")
    if asked.seed < 0:
        raise CommandError(f"A seed is 0 or more, not {asked.seed}.")
    if asked.source.is_dir():
        written = _folder(asked, form)
    else:
        written = _project(asked, form)
    if asked.json:
        for file in written.files:
            out_json({"written": str(file)})
        return 0
    out(
        f"{plural(written.pictures, 'image')} became {plural(written.copies, 'image')} with masks "
        f'in "{asked.out}"; list.txt says which is which.'
    )
    if written.unlabelled:
        note(f"{written.unlabelled:.1%} of the pixels are unlabelled and count as background.")
    return 0


def _project(asked: Namespace, form: str) -> Written:
    from orgseg_app.files.project_file import ProjectFile

    with ProjectFile.open(existing_project(asked.source), read_only=True) as project_file:
        wanted = [
            image.image_id
            for image in project_file.project.images.values()
            if asked.split in (_ALL, image.split) and project_file.counts(image.image_id)
        ]
        if not wanted:
            raise CommandError(
                f'No image of the split "{asked.split}" has paint, so there is nothing to augment. '
                "Paint some, or name another with --split."
            )
        pictures = _pictures_of(project_file, wanted)
        return _write(asked, form, pictures, project_file.project.classes, len(wanted))


def _pictures_of(project_file: ProjectFile, image_ids: list[str]) -> Iterator[AnnotatedPicture]:
    from orgseg_app.files.augmented import AnnotatedPicture

    for image_id in image_ids:
        image = project_file.project.images[image_id]
        yield AnnotatedPicture(
            image.name,
            project_file.read_image(image_id),
            project_file.load_mask(image_id).to_array(),
            project_file.objects(image_id),
            image.is_rgb,
            image.pixel_size_um,
        )


def _folder(asked: Namespace, form: str) -> Written:
    """Images and masks as they lie in a folder, read as an import reads them."""
    from orgseg_app.files.annotations.plan import plan_import
    from orgseg_app.files.importing import ImportChoice, prepare_import

    plan = plan_import([asked.source])
    note(plan.summary())
    for text in plan.notes:
        warn(text)
    intake = prepare_import(plan, ImportChoice(split="auto"))
    written = _write(
        asked, form, _pictures_in(intake, asked.split), intake.target.classes, intake.total
    )
    for text in intake.problems:
        warn(text)
    return written


def _pictures_in(intake: Intake, split: str) -> Iterator[AnnotatedPicture]:
    """Those with a mask; where folders tell the splits, those of the split asked for."""
    from orgseg_app.files.augmented import AnnotatedPicture

    has_splits = any(item.split for item in intake.plan.items)
    for item in intake.images():
        if item.mask is None or (has_splits and split not in (_ALL, item.split)):
            continue
        opened = item.opened
        shape = opened.shape[1:]
        yield AnnotatedPicture(
            opened.name,
            opened.read(),
            np.asarray(item.mask).astype(np.uint8).reshape(shape),
            None if item.objects is None else np.asarray(item.objects, np.uint32).reshape(shape),
            opened.is_rgb,
            opened.pixel_size_um,
        )


def _write(
    asked: Namespace,
    form: str,
    pictures: Iterator[AnnotatedPicture],
    classes: tuple[ClassInfo, ...],
    total: int,
) -> Written:
    from orgseg_app.files.augmented import export_augmented

    target: Path = asked.out
    progress = Progress("Augmenting", quiet=asked.json)
    written = export_augmented(
        pictures,
        classes,
        target,
        times=asked.times,
        seed=asked.seed,
        format=form,
        progress=lambda done, name: progress.show(done, total, name),
    )
    progress.clear()
    return written
