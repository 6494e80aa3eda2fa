"""Edits that take a while: worked out in the background, in sight, and cancelled by Esc."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from orgseg_app.core.edits.recorder import Edit
from orgseg_app.core.edits.slices import seen_from
from orgseg_app.core.mask import BLOCK
from orgseg_app.core.ready import ReadyChange, worked_out
from orgseg_app.core.stopping import StoppedError, TooLargeError
from orgseg_app.gui.background import Task
from orgseg_app.gui.help.trouble_pages import page_of_error

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

MOST_BLOCKS = 16384
"""What an edit of a volume may look at: 1024 voxels cubed, which takes about 2 GB to work out.
Volumes in which more is painted already may be looked at as a whole."""

TRIES = 3
"""So often an edit is worked out anew because somebody painted where it works."""

_TOLD_EVERY = 256  # blocks


class Working(QObject):
    """What a person waits for on the canvas.

    Attributes
    ----------
    title, done, total
        What is under way, and how far it is; "" for nothing, and a total of 0 where nobody knows.

    Signals
    -------
    changed()
        One of these.
    """

    changed = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.session = session
        self.title, self.done, self.total = "", 0, 0
        self._tasks: list[Task] = []

    @property
    def is_busy(self) -> bool:
        """Somebody waits for something."""
        return bool(self._tasks)

    def start(
        self,
        title: str,
        work: Callable[[Task], Any],
        on_success: Callable[[Any], None],
        on_end: Callable[[], None] = lambda: None,
        *,
        is_kept: bool = False,
    ) -> Task:
        """Do it in the background; it may raise `StoppedError` and `TooLargeError`.

        Parameters
        ----------
        title
            What is being done: "Filling".
        on_end
            Called in the end, whatever became of it.
        is_kept
            What the work has done lasts by itself, even when it was to stop too late.
        """
        session = self.session

        def ended() -> None:
            self._tasks.remove(task)
            self._show()

        def succeeded(result: Any) -> None:
            if task.is_cancelled and not is_kept:  # too late to stop, not to change nothing
                failed(StoppedError())
                return
            ended()
            on_success(result)
            on_end()

        def failed(error: Exception) -> None:
            ended()
            if isinstance(error, StoppedError):
                session.message.emit(f"{title} was cancelled; nothing was changed.", "info")
            elif isinstance(error, TooLargeError):
                session.say(str(error), "warning", page_of_error(error))
            else:
                session.report_error(error)
            on_end()

        task = session.background.start(title, work, succeeded, failed)
        task.progressed.connect(lambda done, total, _: self._on_progressed(task, done, total))
        self._tasks.append(task)
        self._show()
        return task

    def cancel(self) -> bool:
        """Stop all of it; False when there is nothing, or all has been asked already."""
        under_way = [task for task in self._tasks if not task.is_cancelled]
        for task in under_way:
            task.cancel()
        return bool(under_way)

    def make(self, title: str, edit: Edit, image_id: str, tries: int = TRIES) -> None:
        """Work an edit out for the mask as it is now, and make it."""
        session = self.session
        mask, file = session.mask(image_id), session.file
        seen = seen_from(mask, range(mask.shape[0]))
        number = session.objects.in_hand(image_id)
        most = max(MOST_BLOCKS, len(mask.block_indices()))

        def work(task: Task) -> ReadyChange | None:
            def check(count: int) -> None:
                if task.is_cancelled:
                    raise StoppedError
                if count > most:
                    raise TooLargeError(
                        f"{title} stopped, and nothing was changed: the region goes on for more "
                        f"than {most * BLOCK * BLOCK >> 20:,} million voxels. Do it plane by "
                        "plane, or close the region off."
                    )
                if count % _TOLD_EVERY == 0:
                    task.report(count, 0)

            return worked_out(image_id, seen, edit, check, number)

        def done(ready: ReadyChange | None) -> None:
            is_open = session.file is file and file is not None and image_id in file.project.images
            if ready is None or not is_open:
                return
            if tries > 1 and not ready.fits(session.mask(image_id)):
                self.make(title, edit, image_id, tries - 1)  # somebody painted there
            else:
                session.apply_ready(edit, ready)

        self.start(title, work, done)

    def _on_progressed(self, task: Task, done: int, total: int) -> None:
        if self._tasks and task is self._tasks[0]:
            self.done, self.total = done, total
            self.changed.emit()

    def _show(self) -> None:
        title = self._tasks[0].title if self._tasks else ""
        if title != self.title or not title:
            self.done = self.total = 0
        self.title = title
        self.changed.emit()
