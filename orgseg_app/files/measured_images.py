"""What is measured: paint and predictions of a project, or label images in folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.measuring.measure import ToMeasure
from orgseg_app.files.errors import ProjectError, ReadError
from orgseg_app.files.names import clean_text

if TYPE_CHECKING:
    from orgseg_app.core.image import OpenedImage
    from orgseg_app.core.mask import Mask
    from orgseg_app.core.objects import Objects
    from orgseg_app.core.project import ProjectImage
    from orgseg_app.files.project_file import ProjectFile

MEANINGS = ("auto", "objects", "classes")
"""What the numbers in label images stand for."""

_PATIENCE = 20


def painted_image(
    file: ProjectFile,
    image: ProjectImage,
    *,
    with_pixels: bool = True,
    may_change: bool = False,
) -> ToMeasure:
    """What a person painted on an image of a project, as it is now.

    Parameters
    ----------
    with_pixels
        Whether brightness is wanted.
    may_change
        Whether somebody may paint meanwhile: then a copy is measured.

    Raises
    ------
    ProjectError
        When it cannot be read.
    """
    held = file.load_mask(image.image_id)
    _, height, width = image.mask_shape
    objects = held.objects
    if objects.damaged or objects.is_doubtful or objects.is_lost:
        raise ProjectError(
            f"The objects of “{image.name}” cannot be read whole, so they were not measured. "
            "Other images are not affected."
        )
    if may_change:
        held, objects = _still(held)
    return _of_project(
        file,
        image,
        lambda z: held.read(z, 0, 0, height, width),
        None if objects.is_empty else lambda z: objects.read(z, 0, 0, height, width),
        with_pixels=with_pixels,
    )


def _still(mask: Mask) -> tuple[Mask, Objects]:
    """A copy that nobody paints on, and its objects."""
    for _ in range(_PATIENCE):
        try:
            copy = mask.copy()
        except RuntimeError:  # a block came or went under the hand
            continue
        return copy, copy.objects
    raise ProjectError("The mask changes too fast to be measured. Measure again in a moment.")


def predicted_image(
    file: ProjectFile, image: ProjectImage, predictions: Path, *, with_pixels: bool = True
) -> ToMeasure:
    """What a model predicted, from the file that keeps it.

    Raises
    ------
    ProjectError
        When the file does not hold a prediction of this image, or one of another size.
    """
    from orgseg_app.files.predictions import (
        predictions_in,
        read_predicted_objects,
        read_predicted_plane,
    )

    held = predictions_in(predictions).get(image.image_id)
    if held is None or tuple(held.shape) != tuple(image.mask_shape):
        raise ProjectError(
            f"There is no prediction of “{image.name}” as it is now. Predict the image again."
        )
    image_id = image.image_id

    def numbers(z: int) -> NDArray[np.uint32]:
        return read_predicted_objects(predictions, image_id, z)

    return _of_project(
        file,
        image,
        lambda z: read_predicted_plane(predictions, image_id, z),
        numbers if held.has_objects else None,
        with_pixels=with_pixels,
    )


def _of_project(
    file: ProjectFile,
    image: ProjectImage,
    read_classes: Callable[[int], NDArray[np.uint8]],
    read_numbers: Callable[[int], NDArray[Any]] | None,
    *,
    with_pixels: bool,
) -> ToMeasure:
    def pixels(z: int) -> NDArray[np.generic]:
        return file.read_plane(image.image_id, z)

    return ToMeasure(
        name=image.name,
        shape_zyx=image.mask_shape,
        pixel_size_um=image.pixel_size_um,
        classes={info.class_id: info.name for info in file.project.classes},
        read_classes=read_classes,
        read_numbers=read_numbers,
        read_pixels=pixels if with_pixels else None,
        channel_names=image.channel_names if with_pixels else (),
        facts={"split": image.split},
    )


# -- folders -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MaskFile:
    """A label image, and the picture it belongs to where there is one."""

    mask: Path
    image: Path | None


def mask_files(masks: Path, images: Path | None) -> tuple[list[MaskFile], list[str]]:
    """Pair label images with pictures by name.

    Parameters
    ----------
    masks, images
        Folders, or single files; without pictures, brightness and pixel sizes are those of the
        label images.

    Returns
    -------
    pairs, notes
        In order of name; sentences about pictures and label images that are alone.

    Raises
    ------
    ReadError
        When there is no label image.
    """
    from orgseg_app.files.annotations.pairing import pair

    found = _pictures(masks)
    if not found:
        raise ReadError(f"There is no label image in “{masks}”. Name the folder that holds them.")
    if images is None:
        return [MaskFile(path, None) for path in found], []
    pictures = _pictures(images)
    if images.resolve() == masks.resolve():
        raise ReadError("The folders of images and masks are the same; name two.")
    paired = pair([path.stem for path in pictures], [path.stem for path in found])
    of_mask = {label: pictures[image] for image, label in paired.pairs.items()}
    pairs = [MaskFile(path, of_mask.get(place)) for place, path in enumerate(found)]
    alone = [one.mask.name for one in pairs if one.image is None]
    notes = []
    if alone:
        notes.append(
            f"No image fits {_listed(alone)}: measured without brightness, in pixels unless the "
            "mask says its pixel size."
        )
    return pairs, notes


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(f"“{name}”" for name in names[:3]) + rest


def _pictures(place: Path) -> list[Path]:
    from orgseg_app.files.readers.registry import has_image_name

    if place.is_file():
        return [place]
    try:
        inside = sorted(place.iterdir())
    except OSError as error:
        raise ReadError(
            f"“{place}” cannot be read as a folder ({error.strerror}). Nothing was measured."
        ) from error
    return [path for path in inside if path.is_file() and has_image_name(path)]


def folder_images(
    pairs: Sequence[MaskFile], *, meaning: str = "auto", class_name: str = "object"
) -> Iterator[ToMeasure | ReadError]:
    """Open label images one after the other, with their pictures; call within `reading_apart`.

    0 is background; what is not labelled cannot be told from it in such files. Files of one number
    hold one class whose connected regions are measured.

    Parameters
    ----------
    meaning
        One of `MEANINGS`: each number an object, each a class, or decided by all files.
    class_name
        Of the objects, where numbers are no classes.

    Yields
    ------
    ToMeasure or ReadError
        A sentence for a pair that cannot be measured.
    """
    is_objects = (guessed_meaning(pairs) if meaning == "auto" else meaning) == "objects"
    for one in pairs:
        try:
            yield _folder_image(one, is_objects, class_name)
        except ReadError as error:
            yield error


def guessed_meaning(pairs: Sequence[MaskFile]) -> str:
    """What the numbers in all files together look like: "objects" or "classes"."""
    from orgseg_app.files.annotations import values
    from orgseg_app.files.annotations.label_image import read_labels

    looked = []
    for one in pairs[:20]:
        try:
            looked.append(values.statistics(read_labels(one.mask)))
        except ReadError:  # told when it is its turn
            continue
    return "objects" if values.guess(looked) == "instances" else "classes"


def _folder_image(one: MaskFile, is_objects: bool, class_name: str) -> ToMeasure:
    from orgseg_app.files.annotations.label_image import read_labels

    labels = read_labels(one.mask)
    opened = _opened(one, labels.shape)
    depth, height, width = labels.shape
    if labels.min() < 0 or (is_objects and labels.max() >= 2**32):
        raise ReadError(f"“{one.mask.name}” holds numbers that are no labels; it was not measured.")
    if is_objects:
        classes, names = (labels > 0).view(np.uint8) + np.uint8(1), {2: class_name}
    else:
        classes, names = _as_classes(labels, one.mask.name, class_name)
    return ToMeasure(
        name=clean_text(opened.name if opened is not None else one.mask.stem),
        shape_zyx=(depth, height, width),
        pixel_size_um=opened.pixel_size_um if opened is not None else _own_size(one.mask),
        classes={1: "background", **names},
        read_classes=lambda z: classes[z],
        read_numbers=(lambda z: labels[z].astype(np.uint32)) if is_objects else None,
        read_pixels=opened.read_plane if opened is not None else None,
        channel_names=opened.channel_names if opened is not None else (),
        facts={"mask": clean_text(one.mask.name)},
    )


def _as_classes(
    labels: NDArray[np.integer[Any]], name: str, class_name: str
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Class ids from 2 on, and the names of the classes; 0 is background."""
    present = [int(value) for value in np.unique(labels) if value]
    if len(present) > 253:
        raise ReadError(
            f"“{name}” holds {len(present)} numbers, too many for classes. If each stands for an "
            "object, say so: --meaning objects."
        )
    if len(present) <= 1:
        return (labels > 0).view(np.uint8) + np.uint8(1), {2: class_name}
    places = np.searchsorted(np.array([0, *present]), labels).astype(np.uint8)
    return places + np.uint8(1), {2 + n: f"class {value}" for n, value in enumerate(present)}


def _opened(one: MaskFile, shape: tuple[int, ...]) -> OpenedImage | None:
    from orgseg_app.files.readers.registry import read_images

    if one.image is None:
        return None
    opened = read_images(one.image)
    if len(opened) != 1 or tuple(opened[0].shape[1:]) != tuple(shape):
        raise ReadError(
            f"“{one.image.name}” and “{one.mask.name}” differ in size, so they were not measured."
        )
    return opened[0]


def _own_size(mask: Path) -> tuple[float, float, float] | None:
    from orgseg_app.files.readers.registry import read_images

    try:
        return read_images(mask)[0].pixel_size_um
    except ReadError:  # a palette, 32 bits: a label image, but no picture
        return None
