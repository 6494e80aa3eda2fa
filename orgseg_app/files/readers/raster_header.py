"""Headers of PNG, JPEG and BMP files: size, depth and colours, without decoding."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import ImageHeader, is_oversized, trap_sentence
from orgseg_app.files.readers.names import shown

PNG_START = 8
_PNG_GREY, _PNG_RGB, _PNG_PALETTE, _PNG_GREY_ALPHA, _PNG_RGB_ALPHA = 0, 2, 3, 4, 6
_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_PNG_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PNG_SLACK = 2**17
_JPEG_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})
_JPEG_NOT_FRAMES = frozenset({0xC4, 0xC8, 0xCC})


@dataclass(frozen=True)
class PngHeader:
    """The IHDR chunk of a PNG.

    Attributes
    ----------
    width, height
        Pixels.
    depth
        Bits of one value: 1, 2, 4, 8 or 16.
    colour_type
        0 grey, 2 RGB, 3 palette, 4 grey + alpha, 6 RGB + alpha.
    """

    width: int
    height: int
    depth: int
    colour_type: int

    @property
    def row_bytes(self) -> int:
        """Bytes of all rows unpacked."""
        bits = self.width * self.depth * _PNG_SAMPLES[self.colour_type]
        return self.height * (1 + (bits + 7) // 8)

    @property
    def is_colour(self) -> bool:
        """True if the file declares red, green and blue."""
        return self.colour_type in (_PNG_RGB, _PNG_RGB_ALPHA, _PNG_PALETTE)

    @property
    def is_palette(self) -> bool:
        """True if the values are indices into a colour table."""
        return self.colour_type == _PNG_PALETTE


def raster_header(family: str, data: bytes, *, stored: int, path: Path) -> ImageHeader:
    """Size and kind of a PNG, JPEG or BMP from its first bytes.

    Parameters
    ----------
    family
        ``"png"``, ``"jpeg"`` or ``"bmp"``.
    data
        The beginning of the file; a JPEG's frame header may come after a long preview.
    stored
        Size of the file in bytes.
    path
        For the sentence only.

    Raises
    ------
    ReadError
        One sentence for a damaged header or a size the file cannot hold.
    """
    header = {"png": _png, "jpeg": _jpeg, "bmp": _bmp}[family](data, path)
    itemsize = 2 if header.dtype == "uint16" else 1
    declared = header.height * header.width * (4 if header.is_colour else 1) * itemsize
    if header.height < 1 or header.width < 1:
        raise ReadError(f"{shown(path)} declares an image without pixels; it is damaged.")
    if is_oversized(declared, stored):
        raise ReadError(trap_sentence(shown(path), declared, stored))
    return header


def png_header(data: bytes, path: Path) -> PngHeader:
    """The first chunk of a PNG.

    Raises
    ------
    ReadError
        One sentence if it is damaged or not allowed by the format.
    """
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise _damaged(path, "PNG")
    width, height, depth, colour_type = struct.unpack_from(">IIBB", data, 16)
    if depth not in _PNG_DEPTHS.get(colour_type, ()):
        raise _damaged(path, "PNG")
    return PngHeader(width, height, depth, colour_type)


def png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The chunks of a PNG as ``(type, start, end)`` of their content, as far as they are whole."""
    at = PNG_START
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind = data[at + 4 : at + 8]
        end = at + 8 + length
        if end + 4 > len(data):
            return
        yield kind, at + 8, end
        at = end + 4


def check_png(data: bytes, path: Path) -> None:
    """Check that a PNG is whole, that its checksums hold, and that its pixels are its own.

    Raises
    ------
    ReadError
        One sentence that tells a cut file from a changed one.
    """
    kinds, packed = set(), 0
    for kind, start, end in png_chunks(data):
        kinds.add(kind)
        packed += (end - start) * (kind == b"IDAT")
        stored = int.from_bytes(data[end : end + 4], "big")
        if kind[:1].isupper() and zlib.crc32(data[start - 4 : end]) != stored:
            raise ReadError(
                f"{shown(path)} is damaged: a checksum does not match. "
                "Copy it again from where it came from."
            )
        if kind == b"IEND":
            break
    if b"IEND" not in kinds or b"IDAT" not in kinds:
        raise incomplete(path)
    if packed > 2 * png_header(data, path).row_bytes + _PNG_SLACK:  # packing hardly ever adds
        raise ReadError(
            f"{shown(path)} is damaged: it holds far more data than its size in pixels has room "
            "for. Copy it again from where it came from."
        )


def check_jpeg(data: bytes, path: Path) -> None:
    """Check that a JPEG has its end mark after the image data.

    Raises
    ------
    ReadError
        One sentence for a file that was cut short.
    """
    scan = _jpeg_marker(data, lambda marker: marker == 0xDA)
    if scan is None or data.rfind(b"\xff\xd9") < scan:
        raise incomplete(path)


def incomplete(path: Path) -> ReadError:
    """The sentence for a picture of which the end is missing."""
    return ReadError(
        f"{shown(path)} is incomplete: the file ends before its image data does; "
        "copy it again from where it came from."
    )


def _png(data: bytes, path: Path) -> ImageHeader:
    png = png_header(data, path)
    dtype = "bool" if png.depth == 1 and not png.is_palette else "uint8"
    return ImageHeader(
        family="png",
        planes=1,
        height=png.height,
        width=png.width,
        channels=3 if png.is_colour else 1,
        dtype="uint16" if png.depth == 16 else dtype,
        is_colour=png.is_colour,
        is_palette=png.is_palette,
    )


def _jpeg(data: bytes, path: Path) -> ImageHeader:
    at = _jpeg_marker(data, lambda m: 0xC0 <= m <= 0xCF and m not in _JPEG_NOT_FRAMES)
    if at is None or at + 9 > len(data):
        raise _damaged(path, "JPEG")
    precision, height, width, components = struct.unpack_from(">BHHB", data, at + 2)
    if precision != 8:
        raise ReadError(
            f"{shown(path)} is a JPEG with {precision} bits a value, which is not supported; "
            "save it as TIFF or PNG."
        )
    colours = components >= 3
    return ImageHeader("jpeg", 1, height, width, 3 if colours else 1, "uint8", is_colour=colours)


def _jpeg_marker(data: bytes, wanted: object) -> int | None:
    """Where the length field of the first wanted marker segment lies."""
    assert callable(wanted)
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if wanted(marker):
            return at + 2
        if marker in _JPEG_WITHOUT_LENGTH:
            at += 2
            continue
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        if length < 2 or marker == 0xDA:
            return None
        at += 2 + length
    return None


def _bmp(data: bytes, path: Path) -> ImageHeader:
    if len(data) < 30:
        raise _damaged(path, "BMP")
    if int.from_bytes(data[14:18], "little") == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", data, 18)
    colours = bits > 8
    return ImageHeader(
        family="bmp",
        planes=1,
        height=abs(height),
        width=abs(width),
        channels=3 if colours else 1,
        dtype="uint8",
        is_colour=colours,
        is_palette=not colours,
    )


def _damaged(path: Path, title: str) -> ReadError:
    return ReadError(
        f"{shown(path)} is a damaged {title} file: its beginning cannot be understood. "
        "Copy it again from where it came from."
    )
