"""``predict``: masks for new images, by a detached job that this command waits for."""

from __future__ import annotations

import shutil
import time
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from orgseg_app import paths, settings
from orgseg_app.commands.console import CommandError, note, out, plural
from orgseg_app.commands.exporting import formats_from
from orgseg_app.commands.following import follow
from orgseg_app.commands.packed import project_with_runs
from orgseg_app.runs import launcher
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.folder import RunFolder, find_run
from orgseg_app.runs.prediction import prepare_prediction

_KEPT_S = 7 * 86400.0


def run(asked: Namespace) -> int:
    """Predict image files and folders into a folder of masks."""
    near = [asked.out, *asked.inputs]
    models = [find_model(text, near) for text in asked.models]
    parent = paths.data_dir() / "predictions"
    _drop_old(parent)
    job = prepare_prediction(
        parent,
        models=models,
        inputs=asked.inputs,
        out=asked.out,
        formats=formats_from(asked.formats),
        overwrite=asked.overwrite,
        resume=asked.resume,
        stitch=asked.stitch,
        turns=asked.turns,
        vote=asked.vote,
        three_planes=asked.three_planes,
        objects=asked.objects,
    )
    launcher.start(job)
    last = follow(job, title="Predicting", json=asked.json)
    return _tell_end(job, last, asked)


def _tell_end(job: RunFolder, last: dict[str, Any], asked: Namespace) -> int:
    message = str(last.get("message") or "")
    problems = last.get("problems") or []
    if last["event"] == "finished":
        shutil.rmtree(job.path, ignore_errors=True)
    elif last["event"] == "stopped":
        raise CommandError(
            f"{message.rstrip('.')}. The masks written so far are whole, and of a volume that was "
            "begun what is finished is kept; go on with --resume."
        )
    else:
        raise CommandError(message or f"The prediction ended early; its log is {job.log_path}.")
    if not asked.json:
        out(message)
    if problems:
        raise CommandError(
            f"{plural(len(problems), 'image')} could not be predicted; the others are done. "
            f"{problems[0]}" + (f" (and {len(problems) - 1} more)" if len(problems) > 1 else "")
        )
    return 0


def find_model(text: str, near: Sequence[Path]) -> RunFolder | Path:
    """The model meant by ``RUN|FILE``.

    Parameters
    ----------
    text : str
        A model file, a run's folder, ``PROJECT.orgseg:RUN``, or the id or name of a run of a
        project that lies nearby or was used lately.
    near : sequence of Path
        Projects are looked for here, beside the current folder.

    Raises
    ------
    CommandError
        When there is none, or several fit.
    """
    path = Path(text)
    if path.is_file() and path.suffix != ".orgseg":
        return path
    if (path / "request.json").is_file():
        return RunFolder(path)
    project, marker, name = text.rpartition(".orgseg:")
    if marker:
        path = Path(f"{project}.orgseg")
        return find_run(project_with_runs(path) if path.exists() else path, name)
    found: dict[str, RunFolder] = {}
    ambiguous = ""
    for candidate in _projects_nearby(near):
        try:
            fits = find_run(candidate, text)
        except RunError as error:
            ambiguous = ambiguous or (str(error) if "runs are called" in str(error) else "")
            continue
        found[fits.run_id] = fits
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        listed = ", ".join(str(item.path) for item in found.values())
        raise CommandError(f'Several runs are called "{text}"; name one by its folder: {listed}.')
    raise CommandError(
        ambiguous
        or f'There is no model file and no run "{text}" here. Name a run by its folder, or as '
        "PROJECT.orgseg:RUN; orgseg runs PROJECT lists them."
    )


def _projects_nearby(near: Iterable[Path]) -> list[Path]:
    folders = [Path.cwd()]
    for path in near:
        folders += [path.absolute(), *list(path.absolute().parents)[:4]]
    found: dict[Path, None] = {}
    for folder in dict.fromkeys(folders):
        try:
            runs = sorted(entry for entry in folder.glob("*.runs") if entry.is_dir())
        except OSError:
            continue
        found |= dict.fromkeys(entry.with_suffix(".orgseg") for entry in runs)
    for recent in settings.load().recent_projects:
        found[Path(recent).absolute()] = None
    return list(found)


def _drop_old(parent: Path) -> None:
    """Remove what failed predictions left more than a week ago."""
    try:
        for entry in parent.iterdir():
            if time.time() - entry.stat().st_mtime > _KEPT_S:
                shutil.rmtree(entry, ignore_errors=True)
    except FileNotFoundError:
        return
    except OSError as error:
        note(f"Old prediction jobs in {parent} could not be removed: {error.strerror}.")
