"""The list of classes: its model, how a row is painted, and what pointer and keys do in it."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QEvent,
    QModelIndex,
    QObject,
    QPoint,
    QRect,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFontMetrics,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyleOptionViewItem,
    QWidget,
)

from orgseg_app.core.classes import ClassInfo
from orgseg_app.gui.panels.images_list import percent
from orgseg_app.gui.panels.name_delegate import Index, NameDelegate
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import edit_name, plain_tip, row_ground

ROW_HEIGHT = 32

CLASS_ROLE = Qt.ItemDataRole.UserRole
SHARE_ROLE = Qt.ItemDataRole.UserRole + 1


class ClassesModel(QAbstractListModel):
    """The session's classes, with the share of the current image that each covers."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._classes: tuple[ClassInfo, ...] = ()
        self._shares: dict[int, float] = {}

    def rowCount(self, parent: Index | None = None) -> int:
        """Classes."""
        return 0 if parent is not None and parent.isValid() else len(self._classes)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Name, class, share."""
        info = self.class_at(index)
        if info is None:
            return None
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return info.name
        if role == CLASS_ROLE:
            return info
        if role == SHARE_ROLE:
            return self._shares.get(info.class_id, 0.0)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            share = percent(self._shares.get(info.class_id, 0.0))
            return f"{info.name}, key {index.row() + 1}, {share} painted"
        if role == Qt.ItemDataRole.ToolTipRole:
            key = f" ({index.row() + 1})" if index.row() < 9 else ""
            return plain_tip(f"Paint {info.name}{key}")
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        """Selectable; the name may be edited unless the project is read-only."""
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags if self._session.is_read_only else flags | Qt.ItemFlag.ItemIsEditable

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Rename a class."""
        info = self.class_at(index)
        name = str(value).strip()
        if info is None or not name or name == info.name:
            return False
        try:
            self._session.change_class(info.class_id, name=name)
        except Exception as error:
            self._session.report_error(error)
            return False
        return True

    def class_at(self, index: Index) -> ClassInfo | None:
        """The class in a row."""
        inside = index.isValid() and index.row() < len(self._classes)
        return self._classes[index.row()] if inside else None

    def index_of(self, class_id: int) -> QModelIndex:
        """Row of a class; invalid when there is none."""
        for row, info in enumerate(self._classes):
            if info.class_id == class_id:
                return self.index(row)
        return QModelIndex()

    def refresh(self) -> None:
        """Take over the classes as they are now."""
        classes = self._session.classes
        if [c.class_id for c in classes] == [c.class_id for c in self._classes]:
            self._classes = classes
            self._tell()
            return
        self.beginResetModel()
        self._classes = classes
        self.endResetModel()

    def set_shares(self, shares: dict[int, float]) -> None:
        """Take over what is painted."""
        if shares != self._shares:
            self._shares = shares
            self._tell()

    def _tell(self) -> None:
        if self._classes:
            self.dataChanged.emit(self.index(0), self.index(len(self._classes) - 1))


class ClassDelegate(NameDelegate):
    """Paints a row: key, colour, name, share."""

    field_name = "Name of the class"

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """All rows are alike."""
        return QSize(theme.px(160), theme.px(ROW_HEIGHT))

    @theme.magnifies
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        """Paint one row."""
        info: ClassInfo | None = index.data(CLASS_ROLE)
        if info is None:
            return
        now = theme.current()
        area: QRect = option.rect  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        ground = QRectF(area.adjusted(0, 1, 0, -1))
        is_selected = row_ground(painter, option, ground)
        flags = Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.font(theme.CAPTION_PX))
        painter.setPen(QColor(now.secondary))
        if index.row() < 9:
            key = QRect(area.left() + 4, area.top(), 14, area.height())
            painter.drawText(key, flags | Qt.AlignmentFlag.AlignRight, str(index.row() + 1))
        share = index.data(SHARE_ROLE)
        room = 0
        if share > 0:
            words = percent(share)
            painter.setFont(theme.font())
            room = QFontMetrics(painter.font()).horizontalAdvance(words) + 8
            painter.drawText(area.adjusted(0, 0, -8, 0), flags | Qt.AlignmentFlag.AlignRight, words)
        painter.setPen(QPen(QColor(now.control), 1))
        painter.setBrush(QColor(info.colour))
        painter.drawRoundedRect(swatch_rect(area), 4, 4)
        font = theme.font(strong=is_selected)
        painter.setFont(font)
        painter.setPen(QColor(now.text))
        place = area.adjusted(52, 0, -8 - room, 0)
        name = QFontMetrics(font).elidedText(info.name, Qt.TextElideMode.ElideRight, place.width())
        painter.drawText(place, flags, name)
        painter.restore()

    def name_rect(self, row: QRect) -> QRect:
        """Behind the colour."""
        return QRect(row.left() + 47, row.top() + 4, row.width() - 51, 24)


def swatch_rect(row: QRect) -> QRectF:
    """Where the colour of a class is, in its row as at a text size of 100 %."""
    return QRectF(row.left() + 26.5, row.top() + (row.height() - 15) / 2, 16, 16)


class ClassesView(QListView):
    """The list itself; a click on a colour asks for another.

    Signals
    -------
    colour_requested(class_id, QPoint on the screen), remove_requested(class_id),
    menu_requested(class_id, QPoint on the screen)
    """

    colour_requested = Signal(int, QPoint)
    remove_requested = Signal(int)
    menu_requested = Signal(int, QPoint)

    def __init__(self, model: ClassesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self._model = model
        self.setItemDelegate(ClassDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setAccessibleName("Classes")
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.DoubleClicked
        )
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)

    def event(self, event: QEvent) -> bool:
        """Keep the list's own keys for the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            is_own = event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_F2)
            event.setAccepted(is_own)
            return is_own
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Delete, rename; letters and numbers are commands of the window."""
        info = self._model.class_at(self.currentIndex())
        if event.key() == Qt.Key.Key_Delete and info is not None:
            self.remove_requested.emit(info.class_id)
        elif event.key() == Qt.Key.Key_F2 and info is not None:
            edit_name(self, self.currentIndex())
        elif event.text() and event.text().isprintable():
            event.ignore()
        else:
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """A click on the colour asks for another, besides choosing the class."""
        super().mousePressEvent(event)
        index = self.indexAt(event.position().toPoint())
        info = self._model.class_at(index)
        if info is None or event.button() != Qt.MouseButton.LeftButton:
            return
        swatch = theme.grown(swatch_rect(theme.shrunk(self.visualRect(index))))
        if swatch.contains(event.position()):
            place = self.viewport().mapToGlobal(swatch.bottomLeft().toPoint() + QPoint(0, 4))
            self.colour_requested.emit(info.class_id, place)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What can be done with a class."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            index = self.currentIndex()
            place = self.viewport().mapToGlobal(self.visualRect(index).center())
        else:
            index, place = self.indexAt(event.pos()), event.globalPos()
        info = self._model.class_at(index)
        if info is not None:
            self.menu_requested.emit(info.class_id, place)
