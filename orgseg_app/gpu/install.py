"""Installing a GPU pack from a file, and removing it.

Below ``paths.data_dir()/gpu`` lie ``current.json``, which names the pack in use, and one folder a
pack. A pack is unpacked into a folder that nobody knows, checked file by file, renamed, and named
in ``current.json`` last, in one step: whoever kills that on the way finds what was there before,
and the next installation clears the rest away.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orgseg_app import __version__, paths
from orgseg_app.files.atomic import SPARE_BYTES, reason, replacing
from orgseg_app.gpu.computer import platform_name
from orgseg_app.gpu.errors import CancelledError, PackError
from orgseg_app.gpu.pack import (
    FACTS_NAME,
    FILES_FOLDER,
    STEP,
    Joined,
    PackedFile,
    PackFacts,
    parts_of,
    read_facts,
    sha256_of,
)

Progress = Callable[[int, int, str], bool]
"""Told bytes done, bytes in all and what is done; False gives up."""

_CURRENT = "current.json"
_UNPACKING = re.compile(r"\.unpacking-(\d+)")
_SAFE = "Nothing was changed."


class _Current(msgspec.Struct, frozen=True):
    folder: str
    sha256: str


@dataclass(frozen=True)
class Installed:
    """A pack that is installed.

    Attributes
    ----------
    folder
        Where it lies.
    sha256
        Of the file it came from: which pack it is.
    facts
        Its list.
    """

    folder: Path
    sha256: str
    facts: PackFacts

    @property
    def program(self) -> Path:
        """What is started instead of this program."""
        return self.folder / self.facts.program

    @property
    def fits(self) -> bool:
        """Whether it belongs to this version of OrgSeg."""
        return self.facts.orgseg == __version__

    @property
    def is_whole(self) -> bool:
        """Whether its program is still there; everything else would take too long to look at."""
        size = next(f.bytes for f in self.facts.files if f.path == self.facts.program)
        try:
            return self.program.stat().st_size == size
        except OSError:
            return False


def gpu_dir() -> Path:
    """The folder of everything about the pack."""
    return paths.data_dir() / "gpu"


def installed() -> Installed | None:
    """The pack in use, of whatever version; None when there is none, or it cannot be read."""
    try:
        current = msgspec.json.decode((gpu_dir() / _CURRENT).read_bytes(), type=_Current)
        if not re.fullmatch(r"[0-9a-f]{8}-\d+", current.folder):
            return None
        folder = gpu_dir() / current.folder
        facts = msgspec.json.decode((folder / FACTS_NAME).read_bytes(), type=PackFacts)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    return Installed(folder, current.sha256, facts)


def sha256_beside(path: Path) -> str:
    """The SHA-256 that lies beside a pack in a ``.sha256`` file; "" when none does."""
    whole = path.with_suffix("") if re.fullmatch(r"\.\d{3}", path.suffix) else path
    try:
        text = whole.with_name(whole.name + ".sha256").read_text(encoding="ascii")[:1000]
    except (OSError, UnicodeDecodeError):
        return ""
    return as_sha256(text)


def as_sha256(text: str) -> str:
    """The 64 hexadecimal digits at the beginning of a text; "" when it does not begin so."""
    match = re.match(r"\s*([0-9a-fA-F]{64})(?![0-9a-fA-F])", text)
    return match[1].lower() if match else ""


def install(path: Path, sha256: str, progress: Progress = lambda *_: True) -> Installed:
    """Install a pack from a file, instead of the one that is there.

    Parameters
    ----------
    path
        The ``.zip``, or its first part.
    sha256
        Of the whole, from where the file was offered.
    progress
        Told how far it is, in bytes.

    Raises
    ------
    PackError
        When it is not what it should be, does not fit, or the disk refuses. What was installed
        before stays.
    """
    try:
        with Joined(parts_of(path)) as stream:
            _check_sha256(stream, sha256, progress)
            with zipfile.ZipFile(stream) as archive:
                facts = read_facts(archive)
                _check_fits(facts)
                _check_room(facts)
                return _unpack(archive, facts, sha256, progress)
    except CancelledError:
        raise
    except PackError as error:
        raise PackError(f"{error} {_SAFE}") from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise PackError(
            f"“{path.name}” is no GPU pack, or it is damaged. {_SAFE} Get it again."
        ) from error
    except OSError as error:
        raise PackError(f"The pack could not be installed: {reason(error)}. {_SAFE}") from error


def _check_sha256(stream: Joined, wanted: str, progress: Progress) -> None:
    def report(done: int) -> None:
        if not progress(done, stream.size, "Checking the file"):
            raise CancelledError(f"Cancelled. {_SAFE}")

    found = sha256_of(stream, report)
    if not as_sha256(wanted) or found != as_sha256(wanted):
        raise PackError(
            "The file is not the one that was offered: its SHA-256 is another one "
            f"({found[:12]}… instead of {wanted[:12] or 'none'}…). It may be damaged or changed; "
            "get it again."
        )


def _check_fits(facts: PackFacts) -> None:
    if facts.orgseg != __version__:
        raise PackError(
            f"The pack is for OrgSeg {facts.orgseg}, and this is OrgSeg {__version__}: take the "
            "pack of this version."
        )
    if facts.platform != platform_name():
        raise PackError(
            f"The pack is for {facts.platform}, and this computer is {platform_name()}: take the "
            "pack for it."
        )


def _check_room(facts: PackFacts) -> None:
    gpu_dir().mkdir(parents=True, exist_ok=True)
    free, needed = shutil.disk_usage(gpu_dir()).free, facts.total_bytes + SPARE_BYTES
    if free < needed:
        raise PackError(
            f"The pack takes {needed / 1e9:.1f} GB unpacked, and the disk of {gpu_dir()} has "
            f"{free / 1e9:.1f} GB free. Make room, and try again."
        )


def _unpack(
    archive: zipfile.ZipFile, facts: PackFacts, sha256: str, progress: Progress
) -> Installed:
    draft = gpu_dir() / f".unpacking-{os.getpid()}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    try:
        done = 0
        for file in facts.files:
            for size in _write(archive, file, draft / file.path):
                done += size
                if not progress(done, facts.total_bytes, "Unpacking"):
                    raise CancelledError(f"Cancelled. {_SAFE}")
        for link in facts.links:
            place = draft / link.path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(link.target)
        (draft / FACTS_NAME).write_bytes(msgspec.json.encode(facts))
        folder = _free_name(as_sha256(sha256)[:8])
        os.rename(draft, folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    found = Installed(folder, as_sha256(sha256), facts)
    with replacing(gpu_dir() / _CURRENT) as text:
        text.write_bytes(msgspec.json.encode(_Current(folder.name, found.sha256)))
    _clear_away(except_for=folder)
    return found


def _write(archive: zipfile.ZipFile, file: PackedFile, target: Path) -> Iterator[int]:
    """One file, checked; yields the sizes of its pieces as they are written."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), file.bytes
    with archive.open(FILES_FOLDER + file.path) as source, target.open("xb") as stream:
        while data := source.read(STEP):
            left -= len(data)
            if left < 0:
                break  # an archive that never ends would fill the disk
            digest.update(data)
            stream.write(data)
            yield len(data)
        stream.flush()
        os.fsync(stream.fileno())
    if left != 0 or digest.hexdigest() != file.sha256:
        raise PackError(f"“{file.path}” in the pack is damaged. Get the pack again.")
    target.chmod(0o755 if file.executable else 0o644)


def _free_name(name: str) -> Path:
    number = 1
    while (folder := gpu_dir() / f"{name}-{number}").exists():
        number += 1
    return folder


def remove() -> None:
    """Remove the pack; training runs on the processor from then on.

    Raises
    ------
    PackError
        While something computes with it, or when the system refuses.
    """
    found = installed()
    if found is not None and _is_used(found.folder):
        raise PackError(
            "A job computes with the GPU pack right now. It goes on, and the pack stays; remove it "
            "when the job has ended."
        )
    try:
        (gpu_dir() / _CURRENT).unlink(missing_ok=True)
    except OSError as error:
        raise PackError(f"The pack could not be removed: {reason(error)}.") from error
    _clear_away()


def _clear_away(except_for: Path | None = None) -> None:
    """Remove the folders of other packs, and what killed installations left."""
    import psutil

    for folder in gpu_dir().iterdir() if gpu_dir().is_dir() else ():
        if folder == except_for or not folder.is_dir() or folder.is_symlink():
            continue
        unpacking = _UNPACKING.fullmatch(folder.name)
        if unpacking:
            is_free = int(unpacking[1]) == os.getpid() or not psutil.pid_exists(int(unpacking[1]))
        else:
            is_free = bool(re.fullmatch(r"[0-9a-f]{8}-\d+", folder.name)) and not _is_used(folder)
        if is_free:
            shutil.rmtree(folder, ignore_errors=True)


def _is_used(folder: Path) -> bool:
    """Whether a process runs a program of that folder."""
    import psutil

    prefix = os.path.normcase(os.path.realpath(folder)) + os.sep
    programs = (process.info["exe"] or "" for process in psutil.process_iter(["exe"]))
    return any(os.path.normcase(program).startswith(prefix) for program in programs)
