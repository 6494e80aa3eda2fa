"""The header: workspaces, project, save state, device; and the tool strip beside the canvas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.session import COMMITTING, FAILED, READ_ONLY, SAVED, UNSAVED
from orgseg_app.gui.widgets import plain_tip

HEADER_HEIGHT = 40
WORKSPACE_ACTIONS = (
    "workspace_annotate",
    "workspace_train",
    "workspace_compare",
    "workspace_export",
)
TOOL_ACTIONS = (
    "tool_pan",
    "tool_brush",
    "tool_eraser",
    "tool_polygon",
    "tool_fill",
    "tool_picker",
)
STATE_TEXTS = {
    SAVED: "saved ✓",
    COMMITTING: "saving…",
    UNSAVED: "not saved yet",
    FAILED: "NOT SAVED",
    READ_ONLY: "read-only",
}


class HeaderBar(QFrame):
    """One line over everything.

    Signals
    -------
    project_renamed(name)
    """

    project_renamed = Signal(str)

    def __init__(self, actions: Mapping[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setFixedHeight(HEADER_HEIGHT)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 16, 0)
        row.setSpacing(4)
        self.tabs: dict[str, QToolButton] = {}
        for action_id in WORKSPACE_ACTIONS:
            button = self.tabs[action_id.removeprefix("workspace_")] = QToolButton()
            button.setDefaultAction(actions[action_id])
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setAccessibleName(actions[action_id].text())
            button.setProperty("role", "tab")
            button.setFixedHeight(HEADER_HEIGHT - 8)
            row.addWidget(button)
        row.addStretch(1)
        self.name = QLineEdit()
        self.name.setObjectName("projectName")
        self.name.setFrame(False)
        self.name.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.name.setAccessibleName("Project name")
        self.name.setToolTip("Name of the project; click to change it")
        self.name.setMaximumWidth(320)
        self.name.editingFinished.connect(self._on_renamed)
        row.addWidget(self.name)
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setProperty("role", "caption")
        self.state.setAccessibleName("Save state")
        row.addWidget(self.state)
        row.addStretch(1)
        self.device = QLabel()
        self.device.setTextFormat(Qt.TextFormat.PlainText)
        self.device.setProperty("role", "caption")
        self.device.setAccessibleName("Device")
        row.addWidget(self.device)
        self._shown = ""

    def show_project(self, name: str, *, may_rename: bool) -> None:
        """Name of the open project; "" for none."""
        self._shown = name
        self.name.setText(name)
        self.name.setReadOnly(not may_rename)
        self.name.setVisible(bool(name))
        self.state.setVisible(bool(name))
        width = self.name.fontMetrics().horizontalAdvance(name) + 24
        self.name.setFixedWidth(max(80, min(320, width)))

    def show_state(self, state: str, sentence: str) -> None:
        """Whether everything is on disk; the sentence says more, as a tooltip."""
        self.state.setText("·  " + STATE_TEXTS.get(state, state))
        tips = {SAVED: "Everything is on the disk.", COMMITTING: "", UNSAVED: ""}
        self.state.setToolTip(plain_tip(sentence) or tips.get(state, ""))
        self.state.setProperty("tone", "error" if state == FAILED else "")
        self.state.style().unpolish(self.state)
        self.state.style().polish(self.state)

    def show_device(self, sentence: str, explanation: str = "") -> None:
        """What networks are trained on, and why it is slow if it is."""
        self.device.setText(sentence)
        self.device.setToolTip(explanation)

    def _on_renamed(self) -> None:
        name = self.name.text().strip()
        if name and name != self._shown:
            self._shown = name
            self.project_renamed.emit(name)
        self.name.setText(self._shown)
        self.name.clearFocus()


class ToolStrip(QFrame):
    """The tools, top to bottom, beside the canvas."""

    def __init__(
        self,
        actions: Mapping[str, QAction],
        ids: Sequence[str] = TOOL_ACTIONS,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("toolStrip")
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 8, 4, 8)
        column.setSpacing(4)
        for action_id in (*ids, "", "undo", "redo"):
            if not action_id:
                column.addSpacing(16)
                continue
            button = QToolButton()
            button.setDefaultAction(actions[action_id])
            button.setIconSize(QSize(20, 20))
            button.setFixedSize(36, 36)
            button.setAutoRaise(True)
            button.setAccessibleName(actions[action_id].text())
            column.addWidget(button)
        column.addStretch(1)
