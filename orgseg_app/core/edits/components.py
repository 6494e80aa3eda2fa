"""Edits of one component: another class, none, or cut in two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.recorder import Recorder
from orgseg_app.core.painting import components, fill


@dataclass(frozen=True)
class ChangeComponent:
    """The component at a voxel with another class; with class id 0 it is deleted.

    Where the class is that of a neighbour, the two become one. Unlabelled and background have no
    components.
    """

    z: int
    y: int
    x: int
    class_id: int
    in_3d: bool = False
    merges: bool = False

    @property
    def title(self) -> str:
        """What it does to the region."""
        if self.merges:
            return "merge regions"
        return "delete region" if self.class_id == UNLABELLED else "change region"

    def apply(self, recorder: Recorder) -> None:
        """Set all of it."""
        mask = recorder.mask
        inside = 0 <= self.y < mask.shape[1] and 0 <= self.x < mask.shape[2]
        now = mask.value(self.z, self.y, self.x) if inside else UNLABELLED
        if not components.is_object(now) or now == self.class_id:
            return
        region = fill.flood(mask, self.z, self.y, self.x, in_3d=self.in_3d)
        recorder.recolour(region, now, self.class_id)


@dataclass(frozen=True)
class CutComponent:
    """The first component that a line meets, cut along it.

    Attributes
    ----------
    points_yx
        As in `strokes.PaintStroke`.
    class_id
        What the cut, one voxel wide, is made of: unlabelled or background.
    """

    z: int
    points_yx: tuple[tuple[float, float], ...]
    class_id: int = UNLABELLED

    @property
    def title(self) -> str:
        """Split."""
        return "split region"

    def apply(self, recorder: Recorder) -> None:
        """Take the voxels under the line out of the component; others stay as they are."""
        mask = recorder.mask
        start = components.first_object(mask, self.z, self.points_yx)
        if start is None or not 0 <= self.z < mask.shape[0]:
            return
        line = components.line_voxels(self.points_yx)
        for z, y0, x0, where in list(fill.flood(mask, self.z, *start)):
            places = line - (y0, x0)
            places = places[((places >= 0) & (places < where.shape)).all(axis=1)]
            places = places[where[places[:, 0], places[:, 1]]]
            if len(places):
                corner = places.min(axis=0)
                cut = np.zeros(places.max(axis=0) - corner + 1, np.bool_)
                cut[tuple((places - corner).T)] = True
                recorder.paint(z, y0 + int(corner[0]), x0 + int(corner[1]), cut, self.class_id)
