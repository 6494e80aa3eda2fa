"""The boxes of BBBC041 (malaria in blood smears): one JSON file for all images.

A list of ``{"image": {"pathname", "checksum", "shape": {"r", "c"}}, "objects": [{"bounding_box":
{"minimum": {"r", "c"}, "maximum": {"r", "c"}}, "category"}]}``. Rows and columns count from 0, and
the maximum is the first one outside. The path name begins with “/images/”: only its end is used.

Ljosa, V., Sokolnicki, K. L. and Carpenter, A. E. (2012), Annotated high-throughput microscopy image
sets for validation, Nat. Methods 9, 637; data set BBBC041v1.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from orgseg_app.core.shapes.polygons import outlines_of
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
    mapping,
    number,
    read_json,
    reading_as,
    sequence,
    size_yx,
    text,
)
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

KIND = "boxes in the layout of BBBC041"
_HEAD = re.compile(rb'\s*\[\s*\{\s*"(image|objects)"\s*:')
_MOST_IMAGES = 200_000
_HASH = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{64}")


def looks_like(path: Path, head: bytes) -> bool:
    """True for a JSON list whose entries have an image and objects with bounding boxes."""
    return bool(_HEAD.match(head)) and b'"pathname"' in head


def contents(path: Path) -> Contents:
    """What a file annotates; keys are the places of its images in the list, from 1.

    Raises
    ------
    ReadError
        One sentence: it is too large, no JSON, or not in this layout.
    """
    entries = _opened(path)
    with reading_as(path, KIND):
        images, names = [], {}
        for place, entry in enumerate(entries, start=1):
            image = mapping(entry.get("image"), f"image {place:,}")
            height, width = _size(image, place)
            name = last_name(text(image.get("pathname"), f"the path name of image {place:,}"))
            said = image.get("checksum")
            known = said if isinstance(said, str) and _HASH.fullmatch(said) else ""
            objects = _objects_of(entry, place)
            names.update(dict.fromkeys(_class_of(found) for found in objects))
            images.append(Annotated(str(place), name, height, width, len(objects), "boxes", known))
        return Contents(tuple(images), tuple(name for name in names if name))


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The boxes of one image.

    Raises
    ------
    ReadError
        One sentence: as `contents`; a box that is none; another image's size.
    """
    entries = _opened(path)
    with reading_as(path, KIND):
        place = int(key) if key.isascii() and key.isdecimal() and len(key) < 10 else 0
        if not 1 <= place <= len(entries):
            raise MalformedError("it has no such image")
        entry = entries[place - 1]
        check_fits(shape_zyx, _size(mapping(entry.get("image"), f"image {place:,}"), place))
        boxes: list[ObjectBox] = []
        classes, beside = {}, 0
        for count, found in enumerate(_objects_of(entry, place), start=1):
            box = _box(found, count, (shape_zyx[1], shape_zyx[2]))
            if box is None:
                beside += 1
                continue
            boxes.append(box)
            if name := _class_of(found):
                classes[count] = name
        return ObjectsRead(classes=classes, boxes=tuple(boxes), notes=left_out_boxes(beside))


def _opened(path: Path) -> list[dict[str, Any]]:
    """The entries of a file, read once for all of its images in a row."""
    with reading_as(path, KIND):
        status = os.stat(path)
        return _entries(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _entries(path: Path, size: int, changed_ns: int) -> list[dict[str, Any]]:
    entries = sequence(read_json(path, KIND), "its content", most=_MOST_IMAGES)
    return [mapping(entry, f"image {place:,}") for place, entry in enumerate(entries, start=1)]


def _size(image: Mapping[str, Any], place: int) -> tuple[int, int]:
    shape = image.get("shape")
    if shape is None:
        return 0, 0
    known = mapping(shape, f"the shape of image {place:,}")
    return size_yx(known.get("r"), known.get("c"), f"image {place:,}")


def _objects_of(entry: Mapping[str, Any], place: int) -> list[dict[str, Any]]:
    what = f"the objects of image {place:,}"
    return [mapping(found, what) for found in sequence(entry.get("objects", []), what)]


def _class_of(found: Mapping[str, Any]) -> str:
    return text(found.get("category", ""), "the category of an object", longest=300)


def _box(found: Mapping[str, Any], count: int, size: tuple[int, int]) -> ObjectBox | None:
    what = f"the box of object {count:,}"
    box = mapping(found.get("bounding_box"), what)
    low, high = (mapping(box.get(end), what) for end in ("minimum", "maximum"))
    top, left, bottom, right = (
        number(corner.get(axis), what) for corner in (low, high) for axis in ("r", "c")
    )
    if bottom < top or right < left:
        raise MalformedError(f"{what} ends before it begins")
    return box_around(count, (top, left), (bottom, right), size)


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """One file with the boxes around all objects.

    Raises
    ------
    ExportError
        When an image has several planes.
    OSError
        When the file cannot be written; nothing is then in its place.
    """
    names = names_to_write(images, class_names)
    content = []
    for image in images:
        plane = plane_to_write(image, "BBBC041's layout")
        objects = []
        for count, parts in outlines_of(plane).items():
            y0, x0, y1, x1 = box_of(part[0] for part in parts)
            box = {"minimum": {"r": y0, "c": x0}, "maximum": {"r": y1, "c": x1}}
            objects.append({"bounding_box": box, "category": class_to_write(image, count, names)})
        shape = {"r": plane.shape[0], "c": plane.shape[1], "channels": 1}
        said = {"pathname": f"/images/{image.name}", "shape": shape}
        content.append({"image": said, "objects": objects})
    with replacing(target) as draft:
        draft.write_bytes(msgspec.json.encode(content))
    return [target]


FORMAT = ObjectFormat(
    name="bbbc041",
    title="BBBC041 boxes",
    about="One JSON file with the boxes around the objects of all images, in the layout of the "
    "malaria images BBBC041.",
    suffixes=(".json",),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="file",
)
