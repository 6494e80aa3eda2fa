"""Looking around in volumes and series: sections through the crosshair, time points."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow


class VolumeViews:
    """The commands that need more than one plane or moment to look at."""

    def __init__(self, window: MainWindow) -> None:
        self.window = window
        self.session = window.session

    def flip_sections(self) -> None:
        """Show or hide the sections beside the canvas."""
        if self._has_planes():
            display = self.window.display
            display.set_sections(not display.sections)
        else:
            self.window.refresh_actions()  # the switch goes back

    def crosshair_here(self) -> None:
        """Bring the sections to the voxel under the pointer, or under the cursor of the keys."""
        if self._has_planes():
            canvas = self.window.ensure_parts().canvas
            place = canvas.pointer
            self.window.display.set_sections(True)
            canvas.crosshair.put(*place)

    def step_time(self, step: int) -> None:
        """The next (1) or previous (-1) time point."""
        image = self.session.image
        if image is not None and len(self.session.series()) < 2:
            self.session.message.emit(
                f"“{image.name}” is one moment; there are no other time points of it.", "info"
            )
        self.session.select_time(step)

    def _has_planes(self) -> bool:
        """True for a volume; otherwise it is said why there are no sections."""
        image = self.session.image
        if image is not None and image.shape[1] < 2:
            self.session.message.emit(
                f"“{image.name}” has one plane, so there are no sections through it.", "info"
            )
        return image is not None and image.shape[1] > 1
