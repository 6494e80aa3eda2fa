"""Leads through the tour: shows a step beside its widget, sees it done, goes on.

Nothing is blocked: the step is done with the window itself, and what the window does otherwise it
goes on doing. Where a step's workspace is left, the callout points at the way back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt, QTimer
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

if TYPE_CHECKING:
    from orgseg_app.gui.main_window import MainWindow
    from orgseg_app.gui.tour.callout import Callout, Outline
    from orgseg_app.gui.tour.steps import Step

SAMPLE = "er"
QUIET_MS = 1500
"""So long after the last sign of a step that was done the next one comes."""
_MOVING = (
    QEvent.Type.Move,
    QEvent.Type.Resize,
    QEvent.Type.Show,
    QEvent.Type.Hide,
    QEvent.Type.LayoutRequest,
)
END = "That was the tour. “Help contents” in the Help menu says more about every part."


class Touring(QObject):
    """The guided tour of one window.

    Attributes
    ----------
    number
        Of the step that is shown, from 0; -1 while there is no tour.
    callout, outline
        Over the window; None before the first tour.
    """

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self.window = window
        self.number = -1
        self.callout: Callout | None = None
        self.outline: Outline | None = None
        self._is_waiting = False  # for the sample
        self._before: object = None
        self._signs: tuple[object, ...] = ()
        self._watched: list[QWidget] = []
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(QUIET_MS)
        self._quiet.timeout.connect(self.go_on)
        self._follow_timer = QTimer(self)
        self._follow_timer.setSingleShot(True)
        self._follow_timer.setInterval(0)
        self._follow_timer.timeout.connect(self._follow)
        window.session.image_selected.connect(self._on_image_selected)
        window.session.project_changed.connect(self._on_project_changed)

    @property
    def is_on(self) -> bool:
        """Whether a step is shown."""
        return self.number >= 0

    @property
    def step(self) -> Step:
        """The one that is shown."""
        from orgseg_app.gui.tour.steps import STEPS

        return STEPS[self.number]

    @property
    def _room(self) -> QWidget:
        """What callout and outline lie over."""
        room = self.window.centralWidget()
        assert room is not None
        return room

    # -- beginning and end -------------------------------------------------------------------------

    def start(self) -> None:
        """Begin at the first step; without a project, open the sample first."""
        session = self.window.session
        if session.project is None or not session.project.images:
            self._is_waiting = True
            self.window.commands.open_sample(SAMPLE)
            self._on_image_selected(session.image_id)
        else:
            self._begin()

    def _begin(self) -> None:
        from orgseg_app.gui.tour.callout import Callout, Outline

        if self.window.session.project is None or self.window.is_closed:
            return
        self._choose_unpainted()
        if self.callout is None:
            room = self._room
            self.outline, self.callout = Outline(room), Callout(room)
            self.callout.next_requested.connect(self.go_on)
            self.callout.back_requested.connect(self.go_back)
            self.callout.close_requested.connect(self.end)
            self.window.installEventFilter(self)
        self._show(0)
        self.callout.take_keyboard()

    def _choose_unpainted(self) -> None:
        """Strokes show best on an image that has none."""
        session = self.window.session
        file, project = session.file, session.project
        if file is None or project is None or not file.counts(session.image_id):
            return
        found = next((i for i in project.images if not file.counts(i)), "")
        if found:
            session.select_image(found)

    def end(self) -> None:
        """Take callout and outline away."""
        self._is_waiting = False
        if not self.is_on:
            return
        assert self.callout is not None
        assert self.outline is not None
        had_keyboard = self.callout.has_keyboard
        self._leave()
        self.number = -1
        self.callout.hide()
        self.outline.hide()
        if had_keyboard and self.window.parts is not None:
            self.window.parts.canvas.setFocus()

    def go_on(self) -> None:
        """To the next step; after the last one the tour is over."""
        from orgseg_app.gui.tour.steps import STEPS

        if not self.is_on:
            return
        if self.number + 1 < len(STEPS):
            self._show(self.number + 1)
        else:
            self.end()
            self.window.session.message.emit(END, "info")

    def go_back(self) -> None:
        """To the step before."""
        if self.number > 0:
            self._show(self.number - 1)

    # -- a step ------------------------------------------------------------------------------------

    def _show(self, number: int) -> None:
        from orgseg_app.gui.tour.steps import STEPS

        assert self.callout is not None
        had_keyboard = self.callout.has_keyboard
        self._leave()
        self.number = number
        step, window = self.step, self.window
        if window.parts is not None and window.parts.is_canvas_alone:
            window.parts.show_canvas_alone(False)
        if window.workspace != step.workspace:
            window.show_workspace(step.workspace)
        self._before = step.mark(window)
        self._signs = step.signs(window)
        for sign in self._signs:
            sign.connect(self._on_sign)  # type: ignore[attr-defined]
        self.callout.show_step(number + 1, len(STEPS), step.title, step.words(window))
        self._watch()
        self._follow()
        if had_keyboard:
            self.callout.take_keyboard()

    def _leave(self) -> None:
        self._quiet.stop()
        for sign in self._signs:
            sign.disconnect(self._on_sign)  # type: ignore[attr-defined]
        self._signs = ()
        for widget in self._watched:
            if isValid(widget):
                widget.removeEventFilter(self)
        self._watched = []

    def _on_sign(self, *_: object) -> None:
        if not self.is_on or self.callout is None:
            return
        if self.step.is_done(self._before, self.step.mark(self.window)):
            self.callout.show_done(True)
            self._quiet.start()

    def _on_image_selected(self, image_id: str) -> None:
        if self._is_waiting and image_id:
            self._is_waiting = False
            # Once everybody has heard of the image: another one may be chosen.
            QTimer.singleShot(0, self, self._begin)

    def _on_project_changed(self) -> None:
        if self.is_on:
            self.end()

    # -- place -------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Hear of everything that moves the step's widget: itself, and what it lies in."""
        widget: QWidget | None = self.step.target(self.window)
        while widget is not None and widget is not self.window:
            self._watched.append(widget)
            widget = widget.parentWidget()
        for widget in self._watched:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow what moves; Esc that nobody wanted ends the tour."""
        if not self.is_on:
            return False
        if event.type() in _MOVING:
            self._follow_timer.start()
        elif (
            watched is self.window
            and event.type() == QEvent.Type.KeyPress
            and isinstance(event, QKeyEvent)
            and event.key() == Qt.Key.Key_Escape
        ):
            self.end()
            return True
        return False

    def _follow(self) -> None:
        """Put callout and outline where the step's widget is now."""
        from orgseg_app.gui.tour.callout import SHADOW
        from orgseg_app.gui.tour.placing import BELOW, place

        if not self.is_on or self.callout is None or self.outline is None:
            return
        room, step = self._room, self.step
        target, sides, parts = step.target(self.window), step.sides, self.window.parts
        is_away = not target.isVisible() and parts is not None
        if is_away and parts is not None:
            target, sides = parts.header.tabs[step.workspace], (BELOW,)
        self.callout.show_way(step.workspace.capitalize() if is_away else "")
        where = _within(target, room)
        self.callout.fit()
        card = self.callout.size() - QSize(2 * SHADOW, 2 * SHADOW)
        corner = place(where, card, room.rect(), sides)
        self.callout.move(corner.x() - SHADOW, corner.y() - SHADOW)
        self.outline.surround(where, room.rect())
        for widget in (self.outline, self.callout):
            widget.show()
            widget.raise_()


def _within(widget: QWidget, room: QWidget) -> QRect:
    """The part of a widget that is seen, in the coordinates of what it lies in."""
    corner = widget.mapTo(room, widget.rect().topLeft())
    return QRect(corner, widget.size()).intersected(room.rect())
