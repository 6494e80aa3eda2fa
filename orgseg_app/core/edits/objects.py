"""Edits of whole objects: joined, cut, deleted, given another number or class, made of the mask."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.blocks import BLOCK, BlockIndex
from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.edits.regions import object_region
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import NO_OBJECT, Numbers, Objects
from orgseg_app.core.painting import components

Report = Callable[[int, int], bool]
"""Called with blocks done and blocks in all; False stops."""


def class_of(mask: Mask, number: int) -> int:
    """The class that most voxels of an object have; 0 where there is no such object."""
    total = np.zeros(256, np.int64)
    for index in mask.objects.blocks_of(number):
        block, numbers = mask.block(index), mask.objects.block(index)
        if block is not None and numbers is not None:
            total += np.bincount(block[numbers == number], minlength=256)
    total[: BACKGROUND + 1] = 0
    return int(total.argmax())


def object_at(mask: Mask, z: int, y: int, x: int) -> components.Component | None:
    """The object a voxel belongs to, as it lies on its plane; None where there is none."""
    number = mask.objects.value(z, y, x)
    if not number:
        return None
    return components.Component(z, mask.value(z, y, x), tuple(_pieces(mask, number, z)))


@dataclass(frozen=True)
class DeleteObject:
    """An object made unlabelled, on one plane or, with None, on all of them."""

    number: int
    z: int | None = None

    @property
    def title(self) -> str:
        """Delete."""
        return "delete object"

    def apply(self, recorder: Recorder) -> None:
        """Erase its voxels."""
        for z, y0, x0, where in _pieces(recorder.mask, self.number, self.z):
            recorder.paint(z, y0, x0, where, UNLABELLED)


@dataclass(frozen=True)
class NumberObject:
    """An object with another number; where another object has that, the two become one.

    Attributes
    ----------
    number, new
        What it is called, and what it will be.
    z
        Only on this plane; None for all of them.
    """

    number: int
    new: int
    z: int | None = None

    @property
    def title(self) -> str:
        """What it looks like from outside."""
        return "merge objects"

    def apply(self, recorder: Recorder) -> None:
        """Write the number, and the class of the object that has it already."""
        mask = recorder.mask
        class_id = class_of(mask, self.new)
        for z, y0, x0, where in list(_pieces(mask, self.number, self.z)):
            classes = mask.read(z, y0, x0, y0 + BLOCK, x0 + BLOCK)
            numbers = mask.objects.read(z, y0, x0, y0 + BLOCK, x0 + BLOCK)
            numbers[where] = self.new
            if class_id:
                classes[where] = class_id
            recorder.put(z, y0, x0, classes, numbers)


@dataclass(frozen=True)
class SeparateObject:
    """The part of an object that hangs together around a voxel, as an object of its own.

    Attributes
    ----------
    new
        Its number.
    in_3d
        Through the planes; otherwise the part on this one.
    """

    z: int
    y: int
    x: int
    new: int
    in_3d: bool = False

    @property
    def title(self) -> str:
        """Separate."""
        return "separate object"

    def apply(self, recorder: Recorder) -> None:
        """Write the number; without an object there is nothing to do."""
        mask, place = recorder.mask, (self.z, self.y, self.x)
        if mask.objects.value(*place):
            for z, y0, x0, where in list(object_region(mask, *place, in_3d=self.in_3d)):
                recorder.number(z, y0, x0, where, self.new)


@dataclass(frozen=True)
class ClassifyObject:
    """An object with another class; it stays the same object."""

    number: int
    class_id: int
    z: int | None = None

    @property
    def title(self) -> str:
        """Class of an object."""
        return "change class of object"

    def apply(self, recorder: Recorder) -> None:
        """Write the class; background and unlabelled have no objects."""
        mask = recorder.mask
        if self.class_id <= BACKGROUND:
            return
        for z, y0, x0, where in list(_pieces(mask, self.number, self.z)):
            classes = mask.read(z, y0, x0, y0 + BLOCK, x0 + BLOCK)
            classes[where] = self.class_id
            numbers = mask.objects.read(z, y0, x0, y0 + BLOCK, x0 + BLOCK)
            recorder.put(z, y0, x0, classes, numbers)


@dataclass(frozen=True)
class SplitObject:
    """The first object that a line meets, cut along it: the largest part keeps the number.

    No voxel is lost: those under the line go to the part that is next to them.

    Attributes
    ----------
    z, points_yx
        As in `strokes.PaintStroke`.
    first
        Number of the first new object; the next ones follow it, those that are taken left out.
    in_3d
        The line cuts through all planes, and parts hang together over planes.
    """

    z: int
    points_yx: tuple[tuple[float, float], ...]
    first: int
    in_3d: bool = False

    @property
    def title(self) -> str:
        """Split."""
        return "split object"

    def apply(self, recorder: Recorder) -> None:
        """Number the parts."""
        mask = recorder.mask
        line = components.line_voxels(self.points_yx)
        number = first_met(mask.objects, self.z, self.points_yx)
        if not number:
            return
        box = mask.objects.box_of(number)
        if not self.in_3d:
            box = box._replace(z0=self.z, z1=self.z + 1)
        whole = np.stack(
            [mask.objects.read(z, *box[1:3], *box[4:]) == number for z in range(box.z0, box.z1)]
        )
        cut = np.zeros(whole.shape[1:], np.bool_)
        places = line - (box.y0, box.x0)
        places = places[((places >= 0) & (places < cut.shape)).all(axis=1)]
        cut[tuple(places.T)] = True
        parts = _parts(whole, cut)
        free = mask.objects.free_numbers(self.first, len(parts)).tolist()
        for part, new in zip(parts, free, strict=True):
            for z, where in enumerate(part, box.z0):
                if where.any():
                    recorder.number(z, box.y0, box.x0, where, new)


@dataclass(frozen=True)
class MakeObjects:
    """What hangs together in one class and has no number becomes an object; others stay.

    By sides and corners: 8 neighbours in the plane, 26 in a volume.

    Attributes
    ----------
    first
        Number of the first new object; the next ones follow it, those that are taken left out.
    z
        Only on this plane; None for the whole volume.
    """

    first: int
    z: int | None = None

    @property
    def title(self) -> str:
        """Make objects."""
        return "make objects"

    def apply(self, recorder: Recorder, report: Report = lambda done, total: True) -> None:
        """Find them block by block, join them over the borders of blocks, and number them."""
        mask = recorder.mask
        found, count = _labelled(mask, self.z)
        indices = found.block_indices()
        pairs = [np.zeros((0, 2), np.uint32)]
        for done, index in enumerate(indices):
            if not report(done, len(indices)):
                return
            pairs += _meeting(mask, found, index, in_3d=self.z is None)
        ranks = _joined(np.concatenate(pairs), count)
        free = mask.objects.free_numbers(self.first, int(ranks.max(initial=0)))
        numbers = np.append(np.uint32(NO_OBJECT), free)[ranks]
        for index in indices:
            z, by, bx = index
            classes, labels = mask.copied(index), found.block(index)
            assert classes is not None
            assert labels is not None
            held = mask.objects.block(index)
            new = numbers[labels]
            if held is not None:
                new = np.where(labels > 0, new, held)
            recorder.put(z, by * BLOCK, bx * BLOCK, classes, new)


def _pieces(
    mask: Mask, number: int, z: int | None
) -> Iterator[tuple[int, int, int, NDArray[np.bool_]]]:
    """Where an object lies, block by block: z, corner and ``(256, 256)`` bool."""
    if number == NO_OBJECT:
        return
    for index in mask.objects.blocks_of(number):
        numbers = mask.objects.block(index)
        if numbers is not None and z in (None, index[0]):
            yield index[0], index[1] * BLOCK, index[2] * BLOCK, numbers == number


def first_met(objects: Objects, z: int, points_yx: Sequence[components.Point]) -> int:
    """The first object that a line meets; 0 for none."""
    _, height, width = objects.shape
    for y, x in components.voxels_along(points_yx):
        if 0 <= y < height and 0 <= x < width and (number := objects.value(z, y, x)):
            return number
    return NO_OBJECT


def _parts(whole: NDArray[np.bool_], cut: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    """Parts that a cut makes of an object, without the largest; none where it makes only one.

    Parameters
    ----------
    whole
        The object, ``(z, y, x)``.
    cut
        Voxels under the line, ``(y, x)``.
    """
    from scipy import ndimage  # not before it is needed: the window starts without it

    labels, count = ndimage.label(whole & ~cut)  # by sides: a line has no gaps for them
    line = whole & cut
    beside = np.unique(labels[ndimage.binary_dilation(line, np.ones((1, 3, 3)))])
    beside = beside[beside > 0]
    if len(beside) < 2:
        return []
    nearest = ndimage.distance_transform_edt(
        ~np.isin(labels, beside), return_distances=False, return_indices=True
    )
    labels = np.where(line, labels[tuple(nearest)], labels)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    ordered = sorted(beside.tolist(), key=lambda label: (-sizes[label], label))
    return [labels == label for label in ordered[1:]]


def _labelled(mask: Mask, z: int | None) -> tuple[Objects, int]:
    """What hangs together within each block, numbered from 1; and how many there are."""
    found, count = Objects(mask.shape), 0
    for index in mask.block_indices():
        block, held = mask.block(index), mask.objects.block(index)
        if block is None or z not in (None, index[0]):
            continue
        labels = np.zeros((BLOCK, BLOCK), np.uint32)
        free = block > BACKGROUND
        if held is not None:
            free &= held == NO_OBJECT
        for class_id in np.unique(block[free]):
            here = free & (block == class_id)
            many, parts = cv2.connectedComponents(here.view(np.uint8), connectivity=8)
            labels[here] = parts[here] + count
            count += many - 1
        if labels.any():
            found.replace_block(index, labels)
    return found, count


def _meeting(mask: Mask, found: Objects, index: BlockIndex, *, in_3d: bool) -> list[Numbers]:
    """Pairs ``(n, 2)`` of labels of one class that meet at the borders of a block."""
    z, by, bx = index
    around = (by * BLOCK - 1, bx * BLOCK - 1, (by + 1) * BLOCK + 1, (bx + 1) * BLOCK + 1)
    inner = (slice(1, -1), slice(1, -1))
    here, classes = found.read(z, *around), mask.read(z, *around)
    pairs: list[Numbers] = []
    for plane in (z, z + 1) if in_3d and z + 1 < mask.shape[0] else (z,):
        there, others = found.read(plane, *around), mask.read(plane, *around)
        for dy, dx in itertools.product((-1, 0, 1), (-1, 0, 1)):
            if plane == z and (dy, dx) <= (0, 0):
                continue
            shifted = (slice(1 + dy, 1 + dy + BLOCK), slice(1 + dx, 1 + dx + BLOCK))
            a, b = here[inner], there[shifted]
            meet = (a > 0) & (b > 0) & (a != b) & (classes[inner] == others[shifted])
            if meet.any():
                pairs.append(np.unique(np.stack([a[meet], b[meet]], axis=1), axis=0))
    return pairs


def _joined(pairs: Numbers, count: int) -> NDArray[np.intp]:
    """For each label, ``(count + 1,)``, which object it is part of, from 1 in order of the labels.

    Labels that meet are of one object; label 0 is of none.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ones = np.ones(len(pairs), np.bool_)
    graph = coo_array((ones, (pairs[:, 0], pairs[:, 1])), shape=(count + 1, count + 1))
    _, groups = connected_components(graph, directed=False)
    _, firsts, place = np.unique(groups[1:], return_index=True, return_inverse=True)
    ranks = np.argsort(np.argsort(firsts))
    return np.append(0, ranks[place] + 1)
