"""No verb: open the window, or say that there is nowhere to open it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from orgseg_app.bootstrap import has_display
from orgseg_app.commands.console import CommandError, note


def open_window(paths: Sequence[Path] = (), *, is_new: bool = False) -> int:
    """Open the window with a project or images; the sample story without it where no screen is.

    Where a window runs already, that one opens them and comes to the front.

    Parameters
    ----------
    paths : sequence of Path
        One project, or images and folders to import; nothing for the start page.
    is_new
        A second window is wanted.

    Raises
    ------
    CommandError
        When a path is not there, or a project was named and there is no display.
    """
    for path in paths:
        if not path.exists():
            raise CommandError(f'There is no file "{path}". Check the path; nothing was changed.')
    if has_display():
        return _open_here_or_there(paths, is_new=is_new)
    if paths:
        raise CommandError(
            "There is no display here, so the window cannot open. The project can be used from the "
            f'command line: orgseg info "{paths[0]}"; all verbs: orgseg --help.'
        )
    from orgseg_app.commands.demo import run as run_demo

    note("There is no display here, so the window cannot open. Running the sample without it:")
    note("orgseg demo --headless --out orgseg-demo")
    return run_demo(Namespace(headless=True, out=Path("orgseg-demo"), json=False))


def _open_here_or_there(paths: Sequence[Path], *, is_new: bool) -> int:
    """In a window that runs, else in one of our own."""
    from orgseg_app.files.running_windows import enter

    entry = enter(paths, is_new=is_new)
    if entry.was_handed_over:
        note(
            "OrgSeg is open already; its window comes to the front. For a second window: "
            "orgseg --new-window"
        )
        return 0
    from orgseg_app import logs
    from orgseg_app.gui.app import run

    logs.start("window")
    try:
        return run(list(paths), entry.place)
    finally:
        if entry.place is not None:
            entry.place.close()
