"""Edits along the way of a hand."""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.painting import brush


@dataclass(frozen=True)
class PaintStroke:
    """A brush drawn through points.

    Attributes
    ----------
    z
        Plane.
    points_yx
        ``((y, x), …)`` in voxels; the centre of the first voxel is (0.5, 0.5).
    size
        Diameter, or side of the square, in voxels.
    class_id
        0 erases.
    """

    z: int
    points_yx: tuple[tuple[float, float], ...]
    size: int
    class_id: int
    square: bool = False
    protect: bool = False

    @property
    def title(self) -> str:
        """Erase or paint."""
        return "erase" if self.class_id == UNLABELLED else "paint"

    def apply(self, recorder: Recorder) -> None:
        """Sweep the footprint from point to point."""
        allowed = overwritable(self.class_id, self.protect)
        starts = self.points_yx[:1] + self.points_yx[:-1]
        for a, b in zip(starts, self.points_yx, strict=True):
            y0, x0, where = brush.swept(a, b, self.size, square=self.square)
            recorder.paint(self.z, y0, x0, where, self.class_id, allowed)
