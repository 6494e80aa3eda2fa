"""One array of a Zarr folder, versions 2 and 3, read block by block.

Only blocks under what is asked for are opened. A block that is not there is filled with the value
that the array names for it. See `orgseg_app.files.readers.zarr_codecs` for why no library does it.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.files.readers.zarr_codecs import Decoder, PackingError, decoder, unpack

MAX_METADATA = 16 * 2**20
MAX_BLOCK = 2**30
"""Bytes of one block once unpacked."""
MAX_AXES = 8
_EMPTY = 2**64 - 1
_V3_TYPES = {
    "bool": "?",
    **{f"{k}{b}": f"{k[0]}{b // 8}" for k in ("int", "uint") for b in (8, 16, 32, 64)},
    "float16": "f2",
    "float32": "f4",
    "float64": "f8",
}
_OPEN_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)  # a pipe in place of a block must not be waited for

Values = NDArray[np.generic]


class ZarrError(ValueError):
    """What is wrong with an array, as the end of a sentence."""


@dataclass(frozen=True)
class Shards:
    """Blocks that share a file.

    Attributes
    ----------
    blocks
        How many along each axis.
    index_steps
        What undoes the packing of the index.
    index_extra
        Bytes that the index has besides two numbers a block.
    at_start
        Where the index lies.
    """

    blocks: tuple[int, ...]
    index_steps: tuple[Decoder, ...]
    index_extra: int
    at_start: bool


@dataclass(frozen=True)
class ZarrArray:
    """An array, nothing of it read yet.

    Attributes
    ----------
    folder
        Where its blocks lie.
    shape, dtype
        Of the array.
    block
        Shape of what is unpacked at once.
    fill
        Value of blocks that are not there.
    steps
        What undoes the packing of a block, in order.
    key
        Separator, and what comes before the numbers in a block's name.
    order
        Axes as they are stored in a block, slowest first.
    shards
        Where several blocks share a file, else None.
    names
        Names of the axes, where the array gives them.
    """

    folder: Path
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]
    block: tuple[int, ...]
    fill: Any
    steps: tuple[Decoder, ...]
    key: tuple[str, str]
    order: tuple[int, ...]
    shards: Shards | None = None
    names: tuple[str, ...] = ()

    @property
    def block_bytes(self) -> int:
        """Bytes of a block once unpacked."""
        return math.prod(self.block) * self.dtype.itemsize

    def read(self, box: Sequence[slice]) -> Values:
        """A box of the array, as stored.

        Raises
        ------
        ValueError, OSError
            When a block is damaged or cannot be read.
        """
        spans = [range(*s.indices(n)) for s, n in zip(box, self.shape, strict=True)]
        out: Values = np.full([len(span) for span in spans], self.fill, self.dtype)
        if out.size == 0:
            return out
        ranges = [
            range(span.start // b, (span.stop - 1) // b + 1)
            for span, b in zip(spans, self.block, strict=True)
        ]
        indices: dict[tuple[int, ...], Values | None] = {}
        for place in itertools.product(*ranges):
            values = self._block(place, indices)
            if values is None:
                continue
            inner, outer = [], []
            for at, b, span in zip(place, self.block, spans, strict=True):
                first, last = max(at * b, span.start), min((at + 1) * b, span.stop)
                inner.append(slice(first - at * b, last - at * b))
                outer.append(slice(first - span.start, last - span.start))
            out[tuple(outer)] = values[tuple(inner)]
        return out

    def _block(
        self, place: tuple[int, ...], indices: dict[tuple[int, ...], Values | None]
    ) -> Values | None:
        """One block; None where there is none."""
        if self.shards is None:
            data = _contents(self._file(place))
        else:
            data = self._from_shard(place, self.shards, indices)
        if data is None:
            return None
        unpacked = unpack(data, self.steps, self.block_bytes)
        if len(unpacked) < self.block_bytes:
            raise ValueError("a block is shorter than it should be")
        flat = np.frombuffer(unpacked, self.dtype, math.prod(self.block))
        stored = flat.reshape([self.block[axis] for axis in self.order])
        return stored.transpose(np.argsort(self.order))

    def _from_shard(
        self,
        place: tuple[int, ...],
        shards: Shards,
        indices: dict[tuple[int, ...], Values | None],
    ) -> bytes | None:
        shard = tuple(p // n for p, n in zip(place, shards.blocks, strict=True))
        path = self._file(shard)
        if shard not in indices:
            indices[shard] = _index(path, shards)
        index = indices[shard]
        if index is None:
            return None
        offset, count = (
            int(n) for n in index[tuple(p % n for p, n in zip(place, shards.blocks, strict=True))]
        )
        if offset == count == _EMPTY:
            return None
        if count > 2 * self.block_bytes + 4096:
            raise ValueError("a block is larger than it can be")
        return _contents(path, offset, count)

    def _file(self, place: tuple[int, ...]) -> Path:
        separator, before = self.key
        numbers = separator.join(map(str, place)) or "0"
        return self.folder / f"{before}{numbers}"


def open_array(folder: Path) -> ZarrArray:
    """The array whose blocks lie in a folder.

    Raises
    ------
    ZarrError
        Why it cannot be read.
    OSError
        When the folder cannot be read.
    """
    try:
        found = metadata(folder, "zarr.json")
        if found is not None:
            return _version_3(folder, found)
        found = metadata(folder, ".zarray")
        if found is None:
            raise ZarrError("has no array where one is named")
        return _version_2(folder, found)
    except PackingError as error:
        raise ZarrError(f"is packed in a way that cannot be undone here ({error})") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        if isinstance(error, ZarrError):
            raise
        raise ZarrError("contradicts itself about an array") from error


def metadata(folder: Path, name: str) -> dict[str, Any] | None:
    """What a JSON file of a Zarr folder says; None where there is none.

    Raises
    ------
    ZarrError
        When it is no JSON object.
    """
    data = _contents(folder / name, most=MAX_METADATA)
    if data is None:
        return None
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ZarrError(f"has a damaged “{name}”") from error
    if not isinstance(found, dict):
        raise ZarrError(f"has a damaged “{name}”")
    return found


def _version_2(folder: Path, found: dict[str, Any]) -> ZarrArray:
    dtype = np.dtype(found["dtype"]) if isinstance(found["dtype"], str) else None
    if dtype is None or dtype.kind not in "buifc" or found.get("zarr_format", 2) != 2:
        raise ZarrError("holds values that are no numbers")
    shape, block = _sides(found["shape"], 0), _sides(found["chunks"], 1)
    packed = [found.get("compressor"), *reversed(found.get("filters") or [])]
    steps = [decoder(str(p["id"]), p, dtype.itemsize) for p in packed if p]
    order = range(len(shape)) if found.get("order", "C") == "C" else reversed(range(len(shape)))
    separator = "/" if found.get("dimension_separator", ".") == "/" else "."
    attributes = metadata(folder, ".zattrs") or {}
    return _checked(
        ZarrArray(
            folder,
            shape,
            dtype,
            block,
            _fill(found.get("fill_value"), dtype),
            tuple(steps),
            (separator, ""),
            tuple(order),
            names=_names(attributes.get("_ARRAY_DIMENSIONS"), len(shape)),
        )
    )


def _version_3(folder: Path, found: dict[str, Any]) -> ZarrArray:
    if found.get("node_type") != "array":
        raise ZarrError("has no array where one is named")
    kind = _V3_TYPES.get(found["data_type"] if isinstance(found["data_type"], str) else "")
    if kind is None:
        raise ZarrError("holds values that are no numbers")
    shape = _sides(found["shape"], 0)
    block = _sides(found["chunk_grid"]["configuration"]["chunk_shape"], 1)
    encoding = found.get("chunk_key_encoding", {"name": "default"})
    options = encoding.get("configuration", {})
    if encoding["name"] == "v2":
        key = (str(options.get("separator", ".")), "")
    else:
        separator = str(options.get("separator", "/"))
        key = (separator, f"c{separator}")
    if key[0] not in ("/", "."):
        raise ZarrError("names its blocks in an unknown way")
    codecs, shards = list(found["codecs"]), None
    if codecs and codecs[0]["name"] == "sharding_indexed":
        if len(codecs) > 1:
            raise PackingError("packed shards")
        options = codecs[0]["configuration"]
        inner = _sides(options["chunk_shape"], 1)
        if len(inner) != len(block) or any(b % i for b, i in zip(block, inner, strict=True)):
            raise ZarrError("contradicts itself about the size of its blocks")
        blocks = tuple(b // i for b, i in zip(block, inner, strict=True))
        _, _, index_steps = _steps(options["index_codecs"], np.dtype("u8"), len(inner) + 1)
        extra = 4 * sum(codec["name"] == "crc32c" for codec in options["index_codecs"])
        if len(index_steps) != extra // 4:
            raise PackingError("a packed index")
        at_start = options.get("index_location", "end") == "start"
        shards = Shards(blocks, index_steps, extra, at_start)
        codecs, block = list(options["codecs"]), inner
    dtype, order, steps = _steps(codecs, np.dtype(kind), len(shape))
    return _checked(
        ZarrArray(
            folder,
            shape,
            dtype,
            block,
            _fill(found.get("fill_value"), dtype),
            steps,
            key,
            order,
            shards,
            _names(found.get("dimension_names"), len(shape)),
        )
    )


def _steps(
    codecs: Sequence[dict[str, Any]], dtype: np.dtype[np.generic], axes: int
) -> tuple[np.dtype[np.generic], tuple[int, ...], tuple[Decoder, ...]]:
    """Byte order, order of axes and what undoes the packing, from codecs as they were applied."""
    order = tuple(range(axes))
    steps: list[Decoder] = []
    for codec in codecs:
        name, options = str(codec["name"]), codec.get("configuration") or {}
        if name == "transpose":
            turned = {"C": range(axes), "F": range(axes)[::-1]}.get(str(options["order"]))
            turned = options["order"] if turned is None else turned
            order = tuple(order[int(axis)] for axis in turned)
            if sorted(order) != list(range(axes)):
                raise ZarrError("contradicts itself about its axes")
        elif name == "bytes":
            is_big = options.get("endian", "little") == "big"
            dtype = dtype.newbyteorder(">" if is_big else "<")
        elif name == "sharding_indexed":
            raise PackingError("shards within shards")
        else:
            steps.insert(0, decoder(name, options, dtype.itemsize))
    return dtype, order, tuple(steps)


def _checked(array: ZarrArray) -> ZarrArray:
    if len(array.block) != len(array.shape) or not 1 <= len(array.shape) <= MAX_AXES:
        raise ZarrError("contradicts itself about its axes")
    if array.block_bytes > MAX_BLOCK:
        raise ZarrError(
            f"is packed in blocks of {array.block_bytes / 2**20:,.0f} MB, too large to be unpacked"
        )
    return array


def _sides(values: Sequence[Any], least: int) -> tuple[int, ...]:
    sides = tuple(int(n) for n in values)
    if any(not least <= n < 2**48 for n in sides):
        raise ZarrError("contradicts itself about its size")
    return sides


def _fill(value: Any, dtype: np.dtype[np.generic]) -> Any:
    """The value of what is missing; 0 where none is named or it does not fit."""
    try:
        if isinstance(value, str) and dtype.kind == "f":
            return dtype.type(float(value))
        return np.array(0 if value is None else value).astype(dtype)[()]
    except (ValueError, TypeError, OverflowError):
        return dtype.type(0)


def _names(values: Any, count: int) -> tuple[str, ...]:
    if not isinstance(values, list) or len(values) != count:
        return ()
    return tuple(str(name or "") for name in values)


def _index(path: Path, shards: Shards) -> Values | None:
    """Offset and length of each block in a shard; None where there is no shard."""
    count = math.prod(shards.blocks)
    size = 16 * count + shards.index_extra
    if size > MAX_METADATA:
        raise ValueError("an index larger than it can be")
    data = _contents(path, 0 if shards.at_start else -size, size)
    if data is None:
        return None
    numbers = np.frombuffer(unpack(data, shards.index_steps, size), "<u8")
    return numbers.reshape(*shards.blocks, 2)


def _contents(
    path: Path, offset: int = 0, count: int | None = None, most: int = MAX_BLOCK
) -> bytes | None:
    """Bytes of a regular file, from the end for a negative offset; None where there is no file.

    Raises
    ------
    ValueError
        When it is no file, too large, or ends before the bytes do.
    """
    try:
        descriptor = os.open(path, _OPEN_FLAGS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with open(descriptor, "rb", buffering=0) as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("a block is no file")
        start = offset if offset >= 0 else status.st_size + offset
        length = status.st_size - start if count is None else count
        if start < 0 or length > most or start + length > status.st_size:
            raise ValueError("a block is cut short or too large")
        stream.seek(start)
        parts = []
        while length and (part := stream.read(length)):
            parts.append(part)
            length -= len(part)
        if length:
            raise ValueError("a block is cut short")
        return parts[0] if len(parts) == 1 else b"".join(parts)
