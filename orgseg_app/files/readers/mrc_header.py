"""The first 1024 bytes of MRC stacks and maps, from the description of the format alone.

Cheng, A., Henderson, R., Mastronarde, D. et al. (2015), MRC2014: extensions to the MRC format
header, J. Struct. Biol. 192, 146–150; bytes of IMOD's header from its file format notes.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import shown

HEADER_BYTES = 1024
_SIDE_MOST = 2**31

_DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_OTHER_MODES = {
    3: "complex numbers (a Fourier transform)",
    4: "complex numbers (a Fourier transform)",
    16: "colours as MRC mode 16",
    101: "4-bit values (MRC mode 101)",
}
_IMOD_STAMP = 1146047817
_SIGNED_BYTES = 1
_VOLUME_STACK = 401
_MICROMETRES_PER_ANGSTROM = 1e-4


@dataclass(frozen=True)
class MrcHeader:
    """What the first 1024 bytes say.

    Attributes
    ----------
    order
        ``"<"`` or ``">"``.
    columns, rows, sections
        Voxels along the axes as stored, fastest first.
    mode
        Kind of number.
    start
        Where the voxels begin, in bytes.
    pixel_size_um
        ``(section, row, column)``, or None.
    volumes
        Volumes of equal depth that the sections are shared among.
    is_unsigned
        For mode 0: bytes count from 0 to 255, as older IMOD files do.
    """

    order: str
    columns: int
    rows: int
    sections: int
    mode: int
    start: int
    pixel_size_um: tuple[float, float, float] | None
    volumes: int = 1
    is_unsigned: bool = False

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Stored values, with byte order."""
        code = "u1" if self.mode == 0 and self.is_unsigned else _DTYPES[self.mode]
        return np.dtype(self.order + code)


def looks_like_mrc(head: bytes) -> bool:
    """True for the first bytes of an MRC file, with or without the mark that newer ones have."""
    if len(head) < 224:
        return False
    has_mark = head[208:211] == b"MAP"
    return any(_makes_sense(head, order, strict=not has_mark) for order in "<>")


def read_mrc_header(head: bytes, path: Path) -> MrcHeader:
    """What the first 1024 bytes of a file say.

    Raises
    ------
    ReadError
        As `mrc_volumes`.
    """
    orders = _orders(head)
    if len(head) < HEADER_BYTES or not orders:
        raise ReadError(
            f"{shown(path)} is damaged: what it says of itself as an MRC file makes no sense."
        )
    order = orders[0]
    words = struct.unpack(f"{order}10i3f3f3i3f2i", head[:96])
    columns, rows, sections, mode = words[:4]
    intervals, cell = words[7:10], words[10:13]
    maps, space_group, extra = words[16:19], words[22], words[23]
    if mode in _OTHER_MODES:
        raise ReadError(
            f"{shown(path)} holds {_OTHER_MODES[mode]}, which cannot be shown as an image; "
            "save it as 8-bit, 16-bit or 32-bit float."
        )
    stamp, flags = struct.unpack(f"{order}2i", head[152:160])
    volumes = 1
    if space_group >= _VOLUME_STACK and 0 < intervals[2] < sections:
        volumes = sections // intervals[2] if sections % intervals[2] == 0 else 1
    return MrcHeader(
        order=order,
        columns=columns,
        rows=rows,
        sections=sections,
        mode=mode,
        start=HEADER_BYTES + extra,
        pixel_size_um=_pixel_size(cell, intervals, maps),
        volumes=volumes,
        is_unsigned=stamp == _IMOD_STAMP and not flags & _SIGNED_BYTES,
    )


def _orders(head: bytes) -> list[str]:
    """Byte orders under which the header makes sense, the one that it declares first."""
    declared = ">" if head[212:214] == b"\x11\x11" else "<"
    strict = head[208:211] != b"MAP"
    return [
        order
        for order in (declared, "<" if declared == ">" else ">")
        if _makes_sense(head, order, strict=strict)
    ]


def _makes_sense(head: bytes, order: str, *, strict: bool) -> bool:
    """True if sizes, kind of number and axes are possible ones.

    Parameters
    ----------
    strict
        The mark is missing: the axes must be numbered, and the sizes of images.
    """
    if len(head) < 96:
        return False
    columns, rows, sections, mode = struct.unpack(f"{order}4i", head[:16])
    extra = struct.unpack(f"{order}i", head[92:96])[0]
    maps = sorted(struct.unpack(f"{order}3i", head[64:76]))
    sides = (columns, rows, sections)
    if min(sides) < 1 or max(sides) >= (2**16 if strict else _SIDE_MOST):
        return False
    if mode not in _DTYPES and mode not in _OTHER_MODES:
        return False
    return 0 <= extra < _SIDE_MOST and (maps == [1, 2, 3] or (not strict and maps == [0, 0, 0]))


def _pixel_size(
    cell: tuple[float, ...], intervals: tuple[int, ...], maps: tuple[int, ...]
) -> tuple[float, float, float] | None:
    """Micrometres of (section, row, column), where the header gives them."""
    columns, rows, sections = maps if sorted(maps) == [1, 2, 3] else (1, 2, 3)
    sizes = []
    for axis in (sections, rows, columns):
        length, count = cell[axis - 1], intervals[axis - 1]
        size = length / count * _MICROMETRES_PER_ANGSTROM if count > 0 else 0.0
        if not math.isfinite(size) or size <= 0:
            return None
        sizes.append(size)
    return sizes[0], sizes[1], sizes[2]
