"""PNG, JPEG and BMP pictures, decoded by OpenCV from bytes so that any file name works.

Alpha is dropped, red = green = blue becomes one channel, and a camera's rotation mark is ignored:
masks made in other programs lie on the stored pixels.
"""

from __future__ import annotations

import functools
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import ImageHeader, is_empty_image, trap_sentence
from orgseg_app.files.readers.names import clean_name, shown, stem_of
from orgseg_app.files.readers.raster_header import (
    PNG_START,
    check_jpeg,
    check_png,
    incomplete,
    png_chunks,
    png_header,
    raster_header,
)
from orgseg_app.files.readers.sniff import cannot_open, family_of

Pixels = NDArray[np.generic]

_HEADER_BYTES = 1 << 16


def read_raster(path: Path) -> list[OpenedImage]:
    """The one image of a PNG, JPEG or BMP file.

    Raises
    ------
    ReadError
        One sentence for damage or a kind that cannot be decoded.
    """
    header = read_raster_header(path)
    declared, stored = header.decoded_bytes, path.stat().st_size
    if is_empty_image(declared, stored):
        raise ReadError(trap_sentence(shown(path), declared, stored))
    is_rgb = header.is_colour or header.family == "bmp"
    if is_rgb:
        pixels = decode(path)
        is_rgb = pixels.shape[0] == 3
        header_size: tuple[int, int] = pixels.shape[1:]
        dtype = pixels.dtype
        del pixels
    else:
        header_size = header.height, header.width
        dtype = np.dtype(np.uint16 if header.dtype == "uint16" else np.uint8)
    image = OpenedImage(
        name=clean_name(stem_of(path)),
        source=clean_name(path.name),
        shape=(3 if is_rgb else 1, 1, *header_size),
        dtype=dtype,
        is_rgb=is_rgb,
        channel_names=("red", "green", "blue") if is_rgb else ("channel 1",),
        pixel_size_um=None,
        read_plane=functools.partial(_read_plane, path, 3 if is_rgb else 1),
    )
    return [image]


def read_raster_header(path: Path) -> ImageHeader:
    """Size and kind of a PNG, JPEG or BMP file, no pixel decoded.

    Raises
    ------
    ReadError
        As for `read_raster`.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_HEADER_BYTES)
            stored = path.stat().st_size
            family = family_of(data)
            if family == "jpeg":  # the frame header may follow a long preview or colour profile
                data += stream.read()
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error
    if family not in ("png", "jpeg", "bmp"):
        raise ReadError(f"{shown(path)} is not a PNG, JPEG or BMP picture.")
    return raster_header(family, data, stored=stored, path=path)


def decode(path: Path) -> Pixels:
    """All pixels as ``(C, Y, X)``, uint8 or uint16; C is 3 for colour, 1 for grey, alpha dropped.

    Raises
    ------
    ReadError
        As for `read_raster`.
    """
    return _without_alpha(_decode_bytes(*_checked_bytes(path)))


def decode_samples(path: Path) -> tuple[Pixels, NDArray[np.bool_] | None]:
    """What an annotation needs: stored indices of palettes, colours unmerged, and transparency.

    Returns
    -------
    pixels
        ``(C, Y, X)``; C is 1 (greys; palette indices; values of 1, 2 and 4-bit files as stored,
        not stretched to 8 bits) or 3.
    is_clear
        bool ``(Y, X)``, True where a pixel is fully transparent; None without transparency.

    Raises
    ------
    ReadError
        As for `read_raster`.
    """
    data, family, _ = _checked_bytes(path)
    factor = 1
    if family == "png":
        png = png_header(data, path)
        if png.is_palette:
            data = _as_grey_indices(data, path)
        if png.is_palette or not png.is_colour:
            factor = {1: 255, 2: 85, 4: 17}.get(png.depth, 1)
    array = _decode_bytes(data, family, path)
    is_clear = array[..., 3] == 0 if array.ndim == 3 and array.shape[-1] == 4 else None
    pixels = _without_alpha(array)
    return (pixels // factor).astype(pixels.dtype) if factor > 1 else pixels, is_clear


def _read_plane(path: Path, channels: int, z: int) -> Pixels:
    if z != 0:
        raise IndexError(f"plane {z} of 1")
    pixels = decode(path)
    if pixels.shape[0] != channels:
        raise ReadError(f"{shown(path)} has changed since it was opened; open it again.")
    return pixels


def _checked_bytes(path: Path) -> tuple[bytes, str, Path]:
    """Content of a file whose header is sound and which is whole, with its family."""
    read_raster_header(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise cannot_open(path, error) from error
    family = family_of(data) or ""
    if family == "png":
        check_png(data, path)
    elif family == "jpeg":
        check_jpeg(data, path)
    elif len(data) < int.from_bytes(data[10:14], "little") + 1:
        raise incomplete(path)
    return data, family, path


def _decode_bytes(data: bytes, family: str, path: Path) -> Pixels:
    """Pixels ``(Y, X)`` or ``(Y, X, 3 or 4)`` in OpenCV's blue, green, red order."""
    import cv2

    try:
        array = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except (cv2.error, MemoryError) as error:
        raise ReadError(
            f"{shown(path)} could not be decoded: it is damaged or too large for this computer."
        ) from error
    if array is None or array.dtype not in (np.uint8, np.uint16):
        raise ReadError(
            f"{shown(path)} is damaged or incomplete: its image data cannot be decoded. "
            f"Copy it again, or save it anew as TIFF or {family.upper()}."
        )
    return array


def _without_alpha(array: Pixels) -> Pixels:
    """OpenCV's array as ``(C, Y, X)`` in red, green, blue order; equal colours become one."""
    if array.ndim == 2:
        return array[np.newaxis]
    if array.shape[-1] < 3:
        return np.ascontiguousarray(array[np.newaxis, ..., 0])
    blue, green, red = array[..., 0], array[..., 1], array[..., 2]
    if np.array_equal(blue, green) and np.array_equal(green, red):
        return np.ascontiguousarray(blue[np.newaxis])
    return np.stack([red, green, blue])


def _as_grey_indices(data: bytes, path: Path) -> bytes:
    """A palette PNG rewritten as a grey PNG of its indices, so that they are what is decoded.

    Only the colour type changes and the colour table goes; the compressed data stay as they are.
    """
    parts = [data[:PNG_START]]
    for kind, start, end in png_chunks(data):
        content = data[start:end]
        if kind == b"IHDR":
            content = content[:9] + b"\0" + content[10:]
        elif kind in (b"PLTE", b"tRNS", b"bKGD", b"hIST", b"sBIT"):
            continue
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        parts.append(struct.pack(">I", len(content)) + kind + content + checksum)
        if kind == b"IEND":
            return b"".join(parts)
    raise incomplete(path)
