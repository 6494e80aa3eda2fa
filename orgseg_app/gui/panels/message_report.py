"""What a bug report should hold, as text for the clipboard; nothing is sent anywhere."""

from __future__ import annotations

import logging
import os
import platform
import sys
from pathlib import Path

from orgseg_app import __version__, paths

LOG_LINES = 40
_TAIL_BYTES = 32_768


def report(text: str) -> str:
    """A message with version, platform and the end of the log."""
    log = log_file()
    lines = [
        text.strip(),
        "",
        f"OrgSeg {__version__} · Python {platform.python_version()} · Qt {_qt_version()}",
        f"{platform.platform()} · {os.cpu_count()} processors",
    ]
    tail = log_tail(log) if log is not None else []
    if tail:
        lines += ["", f"End of {log}:", *tail]
    else:
        lines += ["", "There is no log file."]
    return "\n".join(lines) + "\n"


def log_file() -> Path | None:
    """The log this window writes; without one, the newest there is."""
    folder = paths.log_dir()
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler) and Path(handler.baseFilename).is_file():
            return Path(handler.baseFilename)
    try:
        return max(folder.glob("*.log"), key=lambda path: path.stat().st_mtime, default=None)
    except OSError:
        return None


def log_tail(path: Path, lines: int = LOG_LINES) -> list[str]:
    """The last lines of a file; none when it cannot be read."""
    try:
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            stream.seek(max(0, size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()[-lines:]


def _qt_version() -> str:
    qt = sys.modules.get("PySide6.QtCore")
    return str(getattr(qt, "__version__", "unknown"))
