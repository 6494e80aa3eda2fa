"""Side by side: a linked pane beside the canvas, opened, closed and kept as it is chosen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.panels.beside_panel import BesidePanel
    from orgseg_app.gui.workspaces import Workspaces


class SideBySide(QObject):
    """Makes the pane when it is first wanted.

    Attributes
    ----------
    panel
        The pane under its heading; None until it is wanted.
    """

    def __init__(self, window: MainWindow, parts: Workspaces) -> None:
        super().__init__(parts)
        self._window, self._parts = window, parts
        self.panel: BesidePanel | None = None
        window.display.changed.connect(self._follow)
        self._follow()

    def close(self) -> None:
        """The canvas alone."""
        self._window.display.set_pane(side_by_side=False)

    def _follow(self) -> None:
        wanted = self._window.display.side_by_side
        if wanted and self.panel is None:
            self.panel = self._make()
        if self.panel is None or wanted == self.panel.pane.is_active:
            return
        self._parts.area.set_beside(self.panel if wanted else None)
        self.panel.pane.set_active(wanted)
        if wanted:
            self.panel.refresh()
        else:
            self.panel.setParent(self._parts)  # kept, out of sight

    def _make(self) -> BesidePanel:
        from orgseg_app.gui.canvas.linked_pane import LinkedPane
        from orgseg_app.gui.panels.beside_panel import BesidePanel

        parts, window = self._parts, self._window
        pane = LinkedPane(parts.canvas, parts.predictions)
        panel = BesidePanel(pane, parts.predictions, parts)
        panel.hide()
        panel.predict_requested.connect(window.commands.training.predict_beside)
        panel.close_requested.connect(self.close)
        pane.hovered.connect(parts.status.on_hovered)
        form = parts.training.form
        form.preprocess_changed.connect(lambda: pane.preview.set_steps(form.preprocess()))
        pane.preview.set_steps(form.preprocess())
        window.shortcuts.describe(
            panel.close_button, panel.close_button.toolTip(), "toggle_side_by_side"
        )
        return panel
