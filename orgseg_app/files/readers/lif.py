"""Leica files (.lif, .lof, .xlif), their container opened by liffile, planes read where they lie.

A file holds many images, each with its own size, time points, mosaic positions and wavelengths.
Nothing is compressed, so a plane costs what its bytes cost.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.lif_images import Layout, layout_of
from orgseg_app.files.readers.maker_files import (
    MAX_IMAGES,
    MAX_XML,
    chosen,
    damaged,
    explained,
    image_names,
    read_at,
    undecodable,
)
from orgseg_app.files.readers.names import clean_name, shown
from orgseg_app.files.readers.tiff_planes import RawPlane
from orgseg_app.files.readers.volumes import Pixels, Volume, check_volume

if TYPE_CHECKING:
    from xml.etree import ElementTree

FAMILY = "lif"
_ENTITIES = tuple(
    word.encode(code) for word in ("<!DOCTYPE", "<!ENTITY") for code in ("ascii", "utf-16-le")
)
_FLIM = "./Data/SingleMoleculeDetection"


def lif_volumes(path: Path) -> list[Volume]:
    """The images of a Leica file; or the one that the path leads to.

    Raises
    ------
    ReadError
        One sentence: damaged, cut short, or a variant that cannot be decoded, and which.
    """
    file, _ = split_inside(path)
    with explained(file, FAMILY):
        found = _images(file)
        names = image_names([name for name, *_ in found], "series")
        volumes = [
            _volume(layout, at + start, name, notes, source)
            for name, (_, layout, start, at, notes, source) in zip(names, found, strict=True)
        ]
        if any(source != file for *_, source in found):  # planes are looked for in this file
            volumes = [dataclasses.replace(volume, find=None) for volume in volumes]
    return chosen(volumes, path)


_Found = tuple[str, Layout, int, int, tuple[str, ...], Path]


def _images(file: Path) -> list[_Found]:
    """Name, layout, offset of its view, offset of its block, notes, and the file it lies in."""
    _check_description(file)
    opened = _opened(file)
    with opened:
        kind = opened.type.name
        if kind in ("XLEF", "XLCF"):
            raise undecodable(file, "that only lists other files", FAMILY)
        if kind == "LIFEXT":
            raise undecodable(file, "with additions to another file", FAMILY)
        if kind == "XLIF":
            return _referred(opened, file)
        return _described(opened, file)


def _opened(file: Path) -> Any:
    try:
        import liffile
    except ImportError as error:
        raise ReadError(
            f"{shown(file)} is a Leica file, and the library that opens these is missing; install "
            "it (pip install liffile), or save the file as OME-TIFF in LAS X or Fiji."
        ) from error
    logging.getLogger("liffile").addHandler(logging.NullHandler())
    # Its base class takes names that are none for open files.
    return liffile.LifFile(file, squeeze=False)


def _check_description(file: Path) -> None:
    """Look for XML entities, and for a description that is far too long, before it is parsed."""
    with file.open("rb") as stream:
        head = stream.read(13)
        count = 2 * int.from_bytes(head[9:13], "little") if head[:4] == b"p\0\0\0" else MAX_XML
        if count > 2 * MAX_XML:
            raise ReadError(f"{shown(file)} describes itself in over 64 MB of text; not opened.")
        text = stream.read(count)
    if any(word in text for word in _ENTITIES):
        raise ReadError(
            f"{shown(file)} describes itself with XML entities, as no microscope does; not opened."
        )


def _described(opened: Any, file: Path) -> list[_Found]:
    size, left_out, too_short = file.stat().st_size, 0, 0
    found: list[_Found] = []
    elements = _elements(opened.xml_element)
    if len(elements) > MAX_IMAGES:
        raise damaged(file, FAMILY)
    for name, element in elements:
        if element.find(_FLIM) is not None:
            left_out += 1
            continue
        memory = element.find("./Memory")
        wanted = memory.get("MemoryBlockID", "") if memory is not None else ""
        block = opened.memory_blocks.get(wanted)
        if block is None and len(opened.memory_blocks) == 1 == len(elements):
            block = next(iter(opened.memory_blocks.values()))  # a LOF's has no name
        layout = layout_of(element)
        if block is None or block.offset < 0 or block.offset + layout.size_bytes > size:
            too_short += (block is not None and block.size > 0) or _is_promised(wanted, memory)
            continue
        if layout.size_bytes > block.size:
            raise damaged(file, FAMILY)
        for view, start in layout.views:
            title = f"{name} {view}".strip()
            found.append((title, layout, start, block.offset, (), file))
    if not found:
        if left_out:
            raise undecodable(file, "of fluorescence lifetimes (FLIM)", FAMILY)
        raise damaged(file, FAMILY, "cut short: its image data is missing")
    notes = []
    if left_out:
        notes.append(f"{left_out} images of fluorescence lifetimes (FLIM) were left out.")
    if too_short:
        notes.append(f"{too_short} images were left out: the file ends before their data.")
    first = found[0]
    found[0] = (*first[:4], tuple(notes), first[5])
    return found


def _is_promised(wanted: str, memory: ElementTree.Element | None) -> bool:
    """True for an image whose block is promised, with a size, and is not in the file."""
    return bool(wanted) and memory is not None and memory.get("Size", "0") != "0"


def _elements(root: ElementTree.Element) -> list[tuple[str, ElementTree.Element]]:
    """Each image's name, with those of the folders it is in, and its XML element."""
    found: list[tuple[str, ElementTree.Element]] = []
    tops = [child for child in root if child.tag == "Element"]
    todo = [("", top, True) for top in reversed(tops)]
    while todo:
        above, element, is_top = todo.pop()
        name = clean_name(element.get("Name", ""), fallback="")
        is_image = element.find("./Data/Image") is not None
        if is_image or element.find(_FLIM) is not None:
            found.append((f"{above} {name}".strip(), element))
        inner = "" if is_top and not is_image else f"{above} {name}".strip()
        below = element.findall("./Children/Element")
        todo += [(inner, child, False) for child in reversed(below)]
    return found


def _referred(opened: Any, file: Path) -> list[_Found]:
    """The images of the LOF file that an XLIF file names, if it lies beside or below it."""
    memory = opened.xml_element.find("./Element/Memory")
    names = [b.get("File", "") for b in memory or () if b.get("File")]
    lofs = [name for name in names if name.lower().endswith(".lof")]
    if len(lofs) != 1:
        raise ReadError(
            f"{shown(file)} only describes images that lie in other files"
            + (f", {len(names)} of them" if names else "")
            + "; import those (TIFF or LOF) instead."
        )
    parts = PurePosixPath(_unquoted(lofs[0]).replace("\\", "/")).parts
    if any(part in ("..", "/") or ":" in part or "\0" in part for part in parts):
        raise ReadError(
            f"{shown(file)} points to a file outside of its folder, which is not followed; import "
            "that file instead."
        )
    lof = file.parent.joinpath(*parts)
    if not lof.is_file() or lof.is_symlink():
        raise ReadError(
            f"{shown(file)} only describes {shown(lof)}, which is not there; copy the whole folder."
        )
    _check_description(lof)
    with _opened(lof) as other:
        if other.type.name != "LOF":
            raise damaged(lof, FAMILY)
        return _described(other, lof)


def _unquoted(name: str) -> str:
    """A file name without “%20” for a space and the like."""
    raw = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), name.encode("utf-8")
    )
    return raw.decode("utf-8", "replace")


def _volume(layout: Layout, begins: int, name: str, notes: tuple[str, ...], file: Path) -> Volume:
    height, width = layout.shape[3:]
    y, x = layout.strides[2:]
    item = layout.dtype.itemsize
    is_plain = x == item and y == width * item and len(set(layout.stored)) == 1
    span = (height - 1) * y + (width - 1) * x + item
    volume = Volume(
        inner=name,
        shape=layout.shape,
        dtype=layout.dtype.newbyteorder("="),
        read=functools.partial(_read, layout, begins, file),
        work_bytes=2 * span,
        stored_bytes=file.stat().st_size,
        pixel_size_um=layout.pixel_size_um,
        channel_names=layout.channel_names,
        is_rgb=layout.is_rgb,
        notes=notes,
        find=functools.partial(_find, layout, begins) if is_plain else None,
    )
    return check_volume(volume, file)


def _find(layout: Layout, begins: int, time: int, z: int) -> RawPlane:
    at = begins + time * layout.strides[0] + z * layout.strides[1]
    offsets = tuple(at + start for start in layout.starts)
    return RawPlane(offsets, layout.stored[0].str, (1, *layout.shape[3:]))


def _read(layout: Layout, begins: int, file: Path, time: int, z: int) -> Pixels:
    """Plane ``(C, Y, X)``: the rows of each channel, wherever its bytes are."""
    _, channels, _, height, width = layout.shape
    y, x = layout.strides[2:]
    plane: Pixels = np.empty((channels, height, width), layout.dtype.newbyteorder("="))
    at = begins + time * layout.strides[0] + z * layout.strides[1]
    with explained(file, FAMILY), file.open("rb") as stream:
        for channel, (start, dtype) in enumerate(zip(layout.starts, layout.stored, strict=True)):
            span = (height - 1) * y + (width - 1) * x + dtype.itemsize
            data = read_at(stream, at + start, span)
            plane[channel] = np.ndarray((height, width), dtype, data, strides=(y, x))
    return plane
