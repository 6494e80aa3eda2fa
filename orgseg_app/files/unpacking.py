"""Laying out the runs of a packed project (`orgseg_app.files.packing`) beside it.

A packed file comes from somebody else: no path and no file name in it is used. What is laid out is
called by our own names, in folders named after a cleaned title and the run's id; everything is
bounded, and the request of each run is looked at before anything is written. A run appears whole or
not at all, and none that is there already is touched.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
from numpy.typing import NDArray

from orgseg_app.files import atomic
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.names import clean_text, distinct, safe_stem
from orgseg_app.files.safety.audit import DAMAGE
from orgseg_app.files.store.lock import is_running

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

GROUP = "runs"
PIECE = 2**20

RUN_FILES: dict[str, int] = {
    "request.json": 16 * 2**20,
    "title.json": 2**16,
    "remarks.json": 2**16,
    "events.jsonl": 256 * 2**20,
    "metrics.json": 64 * 2**20,
    "ensemble.json": 16 * 2**20,
    "best.ckpt": 8 * 2**30,
    "last.ckpt": 24 * 2**30,
    "mistakes.npz": 2**32,
    "predictions.h5": 2**42,
    "snapshot.h5": 2**42,
}
"""The files of a run that may be packed, each with the bytes it has at the most."""

MAX_RUNS = 1000
MAX_TITLE = 48

_FORMAT, _VERSION = "orgseg-run", 1  # those of orgseg_app.runs.folder, which lies above
_KINDS = ("train", "score", "ensemble", "imported", "annotation")
# No prediction: it would write where a stranger says.
_RUN_ID = re.compile(r"[0-9a-f]{12}")
_DRAFT = re.compile(r"\.unpacking-(\d+)-[0-9a-f]{12}")
_BINARY: int = getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class RunInside:
    """A run in a packed file, found fit to be laid out.

    Attributes
    ----------
    run_id
        12 hexadecimal digits.
    name
        As shown, cleaned.
    request
        Its request, without paths.
    size_bytes
        Of all its files.
    """

    run_id: str
    name: str
    request: dict[str, Any]
    size_bytes: int


class _RefusedError(Exception):
    """A run is not laid out; the message ends a sentence."""


class _StoppedError(Exception):
    """Nobody waits for it any more."""


def on_opening(project_file: ProjectFile, *, lay_out: bool = True) -> list[str]:
    """What opening a project does about runs inside: `unpack`, or `notice_inside` to a reader.

    Without ``lay_out`` a writer leaves them, to call `unpack` later.
    """
    if not project_file.read_only:
        return unpack(project_file) if lay_out else []
    with project_file.reading() as file:
        sentence = notice_inside(file)
    return [sentence] if sentence else []


def holds_runs(project_file: ProjectFile) -> bool:
    """True when runs are packed inside."""
    with project_file.reading() as file:
        return bool(_keys(file))


def notice_inside(file: Any) -> str | None:
    """For those who only look: a sentence about the runs in an h5py.File, None without any."""
    count = len(_keys(file))
    if not count:
        return None
    runs = "A run is" if count == 1 else f"{count} runs are"
    return (
        f"{runs} packed inside this project. To use {'it' if count == 1 else 'them'}, open the "
        "project for writing: copy it to a folder where you may write, if need be."
    )


def unpack(project_file: ProjectFile, go_on: Callable[[], bool] = lambda: True) -> list[str]:
    """Lay the runs of a packed project out beside it, and take them out of the file.

    A run that is refused, or finds no room, stays inside; opening the project again tries again.

    Parameters
    ----------
    project_file
        Open for writing. May be in use meanwhile, and closed: that stops it.
    go_on
        Asked at every piece; False stops.

    Returns
    -------
    list of str
        Sentences about what was done, for the user; none where nothing is packed.
    """
    with project_file.reading() as file:
        keys = _keys(file)
    if not keys:
        return []
    folder = project_file.path.with_suffix(".runs")
    notices: list[str] = []
    laid_out: list[str] = []
    there: list[str] = []
    if len(keys) > MAX_RUNS:
        return [f"“{project_file.path.name}” has {len(keys)} runs inside, which cannot be; {_STAY}"]
    try:
        known = _known_runs(folder)
        names = {entry.name for entry in _entries(folder)}
        for key in keys:
            try:
                if key in known:
                    there.append(key)
                    continue
                names.add(_lay_out(project_file, key, folder, names, go_on))
                laid_out.append(key)
            except _RefusedError as error:
                shown = clean_text(key, 40)
                notices.append(f"The packed run “{shown}” was not laid out: it {error}. {_STAYS}")
    except _StoppedError:
        pass  # what lies there whole stays, and the others are still inside
    except (OSError, FileError) as error:
        why = atomic.reason(error) if isinstance(error, OSError) else str(error).rstrip(".")
        notices.append(f"Packed runs could not be laid out in “{folder.name}”: {why}. {_STAY}")
    if laid_out:
        count = len(laid_out)
        runs = "A run that was" if count == 1 else f"{count} runs that were"
        lie = "lies" if count == 1 else "lie"
        notices.insert(0, f"{runs} packed inside now {lie} in “{folder.name}” beside the project.")
    notices += _take_out(project_file, laid_out + there)
    return notices


_STAYS = "It stays in the file; nothing else is affected."
_STAY = "They stay in the file; nothing else is affected."


def _take_out(project_file: ProjectFile, run_ids: list[str]) -> list[str]:
    """Take runs that lie beside the project out of its file; what there is to say about it."""
    if not run_ids:
        return []
    try:
        with project_file.transaction() as file:
            for run_id in run_ids:
                del file[GROUP][run_id]
            if not _keys(file):
                del file[GROUP]
    except FileError as error:  # they are found to be there next time
        return [str(error)]
    return []


def _keys(file: Any) -> list[str]:
    """Names in the group of runs; none where it is missing or damaged."""
    with contextlib.suppress(*DAMAGE):
        if GROUP in file and isinstance(file[GROUP], h5py.Group):
            return list(file[GROUP])
    return []


# -- one run -------------------------------------------------------------------------------------


def look_at(file: Any, key: str) -> RunInside:
    """What is known of a run in an h5py.File.

    Raises
    ------
    ProjectError
        When it is none that can be laid out; the sentence says why.
    """
    try:
        return _look_at(file, key)
    except _RefusedError as error:
        raise ProjectError(f"The packed run “{clean_text(key, 40)}” {error}.") from error


def _look_at(file: Any, key: str) -> RunInside:
    if not _RUN_ID.fullmatch(key):
        raise _RefusedError("has an impossible id")
    group = file[GROUP][key]
    if not isinstance(group, h5py.Group):
        raise _RefusedError("is no run")
    names = list(group)
    if strange := [name for name in names if name not in RUN_FILES]:
        shown = clean_text(strange[0], 40)
        raise _RefusedError(f"holds “{shown}”, which runs do not have")
    size = sum(_checked(group[name], RUN_FILES[name]) for name in names)
    request = _json(group, "request.json")
    if request is None or request.get("format") != _FORMAT or request.get("run") != key:
        raise _RefusedError("has no request that can be read")
    version = request.get("schema_version", 1)
    if not isinstance(version, int) or version > _VERSION:
        raise _RefusedError("was made by a newer version of OrgSeg")
    if request.get("kind") not in _KINDS:
        raise _RefusedError("is no training")
    if "model" in request:
        request["model"] = ""  # a path on somebody else's computer
    title = (_json(group, "title.json") or {}).get("name", request.get("name"))
    name = clean_text(title, 80) if isinstance(title, str) else ""
    request["name"] = name = name or "run"
    created = request.get("created")
    is_time = isinstance(created, (int, float)) and 0 <= created < 2**40
    request["created"] = created if is_time else 0.0
    return RunInside(key, name, request, size)


def _checked(dataset: Any, limit: int) -> int:
    """Bytes of a packed file; refuses what is not stored as we store it."""
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype != np.uint8:
        raise _RefusedError("holds something that is no file")
    size = int(dataset.shape[0])
    if size > limit:
        raise _RefusedError("holds a file of impossible size")
    if size > int(dataset.id.get_storage_size()):  # packed files are not compressed
        raise _RefusedError("holds a file that claims to be larger than it is")
    return size


def _json(group: Any, name: str) -> dict[str, Any] | None:
    if name not in group:
        return None
    try:
        found = json.loads(_piece(group[name], 0, int(group[name].shape[0])).tobytes())
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _piece(dataset: Any, start: int, stop: int) -> NDArray[np.uint8]:
    try:
        values: NDArray[np.uint8] = dataset[start:stop]
    except DAMAGE as error:
        raise _RefusedError("is damaged") from error
    return values


def _lay_out(
    project_file: ProjectFile,
    key: str,
    folder: Path,
    taken: set[str],
    go_on: Callable[[], bool],
) -> str:
    """Make the folder of one run; returns its name."""
    with project_file.reading() as file:
        try:
            run = _look_at(file, key)
            sizes = {name: int(item.shape[0]) for name, item in file[GROUP][key].items()}
        except DAMAGE as error:
            raise _RefusedError("is damaged") from error
    folder.mkdir(exist_ok=True)
    _sweep(folder)
    atomic.check_space(folder, run.size_bytes, f"the run “{run.name}”")
    stem = safe_stem(run.name)[:MAX_TITLE].rstrip(". ") or "run"
    name = distinct(f"{stem}-{key[:6]}", taken)
    draft = folder / f".unpacking-{os.getpid()}-{key}"
    try:
        (draft / "control").mkdir(parents=True)
        _write(draft / "request.json", [_text(run.request)])
        for file_name in RUN_FILES:  # our names, not those in the file
            if file_name in sizes and file_name not in ("request.json", "title.json"):
                pieces = _pieces(project_file, key, file_name, sizes[file_name], go_on)
                _write(draft / file_name, pieces)
        atomic.sync_folder(draft)
        atomic.put_in_place(draft, folder / name, overwrite=False)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return name


def _text(request: dict[str, Any]) -> bytes:
    """A request as a file of JSON; whoever reads it later must not meet a surprise."""
    try:
        text = json.dumps(request, ensure_ascii=False, indent=2, allow_nan=False)
        return text.encode("utf-8", "replace") + b"\n"
    except (ValueError, RecursionError) as error:
        raise _RefusedError("has no request that can be read") from error


def _pieces(
    project_file: ProjectFile, key: str, name: str, size: int, go_on: Callable[[], bool]
) -> Any:
    for start in range(0, size, PIECE):
        if not go_on():
            raise _StoppedError
        with project_file.reading() as file:
            yield _piece(file[GROUP][key][name], start, min(start + PIECE, size))


def _write(path: Path, pieces: Any) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
    with os.fdopen(descriptor, "wb") as stream:
        for piece in pieces:
            stream.write(memoryview(piece))
        stream.flush()
        atomic.sync(stream.fileno())


# -- the folder of runs --------------------------------------------------------------------------


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except FileNotFoundError:
        return []


def _known_runs(folder: Path) -> set[str]:
    """Ids of the runs that lie in a folder."""
    known = set()
    for entry in _entries(folder):
        if entry.name.startswith("."):  # half laid out when the program was killed, or deleted
            continue
        with contextlib.suppress(OSError, ValueError, RecursionError):
            request = json.loads((Path(entry.path) / "request.json").read_bytes())
            if isinstance(request, dict):
                known.add(str(request.get("run")))
    return known


def _sweep(folder: Path) -> None:
    """Remove what a process that was killed had begun to lay out."""
    for entry in _entries(folder):
        match = _DRAFT.fullmatch(entry.name)
        if match and (int(match[1]) == os.getpid() or not is_running(int(match[1]))):
            shutil.rmtree(entry.path, ignore_errors=True)
