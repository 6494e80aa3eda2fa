"""A second view of the image and plane on the canvas, at the same place and zoom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent, QWheelEvent

from orgseg_app.gui.canvas.image_canvas import ImageCanvas
from orgseg_app.gui.canvas.layers import (
    DIFFERENCE,
    MASK,
    OBJECTS,
    PREDICTION,
    PREDICTION_FORMS,
    WEIGHTS,
    OverlayLayer,
)
from orgseg_app.gui.canvas.options import PANE_SHOWS
from orgseg_app.gui.canvas.plane_view import ViewState
from orgseg_app.gui.canvas.prediction_layer import difference_layer, prediction_layer
from orgseg_app.gui.canvas.weights_layer import WeightsSource

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.runs.predictions import PredictedBy, Predictions

IMAGE_ONLY, PREPARED = PANE_SHOWS[0], PANE_SHOWS[1]
OF_A_MODEL = (*PREDICTION_FORMS, DIFFERENCE)
OF_THE_CANVAS = {"painted": MASK, "painted objects": OBJECTS, "weights": WEIGHTS}
"""Layers that the canvas has, too."""


class LinkedPane(ImageCanvas):
    """Follows a canvas and leads it, to look at something else of the same voxels.

    Parameters
    ----------
    lead
        The canvas; painting is done there.
    predictions
        Of the project's models.

    Attributes
    ----------
    is_active
        Whether anything is read and shown.
    """

    leads_display = False

    def __init__(self, lead: AnnotationCanvas, predictions: Predictions) -> None:
        super().__init__(lead.session, lead.display)
        self._lead, self._predictions = lead, predictions
        self.is_active = False
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # keys go on to be the canvas'
        self.setAccessibleName("Pane beside the canvas")
        self.update_cursor()
        self.badge.leave_out_cross()
        lead.looked_elsewhere.connect(self._follow)
        lead.hovered.connect(self.set_mirror)
        self.hovered.connect(lead.set_mirror)
        self.view_changed.connect(self._lead_on)
        for signal in (predictions.changed, lead.layers.changed):
            signal.connect(self._refresh_overlay)
        self.session.class_selected.connect(lambda _: self._refresh_overlay())

    def set_active(self, active: bool) -> None:
        """Show what the canvas shows, or nothing."""
        if active == self.is_active:
            return
        self.is_active = active
        if active and self.session.image_id:
            self._load(self.session.image_id, self.session.z)
        else:
            self._clear()
        self._follow_choice()

    def by(self) -> PredictedBy | None:
        """The model chosen, or the best, where it has predicted the image."""
        found = self._predictions.runs_for(self.session.image_id)
        wanted = self.display.pane_run
        if not any(run.run_id == wanted for run in self._predictions.models()):
            wanted = ""
        return next((by for by in found if wanted in ("", by.run_id)), None)

    def class_id(self, by: PredictedBy) -> int:
        """The class whose probability is shown: the one in the hand where it was kept."""
        here = self.session.class_id
        return here if here in by.class_ids else max(by.class_ids, default=0)

    def predicted(self) -> np.ndarray | Exception | None:
        """The plane of the prediction; why it cannot be read; None where there is none yet."""
        by, shown = self.by(), self.display.pane_shows
        if by is None or shown not in OF_A_MODEL:
            return None
        form = MASK if shown == DIFFERENCE else shown
        return self._predictions.plane(
            by, self.session.image_id, self.session.z, form, self.class_id(by)
        )

    # -- what is shown ---------------------------------------------------------------------------

    def _load(self, image_id: str, z: int) -> None:
        if self.is_active:
            super()._load(image_id, z)

    def _on_display_changed(self) -> None:
        self._follow_choice()
        super()._on_display_changed()

    def _follow_choice(self) -> None:
        self.preview.set_on(self.is_active and self.display.pane_shows == PREPARED)

    def _refresh_overlay(self) -> None:
        layer = None
        if self.is_active and self._shown[0] and self.session.file is not None:
            layer = self._layer(*self._shown)
        self.set_layers(() if layer is None else (layer,))
        self.layers_shown.emit()

    def _layer(self, image_id: str, z: int) -> OverlayLayer | None:
        shown, look = self.display.pane_shows, self.display.look  # even if hidden on the canvas
        if shown in OF_THE_CANVAS:
            kind = OF_THE_CANVAS[shown]
            source = self._lead.layers.source(kind)
            return source.layer(image_id, z, look(kind)) if source else None
        plane = self.predicted()
        if not isinstance(plane, np.ndarray) or (image_id, z) != self._now():
            return None
        if shown == DIFFERENCE:
            return difference_layer(self.session, image_id, plane, z, look(DIFFERENCE))
        return prediction_layer(self.session, plane, shown, look(PREDICTION))

    def weights(self) -> tuple[float, float] | Exception | None:
        """Least and largest weight of the image; None where it has none."""
        source = self._lead.layers.source(WEIGHTS)
        return source.ends(self.session.image_id) if isinstance(source, WeightsSource) else None

    def can_show(self, shows: str) -> bool:
        """Whether the project can have such a layer."""
        kind = OF_THE_CANVAS.get(shows)
        return kind is None or self._lead.layers.source(kind) is not None

    def _now(self) -> tuple[str, int]:
        return self.session.image_id, self.session.z

    # -- where we look ---------------------------------------------------------------------------

    def fit(self) -> None:
        """The canvas knows what fits."""
        self._follow()

    def image_came(self) -> None:
        """At the place of the canvas, whatever was looked at here before."""
        self._follow()

    def _follow(self) -> None:
        if self.is_active:
            self.set_view(self._lead.view_state())

    def _lead_on(self, state: ViewState) -> None:
        if self.is_active:
            self._lead.set_view(state)
            self._lead.view_changed.emit(self._lead.view_state())

    # -- the hand --------------------------------------------------------------------------------

    def update_cursor(self) -> None:
        """The picture can be moved."""
        self.setCursor(Qt.CursorShape.OpenHandCursor)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Any drag moves the picture: painting is done on the canvas."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._pan_from = event.position()
            self.setCursor(Qt.CursorShape.ClosedHandCursor)
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Fit, here and there."""
        if event.button() == Qt.MouseButton.LeftButton:
            self._lead.fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """As on the canvas, at the same voxel."""
        at = self._lead.to_widget(*self.to_image(event.position()))
        self._lead.wheelEvent(
            QWheelEvent(
                at,
                event.globalPosition(),
                event.pixelDelta(),
                event.angleDelta(),
                event.buttons(),
                event.modifiers(),
                event.phase(),
                event.inverted(),
            )
        )
        event.accept()
