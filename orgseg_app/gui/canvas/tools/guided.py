"""Tools that find an edge in the picture: livewire and GrabCut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPolygonF

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.guided import PaintLivewire
from orgseg_app.core.edits.regions import PaintRegion
from orgseg_app.core.painting import grabcut
from orgseg_app.core.painting.brush import Point
from orgseg_app.core.painting.livewire import (
    LivewireMap,
    closing,
    encloses,
    joined,
    on_edge,
    step_for,
    window_around,
)
from orgseg_app.gui.canvas.tools.cursors import ERASE
from orgseg_app.gui.canvas.tools.footprint import draw_handle, two_tone
from orgseg_app.gui.canvas.tools.outlines import CLOSE_DISTANCE_PX
from orgseg_app.gui.canvas.tools.seen import SeenPlane
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas


SNAP_PX = 8.0
"""How far from a click, on the screen, an anchor looks for an edge to sit on."""

_EXACT = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ControlModifier


class _Anchor:
    """A clicked place, and the cheapest paths from there once they are known.

    Attributes
    ----------
    clicked, point
        Where was clicked, and the edge nearby that it came to sit on.
    reach
        How far that may be, in voxels.
    """

    def __init__(self, clicked: Point, reach: float) -> None:
        self.clicked = self.point = clicked
        self.reach = reach
        self.wire: LivewireMap | None = None
        self.is_settled = False  # the paths are known, or cannot be
        self.is_dropped = False
        self.path: list[Point] = []  # to the next anchor, once there is one and the paths are known

    def way_to(self, target: Point) -> list[Point]:
        """Along edges, or straight as long as these are not known."""
        return [self.point, target] if self.wire is None else self.wire.path(target)


class LivewireTool(Tool):
    """An outline that follows edges from anchor to anchor.

    The search from an anchor takes 0.3 s in the background, and each path after that some
    microseconds; who clicks faster sees straight lines that bend into place.
    """

    name = "livewire"
    hint = "Click along an edge · Alt: exact · Enter or the first anchor closes · Backspace: back"
    settings = ("protect",)
    double_click_finishes = True
    paints = True

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._anchors: list[_Anchor] = []
        self._pointer: Point | None = None
        self._loose = QPolygonF()  # from the last anchor to the pointer, as it was drawn last
        self._plane: SeenPlane | None = None
        self._is_closed = False  # closing, as soon as the last paths are known
        self._class_id = 0

    @property
    def points(self) -> list[Point]:
        """The anchors."""
        return [anchor.point for anchor in self._anchors]

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Set an anchor, or close at the first one."""
        if self._plane is not None and (not self._plane.is_here or self._is_closed):
            self._drop()
        size = self.canvas.plane_size
        if size is None or not self.canvas.session.can_edit:
            return
        if len(self._anchors) > 1 and self._near_first(y, x):
            self.finish()
            return
        # half an outline may lead along the edge of the image, but not beyond
        point = (min(max(y, 0.0), size[0] - 1e-3), min(max(x, 0.0), size[1] - 1e-3))
        if self._anchors and self._anchors[-1].clicked == point:
            return
        if not self._anchors:
            self._plane = SeenPlane.of(self.canvas)
        is_exact = bool(modifiers & _EXACT) or point != (y, x)
        reach = 0.0 if is_exact else SNAP_PX / self.canvas.view_state().zoom
        self._anchors.append(_Anchor(point, reach))
        self._lead()
        self._search(self._anchors[-1])
        self.canvas.update()

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """The wire follows the pointer."""
        self._pointer = (y, x)
        if self._anchors and not self._is_closed:
            before = self._loose.boundingRect()
            self._loose = self._line(self._anchors[-1].way_to((y, x)))
            changed = before.united(self._loose.boundingRect())  # no more than that is drawn anew
            self.canvas.update(changed.toAlignedRect().adjusted(-8, -8, 8, 8))

    def finish(self) -> None:
        """Lead the wire back to the first anchor and fill it, when all its paths are known."""
        if not self._anchors or self._is_closed:
            return
        if len(self._anchors) < 2 or self._plane is None or not self._plane.is_here:
            self._drop()
            return
        self._class_id = self.canvas.session.class_id
        self._is_closed = True
        self._lead()
        self._fill_when_settled()
        self.canvas.update()

    def back(self) -> bool:
        """Take the last anchor back."""
        if not self._anchors:
            return False
        self._is_closed = False
        self._anchors.pop().is_dropped = True
        self._lead()
        self.canvas.update()
        return True

    def cancel(self) -> None:
        """Drop the outline; a closed one is filled even if another tool or image is taken."""
        gone = self.canvas.tools.tool != self.name or not (self._plane and self._plane.is_here)
        if not (self._is_closed and gone):
            self._drop()

    def _drop(self) -> None:
        for anchor in self._anchors:
            anchor.is_dropped = True
        self._anchors = []
        self._is_closed = False
        self._plane = None
        self.canvas.update()

    def paint(self, painter: QPainter) -> None:
        """The wire so far, its way to the pointer, and the anchors."""
        if not self._anchors or self._plane is None or not self._plane.is_here:
            return
        lines = [self._line(self._outline())]
        if self._pointer is not None and not self._is_closed:
            self._loose = self._line(self._anchors[-1].way_to(self._pointer))
            lines.append(self._loose)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        two_tone(painter, lambda: [painter.drawPolyline(line) for line in lines])
        for number, anchor in enumerate(self._anchors):
            draw_handle(painter, self.canvas.to_widget(*anchor.point), 4 if number == 0 else 2.5)

    def _line(self, way: Sequence[Point]) -> QPolygonF:
        """A way in widget coordinates."""
        zoom, corner = self.canvas.view_state().zoom, self.canvas.to_widget(0.0, 0.0)
        left, top = corner.x(), corner.y()
        return QPolygonF([QPointF(left + x * zoom, top + y * zoom) for y, x in way])

    def _outline(self) -> tuple[Point, ...]:
        """The anchors, and the paths between them."""
        if len(self._anchors) == 1:
            return (self._anchors[0].point,)
        return joined([anchor.path for anchor in self._anchors])

    def _lead(self) -> None:
        """Lead the wire from anchor to anchor, and back when it is closed."""
        for anchor, following in zip(self._anchors, self._anchors[1:], strict=False):
            anchor.path = anchor.way_to(following.point)
        if self._anchors:
            last = self._anchors[-1]
            last.path = last.way_to(self._anchors[0].point) if self._is_closed else []

    def _search(self, anchor: _Anchor) -> None:
        """Find the paths from an anchor, off the window's thread."""
        canvas, plane, size = self.canvas, self._plane, self.canvas.plane_size
        if plane is None or size is None:
            return
        step = step_for(canvas.view_state().zoom)
        window = window_around(anchor.point, size, step)

        def search(task: Task) -> LivewireMap | None:
            if anchor.is_dropped:
                return None
            picture, corner = plane.read(*window), window[:2]
            point = anchor.clicked
            if anchor.reach > 0:
                point = on_edge(picture, corner, point, anchor.reach)
            return LivewireMap(picture, corner, point, step)

        canvas.session.background.start(
            "Following edges",
            search,
            lambda wire: self._on_found(anchor, wire),
            lambda error: self._on_failed(anchor, error),
        )

    def _on_found(self, anchor: _Anchor, wire: LivewireMap | None) -> None:
        """Paths drawn straight meanwhile bend into place."""
        if anchor.is_dropped:
            return
        anchor.wire, anchor.is_settled = wire, True
        if wire is not None:
            anchor.point = wire.anchor
        self._lead()
        self._fill_when_settled()
        self.canvas.update()

    def _on_failed(self, anchor: _Anchor, error: Exception) -> None:
        """Without voxels there are no edges: straight lines remain."""
        if not anchor.is_dropped:
            anchor.is_settled = True
            self.canvas.session.report_error(error)
            self._fill_when_settled()

    def _fill_when_settled(self) -> None:
        if not self._is_closed or not all(anchor.is_settled for anchor in self._anchors):
            return
        last = self._anchors[-1]
        drawn = joined([anchor.path for anchor in self._anchors[:-1]])
        step = last.wire.step if last.wire is not None else 1
        last.path = closing(drawn, last.path, step)
        plane, points = self._plane, self._outline()
        if not encloses(points):
            self._is_closed = False
            self._lead()
            self.canvas.session.message.emit(
                "The line encloses nothing yet, so nothing was painted. Click on around the "
                "object, then close it.",
                "info",
            )
            return
        self._drop()
        if plane is not None and plane.is_open:
            edit = PaintLivewire(plane.z, points, self._class_id, self.canvas.tools.protect)
            self.canvas.session.apply(edit, plane.image_id)

    def _near_first(self, y: float, x: float) -> bool:
        gap = self.canvas.to_widget(y, x) - self.canvas.to_widget(*self._anchors[0].point)
        return math.hypot(gap.x(), gap.y()) <= CLOSE_DISTANCE_PX


class _Job:
    """A box that is being worked on."""

    def __init__(
        self, plane: SeenPlane, box_yx: tuple[int, int, int, int], class_id: int, *, protect: bool
    ) -> None:
        self.plane, self.box_yx = plane, box_yx
        self.class_id, self.protect = class_id, protect
        self.is_dropped = False


class GrabCutTool(Tool):
    """The object in a box that is dragged gets the class.

    The box stays drawn until the object is found, in the background; meanwhile one can go on.
    """

    name = "grabcut"
    hint = "Drag a box around an object, with some room · Alt: erase · Esc drops"
    settings = ("protect",)
    drags = True
    paints = True
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {Qt.KeyboardModifier.AltModifier: ERASE}

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._corners: tuple[Point, Point] | None = None
        self._erases = False
        self._jobs: list[_Job] = []

    @property
    def points(self) -> list[Point]:
        """Corners of the boxes that Esc would drop."""
        here = [job.box_yx for job in self._jobs if job.plane.is_here]
        return [(float(box[0]), float(box[1])) for box in here]

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """The first corner."""
        if self.canvas.session.can_edit and self.canvas.is_shown:
            self._erases = bool(modifiers & Qt.KeyboardModifier.AltModifier)
            self._corners = ((y, x), (y, x))

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """The box follows the pointer."""
        if pressed and self._corners is not None:
            self._corners = (self._corners[0], (y, x))
            self.canvas.update()

    def release(self) -> None:
        """Look for the object in the box."""
        corners, self._corners = self._corners, None
        size, plane = self.canvas.plane_size, SeenPlane.of(self.canvas)
        self.canvas.update()
        if corners is None or size is None or plane is None:
            return
        (ay, ax), (by, bx) = corners
        y0, x0 = max(0, math.floor(min(ay, by))), max(0, math.floor(min(ax, bx)))
        y1, x1 = min(size[0], math.ceil(max(ay, by))), min(size[1], math.ceil(max(ax, bx)))
        if y1 - y0 < 3 or x1 - x0 < 3:
            return  # a click is no box
        class_id = UNLABELLED if self._erases else self.canvas.session.class_id
        job = _Job(plane, (y0, x0, y1, x1), class_id, protect=self.canvas.tools.protect)
        self._start(job, grabcut.window_around(job.box_yx, size))

    def cancel(self) -> None:
        """Drop the box under the hand, or else those that are being worked on here.

        Whoever takes another tool or image meanwhile keeps them.
        """
        if self._corners is None and self.canvas.tools.tool == self.name:
            for job in self._jobs:
                job.is_dropped = job.plane.is_here
            self._jobs = [job for job in self._jobs if not job.is_dropped]
        self._corners = None
        self.canvas.update()

    def paint(self, painter: QPainter) -> None:
        """The box under the hand, and those that are being worked on."""
        boxes = [job.box_yx for job in self._jobs if job.plane.is_here]
        shapes: list[tuple[Point, Point]] = [((y0, x0), (y1, x1)) for y0, x0, y1, x1 in boxes]
        if self._corners is not None:
            shapes.append(self._corners)
        to_widget = self.canvas.to_widget
        rects = [QRectF(to_widget(*a), to_widget(*b)).normalized() for a, b in shapes]
        if rects:
            two_tone(painter, lambda: painter.drawRects(rects))

    def _start(self, job: _Job, window: tuple[int, int, int, int]) -> None:
        y0, x0, y1, x1 = job.box_yx
        top, left = window[:2]

        def work(task: Task) -> NDArray[np.bool_] | None:
            if job.is_dropped:
                return None
            picture = job.plane.read(*window)
            return grabcut.cut(picture, (y0 - top, x0 - left, y1 - top, x1 - left))

        self._jobs.append(job)
        self.canvas.session.background.start(
            "Finding the object in the box",
            work,
            lambda where: self._on_found(job, where),
            lambda error: self._on_failed(job, error),
        )

    def _on_found(self, job: _Job, where: NDArray[np.bool_] | None) -> None:
        if job.is_dropped or where is None:
            return
        self._jobs.remove(job)
        self.canvas.update()
        session = self.canvas.session
        if not where.any():
            session.message.emit(
                "Nothing in the box stands out from what surrounds it. Draw the box closer, or "
                "turn the contrast up.",
                "info",
            )
        elif job.plane.is_open:
            y0, x0, _, _ = job.box_yx
            pieces = ((job.plane.z, y0, x0, where),)
            edit = PaintRegion(pieces, job.class_id, job.protect, "GrabCut")
            session.apply(edit, job.plane.image_id)

    def _on_failed(self, job: _Job, error: Exception) -> None:
        if not job.is_dropped:
            self._jobs.remove(job)
            self.canvas.update()
            self.canvas.session.report_error(error)
