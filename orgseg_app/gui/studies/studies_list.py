"""The studies of the project: newest first, state, progress and time left at a glance."""

from __future__ import annotations

import time
from typing import Any

from PySide6.QtCore import QModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFontMetrics, QPainter
from PySide6.QtWidgets import QListView, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from orgseg_app.gui.panels.name_delegate import Index
from orgseg_app.gui.runs.jobs_list import JobsListModel
from orgseg_app.gui.studies.studies_model import StudiesModel
from orgseg_app.gui.studies.study_facts import STATE_ICONS, StudyFacts
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import plain_tip, row_ground

FACTS_ROLE = Qt.ItemDataRole.UserRole
ROW_HEIGHT = 56


class StudiesListModel(JobsListModel[StudyFacts]):
    """The newest study first."""

    def __init__(self, studies: StudiesModel, parent: QWidget | None = None) -> None:
        super().__init__(studies, parent)
        self.studies = studies
        studies.studies_changed.connect(self.reload)
        studies.study_changed.connect(self.tell_changed)
        self.reload()

    def reload(self) -> None:
        """Take the studies anew."""
        self.show_ids([study.study_id for study in reversed(self.studies.all())])

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, words, and the study itself."""
        study = self.entry(index)
        if study is None:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return study.name
        if role == FACTS_ROLE:
            return study
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{study.name}, {study.words(time.time())}"
        if role == Qt.ItemDataRole.ToolTipRole:
            lines = [study.name, study.words(time.time()), study.folder.study.question]
            return plain_tip("\n".join(line for line in [*lines, study.message] if line))
        return None


class _StudyDelegate(QStyledItemDelegate):
    """Name; state in words; how far it is, as a line."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(theme.px(180), theme.px(ROW_HEIGHT))

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        study = index.data(FACTS_ROLE)
        if study is None:
            return
        now = theme.current()
        box = QRectF(option.rect).adjusted(4, 1, -4, -1)  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        row_ground(painter, option, box)
        left, width = box.left() + 12, box.width() - 24
        middle = Qt.AlignmentFlag.AlignVCenter
        font = theme.font(strong=study.is_active)
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        mode = Qt.TextElideMode.ElideRight
        name = QFontMetrics(font).elidedText(study.name, mode, int(width))
        painter.drawText(QRectF(left, box.top() + 5, width, 20), middle, name)
        picture, colour = STATE_ICONS[study.state]
        ratio = painter.device().devicePixelRatioF()
        place = QRect(round(left), round(box.top() + 27), 14, 14)
        painter.drawPixmap(place, icons.pixmap(picture, colour, 14, ratio))
        small = theme.font(theme.CAPTION_PX)
        painter.setFont(small)
        painter.setPen(QColor(now.secondary))
        words = QFontMetrics(small).elidedText(study.words(time.time()), mode, int(width - 18))
        painter.drawText(QRectF(left + 18, box.top() + 25, width - 18, 18), middle, words)
        if study.is_active or study.finished < study.total:
            share = study.finished / max(1, study.total)
            painter.fillRect(QRectF(left, box.bottom() - 7, width, 3), QColor(now.line))
            token = now.accent if study.is_active else now.control
            painter.fillRect(QRectF(left, box.bottom() - 7, width * share, 3), QColor(token))
        painter.restore()


class StudiesList(QListView):
    """The list; the newest study is chosen until a person chooses.

    Signals
    -------
    chosen(study_id)
        "" where there is none.
    """

    chosen = Signal(str)

    def __init__(self, studies: StudiesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows = StudiesListModel(studies, self)
        self.setModel(self.rows)
        self.setItemDelegate(_StudyDelegate(self))
        self.setMouseTracking(True)
        self.setAccessibleName("Studies of the project")
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self._wanted = ""
        self.rows.modelReset.connect(self._choose_again)
        self.selectionModel().currentChanged.connect(self._on_current)
        self._choose_again()

    def current_study(self) -> StudyFacts | None:
        """The study that is chosen."""
        return self.rows.entry(self.currentIndex())

    def choose(self, study_id: str) -> None:
        """Choose a study, now or when it comes."""
        self._wanted = study_id
        self._choose_again()

    def _choose_again(self) -> None:
        row = self.rows.row_of(self._wanted)
        if row < 0 and self.rows.rowCount():
            row = 0
        self.setCurrentIndex(self.rows.index(row) if row >= 0 else QModelIndex())
        if row < 0:
            self.chosen.emit("")

    def _on_current(self, index: Index, before: Index) -> None:
        study = self.rows.entry(index)
        if study is not None:
            self._wanted = study.study_id
        self.chosen.emit(study.study_id if study is not None else "")
