"""The two lists of the Restore window: backups, and the images one of them differs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QFontMetrics, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem, QWidget

from orgseg_app.gui.panels.restore_preview import signed
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import THIN_SPACE, plain_tip, row_ground

if TYPE_CHECKING:
    from orgseg_app.core.classes import ClassInfo
    from orgseg_app.files.backups.backup import Backup
    from orgseg_app.files.backups.differences import Difference

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = 46
TRIGGERS = {
    "opened": "on opening",
    "worked": "while working",
    "closed": "on closing",
    "migration": "before an update",
    "restore": "before a restore",
    "asked": "asked for",
}
LINES_ROLE = Qt.ItemDataRole.UserRole
TONE_ROLE = Qt.ItemDataRole.UserRole + 1


def when_words(moment: datetime | None, now: datetime | None = None) -> str:
    """When a backup was made, as people say it.

    >>> now = datetime(2026, 3, 20, 12, 0)
    >>> when_words(datetime(2026, 3, 20, 9, 5), now), when_words(datetime(2026, 3, 19, 9, 5), now)
    ('Today, 09:05', 'Yesterday, 09:05')
    >>> when_words(datetime(2026, 3, 17, 9, 5), now), when_words(datetime(2025, 12, 3, 9, 5), now)
    ('Tuesday, 09:05', '3 December 2025, 09:05')
    """
    if moment is None:
        return "Unknown time"
    now = now or datetime.now().astimezone()
    days = (now.date() - moment.date()).days
    if days == 0:
        day = "Today"
    elif days == 1:
        day = "Yesterday"
    elif 1 < days < 7:
        day = f"{moment:%A}"
    else:  # also a clock that was ahead
        year = "" if moment.year == now.year else f" {moment.year}"
        day = f"{moment.day} {moment:%B}{year}"
    return f"{day}, {moment:%H:%M}"


class BackupsModel(QAbstractListModel):
    """Backups, newest first."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.backups: list[Backup] = []
        self._uuid = ""
        self._images_now = 0
        self._differing: dict[str, int] = {}

    def set_backups(self, backups: Sequence[Backup], project_uuid: str, images_now: int) -> None:
        """Show these, beside a project of so many images."""
        self.beginResetModel()
        self.backups, self._uuid, self._images_now = list(backups), project_uuid, images_now
        self.endResetModel()

    def add(self, backup: Backup) -> int:
        """Put one from elsewhere on top; its row."""
        self.beginInsertRows(QModelIndex(), 0, 0)
        self.backups.insert(0, backup)
        self.endInsertRows()
        return 0

    def set_differing(self, backup: Backup, count: int) -> None:
        """How many images differ from a backup."""
        self._differing[str(backup.path)] = count
        if backup in self.backups:
            index = self.index(self.backups.index(backup))
            self.dataChanged.emit(index, index)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Backups."""
        return 0 if parent.isValid() else len(self.backups)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Damaged ones can be looked at and not be restored."""
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """When, and what it is."""
        if not index.isValid():
            return None
        item = self.backups[index.row()]
        lines = (when_words(item.when), self._second_line(item), self._state(item))
        if role == Qt.ItemDataRole.DisplayRole:
            return lines[0]
        if role == LINES_ROLE:
            return lines
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return ", ".join(line for line in lines if line)
        if role == TONE_ROLE:
            return "warning" if item.problem or not item.is_whole else ""
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(item.problem or self._tip(item))
        return None

    def _second_line(self, item: Backup) -> str:
        if item.problem:
            return "Damaged"
        if self._uuid and item.project_uuid != self._uuid:
            return f"Of “{item.project_name}”"
        words = [_images(len(item.images)), share_words(item.painted_share)]
        if item.reason in TRIGGERS:
            words.append(TRIGGERS[item.reason])
        return " · ".join(words)

    def _state(self, item: Backup) -> str:
        """How it compares with now; "" while that is not known."""
        count = self._differing.get(str(item.path))
        if count is None or item.problem:
            return ""
        if count:
            return f"{count} differ{'s' * (count == 1)}"
        return "as now" if len(item.images) >= self._images_now else ""

    def _tip(self, item: Backup) -> str:
        from orgseg_app.files.backups.backup import REASONS

        lines = [
            f"Backup {item.number}, made {REASONS.get(item.reason, 'at that time')}",
            f"{len(item.painted_images)} of {_images(len(item.images))} painted",
            f"{item.size_bytes / 1e6:.1f}{THIN_SPACE}MB",
        ]
        if not item.is_whole:
            lines.append("The project was damaged then: some blocks are missing")
        return "\n".join(lines)


class ImagesModel(QAbstractListModel):
    """Images a backup differs in, each with a check mark; what cannot be restored comes last.

    Signals
    -------
    checked_changed()
    """

    checked_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.rows: list[Difference] = []
        self._names: dict[int, str] = {}
        self._checked: set[str] = set()

    def set_rows(
        self, rows: Sequence[Difference], classes: Sequence[ClassInfo], checked: set[str] | None
    ) -> None:
        """Show these; with ``checked`` None all that can be restored are checked."""
        self.beginResetModel()
        self.rows = sorted(rows, key=lambda row: not row.match.image_id)
        self._names = {c.class_id: c.name for c in classes}
        possible = {row.match.image_id for row in self.rows} - {""}
        self._checked = possible if checked is None else possible & checked
        self.endResetModel()
        self.checked_changed.emit()

    def mark_same(self, row: Difference) -> None:
        """A look at the voxels has shown that nothing differs."""
        if row in self.rows:
            number = self.rows.index(row)
            self.rows[number] = replace(row, is_same=True)
            self._checked.discard(row.match.image_id)
            self.dataChanged.emit(self.index(number), self.index(number))
            self.checked_changed.emit()

    @property
    def possible(self) -> int:
        """Images that can be restored."""
        return sum(bool(row.match.image_id) and not row.is_same for row in self.rows)

    def checked(self) -> list[str]:
        """Ids of the checked images, in order."""
        return [r.match.image_id for r in self.rows if r.match.image_id in self._checked]

    def check_all(self, on: bool) -> None:
        """Check every image, or none."""
        possible = {r.match.image_id for r in self.rows if not r.is_same} - {""}
        self._checked = possible if on else set()
        if self.rows:
            self.dataChanged.emit(self.index(0), self.index(len(self.rows) - 1))
        self.checked_changed.emit()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008
        """Images."""
        return 0 if parent.isValid() else len(self.rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Those that fit an image can be checked."""
        flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
        row = self.rows[index.row()] if index.isValid() else None
        if row is not None and row.match.image_id and not row.is_same:
            flags |= Qt.ItemFlag.ItemIsUserCheckable
        return flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, what changes, check mark."""
        if not index.isValid():
            return None
        row = self.rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        if role == LINES_ROLE:
            return row.name, self._words(row)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return f"{row.name}, {self._words(row)}"
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(row.match.problem or self._words(row))
        if role == TONE_ROLE:
            return "warning" if row.match.problem else ""
        if role == Qt.ItemDataRole.CheckStateRole and row.match.image_id:
            on = row.match.image_id in self._checked
            return Qt.CheckState.Checked if on else Qt.CheckState.Unchecked
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Check or uncheck an image."""
        if role != Qt.ItemDataRole.CheckStateRole or not index.isValid():
            return False
        image_id = self.rows[index.row()].match.image_id
        if Qt.CheckState(value) == Qt.CheckState.Checked:
            self._checked.add(image_id)
        else:
            self._checked.discard(image_id)
        self.dataChanged.emit(index, index)
        self.checked_changed.emit()
        return True

    def _words(self, row: Difference) -> str:
        if row.match.problem:
            return "Not in the project now" if not row.now else "Does not fit"
        if row.is_same:
            return "Nothing differs"
        gained = sorted(row.gained.items(), key=lambda pair: -abs(pair[1]))
        words = [f"{self._names.get(i, i)} {short(n)}" for i, n in gained if n]
        return ", ".join(words) or "Painted elsewhere"


def share_words(share: float) -> str:
    """How much is painted.

    >>> share_words(0.0), share_words(0.002), share_words(0.344)
    ('nothing painted', 'under 1\u2009% painted', '34\u2009% painted')
    """
    if not share:
        return "nothing painted"
    percent = f"{share * 100:.0f}" if share >= 0.01 else "under 1"
    return f"{percent}{THIN_SPACE}% painted"


def short(number: int) -> str:
    """A change in as few letters as say something.

    >>> short(13867), short(-24010000)
    ('+13,867', '−24.0\u2009M')
    """
    if abs(number) < 10**6:
        return signed(number)
    return f"{'+' if number > 0 else '−'}{abs(number) / 1e6:.1f}{THIN_SPACE}M"


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


class TwoLines(QStyledItemDelegate):
    """A row of two lines, with a check mark where the model has one."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are alike."""
        return QSize(theme.px(160), theme.px(ROW_HEIGHT))

    def editorEvent(
        self,
        event: QEvent,
        model: QAbstractItemModel,
        option: QStyleOptionViewItem,
        index: Index,
    ) -> bool:
        """A click on the mark, or the space bar, checks or unchecks."""
        if not index.flags() & Qt.ItemFlag.ItemIsUserCheckable:
            return False
        if isinstance(event, QKeyEvent):
            hit = event.type() == QEvent.Type.KeyPress and event.key() == Qt.Key.Key_Space
        elif isinstance(event, QMouseEvent):
            mark = check_rect(theme.shrunk(option.rect))  # type: ignore[attr-defined]
            around = theme.grown(QRectF(mark.adjusted(-8, -8, 8, 8)))
            is_left = event.button() == Qt.MouseButton.LeftButton
            is_up = event.type() == QEvent.Type.MouseButtonRelease
            hit = is_up and is_left and around.contains(event.position())
        else:
            hit = False
        if hit:
            role = Qt.ItemDataRole.CheckStateRole
            is_on = index.data(role) == Qt.CheckState.Checked
            model.setData(index, Qt.CheckState.Unchecked if is_on else Qt.CheckState.Checked, role)
        return hit

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Ground, mark, words."""
        now = theme.current()
        area: QRect = option.rect  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(area.adjusted(4, 1, -4, -1))
        is_selected = row_ground(painter, option, ground)
        left = area.left() + 14
        check = index.data(Qt.ItemDataRole.CheckStateRole)
        can_check = bool(index.flags() & Qt.ItemFlag.ItemIsUserCheckable)
        if check is not None:
            _paint_box(painter, check_rect(area), check == Qt.CheckState.Checked, can_check)
            left = check_rect(area).right() + 12
        first, second, *rest = index.data(LINES_ROLE)
        room = area.right() - 12 - left
        tone = index.data(TONE_ROLE)
        if tone:
            side = 16
            picture = icons.pixmap("warning", tone, side, 2.0)
            painter.drawPixmap(QRect(area.right() - 12 - side, area.top() + 8, side, side), picture)
        beside = 22 if tone else 0
        if rest and rest[0]:
            painter.setFont(theme.font(theme.CAPTION_PX))
            painter.setPen(QColor(now.secondary))
            width = painter.fontMetrics().horizontalAdvance(rest[0])
            painter.drawText(area.right() - 12 - beside - width, area.top() + 19, rest[0])
            beside += width + 8
        lines = (
            (first, theme.font(strong=is_selected), now.text, 19, room - beside),
            (second, theme.font(theme.CAPTION_PX), now.secondary, 36, room),
        )
        for words, font, colour, base, width in lines:
            painter.setFont(font)
            painter.setPen(QColor(colour))
            shown = QFontMetrics(font).elidedText(words, Qt.TextElideMode.ElideRight, width)
            painter.drawText(left, area.top() + base, shown)
        painter.restore()


def check_rect(row: QRect) -> QRect:
    """Where a row's check mark is, as at a text size of 100 %."""
    return QRect(row.left() + 12, row.top() + (row.height() - 16) // 2, 16, 16)


def _paint_box(painter: QPainter, place: QRect, on: bool, can_check: bool) -> None:
    now = theme.current()
    frame = QRectF(place).adjusted(0.5, 0.5, -0.5, -0.5)
    painter.setPen(QColor((now.accent if on else now.control) if can_check else now.disabled))
    painter.setBrush(QColor(now.accent if on and can_check else now.panel))
    painter.drawRoundedRect(frame, 4, 4)
    if on and can_check:
        painter.drawPixmap(
            place.adjusted(2, 2, -2, -2), icons.pixmap("check", "on_accent", 12, 2.0)
        )
