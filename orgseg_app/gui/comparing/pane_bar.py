"""Above and below the comparison panes: how they are looked at, what colours mean, which plane."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QButtonGroup, QCheckBox, QHBoxLayout, QSlider, QWidget

from orgseg_app.gui.canvas import difference
from orgseg_app.gui.comparing.pane_overlays import MODES, TIPS
from orgseg_app.gui.comparing.pane_parts import LegendKey, segment
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    ElidedLabel,
    IconButton,
    SecondaryButton,
    Separator,
)

SIDE_BY_SIDE, SWIPE, FLICKER = VIEWS = ("side_by_side", "swipe", "flicker")
VIEW_WORDS = {
    SIDE_BY_SIDE: ("Side by side", "The runs chosen and the truth, at the same place"),
    SWIPE: ("Swipe", "Two in one picture, on either side of a line that is dragged"),
    FLICKER: ("Flicker", "One after the other in the same place"),
}


class PaneBar(QWidget):
    """Which view, which overlay.

    Signals
    -------
    view_chosen(view)
        One of `VIEWS`.
    mode_chosen(mode)
        One of `MODES`.
    outlines_chosen(on)
    fit_requested()
    """

    view_chosen = Signal(str)
    mode_chosen = Signal(str)
    outlines_chosen = Signal(bool)
    fit_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(GAP, 3, GAP, 3)
        row.setSpacing(2)
        self._views, self._modes = QButtonGroup(self), QButtonGroup(self)
        for number, (text, tip) in enumerate(VIEW_WORDS.values()):
            button = segment(text, tip)
            self._views.addButton(button, number)
            row.addWidget(button)
        row.addSpacing(6)
        row.addWidget(Separator(vertical=True))
        row.addSpacing(6)
        for number, mode in enumerate(MODES):
            button = segment(mode, TIPS[mode])
            self._modes.addButton(button, number)
            row.addWidget(button)
        self.outlines = QCheckBox("Truth outlines")
        self.outlines.setToolTip("Draw the edges of the truth over the predictions")
        self.outlines.toggled.connect(self.outlines_chosen)
        row.addSpacing(6)
        row.addWidget(self.outlines)
        row.addStretch(1)
        self.fit_button = IconButton("fit", "Fit to pane")
        self.fit_button.clicked.connect(self.fit_requested)
        row.addWidget(self.fit_button)
        self._views.idClicked.connect(lambda number: self.view_chosen.emit(VIEWS[number]))
        self._modes.idClicked.connect(lambda number: self.mode_chosen.emit(MODES[number]))
        self.show_view(VIEWS[0])
        self.show_mode(MODES[0])

    def buttons_of_actions(self) -> list[tuple[QWidget, str]]:
        """Buttons that do what an action of the menus does, and its id."""
        found: list[tuple[QWidget, str]] = [
            (self._views.button(number), f"compare_{view}") for number, view in enumerate(VIEWS)
        ]
        return [*found, (self.fit_button, "zoom_fit")]

    def show_view(self, view: str) -> None:
        """Which view is shown."""
        self._views.button(VIEWS.index(view)).setChecked(True)

    def show_mode(self, mode: str) -> None:
        """Which overlay is shown."""
        self._modes.button(MODES.index(mode)).setChecked(True)


class PaneFoot(QWidget):
    """What the colours mean, what stands at a voxel, and the plane.

    Signals
    -------
    plane_chosen(z)
    next_requested()
        To the next largest disagreement.
    """

    plane_chosen = Signal(int)
    next_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(GAP, 2, GAP, 2)
        row.setSpacing(12)
        self.legend = QWidget()
        keys = QHBoxLayout(self.legend)
        keys.setContentsMargins(0, 0, 0, 0)
        keys.setSpacing(12)
        for value in difference.COLOURS:
            keys.addWidget(LegendKey(value))
        self.words = ElidedLabel()
        self.words.setProperty("role", "caption")
        self.words.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.plane_words = Caption()
        self.plane_words.setWordWrap(False)
        self.plane = QSlider(Qt.Orientation.Horizontal)
        theme.hold(self.plane, width=140)
        self.plane.setAccessibleName("Plane")
        self.plane.valueChanged.connect(self._on_plane)
        row.addWidget(self.legend)
        row.addWidget(self.words, 1)
        self.next_button = SecondaryButton("Next disagreement", quiet=True)
        self.next_button.setToolTip("Go to where the runs disagree most, then to the next place")
        self.next_button.clicked.connect(self.next_requested)
        row.addWidget(self.next_button)
        row.addWidget(self.plane_words)
        row.addWidget(self.plane)
        theme.hold(self, least_height=28)

    def show_plane(self, z: int, depth: int) -> None:
        """Plane and depth of the image shown, without telling."""
        blocked = self.plane.blockSignals(True)
        self.plane.setRange(0, depth - 1)
        self.plane.setValue(z)
        self.plane.blockSignals(blocked)
        self.plane_words.setText(f"z {z + 1}/{depth}")
        for widget in (self.plane, self.plane_words):
            widget.setVisible(depth > 1)

    def _on_plane(self, z: int) -> None:
        self.plane_words.setText(f"z {z + 1}/{self.plane.maximum() + 1}")
        self.plane_chosen.emit(z)
