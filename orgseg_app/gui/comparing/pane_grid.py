"""Up to six predictions and the truth beside one another, in as many rows as show most of them."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QSize, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QStackedLayout, QVBoxLayout, QWidget

from orgseg_app.gui.comparing.compare_pane import ComparePane
from orgseg_app.gui.comparing.pane_data import LETTERS, MOST_RUNS, PaneData
from orgseg_app.gui.comparing.pane_parts import Letter, RunChooser, Shown
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, Caption, ElidedLabel, EmptyState, plain_tip, surface

KEY_SIZE = QSize(18, 16)
SPACE = 2
HEADING = 36
LEAST_WIDTH = 150
"""Narrower panes go on two rows: their headings would be cut off."""
SHORT_BELOW = 236
"""In narrower panes a score stands without its name."""


def columns_for(count: int, width: int, height: int, size_yx: tuple[int, int] | None = None) -> int:
    """How many panes a row should hold so that the pictures are largest.

    Parameters
    ----------
    count
        Panes.
    width, height
        Room in pixels.
    size_yx
        Of the pictures; square when None.

    Examples
    --------
    >>> columns_for(3, 764, 300), columns_for(7, 764, 400), columns_for(7, 2040, 640)
    (3, 4, 7)
    """
    picture_y, picture_x = size_yx or (1, 1)

    def worth(columns: int) -> tuple[bool, float]:
        rows = -(-count // columns)
        wide = (width - (columns - 1) * SPACE) / columns
        high = (height - (rows - 1) * SPACE) / rows - HEADING
        return wide >= LEAST_WIDTH, min(wide / max(1, picture_x), high / max(1, picture_y))

    # As even as the number of rows allows: four and three, not six and one. Of as good ones the
    # wider rows: fewer headings.
    even = {-(-count // rows) for rows in range(1, count + 1)}
    return max(even, key=lambda n: (*worth(n), n))


class PaneCell(QWidget):
    """A pane under its heading, or why there is nothing to see."""

    def __init__(self, place: int, parent: QWidget | None = None) -> None:
        """The truth is the place of which there is no letter."""
        super().__init__(parent)
        letter = LETTERS[place] if place < MOST_RUNS else ""
        self.pane = ComparePane(f"Prediction of run {letter}" if letter else "Truth", self)
        self.title = ElidedLabel("Truth", parent=self)
        self.chooser = RunChooser(letter, self) if letter else None
        self.letter = Letter(letter, self)
        self.letter.setVisible(bool(letter))
        self.score = Caption()
        self.score.setWordWrap(False)
        self.blank = EmptyState("", "Score")
        surface(self.blank, "window")
        self._score = ""
        self._build()

    def _build(self) -> None:
        heading = QWidget(self)
        theme.hold(heading, height=HEADING)
        row = QHBoxLayout(heading)
        row.setContentsMargins(GAP, 4, GAP, 4)
        row.setSpacing(6)
        row.addWidget(self.letter)
        row.addWidget(self.chooser or self.title, 1)
        if self.chooser is not None:
            self.title.hide()
        row.addWidget(self.score)
        holder = QWidget(self)
        self._stack = QStackedLayout(holder)
        self._stack.addWidget(self.pane)
        self._stack.addWidget(self.blank)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(heading)
        column.addWidget(holder, 1)

    def show_what(self, shown: Shown) -> None:
        """Layers, or the words in their place."""
        if shown.missing:
            self.blank.set_text(shown.missing)
            self.blank.button.setVisible(shown.can_score)
            self._stack.setCurrentWidget(self.blank)
        else:
            self._stack.setCurrentWidget(self.pane)
            self.pane.set_layers(shown.layers)

    def show_score(self, text: str, tip: str = "") -> None:
        """Words and a number; the number alone where the pane is narrow."""
        self._score = text
        self.score.setAccessibleName(text)
        self.score.setToolTip(plain_tip(tip or text))
        self._fit_score()

    def _fit_score(self) -> None:
        is_short = self.width() < SHORT_BELOW and self.chooser is not None
        self.score.setText(self._score.rpartition(" ")[2] if is_short else self._score)
        if self.chooser is not None:
            self.chooser.setIconSize(QSize(1, 1) if is_short else KEY_SIZE)

    def minimumSizeHint(self) -> QSize:
        """The heading can be cut short."""
        return QSize(LEAST_WIDTH // 2, HEADING + 64)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """A narrow heading says less."""
        super().resizeEvent(event)
        self._fit_score()


class PaneGrid(QWidget):
    """The cells of the runs shown, then that of the truth.

    Signals
    -------
    chosen(place, run_id)
        Another run is wanted in a place; "" for none.
    score_requested(place)
        The run there has no prediction of the image.
    """

    chosen = Signal(int, str)
    score_requested = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runs = [self._cell(place) for place in range(MOST_RUNS)]
        self.truth = self._cell(MOST_RUNS)
        self._count = 2
        self._columns = 0
        self._size_yx: tuple[int, int] | None = None
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(SPACE)
        self.set_count(2)

    def _cell(self, place: int) -> PaneCell:
        cell = PaneCell(place, self)
        cell.hide()
        if cell.chooser is not None:
            cell.chooser.currentIndexChanged.connect(lambda _, at=place: self._on_chooser(at))
        cell.blank.button.clicked.connect(lambda _=False, at=place: self.score_requested.emit(at))
        return cell

    @property
    def cells(self) -> list[PaneCell]:
        """Those of the runs, and the truth's."""
        return [*self._runs[: self._count], self.truth]

    @property
    def all_panes(self) -> list[ComparePane]:
        """Shown or not."""
        return [cell.pane for cell in (*self._runs, self.truth)]

    def set_count(self, count: int) -> None:
        """Show so many runs."""
        if count != self._count or not self._columns:
            self._count = count
            self._columns = 0
            self._arrange()

    def set_rows(self, order: Sequence[ResultRow], shown: Sequence[ResultRow | None]) -> None:
        """Offer runs in the headings."""
        for place, row in enumerate(shown):
            chooser = self._runs[place].chooser
            assert chooser is not None
            none = "" if place == 0 else "No second run" if len(shown) == 2 else "Take away"
            chooser.set_rows(order, row.run_id if row else "", none=none)

    def show_data(self, data: PaneData | None) -> None:
        """The picture under the layers of all panes."""
        self._size_yx = data.picture.size_yx if data else None
        for cell in self.cells:
            if data is None:
                cell.pane.show_picture(None, [], is_rgb=False)
            else:
                cell.pane.show_picture(data.picture, data.levels, is_rgb=data.is_rgb)
        self._arrange()

    def show_what(self, shown: Sequence[Shown]) -> None:
        """The layers of every cell."""
        for cell, item in zip(self.cells, shown, strict=True):
            cell.show_what(item)

    @property
    def columns(self) -> int:
        """Panes in a row."""
        return self._columns

    def _arrange(self) -> None:
        cells = self.cells
        columns = columns_for(len(cells), self.width(), self.height(), self._size_yx)
        if columns == self._columns:
            return
        rows = -(-len(cells) // columns)
        for cell in (*self._runs, self.truth):
            self._grid.removeWidget(cell)
        for place, cell in enumerate(cells):
            self._grid.addWidget(cell, place // columns, place % columns)
            cell.show()
        for cell in self._runs[self._count :]:
            cell.hide()
        for number in range(MOST_RUNS + 1):
            self._grid.setColumnStretch(number, int(number < columns))
            self._grid.setRowStretch(number, int(number < rows))
        self._columns = columns
        before: QWidget | None = None
        for cell in cells:  # the keyboard goes through them as they are read
            for part in (cell.chooser, cell.pane):
                if part is not None:
                    if before is not None:
                        QWidget.setTabOrder(before, part)
                    before = part

    def minimumSizeHint(self) -> QSize:
        """Not that of the panes as they are arranged now: they can be arranged otherwise."""
        return QSize(2 * LEAST_WIDTH, HEADING + 64)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Other rows may show more."""
        super().resizeEvent(event)
        self._arrange()

    def _on_chooser(self, place: int) -> None:
        chooser = self._runs[place].chooser
        assert chooser is not None
        self.chosen.emit(place, str(chooser.currentData() or ""))
