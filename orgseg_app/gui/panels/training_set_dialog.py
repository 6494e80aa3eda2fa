"""“Export training set…”: as which published set images, masks and weights are written."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QVBoxLayout, QWidget

from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import CalmComboBox
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    PrimaryButton,
    SecondaryButton,
    foot_of,
    label,
)


class TrainingSetDialog(FittingDialog):
    """Asks for the layout; the folder is asked for behind it.

    Signals
    -------
    export_requested(layout, overwrite)
    """

    export_requested = Signal(str, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        from orgseg_app.files.training_set import LAYOUTS

        self.setWindowTitle("Export training set")
        set_help(self, "exporting")
        self.resize(520, 260)
        self._abouts = {name: layout.about for name, layout in LAYOUTS.items()}
        self.layout_box = CalmComboBox("How the training set lies on disk")
        for name, layout in LAYOUTS.items():
            self.layout_box.addItem(layout.title, name)
        self.layout_box.view().setAccessibleName("Layouts")
        self.layout_box.currentIndexChanged.connect(self._show_about)
        self.about = label(wrap=True)
        self.about.setAccessibleName("About the layout")
        self.replace_check = QCheckBox("Replace files that are there already")
        self.replace_check.setToolTip(
            "Otherwise nothing is written when one of the files is there already"
        )
        self.export_button = PrimaryButton("Choose folder…", "export")
        self.export_button.setToolTip("Choose the folder, and write")
        self.export_button.clicked.connect(self._on_export)
        self.export_button.setDefault(True)
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 24, 24, 24)
        column.setSpacing(GAP)
        column.addWidget(HelpedTitle("Export training set", "exporting"))
        column.addWidget(
            Caption(
                "All images on which something is painted, with their masks and weights, by their "
                "splits. Importing the folder brings them back."
            )
        )
        column.addWidget(self.layout_box)
        column.addWidget(self.about)
        column.addWidget(self.replace_check)
        column.addStretch(1)
        column.addLayout(foot_of(self.export_button, self.close_button))
        self._show_about()
        self.export_button.setFocus()

    def _show_about(self) -> None:
        self.about.setText(self._abouts[str(self.layout_box.currentData())])

    def _on_export(self) -> None:
        self.export_requested.emit(
            str(self.layout_box.currentData()), self.replace_check.isChecked()
        )
