"""Preparing jobs: check what is asked, freeze what it needs into a run folder, start nothing.

Everything that can be known beforehand is said here, in sentences, before a folder is made.
"""

from __future__ import annotations

import itertools
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app.core.split import TEST, TRAIN, VALIDATION
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, list_runs, runs_dir
from orgseg_app.runs.recipe import Recipe, check_recipe

if TYPE_CHECKING:
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

MODEL_SUFFIX = ".orgmodel"
PREDICTION_FORMATS = ("tiff", "png")


def _painted(project_file: ProjectFile) -> dict[str, dict[int, int]]:
    """Voxels of each class id, for every image where something is painted."""
    found: dict[str, dict[int, int]] = {}
    for image_id in project_file.project.images:
        counts = project_file.counts(image_id)
        if counts:
            found[image_id] = counts
    return found


def _quoted(names: Iterable[str], limit: int = 4) -> str:
    listed = [f'"{name}"' for name in names]
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")


def check_training(
    project_file: ProjectFile, painted: dict[str, dict[int, int]] | None = None
) -> list[str]:
    """Whether the project can be trained on.

    Parameters
    ----------
    project_file : ProjectFile
    painted : dict, optional
        Voxels of each class id for every image where something is painted, where the caller has
        counted them already.

    Returns
    -------
    list of str
        Warnings: sentences a person should read, though training is possible.

    Raises
    ------
    RunError
        With a sentence that says what is missing.
    """
    return _check_training(project_file, _painted(project_file) if painted is None else painted)


def _check_training(project_file: ProjectFile, painted: dict[str, dict[int, int]]) -> list[str]:
    project = project_file.project
    if not project.images:
        raise RunError(
            "The project has no images yet. Import some, paint at least two classes, train."
        )
    if not painted:
        raise RunError(
            "Nothing is painted yet, so there is nothing to learn from. Paint at least two classes "
            "(background counts as one), or import masks, then train."
        )
    by_split: dict[str, list[ProjectImage]] = {TRAIN: [], VALIDATION: [], TEST: []}
    for image_id in painted:
        image = project.images[image_id]
        by_split.setdefault(image.split, []).append(image)
    if not by_split[TRAIN]:
        raise RunError(
            f"{_quoted(project.images[i].name for i in painted)} "
            f"{'is' if len(painted) == 1 else 'are'} painted, but no painted image is in the "
            "training split. Move one there, then train."
        )
    names = {info.class_id: info.name for info in project.classes}
    learnt = set().union(*(painted[image.image_id] for image in by_split[TRAIN])) & set(names)
    if len(learnt) < 2:
        only = _quoted(names[class_id] for class_id in learnt)
        raise RunError(
            f"Only one class is painted in the training images: {only}. The network needs at "
            "least two to tell apart; paint some background (or another class) too, then train."
        )
    channels = {image.shape[0] for group in by_split.values() for image in group}
    if len(channels) > 1:
        raise RunError(
            "The painted images have different numbers of channels "
            f"({', '.join(map(str, sorted(channels)))}), and a network takes one number only. "
            "Keep images of one kind in a project, or remove the odd ones."
        )
    warnings: list[str] = []
    if not by_split[TEST]:
        warnings.append(
            "No painted image is in the test split, so the run cannot be compared on images it "
            "has not seen. Paint one more image and move it to test."
        )
    if not by_split[VALIDATION]:
        warnings.append(
            "No painted image is in the validation split; a strip of the training paint is held "
            "out instead to choose the best state."
        )
    if missing := [names[i] for i in sorted(set(names) - learnt)]:
        warnings.append(
            f"{_quoted(missing)} {'is' if len(missing) == 1 else 'are'} not painted in any "
            "training image and will not be learnt."
        )
    return warnings


def prepare_training(
    project_file: ProjectFile, recipe: Recipe, name: str | None = None
) -> RunFolder:
    """Check a training and freeze its recipe and its images into a new run folder.

    Parameters
    ----------
    project_file : ProjectFile
        What is painted now counts, saved or not.
    recipe : Recipe
    name : str, optional
        As shown; without one, the name of the recipe, numbered when it is taken.

    Returns
    -------
    RunFolder
        Not started; `RunFolder.warnings` holds what a person should read.

    Raises
    ------
    RunError
        With a sentence, when the project cannot be trained on or the disk refuses.
    """
    check_recipe(recipe)
    painted = _painted(project_file)
    warnings = _check_training(project_file, painted)
    run = RunFolder.create(
        runs_dir(project_file.path),
        name=name or _free_name(project_file.path, recipe.name),
        kind="train",
        recipe=recipe,
        project_uuid=project_file.project.uuid,
        extra={
            "warnings": warnings,
            "classes": _class_facts(project_file),
            "images": _image_facts(project_file, list(painted)),
        },
    )
    _write_snapshot(run, project_file, list(painted))
    return run


def prepare_scoring(run: RunFolder, project_file: ProjectFile) -> RunFolder:
    """Freeze today's annotated validation and test images, to score a run's best model on them.

    Needed when test images were added or painted anew after the training.

    Raises
    ------
    RunError
        When there is no test image or the run has no model.
    """
    project = project_file.project
    painted = _painted(project_file)
    wanted = [i for i in painted if project.images[i].split in (VALIDATION, TEST)]
    if not any(project.images[i].split == TEST for i in wanted):
        raise RunError(
            "No painted image is in the test split. Move one there (or paint one), then compare."
        )
    scoring = RunFolder.create(
        runs_dir(project_file.path),
        name=f"scores of {run.name}",
        kind="score",
        recipe=run.recipe,
        project_uuid=project.uuid,
        extra={
            "model": str(_model_path(run)),
            "scored_run": run.run_id,
            "classes": _class_facts(project_file),
            "images": _image_facts(project_file, wanted),
        },
    )
    _write_snapshot(scoring, project_file, wanted)
    return scoring


def prepare_prediction(
    parent: Path,
    *,
    models: Sequence[RunFolder | Path],
    inputs: Sequence[Path],
    out: Path,
    formats: Sequence[str] = ("tiff",),
    overwrite: bool = False,
    resume: bool = False,
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
    files = expand_inputs(inputs)
    check_output_folder(out)
    return RunFolder.create(
        parent,
        name=name,
        kind="predict",
        extra={
            "models": [str(_model_path(model)) for model in models],
            "inputs": [str(path.absolute()) for path in files],
            "out": str(out.absolute()),
            "formats": list(dict.fromkeys(formats)),
            "overwrite": overwrite,
            "resume": resume,
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
        name=f"prediction of {_quoted(names, 1)}",
        kind="predict",
        project_uuid=project_file.project.uuid,
        extra={"models": [str(_model_path(model))], "image_ids": list(image_ids)},
    )
    _write_snapshot(run, project_file, image_ids)
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
            f"There is no image in {_quoted(str(path) for path in inputs)}. OrgSeg reads "
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


def _model_path(model: RunFolder | Path) -> Path:
    if isinstance(model, RunFolder):
        if not model.best_path.is_file():
            raise RunError(
                f'The run "{model.name}" has no model yet (it is {model.state}). '
                "Wait for its first check, or choose another run."
            )
        return model.best_path.absolute()
    if not model.is_file():
        raise RunError(f'There is no model file "{model}".')
    return model.absolute()


def _free_name(project_path: Path, name: str) -> str:
    taken = {run.name for run in list_runs(project_path)}
    numbered = (f"{name} {number}" for number in itertools.count(2))
    return next(text for text in itertools.chain([name], numbered) if text not in taken)


def _class_facts(project_file: ProjectFile) -> list[dict[str, Any]]:
    return [
        {"id": info.class_id, "name": info.name, "colour": info.colour}
        for info in project_file.project.classes
    ]


def _image_facts(project_file: ProjectFile, image_ids: Sequence[str]) -> list[dict[str, Any]]:
    images = (project_file.project.images[image_id] for image_id in image_ids)
    return [
        {
            "id": image.image_id,
            "name": image.name,
            "split": image.split,
            "sha256": image.sha256,
            "mask_sha256": project_file.mask_sha256(image.image_id),
            "shape": list(image.shape),
        }
        for image in images
    ]


def _write_snapshot(run: RunFolder, project_file: ProjectFile, image_ids: Sequence[str]) -> None:
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.snapshot import write_snapshot

    write: Callable[..., None] = write_snapshot
    try:
        write(project_file, run.snapshot_path, image_ids)
    except (OSError, FileError) as error:
        shutil.rmtree(run.path, ignore_errors=True)
        reason = (isinstance(error, OSError) and error.strerror) or str(error)
        raise RunError(
            f"The images for the job could not be set aside: {reason} The project is untouched."
        ) from error
    except BaseException:
        shutil.rmtree(run.path, ignore_errors=True)
        raise
