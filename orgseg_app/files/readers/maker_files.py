"""What the readers of microscope makers' files have in common: sentences, XML, missing planes.

A maker's module (`czi`, `nd2`, `lif`, `olympus`, `oir`) says which images a file holds and where
their pixels lie, as `orgseg_app.files.readers.volumes.Volume`.
"""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from xml.etree import ElementTree

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.names import all_different, clean_name, shown
from orgseg_app.files.readers.sniff import FAMILY_TITLES, cannot_open
from orgseg_app.files.readers.volumes import PixelSize, Volume

PROGRAMS = {
    "czi": "ZEN",
    "nd2": "NIS-Elements",
    "lif": "LAS X",
    "oif": "FluoView",
    "oir": "FluoView or cellSens",
}
"""Family of files → the maker's program that can save them as something else."""

MAX_XML = 64 * 2**20
"""Bytes of a description; those of real files stay below 30 MB."""

MAX_IMAGES = 4096
"""Scenes, positions or series of one file."""

_SMALLEST_UM, _LARGEST_UM = 1e-6, 1e5


def undecodable(path: Path, variant: str, family: str) -> ReadError:
    """The sentence for a file of a variant that cannot be decoded.

    Parameters
    ----------
    variant
        What is special about it, as the end of “it is …”: ``"compressed with JPEG-LS"``.
    family
        Its family, of `PROGRAMS`.
    """
    return ReadError(
        f"{shown(path)} is a {FAMILY_TITLES[family]} file {variant}, which OrgSeg cannot decode; "
        f"open it in {PROGRAMS[family]} or in Fiji, and save it as OME-TIFF."
    )


def damaged(path: Path, family: str, what: str = "damaged or not complete") -> ReadError:
    """The sentence for a file that contradicts itself or ends early."""
    return ReadError(
        f"{shown(path)} is a {FAMILY_TITLES[family]} file that is {what}. Copy it again from where "
        f"it came from, or save it anew in {PROGRAMS[family]}."
    )


@contextmanager
def explained(path: Path, family: str) -> Iterator[None]:
    """Turn what goes wrong while a file is taken apart into a `ReadError` with one sentence."""
    try:
        yield
    except ReadError:
        raise
    except OSError as error:
        raise cannot_open(path, error) if error.errno else damaged(path, family) from error
    except MemoryError as error:
        raise ReadError(f"{shown(path)} is too large for the memory of this computer.") from error
    except (
        ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, RuntimeError,
        TypeError, ValueError, struct.error, zlib.error, ElementTree.ParseError,
    ) as error:  # fmt: skip
        raise damaged(path, family) from error


def parsed_xml(text: str, path: Path) -> ElementTree.Element:
    """The root of a description.

    Raises
    ------
    ReadError
        One sentence if it declares entities, as only traps do, or is far too long.
    ElementTree.ParseError
        If it is no XML; see `explained`.
    """
    if len(text) > MAX_XML:
        raise ReadError(f"{shown(path)} describes itself in over 64 MB of text; not opened.")
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ReadError(
            f"{shown(path)} describes itself with XML entities, as no microscope does; not opened."
        )
    return ElementTree.fromstring(text)  # noqa: S314 (no entities: see above)


def read_at(stream: BinaryIO, offset: int, count: int) -> bytes:
    """So many bytes from a place in a file.

    Raises
    ------
    ValueError
        If the file has fewer.
    """
    if offset < 0 or count < 0 or offset + count > stream.seek(0, 2):
        raise ValueError(f"{count} bytes at {offset}")
    stream.seek(offset)
    return stream.read(count)


def pixel_size_um(z: float | None, y: float | None, x: float | None) -> PixelSize | None:
    """``(z, y, x)`` in micrometres where a file gives sensible ones; z is y where it has none."""
    x, y = x or y, y or x
    sizes = (z or y, y, x)
    known = [float(size) for size in sizes if size is not None]
    if len(known) < 3 or not all(_SMALLEST_UM < size < _LARGEST_UM for size in known):
        return None
    return known[0], known[1], known[2]


def missing_note(missing: int) -> tuple[str, ...]:
    """What is said of planes that a file promises and does not hold."""
    if not missing:
        return ()
    planes = "1 plane was" if missing == 1 else f"{missing} planes were"
    return (f"{planes} never written to this file; shown as 0.",)


def image_names(names: Sequence[str], kind: str) -> list[str]:
    """A name of its own for each image of a file: the file's, or “scene 2”; ``""`` for one."""
    if len(names) == 1:
        return [""]
    cleaned = [
        clean_name(name.replace("/", " "), fallback=f"{kind} {number + 1}")
        for number, name in enumerate(names)
    ]
    return all_different(cleaned)


def chosen(volumes: Sequence[Volume], path: Path) -> list[Volume]:
    """All images of a file, or the one that the path leads to, as in ``cells.lif:/Series 2``.

    Raises
    ------
    ReadError
        One sentence if there is none of that name.
    """
    file, inner = split_inside(path)
    if not inner:
        return list(volumes)
    found = [volume for volume in volumes if volume.inner == inner.strip("/")]
    if not found:
        there = ", ".join(volume.inner for volume in volumes[:8]) or "only one"
        raise ReadError(
            f"There is no image “{clean_name(inner.strip('/'))}” in {shown(file)}; it holds "
            f"{there}."
        )
    # Planes are read by this path, which is no file.
    return [dataclasses.replace(volume, find=None) for volume in found]
