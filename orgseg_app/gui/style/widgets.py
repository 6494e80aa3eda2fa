"""Small widgets the panels are made of: labels, buttons, empty places, cards, sections.

All of them show plain text only, carry an accessible name, and take their colours from the theme.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6 import QtGui
from PySide6.QtCore import QEvent, QModelIndex, QObject, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QPainter,
    QPainterPath,
    QPaintEvent,
    QPen,
    QPixmap,
    QResizeEvent,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QStyle,
    QStyleOptionViewItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.style import icons, theme

GAP, GROUP, EDGE = 8, 16, 24
"""Spacing inside a group, between groups, at page edges."""

THIN_SPACE = "\u2009"


def label(text: str = "", role: str = "text", *, tone: str = "", wrap: bool = False) -> QLabel:
    """A plain-text label in one of the theme's roles and tones."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    made.setProperty("role", role)
    if tone:
        made.setProperty("tone", tone)
    return made


def set_tone(widget: QWidget, tone: str) -> None:
    """Colour a label as "secondary", "success", "warning", "error", or "" for ordinary."""
    if (widget.property("tone") or "") != tone:
        widget.setProperty("tone", tone)
        theme.restyle(widget)


class SectionTitle(QLabel):
    """The heading of a section."""

    def __init__(self, text: str, parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("role", "title")


class Caption(QLabel):
    """Small secondary words; wraps."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setProperty("role", "caption")


class ElidedLabel(QLabel):
    """One line that ends in … where it does not fit; the tooltip then says the whole."""

    def __init__(
        self,
        text: str = "",
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._whole = ""
        self._mode = mode
        self.setText(text)

    def setText(self, text: str) -> None:
        """Show a text."""
        self._whole = " ".join(text.split())
        self.setAccessibleName(self._whole)
        self._elide()
        self.updateGeometry()

    def whole_text(self) -> str:
        """The text as it was given, on one line."""
        return self._whole

    def sizeHint(self) -> QSize:
        """Wide enough for the whole text."""
        metrics = self.fontMetrics()
        return QSize(metrics.horizontalAdvance(self._whole) + 2, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        """Wide enough for a letter and the dots."""
        return QSize(self.fontMetrics().horizontalAdvance("M…"), self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Cut the text anew."""
        super().resizeEvent(event)
        self._elide()

    def changeEvent(self, event: QEvent) -> None:
        """Cut the text anew when the font changes."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._elide()

    def _elide(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, self._mode, max(0, self.width()))
        if shown != self.text():
            super().setText(shown)
        self.setToolTip(plain_tip(self._whole) if shown != self._whole else "")


def plain_tip(text: str) -> str:
    """A tooltip that shows a text literally, whatever characters it holds."""
    if QtGui.Qt.mightBeRichText(text):
        import html

        return f"<span>{html.escape(text)}</span>"
    return text


class PrimaryButton(QPushButton):
    """The one thing to do next on a page."""

    def __init__(self, text: str, icon_name: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setProperty("look", "primary")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if icon_name:
            self.setIcon(icons.icon(icon_name, "on_accent"))
            self.setIconSize(icons.BESIDE_WORDS)


class SecondaryButton(QPushButton):
    """Another thing one may do; ``quiet`` leaves out the outline."""

    def __init__(
        self, text: str, icon_name: str = "", *, quiet: bool = False, parent: QWidget | None = None
    ) -> None:
        super().__init__(text, parent)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if quiet:
            self.setProperty("look", "quiet")
        if icon_name:
            self.setIcon(icons.icon(icon_name))
            self.setIconSize(icons.BESIDE_WORDS)


def foot_of(*buttons: QPushButton) -> QHBoxLayout:
    """The last row of a dialog: its buttons, on the right."""
    foot = QHBoxLayout()
    foot.setSpacing(GAP)
    foot.addStretch(1)
    for button in buttons:
        foot.addWidget(button)
    return foot


class IconButton(QToolButton):
    """A button that is only an icon; its tooltip says what it does and the shortcut."""

    def __init__(
        self,
        icon_name: str,
        name: str,
        *,
        shortcut: str = "",
        checkable: bool = False,
        colour: str | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._shortcut = shortcut
        self.setIconSize(QSize(icons.SIZE, icons.SIZE))
        self.setCheckable(checkable)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.describe(icon_name, name, colour)

    def describe(self, icon_name: str, name: str, colour: str | None = None) -> None:
        """Give it another icon and another meaning."""
        self._name = name
        self.setIcon(icons.icon(icon_name, colour))
        self.setAccessibleName(name)
        self.set_shortcut(self._shortcut)

    def set_shortcut(self, shortcut: str) -> None:
        """Tell another key in the tooltip; "" for none."""
        self._shortcut = shortcut
        self.setToolTip(f"{self._name} ({shortcut})" if shortcut else self._name)


class Separator(QFrame):
    """A line of one pixel."""

    def __init__(self, *, vertical: bool = False, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setProperty("look", "line")
        if vertical:
            self.setFixedWidth(1)
        else:
            self.setFixedHeight(1)


class EmptyState(QWidget):
    """What belongs in an empty place, and the one action that fills it."""

    def __init__(
        self,
        text: str,
        action_text: str = "",
        callback: Callable[[], None] | None = None,
        *,
        icon_name: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.words = label(text, tone="secondary", wrap=True)
        self.words.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = self._column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, EDGE, GROUP, EDGE)
        column.setSpacing(12)
        column.addStretch(2)
        self._icon = IconPicture(icon_name or "info", 32)
        self._has_icon = bool(icon_name)
        self._icon.setVisible(self._has_icon)
        column.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addWidget(self.words)
        self.button = SecondaryButton(action_text)
        self.button.setVisible(bool(action_text))
        if callback is not None:
            self.button.clicked.connect(lambda: callback())
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(3)

    def set_text(self, text: str) -> None:
        """Say something else."""
        self.words.setText(text)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """In little room the words come first."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        words = self.words.heightForWidth(max(1, self.width() - 2 * GROUP))
        button = 0 if self.button.isHidden() else self.button.sizeHint().height() + 12
        spare = self.height() - words - button
        self._icon.setVisible(self._has_icon and spare >= 2 * EDGE + 44)
        edge = max(0, min(EDGE, spare // 2))
        self._column.setContentsMargins(GROUP, edge, GROUP, edge)


class IconPicture(QWidget):
    """An icon shown as a picture, in a token's colour."""

    def __init__(
        self,
        name: str,
        side: int = icons.SIZE,
        colour: str = "secondary",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._name = name
        self._colour = colour
        self.setFixedSize(side, side)

    def set_icon(self, name: str, colour: str = "secondary") -> None:
        """Show another icon."""
        self._name, self._colour = name, colour
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the icon at the screen's resolution."""
        picture = icons.pixmap(self._name, self._colour, self.width(), self.devicePixelRatio())
        QPainter(self).drawPixmap(0, 0, picture)


class Section(QWidget):
    """A titled part of a side panel that folds away."""

    toggled = Signal(bool)

    def __init__(
        self,
        title: str,
        content: QWidget,
        *,
        expanded: bool = True,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.content = content
        self.header = _SectionHeader(title)
        self.header.setChecked(expanded)
        self.header.toggled.connect(self._on_toggled)
        self.extras = QHBoxLayout()
        self.extras.setSpacing(0)
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.setSpacing(4)
        top.addWidget(self.header, 1)
        top.addLayout(self.extras)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(content)
        content.setVisible(expanded)

    def add_extra(self, widget: QWidget) -> None:
        """Put a small control at the right end of the heading."""
        self.extras.addWidget(widget)

    def _on_toggled(self, expanded: bool) -> None:
        self.content.setVisible(expanded)
        self.toggled.emit(expanded)


class _SectionHeader(QAbstractButton):
    """Chevron and title."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setText(title)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.hold(self, height=28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Fold or unfold")

    def sizeHint(self) -> QSize:
        metrics = QFontMetrics(theme.font(theme.TITLE_PX, strong=True))
        return QSize(metrics.horizontalAdvance(self.text()) + 26, theme.px(28))

    def paintEvent(self, event: QPaintEvent) -> None:
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.hasFocus():
            focus_ring(painter, QRectF(self.rect()), 4)
        font = theme.font(theme.TITLE_PX, strong=True)
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignVCenter, self.text())
        name = "chevron-down" if self.isChecked() else "chevron-right"
        colour = "text" if self.underMouse() else "secondary"
        left = QFontMetrics(font).horizontalAdvance(self.text()) + 6
        top = (self.height() - 16) // 2 + 1
        painter.drawPixmap(left, top, icons.pixmap(name, colour, 16, self.devicePixelRatio()))

    def enterEvent(self, event: QEvent) -> None:  # type: ignore[override]
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self.update()


class ScrollColumn(QScrollArea):
    """A column that scrolls up and down only, on the panel's ground."""

    def __init__(self, content: QWidget, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._content = content
        content.setProperty("surface", "clear")
        self.setWidget(content)
        self.viewport().setAutoFillBackground(False)
        content.setAutoFillBackground(False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """What is inside, which Qt has watched already, may need more room than it did."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def minimumSizeHint(self) -> QSize:
        """Never narrower than what is inside: it could not be reached."""
        bar = self.verticalScrollBar().sizeHint().width()
        return QSize(self._content.minimumSizeHint().width() + bar, 96)


class PageStack(QStackedWidget):
    """Pages of which one is shown; it is as small as that one, not as the largest."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.currentChanged.connect(lambda _: self.updateGeometry())

    def sizeHint(self) -> QSize:
        """That of the page shown."""
        page = self.currentWidget()
        return page.sizeHint() if page is not None else super().sizeHint()

    def minimumSizeHint(self) -> QSize:
        """That of the page shown."""
        page = self.currentWidget()
        return page.minimumSizeHint() if page is not None else super().minimumSizeHint()


def focus_ring(painter: QPainter, rect: QRectF, radius: float = 6) -> None:
    """Show that the keyboard is here."""
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(theme.current().accent), 2))
    painter.drawRoundedRect(rect.adjusted(1, 1, -1, -1), radius, radius)


def row_ground(painter: QPainter, option: QStyleOptionViewItem, ground: QRectF) -> bool:
    """Paint what lies behind a row of a list: chosen, hovered, keyboard; whether it is chosen."""
    now = theme.current()
    state = option.state  # type: ignore[attr-defined]
    is_selected = bool(state & QStyle.StateFlag.State_Selected)
    if is_selected or state & QStyle.StateFlag.State_MouseOver:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(now.selected if is_selected else now.hover))
        painter.drawRoundedRect(ground, 6, 6)
    if state & QStyle.StateFlag.State_HasFocus:
        focus_ring(painter, ground)
    return is_selected


def draw_rounded(painter: QPainter, rect: QRectF, picture: QPixmap, radius: float = 4) -> None:
    """Draw the middle of a picture so that it fills a rectangle with round corners."""
    if picture.isNull() or rect.isEmpty():
        return
    painter.save()
    path = QPainterPath()
    path.addRoundedRect(rect, radius, radius)
    painter.setClipPath(path)
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    width, height = picture.width(), picture.height()
    scale = min(width / rect.width(), height / rect.height())
    side_x, side_y = rect.width() * scale, rect.height() * scale
    source = QRectF((width - side_x) / 2, (height - side_y) / 2, side_x, side_y)
    painter.drawPixmap(rect, picture, source)
    painter.restore()


def surface(widget: QWidget, kind: str = "panel") -> None:
    """Give a plain widget one of the style sheet's grounds."""
    widget.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
    widget.setProperty("surface", kind)


def text_rect(metrics: QFontMetrics, text: str, width: int) -> QRect:
    """Room that words take when wrapped at a width."""
    return metrics.boundingRect(QRect(0, 0, width, 10_000), Qt.TextFlag.TextWordWrap, text)


def edit_name(view: QAbstractItemView, index: QModelIndex) -> None:
    """Open the field for a name in a list, where it may be changed and none is open yet."""
    is_free = view.state() != QAbstractItemView.State.EditingState
    if index.isValid() and index.flags() & Qt.ItemFlag.ItemIsEditable and is_free:
        view.edit(index)
