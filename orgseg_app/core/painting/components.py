"""Components: what hangs together and has one class, and what can be asked of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.core.mask import Box, Mask
from orgseg_app.core.painting import brush, fill

Point = tuple[float, float]
Line = NDArray[np.float64]
"""``(n, 2)`` places (x, y) in voxels."""

_EXACT = 1 << 19  # voxels of a box up to which every one is looked at for the outline
_POINTS = 20_000  # of all outlines; the shortest are left out, which are hardly seen


@dataclass(frozen=True)
class Component:
    """One component on one plane.

    Attributes
    ----------
    class_id
        What it is painted with.
    pieces
        As `fill.flood` gives them.
    """

    z: int
    class_id: int
    pieces: tuple[fill.Piece, ...]

    @property
    def box(self) -> Box:
        """What it covers."""
        found = Box(0, 0, 0, 0, 0, 0)
        for z, y0, x0, where in self.pieces:
            found = found.union(Box(z, y0, x0, z + 1, y0 + where.shape[0], x0 + where.shape[1]))
        return found

    def holds(self, y: int, x: int) -> bool:
        """Whether a voxel of its plane belongs to it."""
        return any(
            y0 <= y < y0 + where.shape[0]
            and x0 <= x < x0 + where.shape[1]
            and bool(where[y - y0, x - x0])
            for _, y0, x0, where in self.pieces
        )

    def outlines(self) -> list[Line]:
        """Its edges and those of its holes, closed.

        They run along the borders of voxels; those of large components are coarser, so that they
        take milliseconds to find and to draw whatever the size.
        """
        box = self.box
        sides = (box.y1 - box.y0, box.x1 - box.x0)
        step = max(1, math.ceil(math.sqrt(sides[0] * sides[1] / _EXACT)))
        canvas = np.zeros((-(-sides[0] // step) + 2, -(-sides[1] // step) + 2), np.uint8)
        for _, y0, x0, where in self.pieces:
            skip_y, skip_x = -(y0 - box.y0) % step, -(x0 - box.x0) % step
            part = where[skip_y::step, skip_x::step]
            top, left = (y0 - box.y0 + skip_y) // step + 1, (x0 - box.x0 + skip_x) // step + 1
            canvas[top : top + part.shape[0], left : left + part.shape[1]] |= part
        canvas = canvas.repeat(2, axis=0).repeat(2, axis=1)
        found, _ = cv2.findContours(canvas, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        lines: list[Line] = []
        points = 0
        for contour in sorted(found, key=len, reverse=True):
            points += len(contour)
            if points > _POINTS and lines:
                break
            places = contour[:, 0].astype(np.float64)
            # the border of a doubled voxel is that of the voxel, on the side it lies on
            places = (places // 2 + places % 2 - 1) * step + np.array([box.x0, box.y0])
            lines.append(np.vstack([places, places[:1]]))
        return lines


def is_object(class_id: int) -> bool:
    """Whether a class has components to work on: not unlabelled, and not background."""
    return class_id > BACKGROUND


def component_at(mask: Mask, z: int, y: int, x: int) -> Component | None:
    """The component a voxel belongs to; None on unlabelled and background. See `fill.flood`."""
    class_id = mask.value(z, y, x) if 0 <= y < mask.shape[1] and 0 <= x < mask.shape[2] else 0
    if not is_object(class_id) or not 0 <= z < mask.shape[0]:
        return None
    return Component(z, class_id, tuple(fill.flood(mask, z, y, x)))


def first_object(mask: Mask, z: int, points_yx: Sequence[Point]) -> tuple[int, int] | None:
    """The first voxel on a line that belongs to a component; None where it meets none."""
    for y, x in voxels_along(points_yx):
        inside = 0 <= y < mask.shape[1] and 0 <= x < mask.shape[2]
        if inside and is_object(mask.value(z, y, x)):
            return y, x
    return None


def voxels_along(points_yx: Sequence[Point]) -> Iterator[tuple[int, int]]:
    """Voxels (y, x) under a line from its beginning to its end, some of them twice."""
    for start, end in _segments(points_yx):
        steps = max(1, math.ceil(2 * math.dist(start, end)))
        for step in range(steps + 1):
            y = math.floor(start[0] + (end[0] - start[0]) * step / steps)
            yield y, math.floor(start[1] + (end[1] - start[1]) * step / steps)


def line_voxels(points_yx: Sequence[Point]) -> NDArray[np.int64]:
    """Voxels ``(n, 2)`` under a line one voxel wide; regions on its two sides do not touch."""
    parts = []
    for start, end in _segments(points_yx):
        y0, x0, where = brush.swept(start, end, 1)
        parts.append(np.argwhere(where) + np.array([y0, x0]))
    return np.unique(np.concatenate(parts), axis=0) if parts else np.zeros((0, 2), np.int64)


def _segments(points_yx: Sequence[Point]) -> Iterable[tuple[Point, Point]]:
    return zip(list(points_yx[:1]) + list(points_yx[:-1]), points_yx, strict=True)
