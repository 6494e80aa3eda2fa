"""The skeleton of an Olympus OIR file: its blocks, and what its XML says of the image.

There is no public specification; the facts are those that the authors of oirfile (C. Gohlke, 2026,
BSD-3-Clause) and Image5D found in files. A header leads to an index of blocks; a block is an XML
description, a thumbnail, or a name with the pixels of a part of one plane behind it. A long
recording goes on in files ``name_00001``, ``name_00002``, … beside it.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

from orgseg_app.files.readers.maker_files import (
    MAX_XML,
    damaged,
    parsed_xml,
    pixel_size_um,
    read_at,
    undecodable,
)
from orgseg_app.files.readers.volumes import PixelSize

FAMILY = "oir"
MAGIC = b"OLYMPUSRAWFORMAT"
MAX_BLOCKS = 5_000_000

_INDEX_MARK = 0xFFFFFFFF
_METADATA, _FRAME, _NAME, _PIXELS = 0, 1, 3, 4
_MAX_NAME = 1024
_MAX_PARTS = 10_000
_PLACE = re.compile(r"([tlz])(\d{1,9})")
_ENDING = re.compile(r"(?:_\d+_\d+)?_([0-9a-f-]+)_(\d+)$")

Key = tuple[int, int, int, str]
"""Time point, wavelength and plane as numbered in the file, and the channel's own id."""


@dataclass(frozen=True)
class Part:
    """Pixels that lie together: in which file (0 the first), where, and how many bytes."""

    file: int
    offset: int
    count: int


@dataclass
class Blocks:
    """What the files of a recording hold.

    Attributes
    ----------
    parts
        Plane → its pixels, in order.
    frame
        XML of the first frame.
    image
        XML of the image: channels and axes.
    """

    parts: dict[Key, list[Part]] = field(default_factory=dict)
    frame: str = ""
    image: str = ""


@dataclass(frozen=True)
class Facts:
    """Size and kind of the planes, as the XML says.

    Attributes
    ----------
    height, width
        In pixels.
    item_bytes
        Bytes of a value.
    is_rgb
        True for a colour camera.
    channels
        Id and name of each channel, in order.
    pixel_size_um
        ``(z, y, x)``, or None.
    """

    height: int
    width: int
    item_bytes: int
    is_rgb: bool
    channels: tuple[tuple[str, str], ...]
    pixel_size_um: PixelSize | None


def further_files(file: Path) -> list[Path]:
    """The files that a recording goes on in: named after the first one, and beside it."""
    found: list[Path] = []
    while len(found) < _MAX_PARTS:
        following = file.with_name(f"{file.stem}_{len(found) + 1:05d}")
        if not following.is_file() or following.is_symlink():
            break
        found.append(following)
    return found


def read_blocks(stream: BinaryIO, number: int, blocks: Blocks, path: Path) -> None:
    """Add what one file of a recording holds.

    Parameters
    ----------
    number
        0 for the first file.

    Raises
    ------
    ReadError
        One sentence for a file that was cut short or is compressed.
    ValueError, struct.error
        Damaged; see `orgseg_app.files.readers.maker_files.explained`.
    """
    size = stream.seek(0, 2)
    if read_at(stream, 0, len(MAGIC)) != MAGIC:
        raise damaged(path, FAMILY)
    declared, index = struct.unpack("<QQ", read_at(stream, 32, 16))
    if declared > size or not 48 <= index < declared:
        raise damaged(path, FAMILY, "cut short: its end is missing, where the list of its parts is")
    plane: Key | None = None
    for offset in _offsets(stream, index, declared):
        count, kind = struct.unpack("<II", read_at(stream, offset, 8))
        if offset + 8 + count > size:
            raise ValueError(offset)
        if kind == _PIXELS and plane is not None:
            blocks.parts.setdefault(plane, []).append(Part(number, offset + 8, count))
        plane = _plane_named(stream, offset, count) if kind == _NAME else None
        if kind == _FRAME and not blocks.frame:
            blocks.frame = next(_descriptions(stream, offset + 8, count), "")
        elif kind == _METADATA and not blocks.image:
            texts = _descriptions(stream, offset + 8, count)
            blocks.image = next((text for text in texts if "lsmimage:" in text[:200]), "")


def facts_of(blocks: Blocks, path: Path) -> Facts:
    """Size and kind of the planes.

    Raises
    ------
    ReadError, ValueError
        As `read_blocks`.
    """
    if not blocks.frame or not blocks.parts:
        raise undecodable(path, "without images, such as a map or a list of settings", FAMILY)
    frame = parsed_xml(blocks.frame, path)
    height, width, depth = (int(_text(frame, tag) or 0) for tag in ("height", "width", "depth"))
    if min(height, width) < 1 or depth not in (1, 2, 4):
        raise ValueError(f"{width} × {height} of {depth} bytes")
    channels: dict[str, tuple[int, str]] = {}
    size: PixelSize | None = None
    if blocks.image:
        root = parsed_xml(blocks.image, path)
        for element in _all(root, "channel"):
            known, name = element.get("id", ""), _text(element, "name")
            if known and known not in channels:
                channels[known] = (int(element.get("order") or 0), name)
        size = _pixel_size(root)
    ordered = sorted(channels.items(), key=lambda item: item[1][0])
    return Facts(
        height=height,
        width=width,
        item_bytes=depth,
        is_rgb=_text(frame, "colorType") == "RGB",
        channels=tuple((known, name) for known, (_, name) in ordered),
        pixel_size_um=size,
    )


def _offsets(stream: BinaryIO, index: int, declared: int) -> Iterator[int]:
    """Where each block begins."""
    count = (declared - index - 4) // 8
    if count > MAX_BLOCKS:
        raise ValueError(count)
    data = read_at(stream, index, 4 + 8 * count)
    if struct.unpack_from("<I", data)[0] != _INDEX_MARK:
        raise ValueError("no index")
    for (offset,) in struct.iter_unpack("<Q", data[4:]):
        if not 0 < offset < declared:
            return
        yield offset


def _plane_named(stream: BinaryIO, offset: int, count: int) -> Key | None:
    """Which plane the pixels behind a name belong to; None of a reference picture."""
    (letters,) = struct.unpack("<I", read_at(stream, offset + 16, 4))
    if letters > min(count, _MAX_NAME):
        raise ValueError(letters)
    name = read_at(stream, offset + 20, letters).decode("ascii")
    ending = _ENDING.search(name)
    if name.startswith("REF_") or ending is None:
        return None
    place = {letter: int(number) for letter, number in _PLACE.findall(name[: ending.start()])}
    return place.get("t", 0), place.get("l", 0), place.get("z", 0), ending[1]


def _descriptions(stream: BinaryIO, offset: int, count: int) -> Iterator[str]:
    """The XML texts in a block, one after the other."""
    if count > MAX_XML:
        raise ValueError(count)
    data = read_at(stream, offset, count)
    at = data.find(b"<?xml")
    while at >= 0:
        following = data.find(b"<?xml", at + 5)
        text = data[at : following if following >= 0 else len(data)]
        yield text[: text.rfind(b">") + 1].decode("utf-8", "replace")
        at = following


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(root: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (element for element in root.iter() if _local(element) == tag)


def _text(root: ElementTree.Element, tag: str) -> str:
    """What the first element of a name below holds."""
    return next((e.text.strip() for e in _all(root, tag) if e.text and e.text.strip()), "")


def _pixel_size(root: ElementTree.Element) -> PixelSize | None:
    x = y = z = None
    for element in _all(root, "length"):
        x, y = _number(_text(element, "x")), _number(_text(element, "y"))
        if x or y:
            break
    for element in _all(root, "axis"):
        if element.get("enable") == "true" and _text_of_child(element, "axis") == "ZSTACK":
            z = _number(_text(element, "step"))
    return pixel_size_um(abs(z) if z else None, y, x)


def _text_of_child(element: ElementTree.Element, tag: str) -> str:
    return next(((c.text or "").strip() for c in element if _local(c) == tag), "")


def _number(text: str) -> float | None:
    try:
        return float(text) or None
    except ValueError:
        return None
