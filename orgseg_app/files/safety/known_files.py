"""Which files this computer has written or let in already, so that they need not be checked again.

A stranger's project is looked at in a process of its own first (`orgseg_app.files.safety.gate`),
which takes a few tenths of a second. A file counts as known while its size, times, place on the
disk and first bytes are those it had when it was remembered: a project's first bytes hold who it is
and which version of it. How much that proves depends on the disk
(`orgseg_app.files.safety.change_times`).

The list is one small file among the app's own data. It is only a way to save time: a damaged list
is an empty one, a list that cannot be written stays as it was, and nothing here ever fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orgseg_app import paths
from orgseg_app.files.atomic import replace_unsynced
from orgseg_app.files.store.system_lock import lock_alone

MAX_FILES = 1000
"""Files remembered; the one remembered longest ago is forgotten first."""

HEAD_BYTES = 1024
"""First bytes that must be the same: a project's two header slots."""

_VERSION = 2
_LOCK_WAIT_S = 0.5
_BINARY: int = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class FileMark:
    """What tells one state of a file from another without reading all of it.

    Attributes
    ----------
    size, mtime_ns, ctime_ns, inode
        As the system says; bytes, and nanoseconds since 1970. Programs can set the second, but (on
        Linux and macOS) not the third, which moves at every change.
    head
        Hash of the first `HEAD_BYTES`, in hexadecimal.
    """

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    head: str


def mark_of(path: Path) -> FileMark | None:
    """The present state of a file; None where it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _BINARY | getattr(os, "O_NONBLOCK", 0))
        try:
            return mark_of_open(descriptor)
        finally:
            os.close(descriptor)
    except (OSError, ValueError):
        return None


def mark_of_open(descriptor: int) -> FileMark | None:
    """The same of an open file, which may not be the one that has its path now."""
    try:
        status = os.fstat(descriptor)
        os.lseek(descriptor, 0, os.SEEK_SET)
        head = os.read(descriptor, HEAD_BYTES)
    except OSError:
        return None
    digest = hashlib.blake2b(head, digest_size=12).hexdigest()
    return FileMark(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, digest)


def is_known(path: Path) -> bool:
    """True for a file that is as it was when this computer wrote it or let it in."""
    return known_mark(path) is not None


def known_mark(path: Path) -> FileMark | None:
    """The state of a file that is as it was when this computer wrote it or let it in."""
    key = _key(path)
    if key is None:
        return None
    known = _entries().get(key)
    if not isinstance(known, list):
        return None
    mark = mark_of(path)
    return mark if mark is not None and known == _as_list(mark) else None


def remember(path: Path, mark: FileMark | None = None) -> None:
    """Note that a file is our own, or harmless, as it is now.

    Parameters
    ----------
    path
        The file.
    mark
        Its state when it was looked at, where it may have changed since; its present state unless
        given.
    """
    key = _key(path)
    mark = mark or mark_of(path)
    if key is None or mark is None:
        return
    known = _entries()
    if known.get(key) == _as_list(mark) and len(known) <= MAX_FILES // 2:
        return
    with contextlib.suppress(OSError, ValueError), _alone():
        entries = dict(_entries())
        entries.pop(key, None)
        entries[key] = _as_list(mark)
        for oldest in list(entries)[: max(0, len(entries) - MAX_FILES)]:
            del entries[oldest]
        _write(entries)


def list_path() -> Path:
    """Where the list lies."""
    return paths.data_dir() / "known-files.json"


# -- the list ------------------------------------------------------------------------------------

_threads = threading.Lock()
_read: tuple[Path, tuple[int, int, int], dict[str, Any]] | None = None
"""The list as last read by this process, with the state of its file: reading 1,000 entries takes
a millisecond, and a look whether they changed does not."""


def _entries() -> dict[str, Any]:
    """Path → [size, times, inode, head], longest ago first; empty where there is no sound list."""
    global _read
    path = list_path()
    try:
        status = os.stat(path)
        state = status.st_size, status.st_mtime_ns, status.st_ino
        if _read is not None and _read[:2] == (path, state):
            return _read[2]
        data = json.loads(path.read_bytes())
        entries = data["files"] if data["version"] == _VERSION else {}
        if not isinstance(entries, dict):
            return {}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    _read = path, state, entries
    return entries


def _write(entries: dict[str, Any]) -> None:
    """Replace the list in one step.

    It is not pushed to the disk: after a power cut it may be damaged, that is empty, and all it
    costs is a second look at some files.
    """
    replace_unsynced(list_path(), json.dumps({"version": _VERSION, "files": entries}).encode())


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One writer at a time among the threads and processes of this user.

    Without it, two windows that close at once could each write the list without the other's file.

    Raises
    ------
    OSError
        When the folder cannot be written, or another process holds the list for too long.
    """
    folder = list_path().parent
    folder.mkdir(parents=True, exist_ok=True)
    with _threads:
        descriptor = os.open(folder / "known-files.lock", os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
        try:
            end = time.monotonic() + _LOCK_WAIT_S
            while True:
                try:
                    lock_alone(descriptor)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise
                    time.sleep(0.002)
            yield
        finally:
            os.close(descriptor)


def _key(path: Path) -> str | None:
    """The path with links resolved, as one spelling; None for what is no path."""
    try:
        return os.path.normcase(os.path.realpath(path))
    except (OSError, ValueError):
        return None


def _as_list(mark: FileMark) -> list[int | str]:
    return [mark.size, mark.mtime_ns, mark.ctime_ns, mark.inode, mark.head]
