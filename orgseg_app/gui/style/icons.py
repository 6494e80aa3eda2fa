"""Line icons, drawn from SVG in the theme's colours at the screen's own resolution."""

from __future__ import annotations

from functools import cache, lru_cache

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QIconEngine, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from orgseg_app import paths
from orgseg_app.gui.style import theme

SIZE = 20
"""Side of an icon in device-independent pixels."""

BESIDE_WORDS = QSize(SIZE, 16)
"""Icon size of buttons with words: the icon, and room after it."""

ALIASES = {"hand": "pan", "sparkle": "model"}


def names() -> tuple[str, ...]:
    """Names of all icons, in order; the application's own picture is not among them."""
    folder = paths.resources_dir() / "icons"
    return tuple(sorted(path.stem for path in folder.glob("*.svg") if path.stem != "orgseg"))


def icon(name: str, colour: str | None = None) -> QIcon:
    """An icon that recolours itself when the theme changes.

    Parameters
    ----------
    name
        File in ``resources/icons`` without its ending.
    colour
        A token of `Theme` or ``"#RRGGBB"``; None for the colour of secondary words, which turns to
        the accent while the button is checked.

    Raises
    ------
    KeyError
        When there is no such icon.
    """
    name = ALIASES.get(name, name)
    _source(name)
    return QIcon(_LineIconEngine(name, colour))


def pixmap(name: str, colour: str = "secondary", side: int = SIZE, ratio: float = 1.0) -> QPixmap:
    """An icon as a picture of ``side`` device-independent pixels at a device pixel ratio."""
    name = ALIASES.get(name, name)
    ratio *= theme.watcher.magnification
    pixels = round(side * ratio)
    return _drawn(name, theme.current().colour(colour).name(), pixels, pixels, ratio)


def app_icon() -> QIcon:
    """The application's own icon, for windows and the task bar."""
    made = QIcon()
    for side in (16, 32, 64, 128, 256):
        made.addPixmap(_drawn("orgseg", "#000000", side, side, 1.0))
    return made


_CLONES: list[QIconEngine] = []


class _LineIconEngine(QIconEngine):
    """Draws one icon; asks for the theme anew at every paint."""

    def __init__(self, name: str, colour: str | None) -> None:
        super().__init__()
        self._name = name
        self._colour = colour

    def clone(self) -> QIconEngine:
        # Qt takes the copy without telling Python, which would collect it. Icons are
        # copied so deeply only when somebody alters one, which nobody here does.
        made = _LineIconEngine(self._name, self._colour)
        _CLONES.append(made)
        return made

    def iconName(self) -> str:
        return self._name

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        ratio = painter.device().devicePixelRatio()
        size = rect.size() * ratio
        picture = _drawn(self._name, self._tint(mode, state), size.width(), size.height(), ratio)
        painter.drawPixmap(rect.topLeft(), picture)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        pixels = size * scale
        return _drawn(self._name, self._tint(mode, state), pixels.width(), pixels.height(), scale)

    def _tint(self, mode: QIcon.Mode, state: QIcon.State) -> str:
        now = theme.current()
        if mode == QIcon.Mode.Disabled:
            return now.disabled
        if self._colour is not None:
            return now.colour(self._colour).name()
        return now.accent if state == QIcon.State.On else now.secondary


@cache
def _source(name: str) -> bytes:
    try:
        return (paths.resources_dir() / "icons" / f"{name}.svg").read_bytes()
    except FileNotFoundError:
        raise KeyError(f"There is no icon called {name!r}.") from None


@lru_cache(maxsize=512)
def _drawn(name: str, colour: str, width: int, height: int, ratio: float) -> QPixmap:
    """The icon in one colour on ``width`` × ``height`` device pixels.

    In a box wider than high it stands at the left: room between a button's icon and its words.
    """
    width, height = max(1, width), max(1, height)
    side = min(width, height)
    picture = QPixmap(width, height)
    picture.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(_source(name).replace(b"currentColor", colour.encode())))
    painter = QPainter(picture)
    renderer.render(painter, QRectF(0, (height - side) // 2, side, side))
    painter.end()
    picture.setDevicePixelRatio(ratio)
    return picture
