"""Make, repair and update ``.venv`` with pip: what a start does when its stamp does not hold.

The order is chosen so that nobody waits for a download that cannot be used: system libraries first
(installed as root on Debian and Ubuntu, else named), then room on the disk, the environment, pip,
and a look whether Qt loads. Only then is the stamp written. Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from orgseg_app import python_packages, stamp, system_packages
from orgseg_app.stamp import SetupError

NEEDED_GB = 2.5
"""Free room asked for before the first install (the PyTorch for NVIDIA cards needs more)."""

_LOCK = "orgseg-install.lock"


def make(root: str, extras: tuple[str, ...], *, for_window: bool) -> None:
    """Make the environment hold what ``pyproject.toml`` asks for, or end the process.

    Parameters
    ----------
    root
        Folder of ``pyproject.toml``.
    extras
        Groups of optional dependencies to install; those installed before stay.
    for_window
        Whether a window is to be shown, which takes more system libraries.
    """
    try:
        _make(Path(root), extras, for_window=for_window)
    except SetupError as error:
        sys.exit(f"OrgSeg: {error}")
    except KeyboardInterrupt:
        say("\nOrgSeg: stopped. The next start goes on from here.")
        sys.exit(130)


def say(text: str) -> None:
    """Tell the user something; on stderr, because stdout belongs to the command they typed."""
    print(text, file=sys.stderr, flush=True)


def _make(root: Path, extras: tuple[str, ...], *, for_window: bool) -> None:
    """Do what `make` says, with errors as exceptions."""
    environment = Path(stamp.environment_path(str(root)))
    facts = stamp.read(str(root))
    if stamp.is_installed(str(root), extras, facts):
        # Set up without a screen, now started with one; perhaps by somebody who may not write here.
        system_packages.provide(for_window=True, for_venv=False, tell=say)
        with contextlib.suppress(OSError):
            stamp.write(str(root), {**facts, "libraries": "window"})
        return
    try:
        environment.mkdir(exist_ok=True)
        with _alone(environment / _LOCK):
            if not stamp.is_current(str(root), extras, for_window=for_window):
                _make_alone(root, set(extras), for_window=for_window)
    except OSError as error:
        if _is_complete(root, set(extras)):
            return  # set up by somebody else, and only the files' times have changed since
        raise SetupError(
            f"the folder {environment} could not be written: {error.strerror or error}. "
            "Your projects are not in it; free what is in the way, or move OrgSeg to a folder of "
            "your own, and start again."
        ) from error


def _make_alone(root: Path, extras: set[str], *, for_window: bool) -> None:
    """Make or update the environment while no other start does, and write the stamp."""
    before = stamp.read(str(root))
    extras = extras | set(before.get("extras", "").split())
    found = _look_at(root)
    if found is None or before.get("inputs") != _inputs(root, found, extras):
        system_packages.provide(for_window=for_window, for_venv=found is None, tell=say)
        found = _install(root, extras, is_new=found is None)
        _check_qt(root)
    facts = {
        "inputs": _inputs(root, found, extras),
        "extras": " ".join(sorted(extras)),
        "base": found["base"],
        "libraries": "memory" if system_packages.missing_libraries(for_window=True) else "window",
        "seen": stamp.seen(str(root), found["base"]),
    }
    stamp.write(str(root), facts)


def _install(root: Path, extras: set[str], *, is_new: bool) -> dict[str, str]:
    """Make the environment where needed, repair what an interrupted install left, and run pip.

    Returns what `_look_at` says of it.
    """
    started = time.monotonic()
    environment = Path(stamp.environment_path(str(root)))
    if (environment / stamp.NAME).exists():
        say(f"OrgSeg: bringing the Python packages in {environment} up to date.")
        (environment / stamp.NAME).unlink()
    else:
        _check_room(root)
        say(_announcement(environment))
    if is_new:
        _check_python()
        _create(environment)
    found = _look_at(root)
    if found is None:
        raise SetupError(
            f"the new environment in {environment} does not work. Nothing else was changed; "
            "delete the folder and start again."
        )
    packages = Path(found["packages"])
    damaged = python_packages.drop_damaged(packages)
    if damaged:
        say(f"OrgSeg: an earlier install was interrupted; installing again: {', '.join(damaged)}.")
    python_packages.install(root, extras, packages, say)
    say(f"OrgSeg: ready after {time.monotonic() - started:.0f} s; later starts skip this.")
    return found


def _announcement(environment: Path) -> str:
    """Return what is said before the first install begins."""
    size = "about 1.6 GB on the disk"
    if sys.platform == "linux":
        size += " (6 GB where pip picks the PyTorch for NVIDIA cards)"
    return (
        "OrgSeg sets itself up, once: pip downloads PyTorch, Qt, OpenCV and what they need into\n"
        f"    {environment}\n"
        f"It takes {size} and a few minutes.\n"
        "Nothing is installed elsewhere, and deleting that folder undoes it."
    )


def _check_python() -> None:
    """Refuse a Python for which the pinned packages are not built.

    Raises
    ------
    SetupError
        For a Python that is too new, not CPython, or 32 bit.
    """
    have = f"This is {platform.python_implementation()} {platform.python_version()}"
    wanted = "CPython {}.{} to {}.{}, 64 bit".format(*stamp.OLDEST, *stamp.NEWEST)
    is_usable = (
        sys.version_info[:2] <= stamp.NEWEST
        and sys.implementation.name == "cpython"
        and sys.maxsize > 2**32
    )
    if not is_usable:
        raise SetupError(
            f"the libraries it stands on are built for {wanted}. {have}"
            f"{'' if sys.maxsize > 2**32 else ', 32 bit'}. Nothing was changed; start it with "
            "such a Python, for example: python3.13 main.py"
        )


def _check_room(root: Path) -> None:
    """Refuse before the download when the disk has no room for it.

    Raises
    ------
    SetupError
        With the room needed and the room there is.
    """
    free_gb = shutil.disk_usage(root).free / 1e9
    if free_gb < NEEDED_GB:
        raise SetupError(
            f"setting up needs about {NEEDED_GB} GB on the disk of {root}, and {free_gb:.1f} GB "
            "are free. Nothing was changed; free some room and start again."
        )


def _create(environment: Path) -> None:
    """Make an empty environment with pip in it; what a broken one left there is removed.

    Raises
    ------
    SetupError
        When Python's own ``venv`` module fails.
    """
    for entry in environment.iterdir():
        if entry.name in (_LOCK, python_packages.LOG):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()
    done = python_packages.run([sys.executable, "-m", "venv", str(environment)])
    if done.returncode:
        raise SetupError(
            f"Python could not make an environment in {environment}: "
            f"{python_packages.last_line(done.stdout + done.stderr)}. Nothing else was changed."
        )


def _look_at(root: Path) -> dict[str, str] | None:
    """Ask the environment's Python who it is.

    Returns
    -------
    dict or None
        ``version`` ("3.11"), ``base`` (path of the Python it was made from) and ``packages`` (path
        of its site-packages); None where it does not start, or is not the one that the environment
        was made with (a system upgrade moved on to another version).
    """
    question = (
        "import sys, sysconfig; print('%d.%d' % sys.version_info[:2]); "
        "print(sys._base_executable); print(sysconfig.get_path('purelib')); print(sys.prefix)"
    )
    environment = stamp.environment_path(str(root))
    answer: list[str] = []
    with contextlib.suppress(OSError):
        done = python_packages.run([stamp.python_path(str(root)), "-c", question])
        answer = done.stdout.splitlines() if done.returncode == 0 else []
    if len(answer) == 4 and os.path.isdir(answer[2]) and os.path.samefile(answer[3], environment):
        return dict(zip(("version", "base", "packages"), answer[:3], strict=True))
    return None


def _is_complete(root: Path, extras: set[str]) -> bool:
    """Tell from the contents of the files, not their times, whether the stamp still holds."""
    facts, found = stamp.read(str(root)), _look_at(root)
    installed = set(facts.get("extras", "").split())
    return (
        found is not None
        and extras <= installed
        and facts.get("inputs") == _inputs(root, found, installed)
    )


def _inputs(root: Path, found: dict[str, str], extras: set[str]) -> str:
    """Return the SHA-256 of everything that decides what is installed, and of where it lies.

    Of ``pyproject.toml`` that is what describes the package; a changed linter rule needs no pip.
    """
    description = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    tools = description.pop("tool", {})
    inputs = {
        **description,
        "setuptools": tools.get("setuptools"),
        "constraints": Path(stamp.constraints_path(str(root))).read_text(encoding="utf-8"),
        "root": str(root),
        "python": found["version"],
        "extras": sorted(extras),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def _check_qt(root: Path) -> None:
    """Load Qt in the environment.

    Raises
    ------
    SetupError
        When it does not load in spite of everything, with the loader's words.
    """
    done = python_packages.run([stamp.python_path(str(root)), "-c", "import PySide6.QtWidgets"])
    if done.returncode:
        reason = python_packages.last_line(done.stderr)
        raise SetupError(
            f"the packages are installed, but Qt does not load: {reason}. Install the system "
            "library it names and start again; nothing is downloaded twice."
        )


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Hold the install lock; the system gives it back when this process ends, however it ends."""
    with open(path, "a+b") as stream:
        if not _try_lock(stream.fileno()):
            say("OrgSeg: another start is setting up the environment; waiting for it.")
            while not _try_lock(stream.fileno()):
                time.sleep(0.2)
        os.set_inheritable(stream.fileno(), True)
        yield


def _try_lock(descriptor: int) -> bool:
    """Take the lock on an open file; True, too, where the file system knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True
