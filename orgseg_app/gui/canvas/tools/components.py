"""The tool that works on whole components: what hangs together and has one class."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import QPointF, Qt, QTimer
from PySide6.QtGui import QPainter, QPolygonF, QTransform

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.edits.components import ChangeComponent, CutComponent
from orgseg_app.core.edits.objects import (
    ClassifyObject,
    DeleteObject,
    NumberObject,
    SplitObject,
    first_met,
    object_at,
)
from orgseg_app.core.edits.recorder import Edit
from orgseg_app.core.painting.components import (
    Component,
    component_at,
    first_object,
    is_object,
)
from orgseg_app.gui.canvas.tools.cursors import CUT, ERASE, JOIN
from orgseg_app.gui.canvas.tools.footprint import two_tone
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

Point = tuple[float, float]

_STEP_PX = 3.0  # on the screen, between points of a cut drawn by hand
_SLOW_S = 0.03  # to find a component: more would be felt at every one the pointer passes
_REST_MS = 150

_PLAIN, _CUT, _NOTHING = "plain", "cut", ""


class ComponentTool(Tool):
    """Gives regions another class, deletes, merges and splits them.

    The region under the pointer is outlined. "Protect other classes" does not hold here: a click
    means exactly this region, whatever its class.

    Attributes
    ----------
    points
        What is under way: the region to be merged, or the cut so far; empty when nothing is.
    """

    name = "component"
    hint = (
        "Click: chosen class · Ctrl+click or Backspace: delete · Drag, or Alt+click two: merge · "
        "Shift+drag: split"
    )
    settings: ClassVar[tuple[str, ...]] = ("cut", "in_3d")
    drags = True
    paints = True
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {
        Qt.KeyboardModifier.ControlModifier: ERASE,
        Qt.KeyboardModifier.AltModifier: JOIN,
        Qt.KeyboardModifier.ShiftModifier: CUT,
    }

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self.points: list[Point] = []
        self.hovered: Component | None = None
        self._marked: Component | None = None
        self._act = _NOTHING
        self._pointer: Point | None = None
        self._place: tuple[str, int] = ("", 0)
        self._polygons: dict[int, list[QPolygonF]] = {}
        self._is_slow = False
        self._rest = QTimer(canvas, singleShot=True, interval=_REST_MS)
        self._rest.timeout.connect(self._on_rest)
        session = canvas.session
        session.mask_changed.connect(lambda *_: self._look_again())
        session.plane_selected.connect(lambda _: self._look_again())
        session.image_selected.connect(lambda _: self._look_again())

    # -- what is outlined --------------------------------------------------------------------------

    def _look_again(self) -> None:
        """The mask is another."""
        if self._marked is not None or self.hovered is not None:
            self.hovered, self._marked = None, None
            self._polygons.clear()
            if self._act != _CUT:
                self.points, self._act = [], _NOTHING
        if self.canvas.tool is self and self._pointer is not None:
            self._hover(*self._pointer, at_once=False)

    def _hover(self, y: float, x: float, *, at_once: bool = True) -> None:
        """Outline what is under the pointer; where that took long, not before the hand rests."""
        found = self._known(y, x)
        if found is None and self._is_slow and not at_once:
            self._rest.start()
        elif found is None:
            begin = time.perf_counter()
            found = self._component(y, x)
            if found is not None:
                self._is_slow = time.perf_counter() - begin > _SLOW_S
        if found is not self.hovered:
            self.hovered = found
            self._keep_polygons()
            self.canvas.update()

    def _on_rest(self) -> None:
        if self.canvas.tool is self and self._pointer is not None and self._act != _CUT:
            self._hover(*self._pointer)

    def _known(self, y: float, x: float) -> Component | None:
        """The component at a place, when it is one of those outlined."""
        row, column, z = math.floor(y), math.floor(x), self.canvas.session.z
        for known in (self.hovered, self._marked):
            if known is not None and known.z == z and known.holds(row, column):
                return known
        return None

    def _component(self, y: float, x: float) -> Component | None:
        """The component at a place; what is known already is not looked for again."""
        session = self.canvas.session
        if session.image is None or not self.canvas.is_shown:
            return None
        known = self._known(y, x)
        if known is not None:
            return known
        place = session.z, math.floor(y), math.floor(x)
        found = object_at(session.mask(), *place) if session.objects.is_on else None
        return found or component_at(session.mask(), *place)

    # -- what is done ------------------------------------------------------------------------------

    def cursor_colour(self) -> str:
        """None where there is no region, or it has the chosen class already."""
        under = self.class_under()
        changes = is_object(under) and under != self.canvas.session.class_id
        return self.colour_of(self.canvas.session.class_id) if changes else ""

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Delete at once; mark or merge with Alt; begin a cut with Shift; else wait and see."""
        session = self.canvas.session
        here = (session.image_id, session.z)
        if here != self._place:
            self.cancel()
        self._place = here
        self._pointer = (y, x)
        self._hover(y, x)
        keys = Qt.KeyboardModifier
        if modifiers & keys.ControlModifier:
            self._act = _NOTHING
            self._change(y, x, UNLABELLED)
        elif modifiers & keys.AltModifier:
            self._act = _NOTHING
            self._merge_or_mark(y, x)
        elif modifiers & keys.ShiftModifier:
            self._marked, self._act = None, _CUT
            self.points = [(y, x)]
        else:
            self._act, self.points = _PLAIN, [(y, x)]
            self._marked = self.hovered
        self.canvas.update()

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """Outline what is under the pointer; grow the cut."""
        self._pointer = (y, x)
        if pressed and self._act == _CUT:
            gap = self.canvas.to_widget(*self.points[-1]) - self.canvas.to_widget(y, x)
            if not self.canvas.is_by_keys and math.hypot(gap.x(), gap.y()) >= _STEP_PX:
                self.points.append((y, x))
        if self.points:
            self.canvas.update()
        if self._act == _CUT:
            self._show_what_is_cut()
        else:
            self._hover(y, x, at_once=False)

    def _show_what_is_cut(self) -> None:
        """The first region that the line meets is outlined."""
        session = self.canvas.session
        if self.hovered is None and self._pointer is not None:
            place = first_object(session.mask(), session.z, [self.points[-1], self._pointer])
            if place is not None:
                self._hover(*place)

    def release(self) -> None:
        """Cut; or merge where the drag ended in another region; or give the chosen class."""
        act, self._act = self._act, _NOTHING
        if act == _NOTHING or not self.points:
            return
        start, end = self.points[0], self._pointer or self.points[-1]
        points, self.points = (*self.points, end), []
        marked, self._marked = self._marked, None
        session = self.canvas.session
        if (session.image_id, session.z) == self._place:
            if act == _CUT:
                made_of = BACKGROUND if self.canvas.tools.value("cut") == "background" else 0
                edit = self._cut_of_object(points) or CutComponent(session.z, points, made_of)
                if session.apply(edit) is None and isinstance(edit, SplitObject):
                    session.message.emit(
                        "To split the object, draw from one side of it to the other.", "info"
                    )
            elif marked is not None:
                other = self._component(*end)
                if other is marked:
                    self._change(*start, session.class_id)
                elif other is not None:
                    self._merge(start, other)
        self._keep_polygons()
        self.canvas.update()

    def back(self) -> bool:
        """Backspace deletes the region under the pointer."""
        if self.points:
            self.cancel()
        elif self.hovered is None or self._pointer is None:
            return False
        else:
            self._change(*self._pointer, UNLABELLED)
        return True

    def cancel(self) -> None:
        """Forget what was marked, or the cut."""
        self.points, self._marked, self._act = [], None, _NOTHING
        if self.canvas.tools.tool != self.name:
            self.hovered = self._pointer = None
        self._keep_polygons()
        self.canvas.update()

    def _merge_or_mark(self, y: float, x: float) -> None:
        """The first click marks a region, the second says which it becomes part of."""
        marked, found = self._marked, self._component(y, x)
        if marked is not None and found is not None and found is not marked and self.points:
            start = self.points[0]
            self.points, self._marked = [], None
            self._merge(start, found)
        else:
            self.points = [(y, x)] if found is not None and found is not marked else []
            self._marked = found if self.points else None

    def _merge(self, start: Point, other: Component) -> None:
        self._apply(start, other.class_id, merges=True)

    def _change(self, y: float, x: float, class_id: int) -> None:
        self._apply((y, x), class_id)

    def _apply(self, place: Point, class_id: int, *, merges: bool = False) -> None:
        row, column = math.floor(place[0]), math.floor(place[1])
        session, in_3d = self.canvas.session, bool(self.canvas.tools.value("in_3d"))
        edit = self._edit_of_object(row, column, class_id, merges=merges) or ChangeComponent(
            session.z, row, column, class_id, in_3d, merges
        )
        if not in_3d and not self._is_slow:
            session.apply(edit)
        elif session.can_edit:
            session.working.make(edit.title.capitalize(), edit, session.image_id)

    def _edit_of_object(self, row: int, column: int, class_id: int, *, merges: bool) -> Edit | None:
        """In objects mode, what is to become of the object at a place; None where there is none."""
        session = self.canvas.session
        objects = session.mask().objects
        number = objects.value(session.z, row, column) if session.objects.is_on else 0
        if not number:
            return None
        z = None if self.canvas.tools.value("in_3d") else session.z
        if merges and self._pointer is not None:
            y, x = self._pointer
            other = objects.value(session.z, math.floor(y), math.floor(x))
            if other:
                return NumberObject(number, other, z)
        if class_id == UNLABELLED:
            return DeleteObject(number, z)
        return ClassifyObject(number, class_id, z)

    def _cut_of_object(self, points: tuple[Point, ...]) -> SplitObject | None:
        """In objects mode, the cut of the first object that the line meets."""
        session = self.canvas.session
        objects = session.mask().objects
        if not session.objects.is_on or not first_met(objects, session.z, points):
            return None
        in_3d = bool(self.canvas.tools.value("in_3d"))
        return SplitObject(session.z, points, objects.next_number(), in_3d)

    # -- what is seen ------------------------------------------------------------------------------

    def paint(self, painter: QPainter) -> None:
        """Outlines of the region under the pointer and of the marked one; the cut, or the way."""
        origin = self.canvas.to_widget(0, 0)
        zoom = self.canvas.view_state().zoom
        painter.save()
        painter.setTransform(QTransform(zoom, 0, 0, zoom, origin.x(), origin.y()), combine=True)
        for shown, width in ((self._marked, 2.4), (self.hovered, 1.2)):
            if shown is not None and shown.z == self.canvas.session.z:
                lines = self._outlines(shown)
                two_tone(painter, lambda ls=lines: [painter.drawPolyline(x) for x in ls], width)
        painter.restore()
        if self.points and self._pointer is not None:
            way = [*self.points, self._pointer] if self._act == _CUT else None
            if way is None and self._marked is not None:
                way = [self.points[0], self._pointer]
            if way:
                corners = QPolygonF([self.canvas.to_widget(*point) for point in way])
                painter.setRenderHint(QPainter.RenderHint.Antialiasing)
                two_tone(painter, lambda: painter.drawPolyline(corners))

    def _outlines(self, component: Component) -> list[QPolygonF]:
        """Made when first drawn."""
        key = id(component)
        if key not in self._polygons:
            self._polygons[key] = [
                QPolygonF([QPointF(x, y) for x, y in line.tolist()])
                for line in component.outlines()
            ]
        return self._polygons[key]

    def _keep_polygons(self) -> None:
        """Forget those of components that are not shown any more."""
        shown = {id(self.hovered), id(self._marked)}
        self._polygons = {key: lines for key, lines in self._polygons.items() if key in shown}
