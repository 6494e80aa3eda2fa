"""What the folder of a study said when it was last looked at, so that the window reads no disk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from orgseg_app.gui.runs.estimate import time_left
from orgseg_app.runs.estimate import training_duration
from orgseg_app.runs.folder import ACTIVE_STATES
from orgseg_app.runs.studies.folder import StudyFolder

STATE_WORDS = {
    "queued": "about to start",
    "running": "running",
    "paused": "paused",
    "finished": "finished",
    "stopped": "stopped",
    "failed": "failed",
    "lost": "interrupted",
}
STATE_ICONS = {
    "queued": ("clock", "secondary"),
    "running": ("play", "accent"),
    "paused": ("pause", "secondary"),
    "finished": ("check", "success"),
    "stopped": ("stop", "secondary"),
    "failed": ("error", "error"),
    "lost": ("warning", "warning"),
}


@dataclass
class CellFacts:
    """How one run of a study stands.

    Attributes
    ----------
    state : str
        As the driver told it last; "" before its turn.
    run_id : str
    began, seconds : float or None
        When its job was started last (seconds since 1970), and how long it took.
    message : str
        What was said at its end.
    """

    state: str = ""
    run_id: str = ""
    began: float | None = None
    seconds: float | None = None
    message: str = ""


@dataclass
class StudyFacts:
    """One study, fed with the events of its driver.

    Attributes
    ----------
    folder : StudyFolder
    state : str
        One of `runs.folder.STATES`.
    cells : dict of str to CellFacts
        By id, in the order in which they are trained.
    running : str
        Id of the cell that is trained now, or "".
    message : str
        The last sentence of the driver.
    """

    folder: StudyFolder
    state: str = "queued"
    cells: dict[str, CellFacts] = field(default_factory=dict)
    running: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        self.cells = {cell.cell_id: CellFacts() for cell in self.folder.cells} | self.cells

    @property
    def study_id(self) -> str:
        """12 hex digits."""
        return self.folder.study_id

    @property
    def name(self) -> str:
        """As shown."""
        return self.folder.name

    @property
    def total(self) -> int:
        """Runs."""
        return len(self.folder.cells)

    @property
    def finished(self) -> int:
        """Runs that have finished."""
        return sum(cell.state == "finished" for cell in self.cells.values())

    @property
    def unlucky(self) -> int:
        """Runs that failed; of a study that is over, also those that were stopped or lost."""
        is_over = self.state in ("finished", "failed")
        states = ("failed", "stopped", "lost") if is_over else ("failed",)
        return sum(cell.state in states for cell in self.cells.values())

    @property
    def is_active(self) -> bool:
        """Whether a driver is at it."""
        return self.state in ACTIVE_STATES

    @property
    def can_pause(self) -> bool:
        """Whether it can be asked to wait."""
        return self.state in ("queued", "running")

    @property
    def can_resume(self) -> bool:
        """Whether it can go on: paused, or over before all runs have finished."""
        return self.state == "paused" or (not self.is_active and self.finished < self.total)

    @property
    def run_ids(self) -> list[str]:
        """Of the runs it has made so far."""
        return [cell.run_id for cell in self.cells.values() if cell.run_id]

    def copy(self) -> StudyFacts:
        """As it is now, for another thread."""
        cells = {cell_id: replace(cell) for cell_id, cell in self.cells.items()}
        made = StudyFacts(self.folder, self.state, cells, self.running, self.message)
        made.__dict__["_weights"] = self._weights  # counted once, off the window's thread
        return made

    # -- learning ----------------------------------------------------------------------------------

    def take(self, events: Iterable[Mapping[str, Any]]) -> None:
        """Learn from events of the driver, in their order."""
        for event in events:
            kind = event.get("event")
            if kind == "cell":
                self._take_cell(event)
            elif kind == "state" and event.get("starting"):
                self.running, self.message = "", ""
            elif kind in ("finished", "stopped", "failed"):
                self.running, self.message = "", str(event.get("message") or "")

    def _take_cell(self, event: Mapping[str, Any]) -> None:
        cell = self.cells.get(str(event.get("cell")))
        if cell is None:
            return
        cell.state = str(event.get("state") or "")
        cell.run_id = str(event.get("run") or cell.run_id)
        when = event.get("time")
        now = float(when) if isinstance(when, (int, float)) else None
        if cell.state == "running":
            self.running, cell.began, cell.message = str(event.get("cell")), now, ""
            return
        self.running, cell.message = "", str(event.get("message") or "")
        if cell.state == "finished" and now is not None and cell.began is not None:
            cell.seconds = max(0.0, now - cell.began)

    def reconcile(self, runs: Mapping[str, tuple[str, str]]) -> bool:
        """Learn from the runs themselves what no driver has told; whether anything was new.

        Parameters
        ----------
        runs : mapping of str to (str, str)
            Cell → id and state of its run. A job outlives the driver that waits for it.
        """
        is_new = False
        for cell_id, (run_id, state) in runs.items():
            cell = self.cells.get(cell_id)
            if cell is None or (cell.run_id, cell.state) == (run_id, state):
                continue
            cell.run_id, cell.state, is_new = run_id, state, True
            if self.running == cell_id and state not in ACTIVE_STATES:
                self.running = ""
        return is_new

    # -- in words ----------------------------------------------------------------------------------

    @property
    def position(self) -> int:
        """Number of the run that is at work or comes next, from 1; 0 when there is none."""
        if self.running:
            return list(self.cells).index(self.running) + 1
        is_open = ("", *ACTIVE_STATES)
        numbers = (n for n, cell in enumerate(self.cells.values(), 1) if cell.state in is_open)
        return next(numbers, 0)

    @cached_property
    def _weights(self) -> dict[str, float]:
        """How long each cell takes beside the others, as far as that can be told beforehand."""
        found = {}
        for cell in self.folder.cells:
            expected = training_duration(cell.recipe, ())
            found[cell.cell_id] = max(1e-6, (expected.shortest + expected.longest) / 2)
        return found

    def seconds_left(self, now: float) -> float | None:
        """From the runs that have finished, each weighed by its cost; None before the first.

        Parameters
        ----------
        now : float
            Seconds since 1970.
        """
        done = [(i, c.seconds) for i, c in self.cells.items() if c.seconds is not None]
        weight = sum(self._weights[cell_id] for cell_id, _ in done)
        if not done or not self.is_active:
            return None
        pace = sum(seconds for _, seconds in done) / weight
        open_cells = [i for i, c in self.cells.items() if c.state in ("", "running")]
        left = pace * sum(self._weights[cell_id] for cell_id in open_cells)
        began = self.cells[self.running].began if self.running else None
        if began is not None and self.state == "running":
            left -= min(now - began, pace * self._weights[self.running])
        return max(0.0, left)

    def words(self, now: float) -> str:
        """State, progress and time left in a line: ``"running 7 of 36 · 12 min left"``."""
        said = STATE_WORDS.get(self.state, self.state)
        if self.state == "finished" and self.finished == self.total:
            said = f"finished, {self.total} runs"
        elif self.state in ("running", "paused") and self.position:
            said = f"{said} {self.position} of {self.total}"
        else:
            said = f"{said}, {self.finished} of {self.total} runs"
        parts = [said]
        if self.state == "running":
            parts.append(time_left(self.seconds_left(now)))
        if self.unlucky:
            parts.append(f"{self.unlucky} did not finish")
        return " · ".join(part for part in parts if part)
