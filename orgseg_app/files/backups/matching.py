"""Which image, and which class, of a project is meant by those of a backup.

An image of the backup is the image of the project that shows the same voxels, whatever that is
called now; where that cannot be known, the one with the same id and size. What fits nowhere is
named and left alone: a mask never goes onto another picture.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.core.mask import Mask
from orgseg_app.core.project import Project, ProjectImage
from orgseg_app.files.backups.backup import Backup, BackupImage
from orgseg_app.files.errors import ProjectError

# -- which image is which ------------------------------------------------------------------------


@dataclass(frozen=True)
class Match:
    """Where an image of a backup belongs.

    Attributes
    ----------
    source
        The image in the backup.
    image_id
        The image in the project; "" where there is none it may go to.
    problem
        Then a sentence that says why.
    """

    source: BackupImage
    image_id: str = ""
    problem: str = ""


def match_images(project: Project, backup: Backup) -> list[Match]:
    """Find the image of the project for each image of a backup.

    By the fingerprint of the voxels first, then by image id where either fingerprint is missing.
    Of several images with the same voxels, the one with the same id or else the same name is taken.
    """
    free = dict(project.images)
    matches: dict[str, Match] = {}
    # whoever has its own image keeps it, before others with the same voxels are looked at
    for fits in (_is_same_image, _is_same_name, _has_same_voxels):
        for source in backup.images.values():
            if source.image_id not in matches:
                for image in free.values():
                    if fits(image, source):
                        matches[source.image_id] = _checked(source, image)
                        del free[image.image_id]
                        break
    return [matches.get(s.image_id) or _unmatched(project, s) for s in backup.images.values()]


def _has_same_voxels(image: ProjectImage, source: BackupImage) -> bool:
    return bool(source.sha256) and image.sha256 == source.sha256


def _is_same_name(image: ProjectImage, source: BackupImage) -> bool:
    return _has_same_voxels(image, source) and image.name == source.name


def _is_same_image(image: ProjectImage, source: BackupImage) -> bool:
    unknown = not source.sha256 or not image.sha256
    return image.image_id == source.image_id and (unknown or _has_same_voxels(image, source))


def _checked(source: BackupImage, image: ProjectImage) -> Match:
    if image.mask_shape == source.mask_shape:
        return Match(source, image.image_id)
    then, now = (" × ".join(map(str, s)) for s in (source.mask_shape, image.mask_shape))
    return Match(
        source,
        problem=f"“{image.name}” has {now} voxels and had {then}: that mask does not fit it.",
    )


def _unmatched(project: Project, source: BackupImage) -> Match:
    if source.image_id in project.images:
        return Match(
            source,
            problem=f"“{source.name}” shows other voxels now than at the time of the backup.",
        )
    return Match(
        source,
        problem=f"“{source.name}” is not in the project any more. Add the image again to get its "
        "annotation back.",
    )


# -- which class is which ------------------------------------------------------------------------


@dataclass(frozen=True)
class ClassMap:
    """Class ids of a backup in the words of the project.

    Attributes
    ----------
    table
        ``(256,)``: id in the project for each id in the backup.
    added
        Classes the project lacks.
    renamed
        (name then, name now) of classes that are called otherwise now.
    """

    table: NDArray[np.uint8]
    added: tuple[ClassInfo, ...] = ()
    renamed: tuple[tuple[str, str], ...] = ()

    def counts(self, counts: Mapping[int, int]) -> dict[int, int]:
        """Voxels by class id, in the project's ids."""
        total: dict[int, int] = {}
        for class_id, count in counts.items():
            now = int(self.table[class_id]) if 0 <= class_id < 256 else 0
            total[now] = total.get(now, 0) + count
        return {k: v for k, v in sorted(total.items()) if k}

    def apply(self, mask: Mask) -> Mask:
        """The mask with the project's ids; its objects are the same."""
        if np.array_equal(self.table, np.arange(256)):
            return mask
        out = Mask(mask.shape)
        out.objects = mask.objects
        for index in mask.block_indices():
            block = mask.block(index)
            out.replace_block(index, None if block is None else self.table[block])
        return out


def map_classes(
    now: Sequence[ClassInfo], then: Sequence[ClassInfo], used: Collection[int]
) -> ClassMap:
    """Find the project's class for each class of a backup.

    A class of the same name is the same; then one of the same id, which has been renamed; what is
    left is added, with its own id where that is free.

    Parameters
    ----------
    used
        Ids that occur in the masks; others are not added.
    """
    table = np.arange(256, dtype=np.uint8)
    by_name = {c.name.casefold(): c for c in now}
    by_id = {c.class_id: c for c in now}
    names_then = {c.name.casefold() for c in then}
    taken = {*by_id, *(c.class_id for c in then), *used}
    added: list[ClassInfo] = []
    renamed: list[tuple[str, str]] = []
    for old in then:
        same_name, same_id = by_name.get(old.name.casefold()), by_id.get(old.class_id)
        if old.class_id == BACKGROUND or old.class_id not in used:
            continue
        if same_name is not None:
            table[old.class_id] = same_name.class_id
        elif same_id is None:
            added.append(old)
        elif same_id.name.casefold() not in names_then:
            renamed.append((old.name, same_id.name))
        else:
            free = next((i for i in range(2, 256) if i not in taken), None)
            if free is None:
                raise ProjectError(
                    f"The project has no room for one more class, “{old.name}”. Nothing was "
                    "restored; delete a class that is not used, and try again."
                )
            taken.add(free)
            table[old.class_id] = free
            added.append(ClassInfo(free, old.name, old.colour))
    return ClassMap(table, tuple(added), tuple(renamed))
