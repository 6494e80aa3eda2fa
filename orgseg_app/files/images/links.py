"""Linked images: their voxels stay in the file they came from, which is known by its content.

A project says what the file of a linked image holds (its SHA-256), not where it lies. Where it
lies is known to this computer (`orgseg_app.files.images.link_records`); otherwise the project's own
folder is searched for a file of the same size, and then of the same content. So a moved or renamed
file is found again, and another file is never taken for it, whatever it is called: masks cannot end
up on the wrong image.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from orgseg_app.core.image import OpenedImage, Pixels
from orgseg_app.core.project import Link, ProjectImage
from orgseg_app.files.errors import FileError, ProjectError, ReadError
from orgseg_app.files.images.content import PIECE, SETTLED_NS, Check, Content, Stamp, content_of
from orgseg_app.files.images.link_records import LinkRecords, Record
from orgseg_app.files.images.link_search import candidates, files_in
from orgseg_app.files.readers.apart import ReadingChild

FOUND, MISSING, CHANGED = "found", "missing", "changed"
"""What `LinkedFiles.state` says."""

MOST_ENTRIES, MOST_DEPTH = 200_000, 16
"""How far a search goes that was asked for."""

_OWN_ENTRIES, _OWN_DEPTH, _OWN_STRANGERS = 10_000, 4, 16
"""How far the search of the project's own folder goes, which nobody asked for."""

T = TypeVar("T")

Progress = Callable[[int, int, str], bool]

Listing = Callable[[Path, int], Iterable[Path]]
"""Files in a folder, and so many folders deep."""

_REPEAT_S = 5.0
_KEPT_OPEN = 4


class LinkError(ProjectError):
    """A linked image cannot be read.

    Attributes
    ----------
    state
        `MISSING` or `CHANGED`.
    """

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state


class _StoppedError(Exception):
    """The user ended a search."""


@dataclass(frozen=True)
class Found:
    """What a search for linked files brought.

    Attributes
    ----------
    linked
        Ids of the images whose file was found by it.
    missing
        Ids of the images whose file is still missing.
    refused
        A sentence for each file that is called like a missing one and holds something else.
    """

    linked: tuple[str, ...]
    missing: tuple[str, ...]
    refused: tuple[str, ...]


class LinkedFiles:
    """The files of a project's linked images, as far as this computer has them.

    Safe to use from several threads; who only asks `is_at_hand` and `place` never waits for a
    search.

    Parameters
    ----------
    project_uuid
        Of the project.
    folder
        The project's own folder.
    """

    def __init__(self, project_uuid: str, folder: Path) -> None:
        self.folder = Path(os.path.abspath(folder))
        self._records = LinkRecords(project_uuid)
        self._noted_at: dict[str, float] = {}
        self._missed: dict[str, tuple[float, str]] = {}
        self._states: dict[str, str] = {}
        self._opened: dict[tuple[Path, Stamp], list[OpenedImage]] = {}
        self._reader: ReadingChild | None = None  # the project may come from a stranger
        self._looking = threading.Lock()  # for the records: never held while a file is read
        self._searching = threading.RLock()

    def close(self) -> None:
        """End the process that reads for us, if there is one; the next reading starts another."""
        with self._looking:
            reader, self._reader = self._reader, None
            self._opened.clear()
        if reader is not None:
            reader.close()

    # -- reading ---------------------------------------------------------------------------------

    def opened(self, image: ProjectImage, check: Check | None = None) -> OpenedImage:
        """A linked image as its reader gives it.

        Raises
        ------
        LinkError
            When its file is missing or has changed.
        ReadError
            When the file cannot be read.
        """
        return self._open(image, check)[0]

    def read_plane(self, image: ProjectImage, z: int) -> Pixels:
        """One plane ``(C, Y, X)`` of a linked image.

        Raises
        ------
        LinkError, ReadError
            As `opened`.
        """
        return self._read(image, lambda opened: opened.read_plane(z))

    def read_part(
        self, image: ProjectImage, z: int, y0: int, x0: int, y1: int, x1: int
    ) -> Pixels | None:
        """Part ``(C, y1 - y0, x1 - x0)`` of a plane; None where all of it would be read for that.

        Raises
        ------
        LinkError, ReadError
            As `opened`.
        """
        return self._read(image, lambda opened: opened.read_part(z, y0, x0, y1, x1))

    def _read(self, image: ProjectImage, read: Callable[[OpenedImage], T]) -> T:
        """Read from the file of an image, and see that it is the same before and after."""
        opened, path, stamp = self._open(image, None)
        try:
            voxels = read(opened)
        except ReadError:
            if Stamp.of(path) == stamp:
                raise
            raise self._error(image, _state_at(path)) from None
        if Stamp.of(path) != stamp:  # it was written to while we read
            raise self._error(image, _state_at(path))
        return voxels

    def state(
        self, image: ProjectImage, check: Check | None = None, listed: Listing | None = None
    ) -> str:
        """`FOUND`, `MISSING` or `CHANGED`; may search, and read files, to know."""
        try:
            self._path_of(image, check, listed)
        except LinkError as error:
            return error.state
        return FOUND

    def look(self, images: Iterable[ProjectImage], check: Check | None = None) -> None:
        """See how the files of linked images are, for `last_state`.

        A file that lies where it did, of the same size and time, is taken for what it was; only
        others are searched for. Folders are listed once, however many images are missing.
        """
        listings: dict[tuple[Path, int], list[Path]] = {}

        def listed(folder: Path, depth: int) -> Iterable[Path]:
            if (folder, depth) not in listings:
                listings[folder, depth] = list(files_in(folder, _OWN_ENTRIES, depth))
            return listings[folder, depth]

        for image in images:
            sha256 = _link(image).sha256
            if check is not None:
                check()
            record = self._record(sha256)
            if record is None or Stamp.of(record.path) != record.stamp:
                self.state(image, check, listed)
            else:
                self._states.setdefault(sha256, FOUND)

    def last_state(self, image: ProjectImage) -> str:
        """`FOUND`, `MISSING` or `CHANGED` as it was last, "" while unknown; nothing is touched."""
        return "" if image.link is None else self._states.get(image.link.sha256, "")

    def is_at_hand(self, image: ProjectImage) -> bool:
        """True when the file lies where it was seen last, untouched; nothing is read."""
        return self._untouched(_link(image).sha256) is not None

    def place(self, image: ProjectImage) -> Path | None:
        """Where the file was seen last, to tell the user; it may be gone."""
        with self._looking:
            record = self._records.get(_link(image).sha256)
        return record.path if record else None

    # -- finding ---------------------------------------------------------------------------------

    def note(self, path: Path, content: Content) -> None:
        """Remember where a file lies that images have just been linked to."""
        self._note(path, content)
        with self._looking:
            self._records.save()

    def find(
        self,
        images: Iterable[ProjectImage],
        place: Path,
        progress: Progress | None = None,
        depth: int = MOST_DEPTH,
    ) -> Found:
        """Search a folder (or take one file) for the missing files of linked images, by content.

        Parameters
        ----------
        images
            Those that are not linked, and those whose file is where it should be, are left alone.
        place
            A folder, searched with all its folders; or a file.
        progress
            Called with (bytes read, bytes to read, file name); False ends the search, and what was
            found until then stays found.
        depth
            How many folders deep; 0 for the folder itself.

        Raises
        ------
        FileError
            When there is no such folder or file.
        """
        place = Path(os.path.abspath(place))
        if not place.exists():
            raise FileError(f"There is no folder or file {place}. Nothing was linked.")
        lost = [i for i in images if i.link is not None and not self._is_in_place(i.link, progress)]
        missing = {_link(i).sha256: _link(i) for i in lost}
        files = [place] if place.is_file() else files_in(place, MOST_ENTRIES, depth)
        worth = candidates(files, missing.values())
        refused: list[Path] = []
        with contextlib.suppress(_StoppedError), self._searching:
            self._look_at(worth, missing, refused, progress)
        with self._looking:
            self._missed.clear()
            self._records.save()
        names = {link.name.casefold() for link in missing.values()}
        sentences = [
            f"{path} is called like a missing file, but holds something else. It was not linked."
            for path in refused
            if path.name.casefold() in names
        ]
        if place.is_file() and lost and len(missing) == len({_link(i).sha256 for i in lost}):
            whose = f"“{lost[0].name}”" if len(lost) == 1 else "any image whose file is missing"
            sentences = [
                f"“{place.name}” is not the file of {whose}: it holds something else. "
                "It was not linked, and nothing was changed."
            ]
        return Found(
            linked=tuple(i.image_id for i in lost if _link(i).sha256 not in missing),
            missing=tuple(i.image_id for i in lost if _link(i).sha256 in missing),
            refused=tuple(sentences),
        )

    def _look_at(
        self,
        worth: Sequence[tuple[Path, Stamp]],
        missing: dict[str, Link],
        refused: list[Path],
        progress: Progress | None,
    ) -> None:
        """Read the files worth it until nothing is missing any more.

        Parameters
        ----------
        missing
            By fingerprint; what is found is taken out.
        refused
            Gets the files that hold nothing that is missing.
        """
        total, done = sum(stamp.size for _, stamp in worth), 0
        sizes = {link.size for link in missing.values()}
        for path, stamp in worth:
            if not missing:
                return
            sha256, start = "", done

            def check(path: Path = path, end: int = start + stamp.size) -> None:
                nonlocal done
                if progress is not None and not progress(done, total, path.name):
                    raise _StoppedError
                done = min(done + PIECE, end)

            check()
            if stamp.size in sizes:
                with contextlib.suppress(OSError, ReadError):
                    sha256 = self._content(path, stamp, check)
            done = start + stamp.size
            if missing.pop(sha256, None) is None:
                refused.append(path)

    # -- within ----------------------------------------------------------------------------------

    def _open(self, image: ProjectImage, check: Check | None) -> tuple[OpenedImage, Path, Stamp]:
        from orgseg_app.files.readers.registry import read_images

        at = self._path_of(image, check)
        with self._looking:
            images = self._opened.get(at)
            reader = self._reader = self._reader or ReadingChild()
        if images is None:
            with reader.reads():
                images = read_images(at[0])
            with self._looking:
                while len(self._opened) >= _KEPT_OPEN:
                    self._opened.pop(next(iter(self._opened)))
                self._opened[at] = images
        series = _link(image).series
        opened = images[series] if series < len(images) else None
        if opened is None or opened.shape != image.shape or opened.dtype.name != image.dtype:
            self._states[_link(image).sha256] = CHANGED
            raise LinkError(
                f"“{image.name}” cannot be read from “{at[0].name}” as it was when it was linked. "
                "Nothing was changed; import the file again.",
                CHANGED,
            )
        return opened, *at

    def _path_of(
        self, image: ProjectImage, check: Check | None, listed: Listing | None = None
    ) -> tuple[Path, Stamp]:
        """Where the file of an image lies now, its content known to be the right one."""
        at = self._sought(image, check, listed or _listed)
        self._states[_link(image).sha256] = FOUND
        return at

    def _sought(
        self, image: ProjectImage, check: Check | None, listed: Listing
    ) -> tuple[Path, Stamp]:
        link = _link(image)
        at = self._untouched(link.sha256)
        if at is not None:
            return at
        with self._searching:
            at = self._untouched(link.sha256)
            if at is not None:
                return at
            when, state = self._missed.get(link.sha256, (-_REPEAT_S, MISSING))
            if time.monotonic() - when < _REPEAT_S:
                raise self._error(image, state)
            record = self._record(link.sha256)
            at = self._read_again(link, record, check) if record else None
            if at is None:
                folders = [
                    (self.folder, _OWN_DEPTH),
                    *([(record.path.parent, 0)] if record else []),
                ]
                at = self._searched(link, folders, check, listed)
            if at is not None:
                return at
            state = _state_at(record.path) if record else MISSING
            self._missed[link.sha256] = (time.monotonic(), state)
        raise self._error(image, state)

    def _untouched(self, sha256: str) -> tuple[Path, Stamp] | None:
        """Where a content was seen last, when the file has not been touched since."""
        record = self._record(sha256)
        if record is None or Stamp.of(record.path) != record.stamp:
            return None
        if record.is_settled:
            return record.path, record.stamp
        noted = self._noted_at.get(sha256)
        is_fresh = noted is not None and (time.monotonic() - noted) * 1e9 < SETTLED_NS
        return (record.path, record.stamp) if is_fresh else None

    def _is_in_place(self, link: Link, progress: Progress | None) -> bool:
        """True when a file lies where it was; one that was written just before is read again."""

        def check() -> None:
            if progress is not None and not progress(0, 1, link.name):
                raise _StoppedError

        if self._untouched(link.sha256) is not None:
            return True
        record = self._record(link.sha256)
        if record is None or Stamp.of(record.path) != record.stamp:
            return False
        with contextlib.suppress(_StoppedError), self._searching:
            return self._read_again(link, record, check) is not None
        return False

    def _read_again(
        self, link: Link, record: Record, check: Check | None
    ) -> tuple[Path, Stamp] | None:
        """The file at the place of a record, if it still holds what it should."""
        stamp = Stamp.of(record.path)
        if stamp is None or stamp.size != link.size:
            return None
        was_read_before = link.sha256 in self._noted_at
        with contextlib.suppress(OSError, ReadError):
            if self._content(record.path, stamp, check) == link.sha256:
                if stamp == record.stamp and was_read_before:
                    # Read twice with time between: a change since would show in its stamp.
                    self._note(record.path, Content(link.sha256, stamp, is_settled=True))
                with self._looking:
                    self._records.save()
                return record.path, stamp
        return None

    def _searched(
        self,
        link: Link,
        folders: Iterable[tuple[Path, int]],
        check: Check | None,
        listed: Listing,
    ) -> tuple[Path, Stamp] | None:
        """A file with the content of a link in some folders, which nobody asked to search."""
        for folder, depth in folders:
            strangers = 0
            for path, stamp in candidates(listed(folder, depth), [link]):
                if path.name.casefold() != link.name.casefold():
                    strangers += 1
                if stamp.size != link.size or strangers > _OWN_STRANGERS:
                    continue
                with contextlib.suppress(OSError, ReadError):
                    if self._content(path, stamp, check) == link.sha256:
                        with self._looking:
                            self._records.save()
                        return path, stamp
        return None

    def _content(self, path: Path, stamp: Stamp, check: Check | None) -> str:
        """Fingerprint of a file, noted; a settled one with the same stamp is believed."""
        with self._looking:
            known = self._records.content_at(path, stamp)
        if known is not None:
            return known
        content = content_of(path, check)
        self._note(path, content)
        return content.sha256

    def _record(self, sha256: str) -> Record | None:
        with self._looking:
            return self._records.get(sha256)

    def _note(self, path: Path, content: Content) -> None:
        with self._looking:
            self._records.note(path, content)
            self._noted_at[content.sha256] = time.monotonic()
            self._missed.pop(content.sha256, None)
            self._states[content.sha256] = FOUND

    def _error(self, image: ProjectImage, state: str) -> LinkError:
        name = _link(image).name
        self._states[_link(image).sha256] = state
        if state == CHANGED:
            return LinkError(
                f"“{image.name}” is not shown: its file “{name}” has changed since it was linked, "
                "and what was painted might not fit it. Nothing is lost; put the original back, "
                "or find it (Find linked images…).",
                state,
            )
        return LinkError(
            f"“{image.name}” is not shown: its file “{name}” was not found. What was painted is "
            "safe; put the file beside the project, or find it (Find linked images…).",
            state,
        )


def _link(image: ProjectImage) -> Link:
    if image.link is None:
        raise ValueError(f"{image.name!r} is not linked.")
    return image.link


def _listed(folder: Path, depth: int) -> Iterable[Path]:
    return files_in(folder, _OWN_ENTRIES, depth)


def _state_at(path: Path) -> str:
    return MISSING if Stamp.of(path) is None else CHANGED
