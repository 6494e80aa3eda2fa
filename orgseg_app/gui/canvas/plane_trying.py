"""Something tried out on the plane that is looked at, in another thread; the newest wish only."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.gui.background import Background, Task
from orgseg_app.gui.session import Session


class PlaneTrying(QObject):
    """Follows image, plane and paint while it is on; a new wish cancels the one under way.

    Attributes
    ----------
    is_on
        Whether anything is to be made.
    tried
        What was made last, of a plane ``z`` of an ``image_id``; None where nothing is there yet.
    problem
        Why nothing can be shown, in a sentence; "".

    Signals
    -------
    changed()
        Any of the attributes.
    """

    changed = Signal()
    _made = Signal(int, object)  # from the other thread: number of the wish, what was made

    rest_ms = 10
    """Waited for more of the same, such as touches of a slider."""
    failure = ""
    """Said where an error says nothing itself."""
    tried: Any

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self.is_on = False
        self.tried = None
        self.problem = ""
        self._wish = 0
        self._task: Task | None = None
        self._background = Background(self)
        self._timer = QTimer(self, singleShot=True)
        self._timer.timeout.connect(self._start)
        self._made.connect(self._on_made)
        session.image_selected.connect(lambda _: self._follow())
        session.plane_selected.connect(lambda _: self._follow())
        session.mask_changed.connect(self._on_painted)
        session.closing.connect(self.finish)

    @property
    def is_idle(self) -> bool:
        """True when nothing is made or waits."""
        return not self._timer.isActive() and self._background.is_idle

    def set_on(self, on: bool) -> None:
        """Make what is looked at, or nothing."""
        if on != self.is_on:
            self.is_on = on
            self._stop()
            self.tried, self.problem = None, ""
            self._forget()
            if on:
                self._begin()
            self.changed.emit()

    def finish(self) -> None:
        """The project is about to be closed."""
        self.set_on(False)
        self._background.finish()

    # -- for those who make something ------------------------------------------------------------

    def _start(self) -> None:
        """Make the newest wish, `_wish`, as a task, and emit `_made` with its number."""
        raise NotImplementedError

    def _begin(self) -> None:
        """It was put on."""
        self._start()

    def _forget(self) -> None:
        """What was kept for the next wish is of no use any more."""

    def _on_painted(self, image_id: str, change: object) -> None:
        """Something was painted on an image."""
        raise NotImplementedError

    # -- within ----------------------------------------------------------------------------------

    def _follow(self, after_ms: int | None = None) -> None:
        if not self.is_on:
            return
        tried, session = self.tried, self._session
        if tried is not None and (tried.image_id, tried.z) != (session.image_id, session.z):
            self.tried = None
            self.changed.emit()
        self._stop()
        self._timer.start(self.rest_ms if after_ms is None else after_ms)

    def _stop(self) -> None:
        """What is under way is no longer wanted."""
        self._wish += 1
        self._timer.stop()
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def _give_up(self, problem: str) -> None:
        self.tried, self.problem = None, problem
        self.changed.emit()

    def _on_failed(self, error: Exception) -> None:
        self._give_up(str(error) or self.failure)

    def _on_made(self, number: int, tried: object) -> None:
        if number == self._wish and self.is_on:
            self.tried = tried
            self.changed.emit()
