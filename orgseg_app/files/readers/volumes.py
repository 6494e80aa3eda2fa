"""What HDF5, OME-Zarr and MRC files have in common: arrays of voxels, read plane by plane.

A family's module says which arrays a file holds and how a plane of one is read (`Volume`); from
here they become images, headers and label planes as those of any other file.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.files.errors import ReadError
from orgseg_app.files.readers.header import (
    ImageHeader,
    is_empty_image,
    is_oversized,
    trap_sentence,
)
from orgseg_app.files.readers.inside import split_inside
from orgseg_app.files.readers.names import clean_name, shown, stem_of
from orgseg_app.files.readers.tiff import convert, note_not_finite
from orgseg_app.files.readers.tiff_planes import RawPlane

Pixels = NDArray[np.generic]
PixelSize = tuple[float, float, float]

IMAGE, LABELS, WEIGHTS = "image", "labels", "weights"
MAX_CHANNELS = 64
"""More channels than any microscope has: the axes are something else."""

SLAB_BYTES = 128 * 2**20
"""Planes that are packed together are unpacked together and kept, up to this size."""

MICROMETRES = {
    "": 1.0,
    "m": 1e6,
    "meter": 1e6,
    "metre": 1e6,
    "mm": 1e3,
    "millimeter": 1e3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "nm": 1e-3,
    "nanometer": 1e-3,
    "nanometre": 1e-3,
    "angstrom": 1e-4,
    "å": 1e-4,
    "pm": 1e-6,
}
"""Units of length by the names that files use, in micrometres."""


@dataclass(frozen=True)
class Volume:
    """One array of a file, its axes known.

    Attributes
    ----------
    inner
        Where in the file it lies; ``""`` for the file's only one.
    shape
        ``(T, C, Z, Y, X)``.
    dtype
        As stored.
    read
        (time, z) → ``(C, Y, X)`` as stored, in this computer's byte order.
    work_bytes
        Bytes unpacked at once to read one plane.
    stored_bytes
        What it takes up on the disk.
    pixel_size_um
        ``(z, y, x)``, or None.
    channel_names
        As the file gives them; may be empty.
    is_rgb
        True if the file says that the channels are red, green and blue.
    kind
        `IMAGE`, `LABELS` or `WEIGHTS`, by its name and type.
    notes
        Sentences about what is unusual.
    find
        (time, z) → where the plane lies uncompressed in the file, or None.
    """

    inner: str
    shape: tuple[int, int, int, int, int]
    dtype: np.dtype[np.generic]
    read: Callable[[int, int], Pixels]
    work_bytes: int
    stored_bytes: int
    pixel_size_um: PixelSize | None = None
    channel_names: tuple[str, ...] = ()
    is_rgb: bool = False
    kind: str = IMAGE
    notes: tuple[str, ...] = ()
    find: Callable[[int, int], RawPlane | None] | None = None

    @property
    def times(self) -> int:
        """Time points."""
        return self.shape[0]

    @property
    def plane_values(self) -> int:
        """Values of one plane, all channels."""
        return self.shape[1] * self.shape[3] * self.shape[4]

    @property
    def declared_bytes(self) -> int:
        """Bytes of all voxels once unpacked."""
        times, _, depth, _, _ = self.shape
        return times * depth * self.plane_values * self.dtype.itemsize

    def raw_plane(self, time: int, z: int) -> RawPlane | None:
        """Where a plane lies in the file just as `volume_images` would give it; None if nowhere."""
        if self.find is None or convert(np.zeros(1, self.dtype)).dtype.name != self.dtype.name:
            return None
        return self.find(time, z)


def volume_images(volumes: Sequence[Volume], path: Path) -> list[OpenedImage]:
    """The images of a file, one for each array and time point.

    Raises
    ------
    ReadError
        One sentence for a file that declares far more than it holds.
    """
    for volume in volumes:
        declared, stored = volume.declared_bytes, volume.stored_bytes
        if volume.kind == IMAGE and is_empty_image(declared, stored):
            raise ReadError(trap_sentence(shown(path), declared, stored))
    images = []
    for volume in volumes:
        name = title_of(path)
        if not split_inside(path)[1] and len(volumes) > 1:
            name = clean_name(f"{name} {volume.inner.strip('/')}")
        images += _images_of(volume, name, path)
    return images


def title_of(path: Path) -> str:
    """What the image of a file is called, or that of an array within a file."""
    file, inner = split_inside(path)
    return clean_name(f"{stem_of(file)} {inner.strip('/')}".strip())


def volume_header(volumes: Sequence[Volume], family: str) -> ImageHeader:
    """Size and kind of opened arrays, their planes counted together."""
    first = volumes[0]
    _, channels, _, height, width = first.shape
    return ImageHeader(
        family=family,
        planes=sum(v.times * v.shape[2] for v in volumes),
        height=height,
        width=width,
        channels=channels,
        dtype=first.dtype.name,
        is_colour=first.is_rgb,
    )


def places_of(volumes: Sequence[Volume]) -> list[tuple[Volume, int]]:
    """Array and time point of each of the images, in their order."""
    return [(volume, time) for volume in volumes for time in range(volume.times)]


def label_planes_of(
    volumes: Sequence[Volume], path: Path, planes: Sequence[int] | None
) -> Iterator[NDArray[np.generic]]:
    """Planes ``(Y, X)`` of an array of labels, as stored.

    Raises
    ------
    ReadError
        One sentence if there are several channels.
    """
    volume = volumes[0]
    times, channels, depth, _, _ = volume.shape
    if channels != 1:
        raise ReadError(
            f"{shown(path)} has {channels} channels, where a label image has one; "
            "save the channel with the labels by itself."
        )
    places = [(t, z) for t in range(times) for z in range(depth)]
    for time, z in places if planes is None else [places[n] for n in planes]:
        yield volume.read(time, z)[0]


def check_volume(volume: Volume, path: Path) -> Volume:
    """The same array, once it makes sense.

    Raises
    ------
    ReadError
        One sentence: nothing in it, no numbers, or far more declared than stored.
    """
    if min(volume.shape) < 1:
        raise ReadError(f"{shown(path)} holds no voxels: one of its axes has length 0.")
    if volume.dtype.kind not in "buif" or volume.dtype.itemsize > 8:
        kind = "complex numbers" if volume.dtype.kind == "c" else "an unknown kind of number"
        raise ReadError(
            f"{shown(path)} holds {kind}, which cannot be shown as an image; "
            "save it as 8-bit, 16-bit or 32-bit float."
        )
    if volume.shape[1] > MAX_CHANNELS:
        raise ReadError(
            f"{shown(path)} would have {volume.shape[1]} channels; OrgSeg takes {MAX_CHANNELS}. "
            "Say in the file which axis is which, or save it as TIFF."
        )
    if max(volume.shape) >= 2**31 or is_oversized(volume.declared_bytes, volume.stored_bytes):
        raise ReadError(trap_sentence(shown(path), volume.declared_bytes, volume.stored_bytes))
    return volume


def native(plane: NDArray[np.generic]) -> Pixels:
    """The same values in this computer's byte order, contiguous."""
    return np.ascontiguousarray(plane.astype(plane.dtype.newbyteorder("="), copy=False))


class Slab:
    """Keeps the planes that were unpacked with the last one asked for.

    Parameters
    ----------
    read
        (time, first z, last z + 1) → ``(Z, C, Y, X)`` as stored.
    shape
        ``(T, C, Z, Y, X)``.
    depth
        Planes that are packed together.
    itemsize
        Bytes of a stored value.
    """

    def __init__(
        self,
        read: Callable[[int, int, int], Pixels],
        shape: tuple[int, int, int, int, int],
        depth: int,
        itemsize: int,
    ) -> None:
        self._read = read
        self._depth = shape[2]
        plane = shape[1] * shape[3] * shape[4] * itemsize
        self._together = depth if depth * plane <= SLAB_BYTES else 1
        self._kept: tuple[int, int, Pixels] | None = None
        self.bytes = depth * plane
        """Bytes unpacked for one plane, whether they are kept or not."""

    def plane(self, time: int, z: int) -> Pixels:
        """``(C, Y, X)``."""
        if not 0 <= z < self._depth:
            raise IndexError(f"plane {z} of {self._depth}")
        first = z // self._together * self._together
        if self._kept is None or self._kept[:2] != (time, first):
            self._kept = None  # before the next one takes as much again
            planes = self._read(time, first, min(first + self._together, self._depth))
            self._kept = (time, first, planes)
        plane = native(self._kept[2][z - first])
        if self._together == 1:
            self._kept = None
        return plane


def _images_of(volume: Volume, name: str, path: Path) -> list[OpenedImage]:
    times, channels, depth, height, width = volume.shape
    digits = max(3, len(str(times)))
    is_rgb = volume.is_rgb and channels == 3 and volume.dtype.name in ("uint8", "uint16")
    names = ("red", "green", "blue") if is_rgb else volume.channel_names
    if len(names) != channels:
        names = ("",) * channels
    images = []
    for time in range(times):
        image = OpenedImage(
            name=name if times == 1 else f"{name} t{time + 1:0{digits}d}",
            source=clean_name(split_inside(path)[0].name),
            shape=(channels, depth, height, width),
            dtype=convert(np.zeros(1, volume.dtype)).dtype,
            is_rgb=is_rgb,
            channel_names=tuple(n or f"channel {c + 1}" for c, n in enumerate(names)),
            pixel_size_um=volume.pixel_size_um,
            read_plane=_not_yet,
            notes=volume.notes,
            time=time,
            times=times,
        )
        image.read_plane = functools.partial(_read_plane, image, volume, time)
        images.append(image)
    return images


def _read_plane(image: OpenedImage, volume: Volume, time: int, z: int) -> Pixels:
    """Plane ``(C, Y, X)`` in one of the three number types images have."""
    if not 0 <= z < image.shape[1]:
        raise IndexError(f"plane {z} of {image.shape[1]}")
    plane = convert(volume.read(time, z))
    note_not_finite(image, plane)
    return plane


def _not_yet(z: int) -> Pixels:
    raise AssertionError(f"plane {z} was asked for before its image was complete")
