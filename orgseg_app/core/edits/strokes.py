"""Edits along the way of a hand.

The functions paint one part of a way, as a tool does while the hand is down; the edits paint a
whole one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.change import EMPTY_BOX
from orgseg_app.core.edits.recorder import Recorder, overwritable
from orgseg_app.core.mask import Box
from orgseg_app.core.painting import ball, brush
from orgseg_app.core.painting.brush import Point
from orgseg_app.core.painting.limits import Limit

Limits = Callable[[int], Limit]
"""The limit of each plane, by its z."""

LIMITED_PIECE = 32.0
"""Parts in which a limit looks at the image are at most this long, or as long as the brush."""


def paint_segment(
    recorder: Recorder,
    z: int,
    start: Point,
    end: Point,
    size: int,
    class_id: int,
    *,
    square: bool = False,
    allowed: NDArray[np.bool_] | None = None,
    limit: Limit | None = None,
) -> Box:
    """Draw the brush from one point to the next; what changed at most.

    Parameters
    ----------
    allowed
        From `recorder.overwritable`.
    limit
        A long way is cut where there is one: the image is read around the way, not in a box.
    """
    if limit is None:
        y0, x0, where = brush.swept(start, end, size, square=square)
        return recorder.paint(z, y0, x0, where, class_id, allowed)
    box = EMPTY_BOX
    for a, b in brush.pieces(start, end, max(LIMITED_PIECE, size)):
        y0, x0, where = brush.swept(a, b, size, square=square)
        narrowed = limit.narrowed(y0, x0, where)
        box = box.union(recorder.paint(z, y0, x0, narrowed, class_id, allowed))
    return box


def paint_ball_segment(
    recorder: Recorder,
    z: int,
    start: Point,
    end: Point,
    size: int,
    class_id: int,
    *,
    distance: float,
    allowed: NDArray[np.bool_] | None = None,
    limits: Limits | None = None,
) -> Box:
    """Draw the ball from one point to the next; what changed at most.

    Parameters
    ----------
    z
        Plane of its middle.
    distance
        From plane to plane in voxels of the plane: `ball.plane_distance`.
    limits
        Each plane's values decide about its own voxels. A long way is cut, as in `paint_segment`.
    """
    depth = recorder.mask.shape[0]
    box = EMPTY_BOX
    ways = [(start, end)]
    if limits is not None:
        ways = brush.pieces(start, end, max(LIMITED_PIECE, size))
    for a, b in ways:
        for offset, y0, x0, where in ball.swept(a, b, size, distance, z, depth - 1 - z):
            if limits is not None:
                where = limits(z + offset).narrowed(y0, x0, where)
            box = box.union(recorder.paint(z + offset, y0, x0, where, class_id, allowed))
    return box


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
    limit
        Where the image's values decide as well.
    sizes
        One a point, where the pen's pressure varied it; a part is as wide as its end.
    """

    z: int
    points_yx: tuple[tuple[float, float], ...]
    size: int
    class_id: int
    square: bool = False
    protect: bool = False
    limit: Limit | None = None
    sizes: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """Erase or paint."""
        return "erase" if self.class_id == UNLABELLED else "paint"

    def apply(self, recorder: Recorder) -> None:
        """Sweep the footprint from point to point."""
        allowed = overwritable(self.class_id, self.protect)
        for a, b, size in _parts(self.points_yx, self.size, self.sizes):
            paint_segment(
                recorder,
                self.z,
                a,
                b,
                size,
                self.class_id,
                square=self.square,
                allowed=allowed,
                limit=self.limit,
            )


@dataclass(frozen=True)
class PaintBall:
    """A ball drawn through points of one plane.

    Attributes
    ----------
    z
        Plane of its middle.
    points_yx
        ``((y, x), …)`` in voxels; the centre of the first voxel is (0.5, 0.5).
    size
        Diameter in voxels of the plane.
    class_id
        0 erases.
    pixel_size_um
        ``(z, y, x)``: thick planes get fewer discs. None where nobody knows.
    sizes
        One a point, where the pen's pressure varied it.
    limits
        Where the image's values decide as well.
    """

    z: int
    points_yx: tuple[tuple[float, float], ...]
    size: int
    class_id: int
    pixel_size_um: tuple[float, float, float] | None = None
    protect: bool = False
    sizes: tuple[int, ...] = ()
    limits: Limits | None = None

    @property
    def title(self) -> str:
        """Erase or paint."""
        return "erase" if self.class_id == UNLABELLED else "paint"

    def apply(self, recorder: Recorder) -> None:
        """Sweep the ball from point to point."""
        allowed = overwritable(self.class_id, self.protect)
        distance = ball.plane_distance(self.pixel_size_um)
        for a, b, size in _parts(self.points_yx, self.size, self.sizes):
            paint_ball_segment(
                recorder,
                self.z,
                a,
                b,
                size,
                self.class_id,
                distance=distance,
                allowed=allowed,
                limits=self.limits,
            )


def _parts(
    points: tuple[Point, ...], size: int, sizes: tuple[int, ...]
) -> Iterator[tuple[Point, Point, int]]:
    """From where to where and how wide; the first part is the press itself."""
    starts = points[:1] + points[:-1]
    yield from zip(starts, points, sizes or (size,) * len(points), strict=True)
