"""The folder of one study: what was asked, what all its runs learn from, what has happened.

It lies beside the project's runs, in ``name.runs/studies/``::

    study.json     the definition, every cell, facts of the project; written once
    snapshot.h5    the annotated images, the same for all cells
    events.jsonl   what the driver did, append only     log.txt       everything it printed
    process.json   which process drives it              control/      requests to it: stop, pause
    driver.lock    held by the driver while it lives

A cell's run is an ordinary run folder beside the others. It is made when its turn comes, whole or
not at all, and its ``snapshot.h5`` is the study's: another name of the same file where the file
system allows that, else a copy. So all cells learn from the same voxels, whatever is painted
meanwhile, and five hundred runs take the room of one.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import STUDIES, RunFolder, list_runs, runs_dir
from orgseg_app.runs.job_folder import JobFolder, called, listed
from orgseg_app.runs.process import replace
from orgseg_app.runs.same_file import same_file
from orgseg_app.runs.studies.cells import (
    Cell,
    Refused,
    cell_from_builtins,
)
from orgseg_app.runs.studies.definition import (
    Study,
    StudyError,
    study_from_builtins,
)

STUDY_FORMAT = "orgseg-study"
STUDY_SCHEMA_VERSION = 1


class StudyFolder(JobFolder):
    """One study on disk.

    Parameters
    ----------
    path : Path
        Its folder.

    Attributes
    ----------
    path : Path
    study_id : str
        12 hex digits.
    asked : dict
        `study.json`.
    study : Study
    cells : tuple of Cell
    refused : tuple of Refused

    Raises
    ------
    StudyError
        When this is not the folder of a study, or one of a newer version of OrgSeg.
    """

    ASKED = "study.json"
    FORMAT, VERSION = STUDY_FORMAT, STUDY_SCHEMA_VERSION
    NOUN = "study"
    ERROR = StudyError

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.asked: dict[str, Any] = self._asked
        asked, self.study_id = self.asked, self.folder_id
        try:
            self.study: Study = study_from_builtins(asked["definition"])
            self.cells: tuple[Cell, ...] = tuple(map(cell_from_builtins, asked["cells"]))
            self.refused = tuple(
                Refused(tuple((str(k), str(n)) for k, n in item["places"]), str(item["reason"]))
                for item in asked["refused"]
            )
        except (RunError, KeyError, TypeError, ValueError) as error:
            raise StudyError(f'The study "{path.name}" is damaged: {error}.') from error

    def __repr__(self) -> str:
        return f"StudyFolder({self.name!r}, {self.study_id})"

    @property
    def name(self) -> str:
        """As shown to a person."""
        return self.study.name

    @property
    def lock_path(self) -> Path:
        """Locked by the driver while it lives."""
        return self.path / "driver.lock"

    # Its runs

    def runs(self) -> dict[str, RunFolder]:
        """Id of a cell → its run, where there is one; the one that got farthest of several."""
        found: dict[str, RunFolder] = {}
        for run in list_runs(_project_beside(self.path)):
            asked = run.request.get("study")
            if not isinstance(asked, dict) or asked.get("id") != self.study_id:
                continue
            known = found.get(str(asked.get("cell")))
            if known is None or known.state != "finished":
                found[str(asked.get("cell"))] = run
        return found

    def make_run(self, cell: Cell) -> RunFolder:
        """The run folder of a cell, complete with its snapshot; not started.

        Raises
        ------
        RunError
            When the snapshot is gone or the disk refuses; nothing is left then.
        """
        if not self.snapshot_path.is_file():
            raise StudyError(
                f'What the study "{self.name}" learns from is gone (snapshot.h5 in its folder), so '
                "no more runs can be made. Its finished runs are safe."
            )
        extra: dict[str, Any] = {
            "warnings": self.warnings,
            "classes": self.asked.get("classes", []),
            "images": self.asked.get("images", []),
            "study": {
                "id": self.study_id,
                "name": self.name,
                "cell": cell.cell_id,
                "number": cell.number,
                "places": [list(place) for place in cell.places],
                "repeat": cell.repeat,
                "fold": cell.fold,
            },
        }
        if cell.fold is not None:
            extra["split"] = self.asked["splits"][cell.fold]
        draft = RunFolder.create(
            self.path / "drafts",
            name=f"{self.name} {cell.number}: {cell.title}",
            kind="train",
            recipe=cell.recipe,
            project_uuid=str(self.asked.get("project_uuid", "")),
            extra=extra,
        )
        target = self.path.parents[1] / draft.path.name
        try:
            same_file(self.snapshot_path, draft.snapshot_path)
            replace(draft.path, target)
        except OSError as error:
            shutil.rmtree(draft.path, ignore_errors=True)
            raise RunError(
                f'A run of the study "{self.name}" could not be made: {error.strerror}. What it '
                "has learnt is safe; check that the disk has room, then let the study go on."
            ) from error
        return RunFolder(target)

    def clear_drafts(self) -> None:
        """Take away what a driver that was killed had half made."""
        shutil.rmtree(self.path / "drafts", ignore_errors=True)


def _project_beside(study_path: Path) -> Path:
    """A path whose `runs_dir` is the folder that the study's folder lies in."""
    return study_path.parents[1].with_suffix(".orgseg")


# Finding them again


def list_studies(project_path: Path) -> list[StudyFolder]:
    """All studies of a project, oldest first; broken ones are left out with a note in the log."""
    return listed(runs_dir(project_path) / STUDIES, StudyFolder)


def find_study(project_path: Path, text: str = "") -> StudyFolder:
    """A study by its id (or the beginning of it), its name or its folder; the newest without.

    Raises
    ------
    StudyError
        When there is none, or several fit.
    """
    if text and (Path(text) / "study.json").is_file():
        return StudyFolder(Path(text))
    studies = list_studies(project_path)
    if not studies:
        raise StudyError(f'The project "{project_path.name}" has no studies yet.')
    if not text:
        return studies[-1]
    if (study := called(studies, text)) is not None:
        return study
    last = ", ".join(f'"{study.name}" ({study.study_id})' for study in studies[-8:])
    raise StudyError(f'The project has no study "{text}"; it has {last}.')
