"""How voxels are packed in a project file.

What every HDF5 program can read is the default. The fast way needs the ``hdf5plugin`` package
wherever the file is read; it was measured two to ten times faster on noisy images, and a file says
in plain words which way it was written (attribute ``codec``).

Every block carries a Fletcher-32 checksum of its packed bytes, so that damage is found before a
decompressor sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from orgseg_app.files.attributes import read_text, write_text
from orgseg_app.files.errors import ProjectError

GZIP: int = h5py.h5z.FILTER_DEFLATE
SHUFFLE: int = h5py.h5z.FILTER_SHUFFLE
FLETCHER32: int = h5py.h5z.FILTER_FLETCHER32
BITSHUFFLE, ZSTD = 32008, 32015

PLUGIN_IDS = frozenset({BITSHUFFLE, ZSTD})
"""HDF5 filters that come with ``hdf5plugin``."""

FILTER_IDS = frozenset({GZIP, SHUFFLE, FLETCHER32}) | PLUGIN_IDS
"""All HDF5 filters that a project may use."""

_LZ4_IN_BITSHUFFLE = 2

Filter = tuple[int, tuple[int, ...]]


@dataclass(frozen=True)
class Codec:
    """One way of packing voxels.

    Attributes
    ----------
    name
        Short, for the command line.
    words
        What the file says about itself.
    mask, pixels
        HDF5 filters in order of use, with their numbers; the checksum comes behind them.
    pixel_chunk
        Longest side of a stored block of an image.
    """

    name: str
    words: str
    mask: tuple[Filter, ...]
    pixels: tuple[Filter, ...]
    pixel_chunk: int = 256

    def chunk(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Shape of the stored blocks of an image ``(C, Z, Y, X)``.

        Blocks are stored whole, also at the edges: those of a plane of 320² measure 160², for
        with 256² it would take up two and a half times its room.
        """
        rows, columns = (-(-n // -(-n // self.pixel_chunk)) for n in (height, width))
        return 1, 1, rows, columns


# A random 256² tile of uint16 touches (256 + side)² voxels: with blocks of 512² it took 0.53 ms,
# with 256² 0.22 ms, checksum included. Bitshuffle costs twice that, hence the smaller blocks.
PLAIN = Codec(
    "plain",
    "masks gzip, images uncompressed; any HDF5 program reads them",
    mask=((GZIP, (1,)),),
    pixels=(),
)
COMPACT = Codec(
    "compact",
    "masks and images gzip; any HDF5 program reads them",
    mask=((GZIP, (1,)),),
    pixels=((SHUFFLE, ()), (GZIP, (1,))),
)
FAST = Codec(
    "fast",
    "masks zstd, images bitshuffle-lz4 (HDF5 filters 32015 and 32008); other programs read them "
    "with the package hdf5plugin",
    mask=((ZSTD, (1,)),),
    pixels=((BITSHUFFLE, (0, _LZ4_IN_BITSHUFFLE)),),
    pixel_chunk=128,
)

CODECS: dict[str, Codec] = {codec.name: codec for codec in (PLAIN, COMPACT, FAST)}


def choose(item: Any, codec: Codec) -> None:
    """Note in a project (h5py.File) or beside an image (h5py.Group) how voxels are packed."""
    write_text(item, "codec", f"{codec.name}: {codec.words}")


def chosen(item: Any) -> Codec:
    """The codec noted in a project or beside an image; `PLAIN` where none is."""
    name = (read_text(item, "codec") or "").partition(":")[0]
    return CODECS.get(name, PLAIN)


def create_dataset(
    group: Any,
    name: str,
    shape: Sequence[int],
    dtype: Any,
    *,
    chunk: Sequence[int],
    filters: Sequence[Filter] = (),
) -> Any:
    """Create a chunked dataset whose blocks carry checksums.

    h5py itself would put the checksum before the compression, where it also costs more.

    Parameters
    ----------
    group
        h5py.Group to make it in.
    chunk
        Shape of a stored block; sides beyond those of the dataset are cut.
    filters
        As in `Codec`.

    Returns
    -------
    h5py.Dataset

    Raises
    ------
    ProjectError
        When a filter is not installed.
    """
    provide({number for number, _ in filters})
    plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plan.set_chunk(tuple(max(1, min(c, n)) for c, n in zip(chunk, shape, strict=True)))
    plan.set_obj_track_times(False)
    for number, options in filters:
        plan.set_filter(number, h5py.h5z.FLAG_MANDATORY, options)
    plan.set_fletcher32()
    space = h5py.h5s.create_simple(tuple(int(n) for n in shape))
    kind = h5py.h5t.py_create(np.dtype(dtype), logical=True)
    return h5py.Dataset(h5py.h5d.create(group.id, name.encode(), kind, space, plan))


def filters_of(dataset: Any) -> frozenset[int]:
    """Ids of the HDF5 filters of a dataset."""
    plan = dataset.id.get_create_plist()
    return frozenset(plan.get_filter(i)[0] for i in range(plan.get_nfilters()))


def provide(filters: set[int] | frozenset[int]) -> None:
    """Have the HDF5 filters at hand; only those of `FILTER_IDS` are ever loaded.

    Raises
    ------
    ProjectError
        When one of `PLUGIN_IDS` is needed and its package is not installed.
    """
    missing = [n for n in filters & PLUGIN_IDS if not h5py.h5z.filter_avail(n)]
    if not missing:
        return
    try:
        import hdf5plugin
    except ImportError as error:
        raise ProjectError(
            "This project is packed the fast way, and the Python package hdf5plugin that it needs "
            "is not installed. Nothing was changed; install it (pip install hdf5plugin)."
        ) from error
    # It brings a dozen filters. The others would only be more native code for hostile files.
    for number in hdf5plugin.FILTERS.values():
        if number not in PLUGIN_IDS and h5py.h5z.filter_avail(number):
            h5py.h5z.unregister_filter(number)
    if any(not h5py.h5z.filter_avail(n) for n in missing):
        raise ProjectError(
            "This project is packed the fast way, which the installed package hdf5plugin cannot "
            "read on this computer. Nothing was changed."
        )
