"""Packing: a project and its runs in one file, to mail or to keep.

A packed project is a project like any other, with one group more::

    /runs/<run id>/<file of the run>    the file's bytes: (n,) uint8, fletcher32

The images are inside whether or not the project links to them, and what was painted is as it is
now, saved or not. The undo history stays at home. `orgseg_app.files.unpacking` lays the runs out
again where the file is opened.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from orgseg_app.files import atomic, schema
from orgseg_app.files.changes import copy_facts
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import codecs
from orgseg_app.files.snapshot import store_image_copy
from orgseg_app.files.store.draft import Draft, drafting
from orgseg_app.files.unpacking import GROUP, PIECE, RUN_FILES

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile

Progress = Callable[[int, int, str], object]


@dataclass(frozen=True)
class RunToPack:
    """A run that goes into the file.

    Attributes
    ----------
    run_id
        12 hexadecimal digits.
    name
        As shown.
    files
        Name in `unpacking.RUN_FILES` to where it is, or to its bytes.
    """

    run_id: str
    name: str
    files: dict[str, Path | bytes] = field(default_factory=dict)

    @property
    def size_bytes(self) -> int:
        """Room it takes."""
        return sum(_size(source) for source in self.files.values())


@dataclass(frozen=True)
class Packed:
    """A file that was packed.

    Attributes
    ----------
    path
        Where it is.
    size_bytes
        How large.
    images, runs
        How many are in it.
    notes
        Sentences about what could not be packed as it should.
    """

    path: Path
    size_bytes: int
    images: int
    runs: int
    notes: tuple[str, ...] = ()


def pack(
    project_file: ProjectFile,
    path: str | Path,
    runs: Sequence[RunToPack] = (),
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Packed | None:
    """Write the project as it is now, and runs, into one new file.

    Parameters
    ----------
    project_file
        It is only read; what is not saved is packed as well.
    path
        The file to write.
    runs
        Which runs go inside.
    overwrite
        Replace a file that is there.
    progress
        Called with bytes done, bytes in all, and what is being packed; False gives up.

    Returns
    -------
    Packed or None
        None when `progress` gave up; nothing is written then.

    Raises
    ------
    ProjectError
        When an image or a run cannot be read, or the file cannot be written.
    """
    target = Path(os.path.realpath(path))
    if target == Path(os.path.realpath(project_file.path)):
        raise ProjectError(
            f"“{target.name}” is the project itself. Choose another folder or name for the packed "
            "file."
        )
    if os.path.lexists(target) and not overwrite:
        raise _taken(target)
    facts = replace(copy_facts(project_file.project), removed_classes=())
    sizes = {i: _image_bytes(image.shape, image.dtype) for i, image in facts.images.items()}
    notes: list[str] = []
    steps = _Steps(sum(sizes.values()) + sum(run.size_bytes for run in runs), progress)

    def commit(draft: Path, place: Path) -> None:
        steps.show("")
        try:
            atomic.put_in_place(draft, place, overwrite=overwrite)
        except FileExistsError as error:
            raise _taken(target) from error

    try:
        with drafting(target, new_bytes=steps.total, commit=commit) as draft:
            steps.check = draft.check
            schema.write_root(draft.file, facts, schema.PROJECT)
            with project_file.reading() as file:
                codecs.choose(draft.file, codecs.chosen(file))
            for image in facts.images.values():
                steps.show(image.name)
                mask = store_image_copy(
                    draft.file, project_file, image, steps.look, with_levels=True
                )
                if mask.damaged or mask.is_doubtful:
                    notes.append(
                        f"The mask of “{image.name}” is damaged. What is lost looks unlabelled in "
                        "the packed file, too; a backup may have it."
                    )
                steps.add(sizes[image.image_id])
            schema.write_order(draft.file["images"], facts.images)
            if runs:
                group = draft.file.create_group(GROUP)
                for run in runs:
                    _store_run(group.create_group(run.run_id), run, draft, steps)
    except _GivenUpError:
        return None
    return Packed(target, target.stat().st_size, len(facts.images), len(runs), tuple(notes))


class _GivenUpError(Exception):
    """The user gave up."""


class _Steps:
    """How far it is, in bytes."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total = total
        self.done = 0
        self.check: Callable[[], None] = lambda: None
        self._progress = progress
        self._text = ""

    def show(self, text: str) -> None:
        """Say what is being packed."""
        self._text = text
        self.look()

    def add(self, size: int) -> None:
        """Count bytes that were written."""
        self.done = min(self.total, self.done + size)
        self.look()

    def look(self) -> None:
        """Raise what writing met, or that the user gave up."""
        self.check()
        show = self._progress
        if show is not None and show(self.done, self.total, self._text) is False:
            raise _GivenUpError


def _store_run(group: Any, run: RunToPack, draft: Draft, steps: _Steps) -> None:
    """Write the files of one run; empty ones are left out, as if they were not there."""
    steps.show(run.name)
    for name, source in run.files.items():
        if name not in RUN_FILES:
            raise ValueError(f"{name!r} is no file of a run that is packed.")
        if isinstance(source, bytes):
            _store_bytes(group, name, len(source), iter([source]), steps)
            continue
        try:
            with open(source, "rb") as stream:
                size = os.fstat(stream.fileno()).st_size  # appended to meanwhile: as it is now
                pieces = iter(lambda: stream.read(PIECE), b"")
                _store_bytes(group, name, size, pieces, steps)
        except FileNotFoundError as error:
            raise ProjectError(
                f"“{name}” of the run “{run.name}” is gone. Nothing was packed; leave this run "
                "out, or try again."
            ) from error
        except PermissionError as error:
            raise ProjectError(
                f"“{name}” of the run “{run.name}” cannot be read: {atomic.reason(error)}. "
                "Nothing was packed; leave this run out, or try again."
            ) from error
        draft.check()


def _store_bytes(group: Any, name: str, size: int, pieces: Any, steps: _Steps) -> None:
    if not size:
        return
    if size > RUN_FILES[name]:
        raise ProjectError(
            f"“{name}” of a run is too large to be packed "
            f"({atomic.megabytes(size)}). Nothing was packed; leave this run out."
        )
    dataset = codecs.create_dataset(group, name, (size,), np.uint8, chunk=(PIECE,))
    done = 0
    for piece in pieces:
        values = np.frombuffer(piece, np.uint8)[: size - done]
        dataset[done : done + len(values)] = values
        done += len(values)
        steps.add(len(values))
        if done == size:
            return
    raise ProjectError(
        f"“{name}” of a run became shorter while it was packed. Nothing was packed; try again."
    )


def _size(source: Path | bytes) -> int:
    if isinstance(source, bytes):
        return len(source)
    try:
        return source.stat().st_size
    except OSError:
        return 0


def _image_bytes(shape: tuple[int, int, int, int], dtype: str) -> int:
    """About what an image takes, mask included."""
    c, z, y, x = shape
    return z * y * x * (c * np.dtype(dtype).itemsize + 1) + 2**16


def _taken(target: Path) -> ProjectError:
    return ProjectError(
        f"“{target.name}” is already there and was left as it is. Choose another folder or name."
    )
