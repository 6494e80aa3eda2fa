"""Pascal VOC: one XML file an image, with the boxes of its objects.

Pixels are counted from 1, and the last one is inside: ``xmin`` 1 and ``xmax`` 640 are the whole
width of 640 pixels. Some programs count from 0; their boxes are then half a pixel off, and one that
begins at 0 is cut to the image.

Everingham, M. et al. (2010), The PASCAL visual object classes (VOC) challenge, Int. J. Comput. Vis.
88, 303–338; the development kit's section “Annotation”.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from orgseg_app.core.shapes.polygons import outlines_of
from orgseg_app.files.atomic import replacing
from orgseg_app.files.export import export_path
from orgseg_app.files.names import clean_text, unique_names
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

KIND = "Pascal VOC boxes"
_ROOT = re.compile(rb"<annotation[\s>]")


def looks_like(path: Path, head: bytes) -> bool:
    """True for XML whose outermost element is an ``annotation`` with the parts that VOC has."""
    return _ROOT.search(head) is not None and (
        b"<bndbox" in head or (b"<size" in head and b"<filename" in head) or b"<segmented" in head
    )


def contents(path: Path) -> Contents:
    """What a file annotates.

    Raises
    ------
    ReadError
        One sentence: it is too large, no XML, declares entities, or is no such annotation.
    """
    with reading_as(path, KIND):
        root = _root(path)
        objects = root.all("object")
        names = dict.fromkeys(_class_of(found) for found in objects)
        height, width = _size(root)
        name = last_name(root.text_of("filename") or root.text_of("path"))
        return Contents(
            (Annotated("", name, height, width, len(objects), "boxes"),),
            tuple(name for name in names if name),
        )


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The boxes of the image.

    Raises
    ------
    ReadError
        One sentence: as `contents`; a box that is none; another image's size.
    """
    with reading_as(path, KIND):
        root = _root(path)
        check_fits(shape_zyx, _size(root))
        boxes: list[ObjectBox] = []
        classes, beside = {}, 0
        for number, found in enumerate(root.all("object"), start=1):
            box = _box(found, number, (shape_zyx[1], shape_zyx[2]))
            if box is None:
                beside += 1
                continue
            boxes.append(box)
            if name := _class_of(found):
                classes[number] = name
        return ObjectsRead(classes=classes, boxes=tuple(boxes), notes=left_out_boxes(beside))


def _root(path: Path) -> Element:
    root = read_xml(path, KIND)
    if root.name != "annotation":
        raise MalformedError("its outermost element is not “annotation”")
    return root


def _class_of(found: Element) -> str:
    return found.text_of("name", longest=300)


def _size(root: Element) -> tuple[int, int]:
    size = root.find("size")
    if size is None:
        return 0, 0
    what = "the size of the image"
    height, width = (int(_number(size.text_of(side) or "0", what)) for side in ("height", "width"))
    return size_yx(height, width, "the image")


def _box(found: Element, number: int, size: tuple[int, int]) -> ObjectBox | None:
    said = found.find("bndbox")
    what = f"the box of object {number:,}"
    if said is None:
        raise MalformedError(f"{what} is missing")
    left, top, right, bottom = (
        _number(said.text_of(side), what) for side in ("xmin", "ymin", "xmax", "ymax")
    )
    if right < left or bottom < top:
        raise MalformedError(f"{what} ends before it begins")
    return box_around(number, (top - 1, left - 1), (bottom, right), size)


def _number(text: str, what: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not abs(found) < 2**31:
        raise MalformedError(f"{what} has “{clean_text(text, 40)}” where a number should be")
    return found


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """A ``NAME.xml`` for each image, with the boxes around its objects.

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
        plane = plane_to_write(image, "Pascal VOC's format")
        lines = [
            "<annotation>",
            f"\t<filename>{_escaped(image.name)}</filename>",
            "\t<source><database>OrgSeg</database></source>",
            f"\t<size><width>{plane.shape[1]}</width><height>{plane.shape[0]}</height>"
            "<depth>1</depth></size>",
            "\t<segmented>0</segmented>",
        ]
        for number, parts in outlines_of(plane).items():
            y0, x0, y1, x1 = box_of(part[0] for part in parts)
            name = _escaped(class_to_write(image, number, names))
            at_edge = y0 == 0 or x0 == 0 or y1 == plane.shape[0] or x1 == plane.shape[1]
            lines += [
                "\t<object>",
                f"\t\t<name>{name}</name>",
                f"\t\t<truncated>{int(at_edge)}</truncated>",
                "\t\t<difficult>0</difficult>",
                f"\t\t<bndbox><xmin>{x0 + 1}</xmin><ymin>{y0 + 1}</ymin>"
                f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox>",
                "\t</object>",
            ]
        path = export_path(target, stem, ".xml")
        with replacing(path) as draft:
            draft.write_text("\n".join([*lines, "</annotation>", ""]), encoding="utf-8")
        written.append(path)
    return written


def _escaped(text: str) -> str:
    from xml.sax.saxutils import escape  # brings urllib and ssl, for which no reader shall wait

    return escape(clean_text(text, 300))  # what XML cannot hold at all is no text to show either


FORMAT = ObjectFormat(
    name="voc",
    title="Pascal VOC boxes",
    about="One XML file for each image with the boxes around its objects and their classes. "
    "labelImg, Roboflow, CVAT.",
    suffixes=(".xml",),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="each",
)
