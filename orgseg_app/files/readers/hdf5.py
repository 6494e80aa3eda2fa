"""HDF5 files (.h5, .hdf5, .ims, .mat 7.3, .nc …): the arrays in them that are volumes or pictures.

Walked by hard links only: an array that lies in another file, or is put together from others, is
left out, so that a stranger's file shows nothing but itself. Copies at a lower resolution are left
out too. What the axes mean is taken from ilastik's ``axistags``, from ``axes``, from HDF5's own
dimension labels, or else from how such files are usually written.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.annotations.tokens import WEIGHT_WORDS, has_any, has_label_word
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.hdf5_axes import FEW, axes_of, pixel_size_of, read_notes
from orgseg_app.files.readers.hdf5_file import opened_hdf5
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.names import clean_name, natural_key, shown
from orgseg_app.files.readers.volumes import (
    IMAGE,
    LABELS,
    WEIGHTS,
    Pixels,
    PixelSize,
    Slab,
    Volume,
    check_volume,
)

MAX_OBJECTS = 20_000
"""Groups and arrays looked at in one file."""
MAX_DEPTH = 24
MAX_ARRAYS = 256
"""Arrays of one file that become images."""
MAX_CHUNK = 2**30
"""Bytes of one block once unpacked."""

NO_NOTES: tuple[str, ...] = ()
_LEVEL_ZERO = re.compile(r"\d+")


@dataclass(frozen=True)
class _Array:
    """One array of numbers in a file.

    Attributes
    ----------
    inner
        Its path.
    shape, dtype
        As stored.
    axes
        A letter of ``tczyx`` for each axis.
    pixel_size_um
        ``(z, y, x)``, or None.
    notes
        Sentences.
    """

    inner: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    axes: str
    pixel_size_um: PixelSize | None
    is_rgb: bool
    notes: tuple[str, ...]
    chunk: tuple[int, ...] | None
    is_packed: bool
    stored_bytes: int

    @property
    def kind(self) -> str:
        """`IMAGE`, `LABELS` or `WEIGHTS`, by its name and type."""
        parts = [part for part in self.inner.split("/") if part]
        if any(has_any(part, WEIGHT_WORDS) for part in parts):
            return WEIGHTS
        if self.dtype.kind in "bui" and any(has_label_word(part) for part in parts):
            return LABELS
        return IMAGE


def hdf5_volumes(path: Path) -> list[Volume]:
    """The arrays of an HDF5 file that are images; or the one that the path leads to.

    Parameters
    ----------
    path
        A file, or ``file.h5:/path``. Of a file whose arrays are all labels or weights, these.

    Raises
    ------
    ReadError
        One sentence: damaged, no such array, no array of numbers, or a packing that is not known.
    """
    volumes = hdf5_contents(path)
    if split_inside(path)[1]:
        return volumes
    return [v for v in volumes if v.kind == IMAGE] or volumes


def hdf5_contents(path: Path) -> list[Volume]:
    """All arrays of an HDF5 file that are volumes or pictures: images, labels and weights.

    Raises
    ------
    ReadError
        As `hdf5_volumes`.
    """
    file, chosen = split_inside(path)
    with _opened(file) as opened:
        _refuse_projects(opened, file)
        if chosen:
            arrays, notes = [_chosen_array(opened, chosen, file)], NO_NOTES
        else:
            arrays, notes = _arrays(opened, file)
    several = len(arrays) > 1 or bool(chosen)
    return [_volume(array, file, path, notes, named=several) for array in arrays]


def _arrays(opened: Any, file: Path) -> tuple[list[_Array], tuple[str, ...]]:
    """The arrays worth showing: volumes, or pictures where there is no volume."""
    found: list[_Array] = []
    elsewhere = 0
    for inner, dataset in _walk(opened, file):
        if _lies_elsewhere(dataset):
            elsewhere += 1
        elif (array := _array(inner, dataset)) is not None:
            found.append(array)
    volumes = [a for a in found if sum(n > 1 for n in a.shape) >= 3 or len(a.shape) >= 3]
    kept = volumes or found
    if not kept:
        why = " but arrays that lie in other files" if elsewhere else ""
        raise ReadError(f"{shown(file)} is an HDF5 file that holds no volume and no picture{why}.")
    kept.sort(key=lambda a: natural_key(a.inner))
    largest = sorted(kept, key=lambda a: -math.prod(a.shape))
    reduced = {a.inner for a in kept if any(_is_reduced(a, big) for big in largest[:FEW])}
    left = [a for a in kept if a.inner not in reduced]
    notes: list[str] = []
    if elsewhere:
        arrays = "array was" if elsewhere == 1 else "arrays were"
        notes.append(f"{elsewhere} {arrays} left out: the voxels lie in other files.")
    if len(left) > MAX_ARRAYS:
        notes.append(f"Only the first {MAX_ARRAYS} of {len(left):,} arrays are shown.")
    return left[:MAX_ARRAYS], tuple(notes)


def _walk(opened: Any, file: Path) -> Iterator[tuple[str, Any]]:
    """Arrays by hard links, each once, without following anything out of the file."""
    import h5py

    from orgseg_app.files.safety.audit import identity

    seen = {identity(opened["/"].id)}
    todo: list[tuple[Any, str, int]] = [(opened["/"].id, "", 0)]
    count = 0
    while todo:
        group, where, depth = todo.pop(0)
        for key in group:
            count += 1
            if count > MAX_OBJECTS or depth > MAX_DEPTH:
                raise ReadError(
                    f"{shown(file)} holds more arrays than can be looked through; name the one "
                    f"that is meant, as in {clean_name(file.name)}:/path."
                )
            name = key.decode("utf-8", "replace")
            if "/" in name or name in (".", ""):
                continue
            if group.links.get_info(key).type != h5py.h5l.TYPE_HARD:
                continue
            item = h5py.h5o.open(group, key)
            known_as = identity(item)
            if known_as in seen:
                continue
            seen.add(known_as)
            if isinstance(item, h5py.h5g.GroupID):
                todo.append((item, f"{where}/{name}", depth + 1))
            elif isinstance(item, h5py.h5d.DatasetID):
                yield f"{where}/{name}", h5py.Dataset(item)


def _chosen_array(opened: Any, inner: str, file: Path) -> _Array:
    """The array at a path, which may hold no links."""
    import h5py

    group, names = opened["/"].id, [part for part in inner.split("/") if part]
    for number, name in enumerate(names):
        key = name.encode()
        is_there = isinstance(group, h5py.h5g.GroupID) and group.links.exists(key)
        if not is_there or group.links.get_info(key).type != h5py.h5l.TYPE_HARD:
            there = ", ".join(clean_name(i) for i, _ in list(_walk(opened, file))[:FEW])
            raise ReadError(
                f"There is no array “{clean_name('/' + '/'.join(names[: number + 1]))}” in "
                f"{shown(file)}; it holds {there or 'none'}."
            )
        group = h5py.h5o.open(group, key)
    array = None
    if isinstance(group, h5py.h5d.DatasetID) and not _lies_elsewhere(h5py.Dataset(group)):
        array = _array(inner, h5py.Dataset(group))
    if array is None:
        raise ReadError(
            f"“{clean_name(inner)}” in {shown(file)} is no volume and no picture that can be read."
        )
    return array


def _array(inner: str, dataset: Any) -> _Array | None:
    """Facts of an array of numbers with two to five axes; None of anything else."""
    try:
        dtype, shape = dataset.dtype, tuple(int(n) for n in dataset.shape or ())
    except (TypeError, ValueError, OSError):  # a type that NumPy does not have
        return None
    if not 2 <= len(shape) <= 5 or min(shape, default=0) < 1 or dtype.kind not in "buif":
        return None
    if len(shape) == 2 and min(shape) < 2:  # tables of one column
        return None
    attributes = read_notes(dataset)
    axes, is_said = axes_of(attributes, shape, dtype)
    plan = dataset.id.get_create_plist()
    notes: tuple[str, ...] = ()
    if not is_said and len(shape) > 3:
        words = ", ".join({"t": "time", "c": "channel"}.get(a, a) for a in axes)
        notes = (f"The file does not say which axis is which; taken as {words}.",)
    return _Array(
        inner=inner,
        shape=shape,
        dtype=dtype,
        axes=axes,
        pixel_size_um=pixel_size_of(attributes),
        is_rgb=axes == "yxc" and shape[2] == 3,
        notes=notes,
        chunk=dataset.chunks,
        is_packed=plan.get_nfilters() > 0,
        stored_bytes=int(dataset.id.get_storage_size()),
    )


def _volume(
    array: _Array, file: Path, path: Path, notes: tuple[str, ...], *, named: bool
) -> Volume:
    lengths = dict(zip(array.axes, array.shape, strict=True))
    t, c, z, y, x = (lengths.get(axis, 1) for axis in "tczyx")
    shape = (t, c, z, y, x)
    deep, unpacked = _together(array)
    slab = Slab(functools.partial(_read_planes, array, file), shape, deep, array.dtype.itemsize)
    if unpacked > MAX_CHUNK:
        raise ReadError(
            f"{shown(path)} is packed in blocks of {unpacked / 2**20:,.0f} MB, too large to be "
            "unpacked; save it in smaller blocks."
        )
    volume = Volume(
        inner=array.inner if named else "",
        shape=shape,
        dtype=array.dtype.newbyteorder("="),
        read=slab.plane,
        work_bytes=max(slab.bytes, unpacked),
        stored_bytes=array.stored_bytes,
        pixel_size_um=array.pixel_size_um,
        is_rgb=array.is_rgb,
        kind=array.kind,
        notes=(*notes, *array.notes),
    )
    return check_volume(volume, path)


def _together(array: _Array) -> tuple[int, int]:
    """Planes that one block holds, and the bytes of one block."""
    if array.chunk is None:
        return 1, 0
    block = math.prod(array.chunk) * array.dtype.itemsize
    if not array.is_packed or "z" not in array.axes:
        return 1, block
    return array.chunk[array.axes.index("z")], block


def _read_planes(array: _Array, file: Path, time: int, first: int, last: int) -> Pixels:
    """Planes ``(Z, C, Y, X)`` as stored."""
    from orgseg_app.files.images import codecs

    with _opened(file) as opened:
        dataset = opened[array.inner]
        same = tuple(dataset.shape) == array.shape and dataset.dtype == array.dtype
        if not same or _lies_elsewhere(dataset):
            raise ReadError(f"{shown(file)} has changed since it was opened; open it again.")
        _check_filters(dataset, file)
        codecs.provide(codecs.filters_of(dataset))
        where = {"t": slice(time, time + 1), "z": slice(first, last)}
        planes = dataset[tuple(where.get(axis, slice(None)) for axis in array.axes)]
    order = [array.axes.index(axis) for axis in "tzcyx" if axis in array.axes]
    planes = planes.transpose(order)
    missing = [n for n, axis in enumerate("tzcyx") if axis not in array.axes]
    whole: NDArray[np.generic] = np.expand_dims(planes, tuple(missing))[0]
    return whole


def _check_filters(dataset: Any, file: Path) -> None:
    """Refuse a packing that cannot be undone."""
    import h5py

    from orgseg_app.files.images.codecs import PLUGIN_IDS

    plan = dataset.id.get_create_plist()
    for number in range(plan.get_nfilters()):
        found, _, _, name = plan.get_filter(number)
        if found not in PLUGIN_IDS and not h5py.h5z.filter_avail(found):
            words = clean_name(name.decode("utf-8", "replace"), fallback=f"filter {found}")
            raise ReadError(
                f"{shown(file)} is packed in a way that cannot be undone here ({words}); "
                "save it with gzip or without compression."
            )


def _is_reduced(array: _Array, big: _Array) -> bool:
    """True for a copy of an array at a lower resolution, as pyramids have them."""
    if array.inner == big.inner or len(array.shape) != len(big.shape) or array.dtype != big.dtype:
        return False
    if _LEVEL_ZERO.sub("#", array.inner) != _LEVEL_ZERO.sub("#", big.inner):
        return False
    factors = [b / a for a, b in zip(array.shape, big.shape, strict=True)]
    if min(factors) < 1 or max(factors) < 1.5:
        return False
    return all(
        abs(a - b / round(f)) < 1 for a, b, f in zip(array.shape, big.shape, factors, strict=True)
    )


def _lies_elsewhere(dataset: Any) -> bool:
    import h5py

    plan = dataset.id.get_create_plist()
    return bool(plan.get_external_count()) or plan.get_layout() == h5py.h5d.VIRTUAL


def _refuse_projects(opened: Any, file: Path) -> None:
    """Projects are HDF5 as well, and are not imported into each other."""
    if "schema_version" in opened.attrs and "images" in opened:
        raise ReadError(
            f"{shown(file)} is an OrgSeg project; open it by itself (Ctrl+O) instead of importing "
            "it."
        )


def _opened(file: Path) -> AbstractContextManager[Any]:
    """An h5py.File for reading."""

    def damaged(error: Exception) -> ReadError:
        cut = "truncated" in str(error)
        what = "cut off: its end is missing" if cut else "damaged or not a complete HDF5 file"
        return ReadError(f"{shown(file)} is {what}. Copy it again from where it came from.")

    return opened_hdf5(file, damaged)
