"""Edits that fill an outline."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.painting import shapes


@dataclass(frozen=True)
class PaintPolygon:
    """The inside of a closed outline; ``points_yx`` as in `PaintStroke`."""

    z: int
    points_yx: tuple[tuple[float, float], ...]
    class_id: int
    protect: bool = False
    name: str = "polygon"

    @property
    def title(self) -> str:
        """Polygon, or how else it was drawn."""
        return self.name

    def apply(self, recorder: Recorder) -> None:
        """Fill the outline."""
        shape = recorder.mask.shape
        y0, x0, where = shapes.polygon(self.points_yx, (shape[1], shape[2]))
        if where.size:
            allowed = overwritable(self.class_id, self.protect)
            recorder.paint(self.z, y0, x0, where, self.class_id, allowed)


@dataclass(frozen=True)
class PaintRectangle:
    """A box of voxels.

    Attributes
    ----------
    z
        Plane.
    box
        ``(y0, x0, y1, x1)``, half-open; what lies outside the image is dropped.
    """

    z: int
    box: tuple[int, int, int, int]
    class_id: int
    protect: bool = False

    @property
    def title(self) -> str:
        """Rectangle."""
        return "rectangle"

    def apply(self, recorder: Recorder) -> None:
        """Fill the box."""
        _paint_rows(recorder, self, shapes.rectangle_rows(self.box, recorder.mask.shape[1:]))


@dataclass(frozen=True)
class PaintEllipse:
    """The ellipse that touches the sides of a box; fields as of `PaintRectangle`."""

    z: int
    box: tuple[int, int, int, int]
    class_id: int
    protect: bool = False

    @property
    def title(self) -> str:
        """Ellipse."""
        return "ellipse"

    def apply(self, recorder: Recorder) -> None:
        """Fill the ellipse."""
        _paint_rows(recorder, self, shapes.ellipse_rows(self.box, recorder.mask.shape[1:]))


def _paint_rows(
    recorder: Recorder,
    edit: PaintRectangle | PaintEllipse,
    rows: Iterable[tuple[int, int, NDArray[np.bool_]]],
) -> None:
    """Give the class of an edit to the voxels of a shape, which come in pieces."""
    allowed = overwritable(edit.class_id, edit.protect)
    for y0, x0, where in rows:
        recorder.paint(edit.z, y0, x0, where, edit.class_id, allowed)
