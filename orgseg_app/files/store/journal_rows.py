"""What stands in a journal: operations, batches, saves, and how changes become rows.

Rows carry checksums of their own: SQLite checks its log, but not its database.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from orgseg_app.core.edits.change import Change
from orgseg_app.core.history import Step
from orgseg_app.core.mask import Box
from orgseg_app.files.errors import FileError
from orgseg_app.files.store.header import Header

DO, UNDO, REDO = "do", "undo", "redo"
DONE, UNDONE, DROPPED = "done", "undone", "dropped"
PAGES, SWAP = "pages", "swap"

_BLOCK = struct.Struct("<IIII")


class JournalError(FileError):
    """The journal cannot be written or read now; the sentence ends with why."""


class DamagedJournalError(FileError):
    """What the journal says cannot be what was written."""


@dataclass(frozen=True)
class Operation:
    """One thing that happened to a mask.

    Attributes
    ----------
    number
        Its place in the order of all operations of this project; there are no gaps.
    kind
        ``"do"``, ``"undo"`` or ``"redo"``.
    step
        Number of the step of the history.
    change
        With ``"do"``, what was done.
    made
        With ``"do"``, when: ISO 8601 to the second.
    """

    number: int
    kind: str
    step: int
    change: Change | None = None
    made: str = ""


@dataclass(frozen=True)
class Batch:
    """What one commit makes durable.

    Attributes
    ----------
    operations
        In order.
    dropped
        Numbers of steps the history has given up.
    facts
        Names, classes, splits, notes as JSON; None where they are as before.
    serial
        Counts the versions of the facts.
    marks
        Checkpoints of the history as JSON; None where they are as before.
    """

    operations: tuple[Operation, ...] = ()
    dropped: tuple[int, ...] = ()
    facts: str | None = None
    serial: int = 0
    marks: str | None = None

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to commit."""
        told = self.facts is not None or self.marks is not None
        return not self.operations and not self.dropped and not told


@dataclass(frozen=True)
class Save:
    """A save that was decided and may not be applied to the file yet.

    Attributes
    ----------
    kind
        ``"pages"`` are in the journal; with ``"swap"`` a new file takes the old one's place.
    before, after
        Versions of the file.
    size
        Of the file after it, in bytes.
    upto
        Operations up to this one are in it.
    serial
        Facts up to this version are in it.
    pages_crc
        CRC-32 of all pages.
    """

    kind: str
    before: Header
    after: Header
    size: int
    upto: int
    serial: int
    pages_crc: int = 0


@dataclass
class Recovered:
    """What a journal remembers of the time since the last save.

    Attributes
    ----------
    operations
        To be done again, in order, with ``step`` instead of ``change``.
    facts, marks
        JSON, or None.
    steps
        All steps by number, those the history has given up included.
    done, undone
        The history.
    last_step, last_operation, serial
        The highest numbers given so far.
    """

    operations: list[Operation] = field(default_factory=list)
    steps: dict[int, Step] = field(default_factory=dict)
    facts: str | None = None
    marks: str | None = None
    done: list[Step] = field(default_factory=list)
    undone: list[Step] = field(default_factory=list)
    last_step: int = 0
    last_operation: int = 0
    serial: int = 0


def row_of(number: int, made: str, change: Change) -> tuple[Any, ...]:
    """The row of a change that has just been made."""
    box = ",".join(map(str, change.box))
    payload = b"".join(_BLOCK.pack(*index, len(packed)) + packed for index, packed in change.blocks)
    size = change.size_bytes
    check = checksum(number, change.image_id, change.layer, change.title, box, made, size)
    seal = zlib.crc32(payload).to_bytes(4, "little")
    return (
        number,
        change.image_id,
        change.layer,
        change.title,
        box,
        made,
        size,
        DONE,
        check,
        seal + payload,
    )


def step_of(row: Sequence[Any]) -> Step:
    """A step from the first eight columns of a row.

    Raises
    ------
    DamagedJournalError
        When it is not what was written.
    """
    number, image_id, layer, title, box, made, size, check = row[:8]
    if checksum(number, image_id, layer, title, box, made, size) != check:
        raise DamagedJournalError(f"step {number} is damaged")
    return Step(number, image_id, title, Box(*map(int, box.split(","))), size, made)


def change_of(row: Sequence[Any] | None) -> Change:
    """A change from its row, the state left out.

    Raises
    ------
    DamagedJournalError
        When it is missing or not what was written.
    """
    try:
        if row is None:
            raise ValueError("missing")
        number, image_id, layer, title, box, made, size, check, sealed = row
        payload = bytes(sealed[4:])
        if checksum(number, image_id, layer, title, box, made, size) != check:
            raise ValueError("facts")
        if zlib.crc32(payload).to_bytes(4, "little") != bytes(sealed[:4]):
            raise ValueError("voxels")
        blocks, at = [], 0
        while at < len(payload):
            z, by, bx, length = _BLOCK.unpack_from(payload, at)
            at += _BLOCK.size
            blocks.append(((z, by, bx), payload[at : at + length]))
            at += length
        return Change(image_id, layer, title, Box(*map(int, box.split(","))), tuple(blocks))
    except (ValueError, TypeError, struct.error) as error:
        raise DamagedJournalError(f"a step of the undo history is damaged ({error})") from error


def pages_checksum(pages: Iterable[tuple[int, bytes]]) -> int:
    """CRC-32 of numbered pages."""
    total = 0
    for number, page in pages:
        total = zlib.crc32(page, zlib.crc32(struct.pack("<Q", number), total))
    return total


def checksum(*values: object) -> int:
    """CRC-32 of a row's columns."""
    return zlib.crc32("\0".join(map(str, values)).encode("utf-8", "surrogatepass"))
