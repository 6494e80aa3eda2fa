"""Making a study: check it against a project, and freeze it with what its runs will learn from."""

from __future__ import annotations

import shutil
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orgseg_app import __version__
from orgseg_app.core.split import VALIDATION
from orgseg_app.runs.folder import STUDIES, runs_dir, safe_name
from orgseg_app.runs.folds import check_folds, parted
from orgseg_app.runs.process import replace, write_json
from orgseg_app.runs.studies.cells import Grid, cell_to_builtins, spell_out
from orgseg_app.runs.studies.definition import Study, StudyError, study_to_builtins
from orgseg_app.runs.studies.folder import STUDY_FORMAT, STUDY_SCHEMA_VERSION, StudyFolder
from orgseg_app.runs.training import check_training, class_facts, image_facts_of, painted_voxels

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

STRIPS = (
    "No painted image is in the validation split. A strip of the training paint is held out "
    "instead, as far from the rest as each network sees: networks that see more or less are not "
    "judged on quite the same pixels. Move a painted image to validation for a fair study."
)


def prepare_study(project_file: ProjectFile, study: Study) -> StudyFolder:
    """Check a study against a project, and freeze it with what it learns from.

    Parameters
    ----------
    project_file : ProjectFile
        What is painted now counts, saved or not.
    study : Study

    Returns
    -------
    StudyFolder
        Not started; `StudyFolder.warnings` and `StudyFolder.refused` are for a person to read.

    Raises
    ------
    RunError
        With a sentence, when the project cannot be trained on so or the disk refuses; nothing is
        left then.
    """
    grid = spell_out(study)
    warnings, image_ids, splits = check_project(project_file, study)
    study_id = uuid.uuid4().hex[:12]
    parent = runs_dir(project_file.path) / STUDIES
    draft, target = parent / f".{study_id}", parent / f"{safe_name(study.name)}-{study_id[:6]}"
    asked = _asked(project_file, study, grid, study_id)
    asked |= {
        "warnings": warnings,
        "images": image_facts_of(project_file, image_ids),
        "splits": splits,
    }
    try:
        (draft / "control").mkdir(parents=True)
        write_json(draft / "study.json", asked)
        _write_snapshot(project_file, draft / "snapshot.h5", image_ids)
        replace(draft, target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        raise StudyError(
            f'The folder of the study could not be made in "{parent}": {error.strerror}. The '
            "project is untouched; check that you may write there and that the disk has room."
        ) from error
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return StudyFolder(target)


def check_project(
    project_file: ProjectFile, study: Study
) -> tuple[list[str], list[str], list[dict[str, Any]]]:
    """Whether a study can be done on a project.

    Returns
    -------
    warnings : list of str
    image_ids : list of str
        Of the images that the study's runs learn from, choose and are judged by.
    splits : list of dict
        What each fold holds out; none where the project's splits count.

    Raises
    ------
    RunError
        With a sentence that says what is missing.
    """
    painted = painted_voxels(project_file)
    if study.folds:
        warnings = check_folds(project_file, study.folds, painted)
        image_ids, splits = parted(project_file, study.folds, painted)
        return warnings, image_ids, splits
    warnings = check_training(project_file, painted)
    images = project_file.project.images
    if not any(images[image_id].split == VALIDATION for image_id in painted):
        warnings = [w for w in warnings if "validation split" not in w] + [STRIPS]
    return warnings, list(painted), []


def _asked(project_file: ProjectFile, study: Study, grid: Grid, study_id: str) -> dict[str, Any]:
    return {
        "format": STUDY_FORMAT,
        "schema_version": STUDY_SCHEMA_VERSION,
        "app_version": __version__,
        "study": study_id,
        "created": round(time.time(), 6),
        "project_uuid": project_file.project.uuid,
        "definition": study_to_builtins(study),
        "cells": [cell_to_builtins(cell) for cell in grid.cells],
        "refused": [
            {"places": [list(place) for place in item.places], "reason": item.reason}
            for item in grid.refused
        ],
        "classes": class_facts(project_file),
    }


def _write_snapshot(project_file: ProjectFile, path: Path, image_ids: list[str]) -> None:
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.snapshot import write_snapshot

    try:
        write_snapshot(project_file, path, image_ids)
    except FileError as error:
        raise StudyError(
            f"The images for the study could not be set aside: {error} The project is untouched."
        ) from error
