"""Tools that work on the region under the pointer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from PySide6.QtCore import Qt

from orgseg_app.core.classes import UNLABELLED
from orgseg_app.core.edits.change import Change
from orgseg_app.core.edits.regions import FillHoles, FloodFill, PaintRegion
from orgseg_app.core.painting import wand
from orgseg_app.core.painting.fill import Piece
from orgseg_app.core.stopping import StoppedError
from orgseg_app.gui.canvas.tools.cursors import ADD, ERASE
from orgseg_app.gui.canvas.tools.tool import Tool

if TYPE_CHECKING:
    from orgseg_app.gui.background import Task
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.session import Session

HERE_VOXELS = 2**20
"""Planes that the wand searches at once; larger ones are searched in the background."""


class FillTool(Tool):
    """Sets the connected region of equal class under the pointer."""

    name = "fill"
    hint = "Click a region to give it the chosen class · Alt: make it unlabelled"
    settings = ("in_3d",)
    paints = True
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {Qt.KeyboardModifier.AltModifier: ERASE}

    def cursor_colour(self) -> str:
        """None where the region is what is in the hand already."""
        session = self.canvas.session
        is_same = self.class_under() == session.class_id
        is_same = is_same and self.object_under() == session.objects.number
        return "" if is_same else super().cursor_colour()

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Fill."""
        session = self.canvas.session
        erase = modifiers & Qt.KeyboardModifier.AltModifier
        class_id = UNLABELLED if erase else session.class_id
        in_3d = _is_3d(self.canvas)
        _apply(session, FloodFill(session.z, math.floor(y), math.floor(x), class_id, in_3d))


class HolesTool(Tool):
    """Gives what a region encloses its class."""

    name = "holes"
    hint = "Click a painted region to fill its holes"
    settings = ("in_3d", "protect")

    def cursor_colour(self) -> str:
        """That of the region whose holes a press fills."""
        return self.colour_of(self.class_under())

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Fill the holes."""
        session = self.canvas.session
        in_3d, protect = _is_3d(self.canvas), self.canvas.tools.protect
        _apply(session, FillHoles(session.z, math.floor(y), math.floor(x), in_3d, protect))


_Click = tuple[int, tuple[str, int, int], tuple[Change, ...], tuple[Piece, ...]]
"""Step of the history, place and class, what it took back and made (the last first), region."""


class WandTool(Tool):
    """Paints what looks like the voxel under the pointer.

    A click into what the last one painted takes its place, so that the tolerance can be tried,
    until anything else is done. A click elsewhere paints as well, and Shift always does.
    """

    name = "wand"
    hint = "Click to paint what looks alike · inside it: try again · Shift: add · Alt: erase"
    settings = ("wand_tolerance", "wand_smooth", "wand_contiguous", "protect")
    paints = True
    marks: ClassVar[Mapping[Qt.KeyboardModifier, str]] = {
        Qt.KeyboardModifier.AltModifier: ERASE,
        Qt.KeyboardModifier.ShiftModifier: ADD,
    }

    def __init__(self, canvas: AnnotationCanvas) -> None:
        super().__init__(canvas)
        self._last: _Click | None = None

    def press(self, y: float, x: float, modifiers: Qt.KeyboardModifier) -> None:
        """Find it, and paint it."""
        session, image = self.canvas.session, self.canvas.session.image
        if image is None or not session.can_edit:
            return
        image_id, z, class_id = session.image_id, session.z, session.class_id
        if modifiers & Qt.KeyboardModifier.AltModifier:
            class_id = UNLABELLED
        seed = None if modifiers & Qt.KeyboardModifier.ShiftModifier else (y, x)
        protect = self.canvas.tools.protect
        tolerances = self._tolerances(image.shape[0])
        contiguous = bool(self.canvas.tools.value("wand_contiguous"))
        smoothing = float(self.canvas.tools.value("wand_smooth"))
        plane = session.loaded_plane(image_id, z)
        size, file = image.shape[2:], session.file
        assert file is not None

        def read(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
            if plane is not None:
                return plane[:, y0:y1, x0:x1]
            return file.read_region(image_id, z, y0, x0, y1, x1, to_look=True)

        def find(read: wand.Read = read) -> tuple[Piece, ...]:
            return tuple(
                wand.similar(
                    read,
                    (size[0], size[1]),
                    z,
                    math.floor(y),
                    math.floor(x),
                    tolerances=tolerances,
                    contiguous=contiguous,
                    smoothing=smoothing,
                )
            )

        def work(task: Task) -> tuple[Piece, ...]:
            def read_on(y0: int, x0: int, y1: int, x1: int) -> np.ndarray:
                if task.is_cancelled:
                    raise StoppedError
                return read(y0, x0, y1, x1)

            return find(read_on)

        def paint(pieces: tuple[Piece, ...]) -> None:
            if session.file is file and image_id in file.project.images:
                self._paint((image_id, z, class_id), pieces, seed, protect=protect)

        if plane is not None and size[0] * size[1] <= HERE_VOXELS:
            paint(find())
        else:
            session.working.start("Magic wand", work, paint)

    def _paint(
        self,
        where: tuple[str, int, int],
        pieces: tuple[Piece, ...],
        seed: tuple[float, float] | None,
        *,
        protect: bool,
    ) -> None:
        """Make it; ``seed`` is where was clicked, unless that shall only add."""
        session = self.canvas.session
        image_id, _, class_id = where
        step = session.history.next_undo()
        before: tuple[Change, ...] = ()
        if self._last is not None and step is not None and seed is not None:
            number, place, changes, painted = self._last
            if (number, place) == (step.number, where) and _holds(painted, *seed):
                before = changes
        edit = PaintRegion(pieces, class_id, protect, instead_of=before)
        made = session.apply(edit, image_id)
        step = session.history.next_undo()
        if made is not None and step is not None:
            self._last = (step.number, where, (made, *before), pieces)

    def _tolerances(self, channels: int) -> tuple[float, ...]:
        """For each channel in its own values; infinite for those that are hidden."""
        display = self.canvas.display
        share = float(self.canvas.tools.value("wand_tolerance")) / 100
        levels = display.shown_levels()
        shown = [i >= len(display.channels) or display.channels[i] for i in range(channels)]
        found = []
        for channel in range(channels):
            low, high = levels[min(channel, len(levels) - 1)]
            counts = shown[channel] or not any(shown)
            found.append(share * (high - low) if counts else math.inf)
        return tuple(found)


def _holds(pieces: tuple[Piece, ...], y: float, x: float) -> bool:
    """Whether a place of their plane lies in pieces of a region."""
    row, column = math.floor(y), math.floor(x)
    return any(
        0 <= row - y0 < where.shape[0]
        and 0 <= column - x0 < where.shape[1]
        and bool(where[row - y0, column - x0])
        for _, y0, x0, where in pieces
    )


def _is_3d(canvas: AnnotationCanvas) -> bool:
    """Whether the tool shall go through the planes, and there are any."""
    image = canvas.session.image
    return bool(canvas.tools.value("in_3d")) and image is not None and image.shape[1] > 1


def _apply(session: Session, edit: FloodFill | FillHoles) -> None:
    """Make the edit; one of a volume is worked out in the background."""
    if not edit.in_3d:
        session.apply(edit)
        return
    if session.can_edit:
        session.working.make(edit.title.capitalize(), edit, session.image_id)
