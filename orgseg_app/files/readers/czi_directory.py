"""The skeleton of a Zeiss CZI file: where each block of pixels lies, and what it shows.

A CZI file is a chain of segments. The file header says where the directory of blocks and the XML
description begin; a block is a rectangle of one plane, stored once at full resolution and again
reduced, for display. Facts: “ZISRAW (CZI) File Format, Design Specification” (Carl Zeiss).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from orgseg_app.files.readers.maker_files import MAX_XML, damaged, read_at, undecodable

FAMILY = "czi"
MAX_BLOCKS = 2_000_000

_SEGMENT = struct.Struct("<16sqq")
_FILE = struct.Struct("<iiii16s16siqqiq")
_ENTRY = struct.Struct("<2siqiiBB4si")
_DIMENSION = struct.Struct("<4siifi")
_BLOCK = struct.Struct("<iiq")
_DIRECTORY_BYTES = 128  # before its first entry
_METADATA_BYTES = 256
_BLOCK_BYTES = 256  # at least; a block with many dimensions has more
_PAST_PLANE = "ZCTRIHVBS"


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of one plane at full resolution.

    Attributes
    ----------
    pixel_type, compression
        As the file numbers them.
    position
        Where its segment begins, in bytes.
    y, x, height, width
        Where it lies in the plane, in pixels.
    order
        Blocks with a higher one lie on top.
    place
        Axis letter → index, for all axes that are not X, Y or M.
    """

    pixel_type: int
    compression: int
    position: int
    y: int
    x: int
    height: int
    width: int
    order: int
    place: dict[str, int]


@dataclass(frozen=True)
class Directory:
    """All blocks of a file, and its description.

    Attributes
    ----------
    blocks
        At full resolution, in the order of the file.
    xml
        The description; ``""`` where there is none.
    """

    blocks: tuple[Block, ...]
    xml: str


def read_directory(stream: BinaryIO, path: Path) -> Directory:
    """Blocks and description of an opened file.

    Raises
    ------
    ReadError
        One sentence: not finished, one part of several, blocks of several planes.
    ValueError, struct.error
        Damaged; see `orgseg_app.files.readers.maker_files.explained`.
    """
    sid, _, _ = _segment(stream, 0)
    if sid != b"ZISRAWFILE":
        raise damaged(path, FAMILY)
    facts = _FILE.unpack(read_at(stream, _SEGMENT.size, _FILE.size))
    part, directory, metadata, is_pending = facts[6], facts[7], facts[8], facts[9]
    if part > 0:
        raise undecodable(path, f"that is part {part + 1} of several", FAMILY)
    if directory <= 0:
        unfinished = "not finished: its directory is missing, as after a crash while it was written"
        raise damaged(path, FAMILY, unfinished if is_pending else "not complete")
    return Directory(tuple(_blocks(stream, directory, path)), _xml(stream, metadata))


def pixels_at(stream: BinaryIO, block: Block) -> tuple[int, int]:
    """Where the stored bytes of a block begin, and how many there are.

    Raises
    ------
    ValueError
        If there is no such block.
    """
    sid, _, _ = _segment(stream, block.position)
    if sid != b"ZISRAWSUBBLOCK":
        raise ValueError(sid)
    start = block.position + _SEGMENT.size
    head = read_at(stream, start, _BLOCK.size + _ENTRY.size)
    metadata, _, count = _BLOCK.unpack_from(head)
    dimensions = _ENTRY.unpack_from(head, _BLOCK.size)[8]
    entry = _ENTRY.size + _DIMENSION.size * dimensions
    if not 0 <= dimensions < 64 or metadata < 0 or count < 0:
        raise ValueError(dimensions)
    return start + max(_BLOCK_BYTES, _BLOCK.size + entry) + metadata, count


def _segment(stream: BinaryIO, position: int) -> tuple[bytes, int, int]:
    sid, allocated, used = _SEGMENT.unpack(read_at(stream, position, _SEGMENT.size))
    return sid.rstrip(b"\0"), allocated, used


def _blocks(stream: BinaryIO, position: int, path: Path) -> list[Block]:
    sid, allocated, _ = _segment(stream, position)
    if sid != b"ZISRAWDIRECTORY":
        raise ValueError(sid)
    start = position + _SEGMENT.size
    (count,) = struct.unpack("<i", read_at(stream, start, 4))
    if not 0 < count <= MAX_BLOCKS or count * _ENTRY.size > allocated:
        raise ValueError(count)
    data = read_at(stream, start, min(allocated, _rest(stream, start)))
    at, blocks = _DIRECTORY_BYTES, []
    for number in range(count):
        block, at = _entry(data, at, number, path)
        if block is not None:
            blocks.append(block)
    return blocks


def _rest(stream: BinaryIO, start: int) -> int:
    return max(0, stream.seek(0, 2) - start)


def _entry(data: bytes, at: int, number: int, path: Path) -> tuple[Block | None, int]:
    """A block, None for one at a lower resolution, and where the next entry begins."""
    schema, pixel_type, position, part, compression, _, _, _, count = _ENTRY.unpack_from(data, at)
    if schema != b"DV" or not 0 < count < 64:
        raise ValueError(schema)
    at += _ENTRY.size
    if part:
        raise undecodable(path, "in several parts", FAMILY)
    starts, sizes = {}, {}
    is_reduced = False
    for _ in range(count):
        name, start, size, _, stored = _DIMENSION.unpack_from(data, at)
        at += _DIMENSION.size
        letter = name.split(b"\0")[0].decode("ascii")
        starts[letter], sizes[letter] = start, size
        is_reduced |= letter in ("X", "Y") and stored != size and stored > 0
    if is_reduced:
        return None, at
    if any(sizes[letter] > 1 for letter in sizes if letter not in ("X", "Y", "M")):
        raise undecodable(path, "with several planes in one block", FAMILY)
    block = Block(
        pixel_type=pixel_type,
        compression=compression,
        position=position,
        y=starts["Y"],
        x=starts["X"],
        height=sizes["Y"],
        width=sizes["X"],
        order=starts.get("M", number),
        place={letter: starts[letter] for letter in _PAST_PLANE if letter in starts},
    )
    if min(block.height, block.width) < 1:
        raise ValueError(sizes)
    return block, at


def _xml(stream: BinaryIO, position: int) -> str:
    """The description of a file; it can do without."""
    if position <= 0:
        return ""
    sid, _, _ = _segment(stream, position)
    if sid != b"ZISRAWMETADATA":
        return ""
    start = position + _SEGMENT.size
    (count,) = struct.unpack("<i", read_at(stream, start, 4))
    if not 0 < count <= MAX_XML:
        return ""
    text = read_at(stream, start + _METADATA_BYTES, count)
    return text.decode("utf-8", "replace").strip("\0 \r\n\t")
