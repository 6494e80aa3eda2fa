"""``new``, ``info``, ``verify``: making a project and looking into it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import CommandError, Progress, out, out_json, plural, table

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

_SUFFIX = ".orgseg"


def project_path(path: Path) -> Path:
    """The project meant: a name without ``.orgseg`` gets it, unless such a file is there."""
    return path if path.suffix == _SUFFIX or path.is_file() else path.with_name(path.name + _SUFFIX)


def existing_project(path: Path) -> Path:
    """`project_path`, which must be there.

    Raises
    ------
    CommandError
        When it is not.
    """
    found = project_path(path)
    if not found.exists():
        raise CommandError(
            f'There is no project "{found}". Check the path, or make one: orgseg new "{found}".'
        )
    return found


def new(asked: Namespace) -> int:
    """Make an empty project."""
    from orgseg_app.core.classes import parse_classes
    from orgseg_app.files.project_file import ProjectFile

    try:
        classes = parse_classes(asked.classes)
    except ValueError as error:
        raise CommandError(f"{error} Nothing was made.") from error
    path = project_path(asked.project)
    with ProjectFile.create(path, classes) as project_file:
        names = ", ".join(info.name for info in project_file.project.classes)
        out(f"{path}: {names}")
    return 0


def _image_facts(project_file: ProjectFile, image: ProjectImage) -> dict[str, Any]:
    names = {info.class_id: info.name for info in project_file.project.classes}
    voxels = image.shape[1] * image.shape[2] * image.shape[3]
    painted = {
        names.get(class_id, str(class_id)): count / voxels
        for class_id, count in sorted(project_file.counts(image.image_id).items())
    }
    return {
        "id": image.image_id,
        "name": image.name,
        "axes": image.axes,
        "shape": list(image.short_shape),
        "dtype": image.dtype,
        "pixel_size_um": list(image.pixel_size_um) if image.pixel_size_um else None,
        "split": image.split,
        "painted": painted,
        "objects": _count_objects(project_file, image.image_id),
        "channels": list(image.channel_names),
        "rgb": image.is_rgb,
        "sha256": image.sha256,
        "source": image.source,
    }


def _count_objects(project_file: ProjectFile, image_id: str) -> int:
    import numpy as np

    objects = project_file.objects(image_id)
    return 0 if objects is None else int(np.count_nonzero(np.unique(objects)))


def info(asked: Namespace) -> int:
    """Say what is in a project."""
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    with ProjectFile.open(path, read_only=True) as project_file:
        project = project_file.project
        facts: dict[str, Any] = {
            "project": project.name,
            "path": str(path),
            "uuid": project.uuid,
            "classes": [
                {"id": c.class_id, "name": c.name, "colour": c.colour} for c in project.classes
            ],
            "images": [_image_facts(project_file, image) for image in project.images.values()],
        }
    if asked.json:
        out_json(facts)
        return 0
    out(f"{facts['project']}  ({path})")
    out("Classes: " + ", ".join(f"{c['id']} {c['name']}" for c in facts["classes"]))
    if not facts["images"]:
        out("No images yet. Add some with: orgseg import PROJECT FOLDER")
        return 0
    rows = [["image", "split", "size", "type", "painted", "objects"]]
    for image in facts["images"]:
        painted = ", ".join(f"{name} {share:.1%}" for name, share in image["painted"].items())
        size = f"{image['axes']} {' × '.join(map(str, image['shape']))}"
        count = str(image["objects"] or "")
        rows.append([image["name"], image["split"], size, image["dtype"], painted or "–", count])
    out(table(rows, right=[5]))
    return 0


def verify(asked: Namespace) -> int:
    """Read every block of a project and compare the fingerprints of its images."""
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    problems: list[dict[str, str]] = []
    progress = Progress("Checking", quiet=asked.json)
    with ProjectFile.open(path, read_only=True) as project_file:
        images = list(project_file.project.images.values())
        for number, image in enumerate(images):
            progress.show(number, len(images), image.name)
            for what, check in (
                ("image", _check_pixels),
                ("mask", _check_mask),
                ("objects", _check_objects),
            ):
                try:
                    sentence = check(project_file, image)
                except (FileError, OSError) as error:
                    sentence = str(error)
                if sentence:
                    entry = {"image": image.name, "id": image.image_id, "what": what}
                    problems.append(entry | {"problem": sentence})
    progress.clear()
    if asked.json:
        out_json({"project": str(path), "images": len(images), "problems": problems})
    else:
        for problem in problems:
            out(f'{problem["what"]} of "{problem["image"]}": {problem["problem"]}')
    if problems:
        raise CommandError(
            f'"{path.name}" is damaged in {plural(len(problems), "place")} '
            f"({', '.join(sorted({p['image'] for p in problems}))}); everything else can be read. "
            "Keep a copy of the file, and import the images named anew."
        )
    if not asked.json:
        out(f'"{path.name}" is sound: {plural(len(images), "image")}, every block read.')
    return 0


def _check_pixels(project_file: ProjectFile, image: ProjectImage) -> str:
    from orgseg_app.core.image import content_hash

    pixels = project_file.read_image(image.image_id)
    if image.sha256 and content_hash(pixels) != image.sha256:
        return "its voxels are not those that were imported."
    return ""


def _check_mask(project_file: ProjectFile, image: ProjectImage) -> str:
    known = set(project_file.project.class_ids)
    found = project_file.load_mask(image.image_id).counts()
    if strange := sorted(set(found) - known):
        return f"it holds class ids that the project does not have: {', '.join(map(str, strange))}."
    return ""


def _check_objects(project_file: ProjectFile, image: ProjectImage) -> str:
    objects = project_file.objects(image.image_id)
    if objects is not None and objects.shape != image.mask_shape:
        return "they do not have the size of their image."
    return ""
