"""The rows of the recipe form: a title that tells what was changed, and its field."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QEvent, QObject, QPoint, Qt, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QHBoxLayout,
    QLineEdit,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.gui.help.context import ask_help, set_help
from orgseg_app.gui.help.meaning import Meaning, add_meaning
from orgseg_app.gui.panels.recipe_fields import (
    AugmentationField,
    ChoiceField,
    ClassWeightsField,
    NumbersField,
    PartsField,
    TextField,
    make_field,
    recipe_meaning,
    recipe_page,
)
from orgseg_app.gui.style import theme
from orgseg_app.gui.style.widgets import GAP, label, plain_tip
from orgseg_app.runs.recipes.fields import FieldInfo

NUMBER_WIDTH, CHOICE_WIDTH = 88, 142
_WIDE = (AugmentationField, ClassWeightsField, PartsField)


class RecipeRow(QWidget):
    """One field of a recipe with its title.

    Double-clicking the title, or its menu, brings back the preset's value.

    Signals
    -------
    edited(path)
        A person changed the field.
    reset_asked(path)
        "" for all fields.
    marked(path)
        Whether it differs from the preset has changed.
    """

    edited = Signal(str)
    reset_asked = Signal(str)
    marked = Signal(str)

    def __init__(self, info: FieldInfo, parent: QWidget) -> None:
        super().__init__(parent)
        self.info = info
        self.field = make_field(info, self)
        self.field.installEventFilter(self)
        self.differs = False
        set_help(self, recipe_page(info))
        self.title = label(info.title)
        self.title.setBuddy(self.field)
        self.title.setToolTip(plain_tip(info.description))
        self.title.setWhatsThis(self.field.whatsThis())
        self.title.installEventFilter(self)
        self.title.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.title.customContextMenuRequested.connect(
            lambda at: self.open_menu(self.title.mapToGlobal(at))
        )
        self.field.changed.connect(lambda: self.edited.emit(info.path))
        self.head = QHBoxLayout()
        self.head.setSpacing(GAP)
        self.head.addWidget(self.title, 1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(0, 0, 0, 0)
        self.column.setSpacing(4)
        self.column.addLayout(self.head)
        if isinstance(self.field, _WIDE) or info.path == "network.name":
            self.column.addWidget(self.field)
        else:
            is_wide = isinstance(self.field, ChoiceField | NumbersField | TextField)
            if info.kind != "flag":
                theme.hold(self.field, width=CHOICE_WIDTH if is_wide else NUMBER_WIDTH)
            self.head.addWidget(self.field)

    def set_value(self, value: Any, *, differs: bool) -> None:
        """Show a value without telling anybody."""
        self.field.set_value(value)
        self.mark(differs)

    def mark(self, differs: bool) -> None:
        """Tell whether the value is another than the preset's."""
        if differs == self.differs:
            return
        self.differs = differs
        title, about = self.info.title, self.info.description
        self.title.setText(f"{title} •" if differs else title)
        self.title.setFont(theme.font(strong=differs))
        self.title.setAccessibleDescription("changed" if differs else "")
        tip = f"{about}\nChanged; double-click for the preset's value." if differs else about
        self.title.setToolTip(plain_tip(tip))
        self.marked.emit(self.info.path)

    def matches(self, words: list[str]) -> bool:
        """Whether all words (lower case) are in its title, explanation or what it offers."""
        text = self.field.whatsThis().casefold()
        return all(word in text for word in words)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """A double click on the title resets the field; menus of text lead to the meaning, too."""
        if watched is self.title and event.type() == QEvent.Type.MouseButtonDblClick:
            if self.differs:
                self.reset_asked.emit(self.info.path)
                return True
        elif watched is self.field and isinstance(event, QContextMenuEvent):
            self.open_menu(event.globalPos(), _menu_of_text(self.field))
            return True
        return super().eventFilter(watched, event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """By the right button, or by the menu key in the field."""
        self.open_menu(event.globalPos())

    def meaning(self) -> Meaning:
        """What the setting means, and what is chosen now."""
        return recipe_meaning(self.info, self.field.value())

    def open_menu(self, at: QPoint, menu: QMenu | None = None) -> None:
        """Offer the preset's value and what the setting means, at a place on the screen."""
        if menu is None:
            menu = QMenu(self)
        else:
            menu.addSeparator()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        add_meaning(menu, self, self.meaning())
        menu.addAction("Help", lambda: ask_help(self))
        menu.addSeparator()
        one = menu.addAction("Preset's value", lambda: self.reset_asked.emit(self.info.path))
        one.setEnabled(self.differs)
        menu.addAction("Preset's values everywhere", lambda: self.reset_asked.emit(""))
        menu.popup(at)


def _menu_of_text(field: QWidget) -> QMenu | None:
    """What Qt offers for the text of a field: cut, copy, paste; None for fields without text."""
    edit = field.lineEdit() if isinstance(field, QAbstractSpinBox) else field
    return edit.createStandardContextMenu() if isinstance(edit, QLineEdit) else None
