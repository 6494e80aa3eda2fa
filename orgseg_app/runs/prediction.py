"""Preparing predictions: check what is asked, freeze it into a run folder, start nothing."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, runs_dir
from orgseg_app.runs.training import model_path, quoted, set_aside

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

MODEL_SUFFIX = ".orgmodel"
PREDICTION_FORMATS = ("tiff", "png")
STITCHES = ("blend", "deepest")
"""How tiles become one answer: blended where they overlap, or each voxel from the tile it lies
deepest in."""


def prepare_prediction(
    parent: Path,
    *,
    models: Sequence[RunFolder | Path],
    inputs: Sequence[Path],
    out: Path,
    formats: Sequence[str] = ("tiff",),
    overwrite: bool = False,
    resume: bool = False,
    stitch: str = "blend",
    turns: bool = False,
    vote: bool = False,
    three_planes: bool = False,
    objects: bool = False,
    name: str = "prediction",
) -> RunFolder:
    """Check a prediction over files and folders and make its run folder.

    Parameters
    ----------
    parent : Path
        Where the run folder goes.
    models : sequence of RunFolder or Path
        Runs (their best state counts) or model files; several are averaged.
    inputs : sequence of Path
        Image files, and folders whose images are all meant (not those of folders inside).
    out : Path
        Folder for the masks; made when it is not there.
    formats : sequence of str
        Of `PREDICTION_FORMATS`.
    overwrite, resume : bool
        What to do about masks that exist: replace them, or leave them and do the rest. With
        neither, the job refuses them.
    stitch : str
        One of `STITCHES`.
    turns : bool
        Predict every image in all eight turns and mirror images, and average (an ensemble that was
        made so is turned in any case).
    vote : bool
        Several models have one vote each, instead of the mean of their probabilities.
    three_planes : bool
        Networks of planes look at a volume along all three axes.
    objects : bool
        Also write a table of what hangs together, one row an object, beside each mask.
    name : str
        As shown.

    Raises
    ------
    RunError
        With a sentence: no model, no image, a folder that cannot be written.
    """
    if not models:
        raise RunError("Choose at least one model to predict with.")
    if unknown := [form for form in formats if form not in PREDICTION_FORMATS] or not formats:
        known = ", ".join(PREDICTION_FORMATS)
        raise RunError(f"Masks cannot be written as {unknown}; the formats are {known}.")
    if stitch not in STITCHES:
        raise RunError(f"Tiles are stitched by {' or '.join(STITCHES)}, not by {stitch!r}.")
    files = expand_inputs(inputs)
    check_output_folder(out)
    return RunFolder.create(
        parent,
        name=name,
        kind="predict",
        extra={
            "models": [str(model_path(model)) for model in models],
            "inputs": [str(path.absolute()) for path in files],
            "out": str(out.absolute()),
            "formats": list(dict.fromkeys(formats)),
            "overwrite": overwrite,
            "resume": resume,
            "stitch": stitch,
            "turns": turns,
            "vote": vote,
            "three_planes": three_planes,
            "objects": objects,
        },
    )


def prepare_image_prediction(
    model: RunFolder | Path, project_file: ProjectFile, image_ids: Sequence[str]
) -> RunFolder:
    """Freeze images of the project, painted or not, to be predicted by a model.

    The masks come into the job's predictions file, for the window to lay over the image.

    Raises
    ------
    RunError
        When the run has no model, or the disk refuses.
    """
    names = [project_file.project.images[image_id].name for image_id in image_ids]
    run = RunFolder.create(
        runs_dir(project_file.path),
        name=f"prediction of {quoted(names, 1)}",
        kind="predict",
        project_uuid=project_file.project.uuid,
        extra={"models": [str(model_path(model))], "image_ids": list(image_ids)},
    )
    set_aside(run, project_file, image_ids)
    return run


def expand_inputs(inputs: Sequence[Path]) -> list[Path]:
    """Image files from files and folders, in order, none twice.

    Raises
    ------
    RunError
        When one of them is not there, or there is no image at all.
    """
    from orgseg_app.files.readers.registry import IMAGE_SUFFIXES, has_image_name

    files: dict[str, Path] = {}
    for path in inputs:
        try:
            if path.is_dir():
                found = [
                    entry
                    for entry in sorted(path.iterdir())
                    if has_image_name(entry) and entry.is_file() and entry.name[0] != "."
                ]
            elif path.is_file():
                found = [path]
            else:
                raise RunError(f'"{path}" is not there. Check the path; nothing was predicted.')
        except OSError as error:
            raise RunError(f'"{path}" could not be read: {error.strerror}.') from error
        files |= {os.path.realpath(p): p for p in found if os.path.realpath(p) not in files}
    if not files:
        raise RunError(
            f"There is no image in {quoted(str(path) for path in inputs)}. OrgSeg reads "
            f"{', '.join(sorted(IMAGE_SUFFIXES))}."
        )
    return list(files.values())


def check_output_folder(out: Path) -> None:
    """Make the folder for results and try to write into it.

    Raises
    ------
    RunError
        When it cannot be made, or nothing can be written there.
    """
    probe = out / f".orgseg-{uuid.uuid4().hex[:8]}"
    try:
        out.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = "a file of that name is in the way" if _blocked(out) else error.strerror
        raise RunError(
            f'Nothing can be written to "{out}": {reason}. No file was changed; choose another '
            "folder, or ask for the right to write there."
        ) from error


def _blocked(path: Path) -> bool:
    return any(part.exists() and not part.is_dir() for part in (path, *path.parents))
