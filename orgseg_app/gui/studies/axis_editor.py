"""One axis of a study as check boxes: what is checked is tried."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.panels.recipe_inputs import IntField, NumberField
from orgseg_app.gui.studies.study_draft import AxisDraft
from orgseg_app.gui.style.fields import CalmComboBox
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    IconButton,
    SecondaryButton,
    label,
    plain_tip,
)
from orgseg_app.runs.recipes.fields import FieldInfo
from orgseg_app.runs.studies.axis_offers import LISTS, axis_fields, field_path, offer_of

FEW = 8
"""So many values are in sight before a person asks for all."""


class AxisEditor(QWidget):
    """Title, a check box for each value, a way to add another value, a button to take it out.

    Signals
    -------
    changed(AxisDraft)
    removed()
    """

    changed = Signal(object)
    removed = Signal()

    def __init__(self, draft: AxisDraft, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.draft = draft
        self._info = axis_fields().get(field_path(draft.key))
        self._shows_all = False
        self.boxes: list[QCheckBox] = []
        self.setAccessibleName(f"Axis: {draft.title}")
        self._build()
        self._fill()

    def _build(self) -> None:
        title = label(self.draft.title)
        title.setStyleSheet("font-weight: 600;")
        title.setToolTip(plain_tip(self.draft.about))
        self.count = Caption()
        self.count.setWordWrap(False)
        self.remove_button = IconButton("close", f"Remove the axis {self.draft.title}")
        self.remove_button.clicked.connect(self.removed)
        head = QHBoxLayout()
        head.setSpacing(GAP)
        head.addWidget(title)
        head.addWidget(self.count)
        head.addStretch(1)
        head.addWidget(self.remove_button)
        self.grid = QGridLayout()
        self.grid.setHorizontalSpacing(GAP)
        self.grid.setVerticalSpacing(0)
        self.all_button = SecondaryButton("", quiet=True)
        self.all_button.clicked.connect(self._on_all)
        self.other_button = SecondaryButton("Another value…", "plus", quiet=True)
        self.other_button.clicked.connect(self._on_other)
        foot = QHBoxLayout()
        foot.setSpacing(0)
        foot.addWidget(self.all_button)
        foot.addWidget(self.other_button)
        foot.addStretch(1)
        self.other_row = QWidget(self)
        self._build_other()
        self.other_row.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(head)
        column.addLayout(self.grid)
        column.addWidget(self.other_row)
        column.addLayout(foot)

    def _build_other(self) -> None:
        """A number, or parts one after the other."""
        row = QHBoxLayout(self.other_row)
        row.setContentsMargins(0, 2, 0, 2)
        row.setSpacing(GAP)
        self.number: IntField | NumberField | None = None
        self.parts: list[CalmComboBox] = []
        info, can_add = self._info, not self.draft.has_choices
        if info is not None and can_add and info.kind in ("int", "float"):
            kind = IntField if info.kind == "int" else NumberField
            self.number = kind(info.minimum, info.maximum, self.other_row)
            self.number.setAccessibleName(f"Another value of {info.title}")
            self.number.set_value(info.default if info.default is not None else 1)
            row.addWidget(self.number)
        elif info is not None and can_add and info.kind in LISTS:
            self._build_parts(info, row)
        self.other_button.setVisible(self.number is not None or bool(self.parts))
        self.other_button.setText("Combine…" if self.parts else "Another value…")
        self.add_button = SecondaryButton("Add")
        self.add_button.setAccessibleName(f"Add the value to {self.draft.title}")
        self.add_button.clicked.connect(self._on_add)
        row.addWidget(self.add_button)
        row.addStretch(1)

    def _build_parts(self, info: FieldInfo, row: QHBoxLayout) -> None:
        for number in range(2):
            box = CalmComboBox(f"{info.title}, part {number + 1}")
            if info.kind == "augmentations" and number == 0:
                box.addItem("Basic", "basic")
            for name, choice in info.options.items():
                box.addItem(choice.title, name)
            box.setMinimumContentsLength(12)
            box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.view().setAccessibleName(box.accessibleName())
            self.parts.append(box)
            row.addWidget(box, 1)
            if number == 0:
                row.addWidget(label(LISTS[info.kind].strip(), tone="secondary"))
        self.parts[1].setCurrentIndex(min(1, self.parts[1].count() - 1))

    # -- showing -----------------------------------------------------------------------------------

    def _fill(self) -> None:
        for box in self.boxes:
            self.grid.removeWidget(box)
            box.hide()
            box.deleteLater()
        self.boxes = []
        places = self.draft.places
        columns = 5 if max((len(p.offer.title) for p in places), default=0) <= 6 else 2
        shown = 0
        for number, place in enumerate(places):
            box = QCheckBox(place.offer.title, self)
            box.setChecked(place.is_on)
            box.setAccessibleName(f"{self.draft.title}: {place.offer.title}")
            written = f"{self.draft.key} = {place.offer.value}"
            tip = place.offer.about if place.choice else f"{place.offer.about}\n{written}".strip()
            box.setToolTip(plain_tip(tip))
            box.toggled.connect(lambda on, n=number: self._on_toggled(n, on))
            is_shown = self._shows_all or number < FEW or place.is_on
            box.setVisible(is_shown)
            if is_shown:
                self.grid.addWidget(box, shown // columns, shown % columns)
                shown += 1
            self.boxes.append(box)
        for column in range(columns):
            self.grid.setColumnStretch(column, 1)
        rest = len(places) - shown
        self.all_button.setVisible(rest > 0 or self._shows_all)
        self.all_button.setText("Show fewer" if self._shows_all else f"Show {rest} more")
        self._show_count()

    def _show_count(self) -> None:
        count = len(self.draft.chosen)
        self.count.setText("check at least two" if count < 2 else f"{count} values")

    # -- the person --------------------------------------------------------------------------------

    def _on_toggled(self, number: int, is_on: bool) -> None:
        self.draft = self.draft.checked(number, is_on)
        self._show_count()
        self.changed.emit(self.draft)

    def _on_all(self) -> None:
        self._shows_all = not self._shows_all
        self._fill()

    def _on_other(self) -> None:
        self.other_row.setVisible(self.other_row.isHidden())
        if self.other_row.isVisible():
            (self.number or self.parts[0]).setFocus()

    def _on_add(self) -> None:
        info = self._info
        if info is None:
            return
        if self.number is not None:
            value = self.number.value()
            self._add(info, int(value) if info.kind == "int" else float(value))
        else:
            self._add(info, "+".join(_distinct([str(box.currentData()) for box in self.parts])))

    def _add(self, info: FieldInfo, value: str | int | float) -> None:
        self.draft = self.draft.with_offer(offer_of(info, value))
        self._fill()
        self.changed.emit(self.draft)


def _distinct(names: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(names))
