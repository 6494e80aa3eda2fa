"""The place of the canvas: its sections, what is beside it, the bar for planes and moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from orgseg_app.gui.style.widgets import GAP, GROUP, THIN_SPACE, label
from orgseg_app.gui.viewing.plane_bar import PlaneBar

if TYPE_CHECKING:
    from orgseg_app.gui.canvas.annotation_canvas import AnnotationCanvas
    from orgseg_app.gui.canvas.sections import Sections

SECTION_SHARE = 0.28
"""Of width and height go to the sections at first; the canvas keeps the rest."""


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
            half = max(1, self.row.width() // 2)
            self.row.setSizes([half, half])

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

    def _make_sections(self) -> None:
        from orgseg_app.gui.canvas.sections import Sections

        self.sections = sections = Sections(self.canvas, self.canvas.crosshair, self)
        self.set_wheel(self.canvas.wheel)
        self._bottom = _splitter(Qt.Orientation.Horizontal)
        self._bottom.addWidget(sections.xz)
        self._bottom.addWidget(_Corner(sections))
        self._top.addWidget(sections.yz)
        self._rows.addWidget(self._bottom)
        side = round(self._rows.width() * SECTION_SHARE)
        for splitter, other in ((self._top, self._bottom), (self._bottom, self._top)):
            splitter.setSizes([self._rows.width() - side, side])
            splitter.splitterMoved.connect(
                lambda *_, a=splitter, b=other: b.setSizes(a.sizes())  # they stay in line
            )
        low = round(self._rows.height() * SECTION_SHARE)
        self._rows.setSizes([self._rows.height() - low, low])
        QWidget.setTabOrder(self.canvas, sections.xz)
        QWidget.setTabOrder(sections.xz, sections.yz)


class _Corner(QFrame):
    """Where the sections meet: the place in words, and how long voxels are."""

    def __init__(self, sections: Sections) -> None:
        super().__init__()
        self._sections = sections
        self.setProperty("surface", "canvas")
        self.setMinimumSize(sections.yz.minimumSize())  # or the columns would not stay in line
        self.words = label(tone="on canvas", wrap=True)
        self.words.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, GAP, GAP, GAP)
        column.addWidget(self.words)
        column.addStretch(1)
        sections.crosshair.moved.connect(self._show)
        sections.session.plane_selected.connect(lambda _: self._show())
        self._show()

    def _show(self) -> None:
        image = self._sections.session.image
        if image is None:
            return
        z, y, x = self._sections.crosshair.place
        size = image.pixel_size_um
        voxel = "voxels as cubes: their size is not known"
        if size is not None:
            voxel = " × ".join(f"{n:.3g}" for n in size) + f"{THIN_SPACE}µm"
        self.words.setText(f"z {z + 1} · y {y} · x {x}\n{voxel}")


def _splitter(orientation: Qt.Orientation) -> QSplitter:
    made = QSplitter(orientation)
    made.setChildrenCollapsible(False)
    made.setHandleWidth(1)
    made.setProperty("surface", "canvas")
    return made
