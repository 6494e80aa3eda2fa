"""The project file: one HDF5 file that holds images, masks, classes, splits and notes.

`orgseg_app.files.schema` describes the layout, `orgseg_app.files.storage` how it survives crashes
and full disks: the last good state is never overwritten.

A mask is read when it is first asked for, kept, and edited in place; `ProjectFile.save` writes the
blocks that changed. Reading may happen in any thread while another saves.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Sized
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import ClassInfo, check_classes
from orgseg_app.core.image import OpenedImage, Pixels
from orgseg_app.core.mask import Mask, Plane
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.files import atomic, layers, schema
from orgseg_app.files.attributes import read_text, write_text
from orgseg_app.files.audit import DAMAGE, damaged
from orgseg_app.files.changes import Pending, copy_facts
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.facts import ProjectFacts
from orgseg_app.files.intake import NewImage, store_image
from orgseg_app.files.lock import LockedError
from orgseg_app.files.names import clean_text, distinct
from orgseg_app.files.storage import Storage

__all__ = ["SUFFIX", "LockedError", "NewImage", "ProjectFile"]

SUFFIX = ".orgseg"


class ProjectFile(ProjectFacts):
    """An open project. Made by `create` and `open`; usable in a ``with`` statement.

    Attributes
    ----------
    path
        Absolute path, as the user gave it.
    project
        Its facts as they are now; `save` makes them last.
    kind
        ``"project"``, or ``"snapshot"`` of what a run learned from.
    """

    def __init__(self, storage: Storage, project: Project, kind: str) -> None:
        self._storage = storage
        self.path = storage.path
        self.kind = kind
        super().__init__(project)
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
    def open(cls, path: str | Path, *, read_only: bool = False) -> ProjectFile:
        """Open a project; no voxel is read.

        A project of a newer program, a snapshot, and a file or folder without write permission open
        read-only, with the reason in `read_only_reason`.

        Raises
        ------
        LockedError
            When another window has it open for writing (never with ``read_only``).
        ProjectError
            When it is no project, damaged, or holds what projects never hold.
        """
        storage = Storage(path)
        storage.open(read_only=read_only)
        name = storage.path.name
        try:
            with storage.reading() as file:
                is_newer = schema.read_version(file, name) > schema.SCHEMA_VERSION
                kind = schema.read_kind(file)
                try:
                    project = schema.read_project(file, name)
                except ProjectError as error:
                    if not is_newer:
                        raise
                    raise ProjectError(
                        f"“{name}” was made by a newer version of OrgSeg. It was left as it is; "
                        "update OrgSeg to open it."
                    ) from error
        except DAMAGE as error:
            storage.close()
            raise damaged(name, type(error).__name__) from error
        except BaseException:
            storage.close()
            raise
        if is_newer:
            storage.stay_reader(
                f"“{name}” was made by a newer version of OrgSeg and can only be looked at here."
            )
        elif kind == schema.SNAPSHOT:
            storage.stay_reader(f"“{name}” is what a run learned from; it never changes.")
        return cls(storage, project, kind)

    def close(self) -> None:
        """Let the file go, after a save under way; unsaved changes are dropped. Twice is fine."""
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
    def read_only(self) -> bool:
        """True when nothing can be saved into the file."""
        return self._storage.read_only

    @property
    def read_only_reason(self) -> str:
        """A sentence for the user where it opened for reading only, against what was asked."""
        return self._storage.read_only_reason

    @property
    def is_dirty(self) -> bool:
        """True while something is not saved."""
        return self.has_new_facts or any(
            self._has_changed(i) for i in list(self._masks) if i in self.project.images
        )

    # -- voxels ----------------------------------------------------------------------------------

    def read_plane(self, image_id: str, z: int) -> Pixels:
        """One plane, ``(C, Y, X)``."""
        _, _, height, width = self._facts(image_id).shape
        return self.read_region(image_id, z, 0, 0, height, width)

    def read_region(self, image_id: str, z: int, y0: int, x0: int, y1: int, x1: int) -> Pixels:
        """Part of a plane, ``(C, y1 - y0, x1 - x0)``, clipped to the image.

        Raises
        ------
        IndexError
            When there is no such plane.
        """
        if not 0 <= z < self._facts(image_id).shape[1]:
            raise IndexError(f"There is no plane {z} in this image.")
        with self._group(image_id, f"Plane {z + 1}") as group:
            return layers.read_pixels(group["pixels"], z, y0, x0, y1, x1)

    def read_image(self, image_id: str) -> Pixels:
        """All voxels, ``(C, Z, Y, X)``."""
        return self.opened_image(image_id).read()

    def opened_image(self, image_id: str) -> OpenedImage:
        """The image as a reader would give it, read plane by plane on demand."""
        facts = self._facts(image_id)
        return OpenedImage(
            name=facts.name,
            source=facts.source or facts.name,
            shape=facts.shape,
            dtype=np.dtype(facts.dtype),
            is_rgb=facts.is_rgb,
            channel_names=facts.channel_names,
            pixel_size_um=facts.pixel_size_um,
            read_plane=lambda z: self.read_plane(image_id, z),
        )

    def thumbnail(self, image_id: str) -> Plane:
        """A small picture, ``(h, w)`` or ``(h, w, 3)`` uint8, at most 128 a side."""
        with self._group(image_id, "The thumbnail") as group:
            small = layers.load_thumbnail(group)
        if small is None:
            facts = self._facts(image_id)
            plane = self.read_plane(image_id, facts.shape[1] // 2)
            small = layers.thumbnail(plane, is_rgb=facts.is_rgb)
        return small

    def mask(self, image_id: str) -> Mask:
        """The image's mask: the same object each time, to be edited in place."""
        with self._group(image_id, "The mask") as group:
            if image_id not in self._masks:
                self._masks[image_id] = layers.load_mask(group["mask"])
            return self._masks[image_id]

    def load_mask(self, image_id: str) -> Mask:
        """The mask as it is now, to look at: read afresh and not kept where nobody edits it."""
        with self._group(image_id, "The mask") as group:
            return self._masks.get(image_id) or layers.load_mask(group["mask"])

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

    def objects(self, image_id: str) -> NDArray[np.uint32] | None:
        """Object numbers, ``(Z, Y, X)`` uint32, or None where the image has none."""
        with self._group(image_id, "The objects") as group:
            if "objects" not in group:
                return None
            values: NDArray[np.uint32] = group["objects"][...]
            return values

    # -- writing ---------------------------------------------------------------------------------

    def transaction(
        self, *, new_bytes: int = 0, drop: Collection[str] = ()
    ) -> AbstractContextManager[Any]:
        """Write to the file: gives an ``h5py.File``; all of it lasts, or none of it.

        See `orgseg_app.files.storage.Storage.transaction`.
        """
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
            Called with (images done, images in all or 0 where unknown) before each and at the
            end; False gives up, and nothing is stored.
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
        names = {image.name for image in self.project.images.values()}
        try:
            with self.transaction(new_bytes=size) as file:
                first = schema.next_order(file["images"])
                for done, item in enumerate(items):
                    if progress is not None and not progress(done, total):
                        raise _GivenUpError
                    atomic.check_space(self.path.parent, item.stored_bytes, "the images")
                    name = distinct(clean_text(item.opened.name) or "image", names)
                    try:
                        image, painted = store_image(
                            file["images"], item, name, first + done, self._storage.check
                        )
                    except FileError as error:
                        if on_error is None:
                            raise
                        on_error(item, error)
                        continue
                    names.add(image.name)
                    added.append(image)
                    counts[image.image_id] = painted
                if progress is not None and not progress(total or len(added), total or len(added)):
                    raise _GivenUpError
        except _GivenUpError:
            return []
        new = {image.image_id: image for image in added}
        self._counts.update(counts)
        self._saved.images = {**self._saved.images, **new}
        self.project.images = {**self.project.images, **new}
        return added

    def collect(self) -> Pending:
        """Take a copy of what is not saved, for `write`; from here on it counts as saved.

        The window calls this where edits happen (it takes milliseconds) and `write` in another
        thread.
        """
        facts = copy_facts(self.project)
        masks = {
            image_id: self._changed_blocks(image_id, mask)
            for image_id, mask in list(self._masks.items())
            if image_id in facts.images and self._has_changed(image_id)
        }
        touched = frozenset(self._touched & masks.keys())
        for image_id, change in masks.items():
            self._masks[image_id].dirty.difference_update(change.blocks)
        self._touched -= touched
        removed = tuple(i for i in self._saved.images if i not in facts.images)
        return Pending(facts, removed, masks, touched)

    def write(self, pending: Pending) -> None:
        """Write what `collect` took. When that fails, it counts as unsaved again.

        Raises
        ------
        ProjectError
            When it cannot be written; the file is as before and nothing in memory is lost.
        """
        try:
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
        with self.transaction(new_bytes=pending.bytes, drop=pending.removed) as file:
            pending.write(file, before, self._storage.check)
        self._saved = pending.saved_facts(self._saved)
        self._counts.update({i: change.counts for i, change in pending.masks.items()})
        for image_id in pending.removed:
            self._masks.pop(image_id, None)
            self._counts.pop(image_id, None)

    def _count_as_unsaved(self, pending: Pending) -> None:
        self._touched |= pending.touched
        for image_id, change in pending.masks.items():
            self._masks[image_id].dirty |= change.blocks.keys()

    def _changed_blocks(self, image_id: str, mask: Mask) -> layers.MaskChange:
        blocks = set(mask.dirty)
        if not blocks:  # marked by `touch_mask` only
            blocks.update(layers.all_blocks(mask.shape))
        return layers.MaskChange.of(mask, blocks)

    def _has_changed(self, image_id: str) -> bool:
        return bool(self._masks[image_id].dirty) or image_id in self._touched

    @contextlib.contextmanager
    def _group(self, image_id: str, what: str) -> Iterator[Any]:
        """The image's group in the file, with errors turned into sentences."""
        name = self._facts(image_id).name
        with self._storage.reading() as file:
            try:
                yield file["images"][image_id]
            except FileError:
                raise
            except DAMAGE as error:
                raise ProjectError(
                    f"{what} of “{name}” cannot be read: “{self.path.name}” is damaged there, or "
                    "its disk is gone. Other images are not affected."
                ) from error


class _GivenUpError(Exception):
    """The user gave up an import."""
