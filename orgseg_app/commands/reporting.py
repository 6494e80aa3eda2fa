"""Reports that ``compare`` and ``study`` write: files by their endings, or a folder with all."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orgseg_app.commands.console import CommandError, note, plural, warn

if TYPE_CHECKING:
    from orgseg_app.runs.reporting.writing import AnyReport


def check_targets(asked: Namespace) -> None:
    """Refuse what cannot be written before any work is done.

    Raises
    ------
    RunError
        For a file with another ending.
    CommandError
        When the folder is a file.
    """
    from orgseg_app.runs.reporting.writing import check_suffix

    for file in asked.out:
        check_suffix(file)
    folder: Path | None = asked.report
    if folder is not None and folder.exists() and not folder.is_dir():
        raise CommandError(
            f'"{folder}" is a file, and --report takes a folder. Name another; to write one file '
            "use --out."
        )


def is_asked_for(asked: Namespace) -> bool:
    """Whether anything is to be written."""
    return bool(asked.out) or asked.report is not None


def wants_pictures(asked: Namespace) -> bool:
    """Whether images are shown in what is to be written."""
    return asked.report is not None or any(f.suffix.lower() == ".html" for f in asked.out)


def write_reports(asked: Namespace, report: AnyReport) -> None:
    """Write all that is asked for, and say so on stderr."""
    from orgseg_app.runs.reporting.writing import write_report, write_report_folder

    for file in asked.out:
        write_report(file, report)
    written = []
    if asked.report is not None:
        written = write_report_folder(asked.report, report, picture_maker())
    if asked.json:
        return
    for file in asked.out:
        note(f"Written: {file}")
    if written:
        note(f"Written: {plural(len(written), 'file')} in {asked.report}; begin with report.html")


def picture_maker() -> Callable[[str], bytes] | None:
    """What makes PNG files of the figures; None, with a word, on a machine that cannot draw."""
    try:
        from orgseg_app.gui.comparing.figure_pictures import PictureMaker

        return PictureMaker().png_of
    except (ImportError, RuntimeError) as error:
        warn(f"The figures are written as SVG only: this machine cannot draw them ({error}).")
        return None
