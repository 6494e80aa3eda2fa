"""Why a test score would not be honest: the model has seen the image, or one that shows the same.

A score is refused rather than shown with a warning: what stands in a table is believed.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TEST, fine_structure, likeness
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.data.splitting import SplitPlan, is_judged_apart

ALIKE = 0.7
"""Correlation of fine structure from which two planes are taken for the same place.

Measured on real images: neighbouring planes of two FIB-SEM volumes (5 and 8 nm apart) 0.95…0.99;
different places of one sample at most 0.5 in ten sets. Sections 50 nm apart are not recognised
(ISBI 2012: 0.05…0.57)."""
_MOST_PLANES = 8


def leaks(snapshot: ProjectFile, plan: SplitPlan, seen: Collection[str]) -> dict[str, str]:
    """The test images that a model may know already, each with a sentence that says why.

    Parameters
    ----------
    snapshot
        The images of the run.
    plan
        Their splits.
    seen
        Fingerprints of the images that the model, or one that it was trained further from, has
        learned from or was chosen on.

    Returns
    -------
    dict
        Image id → sentence.
    """
    by_split = plan.images(snapshot)
    learned = [image for split, images in by_split.items() if split != TEST for image in images]
    found: dict[str, str] = {}
    known = _Known(snapshot)
    for image, _ in plan.truths(snapshot, TEST):
        others = [other for other in learned if other.image_id != image.image_id]
        if image.sha256 in seen and not is_judged_apart(plan, image):
            found[image.image_id] = (
                f'"{image.name}" has no test score: the model, or the one it was trained further '
                "from, has learned from this very image."
            )
        elif twin := next((o for o in others if o.sha256 == image.sha256), None):
            found[image.image_id] = (
                f'"{image.name}" has no test score: it is the same picture, voxel by voxel, as '
                f'"{twin.name}", which the model has learned from or was chosen on.'
            )
        elif near := _next_in_time(image, others) or _looks_alike(known, image, others):
            found[image.image_id] = (
                f'"{image.name}" has no test score: it shows the same place as "{near.name}" (a '
                "neighbouring plane or time point, or the same picture in another form), which "
                "the model has learned from or was chosen on. Put both into one split."
            )
    return found


def _next_in_time(image: ProjectImage, others: list[ProjectImage]) -> ProjectImage | None:
    """A neighbouring time point of the same recording."""
    if not image.time_series:
        return None
    same = (o for o in others if o.time_series == image.time_series)
    return next((o for o in same if abs(o.time - image.time) <= 1), None)


def _looks_alike(
    known: _Known, image: ProjectImage, others: list[ProjectImage]
) -> ProjectImage | None:
    own = known[image.image_id]
    for other in others:
        if other.shape[2:] != image.shape[2:]:
            continue
        if any(likeness(a, b) >= ALIKE for a in known[other.image_id] for b in own):
            return other
    return None


class _Known(dict[str, list[NDArray[np.float32]]]):
    """Fine structure of some painted planes of each image, worked out once."""

    def __init__(self, snapshot: ProjectFile) -> None:
        super().__init__()
        self._snapshot = snapshot

    def __missing__(self, image_id: str) -> list[NDArray[np.float32]]:
        snapshot = self._snapshot
        mask = snapshot.mask(image_id).to_array()
        painted = np.flatnonzero(mask.any(axis=(1, 2)))
        if len(painted) > _MOST_PLANES:  # spread over the image, first and last among them
            painted = painted[np.linspace(0, len(painted) - 1, _MOST_PLANES).round().astype(int)]
        self[image_id] = [
            fine_structure(snapshot.read_plane(image_id, int(z)).mean(axis=0)) for z in painted
        ]
        return self[image_id]
