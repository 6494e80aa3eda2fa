"""How a project file is kept: opened, locked, read, and written as a whole.

`Storage.transaction` is the one way to write. It makes a new file beside the old one and swaps them
when the new one is complete and on the disk; a journal can take its place without anything else
noticing. Readers hold `Storage.reading` for as long as they use what it yields, so the swap happens
between two reads; while a transaction fills the new file, reading goes on.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from orgseg_app.files import atomic, schema
from orgseg_app.files.attributes import copy_attributes
from orgseg_app.files.audit import DAMAGE, check_objects, damaged, open_hdf5
from orgseg_app.files.draft import Draft, drafting, read_mark
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.lock import ProjectLock, is_running

SAFE = "Nothing is lost: the file is as it was last saved, and unsaved work stays open."

HOLES_SHARE = 0.25
HOLES_BYTES = 64 * 2**20

_BINARY: int = getattr(os, "O_BINARY", 0)


class Storage:
    """One HDF5 file that is read from and replaced.

    Attributes
    ----------
    path
        Absolute path as the user gave it.
    target
        The same with links resolved: the file that is replaced.
    read_only
        True when `transaction` refuses.
    read_only_reason
        A sentence, when it is read-only although writing was asked for.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.target = Path(os.path.realpath(self.path))
        self.read_only = True
        self.read_only_reason = ""
        self._file: Any = None
        self._descriptor = -1
        self._stamp = (0, 0)
        self._mark = ""
        self._unused = 0
        self._lock: ProjectLock | None = None
        self._reading = threading.RLock()
        self._writing = threading.RLock()
        self._draft: Draft | None = None

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
            self._open_reading()
            self.read_only = False
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

    def open(self, *, read_only: bool) -> None:
        """Open the file, for writing unless that is impossible, and check that it is harmless.

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
            self._open_reading()
            try:
                schema.read_version(self._file, self.path.name)
                stored = check_objects(self._file, self.path.name)
            except DAMAGE as error:
                raise damaged(self.path.name, type(error).__name__) from error
            self._unused = self._stamp[0] - stored
        except BaseException:
            self.close()
            raise

    def stay_reader(self, reason: str) -> None:
        """Give up writing and the lock, for a reason the user is told."""
        if not self.read_only:
            self.read_only_reason = reason
        self.read_only = True
        self._drop_lock()

    def close(self) -> None:
        """Let the file go; waits for a transaction under way."""
        with self._writing, self._reading:
            self._close_reading()
            self._drop_lock()

    # -- reading and writing ---------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(self) -> Iterator[Any]:
        """The open ``h5py.File``, for one thread at a time.

        Raises
        ------
        ProjectError
            When the project is closed.
        """
        with self._reading:
            if self._file is None:
                raise ProjectError(f"“{self.path.name}” is not open any more.")
            yield self._file

    @contextlib.contextmanager
    def transaction(self, *, new_bytes: int = 0, drop: Collection[str] = ()) -> Iterator[Any]:
        """Write to the file: yields an ``h5py.File``; all of it lasts, or none of it.

        Parameters
        ----------
        new_bytes
            About how much will be added, for the check of free space.
        drop
            Ids of images to leave out; the room they took is given back when it is worth it.

        Raises
        ------
        ProjectError
            When it cannot be written; the file is as before.
        """
        with self._writing:
            if self.read_only:
                why = self.read_only_reason or f"“{self.path.name}” was opened to look only."
                raise ProjectError(f"{why} Save a copy under another name to keep your changes.")
            self._refuse_foreign_change()
            with self._filled(self.target, new_bytes, drop, self._swap) as draft:
                yield draft.file

    @contextlib.contextmanager
    def copying(self, target: Path, *, new_bytes: int = 0) -> Iterator[Any]:
        """Write a copy with changes to another place; the file itself stays.

        Raises
        ------
        ProjectError
            When it cannot be written there.
        """
        with self._writing, self._filled(target, new_bytes, (), None) as draft:
            yield draft.file

    def check(self) -> None:
        """Within a transaction: raise the first error writing met, to stop early.

        Raises
        ------
        OSError
            As the system reported it; the transaction turns it into a sentence.
        """
        if self._draft is not None:
            self._draft.check()

    # -- within ----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _filled(
        self,
        target: Path,
        new_bytes: int,
        drop: Collection[str],
        commit: Callable[[Path, Path], None] | None,
    ) -> Iterator[Draft]:
        """A draft of ``target`` that holds what the file holds, less the dropped images."""
        if self._descriptor < 0:
            raise ProjectError(f"“{self.path.name}” is not open any more.")
        if not self._is_ours(self._descriptor):
            raise ProjectError(
                f"Another program wrote over “{self.path.name}” while it was open: the images are "
                "gone from it. Restore it from a backup; it was not written again."
            )
        size = os.fstat(self._descriptor).st_size
        holes = self._unused + self._stored(drop)
        compact = holes > max(HOLES_BYTES, HOLES_SHARE * size)
        with drafting(
            target,
            source=None if compact else self._descriptor,
            new_bytes=new_bytes + (size - holes if compact else 0),
            commit=commit,
            safe=SAFE,
        ) as draft:
            self._draft = draft
            try:
                if compact:
                    self._copy_objects(draft, drop)
                else:
                    for image_id in drop:
                        del draft.file["images"][image_id]
                yield draft
            finally:
                self._draft = None
        if commit is not None:
            self._unused = 0 if compact else holes

    def _stored(self, image_ids: Collection[str]) -> int:
        """Bytes that images take up in the file."""
        with self.reading() as file:
            layers = [layer for i in image_ids for layer in file["images"][i].values()]
            return sum(int(layer.id.get_storage_size()) for layer in layers)

    def _copy_objects(self, draft: Draft, drop: Collection[str]) -> None:
        """Copy object by object: what is left behind is the holes."""
        with self.reading() as file:
            copy_attributes(file, draft.file)
            names = list(file["images"])
        images = draft.file.create_group("images")
        for image_id in names:
            if image_id not in drop:
                with self.reading() as file:
                    source, target = file["images"][image_id], images.create_group(image_id)
                    copy_attributes(source, target)
                    for layer, dataset in source.items():
                        file.copy(dataset, target, layer, without_attrs=True)
                        copy_attributes(dataset, target[layer])
                draft.check()

    def _prepare_writing(self) -> None:
        """Take the lock and clean up after killed saves; or note why only reading is possible."""
        name = self.path.name
        if not os.access(self.target, os.W_OK):
            self.read_only_reason = f"“{name}” is write-protected."
            return
        try:
            self._take_lock()
        except OSError as error:
            self.read_only_reason = f"“{name}” cannot be saved where it is: {atomic.reason(error)}."
            return
        self.read_only = False
        for draft, pid in atomic.leftovers(self.target):
            if pid == os.getpid() or not is_running(pid):
                atomic.discard(draft)

    def _take_lock(self) -> None:
        lock = ProjectLock(self.target)
        lock.acquire()
        self._lock = lock

    def _drop_lock(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _open_reading(self) -> None:
        """Open the file for reading, letting go of the version read so far."""
        file = open_hdf5(self.target)
        descriptor = os.open(self.target, os.O_RDONLY | _BINARY)
        with self._reading:
            self._close_reading()
            self._file, self._descriptor = file, descriptor
            self._stamp = _stamp(os.fstat(descriptor))
            self._mark = read_mark(descriptor)

    def _close_reading(self) -> None:
        if self._file is not None:
            with contextlib.suppress(*DAMAGE):
                self._file.close()
            self._file = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _swap(self, draft: Path, target: Path) -> None:
        """Put a complete draft in place and read from it from now on."""
        with self._reading:
            if sys.platform == "win32":  # it does not replace a file that is open
                self._close_reading()
            try:
                atomic.put_in_place(draft, target)
            except BaseException:
                if self._file is None:
                    with contextlib.suppress(FileError, OSError):
                        self._open_reading()
                raise
            self._open_reading()

    def _refuse_foreign_change(self) -> None:
        """Refuse to replace a file that another program has written since we read it."""
        try:
            descriptor = os.open(self.target, os.O_RDONLY | _BINARY)
        except FileNotFoundError:
            return  # deleted while open: saving writes it again
        try:
            same = self._is_ours(descriptor)
        finally:
            os.close(descriptor)
        if not same:
            raise ProjectError(
                f"“{self.path.name}” was changed by another program since it was opened, and was "
                "not overwritten. Your work is still open: save a copy under another name."
            )

    def _is_ours(self, descriptor: int) -> bool:
        """True when an open file is the version that we read."""
        if _stamp(os.fstat(descriptor)) == self._stamp:
            return True
        return bool(self._mark) and read_mark(descriptor) == self._mark


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
