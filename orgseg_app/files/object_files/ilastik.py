"""ilastik's projects (``.ilp``): what was painted for pixel classification, as classes.

An HDF5 file. ``/Input Data/infos/lane0000/Raw Data`` says of each image its name (``filePath`` or
``nickname``), ``shape`` and ``axistags``; ``/PixelClassification/LabelSets/labels000`` holds what
was painted on it as ``block0000``, ``block0001``, … whose attribute ``blockSlice``
(``"[0:1,3:90,7:45,0:1]"``) says where; ``/PixelClassification/LabelNames`` names the labels, 1
being the first. 0 is unlabelled. Paths in it are names to pair by and are never followed, and
neither are links.

Berg, S. et al. (2019), ilastik: interactive machine learning for (bio)image analysis, Nat. Methods
16, 1226–1232. Labels and simple segmentations that ilastik exports are HDF5 and TIFF label images,
which are opened as such.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.errors import ReadError
from orgseg_app.files.names import clean_text
from orgseg_app.files.object_files.format import Annotated, Contents, ObjectFormat, ObjectsRead
from orgseg_app.files.readers.hdf5_file import opened_hdf5
from orgseg_app.files.readers.names import clean_name, natural_key, shown

_MAGIC = b"\x89HDF\r\n\x1a\n"
_LABELS = "PixelClassification/LabelSets"
_NAMES = "PixelClassification/LabelNames"
_LANES = "Input Data/infos"
_ROLE = "Raw Data"
_SLICES = re.compile(r"(\d{1,9}):(\d{1,9})")
_USUAL_AXES = {5: "tzyxc", 4: "zyxc", 3: "yxc", 2: "yx"}
_MAX_LANES = 100_000
_MAX_BLOCKS = 200_000
_MAX_CLASSES = 255
_MAX_TEXT = 65_536
_MAX_BLOCK_BYTES = 2**30


@dataclass(frozen=True)
class _Lane:
    """One image of a project; sizes are 0 where it does not say them."""

    key: str
    name: str
    axes: str
    times: int
    depth: int
    height: int
    width: int


@dataclass(frozen=True)
class _Block:
    """Labels of a part of an image, where they begin, and the axes as far as they are said."""

    values: NDArray[np.integer[Any]]
    starts: list[int]
    axes: str


def looks_like(path: Path, head: bytes) -> bool:
    """An HDF5 file named as ilastik's projects are; what is in it, only `contents` can tell."""
    return head.startswith(_MAGIC)


def contents(path: Path) -> Contents:
    """The images on which something is painted.

    Raises
    ------
    ReadError
        It is damaged, or a project of another kind, or nothing is painted in it.
    """
    with _opened(path) as file:
        names = _class_names(file, path)
        lanes = _lanes(file, path)
        painted = [lane for lane in lanes if _is_painted(file, lane)]
    if not painted:
        raise ReadError(
            f"Nothing is painted in the ilastik project {shown(path)}; paint labels in ilastik and "
            "save it, or import its images alone."
        )
    notes: tuple[str, ...] = ()
    if (left := len(lanes) - len(painted)) > 0:
        have = "1 image of the project has" if left == 1 else f"{left:,} images of the project have"
        notes = (f"{have} no labels.",)
    images = tuple(
        Annotated(lane.key, lane.name, lane.height, lane.width, 0, "classes") for lane in painted
    )
    return Contents(images, names, notes)


def read(path: Path, key: str, shape_zyx: tuple[int, int, int]) -> ObjectsRead:
    """What is painted on one image.

    Parameters
    ----------
    path, key
        As `contents` gave them.
    shape_zyx
        Of the image; of a recording, all planes of all time points in order.

    Raises
    ------
    ReadError
        As `contents`; or a label lies outside the image.
    """
    with _opened(path) as file:
        names = _class_names(file, path)
        lane = next((lane for lane in _lanes(file, path) if lane.key == key), None)
        if lane is None:
            raise ReadError(f"{shown(path)} has changed since it was looked at; import it again.")
        if lane.height and (lane.times * lane.depth, lane.height, lane.width) != shape_zyx:
            own = (lane.times * lane.depth, lane.height, lane.width)
            sizes = [" × ".join(map(str, s if s[0] > 1 else s[1:])) for s in (own, shape_zyx)]
            raise ReadError(
                f"“{lane.name}” is {sizes[0]} in the ilastik project {shown(path)}, but the image "
                f"is {sizes[1]}."
            )
        labels = np.full(shape_zyx, -1, np.int32)
        unnamed = 0
        for block in _blocks(file, lane, path):
            unnamed += _place(labels, block, lane, len(names), path)
    notes: tuple[str, ...] = ()
    if unnamed:
        notes = (f"{unnamed:,} pixels have a label without a name and were left unlabelled.",)
    return ObjectsRead(classes=dict(enumerate(names, 1)), labels=labels, notes=notes)


def _place(labels: NDArray[np.int32], block: _Block, lane: _Lane, count: int, path: Path) -> int:
    """Put a block where it belongs; returns how many of its pixels have no class."""
    axes = _axes_of(block.axes, block.values.ndim, path)
    lengths = dict(zip(axes, block.values.shape, strict=True))
    if lengths.get("c", 1) != 1:
        raise _damaged(path)
    order = [axes.index(axis) for axis in "ctzyx" if axis in axes]
    values = block.values.transpose(order).reshape([lengths.get(axis, 1) for axis in "tzyx"])
    starts = dict(zip(axes, block.starts, strict=True))
    t0, z0, y0, x0 = (starts.get(axis, 0) for axis in "tzyx")
    height, width = values.shape[2:]
    depth = lane.depth or labels.shape[0]
    if (
        z0 + values.shape[1] > depth
        or y0 + height > labels.shape[1]
        or x0 + width > labels.shape[2]
    ):
        raise _outside(path, lane)
    for t, of_time in enumerate(values, t0):
        for z, plane in enumerate(of_time, z0):
            if t * depth + z >= len(labels):
                raise _outside(path, lane)
            part = labels[t * depth + z, y0 : y0 + height, x0 : x0 + width]
            known = (plane > 0) & (plane <= count)
            part[known] = plane[known]
    return int((values > count).sum())


def _blocks(file: Any, lane: _Lane, path: Path) -> Iterator[_Block]:
    """The blocks of an image."""
    import h5py

    group = _inside(file, f"{_LABELS}/{_set_name(file, lane)}")
    names = sorted(group) if isinstance(group, h5py.Group) else []
    if len(names) > _MAX_BLOCKS:
        raise ReadError(f"{shown(path)} holds more blocks of labels than can be read.")
    for name in names:
        block = _inside(group, name)
        if not isinstance(block, h5py.Dataset):
            continue  # of a workflow with masked arrays, which paints no labels
        where = _slices(block)
        _check_block(block, where, path)
        axes = _axes_in(_text_of(block.attrs, "axistags")) or lane.axes
        yield _Block(block[()], [first for first, _ in where], axes)


def _check_block(block: Any, where: list[tuple[int, int]], path: Path) -> None:
    """Refuse a block that is not what its place promises, or lies elsewhere, before reading it."""
    import h5py

    plan = block.id.get_create_plist()
    elsewhere = plan.get_external_count() or plan.get_layout() == h5py.h5d.VIRTUAL
    if elsewhere or block.dtype.kind not in "ui" or block.dtype.itemsize > 8:
        raise _damaged(path)
    if [last - first for first, last in where] != list(block.shape) or not block.shape:
        raise _damaged(path)
    if math.prod(block.shape) * block.dtype.itemsize > _MAX_BLOCK_BYTES:
        raise ReadError(f"{shown(path)} holds a block of labels too large to be read.")
    for number in range(plan.get_nfilters()):
        if not h5py.h5z.filter_avail(plan.get_filter(number)[0]):
            raise ReadError(
                f"The labels in {shown(path)} are packed in a way that cannot be undone here."
            )


def _slices(block: Any) -> list[tuple[int, int]]:
    """``"[0:1,3:90]"`` as pairs of numbers."""
    text = _text_of(block.attrs, "blockSlice")
    return [(int(first), int(last)) for first, last in _SLICES.findall(text)]


def _lanes(file: Any, path: Path) -> list[_Lane]:
    """The images of a project, in order."""
    import h5py

    infos = _inside(file, _LANES)
    if not isinstance(infos, h5py.Group):
        raise ReadError(f"The ilastik project {shown(path)} does not say what its images are.")
    keys = sorted((key for key in infos if re.fullmatch(r"(lane|info)\d+", key)), key=natural_key)
    if len(keys) > _MAX_LANES:
        raise ReadError(f"The ilastik project {shown(path)} names more images than can be read.")
    return [_lane(_inside(infos, key), key) for key in keys]


def _lane(group: Any, key: str) -> _Lane:
    """What is said of an image, as far as it is."""
    role = _inside(group, _ROLE)
    role = group if role is None else role  # before ilastik 1.0
    said = _text_of(role, "filePath") or _text_of(role, "nickname")
    # “images.h5/volume/data” is an array in images.h5.
    name = re.split(r"\.(?:h5|hdf5|ilp|n5|zarr)[/\\]", said, flags=re.IGNORECASE)[0]
    name = clean_name(re.split(r"[/\\]", name)[-1], fallback="")
    nickname = clean_name(_text_of(role, "nickname"), fallback="")
    axes = _axes_in(_text_of(role, "axistags")) or _text_of(role, "axisorder").lower()
    shape = _numbers_of(role, "shape")
    lengths = dict(zip(axes, shape, strict=True)) if len(axes) == len(shape) else {}
    times, depth, height, width = (lengths.get(axis, 0) for axis in "tzyx")
    if height and width:
        times, depth = max(1, times), max(1, depth)
    return _Lane(key, name or nickname or key, axes, times, depth, height, width)


def _set_name(file: Any, lane: _Lane) -> str:
    """The name of an image's group of blocks, by its number."""
    number = int(re.sub(r"\D", "", lane.key))
    group = _inside(file, _LABELS)
    for name in () if group is None else group:
        if re.fullmatch(r"labels\d+", name) and int(name[6:]) == number:
            return str(name)
    return f"labels{number:03d}"


def _is_painted(file: Any, lane: _Lane) -> bool:
    group = _inside(file, f"{_LABELS}/{_set_name(file, lane)}")
    return group is not None and len(group) > 0


def _class_names(file: Any, path: Path) -> tuple[str, ...]:
    """Names of the labels; 1 is the first."""
    import h5py

    if not isinstance(_inside(file, _LABELS), h5py.Group):
        workflow = clean_text(_text_of(file, "workflowName"), 60)
        kind = f" of the workflow “{workflow}”" if workflow else ""
        raise ReadError(
            f"{shown(path)} is an ilastik project{kind} without labels of a pixel classification, "
            "which are all that is read of a project; export the labels in ilastik as HDF5 or TIFF."
        )
    names = _inside(file, _NAMES)
    if not isinstance(names, h5py.Dataset) or names.ndim != 1 or len(names) > _MAX_CLASSES:
        raise _damaged(path)
    if names.id.get_create_plist().get_external_count():
        raise _damaged(path)
    said = [n.decode("utf-8", "replace") if isinstance(n, bytes) else str(n) for n in names[()]]
    return tuple(clean_name(name, fallback=f"Label {n}") for n, name in enumerate(said, 1))


def _axes_of(axes: str, dimensions: int, path: Path) -> str:
    """A letter for each axis of a block; labels have one channel, also where images have none."""
    for said in (axes, f"{axes}c", axes.replace("c", ""), _USUAL_AXES.get(dimensions, "")):
        if len(said) == dimensions and {"y", "x"} <= set(said) <= set("tzyxc"):
            return said
    raise _damaged(path)


def _axes_in(text: str) -> str:
    """Letters of vigra's ``axistags``."""
    try:
        axes = "".join(str(axis["key"])[:1].lower() for axis in json.loads(text)["axes"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""
    return axes if len(set(axes)) == len(axes) else ""


# -- within an HDF5 file, by hard links only -------------------------------------------------------


def _inside(group: Any, where: str) -> Any:
    """A group or array below another; None where there is none, or a link leads there."""
    import h5py

    for name in where.split("/"):
        if not isinstance(group, h5py.Group) or not group.id.links.exists(name.encode()):
            return None
        if group.id.links.get_info(name.encode()).type != h5py.h5l.TYPE_HARD:
            return None
        group = group[name]
    return group


def _text_of(group: Any, name: str) -> str:
    """A text in a group or among the attributes; “” where it is missing or something else."""
    import h5py

    if isinstance(group, h5py.AttributeManager):
        if name not in group or group.get_id(name).get_storage_size() > _MAX_TEXT:
            return ""
        value = group[name]
    else:
        found = _inside(group, name)
        if not isinstance(found, h5py.Dataset) or found.shape != ():
            return ""
        if found.id.get_storage_size() > _MAX_TEXT or found.dtype.itemsize > _MAX_TEXT:
            return ""
        value = found[()]
    if isinstance(value, (bytes, np.bytes_)):
        return bytes(value[:_MAX_TEXT]).decode("utf-8", "replace")
    return value[:_MAX_TEXT] if isinstance(value, str) else ""


def _numbers_of(group: Any, name: str) -> list[int]:
    """A short list of sizes."""
    import h5py

    found = _inside(group, name)
    if not isinstance(found, h5py.Dataset) or found.ndim != 1 or len(found) > 8:
        return []
    numbers = [int(n) for n in found[()]] if found.dtype.kind in "ui" else []
    return numbers if all(0 < n < 2**31 for n in numbers) else []


def _opened(path: Path) -> AbstractContextManager[Any]:
    """An h5py.File for reading."""
    return opened_hdf5(path, lambda error: _damaged(path))


def _damaged(path: Path) -> ReadError:
    return ReadError(
        f"The ilastik project {shown(path)} is damaged or incomplete. Copy it again from where it "
        "came from, or export the labels in ilastik as HDF5 or TIFF."
    )


def _outside(path: Path, lane: _Lane) -> ReadError:
    return ReadError(
        f"The ilastik project {shown(path)} has labels outside the image “{lane.name}”; it belongs "
        "to an image of another size."
    )


FORMAT = ObjectFormat(
    name="ilastik",
    title="ilastik project (.ilp)",
    about="What was painted for pixel classification, for all images of the project: each label is "
    "a class, the rest is unlabelled.",
    suffixes=(".ilp",),
    looks_like=looks_like,
    contents=contents,
    read=read,
)
