"""The facts of projects that this computer had open, so that a large one opens at once.

A project of 200 images has some 4,000 names, sizes and notes, each in a place of its own: reading
them takes half a second. What they were when the project was last open lies in one small file among
what may be deleted at any time, with the state of the project file that it belongs to
(`orgseg_app.files.safety.known_files`). In another state they are read from the project as ever.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from orgseg_app import __version__, paths
from orgseg_app.core.project import Project
from orgseg_app.files.atomic import replace_unsynced
from orgseg_app.files.safety.known_files import FileMark

MIN_IMAGES = 20
"""Projects with fewer are read in less than a twentieth of a second."""

MAX_PROJECTS = 50
"""Projects remembered; the one opened longest ago is forgotten first."""

_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True)
class Facts:
    """What `ProjectFile.open` reads.

    Attributes
    ----------
    version
        Schema version of the file.
    kind
        ``"project"`` or ``"snapshot"``.
    """

    version: int
    kind: str
    project: Project


@dataclass(frozen=True)
class _Entry:
    app_version: str
    path: str
    mark: FileMark
    facts: Facts


def recall(path: Path, mark: FileMark) -> Facts | None:
    """The facts of a project, links resolved, when its file is still as it was; None otherwise."""
    place = _place(path)
    try:
        if os.stat(place).st_size > _MAX_BYTES:
            return None
    except OSError:
        return None
    import msgspec  # not needed by those who open small projects only

    try:
        entry = msgspec.json.decode(place.read_bytes(), type=_Entry)
    except (OSError, ValueError, msgspec.MsgspecError, RecursionError):
        return None
    if (entry.app_version, entry.path, entry.mark) != (__version__, os.fspath(path), mark):
        return None
    with contextlib.suppress(OSError):
        os.utime(place)
    return entry.facts


def keep(path: Path, mark: FileMark | None, facts: Facts) -> None:
    """Remember the facts of a project file in this state, where it is worth it; never fails.

    Parameters
    ----------
    mark
        Taken before the facts were read, or while nobody else can write the file.
    """
    if mark is None or len(facts.project.images) < MIN_IMAGES:
        return
    import msgspec

    place = _place(path)
    with contextlib.suppress(OSError, ValueError, TypeError):
        text = msgspec.json.encode(_Entry(__version__, os.fspath(path), mark, facts))
        replace_unsynced(place, text)
        _forget_old(place.parent)


def folder() -> Path:
    """Where they lie."""
    return paths.cache_dir() / "projects"


def _place(path: Path) -> Path:
    name = os.fspath(path).encode("utf-8", "surrogateescape")
    return folder() / f"{hashlib.sha256(name).hexdigest()[:32]}.json"


def _forget_old(place: Path) -> None:
    files = list(place.glob("*.json"))
    if len(files) > MAX_PROJECTS:
        for old in sorted(files, key=lambda f: f.stat().st_mtime)[: len(files) - MAX_PROJECTS]:
            with contextlib.suppress(OSError):
                old.unlink()
