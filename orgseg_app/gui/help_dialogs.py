"""Shortcut sheet and About."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from orgseg_app import __version__
from orgseg_app.gui.actions import ACTIONS
from orgseg_app.gui.widgets import Caption, SectionTitle

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow

# What the canvas does without a menu entry.
CANVAS_KEYS = (
    ("Canvas", "Zoom at the pointer", "Wheel, pinch", ""),
    ("Canvas", "Move the picture", "Space + drag, middle drag", ""),
    ("Canvas", "Brush size", "Ctrl + wheel", ""),
    ("Canvas", "Next or previous plane", "Shift + wheel", ""),
    ("Canvas", "Hide the mask while held", "H", ""),
    ("Canvas", "Erase while painting", "Alt + drag", ""),
    ("Canvas", "Straight line from the last point", "Shift + click", ""),
    ("Canvas", "Move the painting cursor", "Arrows, Shift + arrows", "By ten voxels with Shift"),
    ("Canvas", "Pen down, pen up", "Enter", "Paint without a pointer"),
    ("Canvas", "Take back what is being drawn", "Esc", ""),
)


class ShortcutsDialog(QDialog):
    """Every action and its keys, searchable."""

    def __init__(self, actions: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        self.resize(640, 620)
        rows = [
            (info.menu, actions[info.action_id].text(), _keys(actions[info.action_id]), info.tip)
            for info in ACTIONS
        ]
        rows += CANVAS_KEYS
        self.field = QLineEdit(placeholderText="Filter")
        self.field.setAccessibleName("Filter shortcuts")
        self.table = QTableWidget(len(rows), 3)
        self.table.setAccessibleName("Shortcuts")
        self.table.setHorizontalHeaderLabels(["Menu", "Action", "Keys"])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        self.table.setColumnWidth(0, 96)
        self.table.setColumnWidth(2, 200)
        for place, (menu, text, keys, tip) in enumerate(rows):
            for column, value in enumerate((menu, text, keys)):
                item = QTableWidgetItem(value)
                item.setToolTip(tip)
                self.table.setItem(place, column, item)
        self.field.textChanged.connect(self._filter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(8)
        layout.addWidget(SectionTitle("Keyboard shortcuts"))
        layout.addWidget(self.field)
        layout.addWidget(self.table, 1)
        layout.addWidget(_close_button(self))

    def _filter(self, text: str) -> None:
        wanted = text.casefold().split()
        for place in range(self.table.rowCount()):
            items = [self.table.item(place, column) for column in range(3)]
            cells = " ".join(item.text() for item in items if item is not None).casefold()
            self.table.setRowHidden(place, not all(w in cells for w in wanted))


class AboutDialog(QDialog):
    """Version, licence, where the log is."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle("About OrgSeg")
        import PySide6

        from orgseg_app import paths

        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(8)
        layout.addWidget(SectionTitle(f"OrgSeg {__version__}"))
        for text in (
            "Paint a few masks, train a network on your own computer, compare models honestly, "
            "export masks for whole folders.",
            "BSD 3-Clause licence. Qt (PySide6) is used under the LGPL.",
            f"Python {platform.python_version()} · PySide6 {PySide6.__version__} · "
            f"{platform.system()} {platform.release()} · "
            f"{'installed application' if getattr(sys, 'frozen', False) else 'from source'}",
            f"Log: {paths.log_dir()}",
        ):
            label = QLabel(text) if text.startswith("Paint") else Caption(text)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            layout.addWidget(label)
        layout.addWidget(_close_button(self))
        self.setFixedWidth(480)


def _keys(action: QAction) -> str:
    return ", ".join(k.toString() for k in action.shortcuts())


def _close_button(dialog: QDialog) -> QDialogButtonBox:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    return buttons
