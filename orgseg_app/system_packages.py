"""The system libraries that Qt and ``venv`` need on Linux: look for them, install or name them.

Qt's wheels bring Qt itself; the libraries of the screen, fonts and OpenGL come from the system, and
a bare one has none of them. Found by adding packages one at a time to a bare Debian 12 with
Python (2026-11); Ubuntu's packages have the same names. Standard library only.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from orgseg_app.stamp import SetupError

TO_PAINT = {
    "libGL.so.1": "libgl1",
    "libEGL.so.1": "libegl1",
    "libxkbcommon.so.0": "libxkbcommon0",
    "libfontconfig.so.1": "libfontconfig1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libgthread-2.0.so.0": "libglib2.0-0",
}
"""Library to Debian package: what Qt needs to load and to paint into memory."""

TO_SHOW = {
    "libX11-xcb.so.1": "libx11-xcb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
}
"""Library to Debian package: what Qt needs beyond `TO_PAINT` for a window under X11."""


def provide(*, for_window: bool, for_venv: bool, tell: Callable[[str], None]) -> None:
    """See to it that the system has what is needed: install it as root, else say what to install.

    Parameters
    ----------
    for_window
        Also look for what a window on a screen needs.
    for_venv
        Also look for Python's ``venv`` module, which Debian packs apart.
    tell
        Shows a line to the user.

    Raises
    ------
    SetupError
        With the exact command where apt is there, else with the names of the libraries.
    """
    if not sys.platform.startswith("linux"):
        return
    libraries = missing_libraries(for_window=for_window)
    lacks_venv = for_venv and not _has_venv()
    if not libraries and not lacks_venv:
        return
    packages = [TO_PAINT.get(name) or TO_SHOW[name] for name in libraries]
    if lacks_venv:
        packages.insert(0, f"python3.{sys.version_info.minor}-venv")
    command = ["apt-get", "install", "--no-install-recommends", *packages]
    names = [*(["Python's venv module"] if lacks_venv else []), *libraries]
    if shutil.which("apt-get") is None:
        raise SetupError(
            f"this system lacks {', '.join(names)}. Nothing was changed; install them with its "
            f"package manager (on Debian they are in {' '.join(packages)}) and start again."
        )
    parts = (["Python's venv module"] if lacks_venv else []) + (
        ["libraries that Qt needs"] if libraries else []
    )
    missing = f"this system lacks {' and '.join(parts)}"
    if os.geteuid() != 0:
        raise SetupError(
            f"{missing}. Nothing was changed; run this once and start again:\n\n"
            f"    sudo apt-get update && sudo {' '.join(command)}\n"
        )
    tell(f"OrgSeg: {missing}; apt-get installs {' '.join(packages)}.")
    _install([*command, "--yes", "-o", "DPkg::Lock::Timeout=300"])
    still = missing_libraries(for_window=for_window)
    if still or (lacks_venv and not _has_venv()):
        raise SetupError(f"apt-get ran, but the system still lacks {', '.join(still or names)}.")


def missing_libraries(*, for_window: bool) -> list[str]:
    """Return the libraries among those needed that the system's loader does not find or load."""
    wanted = {**TO_PAINT, **TO_SHOW} if for_window and not _has_wayland() else TO_PAINT
    return [name for name in wanted if not _loads(name)]


def _has_wayland() -> bool:
    """Tell whether Qt will use Wayland, for which no X11 library is needed."""
    if not os.environ.get("WAYLAND_DISPLAY") or os.environ.get("QT_QPA_PLATFORM") == "xcb":
        return False
    return all(_loads(name) for name in ("libwayland-client.so.0", "libwayland-cursor.so.0"))


def _loads(name: str) -> bool:
    """Tell whether a shared library loads, with all that it needs itself."""
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True


def _has_venv() -> bool:
    """Tell whether Python can make an environment with pip in it."""
    importlib.invalidate_caches()
    return all(importlib.util.find_spec(name) is not None for name in ("venv", "ensurepip"))


def _install(command: list[str]) -> None:
    """Run apt-get as root, with fresh package lists.

    Raises
    ------
    SetupError
        With apt's last words.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    said = ""
    # Where one of several sources cannot be reached, update fails although the rest will do.
    for step in (["apt-get", "update"], command):
        done = subprocess.run(
            step,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
            check=False,
        )
        said = done.stdout
    if done.returncode:
        reason = (said.strip().splitlines() or ["no reason given"])[-1]
        raise SetupError(
            f"apt-get could not install what is missing ({reason}). Run this and look at its "
            f"words:\n\n    {' '.join(command)}\n"
        )
