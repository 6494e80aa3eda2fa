"""A row whose name is edited in place: one field for every list."""

from __future__ import annotations

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, Qt
from PySide6.QtWidgets import QLineEdit, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from orgseg_app.gui.style import theme

Index = QModelIndex | QPersistentModelIndex


class NameDelegate(QStyledItemDelegate):
    """Gives a field for the name of a row; how a row is painted is its heirs' matter.

    Attributes
    ----------
    field_name
        What a screen reader calls the field.
    longest
        Letters a name may have.
    """

    field_name = "Name"
    longest = 32767

    def name_rect(self, row: QRect) -> QRect:
        """Where the field lies in a row as at a text size of 100 %: over the name."""
        return row

    def createEditor(
        self, parent: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> QLineEdit:
        """A field in the place of the name."""
        field = QLineEdit(parent)
        field.setMaxLength(self.longest)
        field.setProperty("look", "inline")
        field.setAccessibleName(self.field_name)
        return field

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Start from the whole name, selected."""
        assert isinstance(editor, QLineEdit)
        editor.setText(str(index.data(Qt.ItemDataRole.EditRole)))
        editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        """Hand the name over."""
        assert isinstance(editor, QLineEdit)
        model.setData(index, editor.text())

    def updateEditorGeometry(
        self, editor: QWidget, option: QStyleOptionViewItem, index: Index
    ) -> None:
        """Over the name only."""
        row: QRect = option.rect  # type: ignore[attr-defined]
        at = theme.grown(QRectF(self.name_rect(theme.shrunk(row))))
        editor.setGeometry(at.toRect())
