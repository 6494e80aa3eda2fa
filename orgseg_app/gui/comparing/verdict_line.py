"""One line that says which of the two runs shown is better, and whether that may be luck."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import Caption, plain_tip
from orgseg_app.runs.pairs import Pair, pair_of

EXPLAINED = (
    "The mean difference of the test images' IoU, with the interval that holds it for other images "
    "like these in 95 of 100 cases. One run is called better when the interval leaves out 0 and "
    "Wilcoxon's signed-rank test agrees (p ≤ 0.05).\n\n"
    "It is about this pair. Who looks at many pairs finds some that differ by luck: orgseg compare "
    "corrects for that."
)


LATER_FROM, LATER_MS = 100, 30
"""Of so many images the first interval takes a third of a second: the table is painted before."""


class _Words(Caption):
    """One line that ends in … where it does not fit: it must not make the window wider."""

    def minimumSizeHint(self) -> QSize:
        """A few words."""
        return QSize(120, super().minimumSizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        """As much as there is room for."""
        painter = QPainter(self)
        painter.setPen(QColor(theme.current().secondary))
        mode = Qt.TextElideMode.ElideRight
        text = self.fontMetrics().elidedText(self.text(), mode, self.width())
        painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()


class VerdictLine(QWidget):
    """What the scores of runs A and B say, beside the pages that show them."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = _Words()
        self.text.setWordWrap(False)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.text)
        self.pair: Pair | None = None
        self._asked: tuple[ResultRow | None, ResultRow | None, str] = None, None, ""
        self.hide()

    def show_runs(self, a: ResultRow | None, b: ResultRow | None, class_name: str) -> None:
        """Compare two runs on the test images; nothing is shown where there is only one.

        Parameters
        ----------
        a, b
            As the panes show them.
        class_name
            "" for the mean over the classes.
        """
        is_pair = a is not None and b is not None and bool(a.images) and bool(b.images)
        self.setVisible(is_pair)
        if a is None or b is None or not is_pair:
            self.pair, self._asked = None, (None, None, "")
            return
        self._asked = a, b, class_name
        if min(len(a.images), len(b.images)) < LATER_FROM:
            self.pair = None
            self._compare()
            return
        self.pair = None
        self.text.setText("Comparing A and B…")
        QTimer.singleShot(LATER_MS, self, self._compare)

    def _compare(self) -> None:
        """Say which is better."""
        a, b, class_name = self._asked
        if a is None or b is None or self.pair is not None:
            return
        self.pair = pair_of(a.name, b.name, (a.images, b.images), class_name=class_name)
        self.text.setText(self.pair.in_words("A", "B"))
        whole = f"{self.pair.sentence}\n\n{EXPLAINED}" if self.pair.found else self.pair.sentence
        self.text.setToolTip(plain_tip(whole))
        self.text.setAccessibleName(f"Verdict: {self.pair.sentence}")
