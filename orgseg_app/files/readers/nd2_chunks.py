"""The skeleton of a Nikon ND2 file: named chunks, and the trees of values in some of them.

The last 40 bytes say where the map of all chunks lies. Values are kept as “lite variants” (a type,
a name, a value, levels within levels), in files of version 2 as XML.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree import ElementTree

from orgseg_app.files.readers.maker_files import MAX_XML, damaged, parsed_xml, read_at, undecodable

FAMILY = "nd2"
Tree = dict[str, Any]
"""Name → number, text, list of small numbers, or another tree; a list's items have numbers."""

MAGIC = 0x0ABECEDA
MAX_CHUNKS = 5_000_000
MAX_DEPTH = 64
MAX_VALUES = 500_000

_HEADER = struct.Struct("<IIQ")
_MAP_END = b"ND2 CHUNK MAP SIGNATURE 0000001!"
_TAIL = struct.Struct("<32sQ")
_PLACE = struct.Struct("<QQ")
_LEVEL = struct.Struct("<IQ")
_NUMBERS = {1: "<B", 2: "<i", 3: "<I", 4: "<q", 5: "<Q", 6: "<d", 7: "<Q"}
_TEXT, _BYTES, _IS_LEVEL, _IS_PACKED = 8, 9, 11, 76


def read_map(stream: BinaryIO, path: Path) -> dict[str, int]:
    """Name of each chunk, without its “!” → where it begins.

    Raises
    ------
    ReadError
        One sentence for a file that was cut short.
    ValueError, struct.error
        Damaged; see `orgseg_app.files.readers.maker_files.explained`.
    """
    size = stream.seek(0, 2)
    name, position = _TAIL.unpack(read_at(stream, size - _TAIL.size, _TAIL.size))
    if name != _MAP_END:
        raise damaged(path, FAMILY, "cut short: its end is missing, where the map of it lies")
    data = read_chunk(stream, position, size)
    places: dict[str, int] = {}
    at = 0
    while len(places) < MAX_CHUNKS:
        end = data.index(b"!", at) + 1
        if data[at:end] == _MAP_END:
            return places
        offset, _ = _PLACE.unpack_from(data, end)
        places[data[at : end - 1].decode("latin-1")] = offset
        at = end + _PLACE.size
    raise ValueError("too many chunks")


def version_of(stream: BinaryIO, path: Path) -> int:
    """The file format's main number: 2 or 3.

    Raises
    ------
    ReadError
        One sentence for other versions.
    """
    text = read_at(stream, _HEADER.size + 32, 16)
    number = text[3:4]
    if text[:3] != b"Ver" or number not in (b"2", b"3"):
        shown_text = text.split(b"\0")[0].decode("ascii", "replace")[:16]
        raise undecodable(path, f"of version “{shown_text}”", FAMILY)
    return int(number)


def data_place(stream: BinaryIO, position: int, size: int) -> tuple[int, int]:
    """Where the data of a chunk begin, and how many bytes there are.

    Raises
    ------
    ValueError
        If no chunk begins there, or it ends beyond the file.
    """
    magic, name_bytes, count = _HEADER.unpack(read_at(stream, position, _HEADER.size))
    start = position + _HEADER.size + name_bytes
    if magic != MAGIC or start + count > size:
        raise ValueError(f"no chunk at {position}")
    return start, count


def read_chunk(stream: BinaryIO, position: int, size: int, most: int = 8 * MAX_XML) -> bytes:
    """The data of a chunk.

    Raises
    ------
    ValueError
        As `data_place`; or if there are more bytes than ``most``.
    """
    start, count = data_place(stream, position, size)
    if count > most:
        raise ValueError(f"{count} bytes")
    return read_at(stream, start, count)


def read_tree(data: bytes, path: Path) -> Tree:
    """The values of a chunk, of either kind.

    Raises
    ------
    ValueError, struct.error, zlib.error, RecursionError
        If they make no sense.
    """
    if data[:1] == b"<":
        return _xml_tree(parsed_xml(data.rstrip(b"\0").decode("utf-8"), path), 0)
    return _Variants(_unpacked(data)).tree()


def _unpacked(data: bytes) -> bytes:
    """The data of a chunk that may be packed, to a limit."""
    if data[:1] != bytes([_IS_PACKED]):
        return data
    unpacker = zlib.decompressobj()
    whole = unpacker.decompress(data[12:], MAX_XML)
    if unpacker.unconsumed_tail:
        raise ValueError("too long a description")
    return whole


class _Variants:
    """Reads lite variants one after the other, with a limit to all of them."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MAX_VALUES

    def tree(self) -> Tree:
        """The first value and its name."""
        tree, _ = self._values(0, 1, 0)
        return tree

    def _values(self, at: int, count: int, depth: int) -> tuple[Tree, int]:
        """So many named values from a place; and where they end."""
        if depth > MAX_DEPTH:
            raise ValueError("too deep")
        tree: Tree = {}
        for number in range(count):
            if at >= len(self._data):
                break
            self._left -= 1
            if self._left < 0:
                raise ValueError("too many values")
            kind, letters = self._data[at], self._data[at + 1]
            name = self._data[at + 2 : at + 2 + 2 * letters].decode("utf-16-le").rstrip("\0")
            value, at = self._value(kind, at, at + 2 + 2 * letters, depth)
            tree[name or f"i{number:010d}"] = value
        return tree, at

    def _value(self, kind: int, began: int, at: int, depth: int) -> tuple[Any, int]:
        data = self._data
        if kind in _NUMBERS:
            reader = struct.Struct(_NUMBERS[kind])
            return reader.unpack_from(data, at)[0], at + reader.size
        if kind == _TEXT:
            end = at
            while (end := data.find(b"\0\0", end)) >= 0 and (end - at) % 2:
                end += 1
            if end < 0:
                raise ValueError("a text without an end")
            return data[at:end].decode("utf-16-le", "replace"), end + 2
        if kind == _BYTES:
            (length,) = struct.unpack_from("<Q", data, at)
            if length > len(data) - at - 8:
                raise ValueError(length)
            return list(data[at + 8 : at + 8 + min(length, MAX_VALUES)]), at + 8 + length
        if kind == _IS_LEVEL:
            items, length = _LEVEL.unpack_from(data, at)
            if items > len(data) or length > len(data):
                raise ValueError(items)
            tree, end = self._values(at + _LEVEL.size, items, depth + 1)
            if end > began + length + 8 * items:
                raise ValueError(length)
            return tree, began + length + 8 * items
        raise ValueError(f"a value of kind {kind}")


def _xml_tree(element: ElementTree.Element, depth: int) -> Tree:
    """A description of version 2 as a tree; a list of one item is the item itself."""
    if depth > MAX_DEPTH:
        raise ValueError("too deep")
    tree: Tree = {}
    for number, child in enumerate(element):
        text, kind = child.get("value"), child.get("runtype", "")
        value: Any = _xml_tree(child, depth + 1) if text is None else _xml_value(text, kind)
        is_item = child.tag == "no_name" or child.tag in tree
        tree[f"i{number:010d}" if is_item else child.tag] = value
    first = next(iter(tree.values()), None)
    return first if list(tree) == ["i0000000000"] and isinstance(first, dict) else tree


def _xml_value(text: str, kind: str) -> Any:
    if kind == "bool":
        return int(text.lower() in ("true", "1"))
    if kind in ("lx_int32", "lx_uint32", "lx_int64", "lx_uint64"):
        return int(text)
    return float(text) if kind in ("double", "float") else text
