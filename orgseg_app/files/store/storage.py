"""How a project file is kept: opened, locked, read, and written in place without ever being half.

`Storage.transaction` is the one way to write. HDF5 writes through a `PagedFile`: what it appends
goes to the disk at once, what it changes below stays in memory. Then, each step only after the one
before has reached the disk:

1. the appended bytes, to which nothing refers yet;
2. one transaction of the journal that holds every changed page: *the moment of the save*;
3. the pages, in their places;
4. the journal forgets them.

Before 2 the project is the old one, from 2 on the new one; whatever interrupts 3 is done again.
The cost follows the change, not the project. Readers hold `Storage.reading` for as long as they use
what it yields, so 3 happens between two reads.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import h5py

from orgseg_app.files import atomic, schema
from orgseg_app.files.attributes import read_text
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.safety import change_times, gate, known_files
from orgseg_app.files.safety.audit import DAMAGE, check_objects, damaged, open_hdf5
from orgseg_app.files.safety.known_files import FileMark
from orgseg_app.files.store.draft import drafting, is_from_hdf5, sign
from orgseg_app.files.store.header import Header, read_header
from orgseg_app.files.store.journal_rows import (
    PAGES,
    SWAP,
    JournalError,
    Save,
)
from orgseg_app.files.store.journaled_file import JournaledFile
from orgseg_app.files.store.opened_file import Pages
from orgseg_app.files.store.paged_file import PagedFile, apply_pages
from orgseg_app.files.store.system_lock import exclusive_write

SAFE = "Nothing is lost: the file is as it was last saved, and unsaved work stays open."

MOMENT_BYTES = 128 * 2**20
"""What is left of a file that is compacted without asking: more takes longer than a moment."""
HOLES_SHARE = 0.25
HOLES_BYTES = 64 * 2**20

_BINARY: int = getattr(os, "O_BINARY", 0)


class Storage(JournaledFile):
    """One HDF5 file that is read from and written in place.

    Attributes
    ----------
    trouble
        A sentence while a save is decided and the disk does not take it; "" otherwise.
    mark
        State of the file where this computer wrote it or let it in; None when it is new here.
    on_closing
        Called at the end of a session that wrote in order, while nobody else can write the file.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        self.trouble = ""
        self._writing = threading.RLock()
        self.mark: FileMark | None = None
        self._is_admitted = False
        self.on_closing: Callable[[], None] = lambda: None
        self._check: Callable[[], None] | None = None

    # -- opening and closing ---------------------------------------------------------------------

    def create(self, fill: Callable[[Any], None]) -> None:
        """Make the file, written by ``fill`` (given an ``h5py.File``), and open it for writing.

        Raises
        ------
        ProjectError
            When something has that name already, or nothing can be written there.
        """

        def commit(draft: Path, target: Path) -> None:
            atomic.put_in_place(draft, target, overwrite=False)

        folder = self.target.parent
        try:
            if not os.path.isdir(folder):
                raise ProjectError(f"There is no folder {folder} to create a project in.")
            self._take_lock()
            if os.path.lexists(self.target):
                raise FileExistsError
            with drafting(self.target, commit=commit) as draft:
                fill(draft.file)
            known_files.remember(self.target)
            self._is_admitted = True
            self.read_only = False
            self._open_descriptor()
            self._open_file()
            self.start_journal()
            if self.read_only:
                raise ProjectError(self.read_only_reason)
        except BaseException as error:
            self.close()
            if isinstance(error, FileExistsError) or isinstance(error.__cause__, FileExistsError):
                raise ProjectError(
                    f"“{self.path.name}” is already there and was left as it is. "
                    "Open it, or choose another name."
                ) from error
            if isinstance(error, OSError):
                raise ProjectError(
                    f"No project can be created in {folder}: {atomic.reason(error)}."
                ) from error
            raise

    def open(self, *, read_only: bool, gated: bool = True) -> None:
        """Open the file, for writing unless that is impossible, and check that it is harmless.

        Parameters
        ----------
        gated
            Let a throw-away child look at a file this computer does not know.

        Raises
        ------
        LockedError
            When another window has it open for writing.
        ProjectError
            When it is no project, damaged, or holds what projects never hold.
        """
        try:
            if not read_only and os.path.isfile(self.target):
                self._prepare_writing()
            pages: Pages | None = None
            if os.path.isfile(self.target) and os.access(self.target, os.R_OK):
                self._open_descriptor()
                if self.read_only:
                    pages = self._look_at_journal()
                else:
                    self._finish_last_save()
            self._admit(pages, gated=gated)
        except OSError as error:
            self.close()
            raise ProjectError(
                f"“{self.path.name}” cannot be opened: {atomic.reason(error)}. "
                "It was left as it is."
            ) from error
        except BaseException:
            self.close()
            raise

    def _admit(self, pages: Pages | None, *, gated: bool) -> None:
        """Look whether the file is whole and harmless, and open it."""
        if gated and os.path.isfile(self.target):
            if pages is None:
                self.mark = known_files.known_mark(self.target)
            if self.mark is None:
                gate.admit(self.target, pages=pages or ())
        self._open_file(pages)
        try:
            schema.read_version(self._file, self.path.name)
            if self.mark is not None and not self.is_as_known():
                self.mark = None
            # Walking takes 1.4 ms an image: not again where the same state is the same content.
            if self.mark is None or not change_times.can_be_believed(self.target):
                check_objects(self._file, self.path.name)
            self._is_admitted = True
        except DAMAGE as error:
            raise damaged(self.path.name, type(error).__name__) from error

    def is_as_known(self) -> bool:
        """True while the file is in the state that this computer wrote or let in."""
        return self.mark is not None and known_files.mark_of(self.target) == self.mark

    def replaced(self) -> None:
        """Open the file anew after something else has put another in its place (a migration).

        Raises
        ------
        ProjectError
            When it holds what projects never hold; the former one stays open.
        """
        with contextlib.closing(open_hdf5(self.target)) as file:
            try:
                check_objects(file, self.path.name)
            except DAMAGE as error:
                raise damaged(self.path.name, type(error).__name__) from error
        with self._reading:
            self._close_reading()
            self._open_descriptor()
            self._open_file()
        self.mark = None
        if not self.read_only:
            known_files.remember(self.target)

    def close(self) -> None:
        """Let the file go; waits for a transaction under way."""
        with self._writing, self._reading:
            was_writer = not self.read_only and self._descriptor >= 0
            if was_writer and self._unsettled is not None:
                with contextlib.suppress(FileError, OSError):
                    self.settle()
            left = known_files.mark_of_open(self._descriptor) if was_writer else None
            self._close_reading()
            if self.journal is not None and was_writer:
                self._close_journal(self.journal)
            self.journal = None
            self._looking.close()
            if left is not None and self._unsettled is None and self._is_admitted:
                known_files.remember(self.target, left)  # not what somebody else put in its place
                self.on_closing()
            self._drop_lock()

    # -- reading and writing ---------------------------------------------------------------------

    @contextlib.contextmanager
    def transaction(
        self,
        *,
        new_bytes: int = 0,
        drop: Collection[str] = (),
        upto: int | None = None,
        serial: int | None = None,
    ) -> Iterator[Any]:
        """Write to the file: yields an ``h5py.File``; all of it lasts, or none of it.

        Parameters
        ----------
        new_bytes
            About how much will be added, for the check of free space.
        drop
            Ids of images to leave out.
        upto, serial
            Operations and facts that are in the file afterwards; as before unless given.

        Raises
        ------
        ProjectError
            When it cannot be written; the file is as before.
        """
        with self._writing:
            paged: PagedFile | None = None
            try:
                self._refuse_reader()
                self.settle()
                self._refuse_foreign_change()
                atomic.check_space(self.target.parent, new_bytes, f"saving “{self.path.name}”")
                paged = self._open_paged()
                self._check = paged.check
                with h5py.File(paged, "r+", libver=schema.LIBVER) as file:
                    for image_id in drop:
                        del file["images"][image_id]
                    yield file
                    paged.check()
                    after = self._known_header().next()
                    sign(file, after)
                self._fold_in(
                    paged,
                    after,
                    self.saved_upto if upto is None else upto,
                    self.saved_serial if serial is None else serial,
                )
            except BaseException as error:
                self._raise_as_sentence(error, paged.error if paged is not None else None)
            finally:
                self._check = None
                if paged is not None:
                    paged.close()
                    self._cut_appended()

    @contextlib.contextmanager
    def copying(self, target: Path, *, new_bytes: int = 0) -> Iterator[Any]:
        """Write a copy with changes to another place; the file itself stays.

        Raises
        ------
        ProjectError
            When it cannot be written there.
        """
        with self._writing:
            self._refuse_overwritten()
            whole = self._unsettled is None and not self._looks_through_pages
            with drafting(
                target,
                source=self._descriptor if whole else None,
                new_bytes=new_bytes + (0 if whole else self._size),
                safe=SAFE,
            ) as draft:
                self._check = draft.check
                try:
                    if not whole:
                        self.copy_objects(draft)
                    yield draft.file
                finally:
                    self._check = None

    def compact(self, progress: Callable[[int, int], bool] | None = None) -> bool:
        """Write the file anew without its holes, and swap it in.

        Parameters
        ----------
        progress
            Called with images copied and in all; False gives up, and the file stays as it is.

        Returns
        -------
        bool
            False when it was given up.

        Raises
        ------
        ProjectError
            When it cannot be written; the file is as before.
        """

        def told(done: int, total: int) -> None:
            if progress is not None and not progress(done, total):
                raise _GivenUpError

        with self._writing:
            try:
                self._refuse_reader()
                self.settle()
                self._refuse_foreign_change()
                self._rewrite(None, told)
            except (OSError, JournalError) as error:
                self._raise_as_sentence(error, None)
            except _GivenUpError:
                return False
        return True

    @property
    def compacts_in_a_moment(self) -> bool:
        """True when `compact` is worth it, and nobody would notice the time it takes."""
        if self._size <= HOLES_BYTES:
            return False
        holes = self.holes
        return is_worth_compacting(holes, self._size) and self._size - holes <= MOMENT_BYTES

    def settle(self) -> None:
        """Finish a save that was decided and could not be applied or forgotten.

        Raises
        ------
        ProjectError
            When the disk still refuses; what was decided is safe in the journal.
        """
        with self._writing:
            if self._unsettled is None or self.journal is None:
                return
            save, pages = self._unsettled
            try:
                if pages is None:  # it is not known whether it was decided
                    self.journal.reopen()
                    staged = self.journal.staged()
                    if staged is None or staged.after != save.after:
                        self._unsettled = None
                        self._cut_appended()
                        self.trouble = ""
                        return
                    pages = self.journal.pages(staged)
                    self._unsettled = save, pages
                self._apply(save, pages)
            except (OSError, FileError) as error:
                raise self._not_written(error) from error
            if self._unsettled is not None:
                raise self._not_written(None)

    def check(self) -> None:
        """Within a transaction: raise the first error writing met, to stop early.

        Raises
        ------
        OSError
            As the system reported it; the transaction turns it into a sentence.
        """
        if self._check is not None:
            self._check()

    # -- a save ----------------------------------------------------------------------------------

    def _fold_in(self, paged: PagedFile, after: Header, upto: int, serial: int) -> None:
        assert self.journal is not None
        after.write_into(paged.page(0))
        paged.check()
        sync_appended(self._descriptor)
        pages = paged.changed_pages()
        _verify(paged, after)
        save = Save(PAGES, self._known_header(), after, paged.size, upto, serial)
        try:
            self.journal.stage(save, pages)
        except FileError:
            self._unsettled = save, None
            self.settle()  # was it decided before the disk failed?
            if self.header != after:
                raise
            return
        self._apply(save, pages)

    def _apply(self, save: Save, pages: Pages) -> None:
        """Steps 3 and 4. What fails here is tried again; the save itself has happened."""
        assert self.journal is not None
        self._unsettled = save, pages
        with self._reading:
            self._close_file()
            try:
                with exclusive_write(self._descriptor):
                    apply_pages(self._descriptor, pages, save.size)
            except OSError as error:
                self.trouble = str(self._not_written(error))
                self._size = save.size
                self._open_again(pages)
                return
            self.header, self._size = save.after, save.size
            self._open_again()
        self.saved_upto, self.saved_serial = save.upto, save.serial
        try:
            self.journal.finish(save, save.size)
        except FileError as error:
            # Applying the same pages again does no harm, so it may simply be repeated.
            self.trouble = str(self._not_written(error))
            return
        self._unsettled = None
        self.trouble = ""
        left = known_files.mark_of_open(self._descriptor)
        known_files.remember(self.target, left)  # after a crash it is not a stranger's

    def _open_paged(self) -> PagedFile:
        self._cut_appended()
        return PagedFile(os.open(self.target, os.O_RDWR | _BINARY))

    def _cut_appended(self) -> None:
        """Take back what a transaction appended and did not save."""
        if self._unsettled is None and self._descriptor >= 0:
            with contextlib.suppress(OSError):
                if os.fstat(self._descriptor).st_size > self._size:
                    os.ftruncate(self._descriptor, self._size)

    def _rewrite(
        self, source: int | None, told: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        """Put a new file in the place of this one: a copy, or its objects without holes."""
        after = self._known_header().next()

        def swap(draft: Path, target: Path) -> None:
            assert self.journal is not None
            size = os.stat(draft).st_size
            save = Save(SWAP, self._known_header(), after, size, self.saved_upto, self.saved_serial)
            self.journal.stage(save)
            with self._reading:
                if sys.platform == "win32":  # it does not replace a file that is open
                    self._close_reading()
                try:
                    atomic.put_in_place(draft, target)
                except BaseException:
                    if self._descriptor < 0:
                        self._open_descriptor()
                        self._open_file()
                    with contextlib.suppress(FileError):
                        self.journal.abandon()
                    raise
                self._close_reading()
                self._open_again(anew=True)
            try:
                self.journal.finish(save, size)
            except FileError as error:
                self._unsettled = save, ()
                self.trouble = str(self._not_written(error))

        size = 0 if source is not None else self._size
        with drafting(
            self.target, source=source, new_bytes=size, header=after, commit=swap, safe=SAFE
        ) as draft:
            if source is None:
                self.copy_objects(draft, told)

    def _raise_as_sentence(self, error: BaseException, met: OSError | None) -> None:
        """Raise what happened in a transaction, in words a person can use."""
        if isinstance(error, atomic.SpaceError):
            raise ProjectError(f"{error} {SAFE}") from error
        cause = met or error
        if isinstance(error, JournalError):
            why = str(error)
        elif isinstance(error, FileError):
            raise error
        elif isinstance(cause, OSError) and cause.errno is not None:
            why = atomic.reason(cause)
        elif isinstance(error, DAMAGE) and is_from_hdf5(error):
            why = "part of the file is damaged"
        else:
            raise error
        raise ProjectError(f"“{self.path.name}” could not be saved: {why}. {SAFE}") from error

    def _not_written(self, error: BaseException | None) -> ProjectError:
        if error is None and self.trouble:
            return ProjectError(self.trouble)
        why = atomic.reason(error) if isinstance(error, OSError) else str(error).rstrip(".")
        name = self.journal.path.name if self.journal is not None else "its journal"
        return ProjectError(
            f"“{self.path.name}” cannot be written now: {why}. What was saved is safe in “{name}” "
            "beside it, and is written as soon as the disk takes it."
        )

    # -- refusing --------------------------------------------------------------------------------

    def _refuse_reader(self) -> None:
        if self.read_only:
            why = self.read_only_reason or f"“{self.path.name}” was opened to look only."
            raise ProjectError(f"{why} Save a copy under another name to keep your changes.")
        if self._descriptor < 0:
            raise ProjectError(f"“{self.path.name}” is not open any more.")
        self._hold_lock()

    def _refuse_overwritten(self) -> None:
        if self._descriptor < 0:
            raise ProjectError(f"“{self.path.name}” is not open any more.")
        if self.header is not None and self._unsettled is None:
            found = read_header(self._descriptor)
            if found != self.header and not (self.read_only and found is not None):
                raise ProjectError(
                    f"Another program wrote over “{self.path.name}” while it was open: the images "
                    "are gone from it. Restore it from a backup; it was not written again."
                )

    def _refuse_foreign_change(self) -> None:
        """Refuse to write a file that another program has replaced or written."""
        try:
            descriptor = os.open(self.target, os.O_RDONLY | _BINARY)
        except FileNotFoundError:  # deleted while open: it is written again
            self._refuse_overwritten()
            self._rewrite(self._descriptor)
            return
        try:
            same_file = os.path.samestat(os.fstat(descriptor), os.fstat(self._descriptor))
            same_version = read_header(descriptor) == self.header
            same_size = os.fstat(descriptor).st_size >= self._size
        finally:
            os.close(descriptor)
        if not (same_version and same_size):
            raise ProjectError(
                f"“{self.path.name}” was changed by another program since it was opened, and was "
                "not overwritten. Your work is still open: save a copy under another name."
            )
        if not same_file:  # a copy of this very version was put there
            self.replaced()


def is_worth_compacting(holes: int, size: int) -> bool:
    """True when so much of a file holds nothing any more that it should be written anew.

    >>> is_worth_compacting(300 << 20, 1 << 30), is_worth_compacting(30 << 20, 100 << 20)
    (True, False)
    """
    return holes > max(HOLES_BYTES, HOLES_SHARE * size)


class _GivenUpError(Exception):
    """Somebody has asked to stop."""


def _verify(paged: PagedFile, header: Header) -> None:
    """Look whether HDF5 can read what it wrote, before that becomes the project."""
    paged.seek(0)
    with h5py.File(paged, "r") as file:
        if read_text(file, "save_id") != header.mark or "images" not in file:
            raise OSError(errno.EIO, "what was written does not read back")


def sync_appended(descriptor: int) -> None:
    """Step 1 of a save. A name of its own: the crash tests take the barriers away one by one."""
    atomic.sync(descriptor)
