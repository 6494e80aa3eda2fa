"""The child behind the gate: opens a stranger's HDF5 file and says whether it is harmless.

It is asked one question and ends. What it reads is thrown away: the point is that it was read, by a
process that has nothing to lose (`orgseg_app.files.safety.confinement`).
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import h5py

from orgseg_app.files import schema
from orgseg_app.files.attributes import read_value
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images import codecs
from orgseg_app.files.safety.audit import DAMAGE, check_objects, damaged, identity, open_hdf5
from orgseg_app.files.safety.confinement import Pipes, give_up, limit_cpu, limit_memory
from orgseg_app.files.store.paged_file import PagedFile

SMALL_BYTES = 2**20
"""Datasets up to this size are read as a whole: thumbnails, previews, tables."""

_OURS = "orgseg-"


def run_gate() -> int:
    """Answer one question of `orgseg_app.files.safety.gate`; exit code 0."""
    pipes = Pipes()
    give_up()
    pages: dict[int, bytes] = {}
    for question in pipes.questions():
        if "pages" in question:
            pages.update((int(n), base64.b64decode(page)) for n, page in question["pages"])
            continue
        limit_cpu(float(question["cpu_s"]))
        limit_memory(int(question["memory"]))
        path = Path(question["path"])
        try:
            verdict = look_at(path, whole=bool(question["whole"]), pages=pages)
        except FileError as error:
            verdict = {"refused": str(error)}
        except MemoryError:
            sentence = (
                f"“{path.name}” takes more memory to open than any project. It was left as it is."
            )
            verdict = {"refused": sentence}
        except (*DAMAGE, RecursionError) as error:
            verdict = {"refused": str(damaged(path.name, type(error).__name__))}
        pipes.answer(verdict)
        break
    return 0


def look_at(
    path: Path, *, whole: bool = False, pages: Mapping[int, bytes] | None = None
) -> dict[str, Any]:
    """Walk through a file and read what the window would read first.

    Parameters
    ----------
    whole, pages
        As for `orgseg_app.files.safety.gate.admit`.

    Returns
    -------
    dict
        ``admitted``: True; ``stored``: bytes its datasets take; ``unreadable``: blocks that could
        not be read, where all were asked for.

    Raises
    ------
    ProjectError
        For what `orgseg_app.files.safety.audit` refuses.
    """
    file = _opened(path, pages) if pages else open_hdf5(path)
    if not _is_ours(file):
        schema.read_version(file, path.name)  # says that it is no project
    stored = check_objects(file, path.name)
    touch(file)
    with contextlib.suppress(ProjectError):  # what does not fit together is told when it is opened
        schema.read_project(file, path.name)
    unreadable = read_all(file) if whole else 0
    return {"admitted": True, "stored": stored, "unreadable": unreadable}


def _opened(path: Path, pages: Mapping[int, bytes]) -> Any:
    """A file as it will be once a save is applied."""
    paged = PagedFile(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0)), pages)
    try:
        return h5py.File(paged, "r")
    except DAMAGE as error:
        raise damaged(path.name) from error


def touch(file: Any) -> None:
    """Read all attributes of our kinds and all small datasets of a file whose links are sound."""
    for item in _items(file):
        for key in item.attrs:
            value = read_value(item, key)
            if isinstance(value, bytes):
                with contextlib.suppress(ValueError, RecursionError):
                    json.loads(value)  # what follows is read as JSON by whoever opens the file
        if isinstance(item, h5py.Dataset) and item.nbytes <= SMALL_BYTES:
            with contextlib.suppress(OSError, RuntimeError):  # damage is named when it is needed
                codecs.provide(codecs.filters_of(item))
                item[...]


def read_all(file: Any) -> int:
    """Read every block that is stored; return how many could not be read."""
    unreadable = 0
    for item in _items(file):
        if isinstance(item, h5py.Dataset):
            codecs.provide(codecs.filters_of(item))
            try:
                places = _blocks(item)
            except RuntimeError:  # the list of its blocks is damaged
                places, unreadable = [], unreadable + 1
            for place in places:
                try:
                    item[place]
                except OSError:
                    unreadable += 1
    return unreadable


def _items(file: Any) -> Iterator[Any]:
    """All groups and datasets; HDF5's own walk ends at the first damaged list of blocks.

    One is open at a time, with the groups it lies in: what is kept open keeps the blocks that were
    read of it, which for 200 images is more than the child may take.
    """
    root = file["/"]
    seen = {identity(root.id)}
    yield root
    todo = [iter(root.values())]
    while todo:
        item = next(todo[-1], None)
        if item is None:
            todo.pop()
            continue
        if identity(item.id) in seen:  # groups may hold each other
            continue
        seen.add(identity(item.id))
        yield item
        if isinstance(item, h5py.Group):
            todo.append(iter(item.values()))


def _blocks(dataset: Any) -> list[tuple[slice, ...]]:
    """The stored blocks of a dataset; rows of one that is not stored in blocks."""
    if dataset.chunks is None:
        if dataset.ndim == 0 or dataset.size == 0:
            return []
        rows = max(1, SMALL_BYTES * dataset.shape[0] // max(1, dataset.nbytes))
        return [(slice(at, at + rows),) for at in range(0, dataset.shape[0], rows)]
    places: list[tuple[slice, ...]] = []

    def take(chunk: Any) -> None:
        at = chunk.chunk_offset
        places.append(tuple(slice(a, a + n) for a, n in zip(at, dataset.chunks, strict=True)))

    dataset.id.chunk_iter(take)
    return places


def _is_ours(file: Any) -> bool:
    value = read_value(file, "format")
    return isinstance(value, bytes) and value.startswith(_OURS.encode())
