"""Is this HDF5 file one of ours, whole and harmless? Asked before anything in it is used.

An HDF5 file may hold links to other files, raw data kept in other files, and arrays declared much
larger than any disk. Reading such a project would read, and painting would overwrite, files that
have nothing to do with it. OrgSeg writes none of these, so a project that has them is refused. The
walk goes from the root by hard links only, one step at a time, and follows nothing else.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app.files.errors import ProjectError

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS = 2_000_000
MAX_DEPTH = 12

BOMB_BYTES = 256 * 2**20
BOMB_RATIO = 1100  # deflate reaches 1028 : 1 on zeros

_FILTERS = frozenset({h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32})

DAMAGE = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    SystemError,
    MemoryError,
    OverflowError,
    IndexError,
)
"""What h5py raises on files that are not what they say."""


def open_hdf5(path: Path) -> Any:
    """Open for reading, without touching locks other programs may rely on.

    Returns
    -------
    h5py.File

    Raises
    ------
    ProjectError
        When it is not HDF5, is cut off, or cannot be read; the sentence says which.
    """
    name = path.name
    try:
        with open(path, "rb") as stream:
            size = stream.seek(0, 2)
            offset, found = 0, False
            while offset < min(size, 2**20) and not found:
                stream.seek(offset)
                found = stream.read(8) == SIGNATURE
                offset = 2 * offset or 512
    except FileNotFoundError as error:
        raise ProjectError(f"There is no file “{name}” in {path.parent}.") from error
    except IsADirectoryError as error:
        raise ProjectError(f"“{name}” is a folder, not a project file.") from error
    except PermissionError as error:
        if os.path.isdir(path):  # Windows says it this way
            raise ProjectError(f"“{name}” is a folder, not a project file.") from error
        raise ProjectError(
            f"You have no permission to read “{name}”. Ask its owner, or copy it somewhere you may."
        ) from error
    except OSError as error:
        raise ProjectError(f"“{name}” cannot be read: {error.strerror or error}.") from error
    if not found:
        what = "is empty" if size == 0 else "is not an OrgSeg project, nor any HDF5 file"
        raise ProjectError(f"“{name}” {what}. It was left as it is.")
    try:
        return h5py.File(path, "r", locking=False)
    except DAMAGE as error:
        if "truncated" in str(error):
            raise ProjectError(
                f"“{name}” is cut off: its end is missing, as after a copy that was interrupted. "
                "It was left as it is; copy it again from where it came."
            ) from error
        raise damaged(name) from error


def damaged(name: str, what: str = "") -> ProjectError:
    """The error for a file that contradicts itself."""
    where = f" ({what})" if what else ""
    return ProjectError(
        f"“{name}” is damaged and cannot be opened{where}. It was left as it is; "
        "open a backup or an earlier copy."
    )


def check_objects(file: Any, name: str) -> int:
    """Walk all objects by hard links and refuse what could reach outside or blow up.

    Parameters
    ----------
    file
        h5py.File.
    name
        File name for the message.

    Returns
    -------
    int
        Bytes that the datasets take up in the file.

    Raises
    ------
    ProjectError
        At the first thing that a project never holds.
    """
    stored = 0
    seen: set[Any] = set()
    todo: list[tuple[Any, int]] = [(file["/"].id, 0)]
    count = 0
    while todo:
        group, depth = todo.pop()
        for key in group:
            count += 1
            if count > MAX_OBJECTS or depth > MAX_DEPTH:
                raise _refused(name, "holds more objects than any project")
            if b"/" in key or key == b".":  # would be followed as a path
                raise _refused(name, "holds impossible names")
            if group.links.get_info(key).type != h5py.h5l.TYPE_HARD:
                raise _refused(name, "contains links to other places or files")
            item = h5py.h5o.open(group, key)
            info = h5py.h5o.get_info(item)
            identity = (info.fileno, info.addr)
            if identity in seen:
                continue
            seen.add(identity)
            if isinstance(item, h5py.h5g.GroupID):
                todo.append((item, depth + 1))
            elif isinstance(item, h5py.h5d.DatasetID):
                stored += _check_dataset(item, name)
            else:
                raise _refused(name, "holds kinds of objects that projects do not have")
    return stored


def _check_dataset(dataset: Any, name: str) -> int:
    """Refuse data kept elsewhere and unknown filters; return the bytes stored."""
    plan = dataset.get_create_plist()
    if plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL:
        raise _refused(name, "keeps data in other files")
    for i in range(plan.get_nfilters()):
        if plan.get_filter(i)[0] not in _FILTERS:
            raise _refused(name, "uses a kind of compression that projects do not use")
    if plan.get_layout() == h5py.h5d.CHUNKED:
        chunk = int(np.prod(plan.get_chunk(), dtype=object)) * dataset.get_type().get_size()
        if chunk > BOMB_BYTES:
            raise _refused(name, "declares blocks of impossible size")
    return int(dataset.get_storage_size())


def check_declared(dataset: Any, name: str) -> None:
    """Refuse an array that claims to be far larger than the bytes behind it.

    Raises
    ------
    ProjectError
        When it declares over `BOMB_BYTES` and over `BOMB_RATIO` times what is stored.
    """
    declared = int(np.prod(dataset.shape, dtype=object)) * dataset.dtype.itemsize
    stored = int(dataset.id.get_storage_size())
    if declared > BOMB_BYTES and declared > BOMB_RATIO * stored:
        raise _refused(name, "declares an image of impossible size")


def _refused(name: str, why: str) -> ProjectError:
    return ProjectError(
        f"“{name}” {why}, which OrgSeg never writes. It was not opened, and nothing was changed."
    )
