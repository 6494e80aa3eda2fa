"""LabelMe's JSON: one file an image, with polygons, rectangles, circles and masks.

Shapes that share a label and a ``group_id`` are parts of one object. ``imageData``, the image
itself as text, is passed over. A hole is written as part of the ring around it, joined by a bridge
without width, since LabelMe knows no holes.

Wada, K. (2016 on), labelme: image polygonal annotation with Python, github.com/wkentaro/labelme;
the keys are those of its documented files.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from orgseg_app.core.shapes.polygons import Filled, fill_piece, joined, outlines_of, united
from orgseg_app.files.atomic import replacing
from orgseg_app.files.errors import ReadError
from orgseg_app.files.export import export_path
from orgseg_app.files.names import unique_names
from orgseg_app.files.object_files.format import (
    Annotated,
    Contents,
    ObjectFormat,
    ObjectImage,
    ObjectsRead,
)
from orgseg_app.files.object_files.limited_json import (
    MalformedError,
    mapping,
    points_xy,
    read_json,
    reading_as,
    sequence,
    size_yx,
    text,
)
from orgseg_app.files.object_files.placing import Placing
from orgseg_app.files.object_files.planar import (
    check_fits,
    class_to_write,
    last_name,
    lines_left_out,
    names_to_write,
    plane_to_write,
)
from orgseg_app.files.readers.raster_header import check_png

KIND = "LabelMe shapes"
VERSION = "5.5.0"
"""Of the layout that is written."""
_TURNED = ("rotation", "oriented_rectangle")
"""Rectangles of four corners, as X-AnyLabeling and later versions name them."""
_AREAS = ("polygon", "rectangle", "circle", "mask", *_TURNED)
_SHAPES = re.compile(rb'"shapes"\s*:\s*\[')
_OTHERS = re.compile(rb'"(shape_type|imagePath|imageData|imageHeight|group_id)"\s*:')
_IMAGE_FIRST = re.compile(rb'"imageData"\s*:\s*"')
_PNG_SIZE = 24  # bytes up to the end of width and height
_PNG = b"\x89PNG\r\n\x1a\n"


def looks_like(path: Path, head: bytes) -> bool:
    """True for a JSON object with shapes and the keys that LabelMe has beside them."""
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    if _IMAGE_FIRST.search(head) and not _SHAPES.search(head):
        return True
    return bool(_SHAPES.search(head) and _OTHERS.search(head))


def contents(path: Path) -> Contents:
    """What a file annotates.

    Raises
    ------
    ReadError
        One sentence: it is too large, no JSON, or not what LabelMe writes.
    """
    with reading_as(path, KIND):
        content = _opened(path)
        objects = _grouped(_shapes(content))
        names = dict.fromkeys(_class_of(shapes[0]) for shapes in objects)
        height, width = _size(content)
        name = last_name(text(content.get("imagePath") or "", "the image's name"))
        return Contents(
            (Annotated("", name, height, width, len(objects), "polygons"),),
            tuple(name for name in names if name),
        )


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The objects of the image.

    Raises
    ------
    ReadError
        One sentence: as `contents`; a shape that is none; another image's size.
    """
    with reading_as(path, KIND):
        content = _opened(path)
        check_fits(shape_zyx, _size(content))
        shapes = _shapes(content)
        placing = Placing(shape_zyx)
        classes = {}
        for number, parts in enumerate(_grouped(shapes), start=1):
            filled = united(_filled(shape, number, (shape_zyx[1], shape_zyx[2])) for shape in parts)
            if placing.put(number, filled) and (name := _class_of(parts[0])):
                classes[number] = name
        notes = placing.notes()
        lines = sum(_type_of(shape) not in _AREAS for shape in shapes)
        if lines:
            notes += (lines_left_out(lines),)
        return ObjectsRead(placing.objects, classes, notes=notes)


def _opened(path: Path) -> dict[str, Any]:
    return mapping(read_json(path, KIND), "its content")


def _shapes(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = sequence(content.get("shapes"), "“shapes”")
    return [mapping(shape, "a shape") for shape in listed]


def _size(content: Mapping[str, Any]) -> tuple[int, int]:
    return size_yx(content.get("imageHeight"), content.get("imageWidth"), "the image")


def _class_of(shape: Mapping[str, Any]) -> str:
    return text(shape.get("label") or "", "a label", longest=300)


def _type_of(shape: Mapping[str, Any]) -> str:
    return text(shape.get("shape_type") or "polygon", "the type of a shape")


def _grouped(shapes: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Shapes that have an area, those of one object together, in order of its first."""
    objects: list[list[dict[str, Any]]] = []
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for shape in shapes:
        if _type_of(shape) not in _AREAS:
            continue
        group = shape.get("group_id")
        if group is None:
            objects.append([shape])
            continue
        name = _class_of(shape), text(group, "a group's number")
        if name not in groups:
            objects.append(groups.setdefault(name, []))
        groups[name].append(shape)
    return objects


def _filled(shape: Mapping[str, Any], number: int, size: tuple[int, int]) -> Filled:
    what = f"the outline of object {number:,}"
    kind, points = _type_of(shape), points_xy(shape.get("points"), what)
    if kind == "polygon":
        return fill_piece([points], size)
    if kind in ("rectangle", *_TURNED) and len(points) == 4:
        return fill_piece([points], size)
    if len(points) != 2:
        raise MalformedError(f"{what} has {len(points):,} points; a {kind} has two")
    if kind == "rectangle":
        (y0, x0), (y1, x1) = points.tolist()
        return fill_piece([np.array([[y0, x0], [y0, x1], [y1, x1], [y1, x0]])], size)
    if kind == "circle":
        return _disc(points[0].tolist(), math.dist(*points.tolist()), size, what)
    return _mask(shape.get("mask"), points.tolist(), size, what)


def _disc(middle: Sequence[float], radius: float, size: tuple[int, int], what: str) -> Filled:
    """Pixels whose middle lies within a circle."""
    if not max(*map(abs, middle), radius) < 2**31:
        raise MalformedError(f"{what} has an impossible size")
    ends = [
        (
            min(side, max(0, math.floor(place - radius))),
            min(side, max(0, math.ceil(place + radius))),
        )
        for place, side in zip(middle, size, strict=True)
    ]
    (y0, y1), (x0, x1) = ends
    y, x = np.ogrid[y0:y1, x0:x1]
    inside = (y + 0.5 - middle[0]) ** 2 + (x + 0.5 - middle[1]) ** 2 <= radius**2
    return Filled(y0, x0, np.asarray(inside, bool))


def _mask(
    found: Any, points: Sequence[Sequence[float]], size: tuple[int, int], what: str
) -> Filled:
    """A PNG picture as text; its points are its first and its last pixel."""
    (y0, x0), (y1, x1) = ((math.floor(y), math.floor(x)) for y, x in points)
    height, width = y1 - y0 + 1, x1 - x0 + 1
    if not (0 <= y0 <= y1 < size[0] and 0 <= x0 <= x1 < size[1]):
        raise MalformedError(f"{what} is a mask that does not lie in the image")
    said = text(found, what, longest=4 * height * width + 65_536)
    try:
        data = base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError(f"{what} is a damaged mask") from error
    is_png = data.startswith(_PNG) and data[12:16] == b"IHDR" and len(data) > _PNG_SIZE
    declared = (int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big"))
    if not is_png or declared != (height, width):
        # Asked before it is unpacked: a few bytes of PNG may promise gigabytes.
        raise MalformedError(f"{what} is a mask that is no PNG of {width:,} × {height:,} pixels")
    try:
        check_png(data, Path("mask"))
    except ReadError as error:
        raise MalformedError(f"{what} is a damaged mask") from error
    import cv2

    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None or picture.shape != (height, width):
        raise MalformedError(f"{what} is a damaged mask")
    return Filled(y0, x0, picture > 0)


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """A ``NAME.json`` for each image, with polygons that are exact to the pixel.

    Parameters
    ----------
    target
        A folder.
    images
        Of a single plane each.
    class_names
        All classes; “object” is written where an object has none.

    Raises
    ------
    ExportError
        When an image has several planes.
    OSError
        When a file cannot be written.
    """
    written = []
    names = names_to_write(images, class_names)
    stems = unique_names(Path(image.name).stem for image in images)
    for image, stem in zip(images, stems, strict=True):
        plane = plane_to_write(image, "LabelMe's format")
        shapes: list[dict[str, Any]] = []
        for number, parts in outlines_of(plane).items():
            shapes += [
                {
                    "label": class_to_write(image, number, names),
                    "points": joined(part)[:, ::-1].tolist(),
                    "group_id": number if len(parts) > 1 else None,
                    "description": "",
                    "shape_type": "polygon",
                    "flags": {},
                    "mask": None,
                }
                for part in parts
            ]
        content = {
            "version": VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": image.name,
            "imageData": None,
            "imageHeight": plane.shape[0],
            "imageWidth": plane.shape[1],
        }
        path = export_path(target, stem, ".json")
        with replacing(path) as draft:
            draft.write_bytes(msgspec.json.encode(content))
        written.append(path)
    return written


FORMAT = ObjectFormat(
    name="labelme",
    title="LabelMe JSON",
    about="One JSON file for each image with the outlines of its objects, exact to the pixel, and "
    "their classes. LabelMe, AnyLabeling, X-AnyLabeling.",
    suffixes=(".json",),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="each",
)
