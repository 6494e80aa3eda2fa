"""A file whose old bytes stay as they are until a save is complete.

HDF5 writes a project through a `PagedFile`. What it changes below the size the file had is kept in
memory, page by page; what it appends goes to the disk at once, where nothing refers to it yet. So a
save costs what changed, and until `apply_pages` the project on the disk is the one before.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from orgseg_app.files import atomic

PAGE = 4096


class PagedFile(atomic.GuardedFile):
    """A file object for h5py that writes no byte below the size it found.

    Parameters
    ----------
    descriptor
        An open, readable and writable file; closed by `close`.
    pages
        Pages that stand for those on the disk, by page number, as a save that was not applied yet
        left them.

    Attributes
    ----------
    base
        Size of the file when it was opened, in bytes.
    pages
        What was changed below it.
    """

    def __init__(self, descriptor: int, pages: Mapping[int, bytes] | None = None) -> None:
        super().__init__(descriptor)
        self.base = self._size
        self.pages: dict[int, bytearray] = {n: bytearray(b) for n, b in (pages or {}).items()}

    @property
    def size(self) -> int:
        """Bytes the file has for those who read it."""
        return self._size

    def truncate(self, size: int | None = None) -> int:
        """Cut or extend; below `base` only in memory."""
        size = self._position if size is None else size
        if size >= self.base:
            return super().truncate(size)
        self._size = size
        return size

    def readinto(self, buffer: object) -> int:
        """Read up to the end, changed pages included; a disk that cannot read gives zeros.

        HDF5 must not meet an error here either: `check` tells it afterwards.
        """
        start, before = self._position, self.error
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        try:
            count = super().readinto(view)
        except OSError as error:
            self.error = before or error
            count = max(0, min(len(view), self._size - start))
            view[:count] = bytes(count)
            self._position = start + count
        end = min(start + count, self.base)
        for number in range(start // PAGE, -(-end // PAGE)):
            page = self.pages.get(number)
            if page is not None:
                low, high = max(start, number * PAGE), min(end, number * PAGE + len(page))
                if low < high:
                    at = number * PAGE
                    view[low - start : high - start] = page[low - at : high - at]
        return count

    def write(self, data: object) -> int:
        """Keep what lies below `base`, write what lies above."""
        view = memoryview(data).cast("B")  # type: ignore[arg-type]
        start = self._position
        old = min(len(view), max(0, self.base - start))
        done = 0
        while done < old:
            number, inside = divmod(start + done, PAGE)
            step = min(old - done, PAGE - inside)
            page = self.page(number)
            page[inside : inside + step] = view[done : done + step]
            done += step
        self._position = start + old
        if old < len(view):
            super().write(view[old:])
        else:
            self._size = max(self._size, self._position)
        return len(view)

    def changed_pages(self) -> list[tuple[int, bytes]]:
        """Number and bytes of each changed page; those at the end may be shorter."""
        end = min(self.base, self._size)
        return [
            (number, bytes(page[: end - number * PAGE]))
            for number, page in sorted(self.pages.items())
            if number * PAGE < end
        ]

    def page(self, number: int) -> bytearray:
        """The page to write into, as on the disk when it is touched for the first time."""
        page = self.pages.get(number)
        if page is None:
            page = bytearray(PAGE)
            try:
                self._file.seek(number * PAGE)
                done = 0
                while done < PAGE:
                    step = self._file.readinto(memoryview(page)[done:])
                    if not step:
                        break
                    done += step
            except OSError as error:
                self.error = self.error or error
            self.pages[number] = page
        return page


def apply_pages(descriptor: int, pages: Iterable[tuple[int, bytes]], size: int) -> None:
    """Write pages over those on the disk, cut the file to its size, and push it to the medium.

    Doing it again does no harm: that is how a save that was interrupted here is finished.

    Raises
    ------
    OSError
        When the disk refuses; the pages must be written again before anybody reads the file.
    """
    for number, page in pages:
        os.lseek(descriptor, number * PAGE, os.SEEK_SET)
        rest = memoryview(page)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    os.ftruncate(descriptor, size)
    atomic.sync(descriptor)
