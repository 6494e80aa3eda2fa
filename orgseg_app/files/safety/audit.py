"""Is this HDF5 file one of ours, whole and harmless? Asked before anything in it is used.

An HDF5 file may hold links to other files, raw data kept in other files, and arrays declared much
larger than any disk. Reading such a project would read, and painting would overwrite, files that
have nothing to do with it. OrgSeg writes none of these, so a project that has them is refused. The
walk goes from the root by hard links only, one step at a time, and follows nothing else.

A file that was made to crash HDF5 itself may do so during the walk. Files that this computer does
not know are therefore walked through in a process of their own first:
`orgseg_app.files.safety.gate`.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import Any

import h5py

from orgseg_app.files.attributes import read_number
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images.codecs import FILTER_IDS

SIGNATURE = b"\x89HDF\r\n\x1a\n"

MAX_OBJECTS = 300_000
"""Groups and datasets: an image has about eight. Walking through them takes 30 µs each."""
MAX_DEPTH = 12
MAX_ATTRIBUTES = 1000
"""Of one object; those of OrgSeg have fewer than twenty."""

MAX_CHUNK = 64 * 2**20
"""Bytes of one block once unpacked; OrgSeg's have a megabyte at the most."""
MAX_SPARSE = 2**37
"""Values of an array that takes next to no room, like the mask of a volume not painted yet."""
MAX_FILTERS = 8

BOMB_BYTES = 256 * 2**20
BOMB_RATIO = 1100  # deflate reaches 1028 : 1 on zeros

_NUMBERS_AND_TEXT = (h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.ENUM, h5py.h5t.STRING)
_MAX_VALUE = 2**20

# HDF5 loads any library that a file names as its filter from these folders. Ours need none.
while h5py.h5pl.size():
    h5py.h5pl.remove(0)

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
    check_start(path)
    try:
        # No cache of blocks: HDF5 2.0 corrupts its memory when it copies a packed dataset (as
        # compacting does) while somebody has it open with blocks in the cache.
        return h5py.File(path, "r", locking=False, rdcc_nbytes=0)
    except DAMAGE as error:
        if "truncated" in str(error):
            raise ProjectError(
                f"“{path.name}” is cut off: its end is missing, as after a copy that was "
                "interrupted. It was left as it is; copy it again from where it came."
            ) from error
        raise damaged(path.name) from error


def check_start(path: Path) -> None:
    """Look whether a file is there, may be read and begins like HDF5; HDF5 itself is not asked.

    Raises
    ------
    ProjectError
        As `open_hdf5`.
    """
    name = path.name
    try:
        if not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path):
            raise ProjectError(f"“{name}” is not a file that can be opened as a project.")
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


def damaged(name: str, what: str = "") -> ProjectError:
    """The error for a file that contradicts itself."""
    where = f" ({what})" if what else ""
    return ProjectError(
        f"“{name}” is damaged and cannot be opened{where}. It was left as it is; "
        "open a backup or an earlier copy."
    )


class _UnknownKindError(ProjectError):
    """A filter or a kind of value that this version does not know; a newer one may."""


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
    try:
        return _walk(file, name)
    except _UnknownKindError as error:
        from orgseg_app.files import schema

        version = read_number(file, "schema_version")
        if version is None or version <= schema.SCHEMA_VERSION:
            raise
        raise ProjectError(
            f"“{name}” was made by a newer version of OrgSeg. It was left as it is; update OrgSeg "
            "to open it."
        ) from error


def _walk(file: Any, name: str) -> int:
    stored = 0
    root = file["/"].id
    seen = {identity(root)}
    todo: list[tuple[Any, int]] = [(root, 0)]
    count = _check_group(root, 0, name)
    while todo:
        group, depth = todo.pop()
        for key in group:
            if b"/" in key or key == b".":  # would be followed as a path
                raise _refused(name, "holds impossible names")
            if group.links.get_info(key).type != h5py.h5l.TYPE_HARD:
                raise _refused(name, "contains links to other places or files")
            item = h5py.h5o.open(group, key)
            known_as = identity(item)
            if known_as in seen:
                continue
            seen.add(known_as)
            if isinstance(item, h5py.h5g.GroupID):
                count += _check_group(item, depth + 1, name)
                todo.append((item, depth + 1))
            elif isinstance(item, h5py.h5d.DatasetID):
                stored += _check_dataset(item, name)
            else:
                raise _refused(name, "holds kinds of objects that projects do not have")
            if count > MAX_OBJECTS:  # before they are walked through
                raise _refused(name, "holds more objects than any project")
    if stored > file.id.get_filesize():  # the same block many times over
        raise damaged(name, "it declares more data than it holds")
    return stored


def identity(item: Any) -> tuple[int, int]:
    """What tells one open object of a file from another, whatever paths lead to it."""
    info = h5py.h5g.get_objinfo(item)  # others of HDF5's ways go through the list of blocks
    return int(info.fileno[0]), int(info.objno[0])


def _check_group(group: Any, depth: int, name: str) -> int:
    """Refuse what lies too deep or says too much; return the number of objects in it."""
    if depth > MAX_DEPTH:
        raise _refused(name, "holds more objects than any project")
    _check_attributes(group, name)
    return int(group.get_num_objs())


def _check_attributes(item: Any, name: str) -> None:
    if h5py.h5a.get_num_attrs(item) > MAX_ATTRIBUTES:
        raise _refused(name, "holds more notes than any project")


def _check_dataset(dataset: Any, name: str) -> int:
    """Refuse data kept elsewhere, unknown filters and traps; return the bytes stored."""
    _check_attributes(dataset, name)
    plan = dataset.get_create_plist()
    if plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL:
        raise _refused(name, "keeps data in other files")
    filters = {plan.get_filter(i)[0] for i in range(min(plan.get_nfilters(), MAX_FILTERS))}
    if not filters <= FILTER_IDS or plan.get_nfilters() > MAX_FILTERS:
        raise _UnknownKindError(_why(name, "uses a kind of compression that projects do not use"))
    kind = dataset.get_type()
    size = int(kind.get_size())
    if kind.get_class() not in _NUMBERS_AND_TEXT or size > _MAX_VALUE or _is_loose_text(kind):
        raise _UnknownKindError(_why(name, "holds kinds of values that projects do not have"))
    if plan.get_layout() == h5py.h5d.CHUNKED:
        chunk = math.prod(plan.get_chunk()) * size
        if chunk > MAX_CHUNK:
            raise _refused(name, "declares blocks of impossible size")
    stored = _stored_bytes(dataset)
    values = math.prod(dataset.shape)
    if values > MAX_SPARSE and values * size > BOMB_RATIO * stored:
        raise _refused(name, "declares an image of impossible size")
    return stored


def _stored_bytes(dataset: Any) -> int:
    """Bytes a dataset takes up; 0 when its list of blocks is damaged.

    Whoever reads it then gets an error, and everything else in the file can still be used.
    """
    try:
        return int(dataset.get_storage_size())
    except DAMAGE:
        return 0


def _is_loose_text(kind: Any) -> bool:
    """True for text of any length, which lies in a heap without checksums."""
    return isinstance(kind, h5py.h5t.TypeStringID) and bool(kind.is_variable_str())


def check_declared(dataset: Any, name: str) -> None:
    """Refuse an array that claims to be far larger than the bytes behind it.

    Raises
    ------
    ProjectError
        When it declares over `BOMB_BYTES` and over `BOMB_RATIO` times what is stored.
    """
    declared = math.prod(dataset.shape) * dataset.dtype.itemsize
    if declared > BOMB_BYTES and declared > BOMB_RATIO * _stored_bytes(dataset.id):
        raise _refused(name, "declares an image of impossible size")


def _refused(name: str, why: str) -> ProjectError:
    return ProjectError(_why(name, why))


def _why(name: str, why: str) -> str:
    return (
        f"“{name}” {why}, which OrgSeg never writes. It was not opened, and nothing was changed. "
        "Open only files from people you trust, or ask for another copy."
    )
