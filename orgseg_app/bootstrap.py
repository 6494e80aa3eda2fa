"""From a fresh checkout to a running app: the first step of ``main.py`` and ``-m tests``.

`ensure` does nothing in a frozen or installed OrgSeg. In a source tree it sees to it that ``.venv``
beside ``main.py`` holds what ``pyproject.toml`` asks for, and continues there. A stamp file tells
what was installed, so a normal start costs one more interpreter start and a few ``stat`` calls;
making, repairing and updating the environment is the work of `orgseg_app.environment`.

Standard library only, and nothing but `os` and `sys` while the stamp holds. The syntax stays within
Python 3.7, so that an old Python gets a sentence and not a traceback.
"""

from __future__ import annotations

import os
import sys

from orgseg_app import stamp

_CONTINUED = "ORGSEG_CONTINUED_IN"


def ensure(extras: tuple[str, ...] = ()) -> None:
    """Continue in an environment that holds what OrgSeg needs; make it where it is missing.

    Outside of the environment, this replaces the process by the environment's Python with the same
    arguments. Where none can be made, the process ends with exit code 1 and a sentence.

    Parameters
    ----------
    extras
        Groups of optional dependencies in ``pyproject.toml`` that are needed, too.
    """
    root = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    if getattr(sys, "frozen", False) or not os.path.isfile(os.path.join(root, "pyproject.toml")):
        return
    environment = stamp.environment_path(root)
    is_inside = os.path.realpath(sys.prefix) == os.path.realpath(environment)
    if not is_inside and _is_installed_here():
        return
    if sys.version_info < stamp.OLDEST:
        sys.exit(
            "OrgSeg needs Python {}.{} or newer, and this is Python {}.{}. Nothing was changed; "
            "start it with a newer Python, for example: python3.12 main.py".format(
                *stamp.OLDEST, *sys.version_info[:2]
            )
        )
    for_window = needs_window_libraries()
    if not stamp.is_current(root, extras, for_window=for_window):
        from orgseg_app.environment import make

        make(root, extras, for_window=for_window)
    continued = os.environ.pop(_CONTINUED, None)
    if not is_inside:
        if continued == environment:
            sys.exit(
                f"OrgSeg: the folder {environment} is damaged (its Python does not use it). Your "
                "projects are not in it; delete the folder and start again."
            )
        os.environ[_CONTINUED] = environment
        _continue_with(stamp.python_path(root))


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


def _continue_with(python: str) -> None:
    """Run the same command line with another Python, and end with its exit code."""
    # Set by macOS's framework Python for its own sake; it would mislead the next interpreter.
    os.environ.pop("__PYVENV_LAUNCHER__", None)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    if os.name != "nt":
        os.execv(python, [python, *sys.orig_argv[1:]])
    # On Windows execv returns to the shell at once and leaves the program running behind its back.
    import signal
    import subprocess

    if os.path.basename(sys.executable or "").lower().startswith("pythonw"):
        python = python.replace("python.exe", "pythonw.exe")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is the started program's to answer
    sys.exit(subprocess.call([python, *sys.orig_argv[1:]]))
