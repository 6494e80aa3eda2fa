"""The sheet of keys, and About."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from orgseg_app import __version__
from orgseg_app.files.atomic import reason
from orgseg_app.gui.actions import ACTIONS
from orgseg_app.gui.canvas.wheel import wheel_acts
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.keys.shortcut_sheet import SheetRow, page_layout, paint_sheet, save_pdf
from orgseg_app.gui.keys.shortcuts import Shortcuts, title_of
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.dialogs import FittingDialog
from orgseg_app.gui.style.widgets import Caption, SecondaryButton, SectionTitle

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow


def sheet_rows(shortcuts: Shortcuts, actions: Mapping[str, QAction]) -> list[SheetRow]:
    """Every action with the keys in force, then what the canvas does by itself."""
    rows = [
        SheetRow(
            info.menu,
            title_of(actions[info.action_id]),
            shortcuts.native_keys(info.action_id),
            info.tip,
        )
        for info in ACTIONS
    ]
    return rows + [SheetRow("Canvas", *words) for words in _canvas_rows(shortcuts.wheel)]


def _canvas_rows(wheel: str) -> list[tuple[str, ...]]:
    """What the canvas does without a menu entry: text, keys, more about it."""
    turned = {act: keys for keys, act in wheel_acts(wheel).items()}
    return [
        ("Zoom at the pointer", f"{turned['zoom']}, pinch"),
        ("Next or previous plane", turned["plane"]),
        ("Next or previous time point", turned["time"]),
        ("Brush size", turned["brush"]),
        ("Move the crosshair", "Right-click, right drag", "While sections are shown"),
        ("Move the picture", "Space or middle drag, two fingers"),
        ("Fit to window", "Double-click beside the image"),
        ("Hide the mask while held", "Tab, H"),
        ("Erase while painting", "Alt + drag"),
        ("Straight line from the last point", "Shift + click"),
        ("Move the painting cursor", "Arrows, Alt + arrows", "By ten voxels with Shift"),
        ("Pen down, pen up", "Enter", "Paint without a pointer"),
        ("Take back what is being drawn", "Esc"),
    ]


class ShortcutsDialog(FittingDialog):
    """Every action and its keys, searchable; printed or saved as PDF.

    Signals
    -------
    change_requested()
    """

    change_requested = Signal()

    def __init__(
        self,
        shortcuts: Shortcuts,
        actions: Mapping[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Keyboard shortcuts")
        set_help(self, "shortcuts")
        self.resize(640, 620)
        self._shortcuts, self._actions = shortcuts, actions
        self.field = QLineEdit(placeholderText="Filter")
        self.field.setAccessibleName("Filter shortcuts")
        self.table = QTableWidget(0, 3)
        self.table.setAccessibleName("Shortcuts")
        self.table.setHorizontalHeaderLabels(["Menu", "Action", "Keys"])
        self.table.verticalHeader().hide()
        self.table.setShowGrid(False)
        self.table.setTabKeyNavigation(False)
        self.table.setEditTriggers(QTableWidget.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QTableWidget.SelectionBehavior.SelectRows)
        self.table.horizontalHeader().setSectionResizeMode(1, QHeaderView.ResizeMode.Stretch)
        theme.hold_columns(self.table, {0: 96, 2: 200})
        self.note = Caption()
        self.note.hide()
        self.change_button = SecondaryButton("Change keys…")
        self.print_button = SecondaryButton("Print…")
        self.save_button = SecondaryButton("Save as PDF…")
        self.field.textChanged.connect(self._filter)
        self.change_button.clicked.connect(self.change_requested)
        self.print_button.clicked.connect(self.print_sheet)
        self.save_button.clicked.connect(self.save_sheet)
        shortcuts.changed.connect(self._show)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(24, 24, 24, 24)
        layout.setSpacing(8)
        layout.addWidget(SectionTitle("Keyboard shortcuts"))
        layout.addWidget(self.field)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.note)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.change_button, self.print_button, self.save_button):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(_close_button(self))
        layout.addLayout(buttons)
        self._show()

    def _show(self) -> None:
        rows = sheet_rows(self._shortcuts, self._actions)
        self.table.setRowCount(len(rows))
        for place, row in enumerate(rows):
            for column, value in enumerate((row.group, row.text, row.keys)):
                item = QTableWidgetItem(value)
                item.setToolTip(row.tip)
                self.table.setItem(place, column, item)
        self._filter(self.field.text())

    def show_action(self, action_id: str) -> None:
        """Begin at an action: mark its row, and bring it into sight."""
        row = next(n for n, info in enumerate(ACTIONS) if info.action_id == action_id)
        self.table.selectRow(row)
        place = self.table.model().index(row, 1)
        self.table.scrollTo(place, QTableWidget.ScrollHint.PositionAtCenter)

    def _filter(self, text: str) -> None:
        wanted = text.casefold().split()
        for place in range(self.table.rowCount()):
            items = [self.table.item(place, column) for column in range(3)]
            cells = " ".join(item.text() for item in items if item is not None).casefold()
            self.table.setRowHidden(place, not all(w in cells for w in wanted))

    # -- on paper --------------------------------------------------------------------------------

    @property
    def sheet_title(self) -> str:
        """What stands over the printed sheet."""
        preset = self._shortcuts.preset
        return "OrgSeg keys" + (f" as in {preset.title}" if preset.name != "orgseg" else "")

    def save_sheet(self) -> None:
        """Ask where, and write the sheet with the present keys as PDF."""
        name, _ = QFileDialog.getSaveFileName(
            self, "Save the sheet of keys", "OrgSeg keys.pdf", "PDF (*.pdf)"
        )
        if name:
            path = Path(name).with_suffix(".pdf")
            self._tell(
                lambda: save_pdf(
                    path, sheet_rows(self._shortcuts, self._actions), self.sheet_title
                ),
                f"The sheet was saved as “{path}”.",
            )

    def print_sheet(self) -> None:
        """Ask for a printer, and print the sheet with the present keys."""
        from PySide6.QtPrintSupport import QPrintDialog, QPrinter

        printer = QPrinter(QPrinter.PrinterMode.HighResolution)
        printer.setPageLayout(page_layout())
        printer.setDocName(self.sheet_title)
        dialog = QPrintDialog(printer, self)
        dialog.setWindowTitle("Print the sheet of keys")
        if dialog.exec():
            rows = sheet_rows(self._shortcuts, self._actions)
            self._tell(
                lambda: paint_sheet(printer, rows, self.sheet_title),
                "The sheet is on its way to the printer.",
            )

    def _tell(self, act: Callable[[], object], done: str) -> None:
        try:
            act()
        except OSError as error:
            done = f"Nothing was written: {reason(error)}."
        self.note.setText(done)
        self.note.show()


class AboutDialog(FittingDialog):
    """Version, licence, where the log is."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.setWindowTitle("About OrgSeg")
        set_help(self, "start")
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


def _close_button(dialog: QDialog) -> QDialogButtonBox:
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    return buttons
