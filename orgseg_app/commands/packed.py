"""Runs inside a packed project: laid out beside it before a command looks for them."""

from __future__ import annotations

from pathlib import Path

from orgseg_app.commands.console import tell_notices, warn
from orgseg_app.commands.project import existing_project
from orgseg_app.runs.folder import runs_dir


def project_with_runs(path: Path) -> Path:
    """`existing_project`, with the runs that are packed inside it laid out beside it.

    Raises
    ------
    CommandError, ProjectError
        When there is no such project, or it is none and has no runs beside it.
    """
    from orgseg_app.files.errors import FileError
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.files.unpacking import holds_runs

    found = existing_project(path)
    try:
        with ProjectFile.open(found, read_only=True) as project_file:
            if not holds_runs(project_file):
                return found
    except FileError as error:
        if not runs_dir(found).is_dir():
            raise
        warn(str(error))  # runs can be used whatever became of their project
        return found
    try:
        with ProjectFile.open(found) as project_file:
            tell_notices(project_file.notices)
            if project_file.read_only_reason:
                warn(project_file.read_only_reason)
    except FileError as error:  # somebody has it open: what lies beside it can be used
        warn(f"The runs packed inside were not laid out. {error}")
    return found
