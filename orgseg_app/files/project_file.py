"""The project file: one HDF5 file that holds images, masks, classes, splits and notes.

`orgseg_app.files.schema` describes the layout, `orgseg_app.files.store.storage` how it survives
crashes and full disks: the last good state is never overwritten.

A mask is read when it is first asked for, kept, and edited in place. What a person does to it goes
through `ProjectFile.note_change`, `undo` and `redo`; `commit` makes it durable in the journal
within milliseconds, `write` moves the blocks that changed into the file, at leisure. Reading may
happen in any thread while another writes.
"""

from __future__ import annotations

import contextlib
import os
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence, Sized
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import ClassInfo, check_classes
from orgseg_app.core.mask import Mask
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.files import atomic, giving_up, migrations, remembered_facts, schema, unpacking
from orgseg_app.files.attributes import read_text, write_text
from orgseg_app.files.backups.damage import mask_damage
from orgseg_app.files.changes import Pending, copy_facts
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.facts import ProjectFacts
from orgseg_app.files.images import layers
from orgseg_app.files.images.blocks import contents_sum
from orgseg_app.files.images.content import Source
from orgseg_app.files.images.intake import NewImage, store_image
from orgseg_app.files.names import clean_text, distinct
from orgseg_app.files.project_voxels import ProjectVoxels
from orgseg_app.files.safety import known_files
from orgseg_app.files.safety.audit import DAMAGE, damaged
from orgseg_app.files.store.journal_rows import Batch
from orgseg_app.files.store.lock import LockedError
from orgseg_app.files.store.storage import Storage

__all__ = ["SUFFIX", "LockedError", "NewImage", "ProjectFile"]

SUFFIX = ".orgseg"
ASKED_EVERY_S = 0.05


class ProjectFile(ProjectVoxels):
    """An open project. Made by `create` and `open`; usable in a ``with`` statement.

    Attributes
    ----------
    project
        Its facts as they are now; `save` makes them last.
    kind
        ``"project"``, or ``"snapshot"`` of what a run learned from.
    """

    def __init__(self, storage: Storage, project: Project, kind: str) -> None:
        self.kind = kind
        super().__init__(storage, project)
        self._knows_facts = True
        storage.on_closing = self._remember_facts
        self._masks: dict[str, Mask] = {}
        self._touched: set[str] = set()
        self._counts: dict[str, dict[int, int]] = {}

    # -- opening and closing ---------------------------------------------------------------------

    @classmethod
    def create(
        cls, path: str | Path, classes: Sequence[ClassInfo], name: str | None = None
    ) -> ProjectFile:
        """Make a project without images, on disk at once, and open it.

        Raises
        ------
        ProjectError
            When the file exists, or cannot be written.
        ValueError
            When the classes are impossible (`core.classes.check_classes`).
        """
        storage = Storage(path)
        title = clean_text(name or "") or clean_text(storage.path.stem) or "project"
        project = Project(uuid.uuid4().hex, title, check_classes(classes))
        storage.create(lambda file: schema.write_root(file, project, schema.PROJECT))
        return cls(storage, project, schema.PROJECT)

    @classmethod
    def open(
        cls, path: str | Path, *, read_only: bool = False, lay_out_runs: bool = True
    ) -> ProjectFile:
        """Open a project; no voxel is read.

        A project of a newer program, a snapshot, and a file or folder without write permission open
        read-only, with the reason in `read_only_reason`. Runs packed inside are laid out beside it
        (`files.unpacking`), unless without ``lay_out_runs``.

        Raises
        ------
        LockedError
            When another window has it open for writing (never with ``read_only``).
        ProjectError
            When it is no project, damaged, or holds what projects never hold.
        """
        storage = Storage(path)
        storage.open(read_only=read_only)
        try:
            version, kind, project = _read_facts(storage)
            is_older = version < schema.SCHEMA_VERSION or storage.header is None
            if is_older and kind == schema.PROJECT and not storage.read_only:
                _bring_up_to_date(storage)
                version, kind, project = _read_facts(storage)
            name = storage.path.name
            if version > schema.SCHEMA_VERSION:
                storage.stay_reader(
                    f"“{name}” was made by a newer version of OrgSeg and can only be looked at "
                    "here."
                )
            elif kind == schema.SNAPSHOT:
                storage.stay_reader(f"“{name}” is what a run learned from; it never changes.")
            storage.start_journal()
            opened = cls(storage, project, kind)
            storage.notices += unpacking.on_opening(opened, lay_out=lay_out_runs)
            return opened
        except BaseException:
            storage.close()
            raise

    def close(self) -> None:
        """Let the file go, after a save under way; unsaved changes are dropped. Twice is fine."""
        self.links.close()
        self._storage.close()

    def __enter__(self) -> ProjectFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # -- state -----------------------------------------------------------------------------------

    @property
    def is_dirty(self) -> bool:
        """True while the file lacks something, be it safe in the journal or not."""
        return self.has_new_facts or bool(self.trouble or self.unsaved_images)

    @property
    def saved_state(self) -> str:
        """Another text after each save; "" where the file does not say which one it is of."""
        header = self._storage.header
        return "" if header is None else f"{header.file_id} {header.mark}"

    @property
    def unsaved_images(self) -> frozenset[str]:
        """Images whose masks the file lacks something of."""
        changed = {i for i in list(self._masks) if self._has_changed(i)}
        return frozenset({*self._log.waiting_images, *changed} & self.project.images.keys())

    # -- masks, and their objects ----------------------------------------------------------------

    def mask(self, image_id: str) -> Mask:
        """The image's mask: the same object each time, to be edited in place."""
        if image_id not in self._masks:
            mask = self._read_mask(image_id)
            mask = self._masks.setdefault(image_id, mask)
            self._log.replayed(image_id)
        return self._masks[image_id]

    def load_mask(self, image_id: str) -> Mask:
        """The mask as it is now, to look at: read afresh and not kept where nobody edits it."""
        return self._masks.get(image_id) or self._read_mask(image_id)

    def _read_mask(self, image_id: str) -> Mask:
        """The mask in the file, with the edits that are only in the journal."""
        with self._group(image_id, "The mask") as group:
            mask = layers.load_annotation(group)
        self.note_damage(mask_damage(image_id, self._facts(image_id).name, mask))
        self._log.replay(image_id, mask)
        return mask

    def objects(self, image_id: str) -> NDArray[np.uint32] | None:
        """Object numbers as they are now, ``(Z, Y, X)`` uint32; None where the image has none.

        Raises
        ------
        ProjectError
            When some of them cannot be read.
        """
        if image_id not in self._masks and image_id not in self._log.waiting_images:
            with self._group(image_id, "The objects") as group:
                if "objects" not in group:
                    return None
        objects = self.load_mask(image_id).objects
        if objects.damaged or objects.is_doubtful or objects.is_lost:
            raise ProjectError(
                f"The objects of “{self._facts(image_id).name}” cannot be read whole: "
                f"“{self.path.name}” is damaged there. Other images are not affected."
            )
        return None if objects.is_empty else objects.to_array()

    def touch_mask(self, image_id: str) -> None:
        """Mark a mask as changed.

        A mask notes by itself which blocks were written through its methods, and only those are
        saved; where none is noted, this has the whole mask saved.
        """
        self.mask(image_id)
        self._touched.add(image_id)

    def counts(self, image_id: str) -> dict[int, int]:
        """Painted voxels of each class, without reading the mask where the file says them."""
        mask = self._masks.get(image_id)
        if mask is None and image_id in self._log.waiting_images:
            mask = self._read_mask(image_id)
        if mask is not None:
            return mask.counts()
        with self._group(image_id, "The mask") as group:
            if image_id not in self._counts:
                noted = schema.read_counts(group)
                if noted is None:
                    noted = layers.load_mask(group["mask"]).counts()
                self._counts[image_id] = noted
            return dict(self._counts[image_id])

    def mask_sha256(self, image_id: str) -> str:
        """Fingerprint of the mask as it is now (`core.image.content_hash`)."""
        if self.kind == schema.SNAPSHOT and image_id not in self._masks:
            with self._group(image_id, "The mask") as group:
                noted = read_text(group["mask"], "mask_sha256")
            if noted:
                return noted
        return layers.mask_hash(self.load_mask(image_id))

    def annotation_stamp(self, image_id: str) -> str:
        """Another text whenever what the file holds of mask or objects is; quicker than the hashes.

        "" where something painted is not in the file yet, or a block cannot be read.
        """
        if image_id in self.unsaved_images:
            return ""
        with self._group(image_id, "The mask") as group:
            try:
                kept = [group[name] for name in ("mask", "objects") if name in group]
                if any(dataset.chunks is None for dataset in kept):
                    return ""
                return " ".join(contents_sum(dataset) for dataset in kept)
            except DAMAGE:
                return ""

    def objects_sha256(self, image_id: str) -> str:
        """Fingerprint of the objects as they are now; "" without, alike whatever their numbers."""
        return layers.objects_hash(self.load_mask(image_id).objects)

    # -- writing ---------------------------------------------------------------------------------

    def transaction(
        self, *, new_bytes: int = 0, drop: Collection[str] = ()
    ) -> AbstractContextManager[Any]:
        """Write to the file: gives an ``h5py.File``; all of it lasts, or none of it.

        See `orgseg_app.files.store.storage.Storage.transaction`.
        """
        self._knows_facts = False  # they may be written, too
        return self._storage.transaction(new_bytes=new_bytes, drop=drop)

    def add_images(
        self,
        items: Iterable[NewImage],
        progress: Callable[[int, int], bool] | None = None,
        on_error: Callable[[NewImage, FileError], None] | None = None,
    ) -> list[ProjectImage]:
        """Store images, all of them in one atomic write. Other unsaved changes stay unsaved.

        Parameters
        ----------
        items
            Taken one by one; a generator may read as it goes.
        progress
            Called with (images done, images in all or 0 where unknown) before each, some times a
            second in between, and at the end; False gives up, and nothing is stored.
        on_error
            Told about each image that cannot be read or whose mask does not fit; the others are
            stored. Without it the first such image ends the import, and nothing is stored.

        Returns
        -------
        list of ProjectImage
            Those stored, in order; empty when `progress` gave up. A name that is taken gets a
            number behind it.

        Raises
        ------
        FileError
            When an image cannot be read, its mask does not fit, or the file cannot be written.
        """
        items = list(items) if isinstance(items, Sized) else items
        total = len(items) if isinstance(items, list) else 0
        size = sum(item.stored_bytes for item in items) if isinstance(items, list) else 0
        added: list[ProjectImage] = []
        counts: dict[str, dict[int, int]] = {}
        sources: list[Source] = []
        names = {image.name for image in self.project.images.values()}
        asking = _Asking(progress, self._storage.check, total)
        try:
            with giving_up.asking(asking), self._storage.transaction(new_bytes=size) as file:
                first = schema.next_order(file["images"])
                for done, item in enumerate(items):
                    asking.reached(done)
                    atomic.check_space(self.path.parent, item.stored_bytes, "the images")
                    name = distinct(clean_text(item.opened.name) or "image", names)
                    try:
                        image, painted = store_image(
                            file["images"], item, name, first + done, asking
                        )
                    except FileError as error:
                        if on_error is None:
                            raise
                        on_error(item, error)
                        continue
                    names.add(image.name)
                    added.append(image)
                    counts[image.image_id] = painted
                    if item.linked is not None:
                        sources.append(item.linked)
                asking.total = total or len(added)
                asking.reached(asking.total)
        except _GivenUpError:
            return []
        new = {image.image_id: image for image in added}
        for source in dict.fromkeys(sources):
            self.links.note(source.path, source.content())
        self._counts.update(counts)
        self._saved.images = {**self._saved.images, **new}
        self._durable.images = {**self._durable.images, **new}
        self.project.images = {**self.project.images, **new}
        return added

    def collect(self) -> Pending:
        """Take a copy of what is not saved, for `write`; from here on it counts as saved.

        The window calls this where edits happen (it takes milliseconds) and `write` in another
        thread.
        """
        facts = copy_facts(self.project)
        batch = Batch() if self.read_only else self.take()
        upto, serial = self._log.last_operation, self._serial
        for image_id in self._log.waiting_images:
            if image_id in facts.images:
                self.mask(image_id)
        masks = {}
        for image_id, mask in list(self._masks.items()):
            if image_id in facts.images and self._has_changed(image_id):
                change = masks[image_id] = self._changed_blocks(image_id, mask)
                mask.dirty.clear()
                mask.objects.dirty.clear()
                mask.damaged.difference_update(change.blocks)
                mask.objects.damaged.difference_update(change.numbers)
                mask.objects.is_lost &= not change.loses_objects
        touched = frozenset(self._touched & masks.keys())
        self._touched -= touched
        removed = tuple(i for i in self._saved.images if i not in facts.images)
        return Pending(facts, removed, masks, touched, batch, upto, serial)

    def write(self, pending: Pending) -> None:
        """Write what `collect` took. When that fails, it counts as unsaved again.

        Raises
        ------
        ProjectError
            When it cannot be written; the file is as before and nothing in memory is lost.
        """
        try:
            self.commit(pending.batch)
            self._storage.settle()
            self._write(pending)
        except BaseException:
            self._count_as_unsaved(pending)
            raise

    def save(self) -> None:
        """Write everything that is not saved; the last good state is never overwritten.

        Raises
        ------
        ProjectError
            When it cannot be written; the file is as before and nothing in memory is lost.
        """
        self.write(self.collect())

    def save_copy(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write the project as it is now, unsaved changes included, to another place.

        Works for read-only projects, and when the project's own folder is gone.

        Raises
        ------
        ProjectError
            When it cannot be written there, or something is there already.
        """
        target = Path(os.path.realpath(path))
        if target == self._storage.target:
            raise ProjectError("A copy needs another name than the project itself.")
        if os.path.lexists(target) and not overwrite:
            raise ProjectError(f"“{target.name}” is already there and was left as it is.")
        before = copy_facts(self._saved)
        pending = self.collect()
        try:
            with self._storage.copying(target, new_bytes=pending.bytes) as file:
                for image_id in pending.removed:
                    del file["images"][image_id]
                pending.write(file, before, self._storage.check)
                write_text(file, "kind", schema.PROJECT)
        finally:
            self._count_as_unsaved(pending)

    # -- within ----------------------------------------------------------------------------------

    def _write(self, pending: Pending) -> None:
        before = copy_facts(self._saved)
        same = ProjectFacts.are_same(pending.facts, before)
        if same and not pending.masks and os.path.exists(self._storage.target):
            return
        with self._storage.transaction(
            new_bytes=pending.bytes,
            drop=pending.removed,
            upto=pending.upto,
            serial=pending.serial,
        ) as file:
            pending.write(file, before, self._storage.check)
        self._saved = pending.saved_facts(self._saved)
        if pending.serial >= self._serial:
            self._durable = copy_facts(self._saved)
        self._counts.update({i: change.counts for i, change in pending.masks.items()})
        for image_id in pending.removed:
            self._masks.pop(image_id, None)
            self._counts.pop(image_id, None)
        if pending.removed and self._storage.compacts_in_a_moment:
            with contextlib.suppress(FileError):  # there is no room: another time
                self._storage.compact()

    def _remember_facts(self) -> None:
        if self._knows_facts and self.kind == schema.PROJECT:
            mark = known_files.known_mark(self._storage.target)
            facts = remembered_facts.Facts(schema.SCHEMA_VERSION, self.kind, self._saved)
            remembered_facts.keep(self._storage.target, mark, facts)

    def _count_as_unsaved(self, pending: Pending) -> None:
        self._touched |= pending.touched
        for image_id, change in pending.masks.items():
            mask = self._masks[image_id]
            mask.dirty |= change.blocks.keys()
            mask.objects.dirty |= change.numbers.keys()
            mask.objects.is_lost |= change.loses_objects

    def _changed_blocks(self, image_id: str, mask: Mask) -> layers.MaskChange:
        blocks, numbers = set(mask.dirty), set(mask.objects.dirty)
        if not blocks and not numbers:  # marked by `touch_mask` only
            blocks.update(layers.all_blocks(mask.shape))
            numbers.update(mask.objects.block_indices())
        return layers.MaskChange.of(mask, blocks, numbers)

    def _has_changed(self, image_id: str) -> bool:
        mask = self._masks[image_id]
        return bool(mask.dirty or mask.objects.dirty) or image_id in self._touched


def _read_facts(storage: Storage) -> tuple[int, str, Project]:
    """Version, kind and facts of an open file."""
    name = storage.path.name
    try:
        with storage.reading() as file:
            if storage.mark is not None and storage.is_as_known():
                told = remembered_facts.recall(storage.target, storage.mark)
                if told is not None:
                    return told.version, told.kind, told.project
            mark = known_files.mark_of(storage.target)
            version, kind = schema.read_version(file, name), schema.read_kind(file)
            try:
                project = schema.read_project(file, name)
                if kind == schema.PROJECT:
                    remembered_facts.keep(
                        storage.target, mark, remembered_facts.Facts(version, kind, project)
                    )
                return version, kind, project
            except ProjectError as error:
                if version <= schema.SCHEMA_VERSION:
                    raise
                raise ProjectError(
                    f"“{name}” was made by a newer version of OrgSeg. It was left as it is; "
                    "update OrgSeg to open it."
                ) from error
    except DAMAGE as error:
        raise damaged(name, type(error).__name__) from error


def _bring_up_to_date(storage: Storage) -> None:
    """Migrate a project of an older version; it opens to look only where that is impossible."""
    try:
        done = migrations.migrate(storage.target)
    except ProjectError as error:
        storage.stay_reader(str(error))
        return
    if done is not None:
        storage.notices.append(done.notice)
        storage.replaced()


class _GivenUpError(Exception):
    """The user gave up an import."""


class _Asking:
    """Asks now and then, within an image too, whether an import is to go on."""

    def __init__(
        self, progress: Callable[[int, int], bool] | None, check: Callable[[], None], total: int
    ) -> None:
        self.total = total
        self._progress, self._check = progress, check
        self._done, self._asked = 0, 0.0
        self._is_over = False

    def reached(self, done: int) -> None:
        self._done = done
        self._ask()

    def __call__(self) -> None:
        self._check()
        if time.monotonic() - self._asked > ASKED_EVERY_S:
            self._ask()

    def _ask(self) -> None:
        if self._progress is not None and not self._is_over:
            self._is_over = not self._progress(self._done, self.total)
        if self._is_over:
            raise _GivenUpError
        self._asked = time.monotonic()
