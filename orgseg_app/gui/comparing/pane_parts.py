"""Parts of the comparison panes: which run, its letter, and what the colours mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QPushButton, QSizePolicy, QWidget

from orgseg_app.gui.canvas import difference
from orgseg_app.gui.canvas.layers import OverlayLayer
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.comparing.results_table import paint_letter
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.run_colours import key_icon
from orgseg_app.gui.style.widgets import label, plain_tip

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Shown:
    """What a pane shows over the image.

    Attributes
    ----------
    letter
        Of the run; "" for the truth.
    name
        Of the run, or "Truth".
    score
        On this image, in words; "" where there is none.
    layers
        What lies over the image.
    missing
        Why there is nothing to show, or "".
    can_score
        Whether scoring the run would help.
    """

    letter: str
    name: str
    score: str = ""
    layers: tuple[OverlayLayer, ...] = ()
    missing: str = ""
    can_score: bool = False

    @property
    def title(self) -> str:
        """Letter and name."""
        return f"{self.letter} · {self.name}" if self.letter else self.name


class RunList(QAbstractListModel):
    """Runs to choose from; an icon is drawn only once it is seen."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._rows: Sequence[ResultRow] = ()
        self._none = ""

    def set_rows(self, rows: Sequence[ResultRow], none: str) -> None:
        """Offer these; before them no run, in the words of `none`, unless these are ""."""
        self.beginResetModel()
        self._rows, self._none = rows, none
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Runs, and none."""
        return 0 if parent.isValid() else len(self._rows) + bool(self._none)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, key, id."""
        place = index.row() - bool(self._none)
        row = self._rows[place] if 0 <= place < len(self._rows) else None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._none if row is None else row.name
        if role == Qt.ItemDataRole.UserRole:
            return "" if row is None else row.run_id
        if role == Qt.ItemDataRole.DecorationRole and row is not None:
            return key_icon(row.colour_index)
        return None


class RunChooser(QComboBox):
    """Which run a pane shows."""

    def __init__(self, letter: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs = RunList(self)
        self.setModel(self._runs)
        self.setAccessibleName(f"Run {letter}")
        self.setToolTip(f"Run shown in pane {letter}")
        narrow_chooser(self)
        self.setIconSize(QSize(18, 16))

    def set_rows(self, rows: Sequence[ResultRow], chosen: str, *, none: str = "") -> None:
        """Offer runs, without telling; with `none`, to take it away is offered in these words."""
        blocked = self.blockSignals(True)
        self._runs.set_rows(rows, none)
        place = next((n for n, row in enumerate(rows) if row.run_id == chosen), -1)
        self.setCurrentIndex(place + 1 if none else max(0, place))
        self.blockSignals(blocked)


def narrow_chooser(chooser: QComboBox) -> None:
    """Let a chooser be as narrow as its pane."""
    policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    chooser.setSizeAdjustPolicy(policy)
    chooser.setMinimumContentsLength(3)
    chooser.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    chooser.setMaxVisibleItems(20)


class PlaceChooser(QComboBox):
    """Which of the panes' contents is shown on one side: a run by its letter, or the truth."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName(name)
        self.setToolTip(name)
        narrow_chooser(self)

    def set_places(self, shown: Sequence[Shown], chosen: int) -> None:
        """Offer these, without telling."""
        blocked = self.blockSignals(True)
        self.clear()
        for item in shown:
            self.addItem(item.title)
        self.setCurrentIndex(chosen)
        tip = shown[chosen].title if 0 <= chosen < len(shown) else ""
        self.setToolTip(plain_tip(tip))
        self.blockSignals(blocked)


class Letter(QWidget):
    """The letter of a run in a badge."""

    def __init__(self, letter: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.letter = letter
        self.setFixedSize(18, 18)

    def set_letter(self, letter: str) -> None:
        """Another one; nothing is seen of an empty one."""
        self.letter = letter
        self.setVisible(bool(letter))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """The badge."""
        painter = QPainter(self)
        paint_letter(painter, QRectF(self.rect()), self.letter)
        painter.end()


class LegendKey(QWidget):
    """A patch of a colour as it looks on the picture, and its word."""

    def __init__(self, value: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.colour = difference.COLOURS[value]
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 0, 0, 0)
        row.addWidget(label(difference.WORDS[value], "caption"))
        self.setToolTip(difference.LONG_WORDS[value])

    def paintEvent(self, event: QPaintEvent) -> None:
        """The patch, on the canvas's own dark."""
        now = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        place = QRectF(0.5, self.height() / 2 - 6.5, 13, 13)
        painter.setPen(QColor(now.control))
        painter.setBrush(QColor(self.colour))
        painter.drawRoundedRect(place, 3, 3)
        painter.end()


def segment(text: str, tip: str = "", *, checkable: bool = True) -> QPushButton:
    """One of several buttons side by side of which some are chosen."""
    button = QPushButton(text)
    button.setProperty("look", "segment")
    button.setCheckable(checkable)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setToolTip(tip)
    return button
