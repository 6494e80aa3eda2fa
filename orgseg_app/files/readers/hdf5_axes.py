"""What the axes of an array in an HDF5 file mean, and how large its voxels are."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from orgseg_app.files.readers.volumes import MICROMETRES, PixelSize

FEW = 8
"""An axis of up to this length may be channels where nothing says so."""

_MAX_TEXT = 65_536


def read_notes(dataset: Any) -> dict[str, Any]:
    """What is noted beside an array about its axes and sizes."""
    found: dict[str, Any] = {}
    for name in ("axistags", "axes", "AXES", "element_size_um", "element_size_nm", "resolution",
                 "DIMENSION_LABELS", "voxel_size", "spacing", "offset_units", "units"):  # fmt: skip
        try:
            if name in dataset.attrs and dataset.attrs.get_id(name).get_storage_size() < _MAX_TEXT:
                found[name] = dataset.attrs[name]
        except (OSError, TypeError, ValueError, KeyError, RuntimeError, UnicodeError):
            continue  # a kind of value that h5py cannot read
    return found


def axes_of(
    attributes: dict[str, Any], shape: tuple[int, ...], dtype: np.dtype[np.generic]
) -> tuple[str, bool]:
    """A letter of ``tczyx`` for each axis, and whether the file says so."""
    for said in (
        _axistags(attributes.get("axistags")),
        _letters(attributes.get("axes", attributes.get("AXES"))),
        _letters(attributes.get("DIMENSION_LABELS")),
    ):
        if len(said) == len(shape) == len(set(said)) and {"y", "x"} <= set(said):
            return said, True
    if len(shape) == 2:
        return "yx", False
    if len(shape) == 3:
        is_colour = shape[2] in (3, 4) and dtype == np.uint8 and min(shape[:2]) > FEW
        return ("yxc" if is_colour else "zyx"), False
    if len(shape) == 4:
        if shape[3] <= FEW and shape[3] < min(shape[1:3]):
            return "zyxc", False
        return ("czyx" if shape[0] <= FEW and shape[0] < min(shape[2:]) else "tzyx"), False
    return ("tzyxc" if shape[4] <= FEW and shape[4] < min(shape[2:4]) else "tczyx"), False


def _axistags(value: Any) -> str:
    """Axes from ilastik's JSON."""
    try:
        axes = json.loads(_text(value))["axes"]
        return _known("".join(str(axis["key"])[:1] for axis in axes))
    except (ValueError, TypeError, KeyError, RecursionError):
        return ""


def _letters(value: Any) -> str:
    """Axes from letters in one text, or from a name for each axis."""
    if value is None:
        return ""
    if isinstance(value, (str, bytes, np.bytes_)):
        return _known(_text(value))
    try:
        return _known("".join(_text(part)[:1] or "?" for part in value))
    except TypeError:
        return ""


def _known(letters: str) -> str:
    lowered = letters.strip().lower().replace("s", "c")
    return lowered if lowered and set(lowered) <= set("tczyx") else ""


def _text(value: Any) -> str:
    if isinstance(value, (bytes, np.bytes_)):
        return bytes(value).decode("utf-8", "replace")
    return value if isinstance(value, str) else ""


def pixel_size_of(attributes: dict[str, Any]) -> PixelSize | None:
    """``(z, y, x)`` in micrometres, where the file gives it."""
    for name, unit in (("element_size_um", 1.0), ("element_size_nm", 1e-3)):
        if name in attributes:
            return _three(attributes[name], unit)
    unit = MICROMETRES.get(_text(attributes.get("units", "")).strip().lower(), 0.0)
    if unit and "units" in attributes:
        for name in ("resolution", "voxel_size", "spacing"):
            if name in attributes:
                return _three(attributes[name], unit)
    return None


def _three(values: Any, unit: float) -> PixelSize | None:
    try:
        sizes = [float(v) * unit for v in np.asarray(values, np.float64).ravel()]
    except (TypeError, ValueError):
        return None
    sizes = [1.0] * (3 - len(sizes)) + sizes[-3:] if sizes else []
    if len(sizes) != 3 or not all(math.isfinite(s) and s > 0 for s in sizes):
        return None
    return sizes[0], sizes[1], sizes[2]
