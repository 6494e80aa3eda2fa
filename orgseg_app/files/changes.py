"""What a project's file lacks, taken at one moment so that another thread can write it.

Voxels come as the blocks that changed. The facts (names, classes, splits, notes, which images there
are) also travel as JSON, for the journal.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from orgseg_app.core.classes import ClassInfo, check_classes
from orgseg_app.core.project import Project
from orgseg_app.core.split import SPLITS
from orgseg_app.files import schema
from orgseg_app.files.attributes import plain
from orgseg_app.files.images import layers
from orgseg_app.files.names import clean_text
from orgseg_app.files.store.journal_rows import Batch


@dataclass(frozen=True)
class Pending:
    """What the project file lacks.

    Attributes
    ----------
    facts
        The project as it was when they were taken.
    removed
        Ids of images that are in the file and no longer in the project.
    masks
        Changed blocks of masks and objects by image id.
    touched
        Images whose masks were marked as changed as a whole.
    batch
        What the journal lacks of it; committed first, so that the history has every step.
    upto, serial
        Operations, and facts, up to these are part of it.
    """

    facts: Project
    removed: tuple[str, ...]
    masks: dict[str, layers.MaskChange]
    touched: frozenset[str] = frozenset()
    batch: Batch = field(default_factory=Batch)
    upto: int = 0
    serial: int = 0

    @property
    def bytes(self) -> int:
        """Room the changes may take, at the most."""
        blocks = sum(len(change.blocks) for change in self.masks.values())
        numbers = sum(len(change.numbers) for change in self.masks.values())
        return blocks * (2**16 + 512) + numbers * (2**18 + 512) + 2**20

    def write(self, file: Any, before: Project, check: Callable[[], None]) -> None:
        """Write them into a file that holds ``before``, without the removed images.

        Parameters
        ----------
        file
            h5py.File.
        check
            Called between masks; raises when the file can no longer be written.
        """
        schema.write_facts(file, self.facts)
        images = file["images"]
        for image_id, image in self.facts.images.items():
            if before.images[image_id] != image:
                schema.write_image_facts(images[image_id], image)
        if [i for i in before.images if i in self.facts.images] != list(self.facts.images):
            schema.write_order(images, self.saved_facts(before).images)
        for image_id, change in self.masks.items():
            layers.store_annotation(images[image_id], change)
            check()

    def saved_facts(self, before: Project) -> Project:
        """What the file holds once they are written, images added meanwhile included."""
        gone = {*self.removed, *self.facts.images}
        since = {i: image for i, image in before.images.items() if i not in gone}
        return replace(self.facts, images={**self.facts.images, **since})


def copy_facts(project: Project) -> Project:
    """A copy whose list of images is its own."""
    return replace(project, images=dict(project.images))


def facts_to_json(project: Project, saved: Project) -> str:
    """The facts a person can change, as they are now.

    Parameters
    ----------
    saved
        As they are in the file: what differs is told, and which images were removed.
    """
    images = {
        image_id: {
            "name": image.name,
            "split": image.split,
            "note": image.note,
            "pixel_size_um": image.pixel_size_um,
        }
        for image_id, image in project.images.items()
        if saved.images.get(image_id) != image
    }
    facts = {
        "name": project.name,
        "classes": schema.classes_to_json(project.classes),
        "removed_classes": schema.classes_to_json(project.removed_classes),
        "images": images,
        "order": list(project.images),
        "removed": [image_id for image_id in saved.images if image_id not in project.images],
    }
    return json.dumps(facts, ensure_ascii=False)


def facts_from_json(text: str, saved: Project) -> Project:
    """The project with facts from a journal put over those of its file.

    Images the journal does not know, imported after it was written, stay behind the others.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError
        When the text is none of ours.
    """
    facts = json.loads(text)
    images = dict(saved.images)
    for image_id in facts["removed"]:
        images.pop(image_id, None)
    for image_id, told in facts["images"].items():
        if image_id in images:
            size = told["pixel_size_um"]
            images[image_id] = images[image_id].changed(
                name=clean_text(told["name"]) or images[image_id].name,
                split=told["split"] if told["split"] in SPLITS else images[image_id].split,
                note=plain(told["note"]),
                pixel_size_um=None if size is None else tuple(float(s) for s in size),
            )
    order = [i for i in facts["order"] if i in images]
    order += [i for i in images if i not in order]
    return replace(
        saved,
        name=clean_text(facts["name"]) or saved.name,
        classes=check_classes(_classes(facts["classes"])),
        removed_classes=_classes(facts["removed_classes"]),
        images={i: images[i] for i in order},
    )


def _classes(entries: Any) -> tuple[ClassInfo, ...]:
    return tuple(ClassInfo(int(e["id"]), str(e["name"]), str(e["colour"])) for e in entries)
