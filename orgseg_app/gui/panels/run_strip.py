"""The run strip: one line about the run that is working, while something works."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, QTimer, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QWidget

from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.help.meaning import explain
from orgseg_app.gui.help.training_numbers import TRAINING_NUMBERS
from orgseg_app.gui.panels.sparkline import Sparkline
from orgseg_app.gui.runs.estimate import duration
from orgseg_app.gui.runs.run_entry import KIND_WORDS, RunEntry
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import paint_key
from orgseg_app.gui.style.widgets import (
    GAP,
    GROUP,
    ElidedLabel,
    IconButton,
    SecondaryButton,
    label,
    surface,
)

HEIGHT = 40
NAME_WIDTH = 200
CURVE_FROM, TIME_FROM, KIND_FROM = 860, 720, 560
"""Widths of the strip from which on there is room for the curve, the time left, "Learning"."""

ANSWER_MS = 8000
"""How long “stopping…” stands while the run does not answer."""


@dataclass
class _Shown:
    """What was last said of a run, so that progress never jumps back.

    Attributes
    ----------
    state
        Of the run.
    step, done
        Furthest step, furthest share of the work (0…1).
    part
        While images are predicted or scored: the phase, how many there are, how many are done.
    seconds_left
        As shown; rises only when the estimate rises clearly.
    asked
        "pausing…" and the like, from the press of a button to the answer of the run.
    """

    state: str = ""
    step: int = 0
    done: float = 0.0
    part: tuple[str, int, int] | None = None
    seconds_left: float | None = None
    asked: str = ""

    def take(self, entry: RunEntry) -> None:
        """Learn where the run is."""
        if entry.state != self.state:
            self.state, self.asked = entry.state, ""
        self.step = max(self.step, entry.step)
        self.done = max(self.done, entry.fraction or 0.0)
        before, self.part = self.part, None
        if entry.progress is not None:
            done, total, _, phase = entry.progress
            if before is not None and before[:2] == (phase, total):
                done = max(done, before[2])
            self.part = (phase, total, done)
        new, old = entry.seconds_left, self.seconds_left
        if new is None or old is None or new <= old or new > 1.25 * old + 5:
            self.seconds_left = new


class RunStrip(QFrame):
    """Name, step, validation IoU and its curve, time left; pause, stop, Details.

    Signals
    -------
    pause_requested(run_id), resume_requested(run_id), stop_requested(run_id)
    details_requested(run_id)
    """

    pause_requested = Signal(str)
    resume_requested = Signal(str)
    stop_requested = Signal(str)
    details_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._entry: RunEntry | None = None
        self._shown: dict[str, _Shown] = {}
        surface(self, "strip")
        theme.hold(self, height=HEIGHT)
        self.setAccessibleName("Run under way")
        set_help(self, "training#steps")
        self._key = _RunKey()
        self.kind = label(tone="secondary")
        self.name = ElidedLabel()
        self.name.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.hold(self.name, most_width=NAME_WIDTH)
        self.progress = label()
        self.score = label()
        self.curve = Sparkline("Validation IoU so far")
        self.time_left = label(tone="secondary")
        self.pause_button = IconButton("pause", "Pause")
        self.stop_button = IconButton("stop", "Stop; the best model so far is kept")
        self.details_button = SecondaryButton("Details", quiet=True)
        self.details_button.setToolTip("Show curves and all runs")
        for words, name in (
            (self.progress, "Progress"),
            (self.score, "Validation IoU"),
            (self.time_left, "Time left"),
        ):
            words.setAccessibleName(name)
            words.setFont(theme.font())
        explain(self.progress, TRAINING_NUMBERS["steps"])
        explain(self.score, TRAINING_NUMBERS["validation_iou"])
        explain(self.time_left, TRAINING_NUMBERS["time_left"])
        self._arrange()
        self.pause_button.clicked.connect(self._on_pause)
        self.stop_button.clicked.connect(self._on_stop)
        self.details_button.clicked.connect(self._on_details)
        self._answer_timer = QTimer(self)
        self._answer_timer.setSingleShot(True)
        self._answer_timer.setInterval(ANSWER_MS)
        self._answer_timer.timeout.connect(self._on_no_answer)
        self.hide()

    def _arrange(self) -> None:
        row = QHBoxLayout(self)
        row.setSizeConstraint(QHBoxLayout.SizeConstraint.SetNoConstraint)
        row.setContentsMargins(GROUP, 1, GAP, 0)
        row.setSpacing(GROUP)
        head = QHBoxLayout()
        head.setSpacing(GAP)
        for widget in (self._key, self.kind, self.name):
            head.addWidget(widget)
        row.addLayout(head)
        for part in (self.progress, self.score, self.curve, self.time_left):
            row.addWidget(part)
        row.addStretch(1)
        tail = QHBoxLayout()
        tail.setSpacing(2)
        for button in (self.pause_button, self.stop_button, self.details_button):
            tail.addWidget(button)
        row.addLayout(tail)

    # -- showing ---------------------------------------------------------------------------------

    def show_run(self, entry: RunEntry | None) -> None:
        """Show where a run is; a run that is over, or None, hides the strip."""
        if entry is None or not entry.is_active:
            self._entry = None
            self._answer_timer.stop()
            self.hide()
            return
        is_other = self._entry is None or self._entry.run_id != entry.run_id
        self._entry = entry
        shown = self._shown.setdefault(entry.run_id, _Shown())
        is_other = is_other or (shown.state == "queued") != (entry.state == "queued")
        shown.take(entry)
        self.kind.setText(KIND_WORDS.get(entry.kind, entry.kind).capitalize())
        self.name.setText(entry.name)
        self._key.show_index(entry.colour_index)
        self.progress.setText(_progress_text(entry, shown))
        self.score.setText(_score_text(entry))
        self.score.setToolTip(_best_text(entry))
        self.curve.set_values(entry.validation_iou, entry.colour_index)
        self.curve.setToolTip(_best_text(entry))
        self.time_left.setText(shown.asked or _time_text(entry, shown))
        self._keep_widths(entry, is_other=is_other)
        self._show_parts()
        self._show_buttons(entry, shown)
        self.setAccessibleDescription(self.text())
        self.show()
        self.update()

    def text(self) -> str:
        """What the strip says, in one line."""
        if self._entry is None:
            return ""
        head = f"{self.kind.text()} {self.name.whole_text()}"
        parts = (head, self.progress.text(), self.score.text(), self.time_left.text())
        return " · ".join(part for part in parts if part)

    @property
    def fraction(self) -> float:
        """How far the run in the strip is, 0…1; it never falls."""
        return self._shown[self._entry.run_id].done if self._entry is not None else 0.0

    def _keep_widths(self, entry: RunEntry, *, is_other: bool) -> None:
        """Room for the longest words each part will have, so that nothing shifts."""
        metrics = self.progress.fontMetrics()
        widest: dict[QLabel, str] = {
            self.progress: _longest_progress(entry),
            self.score: "validation IoU 0.00",
            self.time_left: "about 60 minutes left",
        }
        for words, longest in widest.items():
            wanted = max(map(metrics.horizontalAdvance, (longest, words.text()))) + 2
            if is_other or words.width() < wanted:
                words.setFixedWidth(wanted)

    def _show_parts(self) -> None:
        learns = self._entry is not None and self._entry.kind == "train"
        self.score.setVisible(learns)
        self.curve.setVisible(learns and self.width() >= CURVE_FROM)
        self.time_left.setVisible(self.width() >= TIME_FROM)
        self.kind.setVisible(self.width() >= KIND_FROM)

    def _show_buttons(self, entry: RunEntry, shown: _Shown) -> None:
        if entry.state == "paused":
            self.pause_button.describe("play", "Resume")
        else:
            self.pause_button.describe("pause", "Pause")
        kept = "the best model so far is kept" if entry.kind == "train" else "what is done is kept"
        if entry.kind == "ensemble":
            kept = "its models are kept, to start again"
        self.stop_button.describe("stop", f"Stop; {kept}")
        # Predicting and scoring are short and know no pause.
        self.pause_button.setVisible(entry.kind == "train")
        self.pause_button.setEnabled(not shown.asked)
        self.stop_button.setEnabled(shown.asked != "stopping…")

    def minimumSizeHint(self) -> QSize:
        """It never keeps the window from getting narrower."""
        return QSize(360, HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow strip leaves out the curve, then the time."""
        super().resizeEvent(event)
        self._show_parts()

    def paintEvent(self, event: QPaintEvent) -> None:
        """How far it is, as a line along the upper edge."""
        super().paintEvent(event)
        painter = QPainter(self)
        done = QRectF(0, 0, self.width() * self.fraction, 2)
        painter.fillRect(done, QColor(theme.current().accent))

    # -- asking ----------------------------------------------------------------------------------

    def _on_pause(self) -> None:
        entry = self._entry
        if entry is None:
            return
        if entry.state == "paused":
            self._await(entry, "resuming…")
            self.resume_requested.emit(entry.run_id)
        else:
            self._await(entry, "pausing…")
            self.pause_requested.emit(entry.run_id)

    def _on_stop(self) -> None:
        entry = self._entry
        if entry is not None:
            self._await(entry, "stopping…")
            self.stop_requested.emit(entry.run_id)

    def _on_details(self) -> None:
        if self._entry is not None:
            self.details_requested.emit(self._entry.run_id)

    def _await(self, entry: RunEntry, words: str) -> None:
        self._shown[entry.run_id].asked = words
        self._answer_timer.start()
        self.show_run(entry)

    def _on_no_answer(self) -> None:
        for shown in self._shown.values():
            shown.asked = ""
        self.show_run(self._entry)


class _RunKey(QWidget):
    """A short piece of the run's curve."""

    def __init__(self) -> None:
        super().__init__()
        self._index = 0
        self.setFixedSize(QSize(18, 16))

    def show_index(self, index: int) -> None:
        if index != self._index:
            self._index = index
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        paint_key(QPainter(self), QRectF(self.rect()), self._index)


def _progress_text(entry: RunEntry, shown: _Shown) -> str:
    if entry.state == "queued":
        return "waiting for its turn"
    if shown.part is not None:
        phase, total, done = shown.part
        if phase == "choose":
            return f"prediction {min(total, done + 1)} of {total}"
        verb = "scoring " if entry.kind == "train" and phase == "score" else ""
        return f"{verb}image {min(total, done + 1)} of {total}"
    if entry.total_steps and shown.step:
        return f"step {shown.step} of {entry.total_steps}"
    return "starting"


def _longest_progress(entry: RunEntry) -> str:
    if entry.state == "queued":
        return "waiting for its turn"
    total = entry.progress[1] if entry.progress else entry.total_steps or 0
    nines = "9" * len(str(total))
    noun = {"train": "step", "ensemble": "prediction"}.get(entry.kind, "image")
    return f"{noun} {nines} of {nines}"


def _score_text(entry: RunEntry) -> str:
    found = [value for value in entry.validation_iou if value is not None]
    return f"validation IoU {found[-1]:.2f}" if found else ""


def _best_text(entry: RunEntry) -> str:
    if entry.best_iou is None:
        return ""
    return f"Best so far {entry.best_iou:.2f}, at step {entry.best_step}; that model is kept"


def _time_text(entry: RunEntry, shown: _Shown) -> str:
    if entry.state == "paused":
        return "paused"
    if entry.state != "running" or shown.seconds_left is None:
        return ""
    return f"{duration(shown.seconds_left)} left"
