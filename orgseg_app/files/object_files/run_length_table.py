"""Tables with one object a row, as runs of pixels: rows found by image, read without being kept.

A table of 73,585 rows is gone through once: for each image, where its rows lie in the file. The
objects of one image are then read from there. What counts pixels how is decided over the whole
file (`core.shapes.run_lengths.Evidence`).
"""

from __future__ import annotations

import contextlib
import csv
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from orgseg_app.core.shapes.run_lengths import (
    Coding,
    Evidence,
    RunError,
    Runs,
    objects_of,
    parse_runs,
)
from orgseg_app.files import giving_up
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.format import Annotated, Contents, ObjectsRead
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.sniff import cannot_open

MAX_FILE = 2**31
"""Bytes of a table; the 73,585 objects of Sartorius take 30 MB."""

MAX_ROW = 2**26
"""Bytes of one row: an object of four million runs."""

MAX_ROWS = 5_000_000
MAX_IMAGES = 200_000
MAX_NAME = 1000
MAX_CLASSES = 10_000
MAX_SIDE = 2**31 - 1
_ASKED_EVERY = 1000
_DELIMITERS = (",", ";", "\t")
_RUN_TEXT = re.compile(r"[0-9\s,;()\[\]]+")
_EMPTY = ("", "nan", "none", "null", "-1")

Stamp = tuple[int, int]
_ReadLine = Callable[[int], bytes]


@dataclass(frozen=True)
class Columns:
    """What the columns of a kind of table are called, lower case; the first name found counts.

    Attributes
    ----------
    image, runs
        Names of the columns that must be there.
    needed
        Others that must be there, for the kind to be told from its like.
    kind
        Of the class; may be missing.
    height, width
        May be missing.
    path
        Of the image's file, whose last part is its name; may be missing.
    """

    image: tuple[str, ...]
    runs: tuple[str, ...]
    needed: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    height: str = "height"
    width: str = "width"
    path: str = ""


@dataclass
class _Place:
    """One image of a table: its size, and where its rows lie."""

    name: str
    height: int
    width: int
    rows: list[int] = field(default_factory=list)
    objects: int = 0


@dataclass
class Table:
    """What a table holds, without its runs.

    Attributes
    ----------
    header
        Names of the columns, lower case.
    delimiter
        Between them.
    places
        By key of the image.
    classes
        In the order they are first named.
    evidence
        For the way of counting, over all rows.
    """

    header: tuple[str, ...]
    delimiter: str
    places: dict[str, _Place] = field(default_factory=dict)
    classes: dict[str, None] = field(default_factory=dict)
    evidence: Evidence = field(default_factory=Evidence)


def header_of(head: bytes) -> tuple[tuple[str, ...], str] | None:
    """Names of the columns in the first line of a file, lower case, and what is between them."""
    line = head.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0]
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None
    if not text or len(text) > MAX_NAME or "\0" in text:
        return None
    delimiter = max(_DELIMITERS, key=text.count)
    if delimiter not in text:
        return None
    names = tuple(name.strip().strip("\"'").casefold() for name in text.split(delimiter))
    return names, delimiter


def fits(columns: Columns, header: tuple[str, ...]) -> bool:
    """Whether a table with such a header is of a kind."""
    found = set(header)
    return (
        any(name in found for name in columns.image)
        and any(name in found for name in columns.runs)
        and found.issuperset(columns.needed)
    )


def looks_like(path: Path, head: bytes, columns: Columns) -> bool:
    """Whether a file is a table of a kind, by its header and its first row."""
    told = header_of(head)
    if told is None or not fits(columns, told[0]):
        return False
    header, delimiter = told
    first = b"".join(head.split(b"\n", 2)[1:2])
    cells = next(csv.reader([first.decode("utf-8", "replace")], delimiter=delimiter), [])
    place = _first(columns.runs, header)
    if len(cells) <= place:
        return not first.strip()
    return cells[place].strip().casefold() in _EMPTY or bool(_RUN_TEXT.fullmatch(cells[place]))


def contents_of(path: Path, columns: Columns, coding: Coding) -> Contents:
    """What a table annotates.

    Parameters
    ----------
    coding
        How such tables usually count.

    Raises
    ------
    ReadError
        One sentence: it cannot be read, is damaged or too large.
    """
    table = _table(path, columns)
    _, note = _decided(table.evidence, coding, path)
    images = tuple(
        Annotated(key, place.name, place.height, place.width, place.objects, "runs")
        for key, place in table.places.items()
    )
    return Contents(images, tuple(table.classes), (note,) if note else ())


def read_from(
    path: Path, key: str, shape_zyx: tuple[int, int, int], columns: Columns, coding: Coding
) -> ObjectsRead:
    """The objects of one image.

    Raises
    ------
    ReadError
        One sentence: it cannot be read, or does not fit the image.
    """
    table = _table(path, columns)
    place = table.places.get(key)
    if place is None:
        raise ReadError(f"{shown(path)} holds no objects of “{key[:80]}”.")
    depth, height, width = shape_zyx
    said = (place.height or height, place.width or width)
    if depth != 1 or said != (height, width):
        raise ReadError(
            f"{shown(path)} counts the pixels of one plane of {said[1]:,} × {said[0]:,}, but the "
            f"image has {depth:,} of {width:,} × {height:,}; its objects were left out."
        )
    rows = list(_rows_of(path, table, columns, place.rows))
    notes = []
    evidence = table.evidence
    if not (place.height and place.width):
        # Only now is it known how large the image is, and how its lines may lie.
        evidence = Evidence()
        for runs, _ in rows:
            evidence.add(runs, (height, width))
        coding, note = _decided(table.evidence, coding, path)
        coding, own_note = _decided(evidence, coding, path)
        notes = [text for text in (own_note or note,) if text]
    else:
        coding, _ = _decided(evidence, coding, path)
    try:
        objects, overlap = objects_of([runs for runs, _ in rows], (height, width), coding)
    except RunError as error:
        raise ReadError(
            f"{shown(path)}: {error}; the objects of “{key[:80]}” were left out."
        ) from error
    if overlap:
        notes.append(f"Objects overlap in {overlap:,} pixels; the earlier object kept them.")
    classes = {number: kind for number, (_, kind) in enumerate(rows, start=1) if kind}
    return ObjectsRead(objects[np.newaxis], classes, notes=tuple(notes))


def _decided(evidence: Evidence, coding: Coding, path: Path) -> tuple[Coding, str]:
    try:
        return evidence.decide(coding)
    except RunError as error:
        raise ReadError(
            f"{shown(path)}: {error}; it belongs to other images, or is damaged. Nothing of it was "
            "taken."
        ) from error


def _table(path: Path, columns: Columns) -> Table:
    """The table, gone through anew only when the file has changed."""
    try:
        facts = path.stat()
        if facts.st_size > MAX_FILE:
            raise ReadError(
                f"{shown(path)} is a table of {facts.st_size / 2**30:,.1f} GiB, more than run "
                "lengths take; it was not opened. Split it, and import the parts."
            )
        return _gone_through(path, columns, (facts.st_size, facts.st_mtime_ns))
    except OSError as error:
        raise cannot_open(path, error) from error


@functools.lru_cache(maxsize=4)
def _gone_through(path: Path, columns: Columns, _stamp: Stamp) -> Table:
    with path.open("rb") as stream:
        first = stream.readline(MAX_NAME + 4)
        told = header_of(first)
        if told is None:
            raise ReadError(f"{shown(path)} does not begin with the names of columns.")
        table = Table(*told)
        lines = _Lines(stream.readline, len(first), path)
        picked = _Picker(table, columns, path)
        with _long_fields():
            start = lines.offset
            for count, row in enumerate(_parsed(lines, table.delimiter, path)):
                if count % _ASKED_EVERY == 0:
                    giving_up.ask()
                if count >= MAX_ROWS:
                    raise ReadError(
                        f"{shown(path)} has more than {MAX_ROWS:,} rows; it was not opened."
                    )
                if row:
                    _note_row(table, picked(row, lines.number), start, lines.number, path)
                start = lines.offset
    return table


def _note_row(table: Table, row: _Row, start: int, line: int, path: Path) -> None:
    """Take in one row, but for the runs themselves."""
    place = table.places.get(row.key)
    if place is None:
        if len(table.places) >= MAX_IMAGES:
            raise ReadError(f"{shown(path)} names more than {MAX_IMAGES:,} images.")
        place = table.places[row.key] = _Place(row.name, row.height, row.width)
    elif (row.height, row.width) != (place.height, place.width):
        raise ReadError(
            f"{shown(path)}: in line {line:,} the image “{row.key[:80]}” has another size than "
            "before; the file is damaged."
        )
    if row.kind and row.kind not in table.classes:
        if len(table.classes) >= MAX_CLASSES:
            raise ReadError(f"{shown(path)} names more than {MAX_CLASSES:,} classes.")
        table.classes[row.kind] = None
    runs = _runs(row.text, line, path)
    if len(runs):
        place.rows.append(start)
        place.objects += 1
    size = (place.height, place.width) if place.height and place.width else None
    table.evidence.add(runs, size)


def _rows_of(
    path: Path, table: Table, columns: Columns, starts: list[int]
) -> Iterator[tuple[Runs, str]]:
    """Runs and class of each row of an image."""
    picked = _Picker(table, columns, path)
    try:
        with path.open("rb") as stream, _long_fields():
            for start in starts:
                giving_up.ask()
                if stream.tell() != start:
                    stream.seek(start)
                lines = _Lines(stream.readline, start, path)
                cells = next(_parsed(lines, table.delimiter, path), [])
                row = picked(cells, lines.number)
                yield _runs(row.text, lines.number, path), row.kind
    except OSError as error:
        raise cannot_open(path, error) from error


@dataclass(frozen=True)
class _Row:
    """What one row says."""

    key: str
    name: str
    height: int
    width: int
    kind: str
    text: str


class _Picker:
    """Takes the cells that matter out of a row."""

    def __init__(self, table: Table, columns: Columns, path: Path) -> None:
        if not fits(columns, table.header):
            raise ReadError(f"{shown(path)} has not the columns of a table of run lengths.")
        self._path = path
        self._image = _first(columns.image, table.header)
        self._text = _first(columns.runs, table.header)
        self._kind = _first(columns.kind, table.header)
        self._sides = [_first((side,), table.header) for side in (columns.height, columns.width)]
        self._file = _first((columns.path,), table.header)
        self._needed = max(self._image, self._text, self._kind, self._file, *self._sides)

    def __call__(self, cells: list[str], line: int) -> _Row:
        if len(cells) <= self._needed:
            raise ReadError(
                f"{shown(self._path)} is damaged: line {line:,} has {len(cells)} columns, where "
                f"{self._needed + 1} are needed. It may be cut short; copy it again."
            )
        key = cells[self._image].strip()
        if not key or len(key) > MAX_NAME:
            raise ReadError(f"{shown(self._path)} does not name an image in line {line:,}.")
        said = cells[self._file] if self._file >= 0 else key
        name = PurePosixPath(said.strip().replace("\\", "/")).name or key
        height, width = (self._side(cells[n], line) if n >= 0 else 0 for n in self._sides)
        kind = cells[self._kind].strip()[:MAX_NAME] if self._kind >= 0 else ""
        return _Row(key, name, height, width, kind, cells[self._text])

    def _side(self, text: str, line: int) -> int:
        text = text.strip().removesuffix(".0")
        if not text:
            return 0
        is_number = text.isascii() and text.isdecimal() and len(text) < 11
        if not (is_number and 0 < int(text) <= MAX_SIDE):
            raise ReadError(
                f"{shown(self._path)}: line {line:,} says that the image is “{text[:20]}” pixels "
                "wide or high; the file is damaged."
            )
        return int(text)


def _first(names: tuple[str, ...], header: tuple[str, ...]) -> int:
    """Place of the first of some columns that there is; -1 without."""
    return next((header.index(name) for name in names if name and name in header), -1)


def _runs(text: str, line: int, path: Path) -> Runs:
    try:
        return parse_runs("" if text.strip().casefold() in _EMPTY else text)
    except RunError as error:
        raise ReadError(
            f"{shown(path)}: in line {line:,} {error}; the file is damaged or cut short."
        ) from error


class _Lines:
    """Lines of a table as text; knows how far it has come."""

    def __init__(self, readline: _ReadLine, offset: int, path: Path) -> None:
        self.offset = offset
        self.number = 1
        self._readline = readline
        self._path = path

    def __iter__(self) -> Iterator[str]:
        while line := self._readline(MAX_ROW):
            if len(line) >= MAX_ROW:
                raise ReadError(
                    f"{shown(self._path)} has a row of more than {MAX_ROW >> 20} MB; it is damaged "
                    "or no table of run lengths."
                )
            self.offset += len(line)
            self.number += 1
            try:
                yield line.decode("utf-8")
            except UnicodeDecodeError as error:
                raise ReadError(
                    f"{shown(self._path)} is damaged: line {self.number:,} is no text."
                ) from error


def _parsed(lines: _Lines, delimiter: str, path: Path) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error as error:
        raise ReadError(
            f"{shown(path)} is damaged: line {lines.number:,} is no row of a table."
        ) from error


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    """Let a cell of a table be as long as a row."""
    before = csv.field_size_limit(MAX_ROW)
    try:
        yield
    finally:
        csv.field_size_limit(before)
