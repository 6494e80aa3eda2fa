"""Voxels into and out of a project's image group: pixels, mask, objects, weights, thumbnail.

Everything goes plane by plane or block by block, so that memory follows one plane and not one
image, and h5py's global lock is never held for long while the window wants to read.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.block_runs import BlockRuns
from orgseg_app.core.blocks import BLOCK, BlockArray, BlockIndex, Number
from orgseg_app.core.image import OpenedImage, Pixels, begin_hash, hashed_bytes
from orgseg_app.core.mask import Mask, Plane
from orgseg_app.core.objects import Numbers, Objects
from orgseg_app.files.attributes import read_text
from orgseg_app.files.errors import ReadError
from orgseg_app.files.giving_up import PIECE_BYTES
from orgseg_app.files.images.blocks import (
    can_be_found,
    heal,
    is_disk_failure,
    list_sum,
    note_blocks,
    stored_blocks,
)
from orgseg_app.files.images.codecs import (
    PLAIN,
    SHUFFLE,
    Codec,
    chosen,
    create_dataset,
    filters_of,
    provide,
)
from orgseg_app.files.images.planes import read_pixels as read_pixels
from orgseg_app.files.images.planes import stored_offsets, write_rows
from orgseg_app.files.images.pyramid import PyramidWriter
from orgseg_app.files.safety.audit import DAMAGE
from orgseg_app.files.schema import write_counts

THUMBNAIL_SIDE = 128

LOST, LOST_OBJECTS = "lost_mask_", "lost_objects_"
"""Beginning of the name of a mask, or objects, that could not be read and have been replaced."""


class _Copies(Mapping[BlockIndex, "NDArray[Number] | None"], Generic[Number]):
    """Blocks, kept as runs where they can be; damaged ones only if something is in them since."""

    def __init__(self, array: BlockArray[Number], indices: Iterable[BlockIndex]) -> None:
        self._kept: dict[BlockIndex, NDArray[Number] | BlockRuns[Number] | None]
        self._kept = {index: array.kept(index) for index in indices}
        for index in array.damaged & self._kept.keys():
            block = self._kept[index]
            if block is None or not block.any():
                del self._kept[index]

    def __getitem__(self, index: BlockIndex) -> NDArray[Number] | None:
        found = self._kept[index]
        return found.unpacked() if isinstance(found, BlockRuns) else found

    def __iter__(self) -> Iterator[BlockIndex]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


@dataclass(frozen=True)
class MaskChange:
    """Blocks of a mask and its objects to be written, taken out of it at one moment.

    Attributes
    ----------
    blocks
        Copies, ``(256, 256)`` uint8; None where the block is unlabelled. They may be made from
        runs each time they are asked for.
    counts
        Painted voxels of each class in the whole mask.
    numbers
        Copies of object numbers likewise, uint32.
    loses_objects
        The file has objects that could not be read at all; these numbers take their place.
    """

    blocks: Mapping[BlockIndex, Plane | None]
    counts: dict[int, int]
    numbers: Mapping[BlockIndex, Numbers | None] = field(default_factory=dict)
    loses_objects: bool = False

    @classmethod
    def of(
        cls, mask: Mask, indices: Iterable[BlockIndex], numbers: Iterable[BlockIndex] = ()
    ) -> MaskChange:
        """Copy blocks out of a mask; damaged ones only where something has been painted since.

        Parameters
        ----------
        numbers
            Blocks whose object numbers are copied.
        """
        copies = _Copies(mask.objects, numbers)
        loses = mask.objects.is_lost and bool(copies)
        return cls(_Copies(mask, indices), mask.counts(), copies, loses)

    @classmethod
    def whole(cls, mask: Mask) -> MaskChange:
        """All blocks a mask and its objects have, in any thread: painting may go on meanwhile."""
        blocks = _Copies(mask, mask.block_indices())
        copied = cls(blocks, {}, _Copies(mask.objects, mask.objects.block_indices()))
        return replace(copied, counts=copied.as_mask(mask.shape).counts())

    def as_mask(self, shape: tuple[int, int, int]) -> Mask:
        """The blocks as a mask ``(Z, Y, X)``."""
        mask = Mask(shape)
        for index, block in self.blocks.items():
            mask.replace_block(index, block)
            mask.pack(1)
        for index, numbers in self.numbers.items():
            mask.objects.replace_block(index, numbers)
            mask.objects.pack(1)
        return mask


def all_blocks(shape: tuple[int, int, int]) -> Iterator[BlockIndex]:
    """Indices of all blocks a mask ``(Z, Y, X)`` can have."""
    return itertools.product(
        range(shape[0]), range(-(-shape[1] // BLOCK)), range(-(-shape[2] // BLOCK))
    )


# -- writing -------------------------------------------------------------------------------------


def store_pixels(
    group: Any,
    opened: OpenedImage,
    check: Callable[[], None],
    *,
    codec: Codec = PLAIN,
    pyramid: PyramidWriter | None = None,
    embed: bool = True,
) -> tuple[str, Plane]:
    """Take in an opened image's voxels; return their fingerprint and a thumbnail.

    Parameters
    ----------
    group
        h5py.Group of the image.
    check
        Called some times a plane; raises when the file can no longer be written, or to give up.
    pyramid
        Gets every plane, too.
    embed
        False leaves the voxels where they are (a linked image).

    Raises
    ------
    ReadError
        When the source cannot be read, or gives planes of another shape than it said.
    """
    c, depth, height, width = shape = tuple(int(n) for n in opened.shape)
    chunk = codec.chunk(height, width)
    dataset = None
    if embed:
        dataset = create_dataset(
            group, "pixels", shape, opened.dtype, chunk=chunk, filters=codec.pixels
        )
    digest = begin_hash(opened.dtype, shape)
    in_order = c == 1 or depth == 1
    small = np.zeros((1, 1), np.uint8)
    for z in range(depth):
        plane = _plane_of(opened, z)
        check()
        for channel, values in enumerate(plane):
            if dataset is not None:
                write_rows(dataset, channel, z, values, check)
            if in_order:
                _take_in(digest, values, check)
        if pyramid is not None:
            pyramid.add(z, plane, check)
        if z == depth // 2:
            small = thumbnail(plane, is_rgb=opened.is_rgb)
        check()
    if not in_order:  # the fingerprint takes whole channels one after the other
        for channel, z in itertools.product(range(c), range(depth)):
            again = _plane_of(opened, z)[channel] if dataset is None else dataset[channel, z]
            _take_in(digest, again, check)
    if dataset is not None:
        note_blocks(dataset)
    return f"sha256:{digest.hexdigest()}", small


def _plane_of(opened: OpenedImage, z: int) -> Pixels:
    c, _, height, width = opened.shape
    plane = opened.read_plane(z)
    if plane.shape != (c, height, width) or plane.dtype != opened.dtype:
        raise ReadError(
            f"“{opened.name}” gave {plane.dtype} {plane.shape} where "
            f"{opened.dtype} {(c, height, width)} was announced; it was not imported."
        )
    return plane


def create_mask(group: Any, shape: tuple[int, int, int], codec: Codec = PLAIN) -> Any:
    """Create an unlabelled mask ``(Z, Y, X)``; it takes no room until painted."""
    chunk = (1, BLOCK, BLOCK)
    dataset = create_dataset(group, "mask", shape, np.uint8, chunk=chunk, filters=codec.mask)
    write_counts(dataset, {})
    note_blocks(dataset)
    return dataset


def store_mask(dataset: Any, change: MaskChange, check: Callable[[], None] = lambda: None) -> None:
    """Write changed blocks into a mask dataset ``(Z, Y, X)``.

    Parameters
    ----------
    check
        Called after each block; raises to give up.
    """
    _store_blocks(dataset, change.blocks, check)
    write_counts(dataset, change.counts)
    note_blocks(dataset)
    if "mask_sha256" in dataset.attrs:
        del dataset.attrs["mask_sha256"]


def store_annotation(
    group: Any,
    change: MaskChange,
    codec: Codec | None = None,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write changed blocks of mask and objects into an image group; objects are made if need be.

    Parameters
    ----------
    codec
        For objects that are made; the image's own unless given.
    check
        Called after each block; raises to give up.
    """
    store_mask(group["mask"], change, check)
    if not change.numbers:
        return
    if "objects" in group and change.loses_objects:
        group.move("objects", f"{LOST_OBJECTS}{len(group)}")  # HDF5 cannot even free them
    if "objects" not in group:
        if not any(block is not None and block.any() for block in change.numbers.values()):
            return
        _create_objects(group, group["mask"].shape, codec or chosen(group))
    _store_blocks(group["objects"], change.numbers, check)
    if group["objects"].chunks is not None:
        note_blocks(group["objects"])


def _store_blocks(
    dataset: Any,
    blocks: Mapping[BlockIndex, NDArray[Number] | None],
    check: Callable[[], None],
) -> None:
    _, height, width = dataset.shape
    chunk = _mask_chunk(dataset.shape)
    erases = any(block is None for block in blocks.values())
    stored = stored_offsets(dataset) if erases and dataset.chunks == chunk else None
    for index in sorted(blocks):
        block = blocks[index]
        z, y0, x0 = index[0], index[1] * BLOCK, index[2] * BLOCK
        y1, x1 = min(y0 + BLOCK, height), min(x0 + BLOCK, width)
        if block is None and stored is not None and (z, y0, x0) not in stored:
            continue  # a part never stored reads as 0 anyway
        whole = np.zeros((BLOCK, BLOCK), dataset.dtype) if block is None else block
        values = whole[: y1 - y0, : x1 - x0]
        try:
            dataset[z, y0:y1, x0:x1] = values
        except OSError as error:  # a block at the edge is read first, and this one is damaged
            if dataset.chunks != chunk or is_disk_failure(error):
                raise
            heal(dataset, (z, y0, x0), values[np.newaxis])
        check()


def _create_objects(group: Any, shape: Sequence[int], codec: Codec) -> Any:
    return create_dataset(
        group,
        "objects",
        shape,
        np.uint32,
        chunk=(1, BLOCK, BLOCK),
        filters=((SHUFFLE, ()), *codec.mask),
    )


def store_objects(
    group: Any,
    objects: NDArray[np.uint32],
    codec: Codec = PLAIN,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write object numbers ``(Z, Y, X)`` uint32, rows of blocks without any left out.

    Parameters
    ----------
    check
        Called after each row of blocks; raises to give up.
    """
    dataset = _create_objects(group, objects.shape, codec)
    for z, top in itertools.product(range(objects.shape[0]), range(0, objects.shape[1], BLOCK)):
        rows = objects[z, top : top + BLOCK]
        if rows.any():
            dataset[z, top : top + BLOCK] = rows
        check()
    note_blocks(dataset)


def create_weights(group: Any, shape: tuple[int, int, int], codec: Codec = PLAIN) -> Any:
    """An empty dataset for weights ``(Z, Y, X)`` float32."""
    filters = ((SHUFFLE, ()), *codec.mask)
    return create_dataset(
        group, "weights", shape, np.float32, chunk=(1, BLOCK, BLOCK), filters=filters
    )


def store_weights_plane(dataset: Any, z: int, plane: NDArray[np.float32]) -> None:
    """Write one plane ``(Y, X)``, rows of blocks without any weight left out."""
    for top in range(0, plane.shape[0], BLOCK):
        rows = plane[top : top + BLOCK]
        if rows.any():
            dataset[z, top : top + BLOCK] = rows


def finish_weights(dataset: Any, low: float, high: float) -> None:
    """Note the least and the largest weight, and which blocks there are."""
    dataset.attrs["range"] = np.array([low, high], np.float64)
    note_blocks(dataset)


def store_weights(
    group: Any,
    weights: NDArray[np.float32],
    codec: Codec = PLAIN,
    check: Callable[[], None] = lambda: None,
) -> None:
    """Write weights ``(Z, Y, X)``; ``check`` is called after each plane, and raises to give up."""
    dataset = create_weights(group, (weights.shape[0], weights.shape[1], weights.shape[2]), codec)
    for z, plane in enumerate(weights):
        store_weights_plane(dataset, z, plane)
        check()
    finish_weights(dataset, float(weights.min()), float(weights.max()))


def store_thumbnail(group: Any, small: Plane) -> None:
    """Write a thumbnail ``(h, w)`` or ``(h, w, 3)`` uint8."""
    create_dataset(group, "thumbnail", small.shape, np.uint8, chunk=small.shape)[...] = small


# -- reading -------------------------------------------------------------------------------------


def load_mask(dataset: Any) -> Mask:
    """Read a mask ``(Z, Y, X)`` uint8; parts never painted are neither stored nor read.

    Blocks that are damaged are noted in ``Mask.damaged``; the others are read all the same.

    Raises
    ------
    One of `audit.DAMAGE`
        When the list of blocks cannot be followed, or the disk is gone.
    """
    provide(filters_of(dataset))  # without its filter, every block would seem damaged
    depth, height, width = (int(n) for n in dataset.shape)
    mask = Mask((depth, height, width))
    _load(dataset, mask)
    return mask


def load_objects(dataset: Any) -> Objects:
    """Read object numbers ``(Z, Y, X)`` uint32, as `load_mask` reads a mask.

    Raises
    ------
    One of `audit.DAMAGE`
        When the list of blocks cannot be followed, or the disk is gone.
    """
    provide(filters_of(dataset))
    depth, height, width = (int(n) for n in dataset.shape)
    objects = Objects((depth, height, width))
    _load(dataset, objects)
    return objects


def load_annotation(group: Any) -> Mask:
    """Read the mask of an image group with its objects.

    Objects that cannot be read at all are noted in ``Objects.is_lost``: the mask is there all the
    same.

    Raises
    ------
    One of `audit.DAMAGE`
        When the mask's list of blocks cannot be followed, or the disk is gone.
    """
    mask = load_mask(group["mask"])
    if "objects" in group:
        try:
            mask.objects = load_objects(group["objects"])
        except DAMAGE as error:
            if is_disk_failure(error):
                raise
            mask.objects.is_lost = True
    return mask


def _load(dataset: Any, array: BlockArray[Number]) -> None:
    if has_our_blocks(dataset):
        _load_blocks(dataset, array)
    else:  # written by another program
        for z in range(array.shape[0]):
            array.write(z, 0, 0, dataset[z])
    array.dirty.clear()


def has_our_blocks(dataset: Any) -> bool:
    """True when a mask is stored in blocks as OrgSeg makes them; others do it otherwise."""
    return bool(dataset.chunks == _mask_chunk(dataset.shape))


def _load_blocks(dataset: Any, array: BlockArray[Number]) -> None:
    blocks = stored_blocks(dataset)
    noted = read_text(dataset, "blocks_sum")
    array.is_doubtful = noted is not None and noted != list_sum(blocks)
    possible = tuple(-(-n // c) for n, c in zip(array.shape, dataset.chunks, strict=True))
    _, rows, columns = dataset.chunks
    for offset, _, _ in blocks:
        z, y, x = offset
        index = (z, y // BLOCK, x // BLOCK)
        if y % rows or x % columns or any(i >= n for i, n in zip(index, possible, strict=True)):
            array.is_doubtful = True
            continue
        if not can_be_found(dataset, offset):
            array.damaged.add(index)
            continue
        try:
            values = dataset[z, y : y + rows, x : x + columns]
        except OSError as error:
            if is_disk_failure(error):
                raise
            array.damaged.add(index)
            continue
        if values.any():
            block = values
            if block.shape != (BLOCK, BLOCK):
                block = np.zeros((BLOCK, BLOCK), array.dtype)
                block[: values.shape[0], : values.shape[1]] = values
            array.replace_block(index, block)
            array.pack(1)


def load_weights(dataset: Any) -> NDArray[np.float32]:
    """Read weights ``(Z, Y, X)``.

    Raises
    ------
    One of `audit.DAMAGE`
        When a block is damaged, or missing from where it was written.
    """
    provide(filters_of(dataset))
    if dataset.chunks is not None:
        blocks = stored_blocks(dataset)
        noted = read_text(dataset, "blocks_sum")
        if noted is not None and noted != list_sum(blocks):
            raise OSError("the list of blocks is damaged")
        if not all(can_be_found(dataset, block.offset) for block in blocks):
            raise OSError("a block cannot be found")
    values: NDArray[np.float32] = dataset[...]
    return values


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
    digest = begin_hash(np.dtype(np.uint8), mask.shape)
    for plane in _planes(mask):
        digest.update(hashed_bytes(plane))
    return f"sha256:{digest.hexdigest()}"


def objects_hash(objects: Objects) -> str:
    """Fingerprint of which voxels are one object; numbers given anew leave it as it is.

    "" where there is no object.
    """
    if objects.is_empty:
        return ""
    digest = begin_hash(np.dtype(np.uint32), objects.shape)
    known, names = np.zeros(1, np.uint32), np.zeros(1, np.int64)  # 0 stays 0
    for z in objects.planes():
        flat = objects.plane(z).ravel()
        starts = np.append(0, np.flatnonzero(flat[1:] != flat[:-1]) + 1)
        values, first, place = np.unique(flat[starts], return_index=True, return_inverse=True)
        new = np.setdiff1d(values, known)
        order = np.argsort(first[np.searchsorted(values, new)])  # as they are met
        known = np.append(known, new[order])
        names = np.append(names, len(names) + np.arange(len(new)))
        at = np.argsort(known)
        own = names[at[np.searchsorted(known, values, sorter=at)]]
        digest.update(np.int64(z).tobytes() + starts.tobytes() + own[place].tobytes())
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


def _take_in(digest: Any, values: NDArray[np.generic], check: Callable[[], None]) -> None:
    """Add a plane ``(Y, X)`` to a hash, some rows at a time."""
    rows = max(1, PIECE_BYTES // max(1, values.shape[1] * values.itemsize))
    for top in range(0, values.shape[0], rows):
        digest.update(hashed_bytes(values[top : top + rows]))
        check()
