"""What the models of runs and of studies share: a list, fed by a thread that follows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.help.trouble_pages import page_of_failure
from orgseg_app.gui.runs.following_thread import FollowingThread, Request
from orgseg_app.gui.session import Session
from orgseg_app.runs.job_folder import JobFolder

if TYPE_CHECKING:
    from orgseg_app.files.project_file import ProjectFile


class Job(Protocol):
    """A run or a study, as the window knows it."""

    @property
    def is_active(self) -> bool:
        """Whether it waits, works or is paused."""


Item = TypeVar("Item", bound=Job)


class JobsModel(QObject, Generic[Item]):
    """All runs, or all studies, of the open project, oldest first.

    Follows the session: another project, other items; those that were under way when the window was
    last closed are found again by themselves.

    Parameters
    ----------
    session : Session
    thread : FollowingThread
        Started by the caller, who also stops it.

    Signals
    -------
    preparing_changed(bool)
        A snapshot is being written.
    """

    preparing_changed = Signal(bool)

    def __init__(
        self, session: Session, thread: FollowingThread, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self.session = session
        self._thread = thread
        self._items: dict[str, Item] = {}
        self._path: Path | None = None
        self._preparing = 0
        thread.request_failed.connect(self._on_request_failed)
        session.project_changed.connect(self._on_project_changed)

    # -- what a kind of list says ------------------------------------------------------------------

    def _folder_of(self, item: Item) -> JobFolder:
        """Where it lies."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Another project is open: the list is empty."""
        raise NotImplementedError

    # -- reading -----------------------------------------------------------------------------------

    def all(self) -> list[Item]:
        """Every one, of every kind, oldest first."""
        return list(self._items.values())

    def get(self, item_id: str) -> Item | None:
        """One by its id, or None when it is not (or no longer) there."""
        return self._items.get(item_id)

    def active(self) -> list[Item]:
        """Those that wait, work or are paused, oldest first."""
        return [item for item in self._items.values() if item.is_active]

    @property
    def is_preparing(self) -> bool:
        """Whether the snapshot of a new one is being written."""
        return self._preparing > 0

    # -- asking ------------------------------------------------------------------------------------

    def _ask(self, item_id: str, request: Request) -> None:
        item = self._items.get(item_id)
        if item is not None:
            self._thread.ask(self._folder_of(item), request)

    def _prepare(
        self,
        title: str,
        work: Callable[[ProjectFile], Any],
        on_made: Callable[[Any, bool], None],
    ) -> None:
        """Freeze what is painted now, in the background; problems become messages.

        Parameters
        ----------
        title, work
            What is made of the project.
        on_made
            Gets it, and whether the project is still open.
        """
        file = self.session.file
        if file is None:
            return
        path = file.path
        self._set_preparing(1)

        def on_success(made: Any) -> None:
            self._set_preparing(-1)
            on_made(made, self._path == path)

        def on_failure(error: Exception) -> None:
            self._set_preparing(-1)
            self.session.report_error(error)

        self.session.fold_in()
        self.session.background.start(title, lambda task: work(file), on_success, on_failure)

    def _set_preparing(self, change: int) -> None:
        self._preparing += change
        self.preparing_changed.emit(self._preparing > 0)

    # -- from the session and the thread -----------------------------------------------------------

    def _on_project_changed(self) -> None:
        if self.session.path != self._path:
            self._path = self.session.path
            self._items.clear()
            self._thread.watch(self._path)
            self._forget()

    def _younger(self, listed: Iterable[str]) -> dict[str, Item]:
        """Those that a list from the thread does not have yet: they have come since."""
        ids = set(listed)
        return {
            item_id: item
            for item_id, item in self._items.items()
            if item_id not in ids and self._folder_of(item).exists
        }

    def _on_request_failed(self, item_id: str, sentence: str) -> None:
        self.session.say(sentence, "error", page_of_failure(sentence))
