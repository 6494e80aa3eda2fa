"""Labels of a volume as runs in a JSON file, as the platelet data of Guay et al. have them.

``{".info": {"shape": [Z, Y, X], "dtype": "uint8"}, "1": "start length start length …"}``: runs
count voxels from 1, the last axis fastest, over the whole volume.

Guay, M. D., Emam, Z. A. S., Anderson, A. B., Aronova, M. A., Pokrovskaya, I. D., Storrie, B. and
Leapman, R. D. (2021), Dense cellular segmentation for EM using 2D–3D neural network ensembles,
Sci. Rep. 11, 2561.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.names import clean_name, shown
from orgseg_app.files.readers.sniff import cannot_open

INFO = ".info"
MAX_FILE = 2**30
"""Bytes of a file; a dense volume of 100 megavoxels took 30 MB."""
MAX_VOXELS = 2**37
_SHORT_NAMES = {"u1": "uint8", "u2": "uint16", "u4": "uint32", "i4": "int32", "i8": "int64"}
_NUMBERS = re.compile(r"[0-9 \n\r\t]*")
_DTYPES = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64", "bool")


@dataclass(frozen=True)
class RunLabels:
    """Runs of labels, checked and in order.

    Attributes
    ----------
    shape
        ``(Z, Y, X)``.
    dtype
        Of the labels; unsigned.
    starts, ends
        int64 ``(N,)``: first voxel of each run, counted from 0, and the one behind its last.
    values
        Label of each run.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    values: NDArray[np.generic]

    def header(self) -> ImageHeader:
        """Size and kind."""
        depth, height, width = self.shape
        return ImageHeader("runs", depth, height, width, 1, self.dtype.name)

    def planes(self, planes: Sequence[int] | None = None) -> Iterator[NDArray[np.integer[Any]]]:
        """Planes ``(Y, X)`` of labels, 0 outside all runs."""
        depth, height, width = self.shape
        size = height * width
        for z in range(depth) if planes is None else planes:
            if not 0 <= z < depth:
                raise IndexError(f"plane {z} of {depth}")
            first = int(np.searchsorted(self.ends, z * size, side="right"))
            last = int(np.searchsorted(self.starts, (z + 1) * size, side="left"))
            plane: NDArray[np.integer[Any]] = np.zeros(size, self.dtype)
            starts = np.maximum(self.starts[first:last] - z * size, 0)
            ends = np.minimum(self.ends[first:last] - z * size, size)
            for start, end, value in zip(
                starts.tolist(), ends.tolist(), self.values[first:last].tolist(), strict=True
            ):
                plane[start:end] = value
            yield plane.reshape(height, width)


def run_labels(path: Path) -> RunLabels:
    """Read the runs of a file.

    Raises
    ------
    ReadError
        One sentence: no such file, no JSON, no shape, or runs that overlap, are cut short or lead
        beyond the volume.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE:
            raise ReadError(
                f"{shown(path)} is a JSON file of {size / 2**20:,.0f} MB, more than run-length "
                "labels take; it was not opened."
            )
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise cannot_open(path, error) from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{shown(path)} is damaged: it is not complete as JSON.") from error
    if not isinstance(found, dict) or not isinstance(found.get(INFO), dict):
        raise ReadError(
            f"{shown(path)} holds no run-length labels: it does not begin with “{INFO}”, the shape "
            "and number type of the volume."
        )
    return _decoded(found, path)


def encode_runs(labels: NDArray[np.integer[Any]]) -> dict[str, Any]:
    """Labels ``(Z, Y, X)`` as runs; 0 has none.

    >>> encode_runs(np.array([[[0, 2, 2, 1]]], np.uint8))
    {'.info': {'shape': [1, 1, 4], 'dtype': 'uint8'}, '1': '4 1', '2': '2 2'}
    """
    flat = labels.reshape(-1)
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([np.zeros(1, np.int64), changes])
    lengths = np.diff(np.append(starts, flat.size))
    values = flat[starts]
    runs: dict[str, Any] = {INFO: {"shape": list(labels.shape), "dtype": labels.dtype.name}}
    for value in np.unique(values):
        if value:
            of_value = values == value
            pairs = np.stack([starts[of_value] + 1, lengths[of_value]], axis=1)
            runs[str(int(value))] = " ".join(map(str, pairs.ravel().tolist()))
    return runs


def _decoded(found: Mapping[str, Any], path: Path) -> RunLabels:
    shape, dtype = _shape(found[INFO], path), _dtype(found[INFO], path)
    top, total = np.iinfo(dtype).max, math.prod(shape)
    starts, ends, values = [], [], []
    for key, text in found.items():
        if key.startswith("."):
            continue
        if not (key.isascii() and key.isdecimal() and 0 <= int(key) <= top and len(key) < 21):
            raise ReadError(
                f"{shown(path)} names a label “{clean_name(key)}”, which is no whole number that "
                f"{dtype.name} holds."
            )
        pairs = _pairs(key, text, path)
        if (pairs[:, 0] < 1).any() or (pairs[:, 1] < 1).any():
            raise ReadError(
                f"{shown(path)}: label {key} has a run that begins before voxel 1 or has no length."
            )
        if pairs.size and int((pairs[:, 0] - 1 > total - pairs[:, 1]).sum()):
            raise ReadError(
                f"{shown(path)}: label {key} has a run that leads past the end of the volume "
                f"({' × '.join(map(str, shape))} voxels)."
            )
        starts.append(pairs[:, 0] - 1)
        ends.append(pairs[:, 0] - 1 + pairs[:, 1])
        values.append(np.full(len(pairs), int(key), dtype))
    empty = np.empty(0, np.int64)
    first, last = np.concatenate([empty, *starts]), np.concatenate([empty, *ends])
    labels = np.concatenate([np.empty(0, dtype), *values])
    order = np.argsort(first, kind="stable")
    first, last, labels = first[order], last[order], labels[order]
    if (first[1:] < last[:-1]).any():
        at = int(np.flatnonzero(first[1:] < last[:-1])[0])
        raise ReadError(
            f"{shown(path)}: the runs of labels {int(labels[at])} and {int(labels[at + 1])} "
            f"overlap at voxel {int(first[at + 1]) + 1:,}; a voxel has one label."
        )
    return RunLabels(shape, dtype, first, last, labels)


def _pairs(key: str, text: Any, path: Path) -> NDArray[np.int64]:
    """Starts and lengths ``(N, 2)`` of one label."""
    if not isinstance(text, str) or not _NUMBERS.fullmatch(text):
        raise ReadError(f"{shown(path)}: the runs of label {key} are not all whole numbers.")
    # Beyond 2**63 it gives the largest number there is, which is past the end of any volume.
    numbers = np.fromstring(text, np.int64, sep=" ")
    if numbers.size % 2:
        raise ReadError(
            f"{shown(path)}: label {key} has {numbers.size:,} numbers, where each run has two, "
            "its start and its length; the file is cut short or damaged."
        )
    return numbers.reshape(-1, 2)


def _shape(info: Mapping[str, Any], path: Path) -> tuple[int, int, int]:
    said = info.get("shape")
    is_list = isinstance(said, list) and 2 <= len(said) <= 3
    if not is_list or any(type(n) is not int or n < 1 for n in said or ()):
        raise ReadError(
            f"{shown(path)} does not say the shape of its volume (planes, rows, columns)."
        )
    assert isinstance(said, list)
    depth, height, width = (1,) * (3 - len(said)) + tuple(said)
    if max(said) >= 2**31 or depth * height * width > MAX_VOXELS:
        raise ReadError(
            f"{shown(path)} declares a volume of impossible size "
            f"({' × '.join(map(str, said))} voxels); it was not opened."
        )
    return depth, height, width


def _dtype(info: Mapping[str, Any], path: Path) -> np.dtype[np.unsignedinteger[Any]]:
    name = str(info.get("dtype", "uint8")).rpartition(".")[2].lstrip("<>|=")
    name = _SHORT_NAMES.get(name, name)
    if name not in _DTYPES:
        raise ReadError(
            f"{shown(path)} says that its labels are “{clean_name(name)}”; they are whole numbers."
        )
    dtype = np.dtype("uint8" if name == "bool" else name)
    return np.dtype(f"u{dtype.itemsize}")
