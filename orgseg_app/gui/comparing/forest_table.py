"""The forest plot as a table: a pair a row, which the keyboard reaches and a click shows."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QGuiApplication, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from orgseg_app.gui.comparing.forest_painting import (
    HEAD,
    ROW,
    paint_axis,
    paint_interval,
    paint_names,
    paint_words,
    span_of,
)
from orgseg_app.gui.comparing.statistics_data import ModelPair, Statistics
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.tables import draw_ground, make_rows
from orgseg_app.gui.style.widgets import plain_tip

Index = QModelIndex | QPersistentModelIndex
PAIR, FOREST, WORDS = range(3)
TITLES = ("Pair", "", "In words")
SHARES = {PAIR: 0.24, FOREST: 0.32, WORDS: 0.44}
PAIR_ROLE = Qt.ItemDataRole.UserRole


class ForestModel(QAbstractTableModel):
    """One row a pair of models."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.shown: Statistics | None = None
        self.chosen: frozenset[str] = frozenset()

    @property
    def pairs(self) -> tuple[ModelPair, ...]:
        """As shown."""
        return self.shown.pairs if self.shown is not None else ()

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the axis."""
        return span_of(self.shown) if self.shown is not None else (-1.0, 1.0)

    def set_statistics(self, shown: Statistics | None) -> None:
        """Show these pairs."""
        self.beginResetModel()
        self.shown = shown
        self.endResetModel()

    def set_chosen(self, run_ids: frozenset[str]) -> None:
        """Mark the pair that is A and B elsewhere."""
        self.chosen = run_ids
        if self.pairs:
            self.dataChanged.emit(self.index(0, PAIR), self.index(len(self.pairs) - 1, PAIR))

    def is_chosen(self, pair: ModelPair) -> bool:
        """Whether these two are A and B."""
        return frozenset((pair.first.run_id, pair.second.run_id)) == self.chosen

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Pairs."""
        return 0 if parent.isValid() else len(self.pairs)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Names, interval, words."""
        return 0 if parent.isValid() else len(TITLES)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Titles; that of the plot is its axis."""
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return TITLES[section]
        if role == Qt.ItemDataRole.AccessibleTextRole and section == FOREST:
            return "Mean difference with its interval"
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Cells; what they show is painted by `ForestDelegate`."""
        if not index.isValid() or index.row() >= len(self.pairs):
            return None
        pair = self.pairs[index.row()]
        if role == PAIR_ROLE:
            return pair
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return self.text(pair, index.column())
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(details(pair))
        return None

    @staticmethod
    def text(pair: ModelPair, column: int) -> str:
        """What a cell says."""
        if column == PAIR:
            return f"{pair.first.name} − {pair.second.name}"
        if column == WORDS:
            return pair.sentence
        found = pair.found
        if found.mean is None:
            return "no image has scores of both"
        said = f"{found.mean:+.3f}"
        if found.interval is not None:
            said += f", {found.interval[0]:+.3f} to {found.interval[1]:+.3f}"
        return said.replace("-", "−")


def details(pair: ModelPair) -> str:
    """All figures of a pair, for the tooltip."""
    found = pair.found
    lines = [pair.sentence, ""]
    if found.p is not None:
        lines.append(f"Wilcoxon signed-rank: p = {found.p:.3g}")
        if found.p_adjusted is not None and found.pairs > 1:
            lines.append(f"Corrected for {found.pairs} pairs (Holm): p = {found.p_adjusted:.3g}")
    if found.cohens_d is not None:
        lines.append(f"Effect size: Cohen's d = {found.cohens_d:.2f}")
    if found.rank_biserial is not None:
        lines.append(f"Rank-biserial correlation: {found.rank_biserial:.2f}")
    for model, spread in zip((pair.first, pair.second), found.run_deviations, strict=True):
        if spread is not None:
            lines.append(f"{model.name}: seeds differ by {spread:.3f} (standard deviation)")
    return "\n".join([*lines, "", "Click to see them as A and B."]).replace(" -", " −")


class ForestDelegate(QStyledItemDelegate):
    """Paints a row."""

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Ground, then what the column shows."""
        pair, model = index.data(PAIR_ROLE), index.model()
        if pair is None or not isinstance(model, ForestModel):
            return
        draw_ground(self, painter, option, index)
        painter.save()
        rect = QRectF(option.rect)
        if index.column() == PAIR:
            inner = rect.adjusted(12, 0, -8, 0)
            paint_names(painter, inner, pair, strong=model.is_chosen(pair))
        elif index.column() == FOREST:
            paint_interval(painter, rect, pair, model.ends)
        else:
            paint_words(painter, rect.adjusted(10, 0, -8, 0), pair)
        painter.restore()


class _AxisHeader(QHeaderView):
    """The plot's title is its axis."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setSectionsClickable(False)
        self.setHighlightSections(False)
        theme.hold(self, height=HEAD)

    def paintSection(self, painter: QPainter, rect: QRect, section: int) -> None:
        """As usual, with numbers on the plot's."""
        painter.save()
        super().paintSection(painter, rect, section)
        painter.restore()
        model = self.model()
        if section == FOREST and isinstance(model, ForestModel) and model.shown is not None:
            lower, inner = model.shown.is_lower_better, QRectF(theme.shrunk(rect))
            with theme.magnified(painter):
                paint_axis(painter, inner, model.ends, is_lower_better=lower)

    def sizeHint(self) -> QSize:
        """Two lines."""
        return QSize(super().sizeHint().width(), theme.px(HEAD))


class ForestTable(QTableView):
    """Pairs of models.

    Signals
    -------
    pair_chosen(first, second)
        Ids of runs: a row was clicked, or Enter pressed on it.
    """

    pair_chosen = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.forest = ForestModel(self)
        self.setModel(self.forest)
        self.setItemDelegate(ForestDelegate(self))
        self.setHorizontalHeader(_AxisHeader(self))
        self.setProperty("look", "rows")
        make_rows(self, "Pairs of models", height=ROW, several=False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.clicked.connect(self._choose)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Names, plot and words share the width."""
        super().resizeEvent(event)
        width = self.viewport().width()
        for column, share in SHARES.items():
            self.setColumnWidth(column, int(width * share))

    def _choose(self, index: QModelIndex) -> None:
        pair = index.data(PAIR_ROLE)
        if pair is not None:
            self.pair_chosen.emit(pair.first.run_id, pair.second.run_id)

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter shows the pair; copy takes all pairs as tab-separated text."""
        if event.matches(QKeySequence.StandardKey.Copy) and self.forest.shown is not None:
            QGuiApplication.clipboard().setText(self.forest.shown.as_tsv())
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self._choose(self.currentIndex())
        else:
            super().keyPressEvent(event)
