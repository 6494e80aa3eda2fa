"""What a folder that a process works in has to say: a run's, or a study's.

::

    control/       requests to the process: ``stop`` and ``pause`` are there or not
    events.jsonl   what happened, append only        process.json   which process does it
    log.txt        everything it printed             snapshot.h5    what it works on

Any of these may be missing or half written; nothing here crashes on that.
"""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from orgseg_app.runs import events
from orgseg_app.runs.errors import RunError
from orgseg_app.runs.process import is_alive, process_facts, read_json, write_json

STATES = ("queued", "running", "paused", "finished", "stopped", "failed", "lost")
ACTIVE_STATES = frozenset({"queued", "running", "paused"})

STOP, PAUSE = "stop", "pause"

_STARTING_S = 60.0
_LEAST_OF_ID = 4
_ID = re.compile(r"[0-9a-f]{12}")
_log = logging.getLogger(__name__)

Folder = TypeVar("Folder", bound="JobFolder")


class JobFolder:
    """A folder with what was asked, written once, and what a process has made of it.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    path : Path
    folder_id : str
        12 hex digits, never changes.

    Raises
    ------
    RunError
        As `ERROR`: when it is no such folder, is damaged, or of a newer version of OrgSeg.
    """

    ASKED: ClassVar[str] = "request.json"
    """The file that says what was asked: while it is there, so is the folder."""

    FORMAT: ClassVar[str] = ""
    VERSION: ClassVar[int] = 1
    """What that file says it is, and the newest version of it that can be read."""

    NOUN: ClassVar[str] = "run"
    """In sentences; also the field with the id."""

    ERROR: ClassVar[type[RunError]] = RunError

    def __init__(self, path: Path) -> None:
        what = f'"{path.name}" is not a {self.NOUN} folder: its {self.ASKED}'
        asked = read_json(path / self.ASKED)
        if asked is None or asked.get("format") != self.FORMAT:
            raise self.ERROR(f"{what} is not readable.")
        if int(asked.get("schema_version", 1)) > self.VERSION:
            raise self.ERROR(
                f'The {self.NOUN} "{path.name}" was made by a newer version of OrgSeg. '
                "Update OrgSeg to use it; nothing was changed."
            )
        self.path = path
        self.folder_id = str(asked.get(self.NOUN, ""))
        self._asked = asked
        if not _ID.fullmatch(self.folder_id):
            raise self.ERROR(f"{what} is damaged.")

    @property
    def name(self) -> str:
        """As shown to a person."""
        return self.path.name

    @property
    def created(self) -> float:
        """When it was asked for, seconds since 1970 (UTC)."""
        value = self._asked.get("created")
        return float(value) if isinstance(value, (int, float)) else 0.0

    @property
    def warnings(self) -> list[str]:
        """Sentences a person should read before trusting it, from when it was prepared."""
        found = self._asked.get("warnings")
        return [str(item) for item in found] if isinstance(found, list) else []

    # Where things are

    @property
    def exists(self) -> bool:
        """Whether the folder is still there."""
        return (self.path / self.ASKED).is_file()

    @property
    def events_path(self) -> Path:
        """Events, one JSON object a line."""
        return self.path / "events.jsonl"

    @property
    def snapshot_path(self) -> Path:
        """The annotated images that are learned from."""
        return self.path / "snapshot.h5"

    @property
    def process_path(self) -> Path:
        """Which process does it."""
        return self.path / "process.json"

    @property
    def log_path(self) -> Path:
        """Everything the process printed."""
        return self.path / "log.txt"

    @property
    def control_dir(self) -> Path:
        """Requests to the process: ``stop`` and ``pause`` are there or not."""
        return self.path / "control"

    # What happened

    @property
    def state(self) -> str:
        """One of `STATES`, from the last event and from whether its process lives."""
        try:
            last_sign: float | None = self.events_path.stat().st_mtime
        except OSError:
            last_sign = None
        told = events.state_from_events(events.tail_events(self.events_path))
        if told in events.LAST_EVENTS:
            return str(told)
        facts = read_json(self.process_path)
        if facts is None:  # prepared, and about to be started; or whoever meant to do it is gone
            age = time.time() - max(self.created, last_sign or 0.0)
            is_fresh = told in (None, "queued") and age < _STARTING_S and self.exists
            return "queued" if is_fresh else "lost"
        if is_alive(self.path, facts, last_sign):
            return told or "queued"
        # It may have said its last word between the two looks.
        told = events.state_from_events(events.tail_events(self.events_path))
        return str(told) if told in events.LAST_EVENTS else "lost"

    @property
    def is_active(self) -> bool:
        """Whether its process is waiting, working or paused."""
        return self.state in ACTIVE_STATES

    def events(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Events from `offset` on, and where to go on reading; see `runs.events`."""
        return events.read_events(self.events_path, offset)

    def last_event(self) -> dict[str, Any] | None:
        """The last event that can be read, or None."""
        found = events.tail_events(self.events_path)
        return found[-1] if found else None

    # Speaking to the process

    def write_process(self, pid: int, **more: Any) -> None:
        """Note which process does it, with what is known of that process already.

        Raises
        ------
        OSError
            When the folder is gone or the disk refuses.
        """
        known = read_json(self.process_path) or {}
        kept = {k: v for k, v in known.items() if known.get("pid") == pid}
        write_json(self.process_path, kept | process_facts(self.path, pid) | more)

    def make_ready(self) -> None:
        """Take back earlier requests, and say that a process is about to start.

        Raises
        ------
        OSError
            When the folder is gone or the disk refuses.
        """
        self.control_dir.mkdir(exist_ok=True)
        for request in (STOP, PAUSE):
            (self.control_dir / request).unlink(missing_ok=True)
        self.process_path.unlink(missing_ok=True)
        with events.EventWriter(self.events_path) as writer:
            writer.write("state", state="queued", starting=True)

    def ask(self, request: str) -> None:
        """Leave a request for the process: `STOP` or `PAUSE`.

        Raises
        ------
        RunError
            When the folder is gone, nothing is at work, or the disk refuses.
        """
        if not self.exists:
            raise self.ERROR(
                f'The folder of the {self.NOUN} "{self.name}" is gone; there is nothing to '
                f"{request}."
            )
        state = self.state
        if state not in ACTIVE_STATES:
            raise self.ERROR(
                f'The {self.NOUN} "{self.name}" is not working ({state}); nothing to {request}.'
            )
        try:
            self.control_dir.mkdir(exist_ok=True)
            (self.control_dir / request).touch()
        except OSError as error:
            raise self.ERROR(
                f'The {self.NOUN} "{self.name}" could not be asked to {request}: {error.strerror}.'
            ) from error

    def let_go_on(self) -> bool:
        """Take back a request to pause; False when nothing is at work, to be started again.

        Raises
        ------
        RunError
            When it works and is not paused.
        """
        state = self.state
        if state not in ACTIVE_STATES:
            return False
        asked = self.control_dir / PAUSE
        if not asked.exists() and state != "paused":
            raise self.ERROR(f'The {self.NOUN} "{self.name}" is not paused.')
        asked.unlink(missing_ok=True)
        return True


def listed(parent: Path, kind: type[Folder], *, apart: Collection[str] = ()) -> list[Folder]:
    """All folders of a kind in another one, oldest first.

    Broken ones are left out with a note in the log; so are names that begin with a dot, and those
    `apart`.
    """
    found: list[Folder] = []
    try:
        entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
    except OSError:
        return []
    for entry in entries:
        if entry.name.startswith(".") or entry.name in apart or not entry.is_dir():
            continue
        try:
            found.append(kind(Path(entry.path)))
        except (RunError, TypeError, ValueError) as error:
            _log.warning("left out: %s", error)
    return sorted(found, key=lambda folder: (folder.created, folder.folder_id))


def called(folders: Sequence[Folder], text: str) -> Folder | None:
    """The folder with this id, this name, or an id that begins so; the first way that fits counts.

    Returns
    -------
    The only one that fits; None where none does.

    Raises
    ------
    RunError
        When several fit equally well.
    """
    for fits in (
        [folder for folder in folders if folder.folder_id == text],
        [folder for folder in folders if text in (folder.name, folder.path.name)],
        [
            folder
            for folder in folders
            if len(text) >= _LEAST_OF_ID and folder.folder_id.startswith(text)
        ],
    ):
        if len(fits) > 1:
            first, ids = fits[0], ", ".join(folder.folder_id for folder in fits)
            plural = {"study": "studies"}.get(first.NOUN, f"{first.NOUN}s")
            raise first.ERROR(
                f'{len(fits)} {plural} are called "{text}"; name one by its id: {ids}.'
            )
        if fits:
            return fits[0]
    return None
