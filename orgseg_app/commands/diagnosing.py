"""``doctor --report``: what helps to find a fault, in one file, without images and names."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from orgseg_app.commands.console import CommandError, out


def write_report(asked: Namespace, facts: Mapping[str, Any]) -> int:
    """Write the report, and say what is in it.

    Parameters
    ----------
    asked
        With ``report`` (where) and ``project`` (of which, or None).
    facts
        What ``doctor`` found out.

    Raises
    ------
    CommandError
        When it cannot be written.
    """
    from orgseg_app.diagnostics.parts import Report, save
    from orgseg_app.files.atomic import reason

    if asked.project is None:
        report = Report()
    else:
        from orgseg_app.files.project_file import ProjectFile

        with ProjectFile.open(asked.project, read_only=True) as file:
            report = Report(file.project, file.path)
    parts = [*report.parts(), report.computer(facts)]
    path = asked.report.with_suffix(".zip")
    try:
        save(parts, path)
    except OSError as error:
        raise CommandError(
            f'The report could not be written to "{path}": {reason(error)}. '
            "Nothing was changed; name another place."
        ) from error
    out(f"Written to {path}:")
    for part in parts:
        out(f"  {part.file_name:<15} {part.title}")
    out("It holds no images, and placeholders for names and places. Read it before you send it.")
    return 0
