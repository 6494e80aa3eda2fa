"""MRC stacks and maps (.mrc, .rec, .st, .map).

Planes lie uncompressed one behind the other, so they are read where they lie. The order of rows is
kept as stored, as for masks of the same form beside it.
"""

from __future__ import annotations

import functools
from pathlib import Path

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.mrc_header import HEADER_BYTES, MrcHeader, read_mrc_header
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.sniff import cannot_open
from orgseg_app.files.readers.tiff_planes import RawPlane, read_raw
from orgseg_app.files.readers.volumes import Pixels, Volume, check_volume


def mrc_volumes(path: Path) -> list[Volume]:
    """The volume of an MRC file; several for a stack of volumes.

    Raises
    ------
    ReadError
        One sentence: damaged, cut short, or holding something that is no grey value.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(HEADER_BYTES)
        stored = path.stat().st_size
    except OSError as error:
        raise cannot_open(path, error) from error
    header = read_mrc_header(head, path)
    plane = header.rows * header.columns * header.dtype.itemsize
    if header.start + plane * header.sections > stored:
        whole = max(0, stored - header.start) // plane
        raise ReadError(
            f"{shown(path)} is cut short: it holds {whole:,} of {header.sections:,} planes. "
            "Copy it again from where it came from."
        )
    depth = header.sections // header.volumes
    shape = (1, 1, depth, header.rows, header.columns)
    found = []
    for number in range(header.volumes):
        find = functools.partial(_find, header, number * depth, depth)
        volume = Volume(
            inner=f"v{number + 1:02d}" if header.volumes > 1 else "",
            shape=shape,
            dtype=header.dtype.newbyteorder("="),
            read=functools.partial(_read, path, find),
            work_bytes=plane,
            stored_bytes=stored,
            pixel_size_um=header.pixel_size_um,
            find=find,
        )
        found.append(check_volume(volume, path))
    return found


def _find(header: MrcHeader, first: int, depth: int, time: int, z: int) -> RawPlane:
    """Where a plane lies."""
    if not 0 <= z < depth or time:
        raise IndexError(f"plane {z} of {depth}")
    plane = header.rows * header.columns * header.dtype.itemsize
    offset = header.start + (first + z) * plane
    return RawPlane((offset,), header.dtype.str, (1, header.rows, header.columns))


def _read(path: Path, find: functools.partial[RawPlane], time: int, z: int) -> Pixels:
    return read_raw(path, find(time, z))
