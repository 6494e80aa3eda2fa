"""Reading strangers' images in a child process, so that they can crash, hang or flood only that.

`reading_apart` opens a session: until it ends, this thread's `registry.read_images`, `read_header`,
`read_headers` and the readers of label images are answered by one child (`reading_child`), which is
started when it is first needed and again when a file has ended it. What comes back is the same as
without it; a file that the child does not survive is a file that could not be read.

A plane that lies in its file uncompressed is read here: there is nothing to decode, so nothing to
go wrong, and it is as fast as without a child.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.files import giving_up
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.answers import (
    contents_in,
    empty_labels,
    header_in,
    notes_in,
    opened_images,
    planes_in,
    raw_plane,
    sentence_in,
)
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.tiff_planes import RawPlane, read_raw, read_raw_part
from orgseg_app.files.safety.child import Child, ChildError, ChildStartError, Limits

LOG = logging.getLogger(__name__)

ARGUMENT = "--read"
"""What this program is started with to be the child."""

BASE_BUDGET = 340 * 2**20
"""Bytes the child may take to read any file, however small, beyond what it takes itself."""

_OWN_MEMORY = 120 * 2**20  # Python, NumPy, OpenCV and tifffile, resident
_CPU_S = 15.0
_WALL_S = 60.0
_SMALLEST_HALF = 2**30
_BATCH = 64

Pixels = NDArray[np.generic]
Labels = NDArray[np.integer]

T = TypeVar("T")

_NONSENSE = ChildError("the process that read it talked nonsense")

_sessions = threading.local()


def in_use() -> ReadingChild | None:
    """The child that reads for this thread; None where files are read directly."""
    child = getattr(_sessions, "child", None)
    return child if isinstance(child, ReadingChild) else None


@contextlib.contextmanager
def reading_apart() -> Iterator[ReadingChild]:
    """Let a child read for this thread; within another session, the same child."""
    outer = in_use()
    if outer is not None:
        yield outer
        return
    with ReadingChild() as child, child.reads():
        yield child


class ReadingChild:
    """A child that reads image files, started when needed; safe to use from several threads.

    To be closed, or used in a ``with`` statement. Planes that are asked for later still come: from
    a child of their own.
    """

    def __init__(self) -> None:
        self._child: Child | None = None
        self._lock = threading.RLock()
        self._is_closed = False
        self._limits = _limits(BASE_BUDGET, _CPU_S)

    def __enter__(self) -> ReadingChild:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """Process id of the child, where one is running."""
        return self._child.pid if self._child is not None else None

    @contextlib.contextmanager
    def reads(self) -> Iterator[None]:
        """Let this child read for the present thread while the context lasts."""
        before = in_use()
        _sessions.child = self
        try:
            yield
        finally:
            _sessions.child = before

    def start(self) -> None:
        """Let the child start while there is something else to do; the first answer is sooner."""
        with self._lock, contextlib.suppress(ChildError):
            self._running()

    def close(self) -> None:
        """End the child process."""
        with self._lock:
            self._is_closed = True
            self._drop()

    # -- what can be asked -----------------------------------------------------------------------

    def images(self, path: Path) -> list[OpenedImage]:
        """As `orgseg_app.files.readers.registry.read_images`."""

        def take(answer: dict[str, Any]) -> list[OpenedImage]:
            images = opened_images(answer)
            for number, image in enumerate(images):
                image.read_plane = functools.partial(self._plane, image, path, number)
                image.read_part = functools.partial(self._part, image, path, number, {})
            return images

        return self.ask(path, "images", take)

    def header(self, path: Path) -> ImageHeader:
        """As `orgseg_app.files.readers.registry.read_header`."""
        return self.ask(path, "header", header_in)

    def headers(self, paths: Sequence[Path]) -> list[ImageHeader | ReadError]:
        """The headers of many files, or why each could not be read.

        Many files are asked for at once: an answer for each would take longer than small headers.
        """
        found: list[ImageHeader | ReadError] = []
        for start in range(0, len(paths), _BATCH):
            found += self._some_headers(paths[start : start + _BATCH])
        return found

    def labels(self, path: Path, planes: Sequence[int] | None = None) -> Labels:
        """As `orgseg_app.files.annotations.label_image.read_labels`."""

        def take(answer: dict[str, Any]) -> Labels:
            read, size = [], 0
            for _ in range(planes_in(answer)):
                read.append(self._label_plane(self._next()))
                size += read[-1].nbytes
                check_room(size)
            return read[0][np.newaxis] if len(read) == 1 else np.stack(read)

        wanted = None if planes is None else [int(plane) for plane in planes]
        return self.ask(path, "labels", take, planes=wanted)

    def contents(self, path: Path) -> list[tuple[str, str]]:
        """As `orgseg_app.files.readers.registry.read_contents`."""
        return self.ask(path, "contents", contents_in)

    def count_planes(self, path: Path) -> int:
        """As `orgseg_app.files.annotations.label_image.count_planes`."""
        return self.ask(path, "count", planes_in)

    # -- planes ----------------------------------------------------------------------------------

    def _plane(self, image: OpenedImage, path: Path, number: int, z: int) -> Pixels:
        """Plane ``(C, Y, X)`` of an image."""
        channels, depth, height, width = image.shape
        if not 0 <= z < depth:
            raise IndexError(f"plane {z} of {depth}")
        shape = (channels, height, width)

        def take(answer: dict[str, Any]) -> Pixels | RawPlane:
            if "raw" in answer:
                raw = raw_plane(answer)
                if raw.shape != shape or np.dtype(raw.dtype).name != image.dtype.name:
                    raise _changed(path)
                return raw
            if answer["shape"] != list(shape) or answer["dtype"] != image.dtype.name:
                self._drop()  # the plane is on its way
                raise _changed(path)
            check_room(math.prod(shape) * image.dtype.itemsize)
            plane: Pixels = np.empty(shape, image.dtype)
            self.fill(plane)
            image.notes = tuple(dict.fromkeys((*image.notes, *notes_in(answer))))
            return plane

        taken = self.ask(path, "plane", take, image=number, z=int(z))
        if not isinstance(taken, RawPlane):
            return taken
        from orgseg_app.files.readers.tiff import note_not_finite

        plane = read_raw(path, taken)
        note_not_finite(image, plane)
        return plane

    def _part(
        self,
        image: OpenedImage,
        path: Path,
        number: int,
        known: dict[int, RawPlane | None],
        z: int,
        y0: int,
        x0: int,
        y1: int,
        x1: int,
    ) -> Pixels | None:
        """Part of a plane that lies uncompressed in its file; None of another.

        Parameters
        ----------
        known
            Where planes lie that were asked for before.
        """
        channels, depth, height, width = image.shape
        if not 0 <= z < depth:
            raise IndexError(f"plane {z} of {depth}")

        def take(answer: dict[str, Any]) -> RawPlane | None:
            if answer["raw"] is None:
                return None
            raw = raw_plane(answer)
            fits = raw.shape == (channels, height, width)
            if not fits or np.dtype(raw.dtype).name != image.dtype.name:
                raise _changed(path)
            return raw

        if z not in known:
            known[z] = self.ask(path, "where", take, image=number, z=int(z))
        raw = known[z]
        return None if raw is None else read_raw_part(path, raw, y0, x0, y1, x1)

    def _label_plane(self, answer: dict[str, Any]) -> Labels:
        labels = empty_labels(answer)
        check_room(labels.nbytes)
        self.fill(labels)
        return labels

    def fill(self, array: NDArray[Any]) -> None:
        """Fill an array with the raw bytes behind an answer; within ``take`` of `ask`."""
        assert self._child is not None
        self._child.fill(array.data.cast("B"), self._limits)

    # -- asking ----------------------------------------------------------------------------------

    def ask(self, path: Path, what: str, take: Callable[[dict[str, Any]], T], **more: Any) -> T:
        """Put one question, and let ``take`` make something of the answer.

        A child that breaks off may have done so over what it was asked before (it looks ahead), so
        the question is put to a fresh one once more before the file is blamed.

        Raises
        ------
        ReadError
            Why the file cannot be read.
        """
        with self._lock:
            giving_up.ask()
            try:
                while True:
                    is_fresh = not self._is_running()
                    try:
                        self._running().send([_question(path, what, **more)])
                        return take(self._next())
                    except ChildError as error:
                        if is_fresh or error.is_limit:
                            raise self._lost(path, error) from error
                        self._drop()
            except ReadError:
                raise
            except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
                raise self._lost(path, _NONSENSE) from error
            except MemoryError as error:
                self._drop()  # the rest of the answer is on its way
                raise ReadError(
                    f"{shown(path)} is too large for the memory of this computer."
                ) from error
            except BaseException:
                self._drop()
                raise
            finally:
                self._close_late()

    def _some_headers(self, paths: Sequence[Path]) -> list[ImageHeader | ReadError]:
        """Headers asked for at once; where one file ends the child, asked for one by one."""

        def take(answer: dict[str, Any]) -> list[ImageHeader | ReadError]:
            entries = answer["headers"]
            if len(entries) != len(paths):
                raise ValueError(f"{len(entries)} headers of {len(paths)} files")
            return [_error_in(entry) or header_in(entry) for entry in entries]

        try:
            names = [os.path.abspath(path) for path in paths]
            return self.ask(paths[0], "headers", take, paths=names)
        except ReadError as error:
            if len(paths) == 1:
                return [error]
            return [header for path in paths for header in self._some_headers([path])]

    def _next(self) -> dict[str, Any]:
        """The next answer of the child; what it says of its needs is heeded on the way.

        Raises
        ------
        ReadError
            When the answer is why the file cannot be read.
        ChildError
            When there is none.
        """
        assert self._child is not None
        while True:
            answer = self._child.receive(self._limits)
            if "needs" in answer:
                self._limits = _limits(int(answer["needs"]), float(answer["cpu_s"]))
            elif (error := _error_in(answer)) is not None:
                raise error
            else:
                return answer

    def _is_running(self) -> bool:
        return self._child is not None and self._child.is_alive

    def _running(self) -> Child:
        """The child, started when there is none."""
        if not self._is_running():
            self._drop()
        if self._child is None:
            self._child = Child(ARGUMENT)
            self._limits = _limits(BASE_BUDGET, _CPU_S)
            self._child.send([{"base": BASE_BUDGET, "most": _most(), "cpu_s": _CPU_S}])
        return self._child

    def _lost(self, path: Path, error: ChildError) -> ReadError:
        """The sentence for a file that ended the child; the next file gets a new one."""
        if isinstance(error, ChildStartError):
            return ReadError(
                f"{shown(path)} could not be read: files are read in a process of their own, and "
                f"{error.reason}. Nothing was changed; start OrgSeg again."
            )
        LOG.warning("The child that read %s: %s.", path, error.reason)
        self._drop()
        return ReadError(
            f"{shown(path)} could not be read: {error.reason}. It is damaged, too large, or was "
            "made to do harm; nothing else was affected."
        )

    def _close_late(self) -> None:
        """After the session's end, no child outlives a question."""
        if self._is_closed:
            self._drop()

    def _drop(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.close()


def _question(path: Path, what: str, **more: Any) -> dict[str, Any]:
    return {"do": what, "path": os.path.abspath(path), **more}


def _error_in(answer: dict[str, Any]) -> ReadError | None:
    """Why a file cannot be read, when that is the answer."""
    sentence = sentence_in(answer)
    return None if sentence is None else ReadError(sentence)


def _limits(budget: int, cpu_s: float) -> Limits:
    """What an answer may cost that takes a budget of memory; half of this computer at the most."""
    return Limits(
        memory=min(budget, _most()) + _OWN_MEMORY, cpu_s=cpu_s, wall_s=_WALL_S + 4 * cpu_s
    )


@functools.cache
def _most() -> int:
    """Bytes of memory that reading one file may take on this computer: half of it."""
    import psutil

    return max(_SMALLEST_HALF, int(psutil.virtual_memory().total) // 2)


def check_room(size: int) -> None:
    """Refuse to take more from a child than it may take itself: it could go on for ever.

    Raises
    ------
    MemoryError
        When so many bytes are more than half of this computer's memory.
    """
    if size > _most():
        raise MemoryError(size)


def _changed(path: Path) -> ReadError:
    return ReadError(f"{shown(path)} has changed since it was opened; open it again.")
