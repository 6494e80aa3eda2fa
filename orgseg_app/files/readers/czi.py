"""Zeiss CZI files (.czi): scenes, mosaics, time points, channels and depth, read block by block.

A plane is put together from its blocks when it is asked for; one whose blocks lie uncompressed and
whole in the file is read where it lies. Uncompressed, JPEG, JPEG-XR, LZW and ZSTD blocks are known.
"""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

import numpy as np

from orgseg_app.files import giving_up
from orgseg_app.files.readers.czi_directory import FAMILY, Block, pixels_at, read_directory
from orgseg_app.files.readers.czi_pixels import (
    bytes_of,
    check_block,
    decoded,
    dtype_of,
    is_plain,
    samples_of,
)
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.maker_files import (
    MAX_IMAGES,
    chosen,
    damaged,
    explained,
    image_names,
    missing_note,
    parsed_xml,
    pixel_size_um,
    read_at,
)
from orgseg_app.files.readers.tiff_planes import RawPlane
from orgseg_app.files.readers.volumes import Pixels, PixelSize, Volume, check_volume

_VIEWS = "SVIHRB"
"""Axes that make images of their own: scene, view, illumination, phase, rotation, acquisition."""

_WORDS = {
    "S": "scene", "V": "view", "I": "illumination", "H": "phase", "R": "rotation",
    "B": "acquisition",
}  # fmt: skip

_METRE_UM = 1e6

Key = tuple[int, int, int]


@dataclass(frozen=True)
class Picture:
    """One image of a file: all blocks of one scene and view.

    Attributes
    ----------
    blocks
        (time, channel, z), each counted from 0 → its blocks, the lowest first.
    counts
        Time points, channels, planes.
    y, x, height, width
        The rectangle that holds all blocks, in the file's coordinates.
    """

    blocks: dict[Key, list[Block]]
    counts: Key
    y: int
    x: int
    height: int
    width: int

    @property
    def first(self) -> Block:
        """Any block: all have the same pixels."""
        return next(iter(self.blocks.values()))[0]


@dataclass(frozen=True)
class _Description:
    channel_names: tuple[str, ...] = ()
    pixel_size_um: PixelSize | None = None
    scene_names: tuple[str, ...] = ()


def czi_volumes(path: Path) -> list[Volume]:
    """The images of a CZI file, one for each scene; or the one that the path leads to.

    Raises
    ------
    ReadError
        One sentence: damaged, cut short, or a variant that cannot be decoded, and which.
    """
    file, _ = split_inside(path)
    with explained(file, FAMILY), file.open("rb") as stream:
        directory = read_directory(stream, file)
        size = stream.seek(0, 2)
        if not directory.blocks:
            raise damaged(file, FAMILY, "without a single image")
        kinds = {(b.pixel_type, b.compression): b for b in directory.blocks}
        for block in kinds.values():
            check_block(block, file)
        if any(not 0 < block.position < size for block in directory.blocks):
            raise damaged(file, FAMILY, "cut short: some of its image data is missing")
        about = _described(directory.xml, file)
        views = _views(directory.blocks)
        if len(views) > MAX_IMAGES:
            raise damaged(file, FAMILY)
        names = image_names([_view_name(view, views, about) for view in views], "image")
        volumes = [
            _volume(_picture(blocks, file), name, about, file, size)
            for name, blocks in zip(names, views.values(), strict=True)
        ]
    return chosen(volumes, path)


def _views(blocks: tuple[Block, ...]) -> dict[tuple[int, ...], list[Block]]:
    views: dict[tuple[int, ...], list[Block]] = defaultdict(list)
    for block in blocks:
        views[tuple(block.place.get(axis, 0) for axis in _VIEWS)].append(block)
    return dict(sorted(views.items()))


def _view_name(
    view: tuple[int, ...], views: dict[tuple[int, ...], list[Block]], about: _Description
) -> str:
    """“scene 2”, its name where it has one, and whatever else tells it from the others."""
    words = []
    for number, (axis, index) in enumerate(zip(_VIEWS, view, strict=True)):
        if len({other[number] for other in views}) > 1:
            named = axis == "S" and 0 <= index < len(about.scene_names)
            name = about.scene_names[index] if named else ""
            words.append(name or f"{_WORDS[axis]} {index + 1}")
    return " ".join(words)


def _picture(blocks: list[Block], path: Path) -> Picture:
    """The blocks of one image in order.

    Time points, channels and planes are counted as they come: a part of a recording keeps its
    numbers, and would otherwise begin with many empty planes.
    """
    found = [
        {index: number for number, index in enumerate(sorted({b.place.get(a, 0) for b in blocks}))}
        for a in "TCZ"
    ]
    if len({(block.pixel_type in (3, 4, 8, 9), dtype_of(block).str) for block in blocks}) > 1:
        raise damaged(path, FAMILY, "made of pixels of several kinds, which OrgSeg cannot mix")
    by_plane: dict[Key, list[Block]] = defaultdict(list)
    for block in sorted(blocks, key=lambda b: b.order):
        t, c, z = (
            places[block.place.get(axis, 0)] for axis, places in zip("TCZ", found, strict=True)
        )
        by_plane[t, c, z].append(block)
    y, x = min(b.y for b in blocks), min(b.x for b in blocks)
    return Picture(
        blocks=dict(by_plane),
        counts=(len(found[0]), len(found[1]), len(found[2])),
        y=y,
        x=x,
        height=max(b.y + b.height for b in blocks) - y,
        width=max(b.x + b.width for b in blocks) - x,
    )


def _volume(picture: Picture, name: str, about: _Description, path: Path, size: int) -> Volume:
    times, channels, depth = picture.counts
    colours = min(3, samples_of(picture.first))
    missing = sum(
        (t, c, z) not in picture.blocks
        for t, c, z in itertools.product(range(times), range(channels), range(depth))
    )
    shape = (times, channels * colours, depth, picture.height, picture.width)
    largest = max(bytes_of(b) for blocks in picture.blocks.values() for b in blocks)
    names = about.channel_names if len(about.channel_names) == channels else ()
    volume = Volume(
        inner=name,
        shape=shape,
        dtype=dtype_of(picture.first).newbyteorder("="),
        read=functools.partial(_read, picture, path),
        work_bytes=2 * largest,
        stored_bytes=size,
        pixel_size_um=about.pixel_size_um,
        channel_names=names if colours == 1 else (),
        is_rgb=colours == 3 and channels == 1,
        notes=missing_note(missing),
        find=functools.partial(_find, picture, path),
    )
    return check_volume(volume, path)


def _read(picture: Picture, path: Path, time: int, z: int) -> Pixels:
    """Plane ``(C, Y, X)`` from its blocks, 0 where there is none."""
    _, channels, _ = picture.counts
    first = picture.first
    colours = min(3, samples_of(first))
    with explained(path, FAMILY), path.open("rb") as stream:
        dtype = dtype_of(first).newbyteorder("=")
        plane: Pixels = np.zeros((channels * colours, picture.height, picture.width), dtype)
        for channel in range(channels):
            layers = plane[channel * colours : (channel + 1) * colours]
            for block in picture.blocks.get((time, channel, z), ()):
                giving_up.ask()
                y, x = block.y - picture.y, block.x - picture.x
                target = layers[:, y : y + block.height, x : x + block.width]
                target[...] = decoded(block, _stored(stream, block))
    return plane


def _stored(stream: BinaryIO, block: Block) -> bytes:
    start, count = pixels_at(stream, block)
    return read_at(stream, start, count)


def _find(picture: Picture, path: Path, time: int, z: int) -> RawPlane | None:
    """Where a plane lies whole and uncompressed; None of any other."""
    offsets = []
    shape = picture.height, picture.width
    with explained(path, FAMILY), path.open("rb") as stream:
        for channel in range(picture.counts[1]):
            blocks = picture.blocks.get((time, channel, z), [])
            if len(blocks) != 1 or not is_plain(blocks[0]):
                return None
            start, count = pixels_at(stream, blocks[0])
            if count < bytes_of(blocks[0]) or (blocks[0].height, blocks[0].width) != shape:
                return None
            offsets.append(start)
    return RawPlane(tuple(offsets), dtype_of(picture.first).str, (1, *shape))


# -- the description ------------------------------------------------------------------------------


def _described(xml: str, path: Path) -> _Description:
    """Channel names, pixel size and scene names; of a damaged description, nothing."""
    if not xml:
        return _Description()
    try:
        root = parsed_xml(xml, path)
    except ElementTree.ParseError:
        return _Description()
    z, y, x = (_distance(root, axis) for axis in "ZYX")
    return _Description(_channel_names(root), pixel_size_um(z, y, x), _scene_names(root))


def _distance(root: ElementTree.Element, axis: str) -> float | None:
    """Micrometres from one pixel to the next."""
    for distance in root.iterfind("./Metadata/Scaling/Items/Distance"):
        if distance.get("Id") == axis:
            try:
                return float(distance.findtext("Value") or 0) * _METRE_UM or None
            except ValueError:
                return None
    return None


def _channel_names(root: ElementTree.Element) -> tuple[str, ...]:
    """Names as the image has them, or else as they are displayed; ``""`` where there is none."""
    shown_names = {
        channel.get("Id", ""): channel.get("Name", "")
        for channel in root.iterfind("./Metadata/DisplaySetting/Channels/Channel")
    }
    shown_names |= {
        channel.get("Id", ""): channel.get("Name", "")
        for channel in root.iterfind("./Metadata/Scaling/DisplaySetting/Channels/Channel")
    }
    channels = root.iterfind("./Metadata/Information/Image/Dimensions/Channels/Channel")
    return tuple(c.get("Name") or shown_names.get(c.get("Id", ""), "") for c in channels)


def _scene_names(root: ElementTree.Element) -> tuple[str, ...]:
    scenes = root.iterfind("./Metadata/Information/Image/Dimensions/S/Scenes/Scene")
    return tuple(scene.get("Name", "") for scene in scenes)
