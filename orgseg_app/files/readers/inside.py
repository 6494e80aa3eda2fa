"""Paths that lead into a file: ``stack.h5:/volumes/raw`` is the array “/volumes/raw” of stack.h5.

ilastik's way of writing them, ``stack.h5/volumes/raw``, is understood too.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

MARK = ":"


def split_inside(path: Path) -> tuple[Path, str]:
    """The file on disk, and the array within it that is meant.

    Returns
    -------
    file, inner
        ``inner`` begins with “/”; it is ``""`` where the path is that of a file or folder itself.
    """
    path = Path(path)
    if not _may_lead_inside(path) or os.path.lexists(path):
        return path, ""
    parts = path.parts
    for count in range(len(parts) - 1, 0, -1):
        outer = Path(*parts[:count])
        bare = outer.name.removesuffix(MARK)
        for file in (outer.with_name(bare), outer) if bare else ():
            if os.path.isfile(file):
                return file, "/" + "/".join(parts[count:])
    name, mark, inner = path.name.partition(MARK)
    if mark and inner and os.path.isfile(path.with_name(name)):  # stack.h5:raw
        return path.with_name(name), f"/{inner}"
    return path, ""


def inside(file: Path, inner: str) -> Path:
    """The path of an array within a file; that of the file itself for ``""``."""
    if not inner:
        return file
    return Path(f"{file}{MARK}", *PurePosixPath(inner.lstrip("/")).parts)


def _may_lead_inside(path: Path) -> bool:
    """False for nearly all paths, without a look at the disk."""
    return MARK in os.fspath(path)[2:] or any("." in part for part in path.parts[:-1])
