"""From the stored bytes of one block of a CZI file to its pixels."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.readers.czi_directory import FAMILY, Block
from orgseg_app.files.readers.maker_files import undecodable

Pixels = NDArray[np.generic]

T = TypeVar("T")

PIXEL_TYPES: dict[int, tuple[str, int]] = {
    0: ("<u1", 1),  # Gray8
    1: ("<u2", 1),  # Gray16
    2: ("<f4", 1),  # Gray32Float
    3: ("<u1", 3),  # Bgr24
    4: ("<u2", 3),  # Bgr48
    8: ("<f4", 3),  # Bgr96Float
    9: ("<u1", 4),  # Bgra32
    12: ("<u4", 1),  # Gray32
    13: ("<f8", 1),  # Gray64Float
}
"""Pixel type → NumPy type and values of a pixel."""

_TYPES_REFUSED = {10: "of complex numbers", 11: "of complex numbers"}

UNCOMPRESSED, JPEG, LZW, JPEG_XR, ZSTD, ZSTD_HEADER = 0, 1, 2, 4, 5, 6
_CAMERA_RAW = 100
_SYSTEM_RAW = 1000
_COMPRESSIONS = frozenset({UNCOMPRESSED, JPEG, LZW, JPEG_XR, ZSTD, ZSTD_HEADER})
_HAS_RGB_ORDER = frozenset({JPEG, JPEG_XR})
"""Their decoders give red, green, blue; all else is stored as blue, green, red."""


def dtype_of(block: Block) -> np.dtype[np.generic]:
    """The number type of a block as stored; see `check_block` first."""
    return np.dtype(PIXEL_TYPES[block.pixel_type][0])


def samples_of(block: Block) -> int:
    """Values of one pixel, alpha included; see `check_block` first."""
    return PIXEL_TYPES[block.pixel_type][1]


def bytes_of(block: Block) -> int:
    """Bytes of the pixels of a block."""
    return block.height * block.width * samples_of(block) * dtype_of(block).itemsize


def is_plain(block: Block) -> bool:
    """True if the stored bytes are the pixels, as far as the directory says."""
    return block.compression in (UNCOMPRESSED, _SYSTEM_RAW) and samples_of(block) == 1


def check_block(block: Block, path: Path) -> None:
    """Refuse pixels and compressions that are not known.

    Raises
    ------
    ReadError
        One sentence that names the variant.
    """
    if block.pixel_type not in PIXEL_TYPES:
        kind = _TYPES_REFUSED.get(block.pixel_type, f"of pixel type {block.pixel_type}")
        raise undecodable(path, kind, FAMILY)
    if block.compression not in _COMPRESSIONS and block.compression != _SYSTEM_RAW:
        if _CAMERA_RAW <= block.compression < _SYSTEM_RAW:
            variant = f"with a camera's raw data (compression {block.compression})"
        elif block.compression > _SYSTEM_RAW:
            variant = f"with an instrument's raw data (compression {block.compression})"
        else:
            variant = f"with compression {block.compression}"
        raise undecodable(path, variant, FAMILY)


def decoded(block: Block, stored: bytes) -> Pixels:
    """Pixels ``(samples, Y, X)``, colours in the order red, green, blue.

    Raises
    ------
    ValueError, RuntimeError
        If the bytes are not those of such a block.
    """
    dtype, samples = dtype_of(block), samples_of(block)
    shape = (block.height, block.width, samples)
    count = bytes_of(block)
    packing = block.compression
    if len(stored) == count and packing in (LZW, ZSTD):
        packing = UNCOMPRESSED  # ZEN stores what does not get smaller as it is
    if packing in _HAS_RGB_ORDER:
        pixels = np.asarray(_picture(packing, stored))
        if pixels.dtype != dtype or pixels.size != math.prod(shape):
            raise ValueError(f"{pixels.dtype} {pixels.shape} of {shape}")
    else:
        data = _unpacked(packing, stored, count, dtype.itemsize)
        if len(data) < count:
            raise ValueError(f"{len(data)} of {count} bytes")
        pixels = np.frombuffer(data, dtype, math.prod(shape))
    pixels = pixels.reshape(shape)
    if samples >= 3:
        pixels = pixels[..., :3]  # alpha is dropped
        if packing not in _HAS_RGB_ORDER:
            pixels = pixels[..., ::-1]
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _picture(packing: int, stored: bytes) -> NDArray[np.generic]:
    import imagecodecs

    decode = imagecodecs.jpeg_decode if packing == JPEG else imagecodecs.jpegxr_decode
    picture: NDArray[np.generic] = _quietly(functools.partial(decode, stored))
    return picture


def _unpacked(packing: int, stored: bytes, count: int, itemsize: int) -> bytes:
    """The bytes of pixels whose colours are still blue, green, red."""
    if packing in (UNCOMPRESSED, _SYSTEM_RAW):
        return stored
    import imagecodecs

    if packing == LZW:
        return bytes(_quietly(functools.partial(imagecodecs.lzw_decode, stored, out=count)))
    is_split = False
    if packing == ZSTD_HEADER:
        size = stored[0] if stored else 0
        if size not in (1, 3) or size > len(stored) or (size == 3 and stored[1] != 1):
            raise ValueError(f"ZSTD header of {size} bytes")
        is_split = size == 3 and bool(stored[2] & 1)
        stored = stored[size:]
    data = bytes(_quietly(functools.partial(imagecodecs.zstd_decode, stored, out=count)))
    if is_split and itemsize == 2:  # all low bytes, then all high bytes
        halves = np.frombuffer(data, np.uint8, count).reshape(2, -1)
        data = halves.T.tobytes()
    return data


def _quietly(decode: Callable[[], T]) -> T:
    """What a codec gives; its own kinds of error as one that is known."""
    try:
        return decode()
    except MemoryError:
        raise
    except Exception as error:  # each codec has a kind of its own
        raise ValueError(str(error)) from error
