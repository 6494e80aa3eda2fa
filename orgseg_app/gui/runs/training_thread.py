"""The training thread: starts the detached job of a run and follows what it writes.

The job is a process of its own that writes files; this thread only reads them. Ending the thread,
the window or the whole desktop session never ends a job. Nothing here imports torch.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.runs.following_thread import FollowingThread
from orgseg_app.runs import launcher
from orgseg_app.runs.folder import ACTIVE_STATES, RunFolder, list_runs, runs_dir
from orgseg_app.runs.recipes.schema import Recipe

LOG = logging.getLogger(__name__)

POLL_S = 0.15
LIST_S = 1.0
STATE_S = 1.0
STARTING_S = 3.0

Events = list[dict[str, Any]]


@dataclass(frozen=True)
class RunFacts:
    """What a run folder said when it was last looked at, so that the window reads no disk.

    Attributes
    ----------
    run : RunFolder
    run_id, name, kind, state : str
        As in `RunFolder`.
    created : float
        Seconds since 1970, UTC.
    recipe : Recipe or None
    warnings : tuple of str
        What the preparation said about the run.
    has_model : bool
        Whether there is a checkpoint to predict with.
    """

    run: RunFolder = field(compare=False)
    run_id: str
    name: str
    kind: str
    state: str
    created: float
    recipe: Recipe | None
    warnings: tuple[str, ...] = ()
    has_model: bool = False

    @classmethod
    def of(cls, run: RunFolder, state: str | None = None) -> RunFacts:
        """Read the facts of a run from its folder."""
        return cls(
            run=run,
            run_id=run.run_id,
            name=run.name,
            kind=run.kind,
            state=run.state if state is None else state,
            created=run.created,
            recipe=run.recipe,
            warnings=tuple(run.warnings),
            has_model=run.best_path.is_file(),
        )


@dataclass
class _Followed:
    """One run that is being read, and how far."""

    run: RunFolder
    state: str = ""
    offset: int = 0
    has_caught_up: bool = False
    checked: float = 0.0
    started: float = field(default_factory=time.monotonic)


class TrainingThread(FollowingThread):
    """Starts jobs and follows their events, off the window's thread.

    Every run of the project being watched is read once; those that are not over are read again
    every 150 ms. Runs started elsewhere (command line, another window) appear by themselves.

    Signals
    -------
    runs_listed(list of RunFacts)
        The runs of the project, oldest first, whenever one came, went or was renamed.
    events_received(run_id, list of dict)
        Events of a run, in order, none twice; the first batch holds all that happened before.
    event_received(run_id, dict)
        One event that happened while it was followed.
    state_changed(run_id, state)
        queued, running, paused, finished, stopped, failed or lost.
    job_failed(run_id, sentence)
        The job of a run could not be started.
    """

    runs_listed = Signal(list)
    events_received = Signal(str, list)
    event_received = Signal(str, object)
    state_changed = Signal(str, str)
    job_failed = Signal(str, str)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__("training thread", parent)
        self._followed: dict[str, _Followed] = {}
        self._offsets: dict[str, int] = {}
        self._known: dict[str, RunFacts] = {}
        self._listing: object = None
        self._listed_at = 0.0

    # -- asked by the window -----------------------------------------------------------------------

    def refresh(self) -> None:
        """Look at the list of runs again now, after a rename or a deletion."""
        self._do(self._forget_listing)

    def start_run(self, run: RunFolder) -> None:
        """Start the detached job of a prepared run, and follow it."""
        self._do(lambda: self._start_run(run))

    def follow(self, run: RunFolder) -> None:
        """Follow a run that lies somewhere else, or that was over and goes on."""
        self._do(lambda: self._follow(run))

    # -- in the thread -----------------------------------------------------------------------------

    def look(self) -> None:
        """Read on where runs are not over, and list those that came."""
        self._list_if_changed()
        for followed in list(self._followed.values()):
            if self._is_ending:
                return
            self._read(followed)

    @property
    def pause_s(self) -> float:
        """Always the same."""
        return POLL_S

    def _watch(self, project_path: Path | None) -> None:
        self._project = project_path
        self._followed.clear()
        self._offsets.clear()
        self._known.clear()
        self._forget_listing()
        if project_path is None:
            self.runs_listed.emit([])

    def _forget_listing(self) -> None:
        self._listing, self._listed_at = None, 0.0

    def _list_if_changed(self) -> None:
        now = time.monotonic()
        if self._project is None or now - self._listed_at < LIST_S:
            return
        self._listed_at = now
        listing = _listing_of(runs_dir(self._project))
        if listing == self._listing:
            return
        is_first, self._listing = self._listing is None, listing
        facts: dict[str, RunFacts] = {}
        for run in list_runs(self._project):
            followed = self._followed.get(run.run_id)
            known = self._known.get(run.run_id)
            state = followed.state if followed else known.state if known else None
            facts[run.run_id] = RunFacts.of(run, state or None)
        if is_first or facts != self._known:
            self.runs_listed.emit(list(facts.values()))
        for run_id in set(self._known) - set(facts):
            self._followed.pop(run_id, None)
        for run_id, fact in facts.items():
            if run_id not in self._known and run_id not in self._followed:
                self._offsets.pop(run_id, None)
                self._followed[run_id] = _Followed(fact.run, fact.state)
        self._known = facts

    def _start_run(self, run: RunFolder) -> None:
        try:
            launcher.start(run)
        except Exception as error:
            LOG.exception("the job of “%s” could not be started", run.path.name)
            self.job_failed.emit(run.run_id, str(error) or type(error).__name__)
            return
        self._follow(run)
        self._forget_listing()

    def _follow(self, run: RunFolder) -> None:
        followed = self._followed.get(run.run_id)
        if followed is None:
            offset = self._offsets.get(run.run_id, 0)
            self._followed[run.run_id] = _Followed(
                run, offset=offset, has_caught_up=run.run_id in self._offsets
            )
        else:
            followed.started, followed.checked = time.monotonic(), 0.0

    def _on_asked(self, folder: RunFolder) -> None:
        self._follow(folder)

    def _read(self, followed: _Followed) -> None:
        is_news, followed.has_caught_up = followed.has_caught_up, True
        has_events = self._take_events(followed, is_news=is_news)
        now = time.monotonic()
        if has_events or now - followed.checked > STATE_S:
            followed.checked = now
            self._look_at_state(followed, now)

    def _take_events(self, followed: _Followed, *, is_news: bool) -> bool:
        run = followed.run
        events, followed.offset = run.events(followed.offset)
        self._offsets[run.run_id] = followed.offset
        if events:
            self.events_received.emit(run.run_id, events)
        for event in events if is_news else ():
            self.event_received.emit(run.run_id, event)
        return bool(events)

    def _look_at_state(self, followed: _Followed, now: float) -> None:
        run = followed.run
        if not run.exists:
            self._followed.pop(run.run_id, None)
            self._forget_listing()
            if run.run_id not in self._known:
                self.state_changed.emit(run.run_id, "lost")
            return
        state = run.state
        is_starting = now - followed.started < STARTING_S
        if state == "lost" and is_starting:
            return  # its process may be about to be written down
        if state not in ACTIVE_STATES:
            # The last event may have come between the reading and the look at the state.
            self._take_events(followed, is_news=True)
            self._followed.pop(run.run_id, None)
        if state != followed.state:
            followed.state = state
            if run.run_id in self._known:
                self._known[run.run_id] = RunFacts.of(run, state)
            self.state_changed.emit(run.run_id, state)


def _listing_of(folder: Path) -> object:
    """Something that differs when a run came, went or was renamed; None without a folder."""
    try:
        return tuple(
            sorted(
                (entry.name, (folder / entry.name).stat().st_mtime_ns)
                for entry in folder.iterdir()
                if not entry.name.startswith(".")
            )
        )
    except OSError:
        return ()
