"""The place of the canvas: its sections, what is beside it, the bar for planes and moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, THIN_SPACE, label
from orgseg_app.gui.viewing.plane_bar import PlaneBar

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.sections import Sections


class CanvasArea(QWidget):
    """The canvas with what belongs to it.

    Attributes
    ----------
    canvas
        Where masks are painted.
    sections
        The views below and right of it, made when they are first wanted.
    bar
        Plane and moment, under everything.
    row
        The canvas with its sections, and what is `beside` it.
    """

    def __init__(self, canvas: AnnotationCanvas, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.canvas = canvas
        self.sections: Sections | None = None
        self.bar = PlaneBar(canvas.session)
        self.row, self._rows = (
            _splitter(Qt.Orientation.Horizontal),
            _splitter(Qt.Orientation.Vertical),
        )
        self._top = _splitter(Qt.Orientation.Horizontal)
        self._top.addWidget(canvas)
        self._rows.addWidget(self._top)
        self.row.addWidget(self._rows)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.row, 1)
        column.addWidget(self.bar)
        canvas.session.image_selected.connect(lambda _: self._show_sections())
        canvas.display.changed.connect(self._show_sections)

    # -- beside ----------------------------------------------------------------------------------

    @property
    def beside(self) -> QWidget | None:
        """What is shown beside the canvas."""
        return self.row.widget(1)

    def set_beside(self, widget: QWidget | None) -> None:
        """Show something beside the canvas, half of the width each; None takes it away.

        What was there before is hidden and given back to its owner, without a parent.
        """
        former = self.beside
        if former is widget:
            return
        if former is not None:
            former.hide()
            former.setParent(None)
        if widget is not None:
            self.row.addWidget(widget)
            widget.show()
            self._share_row()

    def _share_row(self) -> None:
        """The canvas itself and what is beside it are of the same width."""
        if self.beside is not None:
            taken = self.canvas.display.section_width if self.canvas.crosshair.is_shown else 0.0
            whole = max(2, self.row.width())
            left = round(whole / (2 - taken))
            self.row.setSizes([left, whole - left])

    # -- sections --------------------------------------------------------------------------------

    @property
    def shows_sections(self) -> bool:
        """Whether the image has sections, and they are wanted."""
        image = self.canvas.session.image
        return self.canvas.display.sections and image is not None and image.shape[1] > 1

    def set_wheel(self, wheel: str) -> None:
        """What the wheel does over canvas and sections; see `canvas.wheel`."""
        self.canvas.wheel = wheel
        if self.sections is not None:
            for view in self.sections.views:
                view.wheel = wheel

    def _show_sections(self) -> None:
        shown = self.shows_sections
        if shown and self.sections is None:
            self._make_sections()
        if self.sections is None or shown == self.canvas.crosshair.is_shown:
            return
        for widget in (self.sections.yz, self._bottom):
            widget.setVisible(shown)
        self.canvas.crosshair.show(shown)
        self.sections.set_active(shown)
        if shown:
            display = self.canvas.display
            _share(self._top, display.section_width)
            _share(self._bottom, display.section_width)
            _share(self._rows, display.section_height)
        self._share_row()

    def _make_sections(self) -> None:
        from orgseg_app.gui.canvas.sections import Sections

        self.sections = sections = Sections(self.canvas, self.canvas.crosshair, self)
        self.set_wheel(self.canvas.wheel)
        self._bottom = _splitter(Qt.Orientation.Horizontal)
        self._bottom.addWidget(sections.xz)
        self._bottom.addWidget(_Corner(sections))
        self._top.addWidget(sections.yz)
        self._rows.addWidget(self._bottom)
        for splitter, other in ((self._top, self._bottom), (self._bottom, self._top)):
            splitter.splitterMoved.connect(
                lambda *_, a=splitter, b=other: b.setSizes(a.sizes())  # they stay in line
            )
        for splitter in (self._top, self._bottom, self._rows):
            splitter.splitterMoved.connect(lambda *_: self._keep_shares())
        QWidget.setTabOrder(self.canvas, sections.xz)
        QWidget.setTabOrder(sections.xz, sections.yz)

    def _keep_shares(self) -> None:
        """The person has given the sections more room, or less."""
        display = self.canvas.display
        display.section_width = _share_of(self._top)
        display.section_height = _share_of(self._rows)


class _Corner(QFrame):
    """Where the sections meet: the place, and how long a voxel is in each direction."""

    def __init__(self, sections: Sections) -> None:
        super().__init__()
        self._sections = sections
        self.setProperty("surface", "canvas")
        # As the sections, or the columns would not stay in line.
        theme.hold(self, least_width=72, least_height=60)
        grid = QGridLayout(self)
        grid.setContentsMargins(GAP, GAP, 4, GAP)
        grid.setHorizontalSpacing(GAP)
        grid.setVerticalSpacing(2)
        self.places, self.lengths = ([label(tone="on canvas") for _ in "zyx"] for _ in "ab")
        for row, name in enumerate("zyx"):
            grid.addWidget(label(name, tone="on canvas"), row, 0)
            grid.addWidget(self.places[row], row, 1, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(self.lengths[row], row, 2)
            self.lengths[row].setToolTip("Length of a voxel")
            for shown in (self.places[row], self.lengths[row]):
                shown.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.unknown = label("Voxel size not known; drawn as cubes", tone="on canvas", wrap=True)
        self.unknown.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        grid.addWidget(self.unknown, 3, 0, 1, 3)
        grid.setColumnStretch(2, 1)
        grid.setRowStretch(4, 1)
        sections.crosshair.moved.connect(self._show)
        sections.session.plane_selected.connect(lambda _: self._show())
        self._show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A sentence that has no room is only in the tooltip."""
        super().resizeEvent(event)
        self._say_unknown()

    def _say_unknown(self) -> None:
        room = self.height() - 3 * (self.places[0].sizeHint().height() + 2) - 3 * GAP
        needed = self.unknown.heightForWidth(max(1, self.width() - GAP - 4))
        self.unknown.setVisible(bool(self.toolTip()) and needed <= room)

    def _show(self) -> None:
        image = self._sections.session.image
        if image is None:
            return
        z, y, x = self._sections.crosshair.place
        size = image.pixel_size_um
        self.setToolTip(self.unknown.text() if size is None else "")
        self._say_unknown()
        for row, place in enumerate((z + 1, y, x)):
            self.places[row].setText(str(place))
            length = "" if size is None else f"{size[row]:.3g}{THIN_SPACE}µm"
            self.lengths[row].setText(length)


def _splitter(orientation: Qt.Orientation) -> QSplitter:
    made = QSplitter(orientation)
    made.setChildrenCollapsible(False)
    made.setHandleWidth(1)
    made.setProperty("surface", "canvas")
    return made


def _share(splitter: QSplitter, share: float) -> None:
    """Give so much of a splitter to its second part."""
    along = splitter.orientation() == Qt.Orientation.Horizontal
    whole = splitter.width() if along else splitter.height()
    second = round(max(whole, 100) * min(max(share, 0.05), 0.95))
    splitter.setSizes([max(whole, 100) - second, second])


def _share_of(splitter: QSplitter) -> float:
    """What the second part of a splitter has of it."""
    first, second = splitter.sizes()
    return second / max(1, first + second)
