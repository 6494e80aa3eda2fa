"""What every tool is."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt
from PySide6.QtGui import QPainter

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas


class Tool:
    """What the canvas asks of a tool; positions are (y, x) in voxels. Nothing by default.

    Attributes
    ----------
    name
        In `ToolOptions.tool`; ``tool_<name>`` is the action that takes it in the hand.
    cursor
        Shape of the pointer.
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
    cursor: ClassVar[Qt.CursorShape] = Qt.CursorShape.CrossCursor
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

    def cancel(self) -> None:
        """Esc, or another tool is taken."""

    def paint(self, painter: QPainter) -> None:
        """Draw what the tool is about to do, in widget coordinates."""
