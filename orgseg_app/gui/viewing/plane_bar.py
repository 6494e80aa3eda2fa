"""The bar under the canvas: which plane of a volume is shown, and which moment of a series."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSignalBlocker, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from orgseg_app.core.mask import Box
from orgseg_app.gui.help.context import set_help
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.fields import CalmSlider, NumberBox
from orgseg_app.gui.style.widgets import GAP, GROUP, THIN_SPACE, label

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

BAR_HEIGHT = 36
MARKS_AFTER_MS = 150
HANDLE_PX = 14
"""Width of a slider's handle in the style sheet."""

_MARK_TOP, _MARK_HEIGHT = 7, 4


class MarkedSlider(CalmSlider):
    """A slider over the places of a row, some of which are marked below its track."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setPageStep(1)  # the wheel goes place by place
        self.setMinimumHeight(2 * (_MARK_TOP + _MARK_HEIGHT))
        self._marked: frozenset[int] = frozenset()

    @property
    def marked(self) -> frozenset[int]:
        """Values with a mark."""
        return self._marked

    def mark(self, values: Collection[int]) -> None:
        """Draw marks below these values, and no others."""
        if frozenset(values) != self._marked:
            self._marked = frozenset(values)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The slider, and thin marks below; those of the same pixel are one."""
        super().paintEvent(event)
        span = self.maximum() - self.minimum()
        if not self._marked or span < 1:
            return
        way = self.width() - HANDLE_PX
        columns = {round((v - self.minimum()) * way / span) for v in self._marked}
        wide = min(max(way / span - 1, 1.0), 3.0)
        top = self.height() / 2 + _MARK_TOP
        painter = QPainter(self)
        colour = theme.current().colour("accent")
        for column in columns:
            left = HANDLE_PX / 2 + column - wide / 2
            painter.fillRect(QRectF(left, top, wide, _MARK_HEIGHT), colour)
        painter.end()


class StepField(QWidget):
    """A letter, a number "12 / 50" that can be typed, and a slider that say the same.

    Parameters
    ----------
    letter
        Of the axis, as the status line has it.
    name
        For screen readers.

    Signals
    -------
    chosen(place)
        From 0, by the person.
    """

    chosen = Signal(int)

    def __init__(self, letter: str, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.number = NumberBox(f"{name} number")
        self.number.setDecimals(0)
        self.slider = MarkedSlider()
        self.slider.setAccessibleName(name)
        self.count = 1
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(GAP)
        row.addWidget(label(letter, tone="secondary"))
        row.addWidget(self.number)
        row.addWidget(self.slider, 1)
        self.slider.valueChanged.connect(lambda value: self._choose(value))
        self.number.valueChanged.connect(lambda value: self._choose(round(value) - 1))

    def show_place(self, place: int, count: int) -> None:
        """Show a place, from 0, of so many; nobody is told."""
        with QSignalBlocker(self.slider), QSignalBlocker(self.number):
            if count != self.count:
                self.count = count
                self.slider.setRange(0, count - 1)
                self.number.setRange(1, count)
                self.number.setSuffix(f"{THIN_SPACE}/{THIN_SPACE}{count}")
                self.number.setFixedWidth(
                    self.number.fontMetrics().horizontalAdvance(self.number.suffix() + str(count))
                    + 28
                )
            self.slider.setValue(place)
            self.number.setValue(place + 1)

    def _choose(self, place: int) -> None:
        self.show_place(place, self.count)
        self.chosen.emit(place)


class PlaneBar(QFrame):
    """Planes of a volume and moments of a series; hidden for what has one of each.

    Planes with paint are marked below the slider.

    Attributes
    ----------
    planes, times
        The two fields, each shown only where there is more than one place to go.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self.setProperty("surface", "strip")
        set_help(self, "volumes")
        theme.hold(self, height=BAR_HEIGHT)
        self.planes = StepField("z", "Plane")
        self.times = StepField("t", "Time point")
        row = QHBoxLayout(self)
        row.setContentsMargins(GROUP, 0, GROUP, 0)
        row.setSpacing(GROUP)
        row.addWidget(self.planes, 2)
        row.addWidget(self.times, 1)
        self._is_wanted = True
        self._marks_timer = QTimer(self, singleShot=True, interval=MARKS_AFTER_MS)
        self._marks_timer.timeout.connect(self._mark_painted)
        self.planes.chosen.connect(session.select_plane)
        self.times.chosen.connect(self._go_to_time)
        session.image_selected.connect(lambda _: self._on_image_selected())
        session.images_changed.connect(self._show_places)
        session.plane_selected.connect(lambda _: self._show_places())
        session.mask_changed.connect(self._on_mask_changed)
        self._on_image_selected()

    def set_wanted(self, wanted: bool) -> None:
        """Keep it away, as while the canvas is alone; or let it come where it is needed."""
        self._is_wanted = wanted
        self._show_places()

    def _on_image_selected(self) -> None:
        self._show_places()
        self._mark_painted()

    def _show_places(self) -> None:
        session, image = self.session, self.session.image
        depth = image.shape[1] if image is not None else 1
        series = session.series()
        self.planes.setVisible(depth > 1)
        self.times.setVisible(len(series) > 1)
        self.setVisible(self._is_wanted and (depth > 1 or len(series) > 1))
        self.planes.show_place(min(session.z, depth - 1), depth)
        at = series.index(session.image_id) if session.image_id in series else 0
        self.times.show_place(at, max(1, len(series)))

    def _go_to_time(self, place: int) -> None:
        series = self.session.series()
        if place < len(series):
            self.session.select_image(series[place], self.session.z)

    def _on_mask_changed(self, image_id: str, box: Box) -> None:
        if image_id == self.session.image_id and not self._marks_timer.isActive():
            self._marks_timer.start()

    def _mark_painted(self) -> None:
        image = self.session.image
        is_volume = image is not None and image.shape[1] > 1 and self.session.file is not None
        self.planes.slider.mark(self.session.mask().planes() if is_volume else ())
