"""Which class was taken for which: the confusion matrices of the runs shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import (
    QAbstractTableModel,
    QEvent,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRectF,
    Qt,
)
from PySide6.QtGui import (
    QColor,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.core.metrics.class_groups import shares_of_truth
from orgseg_app.gui.comparing.pane_parts import Letter
from orgseg_app.gui.comparing.results_data import ResultRow
from orgseg_app.gui.panels.table_keys import keeps_key
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, GROUP, Caption, ElidedLabel, plain_tip, surface

Index = QModelIndex | QPersistentModelIndex
SHARE_ROLE = Qt.ItemDataRole.UserRole
ROW_HEIGHT = 30
NARROWEST, WIDEST = 52, 120
READABLE = 4.5
"""Least contrast of words and ground."""


class ConfusionModel(QAbstractTableModel):
    """Rows are the true classes, columns the predicted ones; a row's shares sum to 1."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.names: tuple[str, ...] = ()
        self.counts: NDArray[np.int64] = np.zeros((0, 0), np.int64)
        self.shares: NDArray[np.float64] = np.zeros((0, 0))

    def set_run(self, row: ResultRow | None) -> None:
        """Show the test images of a run, all counted together."""
        self.beginResetModel()
        pooled = row.pooled if row is not None else None
        self.names = pooled.class_names if pooled is not None else ()
        size = len(self.names)
        rows = pooled.confusion if pooled is not None else ()
        self.counts = np.array(rows, np.int64).reshape(size, size)
        self.shares = shares_of_truth(self.counts)
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """True classes."""
        return 0 if parent.isValid() else len(self.names)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Predicted classes."""
        return 0 if parent.isValid() else len(self.names)

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> Any:
        """Names of the classes."""
        if not 0 <= section < len(self.names):
            return None
        is_truth = orientation == Qt.Orientation.Vertical
        if role == Qt.ItemDataRole.DisplayRole:
            name = self.names[section]
            return name if is_truth else name.replace(" ", "\n", 1)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{'True' if is_truth else 'Predicted'} {self.names[section]}"
        if role == Qt.ItemDataRole.ToolTipRole:
            name = self.names[section]
            if is_truth:
                count = int(self.counts[section].sum())
                return plain_tip(f"{count:,} pixels are painted {name}.")
            count = int(self.counts[:, section].sum())
            return plain_tip(f"{count:,} painted pixels were predicted as {name}.")
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignRight if is_truth else Qt.AlignmentFlag.AlignHCenter
            return side | Qt.AlignmentFlag.AlignVCenter
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Cells."""
        if not index.isValid() or index.row() >= len(self.names):
            return None
        share = float(self.shares[index.row(), index.column()])
        if role == Qt.ItemDataRole.DisplayRole:
            return self.text(index.row(), index.column())
        if role == SHARE_ROLE:
            return 0.0 if np.isnan(share) else share
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return plain_tip(self._said(index.row(), index.column()))
        return None

    def text(self, row: int, column: int) -> str:
        """The share with two decimals; "" for none, a dash where the truth lacks the class."""
        share, count = float(self.shares[row, column]), int(self.counts[row, column])
        if np.isnan(share):
            return "–"
        if not count:
            return ""
        if share < 0.005:
            return "<0.01"
        is_rounded_up = share >= 0.995 and count < int(self.counts[row].sum())
        return ">0.99" if is_rounded_up else f"{share:.2f}"

    def _said(self, row: int, column: int) -> str:
        true, seen = self.names[row], self.names[column]
        whole = int(self.counts[row].sum())
        if not whole:
            return f"No pixel is painted {true}."
        share = 100 * self.shares[row, column]
        what = "rightly as" if row == column else "as"
        return f"Of {whole:,} pixels painted {true}, {share:.2f} % were predicted {what} {seen}."

    def as_tsv(self) -> str:
        """Voxel counts as tab-separated text, with names in the first row and column."""
        plain = [" ".join(name.split()) for name in self.names]
        lines = ["\t".join(["truth \\ prediction", *plain])]
        for name, row in zip(plain, self.counts.tolist(), strict=True):
            lines.append("\t".join([name, *map(str, row)]))
        return "\n".join(lines) + "\n"


class ShareDelegate(QStyledItemDelegate):
    """A cell the darker, the larger its share; what is right has a frame."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Ground, frame, number, and the mark of the cell that has the keyboard."""
        now = theme.current()
        ground = share_colour(float(index.data(SHARE_ROLE) or 0.0))
        place = QRectF(option.rect).adjusted(1, 1, -1, -1)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ground)
        painter.drawRoundedRect(place, 3, 3)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        view = option.widget
        is_current = (
            isinstance(view, QTableView) and view.hasFocus() and view.currentIndex() == index
        )
        if is_current or index.row() == index.column():
            colour, width = (now.text, 2.0) if is_current else (now.control, 1.0)
            painter.setPen(QPen(QColor(colour), width))
            painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        painter.setPen(words_on(ground))
        painter.setFont(theme.font(strong=index.row() == index.column()))
        text = str(index.data() or "")
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, text)
        painter.restore()


def share_colour(share: float) -> QColor:
    """Ground of a cell: the panel's for none, the accent from nine tenths on."""
    now = theme.current()
    return _mixed(QColor(now.panel), QColor(now.accent), min(1.0, share / 0.9))


def words_on(ground: QColor) -> QColor:
    """Of the theme's two colours of words the one that reads better; black or white in between."""
    now = theme.current()
    words = [QColor(now.text), QColor(now.on_accent)]
    if max(contrast(colour, ground) for colour in words) < READABLE:
        words = [QColor("#000000"), QColor("#FFFFFF")]
    return max(words, key=lambda colour: contrast(colour, ground))


def contrast(one: QColor, other: QColor) -> float:
    """Contrast ratio of two colours, 1…21 (WCAG 2)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: QColor) -> float:
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _mixed(one: QColor, other: QColor, share: float) -> QColor:
    return QColor.fromRgbF(
        one.redF() + (other.redF() - one.redF()) * share,
        one.greenF() + (other.greenF() - one.greenF()) * share,
        one.blueF() + (other.blueF() - one.blueF()) * share,
    )


class ConfusionTable(QTableView):
    """One matrix; Ctrl+C copies its counts."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.matrix = ConfusionModel(self)
        self.setModel(self.matrix)
        self.setItemDelegate(ShareDelegate(self))
        self.setShowGrid(False)
        self.setMouseTracking(True)
        self.setTabKeyNavigation(False)
        self.setCornerButtonEnabled(False)
        self.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        # Names in little room; the style's corner would be a button, which it is not.
        self.setStyleSheet(
            "QHeaderView::section { padding: 0 4px; }"
            "QTableCornerButton::section { background: transparent; border: none; }"
        )
        theme.hold_rows(self, ROW_HEIGHT)
        theme.hold(self.horizontalHeader(), height=40)
        for header in (self.verticalHeader(), self.horizontalHeader()):
            header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
            header.setHighlightSections(False)
            header.setSectionsClickable(False)
            header.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.matrix.modelReset.connect(self._fit)

    def _fit(self) -> None:
        """Names get what they need, within bounds."""
        metrics = QFontMetrics(theme.font(theme.CAPTION_PX))
        names = self.matrix.names
        widths = [metrics.horizontalAdvance(name) for name in names]
        self.verticalHeader().setFixedWidth(min(theme.px(160), max(widths, default=0) + 36))
        for place, name in enumerate(names):
            widest = max(metrics.horizontalAdvance(part) for part in name.split(" ", 1))
            self.setColumnWidth(place, min(theme.px(WIDEST), max(theme.px(NARROWEST), widest + 24)))

    def event(self, event: QEvent) -> bool:
        """Keys the window's shortcuts would take."""
        return keeps_key(event) or super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Copy."""
        if event.matches(QKeySequence.StandardKey.Copy):
            QGuiApplication.clipboard().setText(self.matrix.as_tsv())
        else:
            super().keyPressEvent(event)


class ConfusionView(QWidget):
    """The matrices of run A and of run B."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        surface(self, "panel")
        self.setAccessibleName("Confusion")
        self.parts: list[tuple[QWidget, ElidedLabel, ConfusionTable]] = []
        across = QHBoxLayout()
        across.setSpacing(GROUP)
        for letter in ("A", "B"):
            part = QWidget(self)
            name, table = ElidedLabel(), ConfusionTable()
            table.setAccessibleName(f"Confusion matrix of run {letter}")
            head = QHBoxLayout()
            head.setSpacing(GAP)
            head.addWidget(Letter(letter))
            head.addWidget(name, 1)
            column = QVBoxLayout(part)
            column.setContentsMargins(0, 0, 0, 0)
            column.setSpacing(GAP)
            column.addLayout(head)
            column.addWidget(table, 1)
            across.addWidget(part, 1)
            self.parts.append((part, name, table))
        self.caption = Caption(
            "Each row: of the pixels painted this class, the share that was predicted as each "
            "class (columns). Framed cells are right. All test images counted together."
        )
        column = QVBoxLayout(self)
        column.setContentsMargins(GROUP, 6, GROUP, GAP)
        column.setSpacing(GAP)
        column.addWidget(self.caption)
        column.addLayout(across, 1)

    def set_runs(self, a: ResultRow | None, b: ResultRow | None) -> None:
        """Show these; a run without scores has no matrix."""
        for (part, name, table), row in zip(self.parts, (a, b), strict=True):
            table.matrix.set_run(row)
            part.setVisible(row is not None)
            words = row.name if row is not None else ""
            name.setText(words if row is None or row.pooled else f"{words}: no scores yet")
