"""What is in a file, whatever it is called and wherever it lies: its SHA-256.

Reading a large file takes seconds (1.7 GB a second were measured), so a fingerprint is believed for
as long as the file's stamp says that it is the same file, untouched.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orgseg_app.core.project import Link
from orgseg_app.files.errors import ReadError
from orgseg_app.files.names import clean_text
from orgseg_app.files.readers.names import shown

PIECE = 4 * 2**20
SETTLED_NS = 2 * 10**9
"""Two changes closer together may leave the same modification time (two seconds on FAT)."""

_BINARY: int = getattr(os, "O_BINARY", 0)

Check = Callable[[], None]


@dataclass(frozen=True)
class Stamp:
    """What tells that a file is still the one that was read.

    Attributes
    ----------
    size
        In bytes.
    mtime_ns
        When it was written last.
    inode
        The system's number for it. Two pictures that a camera wrote within two seconds may have
        the same size and time; exchanging their names is seen here only.
    """

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> Stamp | None:
        """Of a regular file; None where there is none."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        return cls._from(status) if stat.S_ISREG(status.st_mode) else None

    @classmethod
    def _from(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_size, status.st_mtime_ns, status.st_ino)

    @classmethod
    def of_open(cls, descriptor: int) -> Stamp:
        """Of an open file."""
        return cls._from(os.fstat(descriptor))


@dataclass(frozen=True)
class Content:
    """What a file held when it was read.

    Attributes
    ----------
    sha256
        ``"sha256:…"``.
    stamp
        Of the file, the same before and after reading.
    is_settled
        False when it had been written less than two seconds before: a further change may leave
        the stamp as it is, so the fingerprint has to be taken again later.
    """

    sha256: str
    stamp: Stamp
    is_settled: bool


def content_of(path: Path, check: Check | None = None) -> Content:
    """Read a whole file and take its fingerprint.

    Parameters
    ----------
    check
        Called after each `PIECE` of bytes; raises to give up.

    Raises
    ------
    OSError
        When it cannot be read.
    ReadError
        When it is no regular file, or was written to meanwhile.
    """
    if Stamp.of(path) is None and os.path.lexists(path):
        raise ReadError(f"{shown(path)} is no file that can be linked.")
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(PIECE))
    descriptor = os.open(path, os.O_RDONLY | _BINARY)
    with open(descriptor, "rb", buffering=0) as stream:
        before = Stamp.of_open(descriptor)
        while count := stream.readinto(buffer):
            digest.update(buffer[:count])
            if check is not None:
                check()
        read_at = time.time_ns()
        after = Stamp.of_open(descriptor)
    if after != before:
        raise ReadError(f"{shown(path)} was written to while it was read. Try again.")
    settled = abs(read_at - before.mtime_ns) > SETTLED_NS
    return Content(f"sha256:{digest.hexdigest()}", before, settled)


class Source:
    """A file that images are to be linked to; it is read once, however many images it holds.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(os.path.abspath(path))
        self._content: Content | None = None

    def content(self, check: Check | None = None) -> Content:
        """Fingerprint and stamp of the file.

        Raises
        ------
        ReadError
            When it cannot be read.
        """
        if self._content is None:
            try:
                self._content = content_of(self.path, check)
            except OSError as error:
                raise ReadError(f"{shown(self.path)} cannot be read: {error.strerror}.") from error
        return self._content

    def link(self, series: int, check: Check | None = None) -> Link:
        """What a project notes about one image of the file.

        Raises
        ------
        ReadError
            As `content`.
        """
        found = self.content(check)
        name = clean_text(self.path.name) or "file"
        return Link(name, found.stamp.size, found.sha256, series)

    def check_same(self) -> None:
        """Raise when the file is not the one any more whose fingerprint was taken.

        Raises
        ------
        ReadError
            One sentence.
        """
        if Stamp.of(self.path) != self.content().stamp:
            raise ReadError(
                f"{shown(self.path)} was written to while it was imported. Import it again."
            )
