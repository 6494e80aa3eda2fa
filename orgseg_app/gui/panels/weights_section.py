"""The layer of weights in the panel: how they are made, their range, their opacity, their eye."""

from __future__ import annotations

from PySide6.QtWidgets import QHBoxLayout, QWidget

from orgseg_app.gui.canvas.layers import WEIGHTS
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.canvas.weights_layer import WeightsSource, weight_colours
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.layer_section import HeatKey, LayerSection
from orgseg_app.gui.panels.weights_maker import WeightsMaker
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import Caption, SecondaryButton


class WeightsSection(LayerSection):
    """Shown while the image on the canvas has weights, or while some are being made.

    Parameters
    ----------
    source
        Where they come from.

    Attributes
    ----------
    maker
        Sets how they are made; hidden unless asked for.
    """

    def __init__(
        self,
        source: WeightsSource,
        session: Session,
        display: DisplayOptions,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(WEIGHTS, "Weights", display, has_edges=False, parent=parent)
        set_help(self, "layers")
        self._source, self._session = source, session
        self.maker = WeightsMaker(source.preview, session)
        self.maker.hide()
        self.maker.closed.connect(self.close_maker)
        self.make = SecondaryButton("Make weights…")
        self.make.setToolTip("Let rare classes and edges count more")
        self.make.clicked.connect(self.open_maker)
        self.key = HeatKey("Weights")
        self.key.setToolTip("How much a voxel counts in training; what shows no colour counts 0")
        self.note = Caption()
        self._action = QWidget()
        row = QHBoxLayout(self._action)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.make)
        row.addStretch(1)
        for part in (self.maker, self._action, self.key, self.note):
            self.add_first(part)
        source.changed.connect(self.refresh)
        session.image_selected.connect(self.refresh)
        session.closing.connect(self.close_maker)
        self.refresh()

    def open_maker(self) -> None:
        """Set how weights are made, and show them on the canvas meanwhile."""
        self.header.setChecked(True)
        self.display.set_look(WEIGHTS, visible=True)
        self.maker.show()
        self._source.preview.set_on(True)
        self.refresh()
        self.maker.refresh()
        self.maker.balance.setFocus()

    def close_maker(self) -> None:
        """Show what is kept again."""
        self.maker.hide()
        self._source.preview.set_on(False)
        self.refresh()

    def refresh(self, *_: object) -> None:
        """Show the range of the image's weights, or nothing."""
        is_making = not self.maker.isHidden()
        ends = self._source.ends(self._session.image_id)
        self.setVisible(ends is not None or is_making)
        self._action.setVisible(not is_making)
        self.make.setEnabled(self._session.can_edit)
        self.key.setVisible(isinstance(ends, tuple))
        self.note.setVisible(isinstance(ends, Exception))
        if isinstance(ends, tuple):
            self.key.show_range(f"{ends[0]:.4g}", f"{ends[1]:.4g}", weight_colours())
        elif ends is not None:
            self.note.setText(str(ends))
