"""COCO's annotations in JSON: objects of many images as polygons, run lengths or boxes.

One file describes all images: ``images``, ``categories`` and ``annotations``, which name the two by
their ids. The polygons of one annotation are parts of one object and have no holes: where they
overlap they add up, so a hole is written as part of the ring around it, joined by a bridge without
width. COCO's own program gives the same pixels for what is written here. A list of predictions
(COCO's “results”) is read as well.

Lin, T.-Y. et al. (2014), Microsoft COCO: common objects in context, ECCV; cocodataset.org, “Data
format”.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from orgseg_app.core.shapes.coco_runs import counts_in, counts_of, piece_of, text_of
from orgseg_app.core.shapes.polygons import Filled, fill_united, joined, outlines_of
from orgseg_app.core.shapes.rings import Part
from orgseg_app.files.atomic import replacing
from orgseg_app.files.object_files.format import (
    Annotated,
    Contents,
    ObjectBox,
    ObjectFormat,
    ObjectImage,
    ObjectsRead,
)
from orgseg_app.files.object_files.limited_json import (
    MalformedError,
    flat_points_xy,
    mapping,
    numbers,
    read_json,
    reading_as,
    sequence,
    size_yx,
    text,
)
from orgseg_app.files.object_files.placing import Placing
from orgseg_app.files.object_files.planar import (
    box_around,
    box_of,
    check_fits,
    class_to_write,
    last_name,
    left_out_boxes,
    names_to_write,
    plane_to_write,
)

KIND = "COCO annotations"
_POLYGONS, _RUNS, _BOXES = "polygons", "runs", "boxes"
_ANNOTATIONS = re.compile(rb'"annotations"\s*:\s*\[')
_IMAGES = re.compile(rb'"images"\s*:\s*\[\s*(\{|\])')
_RESULTS = re.compile(rb'\s*\[\s*\{[^{\[]*"image_id"\s*:')
_LATER = re.compile(rb'"(segmentation|bbox|file_name|supercategory)"\s*:')
_MOST_IMAGES = 200_000


@dataclass(frozen=True)
class _File:
    """A file, sorted by image.

    Attributes
    ----------
    images
        By key.
    annotations
        Of each image, by key, in the file's order.
    class_names
        By id.
    """

    images: dict[str, Annotated]
    annotations: dict[str, list[dict[str, Any]]]
    class_names: dict[str, str]
    notes: tuple[str, ...]


def looks_like(path: Path, head: bytes) -> bool:
    """True for a JSON file that lists images and annotations, or results, in COCO's words."""
    if _RESULTS.match(head):
        return b'"segmentation"' in head or b'"bbox"' in head
    starts = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")
    return starts and bool(
        (_IMAGES.search(head) or _ANNOTATIONS.search(head)) and _LATER.search(head)
    )


def contents(path: Path) -> Contents:
    """What a file annotates; keys are the ids of its images.

    Raises
    ------
    ReadError
        One sentence: it is too large, no JSON, or not what COCO's format says.
    """
    found = _opened(path)
    names = dict.fromkeys(found.class_names.values())
    return Contents(tuple(found.images.values()), tuple(names), found.notes)


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The objects of one image, and boxes of those that have nothing else.

    Raises
    ------
    ReadError
        One sentence: as `contents`; a polygon or run length that is none; another image's size.
    """
    found = _opened(path)
    with reading_as(path, KIND):
        if key not in found.images:
            raise MalformedError("it has no such image")
        image = found.images[key]
        check_fits(shape_zyx, (image.height, image.width))
        return _objects(found.annotations[key], found.class_names, shape_zyx)


def _objects(
    annotations: Sequence[Mapping[str, Any]],
    class_names: Mapping[str, str],
    shape_zyx: tuple[int, int, int],
) -> ObjectsRead:
    size = shape_zyx[1], shape_zyx[2]
    placing: Placing | None = None
    boxes: list[ObjectBox] = []
    classes, crowds, beside = {}, 0, 0
    for number, annotation in enumerate(annotations, start=1):
        has_pixels = True
        if _shape_of(annotation) == _BOXES:
            box = _box(annotation, number, size)
            has_pixels = box is not None
            beside += box is None
            boxes += [box] if box else []
        else:
            placing = placing or Placing(shape_zyx)
            has_pixels = placing.put(number, _filled(annotation, number, size))
            crowds += _shape_of(annotation) == _POLYGONS and annotation.get("iscrowd") == 1
        name = class_names.get(_id(annotation.get("category_id"), "a category id"))
        if has_pixels and name is not None:
            classes[number] = name
    notes = left_out_boxes(beside) + (placing.notes() if placing else ())
    if crowds:
        notes += (f"Crowds, which are taken as one object each: {crowds:,}.",)
    objects = placing.objects if placing else None
    return ObjectsRead(objects, classes, tuple(boxes), notes=notes)


def _filled(annotation: Mapping[str, Any], number: int, size: tuple[int, int]) -> Filled:
    what = f"the segmentation of object {number:,}"
    shape = annotation["segmentation"]
    if isinstance(shape, list):
        rings = [shape] if isinstance(shape[0], int | float) else shape
        return fill_united((flat_points_xy(ring, what) for ring in rings), size)
    said = sequence(shape.get("size"), f"the size in {what}")
    if len(said) != 2 or said != list(size):
        raise MalformedError(f"{what} is for an image of another size")
    counts = shape.get("counts")
    if isinstance(counts, str):
        return piece_of(counts_in(counts), size)
    found = numbers(counts, what)
    if (found != np.floor(found)).any() or (np.abs(found) > 2**53).any():
        raise MalformedError(f"{what} has run lengths that are no whole numbers")
    return piece_of(found.astype(np.int64), size)


def _box(annotation: Mapping[str, Any], number: int, size: tuple[int, int]) -> ObjectBox | None:
    what = f"the box of object {number:,}"
    found = numbers(annotation.get("bbox"), what).tolist()
    if len(found) != 4 or found[2] < 0 or found[3] < 0:
        raise MalformedError(f"{what} is no left, top, width and height")
    left, top, width, height = found
    return box_around(number, (top, left), (top + height, left + width), size)


def _shape_of(annotation: Mapping[str, Any]) -> str:
    """What an annotation describes its object by."""
    shape = annotation.get("segmentation")
    if isinstance(shape, dict) and shape:
        return _RUNS
    return _POLYGONS if isinstance(shape, list) and shape else _BOXES


# -- the file --------------------------------------------------------------------------------------


def _opened(path: Path) -> _File:
    """A file, read once for all of its images in a row."""
    with reading_as(path, KIND):
        status = os.stat(path)
        return _sorted(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _sorted(path: Path, size: int, changed_ns: int) -> _File:
    found = read_json(path, KIND)
    if isinstance(found, list):
        found = {"annotations": found}
    content = mapping(found, "its content")
    names = _class_names(content)
    images = dict(_images(content))
    is_listed = bool(images)
    annotations: dict[str, list[dict[str, Any]]] = {key: [] for key in images}
    strays = shapeless = 0
    for annotation in sequence(content.get("annotations", []), "“annotations”"):
        of_image = _id(mapping(annotation, "an annotation").get("image_id"), "an image id")
        if of_image not in annotations:
            if is_listed:
                strays += 1
                continue
            # Results do not list their images; an id that is a name may well be the file's.
            name = "" if of_image.isdecimal() else last_name(of_image)
            images[of_image] = Annotated(of_image, name)
            annotations[of_image] = []
            _check_count(len(images))
        if annotation.get("segmentation") or annotation.get("bbox"):
            annotations[of_image].append(annotation)
        else:  # a caption, or points of a skeleton
            shapeless += 1
    for key, image in images.items():
        shapes = [_shape_of(annotation) for annotation in annotations[key]]
        main = max((_RUNS, _POLYGONS, _BOXES), key=shapes.count) if shapes else _POLYGONS
        images[key] = replace(image, objects=len(shapes), shapes=main)
    notes: tuple[str, ...] = ()
    if strays:
        notes += (f"Annotations of an image that the file does not list: {strays:,}.",)
    if shapeless:
        notes += (f"Annotations with neither an outline nor a box: {shapeless:,}.",)
    return _File(images, annotations, names, notes)


def _class_names(content: Mapping[str, Any]) -> dict[str, str]:
    names = {}
    for listed in sequence(content.get("categories", []), "“categories”", most=10_000):
        known = mapping(listed, "a category")
        name = text(known.get("name", "?"), "the name of a category", longest=300)
        names[_id(known.get("id"), "the id of a category")] = name
    return names


def _images(content: Mapping[str, Any]) -> Iterator[tuple[str, Annotated]]:
    seen = set()
    listed = sequence(content.get("images", []), "“images”")
    _check_count(len(listed))
    for image in listed:
        known = mapping(image, "an image")
        key = _id(known.get("id"), "the id of an image")
        if key in seen:
            raise MalformedError(f"two of its images have the id {key}")
        seen.add(key)
        name = last_name(text(known.get("file_name", ""), "the name of an image"))
        height, width = size_yx(known.get("height"), known.get("width"), "an image")
        yield key, Annotated(key, name, height, width)


def _id(value: Any, what: str) -> str:
    return "" if value is None else text(value, what, longest=300)


def _check_count(images: int) -> None:
    if images > _MOST_IMAGES:
        raise MalformedError(f"it lists more than {_MOST_IMAGES:,} images")


# -- writing ---------------------------------------------------------------------------------------


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """One file with the outlines of all objects, exact to the pixel.

    Parameters
    ----------
    target
        The file.
    images
        Of a single plane each.
    class_names
        All classes, in order; “object” is added where an object has none.

    Raises
    ------
    ExportError
        When an image has several planes.
    OSError
        When the file cannot be written; nothing is then in its place.
    """
    return _write(target, images, class_names, _polygons_to_write)


def write_runs(
    target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]
) -> list[Path]:
    """As `write`, but with compressed run lengths."""
    return _write(target, images, class_names, _runs_to_write)


def _write(
    target: Path, images: Sequence[ObjectImage], class_names: Sequence[str], shape_of: Any
) -> list[Path]:
    names = names_to_write(images, class_names)
    content: dict[str, Any] = {
        "info": {"description": "Written by OrgSeg"},
        "images": [],
        "categories": [{"id": place, "name": name} for place, name in enumerate(names, start=1)],
        "annotations": [],
    }
    for image_id, image in enumerate(images, start=1):
        plane = plane_to_write(image, "COCO's format")
        height, width = plane.shape
        content["images"].append(
            {"id": image_id, "file_name": image.name, "width": width, "height": height}
        )
        for number, parts in outlines_of(plane).items():
            y0, x0, y1, x1 = box_of(part[0] for part in parts)
            inside = plane[y0:y1, x0:x1] == number
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1,
                    "image_id": image_id,
                    "category_id": names.index(class_to_write(image, number, names)) + 1,
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": int(inside.sum()),
                    "iscrowd": 0,
                    "segmentation": shape_of(parts, Filled(y0, x0, inside), plane.shape),
                }
            )
    with replacing(target) as draft:
        draft.write_bytes(msgspec.json.encode(content))
    return [target]


def _polygons_to_write(
    parts: Sequence[Part], filled: Filled, size: tuple[int, int]
) -> list[list[int]]:
    return [joined(part)[:, ::-1].ravel().tolist() for part in parts]


def _runs_to_write(parts: Sequence[Part], filled: Filled, size: tuple[int, int]) -> dict[str, Any]:
    columns = np.zeros((size[0], filled.inside.shape[1]), bool)
    columns[filled.box[0]] = filled.inside
    counts = counts_of(columns)
    before, behind = filled.x0 * size[0], (size[1] - filled.box[1].stop) * size[0]
    counts[0] += before
    if len(counts) % 2:  # it ends with pixels outside
        counts[-1] += behind
    elif behind:
        counts = np.append(counts, behind)
    return {"size": list(size), "counts": text_of(counts)}


FORMAT = ObjectFormat(
    name="coco",
    title="COCO JSON",
    about="One JSON file with the outlines of the objects of all images, exact to the pixel, and "
    "their classes; read with polygons, run lengths or boxes. CVAT, Label Studio, Detectron.",
    suffixes=(".json",),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="file",
)

FORMAT_RUNS = ObjectFormat(
    name="coco-runs",
    title="COCO JSON, run lengths",
    about="As COCO JSON, with compressed run lengths, as COCO's own program makes them.",
    suffixes=(),  # `FORMAT` reads both
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write_runs,
    written="file",
)
