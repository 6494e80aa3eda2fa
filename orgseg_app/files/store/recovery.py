"""Which journal belongs to a project file, and what a crash left undone.

Rules: a journal is used only with the very version of the file it was written for, or with the one
that its unfinished save makes of it. Any other journal is set aside under another name, and neither
is changed.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from orgseg_app.files.errors import FileError
from orgseg_app.files.store.header import Header, read_header
from orgseg_app.files.store.journal import Journal, remove_journal, rename_journal
from orgseg_app.files.store.journal_rows import PAGES, DamagedJournalError, Save
from orgseg_app.files.store.paged_file import PAGE, apply_pages

ORPHAN = ".orphan-"
_STRAYS = 16


class ForeignJournalError(FileError):
    """The journal belongs to another version of the file."""


def finish_save(journal: Journal, descriptor: int, header: Header) -> tuple[Header, Save | None]:
    """Bring a file to the version its journal says, before HDF5 looks at it.

    Parameters
    ----------
    descriptor
        The project file, open for writing.
    header
        The one it has now.

    Returns
    -------
    header, save
        The one it has afterwards, and the save that was finished, if any.

    Raises
    ------
    ForeignJournalError
        When they do not belong together; nothing was changed.
    DamagedJournalError, OSError
        When the journal or the file cannot be used.
    """
    size = os.fstat(descriptor).st_size
    save = journal.staged()
    if save is not None:
        after = _settled(journal, save, descriptor, header, size)
        return after, save if after == save.after else None
    known = journal.identity()
    if known is None:
        journal.belong_to(header, size, closed=False)
        return header, None
    belongs_to, known_size, was_closed = known
    if belongs_to != header or size < known_size:
        raise ForeignJournalError("it belongs to another version of the project")
    if not was_closed and size > known_size:
        os.ftruncate(descriptor, known_size)  # half an import, to which nothing refers
        size = known_size
    journal.belong_to(header, size, closed=False)
    return header, None


def _settled(journal: Journal, save: Save, descriptor: int, header: Header, size: int) -> Header:
    check_save(save, header, size)
    if save.kind == PAGES:
        pages = checked_pages(journal, save)
        apply_pages(descriptor, pages, save.size)
        written = read_header(descriptor)
        if written != save.after:
            raise DamagedJournalError("the pages of a save under way are damaged")
        journal.finish(save, save.size)
        return save.after
    if header == save.after:
        journal.finish(save, size)
    else:
        journal.abandon()
        journal.belong_to(header, size, closed=False)
    return header


def check_save(save: Save, header: Header, size: int) -> None:
    """Refuse a save under way that is not of this file, as it is now.

    Raises
    ------
    ForeignJournalError
        When it is not; in particular when the file lacks what the save has appended.
    """
    if header not in (save.before, save.after) or (save.kind == PAGES and size < save.size):
        raise ForeignJournalError("it belongs to another version of the project")


def checked_pages(journal: Journal, save: Save) -> list[tuple[int, bytes]]:
    """The pages of a save, all of them inside its file.

    Raises
    ------
    DamagedJournalError
        When they are not.
    """
    pages = journal.pages(save)
    if any(number < 0 or number * PAGE + len(page) > save.size for number, page in pages):
        raise DamagedJournalError("the pages of a save under way lie outside the file")
    return pages


def set_aside(path: Path) -> Path:
    """Rename a journal that cannot be used; nothing in it is changed.

    Raises
    ------
    OSError
        When the system refuses.
    """
    aside = _aside(path)
    rename_journal(path, aside)
    return aside


def _aside(path: Path) -> Path:
    stem = f"{path}{ORPHAN}{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    aside, number = Path(stem), 1
    while os.path.lexists(aside):
        number += 1
        aside = Path(f"{stem}-{number}")
    return aside


def keep_copy(path: Path) -> Path:
    """Copy a journal nobody has open to where those go that were set aside.

    Raises
    ------
    OSError
        When the system refuses.
    """
    aside = _aside(path)
    for suffix in ("", "-wal"):
        if os.path.exists(f"{path}{suffix}"):
            shutil.copyfile(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


def orphans(path: Path) -> list[Path]:
    """Journals of a project that were set aside, oldest first.

    Parameters
    ----------
    path
        Where its journal lies.
    """
    found = []
    with contextlib.suppress(OSError):
        prefix = path.name + ORPHAN
        for entry in sorted(os.listdir(path.parent)):
            if entry.startswith(prefix) and not entry.endswith(("-wal", "-shm")):
                found.append(path.parent / entry)
    return found


def adopt_stray(path: Path, header: Header) -> bool:
    """Take over the journal of a project that was renamed after a crash; True when there was one.

    Parameters
    ----------
    path
        Where the journal should be, and is not.
    header
        Of the project.
    """
    ending = "-journal"
    candidates = []
    with contextlib.suppress(OSError):
        names = os.listdir(path.parent)
        there = set(names)
        candidates = [n for n in names if n.endswith(ending) and n[: -len(ending)] not in there]
    for name in sorted(candidates)[:_STRAYS]:
        stray = path.parent / name
        with contextlib.suppress(FileError, OSError), looking_into(stray) as journal:
            known, save = journal.identity(), journal.staged()
            belongs = (known is not None and known[0] == header) or (
                save is not None and header in (save.before, save.after)
            )
            if belongs:
                journal.close()
                rename_journal(stray, path)
                return True
    return False


@contextlib.contextmanager
def looking_into(path: Path) -> Iterator[Journal]:
    """Read a journal nobody has open, without changing anything on the disk.

    Raises
    ------
    JournalError, DamagedJournalError
        When it cannot be read.
    """
    with contextlib.ExitStack() as stack:
        yield open_to_look(path, stack)


def open_to_look(path: Path, stack: contextlib.ExitStack) -> Journal:
    """As `looking_into`, until the stack is closed."""
    if not os.path.exists(f"{path}-wal"):
        journal = Journal(path, look_only=True)
    else:  # SQLite would have to write to read it: a copy
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="orgseg-"))
        copy = Path(folder, "journal")
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
        journal = Journal(copy)
    stack.callback(journal.close)
    return journal


__all__ = [
    "ForeignJournalError",
    "adopt_stray",
    "check_save",
    "checked_pages",
    "finish_save",
    "keep_copy",
    "looking_into",
    "open_to_look",
    "orphans",
    "remove_journal",
    "set_aside",
]
