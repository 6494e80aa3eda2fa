"""Growing, shrinking and smoothing what lies under the pointer."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, ClassVar

from PySide6.QtCore import Qt

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.morphology import PLANE, Reshape, copy_of_plane
from orgseg_app.core.ready import ReadyChange
from orgseg_app.core.stopping import StoppedError
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas

BLOCKS_AT_ONCE = (
    9  # of 256²: below a tenth of a second; larger things are reshaped in the background
)


class ReshapeTool(Tool):
    """A click grows, shrinks or smooths the object, its class or the plane.

    Its settings also hold for the commands of the same names, which work where the pointer is,
    whatever tool is in the hand.
    """

    name = "reshape"
    hint = "Click an object to grow, shrink or smooth it · what and how far is set at the side"
    settings: ClassVar[tuple[str, ...]] = ("operation", "scope", "radius", "protect")

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._queue: deque[tuple[ProjectFile, str, Reshape]] = deque()
        self._is_working = False

    def cursor_colour(self) -> str:
        """That of what a press reshapes; none for a whole plane."""
        is_plane = self.canvas.tools.value("scope") == PLANE
        return "" if is_plane else self.colour_of(self.class_under())

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Do what is set."""
        self.reshape(str(self.canvas.tools.value("operation")), y, x)

    def reshape(self, operation: str, y: float, x: float) -> None:
        """Do it to what is under a place of the plane shown."""
        session, tools = self.canvas.session, self.canvas.tools
        file, image = session.file, session.image
        if file is None or image is None or not session.can_edit or not self.canvas.is_shown:
            return
        row = min(max(math.floor(y), 0), image.shape[2] - 1)
        column = min(max(math.floor(x), 0), image.shape[3] - 1)
        scope, radius = str(tools.value("scope")), int(tools.value("radius"))
        edit = Reshape(operation, scope, session.z, row, column, radius, tools.protect)
        mask = session.mask()
        if scope != PLANE and mask.value(edit.z, row, column) == UNLABELLED:
            session.message.emit(f"Nothing is painted there that one could {operation}.", "info")
            return
        if not self._is_working and edit.is_small(mask, BLOCKS_AT_ONCE):
            session.apply(edit)
            return
        self._queue.append((file, session.image_id, edit))
        self._next()

    def _next(self) -> None:
        """One after the other: each begins with what the one before has made."""
        session = self.canvas.session
        if self._is_working or not self._queue:
            return
        file, image_id, edit = self._queue.popleft()
        if session.file is not file or image_id not in file.project.images:
            self._next()
            return
        self._is_working = True
        # a copy, because the hand may paint meanwhile: then the edit is made anew at the end
        copy = copy_of_plane(session.mask(image_id), edit.z)

        def work(task: Task) -> ReadyChange | None:
            def check(done: int, total: int) -> None:
                if not task.report(done, total):
                    raise StoppedError

            return edit.ready(image_id, copy, check)

        def on_ready(ready: ReadyChange | None) -> None:
            if ready is not None and session.file is file and image_id in file.project.images:
                session.apply_ready(edit, ready)

        def on_end() -> None:
            self._is_working = False
            if task.is_cancelled:
                self._queue.clear()
            self._next()

        task = session.working.start(edit.title.capitalize(), work, on_ready, on_end)
