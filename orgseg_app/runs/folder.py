"""The folder of one run: everything it was asked to do, did and found out.

``name.runs/`` lies beside ``name.orgseg``; every run has a folder in it::

    request.json   what was asked, written once      process.json  which process does it
    snapshot.h5    the annotated images it learns from
    events.jsonl   what happened, append only         log.txt       everything printed
    control/       requests to the process            title.json    its name, when changed
    last.ckpt best.ckpt                               metrics.json predictions.h5
    remarks.json   what a person noted about it       scores.kept   metrics.json, read quickly
    start.ckpt     weights it goes on from            previews/     pictures while it learns
    mistakes.npz   where those weights were wrong, for a run that learns from corrections
    member-1.ckpt… the models of an ensemble          ensemble.json how many of them decide, and why

Any of these may be missing, half written or gone at any moment: nothing here crashes on that.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
import unicodedata
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orgseg_app import __version__
from orgseg_app.runs.errors import RecipeError, RunError
from orgseg_app.runs.job_folder import ACTIVE_STATES as ACTIVE_STATES
from orgseg_app.runs.job_folder import STATES as STATES
from orgseg_app.runs.job_folder import JobFolder, called, listed
from orgseg_app.runs.process import read_json, replace, write_json
from orgseg_app.runs.recipes.reading import recipe_from_builtins, recipe_to_builtins
from orgseg_app.runs.recipes.schema import Recipe

RUN_FORMAT = "orgseg-run"
RUN_SCHEMA_VERSION = 1
MODEL_KINDS = ("train", "ensemble")
"""Kinds of runs that end with a model: what is trained with, exported and predicted with."""

ELSEWHERE_KINDS = ("imported", "annotation")
"""Predictions of another program, and what a second person painted: scored, without a model."""

COMPARED_KINDS = (*MODEL_KINDS, *ELSEWHERE_KINDS)
"""What is listed, compared and packed."""

KINDS = (*COMPARED_KINDS, "predict", "score", "examine")

STUDIES = "studies"
"""Folder of the studies beside the runs; see `runs.studies.folder`."""

_DELETED = ".deleted"
_DELETED_DAYS = 7
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?$")
_log = logging.getLogger(__name__)


def runs_dir(project_path: Path) -> Path:
    """The folder of a project's runs: ``cells.runs`` for ``cells.orgseg``."""
    return project_path.with_suffix(".runs")


def safe_name(text: str) -> str:
    """A folder name every system takes, at most 48 characters, never a path."""
    plain = unicodedata.normalize("NFC", text)
    plain = re.sub(r"[^\w\-+. ]", "_", plain).strip(" .")[:48].strip(" .") or "run"
    return f"_{plain}" if _RESERVED.match(plain) else plain


class RunFolder(JobFolder):
    """One run on disk.

    Parameters
    ----------
    path : Path
        Its folder.

    Attributes
    ----------
    path : Path
    run_id : str
        12 hex digits, never changes.
    kind : str
        One of `KINDS`.
    request : dict
        `request.json`, kept in memory so that a deleted folder can still be named.

    Raises
    ------
    RunError
        When this is not a run folder, or one of a newer version of OrgSeg.
    """

    FORMAT, VERSION = RUN_FORMAT, RUN_SCHEMA_VERSION

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.request: dict[str, Any] = self._asked
        self.run_id = self.folder_id
        self.kind = str(self.request.get("kind", ""))
        if self.kind not in KINDS:
            raise RunError(f'"{path.name}" is not a run folder: its request.json is damaged.')

    def __repr__(self) -> str:
        return f"RunFolder({self.name!r}, {self.run_id}, {self.kind})"

    @classmethod
    def create(
        cls,
        parent: Path,
        *,
        name: str,
        kind: str,
        recipe: Recipe | None = None,
        project_uuid: str = "",
        extra: Mapping[str, Any] | None = None,
    ) -> RunFolder:
        """Make the folder of a new run.

        Parameters
        ----------
        parent : Path
            Where it goes, usually `runs_dir`; made when it is not there.
        name : str
            As shown to a person; the folder is called after it, made safe.
        kind : str
            One of `KINDS`.
        recipe : Recipe, optional
            Frozen into the request.
        project_uuid : str, optional
            The project it belongs to.
        extra : mapping, optional
            More fields of the request, by kind of job.

        Raises
        ------
        RunError
            When the folder cannot be made.
        """
        if kind not in KINDS:
            raise ValueError(f"kind is one of {KINDS}, not {kind!r}")
        run_id = uuid.uuid4().hex[:12]
        # It is written to terminals, to which control characters are commands.
        name = "".join(c for c in name if c.isspace() or unicodedata.category(c) != "Cc")
        name = " ".join(name.split()) or kind
        request: dict[str, Any] = {
            "format": RUN_FORMAT,
            "schema_version": RUN_SCHEMA_VERSION,
            "app_version": __version__,
            "run": run_id,
            "name": name,
            "kind": kind,
            "created": round(time.time(), 6),  # runs made one after another stay in order
            "project_uuid": project_uuid,
            "recipe": None if recipe is None else recipe_to_builtins(recipe),
        }
        path = parent / f"{safe_name(name)}-{run_id[:6]}"
        try:
            (path / "control").mkdir(parents=True)
            write_json(path / "request.json", request | dict(extra or {}))
        except OSError as error:
            shutil.rmtree(path, ignore_errors=True)
            raise RunError(
                f'The folder of the run could not be made in "{parent}": {error.strerror}. '
                "The project is untouched; check that you may write there and that the disk "
                "has room."
            ) from error
        return cls(path)

    # What was asked

    @property
    def name(self) -> str:
        """As shown to a person."""
        title = read_json(self.path / "title.json")
        if title and isinstance(title.get("name"), str) and title["name"].strip():
            return str(title["name"])
        return str(self.request.get("name") or self.path.name)

    @property
    def recipe(self) -> Recipe | None:
        """The frozen recipe; None where there is none or this version cannot read it."""
        data = self.request.get("recipe")
        if data is None:
            return None
        try:
            return recipe_from_builtins(data)
        except RecipeError as error:
            _log.warning("recipe of run “%s”: %s", self.path.name, error)
            return None

    # Where things are

    @property
    def best_path(self) -> Path:
        """The model: a checkpoint with the best validation score, or those of an ensemble."""
        return self.path / "best.ckpt"

    @property
    def last_path(self) -> Path:
        """Checkpoint to continue from."""
        return self.path / "last.ckpt"

    @property
    def start_path(self) -> Path:
        """Copy of the checkpoint that it goes on from, where it does not begin afresh."""
        return self.path / "start.ckpt"

    @property
    def mistakes_path(self) -> Path:
        """Where the model it goes on from was wrong, where it learns from corrections."""
        return self.path / "mistakes.npz"

    @property
    def predictions_path(self) -> Path:
        """Predictions for the held-out images."""
        return self.path / "predictions.h5"

    @property
    def metrics_path(self) -> Path:
        """Scores, written at the end."""
        return self.path / "metrics.json"

    # What happened

    def metrics(self) -> dict[str, Any] | None:
        """Scores of the run, or None while there are none (or the file is damaged)."""
        found = read_json(self.metrics_path)
        return found if found is not None and isinstance(found.get("images"), list) else None

    # What can be changed

    def rename(self, name: str) -> None:
        """Give the run another name; its folder and id stay.

        Raises
        ------
        RunError
            When the name is empty or the folder is gone.
        """
        name = " ".join(name.split())
        if not name:
            raise RunError("A run needs a name.")
        if len(name) > 80:
            raise RunError("The name of a run has at most 80 characters.")
        try:
            write_json(self.path / "title.json", {"name": name})
        except OSError as error:
            raise RunError(
                f'The run "{self.name}" could not be renamed: {error.strerror}.'
            ) from error

    def delete(self) -> Path:
        """Move the folder to the trash beside the runs, kept there for a week.

        Returns
        -------
        Path
            Where it lies now; `restore` brings it back.

        Raises
        ------
        RunError
            When the run is still working, or a file in it is in use.
        """
        if self.is_active:
            raise RunError(
                f'The run "{self.name}" is still working. Stop it first, then delete it.'
            )
        trash = self.path.parent / _DELETED
        target = trash / self.path.name
        try:
            trash.mkdir(exist_ok=True)
            while target.exists():
                target = target.with_name(target.name + "+")
            replace(self.path, target)
            os.utime(target)
        except OSError as error:
            raise RunError(
                f'The run "{self.name}" could not be deleted: {error.strerror}. Nothing was '
                "removed; close programs that use its files and try again."
            ) from error
        _empty_trash(trash)
        return target


def restore(trashed: Path) -> RunFolder:
    """Bring a deleted run back.

    Parameters
    ----------
    trashed : Path
        What `RunFolder.delete` returned.

    Raises
    ------
    RunError
        When it is not there any more.
    """
    target = trashed.parent.parent / trashed.name.rstrip("+")
    try:
        if target.exists():
            raise FileExistsError(0, "another folder has its name")
        replace(trashed, target)
    except OSError as error:
        raise RunError(f"The run could not be brought back: {error.strerror}.") from error
    return RunFolder(target)


def _empty_trash(trash: Path) -> None:
    limit = time.time() - _DELETED_DAYS * 86400
    for path in trash.iterdir():
        try:
            if path.stat().st_mtime < limit:
                shutil.rmtree(path)
        except OSError as error:
            _log.info("old deleted run stays: %s", error)


def list_runs(project_path: Path) -> list[RunFolder]:
    """All runs of a project, oldest first; broken folders are left out with a note in the log."""
    return listed(runs_dir(project_path), RunFolder, apart=(STUDIES,))


def find_run(project_path: Path | None, text: str) -> RunFolder:
    """A run by its id (or the beginning of it), its name, or the path of its folder.

    Parameters
    ----------
    project_path : Path or None
        Where to look for ids and names; None: only a path will do.
    text : str

    Raises
    ------
    RunError
        When there is none, or several fit.
    """
    as_path = Path(text)
    if (as_path / "request.json").is_file():
        return RunFolder(as_path)
    runs = list_runs(project_path) if project_path is not None else []
    if (run := called(runs, text)) is not None:
        return run
    if project_path is None:
        raise RunError(f'"{text}" is not the folder of a run.')
    last = ", ".join(f'"{run.name}"' for run in runs[-8:])
    has = f"it has {last}" if runs else "it has no runs yet"
    raise RunError(f'The project "{project_path.name}" has no run "{text}"; {has}.')
