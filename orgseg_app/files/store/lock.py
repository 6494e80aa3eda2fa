"""One writer at a time: ``NAME.orgseg.lock`` beside an open project.

The file says who has the project open: computer, user, process id and its start time, since when.
The operating system holds a lock on it as well (`orgseg_app.files.store.system_lock`), which ends
with its process: a lock file left by a crash on this computer is taken over without asking.

A lock of another computer is respected while it shows signs of life: its owner renews the file
every `BEAT_S` seconds. `STALE_S` after the last sign, by the clock of the file system that both
see, it is cleared without asking. An owner that only slept notices: `ProjectLock.is_ours` is asked
before every write. On a server, and where the file system knows no locks, having the lock means
having *made* the file, which even servers without locks allow only one to do; an old file is moved
away first, so that a late sign of life of its owner ends in nothing.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from orgseg_app.files.errors import ProjectError
from orgseg_app.files.store.lock_holder import (
    Holder,
    boot_id,
    is_running,
    parse_time,
    read_holder,
    read_open_holder,
)
from orgseg_app.files.store.places import cloud_service, is_remote
from orgseg_app.files.store.system_lock import exclusive_write, lock_alone, lock_shared, shared_read

__all__ = [
    "BEAT_S",
    "STALE_S",
    "Holder",
    "LockedError",
    "ProjectLock",
    "exclusive_write",
    "is_running",
    "read_holder",
    "shared_read",
]

BEAT_S = 10.0
STALE_S = 60.0
# A cloud service copies lock files late, and without their times: they do not tell who lives.
STALE_CLOUD_S = 24 * 3600.0

_SIGNING_S = 0.5  # what its maker may take from making the file to signing it
_LOOK_S = 0.03
_BINARY: int = getattr(os, "O_BINARY", 0)


class LockedError(ProjectError):
    """The project is open for writing elsewhere.

    Attributes
    ----------
    who
        For people, such as ``"anna on PC-3"``.
    since
        When it was opened there, or None where unknown.
    """

    def __init__(self, name: str, who: str, since: datetime | None, advice: str = "") -> None:
        self.who = who
        self.since = since
        when = "" if since is None else f" since {since.astimezone():%H:%M on %d %B %Y}"
        advice = advice or "Close it there, or open it here to look only."
        super().__init__(f"“{name}” is open in {who}{when}. {advice}")


@contextlib.contextmanager
def nobody_writing(project: Path) -> Iterator[bool]:
    """Look whether a window has a project open for writing; while nobody has, nobody gets it.

    For readers that want to see what a crash left behind. Hold it for a moment only.

    Parameters
    ----------
    project
        Path of the project file, links resolved.

    Yields
    ------
    bool
        True when nobody has.
    """
    descriptor, is_secret = -1, False
    try:
        descriptor = os.open(project.with_name(project.name + ".lock"), os.O_RDONLY | _BINARY)
    except OSError as error:
        is_secret = isinstance(error, PermissionError)
    if descriptor < 0:  # no lock file, or one of somebody who lets nobody read it
        yield not is_secret
        return
    try:
        try:
            known = lock_shared(descriptor)
        except BlockingIOError:
            yield False
            return
        holder = read_open_holder(descriptor)
        if holder is None or (known and holder.is_here):
            yield True
        else:
            yield holder.is_here and not is_running(holder.pid, holder.started)
    finally:
        os.close(descriptor)


class ProjectLock:
    """The lock of one project file. While it is held, a thread shows signs of life.

    Parameters
    ----------
    project
        Path of the project file, links resolved.

    Attributes
    ----------
    loss
        A sentence for the user, once `is_ours` found that the lock was taken; empty before.
    """

    def __init__(self, project: Path) -> None:
        self.project = project
        self.path = project.with_name(project.name + ".lock")
        self.loss = ""
        self._descriptor: int | None = None
        self._text = b""
        self._token = ""
        self._by_making = False
        self._is_remote = False
        self._mutex = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    # -- taking and giving back ------------------------------------------------------------------

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        LockedError
            When another window has it.
        OSError
            When the lock file cannot be written (a read-only folder).
        """
        self._is_remote = is_remote(self.project.parent)
        for _ in range(50):
            opened = self._open()
            if opened is None:
                continue
            descriptor, is_new = opened
            taken = False
            try:
                taken = self._take(descriptor, is_new)
            finally:
                if not taken:
                    os.close(descriptor)
            if taken:
                self._descriptor, self.loss = descriptor, ""
                self._stop.clear()
                self._thread = threading.Thread(
                    target=self._keep_beating, name="project-lock", daemon=True
                )
                self._thread.start()
                return
        raise self._refusal(read_holder(self.project))

    def release(self) -> None:
        """Give the lock back and remove the file; one that was taken over is left alone."""
        with self._mutex:
            descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)  # longer only when its server does not answer
            self._thread = None
        with contextlib.suppress(OSError):
            if sys.platform != "win32" and self._is_current(descriptor):
                os.unlink(self.path)
        with contextlib.suppress(OSError):
            os.close(descriptor)
        if sys.platform == "win32":
            with contextlib.suppress(OSError):  # it cannot be removed while anybody has it open
                os.unlink(self.path)

    # -- while it is held ------------------------------------------------------------------------

    def is_ours(self) -> bool:
        """True while nobody took the lock over, as one may when this computer slept for a minute.

        To be asked before every write; costs some microseconds, on a server one question. False
        once is False for good, and `loss` says why.

        Raises
        ------
        OSError
            When the server does not answer. The lock may still be ours then.
        """
        with self._mutex:
            descriptor = self._descriptor
            if descriptor is None or self.loss:
                return False
            holder = None
            for _ in range(3):
                try:
                    found = os.open(self.path, os.O_RDONLY | _BINARY)
                except FileNotFoundError:
                    break
                except PermissionError:
                    if not self._is_current(descriptor):
                        break
                    return True  # a server that lets nobody read what we have locked
                try:
                    same = os.path.samestat(os.fstat(found), os.fstat(descriptor))
                    holder = read_open_holder(found)
                finally:
                    os.close(found)
                if same and holder is not None and holder.token == self._token:
                    return True
                if not same or holder is not None:
                    break
                time.sleep(0.01)  # read while it was being renewed
            self.loss = self._loss(holder)
            return False

    def beat(self) -> None:
        """Show a sign of life; the lock's own thread does so every `BEAT_S` seconds.

        Raises
        ------
        OSError
            When the file cannot be written.
        """
        with self._mutex:
            descriptor = self._descriptor
            if descriptor is None or self.loss:
                return
            if self._is_remote or sys.platform == "win32":
                # Written afresh: the time of a write is the server's, one that is set may be ours.
                _write(descriptor, self._text)
                if self._is_remote:
                    os.fsync(descriptor)
            else:
                os.utime(descriptor)

    def _keep_beating(self) -> None:
        while not self._stop.wait(BEAT_S):
            with contextlib.suppress(OSError):  # a server that is gone may come back
                self.beat()

    def _loss(self, holder: Holder | None) -> str:
        name = self.project.name
        if holder is None or holder.token == self._token:
            cause = f"The lock file of “{name}” was removed while it was open."
        else:
            since = parse_time(holder.since)
            when = "" if since is None else f" at {since.astimezone():%H:%M}"
            cause = (
                f"“{name}” was opened by {holder.describe()}{when}, because this computer gave no "
                "sign of life for a minute."
            )
        return f"{cause} Here it can only be looked at now, so that nothing is overwritten."

    # -- within ----------------------------------------------------------------------------------

    def _open(self) -> tuple[int, bool] | None:
        """Open the lock file, and whether we made it; None: try again."""
        flags = os.O_RDWR | _BINARY
        try:
            return os.open(self.path, flags | os.O_CREAT | os.O_EXCL, 0o666), True
        except FileExistsError:
            pass
        except PermissionError:
            if os.name != "nt" or not self.path.exists():
                raise
            time.sleep(0.02)  # being deleted by its last owner
            return None
        try:
            return os.open(self.path, flags), False
        except FileNotFoundError:
            return None
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(0.02)
            return None

    def _take(self, descriptor: int, is_new: bool) -> bool:
        """Lock the open file and sign it; False: try again.

        Raises
        ------
        LockedError
            When it is another window's.
        """
        try:
            known = lock_alone(descriptor)
        except BlockingIOError:
            return self._wait_or_refuse(descriptor)
        self._by_making = self._is_remote or not known
        if not self._is_current(descriptor):
            return False
        if not is_new:
            holder = read_open_holder(descriptor)
            if self._by_making and holder is None:
                time.sleep(_SIGNING_S)
                holder = read_open_holder(descriptor)
            if holder is not None and self._is_alive(holder, descriptor, known):
                raise self._refusal(holder)
            if self._by_making or (holder is not None and self._is_elsewhere(holder)):
                self._clear_away(descriptor, holder)
                return False
        self._sign(descriptor)
        return self._is_current(descriptor)

    def _wait_or_refuse(self, descriptor: int) -> bool:
        """What to do about a file that somebody has locked; False: try again."""
        holder = read_open_holder(descriptor)
        # Nobody signed: its owner is about to, or somebody looks at the file that we just made. Who
        # signed is dead: somebody only looks. It is clear a moment later.
        if holder is None or (
            not self._is_elsewhere(holder) and not is_running(holder.pid, holder.started)
        ):
            time.sleep(_LOOK_S)
            return False
        if not self._is_current(descriptor):
            return False
        # A server may keep the lock of a computer that crashed. On a local disk it means life.
        if self._is_remote and self._is_elsewhere(holder) and self._is_silent(descriptor):
            self._clear_away(descriptor, holder)
            return False
        raise self._refusal(holder)

    def _is_alive(self, holder: Holder, descriptor: int, known: bool) -> bool:
        """Whether who signed a file that nobody has locked may still have the project open."""
        if self._is_elsewhere(holder):
            return not self._is_silent(descriptor)
        return not known and is_running(holder.pid, holder.started)

    def _is_elsewhere(self, holder: Holder) -> bool:
        """True when it is another computer's, perhaps one that goes by the same name."""
        if not holder.is_here:
            return True
        boot = boot_id()
        return self._is_remote and bool(boot and holder.boot) and boot != holder.boot

    def _is_silent(self, descriptor: int) -> bool:
        """True when an open lock file was last renewed too long ago."""
        limit = STALE_CLOUD_S if cloud_service(self.project) else STALE_S
        try:
            return self._file_system_time() - os.fstat(descriptor).st_mtime > limit
        except OSError:
            return False

    def _file_system_time(self) -> float:
        """What time it is where the lock lies: a server's clock, when it is on a server.

        Raises
        ------
        OSError
            When nothing can be written there.
        """
        probe = self.path.with_name(f".{self.path.name}-{secrets.token_hex(8)}")
        descriptor = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
        try:
            os.write(descriptor, b"?")
            os.fsync(descriptor)
            return os.fstat(descriptor).st_mtime
        finally:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                os.unlink(probe)

    def _clear_away(self, descriptor: int, holder: Holder | None) -> None:
        """Remove a lock file that we judged by its descriptor, and no other.

        Another window may have cleared it as well and have made its own meanwhile, so the file is
        moved aside and looked at again.

        Raises
        ------
        LockedError
            When it cannot be moved: on Windows' shares its owner then still has it open.
        """
        aside = self.path.with_name(f".{self.path.name}-{secrets.token_hex(8)}")
        try:
            os.rename(self.path, aside)
        except FileNotFoundError:
            return
        except OSError:
            raise self._refusal(holder) from None
        try:
            found = os.open(aside, os.O_RDONLY | _BINARY)
            try:
                judged = os.path.samestat(os.fstat(found), os.fstat(descriptor))
                judged = judged and read_open_holder(found) == holder
            finally:
                os.close(found)
            if judged:
                os.unlink(aside)
            elif os.path.lexists(self.path):
                os.unlink(aside)  # a third made its own: its maker has it
            else:
                os.rename(aside, self.path)
        except OSError:
            raise self._refusal(holder) from None

    def _sign(self, descriptor: int) -> None:
        me = Holder.me()
        self._token, self._text = me.token, me.to_bytes()
        _write(descriptor, self._text)
        if self._is_remote:
            os.fsync(descriptor)

    def _is_current(self, descriptor: int) -> bool:
        """True when the lock file on disk is the one we have open."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except OSError:
            return False

    def _refusal(self, holder: Holder | None) -> LockedError:
        if holder is None:
            return LockedError(self.project.name, "another OrgSeg window", None)
        advice = ""
        if not holder.is_here:
            after = "try again after a minute"
            if cloud_service(self.project):
                after = f"delete “{self.path.name}”"
            advice = (
                "Close it there, or open it here to look only. "
                f"If that computer crashed or is off, {after}."
            )
        return LockedError(self.project.name, holder.describe(), parse_time(holder.since), advice)


def _write(descriptor: int, text: bytes) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text)
    if os.fstat(descriptor).st_size > len(text):
        os.ftruncate(descriptor, len(text))
