"""A project file that is open: its version, its HDF5 part for reading, its journal.

`orgseg_app.files.store.storage` adds writing. Who only looks reads through the same door: a crashed
project reads as its journal says, and while another process writes, each read sees one version.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py

from orgseg_app.files.attributes import copy_attributes
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images.layers import LOST, LOST_OBJECTS
from orgseg_app.files.safety.audit import DAMAGE, damaged, open_hdf5
from orgseg_app.files.store import places, recovery
from orgseg_app.files.store.draft import Draft
from orgseg_app.files.store.header import Header, read_header
from orgseg_app.files.store.journal import Journal
from orgseg_app.files.store.journal_rows import PAGES, Recovered, Save
from orgseg_app.files.store.lock import nobody_writing
from orgseg_app.files.store.paged_file import PagedFile
from orgseg_app.files.store.system_lock import shared_read

Pages = Sequence[tuple[int, bytes]]

_BINARY: int = getattr(os, "O_BINARY", 0)


class OpenedFile:
    """One HDF5 file, for reading.

    Attributes
    ----------
    path
        Absolute path as the user gave it.
    target
        The same with links resolved.
    read_only
        True when it is not written.
    header
        Version of the file; None for files of other programs and older versions.
    journal
        Open while the file is open for writing, or has something a reader needs.
    recovered
        What the journal held when it was opened.
    saved_upto, saved_serial
        Operations, and facts, up to these are in the file.
    notices
        Sentences about what opening found.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(os.path.abspath(path))
        self.target = Path(os.path.realpath(self.path))
        self.read_only = True
        self.header: Header | None = None
        self.journal: Journal | None = None
        self.recovered = Recovered()
        self.saved_upto = 0
        self.saved_serial = 0
        self.notices: list[str] = []
        self._file: Any = None
        self._descriptor = -1
        self._size = 0
        self._looks_through_pages = False
        self._reading = threading.RLock()
        self._depth = 0
        self._looking = contextlib.ExitStack()

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
            if not self.read_only or self._depth or self.header is None:
                yield self._file
                return
            with shared_read(self._descriptor):
                self._depth += 1
                try:
                    self._refresh()
                    yield self._file
                finally:
                    self._depth -= 1

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._size

    @property
    def holes(self) -> int:
        """Bytes of the file that hold nothing any more; image by image, others read in between."""
        with self.reading() as file:
            image_ids = list(file["images"])
            used = sum(_stored_bytes(file[name]) for name in file if name != "images")
        for image_id in image_ids:
            with self.reading() as file:
                used += _stored_bytes(file["images"].get(image_id))
        return max(0, self._size - used)

    def copy_objects(
        self, draft: Draft, told: Callable[[int, int], None] = lambda done, total: None
    ) -> None:
        """Copy object by object: what is left behind is the holes.

        Parameters
        ----------
        told
            Called with images done and in all; may raise to give up.
        """
        with self.reading() as file:
            copy_attributes(file, draft.file)
            names = [name for name in file if name != "images"]
            image_ids = list(file["images"])
            images = draft.file.create_group("images")
            copy_attributes(file["images"], images)
            for name in names:
                file.copy(file[name], draft.file, name)
        for done, image_id in enumerate(image_ids):
            told(done, len(image_ids))
            with self.reading() as file:
                source, target = file["images"][image_id], images.create_group(image_id)
                copy_attributes(source, target)
                for layer, item in source.items():
                    if not layer.startswith((LOST, LOST_OBJECTS)):  # beyond reading: holes
                        file.copy(item, target, layer)
            draft.check()

    # -- the journal -----------------------------------------------------------------------------

    def _journal_path(self) -> Path:
        return places.journal_path(self.target, self._known_header().file_id)

    def _known_header(self) -> Header:
        assert self.header is not None
        return self.header

    def _look_at_journal(self) -> Pages | None:
        """For a reader: what a crash left in the journal, unless a window is at work there."""
        if self.header is None or not os.path.exists(path := self._journal_path()):
            return None
        try:
            with nobody_writing(self.target) as is_idle:
                return self._read_journal(path) if is_idle else None
        except (FileError, OSError):
            self.recovered, self.journal = Recovered(), None
            return None

    def _read_journal(self, path: Path) -> Pages | None:
        """What it says beyond the file, and the pages of a save that was not finished."""
        assert self.header is not None
        self.journal = recovery.open_to_look(path, self._looking)
        save, known = self.journal.staged(), self.journal.identity()
        pages = None
        if save is not None:
            recovery.check_save(save, self.header, self._size)
            if save.kind == PAGES:
                pages = recovery.checked_pages(self.journal, save)
                self._size = save.size
        elif known is None or known[0] != self.header:
            raise recovery.ForeignJournalError("belongs to another version of it")
        self._recover(self.journal)
        if save is not None:
            self._forget_saved(save)
        return pages

    def _forget_saved(self, save: Save) -> None:
        """A save that is read from its pages: what went with it is not to be done again."""
        operations = [o for o in self.recovered.operations if o.number > save.upto]
        self.recovered.operations = operations
        if self.recovered.serial <= save.serial:
            self.recovered.facts = None

    def _recover(self, journal: Journal) -> None:
        self.recovered = journal.recover()
        first = next((o.number for o in self.recovered.operations), None)
        self.saved_upto = self.recovered.last_operation if first is None else first - 1
        self.saved_serial = 0 if self.recovered.facts is not None else self.recovered.serial

    # -- the file --------------------------------------------------------------------------------

    def _open_descriptor(self) -> None:
        flags = os.O_RDONLY if self.read_only else os.O_RDWR
        self._descriptor = os.open(self.target, flags | _BINARY)
        self._size = os.fstat(self._descriptor).st_size
        self.header = read_header(self._descriptor)

    def _open_file(self, pages: Pages | None = None) -> None:
        """Open for reading; with pages, as if these were in the file already."""
        self._looks_through_pages = pages is not None
        if pages is None:
            self._file = open_hdf5(self.target)
            return
        paged = PagedFile(os.open(self.target, os.O_RDONLY | _BINARY), dict(pages))
        try:
            # As `open_hdf5`.
            self._file = h5py.File(paged, "r", rdcc_nbytes=0)
        except DAMAGE as error:
            paged.close()
            raise damaged(self.path.name) from error

    def _open_again(self, pages: Pages | None = None, *, anew: bool = False) -> None:
        """Open the file after a save; a disk that refuses once is asked again.

        The save has happened: giving up here would close the project and call the save failed.

        Parameters
        ----------
        pages
            As in `_open_file`.
        anew
            Another file is in its place.
        """
        for tries_left in (2, 1, 0):
            try:
                if anew:
                    self._open_descriptor()
                self._open_file(pages)
                return
            except (OSError, ProjectError):
                if anew:
                    self._close_reading()
                if not tries_left:
                    raise

    def _refresh(self) -> None:
        """Follow a writer in another process that has saved meanwhile."""
        if self._looks_through_pages or read_header(self._descriptor) == self.header:
            return
        self._close_file()
        self.header = read_header(self._descriptor)
        self._size = os.fstat(self._descriptor).st_size
        self._open_file()

    def _close_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(*DAMAGE):
                self._file.close()
            self._file = None

    def _close_reading(self) -> None:
        self._close_file()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _stored_bytes(item: Any) -> int:
    """What a dataset, or everything in a group, takes up in the file."""
    if isinstance(item, h5py.Dataset):
        try:
            return int(item.id.get_storage_size())
        except DAMAGE:  # its list of blocks cannot be followed
            return 0
    if isinstance(item, h5py.Group):
        names = [name for name in item if not name.startswith((LOST, LOST_OBJECTS))]
        return sum(_stored_bytes(item[name]) for name in names)
    return 0
