"""Nikon ND2 files (.nd2): positions, time points, channels and depth, a frame at a time.

A frame lies in one chunk, its channels beside each other for each pixel; one channel alone,
uncompressed, is read where it lies. The older ND2 files, which are JPEG 2000 inside, are not read.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.maker_files import (
    MAX_IMAGES,
    chosen,
    damaged,
    explained,
    image_names,
    missing_note,
    pixel_size_um,
    undecodable,
)
from orgseg_app.files.readers.nd2_chunks import (
    FAMILY,
    Tree,
    data_place,
    read_chunk,
    read_map,
    read_tree,
    version_of,
)
from orgseg_app.files.readers.nd2_loops import (
    DEPTH,
    POSITION,
    TIME,
    Loop,
    channels_of,
    fitted,
    loops_of,
    pixel_um,
)
from orgseg_app.files.readers.tiff_planes import RawPlane
from orgseg_app.files.readers.volumes import Pixels, Volume, check_volume

_FRAME = "ImageDataSeq|"
_STAMP_BYTES = 8  # a time before the pixels
_LOSSLESS, _LOSSY, _UNCOMPRESSED = 0, 1, 2
_LEGACY = b"\0\0\0\x0cjP  "
_MAX_FRAME = 8 * 2**30


@dataclass(frozen=True)
class Frames:
    """How the frames of a file are stored.

    Attributes
    ----------
    places
        Frame number → where its chunk begins.
    height, width, components
        Of each frame.
    row_bytes
        From one row to the next.
    dtype
        Of the stored values.
    is_packed
        True where they are compressed without loss (zlib).
    is_bgr
        True where the components are blue, green, red.
    """

    places: dict[int, int]
    height: int
    width: int
    components: int
    row_bytes: int
    dtype: np.dtype[np.generic]
    is_packed: bool
    is_bgr: bool

    @property
    def stored_bytes(self) -> int:
        """Bytes of a frame once unpacked."""
        return self.height * self.row_bytes


@dataclass(frozen=True)
class _Grid:
    """Which frame shows what: the loops, the slowest first."""

    loops: tuple[Loop, ...]

    def count(self, axis: str) -> int:
        return math.prod(loop.count for loop in self.loops if loop.axis == axis)

    def frame(self, position: int, time: int, z: int) -> int:
        wanted = {POSITION: position, TIME: time, DEPTH: z}
        number, steps = 0, 1
        for loop in reversed(self.loops):
            wanted[loop.axis], index = divmod(wanted[loop.axis], loop.count)
            number += index * steps
            steps *= loop.count
        return number


def nd2_volumes(path: Path) -> list[Volume]:
    """The images of an ND2 file, one for each position; or the one that the path leads to.

    Raises
    ------
    ReadError
        One sentence: damaged, cut short, or a variant that cannot be decoded, and which.
    """
    file, _ = split_inside(path)
    with explained(file, FAMILY), file.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(0)
        if stream.read(len(_LEGACY)) == _LEGACY:
            raise undecodable(file, "of the old kind (JPEG 2000 inside, before 2010)", FAMILY)
        ending = "LV" if version_of(stream, file) >= 3 else ""
        chunks = read_map(stream, file)

        def tree(name: str) -> Tree:
            if name not in chunks:
                return {}
            return read_tree(read_chunk(stream, chunks[name], size), file)

        picture, calibration = (
            tree(f"ImageMetadataSeq{ending}|0"),
            tree(f"ImageCalibration{ending}|0"),
        )
        attributes = tree(f"ImageAttributes{ending}")
        frames = _frames(attributes, picture, chunks, file, size)
        loops, note = fitted(_known(loops_of(tree(f"ImageMetadata{ending}"))), len(frames.places))
        volumes = _volumes(frames, _Grid(tuple(loops)), picture, calibration, note, file, size)
    return chosen(volumes, path)


def _known(loops: list[Loop]) -> list[Loop]:
    """Loops of one axis each; those that are not known count as depth, so that all is shown."""
    return [
        loop if loop.axis in (TIME, POSITION, DEPTH) else Loop(DEPTH, loop.count) for loop in loops
    ]


def _frames(
    attributes: Tree, picture: Tree, chunks: dict[str, int], path: Path, size: int
) -> Frames:
    facts = attributes.get("SLxImageAttributes", attributes)
    width, height = int(facts["uiWidth"]), int(facts["uiHeight"])
    components, bits = int(facts["uiComp"]), int(facts["uiBpcInMemory"])
    if bits not in (8, 16, 32) or min(width, height, components) < 1:
        raise undecodable(path, f"of {bits}-bit values", FAMILY)
    dtype = np.dtype({8: "<u1", 16: "<u2", 32: "<f4"}[bits])
    packing = int(facts.get("eCompression", _UNCOMPRESSED))
    if packing == _LOSSY:
        raise undecodable(path, "compressed with loss", FAMILY)
    row = width * components * dtype.itemsize
    stride = int(facts.get("uiWidthBytes") or row)
    if stride < row or stride * height > _MAX_FRAME:
        raise ValueError(stride)
    places = {
        int(name[len(_FRAME) :]): place for name, place in chunks.items() if name.startswith(_FRAME)
    }
    if not places:
        raise damaged(path, FAMILY, "without a single image")
    if any(not 0 < place < size for place in places.values()):
        raise damaged(path, FAMILY, "cut short: some of its image data is missing")
    return Frames(
        places=places,
        height=height,
        width=width,
        components=components,
        row_bytes=stride,
        dtype=dtype,
        is_packed=packing == _LOSSLESS,
        is_bgr=channels_of(picture, components).is_rgb,
    )


def _volumes(
    frames: Frames, grid: _Grid, picture: Tree, calibration: Tree, note: str, path: Path, size: int
) -> list[Volume]:
    positions, times, depth = (grid.count(axis) for axis in (POSITION, TIME, DEPTH))
    if positions > MAX_IMAGES or positions * times * depth > 4 * len(frames.places) + 4096:
        raise damaged(path, FAMILY)
    channels = channels_of(picture, frames.components)
    across = pixel_um(calibration, picture)
    step = next((loop.step_um for loop in grid.loops if loop.axis == DEPTH), None)
    named = next((loop.names for loop in grid.loops if loop.names), ())
    titles = list(named) if len(named) == positions else [""] * positions
    volumes = []
    for position, name in enumerate(image_names(titles, "position")):
        find = functools.partial(_find, frames, grid, path, position)
        missing = sum(
            grid.frame(position, t, z) not in frames.places
            for t in range(times)
            for z in range(depth)
        )
        volume = Volume(
            inner=name,
            shape=(times, frames.components, depth, frames.height, frames.width),
            dtype=frames.dtype.newbyteorder("="),
            read=functools.partial(_read, frames, grid, path, position),
            work_bytes=3 * frames.stored_bytes,
            stored_bytes=size,
            pixel_size_um=None if across is None else pixel_size_um(step, across, across),
            channel_names=() if channels.is_rgb else channels.names,
            is_rgb=channels.is_rgb,
            notes=(*missing_note(missing), *([note] if note else ())),
            find=find if frames.components == 1 and not frames.is_packed else None,
        )
        volumes.append(check_volume(volume, path))
    return volumes


def _read(frames: Frames, grid: _Grid, path: Path, position: int, time: int, z: int) -> Pixels:
    """Plane ``(C, Y, X)`` of a position; 0 where the recording has no such frame."""
    shape = (frames.height, frames.width, frames.components)
    place = frames.places.get(grid.frame(position, time, z))
    if place is None:
        return np.zeros((shape[2], *shape[:2]), frames.dtype.newbyteorder("="))
    with explained(path, FAMILY), path.open("rb") as stream:
        data = _pixels(stream, frames, place)
    item = frames.dtype.itemsize
    pixels: Pixels = np.ndarray(
        shape, frames.dtype, data, strides=(frames.row_bytes, shape[2] * item, item)
    )
    if frames.is_bgr:
        pixels = pixels[..., ::-1]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _pixels(stream: BinaryIO, frames: Frames, place: int) -> bytes:
    """The bytes of a frame, unpacked.

    Raises
    ------
    ValueError
        If there are too few.
    """
    size = stream.seek(0, 2)
    data = read_chunk(stream, place, size, most=_MAX_FRAME)[_STAMP_BYTES:]
    if frames.is_packed:
        import zlib

        data = zlib.decompressobj().decompress(data, frames.stored_bytes)
    if len(data) < frames.stored_bytes:
        raise ValueError(f"{len(data)} of {frames.stored_bytes} bytes")
    return data


def _find(
    frames: Frames, grid: _Grid, path: Path, position: int, time: int, z: int
) -> RawPlane | None:
    """Where a plane of one channel lies; None where rows are longer than the image."""
    place = frames.places.get(grid.frame(position, time, z))
    if place is None or frames.row_bytes != frames.width * frames.dtype.itemsize:
        return None
    with explained(path, FAMILY), path.open("rb") as stream:
        start, count = data_place(stream, place, stream.seek(0, 2))
    if count - _STAMP_BYTES < frames.stored_bytes:
        raise damaged(path, FAMILY, "cut short: some of its image data is missing")
    return RawPlane((start + _STAMP_BYTES,), frames.dtype.str, (1, frames.height, frames.width))
