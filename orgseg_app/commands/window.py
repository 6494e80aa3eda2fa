"""No verb: open the window, or say that there is nowhere to open it."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from orgseg_app.bootstrap import has_display
from orgseg_app.commands.console import CommandError, note


def open_window(paths: Sequence[Path] = ()) -> int:
    """Open the window with a project or images; the sample story without it where no screen is.

    Parameters
    ----------
    paths : sequence of Path
        One project, or images and folders to import; nothing for the start page.

    Raises
    ------
    CommandError
        When a path is not there, or a project was named and there is no display.
    """
    for path in paths:
        if not path.exists():
            raise CommandError(f'There is no file "{path}". Check the path; nothing was changed.')
    if has_display():
        from orgseg_app import logs
        from orgseg_app.gui.app import run

        logs.start("window")
        return run(list(paths))
    if paths:
        raise CommandError(
            "There is no display here, so the window cannot open. The project can be used from the "
            f'command line: orgseg info "{paths[0]}"; all verbs: orgseg --help.'
        )
    from orgseg_app.commands.demo import run as run_demo

    note("There is no display here, so the window cannot open. Running the sample without it:")
    note("orgseg demo --headless --out orgseg-demo")
    return run_demo(Namespace(headless=True, out=Path("orgseg-demo"), json=False))
