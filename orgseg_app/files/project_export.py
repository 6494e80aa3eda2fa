"""Exporting what is painted in a project: one file an image, named after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orgseg_app.files.export import ExportError, make_folder, unique_names, write_mask

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

Progress = Callable[[int, int, str], object]


def export_masks(
    file: ProjectFile,
    out: Path,
    *,
    formats: Sequence[str] = ("tiff",),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[Path]:
    """Write the mask of every image on which something is painted.

    Parameters
    ----------
    file
        What is painted now counts, saved or not.
    out
        Folder; made when it is not there.
    formats
        Keys of `orgseg_app.files.export.MASK_FORMATS`.
    overwrite
        Replace files that are there; otherwise the first such file ends the export.
    progress
        Called with images done, images in all, name; False ends the export early.

    Returns
    -------
    The files written.

    Raises
    ------
    ExportError
        Nothing is painted, a file is there already, or the folder cannot be written.
    """
    painted = [image for image in file.project.images.values() if file.counts(image.image_id)]
    if not painted:
        raise ExportError("Nothing is painted yet, so there is no mask to export.")
    make_folder(out)
    names = unique_names([image.name for image in painted])
    written: list[Path] = []
    for done, (image, name) in enumerate(zip(painted, names, strict=True)):
        if progress is not None and progress(done, len(painted), image.name) is False:
            return written
        mask = file.load_mask(image.image_id).to_array()
        for form in formats:
            written += write_mask(
                out / name,
                mask,
                form,
                file.project.classes,
                image.pixel_size_um,
                overwrite=overwrite,
            )
    if progress is not None:
        progress(len(painted), len(painted), "")
    return written
