"""Projects of older versions, brought up to today's schema when they are opened for writing.

The new file is written as a whole beside the old one, compared with it chunk by chunk, and only
then put in its place: whoever pulls the plug finds the old project or the new one. A backup of what
was painted is made first. A project that is only looked at is read as it is, and one of a newer
version is never written.

Each step lifts a file by one version, so a project of any age takes the same way as its successors
did. Steps are never changed after a release; `tests/data` holds a project of each version.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app import __version__
from orgseg_app.files import atomic, schema
from orgseg_app.files.attributes import copy_attributes, write_text
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.safety.audit import DAMAGE, damaged, open_hdf5
from orgseg_app.files.store.draft import drafting
from orgseg_app.files.store.header import USER_BLOCK, read_header

SAFE = "Nothing is lost: the project is as it was."

LAYERS = ("pixels", "mask", "objects", "weights")
"""What no step may change: voxels, and what a person made."""

Check = Callable[[], None]

_BINARY: int = getattr(os, "O_BINARY", 0)
_log = logging.getLogger(__name__)


def _from_1(file: Any) -> None:
    """Version 2 has slots for file id and generation in front (`header`); `drafting` writes them.

    Inside HDF5 nothing changes: display pyramids, new in version 2, are made when they are needed.
    """


MIGRATIONS: dict[int, Callable[[Any], None]] = {1: _from_1}
"""By version: what turns an ``h5py.File`` of that version into one of the next."""


@dataclass(frozen=True)
class Migration:
    """What was done to a project.

    Attributes
    ----------
    before, after
        Schema versions; the same where the file only lacked its header.
    notice
        Sentences for the user.
    """

    before: int
    after: int
    notice: str


def migrate(path: Path, *, to: int = schema.SCHEMA_VERSION) -> Migration | None:
    """Bring a project file up to a version, and give it the header it may lack.

    Parameters
    ----------
    path
        The file, links resolved. The caller holds the project's lock, has found the file harmless
        (`audit`) and has it open nowhere.
    to
        The version wanted.

    Returns
    -------
    Migration or None
        None when there is nothing to do; snapshots and newer projects are left alone.

    Raises
    ------
    ProjectError
        When it cannot be written or does not compare; the old file is as it was.
    """
    with contextlib.ExitStack() as closing:
        old = closing.enter_context(open_hdf5(path))
        descriptor = os.open(path, os.O_RDONLY | _BINARY)
        closing.callback(os.close, descriptor)
        try:
            before = schema.read_version(old, path.name)
            is_roomy = old.userblock_size >= USER_BLOCK
            has_header = is_roomy and read_header(descriptor) is not None
            if schema.read_kind(old) == schema.SNAPSHOT or before > to:
                return None
        except DAMAGE as error:
            raise damaged(path.name, type(error).__name__) from error
        if before == to and has_header:
            return None
        found = os.fstat(descriptor)
        note = _back_up(old, path)

        def commit(draft: Path, target: Path) -> None:
            with h5py.File(draft, "r", locking=False) as new:
                _compare(old, new, path.name)
            now = os.stat(target)
            if (now.st_ino, now.st_size, now.st_mtime_ns) != (
                found.st_ino,
                found.st_size,
                found.st_mtime_ns,
            ):
                raise ProjectError(
                    f"“{path.name}” was changed by another program while it was brought up to "
                    "date, and was left as that program wrote it. Open it again."
                )
            closing.close()  # Windows replaces no file that is open
            atomic.put_in_place(draft, target)

        with drafting(
            path,
            source=descriptor if is_roomy else None,
            new_bytes=0 if is_roomy else found.st_size,
            commit=commit,
            safe=SAFE,
        ) as draft:
            if not is_roomy:
                copy_members(old, draft.file, draft.check)
            for version in range(before, to):
                MIGRATIONS[version](draft.file)
                draft.file.attrs["schema_version"] = version + 1
                draft.check()
            write_text(draft.file, "app_version", __version__)
    _log.info("“%s”: schema version %d, was %d", path.name, to, before)
    return Migration(before, to, _notice(path, before, to, note))


def copy_members(source: Any, target: Any, check: Check) -> None:
    """Copy all attributes and members of a file or group, object by object, blocks as they are.

    Parameters
    ----------
    source, target
        h5py.File or h5py.Group; the target is empty.
    check
        Called after each dataset; raises when the target can no longer be written.
    """
    copy_attributes(source, target)
    for name, item in source.items():
        if isinstance(item, h5py.Group):
            copy_members(item, target.create_group(name), check)
        else:
            source.copy(item, target, name, without_attrs=True)
            copy_attributes(item, target[name])
            check()


def _back_up(old: Any, path: Path) -> str:
    """Set aside what was painted; what there is to say about it."""
    from orgseg_app.files.backups import backing_up

    return backing_up.before_migration(old, path)


def _notice(path: Path, before: int, after: int, note: str) -> str:
    if before == after:
        what = (
            f"“{path.name}” had passed through another program, which dropped what OrgSeg keeps in "
            "front of it; it was written anew. Images and masks are as they were."
        )
    else:
        what = (
            f"“{path.name}” was made by an older version of OrgSeg and was brought up to date. "
            "Images and masks are as they were; older versions can now only look at it."
        )
    return f"{what} {note}".strip()


# -- is the new file the old one? ----------------------------------------------------------------


def _compare(old: Any, new: Any, name: str) -> None:
    """Refuse a new file in which a voxel, a painted voxel or a fact of an image differs."""
    if list(old["images"]) != list(new["images"]):
        raise _differs(name, "its list of images")
    for image_id, before in old["images"].items():
        after = new["images"][image_id]
        if dict(_attributes(before)) != dict(_attributes(after)):
            raise _differs(name, f"the facts of image {image_id}")
        for layer in LAYERS:
            if (layer in before) != (layer in after):
                raise _differs(name, f"the {layer} of image {image_id}")
            if layer in before and not _are_same(before[layer], after[layer]):
                raise _differs(name, f"the {layer} of image {image_id}")


def _attributes(item: Any) -> Iterator[tuple[str, bytes]]:
    for key in item.attrs:
        value = np.asarray(item.attrs[key])
        yield key, value.dtype.str.encode() + value.tobytes()


def _are_same(before: Any, after: Any) -> bool:
    """Whether two datasets hold the same, compared as they lie on the disk where that is possible.

    So a damaged block compares as well: it stays what it was, and is dealt with where it is read.
    """
    if before.shape != after.shape or before.dtype != after.dtype:
        return False
    if before.chunks is not None and _plan(before) == _plan(after):
        chunks = _chunks(before)
        return chunks == _chunks(after) and all(
            before.id.read_direct_chunk(place) == after.id.read_direct_chunk(place)
            for place in chunks
        )
    return all(
        np.array_equal(before[place], after[place], equal_nan=before.dtype.kind == "f")
        for place in np.ndindex(before.shape[:-2])
    )


def _plan(dataset: Any) -> tuple[Any, ...]:
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(i)[:3] for i in range(plan.get_nfilters())]
    return dataset.chunks, filters


def _chunks(dataset: Any) -> dict[tuple[int, ...], int]:
    """Stored size of each chunk, by its place."""
    found: dict[tuple[int, ...], int] = {}
    dataset.id.chunk_iter(lambda info: found.__setitem__(info.chunk_offset, info.size))
    return found


def _differs(name: str, what: str) -> ProjectError:
    return ProjectError(
        f"“{name}” could not be brought up to date: {what} did not come out the same. {SAFE} "
        "Copy it to another disk and open it there."
    )
