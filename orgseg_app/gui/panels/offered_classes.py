"""What the classes of somebody else's masks are in the project: one choice for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSignalBlocker, QSize, Signal
from PySide6.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from orgseg_app.core.classes import ClassInfo
from orgseg_app.files.counterparts.offer import OfferedClass
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox
from orgseg_app.gui.style.widgets import GAP, ScrollColumn, label

ROWS_SHOWN = 4
ROW_HEIGHT = 36
MOST = 40
"""Rows at the most; masks with more values are hardly masks of classes."""

LABEL_WIDTH = 118
"""Of the words before a field; the dialog around keeps to it."""

_UNDECIDED = 0


class OfferedClasses(QWidget):
    """A row for each class: how it is called there, and which class of the project it is.

    Signals
    -------
    changed()
        By the person.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Classes")
        self.boxes: dict[int, CalmComboBox] = {}
        self._rest = 0
        self._content = QWidget()
        self._grid = QGridLayout(self._content)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(GAP)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._scroll = ScrollColumn(self._content)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self._scroll)

    def sizeHint(self) -> QSize:
        """As high as a few rows."""
        rows = max(1, min(ROWS_SHOWN, len(self.boxes)))
        return QSize(super().sizeHint().width(), rows * ROW_HEIGHT)

    def show_classes(
        self,
        offered: Sequence[OfferedClass],
        classes: Sequence[ClassInfo],
        chosen: Mapping[int, int],
    ) -> None:
        """Ask about these classes, with a choice for those that something is known of."""
        while (place := self._grid.takeAt(0)) is not None:
            if (widget := place.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.boxes = {}
        self._rest = max(0, len(offered) - MOST)
        is_alone = len(offered) == 1 and not offered[0].name
        for row, item in enumerate(offered[:MOST]):
            words = "They show" if is_alone else item.words
            box = CalmComboBox(f"Class of the project for {item.words}")
            box.view().setAccessibleName(f"Classes for {item.words}")
            if item.number not in chosen:
                box.addItem("choose…", _UNDECIDED)
            for info in classes:
                box.addItem(info.name, info.class_id)
            with QSignalBlocker(box):
                box.setCurrentIndex(max(0, box.findData(chosen.get(item.number))))
            box.currentIndexChanged.connect(lambda _: self.changed.emit())
            name = label(words)
            theme.hold(name, least_width=LABEL_WIDTH)
            name.setBuddy(box)
            self._grid.addWidget(name, row, 0)
            self._grid.addWidget(box, row, 1)
            self.boxes[item.number] = box
        self.setFixedHeight(self.sizeHint().height())

    def chosen(self) -> dict[int, int]:
        """Number of an offered class → class id, where one was chosen."""
        found = {number: int(box.currentData() or 0) for number, box in self.boxes.items()}
        return {number: class_id for number, class_id in found.items() if class_id != _UNDECIDED}
