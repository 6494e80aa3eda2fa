"""Beside the table of objects: what can be done with those chosen, and the act that is being set.

An act that needs a number (how many parts, how small) shows what it would do before it is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from orgseg_app.gui.panels.object_words import unit_of
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import SliderField
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    PrimaryButton,
    ScrollColumn,
    SecondaryButton,
    label,
    surface,
)

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

WIDTH = 224
_WORDS = {
    "merge_objects": "Merge",
    "split_object": "Split…",
    "delete_objects": "Delete",
    "classify_objects": "Set class",
    "fill_objects": "Fill holes",
    "smooth_objects": "Smooth",
    "remove_small_objects": "Clean up…",
    "renumber_objects": "Renumber",
}
_NONE, _SPLIT, _SMALL = "", "split", "small"
_USUAL_SMALL = 0.1
"""Of the median size: what is smaller is likely to be dirt."""


class ObjectActBar(QWidget):
    """Buttons, or the act that is being set.

    Parameters
    ----------
    acts
        Ids of the actions that work on what is chosen.
    """

    def __init__(
        self, window: MainWindow, acts: Sequence[str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.window_, self._session = window, window.session
        self._review, self._dividing = (
            window.session.objects.review,
            window.session.objects.dividing,
        )
        self._acts = window.commands.object_acts
        self._setting = _NONE
        self._small: tuple[int, ...] = ()
        self._class_id = 0
        surface(self)
        theme.hold(self, width=WIDTH)
        self.chosen = Caption()
        self.buttons: dict[str, SecondaryButton] = {}
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        for place, action_id in enumerate((*acts, "remove_small_objects", "renumber_objects")):
            button = SecondaryButton(_WORDS[action_id])
            button.setStyleSheet("padding-left: 4px; padding-right: 4px")
            button.clicked.connect(window.actions_by_id[action_id].trigger)
            window.shortcuts.describe(
                button, window.actions_by_id[action_id].statusTip(), action_id
            )
            self.buttons[action_id] = button
            grid.addWidget(button, place // 2, place % 2)
        self._needs_choice = set(acts)
        listed = QWidget()
        column = QVBoxLayout(listed)
        column.setContentsMargins(12, GAP, 12, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.chosen)
        column.addLayout(grid)
        column.addStretch(1)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(ScrollColumn(listed))
        self._pages.addWidget(ScrollColumn(self._set_page()))
        self._dividing.changed.connect(self._on_dividing)
        self._review.changed.connect(self._on_reviewed)
        self._session.history_changed.connect(self.refresh)
        self.refresh()

    def _set_page(self) -> QWidget:
        page = QWidget()
        self.title = label(role="strong")
        self.slider = SliderField("Parts", 2, 12, 2, name_width=46)
        self.slider.slider.setPageStep(100)
        self.said = Caption()
        self.make = PrimaryButton("Split")
        self.cancel = SecondaryButton("Cancel")
        self.slider.value_changed.connect(self._on_value)
        self.slider.number.lineEdit().returnPressed.connect(self._on_make)
        self.make.clicked.connect(self._on_make)
        self.cancel.clicked.connect(self.leave)
        row = QHBoxLayout()
        row.setSpacing(GAP)
        row.addWidget(self.make)
        row.addWidget(self.cancel)
        row.addStretch(1)
        column = QVBoxLayout(page)
        column.setContentsMargins(12, GAP, 12, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.title)
        column.addWidget(self.slider)
        column.addWidget(self.said)
        column.addLayout(row)
        column.addStretch(1)
        return page

    # -- showing ---------------------------------------------------------------------------------

    def refresh(self) -> None:
        """What is chosen, and what can be done with it."""
        count = len(self._review.chosen)
        if count == 1:
            words = f"Object {self._review.chosen[0]} chosen"
        else:
            words = f"{count:,} objects chosen" if count else "Choose rows to work on them"
        self.chosen.setText(words)
        may = self._session.can_edit
        for action_id, button in self.buttons.items():
            needs = (
                2 if action_id == "merge_objects" else 1 if action_id in self._needs_choice else 0
            )
            button.setEnabled(may and count >= needs)

    def _show(self, setting: str) -> None:
        self._setting = setting
        self._pages.setCurrentIndex(1 if setting else 0)
        if setting:
            self.slider.setFocus()

    def leave(self) -> bool:
        """Forget what was being set; False when nothing was."""
        setting, self._setting = self._setting, _NONE
        self._pages.setCurrentIndex(0)
        if setting == _SPLIT:
            self._dividing.cancel()
        elif setting == _SMALL:
            self._review.choose(())
        if setting and self.isVisible():
            self.window_.ensure_parts().object_table.view.setFocus()
        return bool(setting)

    # -- splitting -------------------------------------------------------------------------------

    def begin_split(self, number: int) -> None:
        """Show where an object can be split."""
        self.leave()
        self.title.setText(f"Split object {number}")
        self.make.setText("Split")
        self.slider.name.setText("Parts")
        self.slider.set_range((2, 3), (2, 3), 0)
        self._show(_SPLIT)
        self._dividing.begin(number)
        self._on_dividing()

    def _on_dividing(self) -> None:
        if self._setting != _SPLIT:
            return
        found = self._dividing
        if not found.number:
            self.leave()
            return
        if found.most >= 2:
            # a slider from 2 to 2 has no way to go
            self.slider.set_range((2, max(3, found.most)), (2, found.most), 0)
            self.slider.set_value(found.count)
        self.slider.setEnabled(found.most > 2)
        self.said.setText(
            found.problem
            or (
                "The parts are outlined on the picture; cuts run where it is narrow."
                if found.parts is not None
                else "Looking for narrow places…"
            )
        )
        self.make.setEnabled(found.parts is not None and not found.problem)

    # -- what is small ---------------------------------------------------------------------------

    def begin_small(self, class_id: int) -> None:
        """Show which objects, of a class or of all (0), are smaller than a size."""
        self.leave()
        self._class_id = class_id
        self.title.setText("Remove small objects")
        self.slider.name.setText("Below")
        self.slider.setEnabled(True)
        self._show(_SMALL)
        self._set_sizes()

    def _set_sizes(self) -> None:
        found = self._review.found
        if found is None or not len(found.columns):
            self.said.setText("Looking the objects over…" if found is None else "No objects here.")
            self.make.setText("Remove")
            self.make.setEnabled(False)
            return
        sizes = found.columns.voxels * self._unit()[1]
        middle, least = float(np.median(sizes)), float(sizes.min())
        decimals = 0 if least >= 10 else 2
        self.slider.set_range((0, max(middle, least * 2)), (0, float(sizes.max())), decimals)
        self.slider.set_value(middle * _USUAL_SMALL)
        self._on_value(self.slider.value())

    def _unit(self) -> tuple[str, float]:
        image = self._session.image
        if image is None:
            return "px", 1.0
        return unit_of(image.shape[1], image.pixel_size_um)

    def _on_value(self, value: float) -> None:
        if self._setting == _SPLIT:
            self._dividing.set_count(round(value))
        elif self._setting == _SMALL and self._review.found is not None:
            columns = self._review.found.columns
            unit, one = self._unit()
            small = columns.voxels * one < value
            listed = np.ones(len(columns), np.bool_)
            if self._class_id:
                listed = columns.class_ids == self._class_id
            self._small = tuple(columns.numbers[small & listed].tolist())
            count = len(self._small)
            self.said.setText(
                f"{count:,} of {int(listed.sum()):,} objects are smaller than {value:g} {unit}; "
                "they become unlabelled."
            )
            self.make.setText(f"Remove {count:,}" if count else "Remove")
            self.make.setEnabled(bool(count))
            self._review.choose(self._small)

    def _on_reviewed(self) -> None:
        if self._setting == _SMALL:
            self._set_sizes()
        self.refresh()

    def _on_make(self) -> None:
        if not self.make.isEnabled():
            return
        if self._setting == _SPLIT:
            self._acts.make_split()
        elif self._setting == _SMALL:
            small, self._setting = self._small, _NONE
            self._acts.make_removal(small)
        self.leave()
        self._pages.setCurrentIndex(0)
        self.window_.ensure_parts().object_table.view.setFocus()
