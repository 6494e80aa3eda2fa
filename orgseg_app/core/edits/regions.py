"""Edits of the region around a voxel."""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.edits.whole import TakeBack
from orgseg_app.core.painting import fill
from orgseg_app.core.painting.holes import holes


@dataclass(frozen=True)
class FloodFill:
    """The connected region of equal class around a voxel; through the planes with ``in_3d``.

    The region is one class whole, so there is nothing in it to protect.
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
        mask = recorder.mask
        old = mask.value(self.z, self.y, self.x)
        if old != self.class_id:
            region = fill.flood(mask, self.z, self.y, self.x, in_3d=self.in_3d)
            recorder.recolour(region, old, self.class_id)


@dataclass(frozen=True)
class FillHoles:
    """What the region around a voxel encloses gets its class; unlabelled encloses nothing.

    With ``protect`` other classes that lie in the holes stay.
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
        region = list(fill.flood(mask, self.z, self.y, self.x, in_3d=self.in_3d))
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
