"""The images of the project: choose one, say what it is used for, rename, remove."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QPoint,
    QSignalBlocker,
    Qt,
    Signal,
)
from PySide6.QtGui import QAction, QContextMenuEvent, QKeyEvent, QKeySequence, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QMenu,
    QMessageBox,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from orgseg_app.core.project import ProjectImage
from orgseg_app.core.split import SPLITS
from orgseg_app.gui.help.context import HelpButton, set_help
from orgseg_app.gui.panels.images_list import ImageDelegate, ImagesModel
from orgseg_app.gui.session import Session
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.style.widgets import (
    Caption,
    EmptyState,
    IconButton,
    SectionTitle,
    edit_name,
    surface,
)

SPLIT_KEYS = {"train": "T", "validation": "V", "test": "Shift+T"}
SPLIT_TEXTS = {
    "train": "Use for training",
    "validation": "Use for validation",
    "test": "Use for test",
}
SPLIT_TIPS = {
    "train": "Networks learn from it",
    "validation": "Chooses the best moment of a training",
    "test": "Kept away from training, to compare models honestly",
}
EMPTY_TEXT = "No images yet. Drop images or a folder anywhere in this window."


class ImagesPanel(QWidget):
    """List, filter and menu.

    Signals
    -------
    add_requested()
        The person wants to bring images in.
    find_requested(image_id)
        The person wants to show where the file of a linked image is.
    """

    add_requested = Signal()
    find_requested = Signal(str)

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._shown_file: object = None
        surface(self, "panel")
        set_help(self, "importing")
        theme.hold(self, least_width=184)
        self.model = ImagesModel(session, self)
        self.view = ImagesView(self.model)
        self.count = Caption()
        self.add_button = IconButton("plus", "Add images…")
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter")
        self.filter.setAccessibleName("Filter images by name or split")
        self.filter.setToolTip("Part of a name, or training, validation, test")
        self.filter.setClearButtonEnabled(True)
        self.filter.addAction(icons.icon("search"), QLineEdit.ActionPosition.LeadingPosition)
        self.empty = EmptyState(
            EMPTY_TEXT, "Add images…", self.add_requested.emit, icon_name="image"
        )
        self.no_match = EmptyState("", "Show all", self.filter.clear)
        self._pages = QStackedWidget()
        for page in (self.view, self.empty, self.no_match):
            self._pages.addWidget(page)
        self._arrange()
        self.add_button.clicked.connect(lambda: self.add_requested.emit())
        self.filter.textChanged.connect(self._on_filter_changed)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.split_requested.connect(self.set_split)
        self.view.remove_requested.connect(self.remove_selected)
        self.view.menu_requested.connect(self._show_menu)
        session.project_changed.connect(self._on_project_changed)
        session.images_changed.connect(self._on_images_changed)
        session.image_selected.connect(self._on_image_selected)
        session.links_changed.connect(self.model.refresh)
        session.mask_changed.connect(lambda image_id, _: self.model.forget_painted(image_id))
        self._on_project_changed()

    def _arrange(self) -> None:
        title = QHBoxLayout()
        title.setContentsMargins(12, 8, 8, 4)
        title.setSpacing(8)
        title.addWidget(SectionTitle("Images"))
        title.addWidget(self.count, 1)
        title.addWidget(HelpButton("the images of a project"))
        title.addWidget(self.add_button)
        foot = QHBoxLayout()
        foot.setContentsMargins(8, 8, 8, 8)
        foot.addWidget(self.filter)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(title)
        column.addWidget(self._pages, 1)
        column.addLayout(foot)

    # -- acting on the chosen images -------------------------------------------------------------

    def selected_images(self) -> list[ProjectImage]:
        """The images chosen, in the order of the list."""
        rows = sorted(self.view.selectionModel().selectedRows(), key=lambda index: index.row())
        return [image for row in rows if (image := self.model.image_at(row)) is not None]

    def set_split(self, split: str) -> None:
        """Use the chosen images for training, validation or test."""
        if not self._session.is_read_only:
            for image in self.selected_images():
                if image.split != split:
                    self._session.set_split(image.image_id, split)

    def remove_selected(self) -> None:
        """Take the chosen images out of the project, after asking."""
        images = self.selected_images()
        if not images or self._session.is_read_only:
            return
        what = f"“{images[0].name}”" if len(images) == 1 else f"{len(images)} images"
        box = QMessageBox(self)
        box.setTextFormat(Qt.TextFormat.PlainText)
        box.setWindowTitle("Remove images")
        box.setText(f"Remove {what}?")
        box.setInformativeText(
            "What was painted on them leaves the project too, and undo does not bring it back. "
            "The files they came from stay where they are."
        )
        remove = box.addButton("Remove", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.finished.connect(
            lambda _: self._remove(images) if box.clickedButton() is remove else None
        )
        box.finished.connect(box.deleteLater)
        box.open()

    def _remove(self, images: Sequence[ProjectImage]) -> None:
        for image in images:
            try:
                self._session.remove_image(image.image_id)
            except Exception as error:
                self._session.report_error(error)
                return

    def menu_actions(self, menu: QMenu) -> list[QAction]:
        """Fill a menu with what can be done to the chosen images."""
        images, made = self.selected_images(), []
        if len(images) == 1 and self.model.is_away(images[0]):
            find = menu.addAction(icons.icon("search"), "Find the file…")
            find.setToolTip("Show where it is now; it is known by what it holds")
            find.triggered.connect(lambda: self.find_requested.emit(images[0].image_id))
            menu.addSeparator()
        for split in SPLITS:
            action = menu.addAction(SPLIT_TEXTS[split], lambda s=split: self.set_split(s))
            action.setShortcut(QKeySequence(SPLIT_KEYS[split]))
            action.setToolTip(SPLIT_TIPS[split])
            action.setCheckable(True)
            action.setChecked(bool(images) and all(i.split == split for i in images))
            made.append(action)
        menu.addSeparator()
        rename = menu.addAction(icons.icon("pencil"), "Rename", self._rename)
        rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        rename.setEnabled(len(images) == 1)
        remove = menu.addAction(icons.icon("trash"), "Remove…", self.remove_selected)
        remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        made += [rename, remove]
        menu.setToolTipsVisible(True)
        if self._session.is_read_only:
            for action in made:
                action.setEnabled(False)
        return made

    def _rename(self) -> None:
        edit_name(self.view, self.view.currentIndex())

    def _show_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.menu_actions(menu)
        menu.popup(place)

    # -- keeping up with the session -------------------------------------------------------------

    def _on_project_changed(self) -> None:
        if self._session.file is self._shown_file and self._shown_file is not None:
            return  # only its name is another
        self._shown_file = self._session.file
        self.model.forget()
        with QSignalBlocker(self.filter):
            self.filter.clear()
        self.model.set_filter("")
        self._on_images_changed()

    def _on_images_changed(self) -> None:
        self.model.refresh()
        project = self._session.project
        total = len(project.images) if project else 0
        shown = self.model.rowCount()
        self.count.setText(
            "" if not total else str(total) if shown == total else f"{shown} of {total}"
        )
        self.add_button.setEnabled(project is not None and not self._session.is_read_only)
        self.empty.button.setEnabled(self.add_button.isEnabled())
        self.filter.setEnabled(total > 0)
        if not total:
            self._pages.setCurrentWidget(self.empty)
        elif not shown:
            self.no_match.set_text(f"No image name contains “{self.filter.text().strip()}”.")
            self._pages.setCurrentWidget(self.no_match)
        else:
            self._pages.setCurrentWidget(self.view)
        self._on_image_selected(self._session.image_id)

    def _on_filter_changed(self, text: str) -> None:
        self.model.set_filter(text)
        self._on_images_changed()

    def _on_image_selected(self, image_id: str) -> None:
        index = self.model.index_of(image_id)
        selection = self.view.selectionModel()
        if not index.isValid() or index == selection.currentIndex():
            return
        with QSignalBlocker(selection):
            flags = QItemSelectionModel.SelectionFlag.ClearAndSelect
            selection.setCurrentIndex(index, flags)
        self.view.scrollTo(index)
        self.view.viewport().update()

    def _on_current_changed(self, index: QModelIndex, _: QModelIndex) -> None:
        image = self.model.image_at(index)
        if image is not None and image.image_id != self._session.image_id:
            self._session.select_image(image.image_id)


class ImagesView(QListView):
    """The list itself: keys for the split, menu on the mark.

    Signals
    -------
    split_requested(split), remove_requested(), menu_requested(QPoint on the screen)
    """

    split_requested = Signal(str)
    remove_requested = Signal()
    menu_requested = Signal(QPoint)

    def __init__(self, model: ImagesModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setModel(model)
        self.setItemDelegate(ImageDelegate(self))
        self.setUniformItemSizes(True)
        self.setMouseTracking(True)
        self.setAccessibleName("Images")
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(
            QAbstractItemView.EditTrigger.EditKeyPressed
            | QAbstractItemView.EditTrigger.DoubleClicked
        )
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.verticalScrollBar().setSingleStep(28)

    def event(self, event: QEvent) -> bool:
        """Keep the list's own keys for the list."""
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride:
            is_own = bool(_split_of(event)) or event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_F2)
            event.setAccepted(is_own)
            return is_own
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Keys for the split and for removing."""
        split = _split_of(event)
        if split:
            self.split_requested.emit(split)
        elif event.key() == Qt.Key.Key_Delete:
            self.remove_requested.emit()
        elif event.key() == Qt.Key.Key_F2:
            edit_name(self, self.currentIndex())
        else:
            super().keyPressEvent(event)

    def keyboardSearch(self, search: str) -> None:
        """Letters are commands here; the filter searches."""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A click on the split mark opens its menu."""
        super().mouseReleaseEvent(event)
        index = self.indexAt(event.position().toPoint())
        plain = event.button() == Qt.MouseButton.LeftButton and not event.modifiers()
        if index.isValid() and plain:
            row = self.visualRect(index)
            x, y = event.position().x() - row.left(), event.position().y() - row.top()
            if 56 <= x <= 56 + 20 and 28 <= y <= 48:
                self.menu_requested.emit(event.globalPosition().toPoint())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """What can be done to the chosen images."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            index = self.currentIndex()
            place = self.viewport().mapToGlobal(self.visualRect(index).center())
        else:
            index, place = self.indexAt(event.pos()), event.globalPos()
        if index.isValid():
            self.menu_requested.emit(place)


def _split_of(event: QKeyEvent) -> str:
    """The split that a key stands for, or ""."""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
    if event.key() == Qt.Key.Key_T and modifiers == Qt.KeyboardModifier.ShiftModifier:
        return "test"
    if modifiers != Qt.KeyboardModifier.NoModifier:
        return ""
    return {Qt.Key.Key_T: "train", Qt.Key.Key_V: "validation"}.get(Qt.Key(event.key()), "")
