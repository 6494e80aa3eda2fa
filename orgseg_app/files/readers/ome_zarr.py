"""OME-Zarr images (NGFF 0.1 to 0.5) and plain Zarr arrays: folders of blocks, read plane by plane.

Moore, J. et al. (2021), OME-NGFF: a next-generation file format for expanding bioimaging
data-access strategies, Nat. Methods 18, 1496–1498; ngff.openmicroscopy.org.

Taken is the finest level of each image. The labels that an image carries are found by
`label_folders`.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.names import clean_name, shown
from orgseg_app.files.readers.sniff import cannot_open
from orgseg_app.files.readers.volumes import (
    IMAGE,
    LABELS,
    MICROMETRES,
    Pixels,
    PixelSize,
    Slab,
    Volume,
    check_volume,
)
from orgseg_app.files.readers.zarr_array import ZarrArray, ZarrError, metadata, open_array

_SERIES_MOST = 256
_COUNTED_FILES = 20_000
_LABELS_MOST = 64


def zarr_volumes(path: Path) -> list[Volume]:
    """The images of a Zarr folder, each at its finest level.

    Raises
    ------
    ReadError
        One sentence: damaged, no image in it, or a packing that is not known.
    """
    try:
        groups = _image_groups(path)
        found = [_volume(path, group, named=len(groups) > 1) for group in groups]
    except OSError as error:
        raise cannot_open(path, error) from error
    except ZarrError as error:
        raise ReadError(f"{shown(path)} {error}.") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise ReadError(f"{shown(path)} is damaged: it contradicts itself.") from error
    return [check_volume(volume, path) for volume in found]


def label_folders(path: Path) -> list[Path]:
    """Folders of the labels that an image carries; none where they cannot be read."""
    try:
        listed = _attributes(path / "labels").get("labels", [])
        folders = [_below(path / "labels", name) for name in listed[:_LABELS_MOST]]
        return [folder for folder in folders if folder.is_dir()]
    except (OSError, ZarrError, TypeError, ValueError):
        return []


def _image_groups(path: Path) -> list[str]:
    """Folders of images in a Zarr folder; ``""`` for the folder itself."""
    attributes = _attributes(path)
    if "multiscales" in attributes or _is_array(path):
        return [""]
    if "plate" in attributes or "well" in attributes:
        raise ZarrError(
            "holds a plate of wells; choose the folder of one image in it (plate/row/column/field)"
        )
    series = [n for n in map(str, range(_SERIES_MOST)) if (path / n).is_dir()]
    if "bioformats2raw.layout" in attributes or "labels" not in attributes:
        groups = [n for n in series if "multiscales" in _attributes(path / n)]
        if groups:
            return groups
        arrays = [entry.name for entry in sorted(path.iterdir()) if _is_array(entry)]
        if arrays:
            return arrays[:_SERIES_MOST]
    raise ZarrError("is a Zarr folder that holds no image")


def _volume(path: Path, group: str, *, named: bool) -> Volume:
    folder = path / group if group else path
    attributes = _attributes(folder)
    axes: tuple[str, ...] = ()
    size: PixelSize | None = None
    if "multiscales" in attributes:
        picture = attributes["multiscales"][0]
        level = picture["datasets"][0]
        array = open_array(_below(folder, str(level["path"])))
        axes, units = _axes(picture.get("axes"), len(array.shape))
        scale = _scale(level, picture, len(array.shape))
        size = _pixel_size(axes, units, scale)
    else:
        array = open_array(folder)
        axes, _ = _axes(list(array.names) if all(array.names) else None, len(array.shape))
    lengths = dict(zip(axes, array.shape, strict=True))
    t, c, z, y, x = (lengths.get(axis, 1) for axis in "tczyx")
    shape = (t, c, z, y, x)
    deep = array.block[axes.index("z")] if "z" in axes else 1
    slab = Slab(
        functools.partial(_read_planes, array, axes, path), shape, deep, array.dtype.itemsize
    )
    declared = math.prod(shape) * array.dtype.itemsize
    return Volume(
        inner=group if named else "",
        shape=shape,
        dtype=array.dtype.newbyteorder("="),
        read=slab.plane,
        work_bytes=max(slab.bytes, 2 * array.block_bytes),
        stored_bytes=_stored(array.folder, declared),
        pixel_size_um=size,
        channel_names=_channel_names(attributes, c),
        kind=LABELS if "image-label" in attributes and array.dtype.kind in "bui" else IMAGE,
    )


def _read_planes(
    array: ZarrArray, axes: Sequence[str], path: Path, time: int, first: int, last: int
) -> Pixels:
    """Planes ``(Z, C, Y, X)`` as stored."""
    where = {"t": slice(time, time + 1), "z": slice(first, last)}
    try:
        values = array.read([where.get(axis, slice(None)) for axis in axes])
    except OSError as error:
        raise cannot_open(path, error) from error
    except MemoryError:
        raise
    except Exception as error:  # codecs raise many kinds
        raise ReadError(
            f"{shown(path)} is damaged: a block of plane {first + 1} cannot be unpacked."
        ) from error
    values = values.transpose([axes.index(axis) for axis in "tzcyx" if axis in axes])
    missing = tuple(n for n, axis in enumerate("tzcyx") if axis not in axes)
    whole: Pixels = np.expand_dims(values, missing)[0]
    return whole


def _attributes(folder: Path) -> dict[str, Any]:
    """Attributes of a group or array; those of NGFF 0.5 are one level deeper."""
    found = metadata(folder, "zarr.json")
    if found is not None:
        attributes = found.get("attributes") or {}
        attributes = {**attributes, **(attributes.get("ome") or {})}
    else:
        attributes = metadata(folder, ".zattrs") or {}
    if not isinstance(attributes, dict):
        raise ZarrError("has damaged attributes")
    return attributes


def _is_array(folder: Path) -> bool:
    if os.path.isfile(folder / ".zarray"):
        return True
    found = metadata(folder, "zarr.json") if folder.is_dir() else None
    return found is not None and found.get("node_type") == "array"


def _below(folder: Path, name: Any) -> Path:
    """A folder below another one, as a file names it; never beside or above."""
    parts = PurePosixPath(str(name)).parts
    if not parts or "\\" in str(name) or ":" in str(name) or "\0" in str(name):
        raise ZarrError("names a folder that is none")
    if any(part in ("..", "/") or part.startswith("/") for part in parts):
        raise ZarrError("points to data outside of itself, which is not followed")
    return folder.joinpath(*parts)


def _axes(said: Any, count: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A letter of ``tczyx`` for each axis, and the unit of each."""
    if not said:
        if not 2 <= count <= 5:
            raise ZarrError(f"has {count} axes, where an image has two to five")
        return tuple("tczyx"[-count:] if count != 4 else "czyx"), ("",) * count
    letters, units = [], []
    for axis in said:
        name = str(axis.get("name", "") if isinstance(axis, dict) else axis).lower()
        kind = str(axis.get("type", "") if isinstance(axis, dict) else "")
        letter = {"time": "t", "channel": "c"}.get(kind, name[:1])
        letters.append(letter if letter in "tczyx" else "c")
        units.append(str(axis.get("unit", "") if isinstance(axis, dict) else ""))
    is_known = len(letters) == count == len(set(letters)) and {"y", "x"} <= set(letters)
    if not is_known:
        raise ZarrError("has axes that are not those of an image")
    return tuple(letters), tuple(units)


def _scale(level: dict[str, Any], picture: dict[str, Any], count: int) -> list[float]:
    """What one step along each axis means, in the axes' units."""
    scale = [1.0] * count
    found = False
    for holder in (level, picture):
        for change in holder.get("coordinateTransformations") or []:
            if change.get("type") == "scale" and len(change.get("scale", ())) == count:
                scale = [a * float(b) for a, b in zip(scale, change["scale"], strict=True)]
                found = True
    return scale if found else []


def _pixel_size(
    axes: Sequence[str], units: Sequence[str], scale: Sequence[float]
) -> PixelSize | None:
    """``(z, y, x)`` in micrometres; None where neither scale nor unit says more than “one”."""
    if not scale or all(scale[axes.index(a)] == 1 and not units[axes.index(a)] for a in "yx"):
        return None
    sizes = []
    for axis in "zyx":
        if axis not in axes:
            sizes.append(1.0)
            continue
        at = axes.index(axis)
        sizes.append(scale[at] * MICROMETRES.get(units[at].strip().lower(), 0.0))
    if not all(math.isfinite(s) and s > 0 for s in sizes):
        return None
    return sizes[0], sizes[1], sizes[2]


def _channel_names(attributes: dict[str, Any], count: int) -> tuple[str, ...]:
    omero = attributes.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list) or len(channels) != count:
        return ()
    labels = [c.get("label", "") if isinstance(c, dict) else "" for c in channels]
    return tuple(clean_name(str(label), fallback="") for label in labels)


def _stored(folder: Path, declared: int) -> int:
    """Bytes of the blocks in a folder; counting ends once there are enough to be honest."""
    total, count, todo = 0, 0, [folder]
    while todo:
        with os.scandir(todo.pop()) as entries:
            for entry in entries:
                count += 1
                if entry.is_dir(follow_symlinks=False):
                    todo.append(Path(entry.path))
                else:
                    total += entry.stat().st_size
                if 100 * total > declared:
                    return total
                if count > _COUNTED_FILES:  # as many blocks again and again
                    return max(total, declared // 100) if total else 0
    return total
