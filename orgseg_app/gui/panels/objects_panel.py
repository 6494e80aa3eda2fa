"""Objects mode in the right column: the object in the hand, and how many there are."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSignalBlocker, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from orgseg_app.gui.canvas.layers import OBJECTS
from orgseg_app.gui.canvas.object_colours import object_colour
from orgseg_app.gui.canvas.options import DisplayOptions
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.layer_section import LayerSection, tick
from orgseg_app.gui.session import Session
from orgseg_app.gui.style.widgets import Caption, SecondaryButton, label, surface

COUNT_AFTER_MS = 250


class ObjectsPanel(QWidget):
    """Shown in objects mode, under the classes."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        surface(self, "panel")
        set_help(self, "objects")
        self.swatch = Swatch()
        self.number = label()
        self.new_button = SecondaryButton("New object", "plus", quiet=True)
        self.each_stroke = tick(
            "New object for every stroke",
            "Each stroke paints an object of its own",
            lambda _: session.objects.flip_each_stroke(),
        )
        self.summary = Caption()
        title = HelpedTitle("Objects", "objects")
        title.setContentsMargins(8, 0, 8, 0)
        hand = QHBoxLayout()
        hand.setContentsMargins(8, 0, 4, 0)
        hand.setSpacing(8)
        hand.addWidget(self.swatch)
        hand.addWidget(self.number, 1)
        hand.addWidget(self.new_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 8, 4, 12)
        column.setSpacing(4)
        column.addWidget(title)
        column.addLayout(hand)
        ticked = QHBoxLayout()
        ticked.setContentsMargins(8, 0, 8, 0)
        ticked.addWidget(self.each_stroke)
        column.addLayout(ticked)
        self.summary.setContentsMargins(8, 0, 8, 0)
        column.addWidget(self.summary)
        self.table_button = SecondaryButton("Table", "table", quiet=True)
        self.make_button = SecondaryButton("Make objects…", quiet=True)
        more = QHBoxLayout()
        more.setContentsMargins(0, 0, 4, 0)
        more.setSpacing(4)
        more.addWidget(self.table_button)
        more.addWidget(self.make_button)
        more.addStretch(1)
        column.addLayout(more)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._count)
        self.new_button.clicked.connect(session.objects.new)
        session.objects.changed.connect(self.refresh)
        session.history_changed.connect(self._may_edit)
        session.mask_changed.connect(lambda *_: self._later())
        self.refresh()

    def refresh(self) -> None:
        """Show the object in the hand; nothing outside objects mode."""
        objects = self._session.objects
        self.setVisible(objects.is_on)
        if not objects.is_on:
            return
        with QSignalBlocker(self.each_stroke):
            self.each_stroke.setChecked(objects.each_stroke)
        self.swatch.show_number(objects.number)
        self.number.setText(f"Object {objects.number}" if objects.number else "No image")
        self._may_edit()
        self._count()

    def _may_edit(self) -> None:
        self.new_button.setEnabled(self._session.can_edit)

    def _later(self) -> None:
        if self._session.objects.is_on and not self._timer.isActive():
            self._timer.start(COUNT_AFTER_MS)

    def _count(self) -> None:
        if not self._session.objects.is_on:
            return
        if self._session.objects.counts_on():  # many: in parts, the window lives meanwhile
            self.summary.setText("Counting objects…")
            self._timer.start(0)
            return
        count = self._session.objects.count()
        words = f"{count:,} object{'s' * (count != 1)}" if count else "No objects"
        self.summary.setText(f"{words} on this image")


class ObjectsSection(LayerSection):
    """How objects look; shown in objects mode."""

    def __init__(
        self, session: Session, display: DisplayOptions, parent: QWidget | None = None
    ) -> None:
        super().__init__(OBJECTS, "Object colours", display, parent=parent)
        self._session = session
        session.objects.changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        self.setVisible(self._session.objects.is_on)


class Swatch(QWidget):
    """The colour of an object."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._colour = QColor()
        self.setFixedSize(QSize(16, 16))

    def show_number(self, number: int) -> None:
        """Take the colour of the object with this number."""
        self._colour = QColor(object_colour(number) if number else "#00000000")
        self.setAccessibleName(f"Colour of object {number}")
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """A rounded square, as of the classes."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._colour)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 4, 4)
        painter.end()
