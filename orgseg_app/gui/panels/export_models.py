"""Choosing one trained model, or several whose mean decides."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.run_colours import paint_key
from orgseg_app.gui.style.widgets import Caption, ScrollColumn, focus_ring, plain_tip
from orgseg_app.runs.folder import MODEL_KINDS

ROW_HEIGHT = 30
ROWS_SHOWN = 6


class ModelChooser(QWidget):
    """Runs that have a model, the best validation first; the best one is ticked at first.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.runs = runs
        self.rows: dict[str, ModelRow] = {}
        self._is_touched = False
        self.setAccessibleName("Models")
        head = QHBoxLayout()
        head.addWidget(Caption("Name"), 1)
        score = Caption("Validation IoU")
        score.setWordWrap(False)
        head.addWidget(score)
        content = QWidget()
        self._column = QVBoxLayout(content)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addStretch(1)
        self._scroll = ScrollColumn(content)
        self.mean = Caption()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(head)
        column.addWidget(self._scroll)
        column.addWidget(self.mean)
        runs.runs_changed.connect(self.reload)
        runs.run_changed.connect(self._on_run_changed)
        self.reload()

    def models(self) -> list[RunEntry]:
        """Trainings and ensembles, the best validation first, then the newest."""
        usable = [entry for entry in self.runs.model_runs() if entry.has_model]
        return sorted(usable, key=lambda e: (-(e.best_iou or 0.0), -e.created))

    def chosen(self) -> list[RunEntry]:
        """The ticked ones, best first."""
        return [row.entry for row in self.rows.values() if row.isChecked()]

    def reload(self) -> None:
        """Take the runs anew; ticks stay."""
        models = self.models()
        if self.underMouse() and {e.run_id for e in models} == set(self.rows):
            models = [row.entry for row in self.rows.values()]  # nothing moves under the pointer
        ticked = {run_id for run_id, row in self.rows.items() if row.isChecked()}
        if [e.run_id for e in models] != list(self.rows):
            for row in self.rows.values():
                self._column.removeWidget(row)
                row.hide()
                row.deleteLater()
            self.rows = {entry.run_id: ModelRow(entry) for entry in models}
            for place, row in enumerate(self.rows.values()):
                row.clicked.connect(self._on_clicked)
                self._column.insertWidget(place, row)
            if not self._is_touched or not ticked & set(self.rows):
                ticked = set(list(self.rows)[:1])
            theme.hold(self._scroll, height=ROW_HEIGHT * max(1, min(ROWS_SHOWN, len(self.rows))))
        for entry in models:
            self.rows[entry.run_id].show_entry(entry)
            self.rows[entry.run_id].setChecked(entry.run_id in ticked)
        self._show_mean()
        self.changed.emit()

    def _on_run_changed(self, run_id: str) -> None:
        entry = self.runs.get(run_id)
        if entry is None or entry.kind not in MODEL_KINDS or not entry.has_model:
            return
        row = self.rows.get(run_id)
        if row is None or row.shown_score != row.score():
            self.reload()

    def leaveEvent(self, event: QEvent) -> None:
        """Now the order may change."""
        super().leaveEvent(event)
        if [entry.run_id for entry in self.models()] != list(self.rows):
            self.reload()

    def _on_clicked(self) -> None:
        self._is_touched = True
        self._show_mean()
        self.changed.emit()

    def _show_mean(self) -> None:
        chosen = self.chosen()
        count = len(chosen)
        text = f"The mean of these {count} models decides." if count > 1 else ""
        if count == 1 and chosen[0].ensemble is not None:
            words = chosen[0].ensemble.words
            text = f"{words[:1].upper()}{words[1:]}."
        elif any(entry.ensemble is not None for entry in chosen):
            text = f"All networks of these {count} models decide together, each as much as another."
        self.mean.setText(text)
        self.mean.setVisible(bool(text))


class ModelRow(QAbstractButton):
    """A tick, the run's colour, its name and its score."""

    def __init__(self, entry: RunEntry, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.entry = entry
        self.shown_score = ""
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.hold(self, height=ROW_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.show_entry(entry)

    def show_entry(self, entry: RunEntry) -> None:
        """Show what is known of the run now."""
        self.entry = entry
        score = self.shown_score = self.score()
        self.setAccessibleName(f"{entry.name}, validation IoU {score}" if score else entry.name)
        made_of = f"\n{entry.ensemble.words}" if entry.ensemble is not None else ""
        self.setToolTip(plain_tip(f"{entry.name}{made_of}"))
        self.update()

    def score(self) -> str:
        """Best validation IoU in two decimals, or ""."""
        return "" if self.entry.best_iou is None else f"{self.entry.best_iou:.2f}"

    def sizeHint(self) -> QSize:
        """As wide as there is room."""
        return QSize(theme.px(160), theme.px(ROW_HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        """One line."""
        painter = QPainter(self)
        with theme.magnified(painter):
            self._paint(painter, theme.shrunk(self.rect()))

    def _paint(self, painter: QPainter, place: QRect) -> None:
        now = theme.current()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(now.hover))
            painter.drawRoundedRect(QRectF(place), 4, 4)
        if self.hasFocus():
            focus_ring(painter, QRectF(place), 4)
        box = QRectF(6.5, (ROW_HEIGHT - 15) / 2, 15, 15)
        chosen = self.isChecked()
        painter.setPen(QPen(QColor(now.accent if chosen else now.control), 1))
        painter.setBrush(QColor(now.accent if chosen else now.panel))
        painter.drawRoundedRect(box, 4, 4)
        if chosen:
            mark = icons.pixmap("check", "on_accent", 13, self.devicePixelRatio())
            painter.drawPixmap(round(box.x()) + 1, round(box.y()) + 1, mark)
        paint_key(painter, QRectF(30, 7, 18, 16), self.entry.colour_index)
        font = theme.font()
        painter.setFont(font)
        metrics = QFontMetrics(font)
        score = self.score()
        right = 6 + metrics.horizontalAdvance("0.00") + 8
        room = place.width() - 54 - right
        name = metrics.elidedText(self.entry.name, Qt.TextElideMode.ElideRight, room)
        painter.setPen(QColor(now.text))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(QRectF(54, 0, room, ROW_HEIGHT), middle, name)
        numbers = QRectF(0, 0, place.width() - 6, ROW_HEIGHT)
        painter.drawText(numbers, middle | Qt.AlignmentFlag.AlignRight, score)

    def enterEvent(self, event: QEvent) -> None:  # type: ignore[override]
        """Show that it can be pressed."""
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        self.update()
