"""JSON of strangers: read within limits, and taken apart value by value with a sentence at hand.

`read_json` refuses what is too large before it is unpacked: a file, or more values than its size
suggests (a kilobyte of “[[[[[…” may need a hundred of memory). The functions below it take a value
for what it should be, or raise `MalformedError`; `reading_as` makes the one sentence of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.errors import ReadError
from orgseg_app.files.names import clean_text
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.sniff import cannot_open

MAX_BYTES = 256 << 20
"""Of a file; the outlines of 100,000 cells, unthinned, take some 100 MB."""
MAX_VALUES = 40_000_000
MAX_CONTAINERS = 8_000_000
"""Lists and objects, each of which needs far more memory than a number."""
MAX_SIDE = 1 << 20
"""Pixels of an image along a side."""
MAX_PIXELS = 1 << 34
_SHORT = 60
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class MalformedError(ValueError):
    """A value is not what the format says; the message continues “FILE cannot be read as …: ”."""


@contextmanager
def reading_as(path: Path, kind: str) -> Iterator[None]:
    """Make one sentence of what is wrong with a file's content.

    Parameters
    ----------
    path
        The file.
    kind
        What it should be, “COCO annotations”.

    Raises
    ------
    ReadError
        For every ValueError inside (`MalformedError`, or a shape that cannot be filled), and where
        memory or nesting does not suffice.
    """
    try:
        yield
    except ValueError as error:
        message = clean_text(str(error), 300).rstrip(".")
        raise ReadError(
            f"{shown(path)} cannot be read as {kind}: {message}. Nothing was taken from it."
        ) from error
    except (RecursionError, MemoryError) as error:
        raise ReadError(
            f"{shown(path)} cannot be read as {kind}: it is nested too deeply or holds too much. "
            "Nothing was taken from it."
        ) from error
    except OSError as error:
        raise cannot_open(path, error) from error


def read_json(path: Path, kind: str, *, most_bytes: int = MAX_BYTES) -> Any:
    """The content of a JSON file; every number in it is finite.

    Parameters
    ----------
    path
        The file, UTF-8.
    kind
        What it should be, “COCO annotations”; for the sentence.
    most_bytes
        It is not opened if larger.

    Raises
    ------
    ReadError
        One sentence: it cannot be opened, is too large, too deep, cut short or no JSON.
    """
    with reading_as(path, kind):
        data = read_limited(path, kind, most_bytes=most_bytes).removeprefix(_BYTE_ORDER_MARK)
        containers = data.count(b"[") + data.count(b"{")
        if containers > MAX_CONTAINERS or containers + data.count(b",") > MAX_VALUES:
            raise MalformedError("it holds more values than any annotation needs")
        try:
            return msgspec.json.decode(data)
        except msgspec.DecodeError as error:
            raise MalformedError("it is not complete and correct as JSON") from error


def read_limited(path: Path, kind: str, *, most_bytes: int) -> bytes:
    """The bytes of a file that must not be larger than ``most_bytes``; else a `ReadError`."""
    try:
        with path.open("rb") as stream:
            data = stream.read(most_bytes + 1)
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error
    if len(data) > most_bytes:
        raise ReadError(
            f"{shown(path)} is larger than {most_bytes / 2**20:,.0f} MB, the most that {kind} may "
            "have; it was not read. Split it into several files."
        )
    return data


def mapping(value: Any, what: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(value, dict):
        raise MalformedError(f"{what} should have named entries, but is {_short(value)}")
    return value


def sequence(value: Any, what: str, *, most: int = MAX_VALUES) -> list[Any]:
    """A JSON list."""
    if not isinstance(value, list):
        raise MalformedError(f"{what} should be a list, but is {_short(value)}")
    if len(value) > most:
        raise MalformedError(f"{what} has {len(value):,} entries, of which {most:,} are the most")
    return value


def text(value: Any, what: str, *, longest: int = 1000) -> str:
    """A text that is not too long; a whole number is taken as its digits (ids come as both)."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise MalformedError(f"{what} should be a text, but is {_short(value)}")
    if len(value) > longest:
        raise MalformedError(
            f"{what} has {len(value):,} characters, of which {longest:,} are the most"
        )
    return value


def number(value: Any, what: str) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        raise MalformedError(f"{what} should be a number, but is {_short(value)}")
    if not math.isfinite(value):
        raise MalformedError(f"{what} is not a finite number")
    return float(value)


def whole(value: Any, what: str, *, least: int = 0, most: int = 2**53) -> int:
    """A whole number within bounds; 5.0 is one."""
    found = number(value, what)
    if found != int(found) or not least <= found <= most:
        raise MalformedError(
            f"{what} should be a whole number from {least:,} to {most:,}, but is {_short(value)}"
        )
    return int(value)


def size_yx(height: Any, width: Any, what: str) -> tuple[int, int]:
    """Height and width of an image, 0 and 0 where they are not said (None or 0)."""
    if not height or not width:
        return 0, 0
    found = (
        whole(height, f"the height of {what}", most=MAX_SIDE),
        whole(width, f"the width of {what}", most=MAX_SIDE),
    )
    if found[0] * found[1] > MAX_PIXELS:
        raise MalformedError(f"{what} has the impossible size {found[1]:,} × {found[0]:,}")
    return found


def numbers(value: Any, what: str) -> NDArray[np.float64]:
    """A list of finite numbers, ``(N,)``."""
    found = sequence(value, what)
    for kind in set(map(type, found)):
        if kind not in (int, float):
            raise MalformedError(f"{what} should be numbers, but has {kind.__name__} among them")
    try:
        array = np.array(found, np.float64)
    except OverflowError as error:
        raise MalformedError(f"{what} has an impossibly large number") from error
    if not np.isfinite(array).all():
        raise MalformedError(f"{what} has a number that is not finite")
    return array


def points_xy(value: Any, what: str) -> NDArray[np.float64]:
    """Points ``[[x, y], …]`` as ``(N, 2)`` points ``(y, x)``; further coordinates are left out."""
    flat: list[Any] = []
    for point in sequence(value, what):
        if not isinstance(point, list) or len(point) < 2:
            raise MalformedError(f"{what} should be points of two numbers, but has {_short(point)}")
        flat += point[1::-1]
    return numbers(flat, what).reshape(-1, 2)


def flat_points_xy(value: Any, what: str) -> NDArray[np.float64]:
    """Points ``[x, y, x, y, …]`` as ``(N, 2)`` points ``(y, x)``."""
    found = numbers(value, what)
    if found.size % 2:
        raise MalformedError(f"{what} has {found.size:,} numbers, where each point has two")
    return found.reshape(-1, 2)[:, ::-1]


def _short(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, dict | list):
        return "a list" if isinstance(value, list) else "an object"
    return f"“{clean_text(repr(value)[:_SHORT], _SHORT)}”"
