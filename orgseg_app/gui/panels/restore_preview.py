"""One image now and in a backup: two pictures of the same place, and voxels by class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFontMetrics, QPainter, QPaintEvent, QPixmap
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QVBoxLayout, QWidget

from orgseg_app.core.classes import BACKGROUND, ClassInfo
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.pictures import byte_pixmap
from orgseg_app.gui.style.widgets import GAP, Caption, ElidedLabel, draw_rounded, label, set_tone

if TYPE_CHECKING:
    from orgseg_app.files.backups.differences import Difference, Preview

GAP_PX = 12
TITLE_PX = 22
LARGEST = 420
MOST_CLASSES = 10
FILL, BACKGROUND_FILL = 0.45, 0.18
"""How much of a class's colour lies over the picture; background is calmer, as on the canvas."""


def composed(
    picture: NDArray[np.uint8] | None, mask: NDArray[np.uint8], classes: Sequence[ClassInfo]
) -> NDArray[np.uint8]:
    """A picture with a mask over it, ``(h, w, 3)``; both are fitted to the larger one."""
    import cv2  # the start page needs none of this

    height, width = mask.shape
    if picture is None:
        base = np.full((height, width, 3), 40, np.uint8)
    else:
        height, width = max(height, picture.shape[0]), max(width, picture.shape[1])
        grey = picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=2)
        base = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR))
    ids = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST))
    tints = np.zeros((256, 3), np.float32)
    shares = np.full((256, 1), FILL, np.float32)
    shares[0] = 0
    tints[1:] = 255
    for kind in classes:
        colour = QColor(kind.colour)
        tints[kind.class_id] = colour.red(), colour.green(), colour.blue()
    shares[BACKGROUND] = BACKGROUND_FILL
    share = shares[ids]
    return np.asarray(base * (1 - share) + tints[ids] * share + 0.5).astype(np.uint8)


class PicturePair(QWidget):
    """Now on the left, the backup on the right."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._pictures = [QPixmap(), QPixmap()]
        self._words = ""
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        self.setAccessibleName("The image now, and in the backup")

    def heightForWidth(self, width: int) -> int:
        """Two squares beside each other, under their titles."""
        return min(LARGEST, (width - GAP_PX) // 2) + TITLE_PX

    def sizeHint(self) -> QSize:
        """Two squares."""
        return QSize(440, self.heightForWidth(440))

    def minimumSizeHint(self) -> QSize:
        """Small is still of use."""
        return QSize(260, 150)

    def show_pictures(self, now: QPixmap, then: QPixmap) -> None:
        """Show two pictures."""
        self._pictures, self._words = [now, then], ""
        self.update()

    def wait(self) -> None:
        """Leave the places empty until the pictures come."""
        self.show_pictures(QPixmap(), QPixmap())

    def say(self, words: str) -> None:
        """Say why there is nothing to see."""
        self._pictures, self._words = [QPixmap(), QPixmap()], words
        self.update()

    def has_pictures(self) -> bool:
        """True while pictures are shown."""
        return not self._pictures[0].isNull()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Titles, pictures, or words in their place."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self._words:
            painter.setFont(theme.font())
            painter.setPen(QColor(now.secondary))
            flags = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(self.rect().adjusted(24, 0, -24, 0), flags, self._words)
            return
        side = min((self.width() - GAP_PX) // 2, self.height() - TITLE_PX)
        painter.setFont(theme.font(theme.CAPTION_PX))
        metrics = QFontMetrics(painter.font())
        for number, title in enumerate(("Now", "In the backup")):
            left = number * (side + GAP_PX)
            painter.setPen(QColor(now.secondary))
            painter.drawText(left, metrics.ascent() + 2, title)
            place = QRectF(left, TITLE_PX, side, side)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(now.canvas))
            painter.drawRoundedRect(place, 6, 6)
            picture = self._pictures[number]
            if not picture.isNull():
                draw_rounded(painter, _fitted(place, picture), picture, 4)


def _fitted(place: QRectF, picture: QPixmap) -> QRectF:
    """The largest place of a picture's proportions inside another, in its middle."""
    scale = min(place.width() / picture.width(), place.height() / picture.height())
    width, height = picture.width() * scale, picture.height() * scale
    return QRectF(
        place.x() + (place.width() - width) / 2, place.y() + (place.height() - height) / 2,
        width, height,
    )  # fmt: skip


class ClassChanges(QWidget):
    """Voxels of each class now, in the backup, and what restoring would change."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(20)
        self._grid.setVerticalSpacing(3)
        self._grid.setColumnStretch(0, 1)

    def show_counts(
        self, now: Mapping[int, int], then: Mapping[int, int], classes: Sequence[ClassInfo]
    ) -> None:
        """Show the numbers of one image, or of all."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        rows = [c for c in classes if now.get(c.class_id) or then.get(c.class_id)]
        if not rows:
            return
        for column, title in enumerate(("Voxels", "now", "in the backup", "restoring")):
            self._add(0, column, title, "caption", "secondary")
        for row, kind in enumerate(rows[:MOST_CLASSES], 1):
            before, after = now.get(kind.class_id, 0), then.get(kind.class_id, 0)
            self._grid.addWidget(_ClassName(kind), row, 0)
            self._add(row, 1, f"{before:,}")
            self._add(row, 2, f"{after:,}")
            self._add(row, 3, signed(after - before), tone="" if after != before else "secondary")
        if len(rows) > MOST_CLASSES:
            self._add(len(rows) + 1, 0, f"and {len(rows) - MOST_CLASSES} more", "caption")

    def _add(self, row: int, column: int, text: str, role: str = "text", tone: str = "") -> None:
        words = label(text, role, tone=tone)
        if role == "text":
            words.setFont(theme.font())
        side = Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft
        self._grid.addWidget(words, row, column, side)


class _ClassName(QWidget):
    """A class's colour and name."""

    def __init__(self, kind: ClassInfo) -> None:
        super().__init__()
        self._colour = QColor(kind.colour)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 0, 0, 0)
        column.addWidget(ElidedLabel(kind.name))

    def paintEvent(self, event: QPaintEvent) -> None:
        """The patch before the name."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(theme.current().control))
        painter.setBrush(self._colour)
        painter.drawRoundedRect(QRectF(0.5, self.height() / 2 - 5.5, 11, 11), 3, 3)


def signed(number: int) -> str:
    """``"+1,234"``, ``"−56"``, ``"0"``."""
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number < 0 else "0"


class PreviewPane(QWidget):
    """Everything about one image of a backup."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = ElidedLabel()
        self.title.setProperty("role", "title")
        self.place = Caption()
        self.place.setWordWrap(True)
        self.pictures = PicturePair()
        self.changes = ClassChanges()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        for widget in (self.title, self.place, self.pictures, self.changes):
            column.addWidget(widget)
        column.addStretch(1)

    def show_image(self, difference: Difference, classes: Sequence[ClassInfo]) -> None:
        """Show an image whose pictures are still to come."""
        self.title.setText(difference.name)
        self.place.setText(difference.match.problem or "")
        set_tone(self.place, "warning" if difference.match.problem else "")
        self.pictures.wait()
        self.changes.show_counts(difference.now, difference.then, classes)

    def show_preview(self, preview: Preview, classes: Sequence[ClassInfo], depth: int) -> None:
        """Show its pictures."""
        now, then = (composed(preview.picture, m, classes) for m in (preview.now, preview.then))
        self.pictures.show_pictures(byte_pixmap(now), byte_pixmap(then))
        box = preview.box
        plane = f"Plane {box.z0 + 1}, " if depth > 1 else ""
        where = f"{plane}voxels y {box.y0}–{box.y1 - 1}, x {box.x0}–{box.x1 - 1}"
        if preview.changed:
            where = f"{preview.changed:,} voxels differ; most of them here: {where}"
        if not self.place.text() or self.place.property("tone") != "warning":
            self.place.setText(where[0].upper() + where[1:])

    def clear(self, words: str) -> None:
        """Say that there is nothing to show."""
        self.title.setText("")
        self.place.setText("")
        self.pictures.say(words)
        self.changes.show_counts({}, {}, ())
