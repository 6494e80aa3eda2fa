"""Images on their way into a project."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import SUPPORTED_DTYPES, OpenedImage
from orgseg_app.core.mask import Mask
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import SPLITS, TRAIN
from orgseg_app.files import layers, schema
from orgseg_app.files.attributes import plain
from orgseg_app.files.errors import ProjectError
from orgseg_app.files.names import clean_text


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
    """

    opened: OpenedImage
    split: str = TRAIN
    mask: NDArray[np.generic] | None = None
    objects: NDArray[np.generic] | None = None
    note: str = ""

    @property
    def stored_bytes(self) -> int:
        """About how much room it takes in the file, at the most."""
        voxels = int(np.prod(self.opened.shape, dtype=object))
        area = voxels // self.opened.shape[0]
        layered = area * ((self.mask is not None) + 4 * (self.objects is not None))
        return voxels * self.opened.dtype.itemsize + layered + 2**16


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
        Raises when the file can no longer be written.

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
    mask, objects = _fitting_mask(item), _fitting_objects(item)
    if opened.dtype.name not in SUPPORTED_DTYPES or min(opened.shape) < 1:
        raise ProjectError(
            f"“{opened.name}” holds {opened.dtype} voxels, {opened.shape}; "
            f"a project takes {', '.join(SUPPORTED_DTYPES)}."
        )
    if item.split not in SPLITS:
        raise ValueError(f"A split is one of {', '.join(SPLITS)}, not {item.split!r}.")
    group = images.create_group(image_id)
    try:
        sha256, small = layers.store_pixels(group, opened, check)
        dataset = layers.create_mask(group, (opened.shape[1], opened.shape[2], opened.shape[3]))
        counts: dict[int, int] = {}
        if mask is not None:
            change = layers.MaskChange.whole(mask)
            counts = change.counts
            layers.store_mask(dataset, change)
        if objects is not None:
            layers.store_objects(group, objects)
        layers.store_thumbnail(group, small)
        image = ProjectImage(
            image_id=image_id,
            name=name,
            shape=_four(opened.shape),
            dtype=opened.dtype.name,
            is_rgb=opened.is_rgb,
            channel_names=tuple(clean_text(n) for n in opened.channel_names),
            pixel_size_um=opened.pixel_size_um,
            sha256=sha256,
            split=item.split,
            note=plain(item.note),
            source=clean_text(opened.source),
        )
        group.attrs["order"] = order
        schema.write_image_facts(group, image)
        return image, counts
    except BaseException:
        del images[image_id]
        raise


def _fitting_mask(item: NewImage) -> Mask | None:
    if item.mask is None:
        return None
    try:
        mask = Mask.from_array(item.mask)
    except ValueError as error:
        raise ProjectError(f"The mask of “{item.opened.name}” cannot be used: {error}") from error
    _check_fit(item, "mask", mask.shape)
    return mask


def _fitting_objects(item: NewImage) -> NDArray[np.uint32] | None:
    if item.objects is None:
        return None
    values = item.objects
    if values.ndim == 2:
        values = values[np.newaxis]
    _check_fit(item, "objects", values.shape)
    if values.dtype.kind not in "ui" or not 0 <= int(values.min()) <= int(values.max()) < 2**32:
        raise ProjectError(
            f"The objects of “{item.opened.name}” cannot be used: "
            f"{values.dtype} does not hold whole numbers from 0 up."
        )
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
