"""From a fresh checkout to a running app: the first step of ``main.py`` and ``-m tests``.

`ensure` does nothing in a frozen or installed OrgSeg. In a source tree it sees to it that ``.venv``
beside ``main.py`` holds what ``pyproject.toml`` asks for, and continues in that environment. A stamp
file remembers what was installed, so a normal start costs one more interpreter start and a few
``stat`` calls; making, repairing and updating the environment is `orgseg_app.environment`'s work.

Standard library only, and nothing but `os` and `sys` while the stamp holds. The syntax stays within
Python 3.7, so that an old Python gets a sentence and not a traceback.
"""

from __future__ import annotations

import os
import sys

OLDEST = (3, 11)
"""Oldest Python that OrgSeg runs on."""

FOLDER = ".venv"
"""The environment's folder, beside ``main.py``."""

STAMP = "orgseg-installed.txt"
"""File in the environment that says what is installed there; see `read_stamp`."""

_CONTINUED = "ORGSEG_CONTINUED_IN"


def ensure(extras: tuple[str, ...] = ()) -> None:
    """Continue in an environment that holds what OrgSeg needs; make it where it is missing.

    Outside of the environment, this replaces the process by the environment's Python with the same
    arguments. Where the environment cannot be made, the process ends with exit code 1 and a sentence.

    Parameters
    ----------
    extras
        Groups of optional dependencies in ``pyproject.toml`` that are needed, too.
    """
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    if getattr(sys, "frozen", False) or not os.path.isfile(os.path.join(root, "pyproject.toml")):
        return
    environment = os.path.join(root, FOLDER)
    is_inside = os.path.realpath(sys.prefix) == os.path.realpath(environment)
    if not is_inside and _is_installed_here():
        return
    if sys.version_info < OLDEST:
        sys.exit(
            "OrgSeg needs Python %d.%d or newer, and this is Python %d.%d. Nothing was changed; "
            "start it with a newer Python, for example: python3.12 main.py"
            % (OLDEST + sys.version_info[:2])
        )
    if not is_current(root, extras):
        from orgseg_app.environment import make

        make(root, extras)
    continued = os.environ.pop(_CONTINUED, None)
    if not is_inside:
        if continued == environment:
            sys.exit(
                "OrgSeg: the folder %s is damaged (its Python does not use it). Your projects are "
                "not in it; delete the folder and start again." % environment
            )
        os.environ[_CONTINUED] = environment
        _continue_in(environment)


def has_display() -> bool:
    """Tell whether a window can be shown, or a Qt platform was chosen by hand."""
    if not sys.platform.startswith("linux"):
        return True
    variables = ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    return any(os.environ.get(variable) for variable in variables)


def needs_window_libraries() -> bool:
    """Tell whether Qt will have to speak to a screen, not only to paint into memory."""
    platform = os.environ.get("QT_QPA_PLATFORM", "")
    return has_display() and platform.split(":")[0] not in ("offscreen", "minimal", "vnc")


def python_of(environment: str) -> str:
    """Return the path of an environment's Python, without looking whether it is there."""
    if os.name != "nt":
        return os.path.join(environment, "bin", "python")
    is_windowed = os.path.basename(sys.executable or "").lower().startswith("pythonw")
    return os.path.join(environment, "Scripts", "pythonw.exe" if is_windowed else "python.exe")


def constraints_path(root: str) -> str:
    """Return the path of the file with the exact versions to install."""
    return os.path.join(root, "packaging", "constraints.txt")


def is_current(root: str, extras: tuple[str, ...]) -> bool:
    """Tell from the stamp whether this start finds all that it needs."""
    stamp = read_stamp(root)
    if stamp.get("libraries") != "window" and needs_window_libraries():
        return False
    return is_installed(root, extras, stamp)


def is_installed(root: str, extras: tuple[str, ...], stamp: dict[str, str]) -> bool:
    """Tell whether the Python packages that a stamp vouches for are the ones needed now."""
    return set(extras).issubset(stamp.get("extras", "").split()) and (
        stamp.get("seen") == seen(root, stamp.get("base", ""))
    )


def read_stamp(root: str) -> dict[str, str]:
    """Return what the stamp says, empty where there is none.

    ``inputs`` is the SHA-256 of everything that decided what was installed; ``extras`` names the
    optional groups; ``base`` is the Python that the environment was made from; ``libraries`` says
    for what Qt's system libraries were found ("memory" or "window"); ``seen`` is `seen` at that time.
    """
    try:
        with open(os.path.join(root, FOLDER, STAMP), encoding="utf-8") as stream:
            lines = [line.rstrip("\n").partition("=") for line in stream]
    except (OSError, ValueError):
        return {}
    return {name: value for name, _, value in lines}


def seen(root: str, base: str) -> str:
    """Return place, sizes and times of the files whose change asks for a closer look.

    Empty where one of them is missing, which never equals a stamp.
    """
    files = [
        os.path.join(root, "pyproject.toml"),
        constraints_path(root),
        python_of(os.path.join(root, FOLDER)),
        base,
    ]
    try:
        facts = [os.stat(path) for path in files]
    except OSError:
        return ""
    return " ".join(["%d:%d" % (fact.st_size, fact.st_mtime_ns) for fact in facts] + [root])


def _is_installed_here() -> bool:
    """Tell whether the running Python has OrgSeg installed, by pip or otherwise."""
    for folder in sys.path:
        if folder.endswith("-packages"):
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            if any(name.startswith("orgseg-") and name.endswith(".dist-info") for name in names):
                return True
    return False


def _continue_in(environment: str) -> None:
    """Run the same command line with the environment's Python, and end with its exit code."""
    command = [python_of(environment)] + sys.orig_argv[1:]
    # Set by macOS's framework Python for its own sake; it would mislead the next interpreter.
    os.environ.pop("__PYVENV_LAUNCHER__", None)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows execv returns to the shell at once and leaves the program running behind its back.
    import signal
    import subprocess

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the started program's to answer
    sys.exit(subprocess.call(command))
