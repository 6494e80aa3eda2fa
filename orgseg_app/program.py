"""How this program starts itself again for a process of its own: a job, a check, a reader.

Standard library only.
"""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

_WITH_CONSOLE = "orgseg-cli.exe"
"""Beside the window's program on Windows, where a program without a console has no output."""


def program_command(*arguments: str) -> list[str]:
    """How this program starts itself again: from its source, installed, or frozen."""
    if getattr(sys, "frozen", False):
        beside = Path(sys.executable).with_name(_WITH_CONSOLE)
        return [str(beside) if beside.is_file() else sys.executable, *arguments]
    return [sys.executable, "-m", "orgseg_app", *arguments]


def window_command(*arguments: str) -> list[str]:
    """How this program opens another window: on Windows without a console beside it."""
    if getattr(sys, "frozen", False):
        return [sys.executable, *arguments]
    return program_command(*arguments)


def program_environment() -> dict[str, str]:
    """The environment in which `program_command` finds this program, from any folder.

    A file called like a library in the folder where the user happens to be is not imported.
    """
    environment = dict(os.environ)
    if not getattr(sys, "frozen", False):
        package_parent = str(Path(__file__).resolve().parents[1])
        if package_parent not in (os.path.realpath(path) for path in site.getsitepackages()):
            known = environment.get("PYTHONPATH")
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, (package_parent, known)))
        environment["PYTHONSAFEPATH"] = "1"
    return environment
