"""Names of files for people: what to call an image, how to name a file in a sentence, how to sort.

These are for reading, never for building a path.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from orgseg_app.files.names import clean_text, distinct

MAX_NAME = 120
"""Characters a shown name may have."""

_TWO_PART_SUFFIXES = (".ome.tif", ".ome.tiff", ".ome.zarr")
_NUMBER = re.compile(r"(\d+)")


def clean_name(text: str, *, fallback: str = "image") -> str:
    """A short name to show for ``text``; ``fallback`` when nothing of it is left."""
    return clean_text(text, MAX_NAME) or fallback


def shown(path: Path) -> str:
    """The file name in quotation marks, for a sentence."""
    return f"“{clean_name(path.name, fallback='unnamed file')}”"


def stem_of(path: Path) -> str:
    """File name without its suffix, where ``.ome.tif`` counts as one suffix; as it is on disk."""
    lowered = path.name.lower()
    for suffix in _TWO_PART_SUFFIXES:
        if lowered.endswith(suffix) and len(path.name) > len(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which ``z2`` comes before ``z10``, whatever the case."""
    return tuple(
        (0, int(part), part) if part.isdecimal() else (1, 0, part)
        for part in _NUMBER.split(text.casefold())
        if part
    )


def all_different(names: Sequence[str]) -> list[str]:
    """The names in order, the second “a” as “a (2)”; letter case does not tell names apart."""
    different: list[str] = []
    seen: set[str] = set()
    for name in names:
        chosen = distinct(name, different) if name.casefold() in seen else name
        seen.add(chosen.casefold())
        different.append(chosen)
    return different
