"""HDF5, MRC and OME-Zarr files as images: one door for the three families."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.readers.hdf5 import hdf5_contents, hdf5_volumes
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.mrc import mrc_volumes
from orgseg_app.files.readers.ome_zarr import zarr_volumes
from orgseg_app.files.readers.sniff import ZARR, sniff
from orgseg_app.files.readers.volumes import Volume, volume_header, volume_images

VOLUME_FAMILIES: dict[str, Callable[[Path], list[Volume]]] = {
    "hdf5": hdf5_volumes,
    "mrc": mrc_volumes,
    ZARR: zarr_volumes,
}
"""Family of files → function that says which arrays to show."""


def open_volumes(path: Path, *, everything: bool = False) -> list[Volume]:
    """The arrays of a file, nothing unpacked.

    Parameters
    ----------
    everything
        Labels and weights beside the images too.

    Raises
    ------
    ReadError
        One sentence why it cannot be read.
    """
    family = sniff(path)
    if everything and family == "hdf5":
        return hdf5_contents(path)
    return VOLUME_FAMILIES[family](path)


def read_volumes(path: Path) -> list[OpenedImage]:
    """The images of a file; as `open_volumes`."""
    return volume_images(open_volumes(path), path)


def volumes_header(path: Path) -> ImageHeader:
    """Size and kind of the arrays of a file; as `open_volumes`."""
    return volume_header(open_volumes(path), sniff(path))
