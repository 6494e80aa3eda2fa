"""Making backups.

A backup is made from what the project file holds: blocks are copied as they are stored, checked but
not decompressed, so that it takes a moment even where masks are large. What cannot be written (full
disk, folder without permission) is a warning and never in the way of work.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from orgseg_app.core.split import TRAIN
from orgseg_app.files import atomic, schema
from orgseg_app.files.attributes import (
    copy_attributes,
    read_number,
    read_text,
    read_value,
    write_text,
)
from orgseg_app.files.backups import backup
from orgseg_app.files.backups.backup import Backup
from orgseg_app.files.backups.keeping import give_up_old
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images import layers
from orgseg_app.files.images.blocks import (
    Blocks,
    StoredBlock,
    create_like,
    is_disk_failure,
    stored_blocks,
)
from orgseg_app.files.safety.audit import DAMAGE
from orgseg_app.files.store.draft import Draft, drafting
from orgseg_app.files.store.lock import is_running

ANNOTATION = ("mask", "objects", "weights")
"""Layers of an image that people made; the thumbnail comes along."""

SAFE = "The project itself is not affected."

_AT_ONCE = 64
_WORK_S, _PAUSE_S = 0.008, 0.001
"""Blocks read at once, and seconds between two breaths, in which whoever paints gets a turn."""

_LEFTOVER = re.compile(r"\..*\.saving-(\d+)(-\d+)?")
_NOT_STATE = frozenset({"order", "annotation", "damaged", "damaged_objects", "damaged_weights"})

Reading = Callable[[], AbstractContextManager[Any]]
"""Gives the open ``h5py.File`` of the project for as long as the ``with`` block lasts."""


class GivenUpError(Exception):
    """Whoever asked for a backup did not want to wait for it any longer; nothing was kept."""


def make_backup(
    project_path: str | Path,
    reading: Reading,
    reason: str = backup.WORKED,
    is_given_up: Callable[[], bool] = lambda: False,
) -> Backup | None:
    """Write a backup of what the project file holds, unless the newest one holds the same.

    Parameters
    ----------
    project_path
        The project.
    reading
        `ProjectFile.reading`, or something that gives an open file.
    reason
        One of `backup.REASONS`.
    is_given_up
        Asked every few milliseconds; True ends it, and nothing is kept.

    Returns
    -------
    Backup or None
        None where the newest backup says the same already, and where there are no images.

    Raises
    ------
    ProjectError
        When it cannot be written; earlier backups stay.
    GivenUpError
        When it was given up.
    """

    @contextlib.contextmanager
    def patiently() -> Iterator[Any]:
        if is_given_up():
            raise GivenUpError
        with reading() as file:
            yield file

    def put_checked(draft: Path, kept: Path) -> None:
        if check_backup(Backup(draft, 0), is_given_up):
            raise ProjectError(
                f"The backup “{kept.name}” did not read back and was not kept. {SAFE}"
            )
        atomic.put_in_place(draft, kept, overwrite=False)

    target = Path(os.path.realpath(project_path))
    folder = backup.backups_dir(target)
    with reading() as file:
        if not len(file["images"]):
            return None  # there is nothing yet that could be lost
        uuid, save_id = read_text(file, "uuid") or "", read_text(file, "save_id") or ""
    earlier = backup.list_backups(target)
    newest = next((b for b in earlier if not b.problem and b.project_uuid == uuid), None)
    if newest is not None and save_id and newest.save_id == save_id:
        return None  # the file has not been written since
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ProjectError(
            f"No backup can be kept in {folder.parent}: {atomic.reason(error)}. {SAFE}"
        ) from error
    _sweep(folder)
    number = max((b.number for b in earlier), default=0) + 1
    moment = datetime.now().astimezone()
    path = folder / backup.file_name(number, moment)
    size = (newest.size_bytes if newest is not None else 0) + 2**20
    try:
        with drafting(path, new_bytes=size, commit=put_checked, safe=SAFE) as draft:
            state = _write(draft, patiently)
            if newest is not None and newest.state == state:
                raise _NothingNewError
            draft.file.attrs["number"] = number
            write_text(draft.file, "made", moment.isoformat(timespec="seconds"))
            write_text(draft.file, "reason", reason)
            write_text(draft.file, "project_save_id", save_id)
    except _NothingNewError:
        return None
    give_up_old(target, uuid)
    return backup.read_backup(path)


class _NothingNewError(Exception):
    """The newest backup holds the same."""


def try_backup(
    project_path: str | Path,
    reading: Reading,
    reason: str = backup.WORKED,
    is_given_up: Callable[[], bool] = lambda: False,
) -> str:
    """`make_backup` for those who go on whatever happens; the sentence of a failure, or ""."""
    try:
        make_backup(project_path, reading, reason, is_given_up)
    except GivenUpError:
        return ""
    except FileError as error:
        return f"No backup of “{Path(project_path).name}” was made. {error}"
    return ""


def before_migration(file: Any, project_path: str | Path) -> str:
    """Back up an opened ``h5py.File`` of an older layout; why not, in a sentence, or ""."""
    return try_backup(project_path, lambda: contextlib.nullcontext(file), backup.MIGRATION)


def _write(draft: Draft, reading: Reading) -> str:
    """Copy the annotation into a draft; the fingerprint of all of it."""
    with reading() as file:
        copy_attributes(file, draft.file)
        image_ids = list(file["images"])
        digest = _root_digest(file)
    write_text(draft.file, "format", backup.FORMAT)
    draft.file.attrs["backup_version"] = backup.VERSION
    images = draft.file.create_group("images")
    for image_id in sorted(image_ids):
        group = images.create_group(image_id)
        state = _take_image(reading, image_id, group)
        if state is None:
            del images[image_id]
            continue
        digest.update(state.encode())
        draft.check()
    write_text(draft.file, "state", digest.hexdigest())
    _write_index(draft.file)
    return str(digest.hexdigest())


def _write_index(file: Any) -> None:
    """Note what a backup being written holds where one look finds it: there may be two dozen."""
    ordered = sorted(file["images"].items(), key=lambda kv: read_number(kv[1], "order") or 0.0)
    entries = []
    for image_id, group in ordered:
        entries.append(
            {
                "id": image_id,
                "name": read_text(group, "name") or image_id,
                "mask_shape": [int(n) for n in group["mask"].shape],
                "sha256": read_text(group, "sha256") or "",
                "split": read_text(group, "split") or TRAIN,
                "note": read_text(group, "note") or "",
                "source": read_text(group, "source") or "",
                "counts": schema.read_counts(group) or {},
                "layers": [name for name in group if isinstance(group[name], h5py.Dataset)],
                "annotation": read_text(group, "annotation") or "",
                "damaged": json.loads(read_text(group, "damaged") or "[]"),
                "damaged_objects": json.loads(read_text(group, "damaged_objects") or "[]"),
                "damaged_weights": json.loads(read_text(group, "damaged_weights") or "[]"),
            }
        )
    write_text(file, "index", json.dumps(entries, ensure_ascii=False))


def _state_of(file: Any, is_given_up: Callable[[], bool]) -> str:
    """The fingerprint of what a backup holds, from its stored bytes."""
    digest = _root_digest(file)
    for image_id in sorted(file["images"]):
        if is_given_up():
            raise GivenUpError
        state = _take_image(lambda: contextlib.nullcontext(file), image_id, None, trust=True)
        digest.update((state or "").encode())
    return str(digest.hexdigest())


def check_backup(item: Backup, is_given_up: Callable[[], bool] = lambda: False) -> str:
    """Read a backup back; a sentence about its damage, or "".

    Raises
    ------
    GivenUpError
        When ``is_given_up`` says so.
    """
    try:
        with backup.opened_backup(item.path) as file:
            said, found = read_text(file, "state"), _state_of(file, is_given_up)
    except FileError as error:
        return str(error)
    except (*DAMAGE, OSError) as error:
        return f"“{item.path.name}” cannot be read ({type(error).__name__})."
    return "" if said == found else f"parts of “{item.path.name}” are not what was written."


def _sweep(folder: Path) -> None:
    """Remove drafts that killed processes left."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            match = _LEFTOVER.fullmatch(name)
            if match and (int(match[1]) == os.getpid() or not is_running(int(match[1]))):
                atomic.discard(folder / name)


# -- one image -----------------------------------------------------------------------------------


def _take_image(reading: Reading, image_id: str, target: Any, *, trust: bool = False) -> str | None:
    """Read an image's annotation, into a group of the backup unless ``target`` is None.

    Returns its fingerprint, facts included; None when the image has been removed meanwhile. With
    ``trust``, blocks are not compared with their checksums: the fingerprint will tell.
    """
    with reading() as file:
        group = file["images"].get(image_id)
        if group is None:
            return None
        facts = hashlib.sha256()
        for key in sorted(set(group.attrs) - _NOT_STATE):
            value = read_value(group, key)
            facts.update(key.encode() + b"\0")
            facts.update(value if isinstance(value, bytes) else np.asarray(value).tobytes())
        names = [name for name in ANNOTATION if isinstance(group.get(name), h5py.Dataset)]
        if target is not None:
            copy_attributes(group, target)
            with contextlib.suppress(*DAMAGE):  # a small picture is no reason to give up
                group.file.copy(group["thumbnail"], target, "thumbnail")
    digest = hashlib.sha256()
    damaged: dict[str, list[list[int]]] = {}
    for name in names:
        before = digest.copy()
        try:
            bad = _take_layer(reading, image_id, name, target, digest, trust=trust)
        except DAMAGE as error:
            if target is None or is_disk_failure(error):
                raise
            digest, bad = before, _leave_out(reading, image_id, name, target, before)
        damaged[name] = bad
    if target is not None:
        write_text(target, "annotation", digest.hexdigest())
        write_text(target, "damaged", json.dumps(damaged.get("mask", [])))
        for name in ("objects", "weights"):
            if damaged.get(name):
                write_text(target, f"damaged_{name}", json.dumps(damaged[name]))
        if damaged.get("mask") or schema.read_counts(target) is None:
            schema.write_counts(target["mask"], layers.load_mask(target["mask"]).counts())
    facts.update(digest.digest())
    return facts.hexdigest()


def _leave_out(
    reading: Reading, image_id: str, name: str, target: Any, digest: Any
) -> list[list[int]]:
    """A layer whose list of blocks cannot be followed: what else there is, is worth a backup.

    Indices of all its blocks: they are marked as damaged. Where it is the mask, an empty one stands
    in its place.
    """
    with reading() as file:
        shape = file["images"][image_id][name].shape
    if name in target:
        del target[name]
    if name == "mask":
        _digest_head(digest, name, layers.create_mask(target, shape))
    return [list(index) for index in layers.all_blocks(shape)]


def annotation_digest(reading: Reading, image_id: str) -> str:
    """Fingerprint of an image's mask and objects, as `BackupImage.annotation` has it.

    The stored bytes are read and not decompressed. Equal fingerprints: the same annotation.
    Different ones nearly always mean another annotation, but may come from another compressor.
    """
    digest = hashlib.sha256()
    with reading() as file:
        group = file["images"][image_id]
        names = [name for name in ANNOTATION if isinstance(group.get(name), h5py.Dataset)]
    for name in names:
        _take_layer(reading, image_id, name, None, digest)
    return digest.hexdigest()


def _take_layer(
    reading: Reading, image_id: str, name: str, target: Any, digest: Any, *, trust: bool = False
) -> list[list[int]]:
    """Read one layer block by block; indices of damaged blocks."""
    with reading() as file:
        dataset = file["images"][image_id][name]
        _digest_head(digest, name, dataset)
        if dataset.chunks is None or dataset.ndim != 3:  # written by another program
            digest.update(np.ascontiguousarray(dataset[...]).data)
            if target is not None:
                dataset.file.copy(dataset, target, name)
            return []
        chunks = dataset.chunks
        blocks = stored_blocks(dataset)
        made = None
        if target is not None:
            made = create_like(target, name, dataset)
            copy_attributes(dataset, made)
    damaged: list[list[int]] = []
    since = time.monotonic()
    for start in range(0, len(blocks), _AT_ONCE):
        some = blocks[start : start + _AT_ONCE]
        with reading() as file:
            source = Blocks(file["images"][image_id][name])
            raws = [source.raw(b) if trust else source.sound_raw(b) for b in some]
        for block, raw in zip(some, raws, strict=True):
            if raw is None:
                damaged.append([o // n for o, n in zip(block.offset, chunks, strict=True)])
                continue
            digest.update(_place(block))
            digest.update(raw)
            if made is not None:
                made.id.write_direct_chunk(block.offset, raw, filter_mask=block.filter_mask)
        if time.monotonic() - since > _WORK_S:
            time.sleep(_PAUSE_S)
            since = time.monotonic()
    return damaged


def _digest_head(digest: Any, name: str, dataset: Any) -> None:
    digest.update(f"{name} {dataset.shape} {dataset.dtype.str}\0".encode())


def _place(block: StoredBlock) -> bytes:
    numbers = (*block.offset, block.filter_mask)
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def _root_digest(file: Any) -> Any:
    """A hash that has taken in what is said of the project as a whole."""
    digest = hashlib.sha256()
    for key in ("uuid", "name", "classes"):
        digest.update((read_text(file, key) or "").encode() + b"\0")
    order = sorted(
        ((float(np.asarray(read_value(g, "order") or 0)), i) for i, g in file["images"].items())
    )
    digest.update(json.dumps([image_id for _, image_id in order]).encode())
    return digest
