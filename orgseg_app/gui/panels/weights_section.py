"""The layer of weights in the panel: its range, its opacity, its eye."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from orgseg_app.gui.canvas.layers import WEIGHTS
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.canvas.weights_layer import WeightsSource, weight_colours
from orgseg_app.gui.panels.layer_section import HeatKey, LayerSection
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import Caption


class WeightsSection(LayerSection):
    """Shown while the image on the canvas has weights.

    Parameters
    ----------
    source
        Where they come from.
    """

    def __init__(
        self,
        source: WeightsSource,
        session: Session,
        display: DisplayOptions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(WEIGHTS, "Weights", display, has_edges=False, parent=parent)
        self._source, self._session = source, session
        self.key = HeatKey("Weights")
        self.key.setToolTip("How much a voxel counts in training")
        self.note = Caption()
        self.add_first(self.key)
        self.add_first(self.note)
        source.changed.connect(self.refresh)
        session.image_selected.connect(self.refresh)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the range of the image's weights, or nothing."""
        ends = self._source.ends(self._session.image_id)
        self.setVisible(ends is not None)
        self.key.setVisible(isinstance(ends, tuple))
        self.note.setVisible(isinstance(ends, Exception))
        if isinstance(ends, tuple):
            self.key.show_range(f"{ends[0]:.4g}", f"{ends[1]:.4g}", weight_colours())
        elif ends is not None:
            self.note.setText(str(ends))
