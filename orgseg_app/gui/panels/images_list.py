"""The list of images: its model, and how a row is painted.

Thumbnails and painted shares are read only for rows that come into sight, a few at a time, so that
2,000 images scroll as well as ten.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QObject,
    QPointF,
    QRect,
    QRectF,
    QSize,
    QSizeF,
    Qt,
    QTimer,
)
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPen, QPixmap
from PySide6.QtWidgets import QStyleOptionViewItem

from orgseg_app.core.project import ProjectImage
from orgseg_app.gui.panels.name_delegate import Index, NameDelegate
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.pictures import byte_pixmap
from orgseg_app.gui.style.widgets import THIN_SPACE, draw_rounded, plain_tip, row_ground

LOG = logging.getLogger(__name__)

IMAGE_ROLE = Qt.ItemDataRole.UserRole
THUMBNAIL_ROLE = Qt.ItemDataRole.UserRole + 1
PAINTED_ROLE = Qt.ItemDataRole.UserRole + 2
LINK_ROLE = Qt.ItemDataRole.UserRole + 3

ROW_HEIGHT = 56
THUMBNAIL_SIDE = 40
SLICE_S = 0.008
KEPT_THUMBNAILS = 600

LINK_WORDS = {"missing": "file missing", "changed": "file changed"}
"""What is said of linked images, by the state of their file."""

LINK_TIPS = {
    "missing": "Its file “{name}” was not found; what was painted is safe",
    "changed": "Its file “{name}” has changed since it was linked; what was painted is safe",
}

AWAY_OPACITY = 0.45
PAINTED_DOTS = 7
MARK_SIDE = 16
"""Of the warning on the picture of an image whose file is away."""

SPLIT_WORDS = {"train": "training", "validation": "validation", "test": "test"}


class ImagesModel(QAbstractListModel):
    """Images of the session's project whose name contains a text, in the project's order."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._filter = ""
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._thumbnails: dict[str, QPixmap] = {}
        self._painted: dict[str, float | None] = {}
        self._wanted: dict[str, None] = {}
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._read_some)

    # -- what the view asks ----------------------------------------------------------------------

    def rowCount(self, parent: Index | None = None) -> int:
        """Images shown."""
        return 0 if parent is not None and parent.isValid() else len(self._ids)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, facts, thumbnail (None until read), painted share (None until known)."""
        image = self.image_at(index)
        if image is None:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return image.name
        if role == IMAGE_ROLE:
            return image
        if role == THUMBNAIL_ROLE:
            self._want(image.image_id)
            return self._thumbnails.get(image.image_id)
        if role == PAINTED_ROLE:
            self._want(image.image_id)
            return self._painted.get(image.image_id)
        if role == LINK_ROLE:
            return self._link_state(image)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            words = painted_words(self._painted.get(image.image_id))
            away = LINK_WORDS.get(self._link_state(image), "")
            return ", ".join(filter(None, (image.name, SPLIT_WORDS[image.split], words, away)))
        if role == Qt.ItemDataRole.ToolTipRole:
            painted = painted_tip(self._painted.get(image.image_id))
            return plain_tip(_tip(image, self._link_state(image), painted))
        return None

    def is_away(self, image: ProjectImage) -> bool:
        """True for a linked image whose file is known to be missing, or to have changed."""
        return self._link_state(image) in LINK_WORDS

    def _link_state(self, image: ProjectImage) -> str:
        file = self._session.file
        return file.links.last_state(image) if file is not None else ""

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Selectable; the name may be edited unless the project is read-only."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags if self._session.is_read_only else flags | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename an image."""
        image = self.image_at(index)
        name = str(value).strip()
        if image is None or not name or name == image.name:
            return False
        try:
            self._session.rename_image(image.image_id, name)
        except Exception as error:
            self._session.report_error(error)
            return False
        return True

    def image_at(self, index: Index) -> ProjectImage | None:
        """Facts of the image in a row."""
        project = self._session.project
        if project is None or not index.isValid() or index.row() >= len(self._ids):
            return None
        return project.images.get(self._ids[index.row()])

    def index_of(self, image_id: str) -> QModelIndex:
        """Where an image is shown; invalid when it is not."""
        row = self._rows.get(image_id)
        return self.index(row) if row is not None else QModelIndex()

    # -- keeping up ------------------------------------------------------------------------------

    def set_filter(self, text: str) -> None:
        """Show only images whose name, or split, contains a text."""
        self._filter = text.strip().casefold()
        self.refresh()

    def refresh(self) -> None:
        """Take over the images as they are now; keeps the rows when they are the same."""
        project = self._session.project
        images = list(project.images.values()) if project else []
        ids = [i.image_id for i in images if self._passes(i)]
        if ids == self._ids:
            if ids:
                self.dataChanged.emit(self.index(0), self.index(len(ids) - 1))
            return
        self.beginResetModel()
        self._ids = ids
        self._rows = {image_id: row for row, image_id in enumerate(ids)}
        self._wanted.clear()
        self.endResetModel()

    def forget(self) -> None:
        """Another project is open: nothing read so far belongs to it."""
        self._thumbnails.clear()
        self._painted.clear()
        self.beginResetModel()
        self._ids, self._rows = [], {}
        self._wanted.clear()
        self.endResetModel()

    def forget_painted(self, image_id: str) -> None:
        """A mask has changed."""
        if self._painted.pop(image_id, None) is not None:
            self._touch(image_id)

    def _passes(self, image: ProjectImage) -> bool:
        wanted = self._filter
        return wanted in image.name.casefold() or wanted == SPLIT_WORDS[image.split]

    # -- reading lazily --------------------------------------------------------------------------

    def _want(self, image_id: str) -> None:
        if image_id not in self._painted or image_id not in self._thumbnails:
            self._wanted.pop(image_id, None)
            self._wanted[image_id] = None  # the last asked for is in sight: it comes first
            if not self._timer.isActive():
                self._timer.start()

    def _read_some(self) -> None:
        until = time.perf_counter() + SLICE_S
        while self._wanted and time.perf_counter() < until:
            image_id, _ = self._wanted.popitem()
            self._read(image_id)
            self._touch(image_id)
        if not self._wanted:
            self._timer.stop()

    def _read(self, image_id: str) -> None:
        file = self._session.file
        if file is None or image_id not in file.project.images:
            return
        if image_id not in self._thumbnails:
            while len(self._thumbnails) >= KEPT_THUMBNAILS:
                self._thumbnails.pop(next(iter(self._thumbnails)))
            try:
                self._thumbnails[image_id] = byte_pixmap(file.thumbnail(image_id))
            except Exception:
                LOG.warning("no thumbnail of %s", image_id, exc_info=True)
                self._thumbnails[image_id] = QPixmap()
        try:
            depth, height, width = file.project.images[image_id].mask_shape
            counts = file.counts(image_id)
            self._painted[image_id] = sum(counts.values()) / (depth * height * width)
        except Exception:
            LOG.warning("no mask of %s", image_id, exc_info=True)
            self._painted[image_id] = None

    def _touch(self, image_id: str) -> None:
        index = self.index_of(image_id)
        if index.isValid():
            self.dataChanged.emit(index, index)


class ImageDelegate(NameDelegate):
    """Paints a row: thumbnail over a bar of what is painted, name, split mark with its word."""

    field_name = "Name of the image"

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are alike."""
        return QSize(theme.px(160), theme.px(ROW_HEIGHT))

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        image: ProjectImage | None = index.data(IMAGE_ROLE)
        if image is None:
            return
        area: QRect = option.rect  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(area.adjusted(4, 1, -4, -1))
        is_selected = row_ground(painter, option, ground)
        away = LINK_WORDS.get(index.data(LINK_ROLE), "")
        self._paint_thumbnail(painter, area, index.data(THUMBNAIL_ROLE), bool(away))
        left, width = area.left() + 60, area.width() - 60 - 12
        self._paint_name(painter, area, left, width, image.name, is_selected)
        painted = index.data(PAINTED_ROLE)
        share = "" if painted is None else percent(painted)  # the tool tip says it in words
        self._paint_facts(painter, area, left, width, image.split, away, share)
        if painted is not None:
            side = THUMBNAIL_SIDE
            top = area.top() + (area.height() + side) / 2 + 2
            paint_painted_bar(painter, QRectF(area.left() + 12, top, side, 3), painted)
        painter.restore()

    def _paint_thumbnail(
        self, painter: QPainter, area: QRect, picture: QPixmap | None, is_away: bool
    ) -> None:
        side = THUMBNAIL_SIDE
        place = QRectF(area.left() + 12, area.top() + (area.height() - side) / 2, side, side)
        if picture is None or picture.isNull():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.current().pressed))
            painter.drawRoundedRect(place, 4, 4)
        else:
            painter.setOpacity(AWAY_OPACITY if is_away else 1.0)
            draw_rounded(painter, place, picture, 4)
            painter.setOpacity(1.0)
        if is_away:
            ratio = painter.device().devicePixelRatioF()
            mark = icons.pixmap("warning", "warning", MARK_SIDE, ratio)
            corner = QPointF(place.right() - MARK_SIDE + 4, place.bottom() - MARK_SIDE + 4)
            ground = QRectF(corner, QSizeF(MARK_SIDE, MARK_SIDE)).adjusted(-1.5, -1.5, 1.5, 1.5)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.current().panel))
            painter.drawEllipse(ground)
            painter.drawPixmap(corner, mark)

    def _paint_name(
        self, painter: QPainter, area: QRect, left: int, width: int, name: str, strong: bool
    ) -> None:
        font = theme.font(strong=strong)
        metrics = QFontMetrics(font)
        painter.setFont(font)
        painter.setPen(QColor(theme.current().text))
        shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, width)
        painter.drawText(left, area.top() + 24, shown)

    def _paint_facts(
        self,
        painter: QPainter,
        area: QRect,
        left: int,
        width: int,
        split: str,
        away: str,
        share: str,
    ) -> None:
        """Split mark and word, painted share; the mark says enough where a file is away."""
        now = theme.current()
        centre = area.top() + 37
        paint_split_mark(painter, QRectF(left + 0.5, centre - 5, 10, 10), split)
        font = theme.font(theme.CAPTION_PX)
        painter.setFont(font)
        painter.setPen(QColor(now.warning if away else now.secondary))
        metrics = QFontMetrics(font)
        words = away or SPLIT_WORDS[split]
        line = QRect(left + 16, centre - 8, width - 16, 16)
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(line, flags | Qt.AlignmentFlag.AlignLeft, words)
        if metrics.horizontalAdvance(words + share) + 8 <= line.width():
            painter.setPen(QColor(now.secondary))
            painter.drawText(line, flags | Qt.AlignmentFlag.AlignRight, share)

    def name_rect(self, row: QRect) -> QRect:
        """Beside the thumbnail."""
        return QRect(row.left() + 55, row.top() + 7, row.width() - 63, 24)


def paint_split_mark(painter: QPainter, place: QRectF, split: str) -> None:
    """A disc for training, half a disc for validation, a circle for test."""
    colour = QColor(theme.current().secondary)
    ring = place.adjusted(0.75, 0.75, -0.75, -0.75)
    painter.setPen(QPen(colour, 1.5))
    painter.setBrush(colour if split == "train" else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(ring)
    if split == "validation":
        painter.setBrush(colour)
        painter.drawPie(ring, 90 * 16, 180 * 16)


def paint_painted_bar(painter: QPainter, place: QRectF, share: float) -> None:
    """How much is painted, at a glance: full and bright for all of it, dots for less.

    Sparse work is a row of dots, the painted ones brighter, and at least one where there is
    something; an image without paint has only a faint line.
    """
    now = theme.current()
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(now.accent if share >= 1 else now.line))
    if share >= 1 or share <= 0:
        painter.drawRoundedRect(place, 1.5, 1.5)
        return
    lit = min(max(1, round(share * PAINTED_DOTS)), PAINTED_DOTS - 1)
    pitch = (place.width() + 2) / PAINTED_DOTS
    for number in range(PAINTED_DOTS):
        painter.setBrush(QColor(now.accent if number < lit else now.line))
        dot = QRectF(place.left() + number * pitch, place.top(), pitch - 2, place.height())
        painter.drawRoundedRect(dot, 1, 1)


def painted_tip(share: float | None) -> str:
    """What the bar under a thumbnail says; "" while unknown."""
    if share is None:
        return ""
    if share <= 0:
        return "Nothing is painted"
    if share >= 1:
        return "Dense: every voxel has a class"
    return f"Sparse: {percent(share)} painted; the rest is unlabelled and teaches nothing"


def painted_words(share: float | None) -> str:
    """How much of an image is painted, in as few words as possible; "" while unknown."""
    if share is None:
        return ""
    if share <= 0:
        return "not painted"
    return "painted" if share > 0.9995 else percent(share)


def percent(share: float) -> str:
    """A fraction as a percentage: two figures where it is small or nearly all.

    Never 0 for something, nor 100 for less than all.

    >>> [percent(n).replace(THIN_SPACE, "") for n in (0, 1e-5, 0.012, 0.4, 0.997, 0.99999, 1)]
    ['0%', '<0.1%', '1.2%', '40%', '99.7%', '>99.9%', '100%']
    """
    value = 100 * share
    if share <= 0 or 9.95 <= value < 99.5 or share >= 1:
        text = f"{value:.0f}"
    elif value < 0.1:
        text = f"<{THIN_SPACE}0.1"
    elif value >= 99.95:
        text = f">{THIN_SPACE}99.9"
    else:
        text = f"{value:.1f}"
    return f"{text}{THIN_SPACE}%"


def _tip(image: ProjectImage, link_state: str, painted: str) -> str:
    sizes = " × ".join(str(s) for s in image.short_shape)
    lines = [image.name, f"{sizes} voxels ({image.axes}), {image.dtype}"]
    if image.pixel_size_um is not None:
        _, y, x = image.pixel_size_um
        lines.append(f"{y:.4g} × {x:.4g} µm a pixel")
    if painted:
        lines.append(painted)
    if image.source and image.source != image.name:
        lines.append(f"from {image.source}")
    if image.note:
        lines.append(image.note)
    if image.link is not None:
        lines.append(LINK_TIPS.get(link_state, "Linked to {name}").format(name=image.link.name))
    return "\n".join(lines)
