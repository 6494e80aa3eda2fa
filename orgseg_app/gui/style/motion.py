"""Whether the system asks programs to move less.

Qt passes this wish on nowhere, so it is read where each desktop keeps it. What cannot be read
counts as no wish.
"""

from __future__ import annotations

import configparser
import contextlib
import ctypes
import functools
import os
import sys
from pathlib import Path

_SPI_GETCLIENTAREAANIMATION = 0x1042


@functools.cache
def prefers_less_motion() -> bool:
    """True when animations are switched off for the person's desktop; asked once a start."""
    with contextlib.suppress(Exception):
        if sys.platform == "win32":
            return _on_windows()
        if sys.platform == "darwin":
            return _on_macos()
        folder = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
        return stills_desktop(Path(folder))
    return False


def stills_desktop(folder: Path) -> bool:
    """Whether the settings of GTK or KDE in a folder switch animations off.

    Parameters
    ----------
    folder
        Usually ``~/.config``.
    """
    for version in ("gtk-4.0", "gtk-3.0"):
        value = _entry(folder / version / "settings.ini", "Settings", "gtk-enable-animations")
        if value in ("0", "false"):
            return True
    speed = _entry(folder / "kdeglobals", "KDE", "AnimationDurationFactor")
    with contextlib.suppress(ValueError):
        return float(speed) == 0
    return False


def _entry(path: Path, section: str, key: str) -> str:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    with contextlib.suppress(OSError, configparser.Error, UnicodeError):
        parser.read(path, encoding="utf-8")
    return parser.get(section, key, fallback="").strip().lower()


def _on_windows() -> bool:
    shown = ctypes.c_int(1)
    library = ctypes.windll.user32  # type: ignore[attr-defined]
    library.SystemParametersInfoW(_SPI_GETCLIENTAREAANIMATION, 0, ctypes.byref(shown), 0)
    return not shown.value


def _on_macos() -> bool:
    import plistlib

    path = Path.home() / "Library/Preferences/com.apple.universalaccess.plist"
    return bool(plistlib.loads(path.read_bytes()).get("reduceMotion"))
