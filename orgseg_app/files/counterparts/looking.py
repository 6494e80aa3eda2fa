"""Looking what files, folders or another project hold for the images of a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orgseg_app.files.counterparts.given_files import plan_given_files
from orgseg_app.files.counterparts.offer import Offer, OfferError
from orgseg_app.files.counterparts.other_project import plan_other_project

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

PROJECT_SUFFIX = ".orgseg"


def offer_in(paths: Sequence[Path], project_file: ProjectFile, format: str = "auto") -> Offer:
    """What goes with the images that models are judged on; no mask is taken in yet.

    Parameters
    ----------
    paths
        Files and folders, or one project of somebody who painted the same images.
    project_file
        The project that they are for.
    format
        ``"auto"`` or a key of `files.annotations.registry.FORMATS`; not for projects.

    Raises
    ------
    FileError
        With a sentence, when that is nothing.
    ValueError
        For a format that does not exist.
    """
    projects = [p for p in paths if p.suffix.lower() == PROJECT_SUFFIX and p.is_file()]
    if not projects:
        images = project_file.project.images.values()
        return plan_given_files(paths, images, format, places=_places(project_file))
    if len(paths) > 1:
        raise OfferError(
            "A second annotation is taken from one project alone. Give that project, and other "
            "files by themselves. Nothing was added."
        )
    return plan_other_project(projects[0], project_file)


def _places(project_file: ProjectFile) -> dict[str, Path]:
    """Image id → the file that it alone is linked to, where that is there."""
    found: dict[str, Path] = {}
    for image in project_file.project.images.values():
        place = project_file.links.place(image) if image.link is not None else None
        if place is not None and place not in found.values() and place.is_file():
            found[image.image_id] = place
    return found
