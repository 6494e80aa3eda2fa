"""What there is to learn from, in words. No Qt."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orgseg_app.core.project import Project
from orgseg_app.core.split import SPLITS

Painted = dict[str, dict[int, int]]
"""Voxels of each class id, for every image where something is painted."""


@dataclass(frozen=True)
class DataSummary:
    """What there is to learn from, in words.

    Attributes
    ----------
    text : str
        Images painted, by split.
    classes : str
        Share of each class.
    problem : str
        Why training is impossible, or "".
    warnings : tuple of str
        What a person should know although training is possible.
    """

    text: str
    classes: str = ""
    problem: str = ""
    warnings: tuple[str, ...] = field(default=())


def describe_data(project: Project, painted: Mapping[str, Mapping[int, int]]) -> tuple[str, str]:
    """Images painted by split, and the share of each class among their voxels.

    Returns
    -------
    images, classes : str
        ``"3 images painted: 2 train, 1 validation"`` and ``"ER 12 %, background 40 %"``.
    """
    images = [project.images[i] for i in painted if i in project.images]
    if not images:
        return "Nothing is painted yet", ""
    by_split = {split: sum(image.split == split for image in images) for split in SPLITS}
    listed = ", ".join(f"{count} {split}" for split, count in by_split.items() if count)
    noun = "image" if len(images) == 1 else "images"
    voxels = sum(
        image.mask_shape[0] * image.mask_shape[1] * image.mask_shape[2] for image in images
    )
    shares = []
    for item in reversed(project.classes):
        count = sum(painted[image.image_id].get(item.class_id, 0) for image in images)
        if count:
            shares.append(f"{item.name} {_percent(count / voxels)}")
    return f"{len(images)} {noun} painted: {listed}", ", ".join(shares)


def _percent(share: float) -> str:
    percent = share * 100
    if percent >= 0.95:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.05 else "under 0.1 %"
