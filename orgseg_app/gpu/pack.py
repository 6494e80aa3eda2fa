"""What a GPU pack is: one ZIP file with a frozen program and a list of what is in it.

::

    pack.json           what it is for, and every file with its size and SHA-256
    files/<path>        the files; none of them is a link
    OrgSeg-gpu-0.1.0-linux-x86_64.zip.001, .002 …   a pack too large for one file on a server, cut

Links inside the program's folder (PyInstaller makes them) are in the list only, and are made after
all files, so nothing can be written through one. No path in the list is used before `check_path`.
"""

from __future__ import annotations

import hashlib
import io
import os
import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from orgseg_app.gpu.errors import PackError

FORMAT = 1
FACTS_NAME, FILES_FOLDER = "pack.json", "files/"
LARGEST_PART = 1_900_000_000
"""Bytes of one file on a server; GitHub takes 2 GiB."""

LARGEST_FACTS, MOST_FILES, LARGEST_PACK = 32 * 2**20, 60_000, 24 * 10**9
"""Limits for strangers' packs: bytes of the list, files, bytes unpacked."""

STEP = 1 << 20
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_HEX = re.compile(r"[0-9a-f]{64}")


class Needs(msgspec.Struct, frozen=True):
    """What a pack asks of the computer.

    Attributes
    ----------
    cuda
        Version of CUDA that is in it.
    driver
        Oldest NVIDIA driver that runs it.
    capability
        Least CUDA compute capability of a card, (major, minor).
    """

    cuda: str
    driver: str
    capability: tuple[int, int]


USUAL_NEEDS = Needs("13.0", "580", (7, 5))
"""Of the packs we build: PyTorch 2.13 for CUDA 13.0 computes on Turing (GTX 16, RTX 20) and newer.

Sources: PyTorch's RELEASE.md, "CUDA Support Matrix", 2.12; NVIDIA's "CUDA Compatibility", table 1.
CUDA 12.6, its other build, takes older cards and drivers (525) but none of the RTX 50 series.
"""


class PackedFile(msgspec.Struct, frozen=True):
    """A file of the pack: its path with slashes, size, SHA-256, and whether it is a program."""

    path: str
    bytes: int
    sha256: str
    executable: bool = False


class PackedLink(msgspec.Struct, frozen=True):
    """A link of the pack: its path, and where it points, relative to its own folder."""

    path: str
    target: str


class PackFacts(msgspec.Struct, frozen=True):
    """``pack.json``.

    Attributes
    ----------
    format
        `FORMAT`.
    orgseg
        Version of OrgSeg that is in it; it works with no other.
    platform
        As `computer.platform_name`.
    torch
        Version of PyTorch in it.
    needs
        Of driver and card.
    program
        Path of the program to start.
    files, links
        Everything in it.
    """

    format: int
    orgseg: str
    platform: str
    torch: str
    needs: Needs
    program: str
    files: tuple[PackedFile, ...]
    links: tuple[PackedLink, ...] = ()

    @property
    def total_bytes(self) -> int:
        """Room that it takes unpacked."""
        return sum(file.bytes for file in self.files)


def check_path(path: str) -> None:
    """Refuse a path that could lead out of the pack's folder, or means something to a system.

    Raises
    ------
    PackError
        Naming the path.
    """
    for part in path.split("/"):
        is_odd = part in ("", ".", "..") or part != part.strip() or part.endswith(".")
        if is_odd or _FORBIDDEN.search(part) or _DEVICES.fullmatch(part) or len(part) > 200:
            raise PackError(f"The pack holds a file with a forbidden path ({path!r:.120}).")


def check_facts(facts: PackFacts) -> None:
    """Refuse a list that no build of ours writes.

    Raises
    ------
    PackError
        Saying what is wrong with it.
    """
    if facts.format != FORMAT:
        raise PackError("The pack was made for a newer OrgSeg. Update OrgSeg, or use its own pack.")
    if len(facts.files) + len(facts.links) > MOST_FILES or facts.total_bytes > LARGEST_PACK:
        raise PackError("The pack is larger than any that OrgSeg makes; it was not opened.")
    paths = [file.path for file in facts.files] + [link.path for link in facts.links]
    for path in paths:
        check_path(path)
    if len({path.casefold() for path in paths}) != len(paths):
        raise PackError("The pack names a file twice.")
    files = {file.path for file in facts.files}
    if any(file.bytes < 0 or not _HEX.fullmatch(file.sha256) for file in facts.files):
        raise PackError("The pack's list of files cannot be read.")
    if facts.program not in files:
        raise PackError("The pack has no program in it.")
    folders = {posixpath.dirname(path) for path in files}
    for link in facts.links:
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
        if link.target.startswith("/") or (aim not in files and aim not in folders - {""}):
            raise PackError(f"The pack holds a link that leads out of it ({link.path!r:.120}).")
        if any(path.startswith(f"{link.path}/") for path in paths):
            raise PackError(f"The pack holds a file below a link ({link.path!r:.120}).")


def read_facts(archive: zipfile.ZipFile) -> PackFacts:
    """The checked list of an open pack.

    Raises
    ------
    PackError
        When it is none, or holds what its list does not name.
    """
    try:
        entry = archive.getinfo(FACTS_NAME)
        if entry.file_size > LARGEST_FACTS:
            raise PackError("The pack's list of files is too long to be ours.")
        with archive.open(entry) as stream:
            text = stream.read(LARGEST_FACTS + 1)
        if len(text) > LARGEST_FACTS:
            raise PackError("The pack's list of files is too long to be ours.")
        facts = msgspec.json.decode(text, type=PackFacts)
    except KeyError as error:
        raise PackError("This ZIP file is no GPU pack of OrgSeg.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PackError("The pack's list of files cannot be read.") from error
    check_facts(facts)
    names = [info.filename for info in archive.infolist()]
    listed = {FACTS_NAME, *(FILES_FOLDER + file.path for file in facts.files)}
    if len(names) != len(set(names)) or set(names) != listed:
        raise PackError("The pack holds files that its list does not name, or lacks some.")
    # A stored link is an ordinary entry with an odd mode; ours are in the list alone.
    modes = {(info.external_attr >> 16) & 0o170000 for info in archive.infolist()}
    if modes - {0, 0o100000}:
        raise PackError("The pack holds a link among its files.")
    return facts


# -- the file, whole or cut ------------------------------------------------------------------------


def parts_of(path: Path) -> list[Path]:
    """The files that make up a pack: the one chosen, or all ``.001``, ``.002`` … beside it.

    Raises
    ------
    PackError
        When one in the middle is missing or none is there.
    """
    if not re.fullmatch(r"\.\d{3}", path.suffix):
        return [path]
    found = sorted(
        (file for file in path.parent.glob(f"{_escaped(path.stem)}.[0-9][0-9][0-9]")),
        key=lambda file: file.suffix,
    )
    wanted = [path.with_suffix(f".{number:03d}") for number in range(1, len(found) + 1)]
    if found != wanted or not found:
        lost = next((w.name for w, f in zip(wanted, found, strict=False) if w != f), path.name)
        raise PackError(
            f"A part of the pack is missing: “{lost}”. Put all its parts in one folder."
        )
    return found


def _escaped(name: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", name)


class Joined(io.RawIOBase):
    """Files read as if they were one.

    Parameters
    ----------
    paths
        In their order.

    Raises
    ------
    OSError
        When one cannot be opened.
    """

    def __init__(self, paths: list[Path]) -> None:
        self._files: list[BinaryIO] = []
        self._starts: list[int] = []
        self.size = 0
        try:
            for path in paths:
                self._files.append(path.open("rb"))
                self._starts.append(self.size)
                self.size += os.fstat(self._files[-1].fileno()).st_size
        except OSError:
            self.close()
            raise
        self._at = 0

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer from the file in which the place lies."""
        if self._at >= self.size:
            return 0
        number = max(n for n, start in enumerate(self._starts) if start <= self._at)
        file = self._files[number]
        file.seek(self._at - self._starts[number])
        data = file.read(len(buffer))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def close(self) -> None:
        """Close all of them."""
        for file in self._files:
            file.close()
        super().close()


def sha256_of(stream: io.RawIOBase, report: Callable[[int], None] = lambda _: None) -> str:
    """SHA-256 of a whole stream, in hexadecimal digits; `report` is told how far it is."""
    stream.seek(0)
    digest, done = hashlib.sha256(), 0
    while data := stream.read(STEP):
        digest.update(data)
        done += len(data)
        report(done)
    return digest.hexdigest()


# -- making one ------------------------------------------------------------------------------------


def write_pack(
    folder: Path, target: Path, *, orgseg: str, platform: str, torch: str, needs: Needs,
    program: str, largest_part: int = LARGEST_PART,
) -> tuple[list[Path], str, int]:  # fmt: skip
    """Pack the folder of a frozen program.

    Parameters
    ----------
    folder
        Everything below it goes in.
    target
        The ``.zip`` to write; with a ``.sha256`` beside it, and cut into parts when it is large.

    Returns
    -------
    paths, sha256, size
        The file, or its parts; SHA-256 and bytes of the whole.

    Raises
    ------
    PackError
        When the folder holds what may not be in a pack.
    OSError
        When it cannot be read or written.
    """
    files, links = [], []
    for path in _below(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() and not path.exists():
            continue  # PyInstaller's, to a library that the spec has left out
        if path.is_symlink():
            links.append(PackedLink(name, Path(os.readlink(path)).as_posix()))
            continue
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        is_program = os.name != "nt" and os.access(path, os.X_OK)
        files.append(PackedFile(name, path.stat().st_size, digest, is_program))
    facts = PackFacts(FORMAT, orgseg, platform, torch, needs, program, tuple(files), tuple(links))
    check_facts(facts)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        _add(archive, FACTS_NAME, io.BytesIO(msgspec.json.encode(facts)))
        for file in files:
            with (folder / file.path).open("rb") as stream:
                _add(archive, FILES_FOLDER + file.path, stream)
    with Joined([target]) as whole:
        digest, size = sha256_of(whole), whole.size
    target.with_name(target.name + ".sha256").write_text(
        f"{digest}  {target.name}\n", encoding="ascii"
    )
    return _cut(target, size, largest_part), digest, size


def _below(folder: Path) -> Iterator[Path]:
    """Files and links below a folder, by name; links to folders are not followed."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        linked = [name for name in folders if Path(place, name).is_symlink()]
        for name in sorted([*names, *linked]):
            yield Path(place, name)


def _add(archive: zipfile.ZipFile, name: str, source: BinaryIO) -> None:
    """With a fixed date, so that the same folder gives the same pack."""
    entry = zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(entry, "w", force_zip64=True) as stream:
        while data := source.read(STEP):
            stream.write(data)


def _cut(target: Path, size: int, largest: int) -> list[Path]:
    if size <= largest:
        return [target]
    parts: list[Path] = []
    with target.open("rb") as source:
        while source.tell() < size:
            part = target.with_name(f"{target.name}.{len(parts) + 1:03d}")
            left = largest
            with part.open("wb") as stream:
                while left and (data := source.read(min(STEP, left))):
                    stream.write(data)
                    left -= len(data)
            parts.append(part)
    target.unlink()
    return parts
