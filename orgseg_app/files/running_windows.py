"""The windows of this user that run, and handing files to one of them: files only, no sockets.

Each window has a folder ``windows/ID`` in the data folder, which nobody else may read::

    window.lock    locked by the window's process as long as it lives; its time: last used
    window.json    on which screen it is, whether it is shown yet, which project it shows
    N.request      paths that another start asks it to open, and to come to the front
    N.declined     the same, given back: it is busy with a question

A request is taken by renaming it, and withdrawn by removing it, so exactly one of the two happens:
files are opened once, here or there. A folder whose lock is free was left by a crash.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from orgseg_app import paths
from orgseg_app.files import atomic

PATIENCE_S = 2.0
"""How long a window may take to answer; then another one is opened."""

STARTING_PATIENCE_S = 15.0
"""The same for a window that is not shown yet."""

MOST_PATHS = 10_000
LONGEST_REQUEST = 4 * 2**20
LONGEST_TOKEN = 200

_LOOK_S = 0.01
_TURN_S = 0.5  # for another start to look around
_REQUEST, _DECLINED, _TAKEN = ".request", ".declined", ".taken"
_BINARY: int = getattr(os, "O_BINARY", 0)


class Request:
    """What a window is asked to open.

    No dataclass, like the others here: making one takes a millisecond of every start.

    Attributes
    ----------
    paths
        Absolute; a project, or images and folders. Nothing: only come to the front.
    token
        With which the desktop lets a window take the keyboard (Wayland); "" elsewhere.
    """

    def __init__(self, asked: Sequence[Path], token: str = "") -> None:
        self.paths = tuple(asked)
        self.token = token


class WindowPlace:
    """The folder of a window of this process; see the module.

    Parameters
    ----------
    path
        The folder.
    descriptor
        Of its lock, which is held.
    display
        On which screen the window is, see `this_display`.
    """

    def __init__(self, path: Path, descriptor: int, display: str) -> None:
        self.path = path
        self._descriptor: int | None = descriptor
        self._display = display

    def tell(self, *, is_shown: bool, project: Path | None = None) -> None:
        """Say whether the window is there, and which project it shows.

        Raises
        ------
        OSError
            When the disk refuses.
        """
        facts = {
            "pid": os.getpid(),
            "display": self._display,
            "shown": is_shown,
            "project": "" if project is None else _resolved(project),
        }
        atomic.replace_unsynced(self.path / "window.json", json.dumps(facts).encode())

    def note_use(self) -> None:
        """The window has the keyboard now: of several, it is asked first."""
        with contextlib.suppress(OSError):
            os.utime(self.path / "window.lock")

    def waiting(self) -> list[str]:
        """Names of the requests that lie here, oldest first."""
        with contextlib.suppress(OSError):
            return sorted(name for name in os.listdir(self.path) if name.endswith(_REQUEST))
        return []

    def take(self, name: str) -> Request | None:
        """Take a request; None when it was withdrawn, or makes no sense."""
        taken = self.path / (name + _TAKEN)
        try:
            os.rename(self.path / name, taken)
            with open(taken, "rb") as stream:
                content = stream.read(LONGEST_REQUEST + 1)
            os.unlink(taken)
        except OSError:
            return None
        return _parsed(content)

    def decline(self, name: str) -> None:
        """Give a request back: who asked opens a window instead."""
        with contextlib.suppress(OSError):
            os.rename(self.path / name, (self.path / name).with_suffix(_DECLINED))

    def close(self) -> None:
        """The window is gone; whoever still waits opens one."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
            _remove(self.path)


class Entry:
    """What a start of OrgSeg comes to.

    Attributes
    ----------
    was_handed_over
        True when a window that runs has taken the files.
    place
        For the window to be opened; None where the data folder allows none.
    """

    def __init__(self, place: WindowPlace | None = None, *, was_handed_over: bool = False) -> None:
        self.place = place
        self.was_handed_over = was_handed_over


def enter(asked: Sequence[Path], *, is_new: bool = False, patience_s: float = PATIENCE_S) -> Entry:
    """Hand files to a window that runs, or make a place for one of our own.

    Nothing that goes wrong here stops the start: it then opens a window.

    Parameters
    ----------
    asked
        What to open; nothing: the window only comes to the front.
    is_new
        A window of our own is wanted in any case.
    patience_s
        Seconds that a shown window may take.
    """
    display = this_display()
    wanted = [Path(os.path.abspath(path)) for path in asked]
    try:
        folder = _windows_dir()
        with _turn(folder):
            running = [] if is_new or len(wanted) > MOST_PATHS else _running(folder, display)
            if not running:
                return Entry(_make_place(folder, display))
        if _hand_over(_chosen(running, wanted), wanted, patience_s):
            return Entry(was_handed_over=True)
        with _turn(folder):
            return Entry(_make_place(folder, display))
    except OSError:
        return Entry()


def this_display() -> str:
    """The screen a window of this process would be on, to tell it from another session's."""
    if not sys.platform.startswith("linux"):
        return ""
    variables = ("QT_QPA_PLATFORM", "DISPLAY", "WAYLAND_DISPLAY")
    return " ".join(os.environ.get(name, "-") for name in variables)


# -- looking around --------------------------------------------------------------------------------


class _Running:
    """A window whose process lives. Raises OSError, ValueError where that cannot be told."""

    def __init__(self, path: Path) -> None:
        facts = json.loads((path / "window.json").read_bytes())
        if not isinstance(facts, dict):
            raise ValueError("not what a window says of itself")
        self.path = path
        self.pid = int(facts.get("pid") or 0)
        self.display = str(facts.get("display"))
        self.is_shown = facts.get("shown") is True
        self.project = str(facts.get("project") or "")
        self.last_used = (path / "window.lock").stat().st_mtime


def _windows_dir() -> Path:
    """The folder of all windows, which only this user may read.

    Raises
    ------
    OSError
        When it cannot be made, or is not this user's.
    """
    folder = paths.data_dir() / "windows"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if sys.platform != "win32":
        facts = os.lstat(folder)
        if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid():
            raise PermissionError(f"{folder} is somebody else's")
        if facts.st_mode & 0o077:
            os.chmod(folder, 0o700)
    return folder


@contextlib.contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Keep two starts at one moment from both finding no window."""
    descriptor = os.open(folder / "starting.lock", os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
    try:
        end = time.monotonic() + _TURN_S
        while True:
            try:
                _lock(descriptor)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    break
                time.sleep(_LOOK_S)
        yield
    finally:
        os.close(descriptor)


def _running(folder: Path, display: str) -> list[_Running]:
    """Windows on a screen whose process lives; what others left behind is removed."""
    found = []
    with os.scandir(folder) as entries:
        places = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
    for place in places:
        lock = place / "window.lock"
        try:
            descriptor = os.open(lock, os.O_RDWR | _BINARY)
        except OSError:
            _remove(place)
            continue
        try:
            _lock(descriptor)
            is_alive = False
        except BlockingIOError:
            is_alive = True
        finally:
            os.close(descriptor)
        if is_alive:
            with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
                found.append(_Running(place))
        else:
            _remove(place)
    return [one for one in found if one.display == display]


def _chosen(running: Sequence[_Running], wanted: Sequence[Path]) -> _Running:
    """The window that shows the project already, else the one used last."""
    targets = {_resolved(path) for path in wanted}
    return max(running, key=lambda one: (one.project in targets, one.last_used))


def _make_place(folder: Path, display: str) -> WindowPlace | None:
    """The folder of a new window, with its lock held; None where locks are not known."""
    path = folder / uuid.uuid4().hex[:12]
    path.mkdir(mode=0o700)
    descriptor = os.open(path / "window.lock", os.O_RDWR | os.O_CREAT | _BINARY, 0o600)
    try:
        _lock(descriptor)
        place = WindowPlace(path, descriptor, display)
        place.tell(is_shown=False)
    except OSError:
        os.close(descriptor)
        _remove(path)
        return None
    return place


def _remove(place: Path) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir(place):
            os.unlink(place / name)
        os.rmdir(place)


def _lock(descriptor: int) -> None:
    """Lock a file of ours until it is closed or the process ends.

    Not `system_lock`, which looks into what kind of file system a project lies on: every start
    would pay for that.

    Raises
    ------
    BlockingIOError
        When another window has it.
    OSError
        Where the file system knows no locks.
    """
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, "locked") from None
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


# -- asking ----------------------------------------------------------------------------------------


def _hand_over(target: _Running, wanted: Sequence[Path], patience_s: float) -> bool:
    """Ask a window to open files; False when it declined, or gave no answer."""
    # Not XDG's alone: a desktop that knows only X11's start-up notes gives this one.
    token = os.environ.get("XDG_ACTIVATION_TOKEN") or os.environ.get("DESKTOP_STARTUP_ID", "")
    request = target.path / f"{time.time_ns():020}-{os.getpid()}{_REQUEST}"
    content = {"paths": [str(path) for path in wanted], "token": token[:LONGEST_TOKEN]}
    _let_come_to_front(target.pid)
    atomic.replace_unsynced(request, json.dumps(content).encode())
    patience = patience_s if target.is_shown else max(patience_s, STARTING_PATIENCE_S)
    end = time.monotonic() + patience
    declined = request.with_suffix(_DECLINED)
    while time.monotonic() < end:
        if not request.exists():
            was_declined = declined.exists() or not target.path.is_dir()
            with contextlib.suppress(OSError):
                declined.unlink()
            return not was_declined
        time.sleep(_LOOK_S)
    try:
        request.unlink()
    except FileNotFoundError:  # at the last moment
        return target.path.is_dir() and not declined.exists()
    return False


def _let_come_to_front(pid: int) -> None:
    """Windows lets only the program in front choose who comes next, and that is now us."""
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.user32.AllowSetForegroundWindow(pid)


def _parsed(content: bytes) -> Request | None:
    """A request as it was written; None for anything else."""
    if len(content) > LONGEST_REQUEST:
        return None
    try:
        facts = json.loads(content)
        named, token = facts["paths"], facts["token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(named, list) or len(named) > MOST_PATHS or not isinstance(token, str):
        return None
    if not all(isinstance(text, str) and _is_path(text) for text in named):
        return None
    is_plain = len(token) <= LONGEST_TOKEN and token.isascii() and token.isprintable()
    return Request(tuple(Path(text) for text in named), token if is_plain else "")


def _is_path(text: str) -> bool:
    return "\0" not in text and os.path.isabs(text)


def _resolved(path: Path) -> str:
    return os.path.normcase(os.path.realpath(path))
