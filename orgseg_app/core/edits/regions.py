"""Edits of the region around a voxel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.edits.whole import TakeBack
from orgseg_app.core.mask import Mask
from orgseg_app.core.objects import NO_OBJECT
from orgseg_app.core.painting import fill
from orgseg_app.core.painting.holes import holes


@dataclass(frozen=True)
class FloodFill:
    """The connected region of equal class around a voxel; through the planes with ``in_3d``.

    The region is one class whole, so there is nothing in it to protect. With an object in the hand
    it is of one object whole, too, or of none.
    """

    z: int
    y: int
    x: int
    class_id: int
    in_3d: bool = False

    @property
    def title(self) -> str:
        """Fill."""
        return "fill"

    def apply(self, recorder: Recorder) -> None:
        """Set the region to the class."""
        mask, place = recorder.mask, (self.z, self.y, self.x)
        old = mask.value(*place)
        if recorder.object_id:
            number = recorder.object_id if self.class_id > BACKGROUND else NO_OBJECT
            if (old, mask.objects.value(*place)) != (self.class_id, number):
                region = object_region(mask, *place, in_3d=self.in_3d)
                recorder.recolour(region, old, self.class_id)
        elif old != self.class_id:
            recorder.recolour(fill.flood(mask, *place, in_3d=self.in_3d), old, self.class_id)


def object_region(
    mask: Mask, z: int, y: int, x: int, *, in_3d: bool = False
) -> Iterator[fill.Piece]:
    """The region of equal class and equal object number around a voxel, as of `fill.spread`."""
    depth, height, width = mask.shape
    if not (0 <= z < depth and 0 <= y < height and 0 <= x < width):
        return iter(())
    class_id, number = mask.value(z, y, x), mask.objects.value(z, y, x)
    if class_id <= BACKGROUND:  # there are no objects
        return fill.flood(mask, z, y, x, in_3d=in_3d)

    def look(z: int, y0: int, x0: int, y1: int, x1: int) -> NDArray[np.bool_]:
        same = np.equal(mask.read(z, y0, x0, y1, x1), class_id)
        same &= np.equal(mask.objects.read(z, y0, x0, y1, x1), np.uint32(number))
        return same

    return fill.spread(mask.shape, (z, y, x), look, in_3d=in_3d)


@dataclass(frozen=True)
class FillHoles:
    """What the region around a voxel encloses gets its class; unlabelled encloses nothing.

    With ``protect`` other classes that lie in the holes stay. With an object in the hand, the
    region is one object whole, and the holes become part of it, not of the one in the hand.
    """

    z: int
    y: int
    x: int
    in_3d: bool = False
    protect: bool = False

    @property
    def title(self) -> str:
        """Fill holes."""
        return "fill holes"

    def apply(self, recorder: Recorder) -> None:
        """Paint the holes."""
        mask = recorder.mask
        depth, height, width = mask.shape
        if not (0 <= self.z < depth and 0 <= self.y < height and 0 <= self.x < width):
            return
        class_id = mask.value(self.z, self.y, self.x)
        if class_id == UNLABELLED:
            return
        place = self.z, self.y, self.x
        find = object_region if recorder.object_id else fill.flood
        region = list(find(mask, *place, in_3d=self.in_3d))
        if recorder.object_id:
            recorder.object_id = mask.objects.value(*place)
        allowed = overwritable(class_id, self.protect)
        for z, y0, x0, where in holes(region):
            recorder.paint(z, y0, x0, where, class_id, allowed)


@dataclass(frozen=True, eq=False)
class PaintRegion:
    """Voxels that a rule has found.

    Attributes
    ----------
    pieces
        ``(z, y0, x0, where)`` each; ``where`` is ``(h, w)`` bool.
    class_id
        0 erases.
    instead_of
        Changes that are taken back first, the last one first; all are one step.
    """

    pieces: tuple[fill.Piece, ...]
    class_id: int
    protect: bool = False
    name: str = "wand"
    instead_of: tuple[Change, ...] = ()

    @property
    def title(self) -> str:
        """What found them."""
        return self.name

    def apply(self, recorder: Recorder) -> None:
        """Paint them."""
        for change in self.instead_of:
            TakeBack(change).apply(recorder)
        allowed = overwritable(self.class_id, self.protect)
        for z, y0, x0, where in self.pieces:
            recorder.paint(z, y0, x0, where, self.class_id, allowed)
