"""Reading what a plan found: annotations in OrgSeg's terms, and images together with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, MAX_CLASS_ID, UNLABELLED
from orgseg_app.core.image import OpenedImage
from orgseg_app.core.shapes.boxes import OTSU
from orgseg_app.files import giving_up
from orgseg_app.files.annotations import (
    class_folders,
    halves,
    mask_folder,
    outlines,
    touching_ids,
    values,
)
from orgseg_app.files.annotations.label_image import MAX_COLOURS, Labels, read_labels
from orgseg_app.files.annotations.mask_folder import size_words
from orgseg_app.files.annotations.object_files import read_object_file
from orgseg_app.files.annotations.pieces import distinct, pieces
from orgseg_app.files.annotations.source import (
    MEANINGS,
    AnnotationSource,
    LoadedAnnotation,
    default_class_ids,
)
from orgseg_app.files.errors import ReadError
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.registry import read_images
from orgseg_app.files.readers.series import read_series
from orgseg_app.files.readers.volumes import title_of

if TYPE_CHECKING:
    from orgseg_app.files.annotations.plan import ImportItem

FIRST_CLASS = BACKGROUND + 1

_COUNTED_ANEW = (mask_folder.NAME, outlines.NAME, touching_ids.NAME, *OBJECT_FORMATS)
"""Formats whose objects are numbered from 1 in every picture."""


@dataclass
class LoadedItem:
    """One image of an import with its annotation, if it has one."""

    image: OpenedImage
    annotation: LoadedAnnotation | None
    weights: OpenedImage | None = None


def read_annotation(
    source: AnnotationSource,
    meaning: str = "auto",
    class_ids: Mapping[int, int] | None = None,
    class_id: int | None = None,
    *,
    image: OpenedImage | None = None,
    shape_zyx: tuple[int, int, int] | None = None,
    boxes: str = OTSU,
) -> LoadedAnnotation:
    """An annotation as class ids, and as objects where it has them.

    Parameters
    ----------
    source
        Where it lies.
    meaning
        ``"binary"``, ``"classes"``, ``"instances"`` or ``"auto"``: the meaning guessed over the set
        the source belongs to.
    class_ids
        For classes: value in the file → class id, where class id 0 means unlabelled; by default
        value v → v + 1, or 2, 3, … in order where values are larger than 32 (grey or colour codes).
        May say what 0 becomes; background (1) otherwise.
    class_id
        For binary masks and instances: the class of what is not 0; 2 by default.
    image, shape_zyx
        For object files: the image, and its shape (or that of all its time points together).
    boxes
        For object files: one of `orgseg_app.files.annotations.object_files.BOX_WAYS`.

    Returns
    -------
    LoadedAnnotation
        Value 0 of the file is background; negative values are unlabelled.

    Raises
    ------
    ReadError
        One sentence: the file cannot be read, or holds a value that no class was given for.
    """
    if meaning not in (*MEANINGS, "auto"):
        raise ValueError(f"A meaning is one of {', '.join(MEANINGS)} or auto, not {meaning!r}.")
    foreground = FIRST_CLASS if class_id is None else class_id
    background = (class_ids or {}).get(0, BACKGROUND)
    if source.format in OBJECT_FORMATS:
        shape = shape_zyx or (image.shape[1:] if image is not None else None)
        if shape is None:
            raise ValueError("An object file is drawn at the size of its image.")
        own = source.meaning or "instances"
        return read_object_file(
            source,
            image,
            shape,
            own if meaning == "auto" else meaning,
            class_ids,
            foreground,
            boxes=boxes,
        )
    if source.format == mask_folder.NAME:
        return _from_objects(source, foreground, background, keep=meaning != "binary")
    if source.format in (outlines.NAME, touching_ids.NAME):
        notes: tuple[str, ...] = ()
        if source.format == outlines.NAME:
            drawn, notes = outlines.read_outlined(source.paths, image)
        else:
            drawn = touching_ids.read_touching(source.paths)
        mask = _by_foreground(drawn, foreground, background)
        return LoadedAnnotation(mask, None if meaning == "binary" else drawn, notes)
    if source.format == halves.NAME:
        half = halves.read_half_mask(source.paths[0])
        return LoadedAnnotation(_by_foreground(half, foreground, background))
    if source.format == class_folders.NAME:
        labels: Labels = class_folders.read_classes(source.paths, source.path_values)
        known = tuple(range(1, len(source.class_names) + 1))
        return LoadedAnnotation(_by_class(labels, source, class_ids, known))
    labels = read_labels(source.paths[0])
    if meaning == "auto":
        meaning = _own_meaning(labels, source)
    if meaning == "classes":
        known = source.values or tuple(int(v) for v in distinct(labels))
        return LoadedAnnotation(_by_class(labels, source, class_ids, known))
    mask = _by_foreground(labels, foreground, background)
    objects = _object_numbers(labels) if meaning == "instances" else None
    return LoadedAnnotation(mask, objects)


def load_item(
    item: ImportItem,
    meaning: str = "auto",
    class_ids: Mapping[int, int] | None = None,
    class_id: int | None = None,
    *,
    boxes: str = OTSU,
) -> list[LoadedItem]:
    """Open the image or images of one item of a plan, named as the plan names them.

    A label image with as many planes as its image has time points is shared out among them.

    Parameters
    ----------
    item
        One item of an `ImportPlan`.
    meaning, class_ids, class_id, boxes
        As for `read_annotation`.

    Raises
    ------
    ReadError
        One sentence: a file cannot be read, or mask and image differ in size.
    """
    if item.planes:
        return [_load_volume(item, meaning, class_ids, class_id, boxes)]
    images = read_images(item.image_path)
    stem = title_of(item.image_path)
    for image in images:
        image.name = item.name + image.name.removeprefix(stem)
    weights = _weights_of(item, images)
    if item.is_half:
        images = [halves.split_halves(image)[0] for image in images]
    if item.annotation is None:
        return [LoadedItem(image, None, weights) for image in images]
    depths = [image.shape[1] for image in images]
    needed = (sum(depths), *images[0].shape[2:])
    annotation = read_annotation(
        item.annotation,
        meaning,
        class_ids,
        class_id,
        image=images[0],
        shape_zyx=needed,
        boxes=boxes,
    )
    if annotation.mask.shape != needed or len({image.shape[2:] for image in images}) > 1:
        raise ReadError(
            f"The mask {shown(item.annotation.paths[0])} is {size_words(annotation.mask.shape)}, "
            f"but the image {shown(item.image_path)} is {size_words(needed)}."
        )
    ends = np.cumsum(depths)
    return [
        LoadedItem(image, _part(annotation, int(end) - depth, int(end)), weights)
        for image, depth, end in zip(images, depths, ends, strict=True)
    ]


def _weights_of(item: ImportItem, images: Sequence[OpenedImage]) -> OpenedImage | None:
    """The weights of the only image of an item."""
    if item.weights is None:
        return None
    found = read_images(item.weights)
    if len(images) != 1 or len(found) != 1 or found[0].shape != (1, *images[0].shape[1:]):
        raise ReadError(
            f"The weights {shown(item.weights)} do not fit {shown(item.image_path)} voxel by voxel."
        )
    return found[0]


def _load_volume(
    item: ImportItem,
    meaning: str,
    class_ids: Mapping[int, int] | None,
    class_id: int | None,
    boxes: str,
) -> LoadedItem:
    """A volume put together from pictures, with the masks of those that have one."""
    image = read_series([plane.image_path for plane in item.planes])
    image.name = item.name
    weights = None
    given = [plane.weights for plane in item.planes if plane.weights is not None]
    if len(given) == len(item.planes):
        weights = read_series(given)
    notes: list[str] = []
    if given and weights is None:
        notes.append(f"{len(item.planes) - len(given)} planes have no weights; none were taken.")
    if not any(plane.annotation for plane in item.planes) or item.annotation is None:
        image.notes = (*image.notes, *notes)
        return LoadedItem(image, None, weights)
    mask = np.zeros(image.shape[1:], np.uint8)
    objects: NDArray[np.uint32] | None = None
    for z, plane in enumerate(item.planes):
        giving_up.ask()
        if plane.annotation is None:
            continue
        is_boxes = plane.annotation.shapes == "boxes"  # whose objects are found in the picture
        loaded = read_annotation(
            plane.annotation,
            meaning,
            class_ids,
            class_id,
            image=read_images(plane.image_path)[0] if is_boxes else None,
            shape_zyx=(1, *image.shape[2:]),
            boxes=boxes,
        )
        if loaded.mask.shape != (1, *image.shape[2:]):
            raise ReadError(
                f"The mask {shown(plane.annotation.paths[0])} is {size_words(loaded.mask.shape)}, "
                f"but the image {shown(plane.image_path)} is {size_words((1, *image.shape[2:]))}."
            )
        mask[z] = loaded.mask[0]
        notes += [note for note in loaded.notes if note not in notes]
        if loaded.objects is not None:
            if objects is None:
                objects = np.zeros(image.shape[1:], np.uint32)
            # Numbers of masks or object files begin anew in every plane; those of label images are
            # the same object in all of them.
            is_counted_anew = plane.annotation.format in _COUNTED_ANEW
            first = int(objects.max()) if is_counted_anew else 0
            objects[z] = np.where(loaded.objects[0] > 0, loaded.objects[0] + np.uint32(first), 0)
    return LoadedItem(image, LoadedAnnotation(mask, objects, tuple(notes)), weights)


def _own_meaning(labels: Labels, source: AnnotationSource) -> str:
    """The meaning of the set, but for a mask in several places among images of objects."""
    if source.meaning in ("binary", "classes"):
        return source.meaning
    if source.meaning == "instances" and len(np.unique(labels)) > 2:
        return source.meaning
    looked = values.statistics(labels)
    if source.meaning is None:
        return values.guess([looked])
    return "binary" if values.is_plainly_binary(looked) else source.meaning


def _part(annotation: LoadedAnnotation, start: int, end: int) -> LoadedAnnotation:
    objects = None if annotation.objects is None else annotation.objects[start:end]
    return LoadedAnnotation(annotation.mask[start:end], objects, annotation.notes)


def _from_objects(
    source: AnnotationSource, class_id: int, background: int, *, keep: bool
) -> LoadedAnnotation:
    objects, overlap = mask_folder.read_objects(source.paths)
    notes: tuple[str, ...] = ()
    if overlap:
        notes = (f"Masks of objects overlap in {overlap} pixels; the first object kept them.",)
    mask = _by_foreground(objects, class_id, background)
    return LoadedAnnotation(mask, objects if keep else None, notes)


def _by_foreground(labels: Labels, class_id: int, background: int) -> NDArray[np.uint8]:
    """A class where values are above 0, background where they are 0; unlabelled below."""
    mask = np.empty(labels.shape, np.uint8)
    for place in pieces(labels.shape):
        part = labels[place]
        mask[place] = np.where(part > 0, np.uint8(class_id), np.uint8(background))
        if part.dtype.kind == "i":
            mask[place][part < 0] = UNLABELLED
    return mask


def _by_class(
    labels: Labels,
    source: AnnotationSource,
    class_ids: Mapping[int, int] | None,
    known: tuple[int, ...],
) -> NDArray[np.uint8]:
    """Class ids for the values of a class image.

    Raises
    ------
    ReadError
        If a value has no class, or there are more classes than a mask can hold.
    """
    mapping = {0: BACKGROUND, **(default_class_ids(known) if class_ids is None else class_ids)}
    present = [int(v) for v in distinct(labels)]
    missing = [v for v in present if v >= 0 and v not in mapping]
    if missing:
        if class_ids is None and max(missing) <= MAX_CLASS_ID - 1 and _is_plain(known):
            mapping |= {v: v + 1 for v in missing}
        else:
            some = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
            raise ReadError(
                f"{shown(source.paths[0])} holds values without a class ({some}); "
                "say which class each value is, or read it as objects."
            )
    if max((mapping[v] for v in present if v >= 0), default=0) > MAX_CLASS_ID:
        raise ReadError(
            f"{shown(source.paths[0])} holds more classes than a mask can ({MAX_CLASS_ID}); "
            "read it as objects."
        )
    table = np.array([mapping.get(v, UNLABELLED) for v in present], np.uint8)
    mask = np.empty(labels.shape, np.uint8)
    for place in pieces(labels.shape):
        mask[place] = table[np.searchsorted(np.array(present), labels[place])]
    return mask


def _is_plain(known: tuple[int, ...]) -> bool:
    return all(class_id == v + 1 for v, class_id in default_class_ids(known).items())


def _object_numbers(labels: Labels) -> NDArray[np.uint32]:
    """Object numbers of instances: as in the file, or counted anew where they are colours."""
    colours = None
    largest = max((int(labels[place].max(initial=0)) for place in pieces(labels.shape)), default=0)
    if largest > np.iinfo(np.uint16).max:
        present = distinct(labels)
        positive = present[present > 0]
        if positive.size <= MAX_COLOURS and present[0] <= 0:
            colours = np.concatenate([np.zeros(1, labels.dtype), positive])
    objects = np.empty(labels.shape, np.uint32)
    for place in pieces(labels.shape):
        part = np.maximum(labels[place], 0)
        objects[place] = part if colours is None else np.searchsorted(colours, part)
    return objects
