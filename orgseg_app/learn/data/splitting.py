"""Which paint a run learns from, which chooses its best state, and which may judge it.

By image as the project says; or by gap-separated bands of one image, when there is no other. The
gap is as wide as the network sees, so that no voxel that was learned from has a say in a score.
What a run was asked for (`runs.training`) is frozen in its request: a fold, or blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import (
    SPLITS,
    TEST,
    TRAIN,
    VALIDATION,
    Blocks,
    fold_blocks,
    hold_out_blocks,
    three_blocks,
)
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.errors import DataError
from orgseg_app.runs.recipes.schema import Recipe

LEAST_GAP = 32
GAP_WITHOUT_END = 64
"""In pixels, for networks that see the whole image."""


@dataclass(frozen=True)
class SplitPlan:
    """What each split may use of the images of a snapshot.

    Attributes
    ----------
    splits
        Image id → split, where it is not the project's.
    blocks
        Image id → its bands; None where the image is too small: then validation equals training.
    gap
        That was wanted between bands of rows or columns, in pixels.
    messages
        Sentences the user should read.
    holds_out
        True when parts of the training images stand for a validation image that is missing.
    """

    splits: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, Blocks | None] = field(default_factory=dict)
    gap: int = LEAST_GAP
    messages: tuple[str, ...] = ()
    holds_out: bool = False

    def images(self, snapshot: ProjectFile) -> dict[str, list[ProjectImage]]:
        """Images with paint, by split, in the project's order; those in bands count as training."""
        found: dict[str, list[ProjectImage]] = {split: [] for split in SPLITS}
        for image in _painted(snapshot):
            found[self.split_of(image)].append(image)
        return found

    def split_of(self, image: ProjectImage) -> str:
        """The split of a whole image; that of training for one in bands."""
        if image.image_id in self.blocks:
            return TRAIN
        return self.splits.get(image.image_id, image.split)

    def parts(self, snapshot: ProjectFile, image: ProjectImage) -> dict[str, NDArray[np.uint8]]:
        """What each split may use of an image's mask, ``(Z, Y, X)`` class ids each."""
        mask = snapshot.mask(image.image_id).to_array()
        if image.image_id not in self.blocks:
            return {self.split_of(image): mask}
        blocks = self.blocks[image.image_id]
        if blocks is None:
            return {TRAIN: mask, VALIDATION: mask}
        return {split: blocks.part(mask, split) for split in blocks.splits}

    def truths(
        self, snapshot: ProjectFile, split: str
    ) -> Iterator[tuple[ProjectImage, NDArray[np.uint8]]]:
        """The images to score a split on, with their ground truth ``(Z, Y, X)``."""
        for image in _painted(snapshot):
            if image.image_id in self.blocks or self.split_of(image) == split:
                part = self.parts(snapshot, image).get(split)
                if part is not None and part.any():
                    yield image, part


def plan_split(
    snapshot: ProjectFile, recipe: Recipe, wanted: Mapping[str, Any] | None = None
) -> SplitPlan:
    """The plan for one run.

    Parameters
    ----------
    snapshot
        Opened for reading.
    recipe
        Its network says how wide a gap must be.
    wanted
        From the run's request: ``{"validation": [image ids]}`` for a fold by images,
        ``{"fold": i, "of": k}`` for a fold by bands, ``{"blocks": True}`` for bands with a test
        band; None for the splits of the project. Without an annotated validation image a strip of
        each training image is held out.

    Raises
    ------
    DataError
        With a sentence, when what is wanted cannot be.
    """
    wanted = wanted or {}
    images = _painted(snapshot)
    if isinstance(wanted.get("validation"), list):
        held = {str(image_id) for image_id in wanted["validation"]}
        splits = {i.image_id: VALIDATION if i.image_id in held else TRAIN for i in images}
        return SplitPlan(splits)
    if "fold" in wanted or wanted.get("blocks"):
        if len(images) != 1:
            raise DataError(f"One image can be parted into bands, but {len(images)} are painted.")
        return _bands_of_one(snapshot, images[0], recipe, wanted)
    if any(image.split == VALIDATION for image in images):
        return SplitPlan()
    gap = gap_for(recipe)
    blocks = {
        image.image_id: hold_out_blocks(
            snapshot.mask(image.image_id).to_array(), gap, gap_z=gap_z_for(recipe, image)
        )
        for image in images
        if image.split == TRAIN
    }
    return SplitPlan(blocks=blocks, gap=gap, messages=tuple(_narrow(blocks, gap)), holds_out=True)


def _bands_of_one(
    snapshot: ProjectFile, image: ProjectImage, recipe: Recipe, wanted: Mapping[str, Any]
) -> SplitPlan:
    mask, gap = snapshot.mask(image.image_id).to_array(), gap_for(recipe)
    if "fold" in wanted:
        fold, of = int(wanted["fold"]), int(wanted["of"])
        bands = fold_blocks(mask, gap, of) if of >= 2 else None
        if bands is None or not 0 <= fold < of:
            raise DataError(
                f'"{image.name}" is too small for {of} bands with gaps of {gap} pixels, which is '
                "how far the network sees. Choose fewer folds, a shallower network, or paint "
                "another image."
            )
        return SplitPlan(blocks={image.image_id: bands[fold]}, gap=gap)
    three = three_blocks(mask, gap)
    if three is not None:
        share = f"Bands of the image learn, choose and judge, {gap} pixels apart."
        return SplitPlan(blocks={image.image_id: three}, gap=gap, messages=(share,))
    two = {image.image_id: hold_out_blocks(mask, gap)}
    said = (
        f'"{image.name}" is too small for a test band {gap} pixels away from what is learned, '
        "which is how far the network sees: there will be no test score.",
        *_narrow(two, gap),
    )
    return SplitPlan(blocks=two, gap=gap, messages=said)


def gap_for(recipe: Recipe) -> int:
    """Pixels between bands of different splits: what the network sees around a pixel."""
    from orgseg_app.learn.networks.blank import blank_network

    radius = blank_network(recipe.network, channels=1, classes=2).radius
    return GAP_WITHOUT_END if radius is None else max(LEAST_GAP, int(radius))


def gap_z_for(recipe: Recipe, image: ProjectImage) -> int:
    """Planes between those of different splits: as far as a gap in the plane, and out of sight.

    Neighbouring planes show almost the same, so a gap is as wide as `LEAST_GAP` pixels are
    (`GAP_WITHOUT_END` for networks that see all planes); where the size of pixels is not known,
    planes count as far apart as pixels.
    """
    from orgseg_app.learn.networks.blank import blank_network

    network = blank_network(recipe.network, channels=1, classes=2)
    depth, height, width = image.pixel_size_um or (1.0, 1.0, 1.0)
    thickness = depth / ((height + width) / 2)
    seen = network.planes // 2 if network.dimensions == 2 else network.radius_z
    least = math.ceil((GAP_WITHOUT_END if seen is None else LEAST_GAP) / thickness)
    return max(1, least, seen or 0)


def _narrow(blocks: Mapping[str, Blocks | None], gap: int) -> Iterator[str]:
    within = [found for found in blocks.values() if found is not None and found.axis != 0]
    narrow = [found.gap for found in within if found.gap < gap]
    if narrow:
        yield (
            f"The gap beside the held-out strip is {min(narrow)} pixels; the network sees {gap}, "
            "so validation scores look a little better than they are. They only choose the best "
            "state."
        )


def _painted(snapshot: ProjectFile) -> list[ProjectImage]:
    return [i for i in snapshot.project.images.values() if not snapshot.mask(i.image_id).is_empty]


def is_judged_apart(plan: SplitPlan, image: ProjectImage) -> bool:
    """Whether an image's test part lies far enough from what was learned of the same image."""
    blocks = plan.blocks.get(image.image_id)
    return blocks is not None and TEST in blocks.splits and blocks.gap >= plan.gap
