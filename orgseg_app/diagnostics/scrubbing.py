"""Texts without what is nobody's business: names of people, places, projects and images.

What is known (the user, the computer, the images of the open project …) is replaced wherever it
stands. What is not known is found by its shape: everything in quotation marks, paths, names of
files. When in doubt it goes: a report may lose a word that would have helped, but no name gets out.
A placeholder stands for the same thing in the whole report: ``image-3``, ``~/folder-1/file-2.tif``.
"""

from __future__ import annotations

import builtins
import functools
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from orgseg_app import paths

_SUFFIXES = """
    tif tiff btf png jpg jpeg bmp gif webp nd2 czi lif oir oib oif vsi lsm zarr h5 hdf5 hdf mrc mrcs
    rec map nrrd nii gz zip json jsonl csv tsv xlsx txt md html xml yaml yml toml npy npz roi orgseg
    ilp geojson ckpt pt pth safetensors pdf svg log crash lock py pyc so dll dylib exe conf
"""
SUFFIXES = frozenset(_SUFFIXES.split())
"""Endings by which a name of a file is known, and which a placeholder keeps."""

_KEPT_NAMES = """
    request.json process.json snapshot.h5 events.jsonl log.txt control title.json last.ckpt
    best.ckpt metrics.json predictions.h5 remarks.json scores.kept start.ckpt previews mistakes.npz
    ensemble.json settings.json settings.json.unreadable settings.json.before-reset
    known-files.json known-files.lock device.lock device.queue samples windows studies .deleted
"""
KEPT_NAMES = frozenset(_KEPT_NAMES.split())
"""What OrgSeg itself calls files and folders: they say where, and not whose."""

_GENERIC = """
    orgseg orgseg_app window command image images project projects sample samples mask masks log
    logs run runs model models train training test validation user users home root admin python
    torch numpy linux windows darwin background foreground class classes info warning error
"""
GENERIC = frozenset(_GENERIC.split())
"""Words that tell nothing about anybody, also where an image is called so."""

_SYSTEM_ROOTS = ("usr", "lib", "lib64", "bin", "sbin", "etc", "proc", "sys", "dev", "System")
_TOP_FOLDERS = frozenset(
    {"home", "Users", "tmp", "var", "mnt", "media", "Volumes", "run", "srv", "root", "private"}
)
_OPEN, _CLOSE = "\ue000", "\ue001"  # private characters around the number of something replaced
_START = r"(?:file://+|~?/|[A-Za-z]:[\\/]|\\\\)"
_END = "\n:;,\"'“”‘’()<>|\\[\\]{}*?"
_NO_NEW_START = rf"(?!\s{_START})"
_BODY = rf"(?:{_NO_NEW_START}[^{_END}])"
_WIDE_BODY = rf"(?:{_NO_NEW_START}[^\n\"“”‘’<>|*?])"  # as far as the ending of a file
_SUFFIX = "|".join(sorted(SUFFIXES, key=len, reverse=True))
_SHAPES = re.compile(
    rf"""
      “(?P<curly>[^”\n]*)”
    | ‘(?P<single>[^’\n]*)’
    | (?<!\w)"(?P<straight>[^"\n]*)"
    | (?<!\w)'(?P<plain>[^'\n]*)'(?!\w)
    | (?P<address>[\w.+-]+@[\w-]+(?:\.[\w-]+)+)
    | (?<![\w.<>])
      (?P<path>{_START} (?: {_WIDE_BODY}{{0,400}}?\.(?:{_SUFFIX})\b | {_BODY}{{0,400}} ))
    | (?<![^\s{_END}/\\=]) (?P<file>[^\s{_END}/\\=]{{1,200}} \. (?:{_SUFFIX}) \b)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBERED = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_ONLY_NUMBERED = re.compile(rf"(?:{_OPEN}\d+{_CLOSE}|[\s,.])*(?:\.(?:{_SUFFIX}))?")
_IDENTIFIER = re.compile(r"[A-Za-z_][\w.]*")
_LEAST_OF_NAME = 2
_LEAST_OF_NUMBER = 5


class Scrubber:
    """Replaces names and places, the same by the same.

    Parameters
    ----------
    people
        User, computer: replaced by ``user`` and ``computer``.
    names
        Kind ("image", "project", "class", "run") to the names of that kind that are known.
    home
        The home folder; None for this user's.
    """

    def __init__(
        self,
        people: Mapping[str, str],
        names: Mapping[str, Iterable[str]],
        *,
        home: Path | None = None,
    ) -> None:
        self._placeholders: list[str] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._counts: dict[str, int] = {}
        self._words = _words_of_the_code()
        known: dict[str, int] = {}
        for placeholder, name in people.items():
            self._know(known, name, self._number(placeholder, name, exactly=placeholder))
        for kind, given in names.items():
            for name in given:
                self._know(known, name, self._number(kind, name))
        self._known = known
        self._spelt = [(word, word.casefold()) for word in known]
        # As they look once the names in them have been replaced.
        self._home = _parts(self._mark(str(_home() if home is None else home)))
        places = [(_parts(self._mark(place)), instead) for place, instead in _own_places()]
        self._places = sorted(places, key=lambda place: -len(place[0]))

    def text(self, text: str) -> str:
        """A text without names and places."""
        text = _SHAPES.sub(self._shape, self._mark(text))
        return _NUMBERED.sub(lambda found: self._placeholders[int(found[1])], text)

    def facts(self, value: Any) -> Any:
        """The same for everything in lists and tables of texts and numbers, keys as well."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(key)): self.facts(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.facts(item) for item in value]
        return value if value is None or isinstance(value, bool | int | float) else "?"

    def placeholder(self, kind: str, name: str) -> str:
        """What stands for a name of a kind."""
        return self._placeholders[self._number(kind, name)]

    def _mark(self, text: str) -> str:
        """A text in which numbers of placeholders stand for what is known."""
        text = unicodedata.normalize("NFC", text).replace(_OPEN, "?").replace(_CLOSE, "?")
        folded = text.casefold()
        # A pattern of all names of a large project would take seconds to make.
        present = [word for word, fold in self._spelt if fold in folded]
        pattern = _pattern_of(present)
        if pattern is None:
            return text
        return pattern.sub(lambda found: self._known_word(found[0]), text)

    # -- what is known ---------------------------------------------------------------------------

    def _number(self, kind: str, name: str, *, exactly: str = "", suffix: str = "") -> int:
        key = kind, unicodedata.normalize("NFC", name).casefold()
        if key not in self._numbers:
            self._counts[kind] = self._counts.get(kind, 0) + 1
            self._numbers[key] = len(self._placeholders)
            self._placeholders.append(exactly or f"{kind}-{self._counts[kind]}{suffix}")
        return self._numbers[key]

    def _know(self, known: dict[str, int], name: str, number: int) -> None:
        name = name.strip()
        is_short = len(name) < (_LEAST_OF_NUMBER if name.isdigit() else _LEAST_OF_NAME)
        if is_short or name.casefold() in GENERIC:
            return
        for spelling in _spellings(name):
            for word in (spelling, spelling.lower(), spelling.upper(), spelling.casefold()):
                known.setdefault(unicodedata.normalize("NFC", word), number)

    def _known_word(self, found: str) -> str:
        number = self._known.get(found, self._known.get(found.casefold()))
        if number is None:  # letters that fold in two ways
            number = self._number("name", found)
        return f"{_OPEN}{number}{_CLOSE}"

    # -- what is found by its shape --------------------------------------------------------------

    def _shape(self, found: re.Match[str]) -> str:
        kind, text = found.lastgroup, found[0]
        if kind == "address":
            return "<address>"
        if kind == "path":
            rest = text[len(text.rstrip(" .")) :]
            return self._path(text.rstrip(" .")) + rest
        if kind == "file":
            return self._component(text, is_last=True)
        is_name = kind in ("curly", "single")
        return text[0] + self._quoted(found[kind or 0], is_name=is_name) + text[-1]

    def _quoted(self, text: str, *, is_name: bool) -> str:
        if _ONLY_NUMBERED.fullmatch(text) or text in KEPT_NAMES:
            return text
        if re.match(_START, text):
            return self._path(text)
        is_word = not is_name and _IDENTIFIER.fullmatch(text) is not None
        if is_word and all(part in self._words for part in text.split(".")):
            return text
        return self._wrap(self._number("name", text))

    def _wrap(self, number: int) -> str:
        return f"{_OPEN}{number}{_CLOSE}"

    def _path(self, text: str) -> str:
        """A path with only what every computer has."""
        parts = _parts(text)
        for place, instead in self._places:
            if _begins(parts, place):
                rest = parts[len(place) :]
                if instead not in _CODE:
                    rest = self._components(rest)
                return "/".join((instead, *rest))
        is_code = parts[-1:] and parts[-1].endswith((".py", ".so", ".pyd"))
        for marker in ("site-packages", "dist-packages", "orgseg_app"):
            if is_code and marker in parts:
                return "/".join(("…", *parts[parts.index(marker) :]))
        if self._home and _begins(parts, self._home):
            return "/".join(("~", *self._components(parts[len(self._home) :])))
        if parts[:1] == ["~"]:
            return "/".join(("~", *self._components(parts[1:])))
        if parts[:1] and parts[0] in _SYSTEM_ROOTS and text.startswith("/"):
            return text
        kept = parts[:1] if parts[:1] and parts[0] in _TOP_FOLDERS else []
        return "/" + "/".join((*kept, *self._components(parts[len(kept) :])))

    def _components(self, parts: list[str]) -> list[str]:
        return [
            self._component(part, is_last=number == len(parts) - 1)
            for number, part in enumerate(parts)
        ]

    def _component(self, part: str, *, is_last: bool) -> str:
        if part in KEPT_NAMES or _is_own_log(part) or _ONLY_NUMBERED.fullmatch(part):
            return part
        stem, dot, suffix = part.rpartition(".")
        if dot and stem and suffix.lower() in SUFFIXES:
            return self._wrap(self._number("file", part, suffix=f".{suffix.lower()}"))
        return self._wrap(self._number("file" if is_last else "folder", part))


def known_people() -> dict[str, str]:
    """The user and the computer."""
    import getpass
    import platform

    people = {"computer": platform.node()}
    try:
        people["user"] = getpass.getuser()
    except (OSError, KeyError, ImportError):
        pass
    if not people.get("user"):
        people["user"] = _home().name
    return people


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nowhere")


def _parts(text: str) -> list[str]:
    """The parts of a path of any system, without its root."""
    text = re.sub(r"^file://+", "/", text)
    return [part for part in re.split(r"[\\/]+", text) if part and part != "."]


def _begins(parts: list[str], place: list[str]) -> bool:
    return bool(place) and parts[: len(place)] == place


_CODE = ("<OrgSeg code>", "<Python code>")


def _own_places() -> Iterator[tuple[str, str]]:
    """Folders of code and of OrgSeg's own files, with what is shown for each."""
    yield str(Path(__file__).resolve().parents[1]), _CODE[0]
    bundle = getattr(sys, "_MEIPASS", None)
    if bundle is not None:
        yield str(bundle), _CODE[0]
    for place in sorted({sys.prefix, sys.base_prefix, sys.exec_prefix}):
        yield os.path.join(place, "lib"), _CODE[1]
    yield str(paths.config_dir()), "<settings folder>"
    yield str(paths.data_dir()), "<data folder>"
    yield str(paths.log_dir()), "<log folder>"
    yield str(paths.cache_dir()), "<cache folder>"


@functools.cache
def _words_of_the_code() -> frozenset[str]:
    """Names in OrgSeg's code and Python's: no secrets, and of use in an error."""
    found = set(dir(builtins)) | {"NoneType", "self"}
    for name, module in list(sys.modules.items()):
        found.update(name.split("."))
        if name.startswith("orgseg_app"):
            for key, thing in list(vars(module).items()):
                found.add(key)
                if isinstance(thing, type):
                    found.update(vars(thing))
    return frozenset(found)


def _spellings(name: str) -> set[str]:
    """A name as texts may hold it: without its ending, escaped by Python or JSON, in an address."""
    stem, dot, suffix = name.rpartition(".")
    plain = {name}
    if dot and len(stem) > _LEAST_OF_NAME and suffix.lower() in SUFFIXES:
        plain.add(stem)
    plain |= {unicodedata.normalize(form, one) for one in plain for form in ("NFC", "NFD")}
    found = set(plain)
    for one in plain:
        found |= {repr(one)[1:-1], ascii(one)[1:-1], json.dumps(one)[1:-1]}
        found.add("".join(c if c.isascii() and c.isalnum() else _percent(c) for c in one))
        found.add(one.replace(" ", "_"))
        found.add(" ".join(one.split()))
    return {one for one in found if one}


def _percent(character: str) -> str:
    if character in "-._~":
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "replace"))


def _pattern_of(words: Iterable[str]) -> re.Pattern[str] | None:
    """What finds any of many words, the longest first, where none is a part of another word.

    The words share their beginnings in it: a thousand of them cost hardly more than ten.
    """
    groups: dict[bool, dict[str, Any]] = {True: {}, False: {}}
    for word in words:
        node = groups[word[0].isalnum()]
        for character in word:
            node = node.setdefault(character, {})
        node[""] = r"(?![^\W_])" if word[-1].isalnum() else ""
    lefts = {True: r"(?<![^\W_])", False: ""}
    found = [lefts[key] + _branches(tree) for key, tree in groups.items() if tree]
    return re.compile("|".join(found), re.IGNORECASE) if found else None


def _branches(node: dict[str, Any]) -> str:
    choices = [re.escape(key) + _branches(child) for key, child in node.items() if key]
    if "" in node:
        choices.append(node[""])
    return choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})"


def _is_own_log(part: str) -> bool:
    return re.fullmatch(r"[a-z]+-\d{8}-\d{6}-\d+\.(log|crash)", part) is not None
