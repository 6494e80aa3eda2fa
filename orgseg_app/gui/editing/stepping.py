"""Undo and redo in the window: at once, or in the background where a step is large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orgseg_app.core.edits.change import Change
from orgseg_app.gui.background import Task

if TYPE_CHECKING:
    from orgseg_app.files.store.edit_log import Coming
    from orgseg_app.gui.session import Session

AT_ONCE_BYTES = 2**20
"""A step that takes more to remember would stop the window for more than a tenth of a second."""


class Stepping:
    """Steps back and forward through the history, and tells everybody."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._is_under_way = self._was_taken = False
        self._task: Task | None = None  # the last step in the background
        self._asked: list[bool] = []  # back or not, while a step is under way

    def step(self, *, back: bool) -> None:
        """Take the next step, after those under way; at once while others use the background."""
        if self._is_under_way:
            self._asked.append(back)
        elif self._is_large(back) and self.session.background.current in (None, self._task):
            self._work_out(back)
        else:
            self.step_now(back=back)

    def step_now(self, *, back: bool) -> bool:
        """Take it here and now; False when there is none, or it may not be."""
        session, file = self.session, self.session.file
        if file is None or not self._may_step():
            return False
        session.cancel_stroke()
        try:
            change = file.undo() if back else file.redo()
        except Exception as error:
            session.report_error(error)
            return False
        if change is not None:
            self._tell(change)
        return change is not None

    def _may_step(self) -> bool:
        session = self.session
        if session.is_read_only:
            return False
        if session.saving.is_paused:
            session.say_paused()
            return False
        return True

    def _is_large(self, back: bool) -> bool:
        history = self.session.history
        step = history.next_undo() if back else history.next_redo()
        return step is not None and step.size_bytes > AT_ONCE_BYTES

    def _work_out(self, back: bool) -> None:
        session, file = self.session, self.session.file
        if file is None or not self._may_step():
            return
        session.cancel_stroke()
        try:
            work_out = file.coming(back=back)
        except Exception as error:
            session.report_error(error)
            return

        def take(coming: Coming) -> None:
            if session.file is not file or not self._may_step():
                return
            change = file.step(coming) if session.recorder is None else None
            if change is not None:
                self._was_taken = True
                self._tell(change)
                return
            session.message.emit(
                f"Something was painted meanwhile, so nothing was {'un' if back else 're'}done. "
                "Try again once the hand rests.",
                "info",
            )

        def go_on() -> None:
            self._is_under_way = False
            asked, self._asked = self._asked, []
            for back in asked if self._was_taken else ():
                self.step(back=back)

        self._is_under_way, self._was_taken = True, False
        title = "Undoing" if back else "Redoing"
        self._task = session.working.start(title, lambda task: work_out(), take, go_on)

    def _tell(self, change: Change) -> None:
        session = self.session
        session.saving.note(is_edit=True)
        if change.image_id != session.image_id:
            session.select_image(change.image_id)
        if change.box.z0 != session.z and change.box.z1 - change.box.z0 == 1:
            session.select_plane(change.box.z0)
        session.bring_back_classes(session.mask(change.image_id))
        session.mask_changed.emit(change.image_id, change.box)
        session.history_changed.emit()
