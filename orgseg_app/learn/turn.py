"""One job at a time: whoever computes holds a lock, the others queue in the order they came.

The system ends both the lock and a place in the queue together with their process, so a job that
was killed keeps nobody waiting, and the queue needs no window to live on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from orgseg_app.learn.errors import StopRequestedError

_LOOK_EVERY_S = 0.2
_BINARY: int = getattr(os, "O_BINARY", 0)


class DeviceTurn:
    """The right to compute. Use in a ``with`` statement, after `take`.

    Parameters
    ----------
    lock_path
        File that is locked (`orgseg_app.paths.device_lock`); its folder is made when missing.
    """

    def __init__(self, lock_path: Path) -> None:
        self._lock_path = lock_path
        self._queue = lock_path.with_suffix(".queue")
        self._lock: int | None = None

    def take(self, *, on_wait: Callable[[], object], should_stop: Callable[[], bool]) -> None:
        """Wait for the turn and take it.

        Parameters
        ----------
        on_wait
            Called once when there is somebody before us.
        should_stop
            Asked while waiting.

        Raises
        ------
        StopRequestedError
            When `should_stop` says so.
        OSError
            When the lock file cannot be made.
        """
        self._queue.mkdir(parents=True, exist_ok=True)
        ticket = self._queue / f"{time.time_ns():020d}-{os.getpid()}"
        descriptor = _open(ticket)
        _try_lock(descriptor)
        told = False
        try:
            while True:
                if not self._is_someone_before(ticket) and self._take_lock():
                    return
                if not told:
                    on_wait()
                    told = True
                if should_stop():
                    raise StopRequestedError("Stopped while waiting for its turn.")
                time.sleep(_LOOK_EVERY_S)
        finally:
            _close(descriptor, ticket)

    def release(self) -> None:
        """Let the next one compute."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> DeviceTurn:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.release()

    def _take_lock(self) -> bool:
        descriptor = _open(self._lock_path)
        if _try_lock(descriptor):
            self._lock = descriptor
            return True
        os.close(descriptor)
        return False

    def _is_someone_before(self, ticket: Path) -> bool:
        """Whether an older ticket belongs to a living process; others are cleared away."""
        with contextlib.suppress(OSError):
            for name in sorted(os.listdir(self._queue)):
                if name >= ticket.name:
                    return False
                older = self._queue / name
                try:
                    descriptor = os.open(older, os.O_RDWR | _BINARY)
                except OSError:
                    continue
                if not _try_lock(descriptor):
                    os.close(descriptor)
                    return True
                _close(descriptor, older)
        return False


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | _BINARY, 0o666)


def _close(descriptor: int, path: Path) -> None:
    os.close(descriptor)
    with contextlib.suppress(OSError):
        path.unlink()


def _try_lock(descriptor: int) -> bool:
    """Lock an open file; False when somebody else has it. Without locks, everyone may go."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True
