"""Streams of a compound file, the small file system in one file that Olympus' .oib files are.

Facts: “[MS-CFB] Compound File Binary File Format” (Microsoft). Every chain of sectors is followed
for no longer than there are sectors, so that a circle ends.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.readers.maker_files import read_at

MAGIC = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_HEADER = struct.Struct("<8s16sHHHHH6xIIIIIIIII")
_ENTRY_BYTES = 128
_ENTRY = struct.Struct("<64sHBBIII16sIQQIQ")
_STORAGE, _STREAM, _ROOT = 1, 2, 5
_LAST_SECTOR, _END, _NONE = 0xFFFFFFFA, 0xFFFFFFFE, 0xFFFFFFFF
_MAX_ENTRIES = 2_000_000
_SMALL_SHIFT = 6

Places = tuple[int, int, bool]
"""First sector, bytes, and whether it lies in the stream of small streams."""


class CompoundFile:
    """The streams of an opened file.

    Parameters
    ----------
    stream
        The file; it stays the caller's, and is read when a stream is.

    Raises
    ------
    ValueError, struct.error
        If it is no compound file, or contradicts itself.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._file = stream
        head = read_at(stream, 0, 512)
        facts = _HEADER.unpack_from(head)
        shift, small_shift = facts[5], facts[6]
        if facts[0] != MAGIC or shift not in (9, 12) or small_shift != _SMALL_SHIFT:
            raise ValueError("no compound file")
        self._sector = 1 << shift
        self._sectors = stream.seek(0, 2) // self._sector
        _, fat_count, directory, _, self._cutoff, small_fat, _, more, _ = facts[7:16]
        self._table = self._read_table(head, fat_count, more)
        small = self._chain(small_fat)
        self._small_table: NDArray[np.uint32] = np.frombuffer(small, "<u4")
        self._streams: dict[str, Places] = {}
        self._small = b""
        self._read_directory(self._chain(directory))

    @property
    def names(self) -> list[str]:
        """The path of each stream."""
        return list(self._streams)

    def read(self, name: str) -> bytes:
        """All bytes of a stream.

        Raises
        ------
        KeyError, ValueError
            If there is none of that name, or the file ends before it does.
        """
        first, count, is_small = self._streams[name]
        data = self._small_chain(first, count) if is_small else self._chain(first, count)
        if len(data) < count:
            raise ValueError(f"{len(data)} of {count} bytes")
        return data[:count]

    def _read_table(self, head: bytes, count: int, more: int) -> NDArray[np.uint32]:
        """Which sector follows each."""
        listed = list(struct.unpack_from("<109I", head, 76))
        seen = 0
        while more < _LAST_SECTOR and seen <= self._sectors:
            numbers = struct.unpack(f"<{self._sector // 4}I", self._read_sectors(more, 1))
            listed += numbers[:-1]
            more, seen = numbers[-1], seen + 1
        if count > self._sectors:
            raise ValueError(count)
        parts = [self._read_sectors(s, 1) for s in listed[:count] if s < _LAST_SECTOR]
        return np.frombuffer(b"".join(parts), "<u4")

    def _read_sectors(self, first: int, count: int) -> bytes:
        return read_at(self._file, (first + 1) * self._sector, count * self._sector)

    def _chain(self, first: int, most: int | None = None) -> bytes:
        """The bytes of a chain of sectors, neighbours read at once."""
        numbers = self._numbers(first, self._table, self._sector, most)
        parts, at = [], 0
        while at < len(numbers):
            end = at + 1
            while end < len(numbers) and numbers[end] == numbers[end - 1] + 1:
                end += 1
            parts.append(self._read_sectors(numbers[at], end - at))
            at = end
        return b"".join(parts)

    def _small_chain(self, first: int, most: int) -> bytes:
        size = 1 << _SMALL_SHIFT
        numbers = self._numbers(first, self._small_table, size, most)
        return b"".join(self._small[n * size : (n + 1) * size] for n in numbers)

    @staticmethod
    def _numbers(first: int, table: NDArray[np.uint32], size: int, most: int | None) -> list[int]:
        """The sectors of a chain; no more than a stream of ``most`` bytes has."""
        left = len(table) if most is None else min(len(table), -(-most // size))
        numbers: list[int] = []
        while first < len(table) and len(numbers) < left:
            numbers.append(first)
            first = int(table[first])
        if most is None and first not in (_END, _NONE):
            raise ValueError("a chain of sectors without an end")
        return numbers

    def _read_directory(self, data: bytes) -> None:
        entries = [
            _ENTRY.unpack_from(data, at)
            for at in range(0, len(data) - _ENTRY_BYTES + 1, _ENTRY_BYTES)
        ]
        if not entries or entries[0][2] != _ROOT or len(entries) > _MAX_ENTRIES:
            raise ValueError("no root")
        self._small = self._chain(entries[0][11], entries[0][12])[: entries[0][12]]
        seen: set[int] = set()
        todo = [(entries[0][6], "")]
        while todo:
            number, folder = todo.pop()
            if number >= len(entries) or number in seen:
                continue
            seen.add(number)
            raw, letters, kind, _, left, right, child, _, _, _, _, first, count = entries[number]
            name = folder + raw[: max(0, min(letters, 64) - 2)].decode("utf-16-le", "replace")
            todo += [(left, folder), (right, folder)]
            if kind == _STORAGE:
                todo.append((child, f"{name}/"))
            elif kind == _STREAM:
                if self._sector == 512:
                    count &= 0xFFFFFFFF  # the upper half may be anything in version 3
                self._streams[name] = (first, count, count < self._cutoff)
