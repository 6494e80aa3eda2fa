"""Make, repair and update ``.venv`` with pip: what a start from source does when its stamp is missing.

The order is chosen so that nobody waits for a download that cannot be used: system libraries first
(installed as root on Debian and Ubuntu, else named), then room on the disk, the environment, pip,
and a look whether Qt loads. Only then is the stamp written. pip reads its own configuration for
where packages come from. Standard library only.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

from orgseg_app import bootstrap, system_packages

NEWEST = (3, 14)
"""Newest Python for which the pinned packages are built."""

NEEDED_GB = 2.5
"""Free room asked for before the first install (the PyTorch for NVIDIA cards needs more)."""

_LOCK = "orgseg-install.lock"
_LOG = "orgseg-install.log"


class SetupError(Exception):
    """The environment cannot be made; the message says why, what is safe and what to do."""


def make(root: str, extras: tuple[str, ...]) -> None:
    """Make the environment hold what ``pyproject.toml`` asks for, or end the process.

    Parameters
    ----------
    root
        Folder of ``pyproject.toml``.
    extras
        Groups of optional dependencies to install; those installed before stay.
    """
    try:
        _make(Path(root), set(extras))
    except (SetupError, system_packages.MissingError) as error:
        sys.exit(f"OrgSeg: {error}")
    except KeyboardInterrupt:
        say("\nOrgSeg: stopped. The next start goes on from here.")
        sys.exit(130)


def say(text: str) -> None:
    """Tell the user something; on stderr, because stdout belongs to the command they typed."""
    print(text, file=sys.stderr, flush=True)


def _make(root: Path, extras: set[str]) -> None:
    """Do what `make` says, with errors as exceptions."""
    environment = root / bootstrap.FOLDER
    stamp = bootstrap.read_stamp(str(root))
    if bootstrap.is_installed(str(root), tuple(extras), stamp):
        # Set up without a screen, now started with one; perhaps by somebody who may not write here.
        system_packages.provide(for_window=True, for_venv=False, tell=say)
        with contextlib.suppress(OSError):
            _write_stamp(environment, {**stamp, "libraries": "window"})
        return
    try:
        environment.mkdir(exist_ok=True)
        with _alone(environment / _LOCK):
            _make_alone(root, environment, extras)
    except OSError as error:
        raise SetupError(
            f"the folder {environment} could not be written: {error.strerror or error}. "
            "Your projects are not in it; free what is in the way, or move OrgSeg to a folder of "
            "your own, and start again."
        ) from error


def _make_alone(root: Path, environment: Path, extras: set[str]) -> None:
    """Make or update the environment while no other start does."""
    if bootstrap.is_current(str(root), tuple(extras)):
        return  # the start we waited for has done it
    stamp = bootstrap.read_stamp(str(root))
    extras = extras | set(stamp.get("extras", "").split())
    found = _look_at(environment)
    if found is None or stamp.get("inputs") != _inputs(root, found, extras):
        for_window = bootstrap.needs_window_libraries()
        system_packages.provide(for_window=for_window, for_venv=found is None, tell=say)
        found = _install(root, environment, extras, is_new=found is None)
        _check_qt(environment)
    facts = {
        "inputs": _inputs(root, found, extras),
        "extras": " ".join(sorted(extras)),
        "base": found["base"],
        "libraries": "memory" if system_packages.missing_libraries(for_window=True) else "window",
        "seen": bootstrap.seen(str(root), found["base"]),
    }
    _write_stamp(environment, facts)


def _write_stamp(environment: Path, facts: dict[str, str]) -> None:
    """Write the stamp that later starts read, in one step."""
    draft = environment / f"{bootstrap.STAMP}.{os.getpid()}"
    draft.write_text("".join(f"{key}={value}\n" for key, value in facts.items()), encoding="utf-8")
    os.replace(draft, environment / bootstrap.STAMP)


def _install(
    root: Path, environment: Path, extras: set[str], *, is_new: bool
) -> dict[str, str]:
    """Make the environment where needed, repair what an interrupted install left, and run pip.

    Returns what `_look_at` says of it.
    """
    started = time.monotonic()
    stamp = environment / bootstrap.STAMP
    if stamp.exists():
        say(f"OrgSeg: bringing the Python packages in {environment} up to date.")
        stamp.unlink()
    else:
        _check_room(root)
        say(_announcement(environment))
    if is_new:
        _check_python()
        _create(environment)
    found = _look_at(environment)
    if found is None:
        raise SetupError(
            f"the new environment in {environment} does not work. Nothing else was changed; "
            "delete the folder and start again."
        )
    packages = Path(found["packages"])
    damaged = drop_damaged(packages)
    if damaged:
        say(f"OrgSeg: an earlier install was interrupted; installing again: {', '.join(damaged)}.")
    _run_pip(root, environment, extras, packages)
    say(f"OrgSeg: ready after {time.monotonic() - started:.0f} s; later starts skip this.")
    return found


def _announcement(environment: Path) -> str:
    """Return what is said before the first install begins."""
    size = "about 1.6 GB on the disk"
    if sys.platform == "linux":
        size += " (about 6 GB where pip takes the PyTorch for NVIDIA cards)"
    return (
        "OrgSeg sets itself up, once: pip downloads PyTorch, Qt, OpenCV and what they need into\n"
        f"{environment}\n"
        f"That takes {size} and a few minutes. Nothing is installed elsewhere,\n"
        "and deleting that folder undoes it. Your own files are not touched."
    )


def _check_python() -> None:
    """Refuse a Python for which the pinned packages are not built.

    Raises
    ------
    SetupError
        For a Python that is too new, not CPython, or 32 bit.
    """
    have = f"This is {platform.python_implementation()} {platform.python_version()}"
    wanted = "CPython {}.{} to {}.{}, 64 bit".format(*bootstrap.OLDEST, *NEWEST)
    is_usable = (
        sys.version_info[:2] <= NEWEST
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
        if entry.name in (_LOCK, _LOG):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink()
    done = _run([sys.executable, "-m", "venv", str(environment)])
    if done.returncode:
        raise SetupError(
            f"Python could not make an environment in {environment}: "
            f"{_last_line(done.stdout + done.stderr)}. Nothing else was changed."
        )


def _look_at(environment: Path) -> dict[str, str] | None:
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
    answer: list[str] = []
    with contextlib.suppress(OSError):
        done = _run([bootstrap.python_of(str(environment)), "-c", question])
        answer = done.stdout.splitlines() if done.returncode == 0 else []
    if len(answer) == 4 and os.path.isdir(answer[2]) and os.path.samefile(answer[3], environment):
        return dict(zip(("version", "base", "packages"), answer[:3], strict=True))
    return None


def _inputs(root: Path, found: dict[str, str], extras: set[str]) -> str:
    """Return the SHA-256 of everything that decides what is installed, and of where it lies.

    Of ``pyproject.toml`` that is what describes the package; a changed linter rule needs no pip.
    """
    description = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    tools = description.pop("tool", {})
    inputs = {
        **description,
        "setuptools": tools.get("setuptools"),
        "constraints": Path(bootstrap.constraints_path(str(root))).read_text(encoding="utf-8"),
        "root": str(root),
        "python": found["version"],
        "extras": sorted(extras),
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def drop_damaged(packages: Path) -> list[str]:
    """Forget packages that an interrupted pip left incomplete, so that pip installs them again.

    pip believes in a package as soon as its ``.dist-info`` folder is there; this compares the files
    with the list in it (name and size). pip's own leftovers (``~ame``) are removed.

    Parameters
    ----------
    packages
        The site-packages folder.

    Returns
    -------
    list of str
        The damaged packages, "name version".
    """
    damaged = []
    for info in sorted(packages.glob("*.dist-info")):
        if not _is_whole(packages, info):
            damaged.append(info.name.removesuffix(".dist-info").replace("-", " "))
            shutil.rmtree(info, ignore_errors=True)
    for leftover in packages.glob("~*"):
        if leftover.is_dir():
            shutil.rmtree(leftover, ignore_errors=True)
    return damaged


def _is_whole(packages: Path, info: Path) -> bool:
    """Tell whether all files of one installed package are there in their full size."""
    try:
        with open(info / "RECORD", newline="", encoding="utf-8") as stream:
            rows = [row for row in csv.reader(stream) if len(row) == 3]
        return bool(rows) and all(
            os.stat(os.path.join(packages, name)).st_size == int(size)
            for name, _, size in rows
            # Some wheels (Qt's) bring compiled modules, which Python then writes anew.
            if size and not name.endswith(".pyc")
        )
    except (OSError, ValueError, csv.Error):
        return False


def _run_pip(root: Path, environment: Path, extras: set[str], packages: Path) -> None:
    """Install the project, editable, with the given extras.

    Raises
    ------
    SetupError
        With the reason in plain words.
    """
    python = bootstrap.python_of(str(environment)).replace("pythonw.exe", "python.exe")
    if _run([python, "-m", "pip", "--version"]).returncode:
        _run([python, "-m", "ensurepip", "--upgrade", "--default-pip"])
    log = environment / _LOG
    log.unlink(missing_ok=True)
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    # Building numpy or OpenCV from source would take an hour and then fail for want of a compiler.
    command += ["--only-binary=:all:", "--log", str(log)]
    command += ["--constraint", str(_constraints(root, environment, packages))]
    command += ["--editable", f".[{','.join(sorted(extras))}]" if extras else "."]
    is_watched = sys.stderr is not None and sys.stderr.isatty()
    done = subprocess.run(
        command,
        cwd=root,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if is_watched else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "PIP_USER": "0"},
        close_fds=False,  # pip holds the install lock, too, should this process be killed
        check=False,
    )
    if done.returncode:
        raise SetupError(f"{explain(done.stderr + _warnings(log))} pip's own words are in {log}")
    log.unlink(missing_ok=True)
    # What setuptools leaves beside main.py; the environment has its own copy.
    shutil.rmtree(root / "orgseg.egg-info", ignore_errors=True)


def _constraints(root: Path, environment: Path, packages: Path) -> Path:
    """Return the constraints to use: without a line for PyTorch where the user chose a build.

    A build for a certain graphics card has a local version ("2.12.1+cu126"), which PyPI has not;
    it stays, as long as ``pyproject.toml`` allows its version.
    """
    path = Path(bootstrap.constraints_path(str(root)))
    chosen = [
        match[1]
        for info in packages.glob("torch-*.dist-info")
        if (match := re.fullmatch(r"torch-([\d.]+)\+\w+\.dist-info", info.name))
    ]
    text = path.read_text(encoding="utf-8")
    pinned = re.search(r"^torch==([\d.]+)\s*$", text, re.MULTILINE)
    if not chosen or pinned is None or pinned[1] in chosen:
        return path
    ours = environment / "orgseg-constraints.txt"
    ours.write_text(text[: pinned.start()] + text[pinned.end() :], encoding="utf-8")
    say(f"OrgSeg: keeping the PyTorch {chosen[0]} that is already installed there.")
    return ours


def _warnings(log: Path) -> str:
    """Return the warnings and errors of pip's log; what its own child said is only there."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if re.search(r"\b(WARNING|ERROR):", line))


def explain(complaint: str) -> str:
    """Say in plain words why pip failed.

    Parameters
    ----------
    complaint
        What pip wrote as errors and warnings.

    Returns
    -------
    str
        What happened, what is safe, what to do.
    """
    safe = "What is already there stays; the next start goes on from here."
    for pattern, reason in _REASONS:
        match = re.search(pattern, complaint, re.IGNORECASE)
        if match:
            return f"{reason.format(*match.groups())} {safe}"
    errors = re.findall(r"^(?:\S+ +)?ERROR: (.+)", complaint, re.MULTILINE) or [complaint]
    return f"pip could not install the Python packages ({_last_line(errors[-1])}). {safe}"


_REASONS = (
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "the package index was reached, but its certificate is not trusted here (often a proxy that "
        "reads along). Ask who runs your network for its certificate and name it in pip's "
        "configuration (pip config set global.cert FILE).",
    ),
    (
        r"NewConnectionError|ConnectTimeout|ReadTimeout|ConnectionError|ProxyError|"
        r"name resolution|getaddrinfo failed|Max retries exceeded|Network is unreachable",
        "the Python packages could not be downloaded: no connection to the package index. Connect "
        "to the internet (or set up pip for your proxy) and start again.",
    ),
    (
        r"No space left on device|Errno 28|not enough space on the disk",
        "the disk is full. Free some room (about 1.6 GB are needed, with NVIDIA's libraries 6 GB) "
        "and start again.",
    ),
    (
        r"Permission denied|Access is denied|WinError 5\b|WinError 32\b",
        "a file of the environment is in use or may not be written. Close other OrgSeg windows and "
        "start again.",
    ),
    (
        r"Long Path support|filename or extension is too long",
        "a path became too long for Windows. Move OrgSeg to a short folder such as C:\\OrgSeg and "
        "start again.",
    ),
    (
        r"No matching distribution found for (\S+)",
        "the package index has no {0} for this kind of computer and this Python. Try another Python "
        "(3.11 to 3.14, 64 bit), or set pip to an index that has it.",
    ),
)


def _check_qt(environment: Path) -> None:
    """Load Qt in the environment.

    Raises
    ------
    SetupError
        When it does not load in spite of everything, with the loader's words.
    """
    python = bootstrap.python_of(str(environment)).replace("pythonw.exe", "python.exe")
    done = _run([python, "-c", "import PySide6.QtWidgets"])
    if done.returncode:
        raise SetupError(
            f"the packages are installed, but Qt does not load: {_last_line(done.stderr)}. Install "
            "the system library it names and start again; nothing is downloaded twice."
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


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command quietly and return what it said."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def _last_line(text: str) -> str:
    """Return the last line that says something, without its final full stop."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "no reason given"
