"""``compact``: giving back to the disk what a project file no longer holds."""

from __future__ import annotations

from argparse import Namespace

from orgseg_app.commands.console import CommandError, Progress, out, out_json, tell_notices
from orgseg_app.commands.project import existing_project


def run(asked: Namespace) -> int:
    """Write a project file anew without its holes."""
    from orgseg_app.files.project_file import ProjectFile

    path = existing_project(asked.project)
    with ProjectFile.open(path) as project_file:
        tell_notices(project_file.notices)
        if project_file.read_only:
            raise CommandError(f"{project_file.read_only_reason} It stays as it is.")
        project_file.save()  # what a crash left in the journal
        before = project_file.storage_bytes
        progress = Progress("Compacting", quiet=asked.json)

        def show(done: int, total: int) -> bool:
            progress.show(done, total)
            return True

        project_file.compact(show)
        progress.clear()
        after = project_file.storage_bytes
    if asked.json:
        out_json({"project": str(path), "before": before, "after": after, "freed": before - after})
    elif after < before:
        freed = _size(before - after)
        out(f'"{path.name}": {_size(before)} before, {_size(after)} now ({freed} freed).')
    else:
        out(f'"{path.name}" was as small as it can be ({_size(after)}).')
    return 0


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
