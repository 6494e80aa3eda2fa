"""The list of test images: small pictures of what runs disagree on, and the scores of two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QPointF,
    QRectF,
    QSizeF,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QFontMetricsF,
    QGuiApplication,
    QImage,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPixmap,
)
from PySide6.QtWidgets import (
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from orgseg_app.gui.comparing.disagreements import ImageFacts
from orgseg_app.gui.comparing.image_scores import (
    COLUMNS,
    DIFFERENCE,
    DIFFERENCE_ROLE,
    DOWN,
    ID_ROLE,
    IMAGE,
    SCORE_A,
    SCORE_B,
    UP,
    ImageScoresModel,
)
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_model import next_order
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.tables import draw_ground, make_rows
from orgseg_app.gui.style.widgets import draw_rounded

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 48
PICTURE = 40
"""Side of an image's picture in the list, in device-independent pixels."""
PICTURES_KEPT = 400
WIDTHS = {SCORE_A: 58, SCORE_B: 58, DIFFERENCE: 88}


class PictureDelegate(QStyledItemDelegate):
    """The image small, with what is disputed on it; its name, and how many voxels that is."""

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pictures: dict[str, tuple[NDArray[np.uint8], QPixmap]] = {}

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Ground, picture, two lines."""
        model = index.model()
        if not isinstance(model, ImageScoresModel):
            return
        draw_ground(self, painter, option, index)
        image_id = str(index.data(ID_ROLE))
        place = QRectF(option.rect).adjusted(4, 0, -4, 0)
        picture = QRectF(place.left(), place.center().y() - PICTURE / 2 + 0.5, PICTURE, PICTURE)
        painter.save()
        self._paint_picture(painter, picture, self._picture(image_id, model.facts_of(image_id)))
        now = theme.current()
        words = model.voxel_words(image_id)
        text = place.adjusted(PICTURE + 8, 5, 0, -5)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        font = theme.font()
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        upper = QRectF(text.left(), text.top(), text.width(), text.height() / (2 if words else 1))
        name = QFontMetricsF(font).elidedText(
            model.text(image_id, IMAGE), Qt.TextElideMode.ElideMiddle, upper.width()
        )
        painter.drawText(upper, middle, name)
        if words:
            small = theme.font(theme.CAPTION_PX)
            painter.setFont(small)
            painter.setPen(QColor(now.secondary))
            lower = upper.translated(0, upper.height())
            shown = QFontMetricsF(small).elidedText(
                words, Qt.TextElideMode.ElideRight, lower.width()
            )
            painter.drawText(lower, middle, shown)
        painter.restore()

    def _picture(self, image_id: str, facts: ImageFacts | None) -> QPixmap | None:
        """The picture of an image, made once."""
        if facts is None or facts.thumbnail is None:
            return None
        pixels, kept = facts.thumbnail, self._pictures.get(image_id)
        if kept is None or kept[0] is not pixels:
            height, width = pixels.shape[:2]
            kind = QImage.Format.Format_RGB32
            image = QImage(pixels.data, width, height, pixels.strides[0], kind)
            if len(self._pictures) > PICTURES_KEPT:
                self._pictures.clear()
            kept = self._pictures[image_id] = pixels, QPixmap.fromImage(image)
        return kept[1]

    @staticmethod
    def _paint_picture(painter: QPainter, place: QRectF, picture: QPixmap | None) -> None:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.current().canvas))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(place, 4, 4)
        if picture is None:
            return
        share = min(place.width() / picture.width(), place.height() / picture.height())
        shown = QRectF(QPointF(), QSizeF(picture.width() * share, picture.height() * share))
        shown.moveCenter(place.center())
        draw_rounded(painter, shown, picture)

    def forget(self) -> None:
        """Other pictures will be shown."""
        self._pictures.clear()


class DifferenceDelegate(QStyledItemDelegate):
    """The number, and behind it a bar from the middle: to the right where A is better."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Bar, then the cell's number."""
        super().paint(painter, option, index)
        difference = index.data(DIFFERENCE_ROLE)
        if difference is None:
            return
        now = theme.current()
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, width = option.rect.left() + 6.0, 24.0
        middle = left + width / 2
        y = option.rect.center().y() - 2.0
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.line))
        painter.drawRect(QRectF(middle - 0.5, y - 3, 1, 11))
        length = max(-1.0, min(1.0, difference * 4)) * width / 2
        painter.setBrush(QColor(now.secondary))
        painter.drawRoundedRect(QRectF(middle, y, length, 5).normalized(), 1.5, 1.5)
        painter.restore()


class ImageScoresTable(QTableView):
    """The list of test images.

    Signals
    -------
    image_chosen(image_id)
        Another row is current.
    opened(image_id)
        By a double click, or Enter.
    sorting_changed()
    """

    image_chosen = Signal(str)
    opened = Signal(str)
    sorting_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.scores = ImageScoresModel(self)
        self._chosen = ""
        self.setModel(self.scores)
        make_rows(self, "Test images", height=ROW_HEIGHT, several=False)
        self.setStyleSheet("QTableView::item { padding: 0 5px; }")  # in line with the titles
        self._pictures = PictureDelegate(self)
        self.setItemDelegateForColumn(IMAGE, self._pictures)
        self.setItemDelegateForColumn(DIFFERENCE, DifferenceDelegate(self))
        self.doubleClicked.connect(lambda index: self.opened.emit(str(index.data(ID_ROLE))))
        header = self.horizontalHeader()
        header.setMinimumSectionSize(theme.px(44))
        header.setSectionsClickable(True)
        header.sectionClicked.connect(self._on_title_clicked)
        self.selectionModel().currentRowChanged.connect(self._on_current_changed)

    def set_runs(
        self, images: dict[str, str], a: ResultRow | None, b: ResultRow | None, class_name: str
    ) -> None:
        """Show these; the chosen image stays, or the first becomes it."""
        kept = self._chosen
        self._pictures.forget()
        self.scores.set_runs(images, a, b, class_name)
        header = self.horizontalHeader()
        for column in range(self.scores.columnCount()):
            stretch = column == IMAGE
            header.setSectionResizeMode(
                column,
                QHeaderView.ResizeMode.Stretch if stretch else QHeaderView.ResizeMode.Fixed,
            )
            if not stretch:
                self.setColumnWidth(column, theme.px(WIDTHS[column]))
        ids = self.scores.image_ids
        self.choose(kept if kept in ids else ids[0] if ids else "")

    @property
    def chosen(self) -> str:
        """Id of the image shown, or ""."""
        return self._chosen

    def choose(self, image_id: str) -> None:
        """Show an image."""
        ids = self.scores.image_ids
        if image_id not in ids:
            self._chosen = ""
            return
        index = self.scores.index(ids.index(image_id), 0)
        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().setCurrentIndex(index, flag.ClearAndSelect | flag.Rows)
        self.scrollTo(index)

    def sort_by(self, by: str, order: Qt.SortOrder) -> None:
        """Sort, the chosen image in sight."""
        self.scores.sort_by(by, order)
        self.scrollTo(self.currentIndex())
        self.sorting_changed.emit()

    def _on_title_clicked(self, column: int) -> None:
        by, order = self.scores.sorted_by
        shown = COLUMNS.get(by, -1)
        self.scores.sort(
            column, next_order((shown, order), column, DOWN if column == DIFFERENCE else UP)
        )
        self.sorting_changed.emit()

    def seen(self) -> list[str]:
        """Ids of the images in sight."""
        ids, room = self.scores.image_ids, self.viewport().height()
        first = max(0, self.rowAt(0))
        last = self.rowAt(room - 1)
        return ids[first : (last + 1 if last >= 0 else len(ids))]

    def _on_current_changed(self, index: QModelIndex, before: QModelIndex) -> None:
        ids = self.scores.image_ids
        if index.isValid() and index.row() < len(ids) and ids[index.row()] != self._chosen:
            self._chosen = ids[index.row()]
            self.image_chosen.emit(self._chosen)

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take: Home, End, Page up, Page down."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy takes the whole list as tab-separated text; Enter opens the image."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.scores.as_tsv())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self._chosen:
            self.opened.emit(self._chosen)
        else:
            super().keyPressEvent(event)
