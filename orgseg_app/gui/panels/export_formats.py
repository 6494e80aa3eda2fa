"""Cards of mask formats, each with a small example of the values it holds."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPainterPath, QPen, QPixmap
from PySide6.QtWidgets import QVBoxLayout, QWidget

from orgseg_app.core.classes import BACKGROUND, ClassInfo, default_classes
from orgseg_app.files.export import MASK_FORMATS, PNG, mask_values
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.cards import Card
from orgseg_app.gui.style.widgets import GAP, plain_tip

SIDE, SHARPNESS = 48, 3
"""Side of an example in device-independent pixels, and pixels for each."""
EXAMPLE_CLASSES = 2


class FormatCards(QWidget):
    """The formats; one or more are chosen.

    Signals
    -------
    changed()
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Formats")
        self.cards: dict[str, Card] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(GAP)
        for name, form in MASK_FORMATS.items():
            first = form.about.split(". ")[0].rstrip(".")
            card = Card(form.title, first, picture_size=(SIDE, SIDE), checkable=True, text_lines=3)
            card.setToolTip(plain_tip(form.about))
            card.setAccessibleDescription(form.about)
            card.toggled.connect(lambda _: self.changed.emit())
            self.cards[name] = card
            column.addWidget(card)
        next(iter(self.cards.values())).setChecked(True)
        self.show_classes(())

    def chosen(self) -> list[str]:
        """Keys of `MASK_FORMATS`, in their order."""
        return [name for name, card in self.cards.items() if card.isChecked()]

    def show_classes(self, classes: Sequence[ClassInfo]) -> None:
        """Make the examples with the project's classes."""
        for name, card in self.cards.items():
            card.set_picture(example(name, classes))


def example(form: str, classes: Sequence[ClassInfo]) -> QPixmap:
    """A mask as this format holds it: two shapes, their values written upon them.

    Parameters
    ----------
    form
        Key of `MASK_FORMATS`.
    classes
        Of the project; two at most are drawn.
    """
    others = [c for c in classes if c.class_id != BACKGROUND]
    if not others:
        classes = default_classes(["foreground"])
        others = [c for c in classes if c.class_id != BACKGROUND]
    values = mask_values(classes, form)
    picture = QPixmap(SIDE * SHARPNESS, SIDE * SHARPNESS)
    picture.fill(QColor("#000000"))
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.scale(SHARPNESS, SHARPNESS)
    shown = others[:EXAMPLE_CLASSES]
    for info, (shape, place) in zip(shown, _shapes(len(shown)), strict=True):
        value = values[info.class_id]
        colour = QColor(value, value, value) if form == PNG else QColor(info.colour)
        is_dark = colour.lightness() < 110
        painter.setBrush(colour)
        painter.setPen(QPen(QColor("#6B737D"), 0.75) if is_dark else Qt.PenStyle.NoPen)
        painter.drawPath(shape)
        painter.setPen(QColor("#E8EAED" if is_dark else "#101214"))
        painter.setFont(_small_font())
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, str(value))
    painter.end()
    return picture


def _small_font() -> QFont:
    made = theme.font(theme.CAPTION_PX, strong=True)
    made.setPixelSize(10)
    return made


def _shapes(count: int) -> list[tuple[QPainterPath, QRectF]]:
    """Outlines in a square of `SIDE`, and where a number fits upon each."""
    blob = QPainterPath()
    blob.moveTo(6, 26)
    blob.cubicTo(QPointF(2, 10), QPointF(18, 2), QPointF(28, 8))
    blob.cubicTo(QPointF(38, 12), QPointF(30, 22), QPointF(24, 25))
    blob.cubicTo(QPointF(18, 29), QPointF(10, 38), QPointF(6, 26))
    disc = QPainterPath()
    disc.addEllipse(QPointF(34, 34), 9, 9)
    if count == 1:
        blob.addEllipse(QPointF(36, 36), 6, 6)
    found = [(blob, QRectF(8, 8, 22, 18)), (disc, QRectF(25, 25, 18, 18))]
    return found[:count]
