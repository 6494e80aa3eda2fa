"""Edits of several objects at once: joined, deleted, classified, filled, smoothed, divided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK, BlockIndex, Box
from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.objects import class_of
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.mask import Mask, Plane
from orgseg_app.core.objects import NO_OBJECT, Numbers, Objects
from orgseg_app.core.painting import dividing, holes, morphology

Region = tuple[int, int, int, NDArray[np.bool_]]
"""Plane, corner, and where."""


@dataclass(frozen=True)
class DeleteObjects:
    """Objects made unlabelled, on all planes.

    Attributes
    ----------
    name
        For the menu.
    """

    numbers: tuple[int, ...]
    name: str = "delete objects"

    @property
    def title(self) -> str:
        """Delete."""
        return self.name

    def apply(self, recorder: Recorder) -> None:
        """Erase their voxels."""
        for (z, by, bx), numbers, classes in _blocks_with(recorder.mask, self.numbers):
            where = np.isin(numbers, self.numbers)
            kept = np.where(where, np.uint8(UNLABELLED), classes)
            recorder.put(z, by * BLOCK, bx * BLOCK, kept, np.where(where, NO_OBJECT, numbers))


@dataclass(frozen=True)
class MergeObjects:
    """Objects become one, with the number and the class of one of them."""

    numbers: tuple[int, ...]
    into: int

    @property
    def title(self) -> str:
        """Merge."""
        return "merge objects"

    def apply(self, recorder: Recorder) -> None:
        """Write number and class."""
        class_id = class_of(recorder.mask, self.into)
        others = [number for number in self.numbers if number != self.into]
        for (z, by, bx), numbers, classes in _blocks_with(recorder.mask, others):
            where = np.isin(numbers, others)
            new = np.where(where, np.uint8(class_id), classes) if class_id else classes
            joined = np.where(where, np.uint32(self.into), numbers)
            recorder.put(z, by * BLOCK, bx * BLOCK, new, joined)


@dataclass(frozen=True)
class ClassifyObjects:
    """Objects with another class; they stay the same objects."""

    numbers: tuple[int, ...]
    class_id: int

    @property
    def title(self) -> str:
        """Class."""
        return "change class of objects"

    def apply(self, recorder: Recorder) -> None:
        """Write the class; background and unlabelled have no objects."""
        if self.class_id <= BACKGROUND:
            return
        for (z, by, bx), numbers, classes in _blocks_with(recorder.mask, self.numbers):
            where = np.isin(numbers, self.numbers)
            new = np.where(where, np.uint8(self.class_id), classes)
            recorder.put(z, by * BLOCK, bx * BLOCK, new, numbers)


@dataclass(frozen=True)
class RenumberObjects:
    """All objects numbered from 1 without gaps, in the order they have."""

    @property
    def title(self) -> str:
        """Renumber."""
        return "renumber objects"

    def apply(self, recorder: Recorder) -> None:
        """Write the numbers that differ."""
        mask = recorder.mask
        old = np.array([NO_OBJECT, *sorted(mask.objects.sizes())], np.uint32)
        for z, by, bx in mask.objects.block_indices():
            numbers, classes = mask.objects.block((z, by, bx)), mask.block((z, by, bx))
            if numbers is None or classes is None:
                continue
            new = np.searchsorted(old, numbers).astype(np.uint32)
            if not np.array_equal(new, numbers):
                recorder.put(z, by * BLOCK, bx * BLOCK, classes.copy(), new)


@dataclass(frozen=True)
class FillObjects:
    """What objects enclose becomes theirs, where it is unlabelled or background.

    Attributes
    ----------
    in_3d
        What an object encloses on all sides; otherwise what it encloses on each plane.
    """

    numbers: tuple[int, ...]
    in_3d: bool = False

    @property
    def title(self) -> str:
        """Fill."""
        return "fill holes of objects"

    def apply(self, recorder: Recorder) -> None:
        """Write class and number into their holes."""
        mask = recorder.mask
        for number, pieces in _pieces_of(mask, self.numbers):
            class_id = class_of(mask, number)
            planes = sorted({piece[0] for piece in pieces})
            bodies = [pieces] if self.in_3d else [[p for p in pieces if p[0] == z] for z in planes]
            for body in bodies:
                for z, y0, x0, where in holes.holes(body):
                    _give(recorder, (z, y0, x0, where), class_id, number)


@dataclass(frozen=True)
class SmoothObjects:
    """Spikes and notches of objects rounded off, plane by plane; see `morphology.smoothed`.

    What an object gives up becomes what lies beside it; it grows over unlabelled and background.

    Attributes
    ----------
    radius
        In voxels.
    """

    numbers: tuple[int, ...]
    radius: int = 2

    @property
    def title(self) -> str:
        """Smooth."""
        return "smooth objects"

    def apply(self, recorder: Recorder) -> None:
        """Write what differs."""
        mask, margin = recorder.mask, morphology.reach(morphology.SMOOTH, self.radius)
        for number, pieces in _pieces_of(mask, self.numbers):
            class_id = class_of(mask, number)
            for z in sorted({piece[0] for piece in pieces}):
                _smooth(recorder, number, class_id, _box(pieces, z), margin, self.radius)


@dataclass(frozen=True)
class DivideObject:
    """An object cut where it is narrow: the largest part keeps the number.

    Attributes
    ----------
    count
        Parts.
    first
        Number of the first new object; the next ones follow it, those that are taken left out.
    sampling
        Voxel size (z, y, x), for necks of what is on several planes; None for cubes.
    """

    number: int
    count: int
    first: int
    sampling: tuple[float, float, float] | None = None

    @property
    def title(self) -> str:
        """Split."""
        return "split object"

    def apply(self, recorder: Recorder) -> None:
        """Number the parts."""
        body = body_of(recorder.mask.objects, self.number)
        if body is None:
            return
        box, where = body
        labels = parts_of(where, self.count, self.sampling)
        many = int(labels.max(initial=0))
        free = recorder.mask.objects.free_numbers(self.first, max(0, many - 1)).tolist()
        for part, new in enumerate(free, 2):
            for z, plane in enumerate(labels == part, box.z0):
                if plane.any():
                    recorder.number(z, box.y0, box.x0, plane, new)


def body_of(objects: Objects, number: int) -> tuple[Box, NDArray[np.bool_]] | None:
    """An object whole: its box, and where it lies in it, ``(z, y, x)``; None where it is not."""
    box = objects.box_of(number)
    if box.is_empty or number == NO_OBJECT:
        return None
    planes = [objects.read(z, box.y0, box.x0, box.y1, box.x1) for z in range(box.z0, box.z1)]
    return box, np.stack(planes) == number


def parts_of(
    where: NDArray[np.bool_], count: int, sampling: tuple[float, float, float] | None = None
) -> NDArray[np.int32]:
    """The parts of a body ``(z, y, x)``, at most so many; what lies on one plane is flat."""
    flat = where[0] if len(where) == 1 else where
    size = sampling[3 - flat.ndim :] if sampling is not None else None
    far = dividing.distances(flat, size)
    labels = dividing.divided(flat, far, dividing.peaks(far), count)
    return labels.reshape(where.shape)


# -- within ----------------------------------------------------------------------------------------


def _blocks_with(mask: Mask, numbers: Iterable[int]) -> Iterator[tuple[BlockIndex, Numbers, Plane]]:
    """Blocks that some of the objects lie in, with copies of what is there."""
    wanted = np.array(sorted(numbers), np.uint32)
    for index in mask.objects.block_indices():
        if not np.isin(mask.objects.numbers_in(index), wanted).any():
            continue
        found, classes = mask.objects.block(index), mask.block(index)
        if found is not None and classes is not None:
            yield index, found.copy(), classes.copy()


def _pieces_of(mask: Mask, numbers: Iterable[int]) -> Iterator[tuple[int, list[Region]]]:
    """Where each of the objects lies, block by block."""
    wanted = np.array(sorted(numbers), np.uint32)
    lies: dict[int, list[BlockIndex]] = {}
    for index in mask.objects.block_indices():
        for number in np.intersect1d(mask.objects.numbers_in(index), wanted).tolist():
            lies.setdefault(number, []).append(index)
    for number, indices in sorted(lies.items()):
        pieces = []
        for z, by, bx in indices:
            found = mask.objects.block((z, by, bx))
            assert found is not None
            where = found == number
            rows, columns = (np.flatnonzero(where.any(axis=axis)) for axis in (1, 0))
            y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
            part = where[y0:y1, x0:x1].copy()
            pieces.append((z, by * BLOCK + int(y0), bx * BLOCK + int(x0), part))
        yield number, pieces


def _box(pieces: Iterable[Region], z: int) -> Box:
    box = Box(0, 0, 0, 0, 0, 0)
    for plane, y0, x0, where in pieces:
        if plane == z:
            box = box.union(Box(z, y0, x0, z + 1, y0 + where.shape[0], x0 + where.shape[1]))
    return box


def _give(recorder: Recorder, region: Region, class_id: int, number: int) -> None:
    """Give voxels to an object where nobody else has them."""
    z, y0, x0, where = region
    place = z, y0, x0, y0 + where.shape[0], x0 + where.shape[1]
    classes, numbers = recorder.mask.read(*place), recorder.mask.objects.read(*place)
    free = where & (classes <= BACKGROUND)
    if free.any():
        classes[free], numbers[free] = class_id, number
        recorder.put(z, y0, x0, classes, numbers)


def _smooth(
    recorder: Recorder, number: int, class_id: int, box: Box, margin: int, radius: int
) -> None:
    from scipy import ndimage

    mask = recorder.mask
    wide = Box(
        box.z0, box.y0 - margin, box.x0 - margin, box.z1, box.y1 + margin, box.x1 + margin
    ).clipped(mask.shape)
    place = wide.z0, wide.y0, wide.x0, wide.y1, wide.x1
    classes, numbers = mask.read(*place), mask.objects.read(*place)
    where = numbers == number
    new = morphology.smoothed(where, radius)
    gained, lost = new & ~where & (classes <= BACKGROUND), where & ~new
    if lost.any() and not where.all():
        nearest = ndimage.distance_transform_edt(where, return_distances=False, return_indices=True)
        beside = tuple(axis[lost] for axis in nearest)
        classes[lost], numbers[lost] = classes[beside], numbers[beside]
    classes[gained], numbers[gained] = class_id, number
    if gained.any() or lost.any():
        recorder.put(wide.z0, wide.y0, wide.x0, classes, numbers)
