"""Cellpose's ``*_seg.npy``: a dictionary, pickled by `numpy.save`, with the masks of one image.

Python's own unpickler would run whatever such a file asks for, so it is not used:
`orgseg_app.files.object_files.plain_pickle` reads the values, and refuses everything else. What
Cellpose saves as pictures (``_cp_masks.tif``, ``_masks.png``) are label images beside their image
(`orgseg_app.files.annotations.label_image`).

Stringer, C., Wang, T., Michaelos, M. and Pachitariu, M. (2021), Cellpose: a generalist algorithm
for cellular segmentation, Nat. Methods 18, 100–106; the keys are those of its documentation,
“Outputs”.
"""

from __future__ import annotations

import mmap
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.annotations.pieces import distinct
from orgseg_app.files.errors import ReadError
from orgseg_app.files.export import export_path
from orgseg_app.files.names import clean_text
from orgseg_app.files.object_files.format import (
    Annotated,
    Contents,
    ObjectFormat,
    ObjectImage,
    ObjectsRead,
)
from orgseg_app.files.object_files.plain_pickle import NotPlainError, PlainArray, read_plain
from orgseg_app.files.readers.names import clean_name, shown
from orgseg_app.files.readers.sniff import cannot_open

ENDING = "_seg.npy"
_MAGIC = b"\x93NUMPY"
_HEADER = re.compile(rb"\{.*'descr':\s*'\|?O'.*'shape':\s*\(\s*(1,)?\s*\).*\}\s*", re.DOTALL)
_MAX_HEADER = 4096
_HIGHEST = 2**32 - 1
_SPARSE = 1000
"""Numbers this many times higher than there are objects are given anew."""


def looks_like(path: Path, head: bytes) -> bool:
    """A NumPy file that holds one Python object, and not an array of numbers."""
    return head.startswith(_MAGIC) and _pickle_start(head) > 0


def contents(path: Path) -> Contents:
    """One image, named as the file is named.

    Raises
    ------
    ReadError
        It asks for something to be run, is damaged, or has no masks.
    """
    found = _dictionary(path)
    masks = _masks(found, path)
    objects = len(_numbers(masks))
    height, width = masks.shape[1:]
    return Contents((Annotated("", _image_name(found, path), height, width, objects, "masks"),))


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """The masks of the image; objects keep the numbers they have in Cellpose, unless these are far
    apart.

    Raises
    ------
    ReadError
        As `contents`; or the masks have another size than the image.
    """
    masks = _masks(_dictionary(path), path)
    if masks.shape != shape_zyx:
        sizes = [" × ".join(map(str, s if s[0] > 1 else s[1:])) for s in (masks.shape, shape_zyx)]
        raise ReadError(f"The masks in {shown(path)} are {sizes[0]}, but the image is {sizes[1]}.")
    lowest = int(masks.min(initial=0))
    if int(masks.max()) > _SPARSE * (len(_numbers(masks)) + 1):
        return ObjectsRead(_without_gaps(np.maximum(masks - lowest, 0)).reshape(shape_zyx))
    objects = np.empty(shape_zyx, np.uint32)
    for z, plane in enumerate(masks):
        objects[z] = plane - lowest  # old files count from -1
    return ObjectsRead(objects)


def write(target: Path, images: Sequence[ObjectImage], class_names: Sequence[str]) -> list[Path]:
    """A ``NAME_seg.npy`` for each image, as Cellpose's window opens it beside the image.

    Objects keep their order, but not gaps in their numbers: Cellpose wants 1, 2, 3, … without.
    """
    written = []
    for image in images:
        path = export_path(target, Path(image.name).stem, ENDING)
        numbered = _without_gaps(image.objects)
        count = int(numbered.max(initial=0))
        masks: NDArray[np.unsignedinteger[Any]] = numbered
        if count < 2**16 - 1:
            masks = numbered.astype(np.uint16)
        if len(masks) == 1:
            masks = masks[0]
        plain: dict[str, object] = {
            "masks": masks,
            "outlines": np.where(_inner_borders(masks), masks, masks.dtype.type(0)),
            "filename": image.name,
            "chan_choose": [0, 0],
            "ismanual": np.ones(count, bool),
            "manual_changes": [],
        }
        boxed = np.empty((), object)
        boxed[()] = plain
        with path.open("wb") as stream:
            np.save(stream, boxed, allow_pickle=True)  # writing one runs nothing
        written.append(path)
    return written


def _dictionary(path: Path) -> dict[Any, Any]:
    """The values of a file; arrays are views of it."""
    try:
        with path.open("rb") as stream:
            mapped = memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:
        raise cannot_open(path, error) from error
    start = _pickle_start(bytes(mapped[:_MAX_HEADER]))
    if not start:
        raise ReadError(f"{shown(path)} is not a file of Cellpose: it holds no dictionary.")
    try:
        found = read_plain(mapped[start:])
    except NotPlainError as error:
        raise _refused(path, error) from error
    if isinstance(found, PlainArray) and len(found.values) == 1:
        found = found.values[0]
    if not isinstance(found, dict):
        raise ReadError(f"{shown(path)} is not a file of Cellpose: it holds no dictionary.")
    return found


def _refused(path: Path, error: NotPlainError) -> ReadError:
    if error.asked:
        return ReadError(
            f"{shown(path)} was not opened: besides numbers and text it asks for "
            f"“{clean_text(error.asked, 80)}” to be run, which a file of Cellpose never needs. "
            "Nothing in it was run. Export the masks from Cellpose as PNG or TIFF instead."
        )
    return ReadError(
        f"{shown(path)} is damaged, or holds what Cellpose does not write; nothing in it was run. "
        "Save it again in Cellpose, or export the masks there as PNG or TIFF."
    )


def _pickle_start(head: bytes) -> int:
    """Where the pickle begins; 0 where the file is of another kind."""
    if len(head) < 12 or not head.startswith(_MAGIC):
        return 0
    wide = head[6] >= 2
    size = int.from_bytes(head[8 : 12 if wide else 10], "little")
    start = (12 if wide else 10) + size
    if size > _MAX_HEADER or start > len(head):
        return 0
    return start if _HEADER.fullmatch(head[start - size : start]) else 0


def _masks(found: dict[Any, Any], path: Path) -> NDArray[Any]:
    """Masks ``(Z, Y, X)``, whole numbers from -1 or 0 on.

    Raises
    ------
    ReadError
        When there are none, or something else.
    """
    value = found.get("masks")
    masks = value.numbers if isinstance(value, PlainArray) else None
    if masks is None or not masks.size:
        raise ReadError(
            f"{shown(path)} holds no masks; open it in Cellpose, save it again, and import that."
        )
    while masks.ndim > 3 and 1 in masks.shape:  # the channel at the end first, then the plane
        masks = masks.squeeze(max(n for n, size in enumerate(masks.shape) if size == 1))
    if masks.ndim == 2:
        masks = masks[np.newaxis]
    if masks.ndim != 3 or masks.dtype.kind not in "buif":
        raise ReadError(f"The masks in {shown(path)} are neither of a plane nor of a volume.")
    is_whole = masks.dtype.kind != "f" or all((p == np.rint(p)).all() for p in masks)
    if not is_whole or masks.min() < -1 or masks.max() > _HIGHEST:
        raise ReadError(
            f"The masks in {shown(path)} are not one whole number for each object, as Cellpose "
            "writes them."
        )
    return masks.astype(np.int64) if masks.dtype.kind in "bf" else masks


def _numbers(masks: NDArray[Any]) -> list[int]:
    """The numbers that objects have."""
    found = [int(n) for n in distinct(masks)]
    return found[1:] if found and found[0] <= 0 else found


def _image_name(found: dict[Any, Any], path: Path) -> str:
    """As Cellpose pairs them: ``cell_seg.npy`` belongs to cell; else what it says inside."""
    if path.name.lower().endswith(ENDING):
        return clean_name(path.name[: -len(ENDING)], fallback="")
    said = found.get("filename")
    last = re.split(r"[/\\]", said)[-1] if isinstance(said, str) else ""
    return clean_name(last, fallback="")


def _without_gaps(objects: NDArray[Any]) -> NDArray[np.uint32]:
    """Objects 1, 2, 3, … in order of their numbers."""
    numbers = distinct(objects)
    numbers = numbers[numbers > 0]
    masks = np.empty(objects.shape, np.uint32)
    for z, plane in enumerate(objects):
        masks[z] = np.where(plane > 0, np.searchsorted(numbers, plane) + 1, 0)
    return masks


def _inner_borders(masks: NDArray[np.unsignedinteger[Any]]) -> NDArray[np.bool_]:
    """Voxels of objects with another object or none beside them in their plane."""
    padded = np.pad(masks, [(0, 0)] * (masks.ndim - 2) + [(1, 1), (1, 1)], mode="edge")
    inside = padded[..., 1:-1, 1:-1]
    neighbours = (
        padded[..., :-2, 1:-1],
        padded[..., 2:, 1:-1],
        padded[..., 1:-1, :-2],
        padded[..., 1:-1, 2:],
    )
    borders: NDArray[np.bool_] = np.zeros(masks.shape, bool)
    for beside in neighbours:
        borders |= inside != beside
    return borders & (inside > 0)


FORMAT = ObjectFormat(
    name="cellpose",
    title="Cellpose masks (_seg.npy)",
    about="NAME_seg.npy, as Cellpose's window saves them beside the image NAME: one number for "
    "each cell.",
    suffixes=(".npy",),
    looks_like=looks_like,
    contents=contents,
    read=read,
    write=write,
    written="each",
)
