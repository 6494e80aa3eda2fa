"""What a run learns from and is scored on: the annotated planes of its snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED, ClassInfo
from orgseg_app.core.planes import mirrored
from orgseg_app.core.preprocessing.steps import apply_steps, fit_references
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import TRAIN, VALIDATION
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.weights import weights_plane
from orgseg_app.learn.data.instances import Instances
from orgseg_app.learn.data.patches import IGNORED, LabelledPlane
from orgseg_app.learn.data.shelf import Shelf
from orgseg_app.learn.data.splitting import SplitPlan, plan_split
from orgseg_app.learn.data.stack import KeptPlanes, Stack
from orgseg_app.learn.errors import DataError
from orgseg_app.learn.prediction.predictor import fit_channels
from orgseg_app.runs.recipes.networks import NETWORK_NAMES
from orgseg_app.runs.recipes.schema import Recipe


@dataclass
class Examples:
    """The planes of one run, prepared and kept at hand.

    Attributes
    ----------
    recipe
        With what its preprocessing has learnt of the training images; the model's.
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
    plan
        By which the images were split.
    """

    recipe: Recipe
    classes: tuple[ClassInfo, ...]
    channels: int
    is_rgb: bool
    pixel_size_um: tuple[float, float, float] | None
    train: list[LabelledPlane]
    validation: list[LabelledPlane]
    image_counts: dict[str, int]
    seen_images: tuple[str, ...]
    messages: list[str] = field(default_factory=list)
    plan: SplitPlan = field(default_factory=SplitPlan)


def read_examples(
    snapshot: ProjectFile,
    recipe: Recipe,
    *,
    plan: SplitPlan | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    room_bytes: int | None = None,
) -> Examples:
    """The planes to learn from and to validate on.

    Planes that do not fit into memory lie in a file beside the snapshot while the process lives.
    Weights are for learning: scores count every voxel alike. Of a volume the painted planes are
    prepared, and those around them that the network looks at beside them; checks may read more
    from the snapshot.

    Without an annotated validation image a part of each training image is held out, apart from
    the rest by a gap, and a message says so.

    Parameters
    ----------
    snapshot
        Opened for reading.
    recipe
        Its preprocessing is applied, once.
    plan
        What each split may use of the images; that of the project unless given.
    progress
        Called with images done, images in all and the name.
    room_bytes
        How much of the planes stays in memory; a quarter of what is free unless given.

    Raises
    ------
    DataError
        With a sentence: nothing painted for training, images that do not go together, or a full
        disk.
    """
    plan = plan_split(snapshot, recipe) if plan is None else plan
    by_split = plan.images(snapshot)
    if not by_split[TRAIN]:
        raise DataError(
            "Nothing is painted on a training image. Paint at least two classes on one, then "
            "train again."
        )
    channels, is_rgb = channels_of(by_split[TRAIN])
    used = by_split[TRAIN] + by_split[VALIDATION]
    table = index_table(snapshot.project.class_ids)
    is_deep = NETWORK_NAMES[recipe.network.name].dimensions == 3
    found: dict[str, list[LabelledPlane]] = {TRAIN: [], VALIDATION: []}

    def learnt() -> Iterator[NDArray[Any]]:
        for image in by_split[TRAIN]:
            for z in painted_planes(plan.parts(snapshot, image)[TRAIN]):
                yield _plane(snapshot, image, z, channels)

    steps = fit_references(recipe.preprocess, learnt)
    recipe = msgspec.structs.replace(recipe, preprocess=steps)
    shelf, reach = Shelf(snapshot.path.parent, room_bytes), planes_beside(recipe)
    for number, image in enumerate(used):
        if progress is not None:
            progress(number, len(used), image.name)
        planes = _prepared(snapshot, image, recipe, channels, shelf)
        instances = Instances(snapshot, image, recipe.objects, is_deep=is_deep)
        for split, mask in plan.parts(snapshot, image).items():
            if split in found:
                labelled = [
                    LabelledPlane(
                        image.image_id,
                        image.name,
                        z,
                        planes.read_plane(z),
                        table[mask[z]],
                        instances=instances.layers(z) if split == TRAIN else (),
                        objects=instances.truth(z) if split == VALIDATION else None,
                    )
                    for z in painted_planes(mask)
                ]
                if split == TRAIN:
                    labelled = [_weighted(snapshot, plane, shelf) for plane in labelled]
                found[split] += _with_stack(labelled, planes, reach) if reach else labelled
    sizes = {i.pixel_size_um for i in by_split[TRAIN]}
    return Examples(
        recipe=recipe,
        classes=snapshot.project.classes,
        channels=channels,
        is_rgb=is_rgb,
        pixel_size_um=sizes.pop() if len(sizes) == 1 else None,
        train=found[TRAIN],
        validation=found[VALIDATION],
        image_counts={split: len(images) for split, images in by_split.items()},
        seen_images=tuple(i.sha256 for i in used),
        messages=[*(_hold_out_message(found, plan) if plan.holds_out else ()), *plan.messages],
        plan=plan,
    )


def _hold_out_message(found: dict[str, list[LabelledPlane]], plan: SplitPlan) -> Iterator[str]:
    learnt = {(p.image_id, p.z): p.target for p in found[TRAIN]}
    same = any(
        (p.image_id, p.z) in learnt and np.array_equal(learnt[p.image_id, p.z], p.target)
        for p in found[VALIDATION]
    )
    if same:
        yield (
            "There is no annotated validation image, and too little paint to hold a part of it "
            "out: the same paint is used for learning and for validation, so the scores look much "
            "too good. Paint a second image."
        )
    elif gaps := [b.gap for b in plan.blocks.values() if b is not None and b.axis == 0]:
        yield (
            "There is no annotated validation image. Some painted planes of each volume are held "
            f"out instead, with {min(gaps)} plane{'s' * (min(gaps) != 1)} between them and those "
            "that are learned from; scores from the same volume look better than those of a new "
            "one."
        )
    else:
        yield (
            "There is no annotated validation image. A strip of each training image is held out "
            "instead, with a gap beside it; scores from the same image look better than those of "
            "a new one."
        )


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
    return apply_steps(_plane(snapshot, image, z, channels), recipe.preprocess)


def _plane(snapshot: ProjectFile, image: ProjectImage, z: int, channels: int) -> NDArray[Any]:
    """One plane as the camera gave it, with as many channels as the network takes."""
    try:
        return fit_channels(snapshot.read_plane(image.image_id, z), channels)
    except DataError as error:
        raise DataError(f'"{image.name}" does not go with the other images. {error}') from None


def planes_beside(recipe: Recipe) -> int:
    """How many planes to either side of a painted one its patches may show; 0 in single planes."""
    if NETWORK_NAMES[recipe.network.name].dimensions == 3:
        # Also those of one plane, so that a network of volumes always finds its stack.
        return max(1, recipe.patch_depth - 1)
    return recipe.network.planes // 2


def _prepared(
    snapshot: ProjectFile, image: ProjectImage, recipe: Recipe, channels: int, shelf: Shelf
) -> KeptPlanes:
    return KeptPlanes(
        (channels, *image.mask_shape),
        lambda z: prepared_plane(snapshot, image, z, recipe, channels),
        shelf.put,
    )


def _with_stack(
    labelled: list[LabelledPlane], planes: KeptPlanes, reach: int
) -> list[LabelledPlane]:
    """The planes of one image with those around them, which are read now."""
    stack = Stack(
        planes,
        {plane.z: plane.target for plane in labelled},
        {plane.z: plane.weights for plane in labelled if plane.weights is not None},
        {plane.z: plane.instances for plane in labelled if plane.instances},
    )
    depth = stack.shape[1]
    around = {plane.z + beside for plane in labelled for beside in range(-reach, reach + 1)}
    for z in sorted({mirrored(z, depth) for z in around}):
        planes.read_plane(z)
    return [replace(plane, stack=stack) for plane in labelled]


def _weighted(snapshot: ProjectFile, plane: LabelledPlane, shelf: Shelf) -> LabelledPlane:
    """The plane with the weights of its image, where there are some."""
    weights = weights_plane(snapshot, plane.image_id, plane.z)
    if weights is None:
        return plane
    return replace(plane, weights=shelf.put(weights))


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
