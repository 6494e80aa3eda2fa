"""Colours and type of the window, light and dark.

Every colour on screen is a token of `Theme`, or a class's own. `apply` makes palette and style
sheet from the tokens; whoever paints by hand asks `current` while painting, and is repainted when
the theme changes.

Text can be larger (`settings.TEXT_SIZES`). Lengths are written as they are at 100 %: whoever
measures asks `px` at that moment, a widget of a fixed size is given it by `hold`, and who paints
many small parts paints them `magnified`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import wraps

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFont, QPainter, QPalette
from PySide6.QtWidgets import (
    QApplication,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from orgseg_app.gui.style.stylesheet import stylesheet

CAPTION_PX, TEXT_PX, TITLE_PX, DISPLAY_PX = 11, 13, 15, 22
"""Heights of type: captions, text, section titles, the start page."""

ROLES = ("caption", "text", "title", "display")
"""Values of the property ``role`` that labels understand."""


@dataclass(frozen=True)
class Theme:
    """One set of colours, each ``"#RRGGBB"``.

    Attributes
    ----------
    name
        ``"light"`` or ``"dark"``.
    window, panel, raised
        Behind everything; lists and side panels; menus and tooltips.
    text, secondary, disabled
        Words; less important words; what cannot be used now.
    line, control
        Separators; outlines of fields and check boxes (3:1 on panel).
    hover, pressed, selected
        Grounds of what the pointer is on, holds down, has chosen.
    accent, accent_hover, on_accent
        The one accent, under the pointer, and words upon it.
    success, warning, error
        Always with an icon and words.
    canvas, on_canvas
        Round the picture, and words upon it.
    """

    name: str
    window: str
    panel: str
    raised: str
    text: str
    secondary: str
    disabled: str
    line: str
    control: str
    hover: str
    pressed: str
    selected: str
    accent: str
    accent_hover: str
    on_accent: str
    success: str
    warning: str
    error: str
    canvas: str = "#101214"
    on_canvas: str = "#E8EAED"

    @property
    def is_dark(self) -> bool:
        """True for light words on dark ground."""
        return self.name == "dark"

    def colour(self, token: str) -> QColor:
        """The colour of a token, or of ``"#RRGGBB"`` itself."""
        return QColor(token if token.startswith("#") else getattr(self, token))

    def tokens(self) -> dict[str, str]:
        """All tokens by name, as the style sheet takes them."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


LIGHT = Theme(
    name="light",
    window="#F6F7F8",
    panel="#FFFFFF",
    raised="#FFFFFF",
    text="#1C1F23",
    secondary="#5B6470",
    disabled="#9AA2AC",
    line="#DDE1E6",
    control="#858E99",
    hover="#EDEFF2",
    pressed="#E1E5EA",
    selected="#E6F0FA",
    accent="#0B6BCB",
    accent_hover="#095CB0",
    on_accent="#FFFFFF",
    success="#17794C",
    warning="#955800",
    error="#C5372C",
)

DARK = Theme(
    name="dark",
    window="#1B1D20",
    panel="#232629",
    raised="#2A2E32",
    text="#E8EAED",
    secondary="#A3ABB5",
    disabled="#6B737D",
    line="#34383D",
    control="#7A838E",
    hover="#2E3237",
    pressed="#383D43",
    selected="#25384C",
    accent="#5AA9F8",
    accent_hover="#7CBBFA",
    on_accent="#0F2236",
    success="#5CC894",
    warning="#E5B04E",
    error="#FF8B80",
)

THEMES = {theme.name: theme for theme in (LIGHT, DARK)}


_HELD = "heldSize"
"""Property of a widget: what `hold` was told, method to pixels."""


class ThemeWatcher(QObject):
    """Tells when the colours change: ``changed(Theme)``."""

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.theme = LIGHT
        self.mode = "system"
        self.text_scale = 1.0
        self.magnification = 1.0
        self._follows = False

    def follow_system(self, app: QApplication) -> None:
        """Listen, once, to the system going light or dark."""
        if not self._follows:
            self._follows = True
            app.styleHints().colorSchemeChanged.connect(self._on_scheme_changed)

    def _on_scheme_changed(self) -> None:
        app = QApplication.instance()
        if self.mode == "system" and isinstance(app, QApplication):
            theme = _system_theme(app)
            if theme is not self.theme:
                _dress(app, theme)


watcher = ThemeWatcher()


def current() -> Theme:
    """The theme in use; light before the first `apply`."""
    return watcher.theme


def apply(app: QApplication, mode: str = "system", text_size: int | None = None) -> Theme:
    """Dress the whole application.

    Parameters
    ----------
    mode
        ``"system"``, ``"light"`` or ``"dark"``; anything else counts as ``"system"``.
    text_size
        In per cent; None leaves it as it is.
    """
    if text_size is not None:
        watcher.text_scale = text_size / 100
    watcher.mode = mode if mode in THEMES else "system"
    watcher.follow_system(app)
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    # So that title bars and native dialogs agree with us.
    app.styleHints().setColorScheme(schemes.get(watcher.mode, Qt.ColorScheme.Unknown))
    theme = THEMES.get(watcher.mode) or _system_theme(app)
    _dress(app, theme)
    return theme


def set_role(widget: QWidget, role: str) -> None:
    """Give a label one of the `ROLES`, or a widget another look the style sheet knows."""
    if widget.property("role") != role:
        widget.setProperty("role", role)
        restyle(widget)


def restyle(widget: QWidget) -> None:
    """Make the style sheet look again at a widget whose properties changed."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


def font(pixels: int = TEXT_PX, *, strong: bool = False) -> QFont:
    """The window's font at one of its sizes, with figures of one width."""
    made = QFont(QApplication.font())
    made.setPixelSize(px(pixels))
    made.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def px(length: float) -> int:
    """A length that holds text, in pixels: as long as the text size asks."""
    return round(length * watcher.text_scale)


def hold(
    widget: QWidget,
    *,
    width: int | None = None,
    height: int | None = None,
    least_width: int | None = None,
    least_height: int | None = None,
    most_width: int | None = None,
) -> None:
    """Fix or bound the size of a widget that shows text, now and when the text size changes.

    Parameters
    ----------
    widget
        A rule given before for the same side is replaced.
    width, height, least_width, least_height, most_width
        In pixels at a text size of 100 %.
    """
    wanted = {
        "setFixedWidth": width,
        "setFixedHeight": height,
        "setMinimumWidth": least_width,
        "setMinimumHeight": least_height,
        "setMaximumWidth": most_width,
    }
    rules = dict(widget.property(_HELD) or {})
    rules.update({name: length for name, length in wanted.items() if length is not None})
    widget.setProperty(_HELD, rules)
    _resize(widget)


def hold_rows(view: QTableView, height: int) -> None:
    """Fix the height of a table's rows, in pixels at a text size of 100 %."""
    header = view.verticalHeader()
    header.setMinimumSectionSize(1)
    header.setProperty(_HELD, {"setDefaultSectionSize": height})
    _resize(header)


def hold_columns(view: QTableView, widths: Mapping[int, int]) -> None:
    """Give columns their widths, in pixels at a text size of 100 %, by column."""
    header = view.horizontalHeader()
    header.setProperty(_HELD, {f"resizeSection {n}": width for n, width in widths.items()})
    _resize(header)


@contextmanager
def magnified(painter: QPainter) -> Iterator[float]:
    """Paint as at a text size of 100 %, and have all of it larger; yields how many times.

    Fonts of `font`, lengths of `px` and icons are within as they are at 100 %.
    """
    scale = watcher.text_scale
    painter.save()
    painter.scale(scale, scale)
    watcher.text_scale, watcher.magnification = 1.0, scale * watcher.magnification
    try:
        yield scale
    finally:
        watcher.text_scale, watcher.magnification = scale, watcher.magnification / scale
        painter.restore()


@contextmanager
def base_size() -> Iterator[float]:
    """Measure as at a text size of 100 %; yields how many times larger it is shown."""
    scale = watcher.text_scale
    watcher.text_scale = 1.0
    try:
        yield scale
    finally:
        watcher.text_scale = scale


def shrunk(rect: QRect) -> QRect:
    """A rectangle of the screen as it is within `magnified`."""
    scale = watcher.text_scale
    return QRectF(
        rect.x() / scale, rect.y() / scale, rect.width() / scale, rect.height() / scale
    ).toRect()


def grown(rect: QRectF) -> QRectF:
    """A rectangle of within `magnified` as it is on the screen."""
    scale = watcher.text_scale
    return QRectF(rect.x() * scale, rect.y() * scale, rect.width() * scale, rect.height() * scale)


def magnifies(paint: Callable[..., None]) -> Callable[..., None]:
    """Let a delegate's ``paint`` (its decorator) paint `magnified`, in a rectangle as at 100 %."""

    @wraps(paint)
    def larger(
        self: QStyledItemDelegate,
        painter: QPainter,
        option: QStyleOptionViewItem,
        index: QModelIndex | QPersistentModelIndex,
    ) -> None:
        inner = QStyleOptionViewItem(option)
        inner.rect = shrunk(option.rect)  # type: ignore[attr-defined]
        with magnified(painter):
            paint(self, painter, inner, index)

    return larger


def _resize(widget: QWidget) -> None:
    rules: dict[str, int] = widget.property(_HELD)
    for name, length in rules.items():
        method, _, section = name.partition(" ")
        getattr(widget, method)(*([int(section)] if section else []), px(length))


def _system_theme(app: QApplication) -> Theme:
    return DARK if app.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT


def _dress(app: QApplication, theme: Theme) -> None:
    watcher.theme = theme
    is_resized = app.font().pixelSize() != px(TEXT_PX)
    sheet = stylesheet(theme.tokens(), watcher.text_scale)
    is_new = app.styleSheet() != sheet
    if is_new:
        # Qt swaps one sheet for another by dressing every widget once for each that holds it; with
        # the old one taken off first, twice: 0.3 s instead of 1.8 where all places were shown.
        app.setStyleSheet("")
        if app.style().name() != "fusion":
            app.setStyle("Fusion")
    app.setFont(font())
    app.setPalette(_palette(theme))
    if is_new:
        app.setStyleSheet(sheet)
    if is_resized:
        for widget in app.allWidgets():
            if widget.property(_HELD):
                _resize(widget)
    watcher.changed.emit(theme)


def _palette(theme: Theme) -> QPalette:
    roles = QPalette.ColorRole
    wanted = {
        roles.Window: theme.window,
        roles.WindowText: theme.text,
        roles.Base: theme.panel,
        roles.AlternateBase: theme.window,
        roles.Text: theme.text,
        roles.PlaceholderText: theme.secondary,
        roles.Button: theme.panel,
        roles.ButtonText: theme.text,
        roles.BrightText: theme.error,
        roles.ToolTipBase: theme.raised,
        roles.ToolTipText: theme.text,
        roles.Highlight: theme.accent,
        roles.HighlightedText: theme.on_accent,
        roles.Accent: theme.accent,
        roles.Link: theme.accent,
        roles.LinkVisited: theme.accent,
        roles.Light: theme.hover,
        roles.Midlight: theme.line,
        roles.Mid: theme.line,
        roles.Dark: theme.control,
        roles.Shadow: theme.line,
    }
    palette = QPalette()
    for role, colour in wanted.items():
        palette.setColor(role, QColor(colour))
    for role in (roles.WindowText, roles.Text, roles.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, QColor(theme.disabled))
    palette.setColor(QPalette.ColorGroup.Disabled, roles.Highlight, QColor(theme.line))
    return palette
