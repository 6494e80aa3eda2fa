"""Who has a project open, as its lock file says it."""

from __future__ import annotations

import json
import os
import platform
import secrets
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

_LONGEST = 4096
_SIGNED = 1024
_START_TOLERANCE_S = 2.0
_BINARY: int = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Holder:
    """Who has a project open.

    Attributes
    ----------
    started
        Start time of the process in seconds since 1970; 0 where unknown.
    since
        When the project was opened, ISO 8601 with the time zone.
    boot
        Drawn by the system when it started; tells computers of one name apart. Empty if unknown.
    token
        Drawn when the lock was taken; tells the locks of one process apart.
    """

    host: str
    user: str
    pid: int
    started: float
    since: str
    boot: str = ""
    token: str = ""

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

    @classmethod
    def me(cls) -> Holder:
        """Ourselves, from now on."""
        return cls(
            host=platform.node(),
            user=_user()[:100],
            pid=os.getpid(),
            started=process_start(os.getpid()) or 0.0,
            since=datetime.now().astimezone().isoformat(timespec="seconds"),
            boot=boot_id(),
            token=secrets.token_hex(8),
        )

    def to_bytes(self) -> bytes:
        """As the lock file holds it; padded, so that renewing it never shows half a text."""
        text = json.dumps(asdict(self), ensure_ascii=False)
        return text.encode("utf-8", "replace").ljust(_SIGNED)


def read_holder(project: Path) -> Holder | None:
    """Who has a project open according to its lock file, or None."""
    try:
        descriptor = os.open(project.with_name(project.name + ".lock"), os.O_RDONLY | _BINARY)
    except OSError:
        return None
    try:
        return read_open_holder(descriptor)
    finally:
        os.close(descriptor)


def is_running(pid: int, started: float = 0.0) -> bool:
    """True when the process lives; with a start time, when it is that very process."""
    if pid == os.getpid() and not started:
        return True
    now = process_start(pid)
    if now is None:
        return False
    return not started or not now or abs(now - started) < _START_TOLERANCE_S


def process_start(pid: int) -> float | None:
    """Start time of a process in seconds since 1970, 0 when it is kept secret, None when gone."""
    import psutil  # slow to import, and not needed to show a window

    try:
        return float(psutil.Process(pid).create_time())
    except psutil.AccessDenied:
        return 0.0
    except (psutil.Error, ValueError, OverflowError):
        return None


def read_open_holder(descriptor: int) -> Holder | None:
    """What an open lock file says; None when it says nothing that makes sense."""
    try:
        os.lseek(descriptor, 0, os.SEEK_SET)
        facts = json.loads(os.read(descriptor, _LONGEST))
        return Holder(
            host=_plain(facts["host"]),
            user=_plain(facts["user"]),
            pid=int(facts["pid"]),
            started=float(facts["started"]),
            since=_plain(facts["since"]),
            boot=_plain(facts.get("boot", "")),
            token=_plain(facts.get("token", "")),
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


def boot_id() -> str:
    """Drawn by the system at its start (Linux); empty elsewhere, where the name has to do."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read(64).strip()
    except (OSError, ValueError):
        return ""


def parse_time(text: str) -> datetime | None:
    """A moment as a lock file tells it; None when it makes no sense."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
