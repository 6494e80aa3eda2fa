"""Reading the voxels of an open project, wherever they lie: in the project, or in linked files."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage, Pixels
from orgseg_app.core.mask import Plane
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.files import schema
from orgseg_app.files.backups.damage import CHECKSUM, IMAGE, WRONG_LIST, Damage, block_damage
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images import codecs, layers, pyramid
from orgseg_app.files.images.blocks import is_disk_failure
from orgseg_app.files.images.intake import NewImage
from orgseg_app.files.images.links import LinkedFiles
from orgseg_app.files.images.planes import STRIPE_BYTES, read_what_is_left
from orgseg_app.files.project_edits import ProjectEdits
from orgseg_app.files.safety.audit import DAMAGE
from orgseg_app.files.store.storage import Storage

_KEPT_OPEN = 8


class ProjectVoxels(ProjectEdits):
    """An open project's images. Every method may be called in any thread.

    Attributes
    ----------
    links
        The files of linked images.
    damages
        Damaged places met so far, while reading.
    on_damage
        Called, in any thread, when there are more of them.
    """

    def __init__(self, storage: Storage, project: Project) -> None:
        super().__init__(storage, project)
        self.links = LinkedFiles(project.uuid, storage.target.parent)
        self.damages: list[Damage] = []
        self.on_damage: Callable[[], None] | None = None
        self._opened: dict[str, tuple[Any, Any]] = {}

    def read_plane(self, image_id: str, z: int, *, to_look: bool = False) -> Pixels:
        """One plane, ``(C, Y, X)``.

        Parameters
        ----------
        to_look
            Blocks that are damaged are black, and noted in `damages`; otherwise they raise.

        Raises
        ------
        IndexError
            When there is no such plane.
        ProjectError
            When it cannot be read; `LinkError` when it is in a file that is missing or has changed.
        """
        facts = self._checked_plane(image_id, z)
        channels, _, height, width = facts.shape
        if facts.link is not None:
            return self.links.read_plane(facts, z)
        dtype = np.dtype(facts.dtype)
        # In parts, so that the window, which reads the same file, waits for one part at most.
        rows = max(512, STRIPE_BYTES // max(1, channels * width * dtype.itemsize) // 512 * 512)
        if rows >= height:
            return self.read_region(image_id, z, 0, 0, height, width, to_look=to_look)
        plane = np.empty((channels, height, width), dtype)
        for top in range(0, height, rows):
            bottom = min(top + rows, height)
            plane[:, top:bottom] = self.read_region(
                image_id, z, top, 0, bottom, width, to_look=to_look
            )
        return plane

    def read_region(
        self, image_id: str, z: int, y0: int, x0: int, y1: int, x1: int, *, to_look: bool = False
    ) -> Pixels:
        """Part of a plane, ``(C, y1 - y0, x1 - x0)``, clipped to the image.

        Raises
        ------
        IndexError, ProjectError
            As `read_plane`.
        """
        facts = self._checked_plane(image_id, z)
        if facts.link is not None:
            height, width = facts.shape[2:]
            top, left = min(max(0, y0), height), min(max(0, x0), width)
            bottom, right = max(top, min(y1, height)), max(left, min(x1, width))
            part = self.links.read_part(facts, z, top, left, bottom, right)
            if part is None:
                part = self.links.read_plane(facts, z)[:, top:bottom, left:right]
            return part
        with self._images(image_id, f"Plane {z + 1}") as file:
            dataset = self._pixels(file, image_id)
            try:
                whole: Pixels = layers.read_pixels(dataset, z, y0, x0, y1, x1)
                return whole
            except OSError as error:
                if not to_look or dataset.chunks is None or is_disk_failure(error):
                    raise
            region, lost = read_what_is_left(dataset, z, y0, x0, y1, x1)
            found = [block_damage(facts, IMAGE, dataset, offset, CHECKSUM) for offset in lost]
            if not found:
                found = [Damage(IMAGE, WRONG_LIST, facts.image_id, facts.name)]
        self.note_damage(found)
        return region

    def read_part(self, image_id: str, z: int, y0: int, x0: int, y1: int, x1: int) -> Pixels | None:
        """Part of a plane within the image, to look at; None where all of it would be read for it.

        Raises
        ------
        IndexError, ProjectError
            As `read_plane`.
        """
        facts = self._checked_plane(image_id, z)
        if facts.link is not None:
            return self.links.read_part(facts, z, y0, x0, y1, x1)
        return self.read_region(image_id, z, y0, x0, y1, x1, to_look=True)

    def note_damage(self, found: Iterable[Damage]) -> None:
        """Remember damaged places, and tell whoever wants to know."""
        new = [place for place in found if place not in self.damages]
        if new:
            self.damages = [*self.damages, *new]
            if self.on_damage is not None:
                self.on_damage()

    def forget_damage(self, image_id: str, what: str) -> None:
        """A damaged layer of an image has been put right."""
        self.damages = [d for d in self.damages if (d.image_id, d.what) != (image_id, what)]

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

    def weights(self, image_id: str) -> NDArray[np.float32] | None:
        """All weights, ``(Z, Y, X)`` float32, or None; `orgseg_app.files.weights` reads planes."""
        with self._group(image_id, "The weights") as group:
            return layers.load_weights(group["weights"]) if "weights" in group else None

    # -- smaller versions ------------------------------------------------------------------------

    def levels(self, image_id: str) -> tuple[tuple[int, int], ...]:
        """Height and width of the stored levels 1…n of an image; none for small or older ones."""
        facts = self._facts(image_id)
        with self._group(image_id, "The overview") as group:
            return pyramid.stored_sizes(group, facts.shape, facts.dtype)

    def read_level(
        self, image_id: str, level: int, z: int, y0: int, x0: int, y1: int, x1: int
    ) -> Pixels | None:
        """Part of a plane of a stored level, ``(C, y1 - y0, x1 - x0)``, in voxels of the level.

        None where it is missing or damaged: then the image itself is to be read.
        """
        facts = self._checked_plane(image_id, z)
        with self._group(image_id, "The overview") as group:
            return pyramid.read_level(group, facts.shape, facts.dtype, level, z, y0, x0, y1, x1)

    def contrast(self, image_id: str, z: int) -> NDArray[np.float64] | None:
        """Least and largest value and limits of automatic contrast of each channel, ``(C, 4)``."""
        facts = self._checked_plane(image_id, z)
        with self._group(image_id, "The overview") as group:
            return pyramid.read_contrast(group, facts.shape, z)

    # -- linked images ---------------------------------------------------------------------------

    def embed(
        self,
        image_ids: Sequence[str] | None = None,
        progress: Callable[[int, int], bool] | None = None,
    ) -> list[ProjectImage]:
        """Copy the voxels of linked images into the project, all of them in one atomic write.

        Parameters
        ----------
        image_ids
            Which; all linked images unless given.
        progress
            Called with (planes done, planes in all); False gives up, and nothing is copied.

        Returns
        -------
        list of ProjectImage
            Those copied; empty when `progress` gave up.

        Raises
        ------
        ProjectError
            When a file is missing or has changed, or the project cannot be written.
        """
        chosen = [self._facts(i) for i in (self.project.images if image_ids is None else image_ids)]
        linked = [image for image in chosen if image.link is not None]
        counter = _PlaneCounter(sum(image.shape[1] for image in linked), progress)
        sizes = (NewImage(self.opened_image(i.image_id)).stored_bytes for i in linked)
        try:
            with self._storage.transaction(new_bytes=sum(sizes)) as file:
                for image in linked:
                    self._embed(file["images"][image.image_id], image, counter)
        except _GivenUpError:
            return []
        done = {image.image_id: image.changed(link=None) for image in linked}
        for project in (self._saved, self._durable):
            project.images = {**project.images, **done}
        now = self.project.images
        self.project.images = {
            i: image.changed(link=None) if i in done else image for i, image in now.items()
        }
        return list(done.values())

    def _embed(self, group: Any, image: ProjectImage, counter: _PlaneCounter) -> None:
        def check() -> None:
            self._storage.check()
            counter.ask()

        opened = self.opened_image(image.image_id)

        def read_plane(z: int) -> Pixels:
            plane = self.links.read_plane(image, z)
            counter.done += 1
            return plane

        opened.read_plane = read_plane
        sha256, _ = layers.store_pixels(group, opened, check, codec=codecs.chosen(group))
        if image.sha256 and sha256 != image.sha256:
            raise ProjectError(
                f"“{image.name}” does not read as it did when it was linked. Nothing was copied."
            )
        schema.write_link(group, image.changed(link=None))

    # -- within ----------------------------------------------------------------------------------

    def _checked_plane(self, image_id: str, z: int) -> ProjectImage:
        facts = self._facts(image_id)
        if not 0 <= z < facts.shape[1]:
            raise IndexError(f"There is no plane {z} in this image.")
        return facts

    def _pixels(self, file: Any, image_id: str) -> Any:
        """The dataset of an image's voxels, kept open: to open it takes as long as to read a tile.

        It is closed with its file, which a save opens anew.
        """
        kept = self._opened.get(image_id)
        if kept is not None and kept[0] is file and kept[1]:
            return kept[1]
        dataset = file["images"][image_id]["pixels"]
        while len(self._opened) >= _KEPT_OPEN:
            self._opened.pop(next(iter(self._opened)))
        self._opened[image_id] = file, dataset
        return dataset

    @contextlib.contextmanager
    def _group(self, image_id: str, what: str) -> Iterator[Any]:
        """The image's group in the file, with errors turned into sentences."""
        with self._images(image_id, what) as file:
            yield file["images"][image_id]

    @contextlib.contextmanager
    def _images(self, image_id: str, what: str) -> Iterator[Any]:
        """The file, to read something of an image; with errors turned into sentences."""
        name = self._facts(image_id).name
        with self._storage.reading() as file:
            try:
                yield file
            except FileError:
                raise
            except DAMAGE as error:
                raise ProjectError(
                    f"{what} of “{name}” cannot be read: “{self.path.name}” is damaged there, or "
                    "its disk is gone. Other images are not affected."
                ) from error


class _GivenUpError(Exception):
    """The user gave up."""


class _PlaneCounter:
    """How far a copy is, and whether it is to go on."""

    def __init__(self, total: int, progress: Callable[[int, int], bool] | None) -> None:
        self.done, self._total, self._progress = 0, total, progress

    def ask(self) -> None:
        """Raise when the user wants it to end."""
        if self._progress is not None and not self._progress(self.done, self._total):
            raise _GivenUpError
