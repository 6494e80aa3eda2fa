"""The main window: one canvas, four workspaces around it.

It arranges panels and connects them; what they do is theirs, and what changes is the session's.
Everything but the start page is built when the first project opens, so that the window is there at
once.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QPoint, QRect
from PySide6.QtGui import QAction, QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QMainWindow,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from orgseg_app import settings as settings_module
from orgseg_app.gui import drops
from orgseg_app.gui.actions import ACTIONS, build_actions
from orgseg_app.gui.canvas.options import DisplayOptions, ToolOptions
from orgseg_app.gui.canvas.tools.registry import TOOLS
from orgseg_app.gui.commands import Commands
from orgseg_app.gui.keys.shortcuts import Shortcuts
from orgseg_app.gui.panels.banner import Banner
from orgseg_app.gui.panels.message_bar import MessageBar
from orgseg_app.gui.panels.start_page import StartPage
from orgseg_app.gui.project.backing_up import BackingUp
from orgseg_app.gui.project.banners import Banners, whose
from orgseg_app.gui.session import READ_ONLY, Session
from orgseg_app.gui.style import icons, theme
from orgseg_app.gui.viewing.places import Viewing

if TYPE_CHECKING:
    from orgseg_app.gui.workspaces import Workspaces

LOG = logging.getLogger(__name__)

WORKSPACES = ("annotate", "train", "compare", "export")


class MainWindow(QMainWindow):
    """OrgSeg's window.

    Parameters
    ----------
    settings
        Remembered between starts; saved on close.
    """

    def __init__(self, settings: settings_module.Settings) -> None:
        super().__init__()
        self.settings = settings
        self.session = Session(self)
        self.session.undo_budget_bytes = settings.undo_budget_mb << 20
        self.tools = ToolOptions(self)
        self.display = DisplayOptions(self)
        self.workspace = "annotate"
        self.parts: Workspaces | None = None
        self.banners: Banners | None = None
        self.is_closed = False
        self.setWindowTitle("OrgSeg")
        self.setWindowIcon(icons.app_icon())
        self.setAcceptDrops(True)
        self.resize(1280, 800)
        self.commands = Commands(self)
        self.actions_by_id: dict[str, QAction] = build_actions(
            self,
            self.commands.handlers(),
            icons.icon,
        )
        self.shortcuts = Shortcuts(self.actions_by_id, settings, self)
        self.stack = QStackedWidget()
        self.start_page = StartPage(settings)
        self.stack.addWidget(self.start_page)
        self.messages = MessageBar()
        centre = QWidget()
        self._column = QVBoxLayout(centre)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(0)
        self._column.addWidget(self.messages)
        self._column.addWidget(self.stack, 1)
        self.setCentralWidget(centre)
        self.backing_up = BackingUp(self)
        self._connect()
        self._restore_geometry()
        self.viewing = Viewing(self)
        self.refresh_actions()

    def _connect(self) -> None:
        session = self.session
        session.project_changed.connect(self._on_project_changed)
        session.message.connect(self.messages.show_message)
        session.help_named.connect(self.messages.add_help)
        session.save_state_changed.connect(self._on_save_state_changed)
        for signal in (
            session.images_changed,
            session.classes_changed,
            session.history_changed,
            session.objects.changed,
            session.objects.review.shown_changed,
            self.tools.changed,
            self.display.changed,
        ):
            signal.connect(self.refresh_actions)
        session.image_selected.connect(lambda _: self.refresh_actions())
        page = self.start_page
        page.paths_dropped.connect(self.commands.importing.take)
        page.open_project_requested.connect(self.commands.open_project)
        page.project_chosen.connect(self.commands.open_path)
        page.sample_chosen.connect(self.commands.open_sample)
        page.open_images_requested.connect(self.commands.add_images)
        page.tour_requested.connect(self.commands.touring.start)
        area = page.drop_area
        for button, action_id in (
            (area.images_button, "add_images"),
            (area.project_button, "open_project"),
        ):
            self.shortcuts.describe(button, button.toolTip(), action_id)

    # -- project and workspaces ------------------------------------------------------------------

    def ensure_parts(self) -> Workspaces:
        """The panels, built when first needed."""
        if self.parts is None:
            from orgseg_app.gui.workspaces import Workspaces

            self.parts = Workspaces(self)
            self.stack.addWidget(self.parts)
            self.banners = Banners(self)
            self.messages.keep_clear = self._scale_bar
            self.messages.column = self._middle
            for watched in (self.parts.canvas, self.parts.middle):
                watched.installEventFilter(self.messages)
        return self.parts

    def _scale_bar(self) -> QRect:
        """Where the scale bar is among what messages lie over; empty while it is not seen."""
        canvas = self.parts.canvas if self.parts is not None else None
        if canvas is None or not canvas.isVisible():
            return QRect()
        corner = canvas.mapTo(self.stack, QPoint(0, 0)) + self.stack.pos()
        return canvas.scale_bar_rect().translated(corner)

    def _middle(self) -> QRect:
        """The column of the canvas, over which messages lie; empty while it is not seen."""
        middle = self.parts.middle if self.parts is not None else None
        if middle is None or not middle.isVisible():
            return QRect()
        corner = middle.mapTo(self.stack, QPoint(0, 0)) + self.stack.pos()
        return QRect(corner, middle.size())

    def add_bar(self, bar: QWidget) -> None:
        """Put a bar that asks something over everything."""
        self._column.insertWidget(0, bar)

    def go_to_notice(self) -> None:
        """The keyboard goes round: banners from the top, then message, then callout of the tour."""
        banners = [b for b in self.findChildren(Banner) if b.isVisible()]
        banners.sort(key=lambda banner: banner.mapTo(self, QPoint(0, 0)).y())
        over = (self.messages, self.commands.touring.callout)
        shown = [*banners, *(n for n in over if n is not None and n.isVisible())]
        now = next((i for i, notice in enumerate(shown) if notice.has_keyboard), -1)
        next((n for n in (*shown[now + 1 :], *shown[: now + 1]) if n.take_keyboard()), None)

    def _on_project_changed(self) -> None:
        session = self.session
        if session.project is None:
            self.stack.setCurrentWidget(self.start_page)
            self.start_page.refresh()
            self.setWindowTitle("OrgSeg")
        else:
            parts = self.ensure_parts()
            self.stack.setCurrentWidget(parts)
            parts.header.show_project(session.project.name, may_rename=not session.is_read_only)
            self.setWindowTitle(f"{session.project.name}{self._reader_words()} – OrgSeg")
            self.show_workspace(self.workspace)
            parts.canvas.setFocus()
        self.refresh_actions()

    def _on_save_state_changed(self, state: str, sentence: str) -> None:
        holder = self.session.holder
        if self.parts is not None:
            words = whose(holder) if holder is not None and state == READ_ONLY else sentence
            self.parts.header.show_state(state, words)

    def _reader_words(self) -> str:
        """For the title: who has the project, when it is only looked at."""
        session = self.session
        if not session.is_read_only:
            return ""
        return f" (read-only: {whose(session.holder)})" if session.holder else " (read-only)"

    def show_workspace(self, name: str) -> None:
        """Go to annotate, train, compare or export; image, zoom and plane stay."""
        self.workspace = name
        if self.parts is not None and self.session.project is not None:
            self.parts.show_workspace(name)
        self.refresh_actions()

    def show_help(self, page: str) -> None:
        """Open a page of the help, at a place of it; "" for the page of the tool in the hand."""
        if page:
            self.commands.helping.show(page)
        else:
            self.commands.helping.about_tool()

    # -- actions ---------------------------------------------------------------------------------

    def refresh_actions(self) -> None:
        """What is possible now, and what is switched on."""
        session = self.session
        has_project, has_image = session.project is not None, session.image is not None
        possible = {
            "": True,
            "project": has_project,
            "image": has_image,
            "edit": has_image and session.can_edit,
        }
        actions = self.actions_by_id
        for info in ACTIONS:
            actions[info.action_id].setEnabled(possible[info.needs])
        undo, redo = session.history.next_undo(), session.history.next_redo()
        may_step = not session.is_read_only and not session.saving.is_paused
        actions["undo"].setEnabled(undo is not None and may_step)
        actions["redo"].setEnabled(redo is not None and may_step)
        mark = session.painting.last_mark()
        actions["back_to_checkpoint"].setEnabled(mark is not None and may_step)
        actions["back_to_checkpoint"].setText(
            f"Back to {mark.title}" if mark else "Back to the checkpoint"
        )
        actions["undo"].setText(f"Undo {undo.title}" if undo else "Undo")
        actions["redo"].setText(f"Redo {redo.title}" if redo else "Redo")
        may_bring_back = self.banners is not None and self.banners.can_bring_back
        for action_id, is_possible in (
            ("open_to_paint", session.holder is not None),
            ("bring_strokes_back", may_bring_back),
        ):
            actions[action_id].setVisible(is_possible)
            actions[action_id].setEnabled(is_possible)
        names = {c.class_id: c.name for c in session.classes}
        for number, kind in enumerate(session.classes[:9], 1):
            actions[f"class_{number}"].setText(f"Paint {kind.name}")
        for number in range(1, 10):
            actions[f"class_{number}"].setVisible(number <= len(names))
        for workspace in WORKSPACES:
            action = actions[f"workspace_{workspace}"]
            action.setEnabled(has_project)
            action.setChecked(workspace == self.workspace)
        for tool in TOOLS:
            actions[f"tool_{tool}"].setChecked(tool == self.tools.tool)
        for split in ("train", "validation", "test"):
            actions[f"split_{split}"].setChecked(
                bool(session.image and session.image.split == split)
            )
        for name in ("system", "light", "dark"):
            actions[f"theme_{name}"].setChecked(self.settings.theme == name)
        for size in settings_module.TEXT_SIZES:
            actions[f"text_{size}"].setChecked(self.settings.text_size == size)
        switches = {
            "toggle_overlay": any(
                self.display.look(kind).visible for kind in session.objects.painted_layers
            ),
            "toggle_outline": self.display.look("mask").outline,
            "toggle_fill": self.display.look("mask").fill,
            "toggle_prediction": self.display.look("prediction").visible,
            "toggle_objects": self.display.look("objects").visible,
            "objects_mode": session.objects.is_on,
            "object_each_stroke": session.objects.each_stroke,
            "object_table": session.objects.is_on and session.objects.review.is_shown,
            "toggle_difference": self.display.look("difference").visible,
            "toggle_unlabelled": self.display.show_unlabelled,
            "toggle_sections": self.parts is not None and self.parts.area.shows_sections,
            "toggle_side_by_side": self.display.side_by_side,
            "preview_preprocessing": self.parts is not None and self.parts.canvas.preview.is_on,
            "brush_square": self.tools.square,
            "protect": self.tools.protect,
            "copy_replaces": self.tools.value("copy_replaces"),
            "full_canvas": self.parts is not None and self.parts.is_canvas_alone,
        }
        for action_id, on in switches.items():
            actions[action_id].setChecked(on)

    # -- drops, closing --------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        """Files and folders may be dropped anywhere."""
        drops.welcome(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Images, folders, or a project."""
        drops.take(event, self, self.commands.importing.take)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Save, remember the window, leave; a training goes on by itself."""
        if not self.commands.close_project():
            event.ignore()
            return
        self.commands.importing.stop()
        self.commands.graphics_card.stop()
        if self.parts is not None:
            self.parts.shut_down()
        self.is_closed = True  # what is still under way finds nobody to tell
        self._store_geometry()
        settings_module.save(self.settings)
        event.accept()

    def _restore_geometry(self) -> None:
        text = self.settings.window_state.get("main", "")
        if text:
            self.restoreGeometry(QByteArray.fromBase64(text.encode("ascii", "ignore")))

    def _store_geometry(self) -> None:
        self.settings.window_state["main"] = _text(self.saveGeometry())
        if self.parts is not None:
            self.settings.window_state["splitter"] = _text(self.parts.splitter.saveState())

    def set_theme(self, name: str) -> None:
        """System, light or dark."""
        self.settings.theme = name
        self._dress()

    def set_text_size(self, percent: int) -> None:
        """One of `settings.TEXT_SIZES`."""
        self.settings.text_size = percent
        self._dress()

    def _dress(self) -> None:
        app = QApplication.instance()
        theme.apply(app, self.settings.theme, self.settings.text_size)  # type: ignore[arg-type]
        settings_module.save(self.settings)
        self.refresh_actions()


def _text(state: QByteArray) -> str:
    """Qt's bytes in letters, for the settings file."""
    return bytes(state.toBase64().data()).decode("ascii")
