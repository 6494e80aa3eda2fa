"""CVAT for images 1.1: one XML file for all images, with polygons, boxes, ellipses and masks.

A mask's run lengths count along the rows of its own box, beginning with the pixels outside. Shapes
of one label that share a group are parts of one object, as in CVAT's own export to COCO. Where
shapes overlap, the one that CVAT shows on top (the higher ``z_order``) keeps its pixels.

CVAT.ai, docs.cvat.ai, “CVAT for images”.
"""

from __future__ import annotations

import functools
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.shapes.coco_runs import counts_of, piece_of
from orgseg_app.core.shapes.polygons import Filled, fill_piece, outlines_of, united
from orgseg_app.files.atomic import replacing
from orgseg_app.files.names import clean_text
from orgseg_app.files.object_files.format import (
    Annotated,
    Contents,
    ObjectBox,
    ObjectFormat,
    ObjectImage,
    ObjectsRead,
)
from orgseg_app.files.object_files.limited_json import MalformedError, reading_as, size_yx
from orgseg_app.files.object_files.limited_xml import Element, read_xml
from orgseg_app.files.object_files.placing import Placing
from orgseg_app.files.object_files.planar import (
    box_around,
    box_of,
    check_fits,
    class_to_write,
    last_name,
    left_out_boxes,
    lines_left_out,
    names_to_write,
    plane_to_write,
)

KIND = "a CVAT annotation"
_ROOT = re.compile(rb"<annotations[\s>]")
_AREAS = ("polygon", "ellipse", "mask", "box")
_OTHERS = ("polyline", "points", "cuboid", "skeleton")
_MOST_IMAGES = 200_000
_CORNERS = 256  # of the polygon that stands for an ellipse: 1/10,000 of its radius off
_LONGEST = 64 << 20


@dataclass(frozen=True)
class _Found:
    """An image of a file, and its shapes, those of one object together."""

    image: Annotated
    objects: tuple[tuple[Element, ...], ...]
    lines: int


def looks_like(path: Path, head: bytes) -> bool:
    """True for XML whose outermost element is ``annotations`` with the parts that CVAT has."""
    parts = (b"<version", b"<meta", b"<image ", b"<track ")
    return _ROOT.search(head) is not None and any(part in head for part in parts)


def contents(path: Path) -> Contents:
    """What a file annotates; keys are the ids of its images.

    Raises
    ------
    ReadError
        One sentence: it is too large, no XML, declares entities, or is of a video.
    """
    found, names = _opened(path)
    return Contents(tuple(of_image.image for of_image in found.values()), names)


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The objects of one image, and boxes of those that have nothing else.

    Raises
    ------
    ReadError
        One sentence: as `contents`; a shape that is none; another image's size.
    """
    known, _ = _opened(path)
    with reading_as(path, KIND):
        if key not in known:
            raise MalformedError("it has no such image")
        found = known[key]
        check_fits(shape_zyx, (found.image.height, found.image.width))
        size = shape_zyx[1], shape_zyx[2]
        placing: Placing | None = None
        boxes: dict[int, ObjectBox | None] = {}
        classes: dict[int, str] = {}
        numbered = list(enumerate(found.objects, start=1))
        for number, shapes in sorted(numbered, key=lambda one: -_height_of(one[1])):
            if all(shape.name == "box" for shape in shapes) and not _is_turned(shapes[0]):
                boxes[number] = box = _box(shapes, number, size)
                is_there = box is not None
            else:
                placing = placing or Placing(shape_zyx)
                pieces = (_filled(shape, number, size) for shape in shapes)
                is_there = placing.put(number, united(pieces))
            if is_there and (name := _class_of(shapes[0])):
                classes[number] = name
        inside = tuple(box for _, box in sorted(boxes.items()) if box is not None)
        notes = left_out_boxes(len(boxes) - len(inside)) + (placing.notes() if placing else ())
        if found.lines:
            notes += (lines_left_out(found.lines),)
        objects = placing.objects if placing else None
        return ObjectsRead(objects, dict(sorted(classes.items())), inside, notes=notes)


# -- the file --------------------------------------------------------------------------------------


def _opened(path: Path) -> tuple[dict[str, _Found], tuple[str, ...]]:
    """A file, read once for all of its images in a row: images by key, names of classes."""
    with reading_as(path, KIND):
        status = os.stat(path)
        return _sorted(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _sorted(path: Path, size: int, changed_ns: int) -> tuple[dict[str, _Found], tuple[str, ...]]:
    root = read_xml(path, KIND)
    if root.name != "annotations":
        raise MalformedError("its outermost element is not “annotations”")
    if root.find("track") is not None:
        raise MalformedError(
            "it follows objects through a video; export it from CVAT as “CVAT for images 1.1”"
        )
    images = root.all("image")
    if len(images) > _MOST_IMAGES:
        raise MalformedError(f"it lists more than {_MOST_IMAGES:,} images")
    found: dict[str, _Found] = {}
    names = dict.fromkeys(_listed_names(root))
    for image in images:
        key = image.attribute("id", longest=300) or image.attribute("name", longest=300)
        if key in found:
            raise MalformedError(f"two of its images have the id {clean_text(key, 40)}")
        found[key] = _image(image, key)
        names.update(dict.fromkeys(_class_of(shapes[0]) for shapes in found[key].objects))
    return found, tuple(name for name in names if name)


def _image(image: Element, key: str) -> _Found:
    objects: list[list[Element]] = []
    groups: dict[tuple[str, str], list[Element]] = {}
    for shape in image.children:
        if shape.name not in _AREAS:
            continue
        group = shape.attribute("group_id", longest=40)
        if group in ("", "0"):
            objects.append([shape])
            continue
        name = _class_of(shape), group
        if name not in groups:
            objects.append(groups.setdefault(name, []))
        groups[name].append(shape)
    kinds = [shape.name for shapes in objects for shape in shapes]
    names = (("mask", "runs"), ("box", "boxes"), ("polygon", "polygons"))
    _, shapes_are = max(names, key=lambda name: kinds.count(name[0]))
    height, width = (
        int(_number(image.attribute(side) or "0", "the size of an image"))
        for side in ("height", "width")
    )
    return _Found(
        Annotated(
            key,
            last_name(image.attribute("name")),
            *size_yx(height, width, "an image"),
            len(objects),
            shapes_are if kinds else "polygons",
        ),
        tuple(map(tuple, objects)),
        sum(shape.name in _OTHERS for shape in image.children),
    )


def _listed_names(root: Element) -> list[str]:
    """Names of the labels of the task or project, wherever in the head they are."""
    names: list[str] = []
    waiting = [root.find("meta")]
    while waiting:
        element = waiting.pop(0)
        if element is None:
            continue
        if element.name == "label":
            names.append(element.text_of("name", longest=300))
        else:
            waiting += element.children
    return names


def _class_of(shape: Element) -> str:
    return shape.attribute("label", longest=300)


def _height_of(shapes: Sequence[Element]) -> float:
    return max(_number(shape.attribute("z_order") or "0", "a z_order") for shape in shapes)


# -- shapes ----------------------------------------------------------------------------------------


def _filled(shape: Element, number: int, size: tuple[int, int]) -> Filled:
    what = f"the {shape.name} of object {number:,}"
    if shape.name == "polygon":
        points = _numbers(shape.attribute("points", longest=_LONGEST).replace(";", ","), what)
        if points.size % 2:
            raise MalformedError(f"{what} has a point without a second coordinate")
        return fill_piece([points.reshape(-1, 2)[:, ::-1]], size)
    if shape.name == "mask":
        return _mask(shape, size, what)
    if shape.name == "box":
        return fill_piece([_corners(shape, what)], size)
    middle_x, middle_y, radius_x, radius_y = (
        _number(shape.attribute(name), what) for name in ("cx", "cy", "rx", "ry")
    )
    round_about = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
    ring = np.stack([radius_y * np.sin(round_about), radius_x * np.cos(round_about)], axis=1)
    middle = np.array([middle_y, middle_x])
    return fill_piece([_turned(ring, shape, what) + middle], size)


def _mask(shape: Element, size: tuple[int, int], what: str) -> Filled:
    left, top, width, height = (
        int(_number(shape.attribute(name), what)) for name in ("left", "top", "width", "height")
    )
    if height < 0 or width < 0:
        raise MalformedError(f"{what} has a size below 0")
    if not (0 <= top <= top + height <= size[0] and 0 <= left <= left + width <= size[1]):
        raise MalformedError(f"{what} does not lie in the image")
    counts = _numbers(shape.attribute("rle", longest=_LONGEST), what)
    if (counts != np.floor(counts)).any():
        raise MalformedError(f"{what} has run lengths that are no whole numbers")
    # Along the rows is down the columns of the box turned over.
    piece = piece_of(counts.astype(np.int64), (width, height))
    inside = np.ascontiguousarray(piece.inside.T)
    return Filled(top + piece.x0, left + piece.y0, inside)


def _box(shapes: Sequence[Element], number: int, size: tuple[int, int]) -> ObjectBox | None:
    """The box around one or more boxes."""
    corners = np.concatenate([_corners(shape, f"the box of object {number:,}") for shape in shapes])
    return box_around(number, corners.min(axis=0).tolist(), corners.max(axis=0).tolist(), size)


def _corners(shape: Element, what: str) -> NDArray[np.float64]:
    left, top, right, bottom = (
        _number(shape.attribute(name), what) for name in ("xtl", "ytl", "xbr", "ybr")
    )
    corners = np.array([[top, left], [top, right], [bottom, right], [bottom, left]])
    middle = np.array([(top + bottom) / 2, (left + right) / 2])
    turned: NDArray[np.float64] = _turned(corners - middle, shape, what) + middle
    return turned


def _is_turned(shape: Element) -> bool:
    return _number(shape.attribute("rotation") or "0", "a rotation") % 360 != 0


def _turned(ring: NDArray[np.float64], shape: Element, what: str) -> NDArray[np.float64]:
    """Points about ``(0, 0)``, turned clockwise as seen on the screen."""
    angle = math.radians(_number(shape.attribute("rotation") or "0", what))
    y, x = ring[:, 0], ring[:, 1]
    sine, cosine = math.sin(angle), math.cos(angle)
    turned: NDArray[np.float64] = np.stack([x * sine + y * cosine, x * cosine - y * sine], axis=1)
    return turned


def _number(text: str, what: str) -> float:
    found = _numbers(text, what)
    if len(found) != 1:
        raise MalformedError(f"{what} has several numbers where one should be")
    return float(found[0])


def _numbers(text: str, what: str) -> NDArray[np.float64]:
    """Numbers between commas."""
    try:
        found = np.array([float(word) for word in text.split(",")])
    except ValueError as error:
        raise MalformedError(f"{what} has something else where numbers should be") from error
    if not (np.abs(found) < 2**31).all():
        raise MalformedError(f"{what} has a number that is not finite, or impossibly large")
    return found


# -- writing ---------------------------------------------------------------------------------------


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """One file with the masks of all objects, exact to the pixel.

    Raises
    ------
    ExportError
        When an image has several planes.
    OSError
        When the file cannot be written; nothing is then in its place.
    """
    names = names_to_write(images, class_names)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<annotations>", "<version>1.1</version>"]
    for place, image in enumerate(images):
        plane = plane_to_write(image, "CVAT's format")
        said = f'name={_quoted(image.name)} width="{plane.shape[1]}" height="{plane.shape[0]}"'
        lines.append(f'<image id="{place}" {said}>')
        for number, parts in outlines_of(plane).items():
            y0, x0, y1, x1 = box_of(part[0] for part in parts)
            inside = plane[y0:y1, x0:x1] == number
            counts = ", ".join(map(str, counts_of(inside.T).tolist()))
            lines.append(
                f'<mask label={_quoted(class_to_write(image, number, names))} source="manual" '
                f'occluded="0" rle="{counts}" left="{x0}" top="{y0}" '
                f'width="{x1 - x0}" height="{y1 - y0}" z_order="0"></mask>'
            )
        lines.append("</image>")
    with replacing(target) as draft:
        draft.write_text("\n".join([*lines, "</annotations>", ""]), encoding="utf-8")
    return [target]


def _quoted(text: str) -> str:
    from xml.sax.saxutils import quoteattr  # brings urllib and ssl, for which no reader shall wait

    return quoteattr(clean_text(text, 300))


FORMAT = ObjectFormat(
    name="cvat",
    title="CVAT XML",
    about="One XML file with the masks of the objects of all images and their classes, as CVAT for "
    "images 1.1; read with polygons, masks, ellipses or boxes.",
    suffixes=(".xml",),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="file",
)
