"""Cards one chooses from: a picture, a title, a line or two of words."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QRect, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QEnterEvent,
    QFont,
    QFontMetrics,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import draw_rounded, focus_ring

PADDING = 8


class Card(QAbstractButton):
    """A button with room for a picture and an explanation.

    Parameters
    ----------
    title, text
        What it is; what that means. Both are elided, and whole in the tooltip.
    picture_size
        Room for the picture; in a tall card it is above the words, in a wide one beside them.
    icon_name
        Stands in the picture's place until there is a picture.
    checkable
        A card that is chosen or not shows a mark in its corner.
    tall
        Picture above the words.
    text_lines
        Lines kept for ``text``, whatever it holds, so that cards beside each other align.
    """

    def __init__(
        self,
        title: str,
        text: str = "",
        *,
        picture_size: tuple[int, int] = (0, 0),
        icon_name: str = "",
        checkable: bool = False,
        tall: bool = False,
        text_lines: int = 1,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._words = text
        self._picture = QPixmap()
        self._picture_size = QSize(*picture_size)
        self._icon_name = icon_name
        self._tall = tall
        self._text_lines = text_lines if text else 0
        self._elide = Qt.TextElideMode.ElideRight
        self.setText(title)
        self.setCheckable(checkable)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        policy = QSizePolicy.Policy.Fixed if tall else QSizePolicy.Policy.Expanding
        self.setSizePolicy(policy, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(title)
        self.setAccessibleDescription(text)

    def set_words(self, text: str) -> None:
        """Replace the explanation."""
        self._words = text
        self._text_lines = max(self._text_lines, 1 if text else 0)
        self.setAccessibleDescription(text)
        self.updateGeometry()
        self.update()

    def words(self) -> str:
        """The explanation."""
        return self._words

    def elide_middle(self) -> None:
        """Cut a one-line explanation in its middle, as suits a path."""
        self._elide = Qt.TextElideMode.ElideMiddle

    def set_picture(self, picture: QPixmap) -> None:
        """Show a picture in place of the icon."""
        self._picture = picture
        self.update()

    def has_picture(self) -> bool:
        """True once there is a picture."""
        return not self._picture.isNull()

    def sizeHint(self) -> QSize:
        """Room for picture and words."""
        title = QFontMetrics(self._title_font()).height()
        words = self._text_lines * QFontMetrics(theme.font(theme.CAPTION_PX)).lineSpacing()
        block = title + (2 + words if words else 0)
        picture = self._picture_size
        if self._tall:
            return QSize(picture.width() + 2, picture.height() + block + 2 * PADDING + 2)
        return QSize(picture.width() + 160, max(picture.height(), block) + 2 * PADDING + 2)

    def minimumSizeHint(self) -> QSize:
        """Narrower is fine for a wide card: its words are cut."""
        hint = self.sizeHint()
        return hint if self._tall else QSize(min(hint.width(), 120), hint.height())

    def _title_font(self) -> QFont:
        return theme.font(theme.TEXT_PX, strong=True)

    # -- painting --------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground, picture, words, mark."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = self.isCheckable() and self.isChecked()
        ground = now.selected if chosen else now.panel
        if self.isEnabled() and not chosen and (self.underMouse() or self.isDown()):
            ground = now.pressed if self.isDown() else now.hover
        painter.setBrush(QColor(ground))
        painter.setPen(QPen(QColor(now.accent if chosen else now.line), 1))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 6, 6)
        self._paint_picture(painter)
        self._paint_words(painter)
        if chosen:
            self._paint_mark(painter)
        if self.hasFocus():
            focus_ring(painter, QRectF(self.rect()))

    def _picture_rect(self) -> QRect:
        size = self._picture_size
        if self._tall:
            return QRect(1, 1, self.width() - 2, size.height())
        return QRect(PADDING, (self.height() - size.height()) // 2, size.width(), size.height())

    def _paint_picture(self, painter: QPainter) -> None:
        place = self._picture_rect()
        if place.isEmpty():
            return
        if self.has_picture():
            draw_rounded(painter, QRectF(place), self._picture, 5 if self._tall else 4)
            return
        now = theme.current()
        if self._tall:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(now.window))
            painter.drawRoundedRect(QRectF(place), 5, 5)
        if self._icon_name:
            side = min(24 if self._tall else icons.SIZE, place.height())
            picture = icons.pixmap(self._icon_name, "secondary", side, self.devicePixelRatio())
            centre = place.center()
            painter.drawPixmap(centre.x() - side // 2 + 1, centre.y() - side // 2 + 1, picture)

    def _paint_words(self, painter: QPainter) -> None:
        now = theme.current()
        place = self._picture_rect()
        size = self._picture_size
        if self._tall:
            area = self.rect().adjusted(
                PADDING + 2, size.height() + PADDING, -PADDING - 2, -PADDING
            )
        else:
            left = place.right() + 1 + PADDING + 4 if size.width() else PADDING + 4
            right = 28 if self.isCheckable() else PADDING + 2
            area = QRect(left, PADDING, self.width() - left - right, self.height() - 2 * PADDING)
        title_font, text_font = self._title_font(), theme.font(theme.CAPTION_PX)
        title_metrics, metrics = QFontMetrics(title_font), QFontMetrics(text_font)
        lines = self._wrapped(metrics, area.width())
        block = title_metrics.height() + (2 + len(lines) * metrics.lineSpacing() if lines else 0)
        top = area.top() if self._tall else area.top() + max(0, (area.height() - block) // 2)
        painter.setPen(QColor(now.text if self.isEnabled() else now.disabled))
        painter.setFont(title_font)
        title = title_metrics.elidedText(self.text(), Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area.left(), top + title_metrics.ascent(), title)
        painter.setPen(QColor(now.secondary if self.isEnabled() else now.disabled))
        painter.setFont(text_font)
        y = top + title_metrics.height() + 2 + metrics.ascent()
        for line in lines:
            painter.drawText(area.left(), y, line)
            y += metrics.lineSpacing()
        cut = title != self.text() or (bool(lines) and lines[-1].endswith("…"))
        tip = f"{self.text()}\n{self._words}" if cut and not self.toolTip() else ""
        if tip:
            self.setToolTip(tip)

    def _wrapped(self, metrics: QFontMetrics, width: int) -> list[str]:
        """The explanation in at most ``text_lines`` lines, the last one elided."""
        if not self._words or not self._text_lines:
            return []
        if self._text_lines == 1:
            return [metrics.elidedText(self._words, self._elide, width)]
        lines: list[str] = []
        words = self._words.split()
        while words and len(lines) < self._text_lines - 1:
            line = words.pop(0)
            while words and metrics.horizontalAdvance(f"{line} {words[0]}") <= width:
                line = f"{line} {words.pop(0)}"
            # Qt's own measure of what fits is a hair stricter, and would cut a line that does.
            fits = metrics.horizontalAdvance(line) <= width
            lines.append(line if fits else metrics.elidedText(line, self._elide, width))
        if words:
            lines.append(metrics.elidedText(" ".join(words), self._elide, width))
        return lines

    def _paint_mark(self, painter: QPainter) -> None:
        now = theme.current()
        side = 16
        y = PADDING if self._tall else (self.height() - side) // 2
        place = QRectF(self.width() - side - PADDING, y, side, side)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.accent))
        painter.drawEllipse(place)
        mark = icons.pixmap("check", "on_accent", 12, self.devicePixelRatio())
        painter.drawPixmap(round(place.x()) + 2, round(place.y()) + 2, mark)

    def enterEvent(self, event: QEnterEvent) -> None:
        """Show that it can be pressed."""
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        """Back to rest."""
        super().leaveEvent(event)
        self.update()
