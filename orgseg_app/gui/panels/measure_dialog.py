"""“Measure objects…”: what, on which images, which quantities; the table, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QModelIndex, QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QHBoxLayout,
    QProgressBar,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.core.measuring.measure import GROUPS, Asked
from orgseg_app.core.measuring.tables import Tables
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.measurements_model import MeasurementsTable
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.fields import CalmComboBox, Segments, show_choice
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    EmptyState,
    PageStack,
    PrimaryButton,
    SecondaryButton,
    SectionTitle,
    label,
    set_tone,
)

PAINTED = ""
ALL, THIS = "all", "this"

_TITLES = {
    "shape": "Shape",
    "intensity": "Brightness",
    "neighbours": "Neighbours",
    "network": "Skeletons of networks",
}


class MeasureDialog(FittingDialog):
    """Asks, shows how far it is, then the table; the window goes on beside it.

    Parameters
    ----------
    models
        (run id, name) of the models that have predicted images.

    Signals
    -------
    measure_requested(of, images, asked)
        A run's id or `PAINTED`; "all", "this" or a split; `core.measuring.measure.Asked`.
    cancel_requested(), save_requested()
    object_chosen(row)
        A line of the table of objects.
    """

    measure_requested = Signal(str, str, object)
    cancel_requested = Signal()
    save_requested = Signal()
    object_chosen = Signal(int)

    def __init__(
        self, models: Sequence[tuple[str, str]] = (), parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Measure objects")
        set_help(self, "measuring")
        self.resize(1000, 600)
        self._build_questions(models)
        self._build_answers()
        self._arrange()
        self.show_idle("")
        self.pages.setCurrentWidget(self.empty)
        self.measure_button.setFocus()

    def _build_questions(self, models: Sequence[tuple[str, str]]) -> None:
        self.of_box = CalmComboBox("What is measured")
        self.of_box.addItem("What is painted", PAINTED)
        self.show_models(models)
        self.images_box = CalmComboBox("On which images")
        for text, value in (
            ("All images", ALL),
            ("This image", THIS),
            ("Training images", "train"),
            ("Validation images", "validation"),
            ("Test images", "test"),
        ):
            self.images_box.addItem(text, value)
        for box in (self.of_box, self.images_box):
            box.view().setAccessibleName(box.accessibleName())
        self.groups: dict[str, QCheckBox] = {}
        for name, about in GROUPS.items():
            tick = QCheckBox(_TITLES[name])
            tick.setToolTip(about)
            tick.setChecked(name != "network")
            self.groups[name] = tick
        self.background_check = QCheckBox("Brightness above background")
        self.background_check.setToolTip(
            "Also the mean and the sum less the median of voxels painted as background"
        )
        self.groups["intensity"].toggled.connect(self.background_check.setEnabled)
        self.measure_button = PrimaryButton("Measure", "ruler")
        self.measure_button.setToolTip("Measure now; painting can go on meanwhile")
        self.measure_button.setDefault(True)
        self.measure_button.clicked.connect(self._on_measure)
        self.cancel_button = SecondaryButton("Cancel")
        self.cancel_button.setToolTip("Stop measuring; nothing is kept of it")
        self.cancel_button.clicked.connect(self.cancel_requested)
        self.progress = QProgressBar()
        self.progress.setAccessibleName("How much is measured")
        self.progress.setTextVisible(False)

    def _build_answers(self) -> None:
        self.which = Segments("Table", (("objects", "Objects"), ("images", "Images")))
        self.which.button("objects").setToolTip("One line an object; a click leads to it")
        self.which.button("images").setToolTip("One line an image and class, with totals")
        self.which.chosen.connect(self._show_table)
        self.objects = MeasurementsTable("Objects measured")
        self.images = MeasurementsTable("Images measured")
        self.objects.clicked.connect(self._on_object)
        self.objects.activated.connect(self._on_object)
        self.empty = EmptyState(
            "Choose what to measure, then Measure.\n\nObjects that touch the border are marked: "
            "what is seen of them is too small. Lengths are in micrometres where the pixel size "
            "is known.",
            icon_name="ruler",
        )
        self.pages = PageStack()
        for page in (self.empty, self.objects, self.images):
            self.pages.addWidget(page)
        self.said = label(wrap=True)
        self.said.setAccessibleName("What was measured")
        self.copy_button = SecondaryButton("Copy", "copy")
        self.copy_button.setToolTip("Selected lines, or all, to paste into a spreadsheet (Ctrl+C)")
        self.copy_button.clicked.connect(self._on_copy)
        self.save_button = SecondaryButton("Save as…", "save")
        self.save_button.setToolTip("Both tables as XLSX or CSV, with every column explained")
        self.save_button.clicked.connect(self.save_requested)
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.close)

    def _arrange(self) -> None:
        left = QVBoxLayout()
        left.setSpacing(GAP)
        left.addWidget(HelpedTitle("Measure", "measuring"))
        left.addWidget(self.of_box)
        left.addWidget(self.images_box)
        left.addSpacing(GAP)
        left.addWidget(SectionTitle("Beside size and place"))
        for tick in self.groups.values():
            left.addWidget(tick)
        left.addWidget(self.background_check)
        left.addWidget(
            Caption("Numbered objects count one by one; of classes without numbers, what connects.")
        )
        left.addStretch(1)
        left.addWidget(self.progress)
        left.addWidget(self.cancel_button)
        left.addWidget(self.measure_button)
        side = QWidget()
        side.setLayout(left)
        left.setContentsMargins(0, 0, 0, 0)
        theme.hold(side, width=236)
        foot = QHBoxLayout()
        foot.setSpacing(GAP)
        foot.addWidget(self.said, 1)
        for button in (self.copy_button, self.save_button, self.close_button):
            foot.addWidget(button)
        right = QVBoxLayout()
        right.setSpacing(GAP)
        right.addWidget(self.which)
        right.addWidget(self.pages, 1)
        right.addLayout(foot)
        row = QHBoxLayout(self)
        row.setContentsMargins(24, 24, 24, 24)
        row.setSpacing(24)
        row.addWidget(side)
        row.addLayout(right, 1)

    # -- asking ----------------------------------------------------------------------------------

    def asked(self) -> Asked:
        """Which quantities are wanted."""
        groups = frozenset(name for name, tick in self.groups.items() if tick.isChecked())
        above = self.background_check.isChecked() and "intensity" in groups
        return Asked(groups, background=above)

    def _on_measure(self) -> None:
        of, images = self.of_box.currentData(), self.images_box.currentData()
        self.measure_requested.emit(str(of), str(images), self.asked())

    def _on_object(self, index: QModelIndex) -> None:
        if index.isValid():
            self.object_chosen.emit(int(self.objects.measurements.order[index.row()]))

    def _on_copy(self) -> None:
        table = self.objects if self.which.value() == "objects" else self.images
        count = table.copy()
        self.say(f"{count:,} line{'' if count == 1 else 's'} copied.")

    # -- showing ---------------------------------------------------------------------------------

    def show_models(self, models: Sequence[tuple[str, str]]) -> None:
        """Offer what these (run id, name) have predicted; the choice stays."""
        chosen = self.of_box.currentData()
        with QSignalBlocker(self.of_box):
            while self.of_box.count() > 1:
                self.of_box.removeItem(1)
            for run_id, name in models:
                self.of_box.addItem(f"Predicted by {name}", run_id)
        show_choice(self.of_box, chosen)

    def show_busy(self, done: int, total: int, text: str) -> None:
        """How far it is."""
        self.measure_button.hide()
        for part in (self.cancel_button, self.progress):
            part.show()
        self.progress.setMaximum(max(total, 1))
        self.progress.setValue(max(done, self.progress.value() if done else 0))
        self.say(text)

    def show_idle(self, text: str, tone: str = "") -> None:
        """It is over, or has not begun."""
        for part in (self.cancel_button, self.progress):
            part.hide()
        self.progress.reset()
        self.measure_button.show()
        self.say(text, tone)
        has_table = bool(len(self.images.measurements.order))
        for answer in (self.copy_button, self.save_button, self.which):
            answer.setEnabled(has_table)

    def show_tables(self, tables: Tables, text: str, tone: str = "") -> None:
        """Show what was found."""
        self.objects.take(tables.objects)
        self.images.take(tables.images)
        self.which.set_value("objects" if len(tables.objects) else "images")
        self._show_table()
        self.show_idle(text, tone)

    def say(self, text: str, tone: str = "") -> None:
        """A sentence below the table."""
        self.said.setText(text)
        set_tone(self.said, tone)

    def _show_table(self) -> None:
        is_objects = self.which.value() == "objects"
        self.pages.setCurrentWidget(self.objects if is_objects else self.images)

    def keyPressEvent(self, event: object) -> None:
        """Enter in the table does not measure again."""
        from PySide6.QtGui import QKeyEvent

        assert isinstance(event, QKeyEvent)
        is_enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if is_enter and (self.objects.hasFocus() or self.images.hasFocus()):
            return
        super().keyPressEvent(event)
