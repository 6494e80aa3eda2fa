"""Edits that fill an outline."""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.painting import shapes


@dataclass(frozen=True)
class PaintPolygon:
    """The inside of a closed outline; ``points_yx`` as in `PaintStroke`."""

    z: int
    points_yx: tuple[tuple[float, float], ...]
    class_id: int
    protect: bool = False

    @property
    def title(self) -> str:
        """Polygon."""
        return "polygon"

    def apply(self, recorder: Recorder) -> None:
        """Fill the outline."""
        shape = recorder.mask.shape
        y0, x0, where = shapes.polygon(self.points_yx, (shape[1], shape[2]))
        if where.size:
            allowed = overwritable(self.class_id, self.protect)
            recorder.paint(self.z, y0, x0, where, self.class_id, allowed)
