"""What of a project is not saved yet, taken at one moment so that another thread can write it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from orgseg_app.core.project import Project
from orgseg_app.files import layers, schema


@dataclass(frozen=True)
class Pending:
    """Unsaved changes.

    Attributes
    ----------
    facts
        The project as it was when they were taken.
    removed
        Ids of images that are in the file and no longer in the project.
    masks
        Changed blocks by image id.
    touched
        Images whose masks were marked as changed as a whole.
    """

    facts: Project
    removed: tuple[str, ...]
    masks: dict[str, layers.MaskChange]
    touched: frozenset[str] = frozenset()

    @property
    def bytes(self) -> int:
        """Room the changes may take, at the most."""
        blocks = sum(len(change.blocks) for change in self.masks.values())
        return blocks * (2**16 + 512) + 2**20

    def write(self, file: Any, before: Project, check: Callable[[], None]) -> None:
        """Write them into a file that holds ``before``, without the removed images.

        Parameters
        ----------
        file
            h5py.File.
        check
            Called between masks; raises when the file can no longer be written.
        """
        schema.write_facts(file, self.facts.name, self.facts.classes)
        images = file["images"]
        for image_id, image in self.facts.images.items():
            if before.images[image_id] != image:
                schema.write_image_facts(images[image_id], image)
        if [i for i in before.images if i in self.facts.images] != list(self.facts.images):
            schema.write_order(images, self.saved_facts(before).images)
        for image_id, change in self.masks.items():
            layers.store_mask(images[image_id]["mask"], change)
            check()

    def saved_facts(self, before: Project) -> Project:
        """What the file holds once they are written, images added meanwhile included."""
        gone = {*self.removed, *self.facts.images}
        since = {i: image for i, image in before.images.items() if i not in gone}
        return replace(self.facts, images={**self.facts.images, **since})


def copy_facts(project: Project) -> Project:
    """A copy whose list of images is its own."""
    return replace(project, images=dict(project.images))
