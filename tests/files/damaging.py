"""Damage for the tests: bytes of a project changed where they hurt."""

from __future__ import annotations

import struct
from pathlib import Path

import h5py


def flip(path: Path, place: int, bit: int = 2) -> None:
    """Turn one bit of a file over."""
    with open(path, "r+b") as file:
        file.seek(place)
        value = file.read(1)[0]
        file.seek(place)
        file.write(bytes([value ^ 1 << bit]))


def block_place(path: Path, where: str, offset: tuple[int, ...]) -> tuple[int, int]:
    """Where a stored block lies in a file, and its size."""
    with h5py.File(path, "r", locking=False) as file:
        info = file[where].id.get_chunk_info_by_coord(offset)
        assert info.byte_offset is not None, "no such block"
        return info.byte_offset, info.size


def damage_block(path: Path, where: str, offset: tuple[int, ...]) -> None:
    """Turn over a bit inside a stored block."""
    place, size = block_place(path, where, offset)
    flip(path, place + size // 2)


def move_block(path: Path, where: str, offset: tuple[int, ...], to: tuple[int, ...]) -> None:
    """Let HDF5's list say that a block is elsewhere, which no checksum of HDF5's notices."""
    with h5py.File(path, "r", locking=False) as file:
        info = file[where].id.get_chunk_info_by_coord(offset)
    form = f"<II{len(offset)}Q"
    old, new = (struct.pack(form, info.size, info.filter_mask, *o) for o in (offset, to))
    data = path.read_bytes()
    assert data.count(old) == 1
    path.write_bytes(data.replace(old, new))


def break_list(path: Path, where: str) -> None:
    """Damage the list of a dataset's blocks, so that HDF5 cannot follow it."""
    data = path.read_bytes()
    with h5py.File(path, "r", locking=False) as file:
        first: list[tuple[int, int, tuple[int, ...]]] = []
        file[where].id.chunk_iter(
            lambda info: first.append((info.size, info.filter_mask, info.chunk_offset))
        )
    size, filter_mask, offset = min(first, key=lambda entry: entry[2])
    key = struct.pack(f"<II{len(offset)}Q", size, filter_mask, *offset)
    at = data.index(key)
    node = data.rindex(b"TREE", 0, at)
    path.write_bytes(data[:node] + b"XREE" + data[node + 4 :])
