"""How layers and image are shown; nothing here changes data."""

from __future__ import annotations

import math

import numpy as np
from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, QTimer
from PySide6.QtGui import (
    QBrush,
    QColor,
    QIcon,
    QLinearGradient,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.canvas import colour_maps
from orgseg_app.gui.canvas.options import GAMMA, DisplayOptions
from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.panels.layer_section import NAME_WIDTH, LayerSection, tick
from orgseg_app.gui.panels.levels_editor import LevelsEditor
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmComboBox, NumberBox, SliderField
from orgseg_app.gui.style.focus import tab_in_order
from orgseg_app.gui.style.widgets import (
    Caption,
    ElidedLabel,
    IconButton,
    SecondaryButton,
    Section,
    focus_ring,
    surface,
)

COUNT_AFTER_MS = 80
SAMPLES = 60_000
PRIMARIES = {"red": "#FF5050", "green": "#40C040", "blue": "#5080FF"}


class LayersPanel(QWidget):
    """Mask, other layers and image, each a section that folds.

    Parameters
    ----------
    display
        What is shown and changed.
    session
        Where the histogram's values come from; without it there is none.
    """

    def __init__(
        self,
        display: DisplayOptions,
        session: Session | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._display = display
        self._session = session
        self._channel = 0
        self._channel_rows: list[ChannelRow] = []
        self._values: np.ndarray | None = None
        surface(self, "panel")
        set_help(self, "layers")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(COUNT_AFTER_MS)
        self._timer.timeout.connect(self._read_values)
        self._column = column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(12)
        column.addWidget(self._build_mask())
        self.image_section = self._build_image()
        column.addWidget(self.image_section)
        display.changed.connect(self._show)
        if session is not None:
            session.image_selected.connect(lambda _: self._timer.start())
            session.plane_selected.connect(lambda _: self._timer.start())
            self._timer.start()
        self._show()

    # -- building --------------------------------------------------------------------------------

    def _build_mask(self) -> Section:
        self.mask_section = LayerSection("mask", "Mask", self._display)
        self.mask_section.eye.set_shortcut("V")
        self.opacity, self.eye = self.mask_section.opacity, self.mask_section.eye
        self.outline, self.fill = self.mask_section.outline, self.mask_section.fill
        self.unlabelled = tick(
            "Mark unlabelled",
            "Hatch what nobody has painted yet",
            lambda on: self._display.update(show_unlabelled=on),
        )
        self.mask_section.add(self.unlabelled)
        self.mask_section.add_extra(HelpButton("layers"))
        return self.mask_section

    def add_section(self, section: QWidget) -> None:
        """Put a section between those of the other layers and the image."""
        self._column.insertWidget(self._column.indexOf(self.image_section), section)
        tab_in_order(self)

    def _build_image(self) -> Section:
        display = self._display
        self.auto = SecondaryButton("Auto", "contrast", quiet=True)
        self.auto.setAccessibleName("Automatic contrast")
        self.auto.setToolTip("Contrast from the image itself")
        self.full = SecondaryButton("Min–max", quiet=True)
        self.full.setAccessibleName("Contrast from the least to the largest value")
        self.full.setToolTip("From the least to the largest value of the channel")
        self.colour = CalmComboBox("Colours of the channel")
        self.colour.setToolTip("Colours the channel is shown in; the image stays as it is")
        self.colour.view().setAccessibleName("Colours")
        self.colour.setIconSize(QSize(40, 12))
        for name in colour_maps.NAMES:
            self.colour.addItem(_strip(name), name.capitalize(), name)
        self.levels = LevelsEditor()
        self.low, self.high = NumberBox("Value shown black"), NumberBox("Value shown white")
        for box, tip in (
            (self.low, "This value and below are black"),
            (self.high, "This value and above are white"),
        ):
            box.setToolTip(tip)
            theme.hold(box, width=84)
        self.gamma = SliderField(
            "Gamma",
            *GAMMA,
            1,
            decimals=2,
            logarithmic=True,
            name_width=NAME_WIDTH,
            tip="Above 1 brightens dark structures",
        )
        self.channels = QWidget()
        self.channels.hide()
        self._channels_column = QVBoxLayout(self.channels)
        self._channels_column.setContentsMargins(0, 0, 0, 4)
        self._channels_column.setSpacing(0)
        content, column = _column()
        limits = QHBoxLayout()
        self.scope = Caption()
        self.scope.setAlignment(Qt.AlignmentFlag.AlignCenter)
        limits.addWidget(self.low)
        limits.addWidget(self.scope, 1)
        limits.addWidget(self.high)
        column.addWidget(self.channels)
        column.addWidget(self.levels)
        column.addLayout(limits)
        column.addWidget(self.gamma)
        column.addWidget(self.colour)
        section = Section("Image", content)
        set_help(section, "contrast")
        section.add_extra(self.full)
        section.add_extra(self.auto)
        self.full.clicked.connect(lambda: self._set_levels(*self._whole_range()))
        self.colour.activated.connect(self._choose_colour)
        self.auto.clicked.connect(display.reset_levels)
        self.levels.reset_requested.connect(display.reset_levels)
        self.levels.levels_changed.connect(self._set_levels)
        self.low.valueChanged.connect(
            lambda value: self._set_levels(value, max(value, self.high.value()))
        )
        self.high.valueChanged.connect(
            lambda value: self._set_levels(min(value, self.low.value()), value)
        )
        self.gamma.value_changed.connect(lambda value: display.update(gamma=value))
        return section

    # -- channels --------------------------------------------------------------------------------

    def select_channel(self, channel: int) -> None:
        """Show the contrast of another channel."""
        self._channel = channel
        self._show()
        self._timer.start()

    def _build_channels(self, names: tuple[str, ...]) -> None:
        for row in self._channel_rows:
            row.hide()
            row.deleteLater()
        self._channel_rows = []
        self._channel = 0
        if len(names) > 1:
            for number, name in enumerate(names):
                row = ChannelRow(name, _channel_colour(number, name))
                row.clicked.connect(lambda _=False, n=number: self.select_channel(n))
                row.eye.toggled.connect(
                    lambda hidden, n=number: self._display.set_channel_visible(n, not hidden)
                )
                self._channels_column.addWidget(row)
                self._channel_rows.append(row)
        self.channels.setVisible(len(names) > 1)

    # -- showing ---------------------------------------------------------------------------------

    def _set_levels(self, low: float, high: float) -> None:
        if self._channel < len(self._display.shown_levels()):
            self._display.set_levels(self._channel, low, high)

    def _show(self) -> None:
        display = self._display
        with QSignalBlocker(self.unlabelled):
            self.unlabelled.setChecked(display.show_unlabelled)
        self.unlabelled.setEnabled(display.look("mask").visible)
        self.gamma.set_value(display.gamma)
        names = tuple(row.name for row in self._channel_rows)
        if names != (display.channel_names if len(display.channel_names) > 1 else ()):
            self._build_channels(display.channel_names)
        for number, row in enumerate(self._channel_rows):
            shown = display.channels[number] if number < len(display.channels) else True
            brush = None if display.is_rgb else _ramp(display.colour(number), 11)
            row.show_state(chosen=number == self._channel, visible=shown, colours=brush)
        self._show_levels()

    def _show_levels(self) -> None:
        display = self._display
        levels = display.shown_levels()
        self._channel = min(self._channel, max(0, len(levels) - 1))
        low, high = levels[self._channel] if levels else display.value_range
        auto = display.auto_levels[min(self._channel, len(display.auto_levels) - 1)]
        bottom, top = display.value_range
        decimals = _decimals(top - bottom)
        for box, value in ((self.low, low), (self.high, high)):
            with QSignalBlocker(box):
                box.setDecimals(decimals)
                box.setRange(min(bottom, low), max(top, high))
                box.setSingleStep(
                    (top - bottom) / 200 if decimals else max(1.0, (top - bottom) // 200)
                )
                box.setValue(value)
        self.colour.setVisible(not display.is_rgb and bool(display.channel_names))
        name = colour_maps.GREY if display.is_rgb else display.colour(self._channel)
        self.levels.show_ramp(_steps(name))
        with QSignalBlocker(self.colour):
            self.colour.setCurrentIndex(self.colour.findData(display.colour(self._channel)))
        self.scope.setText("automatic" if not display.levels else "")
        # Hot pixels reach far beyond what is worth looking at.
        reach = auto[1] + 0.6 * (auto[1] - auto[0])
        shown = (max(bottom, auto[0] - 0.3 * (auto[1] - auto[0])), min(top, reach))
        before = self.levels.shown_range()
        self.levels.show_levels((low, high), shown)
        if self.levels.shown_range() != before:
            self.levels.show_histogram(self._values)

    def _choose_colour(self) -> None:
        if self._channel < len(self._display.channel_names):
            self._display.set_colour(self._channel, self.colour.currentData())

    def _whole_range(self) -> tuple[float, float]:
        """Least and largest value of the channel, as far as it has been looked at."""
        values = self._values
        if values is not None and values.size and len(self._display.channel_names) > 1:
            finite = values[np.isfinite(values)]
            if finite.size:
                return float(finite.min()), float(finite.max())
        return self._display.value_range

    def _read_values(self) -> None:
        session = self._session
        self._values = None
        if session is not None and session.image is not None:
            try:
                plane = session.glance(session.image_id, session.z)
                channel = plane[min(self._channel, plane.shape[0] - 1)]
                step = max(1, round(math.sqrt(channel.size / SAMPLES)))
                self._values = np.array(channel[::step, ::step])
            except Exception as error:
                session.report_error(error)
        self.levels.show_histogram(self._values)


class ChannelRow(QAbstractButton):
    """A channel: its colour, its name, and whether it is shown."""

    def __init__(self, name: str, colour: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.name = name
        self._colour = QBrush(QColor(colour))
        self.setCheckable(True)
        self.setAccessibleName(f"Contrast of {name}")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        theme.hold(self, height=28)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.eye = IconButton("eye", f"Hide {name}", checkable=True, colour="secondary")
        row = QHBoxLayout(self)
        row.setContentsMargins(28, 0, 0, 0)
        row.setSpacing(4)
        words = ElidedLabel(name)
        words.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        row.addWidget(words, 1)
        row.addWidget(self.eye)

    def show_state(self, *, chosen: bool, visible: bool, colours: QBrush | None = None) -> None:
        """Chosen for contrast; shown on the canvas; its colours, where they can be chosen."""
        if colours is not None:
            self._colour = colours
            self.update()
        self.setChecked(chosen)
        with QSignalBlocker(self.eye):
            self.eye.setChecked(not visible)
        if visible:
            self.eye.describe("eye", f"Hide {self.name}", "secondary")
        else:
            self.eye.describe("eye-off", f"Show {self.name}", "accent")

    def paintEvent(self, event: QPaintEvent) -> None:
        """Ground and colour."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.isChecked() or self.underMouse():
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(now.selected if self.isChecked() else now.hover))
            painter.drawRoundedRect(QRectF(self.rect()), 6, 6)
        painter.setPen(QPen(QColor(now.control), 1))
        painter.setBrush(self._colour)
        painter.drawEllipse(QRectF(8.5, 8.5, 11, 11))
        if self.hasFocus():
            focus_ring(painter, QRectF(self.rect()))


def _column() -> tuple[QWidget, QVBoxLayout]:
    content = QWidget()
    column = QVBoxLayout(content)
    column.setContentsMargins(0, 0, 0, 4)
    column.setSpacing(4)
    return content, column


def _channel_colour(number: int, name: str) -> str:
    if name in PRIMARIES:
        return PRIMARIES[name]
    return QColor(*colour_maps.RAMPS[colour_maps.default_map(number, 2)]).name()


def _ramp(name: str, width: float) -> QBrush:
    """The colours of a map from left to right; a map to one colour is that colour."""
    if name in colour_maps.RAMPS:
        return QBrush(QColor(*colour_maps.RAMPS[name]))
    return QBrush(_gradient(name, 8.5, width))


def _gradient(name: str, left: float, width: float) -> QLinearGradient:
    gradient = QLinearGradient(left, 0, left + width, 0)
    steps = _steps(name)
    for number, colour in enumerate(steps):
        gradient.setColorAt(number / (len(steps) - 1), colour)
    return gradient


def _steps(name: str) -> list[QColor]:
    """Eighteen colours of a map, from dark to bright."""
    return [QColor(*(int(part) for part in colour)) for colour in colour_maps.colours(name)[::15]]


def _strip(name: str) -> QIcon:
    """A strip of a map's colours, from dark to bright."""
    picture = QPixmap(80, 24)
    picture.setDevicePixelRatio(2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(_gradient(name, 0, 40))
    painter.drawRoundedRect(QRectF(0, 0, 40, 12), 3, 3)
    painter.end()
    return QIcon(picture)


def _decimals(span: float) -> int:
    """Decimals that tell a hundredth of a span; none from 100 on."""
    return 0 if span >= 100 else min(8, max(1, 3 - math.floor(math.log10(max(span, 1e-9)))))
