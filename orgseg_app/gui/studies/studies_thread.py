"""The studies thread: starts the detached drivers of studies and follows what they write.

As the training thread does with runs: a driver is a process of its own, this thread only reads its
files, and ending it never ends a study.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from orgseg_app.gui.runs.following_thread import FollowingThread
from orgseg_app.gui.studies.study_facts import StudyFacts
from orgseg_app.runs.folder import ACTIVE_STATES, STUDIES, runs_dir
from orgseg_app.runs.studies.folder import StudyFolder, list_studies

POLL_S = 0.4
ORPHANS_S = 5.0
STARTING_S = 3.0
"""A driver that was just started may not have written down its process yet."""


@dataclass
class _Followed:
    """One study that is being read, and how far."""

    facts: StudyFacts
    offset: int = 0
    asked: float = 0.0
    looked: object = None
    reconciled: float = 0.0


class StudiesThread(FollowingThread):
    """Follows the studies of a project, off the window's thread.

    Studies started elsewhere (command line, another window) appear by themselves.

    Signals
    -------
    studies_listed(Path, list of StudyFacts)
        All studies of this project, oldest first, whenever one came, went or changed.
    """

    studies_listed = Signal(object, list)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__("studies thread", parent)
        self._followed: dict[str, _Followed] = {}
        self._listing: object = None
        self._has_told = False

    # -- in the thread -----------------------------------------------------------------------------

    def look(self) -> None:
        """Read on, and tell what changed."""
        if self._project is None:
            return
        has_news = self._list_if_changed()
        for followed in self._followed.values():
            if self._is_ending:
                return
            has_news = self._read(followed) or has_news
        if has_news or not self._has_told:
            self._has_told = True
            facts = [f.facts.copy() for f in self._followed.values()]
            self.studies_listed.emit(self._project, facts)

    @property
    def pause_s(self) -> float | None:
        """Without a project there is nothing to look at until somebody asks."""
        return POLL_S if self._project is not None else None

    def _watch(self, project_path: Path | None) -> None:
        self._project = project_path
        self._followed.clear()
        self._listing, self._has_told = None, False

    def _list_if_changed(self) -> bool:
        assert self._project is not None
        listing = _listing_of(runs_dir(self._project) / STUDIES)
        if listing == self._listing:
            return False
        self._listing = listing
        found: dict[str, _Followed] = {}
        for folder in list_studies(self._project):
            known = self._followed.get(folder.study_id)
            found[folder.study_id] = known or _Followed(StudyFacts(folder))
        has_changed = list(found) != list(self._followed)
        self._followed = found
        return has_changed

    def _on_asked(self, folder: StudyFolder) -> None:
        followed = self._followed.get(folder.study_id)
        if followed is None and self._project is not None:
            self._list_if_changed()
            followed = self._followed.get(folder.study_id)
        if followed is not None:
            followed.asked, followed.looked = time.monotonic(), None

    def _read(self, followed: _Followed) -> bool:
        """Read what a study wrote; whether something is new."""
        folder, facts = followed.facts.folder, followed.facts
        now, signs = time.monotonic(), _signs_of(folder)
        if signs == followed.looked and not facts.is_active:
            return self._look_for_orphans(followed, now)
        followed.looked, before = signs, facts.state
        has_events = self._take(followed)
        state = folder.state
        if state == "lost" and now - followed.asked < STARTING_S:
            state = "queued"
            followed.looked = None
        if state not in ACTIVE_STATES:
            # The last event may have come between the reading and the look at the state.
            has_events = self._take(followed) or has_events
        facts.state = state
        if state != before and state not in ACTIVE_STATES:
            self._reconcile(followed, now)
        return has_events or state != before

    def _take(self, followed: _Followed) -> bool:
        events, followed.offset = followed.facts.folder.events(followed.offset)
        followed.facts.take(events)
        if any(event.get("event") == "started" for event in events):
            self._reconcile(followed, time.monotonic())
        return bool(events)

    def _reconcile(self, followed: _Followed, now: float) -> bool:
        followed.reconciled = now
        runs = followed.facts.folder.runs()
        return followed.facts.reconcile({i: (run.run_id, run.state) for i, run in runs.items()})

    def _look_for_orphans(self, followed: _Followed, now: float) -> bool:
        """A job may still be learning though the driver that waited for it is gone."""
        is_late = now - followed.reconciled > ORPHANS_S
        has_any = any(cell.state in ACTIVE_STATES for cell in followed.facts.cells.values())
        return is_late and has_any and self._reconcile(followed, now)


def _signs_of(folder: StudyFolder) -> object:
    """Something that differs when the study has written, or been asked, anything."""
    found = []
    for path in (folder.events_path, folder.process_path):
        try:
            facts = os.stat(path)
            found.append((facts.st_mtime_ns, facts.st_size))
        except OSError:
            found.append((0, 0))
    return tuple(found)


def _listing_of(folder: Path) -> object:
    """Something that differs when a study came or went; None without a folder."""
    try:
        return tuple(sorted(e.name for e in os.scandir(folder) if not e.name.startswith(".")))
    except OSError:
        return None
