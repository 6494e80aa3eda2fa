"""Olympus FluoView files: .oif with a folder of TIFF files beside it, .oib with the same inside.

Each plane and channel is a TIFF file of its own, named after its place (``s_C001Z002T003.tif``),
and opened when it is asked for. What the file says of sizes and channels is text in sections.
"""

from __future__ import annotations

import functools
import io
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.compound_file import MAGIC, CompoundFile
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.maker_files import (
    MAX_XML,
    chosen,
    damaged,
    explained,
    missing_note,
    pixel_size_um,
    undecodable,
)
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.volumes import (
    MAX_CHANNELS,
    MICROMETRES,
    Pixels,
    PixelSize,
    Volume,
    check_volume,
    native,
)

FAMILY = "oif"
FOLDER_ENDING = ".files"
"""Of the folder beside a .oif file, after the file's whole name."""

_PLANE = re.compile(r"s_((?:[A-Z]\d{1,9})+)\.tiff?", re.IGNORECASE)
_PLACE = re.compile(r"([A-Z])(\d+)")
_KNOWN = "TCZL"
_INFO = "OibInfo.txt"
_MAX_PLANES = 2_000_000

Sections = dict[str, dict[str, str]]


@dataclass(frozen=True)
class Planes:
    """The TIFF files of a recording.

    Attributes
    ----------
    names
        (time, channel, z), each counted from 0 → name of its file.
    counts
        Time points, channels, planes.
    """

    names: dict[tuple[int, int, int], str]
    counts: tuple[int, int, int]


def olympus_volumes(path: Path) -> list[Volume]:
    """The image of an OIF or OIB file.

    Raises
    ------
    ReadError
        One sentence: damaged, its folder missing, or a variant that cannot be decoded.
    """
    file, _ = split_inside(path)
    with explained(file, FAMILY), _files(file) as files:
        planes = _planes(list(files.names))
        settings = _sections(files.settings)
        first = files.read(next(iter(planes.names.values())))
        shape, dtype = _tiff_facts(first, file)
        times, channels, depth = planes.counts
        total = times * channels * depth
        volume = Volume(
            inner="",
            shape=(times, channels, depth, *shape),
            dtype=dtype.newbyteorder("="),
            read=functools.partial(_read, planes, shape, dtype, file),
            work_bytes=4 * channels * shape[0] * shape[1] * dtype.itemsize,
            stored_bytes=max(file.stat().st_size, len(first) * len(planes.names)),
            pixel_size_um=_pixel_size(settings),
            channel_names=_channel_names(settings, channels),
            notes=missing_note(total - len(planes.names)),
        )
    return chosen([check_volume(volume, file)], path)


@dataclass(frozen=True)
class _Files:
    """The files of a recording: their names, the text that describes it, and how to read one."""

    names: dict[str, str]
    settings: bytes
    read: Callable[[str], bytes]


@contextmanager
def _files(file: Path) -> Iterator[_Files]:
    with file.open("rb") as stream:
        if is_compound(stream.read(8)):
            yield _in_compound(stream, file)
        else:
            yield _beside(file)


def is_compound(head: bytes) -> bool:
    """True for a compound file, by its first bytes."""
    return head.startswith(MAGIC)


def _in_compound(stream: BinaryIO, file: Path) -> _Files:
    compound = CompoundFile(stream)
    by_stream = {name.rpartition("/")[2]: name for name in compound.names}
    if _INFO not in by_stream:
        raise undecodable(file, f"without {_INFO}", FAMILY)
    info = _sections(compound.read(by_stream[_INFO])).get("OibSaveInfo", {})
    names = {
        value.replace("\\", "/"): by_stream[key]
        for key, value in info.items()
        if key.startswith("Stream") and key in by_stream
    }
    main = info.get(info.get("MainFileName", ""), "").replace("\\", "/")
    settings = compound.read(names[main]) if main in names else b""
    return _Files(names, settings, lambda name: compound.read(names[name]))


def _beside(file: Path) -> _Files:
    """The folder is found by the name of the file, never by what the file says."""
    folder = file.with_name(file.name + FOLDER_ENDING)
    if not folder.is_dir():
        beside = f"the folder {shown(folder)} with its planes is not beside it"
        raise damaged(file, FAMILY, f"not complete: {beside}")
    names = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if _PLANE.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                names[entry.name] = entry.path
                if len(names) > _MAX_PLANES:
                    raise ValueError("too many planes")

    def read(name: str) -> bytes:
        return Path(names[name]).read_bytes()

    with file.open("rb") as stream:
        return _Files(names, stream.read(MAX_XML), read)


def _planes(names: list[str]) -> Planes:
    """Which file is which plane, from the names; previews and reference pictures are left out."""
    groups: dict[str, dict[tuple[int, ...], str]] = defaultdict(dict)
    for name in sorted(names):
        matched = _PLANE.fullmatch(name.rpartition("/")[2])
        if matched is None:
            continue
        place = _PLACE.findall(matched[1].upper())
        letters = "".join(letter for letter, _ in place)
        if len(set(letters)) == len(letters) and set(letters) <= set(_KNOWN):
            groups[letters][tuple(int(number) for _, number in place)] = name
    if not groups:
        raise ValueError("no planes")
    letters, found = max(groups.items(), key=lambda group: len(group[1]))
    steps = {
        letter: {n: at for at, n in enumerate(sorted({place[number] for place in found}))}
        for number, letter in enumerate(letters)
    }
    count = {letter: len(steps.get(letter, (0,))) for letter in _KNOWN}
    channels, depth = count["C"], count["Z"]
    lambdas_are_depth = channels * count["L"] > MAX_CHANNELS
    if lambdas_are_depth:
        depth *= count["L"]
    else:
        channels *= count["L"]
    ordered = {}
    for numbers, name in found.items():
        at = dict.fromkeys(_KNOWN, 0)
        at |= {letter: steps[letter][n] for letter, n in zip(letters, numbers, strict=True)}
        c = at["C"] if lambdas_are_depth else at["L"] * count["C"] + at["C"]
        z = at["L"] * count["Z"] + at["Z"] if lambdas_are_depth else at["Z"]
        ordered[at["T"], c, z] = name
    return Planes(ordered, (count["T"], channels, depth))


def _read(
    planes: Planes,
    shape: tuple[int, int],
    dtype: np.dtype[np.generic],
    file: Path,
    time: int,
    z: int,
) -> Pixels:
    """Plane ``(C, Y, X)``: a TIFF file for each channel, 0 where there is none."""
    channels = planes.counts[1]
    plane: Pixels = np.zeros((channels, *shape), dtype.newbyteorder("="))
    with explained(file, FAMILY), _files(file) as files:
        for channel in range(channels):
            name = planes.names.get((time, channel, z))
            if name is None:
                continue
            if name not in files.names:
                raise damaged(file, FAMILY, "not complete: the picture of a plane is missing")
            plane[channel] = _tiff_pixels(files.read(name), shape, dtype, file)
    return plane


def _tiff_facts(data: bytes, file: Path) -> tuple[tuple[int, int], np.dtype[np.generic]]:
    """Height, width and number type of the picture of a plane."""
    with _tiff(data, file) as page:
        shape, dtype = tuple(page.shape), np.dtype(page.dtype)
    if len(shape) != 2 or dtype.kind not in "uif":
        raise undecodable(file, "with coloured planes", FAMILY)
    return (shape[0], shape[1]), dtype


def _tiff_pixels(
    data: bytes, shape: tuple[int, int], dtype: np.dtype[np.generic], file: Path
) -> Pixels:
    with _tiff(data, file) as page:
        if tuple(page.shape) != shape or np.dtype(page.dtype) != dtype:
            raise damaged(file, FAMILY, "made of planes of different sizes")
        return native(page.asarray())


@contextmanager
def _tiff(data: bytes, file: Path) -> Iterator[Any]:
    """The first page of a picture; what goes wrong inside becomes one sentence."""
    from orgseg_app.files.readers.tiff import quiet_tifffile

    tifffile = quiet_tifffile()
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tif:
            yield tif.pages.first
    except (MemoryError, OSError):
        raise
    except ReadError:
        raise
    except Exception as error:  # tifffile and its codecs raise many kinds
        raise damaged(file, FAMILY) from error


# -- the description ------------------------------------------------------------------------------


def _sections(data: bytes) -> Sections:
    """“[section]” lines and “key=value” lines; quotation marks are taken off."""
    if len(data) > MAX_XML:
        raise ValueError("too long a description")
    code = "utf-16" if data[:2] == b"\xff\xfe" else "utf-8"
    sections: Sections = {}
    section: dict[str, str] = {}
    for line in data.decode(code, "replace").splitlines():
        text = line.strip()
        if text.startswith("[") and text.endswith("]"):
            section = sections.setdefault(text[1:-1], {})
        elif "=" in text and not text.startswith(";"):
            key, _, value = text.partition("=")
            section[key.strip()] = value.strip().strip('"')
    return sections


def _channel_names(settings: Sections, count: int) -> tuple[str, ...]:
    """The dye of each channel, or what the channel is called."""
    names = []
    for number in range(1, count + 1):
        facts = settings.get(f"Channel {number} Parameters", {})
        dye = facts.get("DyeName", "")
        names.append(dye if dye not in ("", "None") else facts.get("CH Name", ""))
    return tuple(names)


def _pixel_size(settings: Sections) -> PixelSize | None:
    reference = settings.get("Reference Image Parameter", {})
    x = _length(reference.get("WidthConvertValue"), reference.get("WidthUnit", "um"))
    y = _length(reference.get("HeightConvertValue"), reference.get("HeightUnit", "um"))
    return pixel_size_um(_z_step(settings), y, x)


def _z_step(settings: Sections) -> float | None:
    """Micrometres from one plane to the next."""
    for section, facts in settings.items():
        if re.fullmatch(r"Axis \d Parameters Common", section) and facts.get("AxisCode") == "Z":
            unit = facts.get("UnitName", "nm")
            steps = (_number(facts.get("MaxSize")) or 1) - 1
            start, end = _number(facts.get("StartPosition")), _number(facts.get("EndPosition"))
            if steps >= 1 and start is not None and end is not None and start != end:
                return _length(str(abs(end - start) / steps), unit)
            return _length(facts.get("Interval"), unit)
    return None


def _length(value: str | None, unit: str) -> float | None:
    number = _number(value)
    return None if not number else abs(number) * MICROMETRES.get(unit.lower(), 0.0) or None


def _number(value: str | None) -> float | None:
    try:
        return float(value) if value is not None else None
    except ValueError:
        return None
