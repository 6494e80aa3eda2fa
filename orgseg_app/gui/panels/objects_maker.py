"""Sets how objects are made, with the outcome on the canvas at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.core.blocks import BLOCK
from orgseg_app.core.edits.grouped_objects import PutObjects
from orgseg_app.core.instances.grouping import PARAMETERS, GroupingParameters
from orgseg_app.gui.canvas.objects_preview import (
    MOST_OF_ALL,
    OF_MASK,
    OF_PREDICTION,
    ObjectsPreview,
    Wanted,
)
from orgseg_app.gui.editing.objects import HERE_BLOCKS
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.layer_section import tick
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox, Segments, SliderField, offer_choices
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    PrimaryButton,
    SecondaryButton,
    label,
    set_tone,
    surface,
)

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

NAME_WIDTH = 76
PLANE, ALL = "plane", "all"
LARGEST_SHOWN = 500
"""As far as the slider of the smallest size goes; the number beside it goes further."""


class ObjectsMaker(QWidget):
    """Sliders, and a button that takes what is shown; hidden unless asked for.

    Parameters
    ----------
    preview
        Gets what is set, and tells what came of it.

    Signals
    -------
    parameters_changed(GroupingParameters)
        By the person.
    """

    parameters_changed = Signal(object)

    def __init__(
        self, window: MainWindow, preview: ObjectsPreview, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.window_, self._session, self.preview = window, window.session, preview
        surface(self, "panel")
        set_help(self, "object_table")
        self._build()
        self._arrange()
        session = self._session
        preview.changed.connect(self.refresh)
        session.classes_changed.connect(self._on_classes)
        session.image_selected.connect(self._on_image)
        session.working.changed.connect(self.refresh)
        session.closing.connect(self.close_maker)
        session.objects.changed.connect(self._on_mode)
        self._on_classes()
        self.hide()

    # -- building --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.source = Segments("Made of", ((OF_MASK, "Mask"), (OF_PREDICTION, "Prediction")))
        self.source.button(OF_MASK).setToolTip("What is painted, divided where it is narrow")
        self.source.button(OF_PREDICTION).setToolTip(
            "What the model shown says of this image; its maps where it has learnt objects"
        )
        self.of_class = CalmComboBox("Class")
        self.of_class.setToolTip("Make objects only of this class")
        self.of_class.view().setAccessibleName("Classes")
        self.sliders: dict[str, SliderField] = {}
        for key, name, decimals, most in (
            ("threshold", "Threshold", 2, PARAMETERS["threshold"].maximum),
            ("seeds", "Take apart", 2, PARAMETERS["seeds"].maximum),
            ("smoothing", "Smoothing", 1, PARAMETERS["smoothing"].maximum),
            ("min_size", "Smallest", 0, LARGEST_SHOWN),
        ):
            known = PARAMETERS[key]
            slider = SliderField(
                name,
                known.minimum,
                most,
                known.default,
                decimals=decimals,
                name_width=NAME_WIDTH,
                tip=known.explanation,
            )
            slider.number.setMaximum(known.maximum)
            slider.value_changed.connect(lambda _: self._on_set())
            self.sliders[key] = slider
        self.fill_holes = tick("Fill holes", "What an object encloses belongs to it")
        self.drop_border = tick("Leave out cut ones", "Objects that the edge of the image cuts")
        self.keeps = tick(
            "Keep what is painted", "Write only over what is unlabelled; otherwise over everything"
        )
        self.fill_holes.setChecked(True)
        self.keeps.setChecked(True)
        for box in (self.fill_holes, self.drop_border):
            box.toggled.connect(lambda _: self._on_set())
        self.scope = Segments("Of", ((PLANE, "This plane"), (ALL, "All planes")))
        self.scope.button(ALL).setToolTip("Through all planes: objects go on from plane to plane")
        self.said = Caption()
        self.said.setAccessibleName("What the objects are")
        self.fitted = SecondaryButton("As the model says", quiet=True)
        self.fitted.setToolTip("The settings that were best on its validation images")
        self.fitted.clicked.connect(self._on_fitted)
        self.use_button = PrimaryButton("Use these objects")
        self.use_button.setToolTip("Write them, as one step that undo takes back")
        self.use_button.clicked.connect(self._on_use)
        self.close_button = SecondaryButton("Close")
        self.close_button.setToolTip("Show the objects that are there again (Esc)")
        self.close_button.clicked.connect(self.close_maker)
        self.source.chosen.connect(lambda _: self._on_source())
        self.of_class.activated.connect(lambda _: self._on_set())

    def _arrange(self) -> None:
        title = HelpedTitle("Make objects", "making objects")
        self._class_row = _named("Class", self.of_class)
        self._scope_row = _named("For", self.scope)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 12)
        column.setSpacing(4)
        column.addWidget(title)
        column.addWidget(_named("Made of", self.source))
        column.addWidget(self._class_row)
        for slider in self.sliders.values():
            column.addWidget(slider)
        for box in (self.fill_holes, self.drop_border, self.keeps):
            column.addWidget(box)
        column.addWidget(self._scope_row)
        column.addWidget(self.fitted, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.said)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.use_button)
        row.addWidget(self.close_button)
        row.addStretch(1)
        column.addLayout(row)

    # -- what is set -----------------------------------------------------------------------------

    def value(self) -> GroupingParameters:
        """What is set."""
        return GroupingParameters(
            threshold=self.sliders["threshold"].value(),
            seeds=self.sliders["seeds"].value(),
            smoothing=self.sliders["smoothing"].value(),
            min_size=int(self.sliders["min_size"].value()),
            fill_holes=self.fill_holes.isChecked(),
            drop_border=self.drop_border.isChecked(),
        )

    def set_value(self, parameters: GroupingParameters) -> None:
        """Show these, without telling anybody but the preview."""
        for key, slider in self.sliders.items():
            slider.set_value(getattr(parameters, key))
        for box, on in (
            (self.fill_holes, parameters.fill_holes),
            (self.drop_border, parameters.drop_border),
        ):
            with QSignalBlocker(box):
                box.setChecked(on)
        self._tell()

    def _tell(self) -> None:
        class_id = int(self.of_class.currentData() or 0)
        self.preview.set_wanted(Wanted(self.source.value(), self.value(), class_id))
        self.refresh()

    def _on_set(self) -> None:
        self._tell()
        self.parameters_changed.emit(self.value())

    def _on_source(self) -> None:
        self._tell()

    def _fitted(self) -> GroupingParameters | None:
        """What was best for the model; None where it has learnt no objects, or of the mask."""
        by = self.preview.by()
        return by.grouping if by is not None and self.source.value() == OF_PREDICTION else None

    def _on_fitted(self) -> None:
        fitted = self._fitted()
        if fitted is not None:
            self.set_value(fitted)
            self.parameters_changed.emit(fitted)

    def _on_classes(self) -> None:
        classes = ((info.class_id, info.name) for info in self._session.classes[1:])
        offer_choices(self.of_class, [(0, "All classes"), *classes])
        if self.preview.is_on:
            self._tell()

    def _on_image(self, _: str = "") -> None:
        if self.preview.is_on and self.preview.by() is None:
            self.source.set_value(OF_MASK)
            self._tell()
        self.refresh()

    def _on_mode(self) -> None:
        if not self._session.objects.is_on and self.preview.is_on:
            self.close_maker()

    # -- opening and taking ----------------------------------------------------------------------

    def open_maker(self) -> None:
        """Begin with the prediction where there is one that is shown, else with the mask."""
        has_mask = any(c > 1 for c in self._session.mask().counts())
        is_predicted = self.preview.by() is not None
        shown = self.window_.display.look("prediction").visible
        if is_predicted and (shown or not has_mask):
            self.source.set_value(OF_PREDICTION)
        elif not is_predicted:
            self.source.set_value(OF_MASK)
        self.show()
        fitted = self._fitted()
        if fitted is not None and self.value() == GroupingParameters():
            self.set_value(fitted)  # nobody has set any yet
        self._tell()
        self.preview.set_on(True)
        self.sliders["seeds"].setFocus()

    def close_maker(self) -> None:
        """Show what is there again."""
        self.hide()
        self.preview.set_on(False)

    def _on_use(self) -> None:
        session, image = self._session, self._session.image
        if image is None or not session.can_edit:
            return
        in_3d = self.scope.value() == ALL and image.shape[1] > 1
        image_id = session.image_id
        work = self.preview.maker(in_3d=in_3d, keeps_painted=self.keeps.isChecked())
        if work is None:
            return

        def made(edit: PutObjects) -> None:
            if session.file is None or image_id not in session.file.project.images:
                return
            if not session.can_edit:
                return
            self.close_maker()
            session.objects.review.choose(())
            session.objects.begin_renumbering()
            if edit.numbers.size > HERE_BLOCKS * BLOCK * BLOCK:
                session.working.make("Making objects", edit, image_id)
            elif session.apply(edit, image_id) is None:
                session.message.emit("These objects are there already.", "info")

        session.working.start("Making objects", work, made)

    # -- showing ---------------------------------------------------------------------------------

    def refresh(self, *_: object) -> None:
        """What is set, and what came of it."""
        session, image = self._session, self._session.image
        of_mask = self.source.value() == OF_MASK
        self.source.button(OF_PREDICTION).setEnabled(self.preview.by() is not None)
        self._class_row.setVisible(of_mask)
        fitted = self._fitted()
        self.fitted.setVisible(fitted is not None and fitted != self.value())
        self.sliders["threshold"].setVisible(not of_mask)
        self.keeps.setVisible(not of_mask)
        depth = image.shape[1] if image is not None else 1
        self._scope_row.setVisible(depth > 1)
        too_large = image is not None and depth > 1 and _voxels(image.shape) > MOST_OF_ALL
        self.scope.button(ALL).setEnabled(not too_large)
        if too_large:
            self.scope.set_value(PLANE)
        tried = self.preview.tried
        text, tone = self.preview.problem, "warning"
        if not text and tried is not None:
            where = "on this plane" if depth > 1 else "on this image"
            where = where if tried.is_whole else "in sight"
            text = f"{tried.count:,} object{'s' * (tried.count != 1)} {where}."
            tone = ""
        self.said.setText(text or "Making objects of what is in sight…")
        set_tone(self.said, tone if text else "")
        busy = session.working.is_busy
        ready = not self.preview.problem and session.can_edit
        self.use_button.setEnabled(ready and not busy)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc stops what is under way, and then closes."""
        if event.key() == Qt.Key.Key_Escape:
            if not self._session.working.cancel():
                self.close_maker()
            return
        super().keyPressEvent(event)


def _voxels(shape: tuple[int, ...]) -> int:
    return shape[1] * shape[2] * shape[3]


def _named(name: str, widget: QWidget) -> QWidget:
    made = QWidget()
    row = QHBoxLayout(made)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(GAP)
    words = label(name)
    theme.hold(words, width=NAME_WIDTH)
    row.addWidget(words)
    row.addWidget(widget, 1)
    return made
