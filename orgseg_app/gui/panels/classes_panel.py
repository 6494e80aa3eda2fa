"""The classes: choose what to paint, and see how much of the image is painted with each."""

from __future__ import annotations

from PySide6.QtCore import QItemSelectionModel, QModelIndex, QPoint, QSignalBlocker, Qt, QTimer
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QMenu, QMessageBox, QVBoxLayout, QWidget

from orgseg_app.core.classes import BACKGROUND
from orgseg_app.gui.help.context import HelpedTitle, set_help
from orgseg_app.gui.panels.classes_list import ROW_HEIGHT, ClassesModel, ClassesView
from orgseg_app.gui.panels.colour_menu import ColourMenu
from orgseg_app.gui.panels.images_list import percent
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import Caption, SecondaryButton, edit_name, surface

ROWS_SHOWN = 12
COUNT_AFTER_MS = 120


class ClassesPanel(QWidget):
    """One row a class, and the way to add one."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        surface(self, "panel")
        set_help(self, "classes")
        self.model = ClassesModel(session, self)
        self.view = ClassesView(self.model)
        self.summary = Caption()
        self.add_button = SecondaryButton("Add class", "plus", quiet=True)
        self.add_button.setToolTip("Add a kind of structure (N)")
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 8, 4, 12)
        column.setSpacing(4)
        title = HelpedTitle("Classes", "classes")
        title.setContentsMargins(8, 0, 8, 0)
        self.summary.setContentsMargins(8, 0, 8, 0)
        column.addWidget(title)
        column.addWidget(self.view)
        column.addWidget(self.add_button, 0, Qt.AlignmentFlag.AlignLeft)
        column.addWidget(self.summary)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(COUNT_AFTER_MS)
        self._timer.timeout.connect(self._count)
        self.add_button.clicked.connect(self.add_class)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.colour_requested.connect(self._show_colours)
        self.view.remove_requested.connect(self.remove_class)
        self.view.menu_requested.connect(self._show_menu)
        session.classes_changed.connect(self._on_classes_changed)
        session.project_changed.connect(self._on_classes_changed)
        session.class_selected.connect(lambda _: self._show_selected())
        session.image_selected.connect(lambda _: self._count())
        session.mask_changed.connect(self._on_mask_changed)
        self._on_classes_changed()

    # -- acting ----------------------------------------------------------------------------------

    def add_class(self) -> None:
        """Add a class with a free name, choose it, and let the name be typed at once."""
        names = {c.name.casefold() for c in self._session.classes}
        number = max(2, len(self._session.classes))
        while f"class {number}" in names:
            number += 1
        try:
            class_id = self._session.add_class(f"class {number}")
        except Exception as error:
            self._session.report_error(error)
            return
        self.rename_class(class_id)

    def rename_class(self, class_id: int) -> None:
        """Open the field for a class's name."""
        self.view.setFocus()
        edit_name(self.view, self.model.index_of(class_id))

    def change_colour(self, class_id: int, colour: str) -> None:
        """Paint a class in another colour."""
        try:
            self._session.change_class(class_id, colour=colour)
        except Exception as error:
            self._session.report_error(error)

    def remove_class(self, class_id: int) -> None:
        """Delete a class; asks first when the current image has some of it, or others may."""
        info = self._session.project.class_of(class_id) if self._session.project else None
        if info is None or class_id == BACKGROUND or self._session.is_read_only:
            return
        if not self._is_used(class_id):
            self._session.remove_class(class_id)
            return
        box = QMessageBox(self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle("Delete class")
        box.setText(f"Delete the class “{info.name}”?")
        box.setInformativeText("Everything painted with it, on every image, becomes unlabelled.")
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.finished.connect(
            lambda _: (
                self._session.remove_class(class_id) if box.clickedButton() is delete else None
            )
        )
        box.finished.connect(box.deleteLater)
        box.open()

    def _is_used(self, class_id: int) -> bool:
        file = self._session.file
        return file is not None and any(file.counts(i).get(class_id) for i in file.project.images)

    def _show_menu(self, class_id: int, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.fill_menu(menu, class_id, place)
        menu.popup(place)

    def fill_menu(self, menu: QMenu, class_id: int, place: QPoint) -> None:
        """What can be done with a class."""
        rename = menu.addAction(icons.icon("pencil"), "Rename", lambda: self.rename_class(class_id))
        rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        menu.addAction(
            icons.icon("palette"), "Colour…", lambda: self._show_colours(class_id, place)
        )
        menu.addSeparator()
        delete = menu.addAction(icons.icon("trash"), "Delete…", lambda: self.remove_class(class_id))
        delete.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        delete.setEnabled(class_id != BACKGROUND)
        if self._session.is_read_only:
            for action in menu.actions():
                action.setEnabled(False)

    def _show_colours(self, class_id: int, place: QPoint) -> None:
        info = self._session.project.class_of(class_id) if self._session.project else None
        if info is None or self._session.is_read_only:
            return
        menu = ColourMenu(info.colour, self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.colour_chosen.connect(lambda colour: self.change_colour(class_id, colour))
        menu.popup(place)

    # -- keeping up with the session -------------------------------------------------------------

    def _on_classes_changed(self) -> None:
        self.model.refresh()
        rows = self.model.rowCount()
        theme.hold(self.view, height=ROW_HEIGHT * max(1, min(rows, ROWS_SHOWN)))
        self.add_button.setEnabled(rows > 0 and not self._session.is_read_only)
        self._show_selected()
        self._count()

    def _show_selected(self) -> None:
        index = self.model.index_of(self._session.class_id)
        selection = self.view.selectionModel()
        with QSignalBlocker(selection):
            selection.setCurrentIndex(index, QItemSelectionModel.SelectionFlag.ClearAndSelect)
        if index.isValid():
            self.view.scrollTo(index)
        self.view.viewport().update()

    def _on_current_changed(self, index: QModelIndex, _: QModelIndex) -> None:
        info = self.model.class_at(index)
        if info is not None and info.class_id != self._session.class_id:
            self._session.select_class(info.class_id)

    def _on_mask_changed(self, image_id: str, _: object) -> None:
        if image_id == self._session.image_id and not self._timer.isActive():
            self._timer.start()

    def _count(self) -> None:
        self._timer.stop()
        session = self._session
        shares: dict[int, float] = {}
        if session.image is not None and session.file is not None:
            try:
                shares = session.painted()
            except Exception as error:
                session.report_error(error)
        self.model.set_shares(shares)
        total = sum(shares.values())
        if session.image is None:
            self.summary.setText("")
        elif total <= 0:
            self.summary.setText("Nothing painted on this image yet.")
        elif total > 0.9995:
            self.summary.setText("All of this image is painted.")
        else:
            self.summary.setText(f"{percent(total)} painted, the rest unlabelled.")
