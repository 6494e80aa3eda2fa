"""Names of YOLO's classes, from the list that lies beside its text files.

Of ``data.yaml`` only ``names`` is read, in the ways it is written in practice; this is no YAML
reader, and follows no path in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from orgseg_app.files.names import clean_text

_YAML = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml")
_LISTS = ("classes.txt", "obj.names", "_darknet.labels")
_LEVELS = 3
"""Folders looked into: ``labels/train``, ``labels`` and the one both lie in."""
_MAX_BYTES = 1 << 20
_NAMES = re.compile(r"^names[ \t]*:[ \t]*(.*)$", re.MULTILINE)
_ENTRY = re.compile(r"^[ \t]*(?:-|(\d{1,6})[ \t]*:)(.*)$")
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'"
_ITEM = re.compile(rf"\s*(?:(\d{{1,6}})\s*:\s*)?({_QUOTED}|[^,\[\]{{}}#]*)\s*(,|$)")
_LONGEST = 300


def class_names_beside(path: Path, most: int) -> tuple[str, ...]:
    """Names of the classes by place, “” where one has none; none where no list is found.

    Parameters
    ----------
    path
        A text file with objects.
    most
        Names read.
    """
    for folder in [path.parent, *path.parent.parents][:_LEVELS]:
        for name in _YAML:
            if found := names_in_yaml(_text(folder / name), most):
                return found
        for name in _LISTS:
            lines = _text(folder / name).splitlines()[:most]
            if (folder / name) != path and any(line.strip() for line in lines):
                return tuple(clean_text(line, _LONGEST) for line in lines)
    return ()


def names_in_yaml(text: str, most: int) -> tuple[str, ...]:
    r"""The list or numbered names under ``names:``.

    >>> names_in_yaml("path: x\nnames:\n  0: cell\n  1: 'dead cell'  # rare\nnc: 2", 10)
    ('cell', 'dead cell')
    >>> names_in_yaml("names: [cell, \"a, b\"]", 10)
    ('cell', 'a, b')
    """
    begin = _NAMES.search(text)
    if begin is None:
        return ()
    first = begin[1].strip()
    rest = text[begin.end() :]
    entries = _in_brackets(first[1:] + rest) if first[:1] in "[{" and first else _in_lines(rest)
    names: dict[int, str] = {}
    for place, name in entries:
        at = len(names) if place is None else place
        if at < most:
            names[at] = clean_text(name, _LONGEST)
    return tuple(names.get(place, "") for place in range(max(names, default=-1) + 1))


def _in_lines(text: str) -> Iterator[tuple[int | None, str]]:
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        entry = _ENTRY.match(line)
        if entry is None or (entry[1] and not line[0].isspace()):
            return
        yield (int(entry[1]) if entry[1] else None), _plain(entry[2].strip())


def _in_brackets(text: str) -> Iterator[tuple[int | None, str]]:
    ends = [at for at in (text.find("]"), text.find("}")) if at >= 0]
    # A bracket within quotation marks cuts the list short there: names have none in practice.
    text = " ".join(text[: min(ends, default=0)].split())
    at = 0
    while at < len(text):
        item = _ITEM.match(text, at)
        if item is None or item.end() == at:
            return
        yield (int(item[1]) if item[1] else None), _plain(item[2])
        at = item.end()


def _plain(text: str) -> str:
    """A name without quotation marks, and without a remark behind it."""
    quoted = re.match(_QUOTED, text)
    if quoted:
        inner = quoted[0][1:-1]
        return inner.replace("''", "'") if text[0] == "'" else re.sub(r"\\(.)", r"\1", inner)
    return re.sub(r"(^|\s)#.*$", "", text).strip()


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(_MAX_BYTES).decode("utf-8-sig", "replace")
    except (OSError, ValueError):
        return ""
