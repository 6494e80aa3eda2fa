"""What every format of object files says of a file, reads out of it, and is given to write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SHAPES = ("masks", "polygons", "runs", "boxes", "classes")
"""What a file describes its objects by; ``"classes"`` are areas of a kind, without objects."""

HEAD_BYTES = 1 << 16
"""As much of the beginning of a file as `ObjectFormat.looks_like` gets."""


@dataclass(frozen=True)
class Annotated:
    """One image that a file annotates.

    Attributes
    ----------
    key
        How the format names the image within the file; “” where there is only one.
    image_name
        File name or stem of the image, “” where the file does not say. Never a path to follow.
    height, width
        Of the image, in pixels; 0 where the file does not say.
    objects
        How many it promises.
    shapes
        One of `SHAPES`.
    content_hash
        SHA-256 or MD5 of the image's file in hexadecimal digits, where the format has one.
    """

    key: str = ""
    image_name: str = ""
    height: int = 0
    width: int = 0
    objects: int = 0
    shapes: str = "polygons"
    content_hash: str = ""


@dataclass(frozen=True)
class Contents:
    """What a file annotates.

    Attributes
    ----------
    images
        In the file's order.
    class_names
        All classes of the file, in order; empty where it has none.
    notes
        Sentences about what had to be decided.
    """

    images: tuple[Annotated, ...]
    class_names: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectBox:
    """A box around an object of which nothing else is known; half-open, in pixels."""

    number: int
    y0: int
    x0: int
    y1: int
    x1: int
    z: int = 0


@dataclass
class ObjectsRead:
    """The annotation of one image.

    Attributes
    ----------
    objects
        uint32 ``(Z, Y, X)``: 1… in the file's order, 0 outside; None where there are only boxes or
        classes.
    classes
        Object number → name of its class; empty where the file knows no classes. For ``labels``:
        value → name of the class.
    boxes
        Objects of which only a box is known.
    labels
        int32 ``(Z, Y, X)``: place of a class among `Contents.class_names` + 1, 0 background, -1
        unlabelled; for files of classes.
    notes
        Sentences about what had to be decided.
    """

    objects: NDArray[np.uint32] | None = None
    classes: Mapping[int, str] = field(default_factory=dict)
    boxes: tuple[ObjectBox, ...] = ()
    labels: NDArray[np.int32] | None = None
    notes: tuple[str, ...] = ()


@dataclass
class ObjectImage:
    """One image's objects, to be written.

    Attributes
    ----------
    name
        File name of the image.
    objects
        uint32 ``(Z, Y, X)``, 0 outside.
    classes
        Object number → name of its class.
    pixel_size_um
        ``(z, y, x)``; None where it is unknown.
    """

    name: str
    objects: NDArray[np.uint32]
    classes: Mapping[int, str] = field(default_factory=dict)
    pixel_size_um: tuple[float, float, float] | None = None


Write = Callable[[Path, Sequence[ObjectImage], Sequence[str]], list[Path]]
"""Target, images, names of all classes → the files written."""


@dataclass(frozen=True)
class ObjectFormat:
    """One format.

    Attributes
    ----------
    name
        As typed: ``--format NAME``.
    title
        As shown.
    about
        What such a file holds, in a sentence.
    suffixes
        Endings such files have, lower case with the dot. Others are not looked into.
    looks_like
        Path and first `HEAD_BYTES` → True if it is such a file, by its content.
    contents
        What a file annotates. Raises `ReadError` with one sentence.
    read
        Path, `Annotated.key`, shape ``(Z, Y, X)`` of the image → its annotation. Raises
        `ReadError`.
    write
        None where the format is only read.
    written
        ``"file"``: one file for all images; ``"each"``: a file for each image, into a folder.
    """

    name: str
    title: str
    about: str
    suffixes: tuple[str, ...]
    looks_like: Callable[[Path, bytes], bool]
    contents: Callable[[Path], Contents]
    read: Callable[[Path, str, tuple[int, int, int]], ObjectsRead]
    write: Write | None = None
    written: str = ""
