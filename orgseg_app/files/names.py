"""Names from files are never trusted: as text to show, and as names of new files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

MAX_STEM = 120
_MAX_BYTES = 200  # file systems count bytes: 255 with a suffix and a draft's extra letters
_FORBIDDEN = re.compile(r'[<>:"/\\|?*]')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])", re.IGNORECASE)
_DROPPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean_text(text: str, limit: int = 200) -> str:
    r"""Text fit to show: one line, no control, direction or half characters, no outer blanks.

    >>> clean_text("er\u202e_01\n ")
    'er_01'
    """
    spaced = "".join(" " if c.isspace() else c for c in text)
    kept = "".join(c for c in spaced if unicodedata.category(c) not in _DROPPED)
    return unicodedata.normalize("NFC", kept).strip()[:limit].strip()


def safe_stem(name: str) -> str:
    """A file name without suffix made from any text; never a path, never empty.

    At most `MAX_STEM` characters, Unicode NFC, nothing that Windows, macOS or Linux refuses or
    treats specially, no leading dot.

    >>> safe_stem("../a/b"), safe_stem("CON"), safe_stem("ER 01: 10 µm"), safe_stem("...")
    ('_a_b', '_CON', 'ER 01_ 10 µm', 'image')
    """
    text = _FORBIDDEN.sub("_", clean_text(name, 4 * MAX_STEM))
    text = _trim(re.sub(r" +", " ", text).lstrip(". "), MAX_STEM)
    if _RESERVED.fullmatch(text.split(".")[0].strip()):
        text = _trim(f"_{text}", MAX_STEM)
    return text or "image"


def unique_names(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Safe stems for all names, in order, no two the same on any file system.

    >>> unique_names(["a/b", "a:b", "A_B"])
    ['a_b', 'a_b (2)', 'A_B (3)']
    """
    used = {_fold(t) for t in taken}
    stems = []
    for name in names:
        stem = distinct(safe_stem(name), used)
        used.add(_fold(stem))
        stems.append(stem)
    return stems


def distinct(name: str, taken: Collection[str]) -> str:
    """The name, with a number behind it when it is taken (letter case does not count).

    >>> distinct("Cell", {"cell", "cell (2)"})
    'Cell (3)'
    """
    used = {_fold(t) for t in taken}
    candidate, number = name, 1
    while _fold(candidate) in used:
        number += 1
        ending = f" ({number})"
        candidate = _trim(name, MAX_STEM - len(ending), len(ending)) + ending
    return candidate


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKD", name).casefold())


def _trim(text: str, characters: int, spare_bytes: int = 0) -> str:
    """The start that fits, without the dots and blanks at its end that Windows drops."""
    text = text[:characters]
    while len(text.encode("utf-8", "replace")) > _MAX_BYTES - spare_bytes:
        text = text[:-1]
    return text.rstrip(". ")
