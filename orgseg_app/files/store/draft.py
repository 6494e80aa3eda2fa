"""A whole new HDF5 file beside the old one, put in its place when complete.

This is how snapshots, predictions, copies, and compacted or migrated projects are written; a
project that is open is written in place (`orgseg_app.files.store.storage`).
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py

from orgseg_app.files import atomic
from orgseg_app.files.attributes import read_text, write_text
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.safety.audit import DAMAGE
from orgseg_app.files.schema import LIBVER, now
from orgseg_app.files.store.header import USER_BLOCK, Header, first_page

_BINARY: int = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class Draft:
    """A file being written.

    Attributes
    ----------
    file
        h5py.File, writable.
    header
        Version of the file; the mark is also in its attribute ``save_id``.
    check
        Raises the first error writing met; called between larger pieces of work.
    """

    file: Any
    header: Header
    check: Callable[[], None]


@contextlib.contextmanager
def drafting(
    target: Path,
    *,
    source: int | None = None,
    new_bytes: int = 0,
    header: Header | None = None,
    commit: Callable[[Path, Path], None] | None = None,
    safe: str = "Nothing was changed.",
) -> Iterator[Draft]:
    """Write a new version of ``target``; it appears when the body ends without an error.

    Parameters
    ----------
    target
        The file to make or replace.
    source
        Descriptor of the file to start from; None starts empty.
    new_bytes
        About how much will be added, for the check of free space.
    header
        The version it becomes; that of a new file unless given.
    commit
        Puts the complete draft in place of the target; `atomic.put_in_place` unless given.
    safe
        A sentence for error messages that says what is not lost.

    Raises
    ------
    ProjectError
        When it cannot be written; the target is as before.
    """
    name = target.name
    draft_path: Path | None = None
    guard: atomic.GuardedFile | None = None
    try:
        size = 0 if source is None else os.fstat(source).st_size
        atomic.check_space(target.parent, size + new_bytes, f"saving “{name}”")
        draft_path = atomic.make_draft(target)
        guard = atomic.GuardedFile(_open_filled(draft_path, source, size))
        header = header or Header.new()
        with _hdf5(guard, new=source is None) as file:
            yield Draft(file, header, guard.check)
            guard.check()
            sign(file, header)
            has_room = file.userblock_size >= USER_BLOCK
        if has_room:  # a file that passed through another program may begin with HDF5 itself
            guard.seek(0)
            guard.write(first_page(header))
        guard.sync()
        guard.close()
        _verify(draft_path, header)
        (commit or atomic.put_in_place)(draft_path, target)
    except FileError as error:
        _throw_away(guard, draft_path)
        if isinstance(error, atomic.SpaceError):
            raise ProjectError(f"{error} {safe}") from error
        raise
    except BaseException as error:
        met = guard.error if guard is not None else None
        _throw_away(guard, draft_path)
        cause = met or error
        if isinstance(cause, OSError) and cause.errno is not None:
            why = atomic.reason(cause)
        elif isinstance(cause, DAMAGE) and is_from_hdf5(cause):
            why = "part of the file is damaged"
        else:
            raise
        raise ProjectError(f"“{name}” could not be saved: {why}. {safe}") from error


def sign(file: Any, header: Header) -> None:
    """Note in an h5py.File being written which version it becomes, and when."""
    write_text(file, "save_id", header.mark)
    write_text(file, "saved", now())


def _open_filled(draft: Path, source: int | None, size: int) -> int:
    """Open a draft, holding a copy of the source."""
    descriptor = os.open(draft, os.O_RDWR | _BINARY)
    try:
        if source is not None:
            atomic.copy_bytes(source, descriptor, size)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


@contextlib.contextmanager
def _hdf5(guard: atomic.GuardedFile, *, new: bool) -> Iterator[Any]:
    """HDF5 over a guarded file; closed whatever happens."""
    if new:
        file = h5py.File(guard, "w", libver=LIBVER, userblock_size=USER_BLOCK)
    else:
        file = h5py.File(guard, "r+", libver=LIBVER)
    try:
        yield file
    finally:
        file.close()


def _verify(draft: Path, header: Header) -> None:
    """Look whether HDF5 can read what it wrote, before anything is replaced."""
    with h5py.File(draft, "r", locking=False) as file:
        if read_text(file, "save_id") != header.mark:
            raise OSError(errno.EIO, "the new file does not read back")


def is_from_hdf5(error: BaseException) -> bool:
    """True when h5py raised an error, and not our own code."""
    step = error.__traceback__
    while step is not None and step.tb_next is not None:
        step = step.tb_next
    return step is not None and str(step.tb_frame.f_globals.get("__name__")).startswith("h5py")


def _throw_away(guard: atomic.GuardedFile | None, draft: Path | None) -> None:
    if guard is not None:
        with contextlib.suppress(OSError):
            guard.close()
    if draft is not None:
        atomic.discard(draft)
