"""How much each voxel of an image is to count in training: one number a voxel, read from a file.

They lie beside the mask (`orgseg_app.files.schema`), with the least and the largest of them noted.
Only planes are read, and a file is taken in plane by plane, all of it or nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.core.project import ProjectImage
from orgseg_app.files.attributes import read_value
from orgseg_app.files.errors import FileError, ProjectError
from orgseg_app.files.images import codecs, layers
from orgseg_app.files.project_file import ProjectFile
from orgseg_app.files.safety.audit import DAMAGE

NAME = "weights"
UNCHANGED = "Nothing was changed."


def has_weights(project_file: ProjectFile, image_id: str) -> bool:
    """Whether an image has weights, even if they cannot be read. At once."""
    with contextlib.suppress(FileError):
        return _reading(project_file, image_id, lambda dataset: True) is not None
    return True


def weights_range(project_file: ProjectFile, image_id: str) -> tuple[float, float] | None:
    """Least and largest weight of an image; None where it has none.

    Raises
    ------
    ProjectError
        When they cannot be read.
    """

    def work(dataset: Any) -> tuple[float, float]:
        noted = np.asarray(read_value(dataset, "range"))
        if noted.shape == (2,) and noted.dtype.kind == "f" and np.isfinite(noted).all():
            return float(noted[0]), float(noted[1])
        ends = [(float(p.min()), float(p.max())) for p in (dataset[z] for z in range(len(dataset)))]
        return min(low for low, _ in ends), max(high for _, high in ends)

    found: tuple[float, float] | None = _reading(project_file, image_id, work)
    return found


def weights_plane(project_file: ProjectFile, image_id: str, z: int) -> NDArray[np.float32] | None:
    """Weights of one plane, ``(Y, X)`` float32, 0 or more; None where the image has none.

    Raises
    ------
    ProjectError
        When they cannot be read.
    """
    plane: NDArray[np.float32] | None = _reading(project_file, image_id, lambda data: data[z])
    return plane


def store_weights(
    project_file: ProjectFile,
    image_id: str,
    opened: OpenedImage,
    progress: Callable[[int, int], bool] | None = None,
) -> tuple[float, float] | None:
    """Keep weights for an image, in place of former ones, in one atomic write. Any thread.

    Parameters
    ----------
    opened
        One channel with as many voxels as the image; finite, 0 or more, and not all 0.
    progress
        Called with planes done and planes in all; False gives up, and nothing is stored.

    Returns
    -------
    (float, float) or None
        Least and largest weight; None when `progress` gave up.

    Raises
    ------
    FileError
        When they do not fit, cannot be read, or cannot be written; the project is as before.
    """
    image = _image(project_file, image_id)
    _check_shape(image, opened)
    depth, size = image.shape[1], 4 * int(np.prod(image.mask_shape))
    low, high = np.inf, -np.inf
    try:
        with project_file.transaction(new_bytes=size) as file:
            group = file["images"][image_id]
            if NAME in group:
                del group[NAME]
            dataset = layers.create_weights(group, image.mask_shape, codecs.chosen(group))
            for z in range(depth):
                if progress is not None and not progress(z, depth):
                    raise _GivenUpError
                plane = opened.read_plane(z)[0].astype(np.float32)
                ends = _checked(plane, opened.source, z)
                low, high = min(low, ends[0]), max(high, ends[1])
                layers.store_weights_plane(dataset, z, plane)
            if high <= 0:
                raise ProjectError(
                    f"All weights in “{opened.source}” are 0, so that nothing would count. "
                    f"{UNCHANGED}"
                )
            layers.finish_weights(dataset, low, high)
    except _GivenUpError:
        return None
    return low, high


def drop_weights(project_file: ProjectFile, image_id: str) -> None:
    """Forget the weights of an image, if it has any. Any thread.

    Raises
    ------
    ProjectError
        When the project cannot be written; it is as before.
    """
    _image(project_file, image_id)
    with project_file.transaction() as file:
        group = file["images"][image_id]
        if NAME in group:
            del group[NAME]


class _GivenUpError(Exception):
    """The user gave up."""


def _reading(project_file: ProjectFile, image_id: str, work: Callable[[Any], Any]) -> Any:
    """What ``work`` makes of the dataset; None where there is none."""
    name = _image(project_file, image_id).name
    with project_file.reading() as file:
        try:
            group = file["images"][image_id]
            if NAME not in group:
                return None
            codecs.provide(codecs.filters_of(group[NAME]))
            return work(group[NAME])
        except FileError:
            raise
        except DAMAGE as error:
            raise ProjectError(
                f"The weights of “{name}” cannot be read: “{project_file.path.name}” is damaged "
                "there, or its disk is gone. The image and its mask are not affected."
            ) from error


def _image(project_file: ProjectFile, image_id: str) -> ProjectImage:
    """Facts of an image. Raises ProjectError where it was removed meanwhile."""
    image = project_file.project.images.get(image_id)
    if image is None:
        raise ProjectError(
            f"The image of these weights is no longer in “{project_file.path.name}”. {UNCHANGED}"
        )
    return image


def _check_shape(image: ProjectImage, opened: OpenedImage) -> None:
    channels, depth, height, width = opened.shape
    if channels != 1:
        raise ProjectError(
            f"“{opened.source}” has {channels} channels; weights are one number a voxel. "
            f"{UNCHANGED} Save them as one channel."
        )
    if opened.shape[1:] != image.mask_shape:
        there = " × ".join(str(n) for n in (depth, height, width))
        here = " × ".join(str(n) for n in image.mask_shape)
        raise ProjectError(
            f"“{opened.source}” has {there} voxels (planes × height × width), and “{image.name}” "
            f"has {here}. {UNCHANGED} Weights need one number for each voxel of the image."
        )


def _checked(plane: NDArray[np.float32], source: str, z: int) -> tuple[float, float]:
    """Least and largest weight of a plane. Raises ProjectError for what is no weight."""
    low, high = float(plane.min()), float(plane.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ProjectError(
            f"“{source}” holds values that are no numbers, in plane {z + 1}. {UNCHANGED} Give "
            "every voxel a weight of 0 or more."
        )
    if low < 0:
        raise ProjectError(
            f"“{source}” holds negative weights ({low:g} in plane {z + 1}). {UNCHANGED} Give "
            "every voxel a weight of 0 or more; 0 leaves it out."
        )
    return low, high
