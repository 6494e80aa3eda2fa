"""The header: workspaces, project, save state, device; and the tool strip beside the canvas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QToolButton,
    QWidget,
)

from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.session import COMMITTING, FAILED, READ_ONLY, SAVED, UNSAVED
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import plain_tip

HEADER_HEIGHT = 40
TOOL_SIZE, TOOL_STEP, TOOL_GAP, TOOL_MARGIN = 36, 38, 12, 8
WORKSPACE_ACTIONS = (
    "workspace_annotate",
    "workspace_train",
    "workspace_compare",
    "workspace_export",
)
TAB_PAGES = dict(
    zip(WORKSPACE_ACTIONS, ("first_mask", "training", "comparing", "exporting"), strict=True)
)
"""The help about each workspace."""
TOOL_ACTIONS = tuple(f"tool_{name}" for name in TOOLS)
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
        theme.hold(self, height=HEADER_HEIGHT)
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
            set_help(button, TAB_PAGES[action_id])
            theme.hold(button, height=HEADER_HEIGHT - 8)
            row.addWidget(button)
        row.addStretch(1)
        self.name = QLineEdit()
        self.name.setObjectName("projectName")
        set_help(self.name, "projects")
        self.name.setFrame(False)
        self.name.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.name.setAccessibleName("Project name")
        self.name.setToolTip("Name of the project; click to change it")
        theme.hold(self.name, most_width=320)
        self.name.editingFinished.connect(self._on_renamed)
        row.addWidget(self.name)
        self.state = QLabel()
        self.state.setTextFormat(Qt.TextFormat.PlainText)
        self.state.setProperty("role", "caption")
        self.state.setAccessibleName("Save state")
        row.addWidget(self.state)
        row.addStretch(1)
        self.device = QToolButton()
        self.device.setProperty("role", "device")
        self.device.setAccessibleName("Device")
        self.device.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.device.clicked.connect(actions["graphics_card"].trigger)
        self.device.hide()
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
        self.name.setFixedWidth(max(theme.px(80), min(theme.px(320), width)))

    def show_state(self, state: str, sentence: str) -> None:
        """Whether everything is on disk; the sentence says more, as a tooltip."""
        self.state.setText("·  " + STATE_TEXTS.get(state, state))
        tips = {SAVED: "Everything is on the disk.", COMMITTING: "", UNSAVED: ""}
        self.state.setToolTip(plain_tip(sentence) or tips.get(state, ""))
        tone = "error" if state == FAILED else ""
        if tone != self.state.property("tone"):  # dressing it anew takes as long as a frame
            self.state.setProperty("tone", tone)
            self.state.style().unpolish(self.state)
            self.state.style().polish(self.state)

    def show_device(self, sentence: str, explanation: str = "") -> None:
        """What networks are trained on, and why it is slow if it is."""
        self.device.setText(sentence.replace("&", "&&"))
        self.device.setAccessibleName(f"Device: {sentence}")
        self.device.setToolTip(plain_tip(explanation))
        self.device.setVisible(bool(sentence))

    def _on_renamed(self) -> None:
        name = self.name.text().strip()
        if name and name != self._shown:
            self._shown = name
            self.project_renamed.emit(name)
        self.name.setText(self._shown)
        self.name.clearFocus()


class ToolStrip(QFrame):
    """The tools, top to bottom, beside the canvas; in two columns where one is too high."""

    def __init__(
        self,
        actions: Mapping[str, QAction],
        ids: Sequence[str] = TOOL_ACTIONS,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("toolStrip")
        self._tools = [self._button(actions[i]) for i in ids]
        self._history = [self._button(actions[i]) for i in ("undo", "redo")]
        self.setMinimumHeight(self._height(2))
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Take as many columns as it needs."""
        super().resizeEvent(event)
        self._arrange()

    def _button(self, action: QAction) -> QToolButton:
        button = QToolButton(self)
        button.setDefaultAction(action)
        button.setIconSize(QSize(20, 20))
        button.setFixedSize(TOOL_SIZE, TOOL_SIZE)
        button.setAutoRaise(True)
        button.setAccessibleName(action.text())
        return button

    def _height(self, columns: int) -> int:
        rows = -(-len(self._tools) // columns) + -(-len(self._history) // columns)
        return 2 * TOOL_MARGIN + rows * TOOL_STEP + TOOL_GAP

    def _arrange(self) -> None:
        columns = 1 if self.height() >= self._height(1) else 2
        self.setFixedWidth(TOOL_GAP * 2 // 3 - 2 + columns * TOOL_STEP)
        top = TOOL_MARGIN
        for group in (self._tools, self._history):
            for i, button in enumerate(group):
                row, column = divmod(i, columns)
                button.move(4 + column * TOOL_STEP, top + row * TOOL_STEP)
            top += -(-len(group) // columns) * TOOL_STEP + TOOL_GAP
