"""Olympus and Evident FluoView files (.oir): time points, channels, wavelengths and depth.

Planes lie uncompressed in one part or several; one part is read where it lies. Collections of such
files (.poir, .mpoir) are archives, which are unpacked first.
"""

from __future__ import annotations

import functools
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.maker_files import chosen, damaged, explained, missing_note, read_at
from orgseg_app.files.readers.oir_blocks import (
    FAMILY,
    Blocks,
    Facts,
    Key,
    Part,
    facts_of,
    further_files,
    read_blocks,
)
from orgseg_app.files.readers.tiff_planes import RawPlane
from orgseg_app.files.readers.volumes import MAX_CHANNELS, Pixels, Volume, check_volume


@dataclass(frozen=True)
class _Recording:
    """The files of a recording, the parts of each plane, and the keys of its axes in order."""

    files: tuple[Path, ...]
    parts: dict[Key, list[Part]]
    times: tuple[int, ...]
    channels: tuple[tuple[int, str], ...]
    depth: tuple[tuple[int, int], ...]
    height: int
    width: int
    dtype: np.dtype[np.generic]

    def plane(self, time: int, channel: int, z: int) -> list[Part]:
        """The parts of a plane; none of one that was never written."""
        wavelength, known = self.channels[channel]
        other, number = self.depth[z]
        # One of the two wavelengths is 0: they are either channels or depth.
        return self.parts.get((self.times[time], wavelength or other, number, known), [])


def oir_volumes(path: Path) -> list[Volume]:
    """The image of an OIR file.

    Raises
    ------
    ReadError
        One sentence: damaged, cut short, or a variant that cannot be decoded.
    """
    file, _ = split_inside(path)
    files = (file, *further_files(file))
    with explained(file, FAMILY):
        blocks = Blocks()
        for number, part in enumerate(files):
            with part.open("rb") as stream:
                read_blocks(stream, number, blocks, part)
        facts = facts_of(blocks, file)
        recording = _recording(files, blocks, facts)
        counts = len(recording.times), len(recording.channels), len(recording.depth)
        missing = counts[0] * counts[1] * counts[2] - len(blocks.parts)
        names = dict(facts.channels)
        is_rgb = facts.is_rgb and counts[1] == 3
        volume = Volume(
            inner="",
            shape=(*counts, recording.height, recording.width),
            dtype=recording.dtype.newbyteorder("="),
            read=functools.partial(_read, recording),
            work_bytes=2 * recording.height * recording.width * recording.dtype.itemsize,
            stored_bytes=sum(part.stat().st_size for part in files),
            pixel_size_um=facts.pixel_size_um,
            channel_names=()
            if is_rgb
            else tuple(names.get(known, "") for _, known in recording.channels),
            is_rgb=is_rgb,
            notes=missing_note(missing),
            find=functools.partial(_find, recording) if len(files) == 1 else None,
        )
        return chosen([check_volume(volume, file)], path)


def _recording(files: tuple[Path, ...], blocks: Blocks, facts: Facts) -> _Recording:
    """The planes in order; wavelengths are channels, or depth where they are too many."""
    keys = list(blocks.parts)
    times = tuple(sorted({key[0] for key in keys}))
    wavelengths = sorted({key[1] for key in keys})
    planes = sorted({key[2] for key in keys})
    there = {key[3] for key in keys}
    ids = [known for known, _ in facts.channels if known in there]
    ids += sorted(there - set(ids))
    if len(ids) * len(wavelengths) <= MAX_CHANNELS:
        channels = [(wavelength, known) for wavelength in wavelengths for known in ids]
        depth = [(0, plane) for plane in planes]
    else:
        channels = [(0, known) for known in ids]
        depth = [(wavelength, plane) for wavelength in wavelengths for plane in planes]
    dtype = np.dtype({1: "<u1", 2: "<u2", 4: "<f4"}[facts.item_bytes])
    row = facts.width * facts.item_bytes
    longest = max(sum(part.count for part in parts) for parts in blocks.parts.values())
    return _Recording(
        files=files,
        parts=blocks.parts,
        times=times,
        channels=tuple(channels),
        depth=tuple(depth),
        height=max(facts.height, longest // row),  # long line scans
        width=facts.width,
        dtype=dtype,
    )


def _read(recording: _Recording, time: int, z: int) -> Pixels:
    """Plane ``(C, Y, X)``, 0 where it was never written."""
    shape = len(recording.channels), recording.height, recording.width
    plane: Pixels = np.zeros(shape, recording.dtype.newbyteorder("="))
    first = recording.files[0]
    with explained(first, FAMILY), ExitStack() as stack:
        opened: dict[int, BinaryIO] = {}
        for channel in range(shape[0]):
            data = bytearray()
            for part in recording.plane(time, channel, z):
                if part.file not in opened:
                    stream = stack.enter_context(recording.files[part.file].open("rb"))
                    opened[part.file] = stream
                data += read_at(opened[part.file], part.offset, part.count)
            count = min(len(data) // recording.dtype.itemsize, shape[1] * shape[2])
            if data and count == 0:
                raise damaged(first, FAMILY)
            plane[channel].reshape(-1)[:count] = np.frombuffer(data, recording.dtype, count)
    return plane


def _find(recording: _Recording, time: int, z: int) -> RawPlane | None:
    """Where a plane lies whole; None where it comes in parts."""
    offsets = []
    wanted = recording.height * recording.width * recording.dtype.itemsize
    for channel in range(len(recording.channels)):
        parts = recording.plane(time, channel, z)
        if len(parts) != 1 or parts[0].count < wanted:
            return None
        offsets.append(parts[0].offset)
    return RawPlane(tuple(offsets), recording.dtype.str, (1, recording.height, recording.width))
