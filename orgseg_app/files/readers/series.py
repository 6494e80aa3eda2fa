"""Pictures of equal size, one plane each, as one volume; every file is opened when it is needed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from orgseg_app.core.image import OpenedImage, Pixels
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers import apart
from orgseg_app.files.readers.names import clean_name, shown
from orgseg_app.files.readers.registry import read_images


def read_series(paths: Sequence[Path]) -> OpenedImage:
    """The planes of a volume, in the order given.

    Parameters
    ----------
    paths
        At least one picture; the first one says size, channels and number type.

    Returns
    -------
    OpenedImage
        Its planes are read, and checked to fit, when they are asked for.

    Raises
    ------
    ReadError
        One sentence if the first cannot be read, or holds more than one plane.
    """
    child = apart.in_use()
    first = _only(read_images(paths[0]), paths[0])
    channels, _, height, width = first.shape
    image = OpenedImage(
        name=first.name,
        source=clean_name(paths[0].name),
        shape=(channels, len(paths), height, width),
        dtype=first.dtype,
        is_rgb=first.is_rgb,
        channel_names=first.channel_names,
        pixel_size_um=first.pixel_size_um,
        read_plane=first.read_plane,
        notes=first.notes,
    )
    image.read_plane = functools.partial(_read_plane, image, tuple(paths), child)
    return image


def _read_plane(
    image: OpenedImage, paths: tuple[Path, ...], child: apart.ReadingChild | None, z: int
) -> Pixels:
    """Plane ``(C, Y, X)`` from its own file."""
    if not 0 <= z < len(paths):
        raise IndexError(f"plane {z} of {len(paths)}")
    # The child that was there when the series was opened, whatever thread asks.
    found = child.images(paths[z]) if child is not None else read_images(paths[z])
    picture = _only(found, paths[z])
    plane = picture.read_plane(0)
    channels, _, height, width = image.shape
    if plane.shape[1:] != (height, width) or plane.dtype != image.dtype:
        raise ReadError(
            f"{shown(paths[z])} is {plane.shape[2]} × {plane.shape[1]} pixels of {plane.dtype}, "
            f"the first plane {width} × {height} of {image.dtype}; they are no volume."
        )
    if plane.shape[0] == 1 and channels == 3:  # a plane without any colour among coloured ones
        plane = np.repeat(plane, 3, axis=0)
    if plane.shape[0] != channels:
        raise ReadError(
            f"{shown(paths[z])} has {plane.shape[0]} channels, the first plane {channels}; they "
            "are no volume."
        )
    image.notes = tuple(dict.fromkeys((*image.notes, *picture.notes)))
    return plane


def _only(images: list[OpenedImage], path: Path) -> OpenedImage:
    if len(images) != 1 or images[0].shape[1] != 1:
        raise ReadError(f"{shown(path)} holds several planes and cannot be one plane of a volume.")
    return images[0]
