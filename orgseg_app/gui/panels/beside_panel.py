"""The pane beside the canvas: what it shows is chosen in its heading."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QComboBox, QFrame, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.layers import DIFFERENCE
from orgseg_app.gui.canvas.linked_pane import OF_A_MODEL, LinkedPane
from orgseg_app.gui.canvas.prediction_layer import heat_colours
from orgseg_app.gui.canvas.weights_layer import weight_colours
from orgseg_app.gui.comparing.pane_parts import LegendKey
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.panels.layer_section import HeatKey
from orgseg_app.gui.runs.predictions import MASK, OBJECTS, PROBABILITY, Predictions
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox
from orgseg_app.gui.style.run_colours import key_icon
from orgseg_app.gui.style.widgets import GAP, Caption, IconButton, SecondaryButton

WORDS = {
    "image": "Image only",
    "prepared": "Image, preprocessed",
    "painted": "Mask",
    "painted objects": "Objects",
    "weights": "Weights",
    MASK: "Prediction",
    PROBABILITY: "Probability",
    OBJECTS: "Predicted objects",
    DIFFERENCE: "Difference",
}
HEADING_PX = 36


class BesidePanel(QFrame):
    """A linked pane under a heading that lies on it, so that both pictures are level.

    Parameters
    ----------
    pane
        The picture.
    predictions
        Of the project's models.

    Signals
    -------
    predict_requested(run_id)
        Let this model predict the image; "" for the best.
    close_requested()
    """

    predict_requested = Signal(str)
    close_requested = Signal()

    def __init__(
        self, pane: LinkedPane, predictions: Predictions, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.pane, self._predictions, self._display = pane, predictions, pane.display
        self._offered: tuple[object, ...] = ()
        self.setAccessibleName("Side by side")
        set_help(self, "layers")
        theme.hold(self, least_width=200)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(pane)
        self.heading = self._build_heading()
        self.shows.activated.connect(self._on_shows)
        self.run.activated.connect(self._on_run)
        self.predict.clicked.connect(lambda: self.predict_requested.emit(self._chosen_run()))
        self.close_button.clicked.connect(self.close_requested)
        session = pane.session
        for signal in (
            self._display.changed,
            predictions.changed,
            session.classes_changed,
            pane.layers_shown,
        ):
            signal.connect(self.refresh)
        for one in (session.image_selected, session.plane_selected, session.class_selected):
            one.connect(self.refresh)

    def _build_heading(self) -> QFrame:
        heading = QFrame(self)
        heading.setProperty("surface", "panel")
        self.shows = CalmComboBox("What the pane shows")
        self.shows.setToolTip("What the pane shows; the canvas beside it is where you paint")
        for name, words in WORDS.items():
            if self.pane.can_show(name):
                self.shows.addItem(words, name)
        self.run = CalmComboBox("Model of the pane")
        self.run.setToolTip("Model whose prediction is shown; the best on validation images first")
        self.run.setIconSize(QSize(18, 16))
        for box, least in ((self.shows, 10), (self.run, 6)):
            box.setSizeAdjustPolicy(
                QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
            )
            box.setMinimumContentsLength(least)
            box.view().setAccessibleName(box.accessibleName())
        self.close_button = IconButton("close", "Close the pane")
        top = QHBoxLayout()
        top.setSpacing(GAP)
        top.addWidget(self.shows, 5)
        top.addWidget(self.run, 4)
        top.addWidget(self.close_button)
        self.note = Caption()
        self.predict = SecondaryButton("Predict", "sparkle")
        self.legend = QWidget()
        keys = QHBoxLayout(self.legend)
        keys.setContentsMargins(0, 0, 0, 0)
        keys.setSpacing(12)
        for value in difference.COLOURS:
            keys.addWidget(LegendKey(value))
        keys.addStretch(1)
        self.key = HeatKey("What the colours mean")
        below = QHBoxLayout()
        below.setSpacing(GAP)
        below.addWidget(self.note, 1)
        below.addWidget(self.predict)
        below.addWidget(self.legend, 1)
        below.addWidget(self.key, 1)
        column = QVBoxLayout(heading)
        column.setContentsMargins(GAP, 4, 4, 4)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(below)
        return heading

    # -- showing ---------------------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """Follow what is chosen and what there is."""
        if not self.pane.is_active:
            return
        shows = self._display.pane_shows
        with QSignalBlocker(self.shows):
            self.shows.setCurrentIndex(max(0, self.shows.findData(shows)))
        of_a_model = shows in OF_A_MODEL
        has_models = bool(self._predictions.models())
        if of_a_model:
            self._offer_runs()
        self.run.setVisible(of_a_model and self.run.count() > 0)
        note, can_predict = self._note()
        self.note.setText(note)
        self.note.setVisible(bool(note))
        self.predict.setVisible(can_predict and has_models)
        image_id = self.pane.session.image_id
        self.predict.setEnabled(not self._predictions.is_predicting(image_id))
        self.legend.setVisible(shows == DIFFERENCE and not note)
        self.key.setVisible(shows in (PROBABILITY, "weights") and not note)
        ends = self.pane.weights()
        if shows == PROBABILITY:
            self.key.show_range("0", f"1 {self._class_name()}", heat_colours(1.0))
        elif isinstance(ends, tuple):
            self.key.show_range(f"{ends[0]:.3g}", f"{ends[1]:.3g}", weight_colours())
        self.pane.setAccessibleDescription(f"{WORDS.get(shows, WORDS['image'])}. {note}")
        self._lay_out()

    def _offer_runs(self) -> None:
        """Those that have predicted the image, and then those that can."""
        found = self._predictions.runs_for(self.pane.session.image_id)
        offered = [(one.run_id, one.name, one.colour_index) for one in found]
        known = {run_id for run_id, _, _ in offered}
        can = [
            (entry.run_id, entry.name, entry.colour_index)
            for entry in self._predictions.models()
            if entry.run_id not in known
        ]
        line, offered = len(offered), offered + can
        with QSignalBlocker(self.run):
            if (line, *offered) != self._offered:
                self._offered = (line, *offered)
                self.run.clear()
                for run_id, name, colour in offered:
                    self.run.addItem(key_icon(colour), name, run_id)
                if 0 < line < len(offered):
                    self.run.insertSeparator(line)
            by = self.pane.by()
            wanted = by.run_id if by is not None else self._display.pane_run
            self.run.setCurrentIndex(max(0, self.run.findData(wanted)))

    def _note(self) -> tuple[str, bool]:
        """What is to be said in place of a prediction, and whether predicting would help."""
        pane, predictions = self.pane, self._predictions
        image_id, shows = pane.session.image_id, self._display.pane_shows
        if shows == "weights":
            ends = pane.weights()
            if isinstance(ends, Exception):
                return str(ends), False
            return "" if ends else "This image has no weights.", False
        if shows not in OF_A_MODEL:
            return "", False
        if not predictions.is_known:
            return "", False
        if not predictions.models() and not predictions.runs_for(image_id):
            return "No models yet. Paint at least two classes, then Train.", False
        if predictions.is_predicting(image_id):
            return "A model is looking at this image…", True
        by = pane.by()
        if by is None:
            return "This model has not predicted this image.", True
        if shows == PROBABILITY and not by.class_ids:
            if predictions.may_keep_probabilities(image_id):
                return "Only the mask of this prediction was kept.", True
            return "Only the mask was kept: the image is too large for probabilities.", False
        plane = pane.predicted()
        if isinstance(plane, Exception):
            return str(plane), True
        return "", False

    def _class_name(self) -> str:
        by, project = self.pane.by(), self.pane.session.project
        found = project.class_of(self.pane.class_id(by)) if by and project else None
        return found.name if found else ""

    def _chosen_run(self) -> str:
        return str(self.run.currentData() or "")

    def _lay_out(self) -> None:
        """The heading across the top, as high as it needs."""
        heading = self.heading
        layout = heading.layout()
        assert layout is not None
        layout.activate()
        width = self.width()
        high = layout.heightForWidth(width) if layout.hasHeightForWidth() else -1
        heading.setGeometry(0, 0, width, max(high, heading.sizeHint().height(), HEADING_PX))
        heading.raise_()
        self.pane.badge.move(12, heading.height() + 12)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The heading keeps to the top."""
        super().resizeEvent(event)
        self._lay_out()

    # -- the person ------------------------------------------------------------------------------

    def _on_shows(self) -> None:
        self._display.set_pane(shows=str(self.shows.currentData()))

    def _on_run(self) -> None:
        self._display.set_pane(run_id=self._chosen_run())
