"""HDF5, MRC, OME-Zarr and microscope makers' files as images: one door for these families."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.readers.czi import czi_volumes
from orgseg_app.files.readers.hdf5 import hdf5_contents, hdf5_volumes
from orgseg_app.files.readers.header import ImageHeader
from orgseg_app.files.readers.lif import lif_volumes
from orgseg_app.files.readers.mrc import mrc_volumes
from orgseg_app.files.readers.nd2 import nd2_volumes
from orgseg_app.files.readers.oir import oir_volumes
from orgseg_app.files.readers.oir_blocks import further_files
from orgseg_app.files.readers.olympus import olympus_volumes
from orgseg_app.files.readers.ome_zarr import zarr_volumes
from orgseg_app.files.readers.sniff import ZARR, sniff
from orgseg_app.files.readers.volumes import Volume, volume_header, volume_images

VOLUME_FAMILIES: dict[str, Callable[[Path], list[Volume]]] = {
    "hdf5": hdf5_volumes,
    "mrc": mrc_volumes,
    ZARR: zarr_volumes,
    "czi": czi_volumes,
    "nd2": nd2_volumes,
    "lif": lif_volumes,
    "oif": olympus_volumes,
    "oir": oir_volumes,
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


def lies_in_several_files(path: Path) -> bool:
    """True for a microscope's file, by its name, whose pixels lie in others beside it."""
    suffix = path.suffix.lower()
    return suffix in (".oif", ".xlif") or (suffix == ".oir" and bool(further_files(path)))
