"""What a model says over the image: classes, a probability or objects; and where it differs from
what is painted.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QObject

from orgseg_app.core.classes import BACKGROUND, UNLABELLED
from orgseg_app.gui.canvas import colour_maps, difference
from orgseg_app.gui.canvas.layers import (
    DIFFERENCE,
    PREDICTION,
    LayerLook,
    LayerSource,
    OverlayLayer,
)
from orgseg_app.gui.canvas.object_colours import OUTLINED, object_colours
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.canvas.rendering import ArrayOverlay, Overlay, class_colours
from orgseg_app.gui.runs.predictions import MASK, OBJECTS, PROBABILITY, PredictedBy, Predictions
from orgseg_app.gui.session import Session

HEAT = "inferno"
"""Its lightness only rises, so that it reads alike for every kind of colour vision."""

SHOWN_FROM = 4  # of 255: what a model holds for all but impossible leaves the image alone


def heat_colours(opacity: float) -> NDArray[np.uint8]:
    """Colours of 0…255 for 0…1, ``(256, 4)``: nothing at 0, more opaque the higher."""
    table = np.zeros((256, 4), np.uint8)
    table[:, :3] = colour_maps.colours(HEAT)
    rise = np.clip(np.arange(256) / 64, 0, 1)  # what is likely is all equally opaque
    table[:, 3] = np.round(255 * opacity * rise)
    table[:SHOWN_FROM, 3] = 0
    return table


class Chosen(QObject):
    """Which prediction of the image on the canvas is looked at.

    Parameters
    ----------
    predictions
        Where it comes from.
    """

    def __init__(
        self,
        session: Session,
        display: DisplayOptions,
        predictions: Predictions,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self.session, self.display, self.predictions = session, display, predictions

    def wanted_run(self) -> str:
        """The model chosen, as long as there is one; "" for the best."""
        wanted = self.display.prediction_run
        return wanted if any(run.run_id == wanted for run in self.predictions.models()) else ""

    def by(self, image_id: str) -> PredictedBy | None:
        """The model chosen or the best, where it has predicted the image."""
        found = self.predictions.runs_for(image_id)
        wanted = self.wanted_run()
        return next((by for by in found if wanted in ("", by.run_id)), None)

    def class_id(self, by: PredictedBy) -> int:
        """The class whose probability is shown."""
        for class_id in (self.display.prediction_class, self.session.class_id):
            if class_id in by.class_ids:
                return class_id
        return max(by.class_ids, default=BACKGROUND)

    def plane(self, image_id: str, z: int, form: str) -> NDArray[np.uint8] | Exception | None:
        """A plane of it, the error that reading ended with, or None when there is none yet."""
        by = self.by(image_id)
        if by is None or (form == PROBABILITY and not by.class_ids):
            return None
        return self.predictions.plane(by, image_id, z, form, self.class_id(by))


class PredictionSource(LayerSource):
    """The chosen model's prediction."""

    kind = PREDICTION

    def __init__(self, chosen: Chosen, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chosen = chosen
        chosen.predictions.changed.connect(self.changed)
        chosen.session.class_selected.connect(self._on_class)
        chosen.session.classes_changed.connect(self.changed)

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        """As it is chosen to be seen."""
        chosen = self._chosen
        form = chosen.display.prediction_form
        plane = chosen.plane(image_id, z, form)
        if not isinstance(plane, np.ndarray):
            return None
        return prediction_layer(chosen.session, plane, form, look)

    def _on_class(self, class_id: int) -> None:
        if self._chosen.display.prediction_form == PROBABILITY:
            self.changed.emit()


def prediction_layer(
    session: Session, plane: NDArray[np.uint8], form: str, look: LayerLook
) -> OverlayLayer:
    """One plane of a prediction, in its colours.

    Parameters
    ----------
    plane
        As `Predictions.plane` gives it for ``form``.
    """
    overlay = ArrayOverlay(plane)
    if form == PROBABILITY:
        return OverlayLayer(overlay, heat_colours(look.opacity), outline=False)
    if form == OBJECTS:
        colours = object_colours(look.opacity, fill=look.fill)
        return OverlayLayer(overlay, colours, outline=look.outline, outlined=OUTLINED)
    classes = [info for info in session.classes if info.class_id > BACKGROUND]
    colours = class_colours(classes, fill=look.fill, opacity=look.opacity)
    return OverlayLayer(overlay, colours, outline=look.outline)


class DifferenceOverlay:
    """Judges a prediction by the mask as it is painted, where it is looked at.

    Parameters
    ----------
    mask
        Class ids as they are in memory: a stroke shows at once.
    prediction
        ``(Y, X)`` class ids.
    """

    def __init__(self, mask: Overlay, prediction: NDArray[np.uint8]) -> None:
        self._mask, self._prediction = mask, ArrayOverlay(prediction)

    def sample(
        self, z: int, rows: NDArray[np.intp], columns: NDArray[np.intp]
    ) -> NDArray[np.uint8]:
        """Values of `difference` at the crossings; unlabelled where the model saw nothing."""
        truth = self._mask.sample(z, rows, columns)
        guess = self._prediction.sample(z, rows, columns)
        judged = difference.difference(truth, guess)
        judged[guess == UNLABELLED] = difference.UNJUDGED
        return judged


class DifferenceSource(LayerSource):
    """The chosen model's prediction against what is painted; nothing else is painted then."""

    kind = DIFFERENCE
    is_alone = True

    def __init__(self, chosen: Chosen, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._chosen = chosen
        chosen.predictions.changed.connect(self.changed)

    def layer(self, image_id: str, z: int, look: LayerLook) -> OverlayLayer | None:
        """True and false positives and false negatives, as in Compare."""
        session = self._chosen.session
        plane = self._chosen.plane(image_id, z, MASK)
        if not isinstance(plane, np.ndarray) or session.file is None:
            return None
        return difference_layer(session, image_id, plane, z, look)


def difference_layer(
    session: Session, image_id: str, plane: NDArray[np.uint8], z: int, look: LayerLook
) -> OverlayLayer:
    """One plane of a prediction against what is painted.

    Parameters
    ----------
    plane
        ``(Y, X)`` class ids that a model predicted.
    """
    colours = difference.colour_table()
    colours[:, 3] = np.round(colours[:, 3] * look.opacity)
    overlay = DifferenceOverlay(session.mask(image_id), plane)
    return OverlayLayer(overlay, colours, z, outline=False, hatch_unlabelled=True)
