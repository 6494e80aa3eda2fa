"""Editing the facts of a project: names, classes, splits, notes, which images there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from orgseg_app.core.classes import ClassInfo, check_classes
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.core.split import SPLITS
from orgseg_app.files.attributes import plain
from orgseg_app.files.changes import copy_facts
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.names import clean_text


class ProjectFacts:
    """The facts of an open project, as they are now and as they were last saved.

    Attributes
    ----------
    project
        As they are now. Each change puts a new dict in place of ``project.images``, so that
        another thread may go through the one it holds.
    """

    def __init__(self, project: Project) -> None:
        self.project = project
        self._saved = copy_facts(project)

    @property
    def has_new_facts(self) -> bool:
        """True while names, classes, splits, notes or the list of images are not saved."""
        return not self.are_same(self.project, self._saved)

    @staticmethod
    def are_same(first: Project, second: Project) -> bool:
        """True when two projects say the same, images in the same order."""
        return first == second and list(first.images) == list(second.images)

    def rename(self, name: str) -> None:
        """Give the project another name (its file keeps its own)."""
        self.project.name = clean_text(name) or self.project.name

    def set_classes(self, classes: Sequence[ClassInfo]) -> None:
        """Replace the list of classes; masks are not touched.

        Raises
        ------
        ValueError
            When background is missing or two classes share an id or a name.
        """
        self.project.classes = check_classes(classes)

    def set_removed_classes(self, classes: Sequence[ClassInfo]) -> None:
        """Remember deleted classes that undo may bring back."""
        self.project.removed_classes = tuple(classes)

    def rename_image(self, image_id: str, name: str) -> None:
        """Give an image another name.

        Raises
        ------
        ProjectError
            When the name is empty or another image has it.
        """
        name = clean_text(name)
        if not name:
            raise ProjectError("An image needs a name.")
        if any(i.name == name and i.image_id != image_id for i in self.project.images.values()):
            raise ProjectError(f"Another image is called “{name}”. Choose a different name.")
        self._change(image_id, name=name)

    def set_split(self, image_id: str, split: str) -> None:
        """Put an image into train, validation or test.

        Raises
        ------
        ValueError
            For any other word.
        """
        if split not in SPLITS:
            raise ValueError(f"A split is one of {', '.join(SPLITS)}, not {split!r}.")
        self._change(image_id, split=split)

    def set_note(self, image_id: str, note: str) -> None:
        """Write a note beside an image."""
        self._change(image_id, note=plain(note))

    def set_pixel_size(self, image_id: str, size_um: tuple[float, float, float] | None) -> None:
        """Correct an image's pixel size, ``(z, y, x)`` in micrometres.

        Raises
        ------
        ValueError
            When a size is not a positive number.
        """
        if size_um is not None and not all(np.isfinite(s) and s > 0 for s in size_um):
            raise ValueError("A pixel size is three positive numbers of micrometres.")
        self._change(image_id, pixel_size_um=size_um)

    def remove_image(self, image_id: str) -> None:
        """Take an image out of the project; until the next save, `restore_image` brings it back."""
        self.project.images = {k: v for k, v in self.project.images.items() if k != image_id}

    def restore_image(self, image: ProjectImage, position: int | None = None) -> None:
        """Put a removed image back, at its former position.

        Raises
        ------
        ProjectError
            When the removal has been saved meanwhile.
        """
        if image.image_id not in self._saved.images:
            raise ProjectError(
                f"“{image.name}” was removed for good when the project was saved. Import it again."
            )
        images = [i for i in self.project.images.values() if i.image_id != image.image_id]
        images.insert(len(images) if position is None else position, image)
        self.project.images = {i.image_id: i for i in images}

    def _facts(self, image_id: str) -> ProjectImage:
        image = self.project.images.get(image_id) or self._saved.images.get(image_id)
        if image is None:
            raise ProjectError(f"The project holds no image {image_id!r}.")
        return image

    def _change(self, image_id: str, **fields: object) -> None:
        if image_id not in self.project.images:
            raise ProjectError(f"The project holds no image {image_id!r}.")
        image = self.project.images[image_id].changed(**fields)
        self.project.images = {**self.project.images, image_id: image}
