"""How much each voxel of an image is to count in training: one number a voxel, read or made.

They lie beside the mask (`orgseg_app.files.schema`), with the least and the largest of them noted.
Only planes are read; they are taken in or made plane by plane, all of it or nothing.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.image import OpenedImage
from orgseg_app.core.project import ProjectImage
from orgseg_app.core.weighting.maker import Peaks, WeightMaker, largest
from orgseg_app.core.weighting.settings import WeightSettings
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

    def planes() -> Iterator[tuple[int, NDArray[np.float32]]]:
        for z in range(depth):
            if progress is not None and not progress(z, depth):
                raise _GivenUpError
            yield z, opened.read_plane(z)[0].astype(np.float32)

    try:
        with project_file.transaction(new_bytes=size) as file:
            return _write(file, image, planes(), opened.source)
    except _GivenUpError:
        return None


def make_weights(
    project_file: ProjectFile,
    image_ids: Sequence[str],
    settings: WeightSettings,
    progress: Callable[[int, int], bool] | None = None,
) -> dict[str, tuple[float, float]] | None:
    """Make the weights of images from what is painted, in one atomic write. Any thread.

    Classes are balanced over all of these images together; edges are scaled in each for itself.

    Parameters
    ----------
    image_ids
        Images; those without paint that counts are left out.
    progress
        Called with steps done and steps in all; False gives up, and nothing is stored.

    Returns
    -------
    dict or None
        Least and largest weight of each image that was painted; None when `progress` gave up.

    Raises
    ------
    FileError
        When nothing is painted or would count, or they cannot be written; the project is as before.
    """
    counting = {i for i in project_file.project.class_ids if i not in settings.left_out}
    counts = {image_id: project_file.counts(image_id) for image_id in image_ids}
    painted = {image_id: found for image_id, found in counts.items() if counting & found.keys()}
    if not painted:
        raise ProjectError(
            "Nothing that counts is painted there yet, and weights are made from paint. "
            f"{UNCHANGED} Paint at least two classes."
        )
    return _Making(project_file, painted, settings, progress).run()


class _Making:
    """Two walks over all painted planes: how strong edges are, then the weights themselves."""

    def __init__(
        self,
        project_file: ProjectFile,
        painted: Mapping[str, Mapping[int, int]],
        settings: WeightSettings,
        progress: Callable[[int, int], bool] | None,
    ) -> None:
        self._file, self._progress = project_file, progress
        voxels: Counter[int] = Counter()
        for counts in painted.values():
            voxels.update(counts)
        self._maker = WeightMaker(settings, project_file.project.class_ids, voxels)
        self._images = [_image(project_file, i) for i in painted]
        walks = 2 if self._maker.directions else 1
        self._done, self._total = 0, walks * sum(image.shape[1] for image in self._images)

    def run(self) -> dict[str, tuple[float, float]] | None:
        size = sum(4 * int(np.prod(image.mask_shape)) for image in self._images)
        try:
            peaks = {image.image_id: self._peaks(image) for image in self._images}
            with self._file.transaction(new_bytes=size) as file:
                return {
                    image.image_id: _write(
                        file, image, self._planes(image, peaks[image.image_id]), image.name
                    )
                    for image in self._images
                }
        except _GivenUpError:
            return None

    def _peaks(self, image: ProjectImage) -> Peaks:
        found: Peaks = (0.0,) * len(self._maker.directions)
        if self._maker.directions:
            for _, plane in self._painted(image):
                found = largest(found, self._maker.peaks(plane))
        return found

    def _planes(
        self, image: ProjectImage, peaks: Peaks
    ) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for z, plane in self._painted(image):
            yield z, self._maker.weights(plane, peaks)

    def _painted(self, image: ProjectImage) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        mask = self._file.load_mask(image.image_id)
        painted = set(mask.planes())
        for z in range(image.shape[1]):
            if self._progress is not None and not self._progress(self._done, self._total):
                raise _GivenUpError
            if z in painted:
                yield z, mask.plane(z)
            self._done += 1


def _write(
    file: Any, image: ProjectImage, planes: Iterator[tuple[int, NDArray[np.float32]]], source: str
) -> tuple[float, float]:
    """Write the planes there are, and no weight elsewhere; returns the least and the largest.

    Raises
    ------
    ProjectError
        For what is no weight, or where nothing would count.
    """
    group = file["images"][image.image_id]
    if NAME in group:
        del group[NAME]
    dataset = layers.create_weights(group, image.mask_shape, codecs.chosen(group))
    low, high, count = np.inf, 0.0, 0
    for z, plane in planes:
        ends = _checked(plane, source, z)
        low, high, count = min(low, ends[0]), max(high, ends[1]), count + 1
        layers.store_weights_plane(dataset, z, plane)
    if high <= 0:
        raise ProjectError(
            f"All weights in “{source}” are 0, so that nothing would count. {UNCHANGED}"
        )
    low = low if count == image.shape[1] else 0.0
    layers.finish_weights(dataset, low, high)
    return low, high


def check_weights(opened: OpenedImage) -> None:
    """Look whether what a file holds can be weights, plane by plane.

    Raises
    ------
    ProjectError
        For several channels, values that are no numbers, negative ones, or nothing but 0.
    """
    if opened.shape[0] != 1:
        raise ProjectError(
            f"“{opened.source}” has {opened.shape[0]} channels; weights are one number a voxel."
        )
    high = 0.0
    for z in range(opened.shape[1]):
        plane = opened.read_plane(z)[0].astype(np.float32)
        high = max(high, _checked(plane, opened.source, z)[1])
    if high <= 0:
        raise ProjectError(f"All weights in “{opened.source}” are 0, so that nothing would count.")


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
