"""What formats of single planes have in common: fitting an image, names in it, boxes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.export import ExportError
from orgseg_app.files.object_files.format import ObjectBox, ObjectImage
from orgseg_app.files.object_files.limited_json import MalformedError

NO_CLASS = "object"
"""Class written for objects that have none, where the format must have one."""
_ROUNDED = 0.01  # of a pixel: as far as the shares in a file are rounded


def check_fits(shape_zyx: tuple[int, int, int], size_yx: tuple[int, int] = (0, 0)) -> None:
    """See that an annotation is for an image of this shape.

    Parameters
    ----------
    shape_zyx
        Of the image.
    size_yx
        What the file says; 0 and 0 where it says nothing.

    Raises
    ------
    MalformedError
        When it is not, or the image has several planes.
    """
    depth, height, width = shape_zyx
    if depth != 1:
        raise MalformedError(f"it annotates a single plane, but the image has {depth:,} planes")
    if all(size_yx) and size_yx != (height, width):
        raise MalformedError(
            f"it is made for an image of {size_yx[1]:,} × {size_yx[0]:,} pixels, but this one has "
            f"{width:,} × {height:,}"
        )


def last_name(path: str) -> str:
    """The file name at the end of a stranger's path, of whichever system; never followed."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]


def box_around(
    number: int, low_yx: Sequence[float], high_yx: Sequence[float], size_yx: tuple[int, int]
) -> ObjectBox | None:
    """The pixels a box touches, cut to the image; None where nothing of it lies inside."""
    y0, x0 = (max(0, math.floor(low + _ROUNDED)) for low in low_yx)
    y1, x1 = (
        min(side, math.ceil(high - _ROUNDED)) for high, side in zip(high_yx, size_yx, strict=True)
    )
    return ObjectBox(number, y0, x0, y1, x1) if y0 < y1 and x0 < x1 else None


def left_out_boxes(count: int) -> tuple[str, ...]:
    """The note about boxes beside the image."""
    if not count:
        return ()
    boxes = "1 box lies" if count == 1 else f"{count:,} boxes lie"
    return (f"{boxes} outside the image and did not come.",)


def lines_left_out(count: int) -> str:
    """The note about shapes that are no areas."""
    what = "1 point or line has" if count == 1 else f"{count:,} points and lines have"
    return f"{what} no area and did not come."


def plane_to_write(image: ObjectImage, title: str) -> NDArray[np.uint32]:
    """The one plane ``(Y, X)`` of objects.

    Raises
    ------
    ExportError
        When there are several.
    """
    depth = image.objects.shape[0]
    if depth != 1:
        raise ExportError(
            f"“{image.name}” has {depth:,} planes, and {title} describes single planes. Nothing "
            "was written for it; export its objects as label images."
        )
    plane: NDArray[np.uint32] = image.objects[0]
    return plane


def names_to_write(images: Iterable[ObjectImage], class_names: Sequence[str]) -> list[str]:
    """All classes in order; `NO_CLASS` behind them where an object has none of them."""
    names = list(dict.fromkeys(class_names))
    known = set(names)
    for image in images:
        numbers = present(image.objects)
        if any(image.classes.get(number) not in known for number in numbers):
            return names if NO_CLASS in known else [*names, NO_CLASS]
    return names


def class_to_write(image: ObjectImage, number: int, names: Sequence[str]) -> str:
    """The class of an object among ``names``."""
    found = image.classes.get(number)
    return found if found is not None and found in names else NO_CLASS


def present(objects: NDArray[np.uint32]) -> list[int]:
    """Numbers of the objects there are, rising."""
    flat = objects.ravel()
    firsts = np.ones(len(flat), bool)
    np.not_equal(flat[1:], flat[:-1], out=firsts[1:])
    found: list[int] = np.unique(flat[firsts]).tolist()
    return [number for number in found if number]


def box_of(rings: Iterable[NDArray[Any]]) -> tuple[int, int, int, int]:
    """``(y0, x0, y1, x1)`` around rings of corners of pixels, half-open."""
    points = np.concatenate(list(rings))
    (y0, x0), (y1, x1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return y0, x0, y1, x1
