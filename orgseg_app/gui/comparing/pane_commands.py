"""What the menus do with the comparison's panes, and opening a place of theirs for painting."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from orgseg_app.gui.canvas.plane_view import PlaneView, ViewState
from orgseg_app.gui.comparing.pane_bar import FLICKER, SIDE_BY_SIDE, SWIPE

if TYPE_CHECKING:
    from orgseg_app.gui.comparing.difference_view import DifferenceView
    from orgseg_app.gui.main_window import MainWindow


class PaneCommands(QObject):
    """Handlers by action id."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window

    def handlers(self) -> dict[str, Callable[[], object]]:
        """One for every action about the panes."""
        return {
            "compare_side_by_side": lambda: self._panes().set_view(SIDE_BY_SIDE),
            "compare_swipe": lambda: self._panes().set_view(SWIPE),
            "compare_flicker": lambda: self._panes().set_view(FLICKER),
            "next_disagreement": lambda: self._panes().next_disagreement(),
            "next_error": lambda: self._panes().next_error(),
        }

    def _panes(self) -> DifferenceView:
        """The panes, in sight."""
        parts = self._window.ensure_parts()
        if self._window.workspace != "compare":
            self._window.show_workspace("compare")
        parts.compare.show_page("runs")
        parts.results.pages.show_page("images")
        return parts.results.pages.panes

    def looked_at(self) -> PlaneView:
        """The picture that zooming is about: a pane in Compare, elsewhere the canvas."""
        parts = self._window.ensure_parts()
        if self._window.workspace == "compare":
            return parts.results.pages.panes.leading_pane()
        return parts.canvas

    def open_place(self, image_id: str, z: int, state: ViewState) -> None:
        """Go to a place of an image in the Annotate workspace."""
        session = self._window.session
        if session.project is None or image_id not in session.project.images:
            return
        self.open_image(image_id, z)
        canvas = self._window.ensure_parts().canvas
        canvas.set_view(state)
        canvas.view_changed.emit(canvas.view_state())

    def open_image(self, image_id: str, z: int = 0) -> None:
        """Go to an image in the Annotate workspace."""
        session = self._window.session
        if image_id != session.image_id:
            session.select_image(image_id, z)
        else:
            session.select_plane(z)
        self._window.show_workspace("annotate")
        self._window.ensure_parts().canvas.setFocus()
