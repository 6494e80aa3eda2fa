"""Images on their way into a project."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import SUPPORTED_DTYPES, OpenedImage
from orgseg_app.core.mask import BLOCK, Mask
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import SPLITS, TRAIN
from orgseg_app.files import schema
from orgseg_app.files.attributes import plain
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.images import codecs, layers
from orgseg_app.files.images.codecs import Codec
from orgseg_app.files.images.content import Source
from orgseg_app.files.images.pyramid import PyramidWriter, level_sizes
from orgseg_app.files.names import clean_text

_PIECE_VOXELS = 4 * 2**20


@dataclass(frozen=True)
class NewImage:
    """An image to be added to a project.

    Attributes
    ----------
    opened
        The image as a reader gave it.
    split
        ``"train"``, ``"validation"`` or ``"test"``.
    mask
        ``(Z, Y, X)`` or ``(Y, X)`` class ids (0 unlabelled, 1 background), or None.
    objects
        ``(Z, Y, X)`` or ``(Y, X)`` object numbers, 0 = none, or None.
    note
        Free text beside the image.
    linked
        The file, where the voxels are to stay in it; None stores them in the project.
    series
        Which of the images in the file this is.
    time_series
        Shared by the time points of one recording; "" for an image on its own.
    codec
        How to pack voxels; as the project does when None.
    weights
        ``(1, Z, Y, X)``: how much each voxel is to count, known to be usable; or None.
    """

    opened: OpenedImage
    split: str = TRAIN
    mask: NDArray[np.generic] | None = None
    objects: NDArray[np.generic] | None = None
    note: str = ""
    linked: Source | None = None
    series: int = 0
    time_series: str = ""
    codec: Codec | None = None
    weights: OpenedImage | None = None

    @property
    def stored_bytes(self) -> int:
        """About how much room it takes in the file, at the most."""
        channels, depth, height, width = self.opened.shape
        voxels = channels * depth * height * width
        sizes = level_sizes(height, width, always=self.linked is not None)
        kept = sum(h * w for h, w in sizes) * channels * depth
        kept += 0 if self.linked is not None else voxels
        wide = (self.objects is not None) + (self.weights is not None)
        layered = voxels // channels * ((self.mask is not None) + 4 * wide)
        return kept * self.opened.dtype.itemsize + layered + 2**16


def store_image(
    images: Any, item: NewImage, name: str, order: int, check: Callable[[], None]
) -> tuple[ProjectImage, dict[int, int]]:
    """Write one image into the group of images.

    Parameters
    ----------
    images
        h5py.Group ``/images`` of a file being written.
    name
        Its name in the project, already unique.
    order
        Its place in the list.
    check
        Called some times a plane; raises when the file can no longer be written, or to give up.

    Returns
    -------
    image, counts
        Its facts, and the painted voxels of each class.

    Raises
    ------
    FileError
        When the image cannot be read or its mask does not fit; nothing of it is left in the file.
    """
    opened = item.opened
    image_id = schema.new_id()
    while image_id in images:
        image_id = schema.new_id()
    mask, objects = _fitting_mask(item, check), _fitting_objects(item, check)
    if opened.dtype.name not in SUPPORTED_DTYPES or min(opened.shape) < 1:
        raise ProjectError(
            f"“{opened.name}” holds {opened.dtype} voxels, {opened.shape}; "
            f"a project takes {', '.join(SUPPORTED_DTYPES)}."
        )
    if item.split not in SPLITS:
        raise ValueError(f"A split is one of {', '.join(SPLITS)}, not {item.split!r}.")
    group = images.create_group(image_id)
    try:
        image = _store_voxels(group, item, image_id, name, check)
        codec = codecs.chosen(group)
        dataset = layers.create_mask(group, image.mask_shape, codec)
        counts: dict[int, int] = {}
        if mask is not None:
            change = _all_of(mask, check)
            counts = change.counts
            layers.store_mask(dataset, change, check)
        if objects is not None:
            layers.store_objects(group, objects, codec, check)
        if item.weights is not None:
            _store_weights(group, item.weights, codec, check)
        group.attrs["order"] = order
        schema.write_image_facts(group, image)
        schema.write_link(group, image)
        return image, counts
    except BaseException:
        del images[image_id]
        raise


def _store_voxels(
    group: Any, item: NewImage, image_id: str, name: str, check: Callable[[], None]
) -> ProjectImage:
    """Store the voxels of an image, or a link to them, with its smaller versions."""
    opened, shape = item.opened, _four(item.opened.shape)
    codec = item.codec or codecs.chosen(group.file)
    codecs.choose(group, codec)
    link = None if item.linked is None else item.linked.link(item.series, check)
    pyramid = PyramidWriter(group, shape, opened.dtype, codec, always=link is not None)
    sha256, small = layers.store_pixels(
        group, opened, check, codec=codec, pyramid=pyramid, embed=link is None
    )
    if item.linked is not None:
        item.linked.check_same()
    layers.store_thumbnail(group, small)
    return ProjectImage(
        image_id=image_id,
        name=name,
        shape=shape,
        dtype=opened.dtype.name,
        is_rgb=opened.is_rgb,
        channel_names=tuple(clean_text(n) for n in opened.channel_names),
        pixel_size_um=opened.pixel_size_um,
        sha256=sha256,
        split=item.split,
        note=plain(item.note),
        source=clean_text(opened.source),
        link=link,
        time_series=item.time_series,
        time=opened.time,
    )


def _store_weights(
    group: Any, weights: OpenedImage, codec: Codec, check: Callable[[], None]
) -> None:
    """Store weights plane by plane, with the least and the largest of them."""
    _, depth, height, width = weights.shape
    dataset = layers.create_weights(group, (depth, height, width), codec)
    low, high = np.inf, -np.inf
    for z in range(depth):
        plane = weights.read_plane(z)[0].astype(np.float32)
        low, high = min(low, float(plane.min())), max(high, float(plane.max()))
        layers.store_weights_plane(dataset, z, plane)
        check()
    layers.finish_weights(dataset, low, high)


def _fitting_mask(item: NewImage, check: Callable[[], None]) -> Mask | None:
    if item.mask is None:
        return None
    values = item.mask if item.mask.ndim == 3 else item.mask[np.newaxis]
    _check_fit(item, "mask", values.shape)
    mask = Mask((values.shape[0], values.shape[1], values.shape[2]))
    rows = max(1, _PIECE_VOXELS // values.shape[2] // BLOCK) * BLOCK
    for z, top in itertools.product(range(mask.shape[0]), range(0, mask.shape[1], rows)):
        part = values[z, top : top + rows]
        if part.dtype.kind not in "uib" or not 0 <= int(part.min()) <= int(part.max()) <= 255:
            raise ProjectError(
                f"The mask of “{item.opened.name}” cannot be used: "
                "A mask holds whole class ids between 0 and 255."
            )
        mask.write(z, top, 0, part.astype(np.uint8, copy=False))
        check()
    return mask


def _all_of(mask: Mask, check: Callable[[], None]) -> layers.MaskChange:
    """All blocks of a mask that nobody else has; they are not copied."""
    blocks = {index: mask.block(index) for index in mask.block_indices()}
    total = np.zeros(256, np.int64)
    for block in blocks.values():
        assert block is not None
        total += np.bincount(block.ravel(), minlength=256)
        check()
    return layers.MaskChange(blocks, {i: int(total[i]) for i in range(1, 256) if total[i]})


def _fitting_objects(item: NewImage, check: Callable[[], None]) -> NDArray[np.uint32] | None:
    if item.objects is None:
        return None
    values = item.objects
    if values.ndim == 2:
        values = values[np.newaxis]
    _check_fit(item, "objects", values.shape)
    if values.dtype != np.uint32 and (
        values.dtype.kind not in "ui" or not 0 <= int(values.min()) <= int(values.max()) < 2**32
    ):
        raise ProjectError(
            f"The objects of “{item.opened.name}” cannot be used: "
            f"{values.dtype} does not hold whole numbers from 0 up."
        )
    check()
    return values.astype(np.uint32, copy=False)


def _check_fit(item: NewImage, what: str, shape: tuple[int, ...]) -> None:
    wanted = tuple(item.opened.shape[1:])
    if tuple(shape) != wanted:
        raise ProjectError(
            f"The {what} of “{item.opened.name}” measures {_sizes(shape)}, its image "
            f"{_sizes(wanted)}. Check that the two belong together."
        )


def _sizes(shape: tuple[int, ...]) -> str:
    """Width × height, and planes where there are several."""
    depth, height, width = (1,) * (3 - len(shape)) + tuple(shape)
    return f"{width} × {height}" + (f", {depth} planes" if depth > 1 else "")


def _four(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    c, z, y, x = (int(n) for n in shape)
    return c, z, y, x
