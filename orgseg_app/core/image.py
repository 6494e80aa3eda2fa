"""An opened picture: what every reader returns, whatever the file was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.generic]
"""Voxel values, uint8, uint16 or float32; the docstring beside it says the axes."""

SUPPORTED_DTYPES = ("uint8", "uint16", "float32")


@dataclass
class OpenedImage:
    """One image, readable plane by plane.

    Time points are separate images: a mask has no time axis. Those of one recording follow each
    other.

    Attributes
    ----------
    name
        Unique among what was opened together.
    source
        File name for display; never a path to follow.
    shape
        ``(C, Z, Y, X)`` in voxels.
    dtype
        uint8, uint16 or float32.
    is_rgb
        True for a colour picture: C is 3, and the channels are red, green, blue.
    channel_names
        One name a channel.
    pixel_size_um
        ``(z, y, x)`` in micrometres, or None where the file does not say.
    read_plane
        z → array ``(C, Y, X)``.
    notes
        Sentences for the user about what the reader had to do.
    time, times
        Which time point of how many of its recording this is, from 0.
    read_part
        (z, y0, x0, y1, x1) → array ``(C, y1 - y0, x1 - x0)`` within the plane; None where this
        would not be cheaper than the whole plane.
    """

    name: str
    source: str
    shape: tuple[int, int, int, int]
    dtype: np.dtype[np.generic]
    is_rgb: bool
    channel_names: tuple[str, ...]
    pixel_size_um: tuple[float, float, float] | None
    read_plane: Callable[[int], Pixels]
    notes: tuple[str, ...] = field(default=())
    time: int = 0
    times: int = 1
    read_part: Callable[[int, int, int, int, int], Pixels | None] = field(
        default=lambda z, y0, x0, y1, x1: None
    )

    def read(self) -> Pixels:
        """All voxels, ``(C, Z, Y, X)``."""
        out = np.empty(self.shape, self.dtype)
        for z in range(self.shape[1]):
            out[:, z] = self.read_plane(z)
        return out


def content_hash(pixels: NDArray[np.generic]) -> str:
    """Fingerprint of an array: dtype, shape and bytes, as ``"sha256:…"``.

    Two files with the same voxels give the same fingerprint, whatever they are called.
    """
    digest = begin_hash(pixels.dtype, pixels.shape)
    digest.update(hashed_bytes(pixels))
    return f"sha256:{digest.hexdigest()}"


def begin_hash(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Any:
    """A hash that has taken in what `content_hash` puts before the voxels."""
    return hashlib.sha256(f"{dtype.str.lstrip('<>|=')}{shape}".encode())


def hashed_bytes(values: NDArray[np.generic]) -> memoryview:
    """Voxels as `content_hash` takes them in: little-endian, the last axis fastest."""
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little).data


def open_array(
    name: str,
    pixels: Pixels,
    *,
    pixel_size_um: tuple[float, float, float] | None = None,
    is_rgb: bool = False,
) -> OpenedImage:
    """An array ``(Y, X)``, ``(Z, Y, X)`` or ``(C, Z, Y, X)`` as an opened image.

    Raises
    ------
    ValueError
        For another number of axes, an empty array or a dtype that images do not have.
    """
    if pixels.dtype.name not in SUPPORTED_DTYPES:
        raise ValueError(f"An image holds {', '.join(SUPPORTED_DTYPES)}, not {pixels.dtype}.")
    if pixels.ndim not in (2, 3, 4) or pixels.size == 0:
        raise ValueError(f"An image has 2 to 4 axes and at least one voxel, not {pixels.shape}.")
    czyx = pixels.reshape((1,) * (4 - pixels.ndim) + pixels.shape)
    c, z, y, x = czyx.shape
    names = ("red", "green", "blue") if is_rgb else tuple(f"channel {i + 1}" for i in range(c))
    return OpenedImage(
        name=name,
        source=name,
        shape=(c, z, y, x),
        dtype=czyx.dtype,
        is_rgb=is_rgb,
        channel_names=names,
        pixel_size_um=pixel_size_um,
        read_plane=lambda plane: czyx[:, plane],
    )
