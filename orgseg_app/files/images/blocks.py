"""Stored blocks of a dataset as they lie on the disk: their list, their bytes, their checksums.

HDF5 calls them chunks. Their bytes can be checked, compared and copied without being decompressed,
which is some fifty times faster and never brings damaged bytes before a decompressor.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.attributes import write_text
from orgseg_app.files.images import codecs
from orgseg_app.files.safety.audit import DAMAGE

_FLETCHER_PIECE = 2**17
"""Words summed at once: their weighted sum fits 64 bits, and the copy of them the cache."""


class StoredBlock(NamedTuple):
    """One block that a dataset has.

    Attributes
    ----------
    offset
        Its first voxel, one number an axis.
    filter_mask
        Bit i is set where filter i was not used.
    size
        Bytes on the disk.
    """

    offset: tuple[int, ...]
    filter_mask: int
    size: int


def stored_blocks(dataset: Any) -> list[StoredBlock]:
    """The blocks a chunked dataset has, in order of their places.

    Raises
    ------
    One of `audit.DAMAGE`
        When HDF5 cannot follow its own list.
    """
    found: list[StoredBlock] = []
    dataset.id.chunk_iter(
        lambda info: found.append(
            StoredBlock(tuple(map(int, info.chunk_offset)), int(info.filter_mask), int(info.size))
        )
    )
    return sorted(found)


def list_sum(blocks: Sequence[StoredBlock]) -> str:
    """Checksum of a list of blocks: places, sizes and filters, not contents.

    HDF5's list of blocks carries no checksum of its own in files that older programs can read: one
    flipped bit lets a block vanish, or turn up in another place, without an error.
    """
    crc = 0
    for block in sorted(blocks):
        numbers = (*block.offset, block.filter_mask, block.size)
        crc = zlib.crc32(struct.pack(f"<{len(numbers)}Q", *numbers), crc)
    return f"{len(blocks)}:{crc:08x}"


def can_be_found(dataset: Any, offset: tuple[int, ...]) -> bool:
    """True when HDF5 finds a block where it looks for it; one that it does not find reads as 0.

    What leads to a block (the inner nodes of the list, numbers that no listing shows) is not
    covered by `list_sum`: a flipped bit there hides a block that is still listed. Takes 5 µs.
    """
    try:
        dataset.id.read_direct_chunk(offset, out=bytearray(0))
    except ValueError:  # it is there, and longer than that: nothing was read
        return True
    except DAMAGE:
        return False
    return False  # a block of no bytes is none


def contents_sum(dataset: Any) -> str:
    """SHA-256 of all blocks as they are stored: another one when a voxel is written anew.

    Takes a hundredth of the time of unpacking them.

    Raises
    ------
    One of `audit.DAMAGE`
        When a block cannot be read.
    """
    digest = hashlib.sha256(repr((dataset.shape, str(dataset.dtype))).encode())
    for block in stored_blocks(dataset):
        numbers = (*block.offset, block.filter_mask, block.size)
        digest.update(struct.pack(f"<{len(numbers)}Q", *numbers))
        digest.update(dataset.id.read_direct_chunk(block.offset)[1])
    return digest.hexdigest()


def note_blocks(dataset: Any) -> None:
    """Write the checksum of its list of blocks beside a dataset."""
    write_text(dataset, "blocks_sum", list_sum(stored_blocks(dataset)))


def fletcher32(raw: bytes) -> int:
    """HDF5's checksum of some bytes.

    Source: J. G. Fletcher, 1982, "An arithmetic checksum for serial transmissions"; as HDF5 does
    it, over big-endian words of 16 bits, the sums kept between 1 and 65535.
    """
    even = len(raw) // 2
    first = second = 0
    for start in range(0, even, _FLETCHER_PIECE):
        count = min(_FLETCHER_PIECE, even - start)
        words = np.frombuffer(raw, ">u2", count, 2 * start).astype(np.uint64)
        second += first * count + int(words @ np.arange(count, 0, -1, dtype=np.uint64))
        first += int(words.sum())
    if len(raw) % 2:
        first += raw[-1] << 8
        second += first
    return _folded(second) << 16 | _folded(first)


def _folded(total: int) -> int:
    return (total - 1) % 65535 + 1 if total else 0


class Blocks:
    """The stored blocks of one chunked dataset, for as long as its file is open.

    Parameters
    ----------
    dataset
        h5py.Dataset.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        plan = dataset.id.get_create_plist()
        last = plan.get_nfilters() - 1
        covered = last >= 0 and plan.get_filter(last)[0] == h5py.h5z.FILTER_FLETCHER32
        self._checksum_bit = 1 << last if covered else 0

    def raw(self, block: StoredBlock) -> bytes:
        """The bytes of a block as they are stored, unchecked."""
        data: bytes = self.dataset.id.read_direct_chunk(block.offset)[1]
        return data

    def is_sound(self, block: StoredBlock, raw: bytes) -> bool:
        """True when a block's bytes are those that were written.

        Where no checksum covers the stored bytes (a file from another program), and where it does
        not agree, the block is read through HDF5: it checks what there is to check, and knows the
        sums that very old versions computed.
        """
        covered = self._checksum_bit and not block.filter_mask & self._checksum_bit
        if covered and len(raw) > 4 and raw[-4:] == fletcher32(raw[:-4]).to_bytes(4, "little"):
            return True
        return is_readable(self.dataset, block.offset)

    def sound_raw(self, block: StoredBlock) -> bytes | None:
        """The bytes of a block as they are stored, or None when they are damaged."""
        try:
            raw = self.raw(block)
            return raw if self.is_sound(block, raw) else None
        except DAMAGE:
            return None


def is_readable(dataset: Any, offset: tuple[int, ...]) -> bool:
    """True when HDF5 reads a block without complaint."""
    place = tuple(slice(o, o + n) for o, n in zip(offset, dataset.chunks, strict=True))
    try:
        dataset[place]  # its filters check on the way
    except DAMAGE:
        return False
    return True


def is_disk_failure(error: BaseException) -> bool:
    """True when HDF5 could not get at the bytes at all, and not when these are damaged."""
    return "file read failed" in str(error) or "file write failed" in str(error)


def heal(dataset: Any, offset: tuple[int, ...], values: NDArray[np.generic]) -> None:
    """Put new voxels in a damaged block's place.

    Where a block reaches past the edge, HDF5 reads it before it writes the part inside, and would
    refuse. So the block is packed in a scratch file in memory, and its bytes are put in place.

    Parameters
    ----------
    values
        The voxels inside the dataset, with as many axes as it has.
    """
    with h5py.File("scratch", "w", driver="core", backing_store=False) as scratch:
        made = h5py.h5d.create(
            scratch.id,
            b"block",
            dataset.id.get_type(),
            h5py.h5s.create_simple(dataset.chunks),
            dcpl=dataset.id.get_create_plist(),
        )
        block = h5py.Dataset(made)
        block[tuple(slice(0, n) for n in values.shape)] = values
        made.flush()
        filter_mask, raw = made.read_direct_chunk((0,) * dataset.ndim)
        dataset.id.write_direct_chunk(offset, raw, filter_mask=filter_mask)


def create_like(group: Any, name: str, dataset: Any) -> Any:
    """An empty dataset of the same shape, type, blocks and filters in another file.

    Raises
    ------
    ProjectError
        When one of the filters is not installed.
    """
    codecs.provide(codecs.filters_of(dataset))
    made = h5py.h5d.create(
        group.id,
        name.encode(),
        dataset.id.get_type(),
        dataset.id.get_space(),
        dcpl=dataset.id.get_create_plist(),
    )
    return h5py.Dataset(made)
