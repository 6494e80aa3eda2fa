"""How blocks of a Zarr array are packed, and how they are unpacked.

Only what is named here is ever run: the numcodecs library, which knows these names as well, would
unpickle a block if a file asked for it, and so run whatever code the block holds.

Zarr specifications: version 2 (2019) and version 3 (2024), zarr-specs.readthedocs.io; sharding:
ZEP 2.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Decoder = Callable[[bytes, int], bytes]
"""Packed bytes, and how many there are at the most once unpacked → unpacked bytes."""


class PackingError(ValueError):
    """A packing that cannot be undone; the message names it."""


def decoder(name: str, options: dict[str, Any], itemsize: int) -> Decoder:
    """What undoes a packing.

    Parameters
    ----------
    name
        As the file names it, with or without “numcodecs.” in front.
    options
        As the file gives them.
    itemsize
        Bytes of one value.

    Raises
    ------
    PackingError
        For a packing that is not known.
    """
    name = name.removeprefix("numcodecs.").removeprefix("https://codec.zarrs.dev/")
    if name == "shuffle":
        return functools.partial(_unshuffle, int(options.get("elementsize", itemsize)))
    if name not in _DECODERS:
        raise PackingError(name[:40])
    return _DECODERS[name]


def check_length(data: bytes, most: int) -> bytes:
    """The same bytes. Raises ValueError when there are more than a block has."""
    if len(data) > most:
        raise ValueError(f"{len(data)} bytes in a block of {most}")
    return data


def _blosc(data: bytes, most: int) -> bytes:
    import imagecodecs

    if len(data) < 16 or int.from_bytes(data[4:8], "little") > most:
        raise ValueError("a block larger than it can be")
    return bytes(imagecodecs.blosc_decode(data))


def _zstd(data: bytes, most: int) -> bytes:
    import imagecodecs

    return bytes(imagecodecs.zstd_decode(data, out=most))


def _lz4(data: bytes, most: int) -> bytes:
    import imagecodecs

    if len(data) < 4 or int.from_bytes(data[:4], "little") > most:
        raise ValueError("a block larger than it can be")
    return bytes(imagecodecs.lz4_decode(data, header=True))


def _zlib(data: bytes, most: int) -> bytes:
    return zlib.decompressobj().decompress(data, most + 1)


def _gzip(data: bytes, most: int) -> bytes:
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        return stream.read(most + 1)


def _bz2(data: bytes, most: int) -> bytes:
    return bz2.BZ2Decompressor().decompress(data, most + 1)


def _lzma(data: bytes, most: int) -> bytes:
    return lzma.LZMADecompressor().decompress(data, most + 1)


def _checked_sum(data: bytes, most: int) -> bytes:
    """Bytes without the CRC-32C behind them."""
    body, stated = data[:-4], int.from_bytes(data[-4:], "little")
    if crc32c(body) != stated:
        raise ValueError("its checksum is wrong")
    return body


def _unshuffle(size: int, data: bytes, most: int) -> bytes:
    if not 1 <= size <= 16 or len(data) % size:
        return data
    return np.frombuffer(data, np.uint8).reshape(size, -1).T.tobytes()


_DECODERS: dict[str, Decoder] = {
    "blosc": _blosc,
    "zstd": _zstd,
    "lz4": _lz4,
    "zlib": _zlib,
    "gzip": _gzip,
    "bz2": _bz2,
    "lzma": _lzma,
    "crc32c": _checked_sum,
}


@functools.cache
def _crc_table() -> tuple[int, ...]:
    """CRC-32C (Castagnoli), reflected polynomial 0x82F63B78, byte by byte."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return tuple(table)


def crc32c(data: bytes | memoryview) -> int:
    """CRC-32C of some bytes; for indices of shards, a few kilobytes.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    table, value = _crc_table(), 0xFFFFFFFF
    for byte in data:
        value = table[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def unpack(data: bytes, steps: Sequence[Decoder], most: int) -> bytes:
    """Bytes of a block, its packings undone one after the other.

    Raises
    ------
    ValueError
        When it is damaged.
    """
    for step in steps:
        data = check_length(step(data, most + 64), most + 64)
    return data
