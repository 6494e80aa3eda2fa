"""The lines of list files: which of the files at hand an image and its mask are.

``image mask``, separated by a tab, comma, semicolon or space, in quotes or without, with spaces in
the names where only one reading of the line names two files. Paths are those of another computer
more often than not: what counts is how much of their end agrees with a file that was given. A list
never leads to a file anywhere else.
"""

from __future__ import annotations

import csv
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from orgseg_app.files.readers.registry import has_image_name

SUFFIXES = (".txt", ".csv", ".tsv", ".lst")
MAX_BYTES = 32 << 20
MAX_LINES = 200_000
MAX_LINE = 4096
_LOOKED_AT = 20  # lines that tell whether it is a list
_MAX_WORDS = 40
_QUOTED = re.compile(r'"([^"]*)"|\'([^\']*)\'|(\S+)')

Readings = list[tuple[str, ...]]
"""What a line may say: pairs of names, or one name."""


def lines_of(path: Path) -> list[str] | None:
    """The lines of a list file without comments; None for other files, which nothing is said of."""
    try:
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            return None
        if path.stat().st_size > MAX_BYTES:
            return None
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return None
    lines = [line.strip() for line in text.splitlines()[: MAX_LINES + 1]]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines or len(lines) > MAX_LINES or max(map(len, lines)) > MAX_LINE or "\0" in text:
        return None
    looked = lines[1 : _LOOKED_AT + 1] or lines
    return lines if all(readings(line) for line in looked) else None


def readings(line: str) -> Readings:
    """The ways a line can be read as one or two names of images; the most likely first.

    >>> readings('"my cell.tif", masks/1.png')
    [('my cell.tif', 'masks/1.png')]
    >>> readings("a b.tif c d.png")
    [('a b.tif', 'c d.png'), ('a b.tif c d.png',)]
    """
    for delimiter in ("\t", ",", ";"):
        if delimiter in line:
            cells = [c.strip().strip("'\"") for c in _cells(line, delimiter)]
            cells = [c for c in cells if c]
            if len(cells) >= 2 and all(map(_is_image, cells[:2])):
                return [(cells[0], cells[1])]
    found: Readings = []
    quoted = ["".join(parts) for parts in _QUOTED.findall(line)]
    if len(quoted) == 2 and all(map(_is_image, quoted)):
        return [(quoted[0], quoted[1])]
    parts = line.split(" ")
    for n in range(1, min(len(parts), _MAX_WORDS)):
        pair = " ".join(parts[:n]).strip("'\" "), " ".join(parts[n:]).strip("'\" ")
        if all(map(_is_image, pair)):
            found.append(pair)
    alone = line.strip("'\"")
    return [*found, (alone,)] if _is_image(alone) else found


class Files:
    """Files at hand, to be found by a path that may be another computer's."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._by_name: dict[str, list[tuple[tuple[str, ...], Path]]] = defaultdict(list)
        for path in paths:
            parts = tuple(map(_folded, path.parts))
            self._by_name[parts[-1]].append((parts, path))

    def find(self, name: str, near: Path) -> Path | None:
        """The file whose path agrees longest with ``name`` from its end; None where two do.

        Parameters
        ----------
        near
            The folder that relative names start from; decides between several.
        """
        wanted = _parts(name)
        fitting = self._by_name.get(wanted[-1], []) if wanted else []
        if not fitting:
            return None
        base = tuple(map(_folded, near.parts))
        exact = [path for parts, path in fitting if parts == (*base, *wanted)]
        if exact:
            return exact[0]
        longest = max(_agreement(parts, wanted) for parts, _ in fitting)
        best = [path for parts, path in fitting if _agreement(parts, wanted) == longest]
        return best[0] if len(best) == 1 else None


def listed_beside(path: Path) -> list[Path]:
    """The files that a list given by itself names, as far as they lie in its folder or below."""
    lines = lines_of(path)
    if lines is None:
        return []
    folder = Path(os.path.realpath(path.parent))
    found: dict[Path, None] = {}
    for line in lines:
        for names in readings(line):
            files = [_below(folder, name) for name in names]
            inside = [file for file in files if file is not None]
            if len(inside) == len(names):
                found |= dict.fromkeys(inside)
                break
    return list(found)


def _below(folder: Path, name: str) -> Path | None:
    """A file of a folder by the longest end of a path that leads to one there."""
    parts = name.replace("\\", "/").split("/")
    parts = [part for part in parts if part not in ("", ".")]
    while parts and parts[0] == "..":
        parts.pop(0)
    if ".." in parts or any("\0" in part or ":" in part for part in parts[1:]):
        return None
    for start in range(len(parts)):
        try:
            file = folder.joinpath(*parts[start:])
            is_there = file.is_file() and Path(os.path.realpath(file)).is_relative_to(folder)
        except (OSError, ValueError):
            return None
        if is_there:
            return file
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _is_image(name: str) -> bool:
    return bool(name) and "\0" not in name and has_image_name(Path(name.replace("\\", "/")))


def _parts(name: str) -> tuple[str, ...]:
    parts = name.replace("\\", "/").split("/")
    return tuple(_folded(part) for part in parts if part not in ("", ".", ".."))


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _agreement(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Parts that two paths share from their ends."""
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count
