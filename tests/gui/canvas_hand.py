"""A canvas on its own, for the tests of its tools."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.session import Session


def canvas_on(
    session: Session, qtbot: QtBot, width: int = 620, height: int = 480
) -> AnnotationCanvas:
    """Shows the session's image at one voxel a pixel, and has the keyboard."""
    canvas = AnnotationCanvas(session, ToolOptions(session), DisplayOptions(session))
    qtbot.addWidget(canvas)
    canvas.resize(width, height)
    canvas.show()
    session.select_image(session.image_id)
    canvas.set_zoom(1.0)
    canvas.setFocus()
    return canvas
