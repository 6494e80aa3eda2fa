"""Backups: what people made, without the images, in small files beside the project.

``cells.backups/000042-20261121-143605.h5`` holds all masks, objects, classes, splits, notes and
names of ``cells.orgseg`` as they were at that moment, in the project's own layout less the voxels
of the images::

    /                     attributes: format = "orgseg-backup", backup_version, number, made,
                          reason, state, index (JSON: all images in short), and those of the
                          project
    /images/<image_id>    attributes: those of the project, annotation (fingerprint of mask and
                          objects), damaged, damaged_objects, damaged_weights (JSON:
                          blocks that could not be read)
        mask, objects, weights, thumbnail    as in the project

Backups are ordered by their number, which only grows; clocks jump.
`orgseg_app.files.backups.backing_up` makes them, `orgseg_app.files.backups.restore` brings their
content back.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import ClassInfo
from orgseg_app.core.mask import BlockIndex, Mask, Plane
from orgseg_app.core.split import SPLITS, TRAIN
from orgseg_app.files import schema
from orgseg_app.files.attributes import plain, read_number, read_text
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images import codecs, layers
from orgseg_app.files.names import clean_text
from orgseg_app.files.safety.audit import DAMAGE, check_objects, damaged, open_hdf5

FORMAT = "orgseg-backup"
VERSION = 1
SUFFIX = ".h5"

OPENED, WORKED, CLOSED = "opened", "worked", "closed"
MIGRATION, RESTORE, ASKED = "migration", "restore", "asked"
REASONS = {
    OPENED: "when it was opened",
    WORKED: "while working",
    CLOSED: "when it was closed",
    MIGRATION: "before it was brought up to a newer layout",
    RESTORE: "before a backup was restored",
    ASKED: "asked for",
}
"""Why a backup was made, and how that is said."""

_FILE_NAME = re.compile(r"(\d{6,12})-(\d{8}-\d{6})\.h5")
_MAX_NUMBER = 10**12 - 1


@dataclass(frozen=True)
class BackupImage:
    """What a backup knows of one image.

    Attributes
    ----------
    image_id, name, sha256, split, note, source
        As in the project at that time.
    mask_shape
        ``(Z, Y, X)``.
    counts
        Painted voxels of each class.
    layers
        Names of what it holds: ``"mask"``, ``"objects"`` …
    annotation
        Fingerprint of mask and objects; equal ones hold the same, different ones nearly always
        differ.
    damaged
        Blocks of the mask that were unreadable in the project when the backup was made.
    """

    image_id: str
    name: str
    mask_shape: tuple[int, int, int]
    sha256: str = ""
    split: str = TRAIN
    note: str = ""
    source: str = ""
    counts: dict[int, int] = field(default_factory=dict)
    layers: tuple[str, ...] = ("mask",)
    annotation: str = ""
    damaged: frozenset[BlockIndex] = frozenset()
    damaged_objects: frozenset[BlockIndex] = frozenset()
    damaged_weights: frozenset[BlockIndex] = frozenset()


@dataclass(frozen=True)
class Backup:
    """One backup, without its voxels.

    Attributes
    ----------
    path
        The file.
    number
        Its place in the order of all backups of the project.
    made
        ISO 8601 by the clock of that moment; "" where it is unknown.
    reason
        One of `REASONS`.
    size_bytes
        Of the file.
    project_uuid, project_name
        Which project.
    state
        Fingerprint of everything in it.
    save_id
        Mark of the version of the project file it was made from.
    classes
        Of the project at that time.
    images
        By image id, in order.
    problem
        A sentence where it cannot be read; then the rest is empty.
    """

    path: Path
    number: int
    made: str = ""
    reason: str = ""
    size_bytes: int = 0
    project_uuid: str = ""
    project_name: str = ""
    state: str = ""
    save_id: str = ""
    classes: tuple[ClassInfo, ...] = ()
    images: dict[str, BackupImage] = field(default_factory=dict)
    problem: str = ""

    @property
    def painted_images(self) -> list[BackupImage]:
        """Images with paint on them."""
        return [image for image in self.images.values() if image.counts]

    @property
    def painted_share(self) -> float:
        """Fraction of all voxels that are painted."""
        total = sum(math.prod(image.mask_shape) for image in self.images.values())
        return sum(self.voxels.values()) / total if total else 0.0

    @property
    def voxels(self) -> dict[int, int]:
        """Painted voxels of each class in all images."""
        total: dict[int, int] = {}
        for image in self.images.values():
            for class_id, count in image.counts.items():
                total[class_id] = total.get(class_id, 0) + count
        return dict(sorted(total.items()))

    @property
    def is_whole(self) -> bool:
        """True when it can be read and was made from a project without damage."""
        return not self.problem and not any(
            image.damaged or image.damaged_objects or image.damaged_weights
            for image in self.images.values()
        )

    @property
    def when(self) -> datetime | None:
        """When it was made, or None where that is unknown."""
        with contextlib.suppress(ValueError):
            return datetime.fromisoformat(self.made).astimezone()
        return None


def backups_dir(project_path: Path) -> Path:
    """The folder of a project's backups: ``cells.backups`` for ``cells.orgseg``."""
    return project_path.with_suffix(".backups")


def file_name(number: int, moment: datetime) -> str:
    """What a backup's file is called."""
    return f"{number:06d}-{moment:%Y%m%d-%H%M%S}{SUFFIX}"


def number_in_name(name: str) -> int | None:
    """The number in the name of a backup's file; None for other files."""
    match = _FILE_NAME.fullmatch(name)
    return int(match[1]) if match else None


# -- looking -------------------------------------------------------------------------------------


def list_backups(project_path: str | Path, project_uuid: str = "") -> list[Backup]:
    """All backups beside a project, the newest first; voxels are not read.

    Parameters
    ----------
    project_path
        The project; it need not exist.
    project_uuid
        Leave out those of other projects (which had this name before); "" takes all.
    """
    folder = backups_dir(Path(os.path.realpath(project_path)))
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            if number_in_name(name) is not None:
                found.append(read_backup(folder / name))
    ours = [b for b in found if b.problem or not project_uuid or b.project_uuid == project_uuid]
    return sorted(ours, key=lambda backup: (-backup.number, backup.path.name))


def read_backup(path: Path) -> Backup:
    """What a backup holds; one that cannot be read says why in its ``problem``.

    Only the facts are read; whether the rest is harmless and sound is looked at in `opened_backup`.
    """
    number = number_in_name(path.name) or 0
    try:
        size = path.stat().st_size
        with _opened(path) as file:
            return _read(file, path, number, size)
    except OSError as error:
        return Backup(path, number, problem=f"“{path.name}” cannot be read: {error.strerror}.")
    except FileError as error:
        return Backup(path, number, problem=str(error))


@contextlib.contextmanager
def opened_backup(path: Path) -> Iterator[Any]:
    """A backup as an ``h5py.File`` to read from, once it has proved harmless.

    Raises
    ------
    ProjectError
        When it is not a backup, damaged, or holds what backups never hold.
    """
    with _opened(path) as file:
        try:
            check_objects(file, path.name)
        except DAMAGE as error:
            raise damaged(path.name, type(error).__name__) from error
        yield file


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    name = path.name
    file = open_hdf5(path)
    try:
        try:
            version = read_number(file, "backup_version")
            if read_text(file, "format") != FORMAT or version is None:
                raise ProjectError(f"“{name}” is not a backup of an OrgSeg project.")
            if version > VERSION:
                raise ProjectError(
                    f"“{name}” was made by a newer version of OrgSeg; update OrgSeg to use it."
                )
        except DAMAGE as error:
            raise damaged(name, type(error).__name__) from error
        yield file
    finally:
        with contextlib.suppress(*DAMAGE):
            file.close()


def best(backups: Iterable[Backup]) -> Backup | None:
    """The newest whole backup of a list, newest first; else the newest that can be read."""
    readable = [b for b in backups if not b.problem]
    return next((b for b in readable if b.is_whole), readable[0] if readable else None)


def find_backup(project_path: Path, which: str) -> Backup:
    """The backup a person means.

    Parameters
    ----------
    which
        ``"newest"`` (as `best`), a number, or the path of a backup or of a folder of backups.

    Raises
    ------
    ProjectError
        When there is none, or it cannot be read.
    """
    path = Path(which)
    if path.suffix == SUFFIX and path.is_file():
        chosen = read_backup(path)
    else:
        if path.is_dir():
            project_path, which = path.with_suffix(".orgseg"), "newest"
        backups = list_backups(project_path)
        if not backups:
            raise ProjectError(f"There are no backups in {backups_dir(project_path)}.")
        if which == "newest":
            chosen = best(backups) or backups[0]
        else:
            wanted = int(which) if which.isdecimal() else -1
            fitting = [b for b in backups if b.number == wanted]
            if not fitting:
                numbers = ", ".join(str(b.number) for b in backups)
                raise ProjectError(
                    f"There is no backup “{which}” in {backups_dir(project_path)}. "
                    f"Choose one of: {numbers}."
                )
            chosen = fitting[0]
    if chosen.problem:
        raise ProjectError(chosen.problem)
    return chosen


# -- contents ------------------------------------------------------------------------------------


def read_mask(file: Any, image_id: str) -> Mask:
    """The mask of an image in an opened backup, with its objects.

    Raises
    ------
    ProjectError
        When it cannot be read.
    """
    with _group(file, image_id) as group:
        dataset = group["mask"]
        if dataset.dtype != np.uint8 or dataset.ndim != 3:
            raise TypeError(f"a mask of {dataset.dtype}")
        numbers = group.get("objects")
        if numbers is not None and (numbers.dtype != np.uint32 or numbers.shape != dataset.shape):
            raise TypeError(f"objects of {numbers.dtype}")
        codecs.provide(codecs.filters_of(dataset))
        return layers.load_annotation(group)


def read_weights(file: Any, image_id: str) -> NDArray[np.float32] | None:
    """The weights ``(Z, Y, X)`` of an image in an opened backup; None where it has none.

    Raises
    ------
    ProjectError
        When some of them cannot be read.
    """
    with _group(file, image_id) as group:
        return layers.load_weights(group["weights"]) if "weights" in group else None


def read_thumbnail(file: Any, image_id: str) -> Plane | None:
    """The small picture of an image's middle plane in an opened backup, or None."""
    try:
        with _group(file, image_id) as group:
            return layers.load_thumbnail(group)
    except FileError:
        return None


@contextlib.contextmanager
def _group(file: Any, image_id: str) -> Iterator[Any]:
    name = os.path.basename(str(file.filename))
    try:
        yield file["images"][image_id]
    except FileError:
        raise
    except DAMAGE as error:
        raise ProjectError(
            f"What the backup “{name}” holds of one image is damaged. Other images in it can be "
            "restored; take an older backup for this one."
        ) from error


def _read(file: Any, path: Path, number: int, size: int) -> Backup:
    try:
        inside = read_number(file, "number")
        entries = json.loads(read_text(file, "index") or "")
        images = [_image_of(entry) for entry in entries]
        return Backup(
            path=path,
            number=min(int(inside or number), _MAX_NUMBER),
            made=clean_text(read_text(file, "made") or "", 40),
            reason=clean_text(read_text(file, "reason") or "", 20),
            size_bytes=size,
            project_uuid=clean_text(read_text(file, "uuid") or "", 64),
            project_name=clean_text(read_text(file, "name") or "") or path.stem,
            state=clean_text(read_text(file, "state") or "", 80),
            save_id=clean_text(read_text(file, "project_save_id") or "", 80),
            classes=schema.read_classes(file, path.name),
            images={image.image_id: image for image in images},
        )
    except (*DAMAGE, RecursionError) as error:
        raise damaged(path.name, type(error).__name__) from error


def _image_of(entry: dict[str, Any]) -> BackupImage:
    """An image from its entry in the index. Raises what makes no sense."""
    if not schema.is_image_id(entry["id"]):
        raise ValueError("an impossible image id")
    z, y, x = (int(n) for n in entry["mask_shape"])
    counts = {int(k): int(v) for k, v in entry["counts"].items()}
    return BackupImage(
        image_id=entry["id"],
        name=clean_text(str(entry["name"])) or entry["id"],
        mask_shape=(z, y, x),
        sha256=clean_text(str(entry["sha256"]), 80),
        split=entry["split"] if entry["split"] in SPLITS else TRAIN,
        note=plain(str(entry["note"])),
        source=clean_text(str(entry["source"])),
        counts={k: v for k, v in counts.items() if 0 < k < 256 and v > 0},
        layers=tuple(str(name) for name in entry["layers"]),
        annotation=str(entry["annotation"]),
        damaged=_blocks_of(entry["damaged"]),
        damaged_objects=_blocks_of(entry.get("damaged_objects", [])),
        damaged_weights=_blocks_of(entry.get("damaged_weights", [])),
    )


def _blocks_of(entries: Iterable[Sequence[int]]) -> frozenset[BlockIndex]:
    return frozenset((int(z), int(y), int(x)) for z, y, x in entries)
