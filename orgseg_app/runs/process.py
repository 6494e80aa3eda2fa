"""Which process does a run, and whether it is still alive.

A process id alone says little: it is used again after a while, and a copied project carries the id
of a process that belongs to the original. So `process.json` also holds when the process started, on
which computer, and in which folder.
"""

from __future__ import annotations

import errno
import os
import platform
import time
from pathlib import Path
from typing import Any

import msgspec

from orgseg_app.files.atomic import replacing

_START_TOLERANCE_S = 2.0
_FOREIGN_SILENCE_S = 120.0


def write_json(path: Path, data: object) -> None:
    """Replace a JSON file in one go: a reader sees the old or the new one, never half of it.

    Raises
    ------
    OSError
        When the folder is not there or the disk refuses; the old file is then untouched.
    """
    text = msgspec.json.format(msgspec.json.encode(data), indent=2)
    with replacing(path) as draft:
        draft.write_bytes(text + b"\n")


def replace(source: Path, target: Path) -> None:
    """`os.replace`, tried again for a moment where another program holds the file (Windows)."""
    deadline = time.monotonic() + 2.5
    while True:
        try:
            os.replace(source, target)
        except PermissionError as error:
            busy = getattr(error, "winerror", None) in (5, 32, 33)
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object from a file, or None when it is not there, half written or something else."""
    try:
        data = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _same_path(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))


def process_facts(run_path: Path, pid: int) -> dict[str, Any]:
    """What `process.json` holds about a process of this computer.

    Parameters
    ----------
    run_path : Path
        Folder of the run.
    pid : int
        Process id; its start time is null when it has ended already.
    """
    import psutil

    try:
        created: float | None = psutil.Process(pid).create_time()
    except psutil.Error:
        created = None
    return {
        "pid": pid,
        "create_time": created,
        "host": platform.node(),
        "path": _same_path(run_path),
    }


def is_alive(run_path: Path, facts: dict[str, Any], last_sign: float | None) -> bool:
    """Whether the process in `facts` still works on the run in `run_path`.

    Parameters
    ----------
    run_path : Path
    facts : dict
        From `process.json`.
    last_sign : float or None
        When the run last wrote something, seconds since 1970. A process on another computer
        (a project on a shared drive) counts as alive for two minutes after that.
    """
    pid, created = facts.get("pid"), facts.get("create_time")
    if not isinstance(pid, int) or isinstance(pid, bool) or pid <= 0:
        return False
    if facts.get("path") != _same_path(run_path):
        return False
    if facts.get("host") != platform.node():
        return last_sign is not None and time.time() - last_sign < _FOREIGN_SILENCE_S
    if not _pid_exists(pid) or not isinstance(created, (int, float)):
        return False
    import psutil

    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - created) > _START_TOLERANCE_S:
            return False
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.AccessDenied:
        return True
    except psutil.Error:
        return False


def _pid_exists(pid: int) -> bool:
    """A cheap first look, so that most finished processes need no psutil."""
    if os.name == "nt":
        return True
    try:
        os.kill(pid, 0)
    except OSError as error:
        return error.errno == errno.EPERM
    except OverflowError:
        return False
    return True
