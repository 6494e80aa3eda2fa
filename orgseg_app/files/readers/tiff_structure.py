"""The skeleton of a TIFF file, checked before anything in it is believed.

A TIFF is a chain of directories (one a page) anywhere in the file. A copy that was cut short breaks
the chain, and libraries then show the pages before the break as if they were all. This walk finds
the break, loops and empty files at the price of a few bytes a page.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.sniff import cannot_open

MAX_PAGES = 1_000_000
MAX_TAGS = 4096


_TYPE_BYTES = dict(enumerate((0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8)))
"""Bytes of one value of each number type a tag may have."""

_CHECKED_TAGS = frozenset({*range(254, 351), 50838, 50839})
"""Tags whose values must lie in the file: those of the standard, and ImageJ's. Private tags of
cameras and slide scanners point anywhere, and are not needed."""


@dataclass(frozen=True)
class Layout:
    """How integers are written in one TIFF: classic (32-bit offsets) or BigTIFF (64-bit)."""

    order: str
    is_big: bool

    @property
    def offset(self) -> struct.Struct:
        """Reader of one file offset."""
        return struct.Struct(self.order + ("Q" if self.is_big else "I"))

    @property
    def count(self) -> struct.Struct:
        """Reader of the number of tags of a page."""
        return struct.Struct(self.order + ("Q" if self.is_big else "H"))

    @property
    def tag(self) -> struct.Struct:
        """Reader of one tag: code, number type, count, value or its offset."""
        return struct.Struct(self.order + ("HHQQ" if self.is_big else "HHII"))


def check_structure(path: Path) -> int:
    """Walk the chain of pages of a TIFF file and count them.

    Returns
    -------
    int
        Pages, at least 1; reduced copies below a page (sub-IFDs) are not counted.

    Raises
    ------
    ReadError
        One sentence for a file without pages, cut short, with pages in a loop or too many.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            return _walk(stream, size, path)
    except OSError as error:
        raise cannot_open(path, error) from error


def _walk(stream: BinaryIO, size: int, path: Path) -> int:
    head = stream.read(16)
    layout, first = _read_start(head, path)
    if first == 0:
        raise ReadError(f"{shown(path)} is a TIFF without a single image in it.")
    seen: set[int] = set()
    offset = first
    while offset:
        if offset in seen:
            raise ReadError(f"{shown(path)} is damaged: its list of pages runs in a circle.")
        if len(seen) >= MAX_PAGES:
            raise ReadError(f"{shown(path)} declares more than {MAX_PAGES:,} pages; not opened.")
        seen.add(offset)
        offset = _next_offset(stream, offset, layout=layout, size=size, path=path, pages=len(seen))
    return len(seen)


def _read_start(head: bytes, path: Path) -> tuple[Layout, int]:
    order = "<" if head[:2] == b"II" else ">"
    is_big = head[2:4] in (b"+\0", b"\0+")
    layout = Layout(order, is_big)
    at = 8 if is_big else 4
    if len(head) < at + layout.offset.size:
        raise truncated(path)
    return layout, layout.offset.unpack_from(head, at)[0]


def _next_offset(
    stream: BinaryIO, offset: int, *, layout: Layout, size: int, path: Path, pages: int
) -> int:
    """Offset of the page after the one at ``offset``; 0 after the last."""
    if offset + layout.count.size > size:
        raise truncated(path, pages - 1)
    stream.seek(offset)
    tags = layout.count.unpack(stream.read(layout.count.size))[0]
    if tags == 0 or tags > MAX_TAGS:
        raise ReadError(
            f"{shown(path)} is damaged: page {pages} declares {tags:,} entries. "
            "Copy the file again, or save it anew from the program that made it."
        )
    end = offset + layout.count.size + tags * layout.tag.size
    if end + layout.offset.size > size:
        raise truncated(path, pages - 1)
    for code, kind, count, at in layout.tag.iter_unpack(stream.read(tags * layout.tag.size)):
        length = _TYPE_BYTES.get(kind, 0) * count
        if code in _CHECKED_TAGS and length > layout.offset.size and at + length > size:
            raise truncated(path, pages - 1)
    return int(layout.offset.unpack(stream.read(layout.offset.size))[0])


def truncated(path: Path, pages: int | None = None) -> ReadError:
    """The sentence for a file of which the end is missing; ``pages`` is how many are whole."""
    whole = f" after {pages} {'page' if pages == 1 else 'pages'}" if pages else ""
    return ReadError(
        f"{shown(path)} is incomplete: the file ends{whole} before its image data does; "
        "copy it again from where it came from."
    )
