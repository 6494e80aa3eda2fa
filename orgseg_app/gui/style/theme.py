"""Colours and type of the window, light and dark.

Every colour on screen is a token of `Theme`, or a class's own. `apply` makes palette and style
sheet from the tokens; whoever paints by hand asks `current` while painting, and is repainted when
the theme changes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPalette
from PySide6.QtWidgets import QApplication, QWidget

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


class ThemeWatcher(QObject):
    """Tells when the colours change: ``changed(Theme)``."""

    changed = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.theme = LIGHT
        self.mode = "system"
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


def apply(app: QApplication, mode: str = "system") -> Theme:
    """Dress the whole application.

    Parameters
    ----------
    mode
        ``"system"``, ``"light"`` or ``"dark"``; anything else counts as ``"system"``.
    """
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
    made.setPixelSize(pixels)
    made.setWeight(QFont.Weight.DemiBold if strong else QFont.Weight.Normal)
    made.setFeature(QFont.Tag("tnum"), 1)
    return made


def _system_theme(app: QApplication) -> Theme:
    return DARK if app.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT


def _dress(app: QApplication, theme: Theme) -> None:
    watcher.theme = theme
    if app.style().objectName().casefold() != "fusion":
        app.setStyle("Fusion")
    app.setFont(font())
    app.setPalette(_palette(theme))
    app.setStyleSheet(stylesheet(theme.tokens()))
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
