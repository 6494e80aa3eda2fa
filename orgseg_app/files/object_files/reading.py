"""Reading object files: in the child process that reads for this thread, where there is one.

`files.readers.apart` opens the session; `files.safety.reading_child` answers by `look_here` and
`read_here`. What the child says is taken apart with care: a file may have taken it over.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.errors import ReadError
from orgseg_app.files.names import clean_text
from orgseg_app.files.object_files.format import (
    HEAD_BYTES,
    SHAPES,
    Annotated,
    Contents,
    ObjectBox,
    ObjectsRead,
)
from orgseg_app.files.object_files.registry import OBJECT_FORMATS
from orgseg_app.files.readers import apart
from orgseg_app.files.readers.names import shown
from orgseg_app.files.readers.sniff import cannot_open

SUFFIXES: frozenset[str] = frozenset(
    suffix for format_ in OBJECT_FORMATS.values() for suffix in format_.suffixes
)
"""File name endings that are looked into, lower case, with the dot."""

_MAX_IMAGES = 200_000
_MAX_CLASSES = 10_000
_MAX_KEY = 1000
_MAX_NAME = 300
_MAX_SENTENCE = 1000
_MAX_NOTES = 20
_MAX_SIDE = 2**31

Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Known:
    """A file that is an object file.

    Attributes
    ----------
    format
        Key of `OBJECT_FORMATS`.
    contents
        What it annotates.
    """

    format: str
    contents: Contents


def look_at(path: Path) -> Known | None:
    """What an object file annotates; None for other files.

    Raises
    ------
    ReadError
        One sentence: it is one, but damaged, too large or not supported.
    """
    child = apart.in_use()
    return look_here(path) if child is None else child.ask(path, "object_contents", _known_in)


def read_objects(path: Path, format: str, key: str, shape_zyx: Shape) -> ObjectsRead:
    """The annotation of one image.

    Parameters
    ----------
    path, format, key
        As `look_at` gave them.
    shape_zyx
        Of the image.

    Raises
    ------
    ReadError
        One sentence: it cannot be read, or does not fit the image.
    """
    child = apart.in_use()
    if child is None:
        return read_here(path, format, key, shape_zyx)
    voxels = math.prod(shape_zyx)

    def take(answer: dict[str, Any]) -> ObjectsRead:
        read = _objects_in(answer)
        if answer["has_objects"] is True:
            read.objects = _filled(np.empty(shape_zyx, np.uint32))
        if answer["has_labels"] is True:
            read.labels = _filled(np.empty(shape_zyx, np.int32))
        return read

    def _filled(array: NDArray[Any]) -> NDArray[Any]:
        assert child is not None
        child.fill(array)
        return array

    apart.check_room(8 * voxels)
    return child.ask(
        path, "objects", take, format=format, key=key, shape=[int(n) for n in shape_zyx]
    )


def look_here(path: Path) -> Known | None:
    """As `look_at`, in this process."""
    suffix = path.suffix.lower()
    candidates = [f for f in OBJECT_FORMATS.values() if suffix in f.suffixes]
    if not candidates or not path.is_file():
        return None
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError as error:
        raise cannot_open(path, error) from error
    for format_ in candidates:
        if format_.looks_like(path, head):
            return Known(format_.name, format_.contents(path))
    return None


def read_here(path: Path, format: str, key: str, shape_zyx: Shape) -> ObjectsRead:
    """As `read_objects`, in this process."""
    read = OBJECT_FORMATS[format].read(path, key, shape_zyx)
    for array in (read.objects, read.labels):
        if array is not None and array.shape != shape_zyx:
            raise ReadError(f"{shown(path)} does not fit its image.")
    return read


# -- over the pipe ---------------------------------------------------------------------------------


def known_answer(known: Known | None) -> dict[str, Any]:
    """What the child answers to ``object_contents``."""
    if known is None:
        return {"format": None}
    contents = known.contents
    return {
        "format": known.format,
        "images": [dataclasses.astuple(image) for image in contents.images],
        "class_names": contents.class_names,
        "notes": contents.notes,
    }


def objects_answer(read: ObjectsRead) -> dict[str, Any]:
    """What the child answers to ``objects``, before the arrays."""
    names = sorted(set(read.classes.values()))
    places = {name: place for place, name in enumerate(names)}
    return {
        "has_objects": read.objects is not None,
        "has_labels": read.labels is not None,
        "class_names": names,
        "classes": [[int(number), places[name]] for number, name in read.classes.items()],
        "boxes": [dataclasses.astuple(box) for box in read.boxes],
        "notes": read.notes,
    }


def _known_in(answer: dict[str, Any]) -> Known | None:
    if answer["format"] is None:
        return None
    if answer["format"] not in OBJECT_FORMATS or len(answer["images"]) > _MAX_IMAGES:
        raise ValueError(answer["format"])
    images = tuple(_annotated(*facts) for facts in answer["images"])
    if len({image.key for image in images}) != len(images):
        raise ValueError("two images of the same key")
    return Known(
        str(answer["format"]), Contents(images, _names_in(answer), _sentences(answer["notes"]))
    )


def _annotated(
    key: str, name: str, height: int, width: int, objects: int, shapes: str, content_hash: str
) -> Annotated:
    if type(key) is not str or len(key) > _MAX_KEY or shapes not in SHAPES:
        raise ValueError(key)
    counts = (height, width, objects)
    if any(type(n) is not int or not 0 <= n <= _MAX_SIDE for n in counts):
        raise ValueError(counts)
    return Annotated(
        key,
        clean_text(str(name), _MAX_NAME),
        height,
        width,
        objects,
        shapes,
        clean_text(str(content_hash), 128).casefold(),
    )


def _objects_in(answer: dict[str, Any]) -> ObjectsRead:
    names = _names_in(answer)
    classes = {}
    for number, place in answer["classes"]:
        if type(number) is not int or type(place) is not int or not 0 <= place < len(names):
            raise ValueError(answer)
        classes[number] = names[place]
    boxes = [ObjectBox(*map(int, facts)) for facts in answer["boxes"]]
    return ObjectsRead(classes=classes, boxes=tuple(boxes), notes=_sentences(answer["notes"]))


def _names_in(answer: dict[str, Any]) -> tuple[str, ...]:
    names = answer["class_names"]
    if len(names) > _MAX_CLASSES:
        raise ValueError(len(names))
    return tuple(clean_text(str(name), _MAX_NAME) for name in names)


def _sentences(texts: list[str]) -> tuple[str, ...]:
    return tuple(clean_text(str(text), _MAX_SENTENCE) for text in texts[:_MAX_NOTES])
