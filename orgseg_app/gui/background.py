"""Work that takes longer than a tenth of a second, done off the window's thread."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from weakref import ref

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal
from shiboken6 import isValid

LOG = logging.getLogger(__name__)

PATIENCE_MS = 2000


class Task(QObject):
    """One piece of work under way.

    The work receives the task and may call `report` and ask `is_cancelled`; its signals are emitted
    in the window's thread, so whoever connects to them right after `Background.start` misses none,
    however soon the work was done.

    Signals
    -------
    progressed(done, total, text), succeeded(result), failed(error), ended()
    """

    progressed = Signal(int, int, str)
    succeeded = Signal(object)
    failed = Signal(object)
    ended = Signal()
    _told = Signal(str, tuple)  # a signal's name, what it carries: from the thread of the work

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        self._cancelled = False
        self._told.connect(self._pass_on)

    @property
    def is_cancelled(self) -> bool:
        """True once the user has asked to stop."""
        return self._cancelled

    def cancel(self) -> None:
        """Ask the work to stop at the next opportunity."""
        self._cancelled = True

    def report(self, done: int, total: int, text: str = "") -> bool:
        """Tell how far the work is; False when it should stop."""
        self.tell("progressed", done, total, text)
        return not self._cancelled

    def tell(self, signal: str, *what: object) -> None:
        """Have a signal emitted in the window's thread; called from the thread of the work."""
        self._told.emit(signal, what)

    def _pass_on(self, signal: str, what: tuple[object, ...]) -> None:
        getattr(self, signal).emit(*what)


class _Runner(QRunnable):
    def __init__(self, task: Task, work: Callable[[Task], Any]) -> None:
        super().__init__()
        self.task = task
        self.work = work

    def run(self) -> None:
        try:
            result = self.work(self.task)
        except Exception as error:
            LOG.info("%s failed", self.task.title, exc_info=True)
            self.task.tell("failed", error)
        else:
            self.task.tell("succeeded", result)
        finally:
            self.task.tell("ended")


class Background(QObject):
    """Runs tasks one after the other in a thread of its own, in the order they were given.

    Signals
    -------
    busy_changed(task or None)
        The task now under way.
    """

    busy_changed = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._tasks: list[Task] = []

    def start(
        self,
        title: str,
        work: Callable[[Task], Any],
        on_success: Callable[[Any], None] | None = None,
        on_failure: Callable[[Exception], None] | None = None,
    ) -> Task:
        """Queue a piece of work; the callbacks run in the window's thread."""
        task = Task(title)
        if on_success is not None:
            task.succeeded.connect(on_success)
        if on_failure is not None:
            task.failed.connect(on_failure)
        # A connection that held its own task would keep it for ever, and all that it has read.
        known = ref(task)
        task.ended.connect(lambda: self._on_ended(known()))
        self._tasks.append(task)
        if len(self._tasks) == 1:
            self.busy_changed.emit(task)
        self._pool.start(_Runner(task, work))
        return task

    @property
    def current(self) -> Task | None:
        """The task under way, if any."""
        return self._tasks[0] if self._tasks else None

    @property
    def is_idle(self) -> bool:
        """True when nothing waits or runs."""
        return not self._tasks

    def wait(self, milliseconds: int = 30_000) -> bool:
        """Block until everything queued is done (used at the very end); False on time-out."""
        return self._pool.waitForDone(milliseconds)

    def finish(self, milliseconds: int = PATIENCE_MS) -> bool:
        """Wait for everything queued; what takes longer is asked to stop, and waited for."""
        if not self.wait(milliseconds):
            for task in self._tasks:
                task.cancel()
        return self.wait()

    def _on_ended(self, task: Task | None) -> None:
        if task in self._tasks:
            self._tasks.remove(task)
        if isValid(self):  # what it worked for may have gone, and it with that
            self.busy_changed.emit(self.current)
