"""Where things lie: the app's own resources, and the folders for settings, data, logs and caches.

Standard library only. Nothing is created here; who writes a file makes its folder.
``ORGSEG_HOME`` moves every personal folder below one place (tests, portable use).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resources_dir() -> Path:
    """Return the folder with icons, themes and help pages.

    A frozen app carries it beside its modules, a wheel inside the package, and the source tree at
    the top level.
    """
    bundle = getattr(sys, "_MEIPASS", None)
    if bundle is not None:
        return Path(bundle) / "resources"
    installed = _PACKAGE / "_resources"
    return installed if installed.is_dir() else _PACKAGE.parent / "resources"


def config_dir() -> Path:
    """Return the folder of the settings file (on Windows the one that roams with the user)."""
    return _personal_dir(
        "config",
        windows=("APPDATA", "AppData/Roaming", "OrgSeg"),
        mac="Library/Application Support/OrgSeg",
        linux=("XDG_CONFIG_HOME", ".config", "orgseg"),
    )


def data_dir() -> Path:
    """Return the folder for what the app keeps for itself and cannot make again."""
    return _personal_dir(
        "data",
        windows=("LOCALAPPDATA", "AppData/Local", "OrgSeg/Data"),
        mac="Library/Application Support/OrgSeg",
        linux=("XDG_DATA_HOME", ".local/share", "orgseg"),
    )


def log_dir() -> Path:
    """Return the folder of log files and crash traces."""
    return _personal_dir(
        "logs",
        windows=("LOCALAPPDATA", "AppData/Local", "OrgSeg/Logs"),
        mac="Library/Logs/OrgSeg",
        linux=("XDG_STATE_HOME", ".local/state", "orgseg/logs"),
    )


def cache_dir() -> Path:
    """Return the folder for what may be deleted at any time."""
    return _personal_dir(
        "cache",
        windows=("LOCALAPPDATA", "AppData/Local", "OrgSeg/Cache"),
        mac="Library/Caches/OrgSeg",
        linux=("XDG_CACHE_HOME", ".cache", "orgseg"),
    )


def device_lock() -> Path:
    """Return the file whose lock a job holds while it computes: one job at a time a device."""
    return data_dir() / "device.lock"


def _personal_dir(
    kind: str, *, windows: tuple[str, str, str], mac: str, linux: tuple[str, str, str]
) -> Path:
    """Return the personal folder of one kind, by platform.

    ``windows`` and ``linux`` are (variable that moves the root, root below the home folder, ours
    below the root).
    """
    override = os.environ.get("ORGSEG_HOME")
    if override:
        return Path(override).expanduser().absolute() / kind
    if sys.platform == "darwin":
        return _home() / mac
    variable, root, ours = windows if sys.platform == "win32" else linux
    # The XDG specification says that a relative path is to be ignored.
    moved = Path(os.environ.get(variable, ""))
    return (moved if moved.is_absolute() else _home() / root) / ours


def _home() -> Path:
    """Return the home folder, or a temporary stand-in for accounts that have none."""
    try:
        return Path.home()
    except RuntimeError:
        import tempfile

        return Path(tempfile.gettempdir()) / "orgseg-home"
