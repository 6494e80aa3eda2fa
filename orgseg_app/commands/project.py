"""``new``, ``info``: making a project and looking into it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.commands.console import CommandError, out, out_json, table, tell_notices

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
    from orgseg_app.files.images import codecs
    from orgseg_app.files.project_file import ProjectFile

    try:
        classes = parse_classes(asked.classes)
    except ValueError as error:
        raise CommandError(f"{error} Nothing was made.") from error
    path = project_path(asked.project)
    with ProjectFile.create(path, classes) as project_file:
        if asked.codec != codecs.PLAIN.name:
            with project_file.transaction() as file:
                codecs.choose(file, codecs.CODECS[asked.codec])
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
        "link": _link_facts(project_file, image),
        "time_series": image.time_series or None,
        "time": image.time if image.time_series else None,
    }


def _link_facts(project_file: ProjectFile, image: ProjectImage) -> dict[str, Any] | None:
    """The file of a linked image, and whether it is found, missing or changed."""
    if image.link is None:
        return None
    state, place = project_file.links.state(image), project_file.links.place(image)
    return {
        "file": image.link.name,
        "bytes": image.link.size,
        "sha256": image.link.sha256,
        "state": state,
        "place": str(place) if place is not None else None,
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
        tell_notices(project_file.notices)
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
    linked = [image for image in facts["images"] if image["link"]]
    if linked:
        out()
        out(table([["linked image", "file", "state"], *(_link_row(image) for image in linked)]))
    if any(image["link"]["state"] != "found" for image in linked):
        out(f'Find files that were moved with: orgseg relink "{path}" FOLDER')
    return 0


def _link_row(image: dict[str, Any]) -> list[str]:
    link = image["link"]
    return [image["name"], link["place"] or link["file"], link["state"]]
