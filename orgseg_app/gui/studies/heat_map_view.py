"""The grid of a study as a heat map: two axes, the mean score of each cell as colour and number.

Colours are those of viridis (Smith and van der Walt 2015, matplotlib): brighter is better, the
order holds for every kind of colour vision and in print.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontMetrics,
    QHelpEvent,
    QKeyEvent,
    QLinearGradient,
    QMouseEvent,
    QPainter,
    QPen,
)
from PySide6.QtWidgets import QToolTip, QWidget

from orgseg_app.gui.comparing.confusion_view import contrast
from orgseg_app.gui.session import Session
from orgseg_app.gui.studies.grid_data import Cell, Grid
from orgseg_app.gui.studies.picture import Figure
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import focus_ring, plain_tip
from orgseg_app.runs.studies.wording import (
    axis_title,
    figure,
    place_title,
    runs_words,
    spread_words,
)

VIRIDIS = (
    "#440154", "#482475", "#414487", "#355F8D", "#2A788E", "#21918C", "#22A884", "#44BF70",
    "#7AD151", "#BDDF26", "#FDE725",
)  # fmt: skip
CELL = QSize(104, 48)
LABELS, MOST_LABEL = 90, 220
EDGE, HEAD, KEY = 16, 44, 44


def viridis(share: float) -> QColor:
    """A colour between the lowest (0) and the highest (1)."""
    place = min(max(share, 0.0), 1.0) * (len(VIRIDIS) - 1)
    low = min(int(place), len(VIRIDIS) - 2)
    one, other, part = QColor(VIRIDIS[low]), QColor(VIRIDIS[low + 1]), place - low
    return QColor.fromRgbF(
        one.redF() + (other.redF() - one.redF()) * part,
        one.greenF() + (other.greenF() - one.greenF()) * part,
        one.blueF() + (other.blueF() - one.blueF()) * part,
    )


def words_on(ground: QColor) -> QColor:
    """Black or white, what reads better."""
    return max((QColor("#000000"), QColor("#FFFFFF")), key=lambda c: contrast(c, ground))


class HeatMapView(Figure):
    """The map; a click on a cell, or Enter, chooses its runs.

    Signals
    -------
    cell_chosen(list of run_id)
    cell_activated(list of run_id)
        A double-click, or Enter.
    """

    cell_chosen = Signal(list)
    cell_activated = Signal(list)

    title = "Heat map"
    noun = "heat map"

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(session, parent)
        self.grid = Grid()
        self.score_title = ""
        self.at: tuple[int, int] | None = None
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        theme.watcher.changed.connect(self._on_theme_changed)

    def _on_theme_changed(self) -> None:
        if self.grid.rows:
            self.setMinimumSize(self.picture_size())

    def show_grid(self, grid: Grid, score_title: str) -> None:
        """Show other figures."""
        if (grid, score_title) == (self.grid, self.score_title):
            return
        is_same = (grid.rows, grid.columns) == (self.grid.rows, self.grid.columns)
        self.grid, self.score_title = grid, score_title
        self.at = self.at if is_same else None
        self._describe()
        self.setMinimumSize(self.picture_size())
        self.updateGeometry()
        self.update()

    @property
    def is_empty(self) -> bool:
        """Whether no cell has a score."""
        return self.grid.reach is None

    # -- where things are --------------------------------------------------------------------------

    @property
    def _left(self) -> int:
        """Room for the names of the rows."""
        metrics = QFontMetrics(theme.font())
        names = [place_title(self.grid.row_key, name) for name in self.grid.rows]
        widest = max((metrics.horizontalAdvance(name) for name in names), default=0)
        return EDGE + min(MOST_LABEL, max(LABELS, widest)) + 12 if self.grid.row_key else EDGE

    @property
    def _cell(self) -> tuple[int, int]:
        """Width and height of a cell: as wide as the longest column's name needs, within bounds."""
        metrics = QFontMetrics(theme.font(theme.CAPTION_PX))
        names = [place_title(self.grid.column_key, name) for name in self.grid.columns]
        widest = max((metrics.horizontalAdvance(name) for name in names), default=0)
        return min(170, max(CELL.width(), widest + 12)), CELL.height()

    def cell_rect(self, row: int, column: int) -> QRectF:
        """Where a cell is painted, at a text size of 100 %."""
        width, height = self._cell
        return QRectF(self._left + column * width, HEAD + row * height, width, height)

    def picture_size(self) -> QSize:
        """Names, cells, the key of the colours."""
        with theme.base_size() as scale:
            width, height = self._cell
            across = self._left + max(1, len(self.grid.columns)) * width + EDGE
        size = QSize(max(across, 320), HEAD + len(self.grid.rows) * height + KEY + 8)
        return size * scale

    def sizeHint(self) -> QSize:
        """As drawn."""
        return self.picture_size()

    def place_at(self, point: QPointF) -> tuple[int, int] | None:
        """Row and column under a point."""
        with theme.base_size() as scale:
            width, height = self._cell
            row = int((point.y() / scale - HEAD) // height)
            column = int((point.x() / scale - self._left) // width)
        is_inside = 0 <= row < len(self.grid.rows) and 0 <= column < len(self.grid.columns)
        return (row, column) if is_inside else None

    # -- painting ----------------------------------------------------------------------------------

    def paint_to(self, painter: QPainter) -> None:
        """Names, cells, key."""
        if not self.grid.rows:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        with theme.magnified(painter):
            self._draw(painter)

    def _draw(self, painter: QPainter) -> None:
        self._draw_names(painter)
        for row in range(len(self.grid.rows)):
            for column in range(len(self.grid.columns)):
                self._draw_cell(painter, row, column)
        self._draw_key(painter)
        if self.at is not None:
            place = self.cell_rect(*self.at)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(theme.current().text), 2))
            painter.drawRoundedRect(place.adjusted(2, 2, -2, -2), 4, 4)
            if self.hasFocus():
                focus_ring(painter, place, 5)
        elif self.hasFocus() and self.grid.cells:
            focus_ring(painter, self.cell_rect(0, 0), 5)

    def _draw_names(self, painter: QPainter) -> None:
        now, middle = theme.current(), Qt.AlignmentFlag.AlignVCenter
        width, height = self._cell
        small = theme.font(theme.CAPTION_PX)
        painter.setFont(small)
        painter.setPen(QColor(now.secondary))
        column_title = axis_title(self.grid.column_key)
        painter.drawText(QRectF(self._left, 2, 400, 18), middle, f"{column_title} →")
        if self.grid.row_key:
            title = f"{axis_title(self.grid.row_key)} ↓"
            painter.drawText(QRectF(EDGE, HEAD - 22, self._left - EDGE, 18), middle, title)
        painter.setPen(QColor(now.text))
        for place, name in enumerate(self.grid.columns):
            text = _elided(place_title(self.grid.column_key, name), small, width - 8)
            where = QRectF(self._left + place * width, HEAD - 22, width, 18)
            painter.drawText(where, Qt.AlignmentFlag.AlignCenter, text)
        painter.setFont(theme.font())
        for place, name in enumerate(self.grid.rows if self.grid.row_key else ()):
            room = self._left - EDGE - 12
            text = _elided(place_title(self.grid.row_key, name), theme.font(), room)
            where = QRectF(EDGE, HEAD + place * height, room, height)
            painter.drawText(where, middle | Qt.AlignmentFlag.AlignRight, text)

    def _draw_cell(self, painter: QPainter, row: int, column: int) -> None:
        now, cell = theme.current(), self.grid.cells[row][column]
        place = self.cell_rect(row, column).adjusted(1, 1, -1, -1)
        mean = cell.spread.mean
        painter.setPen(Qt.PenStyle.NoPen)
        if mean is None:
            painter.setPen(QPen(QColor(now.line), 1))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
            painter.setPen(QColor(now.secondary))
            painter.setFont(theme.font(theme.CAPTION_PX))
            words = "waiting" if cell.planned else "left out"
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, words)
            return
        ground = viridis(self._share(mean))
        painter.setBrush(ground)
        painter.drawRoundedRect(place, 3, 3)
        painter.setPen(words_on(ground))
        painter.setFont(theme.font(strong=True))
        upper = QRectF(place.left(), place.top() + 6, place.width(), 18)
        painter.drawText(upper, Qt.AlignmentFlag.AlignCenter, figure(mean))
        painter.setFont(theme.font(theme.CAPTION_PX))
        lower = QRectF(place.left(), place.top() + 24, place.width(), 16)
        painter.drawText(lower, Qt.AlignmentFlag.AlignCenter, _below(cell))

    def _share(self, mean: float) -> float:
        low, high = self.grid.reach or (0.0, 1.0)
        return (mean - low) / (high - low) if high > low else 0.5

    def _draw_key(self, painter: QPainter) -> None:
        """Which colour is which score."""
        reach = self.grid.reach
        if reach is None:
            return
        now = theme.current()
        top = HEAD + len(self.grid.rows) * self._cell[1] + 14
        bar = QRectF(self._left + 48, top, 180, 10)
        gradient = QLinearGradient(bar.topLeft(), bar.topRight())
        for number, colour in enumerate(VIRIDIS):
            gradient.setColorAt(number / (len(VIRIDIS) - 1), QColor(colour))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(gradient)
        painter.drawRoundedRect(bar, 2, 2)
        painter.setPen(QColor(now.secondary))
        painter.setFont(theme.font(theme.CAPTION_PX))
        middle, right = Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignRight
        low = QRectF(bar.left() - 50, top - 4, 44, 18)
        painter.drawText(low, middle | right, figure(reach[0]))
        high = QRectF(bar.right() + 6, top - 4, 44, 18)
        painter.drawText(high, middle, figure(reach[1]))
        said = QRectF(self._left, top + 12, 420, 16)
        painter.drawText(said, middle, f"{self.score_title} on the validation images")

    # -- in words ----------------------------------------------------------------------------------

    def words(self, row: int, column: int) -> str:
        """A cell for those who cannot see it, and for the tooltip."""
        grid, cell = self.grid, self.grid.cells[row][column]
        places = [place_title(grid.column_key, grid.columns[column])]
        if grid.row_key:
            places.insert(0, place_title(grid.row_key, grid.rows[row]))
        head = " · ".join(places)
        if not cell.planned:
            return f"{head}: left out, it cannot be trained"
        if cell.spread.mean is None:
            return f"{head}: none of {runs_words(cell.planned)} has a score yet"
        count = f"{cell.spread.count} of {runs_words(cell.planned)}"
        lowest, highest = figure(cell.spread.lowest), figure(cell.spread.highest)
        reach = f", from {lowest} to {highest}" if cell.spread.count > 1 else ""
        return f"{head}: {self.score_title} {spread_words(cell.spread)}{reach} ({count})"

    def as_tsv(self) -> str:
        """Means, with names in the first row and column."""
        grid = self.grid
        corner = f"{axis_title(grid.row_key)} \\ {axis_title(grid.column_key)}"
        names = [place_title(grid.column_key, name) for name in grid.columns]
        lines = ["\t".join([corner if grid.row_key else "", *names])]
        for name, row in zip(grid.rows, grid.cells, strict=True):
            means = ["" if c.spread.mean is None else f"{c.spread.mean:.6g}" for c in row]
            lines.append("\t".join([place_title(grid.row_key, name) if name else "", *means]))
        return "\n".join(lines) + "\n"

    def _describe(self) -> None:
        said = self.words(*self.at) if self.at is not None else "Arrows go from cell to cell"
        self.setAccessibleDescription(said)

    # -- the person --------------------------------------------------------------------------------

    def _go(self, row: int, column: int) -> None:
        self.at = (row, column)
        self._describe()
        self.update()
        self.cell_chosen.emit(list(self.grid.cells[row][column].runs))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Choose a cell."""
        place = self.place_at(event.position())
        if place is not None and event.button() == Qt.MouseButton.LeftButton:
            self._go(*place)
        else:
            super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Go to the runs of a cell."""
        place = self.place_at(event.position())
        if place is not None:
            self.cell_activated.emit(list(self.grid.cells[place[0]][place[1]].runs))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Cells can be pressed."""
        is_cell = self.place_at(event.position()) is not None
        shape = Qt.CursorShape.PointingHandCursor if is_cell else Qt.CursorShape.ArrowCursor
        self.setCursor(shape)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows go from cell to cell, Enter goes to the runs."""
        steps = {
            Qt.Key.Key_Left: (0, -1),
            Qt.Key.Key_Right: (0, 1),
            Qt.Key.Key_Up: (-1, 0),
            Qt.Key.Key_Down: (1, 0),
        }
        if event.key() in steps and self.grid.rows:
            row, column = self.at or (0, 0)
            down, right = steps[Qt.Key(event.key())] if self.at is not None else (0, 0)
            self._go(
                min(max(row + down, 0), len(self.grid.rows) - 1),
                min(max(column + right, 0), len(self.grid.columns) - 1),
            )
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.at is not None:
            self.cell_activated.emit(list(self.grid.cells[self.at[0]][self.at[1]].runs))
        else:
            super().keyPressEvent(event)

    def event(self, event: QEvent) -> bool:
        """The tooltip of a cell."""
        if isinstance(event, QHelpEvent):
            place = self.place_at(QPointF(event.pos()))
            if place is not None:
                QToolTip.showText(event.globalPos(), plain_tip(self.words(*place)), self)
            else:
                QToolTip.hideText()
            return True
        return super().event(event)


def _below(cell: Cell) -> str:
    deviation = cell.spread.deviation
    parts = [f"± {figure(deviation)}"] if deviation is not None else []
    if cell.spread.count < cell.planned:
        parts.append(f"{cell.spread.count} of {cell.planned}")
    elif deviation is None:
        parts.append(runs_words(cell.spread.count))
    return " · ".join(parts)


def _elided(text: str, font: QFont, width: float) -> str:
    return QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideMiddle, int(width))
