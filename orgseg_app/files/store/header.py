"""Which version of a project a file is: two slots in the 4096 bytes before its HDF5 part.

HDF5 skips these bytes (its *user block*), and `orgseg_app.files.store.journal` reads them without
HDF5. A journal belongs to one version of one file, and to no other: replayed onto an older copy it
would destroy what it should bring back. Each save moves to the other slot, so that half a write
leaves the version before.
"""

from __future__ import annotations

import os
import struct
import uuid
import zlib
from dataclasses import dataclass

USER_BLOCK = 4096
SLOT = 512

_MAGIC = b"OrgSeg\r\n"
_FACTS = struct.Struct("<8s16sQ16s")
_CRC = struct.Struct("<I")


@dataclass(frozen=True)
class Header:
    """The version of a file.

    Attributes
    ----------
    file_id
        32 hexadecimal digits: made with the file. A copy that OrgSeg writes is another file.
    generation
        Saves since then.
    mark
        32 hexadecimal digits drawn at each save: copies made by hand that went different ways share
        the generation, but not the mark.
    """

    file_id: str
    generation: int
    mark: str

    @classmethod
    def new(cls) -> Header:
        """Of a file that is being made."""
        return cls(uuid.uuid4().hex, 0, uuid.uuid4().hex)

    def next(self) -> Header:
        """Of the same file after one more save."""
        return Header(self.file_id, self.generation + 1, uuid.uuid4().hex)

    def write_into(self, page: bytearray) -> None:
        """Put it into its slot of a file's first bytes, at least 1024; the other slot stays."""
        facts = _FACTS.pack(
            _MAGIC, bytes.fromhex(self.file_id), self.generation, bytes.fromhex(self.mark)
        )
        at = SLOT * (self.generation % 2)
        page[at : at + SLOT] = (facts + _CRC.pack(zlib.crc32(facts))).ljust(SLOT, b"\0")


def first_page(header: Header) -> bytes:
    """The first bytes of a new file, as many as HDF5 skips."""
    page = bytearray(USER_BLOCK)
    header.write_into(page)
    return bytes(page)


def read_header(descriptor: int) -> Header | None:
    """The header of an open file: the newest slot that is whole, or None where there is none.

    Raises
    ------
    OSError
        When the file cannot be read.
    """
    os.lseek(descriptor, 0, os.SEEK_SET)
    return parse_header(os.read(descriptor, 2 * SLOT))


def parse_header(start: bytes) -> Header | None:
    """The header in a file's first 1024 bytes, or None."""
    found: list[Header] = []
    for at in (0, SLOT):
        piece = start[at : at + _FACTS.size + _CRC.size]
        if len(piece) < _FACTS.size + _CRC.size or piece[: len(_MAGIC)] != _MAGIC:
            continue
        facts = piece[: _FACTS.size]
        if _CRC.unpack(piece[_FACTS.size :])[0] == zlib.crc32(facts):
            _, file_id, generation, mark = _FACTS.unpack(facts)
            found.append(Header(file_id.hex(), generation, mark.hex()))
    return max(found, key=lambda h: h.generation, default=None)
