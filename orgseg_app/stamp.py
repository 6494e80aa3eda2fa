"""What ``.venv`` holds, told by a stamp file in it, in a fraction of a millisecond.

Standard library only, nothing but `os`, and in the syntax of Python 3.7; see
`orgseg_app.bootstrap`.
"""

from __future__ import annotations

import os

OLDEST = (3, 11)
"""Oldest Python that OrgSeg runs on."""

NEWEST = (3, 14)
"""Newest Python for which the pinned packages are built."""

FOLDER = ".venv"
"""The environment's folder, beside ``main.py``."""

NAME = "orgseg-installed.txt"
"""The stamp's name; see `read`."""


class SetupError(Exception):
    """OrgSeg cannot be set up; the message says why, what is safe and what to do."""


def environment_path(root: str) -> str:
    """Return the folder of the environment that belongs to a checkout."""
    return os.path.join(root, FOLDER)


def constraints_path(root: str) -> str:
    """Return the file with the exact versions to install."""
    return os.path.join(root, "packaging", "constraints.txt")


def python_path(root: str) -> str:
    """Return the environment's Python, without looking whether it is there."""
    if os.name == "nt":
        return os.path.join(root, FOLDER, "Scripts", "python.exe")
    return os.path.join(root, FOLDER, "bin", "python")


def is_current(root: str, extras: tuple[str, ...], *, for_window: bool) -> bool:
    """Tell whether a start finds all that it needs.

    Parameters
    ----------
    root
        Folder of ``pyproject.toml``.
    extras
        Groups of optional dependencies that are needed.
    for_window
        Whether a window is to be shown, which takes more system libraries.
    """
    stamp = read(root)
    if for_window and stamp.get("libraries") != "window":
        return False
    return is_installed(root, extras, stamp)


def is_installed(root: str, extras: tuple[str, ...], stamp: dict[str, str]) -> bool:
    """Tell whether the Python packages that a stamp vouches for are the ones needed now."""
    if not set(extras).issubset(stamp.get("extras", "").split()):
        return False
    now = seen(root, stamp.get("base", ""))
    return now != "" and stamp.get("seen") == now


def read(root: str) -> dict[str, str]:
    """Return what the stamp says, empty where there is none.

    ``inputs`` is the SHA-256 of everything that decided what was installed; ``extras`` names the
    optional groups; ``base`` is the Python that the environment was made from; ``libraries`` says
    for what Qt's system libraries were found ("memory" or "window"); ``seen`` is `seen` then.
    """
    try:
        with open(os.path.join(root, FOLDER, NAME), encoding="utf-8") as stream:
            lines = [line.rstrip("\n").partition("=") for line in stream]
    except (OSError, ValueError):
        return {}
    return {name: value for name, _, value in lines}


def write(root: str, facts: dict[str, str]) -> None:
    """Write the stamp in one step.

    Raises
    ------
    OSError
        When the environment's folder cannot be written.
    """
    path = os.path.join(root, FOLDER, NAME)
    draft = f"{path}.{os.getpid()}"
    with open(draft, "w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.writelines(f"{name}={value}\n" for name, value in facts.items())
    os.replace(draft, path)


def seen(root: str, base: str) -> str:
    """Return place, sizes and times of the files whose change asks for a closer look.

    Empty where one of them is missing.
    """
    files = [os.path.join(root, "pyproject.toml"), constraints_path(root), python_path(root), base]
    try:
        facts = [os.stat(path) for path in files]
    except OSError:
        return ""
    return " ".join([f"{fact.st_size}:{fact.st_mtime_ns}" for fact in facts] + [root])
