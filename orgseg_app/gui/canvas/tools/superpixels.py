"""The superpixel brush: patches of like voxels, painted as the hand touches them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter, QPolygonF, QTransform

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.recorder import overwritable
from orgseg_app.core.edits.regions import PaintRegion
from orgseg_app.core.mask import Box
from orgseg_app.core.painting.brush import Point
from orgseg_app.core.painting.superpixels import SuperpixelTiles
from orgseg_app.gui.canvas.tools.cursors import ERASE
from orgseg_app.gui.canvas.tools.footprint import region_outline, two_tone
from orgseg_app.gui.canvas.tools.seen import SeenPlane
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

Tile = tuple[int, int]

LOOK_AHEAD = 96  # voxels around the pointer of which the superpixels are worked out unasked


class SuperpixelTool(Tool):
    """Every superpixel that is touched gets the class; the one under the pointer is outlined.

    They are worked out in tiles around the pointer, in the background, from the picture as it is
    seen. A hand that is faster is not lost: what it touched is painted when it is known, and the
    stroke ends then.
    """

    name = "superpixels"
    hint = "Drag over patches to paint them · Alt: erase · Size and compactness at the side"
    settings: ClassVar[tuple[str, ...]] = ("superpixel_size", "compactness", "protect")
    drags = True
    paints = True
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {Qt.KeyboardModifier.AltModifier: ERASE}

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._plane: SeenPlane | None = None
        self._tiles: SuperpixelTiles | None = None
        self._asked: set[Tile] = set()
        self._pointer: Point | None = None
        self._outline: tuple[int | None, Box, list[QPolygonF]] = (None, Box(*[0] * 6), [])
        self._last: Point | None = None  # of the stroke under the hand
        self._class_id = UNLABELLED
        self._painted: set[int] = set()
        self._touched: list[Point] = []
        self._pending: list[Point] = []
        self._is_ending = False

    # -- under the hand --------------------------------------------------------------------------

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Begin a stroke."""
        self._finish_later()
        if not self._follow() or self.canvas.session.begin_stroke() is None:
            return
        erase = modifiers & Qt.KeyboardModifier.AltModifier
        self._class_id = UNLABELLED if erase else self.canvas.session.class_id
        self._last = (y, x)
        self._extend(y, x)

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Grow the stroke; outline what lies under the pointer."""
        self._pointer = (y, x)
        is_painting = pressed and self._last is not None
        if not is_painting and self._last is None and not self._follow():
            return
        if is_painting:
            self._extend(y, x)
        self._ask((y, x), LOOK_AHEAD)
        self._show_outline()

    def release(self) -> None:
        """The stroke becomes one undoable change, once all that it touched is known."""
        if self._last is not None:
            self._is_ending = True
            self._end_when_known()

    def cancel(self) -> None:
        """Take the stroke back, unless it is done and another tool is taken."""
        if self.canvas.tools.tool != self.name:
            self._finish_later()
        if self._last is not None:
            self._forget_stroke()
            self.canvas.session.cancel_stroke()
        self._pointer = None
        self._show_outline()

    def leave(self) -> None:
        """Nothing is under the pointer."""
        if self._last is None:
            self._pointer = None
            self._show_outline()

    def paint(self, painter: QPainter) -> None:
        """The edge of the superpixel under the pointer."""
        number, _, outlines = self._outline
        if number is None or self._plane is None or not self._plane.is_here:
            return
        zoom, corner = self.canvas.view_state().zoom, self.canvas.to_widget(0.0, 0.0)
        place = QTransform(zoom, 0, 0, zoom, corner.x(), corner.y())
        shapes = [place.map(outline) for outline in outlines]
        two_tone(painter, lambda: [painter.drawPolyline(shape) for shape in shapes])

    # -- the stroke ------------------------------------------------------------------------------

    def _extend(self, y: float, x: float) -> None:
        """Touch everything on the way, a quarter of a superpixel at a time."""
        if self._tiles is None or self._last is None:
            return
        (from_y, from_x), self._last = self._last, (y, x)
        way = math.hypot(y - from_y, x - from_x)
        steps = max(1, math.ceil(4 * way / self._tiles.size))
        for i in range(1, steps + 1):
            point = (from_y + (y - from_y) * i / steps, from_x + (x - from_x) * i / steps)
            self._touched.append(point)
            if not self._touch(point):
                self._pending.append(point)
                self._ask(point)

    def _touch(self, point: Point) -> bool:
        """Paint the superpixel at a point; False when it is not known yet."""
        tiles, session = self._tiles, self.canvas.session
        if tiles is None or session.recorder is None or self._plane is None:
            return True
        number = tiles.number(point)
        if number is None and not tiles.missing(point):
            return True  # outside the image
        if number is None or number in self._painted:
            return number is not None
        region = tiles.region(point)
        if region is None:
            return False
        self._painted.add(number)
        allowed = overwritable(self._class_id, self.canvas.tools.protect)
        box = session.recorder.paint(self._plane.z, *region, self._class_id, allowed)
        self.canvas.update_box(box)
        return True

    def _end_when_known(self) -> None:
        if self._is_ending and not self._pending:
            self._end()

    def _end(self) -> None:
        if self._last is not None:
            title = self._title
            self._forget_stroke()
            self.canvas.session.end_stroke(title)

    @property
    def _title(self) -> str:
        return "erase" if self._class_id == UNLABELLED else "superpixels"

    def _finish_later(self) -> None:
        """A stroke that only waits for superpixels is made when they are known, by itself."""
        tiles, plane, session = self._tiles, self._plane, self.canvas.session
        if not self._is_ending or tiles is None or plane is None:
            return
        points, class_id, title = tuple(self._touched), self._class_id, self._title
        protect, is_taken_back = self.canvas.tools.protect, session.recorder is None
        self._forget_stroke()
        if is_taken_back:
            return
        session.cancel_stroke()
        missing = sorted({tile for point in points for tile in tiles.missing(point)})

        def work(task: Task) -> list[NDArray[np.int32]]:
            return [tiles.work_out(tile, plane.read) for tile in missing]

        def paint(found: list[NDArray[np.int32]]) -> None:
            for tile, labels in zip(missing, found, strict=True):
                tiles.put(tile, labels)
            regions = {tiles.number(point): tiles.region(point) for point in points}
            pieces = tuple((plane.z, *region) for region in regions.values() if region is not None)
            if plane.is_open:
                edit = PaintRegion(pieces, class_id, protect, title)
                session.apply(edit, plane.image_id)

        session.background.start("Superpixels", work, paint, session.report_error)

    def _forget_stroke(self) -> None:
        self._last = None
        self._is_ending = False
        self._touched.clear()
        self._pending.clear()
        self._painted.clear()

    # -- the superpixels -------------------------------------------------------------------------

    def _follow(self) -> bool:
        """See to it that the superpixels are those of what is seen; False when nothing is."""
        plane, size, tools = SeenPlane.of(self.canvas), self.canvas.plane_size, self.canvas.tools
        if plane is None or size is None:
            self._plane = self._tiles = None
            return False
        wanted = (int(tools.value("superpixel_size")), float(tools.value("compactness")))
        known = self._tiles
        if plane != self._plane or known is None or (known.size, known.compactness) != wanted:
            self._plane, self._tiles = plane, SuperpixelTiles(size, *wanted)
            self._asked = set()
        return True

    def _ask(self, point: Point, reach: int = 0) -> None:
        """Have what is missing around a point worked out, off the window's thread."""
        tiles, plane = self._tiles, self._plane
        if tiles is None or plane is None:
            return
        for tile in tiles.missing(point, reach):
            if tile not in self._asked:
                self._asked.add(tile)
                self._start(tiles, plane, tile)

    def _start(self, tiles: SuperpixelTiles, plane: SeenPlane, tile: Tile) -> None:
        def work(task: Task) -> NDArray[np.int32] | None:
            return tiles.work_out(tile, plane.read) if self._is_wanted(tiles, tile) else None

        self.canvas.session.background.start(
            "Superpixels",
            work,
            lambda labels: self._on_known(tiles, tile, labels),
            lambda error: self._on_failed(tiles, error),
        )

    def _is_wanted(self, tiles: SuperpixelTiles, tile: Tile) -> bool:
        """Asked in the background: not once the pointer is elsewhere, or the settings are."""
        if tiles is not self._tiles:
            return False
        pointer = self._pointer
        near = pointer is not None and tile in tiles.missing(pointer, LOOK_AHEAD)
        return near or any(tile in tiles.missing(point) for point in list(self._pending))

    def _on_known(
        self, tiles: SuperpixelTiles, tile: Tile, labels: NDArray[np.int32] | None
    ) -> None:
        if tiles is not self._tiles:
            return
        self._asked.discard(tile)
        if labels is None:
            return
        tiles.put(tile, labels)
        if self._last is not None and self.canvas.session.recorder is None:
            self._forget_stroke()  # somebody took it back meanwhile
        self._pending = [point for point in self._pending if not self._touch(point)]
        for point in self._pending:
            self._ask(point)  # some may have been passed over
        self._end_when_known()
        self._show_outline()

    def _on_failed(self, tiles: SuperpixelTiles, error: Exception) -> None:
        """Without voxels there are none; what is painted so far stays."""
        if tiles is self._tiles:
            self._pending.clear()
            self._end_when_known()
            self.canvas.session.report_error(error)

    def _show_outline(self) -> None:
        """Outline the superpixel under the pointer."""
        tiles, pointer = self._tiles, self._pointer
        number = tiles.number(pointer) if tiles is not None and pointer is not None else None
        before, box, _ = self._outline
        region = None
        if number is not None and tiles is not None and pointer is not None:
            if number == before:
                return
            region = tiles.region(pointer)
        if region is None:
            self._outline = (None, Box(*[0] * 6), [])
        else:
            y0, x0, where = region
            here = Box(0, y0 - 2, x0 - 2, 1, y0 + len(where) + 2, x0 + where.shape[1] + 2)
            self._outline = (number, here, region_outline(y0, x0, where))
            box = box.union(here)
        if not box.is_empty:
            self.canvas.update_box(box)
