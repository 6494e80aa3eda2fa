"""Pages that are drawn only while somebody sees them."""

from __future__ import annotations

from PySide6.QtCore import QTimer
from PySide6.QtGui import QShowEvent

from orgseg_app.gui.comparing.picture_view import PictureView


class SeenView(PictureView):
    """A kind of page says in `redraw` what it shows; that waits until the page is in sight."""

    def redraw(self) -> None:
        """Show what there is now."""
        raise NotImplementedError

    def redraw_in_sight(self) -> None:
        """Draw, unless nobody sees it; then it is drawn when the page is shown."""
        if self.isVisible():
            self.redraw()

    def showEvent(self, event: QShowEvent) -> None:
        """Draw what happened while the page was away."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self.redraw_in_sight)
