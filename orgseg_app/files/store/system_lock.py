"""The operating system's locks on an open file: who may have it alone, who shares it for a moment.

They end with their process, however it ends. Linux and macOS: ``flock``, which plain HDF5 programs
heed as well. On Linux's network file systems a lock of one byte far behind the end instead: SMB
servers forbid everybody else to read what is locked, and ``flock`` locks all of it. Windows: bytes
far behind the end for the same reason. A file system without locks is no error: there every call
says that it does not know.
"""

from __future__ import annotations

import contextlib
import errno
import os
import random
import struct
import sys
import time
from collections.abc import Iterator

from orgseg_app.files.store.places import is_remote_descriptor

FAR_BYTE = 2**30  # where the lock file's lock lies: its text is far shorter
_GUARD_BYTE = 2**62  # behind the end of every project file
_GUARD_BYTES = 64
_PAUSE_S = 0.004
_LONGEST_PAUSE_S = 0.05
_TAKEN = (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)


def lock_alone(descriptor: int) -> bool:
    """Lock an open file for this descriptor alone, until it is closed or the process ends.

    Returns
    -------
    bool
        False where the file system knows no locks.

    Raises
    ------
    BlockingIOError
        When another descriptor has it, of this process or another.
    """
    return _lock(descriptor, FAR_BYTE, 1, exclusive=True)


def lock_shared(descriptor: int) -> bool:
    """Share an open file with others who only look, until it is closed: nobody has it alone.

    Returns
    -------
    bool
        False where the file system knows no locks.

    Raises
    ------
    BlockingIOError
        When another descriptor has it alone.
    """
    return _lock(descriptor, FAR_BYTE, 1, exclusive=False)


@contextlib.contextmanager
def shared_read(descriptor: int, timeout: float = 10.0) -> Iterator[bool]:
    """Hold a file shared while reading from it: nobody writes pages in place meanwhile.

    For readers of other processes than the writer. Hold it for one read and no longer: the writer
    waits. A descriptor has one lock: nested or in two threads at once, the first to leave ends it
    for all, so take it on the outermost level of what serialises the reading anyway.

    Parameters
    ----------
    descriptor
        An open file; on Linux network file systems open for reading at least, as ``flock`` asks.
    timeout
        Seconds to wait for a writer, which holds the file for milliseconds.

    Yields
    ------
    bool
        False when the writer did not let go in time: what is read may be half old, half new. True
        as well where the file system knows no locks.
    """
    with _held(descriptor, timeout, exclusive=False) as held:
        yield held


@contextlib.contextmanager
def exclusive_write(descriptor: int, timeout: float = 2.0) -> Iterator[bool]:
    """Hold a file alone while pages are written in place: no reader of another process reads.

    A shared lock of the same descriptor is converted (not on Windows), and is gone afterwards. A
    shared lock of another descriptor of this process counts as somebody else's.

    Parameters
    ----------
    descriptor
        The file, open for writing.
    timeout
        Seconds to wait for readers.

    Yields
    ------
    bool
        False when a reader did not let go in time. Readers that stop in the middle of a read must
        not keep work from being saved, so the caller may go on: such a reader sees checksums that
        do not fit, or a header that changed, and reads again. True as well where the file system
        knows no locks.
    """
    with _held(descriptor, timeout, exclusive=True) as held:
        yield held


@contextlib.contextmanager
def _held(descriptor: int, timeout: float, *, exclusive: bool) -> Iterator[bool]:
    end = time.monotonic() + timeout
    pause = _PAUSE_S
    place: int | None = None
    while True:
        try:
            place = _lock_guard(descriptor, exclusive=exclusive)
        except BlockingIOError:
            left = end - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(pause, left))
            pause = min(1.5 * pause, _LONGEST_PAUSE_S)
        else:
            break
    try:
        yield place is not None
    finally:
        if place is not None and place >= 0:
            alone_there = sys.platform == "win32" and not exclusive
            _unlock(descriptor, place, 1 if alone_there else _GUARD_BYTES)


def _lock_guard(descriptor: int, *, exclusive: bool) -> int:
    """Lock a project file; the first byte locked, or -1 where the file system knows no locks.

    Windows' simple locks are all exclusive: a reader takes one of many bytes there, a writer takes
    them all.
    """
    place, size = _GUARD_BYTE, _GUARD_BYTES
    if sys.platform == "win32" and not exclusive:
        place, size = _GUARD_BYTE + random.randrange(_GUARD_BYTES), 1
    return place if _lock(descriptor, place, size, exclusive=exclusive) else -1


def _lock(descriptor: int, start: int, size: int, *, exclusive: bool) -> bool:
    """Lock without waiting; False where the file system knows no locks.

    Raises
    ------
    BlockingIOError
        When another descriptor has it.
    """
    try:
        if sys.platform == "win32":
            _windows(descriptor, start, size, unlock=False)
        else:
            import fcntl

            if _by_byte(descriptor):
                kind = fcntl.F_WRLCK if exclusive else fcntl.F_RDLCK
                _set_bytes(descriptor, kind, start, size)
            else:
                kind = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
                fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            raise BlockingIOError(error.errno, "locked") from None
        return False
    return True


def _unlock(descriptor: int, start: int, size: int) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            _windows(descriptor, start, size, unlock=True)
        else:
            import fcntl

            if _by_byte(descriptor):
                _set_bytes(descriptor, fcntl.F_UNLCK, start, size)
            else:
                fcntl.flock(descriptor, fcntl.LOCK_UN)


def _by_byte(descriptor: int) -> bool:
    """True where bytes are locked instead of the whole file."""
    return sys.platform == "linux" and is_remote_descriptor(descriptor)


def _set_bytes(descriptor: int, kind: int, start: int, size: int) -> None:
    """Lock or unlock bytes for an open file description, as ``flock`` does for a whole file.

    Not the older process-wide locks, which end when any descriptor of the file is closed.
    """
    if sys.platform == "linux":
        import fcntl

        # struct flock of 64-bit Linux: type, whence, start, length, process (0 for this kind)
        fcntl.fcntl(
            descriptor,
            fcntl.F_OFD_SETLK,
            struct.pack("hhqqi4x", kind, os.SEEK_SET, start, size, 0),
        )


def _windows(descriptor: int, start: int, size: int, *, unlock: bool) -> None:
    if sys.platform == "win32":
        import msvcrt

        before = os.lseek(descriptor, 0, os.SEEK_CUR)
        try:
            os.lseek(descriptor, start, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_UNLCK if unlock else msvcrt.LK_NBLCK, size)
        finally:
            os.lseek(descriptor, before, os.SEEK_SET)
