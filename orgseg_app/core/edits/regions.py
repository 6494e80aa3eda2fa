"""Edits of the region around a voxel."""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.painting import fill


@dataclass(frozen=True)
class FloodFill:
    """The connected region of equal class around a voxel."""

    z: int
    y: int
    x: int
    class_id: int

    @property
    def title(self) -> str:
        """Fill."""
        return "fill"

    def apply(self, recorder: Recorder) -> None:
        """Set the region to the class."""
        y0, x0, where = fill.flood(recorder.mask, self.z, self.y, self.x)
        if where.size:
            recorder.paint(self.z, y0, x0, where, self.class_id)
