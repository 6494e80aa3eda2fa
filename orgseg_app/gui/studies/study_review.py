"""What a study comes to before it is started: runs, time, gaps, what stands in the way."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from orgseg_app.gui.studies.study_draft import Review
from orgseg_app.gui.style.widgets import (
    GAP,
    Caption,
    IconPicture,
    PrimaryButton,
    ScrollColumn,
    SecondaryButton,
    SectionTitle,
    label,
)

MOST_SAID = 12


class StudyReview(QWidget):
    """The right side of the dialog, with its one primary button.

    Signals
    -------
    start_requested(), close_requested()
    """

    start_requested = Signal()
    close_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._is_waiting = True
        self._blocked = ""
        self.review = Review()
        self.count = label("–", "display")
        self.count.setAccessibleName("Number of runs")
        self.formula = Caption()
        self.formula.setAccessibleName("How the number comes about")
        self.takes = label(wrap=True, tone="secondary")
        self.takes.setAccessibleName("Time and memory")
        self.problem = _Said("warning", "warning")
        self.warnings = _Said("info", "secondary")
        self.refused_title = label(tone="secondary")
        self.refused = Caption()
        self.refused.setAccessibleName("Combinations left out")
        said = QWidget(self)
        words = QVBoxLayout(said)
        words.setContentsMargins(0, 0, 0, 0)
        words.setSpacing(GAP)
        for part in (self.problem, self.warnings, self.refused_title, self.refused):
            words.addWidget(part)
        words.addStretch(1)
        self.button = PrimaryButton("Start study", "play")
        self.button.clicked.connect(self.start_requested)
        self.close_button = SecondaryButton("Close")
        self.close_button.clicked.connect(self.close_requested)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        column.addWidget(SectionTitle("What it takes"))
        column.addWidget(self.count)
        column.addWidget(self.formula)
        column.addWidget(self.takes)
        column.addWidget(ScrollColumn(said), 1)
        column.addWidget(self.button)
        column.addWidget(self.close_button)
        self.show_review(Review(), "", is_waiting=True)

    def show_review(self, found: Review, formula: str, *, is_waiting: bool) -> None:
        """Show what a draft comes to; while it `is_waiting`, the last figures stay in grey."""
        self.review, self._is_waiting = found, is_waiting
        runs = "1 run" if found.runs == 1 else f"{found.runs:,} runs"
        self.count.setText(runs if found.runs else "–")
        self.count.setEnabled(not is_waiting)
        self.formula.setText(formula)
        self.formula.setVisible(bool(formula))
        self.takes.setText(found.takes)
        self.takes.setVisible(bool(found.takes))
        self.takes.setEnabled(not is_waiting)
        self.problem.say(found.problem)
        self.warnings.say("\n\n".join(found.warnings))
        count = len(found.refused)
        self.refused_title.setText(
            "1 combination is left out:" if count == 1 else f"{count} combinations are left out:"
        )
        lines = [f"{title}: {reason}" for title, reason in found.refused[:MOST_SAID]]
        if count > MOST_SAID:
            lines.append(f"and {count - MOST_SAID} more.")
        self.refused.setText("\n\n".join(lines))
        for part in (self.refused_title, self.refused):
            part.setVisible(bool(count))
        self._show_button()

    def block(self, reason: str) -> None:
        """Say why no study can be started at all, or "" where one can."""
        self._blocked = reason
        self._show_button()

    def _show_button(self) -> None:
        problem = self._blocked or self.review.problem
        ready = not problem and not self._is_waiting and self.review.runs > 0
        self.button.setEnabled(ready)
        self.button.setToolTip(problem or "Train all runs, one after the other, in the background")


class _Said(QWidget):
    """An icon and a sentence, or nothing."""

    def __init__(self, icon_name: str, tone: str) -> None:
        super().__init__()
        self.words = label(wrap=True, tone=tone)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(IconPicture(icon_name, 16, tone), 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.words, 1)
        self.hide()

    def say(self, text: str) -> None:
        """Show a sentence; nothing hides it."""
        self.words.setText(text)
        self.setVisible(bool(text))
