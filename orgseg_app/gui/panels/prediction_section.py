"""Which model's prediction lies over the image, what of it, and where it is right."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QSignalBlocker, QSize, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QWidget

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.layers import DIFFERENCE, PREDICTION
from orgseg_app.gui.canvas.prediction_layer import Chosen, heat_colours
from orgseg_app.gui.comparing.pane_parts import LegendKey
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.layer_section import HeatKey, LayerSection, tick
from orgseg_app.gui.runs.predictions import MASK, OBJECTS, PROBABILITY, PredictedBy
from orgseg_app.gui.style.fields import CalmComboBox, Segments
from orgseg_app.gui.style.run_colours import key_icon
from orgseg_app.gui.style.widgets import Caption, SecondaryButton

FORM_WORDS = ((MASK, "Mask"), (PROBABILITY, "Probability"), (OBJECTS, "Objects"))


class PredictionSection(LayerSection):
    """The prediction's layer; hidden while the project has no model.

    Parameters
    ----------
    chosen
        Which prediction is looked at.

    Signals
    -------
    predict_requested(run_id)
        Let this model predict the image on the canvas.
    """

    predict_requested = Signal(str)

    def __init__(self, chosen: Chosen, parent: QWidget | None = None) -> None:
        super().__init__(PREDICTION, "Prediction", chosen.display, expanded=False, parent=parent)
        set_help(self, "predictions")
        self._chosen = chosen
        self._judged = False
        self._offered: list[tuple[str, str, int]] = []
        self.run = CalmComboBox("Model")
        self.run.setToolTip("Model whose prediction is shown; the best on validation images first")
        self.run.setIconSize(QSize(18, 16))
        self.run.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.run.view().setAccessibleName("Models")
        self.form = Segments("Shown as", FORM_WORDS)
        self.of_class = CalmComboBox("Class of the probability")
        self.of_class.setToolTip("Class whose probability is shown")
        self.of_class.view().setAccessibleName("Classes")
        self.key = HeatKey("Probability")
        self.note = Caption()
        self.predict = SecondaryButton("Predict", "sparkle")
        self.difference = tick("Difference from the mask", "", self._on_difference)
        self.difference.setToolTip("What the model and the mask agree on, and what they do not")
        self.legend = QWidget()
        keys = QHBoxLayout(self.legend)
        keys.setContentsMargins(24, 0, 0, 0)
        keys.setSpacing(12)
        for value in difference.COLOURS:
            keys.addWidget(LegendKey(value))
        keys.addStretch(1)
        action = QWidget()
        row = QHBoxLayout(action)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.predict)
        row.addStretch(1)
        for part in (self.run, self.form, self.note, action, self.difference, self.legend):
            self.add_first(part)
        for part in (self.of_class, self.key):
            self.add_first(part)
        self._action = action
        self.run.activated.connect(self._on_run)
        self.form.chosen.connect(self._on_form)
        self.of_class.activated.connect(self._on_class)
        self.predict.clicked.connect(self._on_predict)
        session, runs = chosen.session, chosen.predictions
        for signal in (self.display.changed, runs.changed, session.classes_changed):
            signal.connect(self.refresh)
        for one in (session.image_selected, session.plane_selected, session.class_selected):
            one.connect(self.refresh)
        self.refresh()

    # -- showing ---------------------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """What there is to choose from, and what is chosen."""
        chosen, display = self._chosen, self.display
        image_id = chosen.session.image_id
        has_models = bool(chosen.predictions.models()) and bool(image_id)
        self.setVisible(has_models or bool(chosen.predictions.runs_for(image_id)))
        if self.isHidden():
            return
        by = chosen.by(image_id)
        self._offer_runs(image_id, by)
        note, can_predict = self._note(image_id, by)
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self._action.setVisible(can_predict and has_models)
        self.predict.setEnabled(not chosen.predictions.is_predicting(image_id))
        judges = by is not None and display.look(DIFFERENCE).visible
        if judges and not self._judged:
            self.header.setChecked(True)  # what the colours mean is said here
        self._judged = judges
        form = display.prediction_form
        self.form.set_value(form)
        self.form.setVisible(by is not None)
        self.form.setEnabled(not judges)
        is_heat = by is not None and not judges and form == PROBABILITY and bool(by.class_ids)
        self.of_class.setVisible(is_heat)
        self.key.setVisible(is_heat)
        if by is not None and is_heat:
            self._offer_classes(by)
            self.key.show_range("0", "1", heat_colours(1.0))
        self.opacity.setVisible(by is not None and not judges)
        self.edges.setVisible(by is not None and not judges and form != PROBABILITY)
        self.difference.setVisible(by is not None)
        with QSignalBlocker(self.difference):
            self.difference.setChecked(judges)
        self.legend.setVisible(judges)
        for widget in (self.of_class, self.key):
            widget.setEnabled(display.look(PREDICTION).visible)

    def _offer_runs(self, image_id: str, by: PredictedBy | None) -> None:
        """Those that have predicted the image, and then those that can."""
        predictions = self._chosen.predictions
        found = predictions.runs_for(image_id)
        offered = [(one.run_id, one.name, one.colour_index) for one in found]
        known = {run_id for run_id, _, _ in offered}
        offered += [
            (entry.run_id, f"{entry.name} (not predicted)", entry.colour_index)
            for entry in predictions.models()
            if entry.run_id not in known
        ]
        wanted = by.run_id if by is not None else self._chosen.wanted_run()
        with QSignalBlocker(self.run):
            if offered != self._offered:
                self._offered = list(offered)
                self.run.clear()
                for run_id, name, colour in offered:
                    self.run.addItem(key_icon(colour), name, run_id)
            self.run.setCurrentIndex(max(0, self.run.findData(wanted)))
        self.run.setVisible(len(offered) > 1 or by is not None)

    def _offer_classes(self, by: PredictedBy) -> None:
        classes = [info for info in self._chosen.session.classes if info.class_id in by.class_ids]
        with QSignalBlocker(self.of_class):
            self.of_class.clear()
            for info in classes:
                self.of_class.addItem(info.name, info.class_id)
            self.of_class.setCurrentIndex(self.of_class.findData(self._chosen.class_id(by)))

    def _note(self, image_id: str, by: PredictedBy | None) -> tuple[str, bool]:
        """What is to be said, and whether predicting would help."""
        chosen, predictions = self._chosen, self._chosen.predictions
        if predictions.is_predicting(image_id):
            return "A model is looking at this image…", True
        if not predictions.is_known:
            return "", False
        if by is None:
            if predictions.runs_for(image_id):
                return "This model has not predicted this image.", True
            return "No model has predicted this image yet.", True
        form = self.display.prediction_form
        if form == PROBABILITY and not by.class_ids:
            if predictions.may_keep_probabilities(image_id):
                return "Only the mask of this prediction was kept.", True
            return "Only the mask was kept: the image is too large for probabilities.", False
        z = chosen.session.z
        if not (self.display.look(PREDICTION).visible or self.display.look(DIFFERENCE).visible):
            return "", False
        plane = chosen.plane(image_id, z, form)
        if isinstance(plane, Exception):
            return str(plane), True
        if isinstance(plane, np.ndarray) and form == MASK and not plane.any():
            return "Only painted planes were predicted to score the model; this is none.", True
        return "", False

    # -- the person ------------------------------------------------------------------------------

    def _on_run(self) -> None:
        self.display.choose_prediction(run_id=self.run.currentData())
        self.display.set_look(PREDICTION, visible=True)

    def _on_form(self, form: str) -> None:
        self.display.choose_prediction(form=form)
        self.display.set_look(PREDICTION, visible=True)
        self.display.set_look(DIFFERENCE, visible=False)

    def _on_class(self) -> None:
        class_id = self.of_class.currentData()
        self.display.choose_prediction(class_id=class_id if class_id is not None else BACKGROUND)

    def _on_difference(self, on: bool) -> None:
        self.display.set_look(DIFFERENCE, visible=on)

    def _on_predict(self) -> None:
        self.predict_requested.emit(str(self.run.currentData() or ""))
