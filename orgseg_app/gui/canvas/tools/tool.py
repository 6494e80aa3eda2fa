"""What every tool is."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.core.objects import NO_OBJECT
from orgseg_app.gui.canvas.object_colours import object_colour

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas


class Tool:
    """What the canvas asks of a tool; positions are (y, x) in voxels. Nothing by default.

    Attributes
    ----------
    name
        In `ToolOptions.tool`; ``tool_<name>`` is the action that takes it in the hand.
    cursor
        Shape of the pointer; None for a crosshair with the tool's icon (`cursors`).
    paints
        A press paints with the chosen class, whose colour the pointer shows.
    edits
        It changes what is painted: of no use where one may only look.
    marks
        What a held key changes about a press: one of the words of `cursors`, the first that holds.
    hint
        What presses and keys do, in one line.
    settings
        Which of `tool_settings.TOOL_SETTINGS` it listens to.
    double_click_finishes
        A double-click completes what is being built, instead of being a second press.
    drags
        It works from press to release: by keys, Enter presses and the next Enter releases.
    """

    name: ClassVar[str] = ""
    cursor: ClassVar[Qt.CursorShape | None] = None
    paints: ClassVar[bool] = False
    edits: ClassVar[bool] = True
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {}
    hint: ClassVar[str] = ""
    settings: ClassVar[tuple[str, ...]] = ()
    double_click_finishes: ClassVar[bool] = False
    drags: ClassVar[bool] = False

    def __init__(self, canvas: AnnotationCanvas) -> None:
        self.canvas = canvas

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """The button goes down."""

    def move(self, y: float, x: float, *, pressed: bool) -> None:
        """The pointer moves."""

    def release(self) -> None:
        """The button comes up."""

    def finish(self) -> None:
        """Enter or double-click: complete what is being built."""

    def back(self) -> bool:
        """Backspace: take the last step of what is being built back; False when there is none."""
        return False

    def hold_shift(self, held: bool) -> None:
        """Shift goes down or comes up, pressed or not."""

    def leave(self) -> None:
        """The pointer is not over the canvas any more."""

    def mark(self, held: Qt.KeyboardModifier) -> str:
        """What the keys held change about a press; "" for nothing."""
        return next((mark for key, mark in self.marks.items() if key & held), "")

    def cursor_colour(self) -> str:
        """``"#RRGGBB"`` of what a press would paint or pick here; "" for none."""
        return self.hand_colour() if self.paints else ""

    def hand_colour(self) -> str:
        """``"#RRGGBB"`` of the object in the hand, else of the chosen class; "" for none."""
        session = self.canvas.session
        if session.objects.number and session.class_id > BACKGROUND:
            return object_colour(session.objects.number)
        return self.colour_of(session.class_id)

    def colour_of(self, class_id: int) -> str:
        """``"#RRGGBB"`` of a class; "" for none."""
        project = self.canvas.session.project
        found = project.class_of(class_id) if project is not None else None
        return found.colour if found is not None else ""

    def class_under(self) -> int:
        """What is painted under the pointer; 0 for nothing."""
        canvas, session = self.canvas, self.canvas.session
        if session.image is None or not canvas.is_shown:
            return UNLABELLED
        y, x = canvas.pointer
        return session.mask().value(session.z, math.floor(y), math.floor(x))

    def object_under(self) -> int:
        """Number of the object under the pointer; 0 for none, and outside objects mode."""
        canvas, session = self.canvas, self.canvas.session
        if session.image is None or not canvas.is_shown or not session.objects.is_on:
            return NO_OBJECT
        y, x = canvas.pointer
        return session.mask().objects.value(session.z, math.floor(y), math.floor(x))

    def cancel(self) -> None:
        """Esc, or another tool is taken."""

    def paint(self, painter: QPainter) -> None:
        """Draw what the tool is about to do, in widget coordinates."""
