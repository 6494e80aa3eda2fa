"""What a run learns from and is scored on: the annotated planes of its snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED, ClassInfo
from orgseg_app.core.preprocess import apply_steps
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TEST, TRAIN, VALIDATION, hold_out_strip
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.patches import IGNORED, LabelledPlane
from orgseg_app.learn.predict import fit_channels
from orgseg_app.runs.recipe import Recipe


@dataclass
class Examples:
    """The planes of one run, prepared and kept in memory.

    Attributes
    ----------
    classes
        Of the project, background first; the position of a class is its index in targets.
    channels, is_rgb
        What the network will take.
    pixel_size_um
        ``(z, y, x)``, None when unknown or when the training images differ.
    train, validation
        Planes with paint.
    image_counts
        Annotated images by split.
    seen_images
        Fingerprints of the images used for learning or for choosing the best state.
    messages
        Sentences the user should read.
    """

    classes: tuple[ClassInfo, ...]
    channels: int
    is_rgb: bool
    pixel_size_um: tuple[float, float, float] | None
    train: list[LabelledPlane]
    validation: list[LabelledPlane]
    image_counts: dict[str, int]
    seen_images: tuple[str, ...]
    messages: list[str] = field(default_factory=list)


def read_examples(
    snapshot: ProjectFile,
    recipe: Recipe,
    *,
    progress: Callable[[int, int, str], None] | None = None,
) -> Examples:
    """The planes to learn from and to validate on.

    Without an annotated validation image a strip of each training image is held out, apart from
    the rest by a gap, and a message says so.

    Parameters
    ----------
    snapshot
        Opened for reading.
    recipe
        Its preprocessing is applied, once.
    progress
        Called with images done, images in all and the name.

    Raises
    ------
    DataError
        With a sentence: nothing painted for training, or images that do not go together.
    """
    by_split = annotated_images(snapshot)
    if not by_split[TRAIN]:
        raise DataError(
            "Nothing is painted on a training image. Paint at least two classes on one, then "
            "train again."
        )
    channels, is_rgb = channels_of(by_split[TRAIN])
    used = by_split[TRAIN] + by_split[VALIDATION]
    table = index_table(snapshot.project.class_ids)
    found: dict[str, list[LabelledPlane]] = {TRAIN: [], VALIDATION: []}
    for number, image in enumerate(used):
        if progress is not None:
            progress(number, len(used), image.name)
        parts = truth_parts(snapshot, image, hold_out=not by_split[VALIDATION])
        for z in painted_planes(*parts.values()):
            pixels = prepared_plane(snapshot, image, z, recipe, channels)
            for split, mask in parts.items():
                if mask[z].any():
                    plane = LabelledPlane(image.image_id, image.name, z, pixels, table[mask[z]])
                    found[split].append(plane)
    sizes = {i.pixel_size_um for i in by_split[TRAIN]}
    return Examples(
        classes=snapshot.project.classes,
        channels=channels,
        is_rgb=is_rgb,
        pixel_size_um=sizes.pop() if len(sizes) == 1 else None,
        train=found[TRAIN],
        validation=found[VALIDATION],
        image_counts={split: len(images) for split, images in by_split.items()},
        seen_images=tuple(i.sha256 for i in used),
        messages=[] if by_split[VALIDATION] else [_hold_out_message(found)],
    )


def _hold_out_message(found: dict[str, list[LabelledPlane]]) -> str:
    learnt = {(p.image_id, p.z): p.target for p in found[TRAIN]}
    same = any(
        (p.image_id, p.z) in learnt and np.array_equal(learnt[p.image_id, p.z], p.target)
        for p in found[VALIDATION]
    )
    if same:
        return (
            "There is no annotated validation image, and too little paint to hold a part of it "
            "out: the same paint is used for learning and for validation, so the scores look much "
            "too good. Paint a second image."
        )
    return (
        "There is no annotated validation image. A strip of each training image is held out "
        "instead, with a gap beside it; scores from the same image look better than those of a "
        "new one."
    )


def annotated_images(snapshot: ProjectFile) -> dict[str, list[ProjectImage]]:
    """Images with paint, by split, in the project's order."""
    images = [i for i in snapshot.project.images.values() if not snapshot.mask(i.image_id).is_empty]
    return {s: [i for i in images if i.split == s] for s in (TRAIN, VALIDATION, TEST)}


def truth_parts(
    snapshot: ProjectFile, image: ProjectImage, *, hold_out: bool
) -> dict[str, NDArray[np.uint8]]:
    """What each split may use of an image's mask, ``(Z, Y, X)`` class ids each.

    Parameters
    ----------
    hold_out
        Part a training image's mask into a training and a validation region.
    """
    mask = snapshot.mask(image.image_id).to_array()
    if hold_out and image.split == TRAIN:
        return dict(zip((TRAIN, VALIDATION), hold_out_strip(mask), strict=True))
    return {image.split: mask}


def truths(snapshot: ProjectFile, split: str) -> Iterator[tuple[ProjectImage, NDArray[np.uint8]]]:
    """The images to score a split on, with their ground truth ``(Z, Y, X)``.

    For ``"validation"`` these are the strips held out of the training images when there is no
    annotated validation image.
    """
    by_split = annotated_images(snapshot)
    hold_out = not by_split[VALIDATION]
    images = by_split[TRAIN] if split == VALIDATION and hold_out else by_split[split]
    for image in images:
        part = truth_parts(snapshot, image, hold_out=hold_out).get(split)
        if part is not None and part.any():
            yield image, part


def painted_planes(*masks: NDArray[np.uint8]) -> list[int]:
    """Planes on which any of the masks ``(Z, Y, X)`` has paint."""
    painted = np.any([mask.any(axis=(1, 2)) for mask in masks], axis=0)
    return [int(z) for z in np.flatnonzero(painted)]


def prepared_plane(
    snapshot: ProjectFile, image: ProjectImage, z: int, recipe: Recipe, channels: int
) -> NDArray[np.float32]:
    """One plane as the network gets it, ``(C, Y, X)`` float32.

    Raises
    ------
    DataError
        With a sentence that names the image, when its channels do not fit.
    """
    plane: NDArray[Any] = snapshot.read_plane(image.image_id, z)
    try:
        plane = fit_channels(plane, channels)
    except DataError as error:
        raise DataError(f'"{image.name}" does not go with the other images. {error}') from None
    return apply_steps(plane, recipe.preprocess)


def channels_of(images: list[ProjectImage]) -> tuple[int, bool]:
    """Channels of the network for these images, and whether they are colours.

    Grey and colour pictures may be mixed: grey is then learnt as colour with equal channels.

    Raises
    ------
    DataError
        With a sentence, for other mixtures.
    """
    counts = sorted({i.shape[0] for i in images})
    is_rgb = any(i.is_rgb for i in images)
    if len(counts) == 1 or (is_rgb and counts == [1, 3]):
        return counts[-1], is_rgb
    examples = {c: next(i.name for i in images if i.shape[0] == c) for c in counts}
    listed = ", ".join(f'"{name}" has {c}' for c, name in examples.items())
    raise DataError(
        f"The training images have different numbers of channels ({listed}) and cannot be learnt "
        "from together. Move one kind to another project."
    )


def index_table(class_ids: tuple[int, ...]) -> NDArray[np.uint8]:
    """Table ``(256,)`` from class id to class index; unlabelled and unknown ids give `IGNORED`."""
    table = np.full(256, IGNORED, np.uint8)
    for index, class_id in enumerate(class_ids):
        table[class_id] = index
    table[UNLABELLED] = IGNORED
    return table
