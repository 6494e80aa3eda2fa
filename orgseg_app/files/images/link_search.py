"""Which files in a folder may be those of linked images; none of them is read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from orgseg_app.core.project import Link
from orgseg_app.files.images.content import Stamp
from orgseg_app.files.readers.names import natural_key


def candidates(files: Iterable[Path], links: Iterable[Link]) -> list[tuple[Path, Stamp]]:
    """Files worth a look for some links, best first: called the same, then of the same size."""
    names = {link.name.casefold() for link in links}
    sizes = {link.size for link in links}
    ranked = []
    for path in files:
        stamp = Stamp.of(path)
        named = path.name.casefold() in names
        if stamp is not None and (stamp.size in sizes or named):
            rank = 0 if named and stamp.size in sizes else 1 if stamp.size in sizes else 2
            ranked.append((rank, natural_key(str(path)), path, stamp))
    ranked.sort(key=lambda entry: entry[:2])
    return [(path, stamp) for _, _, path, stamp in ranked]


def files_in(folder: Path, most: int, depth: int) -> Iterator[Path]:
    """Files in a folder and its folders, nearest first, hidden ones and linked folders left out."""
    level, seen = [folder], 0
    for _ in range(depth + 1):
        below: list[Path] = []
        for place in level:
            try:
                with os.scandir(place) as entries:
                    for entry in entries:
                        seen += 1
                        if seen > most:
                            return
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            below.append(Path(entry.path))
                        elif entry.is_file():
                            yield Path(entry.path)
            except OSError:
                continue  # a folder without permission, or one that has just gone
        level = below
