"""Panes in one place, one after the other: what changes between them catches the eye."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QElapsedTimer, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFocusEvent, QHideEvent, QKeyEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from orgseg_app.gui.comparing.compare_pane import ComparePane
from orgseg_app.gui.comparing.pane_data import LETTERS, MOST_RUNS
from orgseg_app.gui.comparing.pane_parts import Letter, Shown, segment
from orgseg_app.gui.style.motion import prefers_less_motion
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    ElidedLabel,
    IconButton,
    SecondaryButton,
    plain_tip,
    surface,
)

RATES_MS = (500, 1000, 2000)
"""Never faster than twice a second: flashes of more than three a second can make people ill
(WCAG 2.2, success criterion 2.3.1)."""
USUAL_RATE_MS = 1000
HELD_MS = 300
"""A key held for longer shows the next one only until it is let go."""
KEYS = (Qt.Key.Key_Space, Qt.Key.Key_F)


class FlickerPane(ComparePane):
    """Space or F, the key or held: signals `pressed` and `released`."""

    pressed = Signal()
    released = Signal()

    def keeps(self, key: int) -> bool:
        """F is a tool elsewhere."""
        return key in KEYS

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """To the next."""
        if event.key() in KEYS and event.modifiers() == Qt.KeyboardModifier.NoModifier:
            if not event.isAutoRepeat():
                self.pressed.emit()
            return
        super().keyPressEvent(event)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        """Back, when it was held."""
        if event.key() in KEYS:
            if not event.isAutoRepeat():
                self.released.emit()
            return
        super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """A held key let go elsewhere must not stick."""
        super().focusOutEvent(event)
        self.released.emit()


class FlickerView(QWidget):
    """One pane; above it what is alternated, and how fast."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        surface(self)
        self.pane = FlickerPane("Alternating", self)
        self.letter = Letter("")
        self.name = ElidedLabel()
        self.score = Caption()
        self.score.setWordWrap(False)
        self._shown: tuple[Shown, ...] = ()
        self._left_out: set[int] = set()
        self._place = self._before = 0
        self._held = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setInterval(USUAL_RATE_MS)
        self._timer.timeout.connect(self.step)
        self._build()
        self.pane.pressed.connect(self._on_pressed)
        self.pane.released.connect(self._on_released)

    def _build(self) -> None:
        row = QHBoxLayout()
        row.setContentsMargins(GAP, 4, GAP, 4)
        row.setSpacing(6)
        row.addWidget(self.letter)
        row.addWidget(self.name, 1)
        row.addWidget(self.score)
        row.addSpacing(GAP)
        self.included: list[QPushButton] = []
        for place, text in enumerate((*LETTERS, "Truth")):
            button = segment(text, "Alternate with it")
            button.setAccessibleName(f"Alternate {'run ' * (place < MOST_RUNS)}{text}")
            button.setChecked(True)
            button.clicked.connect(lambda on, at=place: self._on_included(at, on))
            button.hide()
            self.included.append(button)
            row.addWidget(button)
        row.addSpacing(GAP)
        self.next_button = SecondaryButton("Alternate")
        self.next_button.setToolTip("Show the next one; hold to go back on letting go (F or Space)")
        self.next_button.pressed.connect(self._on_pressed)
        self.next_button.released.connect(self._on_released)
        row.addWidget(self.next_button)
        self.play = IconButton("play", "Alternate by itself", checkable=True)
        self.play.toggled.connect(self._on_play)
        self.rate = QComboBox()
        self.rate.setAccessibleName("How often it alternates by itself")
        self.rate.setToolTip("How often it alternates by itself")
        for rate in RATES_MS:
            self.rate.addItem(f"every {rate / 1000:g} s", rate)
        self.rate.setCurrentIndex(RATES_MS.index(USUAL_RATE_MS))
        self.rate.currentIndexChanged.connect(
            lambda _: self._timer.setInterval(int(self.rate.currentData()))
        )
        row.addWidget(self.play)
        row.addWidget(self.rate)
        if prefers_less_motion():
            for widget in (self.play, self.rate):
                widget.setEnabled(False)
                widget.setToolTip(
                    "Your system asks for less motion, so nothing alternates by itself. "
                    "F or Space shows the next one."
                )
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(row)
        column.addWidget(self.pane, 1)

    # -- what is shown -----------------------------------------------------------------------------

    def show_what(self, shown: Sequence[Shown]) -> None:
        """What the panes show, the truth last."""
        if len(shown) != len(self._shown):
            self._left_out, self._place = set(), 0
            self._before = 0
        self._shown = tuple(shown)
        last = len(shown) - 1
        for place, button in enumerate(self.included):
            at = self._place_of(place)
            is_here = at is not None and bool(shown) and not shown[at].missing
            button.setVisible(is_here)
            button.setChecked(at not in self._left_out)
            if is_here and at is not None:
                button.setToolTip(plain_tip(f"Alternate with {shown[at].title}"))
        if self._place > last or (self.places and self._place not in self.places):
            self._place = self.places[0] if self.places else 0
        self._paint()

    def _place_of(self, button: int) -> int | None:
        """What a button stands for: the last is the truth, wherever that is."""
        last = len(self._shown) - 1
        if button == MOST_RUNS:
            return last if last >= 0 else None
        return button if button < last else None

    @property
    def places(self) -> list[int]:
        """The places that are alternated."""
        return [
            place
            for place, item in enumerate(self._shown)
            if place not in self._left_out and not item.missing
        ]

    @property
    def place(self) -> int:
        """The one that is seen."""
        return self._place

    def step(self) -> None:
        """Show the next one."""
        places = self.places
        if len(places) > 1:
            further = [place for place in places if place > self._place]
            self._place = further[0] if further else places[0]
            self._paint()

    def _paint(self) -> None:
        item = self._shown[self._place] if self._shown else Shown("", "")
        self.letter.set_letter(item.letter)
        self.name.setText(item.missing or item.name)
        self.score.setText(item.score)
        self.pane.set_layers(item.layers)
        self.pane.setAccessibleName(f"Alternating: {item.title}")

    # -- the person --------------------------------------------------------------------------------

    def _on_pressed(self) -> None:
        self._before = self._place
        self._held.start()
        self.step()

    def _on_released(self) -> None:
        was_held = self._held.isValid() and self._held.elapsed() >= HELD_MS
        self._held.invalidate()
        if was_held and self._before in self.places:
            self._place = self._before
            self._paint()

    def _on_included(self, button: int, on: bool) -> None:
        place = self._place_of(button)
        if place is None:
            return
        if on:
            self._left_out.discard(place)
        elif len(self.places) > 2:
            self._left_out.add(place)
        else:
            self.included[button].setChecked(True)  # two at least
        if self._place in self._left_out:
            self.step()

    def _on_play(self, on: bool) -> None:
        self.play.describe("pause" if on else "play", "Stop" if on else "Alternate by itself")
        if on:
            self._timer.start()
        else:
            self._timer.stop()

    @property
    def alternates(self) -> bool:
        """Whether it does so by itself."""
        return self._timer.isActive()

    def minimumSizeHint(self) -> QSize:
        """As for a few runs: more of them are no reason to widen the window."""
        return QSize(480, 160)

    def hideEvent(self, event: QHideEvent) -> None:
        """Nothing goes on out of sight."""
        super().hideEvent(event)
        self.play.setChecked(False)
