"""From the pages of a TIFF series to planes ``(C, Y, X)`` at a time point and depth.

Pages come in any order of time, depth and channel, and one page may itself hold several planes or
colours. `PlaneIndex` is the arithmetic, without a file; `PlaneSource` reads pages, opening the file
for each read and closing it again, so that a file in use can still be renamed or replaced.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files import giving_up
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.sniff import cannot_open
from orgseg_app.files.readers.tiff_structure import truncated

if TYPE_CHECKING:
    from tifffile import TiffPageSeries

Pixels = NDArray[np.generic]

MANY_THREADS_BYTES = 16 << 20
"""Pages larger than this are decoded by several threads."""

_GROUPS = ("T", "Z", "C", "Y", "X")


def group_of(axis: str) -> str:
    """Which of T, Z, C, Y, X an axis letter of a file counts as.

    ``S`` (colour samples) is a channel; whatever is not known (I, Q, R, …) is depth, so that every
    plane of the file can be reached.
    """
    if axis == "S":
        return "C"
    return axis if axis in _GROUPS else "Z"


@dataclass(frozen=True)
class PlaneIndex:
    """Where each plane of a series lies.

    Attributes
    ----------
    lead_axes, lead_shape
        Axes over the pages, slowest first.
    page_axes, page_shape
        Axes of one decoded page.
    """

    lead_axes: str
    lead_shape: tuple[int, ...]
    page_axes: str
    page_shape: tuple[int, ...]

    def _size(self, group: str, axes: str, shape: tuple[int, ...]) -> int:
        return math.prod(n for a, n in zip(axes, shape, strict=True) if group_of(a) == group)

    def _sizes(self, group: str) -> tuple[int, int]:
        """Length of a group over the pages and within a page."""
        return (
            self._size(group, self.lead_axes, self.lead_shape),
            self._size(group, self.page_axes, self.page_shape),
        )

    @property
    def times(self) -> int:
        """Time points."""
        return math.prod(self._sizes("T"))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``(C, Z, Y, X)`` of one time point."""
        c, z, y, x = (math.prod(self._sizes(group)) for group in "CZYX")
        return c, z, y, x

    def pages_of(self, time: int, z: int) -> list[int]:
        """Numbers of the pages that hold a plane, in channel order."""
        order = sorted(range(len(self.lead_axes)), key=self._lead_rank)
        lead = np.arange(math.prod(self.lead_shape)).reshape(self.lead_shape).transpose(order)
        lead = lead.reshape(self._sizes("T")[0], self._sizes("Z")[0], self._sizes("C")[0])
        return [int(n) for n in lead[time // self._sizes("T")[1], z // self._sizes("Z")[1]]]

    def channels_of(self, page: Pixels, time: int, z: int) -> Pixels:
        """The channels ``(C', Y, X)`` of a plane within a decoded page."""
        order = sorted(range(len(self.page_axes)), key=self._page_rank)
        inner = page.reshape(self.page_shape).transpose(order)
        times, depth, channels = (self._sizes(group)[1] for group in "TZC")
        inner = inner.reshape(times, depth, channels, *inner.shape[-2:])
        channels_yx: Pixels = inner[time % times, z % depth]
        return channels_yx

    def _lead_rank(self, axis: int) -> int:
        return _GROUPS.index(group_of(self.lead_axes[axis]))

    def _page_rank(self, axis: int) -> int:
        return _GROUPS.index(group_of(self.page_axes[axis]))


@dataclass(frozen=True)
class RawPlane:
    """A plane that lies in a file as it is: nothing to decode.

    Attributes
    ----------
    offsets
        Where each part begins, in bytes.
    dtype
        As NumPy writes it, with byte order: ``"<u2"``.
    part_shape
        ``(C', Y, X)`` of one part; the parts are channels of the plane, in order.
    """

    offsets: tuple[int, ...]
    dtype: str
    part_shape: tuple[int, int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(C, Y, X)`` of the plane."""
        channels, height, width = self.part_shape
        return len(self.offsets) * channels, height, width


class PlaneSource:
    """Reads planes of one series of one file; safe to use from several threads.

    Parameters
    ----------
    path
        The file.
    series
        The series of an opened TIFF; its file handle may be closed already.
    index
        Where each plane lies.
    lock
        One for each opened file: several series share its handle.
    """

    def __init__(
        self, path: Path, series: TiffPageSeries, index: PlaneIndex, lock: threading.Lock
    ) -> None:
        self.path = path
        self.index = index
        self._series = series
        self._lock = lock

    def read(self, time: int, z: int) -> Pixels:
        """All channels of one plane as stored, ``(C, Y, X)``, in the file's own number type.

        Raises
        ------
        ReadError
            One sentence if the file has gone, was cut short or cannot be decoded.
        """
        parent = self._series.parent
        assert parent is not None
        handle = parent.filehandle
        with self._lock:
            try:
                handle.open()
                parts = [
                    self.index.channels_of(self._decode(page), time, z)
                    for page in self.index.pages_of(time, z)
                ]
            except ReadError:
                raise
            except OSError as error:
                raise cannot_open(self.path, error) from error
            except Exception as error:
                raise self._damaged(error) from error
            finally:
                handle.close()
        plane = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return np.ascontiguousarray(plane, dtype=plane.dtype.newbyteorder("="))

    def find(self, time: int, z: int) -> RawPlane | None:
        """Where a plane lies in the file uncompressed, channel after channel; None if nowhere."""
        series, index = self._series, self.index
        groups = "".join(group_of(axis) for axis in index.page_axes)
        if groups.lstrip("C") != "YX":
            return None
        numbers = index.pages_of(time, z)
        parent = series.parent
        assert parent is not None
        size = math.prod(index.page_shape) * series.dtype.itemsize
        if series.dataoffset is not None:
            offsets = [series.dataoffset + number * size for number in numbers]
        else:
            with self._lock:
                try:
                    parent.filehandle.open()
                    pages = [series[number] for number in numbers]
                    if any(page is None or not page.is_final for page in pages):
                        return None
                    offsets = [int(page.dataoffsets[0]) for page in pages if page is not None]
                except Exception:
                    return None  # reading it says what is wrong
                finally:
                    parent.filehandle.close()
            if not all(offsets):
                return None  # never written: shown as 0
        channels = math.prod(index.page_shape[:-2])
        height, width = index.page_shape[-2:]
        return RawPlane(
            tuple(offsets),
            np.dtype(parent.byteorder + series.dtype.char).str,
            (channels, height, width),
        )

    def _decode(self, number: int) -> Pixels:
        """One page ``page_shape``; the file is open and the lock is held."""
        series, shape = self._series, self.index.page_shape
        offset = series.dataoffset
        if offset is not None:
            parent = series.parent
            assert parent is not None
            stored = np.dtype(parent.byteorder + series.dtype.char)
            count = math.prod(shape)
            data: Pixels = parent.filehandle.read_array(
                stored, count, offset + number * count * stored.itemsize
            )
            return data.reshape(shape)
        page = series[number]
        if page is None or not page.dataoffsets or not any(page.dataoffsets):
            return np.zeros(shape, series.dtype)
        workers = 1 if page.nbytes < MANY_THREADS_BYTES else None
        return page.asarray(maxworkers=workers)

    def _damaged(self, error: Exception) -> ReadError:
        if isinstance(error, MemoryError):
            return ReadError(f"{shown(self.path)} is too large for the memory of this computer.")
        if "truncated" in str(error) or "could not read" in str(error):
            return truncated(self.path)
        return ReadError(
            f"{shown(self.path)} is damaged: its image data cannot be decoded. "
            "Copy the file again, or save it anew from the program that made it."
        )


def read_raw(path: Path, raw: RawPlane) -> Pixels:
    """A plane ``(C, Y, X)`` that needs no decoding, in this computer's byte order.

    Raises
    ------
    ReadError
        One sentence if the file has gone, or ends before the plane does.
    """
    stored = np.dtype(raw.dtype)
    size = math.prod(raw.part_shape) * stored.itemsize
    try:
        if any(not 0 < at <= path.stat().st_size - size for at in raw.offsets):
            raise truncated(path)
        plane: Pixels = np.empty(raw.shape, stored)
        parts = plane.reshape(len(raw.offsets), -1)
        with path.open("rb", buffering=0) as stream:
            for at, part in zip(raw.offsets, parts, strict=True):
                stream.seek(at)
                view = part.view(np.uint8).data
                while view:
                    giving_up.ask()
                    done = stream.readinto(view[: giving_up.PIECE_BYTES])
                    if not done:
                        raise truncated(path)
                    view = view[done:]
    except OSError as error:
        raise cannot_open(path, error) from error
    if stored.isnative:
        return plane
    return plane.byteswap(inplace=True).view(stored.newbyteorder())


def read_raw_part(path: Path, raw: RawPlane, y0: int, x0: int, y1: int, x1: int) -> Pixels:
    """Part ``(C, y1 - y0, x1 - x0)`` of a plane that needs no decoding, row by row.

    Not mapped into memory: a file that another program cuts short would end this one.

    Raises
    ------
    ReadError
        One sentence if the file has gone, or ends before the part does.
    """
    channels, height, width = raw.part_shape
    if not (0 <= y0 <= y1 <= height and 0 <= x0 <= x1 <= width):
        raise ValueError(f"({y0}, {x0}) to ({y1}, {x1}) of {height} × {width}")
    stored = np.dtype(raw.dtype)
    part: Pixels = np.empty((raw.shape[0], y1 - y0, x1 - x0), stored)
    rows = part.view(np.uint8).reshape(raw.shape[0], y1 - y0, (x1 - x0) * stored.itemsize)
    if part.size == 0:
        return part.astype(stored.newbyteorder("="))
    try:
        with path.open("rb", buffering=0) as stream:
            for number, lines in enumerate(rows):
                at = raw.offsets[number // channels]
                first = (number % channels * height + y0) * width + x0
                if at <= 0:
                    raise truncated(path)
                for line in range(y1 - y0):
                    stream.seek(at + (first + line * width) * stored.itemsize)
                    if stream.readinto(lines[line].data) != lines.shape[1]:
                        raise truncated(path)
    except OSError as error:
        raise cannot_open(path, error) from error
    return part if stored.isnative else part.byteswap(inplace=True).view(stored.newbyteorder())


def check_data_within_file(path: Path, series: TiffPageSeries, *, size: int) -> int:
    """Check that the image data of a series lies inside the file.

    Returns
    -------
    int
        Planes that the file says were never written.

    Raises
    ------
    ReadError
        One sentence if the data of any page ends beyond the end of the file.
    """
    if series.dataoffset is not None:
        if series.dataoffset + series.nbytes > size:
            raise truncated(path)
        return 0
    missing = 0
    keyframe = series.keyframe
    is_whole = keyframe.is_contiguous or series.kind == "ndpi"
    expected = 1 if is_whole else math.prod(keyframe.chunked)
    for number, page in enumerate(series):
        if page is None or not any(page.dataoffsets):
            missing += 1
            continue
        if len(page.dataoffsets) < expected:
            raise truncated(path, number)
        ends = zip(page.dataoffsets, page.databytecounts, strict=False)
        if any(offset + count > size for offset, count in ends):
            raise truncated(path, number)
    return missing
