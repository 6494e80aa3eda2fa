"""One writer at a time: ``NAME.orgseg.lock`` beside an open project.

The file says who has the project open: computer, user, process id and its start time, since when.
The operating system holds a lock on it as well, which ends with its process: a lock file left by a
crash on this computer is taken over without asking. (On file systems without such locks the process
id and its start time decide.) A lock of another computer is respected.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import time
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from orgseg_app.files.errors import ProjectError

_LONGEST = 4096
_LOCKED_BYTE = 2**30  # far behind the text: Windows forbids reading what is locked
_START_TOLERANCE_S = 2.0


@dataclass(frozen=True)
class Holder:
    """Who has a project open.

    Attributes
    ----------
    started
        Start time of the process in seconds since 1970; 0 where unknown.
    since
        When the project was opened, ISO 8601 with the time zone.
    """

    host: str
    user: str
    pid: int
    started: float
    since: str

    @property
    def is_here(self) -> bool:
        """True when the process is, or was, on this computer."""
        return self.host == platform.node()

    def describe(self) -> str:
        """For people: ``"anna on PC-3"``."""
        if self.is_here:
            mine = self.pid == os.getpid()
            return "this window" if mine else "another OrgSeg window on this computer"
        return f"{self.user or 'somebody'} on {self.host or 'another computer'}"


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


class ProjectLock:
    """The lock of one project file.

    Parameters
    ----------
    project
        Path of the project file, links resolved.
    """

    def __init__(self, project: Path) -> None:
        self.project = project
        self.path = project.with_name(project.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        LockedError
            When another window has it.
        OSError
            When the lock file cannot be written (a read-only folder).
        """
        for _ in range(50):
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666)
            except PermissionError:
                if os.name != "nt" or not self.path.exists():
                    raise
                time.sleep(0.02)  # being deleted by its last owner
                continue
            if self._take(descriptor):
                self._descriptor = descriptor
                return
            os.close(descriptor)
        raise self._refusal(None)

    def release(self) -> None:
        """Give the lock back and remove the file."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        try:
            if sys.platform != "win32" and self._is_current(descriptor):
                os.unlink(self.path)
        except OSError:
            pass
        os.close(descriptor)
        if sys.platform == "win32":
            try:
                os.unlink(self.path)
            except OSError:
                pass

    def _take(self, descriptor: int) -> bool:
        """Lock the open file and sign it; False when it was removed meanwhile: try again."""
        try:
            known = _lock_descriptor(descriptor)
            if not self._is_current(descriptor):
                return False
            holder = _read_holder(descriptor)
            if holder is not None and not holder.is_here:
                raise self._refusal(holder)
            if holder is not None and not known and is_running(holder.pid, holder.started):
                raise self._refusal(holder)
            me = Holder(
                host=platform.node(),
                user=_user(),
                pid=os.getpid(),
                started=_started(os.getpid()) or 0.0,
                since=datetime.now().astimezone().isoformat(timespec="seconds"),
            )
            text = json.dumps(asdict(me)).encode()
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, text)
            os.ftruncate(descriptor, len(text))
            return True
        except BlockingIOError:
            holder = _read_holder(descriptor)
            if holder is None:  # its owner has not signed yet
                time.sleep(0.02)
                holder = _read_holder(descriptor)
            if not self._is_current(descriptor):
                return False
            os.close(descriptor)
            raise self._refusal(holder) from None
        except BaseException:
            os.close(descriptor)
            raise

    def _is_current(self, descriptor: int) -> bool:
        """True when the lock file on disk is the one we have open."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except OSError:
            return False

    def _refusal(self, holder: Holder | None) -> LockedError:
        if holder is None:
            return LockedError(self.project.name, "another OrgSeg window", None)
        try:
            since = datetime.fromisoformat(holder.since)
        except ValueError:
            since = None
        advice = ""
        if not holder.is_here:
            advice = (
                "Close it there, or open it here to look only. If that computer crashed, "
                f"delete “{self.path.name}”."
            )
        return LockedError(self.project.name, holder.describe(), since, advice)


def read_holder(project: Path) -> Holder | None:
    """Who has a project open according to its lock file, or None."""
    try:
        descriptor = os.open(project.with_name(project.name + ".lock"), os.O_RDONLY)
    except OSError:
        return None
    try:
        return _read_holder(descriptor)
    finally:
        os.close(descriptor)


def is_running(pid: int, started: float = 0.0) -> bool:
    """True when the process lives; with a start time, when it is that very process."""
    if pid == os.getpid() and not started:
        return True
    now = _started(pid)
    if now is None:
        return False
    return not started or not now or abs(now - started) < _START_TOLERANCE_S


def _started(pid: int) -> float | None:
    """Start time of a process in seconds since 1970, 0 when it is kept secret, None when gone."""
    import psutil  # slow to import, and not needed to show a window

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.AccessDenied:
        return 0.0
    except (psutil.Error, ValueError, OverflowError):
        return None


def _lock_descriptor(descriptor: int) -> bool:
    """Ask the system for the lock; False where the file system knows no locks.

    Raises
    ------
    BlockingIOError
        When another process has it.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            raise BlockingIOError(error.errno, "locked") from None
        return False
    return True


def _read_holder(descriptor: int) -> Holder | None:
    """What a lock file says; None when it says nothing that makes sense."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        facts = json.loads(os.read(descriptor, _LONGEST))
        return Holder(
            host=_plain(facts["host"]),
            user=_plain(facts["user"]),
            pid=int(facts["pid"]),
            started=float(facts["started"]),
            since=_plain(facts["since"]),
        )
    except (OSError, ValueError, TypeError, KeyError, OverflowError):
        return None


def _plain(text: object) -> str:
    """Short and printable: a lock file may come from anywhere."""
    return "".join(c for c in str(text)[:100] if c.isprintable())


def _user() -> str:
    import getpass

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
