"""Voxels into and out of a project's image group: pixels, mask, objects, thumbnail.

Everything goes plane by plane or block by block, so that memory follows one plane and not one
image, and h5py's global lock is never held for long while the window wants to read.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage, Pixels
from orgseg_app.core.mask import BLOCK, BlockIndex, Mask, Plane
from orgseg_app.files.errors import ReadError
from orgseg_app.files.schema import write_counts

PIXEL_CHUNK = 512
THUMBNAIL_SIDE = 128


@dataclass(frozen=True)
class MaskChange:
    """Blocks of a mask to be written, taken out of it at one moment.

    Attributes
    ----------
    blocks
        Copies, ``(256, 256)`` uint8; None where the block is unlabelled.
    counts
        Painted voxels of each class in the whole mask.
    """

    blocks: dict[BlockIndex, Plane | None]
    counts: dict[int, int]

    @classmethod
    def of(cls, mask: Mask, indices: Iterable[BlockIndex]) -> MaskChange:
        """Copy blocks out of a mask."""
        blocks = {index: mask.block(index) for index in indices}
        copies = {i: None if block is None else block.copy() for i, block in blocks.items()}
        return cls(copies, mask.counts())

    @classmethod
    def whole(cls, mask: Mask) -> MaskChange:
        """All blocks a mask has."""
        return cls.of(mask, mask.block_indices())

    def as_mask(self, shape: tuple[int, int, int]) -> Mask:
        """The blocks as a mask ``(Z, Y, X)``."""
        mask = Mask(shape)
        for index, block in self.blocks.items():
            mask.replace_block(index, block)
        return mask


def all_blocks(shape: tuple[int, int, int]) -> Iterator[BlockIndex]:
    """Indices of all blocks a mask ``(Z, Y, X)`` can have."""
    return itertools.product(
        range(shape[0]), range(-(-shape[1] // BLOCK)), range(-(-shape[2] // BLOCK))
    )


# -- writing -------------------------------------------------------------------------------------


def store_pixels(group: Any, opened: OpenedImage, check: Callable[[], None]) -> tuple[str, Plane]:
    """Write an opened image's voxels; return their fingerprint and a thumbnail.

    Parameters
    ----------
    group
        h5py.Group of the image.
    check
        Called between planes; raises when the file can no longer be written.

    Raises
    ------
    ReadError
        When the source cannot be read, or gives planes of another shape than it said.
    """
    c, depth, height, width = shape = tuple(int(n) for n in opened.shape)
    dataset = group.create_dataset(
        "pixels",
        shape=shape,
        dtype=opened.dtype,
        chunks=(1, 1, min(PIXEL_CHUNK, height), min(PIXEL_CHUNK, width)),
        fletcher32=True,
    )
    digest = _digest(opened.dtype, shape)
    in_order = c == 1 or depth == 1
    small = np.zeros((1, 1), np.uint8)
    for z in range(depth):
        plane = opened.read_plane(z)
        if plane.shape != (c, height, width) or plane.dtype != opened.dtype:
            raise ReadError(
                f"“{opened.name}” gave {plane.dtype} {plane.shape} where "
                f"{opened.dtype} {(c, height, width)} was announced; it was not imported."
            )
        dataset[:, z] = plane
        if in_order:
            digest.update(_bytes(plane))
        if z == depth // 2:
            small = thumbnail(plane, is_rgb=opened.is_rgb)
        check()
    if not in_order:  # the fingerprint takes whole channels one after the other
        for channel in range(c):
            for z in range(depth):
                digest.update(_bytes(dataset[channel, z]))
    return f"sha256:{digest.hexdigest()}", small


def create_mask(group: Any, shape: tuple[int, int, int]) -> Any:
    """Create an unlabelled mask ``(Z, Y, X)``; it takes no room until painted."""
    dataset = group.create_dataset(
        "mask",
        shape=shape,
        dtype=np.uint8,
        chunks=_mask_chunk(shape),
        compression="gzip",
        compression_opts=1,
        fletcher32=True,
    )
    write_counts(dataset, {})
    return dataset


def store_mask(dataset: Any, change: MaskChange) -> None:
    """Write changed blocks into a mask dataset ``(Z, Y, X)``."""
    _, height, width = dataset.shape
    chunk = _mask_chunk(dataset.shape)
    for (z, by, bx), block in sorted(change.blocks.items()):
        y0, x0 = by * BLOCK, bx * BLOCK
        y1, x1 = min(y0 + BLOCK, height), min(x0 + BLOCK, width)
        if block is not None:
            dataset[z, y0:y1, x0:x1] = block[: y1 - y0, : x1 - x0]
        elif dataset.chunks != chunk or _is_stored(dataset, (z, y0, x0)):
            dataset[z, y0:y1, x0:x1] = 0  # a part never stored reads as 0 anyway
    write_counts(dataset, change.counts)
    if "mask_sha256" in dataset.attrs:
        del dataset.attrs["mask_sha256"]


def store_objects(group: Any, objects: NDArray[np.uint32]) -> None:
    """Write object numbers ``(Z, Y, X)`` uint32, planes without any left out."""
    dataset = group.create_dataset(
        "objects",
        shape=objects.shape,
        dtype=np.uint32,
        chunks=(1, min(BLOCK, objects.shape[1]), min(BLOCK, objects.shape[2])),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
        fletcher32=True,
    )
    for z in range(objects.shape[0]):
        if objects[z].any():
            dataset[z] = objects[z]


def store_thumbnail(group: Any, small: Plane) -> None:
    """Write a thumbnail ``(h, w)`` or ``(h, w, 3)`` uint8."""
    group.create_dataset("thumbnail", data=small)


# -- reading -------------------------------------------------------------------------------------


def read_pixels(dataset: Any, z: int, y0: int, x0: int, y1: int, x1: int) -> Pixels:
    """Part of a plane, ``(C, y1 - y0, x1 - x0)``, clipped to the image.

    Raises
    ------
    OSError
        When blocks are missing, which HDF5 would silently read as 0: images have all of theirs.
    """
    channels, _, height, width = dataset.shape
    top, left, bottom, right = max(0, y0), max(0, x0), min(y1, height), min(x1, width)
    if dataset.chunks is not None:
        depth, rows, columns = dataset.chunks[1:]
        for place in itertools.product(
            range(0, channels, dataset.chunks[0]),
            (z // depth * depth,),
            range(top // rows * rows, bottom, rows),
            range(left // columns * columns, right, columns),
        ):
            if not _is_stored(dataset, place):
                raise OSError(f"the block at {place} is missing")
    region: Pixels = dataset[:, z, top:bottom, left:right]
    return region


def load_mask(dataset: Any) -> Mask:
    """Read a mask ``(Z, Y, X)`` uint8; parts never painted are neither stored nor read."""
    depth, height, width = (int(n) for n in dataset.shape)
    mask = Mask((depth, height, width))
    chunk = _mask_chunk(mask.shape)
    if dataset.chunks == chunk:
        offsets: list[tuple[int, int, int]] = []
        dataset.id.chunk_iter(lambda info: offsets.append(info.chunk_offset))
        for z, y, x in offsets:
            values = dataset[z, y : y + chunk[1], x : x + chunk[2]]
            if values.any():
                block = values
                if block.shape != (BLOCK, BLOCK):
                    block = np.zeros((BLOCK, BLOCK), np.uint8)
                    block[: values.shape[0], : values.shape[1]] = values
                mask.replace_block((z, y // BLOCK, x // BLOCK), block)
    else:  # written by another program
        for z in range(depth):
            mask.write(z, 0, 0, dataset[z])
    mask.dirty.clear()
    return mask


def load_thumbnail(group: Any) -> Plane | None:
    """The stored thumbnail, or None when there is none that makes sense."""
    dataset = group.get("thumbnail")
    if dataset is None or getattr(dataset, "dtype", None) != np.uint8:
        return None
    shape = dataset.shape
    if len(shape) not in (2, 3) or not 1 <= min(shape) <= max(shape) <= THUMBNAIL_SIDE:
        return None
    if len(shape) == 3 and shape[2] != 3:
        return None
    small: Plane = dataset[...]
    return small


# -- fingerprints and thumbnails -----------------------------------------------------------------


def mask_hash(mask: Mask) -> str:
    """Fingerprint of a mask: `core.image.content_hash` of its array, made plane by plane."""
    digest = _digest(np.dtype(np.uint8), mask.shape)
    for plane in _planes(mask):
        digest.update(_bytes(plane))
    return f"sha256:{digest.hexdigest()}"


def thumbnail(plane: Pixels, *, is_rgb: bool = False) -> Plane:
    """A small picture of one plane ``(C, Y, X)``.

    Grey values between the 1st and the 99.8th percentile fill the range; several stains are
    averaged after that; colour pictures keep their colours.

    Returns
    -------
    ndarray
        ``(h, w)`` uint8, ``(h, w, 3)`` for colour pictures; the longer side at most 128, never
        larger than the plane.
    """
    import cv2  # imported by the window anyway, but not by a command that only looks

    _, height, width = plane.shape
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    step = max(1, int(1 / scale) // 4)  # four samples a side are enough for an average
    channels = []
    for channel in plane:
        values = np.ascontiguousarray(channel[::step, ::step])
        if values.dtype.kind == "f":
            values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
        if size != (values.shape[1], values.shape[0]):
            values = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        channels.append(values.astype(np.float64))
    if is_rgb:
        top = 255.0 if plane.dtype == np.uint8 else max(1.0, float(max(c.max() for c in channels)))
        picture = np.stack(channels, axis=-1) * (255.0 / top)
    else:
        picture = np.mean([_stretched(c) for c in channels], axis=0)
    small: Plane = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return small


def _mask_chunk(shape: tuple[int, ...]) -> tuple[int, int, int]:
    return 1, min(BLOCK, shape[1]), min(BLOCK, shape[2])


def _is_stored(dataset: Any, offset: tuple[int, ...]) -> bool:
    return dataset.id.get_chunk_info_by_coord(offset).byte_offset is not None


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = np.percentile(values, (1.0, 99.8))
    if high <= low:
        return np.full(values.shape, 128.0 if high > 0 else 0.0)
    stretched: NDArray[np.float64] = np.clip((values - low) / (high - low), 0.0, 1.0) * 255.0
    return stretched


def _planes(mask: Mask) -> Iterator[Plane]:
    painted = {index[0] for index in mask.block_indices()}
    empty = np.zeros(mask.shape[1:], np.uint8)
    for z in range(mask.shape[0]):
        yield mask.plane(z) if z in painted else empty


def _digest(dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> Any:
    """A hash that has taken in what `core.image.content_hash` puts before the voxels."""
    return hashlib.sha256(f"{dtype.str.lstrip('<>|=')}{shape}".encode())


def _bytes(values: NDArray[np.generic]) -> memoryview:
    little = values.astype(values.dtype.newbyteorder("<"), copy=False)
    return np.ascontiguousarray(little).data
