"""``import``: show what goes with what, then store images, masks and objects in one go.

``relink`` finds the files of linked images after a move, ``embed`` copies them into the project.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orgseg_app.commands.console import (
    CommandError,
    Progress,
    confirm,
    is_interactive,
    note,
    out,
    out_json,
    plural,
    tell_notices,
    warn,
)
from orgseg_app.commands.project import existing_project

if TYPE_CHECKING:
    from orgseg_app.files.importing import Intake
    from orgseg_app.files.project_file import NewImage, ProjectFile

_SHOWN = 30
_IMAGES_ONLY = "images"


def run(asked: Namespace) -> int:
    """Add images and their masks to a project."""
    from orgseg_app.files.annotations.plan import plan_import
    from orgseg_app.files.annotations.series import as_volumes
    from orgseg_app.files.importing import ImportChoice, ImportChoiceError, prepare_import
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    without = asked.meaning == "none"
    form = _IMAGES_ONLY if without else asked.format
    try:
        plan = plan_import(asked.paths, asked.annotations or (), form)
    except ValueError as error:
        raise CommandError(f"{error} Nothing was imported.") from error
    if asked.as_volume:
        headers = [item.header for item in plan.items if item.header is not None]
        if not plan.series and all(header.planes == 1 for header in headers):
            raise CommandError(
                "There are no numbered images of equal size here that could be the planes of a "
                "volume. Nothing was imported; leave --as-volume out to import them one by one."
            )
        plan = as_volumes(plan)
    elif any(series.is_likely for series in plan.series):
        warn(
            f"The numbered images of “{plan.series[0].name}” look like the planes of a volume; "
            "add --as-volume to import them as one."
        )
    choice = ImportChoice(
        use_annotations=not without,
        meaning="auto" if without else asked.meaning,
        class_names=tuple(name for name in asked.class_names.split(",") if name.strip()),
        split=asked.split,
        link=asked.link,
        codec=asked.codec,
        boxes=asked.boxes,
    )
    with ProjectFile.open(path) as project_file:
        if project_file.read_only:
            raise CommandError(project_file.read_only_reason)
        tell_notices(project_file.notices)
        project = project_file.project
        images = [(i, bool(project_file.counts(i.image_id))) for i in project.images.values()]
        try:
            intake = prepare_import(plan, choice, project.classes, images)
        except ImportChoiceError as error:
            text = str(error).replace("Say which it is;", "Say which it is with --class NAME;")
            text = text.replace("or say that the values are classes;", "or add --meaning classes;")
            raise CommandError(text) from error
        _show_plan(intake)
        if choice.link:
            note("The images stay in their files; the project knows these by what they hold.")
        if not asked.yes and is_interactive() and not confirm("Import these?"):
            note("Nothing was imported.")
            return 0
        return _store(project_file, intake, asked)


def _show_plan(intake: Intake) -> None:
    plan, target = intake.plan, intake.target
    note(plan.summary())
    for item in plan.items[:_SHOWN]:
        if not item.is_readable:
            continue
        mask = "no mask"
        if item.annotation is not None:
            paths = item.annotation.paths
            mask = str(paths[0].name) if len(paths) == 1 else plural(len(paths), "mask")
        weights = " and weights" if item.has_weights else ""
        planes = f" ({len(item.planes)} planes)" if item.planes else ""
        note(f"  {item.name}{planes}  ←  {mask}{weights}  ({intake.splits[item.name]})")
    if len(plan.items) > _SHOWN:
        note(f"  … and {len(plan.items) - _SHOWN} more")
    if any(item.annotation for item in plan.items):
        meant = {
            "binary": "structure or not",
            "instances": "one number an object",
            "classes": "objects of classes" if plan.has_named_objects else "one number a class",
        }[target.meaning]
        names = {info.class_id: info.name for info in target.classes}
        becomes = names.get(target.class_id or 0) or ", ".join(
            info.name for info in target.classes if info.class_id > 1
        )
        note(f"The masks hold {meant}: {becomes}. Where they are 0 is background.")
    for text in plan.notes:
        warn(text)


def _store(project_file: ProjectFile, intake: Intake, asked: Namespace) -> int:
    from orgseg_app.core.classes import ClassInfo, palette_colour
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.importing import channel_mix, leaks

    problems = intake.problems
    progress = Progress("Importing", quiet=asked.json)

    def on_error(item: NewImage, error: FileError) -> None:
        problems.append(f'"{item.opened.name}" was left out: {error}')

    def on_progress(done: int, total: int) -> bool:
        progress.show(min(done, intake.total), intake.total)
        return True

    before = project_file.project.classes
    if intake.target.classes != before:
        project_file.set_classes(intake.target.classes)
    added = project_file.add_images(intake.images(), progress=on_progress, on_error=on_error)
    progress.clear()
    if not added:
        project_file.set_classes(before)
        reason = problems[0] if problems else "there was no image in what was given."
        raise CommandError(f"Nothing was imported: {reason}")
    classes = project_file.project.classes
    painted = {class_id for image in added for class_id in project_file.counts(image.image_id)}
    for class_id in sorted(painted - {info.class_id for info in classes}):
        extra = ClassInfo(class_id, f"class {class_id - 1}", palette_colour(class_id))
        classes = (*classes, extra)
    if classes != project_file.project.classes:
        project_file.set_classes(classes)
    project_file.save()
    images = list(project_file.project.images.values())
    problems += [*leaks(images), *channel_mix(images)]
    for text in problems:
        warn(text)
    _tell(project_file, [image.image_id for image in added], problems, asked)
    return 0


def _tell(
    project_file: ProjectFile, added: Sequence[str], problems: Sequence[str], asked: Namespace
) -> None:
    project = project_file.project
    images = [project.images[image_id] for image_id in added]
    masks = sum(bool(project_file.counts(image.image_id)) for image in images)
    if asked.json:
        out_json(
            {
                "imported": len(images),
                "masks": masks,
                "images": [
                    {
                        "id": image.image_id,
                        "name": image.name,
                        "split": image.split,
                        "annotated": bool(project_file.counts(image.image_id)),
                    }
                    for image in images
                ],
                "classes": [
                    {"id": c.class_id, "name": c.name, "colour": c.colour} for c in project.classes
                ],
                "problems": list(problems),
            }
        )
        return
    by_split = {
        split: sum(i.split == split for i in images) for split in ("train", "validation", "test")
    }
    shares = ", ".join(f"{count} {split}" for split, count in by_split.items() if count)
    out(f"{plural(len(images), 'image')} imported, {masks} with masks: {shares}.")


def relink(asked: Namespace) -> int:
    """Find the files of linked images in a folder, by what they hold."""
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    progress = Progress("Looking", quiet=asked.json)

    def on_progress(done: int, total: int, name: str) -> bool:
        progress.show(done, total, name)
        return True

    # To look only: where files lie is this computer's own knowledge, the project stays as it is.
    with ProjectFile.open(path, read_only=True) as project_file:
        images = project_file.project.images
        linked = [image for image in images.values() if image.link is not None]
        found = project_file.links.find(linked, asked.place, on_progress)
    progress.clear()
    if asked.json:
        out_json(
            {
                "linked_images": len(linked),
                "found": list(found.linked),
                "missing": list(found.missing),
                "refused": list(found.refused),
            }
        )
    for text in found.refused:
        warn(text)
    if found.missing:
        names = ", ".join(
            f'"{image.name}" ({image.link.name})'
            for image in (images[image_id] for image_id in found.missing)
            if image.link is not None
        )
        raise CommandError(
            f"{plural(len(found.linked), 'linked image')} found; still missing: {names}. "
            "The project was not changed."
        )
    if not asked.json:
        if not linked:
            out("The project has no linked images.")
        elif not found.linked:
            out(f"Nothing was missing: {plural(len(linked), 'linked image')}.")
        else:
            out(f"{plural(len(found.linked), 'linked image')} found; none is missing.")
    return 0


def embed(asked: Namespace) -> int:
    """Copy the voxels of linked images into the project."""
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    progress = Progress("Copying", quiet=asked.json)

    def on_progress(done: int, total: int) -> bool:
        progress.show(done, total)
        return True

    with ProjectFile.open(path) as project_file:
        if project_file.read_only:
            raise CommandError(project_file.read_only_reason)
        tell_notices(project_file.notices)
        done = project_file.embed(progress=on_progress)
    progress.clear()
    if asked.json:
        out_json({"embedded": [image.image_id for image in done]})
    else:
        out(f"{plural(len(done), 'linked image')} copied into the project.")
    return 0
