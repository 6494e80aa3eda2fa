"""The Python packages in ``.venv``: install them with pip, repair them, say why pip failed.

pip reads its own configuration for where packages come from. Standard library only.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from orgseg_app import stamp

LOG = "orgseg-install.log"
"""pip's own log in the environment's folder, kept when an install failed."""


def install(root: Path, extras: set[str], packages: Path, tell: Callable[[str], None]) -> None:
    """Install the project, editable, with its dependencies in their pinned versions.

    Parameters
    ----------
    root
        Folder of ``pyproject.toml``.
    extras
        Groups of optional dependencies to install, too.
    packages
        The environment's site-packages folder.
    tell
        Shows a line to the user.

    Raises
    ------
    stamp.SetupError
        With the reason in plain words.
    """
    python = stamp.python_path(str(root))
    if run([python, "-m", "pip", "--version"]).returncode:
        run([python, "-m", "ensurepip", "--upgrade", "--default-pip"])
    log = Path(stamp.environment_path(str(root)), LOG)
    log.unlink(missing_ok=True)
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    # Building numpy or OpenCV from source would take an hour and then fail for want of a compiler.
    command += ["--only-binary=:all:", "--log", str(log)]
    command += ["--constraint", str(_constraints(root, packages, tell))]
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
        raise stamp.SetupError(
            f"{explain(done.stderr + _warnings(log))} pip's own words are in {log}"
        )
    log.unlink(missing_ok=True)
    # What setuptools leaves beside main.py; the environment has its own copy.
    shutil.rmtree(root / "orgseg.egg-info", ignore_errors=True)


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
    errors = re.findall(r"^(?:\S+ +)?ERROR: (?!Exception:)(.+)", complaint, re.MULTILINE) or [
        complaint
    ]
    return f"pip could not install the Python packages ({last_line(errors[-1])}). {safe}"


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command quietly and return what it said."""
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def last_line(text: str) -> str:
    """Return the last line that says something, without its final full stop."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "no reason given"


def _constraints(root: Path, packages: Path, tell: Callable[[str], None]) -> Path:
    """Return the constraints to use: without a line for PyTorch where the user chose a build.

    A build for a certain graphics card has a local version ("2.12.1+cu126"), which PyPI has not;
    it stays, as long as ``pyproject.toml`` allows its version.
    """
    path = Path(stamp.constraints_path(str(root)))
    chosen = [
        match[1]
        for info in packages.glob("torch-*.dist-info")
        if (match := re.fullmatch(r"torch-([\d.]+)\+\w+\.dist-info", info.name))
    ]
    text = path.read_text(encoding="utf-8")
    pinned = re.search(r"^torch==([\d.]+)\s*$", text, re.MULTILINE)
    if not chosen or pinned is None or pinned[1] in chosen:
        return path
    ours = Path(stamp.environment_path(str(root)), "orgseg-constraints.txt")
    ours.write_text(text[: pinned.start()] + text[pinned.end() :], encoding="utf-8")
    tell(f"OrgSeg: keeping the PyTorch {chosen[0]} that is already installed there.")
    return ours


def _warnings(log: Path) -> str:
    """Return the warnings and errors of pip's log; what its own child said is only there."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(line for line in lines if re.search(r"\b(WARNING|ERROR):", line))


_REASONS = (
    (
        r"CERTIFICATE_VERIFY_FAILED|SSLError",
        "the package index was reached, but its certificate is not trusted here (often a proxy "
        "that reads along). Ask who runs your network for its certificate and name it in pip's "
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
        "the package index has no {0} for this kind of computer and this Python. Try another "
        "Python (3.11 to 3.14, 64 bit), or set pip to an index that has it.",
    ),
)
