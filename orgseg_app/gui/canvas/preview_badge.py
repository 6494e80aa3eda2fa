"""The badge on the canvas while it shows something other than the image as it is."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from orgseg_app.core.preprocessing.order import advice
from orgseg_app.gui.canvas.preview import PlanePreview
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import IconButton, label, plain_tip
from orgseg_app.runs.recipes.choices import PREPROCESSING_NAMES

MARGIN_PX, HEIGHT_PX = 12, 34
GROUND = QColor(16, 18, 20, 215)  # as under the scale bar: readable on any picture
EDGE = QColor(255, 255, 255, 45)
WORDS, QUIET = "#FFFFFF", "#C3C9D1"


class PreviewBadge(QFrame):
    """Says what is previewed, how far it is, and leads back to the image.

    Parameters
    ----------
    preview
        Of the canvas that it lies on.
    canvas
        Its upper left corner is where the badge is.
    """

    def __init__(self, preview: PlanePreview, canvas: QWidget) -> None:
        super().__init__(canvas)
        self._preview, self._canvas = preview, canvas
        self.words = label()
        self.words.setStyleSheet(f"color: {WORDS};")
        self.aside = label(role="caption")
        self.aside.setStyleSheet(f"color: {QUIET};")
        self.close_button = IconButton("close", "Show the image as it is", colour=WORDS)
        self.close_button.clicked.connect(lambda: preview.set_on(False))
        self._row = row = QHBoxLayout(self)
        row.setContentsMargins(12, 2, 4, 2)
        row.setSpacing(8)
        for widget in (self.words, self.aside, self.close_button):
            row.addWidget(widget)
        self._text = ""
        theme.hold(self, least_height=HEIGHT_PX)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        self.move(MARGIN_PX, MARGIN_PX)
        self.hide()
        canvas.installEventFilter(self)
        preview.changed.connect(self.refresh)

    def leave_out_cross(self) -> None:
        """What is previewed is chosen elsewhere."""
        self.close_button.hide()
        self._row.setContentsMargins(12, 2, 12, 2)

    def refresh(self) -> None:
        """Say what there is now."""
        preview = self._preview
        self.setVisible(preview.is_on)
        if not preview.is_on:
            return
        titles = [PREPROCESSING_NAMES[s.name].title for s in preview.steps]
        names = " → ".join(titles) or "no preprocessing"
        self._text = f"Preview: {names}"
        aside = ""
        if preview.problem:
            aside = "not possible, this is the image"
        elif preview.progress is not None:
            aside = f"{preview.progress:.0%}" if preview.progress else "preparing"
        elif preview.prepared is not None and preview.prepared.how:
            aside = "approximate"
        self.aside.setText(aside)
        self.aside.setVisible(bool(aside))
        self.setToolTip(plain_tip(self._tip(names)))
        self.setAccessibleName(f"Preview: {names}")
        self.setAccessibleDescription(aside or "What the network sees")
        self._fit()

    def _tip(self, names: str) -> str:
        preview = self._preview
        if preview.problem:
            return preview.problem
        tip = f"What the network will see: {names}. Contrast is automatic; the image is unchanged."
        how = preview.prepared.how if preview.prepared else ""
        return "\n".join([tip, *([how] if how else []), *advice(preview.steps)])

    def _fit(self) -> None:
        """As wide as its words, or as the canvas: then they end in …."""
        self.words.setText(self._text)
        too_much = self.sizeHint().width() - (self._canvas.width() - 2 * MARGIN_PX)
        if too_much > 0:
            metrics = self.words.fontMetrics()
            room = max(60, metrics.horizontalAdvance(self._text) - too_much)
            self.words.setText(metrics.elidedText(self._text, Qt.TextElideMode.ElideRight, room))
        self.adjustSize()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """The canvas has another size."""
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._fit()
        return False

    def paintEvent(self, event: QPaintEvent) -> None:
        """A soft dark ground."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(EDGE)
        painter.setBrush(GROUND)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        painter.end()
