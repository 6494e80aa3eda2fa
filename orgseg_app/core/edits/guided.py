"""Edits whose outline the picture decided; made again, they do not need the picture."""

from __future__ import annotations

from dataclasses import dataclass

from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.painting import shapes


@dataclass(frozen=True)
class PaintLivewire:
    """The inside of an outline that was drawn along edges.

    Attributes
    ----------
    z
        Plane.
    points_yx
        ``((y, x), …)`` in voxels; the centre of the first voxel is (0.5, 0.5).
    class_id
        0 erases.
    protect
        Only over what is unlabelled.
    """

    z: int
    points_yx: tuple[tuple[float, float], ...]
    class_id: int
    protect: bool = False

    @property
    def title(self) -> str:
        """Livewire."""
        return "livewire"

    def apply(self, recorder: Recorder) -> None:
        """Fill the outline."""
        _, height, width = recorder.mask.shape
        y0, x0, where = shapes.polygon(self.points_yx, (height, width))
        if where.size:
            allowed = overwritable(self.class_id, self.protect)
            recorder.paint(self.z, y0, x0, where, self.class_id, allowed)
