"""The list of runs: newest first, state and score at a glance, names edited in place."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import (
    QEvent,
    QItemSelection,
    QItemSelectionModel,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFocusEvent, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyleOptionViewItem,
    QWidget,
)

from orgseg_app.gui.panels.name_delegate import Index, NameDelegate
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.runs.estimate import time_left
from orgseg_app.gui.runs.jobs_list import JobsListModel
from orgseg_app.gui.runs.run_entry import RunEntry
from orgseg_app.gui.runs.runs_model import RunsModel
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.run_colours import paint_key
from orgseg_app.gui.style.widgets import edit_name, plain_tip
from orgseg_app.runs.folder import MODEL_KINDS

ENTRY_ROLE = Qt.ItemDataRole.UserRole
ROW_HEIGHT = 46

JOB_WORDS = {"score": "scores", "predict": "predictions", "examine": "examination"}
STATE_ICONS = {
    "queued": ("clock", "secondary"),
    "paused": ("pause", "secondary"),
    "failed": ("error", "error"),
    "lost": ("warning", "warning"),
    "stopped": ("stop", "secondary"),
}


def details_of(entry: RunEntry, now: datetime | None = None) -> str:
    """The second line of a run: state, progress, when and how long."""
    parts = [entry.state_text]
    if entry.state == "running":
        parts += [time_left(entry.seconds_left)]
    elif entry.state in ("failed", "lost"):
        parts = [entry.message or entry.state_text]
    elif not entry.is_active:
        if entry.step:
            parts.append(f"{entry.step} steps")
        if entry.seconds is not None:
            parts.append(_short(entry.seconds))
        parts.append(_when(entry.created, now))
    if entry.ensemble is not None:
        parts.insert(0, entry.ensemble.words.partition(":")[0])
    elif entry.kind != "train":
        parts.insert(0, JOB_WORDS.get(entry.kind, entry.kind))
    return " · ".join(part for part in parts if part)


def _short(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _when(created: float, now: datetime | None = None) -> str:
    now = now or datetime.now().astimezone()
    then = datetime.fromtimestamp(created).astimezone()
    if then.date() == now.date():
        return then.strftime("%H:%M")
    pattern = "%-d %b" if then.year == now.year else "%-d %b %Y"
    try:
        return then.strftime(pattern)
    except ValueError:  # Windows knows no %-d
        return then.strftime(pattern.replace("%-d", "%d"))


class RunsListModel(JobsListModel[RunEntry]):
    """Trainings and ensembles (and scorings under way): the working first, then the newest."""

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(runs, parent)
        self.runs = runs
        self.hides_studies = True
        runs.runs_changed.connect(self.reload)
        runs.run_changed.connect(self._on_run_changed)
        self.reload()

    def reload(self) -> None:
        """Take the runs anew."""
        wanted = [
            entry
            for entry in self.runs.all()
            if entry.kind in MODEL_KINDS or entry.is_active or entry.state in ("failed", "lost")
        ]
        if self.hides_studies:
            wanted = [entry for entry in wanted if entry.is_active or not entry.is_of_study]
        wanted.sort(key=lambda entry: (entry.is_active, entry.created), reverse=True)
        ids = [entry.run_id for entry in wanted]
        if not self.show_ids(ids) and ids:
            self.dataChanged.emit(self.index(0), self.index(len(ids) - 1))

    def hide_studies(self, hides: bool) -> None:
        """Leave out runs of studies that are over, or show them among the others."""
        self.hides_studies = hides
        self.reload()

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, details and the entry itself."""
        entry = self.entry(index)
        if entry is None:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return entry.name
        if role == ENTRY_ROLE:
            return entry
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(tooltip_of(entry))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            best = f", best validation IoU {entry.best_iou:.2f}" if entry.best_iou else ""
            return f"{entry.name}, {details_of(entry)}{best}"
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename."""
        entry = self.entry(index)
        if entry is None or role != Qt.ItemDataRole.EditRole or not str(value).strip():
            return False
        return str(value) == entry.name or self.runs.rename(entry.run_id, str(value))

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Names can be edited."""
        flags = Qt.ItemFlag
        return flags.ItemIsEnabled | flags.ItemIsSelectable | flags.ItemIsEditable

    def _on_run_changed(self, run_id: str) -> None:
        entry, row = self.runs.get(run_id), self.row_of(run_id)
        if entry is not None and (row < 0 or entry.is_active != self._was_active(row)):
            self.reload()
        self.tell_changed(run_id)

    def _was_active(self, row: int) -> bool:
        """Whether a row still stands in the right part of the list."""
        active = [self.runs.get(i) for i in self._ids]
        count = sum(1 for entry in active if entry is not None and entry.is_active)
        return row < count


def tooltip_of(entry: RunEntry) -> str:
    """Everything known of a run in a few lines."""
    from orgseg_app.runs.recipes.wording import describe

    lines = [entry.name, details_of(entry)]
    if entry.recipe is not None:
        lines.append(describe(entry.recipe))
    if entry.device:
        over = f"{'Learnt' if entry.kind == 'train' else 'Worked'} on: {entry.device}"
        lines.append(entry.device if entry.is_active else over)
    if entry.ensemble is not None:
        lines.append(entry.ensemble.words)
        if entry.best_iou is not None:
            lines.append(f"Validation IoU {entry.best_iou:.3f}")
    elif entry.best_iou is not None:
        lines.append(f"Best validation IoU {entry.best_iou:.3f} at step {entry.best_step}")
    if entry.test_iou is not None:
        lines.append(f"Test IoU {entry.test_iou:.3f}")
    said = (*entry.warnings, *entry.refused, *entry.messages[-2:], entry.message)
    lines += [text for text in said if text]
    return "\n".join(dict.fromkeys(lines))


class RunDelegate(NameDelegate):
    """Two lines: key, name and best IoU; state, progress and time."""

    field_name = "Name of the run"
    longest = 80

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are as high."""
        return QSize(theme.px(200), theme.px(ROW_HEIGHT))

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Draw one run."""
        entry = index.data(ENTRY_ROLE)
        if entry is None:
            return
        now = theme.current()
        box = QRectF(option.rect).adjusted(4, 1, -4, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        if selected or option.state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(now.selected if selected else now.hover))
            painter.drawRoundedRect(box, 6, 6)
        has_keys = bool(option.state & QStyle.StateFlag.State_HasFocus) and bool(
            option.state & QStyle.StateFlag.State_KeyboardFocusChange
        )
        if has_keys:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(now.accent), 2))
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 6, 6)
        self._paint_words(painter, box, entry)
        painter.restore()

    def _paint_words(self, painter: QPainter, box: QRectF, entry: RunEntry) -> None:
        now = theme.current()
        ratio = painter.device().devicePixelRatioF()
        middle = Qt.AlignmentFlag.AlignVCenter
        paint_key(painter, QRectF(box.left() + 8, box.top() + 5, 20, 18), entry.colour_index)
        left, right = box.left() + 36, box.right() - 10
        if entry.best_iou is not None:
            painter.setFont(theme.font())
            painter.setPen(QColor(now.text))
            score = f"{entry.best_iou:.2f}"
            painter.drawText(
                QRectF(right - 44, box.top() + 4, 44, 20),
                middle | Qt.AlignmentFlag.AlignRight,
                score,
            )
        font = theme.font(strong=entry.is_active)
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        room = right - left - 48
        name = QFontMetrics(font).elidedText(entry.name, Qt.TextElideMode.ElideMiddle, int(room))
        painter.drawText(QRectF(left, box.top() + 4, room, 20), middle, name)
        x = left
        if entry.state in STATE_ICONS:
            picture, colour = STATE_ICONS[entry.state]
            place = QRect(round(x), round(box.top() + 24), 14, 14)
            painter.drawPixmap(place, icons.pixmap(picture, colour, 14, ratio))
            x += 18
        font = theme.font(theme.CAPTION_PX)
        painter.setFont(font)
        colours = {"failed": now.error, "lost": now.warning}
        painter.setPen(QColor(colours.get(entry.state, now.secondary)))
        words = QRectF(x, box.top() + 23, right - x, 16)
        text = QFontMetrics(font).elidedText(
            details_of(entry), Qt.TextElideMode.ElideRight, int(words.width())
        )
        painter.drawText(words, middle, text)
        if entry.is_active and entry.fraction is not None:
            self._paint_progress(painter, QRectF(left, box.bottom() - 4, right - left, 2), entry)

    def _paint_progress(self, painter: QPainter, place: QRectF, entry: RunEntry) -> None:
        now = theme.current()
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.line))
        painter.drawRoundedRect(place, 1, 1)
        done = QRectF(place)
        done.setWidth(place.width() * (entry.fraction or 0.0))
        painter.setBrush(QColor(now.accent if entry.state == "running" else now.control))
        painter.drawRoundedRect(done, 1, 1)

    def name_rect(self, row: QRect) -> QRect:
        """On the first line, behind the key."""
        return row.adjusted(34, 3, -8, -22)


class RunsList(QListView):
    """The list; the selection survives whatever happens to the runs.

    Signals
    -------
    chosen_changed()
        Other runs are selected.
    delete_pressed()
    """

    chosen_changed = Signal()
    delete_pressed = Signal()

    def __init__(self, runs: RunsModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.list_model = RunsListModel(runs, self)
        self._kept: list[str] = []
        self.setAccessibleName("Runs")
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(RunDelegate(self))
        self.setModel(self.list_model)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.list_model.modelAboutToBeReset.connect(self._keep)
        self.list_model.modelReset.connect(self._bring_back)
        self.selectionModel().selectionChanged.connect(self._on_selection)
        theme.watcher.changed.connect(self._on_theme_changed)

    def chosen(self) -> list[str]:
        """Ids of the selected runs, in the order of the list."""
        rows = sorted(index.row() for index in self.selectionModel().selectedIndexes())
        entries = (self.list_model.entry(self.list_model.index(row)) for row in rows)
        return [entry.run_id for entry in entries if entry is not None]

    def choose(self, run_ids: Sequence[str]) -> None:
        """Select runs."""
        selection = QItemSelection()
        for run_id in run_ids:
            row = self.list_model.row_of(run_id)
            if row >= 0:
                index = self.list_model.index(row)
                selection.select(index, index)
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().select(selection, flag.ClearAndSelect)
        if selection.indexes():
            first = selection.indexes()[0]
            self.selectionModel().setCurrentIndex(first, flag.NoUpdate)
            self.scrollTo(first)

    def rename_current(self) -> None:
        """Edit the name of the current run."""
        edit_name(self, self.currentIndex())

    def keyPressEvent(self, event: Any) -> None:
        """Delete asks for deletion; the rest is the list's."""
        if event.key() == Qt.Key.Key_Delete:
            self.delete_pressed.emit()
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Those who come by the keys are on a run, and see on which."""
        super().focusInEvent(event)
        if not self.currentIndex().isValid() and event.reason() != Qt.FocusReason.MouseFocusReason:
            first = self.list_model.index(0)
            self.selectionModel().setCurrentIndex(first, QItemSelectionModel.SelectionFlag.NoUpdate)

    def event(self, event: QEvent) -> bool:
        """Keys of the list that the window's shortcuts would take (Home, letters to search)."""
        return keeps_key(event) or super().event(event)

    def _on_selection(self) -> None:
        self.chosen_changed.emit()

    def _on_theme_changed(self) -> None:
        self.viewport().update()

    def _keep(self) -> None:
        self._kept = self.chosen()

    def _bring_back(self) -> None:
        self.choose(self._kept)
        if not self.chosen():
            self.chosen_changed.emit()
