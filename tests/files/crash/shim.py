"""Build the recorder of ``shim.c``, use it from within a child, and read what it wrote."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

SOURCE = Path(__file__).with_name("shim.c")

PASS, ONCE, ON, SHORT, KILL = range(5)
CHANGES, READS = 1, 2

_HEAD = struct.Struct("<cQqQHH")


@dataclass(frozen=True)
class Call:
    """One record of the log; see ``shim.c`` for the kinds."""

    kind: str
    inode: int
    offset: int
    name: str
    other: str
    data: bytes


def build(folder: Path) -> Path:
    """Compile the recorder; skips the test where that cannot be, and fails it in CI on Linux."""
    if sys.platform != "linux":
        _do_without("the recorder stands between a program and the C library of Linux")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        _do_without("there is no C compiler here (Debian: apt install gcc libc6-dev)")
    library = folder / "shim.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-U_FORTIFY_SOURCE"]
    done = subprocess.run(
        [*command, "-o", str(library), str(SOURCE), "-ldl", "-pthread"],
        capture_output=True,
        text=True,
    )
    if done.returncode and "stdio.h" in done.stderr and "No such file" in done.stderr:
        _do_without("the C library's headers are not here (Debian: apt install libc6-dev)")
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    probe = [sys.executable, "-c", "import ctypes; ctypes.CDLL(None).shim_watch"]
    environment = {**os.environ, "LD_PRELOAD": str(library)}
    if subprocess.run(probe, env=environment, capture_output=True).returncode:
        _do_without("this system does not take LD_PRELOAD")
    return library


def _do_without(reason: str) -> NoReturn:
    """Skip the test; in CI on Linux, where the recorder must be, fail it."""
    import pytest  # children, which never build, need not load it

    if sys.platform == "linux" and os.environ.get("ORGSEG_CI"):
        pytest.fail(f"{reason}, and in CI nothing of this may be left out", pytrace=False)
    pytest.skip(reason)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None)
    library.shim_watch.argtypes = [ctypes.c_char_p, ctypes.c_char_p]
    library.shim_fail.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_int]
    library.shim_calls.restype = ctypes.c_long
    library.shim_failed.restype = ctypes.c_char_p
    return library


def watch(folder: Path, log: Path | None = None) -> None:
    """Record this process from now on; it must have been started with the recorder loaded."""
    real = os.path.realpath(folder)
    name = None if log is None else os.fsencode(log)
    if _library().shim_watch(os.fsencode(real), name):
        raise OSError(f"{log} cannot be written")


def fail(at: int, error: int, mode: int, which: int = CHANGES) -> None:
    """Let the n-th call fail, from 1."""
    _library().shim_fail(at, error, mode, which)


def calls() -> int:
    """Calls counted so far."""
    return int(_library().shim_calls())


def failed() -> str:
    """The function and the file that failed, "" as long as nothing has."""
    return _library().shim_failed().decode()


def read_log(log: Path) -> Iterator[Call]:
    """The records of a log, in order."""
    with open(log, "rb") as file:
        while head := file.read(_HEAD.size):
            kind, inode, offset, size, a, b = _HEAD.unpack(head)
            name, other = file.read(a).decode(), file.read(b).decode()
            yield Call(kind.decode(), inode, offset, name, other, file.read(size))
