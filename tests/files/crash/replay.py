"""A power cut played from a recording: what might be on the disk when the current goes.

The rules are those of a journaling file system on an honest disk. What was written to a file before
its last ``fsync`` is there. Of what was written since, each piece is there or not, whatever its
order, and some pieces are torn at sectors. Names appear, change and vanish in the order in which
that happened, but may lag behind at any point after the last ``fsync`` of the folder.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.files.crash.shim import Call

SECTOR = 512
TORN = 0.3
_CHANGES = "CWTFDRLU"


@dataclass
class _Stored:
    """A file's bytes that are safe, and what was written since."""

    safe: bytearray
    since: list[Call] = field(default_factory=list)

    def push(self) -> None:
        """Everything reaches the disk."""
        for call in self.since:
            _write(self.safe, call)
        self.since.clear()

    def after_the_cut(self, rng: random.Random, survival: float) -> bytes:
        """What may be found later."""
        bytes_left = bytearray(self.safe)
        for call in self.since:
            if rng.random() >= survival:
                continue
            if call.kind == "W" and len(call.data) > SECTOR and rng.random() < TORN:
                for offset, piece in _sectors(call):
                    if rng.random() < 0.6:
                        _put(bytes_left, offset, piece)
            else:
                _write(bytes_left, call)
        return bytes(bytes_left)


@dataclass(frozen=True)
class State:
    """What is found after a power cut.

    Attributes
    ----------
    cut
        Number of the record before which the current went.
    files
        Their bytes, by name.
    told
        Lines the user had been told by then.
    """

    cut: int
    files: dict[str, bytes]
    told: list[str]

    def put_into(self, folder: Path) -> None:
        """Make it real."""
        for name, data in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


@dataclass
class Disk:
    """A folder as it was before a recorded story, to be taken through it.

    Parameters
    ----------
    files
        Inode and bytes of each file, by name: see `snapshot`.
    """

    files: dict[str, tuple[int, bytes]]

    def __post_init__(self) -> None:
        self._by_inode: dict[int, _Stored] = {}
        self._names: dict[str, _Stored] = {}
        for name, (inode, data) in self.files.items():
            self._names[name] = self._by_inode[inode] = _Stored(bytearray(data))
        self._safe_names = dict(self._names)
        self._since: list[tuple[str, str, _Stored | None]] = []

    def take(self, call: Call) -> None:
        """One step of the story."""
        match call.kind:
            case "W" | "T":
                self._by_inode[call.inode].since.append(call)
            case "F":
                self._by_inode[call.inode].push()
            case "D":
                for change in self._since:
                    _rename(self._safe_names, *change)
                self._since.clear()
            case "C":
                stored = self._by_inode[call.inode] = _Stored(bytearray())
                self._change("", call.name, stored)
            case "R":
                self._change(call.name, call.other, self._names[call.name])
            case "L":
                self._change("", call.other, self._names[call.name])
            case "U":
                self._change(call.name, "", None)
            case "M" | "K" | "A" | "N":
                pass  # folders are made by `State.put_into`
            case _:
                raise AssertionError(f"{call.other or call.kind} of {call.name} cannot be played")

    def _change(self, gone: str, new: str, stored: _Stored | None) -> None:
        self._since.append((gone, new, stored))
        _rename(self._names, gone, new, stored)

    def after_the_cut(self, rng: random.Random, survival: float) -> dict[str, bytes]:
        """What may be found after a power cut here."""
        names = dict(self._safe_names)
        for change in self._since:
            if rng.random() >= survival:
                break
            _rename(names, *change)
        done: dict[int, bytes] = {}
        for stored in names.values():
            if id(stored) not in done:
                done[id(stored)] = stored.after_the_cut(rng, survival)
        return {name: done[id(stored)] for name, stored in names.items()}


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Inode and bytes of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def power_cuts(
    files: dict[str, tuple[int, bytes]],
    calls: Sequence[Call],
    *,
    count: int,
    survival: float,
    seed: int,
    missing: Callable[[int, Call], bool] = lambda number, call: False,
    where: Iterable[int] | None = None,
) -> Iterator[State]:
    """States a power cut may leave, at random moments of a story, in its order.

    Parameters
    ----------
    survival
        Probability with which a piece that was not pushed to the disk is there all the same.
    missing
        True for a record to leave out: how the story would have gone without that barrier.
    where
        Numbers of the records before which the current may go; all that change something if None.
    """
    rng = random.Random(seed)
    places = list(where or [n for n, c in enumerate(calls) if c.kind in _CHANGES])
    cuts = sorted(rng.choice(places) + rng.randint(0, 1) for _ in range(count))
    disk, told, done = Disk(files), [], 0
    for cut in cuts:
        for number in range(done, cut):
            call = calls[number]
            if call.kind == "A":
                told += call.data.decode().splitlines()
            if not missing(number, call):
                disk.take(call)
        done = max(done, cut)
        yield State(cut, disk.after_the_cut(rng, survival), list(told))


def _rename(names: dict[str, _Stored], gone: str, new: str, stored: _Stored | None) -> None:
    if gone:
        names.pop(gone, None)
    if new:
        assert stored is not None
        names[new] = stored


def _write(data: bytearray, call: Call) -> None:
    if call.kind == "W":
        _put(data, call.offset, call.data)
    elif len(data) > call.offset:
        del data[call.offset :]
    else:
        data.extend(bytes(call.offset - len(data)))


def _put(data: bytearray, offset: int, piece: bytes) -> None:
    if len(data) < offset:
        data.extend(bytes(offset - len(data)))
    data[offset : offset + len(piece)] = piece


def _sectors(call: Call) -> Iterator[tuple[int, bytes]]:
    """A write cut where the disk's sectors end."""
    at = call.offset
    while at < call.offset + len(call.data):
        end = min((at // SECTOR + 1) * SECTOR, call.offset + len(call.data))
        yield at, call.data[at - call.offset : end - call.offset]
        at = end


def real(path: Path) -> Path:
    """Without links, as the recorder and SQLite see it."""
    return Path(os.path.realpath(path))
