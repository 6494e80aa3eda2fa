"""A second annotation: the masks that somebody painted on the same images in another project.

Images are paired by the fingerprint of their voxels, so names do not matter. What the other person
left unlabelled stays unlabelled: nobody can say whether they would have agreed there.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.image import OpenedImage
from orgseg_app.core.project import ProjectImage
from orgseg_app.files.annotations.source import LoadedAnnotation
from orgseg_app.files.counterparts.offer import (
    JUDGED_SPLITS,
    Becomes,
    Counterpart,
    Offer,
    OfferedClass,
    OfferError,
)
from orgseg_app.files.project_file import ProjectFile


class OtherProject(Offer):
    """The masks of another project on the same images.

    Parameters
    ----------
    path
        Of the other project.
    opened
        That project, opened for reading; only for the time of this call.
    images
        Of the project that they are laid beside.
    """

    is_project = True

    def __init__(self, path: Path, opened: ProjectFile, images: Iterable[ProjectImage]) -> None:
        self.path = path
        self.title = f"“{path.name}”"
        self._classes = opened.project.classes
        self._theirs: dict[str, str] = {}
        self._painted: set[int] = set()
        self._file: ProjectFile | None = None
        by_content: dict[str, list[ProjectImage]] = defaultdict(list)
        for image in opened.project.images.values():
            by_content[image.sha256].append(image)
        self.counterparts = tuple(
            self._counterpart(image, by_content.get(image.sha256, []), opened)
            for image in images
            if image.split in JUDGED_SPLITS
        )
        if not any(item.found for item in self.counterparts):
            raise OfferError(
                f"{self.title} holds none of the images that this project judges models on. They "
                "are known by their voxels, not by name. Nothing was added."
            )

    def _counterpart(
        self, image: ProjectImage, same: list[ProjectImage], opened: ProjectFile
    ) -> Counterpart:
        facts = image.image_id, image.name, image.split
        painted = [other for other in same if opened.counts(other.image_id)]
        if len(painted) > 1:
            names = " and ".join(f"“{other.name}”" for other in painted[:3])
            problem = f"{names} are this image twice, painted differently; neither was taken."
            return Counterpart(*facts, painted[0].name, problem)
        if not painted:
            problem = "Nothing is painted on it there." if same else ""
            return Counterpart(*facts, same[0].name if same else "", problem)
        self._theirs[image.image_id] = painted[0].image_id
        self._painted |= set(opened.counts(painted[0].image_id))
        return Counterpart(*facts, painted[0].name)

    def offered(self, meaning: str) -> list[OfferedClass]:
        """Its classes other than background that are painted on these images."""
        return [
            OfferedClass(info.class_id, info.name)
            for info in self._classes
            if info.class_id != BACKGROUND and info.class_id in self._painted
        ]

    @contextmanager
    def reading(self) -> Iterator[object]:
        """The other project, open."""
        with ProjectFile.open(self.path, read_only=True, lay_out_runs=False) as self._file:
            yield self._file
        self._file = None

    def load(self, image: ProjectImage, opened: OpenedImage, becomes: Becomes) -> LoadedAnnotation:
        """What was painted on one image there; 0 where nothing was."""
        assert self._file is not None
        theirs = self._theirs.get(image.image_id)
        known = self._file.project.images.get(theirs or "")
        if theirs is None or known is None or known.sha256 != image.sha256:
            raise OfferError(f'{self.title} has no mask for "{image.name}" any more.')
        mask = self._file.load_mask(theirs).to_array()
        table = np.zeros(256, np.uint8)
        table[BACKGROUND] = BACKGROUND
        for number, class_id in becomes.class_ids.items():
            table[number] = class_id
        return LoadedAnnotation(table[mask], self._file.objects(theirs))


def plan_other_project(path: Path, project_file: ProjectFile) -> OtherProject:
    """Look which images of a project somebody has painted in another one.

    Parameters
    ----------
    path
        Of the other project; it is only read.
    project_file
        The project that is open.

    Raises
    ------
    OfferError
        When it is the same file, or shares no image with this project.
    ProjectError
        When it cannot be opened.
    """
    if os.path.realpath(path) == os.path.realpath(project_file.path):
        raise OfferError(
            "That is the project itself. Choose the project of the person who painted the images "
            "a second time."
        )
    with ProjectFile.open(path, read_only=True, lay_out_runs=False) as opened:
        return OtherProject(path, opened, project_file.project.images.values())
