"""Grey and indexed PNG files (ISO/IEC 15948); OpenCV writes no palettes."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_GREY, _INDEXED = 0, 3
_METRE = 1
MAX_SIDE = 2**31 - 1


def encode_png(
    values: NDArray[np.uint8] | NDArray[np.uint16],
    palette: Sequence[tuple[int, int, int]] = (),
    *,
    pixel_size_um: tuple[float, float] | None = None,
) -> bytes:
    """A PNG file of one plane.

    Parameters
    ----------
    values
        ``(Y, X)`` uint8 or uint16.
    palette
        Red, green, blue of each value; makes an indexed file of a uint8 plane.
    pixel_size_um
        ``(y, x)`` in micrometres.

    Raises
    ------
    ValueError
        When values reach past the palette, or the plane is no plane.
    """
    if values.ndim != 2 or values.dtype not in (np.uint8, np.uint16) or values.size == 0:
        raise ValueError(f"A PNG is made of a uint8 or uint16 plane, not {values.dtype}.")
    if palette and (values.dtype != np.uint8 or len(palette) > 256):
        raise ValueError("A palette has at most 256 colours, for values of 8 bits.")
    if palette and int(values.max()) >= len(palette):
        raise ValueError(f"The palette has no colour for the value {int(values.max())}.")
    height, width = values.shape
    depth = 8 * values.dtype.itemsize
    kind = _INDEXED if palette else _GREY
    parts = [
        _SIGNATURE,
        _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)),
    ]
    if palette:
        parts.append(_chunk(b"PLTE", bytes(part for colour in palette for part in colour)))
    if pixel_size_um is not None:
        per_metre = [round(1e6 / size) for size in reversed(pixel_size_um)]
        if all(0 < n <= MAX_SIDE for n in per_metre):
            parts.append(_chunk(b"pHYs", struct.pack(">IIB", *per_metre, _METRE)))
    rows = np.zeros((height, 1 + width * values.dtype.itemsize), np.uint8)  # first byte: no filter
    big_endian = np.ascontiguousarray(values.astype(values.dtype.newbyteorder(">"), copy=False))
    rows[:, 1:] = big_endian.view(np.uint8).reshape(height, -1)
    parts.append(_chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)))
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
