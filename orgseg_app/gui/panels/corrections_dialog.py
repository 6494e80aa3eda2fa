"""“Retrain on corrections…”: which mistakes of a run count more in the next one."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from orgseg_app.core.weighting.mistakes import (
    BOTH,
    EXTRA,
    MISSED,
    PARAMETERS,
    CorrectionSettings,
)
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import Segments, SliderField
from orgseg_app.gui.style.widgets import (
    EDGE,
    GAP,
    GROUP,
    Caption,
    PrimaryButton,
    SecondaryButton,
    foot_of,
    label,
)

WIDTH = 460
NAME_WIDTH = 128
ABOUT = (
    "A new run goes on from “{name}”. It first looks at the training images with that model and "
    "compares with the masks as they are now: where it was wrong, voxels count more. The project "
    "is left as it is."
)
KIND_WORDS = {
    MISSED: "Where you painted a structure and the model saw something else.",
    EXTRA: "Where the model saw a structure and you painted something else.",
    BOTH: "Wherever the model and the mask differ.",
}
SIZE_SHOWN, STRENGTH_SHOWN = 200, 500


class CorrectionsDialog(FittingDialog):
    """Which mistakes, how large, how much they count; one button.

    Parameters
    ----------
    run_name
        The run that it goes on from.
    name
        Offered for the new run.

    Signals
    -------
    retrain_requested(CorrectionSettings, name)
    """

    retrain_requested = Signal(object, str)

    def __init__(self, run_name: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Retrain on corrections")
        set_help(self, "training")
        theme.hold(self, width=WIDTH)
        self._build(run_name, name)
        self._show()

    def _build(self, run_name: str, name: str) -> None:
        self.kind = Segments("Mistakes", ((MISSED, "Missed"), (EXTRA, "Extra"), (BOTH, "Both")))
        self.kind.chosen.connect(lambda _: self._show())
        self.kind_words = Caption()
        self.kind_words.setAccessibleName("What these mistakes are")
        size, strength = PARAMETERS["min_size"], PARAMETERS["strength"]
        self.least = SliderField(
            "Smallest mistake",
            size.minimum,
            SIZE_SHOWN,
            size.default,
            unit="px",
            name_width=NAME_WIDTH,
            tip="Smaller ones are left aside: masks are never exact to the pixel",
        )
        self.least.number.setMaximum(size.maximum)
        self.strength = SliderField(
            "Count up to",
            strength.minimum,
            STRENGTH_SHOWN,
            strength.default,
            unit="×",
            name_width=NAME_WIDTH,
            tip="How many times more the worst mistake of a plane counts",
        )
        self.strength.number.setMaximum(strength.maximum)
        self.name = QLineEdit(name)
        self.name.setMaxLength(80)
        self.name.setAccessibleName("Name of the new run")
        self.name.setToolTip("Name of the new run")
        self.name.textChanged.connect(lambda _: self._show())
        name_row = QHBoxLayout()
        name_row.setSpacing(GAP)
        words = label("Name")
        theme.hold(words, width=NAME_WIDTH)
        words.setBuddy(self.name)
        name_row.addWidget(words)
        name_row.addWidget(self.name, 1)
        self.retrain_button = PrimaryButton("Retrain")
        self.retrain_button.setDefault(True)
        self.retrain_button.clicked.connect(self._on_retrain)
        self.cancel_button = SecondaryButton("Cancel")
        self.cancel_button.setAutoDefault(False)
        self.cancel_button.clicked.connect(self.reject)
        column = QVBoxLayout(self)
        column.setContentsMargins(EDGE, EDGE, EDGE, EDGE)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Retrain on corrections", "retraining"))
        column.addWidget(Caption(ABOUT.format(name=run_name)))
        column.addSpacing(4)
        column.addWidget(label("Mistakes"))
        column.addWidget(self.kind)
        column.addWidget(self.kind_words)
        for part in (self.least, self.strength):
            column.addWidget(part)
        column.addLayout(name_row)
        column.addSpacing(GROUP - GAP)
        column.addLayout(foot_of(self.retrain_button, self.cancel_button))
        self.retrain_button.setFocus()

    def value(self) -> CorrectionSettings:
        """What is chosen."""
        return CorrectionSettings(
            mistakes=self.kind.value(),
            min_size=int(self.least.value()),
            strength=self.strength.value(),
        )

    def _show(self) -> None:
        self.kind_words.setText(KIND_WORDS[self.kind.value()])
        self.retrain_button.setEnabled(bool(self.name.text().strip()))

    def _on_retrain(self) -> None:
        self.retrain_requested.emit(self.value(), " ".join(self.name.text().split()))
        self.accept()
