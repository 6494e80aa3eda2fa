"""YOLO's text files: one an image, one object a line, as shares of the image's width and height.

``CLASS x y x y …`` is an outline, ``CLASS x y width height`` a box by its middle; one more number
at the end is how sure a model was. An object has one outline, so its parts and holes are joined by
bridges without width, as the makers' own converters do.

Jocher, G. et al., Ultralytics YOLO, docs.ultralytics.com, “Instance segmentation datasets overview”
and “Object detection datasets overview”.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.shapes.polygons import fill_piece, joined, outlines_of
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
from orgseg_app.files.object_files.limited_json import (
    MalformedError,
    read_limited,
    reading_as,
)
from orgseg_app.files.object_files.placing import Placing
from orgseg_app.files.object_files.planar import (
    box_around,
    check_fits,
    class_to_write,
    left_out_boxes,
    names_to_write,
    plane_to_write,
)
from orgseg_app.files.object_files.yolo_names import class_names_beside

KIND = "YOLO objects"
MAX_BYTES = 128 << 20
MAX_CLASSES = 10_000
CLASSES_FILE = "classes.txt"
_SLACK = 0.01  # of a side that a share may lie beyond the image; it is cut off there
_DIGITS = 9  # a corner is then exact to a thousandth of a pixel, in images of any size
_NUMBER = r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,3})?"
_LINE = re.compile(rf"\d{{1,5}}(?:[ \t]+{_NUMBER}){{4,}}")


class _Row(NamedTuple):
    """An object: place of its class, and its numbers; the sure share is taken off."""

    class_place: int
    shares: NDArray[np.float64]

    @property
    def is_box(self) -> bool:
        return len(self.shares) == 4


def looks_like(path: Path, head: bytes) -> bool:
    """True for text of which every line is a class and shares from 0 to 1, four at least."""
    try:
        lines = head.decode("ascii").splitlines()
    except UnicodeDecodeError:
        return False
    if len(lines) > 1 and len(head) > 1 << 12 and not head.endswith(b"\n"):
        lines.pop()  # cut off within
    lines = [line.strip() for line in lines if line.strip()]
    if not lines or not all(_could_be_row(line) for line in lines):
        return False
    try:
        shares = np.array(lines[0].split()[1:], np.float64)
    except ValueError:
        return False
    return bool(((shares >= -_SLACK) & (shares <= 1 + _SLACK)).all())


def _could_be_row(line: str) -> bool:
    # Asked of every line of every text file that is dropped on the window: quick to say no.
    return line[:1].isdigit() and _LINE.match(line) is not None


def contents(path: Path) -> Contents:
    """What a file annotates; it does not say its image, which has the same name but for the ending.

    Raises
    ------
    ReadError
        One sentence: it is too large, or a line is none of an object.
    """
    with reading_as(path, KIND):
        rows = list(_rows(path))
        boxes = sum(row.is_box for row in rows)
        shapes = "boxes" if boxes > len(rows) / 2 else "polygons"
        return Contents((Annotated(objects=len(rows), shapes=shapes),), _names(path, rows))


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The objects of the image, and boxes of those that have nothing else.

    Raises
    ------
    ReadError
        One sentence: as `contents`, or the image has several planes.
    """
    with reading_as(path, KIND):
        check_fits(shape_zyx)
        size = shape_zyx[1], shape_zyx[2]
        rows = list(_rows(path))
        names = _names(path, rows)
        placing: Placing | None = None
        boxes: list[ObjectBox] = []
        classes, beside = {}, 0
        for number, row in enumerate(rows, start=1):
            points = row.shares.reshape(-1, 2)[:, ::-1] * size
            if row.is_box:
                box = box_around(number, points[0] - points[1] / 2, points[0] + points[1] / 2, size)
                is_there = box is not None
                beside += box is None
                boxes += [box] if box else []
            else:
                placing = placing or Placing(shape_zyx)
                is_there = placing.put(number, fill_piece([points], size))
            if is_there:
                classes[number] = names[row.class_place]
        notes = left_out_boxes(beside) + (placing.notes() if placing else ())
        return ObjectsRead(placing.objects if placing else None, classes, tuple(boxes), notes=notes)


def _rows(path: Path) -> Iterator[_Row]:
    data = read_limited(path, KIND, most_bytes=MAX_BYTES)
    try:
        lines = data.decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise MalformedError("it is no plain text of numbers") from error
    for place, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        words = line.split()
        shares = _shares(words[1:], place)
        if not words[0].isdecimal() or len(words[0]) > 5 or int(words[0]) >= MAX_CLASSES:
            raise MalformedError(
                f"line {place:,} begins with “{clean_text(words[0], 40)}”, not with the number of "
                "a class"
            )
        if len(shares) < 4:
            raise MalformedError(f"line {place:,} has too few numbers for a box or an outline")
        yield _Row(int(words[0]), shares[: len(shares) - len(shares) % 2])


def _shares(words: Sequence[str], line: int) -> NDArray[np.float64]:
    try:
        shares = np.array(words, np.float64)
    except ValueError as error:
        raise MalformedError(f"line {line:,} has something else than numbers") from error
    if not ((shares >= -_SLACK) & (shares <= 1 + _SLACK)).all():
        raise MalformedError(
            f"line {line:,} has a number that is not from 0 to 1, as shares of the width and "
            "height are"
        )
    return shares


def _names(path: Path, rows: Sequence[_Row]) -> tuple[str, ...]:
    """Classes by place; those without a name, and a second of the same name, get their number."""
    count = max((row.class_place + 1 for row in rows), default=0)
    found = list(class_names_beside(path, MAX_CLASSES))
    found += [""] * (count - len(found))
    names: list[str] = []
    for place, name in enumerate(found):
        is_new = bool(name) and name not in names[:256]
        names.append(name if is_new else f"{name or 'class'} {place}")
    return tuple(names)


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """A ``NAME.txt`` for each image, and ``classes.txt`` with the names of the classes.

    Parameters
    ----------
    target
        A folder.
    images
        Of a single plane each; corners are written so finely that reading gives the same pixels.
    class_names
        All classes, in order; “object” is added where an object has none.

    Raises
    ------
    ExportError
        When an image has several planes.
    OSError
        When a file cannot be written.
    """
    names = names_to_write(images, class_names)
    listed = "".join(f"{clean_text(name, 300)}\n" for name in names)
    files = [(export_path(target, "classes", ".txt"), listed)]
    stems = unique_names((Path(image.name).stem for image in images), taken=("classes",))
    for image, stem in zip(images, stems, strict=True):
        plane = plane_to_write(image, "YOLO's format")
        lines = []
        for number, parts in outlines_of(plane).items():
            ring = joined([ring for part in parts for ring in part])
            shares = (ring / np.array(plane.shape))[:, ::-1].ravel().tolist()
            place = names.index(class_to_write(image, number, names))
            lines.append(" ".join([str(place), *(f"{n:.{_DIGITS}f}" for n in shares)]) + "\n")
        files.append((export_path(target, stem, ".txt"), "".join(lines)))
    for path, text in files:
        with replacing(path) as draft:
            draft.write_text(text, encoding="utf-8", newline="\n")
    return [path for path, _ in files]


FORMAT = ObjectFormat(
    name="yolo",
    title="YOLO text",
    about="One text file for each image with the outlines of its objects as shares of its sides, "
    "and a list of the classes; read with outlines or boxes. Ultralytics, Roboflow.",
    suffixes=(".txt",),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="each",
)
