"""The objects of the image on the canvas, looked over in the background; and which are chosen.

Measured block by block in a thread of its own: after an edit only what it touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from orgseg_app.core.blocks import Box
from orgseg_app.core.edits.slices import seen_from
from orgseg_app.core.mask import Mask
from orgseg_app.core.object_review.survey import ObjectColumns, Survey
from orgseg_app.core.object_review.suspicion import Suspicions, judged
from orgseg_app.core.stopping import StoppedError
from orgseg_app.gui.background import Background, Task

if TYPE_CHECKING:
    from orgseg_app.gui.session import Session

REST_MS = 150
"""Waited for more of the same strokes."""
_TOLD_EVERY = 16  # blocks


@dataclass(frozen=True)
class Reviewed:
    """The objects of one image.

    Attributes
    ----------
    image_id
        Of which.
    columns, suspicions
        What is known of them.
    """

    image_id: str
    columns: ObjectColumns
    suspicions: Suspicions


class ObjectReview(QObject):
    """Looks the objects over while somebody wants to know. Part of objects mode.

    Attributes
    ----------
    found
        What is known; None before, and for another image.
    chosen
        Numbers of the objects that are chosen, the last one last.
    is_shown
        Whether the person wants the table.

    Signals
    -------
    changed()
        `found` is another.
    chosen_changed()
    shown_changed()
    progressed(done, total)
        Blocks, while an image is looked over for the first time.
    """

    changed = Signal()
    chosen_changed = Signal()
    shown_changed = Signal()
    progressed = Signal(int, int)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.found: Reviewed | None = None
        self.chosen: tuple[int, ...] = ()
        self.is_shown = False
        self._is_wanted = False
        self._survey: Survey | None = None
        self._of = ""
        self._stale: list[Box] = []
        self._task: Task | None = None
        self._background = Background(self)
        self._timer = QTimer(self, singleShot=True, interval=REST_MS)
        self._timer.timeout.connect(self._start)
        session.image_selected.connect(lambda _: self._begin_anew())
        session.mask_changed.connect(self._on_painted)
        session.closing.connect(self.finish)

    @property
    def is_idle(self) -> bool:
        """True when nothing is looked at or waits."""
        return not self._timer.isActive() and self._background.is_idle

    @property
    def is_new(self) -> bool:
        """True while the image is looked over for the first time."""
        return self.found is None and not self.is_idle

    def show(self, on: bool) -> None:
        """The person wants the table, or no longer."""
        if on != self.is_shown:
            self.is_shown = on
            self.shown_changed.emit()

    def set_wanted(self, on: bool) -> None:
        """Look the objects over from now on, or leave it."""
        if on != self._is_wanted:
            self._is_wanted = on
            if on:
                self._begin_anew()
            else:
                self._forget()
                self.changed.emit()

    def finish(self) -> None:
        """The project is about to be closed."""
        self._forget()
        self.choose(())
        self._background.finish()

    def row_of(self, number: int) -> int:
        """Where an object is among the columns; -1 where it is not known."""
        return -1 if self.found is None else self.found.columns.row_of(number)

    def choose(self, numbers: Iterable[int]) -> None:
        """These objects are chosen; the last one is what is looked at."""
        chosen = tuple(dict.fromkeys(numbers))
        if chosen != self.chosen:
            self.chosen = chosen
            self.chosen_changed.emit()

    def flip(self, number: int) -> None:
        """Choose one more, or one less."""
        left = [n for n in self.chosen if n != number]
        self.choose(left if len(left) < len(self.chosen) else [*left, number])

    # -- within ----------------------------------------------------------------------------------

    def _begin_anew(self) -> None:
        self._forget()
        self.choose(())
        session = self._session
        if self._is_wanted and session.image is not None and session.file is not None:
            self._of = session.image_id
            self._stale = [session.whole()]
            self._start()
        self.changed.emit()

    def _forget(self) -> None:
        self._timer.stop()
        if self._task is not None:
            self._task.cancel()
            self._task = None
        self._of, self._stale = "", []
        self._survey, self.found = None, None

    def _on_painted(self, image_id: str, box: Box) -> None:
        if image_id == self._of and not box.is_empty:
            self._stale.append(box)
            if not self._timer.isActive():
                self._timer.start()

    def _start(self) -> None:
        session = self._session
        if self._task is not None or not self._stale or not self._of:
            return  # once it is done it goes on
        if session.recorder is not None:  # the hand is still at it
            self._timer.start()
            return
        image, mask = session.image, session.mask(self._of)
        assert image is not None
        survey, image_id, boxes = self._survey, self._of, self._stale
        if survey is None:
            survey = Survey(mask.shape, image.pixel_size_um)
        self._stale = []
        seen = seen_from(mask, range(mask.shape[0]))
        task = self._background.start(
            "Looking objects over",
            lambda task: _look(task, survey, image_id, seen, boxes),
            lambda found: self._on_found(task, survey, found),
            lambda error: self._on_failed(task, error),
        )
        self._task = task
        task.progressed.connect(lambda done, total, _: self.progressed.emit(done, total))

    def _on_found(self, task: Task, survey: Survey, found: Reviewed) -> None:
        if task is not self._task or found.image_id != self._of:
            return
        self._task, self._survey, self.found = None, survey, found
        chosen = np.array(self.chosen, np.int64)
        self.choose(chosen[np.isin(chosen, found.columns.numbers)].tolist())
        self.changed.emit()
        if self._stale and not self._timer.isActive():
            self._timer.start()

    def _on_failed(self, task: Task, error: Exception) -> None:
        if task is self._task:
            self._task, self._survey, self.found = None, None, None
            self.changed.emit()
            if not isinstance(error, StoppedError):
                self._session.report_error(error)


def _look(task: Task, survey: Survey, image_id: str, mask: Mask, boxes: list[Box]) -> Reviewed:
    """In the other thread."""

    def check(done: int, total: int) -> None:
        if task.is_cancelled:
            raise StoppedError
        if done % _TOLD_EVERY == 0 and total > _TOLD_EVERY:
            task.report(done, total)

    for box in boxes:
        survey.look(mask, box, check)
    columns = survey.columns()
    return Reviewed(image_id, columns, judged(columns))
